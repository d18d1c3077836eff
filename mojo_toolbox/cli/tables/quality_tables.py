"""The report of `mojo data quality`, for a person at a terminal of 80 columns or more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby, zip_longest
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from mojo_toolbox.spelling import on_one_line

if TYPE_CHECKING:
    from mojo_toolbox.generation.quality import Figure, QualityReport, Telling, TwoSampleTest
    from mojo_toolbox.generation.quality.meanings import Unit, Value

# Wider than any line: what goes into a pipe or a file is not folded.
_UNFOLDED = 1000
_DASH = "\N{EN DASH}"
_MOST_TASKS = 8
_NAMES = 19
# Shares below it, and those ten times as near to all, are shown with a decimal.
_NEARLY = 0.0995


def print_quality(report: QualityReport) -> None:
    """Print the whole report on standard output."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = _UNFOLDED
    _say(console, report.path, style="bold")
    if report.reference is not None:
        _say(console, f"compared with {report.reference}", style="dim")
    for group, figures in groupby(report.figures, key=lambda figure: figure.group):
        _say(console, f"\n{group}", style="bold")
        console.print(_figures(list(figures), compared=report.reference is not None))
    _counted(console, "Tasks in charge", report.tasks)
    _counted(console, "Marks", report.marks)
    if report.tests:
        _tests(console, report.tests)
    console.print()
    for note in report.notes:
        _say(console, note, style="dim")


def _figures(figures: Sequence[Figure], *, compared: bool) -> Table:
    table = _table("figure", "here", *(["reference"] if compared else []))
    table.add_column("MEANING")
    for figure in figures:
        values = [figure.here, figure.reference] if compared else [figure.here]
        table.add_row(
            Text(figure.name),
            *(Text(_shown(value, figure.unit)) for value in values),
            Text(figure.meaning, style="dim"),
        )
    return table


def _shown(value: Value | None, unit: Unit) -> str:
    if value is None or value.value is None:
        return _DASH
    if unit == "count":
        return f"{value.value:,.0f}"
    if unit == "share":
        return _percent(value.value)
    return f"{value.value:,.0f} ({value.low:,.0f}{_DASH}{value.high:,.0f})"


def _counted(console: Console, title: str, counts: Mapping[str, int]) -> None:
    if not counts:
        return
    total = sum(counts.values())
    _say(console, f"\n{title}", style="bold")
    table = _table("name", "turns", "share")
    for name, count in list(counts.items())[:_MOST_TASKS]:
        table.add_row(Text(_printable(name)), f"{count:,}", _percent(count / total))
    console.print(table)
    if len(counts) > _MOST_TASKS:
        _say(console, f"… and {len(counts) - _MOST_TASKS:,} more: --json has them", style="dim")


def _tests(console: Console, tests: Sequence[TwoSampleTest]) -> None:
    _say(console, "\nCan a classifier tell the files apart?", style="bold")
    table = _table("by the", "AUC", "accuracy", "n a file")
    for test in tests:
        table.add_row(
            test.by,
            f"{test.auc:.2f} ({test.auc_low:.2f}{_DASH}{test.auc_high:.2f})",
            f"{_percent(test.accuracy)} ({_percent(test.accuracy_low)}{_DASH}{_percent(test.accuracy_high)})",
            f"{test.conversations:,}",
        )
    console.print(table)
    _say(console, _verdict(tests))
    for test in tests:
        if not test.chance:
            _say(console, f"\nDifferences by the {test.by}: share of conversations here / in the reference")
            console.print(_telling(test))
    if any(test.by == "user's style" and not test.chance for test in tests):
        _say(console, "w a word, W one with a capital, WW capitals only, 0 a number, ¶ the next turn", style="dim")


def _verdict(tests: Sequence[TwoSampleTest]) -> str:
    told = [test.by for test in tests if not test.chance]
    if not told:
        return "No better than chance: it cannot tell them apart."
    style = next((test for test in tests if test.by == "user's style"), None)
    if style is not None and style.chance:
        return "By the subject, and not by the style of the users."
    return (
        f"Better than chance, by the {' and the '.join(told)}. An AUC of 0.50 is chance, and 1.00 is without mistakes."
    )


def _telling(test: TwoSampleTest) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("HERE")
    table.add_column("REFERENCE")
    for ours, theirs in zip_longest(test.telling_here, test.telling_reference):
        table.add_row(*(Text(_tells(telling) if telling else "") for telling in (ours, theirs)))
    return table


def _tells(telling: Telling) -> str:
    return f"{_printable(telling.text)}  {_percent(telling.here)} / {_percent(telling.reference)}"


def _percent(share: float) -> str:
    # A share of a few in thousands is not nothing, and one that lacks a few in thousands is not all.
    if 0 < share < _NEARLY or 1 - _NEARLY / 10 < share < 1:
        return f"{min(max(share, 0.001), 0.999):.1%}"
    return f"{share:.0%}"


def _printable(text: str) -> str:
    """Return a text without what a terminal would take for a command."""
    return on_one_line(text)


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    first, *others = _heads(columns)
    table.add_column(first, overflow="fold", min_width=_NAMES)
    for column in others:
        table.add_column(column, justify="right", no_wrap=True)
    return table


def _heads(columns: Sequence[str]) -> Iterator[str]:
    return (column.upper() for column in columns)


def _say(console: Console, text: str, *, style: str = "") -> None:
    """Print a line, folded at the terminal's width, and never in a pipe."""
    console.print(Text(text, style=style), soft_wrap=not console.is_terminal)
