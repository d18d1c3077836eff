"""The effect of the list's order on answers: each position's share of the choices against its share of the right ones.

Tool selection by language models prefers the first tools. A gap may be chance, and the largest of many gaps is large by
chance alone. So its interval is simultaneous: wide enough to hold all positions' gaps at once, by the bootstrap
distribution of the largest deviation.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from mojo_toolbox.evaluation.counting.bootstrap import CONFIDENCE, Interval, Weights, interval, ratio
from mojo_toolbox.evaluation.counting.figures import Figures
from mojo_toolbox.evaluation.drawing.markdown_tables import by_router, titled
from mojo_toolbox.evaluation.drawing.pictures import LEFT, RIGHT, AxisMark, Bar
from mojo_toolbox.evaluation.drawing.readable import (
    DASH,
    change,
    change_between,
    count,
    counted,
    percent,
    with_interval,
)
from mojo_toolbox.evaluation.runs.predictions import Prediction, ShuffledPrediction
from mojo_toolbox.evaluation.sections.section import Document, FinishedRun, Remark, Section, Shown

if TYPE_CHECKING:
    from numpy.typing import NDArray

# A smaller gap changes no decision about a router, however certain it is.
_MATTERS = 0.01
_HEIGHT = 140
_MOST_LABELS = 24
_STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 0.5)


# ----------------------------------------------------------------------------------------------------- the figures


class Position(Figures):
    """Shares of the answers that are counted: how often this position was chosen, and how often it was right."""

    position: int
    chosen: float
    correct: float
    gap: float


class LargestGap(Figures):
    """The position whose gap is largest. The interval allows for having looked at all of them."""

    position: int
    value: float
    low: float
    high: float


class PositionBias(Figures):
    """The effect of the list's order on the answers."""

    shuffles: int
    n: int
    """Answers to shuffled lists that name a task where a task is right: those that positions are counted on."""
    positions: list[Position]
    largest_gap: LargestGap | None
    changed_by_order: Interval | None
    """Share of decisions whose answer is not the same in every order."""
    flagged: bool
    """Whether the largest gap's interval lies beyond one percentage point."""


def _measure(run: FinishedRun) -> PositionBias | None:
    if not run.shuffles:
        return None
    return position_bias(
        run.journal.predictions(),
        run.journal.shuffled(run.shuffles),
        shuffles=run.shuffles,
        resamples=run.resamples,
        seed=run.seed,
    )


def position_bias(
    rows: Iterable[Prediction],
    shuffled: Iterable[ShuffledPrediction],
    *,
    shuffles: int,
    resamples: int = 1000,
    seed: int = 0,
) -> PositionBias:
    """Return the bias over all answers to shuffled lists. Both kinds of rows come in the data's order."""
    import numpy as np

    weights = Weights(resamples, seed)
    zeros: Any = lambda: np.zeros(resamples + 1)  # noqa: E731
    chosen: defaultdict[int, Any] = defaultdict(zeros)
    right: defaultdict[int, Any] = defaultdict(zeros)
    answers, decisions, changed = zeros(), zeros(), zeros()
    for row, orders in _by_decision(rows, shuffled):
        weight = weights.of(row["conversation"])
        given = [order for order in orders if order["error"] is None]
        for order in given:
            # Only where a task is right and a task was named: both then lie in the same lists, as often, and a router
            # that is blind to the order has no gap but by chance.
            if order["chosen"] is not None and order["right"] is not None:
                answers += weight
                chosen[order["chosen"]] += weight
                right[order["right"]] += weight
        said = {(order["task"], order["valid"]) for order in given}
        if row["error"] is None:
            said.add((row["task"], row["valid"]))
        if given:
            decisions += weight
            changed += weight * (len(said) > 1)
    places = list(range(1, max([0, *chosen, *right]) + 1))
    gaps = {place: ratio(chosen[place] - right[place], answers) for place in places}
    largest = _largest(gaps)
    return PositionBias(
        shuffles=shuffles,
        n=int(answers[0]),
        positions=[
            Position(
                position=place,
                chosen=float(chosen[place][0] / answers[0]),
                correct=float(right[place][0] / answers[0]),
                gap=float(gaps[place][0]),
            )
            for place in places
        ],
        largest_gap=largest,
        changed_by_order=interval(ratio(changed, decisions)),
        flagged=largest is not None and (largest.low > _MATTERS or largest.high < -_MATTERS),
    )


def _by_decision(
    rows: Iterable[Prediction], shuffled: Iterable[ShuffledPrediction]
) -> Iterable[tuple[Prediction, list[ShuffledPrediction]]]:
    """Pair each decision with its other orders. Both come sorted."""

    def place(row: Any) -> tuple[int, int]:
        return row["conversation"], row["turn"]

    orders = groupby(shuffled, key=place)
    for row, (_, group) in zip(rows, orders, strict=False):
        yield row, list(group)


def _largest(gaps: dict[int, NDArray[Any]]) -> LargestGap | None:
    import numpy as np

    if not gaps:
        return None
    stacked = np.stack(list(gaps.values()))
    known = ~np.isnan(stacked[0])
    deviations = np.abs(stacked[:, 1:] - stacked[:, :1])[:, ~np.isnan(stacked[0, 1:])]
    if not known.any() or not deviations.size:
        return None
    reach = float(np.quantile(deviations.max(axis=0), CONFIDENCE))
    place = int(np.abs(stacked[:, 0]).argmax())
    value = float(stacked[place, 0])
    return LargestGap(position=place + 1, value=value, low=value - reach, high=value + reach)


# ------------------------------------------------------------------------------------------------------- the page

_PAGE = """{% import "macros.html" as draw %}

{% macro drawn(picture, name) -%}
<svg class="picture" height="{{ position_height + 38 }}" role="img" aria-label="Position bias of {{ name }}; the table below has the numbers">
{% for line in picture.lines %}
<line class="grid" x1="8%" x2="100%" y1="{{ line.at + 8 }}" y2="{{ line.at + 8 }}"/><text class="tick end" x="8%" dx="-4" y="{{ line.at + 12 }}">{{ line.text }}</text>
{% endfor %}
{% for bar in picture.chosen %}
<rect class="bar" x="{{ bar.x|round(3) }}%" y="{{ (position_height + 8 - bar.height)|round(1) }}" width="{{ bar.width|round(3) }}%" height="{{ bar.height|round(1) }}"><title>{{ bar.says }}</title></rect>
{% endfor %}
{% for bar in picture.correct %}
<rect class="hollow" x="{{ bar.x|round(3) }}%" y="{{ (position_height + 8 - bar.height)|round(1) }}" width="{{ bar.width|round(3) }}%" height="{{ bar.height|round(1) }}"><title>{{ bar.says }}</title></rect>
{% endfor %}
{% for text in picture.labels %}
<text class="tick middle" x="{{ text.at|round(3) }}%" y="{{ position_height + 24 }}">{{ text.text }}</text>
{% endfor %}
</svg>
{%- endmacro %}

{% macro picture(router) %}
{% set bias = router.report.position_bias %}
<p{% if bias.flagged %} class="flag"{% endif %}>{{ position_sentence(bias) }}</p>
<p>{% if bias.changed_by_order is none %}How often the order alone changes the answer: –{% else %}The order alone changes the answer of {{ bias.changed_by_order|with_interval }} of the decisions ({{ bias.shuffles|counted('other order') }} each).{% endif %}</p>
{% if router.position %}
<figure>
<figcaption>Share of answers by position in the list: <span class="key bar">chosen</span> <span class="key hollow">right</span> <small class="inline">n {{ bias.n|count }}</small></figcaption>
{{ drawn(router.position, router.name) }}
</figure>
<details><summary>As numbers</summary>
{% call draw.scroll('Positions of ' ~ router.name, 'tall') %}
<table class="narrow">
<caption>n {{ bias.n|counted('answer') }} to shuffled lists</caption>
<thead><tr><th scope="col">Position</th><th scope="col" class="number">Chosen</th><th scope="col" class="number">Right</th><th scope="col" class="number">Gap, in points</th></tr></thead>
<tbody>
{% for place in bias.positions %}
<tr><th scope="row">{{ place.position }}</th><td class="number">{{ place.chosen|percent }}</td><td class="number">{{ place.correct|percent }}</td><td class="number">{{ place.gap|change }}</td></tr>
{% endfor %}
</tbody>
</table>
{% endcall %}
</details>
{% endif %}
{% endmacro %}

<section aria-labelledby="position">
<h2 id="position">Does the list's order matter?</h2>
{% set asked = routers|selectattr('report.position_bias')|list %}
{% if not asked %}
<p>Not measured. <code>mojo evaluate --shuffles 4</code> asks each decision in four other orders of the list.</p>
{% elif routers|length == 1 %}
{{ picture(asked[0]) }}
{% else %}
{% call draw.scroll('Position bias of all routers') %}
<table class="figures">
<caption>How far a position's share of the choices lies from its share of the right ones, in percentage points.</caption>
<thead><tr><th scope="col">Router</th><th scope="col">Position bias</th><th scope="col">Largest gap</th><th scope="col">Order alone changes the answer</th></tr></thead>
<tbody>
{% for router in routers %}
{% set bias = router.report.position_bias %}
<tr><th scope="row">{{ router.name|name }}</th>
{% if bias %}
<td>{% if bias.flagged %}<span class="tag worse">flagged</span>{% elif bias.largest_gap is none %}<span class="nothing">–</span>{% else %}not flagged{% endif %}</td>
<td>{% if bias.largest_gap is none %}<span class="nothing">–</span>{% else %}<b>{{ bias.largest_gap.value|change }}</b> at position {{ bias.largest_gap.position }}<small><span>{{ bias.largest_gap|change_between }}</span> <span>n {{ bias.n|count }}</span></small>{% endif %}</td>
<td>{{ draw.share(bias.changed_by_order, router.report.overall.n) }}</td>
{% else %}
<td><span class="nothing">– not measured</span></td><td><span class="nothing">–</span></td><td><span class="nothing">–</span></td>
{% endif %}</tr>
{% endfor %}
</tbody>
</table>
{% endcall %}
{% for router in asked %}
<details{% if router.report.position_bias.flagged %} open{% endif %}><summary>Positions of {{ router.name }}</summary>
{{ picture(router) }}
</details>
{% endfor %}
{% endif %}
</section>"""


def _values(shown: Shown) -> dict[str, Any]:
    found = [report["position_bias"] for report in shown.reports]
    return {
        "routers": shown.routers(position=[position_picture(bias) if bias else None for bias in found]),
        "position_height": _HEIGHT,
        "position_sentence": position_sentence,
    }


@dataclass(frozen=True)
class PositionPicture:
    """At each position of the list, the share of choices beside the share of right ones."""

    chosen: list[Bar]
    correct: list[Bar]
    labels: list[AxisMark]
    lines: list[AxisMark]


def position_picture(bias: Mapping[str, Any]) -> PositionPicture | None:
    """Return the picture of a router's position bias, or None if no position was counted."""
    places = bias["positions"]
    if not places:
        return None
    highest = max(max(place["chosen"], place["correct"]) for place in places)
    step = next((step for step in _STEPS if highest <= 5 * step), 0.5)
    top = step * max(1, math.ceil(highest / step))
    width = (RIGHT - LEFT) / len(places)
    every = math.ceil(len(places) / _MOST_LABELS)

    def bars(kind: str, begins: float) -> list[Bar]:
        says = {"chosen": "chosen", "correct": "right"}[kind]
        return [
            Bar(
                x=LEFT + width * (number + begins),
                width=width * 0.36,
                height=_HEIGHT * place[kind] / top,
                emphasised=kind == "chosen",
                says=f"position {place['position']}: {says} {percent(place[kind])}",
            )
            for number, place in enumerate(places)
        ]

    return PositionPicture(
        chosen=bars("chosen", 0.12),
        correct=bars("correct", 0.52),
        labels=[
            AxisMark(LEFT + width * (number + 0.5), str(place["position"]), "middle")
            for number, place in enumerate(places)
            if number % every == 0
        ],
        lines=[
            AxisMark(_HEIGHT * (1 - number * step / top), percent(number * step, digits=0), "end")
            for number in range(round(top / step) + 1)
        ],
    )


# ------------------------------------------------------------------------------------------------------- in words


def position_sentence(bias: Mapping[str, Any]) -> str:
    """Return the effect of the list's order on the answers in words."""
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


def _markdown(shown: Shown) -> str:
    rows = []
    for name, report in shown.named:
        bias = report["position_bias"]
        if bias:
            rows.append([name, count(bias["n"]), *_gap_cells(bias), with_interval(bias["changed_by_order"])])
    heads = ["router", "n", "position bias", "position", "largest gap, in points", "order alone changes the answer"]
    return titled("Position bias", by_router(heads, rows, alone=shown.alone)) if rows else ""


def _gap_cells(bias: Mapping[str, Any]) -> list[str]:
    gap = bias["largest_gap"]
    if gap is None:
        return ["flagged" if bias["flagged"] else DASH, DASH, DASH]
    flagged = "flagged" if bias["flagged"] else "not flagged"
    return [flagged, str(gap["position"]), f"{change(gap['value'])} ({change_between(gap)})"]


def _lines(report: Document) -> Iterator[tuple[str, str]]:
    if report["position_bias"]:
        yield "Position bias", position_sentence(report["position_bias"])


def _remarks(report: Document) -> Iterator[Remark]:
    bias = report["position_bias"]
    if bias and bias["flagged"]:
        gap = bias["largest_gap"]
        yield Remark("Position bias", _preference(gap) + ", whatever stands there", abs(gap["value"]), rank=50)


def _explains(_: Shown) -> Iterator[tuple[str, str]]:
    yield (
        "Position bias",
        (
            "Each decision is asked again with its list in other orders. Counted are answers that name a task where a task is "
            "right: a router that does not look at the order chooses each position as often as it is right. The interval of the "
            "largest gap allows for having looked at all positions; it is flagged when it lies beyond one percentage point."
        ),
    )


POSITION_BIAS = Section(
    name="position_bias",
    measure=_measure,
    anchor="position",
    link="Position bias",
    page=_PAGE,
    values=_values,
    markdown=_markdown,
    lines=_lines,
    remarks=_remarks,
    explains=_explains,
)
