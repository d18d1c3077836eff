"""Comparisons as one table: figures down, routers across."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mojo_toolbox.evaluation.drawing.markdown_tables import plain, table, titled
from mojo_toolbox.evaluation.drawing.readable import (
    DASH,
    MINUS,
    POINT_MEANINGS,
    change,
    change_between,
    count,
    milliseconds,
    narrowed,
    percent,
    short,
)
from mojo_toolbox.evaluation.drawing.terminal_tables import Layout, Table
from mojo_toolbox.evaluation.sections.section import Section, Shown

Comparison = Mapping[str, Any]
_NAMES = {
    "accuracy": "all decisions",
    "balanced": "balanced",
    "unanswered": "invalid or failed",
    "ece": "calibration error",
    "p95_ms": "latency, p95",
}

_PAGE = """{% import "macros.html" as draw %}
{% for table in changes %}
<h3>Differences from {{ table.before }}</h3>
<p>Decision by decision, in percentage points. Better and worse mean by more than {{ table.margin }} {{ 'point' if table.margin == '1' else 'points' }}; where the interval holds 0, that may be chance.</p>
{% call draw.scroll('Differences from ' ~ table.before) %}
<table class="figures">
<caption class="unseen">Differences from {{ table.before }}</caption>
<thead><tr><th scope="col">Figure</th><th scope="col">{{ table.before }}</th>{% for name in table.routers %}<th scope="col">{{ name|name }}</th>{% endfor %}</tr></thead>
<tbody>
{% for row in table.rows %}
<tr><th scope="row">{{ row.figure }}{% if row.n is not none %}<small>n {{ row.n|count }}</small>{% endif %}</th><td>{{ row.before }}</td>
{% for change in row.changes %}
<td>{% if change is none %}<span class="nothing">–</span>{% else %}<b>{{ change.difference }}</b>{% if change.verdict %} <span class="tag {{ 'same' if change.chance else change.verdict }}">{{ change.verdict }}{{ ', perhaps by chance' if change.chance }}</span>{% endif %}
<small>{% if change.reach %}<span>{{ change.reach }}</span> {% endif %}<span>→ {{ change.value }}</span></small>{% endif %}</td>
{% endfor %}</tr>
{% endfor %}
</tbody>
</table>
{% endcall %}
{% endfor %}"""


@dataclass(frozen=True)
class Change:
    """How a router's figure differs from that of the one that it is compared with; `verdict` is "better", "worse", "same" or nothing."""

    value: str
    difference: str
    reach: str
    verdict: str
    chance: bool = False
    """Whether a verdict of better or worse may be chance: the interval holds 0."""


@dataclass(frozen=True)
class ChangeRow:
    """A figure: that of the router that others are compared with, and their differences from it."""

    key: str
    """As comparisons call it."""
    figure: str
    meaning: str
    n: int | None
    before: str
    changes: list[Change | None]


@dataclass(frozen=True)
class ChangeTable:
    """All comparisons with one router."""

    before: str
    routers: list[str]
    margin: str
    rows: list[ChangeRow]


def change_tables(comparisons: Sequence[Comparison]) -> list[ChangeTable]:
    """Return a table for each router that others are compared with."""
    first: dict[str, list[Comparison]] = {}
    for comparison in comparisons:
        first.setdefault(comparison["a"], []).append(comparison)
    return [_change_table(before, found) for before, found in first.items()]


def _change_table(before: str, comparisons: list[Comparison]) -> ChangeTable:
    by_figure = [{row["figure"]: row for row in comparison["rows"]} for comparison in comparisons]
    figures = dict.fromkeys(figure for rows in by_figure for figure in rows)
    margins = sorted({comparison["margin"] for comparison in comparisons})
    return ChangeTable(
        before=short(before),
        routers=[short(comparison["b"]) for comparison in comparisons],
        margin=" or ".join(f"{100 * margin:g}" for margin in margins),
        rows=[_row(figure, [rows.get(figure) for rows in by_figure]) for figure in figures],
    )


def _row(figure: str, rows: list[Mapping[str, Any] | None]) -> ChangeRow:
    known = [row for row in rows if row is not None]
    counts = {row.get("n") for row in known}
    return ChangeRow(
        key=figure,
        figure=_NAMES.get(figure, figure),
        meaning=POINT_MEANINGS.get(figure, ""),
        n=counts.pop() if len(counts) == 1 else None,
        before=_shown(figure, known[0]["a"]),
        changes=[None if row is None else _change(figure, row) for row in rows],
    )


def _change(figure: str, row: Mapping[str, Any]) -> Change:
    found = row["difference"]
    if found is None:
        return Change(_shown(figure, row["b"]), DASH, "", row["verdict"] or "")
    if figure.endswith("_ms"):
        sign = "+" if found["value"] > 0 else MINUS if found["value"] < 0 else ""
        return Change(_shown(figure, row["b"]), sign + milliseconds(abs(found["value"])), "", row["verdict"] or "")
    reach = change_between(found)
    chance = bool(reach) and not row["certain"] and row["verdict"] in {"better", "worse"}
    return Change(_shown(figure, row["b"]), change(found["value"]), reach, row["verdict"] or "", chance)


def _shown(figure: str, value: float | None) -> str:
    return milliseconds(value) if figure.endswith("_ms") else percent(value)


def _values(shown: Shown) -> dict[str, Any]:
    return {"changes": change_tables(shown.comparisons)}


def _markdown(shown: Shown) -> str:
    return "\n\n".join(map(_markdown_table, change_tables(shown.comparisons)))


def _markdown_table(found: ChangeTable) -> str:
    rows = []
    for row in found.rows:
        cells = [DASH if one is None else " ".join(filter(None, _words(one))) for one in row.changes]
        rows.append([row.figure, DASH if row.n is None else count(row.n), row.before, *cells])
    text = (
        f"Decision by decision, in percentage points. Better and worse mean by more than {found.margin}; "
        "where the interval holds 0, that may be chance."
    )
    heads = ["figure", "n", found.before, *found.routers]
    return titled(f"Differences from {plain(found.before)}", text, table(heads, rows))


def _words(one: Change) -> tuple[str, ...]:
    reach = f"({one.reach})" if one.reach else ""
    return one.difference, reach, f"{one.verdict}{', perhaps by chance' if one.chance else ''}"


def _tables(shown: Shown) -> Iterator[Table]:
    """Yield differences from one router: with both intervals, with one, or of all decisions only."""
    both, first = ("accuracy", "balanced"), ("accuracy",)
    for found in change_tables(shown.comparisons):
        yield Table([_layout(found, *shape) for shape in ((both, both), (first, both), (first, first))])


def _layout(found: ChangeTable, with_reach: Sequence[str], figures: Sequence[str]) -> Layout:
    changes = {row.key: row.changes for row in found.rows}
    heads = [f"points more than {narrowed(found.before)}", "all", "balanced"][: 1 + len(figures)]
    rows = [
        [name, *(_changed(changes[figure][place], reach=figure in with_reach) for figure in figures)]
        for place, name in enumerate(found.routers)
    ]
    return Layout(heads, rows)


def _changed(one: Change | None, *, reach: bool) -> str:
    if one is None:
        return DASH
    return f"{one.difference} ({one.reach})" if reach and one.reach else one.difference


DIFFERENCES = Section(
    name="differences", within="points", page=_PAGE, values=_values, markdown=_markdown, tables=_tables
)
