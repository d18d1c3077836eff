"""Checks for requests that AWS refuses and botocore lets through: limits of its service model, and rules that only its pages have.

botocore checks types, required fields and minima. Maxima, patterns and enumerations are in the same model, unread.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

# Replaces the account's number in requests that are only shown, or checked early: AWS would have to be asked.
UNASKED_ACCOUNT = "<account>"
# StoppingCondition's page: 28 days.
_MOST_SECONDS = 28 * 86400
# The limits of the types of AWS's models.
_INTEGERS = {"integer": 2**31, "long": 2**63}
_MOST_SHOWN = 60
_WORDS = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
# `[registry/]repository[:tag][@digest]`, as Docker reads it.
_IMAGE = re.compile(
    rf"(?:[\w-]+(?:\.[\w-]+)*(?::\d+)?/)?{_WORDS}(?:/{_WORDS})*(?::\w[\w.-]{{0,127}})?(?:@sha256:[0-9a-f]{{64}})?",
    re.ASCII,
)
_IMAGE_FIELDS = {"TrainingImage", "Image"}
# Java's character classes as Python writes them inside brackets. The patterns have them nowhere else.
_JAVA_CLASSES = {r"\p{L}": r"\w", r"\p{N}": r"\d", r"\p{Z}": r" \u00a0\u2000-\u200a\u3000", r"\p{Alnum}": "a-zA-Z0-9"}


def broken_rules(operation: str, parameters: Mapping[str, Any], shape: Any) -> list[str]:
    """Return a sentence for each field that AWS would refuse in `parameters`. botocore has validated these against `shape`."""
    return [
        *_out_of_limits(parameters, shape, ""),
        *_wrong_tags(parameters.get("Tags", [])),
        *_RULES.get(operation, _no_rules)(parameters),
    ]


def _out_of_limits(value: Any, shape: Any, path: str) -> Iterator[str]:
    kind = shape.type_name
    if kind == "structure":
        for name, member in value.items():
            yield from _out_of_limits(member, shape.members[name], f"{path}.{name}".lstrip("."))
            if name in _IMAGE_FIELDS and not _IMAGE.fullmatch(member):
                yield f"{path}.{name} {member!r} is not an image, such as image_uri='registry/repository:tag'"
    elif kind in {"list", "map"}:
        yield from _wrong_size(len(value), shape, path, of="entries")
        yield from _wrong_items(value, shape, path)
    elif kind == "string":
        yield from _wrong_text(value, shape, path)
    elif kind in {"integer", "long", "float", "double"}:
        yield from _wrong_number(value, shape, path)


def _wrong_items(value: Any, shape: Any, path: str) -> Iterator[str]:
    if shape.type_name == "list":
        for number, item in enumerate(value):
            yield from _out_of_limits(item, shape.member, f"{path}[{number}]")
        return
    for key, item in value.items():
        yield from _out_of_limits(key, shape.key, f"{path}, the key {key!r:.40},")
        yield from _out_of_limits(item, shape.value, f"{path}.{key}")


def _wrong_size(size: int, shape: Any, path: str, *, of: str) -> Iterator[str]:
    # botocore holds the minima of texts and lists, not those of maps.
    least, most = shape.metadata.get("min", 0), shape.metadata.get("max", size)
    if size < least:
        yield f"{path} has {size} {of}, and AWS takes at least {least}"
    if size > most:
        yield f"{path} has {size} {of}, and AWS takes {most}"


def _wrong_text(value: str, shape: Any, path: str) -> Iterator[str]:
    value = value.replace(UNASKED_ACCOUNT, "0" * 12)
    known = shape.metadata.get("enum")
    if known and value not in known:
        near = difflib.get_close_matches(value, known, n=3, cutoff=0.0)
        yield f"{path} {_shown(value)} is not one of AWS's values, such as {', '.join(near)}. A new one may need a newer boto3"
        return
    problems = list(_wrong_size(len(value), shape, path, of="characters"))
    pattern = _compiled(shape.metadata.get("pattern"))
    if not problems and pattern is not None and not pattern.fullmatch(value):
        problems = [f"{path} {_shown(value)} does not match AWS's pattern {shape.metadata['pattern']}"]
    yield from problems


def _wrong_number(value: Any, shape: Any, path: str) -> Iterator[str]:
    limit = _INTEGERS.get(shape.type_name, math.inf)
    if isinstance(value, bool) or not -limit <= value < limit:
        yield f"{path} {value!r:.40} is not a number that AWS takes"
    elif value > shape.metadata.get("max", value):
        yield f"{path} {value!r} is too high, and AWS takes at most {shape.metadata['max']}"


@cache
def _compiled(pattern: str | None) -> re.Pattern[str] | None:
    if pattern is None:
        return None
    for java, python in _JAVA_CLASSES.items():
        pattern = pattern.replace(java, python)
    try:
        return re.compile(pattern)
    except re.error:  # more of Java's dialect: AWS will check it
        return None


def _shown(value: str) -> str:
    return repr(value) if len(value) <= _MOST_SHOWN else f"{value[:_MOST_SHOWN]!r}…"


def _wrong_tags(tags: list[dict[str, str]]) -> Iterator[str]:
    keys = [tag["Key"] for tag in tags]
    for key in sorted({key for key in keys if keys.count(key) > 1}):
        yield f"Tags has the key {_shown(key)} twice"
    for key in (key for key in keys if key.lower().startswith("aws:")):
        yield f"Tags has the key {_shown(key)}, and AWS keeps keys that begin with 'aws:' for itself"


def _no_rules(_: Mapping[str, Any]) -> Iterator[str]:
    yield from ()


def _training_times(parameters: Mapping[str, Any]) -> Iterator[str]:
    times = parameters.get("StoppingCondition", {})
    runtime, wait = times.get("MaxRuntimeInSeconds", 86400), times.get("MaxWaitTimeInSeconds")
    if runtime > _MOST_SECONDS:
        yield (
            f"StoppingCondition.MaxRuntimeInSeconds {runtime} is too long. max_runtime_seconds takes 1 to {_MOST_SECONDS}, "
            "which is 28 days"
        )
    spot = parameters.get("EnableManagedSpotTraining")
    if spot and (wait is None or wait < runtime):
        yield (
            f"StoppingCondition.MaxWaitTimeInSeconds must be at least MaxRuntimeInSeconds ({runtime}) for managed spot "
            "training"
        )
    if wait is not None and not spot:
        yield "StoppingCondition.MaxWaitTimeInSeconds is for managed spot training. Set EnableManagedSpotTraining too"


_RULES = {"CreateTrainingJob": _training_times}
