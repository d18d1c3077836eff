"""Takes `aws-chunked` bodies apart as they arrive, and checks the signature of each chunk and of the trailer."""

from __future__ import annotations

import hashlib
import hmac
import re

from mojo_toolbox.local_cloud.identity.signatures import PayloadRule
from mojo_toolbox.local_cloud.identity.sigv4 import EMPTY_SHA256
from mojo_toolbox.local_cloud.wire.protocol import ServiceError
from mojo_toolbox.local_cloud.wire.refusals import refusal

_FORMS = {
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD": (True, False),
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER": (True, True),
    "STREAMING-UNSIGNED-PAYLOAD-TRAILER": (False, True),
}
_CHUNK_HEADER = re.compile(rb"([0-9a-fA-F]{1,16})(?:;chunk-signature=([0-9a-f]{64}))?")
# A chunk's header and a trailer are short. A body that has more without a line's end is not aws-chunked.
_MAX_LINE = 16 * 1024
_MAX_TRAILERS = 32


class ChunkedDecoder:
    """Feed it the arriving bytes, and it returns the payload. `trailers` is complete after `finish()`."""

    def __init__(self, rule: PayloadRule) -> None:
        form = _FORMS.get(rule.streaming or "")
        if form is None:
            raise ServiceError("NotImplemented", f"The local cloud does not know {rule.streaming}.", 501)
        self._signed, self._has_trailer = form
        self._rule = rule
        self._previous = rule.seed
        self._buffer = bytearray()
        self._left = 0
        self._stated = ""
        self._hash = hashlib.sha256()
        self._state = "header"
        self.trailers: dict[str, str] = {}

    def feed(self, data: bytes) -> list[bytes]:
        """Return the pieces of payload that `data` completes.

        Raises:
            ServiceError: the form is broken, or a signature does not match.
        """
        self._buffer += data
        payload: list[bytes] = []
        while self._state != "end":
            if self._state == "data":
                if not self._buffer:
                    break
                piece = bytes(self._buffer[: self._left])
                del self._buffer[: len(piece)]
                self._left -= len(piece)
                if self._signed:
                    self._hash.update(piece)
                payload.append(piece)
                if self._left == 0:
                    self._check_chunk()
                    self._state = "data end"
                continue
            line = self._line()
            if line is None:
                break
            self._take_line(line)
        return payload

    def finish(self) -> None:
        """Check that the body came to its end.

        Raises:
            ServiceError: it did not, or the trailer's signature does not match.
        """
        # Some clients leave out the empty line after the last chunk or trailer.
        if self._state == "trailer" and self._buffer:
            self._take_line(bytes(self._buffer))
            self._buffer.clear()
        if self._state not in {"trailer", "end"}:
            raise ServiceError("IncompleteBody", "The request body terminated unexpectedly")
        if self._has_trailer and self._signed:
            self._check_trailers()

    def _line(self) -> bytes | None:
        at = self._buffer.find(b"\n", 0, _MAX_LINE)
        if at < 0:
            if len(self._buffer) >= _MAX_LINE:
                raise _malformed()
            return None
        line = bytes(self._buffer[:at]).removesuffix(b"\r")
        del self._buffer[: at + 1]
        return line

    def _take_line(self, line: bytes) -> None:
        if self._state == "data end":
            if line:
                raise _malformed()
            self._state = "header"
        elif self._state == "header":
            self._begin_chunk(line)
        elif not line:
            self._state = "end"
        else:
            name, colon, value = line.decode("latin-1").partition(":")
            if not colon or not self._has_trailer or len(self.trailers) >= _MAX_TRAILERS:
                raise _malformed()
            self.trailers[name.strip().lower()] = value.strip()

    def _begin_chunk(self, line: bytes) -> None:
        found = _CHUNK_HEADER.fullmatch(line)
        if found is None:
            raise _malformed()
        if self._signed and found[2] is None:
            raise refusal("wrong_signature", "s3", "A chunk of the body is not signed.")
        self._left = int(found[1], 16)
        self._stated = (found[2] or b"").decode()
        self._hash = hashlib.sha256()
        if self._left:
            self._state = "data"
        else:
            self._check_chunk()
            self._state = "trailer"

    def _check_chunk(self) -> None:
        if not self._signed:
            return
        self._check("AWS4-HMAC-SHA256-PAYLOAD", f"{EMPTY_SHA256}\n{self._hash.hexdigest()}", self._stated)

    def _check_trailers(self) -> None:
        stated = self.trailers.pop("x-amz-trailer-signature", "")
        text = "".join(f"{name}:{value}\n" for name, value in sorted(self.trailers.items()))
        self._check("AWS4-HMAC-SHA256-TRAILER", hashlib.sha256(text.encode("latin-1")).hexdigest(), stated)

    def _check(self, kind: str, hashes: str, stated: str) -> None:
        text = f"{kind}\n{self._rule.amz_date}\n{self._rule.scope}\n{self._previous}\n{hashes}"
        expected = hmac.new(self._rule.key, text.encode(), "sha256").hexdigest()
        if not hmac.compare_digest(expected.encode(), stated.encode("latin-1")):
            raise refusal("wrong_signature", "s3")
        self._previous = expected


def _malformed() -> ServiceError:
    return ServiceError("IncompleteBody", "The request body is not in the aws-chunked form that its headers announce.")
