"""Chat records as OpenAI and ShareGPT write them: messages, and tools whose calls label the user turn before them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from mojo_toolbox.data.conversations import Conversation, Task
from mojo_toolbox.data.importers.chat_messages import NoChat, Turn, turns_of
from mojo_toolbox.data.importers.chat_tools import Tools, calls_forbidden, tools_of
from mojo_toolbox.data.importers.json_stream import read_json_objects
from mojo_toolbox.data.importers.summary import ImportSummary, Note
from mojo_toolbox.data.importers.task_lists import TaskLists
from mojo_toolbox.data.keys import takes_out_of_training
from mojo_toolbox.progress import Progress, silent

UNLEARNT = "the turn or its answer is marked as not to be learnt from, such as by weight 0"
NoCall = Literal["unlabelled", "none"]


def import_chats(
    path: Path | str,
    *,
    tasks: Sequence[Task] | None = None,
    no_call: NoCall = "unlabelled",
    seed: int = 0,
    summary: ImportSummary | None = None,
    progress: Progress = silent,
) -> Iterator[Conversation]:
    """Yield the chats of JSON Lines, or of one JSON array, record by record. So a file may have any size.

    A chat is {"messages": [{"role", "content"}]} or {"conversations": [{"from", "value"}]}. A record's `tools` are its task
    list. The function that an assistant calls is the label of the user turn before. Several functions leave the turn
    unlabelled. An answer without a call also leaves it unlabelled, unless `no_call` is "none", which means that there is no
    task. An answer of weight 0, or with `train` false, labels nothing. A record without tools gets the whole list `tasks`, and
    is left out without such a list. Lists are in random order, and the same seed gives each record the same order. System
    prompts, results of tools and messages without text are dropped.

    Raises:
        DataError: there is no such file, or it is not JSON. A record that is not a chat is left out and counted.
    """
    path = Path(path)
    summary = ImportSummary() if summary is None else summary
    records = ((f"{path}:{line}", f"{path.stem}-{line}", record) for line, record in _reported(path, summary, progress))
    return conversations_of_chats(records, tasks=tasks, no_call=no_call, seed=seed, summary=summary)


def conversations_of_chats(
    records: Iterator[tuple[str, str, Mapping[str, Any]]],
    *,
    tasks: Sequence[Task] | None,
    no_call: NoCall,
    seed: int,
    summary: ImportSummary,
    column: str | None = None,
) -> Iterator[Conversation]:
    """Yield the conversations of (place, id, chat record); `column` says which key holds the messages."""
    for place, key, record in records:
        if marked := next((key for key, value in record.items() if takes_out_of_training(key, value)), None):
            summary.skip_conversation(
                f"has the key {marked[:40]!r}, which takes it out of training or weighs it", place
            )
            continue
        tools = tools_of(record)
        listed = tools.tasks or tuple(tasks or ())
        try:
            turns = turns_of(_messages_of(record, column), {task.name for task in listed})
        except NoChat as error:
            summary.skip_conversation(
                str(error), place if error.message is None else f"{place}, message {error.message}"
            )
            continue
        if not listed:
            summary.skip_conversation(_no_tasks(tools), place)
        elif not any(turn.role == "user" and turn.text for turn in turns):
            summary.skip_conversation("has no user message with text", place)
        else:
            own = record.get("id", record.get("conversation_id"))
            name = str(own) if isinstance(own, str | int) and own != "" else key
            labelling = _Labelling({task.name for task in listed}, place, no_call, _untold(record, tools, turns))
            messages, notes = labelling.of(turns)
            notes += [Note("tool", reason, f"{place}, tool {number}") for number, reason in tools.unusable]
            drawn, _ = TaskLists(listed, seed=seed).draw(name, [])
            conversation = summary.accept({"id": name, "tasks": drawn, "messages": messages}, place=place, notes=notes)
            if conversation is not None:
                yield conversation


def _no_tasks(tools: Tools) -> str:
    if tools.unusable:
        return "lists no tool that can be a task, and no task file was given (--tasks)"
    return "lists no tools, and no task file was given (--tasks)"


def _untold(record: Mapping[str, Any], tools: Tools, turns: Sequence[Turn]) -> str | None:
    """Say why the answers of a record that call nothing say nothing; None when they may."""
    if calls_forbidden(record):
        return "the record forbids calls"
    called = any(turn.calls or turn.unread or turn.result for turn in turns)
    return None if tools.tasks or tools.unusable or called else "the record lists no tools to call"


def _reported(path: Path, summary: ImportSummary, progress: Progress) -> Iterator[tuple[int, dict[str, Any]]]:
    for line, record in read_json_objects(path, progress=progress):
        yield line, record
        if summary.read % 1000 == 0:
            progress(text=f"{summary.written:,} conversations")


def _messages_of(record: Mapping[str, Any], column: str | None) -> list[Any]:
    for name in ("messages", "conversations", "conversation", "items", "contents") if column is None else (column,):
        messages = record.get(name)
        if isinstance(messages, list):
            return messages
    raise NoChat(f"has no list {column!r}" if column else "has neither messages nor conversations")


@dataclass(frozen=True)
class _Labelling:
    """How the user turns of a record are labelled; `untold` is why its answers without a call say nothing."""

    listed: Collection[str]
    place: str
    no_call: NoCall
    untold: str | None

    def of(self, turns: Sequence[Turn]) -> tuple[list[dict[str, Any]], list[Note]]:
        """Return the messages that are written, and what is left out."""
        messages: list[dict[str, Any]] = []
        notes: list[Note] = []
        for turn in turns:
            where = f"{self.place}, message {turn.number}"
            if turn.dropped:
                notes.append(Note("message", turn.dropped, where))
                continue
            message: dict[str, Any] = {"role": turn.role, "content": turn.text}
            if turn.role == "user":
                unknown = self._unknown(turn)
                if unknown is None:
                    message["task"] = turn.calls[0] if turn.calls else None
                else:
                    reason, named = unknown
                    notes.append(Note("label", reason, f"{where}: {named!r}" if named else where))
            messages.append(message)
        return messages, notes

    def _unknown(self, turn: Turn) -> tuple[str, str] | None:
        """Say why nobody can tell the task of a user turn, and which tool is meant; None when its calls tell it."""
        if len(set(turn.calls)) > 1:
            return "several tools were called", ""
        if turn.left_out or turn.unlearnt_calls or (turn.unlearnt_words and not turn.calls):
            return UNLEARNT, ""
        if turn.unread:
            return "a tool was called in a way that cannot be read", ""
        if turn.calls:
            return (
                None if turn.calls[0] in self.listed else ("a tool was called that is not listed", turn.calls[0][:80])
            )
        reason = self._silent(turn)
        return None if reason is None else (reason, "")

    def _silent(self, turn: Turn) -> str | None:
        """Say why an answer without a call does not say that there is no task; None when it does."""
        if turn.result:
            return "a tool answers, and its call was not found"
        if not turn.answered:
            return "the assistant does not answer"
        if turn.sign is not None:
            return turn.sign
        if self.no_call == "unlabelled":
            return "no tool was called"
        return self.untold if turn.said else "the assistant answers without words"
