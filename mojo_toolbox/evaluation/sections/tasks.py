"""Which task: averages, the largest confusions, the matrix of all, and each task by itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mojo_toolbox.evaluation.drawing.markdown_tables import by_router, titled
from mojo_toolbox.evaluation.drawing.pictures import shade
from mojo_toolbox.evaluation.drawing.readable import count, percent, share_of, short, with_interval
from mojo_toolbox.evaluation.sections.section import Document, Section, Shown

# A matrix of up to so many labels is read at a glance. A larger one is folded away.
_GLANCE = 12
# A matrix of more labels than this is nothing that a person reads, and makes the page heavy.
_MOST_LABELS = 200
# Markdown shows so many confusions of each router.
_LISTED = 5

_PAGE = """{% import "macros.html" as draw %}

{% macro confusion_matrix(router) %}
{% set matrix = router.matrix %}
{% if matrix.left_out %}
<p>Shown are the {{ matrix.labels|length }} most confused of {{ (matrix.labels|length + matrix.left_out)|count }} tasks; report.json has all.</p>
{% endif %}
{% call draw.scroll('Confusion matrix of ' ~ router.name, 'tall') %}
<table class="matrix{% if not matrix.small %} many{% endif %}">
<caption>Rows: what was right. Columns: what was answered. The stronger the colour, the larger the share of the row.</caption>
<thead><tr><th scope="col" class="corner">right ↓ answered →</th>
{%- for label in matrix.labels %}<th scope="col"><span>{{ label|narrowed }}</span></th>{% endfor %}<th scope="col"><span><i>no listed task</i></span></th><th scope="col"><span>n</span></th></tr></thead>
<tbody>
{% for row in matrix.rows %}
<tr><th scope="row">{{ row.label|narrowed if not matrix.small else row.label|narrowed|name }}</th>
{%- for cell in row.cells %}<td{% if cell.count %} class="{{ 'right' if cell.right else 'wrong' }} s{{ cell.shade }}">{{ cell.count|count }}{% elif cell.right %} class="right">{% else %}>{% endif %}{% endfor -%}
<td{% if row.invalid.count %} class="wrong s{{ row.invalid.shade }}">{{ row.invalid.count|count }}{% else %}>{% endif %}<td class="sum">{{ row.n|count }}</tr>
{% endfor %}
</tbody>
</table>
{% endcall %}
{% endmacro %}

{% macro selection(router) %}
{% if router.confusions %}
{% call draw.scroll('Largest confusions of ' ~ router.name) %}
<table class="narrow">
<caption>The largest confusions</caption>
<thead><tr><th scope="col">Right was</th><th scope="col">Answered was</th><th scope="col" class="number">Times</th></tr></thead>
<tbody>
{% for confusion in router.confusions %}
<tr><th scope="row">{{ confusion.gold|name }}</th><td>{% if confusion.said is none %}<i>no listed task</i>{% else %}{{ confusion.said|name }}{% endif %}</td>
<td class="number"><b>{{ confusion.count|count }}</b> of {{ confusion.n|count }}<small>{{ share_of(confusion.count, confusion.n)|percent(digits=0) }}</small></td></tr>
{% endfor %}
</tbody>
</table>
{% endcall %}
{% elif router.report.overall.n %}
<p>Nothing was confused.</p>
{% endif %}
{% if router.matrix.labels %}
{% if router.matrix.small %}
{{ confusion_matrix(router) }}
{% else %}
<details><summary>Confusion matrix of {{ router.report.tasks.labels|length|count }} tasks</summary>
{{ confusion_matrix(router) }}
</details>
{% endif %}
<details><summary>Each task by itself</summary>
{% call draw.scroll('Tasks of ' ~ router.name, 'tall') %}
<table class="each">
<caption>Those with the most wrong decisions first.</caption>
<thead><tr><th scope="col">Task</th><th scope="col" class="number">n</th><th scope="col" class="number">Right</th><th scope="col" class="number">Precision</th><th scope="col" class="number">Recall</th><th scope="col" class="number">F1</th><th scope="col">Most often taken for</th></tr></thead>
<tbody>
{% for task in router.tasks %}
<tr><th scope="row">{{ task.label|name }}</th><td class="number">{{ task.n|count }}</td><td class="number">{{ task.right|count if task.n else '–' }}</td>
<td class="number">{{ task.precision|percent(digits=0) }}</td><td class="number">{{ task.recall|percent(digits=0) }}</td><td class="number">{{ task.f1|percent(digits=0) }}</td>
<td>{% if task.mistaken_for is none %}–{% else %}{% if task.mistaken_for.said is none %}<i>no listed task</i>{% else %}{{ task.mistaken_for.said|name }}{% endif %} <small class="inline">{{ task.mistaken_for.count|count }}×</small>{% endif %}</td></tr>
{% endfor %}
</tbody>
</table>
{% endcall %}
</details>
{% endif %}
{% endmacro %}

<section aria-labelledby="tasks">
<h2 id="tasks">Which task?</h2>
{% if routers %}
{% call draw.scroll('Task selection') %}
<table class="figures">
<caption>One of many. Macro averages count every task alike, weighted ones by how often it is right.</caption>
<thead><tr><th scope="col">Router</th><th scope="col">Accuracy</th>
{% for kind in ['Macro', 'Weighted'] %}{% for name in ['precision', 'recall', 'F1'] %}<th scope="col">{{ kind }} {{ name }}</th>{% endfor %}{% endfor %}</tr></thead>
<tbody>
{% for router in routers %}
{% set tasks, n = router.report.tasks, router.report.overall.n %}
<tr><th scope="row">{{ router.name|name }}<small>{{ tasks.labels|length|counted('label') }}</small></th><td>{{ draw.share(tasks.accuracy, n) }}</td>
{% for average in [tasks.macro, tasks.weighted] %}{% for name in ['precision', 'recall', 'f1'] %}<td>{{ draw.share(average[name], n) }}</td>{% endfor %}{% endfor %}</tr>
{% endfor %}
</tbody>
</table>
{% endcall %}
{% endif %}
{% if routers|length == 1 %}
{{ selection(routers[0]) }}
{% else %}
{% for router in routers %}
<details><summary>Confusions of {{ router.name }}
{%- if router.confusions %}{% set worst = router.confusions[0] %} <small>most often {{ worst.gold|short(40) }} → {{ 'no listed task' if worst.said is none else worst.said|short(40) }}, {{ worst.count|count }}×</small>{% endif %}</summary>
{{ selection(router) }}
</details>
{% endfor %}
{% endif %}
</section>"""


def _values(shown: Shown) -> dict[str, Any]:
    found = [report["tasks"] for report in shown.reports]
    return {
        "routers": shown.routers(
            confusions=map(largest_confusions, found), tasks=map(task_rows, found), matrix=map(matrix, found)
        )
    }


@dataclass(frozen=True)
class Confusion:
    """So many decisions in which `said` was answered and `gold` was right. `said` is None for no listed task."""

    gold: str
    said: str | None
    count: int
    n: int
    """Decisions in which `gold` was right."""


@dataclass(frozen=True)
class Cell:
    """A number with its shade: 0 for nothing, to 8 for the whole row."""

    count: int
    shade: int
    right: bool


@dataclass(frozen=True)
class MatrixRow:
    """The answers where `label` was right."""

    label: str
    n: int
    cells: list[Cell]
    invalid: Cell


@dataclass(frozen=True)
class Matrix:
    """A confusion matrix to show. `left_out` counts the labels that it lacks, the least confused ones."""

    labels: list[str]
    rows: list[MatrixRow]
    left_out: int
    small: bool


@dataclass(frozen=True)
class TaskRow:
    """One task's figures, and the most frequent wrong answer in its place."""

    label: str
    n: int
    right: int
    precision: float | None
    recall: float | None
    f1: float | None
    mistaken_for: Confusion | None


def largest_confusions(tasks: Mapping[str, Any], most: int = 10) -> list[Confusion]:
    """Return the most frequent confusions, invalid answers and errors among them."""
    found = [confusion for place in range(len(tasks["labels"])) for confusion in _confused(tasks, place)]
    return sorted(found, key=lambda confusion: (-confusion.count, confusion.gold, confusion.said or ""))[:most]


def task_rows(tasks: Mapping[str, Any]) -> list[TaskRow]:
    """Return the tasks, those with the most wrong decisions first."""
    rows = []
    for place, label in enumerate(tasks["labels"]):
        figures = tasks["by_task"][label]
        confused = max(_confused(tasks, place), key=lambda confusion: confusion.count, default=None)
        right = tasks["matrix"][place][place]
        scores = (figures["precision"], figures["recall"], figures["f1"])
        rows.append(TaskRow(label, figures["n"], right, *scores, confused))
    return sorted(rows, key=lambda row: (row.right - row.n, row.label))


def matrix(tasks: Mapping[str, Any]) -> Matrix:
    """Return the matrix to show, shaded by the share of each row."""
    kept = _kept(tasks)
    rows = []
    for place in kept:
        counts, invalid = tasks["matrix"][place], tasks["invalid"][place]
        n = sum(counts) + invalid
        cells = [Cell(counts[column], shade(counts[column], n), column == place) for column in kept]
        rows.append(MatrixRow(tasks["labels"][place], n, cells, Cell(invalid, shade(invalid, n), right=False)))
    labels = [tasks["labels"][place] for place in kept]
    return Matrix(labels, rows, len(tasks["labels"]) - len(kept), len(labels) <= _GLANCE)


def _confused(tasks: Mapping[str, Any], place: int) -> list[Confusion]:
    gold, counts, invalid = tasks["labels"][place], tasks["matrix"][place], tasks["invalid"][place]
    n = sum(counts) + invalid
    found = [
        Confusion(gold, said, times, n)
        for column, (said, times) in enumerate(zip(tasks["labels"], counts, strict=True))
        if times and column != place
    ]
    return found + ([Confusion(gold, None, invalid, n)] if invalid else [])


def _kept(tasks: Mapping[str, Any]) -> list[int]:
    """Return the places of the labels to show, in their order: all, or those with the most wrong decisions."""
    places = range(len(tasks["labels"]))
    if len(places) <= _MOST_LABELS:
        return list(places)
    counts = tasks["matrix"]
    said = [sum(column) for column in zip(*counts, strict=True)]
    wrong = [sum(counts[place]) + tasks["invalid"][place] + said[place] - 2 * counts[place][place] for place in places]
    return sorted(sorted(places, key=lambda place: -wrong[place])[:_MOST_LABELS])


# ------------------------------------------------------------------------------------------------------- in words


def _markdown(shown: Shown) -> str:
    return f"{_averages(shown)}\n\n{_confusions(shown)}"


def _averages(shown: Shown) -> str:
    averages = [f"{kind} {score}" for kind in ("macro", "weighted") for score in ("precision", "recall", "F1")]
    rows = []
    for name, report in shown.named:
        tasks = report["tasks"]
        counts = [count(report["overall"]["n"]), count(len(tasks["labels"]))]
        shares = [tasks[kind][score] for kind in ("macro", "weighted") for score in ("precision", "recall", "f1")]
        rows.append([name, *counts, *map(with_interval, [tasks["accuracy"], *shares])])
    heads = ["router", "n", "labels", "accuracy", *averages]
    return titled("Which task?", by_router(heads, rows, alone=shown.alone))


def _confusions(shown: Shown) -> str:
    rows = []
    for name, report in shown.named:
        for one in largest_confusions(report["tasks"], _LISTED):
            said = "no listed task" if one.said is None else one.said
            counts = [count(one.count), count(one.n), percent(share_of(one.count, one.n))]
            rows.append([name, short(one.gold), short(said), *counts])
    heads = ["router", "right", "answered", "times", "of n", "share"]
    return titled("The largest confusions", by_router(heads, rows, alone=shown.alone, numbers_from=3))


def _lines(report: Document) -> Iterator[tuple[str, str]]:
    averages = ", ".join(f"{kind} F1 {with_interval(report['tasks'][kind]['f1'])}" for kind in ("macro", "weighted"))
    yield "Which task", f"{averages}, n {count(report['overall']['n'])}"


def _explains(_: Shown) -> Iterator[tuple[str, str]]:
    yield (
        "Task selection",
        (
            "One of many: each task, and none, against all others. Macro averages count tasks alike, weighted ones by how often "
            "they are right; a figure that is undefined for a task counts as 0 in them, as in scikit-learn."
        ),
    )


TASKS = Section(
    name="tasks",
    anchor="tasks",
    link="Tasks",
    page=_PAGE,
    values=_values,
    markdown=_markdown,
    lines=_lines,
    explains=_explains,
)
