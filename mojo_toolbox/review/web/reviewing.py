"""The review page: what it shows, and the actions it sends."""

from __future__ import annotations

from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from mojo_toolbox.errors import ReviewDatabaseError
from mojo_toolbox.review.records import LONGEST_REASON, ReviewDecision
from mojo_toolbox.review.store import Reviewer, ReviewStore
from mojo_toolbox.review.web import shown
from mojo_toolbox.review.web.bodies import BackBody, DecisionBody, LeaveBody, read
from mojo_toolbox.review.web.pages import page
from mojo_toolbox.review.wording import KEYS, QUESTION, REASONS


async def review_page(request: Request) -> Response:
    """Show the page with the first two conversations in it, so that nothing has to be asked for before one can begin."""
    store, reviewer = _who(request)
    return page(
        "review.html",
        here="review",
        reviewer=reviewer,
        state=await run_in_threadpool(shown.state, store, reviewer),
        question=QUESTION,
        keys=KEYS,
        reasons=REASONS,
        longest_reason=LONGEST_REASON,
    )


async def state(request: Request) -> Response:
    """Return the open conversation, the one after it and the progress."""
    store, reviewer = _who(request)
    return JSONResponse(await run_in_threadpool(shown.state, store, reviewer))


async def decide(request: Request) -> Response:
    """Store a decision, and return what comes next."""
    store, reviewer = _who(request)
    body = await read(request, DecisionBody)
    _require_same(store, body)
    decision = ReviewDecision(
        body.action, body.labels, note=body.note, reason=body.reason, key=body.key, version=body.version
    )

    def work() -> dict[str, Any]:
        store.decide(reviewer, body.item, decision)
        return shown.state(store, reviewer)

    return JSONResponse(await run_in_threadpool(work))


async def back(request: Request) -> Response:
    """Undo one decision, and return the conversation it was about; `undone` says whether there was one."""
    store, reviewer = _who(request)
    body = await read(request, BackBody)
    _require_same(store, body)

    def work() -> dict[str, Any]:
        undone = store.back(reviewer, key=body.key)
        return shown.state(store, reviewer) | (
            {"undone": False} if undone is None else {"undone": True, "item": shown.item(undone)}
        )

    return JSONResponse(await run_in_threadpool(work))


async def leave(request: Request) -> Response:
    """End settling a conversation without a decision, and return what comes next."""
    store, reviewer = _who(request)
    body = await read(request, LeaveBody)
    _require_same(store, body)

    def work() -> dict[str, Any]:
        store.leave(reviewer, body.item, key=body.key)
        return shown.state(store, reviewer)

    return JSONResponse(await run_in_threadpool(work))


async def keep(request: Request) -> Response:
    """Hold on to what is open: the page says every few minutes that somebody is there."""
    store, reviewer = _who(request)
    await run_in_threadpool(store.keep, reviewer)
    return JSONResponse({})


def _require_same(store: ReviewStore, body: DecisionBody | BackBody) -> None:
    """Refuse what was done on another database, which was served here before: its numbers mean other conversations.

    Raises:
        ReviewDatabaseError: it was; the page keeps it until that one is served again.
    """
    if body.database not in {None, store.identity}:
        raise ReviewDatabaseError("This was decided in another database than the one that is served here now. Reload.")


def _who(request: Request) -> tuple[ReviewStore, Reviewer]:
    return request.app.state.store, request.state.reviewer
