"""A hash of conversations, whatever file holds them. It tells one data set from another."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from mojo_toolbox.data.conversations import Conversation


class ContentHash:
    """SHA-256 over conversations, one after the other. Their order counts. The spelling of the JSON does not."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()

    def add(self, record: Conversation | dict[str, Any]) -> None:
        """Take the next conversation, or a record of another kind without any change."""
        if isinstance(record, Conversation):
            record = record.as_record()
        # What is no JSON, such as a time in a chat example that lies in memory, counts as its text.
        text = json.dumps(record, ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=str)
        # JSON can spell half of a surrogate pair; whether that is usable is not the hash's business.
        self._digest.update(text.encode("utf-8", "surrogatepass"))
        self._digest.update(b"\n")

    def hexdigest(self) -> str:
        """Return the hash so far, 64 hexadecimal digits."""
        return self._digest.hexdigest()


def content_hash(conversations: Iterable[Conversation]) -> str:
    """Return the content hash of conversations, 64 hexadecimal digits."""
    digest = ContentHash()
    for conversation in conversations:
        digest.add(conversation)
    return digest.hexdigest()
