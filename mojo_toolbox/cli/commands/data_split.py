"""`mojo data split`: divide conversations into a training and a test part."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from mojo_toolbox.cli.terminal.options import AsJson, Overwrite, require_free
from mojo_toolbox.cli.terminal.output import data, data_as_json, note
from mojo_toolbox.data.likeness.near_duplicates import SIMILAR

if TYPE_CHECKING:
    from mojo_toolbox.data.split_files import SplitReport

EXAMPLES = """
mojo data split all.jsonl --train train.jsonl --test test.jsonl
mojo data split all.jsonl --train train.jsonl --test test.jsonl --by task
mojo data split all.jsonl --train train.jsonl --test test.jsonl \\
    --test-share 0.1 --seed 7 --json
"""


def split_conversations(
    *,
    conversations: Annotated[
        Path, typer.Argument(help="Conversations to divide, JSON Lines.", metavar="FILE", show_default=False)
    ],
    train: Annotated[Path, typer.Option(help="File to write the training part to.", metavar="FILE")],
    test: Annotated[Path, typer.Option(help="File to write the test part to.", metavar="FILE")],
    by: Annotated[
        Literal["conversation", "task"],
        typer.Option(
            help="With task, some tasks are in charge in the test part only, and training never lists them.",
            metavar="conversation|task",
        ),
    ] = "conversation",
    test_share: Annotated[
        float, typer.Option(min=0, max=1, help="The test part's share of the conversations.", metavar="SHARE")
    ] = 0.2,
    seed: Annotated[int, typer.Option(help="Another seed gives other parts.", metavar="N")] = 0,
    similar_from: Annotated[
        float | None,
        typer.Option(
            min=0.01,
            max=1,
            help="The least similarity of near-duplicates, which stay on one side. Unset: 0.65, or more if most are alike.",
            metavar="X",
            show_default=False,
        ),
    ] = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Divide conversations into a training and a test part, with near-duplicates on one side.

    The same seed gives the same parts, whatever the order of the file. Both files are written, or neither. Existing files are
    replaced only with --overwrite.
    """
    from mojo_toolbox.data.split_files import split_file

    # The source itself is refused even with --overwrite, by the function that divides it.
    require_free(*(part for part in (train, test) if part.resolve() != conversations.resolve()), overwrite=overwrite)

    report = split_file(
        conversations,
        train=train,
        test=test,
        by=by,
        test_share=test_share,
        seed=seed,
        similar_from=similar_from,
        progress=True,
    )
    if as_json:
        data_as_json(report.as_dict())
    else:
        _show(report)
    if similar_from is None and report.similar_from > SIMILAR:
        note(
            f"Many conversations are alike, as from a template. Only those with a similarity of {report.similar_from:g} or more "
            "stay on one side."
        )


def _show(report: SplitReport) -> None:
    total = report.train.conversations + report.test.conversations
    for part in (report.train, report.test):
        share = f"{part.conversations / total:.1%}"
        data(f"{part.path}: {part.conversations:,} conversations ({share}), sha256 {part.sha256}")
    if report.together:
        note(f"{report.together:,} conversations have near-duplicates (from {report.similar_from:g}) on the same side.")
    if report.by == "task":
        note(f"In charge in the test part only: {', '.join(report.unseen_tasks)}.")
    if report.withheld_turns:
        note(
            f"{report.withheld_turns:,} turns of the test part asked for a task of the training part, and have no task now."
        )
    if report.left_out:
        note(f"{report.left_out:,} conversations are left out, because their lists would be empty.")
