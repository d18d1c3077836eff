"""Checks a request against botocore's own model of the service, as AWS does on its side.

botocore checks types, required members and minima in the client. Enumerations, maxima and patterns only AWS checks, and
not every client is botocore. Members that the model does not know are let through: a newer client may send newer members.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

from mojo_toolbox.local_cloud.wire.protocol import ServiceError

# Enumerations of instance types hold hundreds of names. AWS lists them all, nobody reads them.
SHOWN_ENUM_VALUES = 12


@lru_cache(maxsize=8)
def service_shapes(service: str) -> Mapping[str, Any]:
    """Return the service's model as botocore ships it, read once (0.1 s for SageMaker)."""
    from botocore.loaders import Loader

    return dict(Loader().load_service_model(service, "service-2"))


def known_operation(service: str, operation: str) -> bool:
    """Whether the service has this operation."""
    return operation in service_shapes(service)["operations"]


def members_of(service: str, operation: str) -> frozenset[str]:
    """Return the names of the members that a request of this operation has."""
    model = service_shapes(service)
    shape = model["operations"][operation].get("input", {}).get("shape")
    return frozenset(model["shapes"][shape].get("members", {})) if shape else frozenset()


def enum_values(service: str, shape: str) -> frozenset[str]:
    """Return the values of an enumeration in the service's model."""
    return frozenset(service_shapes(service)["shapes"][shape]["enum"])


def check_request(service: str, operation: str, request: Any, *, code: str = "ValidationException") -> None:
    """Check a request's members.

    Raises:
        ServiceError: with all that is wrong, each naming its member, in AWS's words.
    """
    model = service_shapes(service)
    if not isinstance(request, dict):
        raise ServiceError("SerializationException", "The body of the request is no JSON object.")
    shape = model["operations"][operation].get("input", {}).get("shape")
    if shape is None:
        return
    problems = list(_problems(model["shapes"], shape, request, ""))
    if problems:
        plural = "s" if len(problems) > 1 else ""
        raise ServiceError(code, f"{len(problems)} validation error{plural} detected: " + "; ".join(problems))


def _problems(shapes: Mapping[str, Any], name: str, value: Any, path: str) -> Iterator[str]:
    shape = shapes[name]
    kind = shape["type"]
    if not _has_type(kind, value):
        yield f"Value at '{path}' failed to satisfy constraint: Member must be a {kind}"
        return
    if kind == "structure":
        yield from _structure_problems(shapes, shape, value, path)
    elif kind == "list":
        yield from _size_problems(shape, len(value), value, path)
        for index, item in enumerate(value):
            yield from _problems(shapes, shape["member"]["shape"], item, f"{path}.{index + 1}.member")
    elif kind == "map":
        yield from _size_problems(shape, len(value), value, path)
        for key, item in value.items():
            yield from _problems(shapes, shape["key"]["shape"], key, path)
            yield from _problems(shapes, shape["value"]["shape"], item, f"{path}.{key}.member")
    elif kind == "string":
        yield from _string_problems(shape, value, path)
    elif kind in {"integer", "long", "float", "double"}:
        yield from _range_problems(shape, value, path)
    elif kind == "timestamp":
        yield from _time_problems(value, path)


# A JSON service sends times as seconds since 1970. Some clients send ISO 8601, which AWS takes too.
_TYPES: Mapping[str, tuple[type, ...]] = {
    "structure": (dict,),
    "map": (dict,),
    "list": (list,),
    "string": (str,),
    "blob": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "long": (int,),
    "float": (int, float),
    "double": (int, float),
    "timestamp": (int, float, str),
}


# The limits of the types of AWS's models. The times leave a day for time zones within the years 1 to 9999.
_INTEGERS = {"integer": 2**31, "long": 2**63}
_TIMES = (-62135510400, 253402214400)


def _has_type(kind: str, value: Any) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    if kind in _INTEGERS and isinstance(value, int) and not -_INTEGERS[kind] <= value < _INTEGERS[kind]:
        return False
    return isinstance(value, _TYPES.get(kind, object))


def _structure_problems(
    shapes: Mapping[str, Any], shape: Mapping[str, Any], value: Mapping[str, Any], path: str
) -> Iterator[str]:
    for member in shape.get("required", ()):
        if value.get(member) is None:
            yield f"Value null at '{_join(path, member)}' failed to satisfy constraint: Member must not be null"
    for member, item in value.items():
        if item is not None and member in shape["members"]:
            yield from _problems(shapes, shape["members"][member]["shape"], item, _join(path, member))


def _string_problems(shape: Mapping[str, Any], value: str, path: str) -> Iterator[str]:
    where = f"Value '{_shorten(value)}' at '{path}' failed to satisfy constraint: Member must"
    values = shape.get("enum")
    if values and value not in values:
        shown = ", ".join(_nearest(value, values))
        yield f"{where} satisfy enum value set: [{shown}]"
        return
    if len(value) < shape.get("min", 0):
        yield f"{where} have length greater than or equal to {shape['min']}"
    if len(value) > shape.get("max", len(value)):
        yield f"{where} have length less than or equal to {shape['max']}"
    pattern = _compiled(shape.get("pattern"))
    if pattern is not None and not pattern.fullmatch(value):
        yield f"{where} satisfy regular expression pattern: {shape['pattern']}"


def _nearest(value: str, values: list[str]) -> list[str]:
    if len(values) <= SHOWN_ENUM_VALUES:
        return values
    import difflib

    return [*difflib.get_close_matches(value, values, n=SHOWN_ENUM_VALUES, cutoff=0.0), "..."]


def _range_problems(shape: Mapping[str, Any], value: float, path: str) -> Iterator[str]:
    where = f"Value '{value}' at '{path}' failed to satisfy constraint: Member must have value"
    if value < shape.get("min", value):
        yield f"{where} greater than or equal to {shape['min']}"
    if value > shape.get("max", value):
        yield f"{where} less than or equal to {shape['max']}"


def _time_problems(value: float | str, path: str) -> Iterator[str]:
    try:
        at = datetime.fromisoformat(value).timestamp() if isinstance(value, str) else value
    except (ValueError, OverflowError):
        at = math.inf
    if not _TIMES[0] <= at <= _TIMES[1]:
        yield f"Value '{_shorten(str(value))}' at '{path}' failed to satisfy constraint: Member must be a timestamp"


def _size_problems(shape: Mapping[str, Any], size: int, value: Any, path: str) -> Iterator[str]:
    where = f"Value '{_shorten(str(value))}' at '{path}' failed to satisfy constraint: Member must have length"
    if size < shape.get("min", 0):
        yield f"{where} greater than or equal to {shape['min']}"
    if size > shape.get("max", size):
        yield f"{where} less than or equal to {shape['max']}"


@lru_cache(maxsize=512)
def _compiled(pattern: str | None) -> re.Pattern[str] | None:
    if pattern is None:
        return None
    try:
        return re.compile(_python_pattern(pattern))
    except re.error:
        # AWS itself will check patterns that are still Java's own dialect.
        return None


# Java's character classes as Python writes them inside brackets. `\w` is wider than \p{L} by digits and the underscore,
# which every pattern with letters takes too.
_JAVA_CLASSES = {
    "L": r"\w",
    "N": r"\d",
    "Z": r" \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000",
    "Alnum": "a-zA-Z0-9",
    "ASCII": r"\x00-\x7f",
    "Print": r"\x20-\x7e",
}


def _python_pattern(pattern: str) -> str:
    def translated(found: re.Match[str]) -> str:
        members = _JAVA_CLASSES.get(found[1], found[0])
        before = pattern[: found.start()]
        return members if before.count("[") > before.count("]") else f"[{members}]"

    return re.sub(r"\\p\{(\w+)\}", translated, pattern).replace(r"\z", r"\Z")


def _shorten(text: str) -> str:
    return text if len(text) <= 100 else f"{text[:100]}..."  # noqa: PLR2004 - as much as a message can carry


def _join(path: str, member: str) -> str:
    """Write members as AWS does: `resourceConfig.instanceType`."""
    name = member[:1].lower() + member[1:]
    return f"{path}.{name}" if path else name
