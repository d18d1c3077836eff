"""What reports say of a router's probabilities: sentences and the rows of tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mojo_toolbox.evaluation.counting.figures import Confidence
from mojo_toolbox.evaluation.drawing.readable import DASH, count, percent, with_interval
from mojo_toolbox.evaluation.threshold import FEWEST, SHOWN_TARGETS, Acceptance, Threshold, threshold_for

NOT_GIVEN = "Not measured: the router gives its answers no probabilities."


@dataclass(frozen=True)
class TargetRow:
    """A precision that somebody may want, and what it takes."""

    target: str
    threshold: str
    precision: str
    coverage: str
    remark: str


def calibration_sentence(confidence: Mapping[str, Any]) -> str:
    """Say whether answers are right as often as their probabilities say."""
    mean, right = percent(confidence["mean"]), percent(confidence["accuracy"])
    error, chance = percent(confidence["ece"]), percent(confidence["ece_by_chance"])
    text = f"{_judgement(confidence)}: the mean probability is {mean}, and {right} are right. "
    text += f"The expected calibration error is {error}; a perfectly calibrated router's stays below {chance} here."
    scaling = confidence["scaling"]
    if scaling is None:
        return text
    return f"{text} {_scaling_sentence(scaling)}"


def too_sure(confidence: Mapping[str, Any] | None) -> bool:
    """Whether the probabilities are higher than chance explains."""
    if confidence is None or confidence["ece"] <= confidence["ece_by_chance"]:
        return False
    low = confidence["gap"]["low"]
    return low is not None and low > 0


def target_rows(confidence: Mapping[str, Any]) -> list[TargetRow]:
    """Return the thresholds of some precisions."""
    figures = Confidence.model_validate(confidence)
    return [_target_row(threshold_for(figures, precision=target)) for target in SHOWN_TARGETS]


def bin_rows(confidence: Mapping[str, Any]) -> list[list[str]]:
    """Return the bins that hold something: their ends, number of decisions, mean probability and accuracy."""
    found = confidence["reliability"]
    edges = found["edges"]
    columns = zip(edges, edges[1:], found["n"], found["confidence"], found["accuracy"], strict=False)
    return [
        [f"{100 * low:.0f}{DASH}{100 * high:.0f}%", count(n), percent(mean), percent(right)]
        for low, high, n, mean, right in columns
        if n
    ]


def threshold_sentence(threshold: Threshold, asked: int) -> str:
    """Say what a threshold reaches, or that the precision is out of reach, and how surely."""
    target = percent(threshold.target)
    if threshold.found is None:
        if threshold.best is None:
            return f"Too few data: fewer than {FEWEST} decisions have a probability."
        best = threshold.best
        surely = "surely " if best.precision.value >= threshold.target else ""
        return (
            f"Out of reach: no threshold that accepts {FEWEST} decisions or more is {surely}right in {target}. The most is "
            f"{_precision(best)} at {as_given(best.threshold)}, for {_coverage(best, asked)}."
        )
    found = threshold.found
    text = f"From {as_given(found.threshold)} on, {_precision(found)} are right, for {_coverage(found, asked)}."
    if threshold.certain:
        return text
    return f"{text} Perhaps: the interval reaches below {target}, so it may be less on other conversations."


def as_given(threshold: float) -> str:
    """Return a threshold with all its digits, so that it can be pasted."""
    return repr(threshold).removesuffix(".0")


def _judgement(confidence: Mapping[str, Any]) -> str:
    gap = confidence["gap"]
    if confidence["ece"] <= confidence["ece_by_chance"]:
        return "Calibrated, as far as so many decisions show"
    if too_sure(confidence):
        return "Too sure"
    if gap["high"] is not None and gap["high"] < 0:
        return "Not sure enough"
    return "Too sure in places, not sure enough in others"


def _scaling_sentence(scaling: Mapping[str, Any]) -> str:
    before, after = percent(scaling["ece_before"]), percent(scaling["ece_after"])
    if scaling["ece_after"] < scaling["ece_before"]:
        return f"A temperature of {scaling['temperature']:.2f}, fitted on other conversations, would make it {after}."
    return f"A temperature, fitted on other conversations, would not lower it: {after}, from {before}."


def _target_row(threshold: Threshold) -> TargetRow:
    target, found = percent(threshold.target), threshold.found
    if found is None:
        return TargetRow(target, DASH, DASH, DASH, "out of reach")
    remark = "surely" if threshold.certain else "perhaps"
    reached = with_interval(found.precision.model_dump())
    return TargetRow(target, as_given(found.threshold), reached, percent(found.coverage), remark)


def _precision(level: Acceptance) -> str:
    return f"{with_interval(level.precision.model_dump())} of the answers"


def _coverage(level: Acceptance, asked: int) -> str:
    return f"{percent(level.coverage)} of the decisions ({count(level.accepted)} of {count(asked)})"
