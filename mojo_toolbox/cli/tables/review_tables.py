"""The tables of `mojo review`: imports, and the progress of reviewing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mojo_toolbox.cli.terminal.output import data, note, print_table
from mojo_toolbox.review.wording import ACTION_WORDS, import_lines, reason_lines

if TYPE_CHECKING:
    from mojo_toolbox.review.store import ImportReport, Overview


def show_import(file: Path, report: ImportReport) -> None:
    """Print the result of an import."""
    first, *others = import_lines(str(file), report)
    data(first)
    for line in others:
        note(line)


def show_overview(overview: Overview) -> None:
    """Print the progress of reviewing, by reviewer and task."""
    data(
        f"{overview.decided:,} of {overview.conversations:,} conversations decided "
        f"({overview.decisions:,} of {overview.decisions_needed:,} decisions)"
    )
    agreement = overview.agreement
    if agreement.turns:
        kappa = "undefined" if agreement.kappa is None else f"{agreement.kappa:.2f}"
        data(f"agreement: {agreement.agreed:,} of {agreement.turns:,} turns, Cohen's kappa {kappa}")
    data(f"to be checked: {overview.checks_total:,}, disagreements: {overview.disagreements_total:,}")
    reasons = "; ".join(reason_lines(overview.reasons))
    data(f"thrown out: {overview.thrown_out_total:,}" + (f" ({reasons})" if reasons else ""))
    rows = [
        [r.name, f"{r.decided:,}", *(f"{r.actions[a]:,}" for a in r.actions), _speed(r.per_hour)]
        for r in overview.reviewers
    ]
    if rows:
        heads = ["name", "decided", *ACTION_WORDS.values(), "an hour"]
        print_table("Reviewers", heads, rows, narrow=2)
    tasks = [
        ["none" if t.task is None else t.task, f"{t.turns:,}", f"{t.changed_away:,}", f"{t.changed_to:,}"]
        for t in overview.tasks
    ]
    if tasks:
        print_table("Labels of decided turns", ["task", "turns", "changed away", "changed to"], tasks, narrow=4)


def _speed(per_hour: float | None) -> str:
    return "" if per_hour is None else f"{per_hour:,.0f}"
