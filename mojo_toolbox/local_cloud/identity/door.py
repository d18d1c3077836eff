"""The door: refuses requests that do not come from this machine, or that nobody with a key has signed."""

from __future__ import annotations

import re
from http import HTTPStatus
from pathlib import Path

from mojo_toolbox.local_cloud.identity import signatures
from mojo_toolbox.local_cloud.identity.credentials import KeyRing
from mojo_toolbox.local_cloud.identity.incoming import Incoming
from mojo_toolbox.local_cloud.wire.protocol import ServiceError
from mojo_toolbox.local_cloud.wire.refusals import dialect_of, refusal
from mojo_toolbox.local_cloud.wire.threads import in_thread

# The host names by which a program on this machine speaks to it. A web page that points a name of its own at
# 127.0.0.1 sends that name, and is refused before anything else is looked at.
_LOOPBACK = re.compile(r"(localhost|127\.0\.0\.1|\[::1\]|[a-z0-9][a-z0-9.-]*\.localhost)(:\d{1,5})?", re.IGNORECASE)
# More than the longest request that is not S3's: an invocation has at most 6 MB, and its service says so itself.
_MAX_BODY_BYTES = 32 * 1024 * 1024


async def refuse_other_hosts(incoming: Incoming) -> None:
    """Refuse a request that does not come to a loopback name.

    Raises:
        ServiceError: 403.
    """
    request = incoming.request
    if _LOOPBACK.fullmatch(request.headers.get("host", "")) is None:
        raise refusal("malformed", dialect_of(request), "The local cloud answers on loopback names only.")


async def read_claim(incoming: Incoming) -> None:
    """Take down for which service the request says it is signed.

    Raises:
        ServiceError: 403, its signature is not one.
    """
    request = incoming.request
    try:
        incoming.service = signatures.claimed_service(request)
    except ServiceError as error:
        # A query that cannot even be decoded proves nothing.
        raise error if error.status == HTTPStatus.FORBIDDEN else refusal("malformed", dialect_of(request)) from error


async def refuse_unsigned(incoming: Incoming) -> None:
    """Refuse a request that states no signature.

    Raises:
        ServiceError: 403.
    """
    if incoming.service is None:
        raise refusal("unsigned", dialect_of(incoming.request))


class SignatureCheck:
    """Reads and checks the requests whose signature covers the whole body: those of every service but S3."""

    def __init__(self, keys: KeyRing, folder: Path) -> None:
        """Take the keys, and the folder in which long bodies wait until they are checked."""
        self._keys = keys
        self._folder = folder

    async def read_body(self, incoming: Incoming) -> None:
        """Read a body and check the signature. Anything that is wrong without the body is refused before.

        Raises:
            ServiceError: 403, or the body is too long.
            ClientGoneError: the connection was closed.
        """
        request = incoming.request
        await in_thread(signatures.check_head, request, self._keys)
        held = await incoming.body.hold(_MAX_BODY_BYTES, self._folder)
        try:
            verified = await in_thread(signatures.verify, request, self._keys, body_sha256=held.sha256)
            incoming.prove(verified, await in_thread(held.content))
        finally:
            held.close()
