"""What is wrong with JSON that people wrote, in words they know."""

from __future__ import annotations

import json

_CLOSING = {"]": "list", "}": "object"}
_LITERALS = ("true", "false", "null")


def why_not_json(error: json.JSONDecodeError, *, column: bool = True) -> str:
    """Return what stopped the parser, as a sentence; without `column` where the parser saw only a piece of the file."""
    error = _behind_comma(error)
    what, advice = _fault(error)
    place = f" at column {error.colno}" if column else ""
    return f"{what}{place}.{advice}"


def ends_too_early(error: json.JSONDecodeError) -> bool:
    """Whether all that is wrong is that the text stops where JSON goes on."""
    rest = error.doc[error.pos :].strip()
    cut = error.msg.startswith("Unterminated string") or any(literal.startswith(rest) for literal in _LITERALS)
    return cut and not _has_comma_too_many(error)


def _fault(error: json.JSONDecodeError) -> tuple[str, str]:
    """Return the fault and what to do; the parser itself takes a comma before the end of a list for a missing value."""
    rest = error.doc[error.pos :].lstrip()
    if closing := _has_comma_too_many(error):
        return f"a comma before the end of {closing}", " Remove the comma."
    if rest.startswith("'"):
        return "a single quotation mark", " JSON has double ones."
    if rest.startswith(("//", "/*", "#")):
        return "a comment", " JSON has none: remove it."
    return error.msg, ""


def _has_comma_too_many(error: json.JSONDecodeError) -> str | None:
    """Return what ends right behind a comma; None when nothing does."""
    error = _behind_comma(error)
    before, rest = error.doc[: error.pos].rstrip()[-1:], error.doc[error.pos :].lstrip()
    return f"the {_CLOSING[rest[0]]}" if before == "," and rest and rest[0] in _CLOSING else None


def _behind_comma(error: json.JSONDecodeError) -> json.JSONDecodeError:
    """Return the error where Python 3.12 has it: newer ones name a comma too many, older ones the bracket behind it."""
    after_comma = error.doc[error.pos + 1 :].lstrip()
    if not error.doc.startswith(",", error.pos) or after_comma[:1] not in _CLOSING:
        return error
    return json.JSONDecodeError(error.msg, error.doc, len(error.doc) - len(after_comma))
