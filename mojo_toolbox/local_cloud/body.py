"""A request's body as it comes from the web server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

from starlette.types import Receive

from mojo_toolbox.local_cloud.protocol import ServiceError

# One hop to a thread for each piece: large enough that hops cost nothing, small enough to keep memory flat.
_PIECE_BYTES = 1024 * 1024


class ClientGoneError(Exception):
    """The client closed the connection before its body was complete: there is nobody to answer."""


class Body:
    """Reads a body once, in pieces or as a whole."""

    def __init__(self, receive: Receive, headers: Mapping[str, str]) -> None:
        """Take the server's `receive` and the request's headers."""
        self._receive = receive
        # A client that waits for "100 Continue" has sent nothing yet.
        self._begun = headers.get("expect", "").lower() != "100-continue"
        self.complete = headers.get("content-length", "0") == "0" and "transfer-encoding" not in headers
        """Whether nothing is left to read, so that the connection can carry another request."""

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield pieces of about 1 MB.

        Raises:
            ClientGoneError: the connection was closed.
        """
        self._begun = True
        collected: list[bytes] = []
        size = 0
        while not self.complete:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientGoneError
            data: bytes = message.get("body", b"")
            self.complete = not message.get("more_body", False)
            if data:
                collected.append(data)
                size += len(data)
            if collected and (size >= _PIECE_BYTES or self.complete):
                yield b"".join(collected)
                collected, size = [], 0

    async def read(self, limit: int) -> bytes:
        """Return all of it.

        Raises:
            ServiceError: it is longer than `limit`.
            ClientGoneError: the connection was closed.
        """
        collected: list[bytes] = []
        size = 0
        async for piece in self.pieces():
            size += len(piece)
            if size > limit:
                raise ServiceError("RequestEntityTooLarge", f"The request's body is longer than {limit} bytes.", 413)
            collected.append(piece)
        return b"".join(collected)

    async def drain(self, limit: int) -> None:
        """Read on and forget what is read, up to `limit`: a client that is still sending would miss the answer."""
        if not self._begun:
            return
        size = 0
        async for piece in self.pieces():
            size += len(piece)
            if size > limit:
                return
