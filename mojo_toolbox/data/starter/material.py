"""What the starter conversations are made of: tasks of many products, what people say to them, and what belongs to none."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

from mojo_toolbox.data.conversations import Message, Task
from mojo_toolbox.data.jsonl import read_records
from mojo_toolbox.data.wordings import Wording

_FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class StarterTask:
    """A task, written for this project, with the turns around it.

    `exchanges` are pairs of the assistant's question and the user's answer while the task goes on. `near_misses` sound like
    the task, but no task of its domain serves them.
    """

    domain: str
    task: Task
    wordings: tuple[Wording, ...]
    requests: tuple[str, ...]
    exchanges: tuple[tuple[str, str], ...]
    handover: str
    near_misses: tuple[str, ...]


@dataclass(frozen=True)
class WrittenTalk:
    """A whole conversation about the tasks of a domain, as it was written.

    A turn without a task of this domain may still belong to a task of another domain.
    """

    domain: str
    messages: tuple[Message, ...]


@dataclass(frozen=True)
class Material:
    """All starter tasks, and the turns around them.

    With `closings` users want nothing more, and with `asides` nothing of any list. `turnings` lead over to another wish.
    """

    tasks: tuple[StarterTask, ...]
    closings: tuple[str, ...]
    asides: tuple[str, ...]
    turnings: tuple[str, ...]
    talks: tuple[WrittenTalk, ...] = ()

    @functools.cached_property
    def domains(self) -> dict[str, tuple[StarterTask, ...]]:
        """The tasks of each domain."""
        found: dict[str, list[StarterTask]] = {}
        for task in self.tasks:
            found.setdefault(task.domain, []).append(task)
        return {domain: tuple(tasks) for domain, tasks in found.items()}


@functools.cache
def starter_material() -> Material:
    """Return what is shipped with the library, read once."""
    tasks = tuple(
        StarterTask(
            domain=record["domain"],
            task=Task(name=record["name"], description=record["description"]),
            wordings=tuple(
                Wording(name=wording["name"], description=wording["description"]) for wording in record["wordings"]
            ),
            requests=tuple(record["requests"]),
            exchanges=tuple((pair["assistant"], pair["user"]) for pair in record["exchanges"]),
            handover=record["handover"],
            near_misses=tuple(record["near_misses"]),
        )
        for _, record in read_records(_FOLDER / "tasks.jsonl")
    )
    turns: dict[str, list[str]] = {}
    for _, record in read_records(_FOLDER / "turns.jsonl"):
        turns.setdefault(record["kind"], []).append(record["user"])
    return Material(
        tasks=tasks,
        closings=tuple(turns["closing"]),
        asides=tuple(turns["smalltalk"] + turns["offtopic"] + turns["unclear"]),
        turnings=tuple(turns["turning"]),
        talks=tuple(
            WrittenTalk(record["domain"], tuple(map(_message, record["turns"])))
            for _, record in read_records(_FOLDER / "talks.jsonl")
        ),
    )


def _message(turn: dict[str, str | None]) -> Message:
    """Read {"user": text, "task": name or null} or {"assistant": text}."""
    if "assistant" in turn:
        return Message(role="assistant", content=turn["assistant"] or "")
    return Message(role="user", content=turn["user"] or "", task=turn["task"])
