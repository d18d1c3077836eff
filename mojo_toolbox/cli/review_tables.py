"""What `mojo review` prints of imports and of how far reviewing is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mojo_toolbox.cli.output import data, note, print_table

if TYPE_CHECKING:
    from mojo_toolbox.review.store import ImportReport, Overview


def show_import(file: Path, report: ImportReport) -> None:
    """Print what an import did."""
    data(f"{file}: {report.read:,} conversations, {report.new:,} new")
    if report.known:
        kept = f", {report.kept:,} of them decided otherwise than labelled here" if report.kept else ""
        note(f"{report.known:,} were there already; decisions on them stay{kept}.")
    for count, said in (
        (report.updated, "undecided ones took the new labels"),
        (report.replaced, "left the queue: the same source has another text under their id now"),
        (report.repeated, "are in the file twice"),
        (report.unlisted_labels, "labels are not on their task list: taken off, marked, and put first"),
        (report.disagreements, "have a turn in which the router disagrees: they come first"),
    ):
        if count:
            note(f"{count:,} {said}.")


def show_overview(overview: Overview) -> None:
    """Print how far reviewing is, by reviewer and task."""
    data(
        f"{overview.decided:,} of {overview.conversations:,} conversations decided "
        f"({overview.decisions:,} of {overview.decisions_needed:,} decisions)"
    )
    agreement = overview.agreement
    if agreement.turns:
        kappa = "undefined" if agreement.kappa is None else f"{agreement.kappa:.2f}"
        data(f"agreement: {agreement.agreed:,} of {agreement.turns:,} turns, Cohen's kappa {kappa}")
    data(f"to be checked: {overview.checks_total:,}; disagreements: {overview.disagreements_total:,}")
    rows = [
        [r.name, f"{r.decided:,}", *(f"{r.actions[a]:,}" for a in r.actions), _speed(r.per_hour)]
        for r in overview.reviewers
    ]
    if rows:
        print_table("Reviewers", ["name", "decided", "okay", "change", "check", "wrong", "an hour"], rows, narrow=2)
    tasks = [
        ["none" if t.task is None else t.task, f"{t.turns:,}", f"{t.changed_away:,}", f"{t.changed_to:,}"]
        for t in overview.tasks
    ]
    if tasks:
        print_table("Labels of decided turns", ["task", "turns", "changed away", "changed to"], tasks, narrow=4)


def _speed(per_hour: float | None) -> str:
    return "" if per_hour is None else f"{per_hour:,.0f}"
