"""The web application: refuse what is not signed by its owner, then hand the request to the service it is for."""

from __future__ import annotations

import asyncio
import errno
import json
import logging
import re
import secrets
import sqlite3
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial
from http import HTTPStatus
from typing import Any, BinaryIO

from starlette.types import Message, Receive, Scope, Send

from mojo_toolbox.local_cloud.cloud import LocalCloud
from mojo_toolbox.local_cloud.identity import signatures
from mojo_toolbox.local_cloud.identity.signatures import Verified
from mojo_toolbox.local_cloud.services.moto.bridge import operation_of
from mojo_toolbox.local_cloud.services.s3.blobs import READ_SIZE
from mojo_toolbox.local_cloud.services.s3.call import bucket_of_host
from mojo_toolbox.local_cloud.services.s3.forms import is_form
from mojo_toolbox.local_cloud.wire.body import Body, ClientGoneError
from mojo_toolbox.local_cloud.wire.http import Answer, FileBody, Request
from mojo_toolbox.local_cloud.wire.json_document import read_document
from mojo_toolbox.local_cloud.wire.protocol import ServiceError
from mojo_toolbox.local_cloud.wire.refusals import Dialect, dialect_of, refusal, render
from mojo_toolbox.local_cloud.wire.threads import in_thread

_log = logging.getLogger(__name__)

# The host names by which a program on this machine speaks to it. A web page that points a name of its own at
# 127.0.0.1 sends that name, and is refused before anything else is looked at.
_LOOPBACK = re.compile(r"(localhost|127\.0\.0\.1|\[::1\]|[a-z0-9][a-z0-9.-]*\.localhost)(:\d{1,5})?", re.IGNORECASE)
# More than the longest request that is not S3's: an invocation has at most 6 MB, and its service says so itself.
_MAX_BODY_BYTES = 32 * 1024 * 1024
_MAX_DRAIN_BYTES = 1024**3
# A client that was refused before it sent its body closes its connection; one that sends all the same has so long.
_LINGER_SECONDS = 2.0
_INVOCATION = re.compile(
    r"/endpoints/(?P<name>[^/]+)/(?P<kind>invocations|invocations-response-stream|async-invocations)"
)
# The one operation of SageMaker's data services that moto remembers something by: a trial component's metrics.
_PUT_METRICS = "/BatchPutMetrics"
# What would scale something: the others describe, or take back.
_SCALES = ("RegisterScalableTarget", "PutScalingPolicy", "PutScheduledAction")
# The service name that the command line signs with when it asks whether the local cloud is there.
STATUS_SERVICE = "mojo"


class Application:
    """An ASGI application around one local cloud."""

    def __init__(self, cloud: LocalCloud) -> None:
        self._cloud = cloud

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection's event."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        if scope["type"] != "http":
            return
        request = _request(scope)
        body = Body(receive, request.headers)
        try:
            answer = await self._answer_or_refuse(request, body)
            # A client that is still sending would get a broken connection in place of the answer.
            await body.drain(_MAX_DRAIN_BYTES)
            if body.complete:
                await _send(answer, request, receive, send)
                return
            # What is left of this body would be read as the next request.
            answer = replace(answer, headers={**answer.headers, "connection": "close"})
            await _send(answer, request, receive, partial(_unfinished, send))
            await body.linger(_LINGER_SECONDS)
            await send({"type": "http.response.body", "body": b""})
        except ClientGoneError:
            _log.info("A client closed the connection before its request was complete.")

    async def _answer_or_refuse(self, request: Request, body: Body) -> Answer:
        dialect: Dialect = "s3"
        try:
            dialect = dialect_of(request)
            service = _checked_service(request)
            if service is None:
                return await self._cloud.s3.handle_form(request, self._cloud.keys, body)
            dialect = dialect_of(request, service)
            return await self._answer(request, service, body)
        except ServiceError as error:
            return render(error, request, dialect)
        except (OSError, sqlite3.OperationalError) as error:
            return render(_storage_failure(error), request, dialect)
        except (ClientGoneError, GeneratorExit):
            raise
        except Exception:  # noqa: BLE001 - the border: whatever happens, the client gets an answer of its protocol
            _log.exception("%s failed", request.request_id)
            code = "InternalError" if dialect == "s3" else "InternalFailure"
            message = "The local cloud failed inside. Its log has the details."
            return render(ServiceError(code, message, 500), request, dialect)

    async def _answer(self, request: Request, service: str, body: Body) -> Answer:
        cloud = self._cloud
        if service == "s3":
            bucket = bucket_of_host(request.headers.get("host", ""))
            verified = await in_thread(signatures.verify, request, cloud.keys, bucket_of_host=bucket)
            return await cloud.s3.handle(request, verified, body)
        verified, content = await self._verified_body(request, body)
        if service == STATUS_SERVICE:
            return _json(cloud.status(), request)
        if service == "sts":
            return await in_thread(cloud.sts.handle, request, content, verified.key)
        invocation = _INVOCATION.fullmatch(request.path)
        if invocation is not None and service == "sagemaker":
            invoke = {
                "invocations": cloud.sagemaker.invoke,
                "invocations-response-stream": cloud.sagemaker.invoke_stream,
                "async-invocations": cloud.sagemaker.invoke_async,
            }[invocation["kind"]]
            status, headers, reply = await invoke(invocation["name"], dict(request.headers), content)
            return Answer(status, {name.lower(): value for name, value in headers.items()}, reply)
        return await in_thread(self._call, request, content, verified)

    async def _verified_body(self, request: Request, body: Body) -> tuple[Verified, bytes]:
        """Read the body of a request whose signature covers it: what is wrong without it is refused before."""
        keys = self._cloud.keys
        await in_thread(signatures.check_head, request, keys)
        held = await body.hold(_MAX_BODY_BYTES, self._cloud.folder)
        try:
            verified = await in_thread(signatures.verify, request, keys, body_sha256=held.sha256)
            return verified, await in_thread(held.content)
        finally:
            held.close()

    def _call(self, request: Request, content: bytes, verified: Verified) -> Answer:
        """Answer a request of the JSON protocol from our own services, anything else from moto."""
        operation = operation_of(request, content)
        if verified.service == "logs":
            if not self._cloud.logs.handles(operation):
                raise ServiceError("UnknownOperationException", f"The local cloud's logs do not offer {operation}.")
            return _json(self._cloud.logs.handle(operation, read_document(content)), request)
        if verified.service == "sagemaker":
            if "x-amz-target" in request.headers:
                document = read_document(content)
                if self._cloud.sagemaker.handles(operation, document):
                    return _json(self._cloud.sagemaker.handle(operation, document), request)
            elif request.path != _PUT_METRICS:
                # moto would answer for endpoints that it has never heard of.
                raise ServiceError("UnknownOperationException", f"The local cloud does not offer {request.path}.", 404)
        if verified.service == "application-autoscaling" and operation in _SCALES:
            self._cloud.sagemaker.check_scalable(operation, read_document(content))
        return self._cloud.moto.handle(request, content, verified)

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


def _request(scope: Scope) -> Request:
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    return Request(
        method=scope["method"],
        raw_path=scope["raw_path"].decode("latin-1"),
        raw_query=scope["query_string"].decode("latin-1"),
        headers=headers,
        request_id=secrets.token_hex(8).upper(),
    )


def _checked_service(request: Request) -> str | None:
    """Return the service that the request is signed for, before its signature is checked; None for a form's fields.

    Raises:
        ServiceError: 403, the request is not signed or does not come to a loopback name.
    """
    if _LOOPBACK.fullmatch(request.headers.get("host", "")) is None:
        raise refusal("malformed", dialect_of(request), "The local cloud answers on loopback names only.")
    try:
        service = signatures.claimed_service(request)
    except ServiceError as error:
        # A query that cannot even be decoded proves nothing.
        raise error if error.status == HTTPStatus.FORBIDDEN else refusal("malformed", dialect_of(request)) from error
    if service is None and not is_form(request):
        raise refusal("unsigned", dialect_of(request))
    return service


def _storage_failure(error: Exception) -> ServiceError:
    full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    if full or "disk is full" in str(error):
        return ServiceError(
            "InsufficientStorage", "The disk that holds the local cloud is full. Nothing of this request was kept.", 507
        )
    _log.error("storage failed", exc_info=error)
    return ServiceError("InternalError", f"The local cloud cannot read or write its files: {error}", 500)


def _json(document: Mapping[str, Any], request: Request) -> Answer:
    headers = {"content-type": "application/x-amz-json-1.1", "x-amzn-requestid": request.request_id}
    return Answer(200, headers, json.dumps(document, default=_seconds).encode())


def _seconds(value: object) -> float:
    """Write a time as the JSON protocol does."""
    if isinstance(value, datetime):
        return value.timestamp()
    raise TypeError(f"{type(value).__name__} has no place in an answer")


async def _unfinished(send: Send, message: Message) -> None:
    """Send a message, but leave the answer open."""
    await send({**message, "more_body": True} if message["type"] == "http.response.body" else message)


async def _send(answer: Answer, request: Request, receive: Receive, send: Send) -> None:
    headers = {"x-amz-request-id": request.request_id, **answer.headers}
    headers.setdefault(
        "content-length", str(len(answer.body) if isinstance(answer.body, bytes) else answer.body.length)
    )
    if answer.status in (204, 304):
        del headers["content-length"]
    raw = [(name.encode("latin-1"), value.encode("latin-1", "replace")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": raw})
    if isinstance(answer.body, FileBody):
        await _send_file(answer.body, receive, send)
    else:
        await send({"type": "http.response.body", "body": answer.body})


async def _send_file(body: FileBody, receive: Receive, send: Send) -> None:
    file: BinaryIO = body.file
    left = body.length
    # A client that goes away in the middle is told to nobody who only sends.
    gone = asyncio.ensure_future(_gone(receive))
    try:
        while left and not gone.done():
            data = await in_thread(file.read, min(left, READ_SIZE))
            if not data:
                raise OSError("An object's file is shorter than its record.")
            left -= len(data)
            await send({"type": "http.response.body", "body": data, "more_body": bool(left)})
        if not body.length:
            await send({"type": "http.response.body", "body": b""})
    finally:
        gone.cancel()
        file.close()


async def _gone(receive: Receive) -> None:
    """Wait until the client has closed its connection."""
    while (await receive())["type"] != "http.disconnect":
        pass
