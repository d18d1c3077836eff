"""Between the web server and the services: its messages as requests, and answers as its messages."""

from __future__ import annotations

import asyncio
import secrets

from starlette.types import Message, Receive, Scope, Send

from mojo_toolbox.local_cloud.wire.http import FileBody, HttpAnswer, HttpRequest
from mojo_toolbox.local_cloud.wire.threads import in_thread

_FILE_PIECE_BYTES = 1024 * 1024


def request_of(scope: Scope) -> HttpRequest:
    """Return the request that a connection's scope describes, with an id of its own."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    return HttpRequest(
        method=scope["method"],
        raw_path=scope["raw_path"].decode("latin-1"),
        raw_query=scope["query_string"].decode("latin-1"),
        headers=headers,
        request_id=secrets.token_hex(8).upper(),
    )


async def send_answer(answer: HttpAnswer, request: HttpRequest, receive: Receive, send: Send) -> None:
    """Send an answer. Stop when the client closes its connection."""
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


async def send_unfinished(send: Send, message: Message) -> None:
    """Send a message, but leave the answer open."""
    await send({**message, "more_body": True} if message["type"] == "http.response.body" else message)


async def _send_file(body: FileBody, receive: Receive, send: Send) -> None:
    left = body.length
    # A sender does not learn by itself that the client has gone away.
    gone = asyncio.ensure_future(_gone(receive))
    try:
        while left and not gone.done():
            data = await in_thread(body.file.read, min(left, _FILE_PIECE_BYTES))
            if not data:
                raise OSError("An object's file is shorter than its record.")
            left -= len(data)
            await send({"type": "http.response.body", "body": data, "more_body": bool(left)})
        if not body.length:
            await send({"type": "http.response.body", "body": b""})
    finally:
        gone.cancel()
        body.file.close()


async def _gone(receive: Receive) -> None:
    """Wait until the client has closed its connection."""
    while (await receive())["type"] != "http.disconnect":
        pass
