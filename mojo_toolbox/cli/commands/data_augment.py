"""`mojo data augment`: write varied copies of conversations to a file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mojo_toolbox.cli.terminal.endings import UsageError
from mojo_toolbox.cli.terminal.options import AsJson, Overwrite, require_free
from mojo_toolbox.cli.terminal.output import data, data_as_json, note
from mojo_toolbox.data.augmentation import Augmentation, augment
from mojo_toolbox.data.content_hash import ContentHash
from mojo_toolbox.data.jsonl import read_conversations, write_records
from mojo_toolbox.data.task_pool import POOL_LIMIT, TaskPool, read_pool
from mojo_toolbox.progress import progress_bar
from mojo_toolbox.whole_files import require_writable

if TYPE_CHECKING:
    from mojo_toolbox.data import Conversation
    from mojo_toolbox.progress import Progress

EXAMPLES = """
mojo data augment train.jsonl --output augmented.jsonl
mojo data augment train.jsonl --output augmented.jsonl --copies 3 --seed 7
mojo data augment train.jsonl --output augmented.jsonl \\
    --alternatives wordings.json --pool others.jsonl --fewer-tasks 0.2
"""
_SHARES = "Variations (shares of the written conversations, 0 to 1)"
_DEFAULTS = Augmentation()
# Conversations between two looks at the progress bar.
_EVERY = 100
# Distractors wanted from which on it is worth a word that there were none.
_MANY = 10


def _share(name: str, meaning: str) -> Any:
    return typer.Option(f"--{name}", min=0, max=1, help=meaning, metavar="SHARE", rich_help_panel=_SHARES)


@dataclass
class _Summary:
    """What was read and written."""

    output: str
    pool_tasks: int
    conversations: int = 0
    written: int = 0
    listed_before: int = 0
    listed_after: int = 0
    longer_lists: int = 0
    sha256: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return the figures; list lengths as means."""
        before, after = self.listed_before / (self.conversations or 1), self.listed_after / (self.written or 1)
        return {
            "output": self.output,
            "sha256": self.sha256,
            "conversations": self.conversations,
            "written": self.written,
            "tasks_per_list": {"before": round(before, 2), "after": round(after, 2)},
            "longer_lists": self.longer_lists,
            "pool_tasks": self.pool_tasks,
        }


def augment_file(
    *,
    file: Annotated[Path, typer.Argument(help="Conversations, JSON Lines.", metavar="FILE", show_default=False)],
    output: Annotated[Path, typer.Option("--output", "-o", help="File to write, whole or not at all.", metavar="FILE")],
    copies: Annotated[int, typer.Option(min=1, help="Versions of each conversation.", metavar="N")] = 1,
    seed: Annotated[int, typer.Option(help="Another seed gives other versions.", metavar="N")] = 0,
    pool: Annotated[
        Path | None,
        typer.Option(
            help="Source of distractors: conversations, or tasks one a line. Unset: FILE itself.",
            metavar="FILE",
            show_default=False,
        ),
    ] = None,
    pool_limit: Annotated[
        int, typer.Option(min=1, help="Keep at most N tasks of the pool, as a random sample.", metavar="N")
    ] = POOL_LIMIT,
    alternatives: Annotated[
        Path | None,
        typer.Option(
            help='Other wordings, JSON: {"task_name": [{"name": ..., "description": ...}, ...]}.',
            metavar="FILE",
            show_default=False,
        ),
    ] = None,
    same_order: Annotated[bool, typer.Option("--same-order", help="Keep the order of the lists.")] = False,
    max_tasks: Annotated[
        int, typer.Option(min=1, help="Distractors make a list at most N tasks long.", metavar="N")
    ] = _DEFAULTS.max_tasks,
    withheld_task: Annotated[
        float, _share("withheld-task", "Take a task in charge off the list, so that its turns become none.")
    ] = _DEFAULTS.withheld_task,
    fewer_tasks: Annotated[
        float, _share("fewer-tasks", "Leave out some tasks that are never in charge.")
    ] = _DEFAULTS.fewer_tasks,
    distractors: Annotated[
        float, _share("distractors", "Add tasks of other conversations that do not fit.")
    ] = _DEFAULTS.distractors,
    renamed_tasks: Annotated[
        float, _share("renamed-tasks", "Show tasks in one of their alternatives.")
    ] = _DEFAULTS.renamed_tasks,
    obscured_names: Annotated[
        float, _share("obscured-names", "Name tasks by a word and a number, so that the router must read descriptions.")
    ] = _DEFAULTS.obscured_names,
    hidden_decisions: Annotated[
        float, _share("hidden-decisions", "Remove the first labels, up to a random turn.")
    ] = _DEFAULTS.hidden_decisions,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Write varied copies of conversations: task lists reordered, longer, shorter or reworded, tasks and labels withheld.

    Messages never change, and every label stays true. The same seed writes the same file.

    Training does this by itself, anew for each epoch. To train on a file from this command: mojo train --as-it-stands.
    """
    wanted = Augmentation(
        shuffled=not same_order,
        withheld_task=withheld_task,
        fewer_tasks=fewer_tasks,
        distractors=distractors,
        max_tasks=max_tasks,
        renamed_tasks=renamed_tasks,
        obscured_names=obscured_names,
        hidden_decisions=hidden_decisions,
    )
    _require_usable(file, output, overwrite=overwrite, reads_twice=pool is None and distractors > 0)
    with progress_bar("Augment") as report:
        report(text="reading tasks")
        # The whole of the pool stands before the first conversation is written: it needs a pass of its own.
        tasks = read_pool(pool or file if distractors else None, alternatives=alternatives, limit=pool_limit)
        summary = _Summary(str(output), len(tasks.distractors))
        options: dict[str, Any] = {"wanted": wanted, "pool": tasks, "seed": seed, "copies": copies}
        write_records(output, _records(read_conversations(file), summary, report, **options))
    if as_json:
        data_as_json(summary.as_json())
    else:
        _print(summary, wanted)


def _require_usable(file: Path, output: Path, *, overwrite: bool, reads_twice: bool) -> None:
    if output.is_dir():
        raise UsageError(f"--output: {output} is a folder. Name a file.")
    require_writable(output)
    if output.exists() and file.exists() and output.samefile(file):
        raise UsageError(f"--output: {output} is the input file. Name another file.")
    require_free(output, overwrite=overwrite)
    if reads_twice and file.exists() and not file.is_file() and not file.is_dir():
        raise UsageError(f"{file} can be read only once. Give --pool another file, or --distractors 0.")


def _records(
    conversations: Iterable[Conversation],
    summary: _Summary,
    report: Progress,
    *,
    wanted: Augmentation,
    pool: TaskPool,
    seed: int,
    copies: int,
) -> Iterator[dict[str, Any]]:
    """Yield what is to be written, and count it."""
    digest = ContentHash()
    for conversation in conversations:
        summary.conversations += 1
        summary.listed_before += len(conversation.tasks)
        for copy in range(copies):
            varied = augment(conversation, seed=seed, copy=copy, augmentation=wanted, pool=pool)
            summary.written += 1
            summary.listed_after += len(varied.tasks)
            summary.longer_lists += len(varied.tasks) > len(conversation.tasks)
            digest.add(varied)
            yield varied.as_record()
        if summary.conversations % _EVERY == 0:
            report(text=f"{summary.conversations:,} conversations")
    report(done=1, total=1, text=f"{summary.conversations:,} conversations")
    summary.sha256 = digest.hexdigest()


def _print(summary: _Summary, wanted: Augmentation) -> None:
    lengths = summary.as_json()["tasks_per_list"]
    data(f"{summary.output}: {summary.written:,} conversations of {summary.conversations:,}")
    data(f"tasks a list, on average: {lengths['before']:g} before, {lengths['after']:g} after")
    data(f"content hash: {summary.sha256}")
    # Of so many lists some would have become longer by chance alone.
    if wanted.distractors * summary.written >= _MANY and not summary.longer_lists:
        note(
            f"No distractor was added. None of the pool's {summary.pool_tasks} tasks could join a list of fewer than "
            f"{wanted.max_tasks} tasks: each is on the list already, or fits the conversation. Give --pool another file."
        )
