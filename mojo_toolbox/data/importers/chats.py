"""Chat records as OpenAI and ShareGPT write them: messages, and tools whose calls label the user turn before them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from mojo_toolbox.data.conversations import Conversation, Task
from mojo_toolbox.data.importers.json_stream import read_json_objects
from mojo_toolbox.data.importers.summary import ImportSummary, Note
from mojo_toolbox.data.importers.task_lists import TaskLists
from mojo_toolbox.progress import Progress, silent

# Who spoke, in the words of both formats and of the tools that write them.
_ROLES = {
    **dict.fromkeys(("user", "human", "prompter"), "user"),
    **dict.fromkeys(("assistant", "gpt", "chatgpt", "bot", "model", "bard", "bing", "claude"), "assistant"),
    **dict.fromkeys(("system", "developer"), "system"),
    **dict.fromkeys(("tool", "function", "observation", "function_response", "tool_response", "ipython"), "result"),
    **dict.fromkeys(("function_call", "tool_call"), "call"),
}
_CALL_PARTS = ("tool_call", "tool_use", "function_call")

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
    """Yield the chats of JSON Lines, or of one JSON array, read record by record: a file may be of any size.

    Read are {"messages": [{"role", "content"}]} and {"conversations": [{"from", "value"}]}. A record's `tools` are its task
    list, and the function that an assistant calls is the label of the user turn before; several functions leave it
    unlabelled. So does an answer without a call, which may lead to one: `no_call` "none" says that there is no task. A record
    without tools gets the list `tasks`, all of it, and is left out when there is none. Lists are in random order; the same
    seed gives each record the same. System prompts, results of tools and messages without text are dropped.

    Raises:
        DataError: no such file, or not JSON; a record that is no chat is left out and counted.
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
    given = None if not tasks else list(tasks)
    for place, key, record in records:
        try:
            turns = _turns(_messages_of(record, column))
            listed = _tools(record) or given
        except _NoChat as error:
            summary.skip_conversation(str(error), place)
            continue
        if listed is None:
            summary.skip_conversation("lists no tools, and no task file was given (--tasks)", place)
        elif not any(turn.role == "user" for turn in turns):
            summary.skip_conversation("has no user message with text", place)
        else:
            own = record.get("id", record.get("conversation_id"))
            name = str(own) if isinstance(own, str | int) and own != "" else key
            messages, notes = _labelled(turns, {task.name for task in listed}, place, no_call)
            drawn, _ = TaskLists(listed, seed=seed).draw(name, [])
            conversation = summary.accept({"id": name, "tasks": drawn, "messages": messages}, place=place, notes=notes)
            if conversation is not None:
                yield conversation


class _NoChat(Exception):  # noqa: N818 - never leaves this file
    """A record that cannot be read as a chat; the text is the reason."""


@dataclass
class _Turn:
    """A message; of a user's, what was called after it. One with `dropped` is not written, for that reason."""

    role: str
    text: str
    number: int
    calls: list[str] = field(default_factory=list)
    answered: bool = False
    dropped: str | None = None


def _reported(path: Path, summary: ImportSummary, progress: Progress) -> Iterator[tuple[int, dict[str, Any]]]:
    for line, record in read_json_objects(path, progress=progress):
        yield line, record
        if summary.read % 1000 == 0:
            progress(text=f"{summary.written:,} conversations")


def _messages_of(record: Mapping[str, Any], column: str | None) -> list[Any]:
    for name in ("messages", "conversations", "conversation", "items") if column is None else (column,):
        messages = record.get(name)
        if isinstance(messages, list):
            return messages
    raise _NoChat(f"has no list {column!r}" if column else "has neither messages nor conversations")


def _turns(messages: list[Any]) -> list[_Turn]:
    """Take messages apart; a call is noted at the user turn before it."""
    turns: list[_Turn] = []
    asked: _Turn | None = None
    for number, message in enumerate(messages, start=1):
        role, content = _role_and_content(message)
        text, calls, others = _parts(content)
        if role == "user" and not text and others == {"tool_result"}:
            role = "result"  # Anthropic's way: the user's side hands it over
        turn = _Turn(role, text, number)
        if role == "user":
            asked = turn
        elif role in {"assistant", "call"} and asked is not None:
            asked.answered = True
            asked.calls += [*calls, *_called(message), *(_names_in_text(text) if role == "call" else [])]
        turn.dropped = _reason_to_drop(turn, calls=bool(calls or _called(message)), others=bool(others))
        turns.append(turn)
    return turns


_NEVER_WRITTEN = {"system": "a system prompt", "result": "the result of a tool", "call": "the call of a tool"}


def _reason_to_drop(turn: _Turn, *, calls: bool, others: bool) -> str | None:
    if turn.role in _NEVER_WRITTEN:
        return _NEVER_WRITTEN[turn.role]
    if turn.text:
        return None
    if calls:
        return _NEVER_WRITTEN["call"]
    return "pictures or other parts without text" if others else "no text"


def _role_and_content(message: Any) -> tuple[str, Any]:
    if not isinstance(message, Mapping):
        raise _NoChat("has a message that is no object")
    speaker = message.get("role") or message.get("from")
    role = _ROLES.get(str(speaker).strip().lower())
    if role is None:
        raise _NoChat("has a message of an unknown role")
    return role, message["content"] if message.get("content") is not None else message.get("value")


def _parts(content: Any) -> tuple[str, list[str], set[str]]:
    """Return a content's text, the functions that its parts call, and the kinds of its other parts."""
    if content is None or isinstance(content, str):
        return (content or "").strip(), [], set()
    if not isinstance(content, list):
        raise _NoChat("has a message whose content is neither text nor a list of parts")
    texts: list[str] = []
    calls: list[str] = []
    others: set[str] = set()
    for part in content:
        kind = str(part.get("type", "text")) if isinstance(part, Mapping) else "text"
        if kind in {"text", "input_text", "output_text"}:
            text = part.get("text", part.get("value")) if isinstance(part, Mapping) else part
            texts += [text.strip()] if isinstance(text, str) and text.strip() else []
        elif kind in _CALL_PARTS:
            calls += [part["name"]] if isinstance(part.get("name"), str) else _names_in_text(part.get("value"))
        else:
            others.add(kind)
    return "\n".join(texts), calls, others


def _called(message: Mapping[str, Any]) -> list[str]:
    """Return the functions that an assistant message calls, in OpenAI's two ways."""
    calls = message.get("tool_calls")
    entries = [*(calls if isinstance(calls, list) else []), {"function": message.get("function_call")}]
    functions = [entry.get("function") or entry for entry in entries if isinstance(entry, Mapping)]
    return [f["name"] for f in functions if isinstance(f, Mapping) and isinstance(f.get("name"), str)]


def _names_in_text(text: Any) -> list[str]:
    """Return the functions that a call written as JSON text names."""
    call = _json_or_none(text)
    calls = call if isinstance(call, list) else [call]
    return [entry["name"] for entry in calls if isinstance(entry, dict) and isinstance(entry.get("name"), str)]


def _tools(record: Mapping[str, Any]) -> list[Task] | None:
    """Return the tools of a record as tasks; None when it has none."""
    tools = record.get("tools") or record.get("functions")
    tools = _json_or_none(tools) if isinstance(tools, str) else tools
    if not isinstance(tools, list):
        return None
    tasks: dict[str, Task] = {}
    for entry in tools:
        function = (entry.get("function") or entry) if isinstance(entry, Mapping) else None
        if not isinstance(function, Mapping) or not isinstance(function.get("name"), str):
            raise _NoChat("has a tool without a name")
        try:
            task = Task(name=function["name"], description=str(function.get("description") or ""))
        except ValueError as error:
            raise _NoChat("has a tool that cannot be a task") from error
        tasks.setdefault(task.name, task)
    return list(tasks.values()) or None


def _json_or_none(text: Any) -> Any:
    try:
        return json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        return None


def _labelled(
    turns: Sequence[_Turn], listed: set[str], place: str, no_call: NoCall
) -> tuple[list[dict[str, Any]], list[Note]]:
    messages: list[dict[str, Any]] = []
    notes: list[Note] = []
    for turn in turns:
        where = f"{place}, message {turn.number}"
        if turn.dropped:
            notes.append(Note("message", turn.dropped, where))
            continue
        message: dict[str, Any] = {"role": turn.role, "content": turn.text}
        if turn.role == "user":
            unknown = _unknown(turn, listed, no_call)
            if unknown is None:
                message["task"] = turn.calls[0] if turn.calls else None
            else:
                notes.append(Note("label", unknown, where))
        messages.append(message)
    return messages, notes


def _unknown(turn: _Turn, listed: set[str], no_call: NoCall) -> str | None:
    """Say why nobody can tell the task of a user turn; None when its calls tell it."""
    if not turn.calls:
        if not turn.answered:
            return "the assistant does not answer"
        return None if no_call == "none" else "no tool was called"
    if len(set(turn.calls)) > 1:
        return "several tools were called"
    return None if turn.calls[0] in listed else "a tool was called that is not listed"
