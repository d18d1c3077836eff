"""Data sets of Hugging Face, or of a folder or file that its `datasets` library reads, streamed."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import chain, count
from pathlib import Path
from typing import Any

from mojo_toolbox.data.conversations import Conversation, Task
from mojo_toolbox.data.foreign_files import address, not_there
from mojo_toolbox.data.importers.chats import NoCall, conversations_of_chats
from mojo_toolbox.data.importers.rows import NONE_LABELS, Labels, Row, conversations_of_rows
from mojo_toolbox.data.importers.summary import ImportSummary
from mojo_toolbox.data.importers.task_lists import TaskLists, describe_name
from mojo_toolbox.data.packed_files import is_packed, open_data
from mojo_toolbox.errors import ConfigurationError, DataError
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
# The files by which `datasets` knows a folder that it saved: with several splits, or one data set alone.
_SAVED_DICT, _SAVED = "dataset_dict.json", "state.json"
_DEFAULT_SPLIT = "train"


def import_dataset(
    name: str,
    *,
    split: str = _DEFAULT_SPLIT,
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
    """Yield the rows of a data set, streamed, by its name on Hugging Face, or a folder or file that `datasets` reads.

    The column `messages`, if given, holds chats, as `import_chats` reads them. Otherwise each row is a user turn with `text` and
    `label`, as `import_csv` reads them. Labels that are numbers become their names, and those names are the tasks unless you
    give `tasks`. The first row is read at once. The function does not ask whether Hugging Face can be reached. If not, that
    may take minutes to show.

    Raises:
        DataError: there is no such data set, split or column, or without `tasks` the names of the labels are unknown.
        ConfigurationError: `datasets` is not installed (the `local` extra), a share or length is out of its range, or an
            argument has no effect here.
    """
    _require_fitting(messages is not None, no_call, labels=skip_unknown or tasks_per_list is not None or withhold > 0)
    summary = ImportSummary() if summary is None else summary
    data = _open(name, split=split, subset=subset, revision=revision)
    source = f"{name}[{split}]"
    stem = Path(name).stem or "row"
    wanted = {"text": text, "label": label} if messages is None else {"messages": messages}
    counted = _with_columns(data, source, wanted, _counted(data, source, summary, progress))
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


def _require_fitting(chats: bool, no_call: NoCall, *, labels: bool) -> None:
    if chats and labels:
        raise ConfigurationError(
            "A column of chats has task lists of its own. The length of lists, a share of withheld tasks and skipped labels "
            "belong to rows of a text and a label: leave them out."
        )
    if not chats and no_call != "unlabelled":
        raise ConfigurationError("Answers without a tool call are those of chats: name their column (--messages).")


def _with_columns(
    data: Any, source: str, wanted: Mapping[str, str], rows: Iterator[tuple[int, Mapping[str, Any]]]
) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Return the rows as they are; the first one must have the columns that are wanted."""
    first = next(rows, None)
    columns = data.column_names if first is None else list(first[1])
    for use, column in wanted.items():
        if columns is not None and column not in columns:
            raise DataError(
                f"has no column {column!r}; it has {', '.join(columns)}. Choose another with --{use}.", path=source
            )
    return rows if first is None else chain([first], rows)


def _counted(
    data: Any, source: str, summary: ImportSummary, progress: Progress
) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Yield (number from 1, row)."""
    progress(total=getattr(data, "num_rows", None))
    rows = iter(data)
    for number in count(1):
        try:
            row = next(rows)
        except StopIteration:
            return
        except Exception as error:  # the readers of each file format, and of the network, have errors of their own
            raise DataError(f"row {number} cannot be read: {_first_line(error)}", path=source) from error
        yield number, row
        if number % 1000 == 0:
            progress(done=number, text=f"{summary.written:,} conversations")


def _open(name: str, *, split: str, subset: str | None, revision: str | None) -> Any:
    with needed_for("Reading data sets of Hugging Face", extra="local"):
        import datasets
    if address(Path(name)) and not Path(name).exists():
        raise not_there(Path(name), what="data set")
    path = Path(name).expanduser()
    saved = any((path / mark).is_file() for mark in (_SAVED_DICT, _SAVED))
    if (revision and path.exists()) or (subset and (saved or path.is_file())):
        what = "a revision" if revision else "subsets"
        raise DataError(f"has not {what}: those belong to data sets of Hugging Face. Leave it out.", path=path)
    try:
        if saved:
            return _of_split(datasets.load_from_disk(str(path)), path, split)
        if path.is_file():
            return _open_file(datasets, path, split)
        place = str(path) if path.is_dir() else name
        return _of_split(datasets.load_dataset(place, subset, revision=revision, streaming=True), Path(name), split)
    except DataError:
        raise
    except Exception as error:  # of datasets, huggingface_hub, httpx and the readers of each file format
        raise DataError(f"cannot be opened: {_first_line(error)}", path=f"{name}[{split}]") from error


def _of_split(data: Any, place: Path, split: str) -> Any:
    """Return the split of a data set; one that was saved alone knows its split, or is a folder named like it."""
    if isinstance(data, dict):
        if split not in data:
            raise DataError(f"has no split {split!r}; it has {', '.join(data)}. Choose one with --split.", path=place)
        return data[split]
    own = str(data.split or (place.resolve().name if (place.resolve().parent / _SAVED_DICT).is_file() else ""))
    if split != (own or _DEFAULT_SPLIT):
        only = (
            f"its one split is {own!r}. Choose it with --split {own}" if own else "it is not divided. Leave --split out"
        )
        raise DataError(f"has no split {split!r}; {only}.", path=place)
    return data


def _open_file(datasets: Any, path: Path, split: str) -> Any:
    kind = Path(path.stem if is_packed(path) else path.name).suffix.lower()
    builder = _BUILDERS.get(kind)
    if builder is None:
        raise DataError(f"not a file that is read here; such as {', '.join(_BUILDERS)} are.", path=path)
    if split != _DEFAULT_SPLIT:
        raise DataError(f"has no split {split!r}; a file is not divided. Leave --split out.", path=path)
    if builder in {"csv", "json"}:
        open_data(path).close()
    options = {"sep": "\t"} if kind == ".tsv" else {}
    return datasets.load_dataset(builder, data_files={split: str(path)}, split=split, streaming=True, **options)


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0].rstrip('.') if lines else 'no reason given'}."
