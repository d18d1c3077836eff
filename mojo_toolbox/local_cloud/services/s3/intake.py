"""The body of an object or a part on its way to disk."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from mojo_toolbox.local_cloud.identity.payload import SignedPayload
from mojo_toolbox.local_cloud.identity.signatures import PayloadRule
from mojo_toolbox.local_cloud.services.s3.blobs import Segment
from mojo_toolbox.local_cloud.services.s3.call import Call
from mojo_toolbox.local_cloud.services.s3.s3_errors import ObjectStoreError
from mojo_toolbox.local_cloud.services.s3.store import ObjectStore
from mojo_toolbox.local_cloud.wire.checksums import DEFAULT_ALGORITHM, known_algorithm
from mojo_toolbox.local_cloud.wire.http import HttpAnswer
from mojo_toolbox.local_cloud.wire.protocol import bounded_number

MAX_BODY_BYTES = 5 * 1024**3


class BodyIntake:
    """Takes a body in pieces. `finish` makes it an object or a part, `discard` leaves nothing of it."""

    def __init__(
        self,
        call: Call,
        rule: PayloadRule,
        store: ObjectStore,
        keep: Callable[[Segment, SignedPayload], HttpAnswer],
        *,
        algorithms: Collection[str] = (),
        sized: bool = True,
    ) -> None:
        """Prepare. `keep` is called once all of the body is on disk and matches the signature.

        Only a form's file is not `sized`: its length shows at its end. `algorithms` are computed besides the checksums that the client states.

        Raises:
            ObjectStoreError: MissingContentLength or EntityTooLarge.
        """
        headers = call.headers
        length = headers.get("x-amz-decoded-content-length") if rule.streaming else headers.get("content-length")
        if sized and not (length and length.isascii() and length.isdigit()):
            raise ObjectStoreError("MissingContentLength", "You must provide the Content-Length HTTP header.", 411)
        if sized and bounded_number(length or "", MAX_BODY_BYTES) is None:
            raise ObjectStoreError(
                "EntityTooLarge", "Your proposed upload exceeds the maximum allowed size of 5 GiB: upload it in parts."
            )
        self._payload = SignedPayload(call.request, rule, algorithms={wanted_algorithm(headers), *algorithms})
        self._keep = keep
        self._writer = store.writer()

    def take(self, data: bytes) -> None:
        """Write the next bytes.

        Raises:
            ServiceError: a chunk's signature does not hold.
            OSError: the disk is full.
        """
        for piece in self._payload.feed(data):
            self._writer.write(piece)

    def finish(self) -> HttpAnswer:
        """Check the whole, put it on disk, and keep it.

        Raises:
            ServiceError: the body was altered or is not all there, or it may not be kept.
        """
        try:
            self._payload.finish()
            return self._keep(self._writer.seal(), self._payload)
        except BaseException:
            self._writer.discard()
            raise

    def discard(self) -> None:
        """Leave nothing behind."""
        self._writer.discard()


def wanted_algorithm(headers: Mapping[str, str]) -> str:
    """Return the checksum to compute for a body: the one that the client named, else S3's own.

    Raises:
        ServiceError: S3 has no such algorithm.
    """
    named = headers.get("x-amz-sdk-checksum-algorithm") or headers.get("x-amz-checksum-algorithm")
    return known_algorithm(named) if named else DEFAULT_ALGORITHM


def chosen_checksums(payload: SignedPayload, headers: Mapping[str, str]) -> dict[str, str]:
    """Return the checksums to keep: those that the client stated, else the one that we computed."""
    fallback = wanted_algorithm(headers)
    stated = {name: value for name, value in payload.checksums.items() if name in payload.stated}
    return stated or {fallback: payload.checksums[fallback]}
