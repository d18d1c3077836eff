"""Requests and answers as the services of the local cloud see them, free of the web server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import BinaryIO
from urllib.parse import unquote_to_bytes

from mojo_toolbox.local_cloud.wire.protocol import ServiceError


@dataclass(frozen=True)
class HttpRequest:
    """One request, undecoded, because a signature covers the bytes as they were sent.

    Header names are in lower case. A header that came twice is joined with a comma.
    """

    method: str
    raw_path: str
    raw_query: str
    headers: Mapping[str, str]
    request_id: str

    @property
    def path(self) -> str:
        """The decoded path."""
        return decode(self.raw_path)

    @property
    def query(self) -> dict[str, str]:
        """The decoded query: the last value of a name counts, a name without a value has an empty one."""
        pairs = (pair.partition("=") for pair in self.raw_query.split("&") if pair)
        return {decode(name, plus=True): decode(value, plus=True) for name, _, value in pairs}


@dataclass(frozen=True)
class FileBody:
    """A body that is read from an open file while it is sent. The sender closes the file."""

    file: BinaryIO
    length: int


@dataclass(frozen=True)
class HttpAnswer:
    """Status, headers and body to send."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | FileBody = b""


def decode(text: str, *, plus: bool = False) -> str:
    """Undo percent-encoding. `plus` also reads + as a space, as in a query.

    Raises:
        ServiceError: the bytes are no UTF-8.
    """
    try:
        return unquote_to_bytes(text.replace("+", " ") if plus else text).decode("utf-8")
    except UnicodeDecodeError as error:
        raise ServiceError("InvalidURI", "Couldn't parse the specified URI.") from error
