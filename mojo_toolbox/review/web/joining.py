"""Coming in by a personal link, and leaving."""

from __future__ import annotations

from http import HTTPStatus

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from mojo_toolbox.review.web.guard import forget, remember
from mojo_toolbox.review.web.pages import page, refusal


async def join(request: Request) -> Response:
    """Move the token from the link into a cookie, and lead on to the review page, whose address does not hold it.

    The page leads on itself: a redirect would count as coming from the site that the link stood on, and browsers would not
    send a strict cookie with it.
    """
    token = request.path_params["token"]
    reviewer = await run_in_threadpool(request.app.state.store.reviewer, token)
    if reviewer is None:
        text = "This link does not work: it was taken back, renewed, or not copied whole. Ask whoever sent it for a new one."
        return refusal(request, HTTPStatus.UNAUTHORIZED, text)
    answer = page("join.html", title="Welcome", name=reviewer.name)
    remember(request, answer, token)
    return answer


async def leave(request: Request) -> Response:
    """Forget the token in this browser."""
    answer = RedirectResponse("/", status_code=HTTPStatus.SEE_OTHER)
    forget(request, answer)
    return answer
