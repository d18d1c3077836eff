"""How honest a router's probabilities are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mojo_toolbox.evaluation.counting import confidence
from mojo_toolbox.evaluation.counting.figures import Confidence
from mojo_toolbox.evaluation.drawing.markdown_tables import by_router, plain, table, titled
from mojo_toolbox.evaluation.drawing.pictures import FIFTHS, AxisMark, Bar, across, fifths
from mojo_toolbox.evaluation.drawing.readable import DASH, count, percent
from mojo_toolbox.evaluation.drawing.terminal_tables import Column
from mojo_toolbox.evaluation.sections.section import Document, FinishedRun, Remark, Section, Shown
from mojo_toolbox.evaluation.sections.thresholds import coverage_picture, target_rows

NOT_GIVEN = "Not measured: the router gives its answers no probabilities."
# A smaller calibration error misleads nobody.
_MISCALIBRATED = 0.05
_HEIGHT = 200
_CROWD_HEIGHT = 40

_PAGE = """{% import "macros.html" as draw %}
{% import "thresholds" as thresholds %}

{% macro reliability(router) %}
{% set picture, height = router.reliability, reliability_height %}
<figure>
<figcaption>Share of right answers by their probability: <span class="key bar">right</span>, <span class="key mean">what the probability says</span>; below, how many answers have it</figcaption>
<svg class="picture" height="{{ height + crowd_height + 46 }}" role="img" aria-label="Reliability of {{ router.name }}; the table below has the numbers">
{% for line in picture.lines %}
<line class="grid" x1="8%" x2="100%" y1="{{ (line.at + 8)|round(1) }}" y2="{{ (line.at + 8)|round(1) }}"/><text class="tick end" x="8%" dx="-4" y="{{ (line.at + 12)|round(1) }}">{{ line.text }}</text>
{% endfor %}
{% for bar in picture.bars %}
<rect class="bar" x="{{ bar.x|round(3) }}%" y="{{ (height + 8 - bar.height)|round(1) }}" width="{{ bar.width|round(3) }}%" height="{{ bar.height|round(1) }}"><title>{{ bar.says }}</title></rect>
{% endfor %}
<line class="diagonal" x1="8%" x2="100%" y1="{{ height + 8 }}" y2="8"/>
{% for bar in picture.means %}
<line class="mean" x1="{{ bar.x|round(3) }}%" x2="{{ (bar.x + bar.width)|round(3) }}%" y1="{{ (height + 8 - bar.height)|round(1) }}" y2="{{ (height + 8 - bar.height)|round(1) }}"/>
{% endfor %}
{% for text in picture.labels %}
<text class="tick {{ text.anchor }}" x="{{ text.at|round(3) }}%" y="{{ height + 24 }}">{{ text.text }}</text>
{% endfor %}
{% for bar in picture.crowd %}
<rect class="crowd" x="{{ bar.x|round(3) }}%" y="{{ (height + crowd_height + 38 - bar.height)|round(1) }}" width="{{ bar.width|round(3) }}%" height="{{ bar.height|round(1) }}"><title>{{ bar.says }}</title></rect>
{% endfor %}
<line class="axis" x1="8%" x2="100%" y1="{{ height + crowd_height + 38 }}" y2="{{ height + crowd_height + 38 }}"/>
</svg>
</figure>
{% endmacro %}

{% macro details(router) %}
<p{% if router.too_sure %} class="flag"{% endif %}>{{ calibration_sentence(router.report.confidence) }}</p>
{{ reliability(router) }}
<details><summary>As numbers</summary>
{% call draw.scroll('Answers of ' ~ router.name ~ ' by their probability', 'tall') %}
<table class="narrow">
<caption>n {{ router.report.confidence.n|counted('answer') }} with a probability</caption>
<thead><tr><th scope="col">Probability</th><th scope="col" class="number">n</th><th scope="col" class="number">Mean probability</th><th scope="col" class="number">Right</th></tr></thead>
<tbody>
{% for bin, n, mean, right in router.bins %}
<tr><th scope="row">{{ bin }}</th><td class="number">{{ n }}</td><td class="number">{{ mean }}</td><td class="number">{{ right }}</td></tr>
{% endfor %}
</tbody>
</table>
{% endcall %}
</details>
{{ thresholds.of(router) }}
{% endmacro %}

<section aria-labelledby="confidence">
<h2 id="confidence">Can its probabilities be trusted?</h2>
{% set sure = routers|selectattr('report.confidence')|list %}
{% if not sure %}
<p>{{ not_given }}</p>
{% elif routers|length == 1 %}
{{ details(sure[0]) }}
{% else %}
{% call draw.scroll('Confidence of all routers') %}
<table class="figures">
<caption>Calibration error: how far the share of right answers lies from their probability, on average over 15 bins.</caption>
<thead><tr><th scope="col">Router</th><th scope="col">Mean probability</th><th scope="col">Right</th><th scope="col">Calibration error</th><th scope="col">In bins of equal size</th><th scope="col">Brier score</th><th scope="col">With a temperature</th></tr></thead>
<tbody>
{% for router in routers %}
{% set found = router.report.confidence %}
<tr><th scope="row">{{ router.name|name }}</th>
{% if found %}
<td><b>{{ found.mean|percent }}</b><small>n {{ found.n|count }}</small></td><td><b>{{ found.accuracy|percent }}</b></td>
<td><b>{{ found.ece|percent }}</b>{% if router.too_sure %} <span class="tag worse">too sure</span>{% endif %}<small>by chance below {{ found.ece_by_chance|percent }}</small></td>
<td>{{ found.ece_equal_mass|percent }}</td><td>{{ '%.3f'|format(found.brier) }}</td>
<td>{% if found.scaling %}{{ found.scaling.ece_after|percent }}<small>T {{ '%.2f'|format(found.scaling.temperature) }}</small>{% else %}<span class="nothing">–</span>{% endif %}</td>
{% else %}
<td><span class="nothing">– not given</span></td>{% for _ in range(5) %}<td><span class="nothing">–</span></td>{% endfor %}
{% endif %}</tr>
{% endfor %}
</tbody>
</table>
{% endcall %}
{% for router in sure %}
<details><summary>Probabilities of {{ router.name }}</summary>
{{ details(router) }}
</details>
{% endfor %}
{% endif %}
</section>"""


def _measure(run: FinishedRun) -> Confidence | None:
    return confidence.confidence(run.journal.predictions(), resamples=run.resamples, seed=run.seed)


def _values(shown: Shown) -> dict[str, Any]:
    found = [report["confidence"] for report in shown.reports]
    return {
        "routers": shown.routers(
            reliability=[reliability_picture(one) if one else None for one in found],
            coverage=[coverage_picture(one) if one else None for one in found],
            bins=[bin_rows(one) if one else [] for one in found],
            targets=[target_rows(one) if one else [] for one in found],
            too_sure=map(too_sure, found),
        ),
        "calibration_sentence": calibration_sentence,
        "not_given": NOT_GIVEN,
        "reliability_height": _HEIGHT,
        "crowd_height": _CROWD_HEIGHT,
    }


@dataclass(frozen=True)
class ReliabilityPicture:
    """Accuracy over probability. Below it, how many decisions have that probability."""

    bars: list[Bar]
    means: list[Bar]
    """A short line at each bin's mean probability: where its bar should end. `height` is counted from the axis."""
    crowd: list[Bar]
    lines: list[AxisMark]
    labels: list[AxisMark]


def reliability_picture(confidence: Mapping[str, Any]) -> ReliabilityPicture:
    """Return the reliability diagram of a router."""
    found = confidence["reliability"]
    edges, most = found["edges"], max(found["n"])
    bars, means, crowd = [], [], []
    columns = zip(edges, edges[1:], found["n"], found["confidence"], found["accuracy"], strict=False)
    for low, high, n, mean, right in columns:
        if n:
            x, width = across(low) + 0.3, across(high) - across(low) - 0.6
            says = f"mean probability {percent(mean)}: {percent(right)} of {count(n)} right"
            bars.append(Bar(x, width, _HEIGHT * right, emphasised=False, says=says))
            means.append(Bar(x, width, _HEIGHT * mean, emphasised=False, says=says))
            crowd.append(Bar(x, width, max(1.0, _CROWD_HEIGHT * n / most), emphasised=False, says=says))
    return ReliabilityPicture(
        bars=bars,
        means=means,
        crowd=crowd,
        lines=[AxisMark(_HEIGHT * (1 - share), percent(share, digits=0), "end") for share in FIFTHS],
        labels=fifths(),
    )


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


def _markdown(shown: Shown) -> str:
    rows = [[name, *_cells(report["confidence"])] for name, report in shown.named if report["confidence"]]
    if not rows:
        return titled("Confidence", NOT_GIVEN)
    errors = ["calibration error", "by chance below", "in bins of equal size", "Brier", "with a temperature"]
    figures = by_router(["router", "n", "mean probability", "right", *errors], rows, alone=shown.alone)
    if not shown.alone:
        return titled("Confidence", figures)
    found = shown.reports[0]["confidence"]
    bins = table(["probability", "n", "mean probability", "right"], bin_rows(found))
    return titled("Confidence", plain(calibration_sentence(found)), figures, bins)


def _cells(found: Mapping[str, Any]) -> list[str]:
    shares = [found["mean"], found["accuracy"], found["ece"], found["ece_by_chance"], found["ece_equal_mass"]]
    scaling = found["scaling"]
    scaled = f"{percent(scaling['ece_after'])} (T {scaling['temperature']:.2f})" if scaling else DASH
    return [count(found["n"]), *map(percent, shares), f"{found['brier']:.3f}", scaled]


def _lines(report: Document) -> Iterator[tuple[str, str]]:
    yield "Confidence", calibration_sentence(report["confidence"]) if report["confidence"] else NOT_GIVEN


def _columns(shown: Shown) -> Iterator[Column]:
    found = [report["confidence"] for report in shown.reports]
    if any(found):
        yield Column("calibration error", [percent(one["ece"]) if one else DASH for one in found])


def _remarks(report: Document) -> Iterator[Remark]:
    found = report["confidence"]
    if too_sure(found) and found["ece"] > _MISCALIBRATED:
        says = f"{percent(found['mean'])} sure on average, {percent(found['accuracy'])} right"
        yield Remark("Too sure of its answers", says, found["ece"], rank=40)


def _explains(_: Shown) -> Iterator[tuple[str, str]]:
    yield (
        "Confidence",
        (
            "Expected calibration error: answers fall into 15 equally wide bins by their probability; in each, how far the share of "
            "right answers lies from the mean probability, weighted by the answers in it (Guo et al. 2017). It is never negative, so "
            "beside it stands what a perfectly calibrated router's stays below in 95% of cases. The Brier score is the mean squared "
            "distance of the probability from 1 (right) or 0 (wrong). A temperature is fitted on four fifths of the conversations and "
            "tried on the other. A threshold accepts answers of at least that probability; the interval of their precision is the "
            "wider of the bootstrap and Wilson's, and fewer than 20 accepted decisions count for nothing."
        ),
    )


CONFIDENCE = Section(
    name="confidence",
    measure=_measure,
    anchor="confidence",
    link="Confidence",
    page=_PAGE,
    values=_values,
    markdown=_markdown,
    lines=_lines,
    columns=_columns,
    remarks=_remarks,
    explains=_explains,
)
