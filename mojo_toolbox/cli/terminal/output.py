"""What commands print: data on standard output, everything else on standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import typer

from mojo_toolbox.cli.terminal.own_program import runnable

# Wider than any row: what goes into a pipe or a file is not folded.
_UNFOLDED = 1000
_LONGEST_REASON = 400
_AGES = (("d", 86400), ("h", 3600), ("min", 60))


def note(text: str) -> None:
    """Print a line for the person at the terminal, on standard error; the commands in it run as they are."""
    typer.echo(runnable(text), err=True)


def note_after_interrupt(text: str) -> None:
    """Print a line after Ctrl-C, which a terminal shows as ^C where the cursor is."""
    note(f"\n{text}" if sys.stderr.isatty() else text)


def data(text: str) -> None:
    """Print a line of the answer, on standard output."""
    typer.echo(text)


def data_as_json(document: Any) -> None:
    """Print the answer as one line of JSON; times in ISO 8601."""
    typer.echo(json.dumps(document, ensure_ascii=False, default=_json_value))


def print_requests(requests: Sequence[Any], *, as_json: bool) -> None:
    """Print the requests of a dry run."""
    if as_json:
        data_as_json([{"operation": request.operation, "parameters": request.parameters} for request in requests])
        return
    for request in requests:
        data(str(request))
    note("Dry run: nothing was sent.")


def print_table(title: str | None, columns: Sequence[str], rows: Sequence[Sequence[str]], *, narrow: int) -> None:
    """Print rows under their columns; where the terminal is too narrow, only the first `narrow` columns."""
    from rich.console import Console

    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = _UNFOLDED
    table = _table(columns, rows)
    unfolded = console.options.update(max_width=_UNFOLDED)
    if console.measure(table, options=unfolded).maximum > console.width:
        table = _table(columns[:narrow], [row[:narrow] for row in rows])
    if title is not None:
        console.print(title, style="bold")
    console.print(table)


def shortened(reason: str) -> str:
    """Return a failure's reason on one line: all of a sentence or two, the two ends of a log."""
    line = " ".join(reason.split())
    return line if len(line) <= _LONGEST_REASON else f"{line[: _LONGEST_REASON // 2]} … {line[-_LONGEST_REASON // 2 :]}"


def age(moment: datetime) -> str:
    """Say how long ago `moment` was, in its largest unit."""
    seconds = (datetime.now(UTC) - moment).total_seconds()
    for unit, length in _AGES:
        if seconds >= length:
            return f"{seconds / length:.0f} {unit} ago"
    return "just now"


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Any:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for column in columns:
        # A name that does not fit is folded, never cut: it is there to be copied.
        table.add_column(column.upper(), overflow="fold", no_wrap=False)
    for row in rows:
        # Text, not str: a name in brackets is no markup.
        table.add_row(*(Text(cell, style=_STYLES.get(cell, "")) for cell in row))
    return table


_STYLES = {"Completed": "green", "InService": "green", "Failed": "red", "Stopped": "yellow"}


def _json_value(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
