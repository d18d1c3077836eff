"""Progress on long work: a bar in terminals and notebooks where rich is installed, silence elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Protocol


class Progress(Protocol):
    """A receiver of the progress of long work: the part done so far, the total once it is known, and a few words."""

    def __call__(self, *, done: float | None = None, total: float | None = None, text: str | None = None) -> None:
        """Show the state; what is left out stays as it was."""


def silent(*, done: float | None = None, total: float | None = None, text: str | None = None) -> None:
    """Take progress and show nothing."""


def reporting_to(progress: bool | Progress, title: str) -> AbstractContextManager[Progress]:
    """Return a bar with this title (True), silence (False), or the caller's own receiver."""
    return progress_bar(title, show=progress) if isinstance(progress, bool) else nullcontext(progress)


@contextmanager
def progress_bar(title: str, *, show: bool = True) -> Iterator[Progress]:
    """Show a bar on standard error while the block runs; yields what to report to."""
    if not show:
        yield silent
        return
    try:
        from rich.console import Console
        from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
        from rich.progress import Progress as RichProgress
        from rich.table import Column
    except ImportError:  # the base install has no rich: the programmer's door shows nothing
        yield silent
        return
    console = Console(stderr=True)  # in a notebook rich draws into the cell all the same
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=16),
        TextColumn("{task.fields[text]}"),
        TimeElapsedColumn(Column(no_wrap=True, min_width=7)),
        TimeRemainingColumn(compact=True, table_column=Column(no_wrap=True, min_width=5)),
    )
    bar = RichProgress(*columns, console=console, transient=False)
    row = bar.add_task(title, total=None, text="")
    moved = False

    def report(*, done: float | None = None, total: float | None = None, text: str | None = None) -> None:
        nonlocal moved
        moved = moved or bool(done)
        fields: dict[str, Any] = {} if text is None else {"text": text}
        if total is not None:
            fields["total"] = total
        bar.update(row, completed=done, **fields)
        # Not before there is something to tell: work may end at once, such as on a file that is not there.
        bar.start()

    try:
        yield report
    except Exception:
        if not moved:
            # Of work that never moved, the error says all: the bar is taken back.
            bar.live.transient = True
            bar.live.stop()
        raise
    finally:
        if bar.live.is_started:
            bar.stop()
