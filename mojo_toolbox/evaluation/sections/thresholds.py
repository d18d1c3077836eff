"""The use of a threshold on the answer's probability: precision over coverage."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mojo_toolbox.evaluation.counting.figures import Confidence
from mojo_toolbox.evaluation.drawing.markdown_tables import by_router, titled
from mojo_toolbox.evaluation.drawing.pictures import AxisMark, across, fifths
from mojo_toolbox.evaluation.drawing.readable import DASH, count, percent, with_interval
from mojo_toolbox.evaluation.sections.section import Section, Shown
from mojo_toolbox.evaluation.threshold import FEWEST, SHOWN_TARGETS, Acceptance, Threshold, threshold_for

_HEIGHT = 180
_MOST_STEPS = 80

# The page shows thresholds of each router below its probabilities.
_PAGE = """{% import "macros.html" as draw %}

{% macro coverage(router) %}
{% set picture, height = router.coverage, router.coverage.height %}
<figure>
<figcaption>Share of right answers among those accepted, by how many decisions a threshold accepts</figcaption>
<svg class="picture" height="{{ height + 30 }}" role="img" aria-label="Precision over coverage of {{ router.name }}; the table has some of its thresholds">
{% for line in picture.lines %}
<line class="grid" x1="8%" x2="100%" y1="{{ (line.at + 8)|round(1) }}" y2="{{ (line.at + 8)|round(1) }}"/><text class="tick end" x="8%" dx="-4" y="{{ (line.at + 12)|round(1) }}">{{ line.text }}</text>
{% endfor %}
{% for step in picture.steps %}
<rect class="band" x="{{ step.x|round(3) }}%" y="{{ (step.top + 8)|round(1) }}" width="{{ step.width|round(3) }}%" height="{{ step.height|round(1) }}"><title>{{ step.says }}</title></rect>
{% endfor %}
{% for step in picture.steps %}
<line class="curve" x1="{{ step.x|round(3) }}%" x2="{{ (step.x + step.width)|round(3) }}%" y1="{{ (step.y + 8)|round(1) }}" y2="{{ (step.y + 8)|round(1) }}"/>
{% endfor %}
{% for text in picture.labels %}
<text class="tick {{ text.anchor }}" x="{{ text.at|round(3) }}%" y="{{ height + 24 }}">{{ text.text }}</text>
{% endfor %}
</svg>
</figure>
{% endmacro %}

{% macro of(router) %}
{% if router.coverage %}{{ coverage(router) }}{% endif %}
{% call draw.scroll('Thresholds of ' ~ router.name) %}
<table class="narrow">
<caption>What it takes to be right as often as wanted: abstain below the threshold.</caption>
<thead><tr><th scope="col">Wanted</th><th scope="col" class="number">Threshold</th><th scope="col" class="number">Right of the accepted</th><th scope="col" class="number">Accepted</th><th scope="col">Reached</th></tr></thead>
<tbody>
{% for row in router.targets %}
<tr><th scope="row">{{ row.target }}</th><td class="number">{{ row.threshold }}</td><td class="number">{{ row.precision }}</td><td class="number">{{ row.coverage }}</td><td>{{ row.remark }}</td></tr>
{% endfor %}
</tbody>
</table>
{% endcall %}
{% endmacro %}"""


@dataclass(frozen=True)
class TargetRow:
    """A precision that somebody may want, and the threshold for it."""

    target: str
    threshold: str
    precision: str
    coverage: str
    remark: str


@dataclass(frozen=True)
class Step:
    """A piece of a curve, with its interval as a band."""

    x: float
    width: float
    y: float
    top: float
    height: float
    says: str


@dataclass(frozen=True)
class CoveragePicture:
    """Precision of the accepted answers over their share."""

    steps: list[Step]
    lines: list[AxisMark]
    labels: list[AxisMark]
    height: int = _HEIGHT


def coverage_picture(confidence: Mapping[str, Any]) -> CoveragePicture | None:
    """Return precision over coverage, or None if too few decisions have a probability."""
    curve, asked = confidence["curve"], confidence["asked"]
    columns = zip(curve["threshold"], curve["accepted"], curve["right"], curve["low"], curve["high"], strict=True)
    levels = [level for level in columns if level[1] >= FEWEST]
    if not levels:
        return None
    every = math.ceil(len(levels) / _MOST_STEPS)
    # From the loosest on, so that the end of the curve is always there.
    levels = levels[::-1][::every][::-1]
    bottom = min(0.9, math.floor(10 * min(right / accepted for _, accepted, right, _, _ in levels)) / 10)

    def down(share: float) -> float:
        return _HEIGHT * float(1 - (max(share, bottom) - bottom) / (1 - bottom))

    steps, before = [], 0.0
    for threshold, accepted, right, low, high in levels:
        coverage, precision = accepted / asked, right / accepted
        says = f"from {threshold:.4g} on: {percent(precision)} right, {percent(coverage)} accepted"
        x, width = across(before), across(coverage) - across(before)
        steps.append(Step(x, width, down(precision), down(high), down(low) - down(high), says))
        before = coverage
    rise = 0.02 if bottom > 0.85 else 0.1 if bottom > 0.45 else 0.2  # noqa: PLR2004 - five lines or so
    shares = [1 - number * rise for number in range(round((1 - bottom) / rise + 1e-9) + 1)]
    return CoveragePicture(
        steps=steps,
        lines=[AxisMark(down(share), percent(share, digits=0), "end") for share in shares if share > bottom - 1e-9],
        labels=fifths(),
    )


def target_rows(confidence: Mapping[str, Any]) -> list[TargetRow]:
    """Return the thresholds of some precisions."""
    figures = Confidence.model_validate(confidence)
    return [_target_row(threshold_for(figures, precision=target)) for target in SHOWN_TARGETS]


def threshold_sentence(threshold: Threshold, asked: int) -> str:
    """Say how far a threshold reaches, or that the precision is out of reach, and how surely."""
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


def _markdown(shown: Shown) -> str:
    rows = []
    for name, report in shown.named:
        found = target_rows(report["confidence"]) if report["confidence"] else []
        rows += [[name, row.target, row.threshold, row.precision, row.coverage, row.remark] for row in found]
    heads = ["router", "wanted", "threshold", "right of the accepted", "accepted", "reached"]
    return titled("Thresholds by precision", by_router(heads, rows, alone=shown.alone)) if rows else ""


THRESHOLDS = Section(name="thresholds", page=_PAGE, markdown=_markdown)
