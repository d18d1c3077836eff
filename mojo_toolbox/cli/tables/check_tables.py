"""The report of `mojo data check`, for a person at a terminal of 80 columns or more."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from mojo_toolbox.data.checking.doubts import DOUBTS

if TYPE_CHECKING:
    from mojo_toolbox.data.checking.problems import Problem
    from mojo_toolbox.data.checking.statistics import Spread, Statistics
    from mojo_toolbox.data.checks import CheckReport, Contamination, Duplicates, Pair

# Wider than any line: what goes into a pipe or a file is not folded.
_UNFOLDED = 1000
_ERRORS = {
    "line": "lines that are not JSON objects",
    "tasks": "task lists",
    "messages": "messages",
    "labels": "labels that are not in the task list",
    "points": "stored measuring points that contradict the labels",
    "record": "other fields",
}
# Columns that a count takes, and the space after it.
_LEAD = 11
_MOST_TASKS, _MOST_PAIRS, _MOST_NAMES = 12, 5, 8


def print_report(report: CheckReport, *, show: int) -> None:
    """Print the whole report; `show` is the number of errors of a kind that are listed."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = _UNFOLDED
    console.print(Text(report.path, style="bold"), soft_wrap=True)
    console.print(
        Text(f"content sha256 {report.sha256 or 'unknown, because not every line can be read'}", style="dim"),
        soft_wrap=True,
    )
    _errors(console, report, show)
    _warnings(console, report)
    if not report.statistics.conversations:
        _heading(console, "No line is a conversation, so there is nothing to count.")
        return
    _statistics(console, report.statistics)
    _duplicates(console, report.duplicates)
    if report.contamination is not None:
        _contamination(console, report.contamination)


def _heading(console: Console, text: str, *, style: str = "") -> None:
    console.print()
    console.print(Text(text, style=f"bold {style}"))


def _errors(console: Console, report: CheckReport, show: int) -> None:
    total = sum(report.errors.values())
    if not total:
        _heading(console, "No problems", style="green")
        return
    _heading(console, f"{total:,} problem{'s' * (total > 1)}", style="red")
    errors = [problem for problem in report.problems if problem.severity == "error"]
    for kind, title in _ERRORS.items():
        shown = [problem for problem in errors if problem.kind == kind][:show]
        if shown:
            console.print(Text(f"{title}: {report.errors[kind]:,}", style="bold"))
            for problem in shown:
                _wrapped(console, str(problem))
            if report.errors[kind] > len(shown):
                console.print(f"  … and {report.errors[kind] - len(shown):,} more", style="dim")


def _warnings(console: Console, report: CheckReport) -> None:
    total = sum(report.warnings.values())
    if not total:
        return
    _heading(console, f"{total:,} warning{'s' * (total > 1)}", style="yellow")
    warnings = sorted((p for p in report.problems if p.severity == "warning"), key=lambda p: list(DOUBTS).index(p.kind))
    for kind, found in groupby(warnings, key=lambda problem: problem.kind):
        for count, line in _doubt(report.warnings[kind], DOUBTS[kind], list(found)):
            _wrapped(console, line, lead=count)


def _doubt(count: int, title: str, found: Sequence[Problem]) -> Iterator[tuple[str, str]]:
    """Yield a count and a line for doubts about conversations, with the first of them; for the file, a line each."""
    if found[0].line is None:
        yield from (("", str(problem)) for problem in found)
    else:
        # What is the same for all of them is in the title.
        alike = len(found) > 1 and len({problem.message for problem in found}) == 1
        first = f"{found[0].path}:{found[0].line}" if alike else str(found[0])
        yield f"{count:,}", f"{title}. First {first}"


def _statistics(console: Console, found: Statistics) -> None:
    _heading(console, "Statistics")
    turns = found.user_turns
    labelled = f"{found.labelled_turns:,} labelled ({_share(found.labelled_turns, turns)})"
    rows = [
        ("conversations", f"{found.conversations:,}"),
        ("user turns", f"{turns:,}, {labelled}"),
        ("assistant turns", f"{found.assistant_turns:,}"),
        ("measuring points", ", ".join(_point(found, point) for point in found.points)),
        ("tasks", f"{'more than ' if found.more_tasks_than_counted else ''}{len(found.tasks):,}"),
    ]
    grid = Table.grid(padding=(0, 2))
    for name, value in rows:
        grid.add_row(Text(name, style="dim"), Text(value))
    console.print(grid)
    console.print()
    console.print(_spreads(found))
    if found.tasks:
        console.print()
        console.print(_tasks(found))
    left = len(found.tasks) - _MOST_TASKS
    if left > 0:
        console.print(f"… and {left:,} more tasks: --json has all", style="dim")


def _point(found: Statistics, point: str) -> str:
    return f"{point} {found.points[point]:,} ({_share(found.points[point], found.labelled_turns)})"


def _spreads(found: Statistics) -> Table:
    table = _table("per conversation", "least", "median", "95%", "most", "in all")
    exact = f"tokens, by {found.tokenizer}" if found.tokenizer else "tokens, estimated (bytes / 4)"
    for name, spread in (("listed tasks", found.list_length), ("messages", found.messages), (exact, found.tokens)):
        table.add_row(Text(name), *_numbers(spread))
    return table


def _numbers(spread: Spread) -> Iterator[str]:
    return (f"{size:,}" for size in (spread.least, spread.median, spread.p95, spread.most, spread.total))


def _tasks(found: Statistics) -> Table:
    table = _table("task", "in lists", "in charge", "share")
    for name, count in list(found.tasks.items())[:_MOST_TASKS]:
        table.add_row(Text(name), f"{count.lists:,}", f"{count.turns:,}", _share(count.turns, found.labelled_turns))
    return table


def _duplicates(console: Console, found: Duplicates) -> None:
    if not found.exact + found.near:
        _heading(console, "No duplicates")
        return
    _heading(console, f"Duplicates: {found.share:.1%} of the conversations")
    console.print(
        f"{found.exact:,} have the messages of an earlier one; {found.near:,} more resemble one "
        f"(similarity {found.similar_from:g} or more)."
    )
    _pairs(console, found.examples)


def _contamination(console: Console, found: Contamination) -> None:
    _heading(console, f"Contamination of {found.path}", style="red" if found.share else "")
    if not found.conversations:
        console.print("No line of it is a conversation, so it cannot be compared.")
        return
    console.print(
        f"{found.exact + found.near:,} of {found.conversations:,} test conversations ({found.share:.1%}) are in the training "
        f"file: {found.exact:,} with the same messages, {found.near:,} with similar ones."
    )
    _pairs(console, found.examples)
    console.print(
        f"\n{len(found.shared_tasks):,} of {found.tasks:,} test tasks ({found.shared_task_share:.0%}) are in the training "
        f"file by name. In charge in the test file and not among these: {_names(found.unseen_tasks)}."
    )
    if found.similar_tasks:
        console.print(f"{len(found.similar_tasks):,} more have a similar description under another name:")
        for task in found.similar_tasks[:_MOST_PAIRS]:
            _wrapped(console, f"{task.similarity:.2f}  {task.name}: {task.description}")
            _wrapped(console, f"      {task.other_name}: {task.other_description}")


def _pairs(console: Console, pairs: Sequence[Pair]) -> None:
    # Near ones first: that those of similarity 1 are the same, nobody doubts.
    for pair in sorted(pairs, key=lambda pair: pair.exact)[:_MOST_PAIRS]:
        same_file = pair.first.path == pair.second.path
        where = f"lines {pair.first.line} and {pair.second.line}" if same_file else f"{pair.first} and {pair.second}"
        console.print(Text(f"  {pair.similarity:.2f}  {where}"), soft_wrap=True)
        width = max(console.width - 8, 20)
        for text in dict.fromkeys((pair.first.text, pair.second.text)):
            console.print(
                Text(f"        {textwrap.shorten(text, width, placeholder=' …')}", style="dim"), soft_wrap=True
            )


def _names(names: Sequence[str]) -> str:
    if not names:
        return "none"
    more = f" and {len(names) - _MOST_NAMES:,} more" if len(names) > _MOST_NAMES else ""
    return f"{len(names):,} ({', '.join(names[:_MOST_NAMES])}{more})"


def _wrapped(console: Console, line: str, *, lead: str | None = None) -> None:
    """Print a line that may be longer than the terminal is wide, indented, after what stands before it."""
    indent = 2 if lead is None else _LEAD
    for number, part in enumerate(Text(line).wrap(console, max(console.width - indent, 20))):
        before = (lead or "").rjust(indent - 2) + "  " if number == 0 and lead is not None else " " * indent
        console.print(Text(before).append_text(part), soft_wrap=True)


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column(columns[0], overflow="fold")
    for column in columns[1:]:
        table.add_column(column, justify="right", no_wrap=True)
    return table


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.0%}" if whole else "\N{EN DASH}"
