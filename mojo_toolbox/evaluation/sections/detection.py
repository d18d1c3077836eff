"""Whether the moment was seen: a yes or no at each measuring point, and one for none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mojo_toolbox.data import POINTS
from mojo_toolbox.evaluation.drawing.markdown_tables import by_router, titled
from mojo_toolbox.evaluation.drawing.readable import DASH, MINUS, POINT_MEANINGS, count, with_interval
from mojo_toolbox.evaluation.sections.section import Document, Section, Shown

_PAGE = """{% import "macros.html" as draw %}

{% macro square_cell(kind, number, n) -%}
<td class="{{ kind }} s{{ shade(number, n) }}">{{ number|count if n else '–' }}</td>
{%- endmacro %}

{% macro square(name, meaning, found) %}
{% set (tn, fp), (fn, tp) = found.matrix %}
{% set n = tn + fp + fn + tp %}
<div class="card">
<table class="square">
<caption><b>{{ name }}</b> {{ meaning }}</caption>
<thead><tr><td></td><th scope="col">seen</th><th scope="col">not seen</th></tr></thead>
<tbody>
<tr><th scope="row">was one</th>{{ square_cell("right", tp, tp + fn) }}{{ square_cell("wrong", fn, tp + fn) }}</tr>
<tr><th scope="row">was not</th>{{ square_cell("wrong", fp, fp + tn) }}{{ square_cell("right", tn, fp + tn) }}</tr>
</tbody>
</table>
<dl>
{% for label, figure in [('Precision', found.precision), ('Recall', found.recall), ('F1', found.f1), ('Accuracy', found.accuracy)] %}
<div><dt>{{ label }}</dt><dd>{{ figure|percent_of }}{% if figure|between %} <small>{{ figure|between }}</small>{% endif %}</dd></div>
{% endfor %}
<div><dt>n</dt><dd>{{ (tp + fn)|count }} <small>of {{ n|count }}</small></dd></div>
</dl>
</div>
{% endmacro %}

{% macro squares(report) %}
<div class="cards">
{% for point in points %}
{{ square(point, meanings[point], report.points[point].detection) }}
{% endfor %}
{{ square('no task', 'end and none together', report.none_detection) }}
</div>
{% endmacro %}

{% macro cell(found) -%}
<td>{{ draw.share(found.f1, found.matrix[1]|sum, found.precision|percent_of(digits=0) ~ ' prec., ' ~ found.recall|percent_of(digits=0) ~ ' rec.') }}</td>
{%- endmacro %}

<section aria-labelledby="detection">
<h2 id="detection">Was the moment seen?</h2>
<p>Each decision is a yes or no: does a task start here (go on, switch, end)? Which task does not matter. The stronger a cell's colour, the larger its share of the row: <span class="key right s4">right</span> <span class="key wrong s4">wrong</span>.</p>
{% if routers|length == 1 %}
{{ squares(routers[0].report) }}
{% elif routers %}
{% call draw.scroll('Detection of all routers') %}
<table class="figures">
<caption>F1, with precision and recall. n: how often there was such a point.</caption>
<thead><tr><th scope="col">Router</th>{% for point in points %}<th scope="col">{{ point }}</th>{% endfor %}<th scope="col">no task<small>end and none</small></th></tr></thead>
<tbody>
{% for router in routers %}
<tr><th scope="row">{{ router.name|name }}</th>
{% for point in points %}{{ cell(router.report.points[point].detection) }}{% endfor %}{{ cell(router.report.none_detection) }}</tr>
{% endfor %}
</tbody>
</table>
{% endcall %}
{% for router in routers %}
<details><summary>Matrices of {{ router.name }}</summary>
{{ squares(router.report) }}
</details>
{% endfor %}
{% endif %}
</section>"""


def _values(shown: Shown) -> dict[str, Any]:
    return {"routers": shown.routers(), "points": POINTS, "meanings": POINT_MEANINGS}


def _markdown(shown: Shown) -> str:
    cells = ["n", "true +", "false +", f"false {MINUS}", f"true {MINUS}"]
    heads = ["router", "point", *cells, "precision", "recall", "F1", "accuracy"]
    rows = [
        [name, point, *_cells(found)] for name, report in shown.named for point, found in _questions(report).items()
    ]
    return titled("Was the moment seen?", by_router(heads, rows, alone=shown.alone, numbers_from=2))


def _questions(report: Document) -> dict[str, Mapping[str, Any]]:
    return {point: report["points"][point]["detection"] for point in POINTS} | {"no task": report["none_detection"]}


def _cells(found: Mapping[str, Any]) -> list[str]:
    (tn, fp), (fn, tp) = found["matrix"]
    counts = [_of(tp, tp + fn), _of(fp, fp + tn), _of(fn, tp + fn), _of(tn, fp + tn)]
    shares = [with_interval(found[figure]) for figure in ("precision", "recall", "f1", "accuracy")]
    return [count(tp + fn), *counts, *shares]


def _of(number: int, n: int) -> str:
    return count(number) if n else DASH


def _lines(_: Document) -> Iterator[tuple[str, str]]:
    yield "Precision, recall, F1", "was the point seen, whichever the task"


def _explains(_: Shown) -> Iterator[tuple[str, str]]:
    yield (
        "Detection",
        (
            "Was it seen that something starts (goes on, switches, ends)? Which task does not matter. The answered point follows "
            "from the decision before and the answer; an invalid answer or an error is no point at all."
        ),
    )


DETECTION = Section(
    name="detection",
    anchor="detection",
    link="Detection",
    page=_PAGE,
    values=_values,
    markdown=_markdown,
    lines=_lines,
    explains=_explains,
)
