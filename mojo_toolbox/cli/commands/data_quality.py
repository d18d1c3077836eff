"""`mojo data quality`: how varied, balanced and natural is a file of conversations, compared with a reference?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mojo_toolbox.cli.terminal.options import AsJson
from mojo_toolbox.cli.terminal.output import data_as_json

EXAMPLES = """
mojo data quality generated.jsonl
mojo data quality generated.jsonl --reference real-users.jsonl
mojo data quality generated.jsonl --reference real-users.jsonl --json
"""
# As mojo_toolbox.generation.quality has it; importing that here would make every command wait for it.
_SAMPLE = 2000


def describe_quality(
    *,
    conversations: Annotated[
        Path, typer.Argument(help="Conversations, JSON Lines.", metavar="FILE", show_default=False)
    ],
    reference: Annotated[
        Path | None,
        typer.Option(
            help="Conversations to compare with, such as those of real users.", metavar="FILE", show_default=False
        ),
    ] = None,
    sample: Annotated[
        int,
        typer.Option(min=10, help="Random sample of each file, for wording and the classifier.", metavar="N"),
    ] = _SAMPLE,
    seed: Annotated[int, typer.Option(min=0, help="Another seed gives another sample.", metavar="N")] = 0,
    as_json: AsJson = False,
) -> None:
    """Show the quality of conversations in figures, each with its meaning: labels, courses, lengths, wording, repetition.

    With --reference each figure has the reference's next to it. A classifier also tries to tell the files apart by their words
    and by their style: 50% is chance, and 100% means that it never confuses them.
    """
    from mojo_toolbox.generation.quality import quality

    report = quality(conversations, reference, sample=sample, seed=seed, progress=True)
    if as_json:
        data_as_json(report.as_dict())
    else:
        from mojo_toolbox.cli.tables.quality_tables import print_quality

        print_quality(report)
