"""Figures, names and times as people read them, the same on the page, in Markdown and in the terminal."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import PurePath
from typing import Any

DASH = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"
TIMES = "\N{MULTIPLICATION SIGN}"
_SHORT = 80
# Characters that no encoding can write or a screen would obey: controls but tab and line break, halves of surrogate pairs.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
# Characters that turn the reading direction of whatever follows them.
_DIRECTION = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069]")

POINT_MEANINGS = {
    "start": "a task starts",
    "continue": "the task goes on",
    "switch": "another task takes over",
    "end": "the task ends",
    "none": "there is still no task",
}


def percent(share: float | None, *, digits: int = 1) -> str:
    """Return a share as a percentage. A share near 0 or 1 does not round to 0% or 100%."""
    if share is None:
        return DASH
    text = f"{100 * share:.{digits}f}"
    least = 10.0**-digits
    if 0 < share < 1 and float(text) in {0.0, 100.0}:
        return f"<{least:g}%" if share < 0.5 else f">{100 - least:g}%"  # noqa: PLR2004 - which end
    return f"{float(text):.0f}%" if share in {0, 1} else f"{text}%"


def share_of(part: int, whole: int) -> float | None:
    """Return part / whole, None where there is nothing to divide by."""
    return part / whole if whole else None


def value_of(figure: Mapping[str, Any] | None) -> float | None:
    """Return the value of a figure with an interval."""
    return None if figure is None else figure["value"]


def percent_of(figure: Mapping[str, Any] | None, *, digits: int = 1) -> str:
    """Return the value of a share with an interval as a percentage."""
    return percent(value_of(figure), digits=digits)


def between(figure: Mapping[str, Any] | None, *, digits: int = 1) -> str:
    """Return the interval of a share in percent, its ends joined by a dash, or an empty text."""
    if figure is None or figure["low"] is None or figure["high"] is None:
        return ""
    return f"{100 * figure['low']:.{digits}f}{DASH}{100 * figure['high']:.{digits}f}"


def with_interval(figure: Mapping[str, Any] | None, *, digits: int = 1) -> str:
    """Return a share with its interval on one line, the interval in parentheses."""
    shown, reach = percent_of(figure, digits=digits), between(figure, digits=digits)
    return f"{shown} ({reach})" if reach else shown


def change(share: float | None) -> str:
    """Return a difference of two shares in percentage points, with its sign."""
    if share is None:
        return DASH
    text = f"{100 * share:+.1f}".replace("-", MINUS)
    return "0.0" if text[1:] == "0.0" else text


def change_between(figure: Mapping[str, Any] | None) -> str:
    """Return the interval of a difference in percentage points, or nothing if there is none."""
    if figure is None or figure["low"] is None or figure["high"] is None:
        return ""
    return f"{change(figure['low'])} to {change(figure['high'])}"


def count(number: float) -> str:
    """Return a whole number with separators between the thousands."""
    return f"{number:,.0f}"


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """Return a number with its noun: `1 error`, `1,080 decisions`."""
    return f"{count(number)} {noun if number == 1 else plural or noun + 's'}"


def milliseconds(time: float | None) -> str:
    """Return a time given in milliseconds in the unit that suits it."""
    if time is None:
        return DASH
    if time < 1000:  # noqa: PLR2004
        return f"{_rounded(time)} ms"
    return seconds(time / 1000)


def milliseconds_between(figure: Mapping[str, Any] | None) -> str:
    """Return the interval of a time given in milliseconds, or nothing if there is none."""
    if figure is None or figure["low"] is None or figure["high"] is None:
        return ""
    low, high = milliseconds(figure["low"]), milliseconds(figure["high"])
    if low.split(" ")[1:] == high.split(" ")[1:]:
        low = low.split(" ")[0]
    return f"{low}{DASH}{high}"


def seconds(time: float) -> str:
    """Return a time given in seconds in the units that suit it."""
    if time < 120:  # noqa: PLR2004 - "90 s" is read as easily as "1 min 30 s"
        return f"{_rounded(time)} s"
    minutes, rest = divmod(round(time), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def money(amount: float, currency: str) -> str:
    """Return an amount with three digits that count, two behind the point at least."""
    if not amount:
        return f"{currency} 0.00"
    digits = max(2, 2 - math.floor(math.log10(abs(amount))))
    return f"{currency} {amount:,.{min(digits, 8)}f}"


def moment(text: str) -> str:
    """Return an ISO 8601 time as `21 November 2026, 10:40 UTC`."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return text
    time = time.astimezone(UTC) if time.tzinfo else time
    return f"{time.day} {time:%B %Y, %H:%M}" + (" UTC" if time.tzinfo else "")


def printable(text: str) -> str:
    """Replace characters that cannot be written or that a terminal would obey. Line breaks and tabs stay."""
    return _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text.replace("\r\n", "\n"))


def short(text: str, longest: int = _SHORT) -> str:
    """Return a name or message on one line, cut if it is too long for a table."""
    line = _DIRECTION.sub("", " ".join(printable(text).split()))
    return line if len(line) <= longest else line[: longest - 1].rstrip() + "…"


def narrowed(text: str, longest: int = 24) -> str:
    """Return a name cut in its middle: where space is short, names that begin alike differ at their ends."""
    line = short(text)
    tail = longest // 3
    return line if len(line) <= longest else f"{line[: longest - tail - 1]}…{line[-tail:]}"


def task_name(name: str | None) -> str:
    """Return a task's name, or `none` for no task."""
    return "none" if name is None else short(name)


def data_name(report: Mapping[str, Any]) -> str:
    """Return the file name of the conversations that were asked about."""
    source = report["data"]["source"]
    return short(PurePath(source).name or source) if source else "conversations in memory"


def router_names(reports: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a name for each report by which it differs from the others."""
    names = [_router_name(report) for report in reports]
    for told_apart in (_told_previous, data_name, lambda report: moment(report["measured_at"])):
        names = [
            f"{name}, {told_apart(report)}" if names.count(name) > 1 else name
            for name, report in zip(names, reports, strict=True)
        ]
        if len(set(names)) == len(names):
            break
    return [
        f"{name} ({names[:place].count(name) + 1})" if names.count(name) > 1 else name
        for place, name in enumerate(names)
    ]


def model_name(report: Mapping[str, Any]) -> str:
    """Return the name of a chat model without that of its prompt."""
    name, prompt = short(report["router"]), short(report["prompt"] or "")
    if not prompt or prompt not in name:
        return name
    before, _, after = name.rpartition(prompt)
    return (before + after).strip(" ,:;/+@·|-_()[]") or name


def _router_name(report: Mapping[str, Any]) -> str:
    prompt = report["prompt"]
    named = prompt is None or prompt in report["router"]
    return short(report["router"] if named else f"{report['router']} · {prompt}")


def _told_previous(report: Mapping[str, Any]) -> str:
    return "earlier decisions as labelled" if report["previous"] == "labelled" else "its own earlier decisions"


def _rounded(number: float) -> str:
    """Return a number with two digits that count, at least."""
    if number == 0 or number >= 10:  # noqa: PLR2004
        return f"{number:,.0f}"
    return f"{number:.{min(4, 1 - math.floor(math.log10(abs(number))))}f}"
