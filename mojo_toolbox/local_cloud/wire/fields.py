"""Refuses requests for something that the local cloud does not do: every field is honoured, without effect, or refused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from mojo_toolbox.local_cloud.wire.protocol import ServiceError


@dataclass(frozen=True)
class Fields:
    """The fields of one operation by their path, such as `InputDataConfig[].ChannelName`.

    A path includes everything below it. Any other field is refused.
    """

    honoured: frozenset[str]
    without_effect: Mapping[str, str] = field(default_factory=dict)
    """Accepted fields that change nothing on one machine, each with the reason."""
    values: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    """Fields of which only these values are honoured."""
    reasons: Mapping[str, str] = field(default_factory=dict)
    """Why a field is refused, where its name alone does not say it."""
    nothing_by_itself: frozenset[str] = frozenset()
    """Structures that ask for nothing unless a member does. Any other one switches something on by being there."""

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
    operation: str,
    request: Mapping[str, Any],
    fields: Fields,
    *,
    code: str = "ValidationException",
    status: int = 400,
) -> None:
    """Refuse the first field that asks for something that would not be done.

    Raises:
        ServiceError: it names the field, and the local cloud's alternative if there is one.
    """
    for path, value in _unhonoured(request, "", fields):
        raise ServiceError(code, _words(operation, path, value, fields), status)


def _words(operation: str, path: str, value: Any, fields: Fields) -> str:
    reason = f": {fields.reasons[path]}" if path in fields.reasons else ""
    if path in fields.values:
        offered = " or ".join(str(one) for one in fields.values[path])
        return f"The local cloud takes {offered} for {operation}'s {path}, not {value}{reason}."
    return f"The local cloud does not offer {operation}'s {path}{reason}. Leave it out, or use AWS."


def _unhonoured(value: Any, path: str, fields: Fields) -> Iterator[tuple[str, Any]]:
    if path in fields.accepted or _is_nothing(value):
        return
    if path in fields.values:
        if value not in fields.values[path]:
            yield path, value
    elif path and path not in fields.parents and not _only_members_ask(value, path, fields):
        yield path, value
    elif isinstance(value, Mapping):
        for name, item in value.items():
            yield from _unhonoured(item, f"{path}.{name}" if path else name, fields)
    else:
        for item in value:
            yield from _unhonoured(item, f"{path}[]", fields)


def _is_nothing(value: Any) -> bool:
    """Whether a value switches nothing on wherever it is. A structure may, by being there."""
    return value is None or value is False or value in ("", [])


def _only_members_ask(value: Any, path: str, fields: Fields) -> bool:
    """Whether a structure is one that means nothing by itself, and its members ask for nothing.

    `VpcConfig: {}` and `RemoteDebugConfig: {"EnableRemoteDebug": False}` are. `AsyncInferenceConfig` makes an endpoint
    asynchronous whatever is in it.
    """
    return path in fields.nothing_by_itself and isinstance(value, Mapping) and all(map(_is_nothing, value.values()))


def _parents(path: str) -> Iterator[str]:
    """Yield `A`, `A[]` and `A[].B` for `A[].B.C`."""
    steps = path.replace("[]", ".[]").split(".")
    for length in range(1, len(steps)):
        yield ".".join(steps[:length]).replace(".[]", "[]")
