"""Other names and descriptions of tasks, from a file that the user wrote."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mojo_toolbox.data.conversations import Task, describe
from mojo_toolbox.data.json_faults import why_not_json
from mojo_toolbox.data.jsonl import LONGEST_LINE, read_records
from mojo_toolbox.data.keys import TASK
from mojo_toolbox.data.packed_files import open_data
from mojo_toolbox.errors import DataError
from mojo_toolbox.errors.sentences import sentence

_SHAPE = '{"task_name": [{"name": "…", "description": "…"}, …]}'


@dataclass(frozen=True)
class Wording:
    """Another name, another description, or both; what is None stays as the task has it."""

    name: str | None = None
    description: str | None = None

    def of(self, task: Task) -> Task:
        """Return the task in this wording."""
        return Task(
            name=task.name if self.name is None else self.name,
            description=task.description if self.description is None else self.description,
        )


# By the name that the conversations have.
Alternatives = Mapping[str, tuple[Wording, ...]]


def read_alternatives(path: Path | str) -> dict[str, tuple[Wording, ...]]:
    """Read `{"task_name": [{"name": …, "description": …}, …]}`: one JSON object, or JSON Lines of them.

    You may leave out the name or the description. Then the task's own stays.

    Raises:
        DataError: there is no such file, or it has another form. The error names file, line and task.
    """
    found: dict[str, tuple[Wording, ...]] = {}
    for line, document in _documents(Path(path)):
        for written, entries in document.items():
            task_name = _task_name(written, path=path, line=line)
            if not isinstance(entries, list):
                raise DataError(f"{task_name!r}: a list of wordings was expected: {_SHAPE}.", path=path, line=line)
            read = tuple(_wording(task_name, entry, path=path, line=line) for entry in entries)
            found[task_name] = (*found.get(task_name, ()), *read)
    return found


def _documents(path: Path) -> Iterator[tuple[int | None, dict[str, Any]]]:
    started = False
    try:
        for line, document in read_records(path):
            started = True
            yield line, document
    except DataError as error:
        if started or error.line is None:
            raise
        # One object over several lines: the first of them alone is no JSON.
        yield None, _whole_document(path, error)


def _whole_document(path: Path, as_lines: DataError) -> dict[str, Any]:
    with open_data(path) as file:
        content = file.read(LONGEST_LINE + 1)
    if len(content) > LONGEST_LINE:
        raise as_lines
    try:
        document = json.loads(content.decode("utf-8-sig"))
    except json.JSONDecodeError as error:
        raise DataError(f"not JSON: {why_not_json(error)}", path=path, line=error.lineno) from error
    except (ValueError, RecursionError):
        raise as_lines from None
    if not isinstance(document, dict):
        raise DataError(f"a JSON object was expected, not {type(document).__name__}: {_SHAPE}.", path=path)
    return document


def _task_name(written: str, *, path: Path | str, line: int | None) -> str:
    try:
        return Task(name=written).name
    except ValidationError as error:
        raise DataError(f"{written!r:.80} names no task: {sentence(describe(error))}", path=path, line=line) from error


def _wording(task_name: str, entry: object, *, path: Path | str, line: int | None) -> Wording:
    if isinstance(entry, dict) and (problem := TASK.dropped(entry)):
        raise DataError(f"{task_name!r}: {sentence(problem)}", path=path, line=line)
    if not isinstance(entry, dict) or (entry.get("name") is None and entry.get("description") is None):
        raise DataError(f"{task_name!r}: {entry!r:.80} is no wording: {_SHAPE}.", path=path, line=line)
    try:
        task = Task.model_validate({"name": "any", **{k: v for k, v in entry.items() if v is not None}})
    except ValidationError as error:
        raise DataError(f"{task_name!r}: {sentence(describe(error))}", path=path, line=line) from error
    return Wording(
        name=task.name if entry.get("name") is not None else None,
        description=task.description if entry.get("description") is not None else None,
    )
