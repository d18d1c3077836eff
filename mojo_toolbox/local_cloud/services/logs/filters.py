"""CloudWatch's filter patterns, as far as they are about plain text."""

from __future__ import annotations

import re
from collections.abc import Callable

from mojo_toolbox.local_cloud.untrusted.linear_patterns import PatternError, compile_pattern
from mojo_toolbox.local_cloud.wire.protocol import ServiceError


def filter_pattern(pattern: str) -> Callable[[str], bool]:
    """Read CloudWatch's plain filter patterns: all terms, `?any` of these, `-none`, "quoted", `%regular expression%`."""
    pattern = pattern.strip()
    if len(pattern) > 1 and pattern[0] == pattern[-1] == "%":
        try:
            expression = compile_pattern(pattern[1:-1])
        except PatternError as error:
            raise ServiceError("InvalidParameterException", f"Invalid filter pattern: {error}") from None
        return lambda message: expression.search(message) is not None
    terms = re.findall(r'([-?]?)(?:"((?:[^"\\]|\\.)*)"|(\S+))', pattern)
    needed = [quoted or plain for sign, quoted, plain in terms if not sign]
    optional = [quoted or plain for sign, quoted, plain in terms if sign == "?"]
    excluded = [quoted or plain for sign, quoted, plain in terms if sign == "-"]

    def matches(message: str) -> bool:
        return (
            all(term in message for term in needed)
            and (not optional or any(term in message for term in optional))
            and not any(term in message for term in excluded)
        )

    return matches
