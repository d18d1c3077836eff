"""A request on its way through the handlers: the service that it names, and its sender once that is proven."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from mojo_toolbox.local_cloud.identity.signatures import Verified
from mojo_toolbox.local_cloud.wire.body import Body
from mojo_toolbox.local_cloud.wire.http import HttpRequest
from mojo_toolbox.local_cloud.wire.json_document import read_document
from mojo_toolbox.local_cloud.wire.json_protocol import operation_of


class Incoming:
    """One request. `content` and `verified` are there only after its signature was checked."""

    def __init__(self, request: HttpRequest, body: Body) -> None:
        self.request = request
        self.body = body
        self.service: str | None = None
        """The service that the request states that it is signed for."""
        self._proven: tuple[Verified, bytes] | None = None

    def prove(self, verified: Verified, content: bytes) -> None:
        """Keep the signer of the request, and the body that the signature covers."""
        self._proven = verified, content

    @property
    def verified(self) -> Verified:
        """Who sent the request."""
        return self._checked()[0]

    @property
    def content(self) -> bytes:
        """The whole body."""
        return self._checked()[1]

    @cached_property
    def operation(self) -> str:
        """The operation that the request asks for."""
        return operation_of(self.request, self.content)

    def document(self) -> dict[str, Any]:
        """Return the JSON object that the body is.

        Raises:
            ServiceError: SerializationException.
        """
        return read_document(self.content)

    def _checked(self) -> tuple[Verified, bytes]:
        if self._proven is None:
            raise RuntimeError("The signature of this request has not been checked.")
        return self._proven
