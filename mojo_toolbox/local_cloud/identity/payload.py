"""A signed body as it streams in: unwrapped, counted, and held against every hash that the request states."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Collection

from mojo_toolbox.local_cloud.identity.aws_chunked import ChunkedDecoder
from mojo_toolbox.local_cloud.identity.signatures import PayloadRule
from mojo_toolbox.local_cloud.wire.checksums import (
    HEADER_PREFIX,
    encode,
    known_algorithm,
    new_checksum,
    stated_checksums,
)
from mojo_toolbox.local_cloud.wire.http import HttpRequest
from mojo_toolbox.local_cloud.wire.protocol import ServiceError, bounded_number


class SignedPayload:
    """Feed it the body. After `finish()` the client has signed everything that it returned.

    Its `md5` and `checksums` ({algorithm: base64}) are those of the payload. `stated` are the client's.
    """

    def __init__(self, request: HttpRequest, rule: PayloadRule, *, algorithms: Collection[str] = ()) -> None:
        """Prepare for one request. `algorithms` are computed in addition to those that the request states."""
        headers = request.headers
        self.stated = stated_checksums(headers)
        announced = {
            known_algorithm(name.strip().lower().removeprefix(HEADER_PREFIX))
            for name in headers.get("x-amz-trailer", "").split(",")
            if name.strip().lower().startswith(HEADER_PREFIX)
        }
        wanted = {*self.stated, *announced, *algorithms}
        self._running = {algorithm: new_checksum(algorithm) for algorithm in sorted(wanted)}
        self._announced = announced
        self._sha256 = hashlib.sha256() if rule.sha256 is not None else None
        self._rule = rule
        self._decoder = ChunkedDecoder(rule) if rule.streaming else None
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._content_md5 = _decode_md5(headers.get("content-md5"))
        length = headers.get("x-amz-decoded-content-length") if rule.streaming else headers.get("content-length")
        self._expected = None if length is None else _length(length)
        self.size = 0
        self.checksums: dict[str, str] = {}

    @property
    def md5(self) -> bytes:
        """The digest of the payload so far."""
        return self._md5.digest()

    def feed(self, data: bytes) -> list[bytes]:
        """Return the pieces of payload in `data`."""
        pieces = [data] if self._decoder is None else self._decoder.feed(data)
        for piece in pieces:
            self.size += len(piece)
            self._md5.update(piece)
            if self._sha256 is not None:
                self._sha256.update(piece)
            for checksum in self._running.values():
                checksum.update(piece)
        if self._expected is not None and self.size > self._expected:
            raise ServiceError("IncompleteBody", "The body is longer than its headers state.")
        return pieces

    def finish(self) -> None:
        """Check everything that the request states of its body.

        Raises:
            ServiceError: the body was altered, or is not all there.
        """
        if self._decoder is not None:
            self._decoder.finish()
            self.stated |= stated_checksums(self._decoder.trailers)
            if missing := self._announced - self.stated.keys():
                raise ServiceError("MalformedTrailerError", f"The trailer lacks {HEADER_PREFIX}{min(missing).lower()}.")
        if self._expected is not None and self.size != self._expected:
            raise ServiceError(
                "IncompleteBody",
                "You did not provide the number of bytes specified by the Content-Length HTTP header",
            )
        if self._sha256 is not None and not hmac.compare_digest(self._sha256.hexdigest(), self._rule.sha256 or ""):
            raise ServiceError(
                "XAmzContentSHA256Mismatch",
                "The provided 'x-amz-content-sha256' header does not match what was computed.",
            )
        if self._content_md5 is not None and self._content_md5 != self.md5:
            raise ServiceError("BadDigest", "The Content-MD5 you specified did not match what we received.")
        self.checksums = {algorithm: encode(running.digest()) for algorithm, running in self._running.items()}
        for algorithm, value in self.stated.items():
            if self.checksums.get(algorithm) != value:
                raise ServiceError("BadDigest", f"The {algorithm} you specified did not match the calculated checksum.")


def _length(text: str) -> int:
    number = bounded_number(text, 2**63)
    if number is None:
        raise ServiceError("InvalidArgument", "The length of the body is not stated as a number of bytes.")
    return number


def _decode_md5(text: str | None) -> bytes | None:
    if text is None:
        return None
    try:
        digest = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        digest = b""
    if len(digest) != hashlib.md5(usedforsecurity=False).digest_size:
        raise ServiceError("InvalidDigest", "The Content-MD5 you specified is not valid.")
    return digest
