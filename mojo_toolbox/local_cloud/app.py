"""The web application: the list of its handlers. An error in them becomes an answer of the client's protocol."""

from __future__ import annotations

import errno
import logging
import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial

from starlette.types import Receive, Scope, Send

from mojo_toolbox.local_cloud.cloud import LocalCloud
from mojo_toolbox.local_cloud.identity.door import SignatureCheck, read_claim, refuse_other_hosts, refuse_unsigned
from mojo_toolbox.local_cloud.identity.incoming import Incoming
from mojo_toolbox.local_cloud.wire.asgi import request_of, send_answer, send_unfinished
from mojo_toolbox.local_cloud.wire.body import Body, ClientGoneError
from mojo_toolbox.local_cloud.wire.http import HttpAnswer
from mojo_toolbox.local_cloud.wire.protocol import ServiceError
from mojo_toolbox.local_cloud.wire.refusals import dialect_of, render
from mojo_toolbox.local_cloud.wire.threads import in_thread

_log = logging.getLogger(__name__)

_MAX_DRAIN_BYTES = 1024**3
# A client that was refused before it sent its body closes its connection. One that sends all the same has so long.
_LINGER_SECONDS = 2.0

Handler = Callable[[Incoming], Awaitable[HttpAnswer | None]]


def handlers(cloud: LocalCloud) -> tuple[Handler, ...]:
    """Return the handlers in the order in which a request comes to them.

    Each one answers, refuses with a `ServiceError`, or returns None and leaves the request to the next one.
    """
    return (
        refuse_other_hosts,
        read_claim,
        # A form has its signature among its fields, so S3 checks it.
        cloud.s3.answer_form,
        refuse_unsigned,
        # S3 streams bodies to disk, and checks each signature on the way.
        cloud.s3.answer,
        SignatureCheck(cloud.keys, cloud.folder).read_body,
        cloud.answer_status,
        cloud.sts.answer,
        cloud.logs.answer,
        cloud.sagemaker.answer_invocation,
        cloud.sagemaker.answer,
        cloud.sagemaker.check_scaling,
        # Everything else goes to moto, which refuses the services that it is not used for.
        cloud.moto.answer,
    )


class Application:
    """An ASGI application around one local cloud."""

    def __init__(self, cloud: LocalCloud) -> None:
        self._cloud = cloud
        self._handlers = handlers(cloud)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection's event."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        if scope["type"] != "http":
            return
        request = request_of(scope)
        body = Body(receive, request.headers)
        try:
            answer = await self._answer_or_refuse(Incoming(request, body))
            # A client that is still sending would get a broken connection in place of the answer.
            await body.drain(_MAX_DRAIN_BYTES)
            if body.complete:
                await send_answer(answer, request, receive, send)
                return
            # The rest of this body would be read as the next request.
            answer = replace(answer, headers={**answer.headers, "connection": "close"})
            await send_answer(answer, request, receive, partial(send_unfinished, send))
            await body.linger(_LINGER_SECONDS)
            await send({"type": "http.response.body", "body": b""})
        except ClientGoneError:
            _log.info("A client closed the connection before its request was complete.")

    async def _answer_or_refuse(self, incoming: Incoming) -> HttpAnswer:
        try:
            return await self._first_answer(incoming)
        except ServiceError as error:
            return _refused(error, incoming)
        except (OSError, sqlite3.OperationalError) as error:
            return _refused(_storage_failure(error), incoming)
        except (ClientGoneError, GeneratorExit):
            raise
        except Exception:  # noqa: BLE001 - the border: whatever happens, the client gets an answer of its protocol
            _log.exception("%s failed", incoming.request.request_id)
            return _refused(_inner_failure(incoming), incoming)

    async def _first_answer(self, incoming: Incoming) -> HttpAnswer:
        for handler in self._handlers:
            answer = await handler(incoming)
            if answer is not None:
                return answer
        raise RuntimeError("The last handler left a request to a next one, which is not there.")

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await in_thread(self._cloud.start)
                await send({"type": "lifespan.startup.complete"})
            else:
                await in_thread(self._cloud.stop)
                await send({"type": "lifespan.shutdown.complete"})
                return


def _refused(error: ServiceError, incoming: Incoming) -> HttpAnswer:
    return render(error, incoming.request, dialect_of(incoming.request, incoming.service))


def _inner_failure(incoming: Incoming) -> ServiceError:
    dialect = dialect_of(incoming.request, incoming.service)
    code = "InternalError" if dialect == "s3" else "InternalFailure"
    return ServiceError(code, "The local cloud failed inside. Its log has the details.", 500)


def _storage_failure(error: Exception) -> ServiceError:
    full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    if full or "disk is full" in str(error):
        return ServiceError(
            "InsufficientStorage", "The disk that holds the local cloud is full. Nothing of this request was kept.", 507
        )
    _log.error("storage failed", exc_info=error)
    return ServiceError("InternalError", f"The local cloud cannot read or write its files: {error}", 500)
