"""Reports in the terminal: one from top to bottom, several side by side, at 80 columns or more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich import table
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from mojo_toolbox.evaluation.counting.figures import Confidence
from mojo_toolbox.evaluation.drawing.readable import count, data_name, percent, with_interval
from mojo_toolbox.evaluation.drawing.terminal_tables import NEVER_SPARED, SPARED_FIRST, SPARED_NEXT, Layout, Table
from mojo_toolbox.evaluation.pages.verdict import notes, verdict
from mojo_toolbox.evaluation.sections import table as sections
from mojo_toolbox.evaluation.sections.section import Document, Shown
from mojo_toolbox.evaluation.sections.thresholds import as_given
from mojo_toolbox.evaluation.threshold import Acceptance, shown_acceptances

# Wider than any row: what goes into a pipe or a file is not folded.
_UNFOLDED = 1000
_GAP = 2
# Names may be folded, but into lines that can be read.
_NARROWEST_NAME = 16


def print_reports(reports: Sequence[Document], *, comparisons: Sequence[Mapping[str, Any]] = ()) -> None:
    """Print the figures of one or several reports (the dictionaries of report.json) on standard output.

    Args:
        reports: one from top to bottom, several side by side.
        comparisons: paired differences (`Comparison.model_dump()`) of several reports.
    """
    console = _console()
    if len(reports) == 1:
        _print_one(console, Shown(reports, (), sections.SECTIONS))
    elif reports:
        _print_several(console, Shown(reports, comparisons, sections.SECTIONS))


def print_acceptances(confidence: Confidence, chosen: Acceptance | None) -> None:
    """Print what thresholds let through, the chosen one in bold among them."""
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
    layout = Layout(["threshold", "accepted", "n", "right", "precision", ""], rows)
    _print_table(_console(), Table([layout], bold={as_given(chosen.threshold)} if chosen else ()))


def _print_one(console: Console, shown: Shown) -> None:
    (report,) = shown.reports
    _print_heading(console, shown, f"{shown.names[0]} on {data_name(report)}")
    for section in shown.sections:
        for label, text in section.lines(report):
            _say(console, Text.assemble((f"{label}: ", "dim"), text))


def _print_several(console: Console, shown: Shown) -> None:
    data = list(dict.fromkeys(map(data_name, shown.reports)))
    _print_heading(console, shown, f"{len(shown.reports)} routers on {' and '.join(data)}")
    _print_table(console, Table(list(_others(shown))))
    found = notes(shown.reports)
    if found:
        console.print()
    for note in found:
        says = [f"{name} {text}" for name, text in note.routers] + ([f"and {note.others} more"] if note.others else [])
        _say(console, Text.assemble((f"{note.subject}: ", "dim"), "; ".join(says)))


def _print_heading(console: Console, shown: Shown, heading: str) -> None:
    """Print the heading, the verdict and the tables of the sections."""
    _say(console, heading, style="bold")
    _say(console, verdict(shown.reports, shown.comparisons))
    console.print()
    for section in shown.sections:
        for found in section.tables(shown):
            _print_table(console, found)
            console.print()


def _others(shown: Shown) -> Iterator[Layout]:
    """Yield the table of the sections' columns: with all of them, and with as many as fit."""
    columns = [column for section in shown.sections for column in section.columns(shown)]
    for spared in (SPARED_FIRST, SPARED_NEXT, NEVER_SPARED):
        left = [column for column in columns if column.spared >= spared]
        cells = zip(shown.names, *(column.cells for column in left), strict=True)
        yield Layout(["router", *(column.head for column in left)], [list(row) for row in cells])


def _console() -> Console:
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = _UNFOLDED
    return console


def _print_table(console: Console, found: Table) -> None:
    """Print the widest layout that fits, else the narrowest one."""
    layout = next((layout for layout in found.layouts if _fits(layout, console.width)), found.layouts[-1])
    drawn = table.Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="dim")
    for number, head in enumerate(layout.heads):
        if number:
            drawn.add_column(head.upper(), justify="right", no_wrap=True)
        else:
            drawn.add_column(head.upper(), overflow="fold")
    for row in layout.rows:
        # Text, not str: a name in brackets is no markup.
        drawn.add_row(*(Text(cell) for cell in row), style="bold" if row[0] in found.bold else None)
    console.print(drawn)


def _fits(layout: Layout, width: int) -> bool:
    """Whether a table leaves its first column room enough for names."""
    columns = list(zip(layout.heads, *layout.rows, strict=True))
    names, *figures = [max(map(cell_len, column)) for column in columns]
    return min(names, _NARROWEST_NAME) + sum(figures) + _GAP * len(figures) <= width


def _say(console: Console, text: str | Text, *, style: str = "") -> None:
    """Print a line, folded at the terminal's width, and never in a pipe."""
    shown = text if isinstance(text, Text) else Text(text, style=style)
    console.print(shown, soft_wrap=not console.is_terminal)
