"""CLINC150 with out-of-scope queries as published: one user turn each, with a list drawn around its intent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mojo_toolbox.data.conversations import Conversation, Task, describe
from mojo_toolbox.data.importers.json_documents import read_json_document
from mojo_toolbox.data.importers.summary import ImportSummary
from mojo_toolbox.data.importers.task_lists import TaskLists, describe_name
from mojo_toolbox.errors import DataError
from mojo_toolbox.errors.sentences import sentence
from mojo_toolbox.progress import Progress, silent

_OUT_OF_SCOPE = "oos"
_SPLITS = {"train": "train", "val": "val", "test": "test", "dev": "val", "validation": "val"}


def import_clinc(
    path: Path | str,
    *,
    split: str = "train",
    tasks_per_list: int = 15,
    withhold: float = 0.2,
    seed: int = 0,
    domains: Path | str | None = None,
    summary: ImportSummary | None = None,
    progress: Progress = silent,
) -> Iterator[Conversation]:
    """Yield the queries of a split ("train", "val", "test") of data_full.json, data_small.json and the like of clinc/oos-eval.

    Each query becomes a conversation of one user turn. A third of its `tasks_per_list` tasks are of the intent's own domain.
    In a share `withhold` of the queries, the intent is left off with its whole domain. Those queries and the out-of-scope ones
    have no task. Domains come from `domains`, or from domains.json next to the file. Without domains, all tasks are drawn
    alike. The file (2.5 MB as published) is held in memory. The same seed gives each query the same list.

    Raises:
        DataError: there is no such file, it has another form, or it does not have this split.
        ConfigurationError: a share or a length out of its range.
    """
    path = Path(path)
    summary = ImportSummary() if summary is None else summary
    document = _read(path)
    name = _SPLITS.get(split)
    if name is None or name not in document:
        found = ", ".join(repr(key) for key in document if key in _SPLITS) or "none"
        raise DataError(f"has no split {split!r}; it has {found}.", path=path)
    groups = _read_domains(
        path.with_name("domains.json") if domains is None else Path(domains), needed=domains is not None
    )
    intents = _intents(document)
    if len(intents) < 2:  # noqa: PLR2004 - one intent leaves nothing to choose between
        raise DataError(
            "has fewer than two intents to choose between; files named binary_* only say in or out of scope.", path=path
        )
    try:
        tasks = [Task(name=intent, description=describe_name(intent, group=groups.get(intent))) for intent in intents]
    except ValidationError as error:
        raise DataError(f"an intent cannot be a task: {sentence(describe(error))}", path=path) from error
    lists = TaskLists(tasks, length=tasks_per_list, withhold=withhold, seed=seed, groups=groups)
    parts = [_Part(name, f"clinc-{name}-", document[name])]
    parts.append(_Part(f"oos_{name}", f"clinc-{name}-oos", document.get(f"oos_{name}", [])))
    return _conversations(path, parts, lists, summary, progress)


@dataclass(frozen=True)
class _Part:
    """A list of the file: its key there, what its conversations' ids begin with, its rows."""

    key: str
    prefix: str
    rows: list[Any]


def _conversations(
    path: Path, parts: Sequence[_Part], lists: TaskLists, summary: ImportSummary, progress: Progress
) -> Iterator[Conversation]:
    progress(done=0, total=sum(len(part.rows) for part in parts))
    for part in parts:
        for number, row in enumerate(part.rows):
            where = f"{path}, {part.key}[{number}]"
            if not _is_query(row):
                summary.skip_conversation("is not a pair of text and intent", where)
                continue
            text, intent = row
            conversation = summary.accept(_record(f"{part.prefix}{number}", text, intent, lists), place=where)
            if conversation is not None:
                yield conversation
            if summary.read % 500 == 0:
                progress(done=summary.read)


def _record(key: str, text: str, intent: str, lists: TaskLists) -> dict[str, Any]:
    in_scope = intent != _OUT_OF_SCOPE
    tasks, withheld = lists.draw(key, [intent] if in_scope else [])
    kind = "oos" if not in_scope else "withheld" if withheld else "in_scope"
    message = {"role": "user", "content": text, "task": intent if kind == "in_scope" else None}
    return {"id": key, "tasks": tasks, "messages": [message], "meta": {"kind": kind}}


def _read(path: Path) -> dict[str, list[Any]]:
    document = read_json_document(path)
    if not isinstance(document, dict) or not all(isinstance(rows, list) for rows in document.values()):
        raise DataError('not of the form {"train": [["text", "intent"], …], "val": …, "oos_val": …}.', path=path)
    return document


def _read_domains(path: Path, *, needed: bool) -> Mapping[str, str]:
    """Return the domain of each intent; empty when the file is not there and need not be."""
    if not needed and not path.is_file():
        return {}
    document = read_json_document(path)
    if not isinstance(document, dict) or not all(isinstance(intents, list) for intents in document.values()):
        raise DataError('not of the form {"banking": ["transfer", …], …}.', path=path)
    return {intent: domain for domain, intents in document.items() for intent in intents if isinstance(intent, str)}


def _intents(document: Mapping[str, list[Any]]) -> list[str]:
    found = {row[1] for rows in document.values() for row in rows if _is_query(row)}
    return sorted(found - {_OUT_OF_SCOPE})


def _is_query(row: Any) -> bool:
    return isinstance(row, list) and len(row) == 2 and all(isinstance(cell, str) for cell in row)  # noqa: PLR2004
