"""How much was right: of all decisions, and at each measuring point."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from mojo_toolbox.data import POINTS
from mojo_toolbox.evaluation.drawing.markdown_tables import share, table, titled
from mojo_toolbox.evaluation.drawing.readable import (
    DASH,
    POINT_MEANINGS,
    between,
    count,
    percent_of,
    value_of,
    with_interval,
)
from mojo_toolbox.evaluation.drawing.terminal_tables import Layout, Table
from mojo_toolbox.evaluation.sections.section import Document, Remark, Section, Shown

_FIGURES = ("accuracy", "balanced", *POINTS)
# Fewer decisions at a point say little about it.
ENOUGH = 5

_PAGE = """{% import "macros.html" as draw %}
<section aria-labelledby="points">
<h2 id="points">How much was right</h2>
{% if routers|length == 1 %}
{% set router = routers[0] %}
<dl class="tiles">
<div><dt>All decisions</dt><dd>{{ draw.share(*router.figures.accuracy) }}</dd></div>
<div><dt>Balanced over the points</dt><dd>{{ draw.share(*router.figures.balanced) }}</dd></div>
<div><dt>Invalid answers</dt><dd>{{ draw.part(router.report.overall.invalid, router.report.overall.n) }}</dd></div>
<div><dt>Errors</dt><dd>{{ draw.part(router.report.overall.errors, router.report.overall.n) }}</dd></div>
</dl>
{% call draw.scroll('Figures at each measuring point') %}
<table class="narrow">
<caption>At each measuring point</caption>
<thead><tr><th scope="col">Point</th><th scope="col" class="number">n</th><th scope="col" class="number">Right</th><th scope="col" class="wide">Accuracy, with its interval</th></tr></thead>
<tbody>
{% for point in points %}
{% set at = router.report.points[point] %}
<tr><th scope="row">{{ point }}<small>{{ meanings[point] }}</small></th><td class="number">{{ at.n|count }}</td><td class="number">{{ at.right|count if at.n else '–' }}</td>
<td>{% if at.accuracy is none %}<span class="nothing">–</span>{% else %}<span class="pair"><b>{{ at.accuracy|percent_of }}</b>{% if at.accuracy|between %} <small>{{ at.accuracy|between }}</small>{% endif %}</span>{{ draw.whisker(at.accuracy) }}{% endif %}</td></tr>
{% endfor %}
</tbody>
</table>
{% endcall %}
{% elif routers %}
{% call draw.scroll('Figures of all routers at each measuring point') %}
<table class="figures">
<caption>Share of right decisions, its interval, and the number of decisions.
{%- if comparable %} <span class="lead-key">Marked</span>: the highest of each column.{% endif %}</caption>
<thead><tr><th scope="col">Router</th><th scope="col">All decisions</th><th scope="col">Balanced<small>mean of the points</small></th>
{% for point in points %}<th scope="col">{{ point }}<small>{{ meanings[point] }}</small></th>{% endfor %}</tr></thead>
<tbody>
{% for router in routers %}
<tr><th scope="row">{{ router.name|name }}</th>
{% for name, (figure, n) in router.figures.items() %}
<td{% if name in router.leads %} class="leads"{% endif %}>{{ draw.share(figure, n) }}{% if name in router.leads %}<span class="unseen">the highest</span>{% endif %}</td>
{% endfor %}</tr>
{% endfor %}
</tbody>
</table>
{% endcall %}
{% endif %}

{{ parts }}
</section>"""


def _values(shown: Shown) -> dict[str, Any]:
    figures = [_figures(report) for report in shown.reports]
    ranked = len(figures) > 1 and shown.comparable
    return {
        "routers": shown.routers(
            figures=figures, leads=[_leads(own, figures) if ranked else set[str]() for own in figures]
        ),
        "comparable": shown.comparable,
        "points": POINTS,
        "meanings": POINT_MEANINGS,
    }


def _figures(report: Document) -> dict[str, tuple[Mapping[str, Any] | None, int]]:
    """Return the main table's figures, each with its number of decisions."""
    overall, points = report["overall"], report["points"]
    found = {figure: (overall[figure], overall["n"]) for figure in ("accuracy", "balanced")}
    return found | {point: (points[point]["accuracy"], points[point]["n"]) for point in POINTS}


def _leads(own: dict[str, Any], figures: Sequence[dict[str, Any]]) -> set[str]:
    """Return the figures in which no other router is better."""
    values = {name: [value_of(other[name][0]) for other in figures] for name in _FIGURES}
    best = {name: max((value for value in known if value is not None), default=None) for name, known in values.items()}
    return {name for name in _FIGURES if best[name] and value_of(own[name][0]) == best[name]}


def _markdown(shown: Shown) -> str:
    heads = ["router", "all decisions", "balanced", *POINTS]
    rows = [[name, *(share(figure, n) for figure, n in _figures(report).values())] for name, report in shown.named]
    if len(rows) == 1:
        # One router reads better from top to bottom.
        heads, rows = ["", "accuracy"], [list(pair) for pair in zip(heads[1:], rows[0][1:], strict=True)]
    return titled("How much was right", table(heads, rows))


# ---------------------------------------------------------------------------------------------------- the terminal


def _tables(shown: Shown) -> Iterator[Table]:
    if len(shown.reports) == 1:
        yield _downwards(shown.reports[0])
    else:
        yield _across(shown)


def _downwards(report: Document) -> Table:
    """Return one router's figures, with the intervals of the shares or without."""
    heads = ["point", "n", "right", "accuracy", "precision", "recall", "F1"]
    return Table([Layout(heads, _point_rows(report, shares)) for shares in (with_interval, percent_of)], bold={"all"})


def _point_rows(report: Document, shares: Callable[[Any], str]) -> list[list[str]]:
    rows = []
    for point in POINTS:
        at = report["points"][point]
        right = count(at["right"]) if at["n"] else DASH
        rows.append([point, count(at["n"]), right, shares(at["accuracy"]), *_detection(at["detection"])])
    overall, nothing = report["overall"], report["none_detection"]
    n, right = overall["n"], count(overall["right"]) if overall["n"] else DASH
    return [
        *rows,
        ["no task", count(sum(nothing["matrix"][1])), "", "", *_detection(nothing)],
        ["all", count(n), right, shares(overall["accuracy"]), "", "", ""],
        ["balanced", count(n), "", shares(overall["balanced"]), "", "", ""],
    ]


def _detection(found: Mapping[str, Any]) -> list[str]:
    return [percent_of(found[figure]) for figure in ("precision", "recall", "f1")]


def _across(shown: Shown) -> Table:
    """Return routers by figures, in percent: with all intervals, with one, or with the first two figures only."""
    reaching = ((_FIGURES, _FIGURES), (_FIGURES[:1], _FIGURES), ((), _FIGURES[:2]))
    best = max((report["overall"]["right"] for report in shown.reports), default=0)
    leaders = {name for name, report in shown.named if best and report["overall"]["right"] == best}
    return Table([_layout(shown, with_reach, figures) for with_reach, figures in reaching], bold=leaders)


def _layout(shown: Shown, with_reach: Sequence[str], figures: Sequence[str]) -> Layout:
    heads = ["router, % right", "all", *_FIGURES[1:]][: len(figures) + 1]
    found = [{name: _figures(report)[name] for name in figures} for report in shown.reports]
    rows = [
        [name, *(_accuracy(figure, reach=key in with_reach) for key, (figure, _) in own.items())]
        for name, own in zip(shown.names, found, strict=True)
    ]
    return Layout(heads, _with_counts(rows, [[n for _, n in own.values()] for own in found]))


def _accuracy(figure: Mapping[str, Any] | None, *, reach: bool) -> str:
    interval, value = between(figure, digits=0), percent_of(figure).rstrip("%")
    return f"{value} ({interval})" if reach and interval else value


def _with_counts(rows: list[list[str]], counts: list[list[int]]) -> list[list[str]]:
    """Put n beside the figures: in a row of its own where all routers were asked the same, else into the cells."""
    if all(found == counts[0] for found in counts):
        return [["n", *map(count, counts[0])], *rows]
    return [
        [row[0], *(f"{cell} n {count(n)}" for cell, n in zip(row[1:], found, strict=True))]
        for row, found in zip(rows, counts, strict=True)
    ]


# ------------------------------------------------------------------------------------------------------- in words


def _remarks(report: Document) -> Iterator[Remark]:
    if not report["overall"]["right"]:
        return  # the verdict says so already
    for point in POINTS:
        at = report["points"][point]
        if at["n"] >= ENOUGH and not at["right"]:
            yield Remark(f"Never right where {POINT_MEANINGS[point]}", f"0 of {count(at['n'])}", at["n"], rank=20)


def _explains(_: Shown) -> Iterator[tuple[str, str]]:
    yield "What is scored", _SCORED
    yield "Measuring points", _MEASURING_POINTS
    yield "Balanced", _BALANCED


_SCORED = (
    "Only user turns with a label. A decision that is arguable should bear no label, and then it is neither asked nor "
    "scored. An invalid answer (no listed task) and an error (no answer) both count as wrong; none is dropped."
)
_MEASURING_POINTS = (
    "They follow from the labels: no task → a task is a start, the same task continues, a task → another task is a switch, "
    "a task → no task is an end, no task → no task is none. Accuracy at a point is right / n."
)
_BALANCED = "The mean of the accuracies at the points that occur: rare points count as much as frequent ones."

MEASURING_POINTS = Section(
    name="points",
    anchor="points",
    link="Measuring points",
    page=_PAGE,
    values=_values,
    markdown=_markdown,
    tables=_tables,
    remarks=_remarks,
    explains=_explains,
)
