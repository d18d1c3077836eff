"""Refuses what a request asks for and the local cloud does not do: every field is honoured, without effect, or refused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from mojo_toolbox.local_cloud.protocol import ServiceError


@dataclass(frozen=True)
class Fields:
    """The fields of one operation by their path, such as `InputDataConfig[].ChannelName`.

    A path stands for everything below it too. A field that none of these names is refused.
    """

    honoured: frozenset[str]
    without_effect: Mapping[str, str] = field(default_factory=dict)
    """Accepted fields that change nothing on one machine, each with the reason."""
    values: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    """Fields of which only these values are honoured."""
    reasons: Mapping[str, str] = field(default_factory=dict)
    """Why a field is refused, where its name alone does not say it."""

    @cached_property
    def accepted(self) -> frozenset[str]:
        """Every path that may be given with any value."""
        return self.honoured | frozenset(self.without_effect)

    @cached_property
    def parents(self) -> frozenset[str]:
        """Every path below which something is accepted."""
        paths = self.accepted | frozenset(self.values)
        return frozenset(parent for path in paths for parent in _parents(path))


def refuse_unhonoured(
    operation: str, request: Mapping[str, Any], fields: Fields, *, code: str = "ValidationException"
) -> None:
    """Refuse the first field that asks for something that would not be done.

    Raises:
        ServiceError: it names the field, and what the local cloud takes instead where there is something.
    """
    for path, value in _unhonoured(request, "", fields):
        raise ServiceError(code, _words(operation, path, value, fields))


def _words(operation: str, path: str, value: Any, fields: Fields) -> str:
    reason = f": {fields.reasons[path]}" if path in fields.reasons else ""
    if path in fields.values:
        offered = " or ".join(str(one) for one in fields.values[path])
        return f"The local cloud takes {offered} for {operation}'s {path}, not {value}{reason}."
    return f"The local cloud does not offer {operation}'s {path}{reason}. Leave it out, or use AWS."


def _unhonoured(value: Any, path: str, fields: Fields) -> Iterator[tuple[str, Any]]:
    if _asks_for_nothing(value) or path in fields.accepted:
        return
    if path in fields.values:
        if value not in fields.values[path]:
            yield path, value
    elif path and path not in fields.parents:
        yield path, value
    elif isinstance(value, Mapping):
        for name, item in value.items():
            yield from _unhonoured(item, f"{path}.{name}" if path else name, fields)
    else:
        for item in value:
            yield from _unhonoured(item, f"{path}[]", fields)


def _asks_for_nothing(value: Any) -> bool:
    """Whether a value switches nothing on: `VpcConfig: {}`, `RemoteDebugConfig: {"EnableRemoteDebug": False}`."""
    if isinstance(value, Mapping):
        return all(map(_asks_for_nothing, value.values()))
    if isinstance(value, list):
        return all(map(_asks_for_nothing, value))
    return value is None or value is False or value == ""


def _parents(path: str) -> Iterator[str]:
    """Yield `A`, `A[]` and `A[].B` for `A[].B.C`."""
    steps = path.replace("[]", ".[]").split(".")
    for length in range(1, len(steps)):
        yield ".".join(steps[:length]).replace(".[]", "[]")
