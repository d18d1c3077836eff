"""The records of a channel: JSON values one a line, of which each holds a chat."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from job.errors import TrainingInputError


def read_records(channel: Path) -> Iterator[tuple[str, Any]]:
    """Yield (file:line, JSON value) of the channel's .jsonl and .json files, in the order of their names."""
    files = [channel] if channel.is_file() else sorted(p for p in channel.rglob("*.json*") if p.is_file())
    for file in files:
        with file.open(encoding="utf-8-sig") as lines:
            try:
                for number, line in enumerate(lines, start=1):
                    if line.strip():
                        yield f"{file.name}:{number}", json.loads(line)
            except json.JSONDecodeError as error:
                raise TrainingInputError(f"{file.name}:{number}: this line is no JSON ({error.msg}).") from error
            except UnicodeDecodeError as error:
                raise TrainingInputError(f"{file.name} is not encoded in UTF-8 ({error.reason}).") from error


def checked_messages(record: Any) -> list[dict[str, Any]]:
    """Return the record's messages if they have the shape of a conversation."""
    messages = record.get("messages") if isinstance(record, dict) else None
    if not isinstance(messages, list) or not messages:
        raise TrainingInputError('expected {"messages": [{"role": ..., "content": ...}, ...]}.')
    for key in ("tools", "functions"):
        if record.get(key):
            raise TrainingInputError(f"{key!r} is not read: tools cannot be trained on. Leave the chat out.")
    for message in messages:
        is_message = isinstance(message, dict) and isinstance(message.get("content"), str)
        if not is_message or message.get("role") not in {"system", "user", "assistant"}:
            raise TrainingInputError("every message needs a role (system, user or assistant) and a content of text.")
        if message.get("tool_calls") or message.get("function_call"):
            raise TrainingInputError("a message has a tool call, which cannot be trained on. Leave the chat out.")
    return [message | {"train": _bears_loss(message)} for message in messages]


def _bears_loss(message: dict[str, Any]) -> bool:
    """Whether a message is learnt from: `train`, or OpenAI's `weight` of 0 or 1. Without either it is."""
    train, weight = message.get("train"), message.get("weight")
    if train is not None and not isinstance(train, bool):
        raise TrainingInputError(f'"train" of a message is true or false, not {train!r:.40}.')
    if weight is not None and (isinstance(weight, bool) or weight not in (0, 1)):
        raise TrainingInputError(f'"weight" of a message is 0 or 1, not {weight!r:.40}.')
    if train is not None and weight is not None and train != (weight == 1):
        raise TrainingInputError('"train" and "weight" of a message contradict each other.')
    return train is not False and weight != 0


def check_versions(channel: Path, lines: int, versions: int) -> None:
    """Refuse a channel whose lines are not `versions` of each conversation."""
    if not lines:
        raise TrainingInputError(f"{channel} holds no conversations: its .jsonl files are empty or missing.")
    if versions < 1 or lines % versions:
        raise TrainingInputError(f"{channel} has {lines} lines, which are not data_versions={versions} of each.")


def channel_sha256(channel: Path) -> str:
    """Return the content hash of the channel's records, whatever files hold them. The library's `ContentHash` is the same."""
    digest = hashlib.sha256()
    for _, record in read_records(channel):
        text = json.dumps(record, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        digest.update(text.encode("utf-8", "surrogatepass") + b"\n")
    return digest.hexdigest()
