"""`mojo data check`: is a file of conversations good for training, and does it share nothing with the test file?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mojo_toolbox.cli.terminal.endings import UsageError
from mojo_toolbox.cli.terminal.options import AsJson
from mojo_toolbox.cli.terminal.output import data_as_json, note
from mojo_toolbox.data.jsonl import OTHER_FORMATS
from mojo_toolbox.data.likeness.near_duplicates import SIMILAR
from mojo_toolbox.errors import DataError

if TYPE_CHECKING:
    from mojo_toolbox.data.checks import CheckReport

_LIMITS = "Exit with 1 when there are more than"

EXAMPLES = """
mojo data check train.jsonl
mojo data check train.jsonl --against test.jsonl --max-contamination 0
mojo data check train.jsonl --tokenizer HuggingFaceTB/SmolLM2-135M-Instruct
mojo data check train.jsonl --max-near-duplicates 0.05 --json
"""


def check_file(
    *,
    conversations: Annotated[
        Path, typer.Argument(help="Conversations to train on, JSON Lines.", metavar="FILE", show_default=False)
    ],
    against: Annotated[
        Path | None,
        typer.Option(
            help="A test file, which is checked too. Its conversations that are also in FILE are contamination.",
            metavar="TEST",
            show_default=False,
        ),
    ] = None,
    tokenizer: Annotated[
        str | None,
        typer.Option(
            help="Count tokens with this tokenizer, a folder or a model's name. Unset: estimated from bytes.",
            metavar="NAME",
            show_default=False,
        ),
    ] = None,
    similar_from: Annotated[
        float,
        typer.Option(min=0.01, max=1, help="The least similarity of near-duplicates. 1 means equal.", metavar="X"),
    ] = SIMILAR,
    show: Annotated[int, typer.Option(min=1, help="Print at most N problems of each kind.", metavar="N")] = 20,
    max_problems: Annotated[int, typer.Option(min=0, help="N problems.", metavar="N", rich_help_panel=_LIMITS)] = 0,
    max_warnings: Annotated[
        int | None,
        typer.Option(min=0, help="N warnings.", metavar="N", rich_help_panel=_LIMITS, show_default=False),
    ] = None,
    max_near_duplicates: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            help="Duplicates and near-duplicates, as a share of FILE, such as 0.05.",
            metavar="SHARE",
            rich_help_panel=_LIMITS,
            show_default=False,
        ),
    ] = None,
    max_contamination: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            help="Test conversations that are in FILE too, or similar ones, as a share of TEST.",
            metavar="SHARE",
            rich_help_panel=_LIMITS,
            show_default=False,
        ),
    ] = None,
    max_shared_tasks: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            help="Tasks of TEST that are in FILE too, as a share of TEST's tasks.",
            metavar="SHARE",
            rich_help_panel=_LIMITS,
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check conversations: problems with their lines, statistics, duplicates, and test conversations among them.

    Exits with 1 when there is a problem, or when a figure is above a limit that you set. --json prints everything.
    """
    limits: dict[str, Any] = {
        "max_problems": max_problems,
        "max_warnings": max_warnings,
        "max_near_duplicates": max_near_duplicates,
        "max_contamination": max_contamination,
        "max_shared_tasks": max_shared_tasks,
    }
    if against is None and (max_contamination is not None or max_shared_tasks is not None):
        raise UsageError("Contamination is measured with a test file: give it with --against.")
    from mojo_toolbox.data.checks import check

    report = check(conversations, against, tokenizer=tokenizer, similar_from=similar_from, progress=True)
    exceeded = report.exceeded(**limits)
    if as_json:
        data_as_json(report.as_dict() | {"exceeded": exceeded})
    else:
        from mojo_toolbox.cli.tables.check_tables import print_report

        _require_json_lines(report)
        print_report(report, show=show)
    for sentence in exceeded:
        note(typer.style("error:", fg=typer.colors.RED) + f" {sentence}")
    if exceeded:
        raise typer.Exit(1)


def _require_json_lines(report: CheckReport) -> None:
    """Refuse a file of another kind with one error, because the same error for each line would not help the reader."""
    counts = {report.path: report.statistics.conversations}
    if report.contamination is not None:
        counts[report.contamination.path] = report.contamination.conversations
    for path, conversations in counts.items():
        errors = [problem for problem in report.problems if problem.severity == "error" and problem.path == path]
        if errors and not conversations and {problem.kind for problem in errors} == {"line"}:
            hint = "" if OTHER_FORMATS in errors[0].message else f" {OTHER_FORMATS}"
            raise DataError(
                f"no line is a JSON object, so this is not a JSON Lines file. Line {errors[0].line}: {errors[0].message}{hint}",
                path=path,
            )
