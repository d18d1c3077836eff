"""Regular expressions of users, matched in a time that grows with the text alone: none of them can stop the local cloud.

Python's own engine takes years for `(a+)+$` on a line that almost fits, and stops all other threads meanwhile.
"""

from __future__ import annotations

from typing import Protocol, cast

import re2

_OPTIONS = re2.Options()
# It would print to the server's log an error that is raised anyway.
_OPTIONS.log_errors = False


class PatternError(ValueError):
    """A regular expression that cannot be used. The message says why."""


class Match(Protocol):
    """A match."""

    def __getitem__(self, group: int) -> str | None: ...


class Pattern(Protocol):
    """A compiled expression."""

    def search(self, text: str) -> Match | None: ...  # noqa: D102


def compile_pattern(expression: str) -> Pattern:
    """Read an expression in RE2's syntax: Python's, without look-around and back-references.

    Raises:
        PatternError: it is no such expression.
    """
    try:
        return cast(Pattern, re2.compile(expression, _OPTIONS))
    except UnicodeEncodeError:
        raise PatternError("It contains half a character.") from None
    except re2.error as error:
        reason = error.args[0]
        text = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
        raise PatternError(
            f"{text}. Expressions are matched in linear time by RE2, which has no look-around and no back-references."
        ) from None
