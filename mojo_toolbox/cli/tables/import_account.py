"""The file that `mojo data import` writes, and the account that it prints."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from mojo_toolbox.cli.terminal.endings import UsageError
from mojo_toolbox.cli.terminal.options import require_free
from mojo_toolbox.cli.terminal.output import data, data_as_json, note, print_table
from mojo_toolbox.data import Conversation
from mojo_toolbox.data.content_hash import ContentHash
from mojo_toolbox.data.importers.summary import KINDS, ImportSummary
from mojo_toolbox.data.jsonl import write_records
from mojo_toolbox.errors import DataError
from mojo_toolbox.progress import progress_bar

# How many reasons an error names when nothing could be imported.
_NAMED_REASONS = 3


@dataclass(frozen=True)
class Import:
    """An import: `make(summary=..., progress=...)` yields conversations from the files `sources`."""

    make: Callable[..., Iterator[Conversation]]
    sources: Sequence[Path | None] = ()


def write_import(planned: Import, output: Path, *, limit: int | None, overwrite: bool, as_json: bool) -> None:
    """Write what an importer yields, and print its account."""
    read = [source for source in planned.sources if source is not None and source.exists()]
    if output.exists() and any(source.samefile(output) for source in read):
        raise UsageError(f"--output {output} is an input file, and would be replaced. Give another name.")
    require_free(output, overwrite=overwrite)
    summary, digest = ImportSummary(), ContentHash()
    with progress_bar("Import") as report:
        write_records(output, _records(islice(planned.make(summary=summary, progress=report), limit), summary, digest))
        report(done=1, total=1, text=f"{summary.written:,} conversations")
    if as_json:
        data_as_json({"output": str(output), "sha256": digest.hexdigest(), **summary.as_record()})
    else:
        _print(summary, output, digest.hexdigest())


def _records(
    conversations: Iterator[Conversation], summary: ImportSummary, digest: ContentHash
) -> Iterator[dict[str, Any]]:
    """Yield what is written; nothing at all is an error, so that no empty file is left."""
    for conversation in conversations:
        digest.add(conversation)
        yield conversation.as_record()
    if not summary.written:
        found = [item for kind in KINDS for item in summary.ranked(kind)][:_NAMED_REASONS]
        reasons = "; ".join(f"{reason} ({left.count:,} x, such as {left.example})" for reason, left in found)
        raise DataError(f"Nothing could be imported: {reasons or 'there are no conversations'}.")


def _print(summary: ImportSummary, output: Path, sha256: str) -> None:
    data(f"{output}: {summary.written:,} conversations of {summary.read:,}, {summary.messages:,} messages")
    data(f"user turns: {summary.user_turns:,}, labelled {summary.labelled:,}, of these no task {summary.no_task:,}")
    data(f"content hash: {sha256}")
    if not summary.labelled:
        note("No turn has a label, so the file can be neither trained on nor scored yet.")
    rows = [[kind, reason, f"{left.count:,}", left.example] for kind in KINDS for reason, left in summary.ranked(kind)]
    if rows:
        print_table("\nLeft out", ("what", "why", "how often", "for example"), rows, narrow=3)
