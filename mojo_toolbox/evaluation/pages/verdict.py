"""The verdict of reports in a sentence, and the remarks that a reader should not miss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mojo_toolbox.data import POINTS
from mojo_toolbox.evaluation.counting.ranking import best_first
from mojo_toolbox.evaluation.drawing.readable import (
    POINT_MEANINGS,
    change,
    count,
    counted,
    percent,
    percent_of,
    router_names,
    value_of,
    with_interval,
)
from mojo_toolbox.evaluation.routers.baselines import BASELINES
from mojo_toolbox.evaluation.sections import table
from mojo_toolbox.evaluation.sections.points import ENOUGH
from mojo_toolbox.evaluation.sections.section import Document, Remark, comparable

# A note on many routers names the worst of them.
_NAMED = 3


def verdict(reports: Sequence[Document], comparisons: Sequence[Mapping[str, Any]] = ()) -> str:
    """Return in a sentence or two how good the routers are, and which is best."""
    measured = [(report, name) for report, name in zip(reports, router_names(reports), strict=True) if _n(report)]
    if not measured:
        return "Nothing was measured: there are no labelled user turns."
    if not comparable(reports):
        return (
            f"{len(reports)} reports that were not measured on the same decisions: where figures stand beside each other, "
            "they do not compare."
        )
    if len(measured) == 1:
        return _of_one(*measured[0])
    order = best_first(
        [(report["overall"]["right"], value_of(report["overall"]["balanced"])) for report, _ in measured]
    )
    return _of_several([measured[place] for place in order], comparisons)


def is_baseline(report: Document) -> bool:
    """Whether a report is of one of the library's baselines. Reports of earlier versions only have its name."""
    told = report.get("baseline")
    return report["router"] in BASELINES if told is None else bool(told)


@dataclass(frozen=True)
class ReaderNote:
    """A remark that a reader should not miss, with its text for each named router. `others` are not named."""

    subject: str
    routers: list[tuple[str, str]]
    others: int


def notes(reports: Sequence[Document]) -> list[ReaderNote]:
    """Return the remarks that a reader should not miss, the worst routers first.

    Baselines are left out: nobody is to use one, and their weaknesses are known.
    """
    found: dict[str, list[tuple[float, str, str]]] = {}
    for report, name in zip(reports, router_names(reports), strict=True):
        for remark in [] if is_baseline(report) else _remarks(report):
            found.setdefault(remark.subject, []).append((remark.weight, name, remark.says))
    ranked = []
    for subject, routers in found.items():
        worst = [(name, says) for _, name, says in sorted(routers, key=lambda router: -router[0])]
        ranked.append(ReaderNote(subject, worst[:_NAMED], len(worst[_NAMED:])))
    return ranked


def _remarks(report: Document) -> list[Remark]:
    remarks = (remark for section in table.SECTIONS for remark in section.remarks(report))
    return sorted(remarks, key=lambda remark: remark.rank)


def _of_one(report: Document, name: str) -> str:
    overall = report["overall"]
    if overall["errors"] == overall["n"]:
        return f"{name} never answered: {_all(overall['n'], 'call')} failed."
    right = f"{name} is right in {count(overall['right'])} of {counted(overall['n'], 'decision')}: {_accuracy(report)}."
    points = _by_accuracy(report)
    if len(points) < 2:  # noqa: PLR2004 - one point alone is neither best nor worst
        return right
    return f"{right} It is best where {_at(report, points[-1])}, and weakest where {_at(report, points[0])}."


def _of_several(ranked: list[tuple[Document, str]], comparisons: Sequence[Mapping[str, Any]]) -> str:
    (best, name), (second, second_name) = ranked[:2]
    n, right = counted(_n(best), "decision"), best["overall"]["right"]
    if not right:
        return f"None of {len(ranked)} routers is right in any of {n}."
    equal = [other for report, other in ranked if report["overall"]["right"] == right]
    if len(equal) > 1:
        first = "" if len(equal) == len(ranked) else ", more often than any other"
        return f"{_listed(equal)} are right equally often{first}: in {count(right)} of {n}, {_accuracy(best)}."
    text = f"{name} is right most often: in {count(right)} of {n}, {_accuracy(best)}. Next is {second_name} with "
    text += f"{with_interval(second['overall']['accuracy'])}. {_apart(ranked[0], ranked[1], comparisons)}".rstrip()
    fairest, fairest_name = max(ranked, key=lambda found: value_of(found[0]["overall"]["balanced"]) or 0)
    if fairest is not best:
        balanced = percent_of(fairest["overall"]["balanced"])
        text += f" With all measuring points counting the same, {fairest_name} leads with {balanced}."
    points = _by_accuracy(best)
    return text + (f" The weakest point of {name}: where {_at(best, points[0])}." if points else "")


def _listed(names: list[str]) -> str:
    named = names if len(names) <= _NAMED else [*names[: _NAMED - 1], f"{len(names) - _NAMED + 1} others"]
    return f"{', '.join(named[:-1])} and {named[-1]}"


def _apart(best: tuple[Document, str], second: tuple[Document, str], comparisons: Sequence[Mapping[str, Any]]) -> str:
    """Return by how much the best is ahead, decision by decision, and whether that may be chance."""
    paired = _paired(best, second, comparisons)
    if paired is not None:
        value, low, high = paired
        ahead = f"{change(abs(value)).lstrip('+')} percentage points ahead ({change(low)} to {change(high)})"
        return f"Decision by decision, {best[1]} is {ahead}{', which may be chance' if low <= 0 <= high else ''}."
    one, other = best[0]["overall"]["accuracy"], second[0]["overall"]["accuracy"]
    if one and other and None not in {one["low"], other["high"]} and one["low"] > other["high"]:
        return ""  # so far apart, no pairing could bring them together
    return "They were not compared decision by decision, so the difference may be chance."


def _paired(
    best: tuple[Document, str], second: tuple[Document, str], comparisons: Sequence[Mapping[str, Any]]
) -> tuple[float, float, float] | None:
    """Return by how much the best is ahead, with its paired interval, or None if the two were not compared so."""
    ours, theirs = ({report["router"], name} for report, name in (best, second))
    for comparison in comparisons:
        sign = 1 if comparison["b"] in ours and comparison["a"] in theirs else -1
        if sign < 0 and not (comparison["a"] in ours and comparison["b"] in theirs):
            continue
        for row in comparison["rows"]:
            found = row["difference"]
            if row["figure"] == "accuracy" and found and found["low"] is not None:
                low, high = sorted((sign * found["low"], sign * found["high"]))
                return sign * found["value"], low, high
    return None


def _by_accuracy(report: Document) -> list[str]:
    """Return the points with enough decisions, the weakest first."""
    found = [point for point in POINTS if report["points"][point]["n"] >= ENOUGH]
    return sorted(found, key=lambda point: value_of(report["points"][point]["accuracy"]) or 0)


def _at(report: Document, point: str) -> str:
    at = report["points"][point]
    return f"{POINT_MEANINGS[point]} ({percent_of(at['accuracy'])} of {count(at['n'])})"


def _accuracy(report: Document) -> str:
    """Return the accuracy, and of what kind its interval is."""
    confidence = percent(report["settings"]["confidence"], digits=0)
    return with_interval(report["overall"]["accuracy"]).replace("(", f"({confidence} interval ")


def _n(report: Document) -> int:
    n: int = report["overall"]["n"]
    return n


def _all(number: int, noun: str) -> str:
    return f"its one {noun}" if number == 1 else f"all {count(number)} {noun}s"
