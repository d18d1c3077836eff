"""Comparisons as one table: figures down, routers across."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mojo_toolbox.evaluation.drawing.readable import (
    DASH,
    MINUS,
    POINT_MEANINGS,
    change,
    change_between,
    milliseconds,
    percent,
    short,
)

Comparison = Mapping[str, Any]
_NAMES = {
    "accuracy": "all decisions",
    "balanced": "balanced",
    "unanswered": "invalid or failed",
    "ece": "calibration error",
    "p95_ms": "latency, p95",
}


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
    return [_table(before, found) for before, found in first.items()]


def _table(before: str, comparisons: list[Comparison]) -> ChangeTable:
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
