"""Reads the JSON of requests: valid JSON that no service could keep is refused at the door."""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

from mojo_toolbox.local_cloud.wire.protocol import ServiceError

# No request of AWS nests deeper than a few dozen levels.
_MAX_DEPTH = 100
_HALF_SURROGATE = re.compile("[\ud800-\udfff]")


def read_document(content: bytes) -> dict[str, Any]:
    """Return the JSON object that a request's body is.

    Integers that do not fit AWS's long type come as floats, since only a member of a float type may hold one.

    Raises:
        ServiceError: SerializationException.
    """
    try:
        document = json.loads(
            (content or b"{}").decode("utf-8"),
            parse_int=_integer,
            parse_float=_finite,
            parse_constant=_refuse_constant,
        )
    except UnicodeDecodeError as error:
        raise _refusal("is not UTF-8") from error
    except ValueError as error:
        raise _refusal(f"is not JSON: {error}") from error
    except RecursionError as error:
        raise _refusal(f"nests deeper than {_MAX_DEPTH} levels") from error
    if not isinstance(document, dict):
        raise _refusal("is not a JSON object")
    _check(document)
    return document


def _check(document: dict[str, Any]) -> None:
    """Refuse depths and texts that no service could handle, without recursion."""
    level: list[Any] = [document]
    for _ in range(_MAX_DEPTH):
        below: list[Any] = []
        for one in level:
            if isinstance(one, str):
                _check_text(one)
            elif isinstance(one, dict):
                below += one.keys()
                below += one.values()
            elif isinstance(one, list):
                below += one
        if not below:
            return
        level = below
    raise _refusal(f"nests deeper than {_MAX_DEPTH} levels")


def _check_text(text: str) -> None:
    if found := _HALF_SURROGATE.search(text):
        raise _refusal(f"holds half of a surrogate pair, U+{ord(found[0]):04X}, which is not a character")


def _integer(digits: str) -> int | float:
    # Python refuses to read thousands of digits as an integer.
    if len(digits) <= len(str(-(2**63))) and -(2**63) <= int(digits) < 2**63:
        return int(digits)
    return _finite(digits)


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise _refusal("holds a number that is too large")
    return number


def _refuse_constant(name: str) -> NoReturn:
    raise _refusal(f"holds {name}, which is not JSON")


def _refusal(problem: str) -> ServiceError:
    return ServiceError("SerializationException", f"The request's body {problem}.")
