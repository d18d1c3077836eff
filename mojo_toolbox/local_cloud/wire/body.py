"""A request's body as it comes from the web server."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import tempfile
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from starlette.types import Receive

from mojo_toolbox.local_cloud.wire.protocol import ServiceError, bounded_number
from mojo_toolbox.local_cloud.wire.threads import in_thread

# One hop to a thread for each piece: large enough that hops cost nothing, small enough to keep memory flat.
_PIECE_BYTES = 1024 * 1024


class ClientGoneError(Exception):
    """The client closed the connection before its body was complete: there is nobody to answer."""


class HeldBody:
    """A body whose signature is not known to hold yet."""

    def __init__(self, folder: Path) -> None:
        self._file = tempfile.SpooledTemporaryFile(_PIECE_BYTES, dir=str(folder))  # noqa: SIM115 - closed by close()
        self._hash = hashlib.sha256()

    def add(self, data: bytes) -> None:
        """Take the next bytes."""
        self._hash.update(data)
        self._file.write(data)

    @property
    def sha256(self) -> str:
        """The hash of all bytes so far, in hexadecimal digits."""
        return self._hash.hexdigest()

    def content(self) -> bytes:
        """Return all bytes."""
        self._file.seek(0)
        return bytes(self._file.read())

    def close(self) -> None:
        """Forget the bytes."""
        self._file.close()


class Body:
    """Reads a body once, in pieces or as a whole."""

    def __init__(self, receive: Receive, headers: Mapping[str, str]) -> None:
        """Take the server's `receive` and the request's headers."""
        self._receive = receive
        # A client that waits for "100 Continue" has sent nothing yet. Reading sends it, also where the body is empty:
        # botocore cannot use a connection any more on which it got another answer, unless that is closed.
        self._begun = headers.get("expect", "").lower() != "100-continue"
        empty = headers.get("content-length", "0") == "0" and "transfer-encoding" not in headers
        self.complete = empty and self._begun
        """Whether nothing is left to read, so that the connection can carry another request."""
        self._length = bounded_number(headers.get("content-length", ""), 2**63)

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
        return b"".join([piece async for piece in self._pieces_up_to(limit)])

    async def hold(self, limit: int, folder: Path) -> HeldBody:
        """Read all of it without keeping much of it in memory: a large body waits in a file without a name.

        Raises:
            ServiceError: it is longer than `limit`.
            ClientGoneError: the connection was closed.
            OSError: the disk is full.
        """
        held = HeldBody(folder)
        try:
            async for piece in self._pieces_up_to(limit):
                await in_thread(held.add, piece)
        except BaseException:
            held.close()
            raise
        return held

    async def drain(self, limit: int) -> None:
        """Read on and forget the bytes, up to `limit`: a client that is still sending would miss the answer."""
        if not self._begun:
            return
        size = 0
        async for piece in self.pieces():
            size += len(piece)
            if size > limit:
                return

    async def linger(self, seconds: float) -> None:
        """Read on after the answer: closed on data that nobody has read, a connection may lose the answer."""
        with contextlib.suppress(ClientGoneError, TimeoutError):
            async with asyncio.timeout(seconds):
                async for _ in self.pieces():
                    pass

    async def _pieces_up_to(self, limit: int) -> AsyncIterator[bytes]:
        size = self._length or 0
        if size <= limit:
            size = 0
            async for piece in self.pieces():
                size += len(piece)
                if size > limit:
                    break
                yield piece
        if size > limit:
            raise ServiceError("RequestEntityTooLarge", f"The request's body is longer than {limit} bytes.", 413)
