"""`mojo data starter`: write the conversations that ship with the library, to look at or to train on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from mojo_toolbox.cli.terminal.options import AsJson, Overwrite, require_free
from mojo_toolbox.cli.terminal.output import data, data_as_json

EXAMPLES = """
mojo data starter --output starter.jsonl
mojo data starter --output more.jsonl --count 10000 --seed 7
"""


def write_starter(
    *,
    output: Annotated[Path, typer.Option(help="File to write them to, JSON Lines.", metavar="FILE")],
    count: Annotated[int, typer.Option(min=1, help="Number of conversations.", metavar="N")] = 2500,
    seed: Annotated[int, typer.Option(help="Another seed gives other conversations.", metavar="N")] = 0,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Write conversations composed of tasks and turns that were written for this library.

    They have 476 tasks of 94 products, at every measuring point. The recipes of mojo train read them in addition to yours.
    """
    from mojo_toolbox.data import write_records
    from mojo_toolbox.data.starter import starter_conversations
    from mojo_toolbox.progress import progress_bar

    require_free(output, overwrite=overwrite)
    with progress_bar("Composing") as report:

        def records() -> Iterator[dict[str, Any]]:
            for number, conversation in enumerate(starter_conversations(count, seed=seed), start=1):
                yield conversation.as_record()
                report(done=number, total=count)

        written = write_records(output, records())
    if as_json:
        data_as_json({"path": str(output), "conversations": written, "seed": seed})
    else:
        data(f"{output}: {written:,} conversations")
