"""Reports in the terminal: one from top to bottom, several side by side, at 80 columns or more."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mojo_toolbox.data import POINTS
from mojo_toolbox.evaluation.counting.figures import Confidence
from mojo_toolbox.evaluation.drawing.readable import (
    DASH,
    TIMES,
    between,
    count,
    counted,
    data_name,
    milliseconds,
    money,
    narrowed,
    percent,
    percent_of,
    router_names,
    short,
    value_of,
    with_interval,
)
from mojo_toolbox.evaluation.pages.verdict import notes, position_sentence, verdict
from mojo_toolbox.evaluation.sections.confidence import NOT_GIVEN, as_given, calibration_sentence
from mojo_toolbox.evaluation.sections.differences import Change, ChangeTable, change_tables
from mojo_toolbox.evaluation.threshold import Acceptance, shown_acceptances

Report = Mapping[str, Any]
# Wider than any row: what goes into a pipe or a file is not folded.
_UNFOLDED = 1000
_GAP = 2
# Names may be folded, but into lines that can be read.
_NARROWEST_NAME = 16
_FIGURES = ("accuracy", "balanced", *POINTS)


def print_reports(reports: Sequence[Report], *, comparisons: Sequence[Mapping[str, Any]] = ()) -> None:
    """Print the figures of one or several reports (the dictionaries of report.json) on standard output.

    Args:
        reports: one from top to bottom, several side by side.
        comparisons: paired differences (`Comparison.model_dump()`).
    """
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = _UNFOLDED
    if len(reports) == 1:
        _print_one(console, reports[0])
    elif reports:
        _print_several(console, reports, comparisons)


def print_acceptances(confidence: Confidence, chosen: Acceptance | None) -> None:
    """Print what thresholds let through, the chosen one in bold among them."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = _UNFOLDED
    levels = {level.threshold: level for level in [*shown_acceptances(confidence), *([chosen] if chosen else [])]}
    rows = [
        [
            as_given(level.threshold),
            percent(level.coverage),
            count(level.accepted),
            count(level.right),
            with_interval(level.precision.model_dump()),
            "chosen" if level == chosen else "",
        ]
        for _, level in sorted(levels.items())
    ]
    heads = ["threshold", "accepted", "n", "right", "precision", ""]
    console.print(_table(heads, rows, bold={as_given(chosen.threshold)} if chosen else ()))


def _print_one(console: Console, report: Report) -> None:
    _say(console, f"{router_names([report])[0]} on {data_name(report)}", style="bold")
    _say(console, verdict([report]))
    console.print()
    console.print(_points(report, console.width))
    console.print()
    for label, text in _lines(report).items():
        _say(console, Text.assemble((f"{label}: ", "dim"), text))


def _points(report: Report, width: int) -> Table:
    heads = ["point", "n", "right", "accuracy", "precision", "recall", "F1"]
    rows = _point_rows(report, with_interval)
    return _table(heads, rows if _fits(heads, rows, width) else _point_rows(report, percent_of), bold={"all"})


def _point_rows(report: Report, share: Callable[[Any], str]) -> list[list[str]]:
    rows = []
    for point in POINTS:
        at = report["points"][point]
        right = count(at["right"]) if at["n"] else DASH
        rows.append([point, count(at["n"]), right, share(at["accuracy"]), *_detection(at["detection"])])
    overall, nothing = report["overall"], report["none_detection"]
    n, right = overall["n"], count(overall["right"]) if overall["n"] else DASH
    return [
        *rows,
        ["no task", count(sum(nothing["matrix"][1])), "", "", *_detection(nothing)],
        ["all", count(n), right, share(overall["accuracy"]), "", "", ""],
        ["balanced", count(n), "", share(overall["balanced"]), "", "", ""],
    ]


def _detection(found: Mapping[str, Any]) -> list[str]:
    return [percent_of(found[figure]) for figure in ("precision", "recall", "f1")]


def _lines(report: Report) -> dict[str, str]:
    """Return what stands below the table of one router."""
    overall, latency = report["overall"], report["latency_ms"]
    failures = f"{counted(overall['invalid'], 'invalid answer')}, {counted(overall['errors'], 'error')}"
    kinds = "; ".join(f"{count(times)}{TIMES} {short(kind, 200)}" for kind, times in report["error_kinds"].items())
    tasks = ", ".join(f"{kind} F1 {with_interval(report['tasks'][kind]['f1'])}" for kind in ("macro", "weighted"))
    times = ", ".join(f"{name} {milliseconds(value_of(latency[name]))}" for name in ("p50", "p95", "p99"))
    slow = f"{percent_of(latency['share_over_limit'])} over {milliseconds(latency['limit'])}"
    lines = {
        "Precision, recall, F1": "was the point seen, whichever the task",
        "Which task": f"{tasks}, n {count(overall['n'])}",
        "Not answered": f"{failures} of {count(overall['n'])}" + (f" ({kinds})" if kinds else ""),
        "Confidence": calibration_sentence(report["confidence"]) if report["confidence"] else NOT_GIVEN,
        "Latency": f"{times}; {slow}; n {count(sum(latency['histogram']['counts']))}",
    }
    if report["tokens"]:
        lines["Tokens"] = _tokens(report)
    if report["position_bias"]:
        lines["Position bias"] = position_sentence(report["position_bias"])
    return lines


def _tokens(report: Report) -> str:
    tokens, cost = report["tokens"], report["cost"]
    text = f"{count(tokens['prompt'])} read ({count(tokens['cached'])} cached), {count(tokens['completion'])} written"
    if not cost:
        return text
    each = money(cost["per_1000_decisions"], cost["currency"])
    return f"{text}; {money(cost['total'], cost['currency'])}, {each} for 1,000 decisions"


def _print_several(console: Console, reports: Sequence[Report], comparisons: Sequence[Mapping[str, Any]]) -> None:
    names = router_names(reports)
    data = list(dict.fromkeys(data_name(report) for report in reports))
    _say(console, f"{len(reports)} routers on {' and '.join(data)}", style="bold")
    _say(console, verdict(reports, comparisons))
    console.print()
    console.print(_accuracies(reports, names, console.width))
    console.print()
    for table in change_tables(comparisons):
        console.print(_changes(table, console.width))
        console.print()
    console.print(_others(reports, names, console.width))
    found = notes(reports)
    if found:
        console.print()
    for note in found:
        says = [f"{name} {text}" for name, text in note.routers] + ([f"and {note.others} more"] if note.others else [])
        _say(console, Text.assemble((f"{note.subject}: ", "dim"), "; ".join(says)))


def _accuracies(reports: Sequence[Report], names: Sequence[str], width: int) -> Table:
    """Return routers by figures, in percent: with all intervals, with one, or with the first two figures only."""
    heads = ["router, % right", "all", *_FIGURES[1:]]
    for reaching, columns in ((_FIGURES, _FIGURES), (_FIGURES[:1], _FIGURES), ((), _FIGURES[:2])):
        rows = [
            [name, *(_accuracy(report, figure, reach=figure in reaching) for figure in columns)]
            for report, name in zip(reports, names, strict=True)
        ]
        rows = _with_counts(reports, rows)
        if _fits(heads[: len(columns) + 1], rows, width):
            break
    best = max((report["overall"]["right"] for report in reports), default=0)
    leaders = {name for report, name in zip(reports, names, strict=True) if best and report["overall"]["right"] == best}
    return _table(heads[: len(columns) + 1], rows, bold=leaders)


def _changes(table: ChangeTable, width: int) -> Table:
    """Return differences from one router: with both intervals, with one, or of all decisions only."""
    shown = {row.key: row.changes for row in table.rows if row.key in _FIGURES[:2]}
    for reaching, figures in ((_FIGURES[:2], _FIGURES[:2]), (_FIGURES[:1], _FIGURES[:2]), (_FIGURES[:1], _FIGURES[:1])):
        heads = [f"points more than {narrowed(table.before)}", "all", "balanced"][: 1 + len(figures)]
        rows = [
            [name, *(_changed(shown[figure][place], reach=figure in reaching) for figure in figures)]
            for place, name in enumerate(table.routers)
        ]
        if _fits(heads, rows, width):
            break
    return _table(heads, rows)


def _changed(one: Change | None, *, reach: bool) -> str:
    if one is None:
        return DASH
    return f"{one.difference} ({one.reach})" if reach and one.reach else one.difference


def _with_counts(reports: Sequence[Report], rows: list[list[str]]) -> list[list[str]]:
    """Put n beside the figures: in a row of its own where all routers were asked the same, else into the cells."""
    columns = _FIGURES[: len(rows[0]) - 1]
    counts = [[_n(report, figure) for figure in columns] for report in reports]
    if all(found == counts[0] for found in counts):
        return [["n", *map(count, counts[0])], *rows]
    return [
        [row[0], *(f"{cell} n {count(n)}" for cell, n in zip(row[1:], found, strict=True))]
        for row, found in zip(rows, counts, strict=True)
    ]


def _accuracy(report: Report, figure: str, *, reach: bool) -> str:
    found = report["overall"][figure] if figure in report["overall"] else report["points"][figure]["accuracy"]
    interval = between(found, digits=0)
    shown = percent_of(found).rstrip("%")
    return f"{shown} ({interval})" if reach and interval else shown


def _n(report: Report, figure: str) -> int:
    n: int = report["points"][figure]["n"] if figure in report["points"] else report["overall"]["n"]
    return n


def _others(reports: Sequence[Report], names: Sequence[str], width: int) -> Table:
    """Return failures, times and costs, as many of them as fit."""
    columns = {"invalid": _failures, "errors": _failures, "p50": _time, "p95": _time, "p99": _time, "over limit": _late}
    if any(report["confidence"] for report in reports):
        columns = {"calibration error": _calibration} | columns
    costs = {"per 1,000": _cost} if any(report["cost"] for report in reports) else {}
    fewer = {head: columns[head] for head in ("invalid", "errors", "p95")}
    for shown in (columns | costs, columns, fewer):
        heads = ["router", *shown]
        rows = [
            [name, *(cell(report, head) for head, cell in shown.items())]
            for report, name in zip(reports, names, strict=True)
        ]
        if _fits(heads, rows, width):
            break
    return _table(heads, rows)


def _calibration(report: Report, _: str) -> str:
    return percent(report["confidence"]["ece"]) if report["confidence"] else DASH


def _failures(report: Report, part: str) -> str:
    return count(report["overall"][part]) if report["overall"]["n"] else DASH


def _time(report: Report, figure: str) -> str:
    return milliseconds(value_of(report["latency_ms"][figure]))


def _late(report: Report, _: str) -> str:
    return percent_of(report["latency_ms"]["share_over_limit"])


def _cost(report: Report, _: str) -> str:
    cost = report["cost"]
    return money(cost["per_1000_decisions"], cost["currency"]) if cost else DASH


def _fits(heads: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> bool:
    """Whether a table leaves its first column room enough for names."""
    columns = list(zip(heads, *rows, strict=True))
    names, *figures = [max(map(cell_len, column)) for column in columns]
    return min(names, _NARROWEST_NAME) + sum(figures) + _GAP * len(figures) <= width


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], *, bold: Collection[str] = ()) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="dim")
    for number, head in enumerate(heads):
        if number:
            table.add_column(head.upper(), justify="right", no_wrap=True)
        else:
            table.add_column(head.upper(), overflow="fold")
    for row in rows:
        # Text, not str: a name in brackets is no markup.
        table.add_row(*(Text(cell) for cell in row), style="bold" if row[0] in bold else None)
    return table


def _say(console: Console, text: str | Text, *, style: str = "") -> None:
    """Print a line, folded at the terminal's width, and never in a pipe."""
    shown = text if isinstance(text, Text) else Text(text, style=style)
    console.print(shown, soft_wrap=not console.is_terminal)
