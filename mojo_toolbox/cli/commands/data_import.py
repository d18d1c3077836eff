"""`mojo data import`: other people's conversations in the project's format."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial, update_wrapper
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from mojo_toolbox.cli.tables.import_account import Import, write_import
from mojo_toolbox.cli.terminal.import_options import (
    LISTS,
    WHAT,
    LabelColumn,
    Limit,
    NoCall,
    NoneLabels,
    OptionalTasks,
    Output,
    RequiredTasks,
    Seed,
    SkipUnknown,
    TasksPerList,
    TextColumn,
    Withhold,
    import_option,
)
from mojo_toolbox.cli.terminal.options import AsJson, Overwrite
from mojo_toolbox.errors import DataError

if TYPE_CHECKING:
    from mojo_toolbox.data import Task

EXAMPLES = {
    "sgd": """
mojo data import sgd dstc8-schema-guided-dialogue --split dev -o dev.jsonl
mojo data import sgd dstc8-schema-guided-dialogue --wording v3 -o v3.jsonl
""",
    "clinc": """
mojo data import clinc oos-eval/data/data_full.json --split val \\
    --output clinc.jsonl
""",
    "chat": """
mojo data import chat tool-calls.jsonl --output train.jsonl
mojo data import chat sharegpt.json --tasks tasks.json --output chats.jsonl
""",
    "csv": """
mojo data import csv requests.csv --tasks tasks.json \\
    --text utterance --label intent --output train.jsonl
mojo data import csv export.csv --tasks tasks.json --text Message \\
    --label Task --conversation Thread --role Sender --encoding cp1252 \\
    --output train.jsonl
mojo data import csv plain.tsv --tasks tasks.json --no-header --no-quotes \\
    --text 2 --label 1 --skip-unknown --output train.jsonl
""",
    "hub": """
mojo data import hub clinc/clinc_oos --subset plus --split validation \\
    --text text --label intent --tasks-per-list 15 --output clinc.jsonl
mojo data import hub someone/chats --messages messages --output chats.jsonl
mojo data import hub intents.parquet --output train.jsonl
""",
}


def _writing(importer: Callable[..., Import]) -> Callable[..., None]:
    """Give an importer the options of the file that is written, and write it."""

    def command(
        *, output: Output, limit: Limit = None, overwrite: Overwrite = False, as_json: AsJson = False, **given: Any
    ) -> None:
        write_import(importer(**given), output, limit=limit, overwrite=overwrite, as_json=as_json)

    source, *own = inspect.signature(importer, eval_str=True).parameters.values()
    output, *how, _given = inspect.signature(command, eval_str=True).parameters.values()
    update_wrapper(command, importer)
    # Typer reads both.
    parameters = [source, output, *own, *how]
    vars(command)["__signature__"] = inspect.Signature(parameters)
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return command


@_writing
def sgd(
    *,
    folder: Annotated[
        Path,
        typer.Argument(
            help="A checkout of dstc8-schema-guided-dialogue, or a folder of its form.",
            metavar="FOLDER",
            show_default=False,
        ),
    ],
    split: Annotated[
        str | None,
        import_option("--split", text="train, dev or test. Unset: train, or the split of FOLDER.", metavar="NAME"),
    ] = None,
    wording: Annotated[
        str | None, import_option("--wording", text="Names and descriptions of SGD-X: v1 to v5.", metavar="NAME")
    ] = None,
    withhold: Withhold = 0.2,
    seed: Seed = 0,
) -> Import:
    """Import Schema-Guided Dialogue as published.

    The label of a user turn is the intent that is active after it. Turns that only thank, close or select,
    and turns that leave it open, do not have a label. Lists have the services of the dialogue and others, 4 to 18 tasks in
    random order.
    """
    from mojo_toolbox.data.importers.sgd import import_sgd

    make = partial(import_sgd, folder, split=split, wording=wording, withhold=withhold, seed=seed)
    return Import(make)


@_writing
def clinc(
    *,
    file: Annotated[
        Path, typer.Argument(help="data_full.json or another of its kind.", metavar="FILE", show_default=False)
    ],
    split: Annotated[str, typer.Option(help="train, val or test.", metavar="NAME", rich_help_panel=WHAT)] = "train",
    domains: Annotated[
        Path | None,
        import_option(
            "--domains", text="Domain of each intent. Unset: domains.json next to FILE, if any.", metavar="FILE"
        ),
    ] = None,
    tasks_per_list: Annotated[
        int, typer.Option(min=1, help="Length of the lists.", metavar="N", rich_help_panel=LISTS)
    ] = 15,
    withhold: Withhold = 0.2,
    seed: Seed = 0,
) -> Import:
    """Import CLINC150 with its out-of-scope queries as published.

    Each query becomes a conversation of one user turn. Out-of-scope queries have no task.
    """
    from mojo_toolbox.data.importers.clinc import import_clinc

    make = partial(
        import_clinc, file, split=split, tasks_per_list=tasks_per_list, withhold=withhold, seed=seed, domains=domains
    )
    return Import(make, sources=(file, domains))


@_writing
def chat(
    *,
    file: Annotated[Path, typer.Argument(help="JSON Lines, or a JSON array.", metavar="FILE", show_default=False)],
    tasks: OptionalTasks = None,
    no_call: NoCall = "unlabelled",
    seed: Seed = 0,
) -> Import:
    """Import chats of OpenAI's form (messages) or ShareGPT's (conversations).

    A record's tools are its tasks, and the function that the assistant calls labels the user turn before. Records without
    tools need --tasks, and their turns stay without labels.
    """
    from mojo_toolbox.data.importers.chats import import_chats

    make = partial(import_chats, file, tasks=_tasks(tasks), no_call=no_call, seed=seed)
    return Import(make, sources=(file, tasks))


@_writing
def csv(
    *,
    file: Annotated[Path, typer.Argument(help="CSV, TSV or a similar table.", metavar="FILE", show_default=False)],
    tasks: RequiredTasks,
    text: TextColumn = "text",
    label: LabelColumn = "label",
    conversation: Annotated[
        str | None,
        import_option("--conversation", text="Column that joins successive rows to a conversation.", metavar="COLUMN"),
    ] = None,
    role: Annotated[str | None, import_option("--role", text="Column of the speaker.", metavar="COLUMN")] = None,
    user_role: Annotated[
        list[str] | None,
        import_option("--user-role", text="Another word for the user than user, human, customer, ...", metavar="WORD"),
    ] = None,
    assistant_role: Annotated[
        list[str] | None,
        import_option(
            "--assistant-role", text="Another word for the assistant than assistant, agent, bot, ...", metavar="WORD"
        ),
    ] = None,
    delimiter: Annotated[
        str | None,
        import_option(
            "--delimiter",
            text="A character, or tab. Unset: comma, semicolon, tab or |, as the file has it.",
            metavar="CHAR",
        ),
    ] = None,
    encoding: Annotated[
        str | None,
        import_option(
            "--encoding",
            text="Text encoding, such as cp1252. Unset: UTF-8 or UTF-16, from the first bytes.",
            metavar="NAME",
        ),
    ] = None,
    no_header: Annotated[
        bool,
        typer.Option("--no-header", help="The table has no headings, and columns are numbers.", rich_help_panel=WHAT),
    ] = False,
    no_quotes: Annotated[
        bool, typer.Option("--no-quotes", help="Quotation marks are plain text.", rich_help_panel=WHAT)
    ] = False,
    none_label: NoneLabels = None,
    skip_unknown: SkipUnknown = False,
    tasks_per_list: TasksPerList = None,
    withhold: Withhold = 0.0,
    seed: Seed = 0,
) -> Import:
    """Import a table with a column of utterances and one of labels.

    A row is a conversation of one user turn, unless --conversation joins rows. An empty label means that nobody knows.
    """
    from mojo_toolbox.data.importers.table import Columns, Dialect, import_csv

    listed = _tasks(tasks) or []
    columns = Columns(text=text, label=label, conversation=conversation, role=role)
    written = {"tab": "\t", "\\t": "\t"}.get(delimiter or "", delimiter)
    dialect = Dialect(delimiter=written, quotes=not no_quotes, header=not no_header)
    roles: dict[str, Literal["user", "assistant"]] = dict.fromkeys(user_role or [], "user")
    roles |= dict.fromkeys(assistant_role or [], "assistant")

    make = partial(
        import_csv,
        file,
        tasks=listed,
        columns=columns,
        dialect=dialect,
        encoding=encoding,
        skip_unknown=skip_unknown,
        roles=roles,
        tasks_per_list=tasks_per_list,
        withhold=withhold,
        seed=seed,
        **_none_labels(none_label),
    )
    return Import(make, sources=(file, tasks))


@_writing
def hub(
    *,
    name: Annotated[
        str,
        typer.Argument(
            help="A data set's name on Hugging Face's hub, or a folder or file.", metavar="NAME", show_default=False
        ),
    ],
    split: Annotated[str, typer.Option(help="The part to read.", metavar="NAME", rich_help_panel=WHAT)] = "train",
    subset: Annotated[
        str | None, import_option("--subset", text="The configuration, if there are several.", metavar="NAME")
    ] = None,
    revision: Annotated[
        str | None, import_option("--revision", text="A commit, tag or branch.", metavar="NAME")
    ] = None,
    text: TextColumn = "text",
    label: LabelColumn = "label",
    messages: Annotated[
        str | None,
        import_option("--messages", text="Column of chats, in place of --text and --label.", metavar="COLUMN"),
    ] = None,
    tasks: OptionalTasks = None,
    none_label: NoneLabels = None,
    skip_unknown: SkipUnknown = False,
    no_call: NoCall = "unlabelled",
    tasks_per_list: TasksPerList = None,
    withhold: Withhold = 0.0,
    seed: Seed = 0,
) -> Import:
    """Import a data set of Hugging Face's hub, or a folder or file that its datasets library reads.

    Labels that are numbers become their names. Without --tasks those names are the tasks.
    """
    listed = _tasks(tasks)
    _require_reachable(name)
    from mojo_toolbox.data.importers.hugging_face import import_dataset

    make = partial(
        import_dataset,
        name,
        split=split,
        subset=subset,
        revision=revision,
        text=text,
        label=label,
        messages=messages,
        tasks=listed,
        skip_unknown=skip_unknown,
        no_call=no_call,
        tasks_per_list=tasks_per_list,
        withhold=withhold,
        seed=seed,
        **_none_labels(none_label),
    )
    return Import(make, sources=(Path(name), tasks))


def _tasks(path: Path | None) -> list[Task] | None:
    from mojo_toolbox.data.importers.task_lists import read_tasks

    return None if path is None else list(read_tasks(path))


def _none_labels(given: list[str] | None) -> dict[str, Any]:
    """Return the option for the library; its own words stand where none was given."""
    return {"none_labels": given} if given else {}


def _require_reachable(name: str) -> None:
    if Path(name).expanduser().exists():
        return
    from mojo_toolbox.base_models import hugging_face_reachable

    if not hugging_face_reachable():
        raise DataError("no such file or folder, and the Hugging Face hub cannot be reached.", path=name)


COMMANDS: dict[str, Callable[..., None]] = {"sgd": sgd, "clinc": clinc, "chat": chat, "csv": csv, "hub": hub}
