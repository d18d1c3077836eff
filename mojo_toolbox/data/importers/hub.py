"""Data sets of the Hugging Face hub, or of a folder or file that its `datasets` library reads, streamed."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mojo_toolbox.data.conversations import Conversation, Task
from mojo_toolbox.data.importers.chats import NoCall, conversations_of_chats
from mojo_toolbox.data.importers.rows import NONE_LABELS, Labels, Row, conversations_of_rows
from mojo_toolbox.data.importers.summary import ImportSummary
from mojo_toolbox.data.importers.task_lists import TaskLists, describe_name
from mojo_toolbox.errors import DataError
from mojo_toolbox.errors.extras import needed_for
from mojo_toolbox.progress import Progress, silent

_BUILDERS = {
    ".arrow": "arrow",
    ".csv": "csv",
    ".tsv": "csv",
    ".json": "json",
    ".jsonl": "json",
    ".parquet": "parquet",
}


def import_dataset(
    name: str,
    *,
    split: str = "train",
    subset: str | None = None,
    revision: str | None = None,
    text: str = "text",
    label: str = "label",
    messages: str | None = None,
    tasks: Sequence[Task] | None = None,
    none_labels: Collection[str] = NONE_LABELS,
    skip_unknown: bool = False,
    no_call: NoCall = "unlabelled",
    tasks_per_list: int | None = None,
    withhold: float = 0.0,
    seed: int = 0,
    summary: ImportSummary | None = None,
    progress: Progress = silent,
) -> Iterator[Conversation]:
    """Yield the rows of a data set, streamed: by its name on the hub, or a folder or file that `datasets` reads.

    With `messages`, that column holds chats, as `import_chats` reads them. Otherwise each row is a user turn, its `text` and
    `label` read as `import_csv` reads them; labels that are numbers become their names, and those names are the tasks
    unless `tasks` are given. Whether the hub can be reached is not asked here: a hub that cannot may take minutes to fail.

    Raises:
        DataError: no such data set, split or column; or, without `tasks`, labels whose names are not known.
        ConfigurationError: `datasets` is not installed (the `local` extra), or a share or length is none.
    """
    summary = ImportSummary() if summary is None else summary
    data = _open(name, split=split, subset=subset, revision=revision)
    source = f"{name}[{split}]"
    stem = Path(name).stem or "row"
    wanted = (text, label) if messages is None else (messages,)
    counted = _counted(data, source, wanted, summary, progress)
    if messages is not None:
        chats = ((f"{source} row {n}", f"{stem}-{n}", row) for n, row in counted)
        return conversations_of_chats(chats, tasks=tasks, no_call=no_call, seed=seed, summary=summary, column=messages)
    names = getattr((data.features or {}).get(label), "names", None)
    listed = list(tasks or _tasks_of(names, none_labels, source, label))
    lists = TaskLists(listed, length=tasks_per_list, withhold=withhold, seed=seed)
    rows = _rows(counted, summary, (source, stem, text, label), names)
    return conversations_of_rows(rows, Labels(lists, none_labels, skip_unknown), summary)


def _rows(
    counted: Iterator[tuple[int, Mapping[str, Any]]],
    summary: ImportSummary,
    columns: tuple[str, str, str, str],
    names: Sequence[str] | None,
) -> Iterator[Row]:
    source, stem, text, label = columns
    for number, row in counted:
        place = f"{source} row {number}"
        content = row.get(text)
        if not isinstance(content, str) or not content.strip():
            summary.skip_row("the row has no text", place)
            continue
        yield Row(source, None, place, f"{stem}-{number}", content.strip(), _label(row.get(label), names))


def _label(value: Any, names: Sequence[str] | None) -> str:
    """Return a label's name; -1 is how data sets say that there is none."""
    if value is None:
        return ""
    if names is not None and isinstance(value, int):
        return names[value] if 0 <= value < len(names) else ""
    return str(value).strip()


def _tasks_of(names: Sequence[str] | None, none_labels: Collection[str], source: str, label: str) -> list[Task]:
    if names is None:
        raise DataError(f"the names of the labels in column {label!r} are not known: give a task file.", path=source)
    none_words = {word.casefold() for word in none_labels}
    try:
        return [Task(name=name, description=describe_name(name)) for name in names if name.casefold() not in none_words]
    except ValueError as error:
        raise DataError(f"a label cannot be a task's name ({names}): give a task file.", path=source) from error


def _counted(
    data: Any, source: str, columns: Sequence[str], summary: ImportSummary, progress: Progress
) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Yield (number from 1, row); the first one must have the columns that are wanted."""
    progress(total=getattr(data, "num_rows", None))
    rows = iter(data)
    number = 0
    while True:
        number += 1
        try:
            row = next(rows)
        except StopIteration:
            return
        except Exception as error:  # the readers of each file format, and of the network, have errors of their own
            raise DataError(f"row {number} cannot be read: {_first_line(error)}", path=source) from error
        missing = [column for column in columns if column not in row] if number == 1 else []
        if missing:
            raise DataError(f"has no column {missing[0]!r}; it has {', '.join(row)}.", path=source)
        yield number, row
        if number % 1000 == 0:
            progress(done=number, text=f"{summary.written:,} conversations")


def _open(name: str, *, split: str, subset: str | None, revision: str | None) -> Any:
    with needed_for("Reading data sets of the hub", extra="local"):
        import datasets
    path = Path(name).expanduser()
    try:
        if (path / "dataset_dict.json").is_file():
            return datasets.load_from_disk(str(path))[split]
        if (path / "state.json").is_file():
            return datasets.load_from_disk(str(path))
        if path.is_file():
            return _open_file(datasets, path, split)
        return datasets.load_dataset(name, subset, split=split, revision=revision, streaming=True)
    except DataError:
        raise
    except Exception as error:  # of datasets, huggingface_hub, httpx and the readers of each file format
        raise DataError(f"cannot be opened: {_first_line(error)}", path=f"{name}[{split}]") from error


def _open_file(datasets: Any, path: Path, split: str) -> Any:
    builder = _BUILDERS.get(path.suffix.lower())
    if builder is None:
        raise DataError(f"not a file that is read here; such as {', '.join(_BUILDERS)} are.", path=path)
    options = {"sep": "\t"} if path.suffix.lower() == ".tsv" else {}
    return datasets.load_dataset(builder, data_files={split: str(path)}, split=split, streaming=True, **options)


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0].rstrip('.') if lines else 'no reason given'}."
