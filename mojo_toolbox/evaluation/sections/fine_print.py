"""How it was measured, in words and settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mojo_toolbox.evaluation.drawing.readable import DASH, count, counted, milliseconds, moment, percent, seconds, short

Report = Mapping[str, Any]
_HASH = "sha256 of the content"


@dataclass(frozen=True)
class Setting:
    """A setting with its value in each report; `values` has one entry where all agree."""

    name: str
    values: list[str]
    code: bool

    @property
    def common(self) -> bool:
        """Whether all reports have the same value."""
        return len(self.values) == 1


def settings(reports: Sequence[Report]) -> list[Setting]:
    """Return what was measured and how, as it is to be shown."""
    found = [_settings(report) for report in reports]
    names = found[0] if found else {}
    rows = [Setting(name, _once([one[name] for one in found]), name == _HASH) for name in names]
    return [row for row in rows if row.values != [DASH]]


def explanations(reports: Sequence[Report]) -> list[tuple[str, str]]:
    """Return what a reader has to know about the figures: headings with their sentences."""
    confidence = " or ".join(_once([percent(report["settings"]["confidence"], digits=0) for report in reports]))
    resamples = " or ".join(_once([count(report["settings"]["resamples"]) for report in reports]))
    return [
        ("What is scored", _SCORED),
        ("Measuring points", _POINTS),
        ("Balanced", _BALANCED),
        ("Detection", _DETECTION),
        ("Task selection", _SELECTION),
        ("Intervals", _INTERVALS.format(confidence=confidence, resamples=resamples)),
        ("Confidence", _CONFIDENCE),
        ("Latency", _LATENCY),
        ("Position bias", _BIAS),
        (DASH, "There was nothing to measure. It does not mean 0."),
    ]


_SCORED = (
    "Only user turns with a label. A decision that is arguable should bear no label, and then it is neither asked nor "
    "scored. An invalid answer (no listed task) and an error (no answer) both count as wrong; none is dropped."
)
_POINTS = (
    "They follow from the labels: no task → a task is a start, the same task continues, a task → another task is a switch, "
    "a task → no task is an end, no task → no task is none. Accuracy at a point is right / n."
)
_BALANCED = "The mean of the accuracies at the points that occur: rare points count as much as frequent ones."
_DETECTION = (
    "Was it seen that something starts (goes on, switches, ends)? Which task does not matter. The answered point follows "
    "from the decision before and the answer; an invalid answer or an error is no point at all."
)
_SELECTION = (
    "One of many: each task, and none, against all others. Macro averages count tasks alike, weighted ones by how often "
    "they are right; a figure that is undefined for a task counts as 0 in them, as in scikit-learn."
)
_INTERVALS = (
    "They hold {confidence} of {resamples} bootstrap resamples (percentiles). Whole conversations are resampled, since "
    "decisions of one conversation depend on each other."
)
_CONFIDENCE = (
    "Expected calibration error: answers fall into 15 equally wide bins by their probability; in each, how far the share of "
    "right answers lies from the mean probability, weighted by the answers in it (Guo et al. 2017). It is never negative, so "
    "beside it stands what a perfectly calibrated router's stays below in 95% of cases. The Brier score is the mean squared "
    "distance of the probability from 1 (right) or 0 (wrong). A temperature is fitted on four fifths of the conversations and "
    "tried on the other. A threshold accepts answers of at least that probability; the interval of their precision is the "
    "wider of the bootstrap and Wilson's, and fewer than 20 accepted decisions count for nothing."
)
_LATENCY = "From asking to having the answer, as the caller waits for it. Errors have none."
_BIAS = (
    "Each decision is asked again with its list in other orders. Counted are answers that name a task where a task is "
    "right: a router that does not look at the order chooses each position as often as it is right. The interval of the "
    "largest gap allows for having looked at all positions; it is flagged when it lies beyond one percentage point."
)


def _settings(report: Report) -> dict[str, str]:
    data, how = report["data"], report["settings"]
    previous = {"labelled": "as labelled", "own": "the router's own"}
    return {
        "Prompt": short(report["prompt"]) if report["prompt"] else DASH,
        "Conversations": short(data["source"], 200) if data["source"] else "in memory",
        _HASH: data["sha256"],
        "Number of conversations": count(data["conversations"]),
        "Number of decisions": count(data["decisions"]),
        "Earlier decisions": previous.get(report["previous"], report["previous"]),
        "Measured": moment(report["measured_at"]),
        "Time it took": seconds(report["seconds"]),
        "Asked at the same time": counted(how["concurrency"], "conversation"),
        "Longest wait for an answer": seconds(how["timeout_s"]),
        "Latency limit": milliseconds(report["latency_ms"]["limit"]),
        "Other orders of the list": count(how["shuffles"]),
        "Seed": str(how["seed"]),
        "Bootstrap resamples": count(how["resamples"]),
        "Intervals hold": percent(how["confidence"], digits=0),
        "mojo-toolbox": short(report["mojo_toolbox"]),
        "Version of the report": str(report["report_version"]),
    }


def _once(values: list[str]) -> list[str]:
    return values[:1] if len(set(values)) <= 1 else values
