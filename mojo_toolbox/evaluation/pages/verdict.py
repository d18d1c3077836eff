"""What reports say in a sentence, and what a reader should not miss in them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mojo_toolbox.data import POINTS
from mojo_toolbox.evaluation.counting.ranking import best_first
from mojo_toolbox.evaluation.drawing.readable import (
    POINT_MEANINGS,
    change,
    change_between,
    count,
    counted,
    milliseconds,
    percent,
    percent_of,
    router_names,
    share_of,
    value_of,
    with_interval,
)
from mojo_toolbox.evaluation.routers.baselines import BASELINES
from mojo_toolbox.evaluation.sections.confidence import too_sure

# Fewer decisions at a point say little about it.
_ENOUGH = 5
# A router that is slower than this in its slowest answers is called slow.
_SLOW_SHARE = 0.05
# A smaller calibration error misleads nobody.
_MISCALIBRATED = 0.05
# A note on many routers names the worst of them.
_NAMED = 3

Report = Mapping[str, Any]


def verdict(reports: Sequence[Report], comparisons: Sequence[Mapping[str, Any]] = ()) -> str:
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


def comparable(reports: Sequence[Report]) -> bool:
    """Whether all reports were measured on the same conversations, with earlier decisions given in the same way."""
    return len({(report["data"]["sha256"], report["previous"], _n(report)) for report in reports}) <= 1


def is_baseline(report: Report) -> bool:
    """Whether a report is of one of the library's baselines; reports of earlier versions only have its name."""
    told = report.get("baseline")
    return report["router"] in BASELINES if told is None else bool(told)


@dataclass(frozen=True)
class Note:
    """Something that a reader should not miss, with what there is to say of which router; `others` are not named."""

    subject: str
    routers: list[tuple[str, str]]
    others: int


def notes(reports: Sequence[Report]) -> list[Note]:
    """Return what a reader should not miss: failures, blind spots, slowness, position bias; the worst routers first.

    Baselines are left out: nobody is to use one, and what they cannot do is known.
    """
    found: dict[str, list[tuple[float, str, str]]] = {}
    for report, name in zip(reports, router_names(reports), strict=True):
        if is_baseline(report):
            continue
        for subject, weight, says in _notes(report):
            found.setdefault(subject, []).append((weight, name, says))
    shown = []
    for subject, routers in found.items():
        worst = [(name, says) for _, name, says in sorted(routers, key=lambda router: -router[0])]
        shown.append(Note(subject, worst[:_NAMED], len(worst[_NAMED:])))
    return shown


def _notes(report: Report) -> Iterator[tuple[str, float, str]]:
    """Yield subjects with how much they weigh and what there is to say."""
    overall, n, latency = report["overall"], _n(report), report["latency_ms"]
    for subject, part in {"Calls that failed": "errors", "Answers that are no listed task": "invalid"}.items():
        if overall[part]:
            yield subject, overall[part] / n, _part(overall[part], n)
    for point in POINTS if overall["right"] else ():  # else the verdict says so already
        at = report["points"][point]
        if at["n"] >= _ENOUGH and not at["right"]:
            yield f"Never right where {POINT_MEANINGS[point]}", at["n"], f"0 of {count(at['n'])}"
    slow = value_of(latency["share_over_limit"])
    if slow is not None and slow > _SLOW_SHARE:
        yield f"Answers that took longer than {milliseconds(latency['limit'])}", slow, percent(slow)
    confidence = report["confidence"]
    if too_sure(confidence) and confidence["ece"] > _MISCALIBRATED:
        says = f"{percent(confidence['mean'])} sure on average, {percent(confidence['accuracy'])} right"
        yield "Too sure of its answers", confidence["ece"], says
    bias = report["position_bias"]
    if bias and bias["flagged"]:
        gap = bias["largest_gap"]
        yield "Position bias", abs(gap["value"]), _preference(gap) + ", whatever stands there"


def position_sentence(bias: Mapping[str, Any]) -> str:
    """Return in words what the order of the list does to the answers."""
    gap = bias["largest_gap"]
    if gap is None:
        return "No answer to a shuffled list named a task where one was right, so there is nothing to say."
    place = bias["positions"][gap["position"] - 1]
    reach = f"{change(gap['value'])} percentage points ({change_between(gap)})"
    seen = (
        f"The largest gap is at position {gap['position']}: chosen in {percent(place['chosen'])} of "
        f"{counted(bias['n'], 'answer')}, right in {percent(place['correct'])}; {reach}."
    )
    if bias["flagged"]:
        return f"Flagged: this router {_preference(gap)}. {seen}"
    return f"Not flagged: no position is chosen notably more or less often than it is right. {seen}"


def _preference(gap: Mapping[str, Any]) -> str:
    verb = "prefers" if gap["value"] > 0 else "avoids"
    return f"{verb} position {gap['position']} of the list"


def _of_one(report: Report, name: str) -> str:
    overall = report["overall"]
    if overall["errors"] == overall["n"]:
        return f"{name} never answered: {_all(overall['n'], 'call')} failed."
    right = f"{name} is right in {count(overall['right'])} of {counted(overall['n'], 'decision')}: {_accuracy(report)}."
    points = _by_accuracy(report)
    if len(points) < 2:  # noqa: PLR2004 - one point alone is neither best nor worst
        return right
    return f"{right} It is best where {_at(report, points[-1])}, and weakest where {_at(report, points[0])}."


def _of_several(ranked: list[tuple[Report, str]], comparisons: Sequence[Mapping[str, Any]]) -> str:
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


def _apart(best: tuple[Report, str], second: tuple[Report, str], comparisons: Sequence[Mapping[str, Any]]) -> str:
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
    best: tuple[Report, str], second: tuple[Report, str], comparisons: Sequence[Mapping[str, Any]]
) -> tuple[float, float, float] | None:
    """Return by how much the best is ahead, with its paired interval; None where the two were not compared so."""
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


def _by_accuracy(report: Report) -> list[str]:
    """Return the points with enough decisions, the weakest first."""
    found = [point for point in POINTS if report["points"][point]["n"] >= _ENOUGH]
    return sorted(found, key=lambda point: value_of(report["points"][point]["accuracy"]) or 0)


def _at(report: Report, point: str) -> str:
    at = report["points"][point]
    return f"{POINT_MEANINGS[point]} ({percent_of(at['accuracy'])} of {count(at['n'])})"


def _accuracy(report: Report) -> str:
    """Return the accuracy, and of what kind its interval is."""
    confidence = percent(report["settings"]["confidence"], digits=0)
    return with_interval(report["overall"]["accuracy"]).replace("(", f"({confidence} interval ")


def _n(report: Report) -> int:
    n: int = report["overall"]["n"]
    return n


def _all(number: int, noun: str) -> str:
    return f"its one {noun}" if number == 1 else f"all {count(number)} {noun}s"


def _part(part: int, whole: int) -> str:
    return f"{count(part)} of {count(whole)} ({percent(share_of(part, whole))})"
