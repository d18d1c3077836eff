"""The face that all servers have."""

from __future__ import annotations

from typing import Any, Protocol

from chat.request import ChatRequest


class Server(Protocol):
    """Answers checked requests, from any number of threads."""

    def answer(self, request: ChatRequest) -> dict[str, Any]:
        """Return a chat completion."""
