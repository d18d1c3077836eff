"""Files in and out of the admin's page, for people who have no shell: what `mojo review import` and `export` do."""

from __future__ import annotations

import contextlib
import tempfile
import unicodedata
from collections.abc import AsyncIterator
from http import HTTPStatus
from pathlib import Path

from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response

from mojo_toolbox.errors import DataError
from mojo_toolbox.review.prepared import refused_lines
from mojo_toolbox.review.store import Reviewer, ReviewStore
from mojo_toolbox.review.web.pages import FOR_ADMINS, refusal
from mojo_toolbox.review.wording import import_lines

JSON_LINES = "application/x-ndjson"
# A hundred thousand conversations of ten messages have a fifth of it.
MAX_UPLOAD_BYTES = 1024**3
_WRITE_AT_ONCE = 2**20
_LONGEST_NAME = 100
# Told of a file with many; the rest is counted.
_MOST_REFUSED = 20


async def upload(request: Request) -> Response:
    """Put a file of conversations, which is the request's whole body, into the queue: all of it, or nothing."""
    store, reviewer = _who(request)
    if not reviewer.admin:
        return refusal(request, HTTPStatus.FORBIDDEN, FOR_ADMINS)
    # No form of another site can send this type.
    if request.headers.get("content-type", "") != JSON_LINES:
        raise DataError(f"send a JSON Lines file, with content-type {JSON_LINES}.")
    limit: int = request.app.state.max_upload_bytes
    announced = request.headers.get("content-length", "")
    if announced.isascii() and announced.isdigit() and int(announced[:20]) > limit:
        return _too_large(request, limit)
    name, overlap = _file_name(request.query_params.get("name", "")), _share(request.query_params.get("overlap", "0"))
    # In a folder of its own, under its own name: complaints name the file as its owner does.
    with tempfile.TemporaryDirectory(prefix="mojo-upload-") as folder:
        path = Path(folder) / name
        try:
            if not await _put_down(request, path, limit):
                return _too_large(request, limit)
        except ClientDisconnect:
            return refusal(request, HTTPStatus.BAD_REQUEST, "The upload ended too early; nothing was stored.")
        return await run_in_threadpool(_stored, store, reviewer, path, overlap=overlap, limit=limit)


async def download(request: Request) -> Response:
    """Send the decided conversations, with `include` those that are left out otherwise."""
    store, reviewer = _who(request)
    if not reviewer.admin:
        return refusal(request, HTTPStatus.FORBIDDEN, FOR_ADMINS)
    include = request.query_params.getlist("include")
    # Written before it is sent: what is sent is whole, and a failure is told and not a file that ends too early.
    folder = tempfile.TemporaryDirectory(prefix="mojo-download-")
    try:
        path = Path(folder.name) / "reviewed.jsonl"
        await run_in_threadpool(store.export_file, path, include=include)
    except BaseException:
        folder.cleanup()
        raise
    return FileResponse(
        path, media_type=JSON_LINES, filename="reviewed.jsonl", background=BackgroundTask(folder.cleanup)
    )


def _stored(store: ReviewStore, reviewer: Reviewer, path: Path, *, overlap: float, limit: int) -> Response:
    try:
        report = store.import_file(path, overlap=overlap, by=reviewer, max_bytes=limit)
    except DataError as error:
        refused = refused_lines(path, most=_MOST_REFUSED, max_bytes=limit)
        told = {
            "error": f"Nothing was stored. {_without_folder(error, path)}",
            "refused": [{"line": line, "why": why} for line, why in refused.first],
            "refused_total": refused.total,
        }
        return JSONResponse(told, status_code=HTTPStatus.BAD_REQUEST)
    return JSONResponse(report.as_dict() | {"told": list(import_lines(path.name, report))})


def _without_folder(error: DataError, path: Path) -> str:
    return str(error).replace(f"{path.parent}/", "").replace(str(path.parent), "")


async def _put_down(request: Request, path: Path, limit: int) -> bool:
    """Write a request's body to a file, a piece at a time; say whether it was not too large."""
    written = 0
    with path.open("xb") as file:
        async for piece in _pieces(request):
            written += len(piece)
            if written > limit:
                return False
            await run_in_threadpool(file.write, piece)
    return True


async def _pieces(request: Request) -> AsyncIterator[bytes]:
    """Yield a body in pieces of about a megabyte, so that a thread is not asked for each packet."""
    waiting = bytearray()
    async for chunk in request.stream():
        waiting += chunk
        if len(waiting) >= _WRITE_AT_ONCE:
            yield bytes(waiting)
            waiting.clear()
    yield bytes(waiting)


def _too_large(request: Request, limit: int) -> Response:
    size = f"{limit / 1024**2:,.0f} MB" if limit >= 1024**2 else f"{limit:,} bytes"
    text = f"The file is larger than {size}, so nothing was stored. Divide it, or use mojo review import."
    return refusal(request, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, text)


def _file_name(given: str) -> str:
    """Return a name that any file system takes, as near to the given one as can be."""
    last = given.replace("\\", "/").rpartition("/")[2]
    shown = "".join("_" if unicodedata.category(character)[0] == "C" else character for character in last).strip(". ")
    if not shown:
        return "upload.jsonl"
    # Its end says what it is; 100 characters have no more bytes than a file's name may have.
    short = shown if len(shown) <= _LONGEST_NAME else f"{shown[: _LONGEST_NAME - 16]}{shown[-16:]}"
    return short if len(short.encode()) <= 2 * _LONGEST_NAME else "upload.jsonl"


def _share(given: str) -> float:
    with contextlib.suppress(ValueError):
        share = float(given)
        if 0 <= share <= 1:
            return share
    raise DataError(f"overlap {given!r:.40} is not a share between 0 and 1.")


def _who(request: Request) -> tuple[ReviewStore, Reviewer]:
    return request.app.state.store, request.state.reviewer
