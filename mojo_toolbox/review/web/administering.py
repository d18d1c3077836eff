"""The admin's page: who did what, what disagrees, what is to be checked."""

from __future__ import annotations

import re
from http import HTTPStatus

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from mojo_toolbox.errors import ReviewConflictError
from mojo_toolbox.review.records import Labels, Open
from mojo_toolbox.review.store import Reviewer, ReviewStore
from mojo_toolbox.review.web.pages import page, refusal
from mojo_toolbox.review.web.shown import moment

# Not more than databases call an integer.
_NUMBER = re.compile("[0-9]{1,9}")
_FOR_ADMINS = (
    "This page is for admins. Whoever runs the server can make you one: mojo review invite NAME --admin --renew"
)


async def admin_page(request: Request) -> Response:
    """Show the overview."""
    store, reviewer = _who(request)
    if not reviewer.admin:
        return refusal(request, HTTPStatus.FORBIDDEN, _FOR_ADMINS)
    overview = await run_in_threadpool(store.overview)
    return page(
        "admin.html", here="admin", reviewer=reviewer, overview=overview, moment=moment, judged_apart=judged_apart
    )


async def settle(request: Request) -> Response:
    """Give a conversation of the queues to an admin, and lead on to the review page, where it is open."""
    store, reviewer = _who(request)
    if not reviewer.admin:
        return refusal(request, HTTPStatus.FORBIDDEN, _FOR_ADMINS)
    number = request.path_params["item"]
    if not _NUMBER.fullmatch(number):
        return refusal(request, HTTPStatus.NOT_FOUND, "There is no such conversation.")
    try:
        await run_in_threadpool(store.settle, reviewer, int(number))
    except ReviewConflictError as error:
        return refusal(request, HTTPStatus.CONFLICT, str(error))
    return RedirectResponse("/", status_code=HTTPStatus.SEE_OTHER)


def judged_apart(waiting: Open) -> list[tuple[int, list[str]]]:
    """Return at which messages (from 1) the decisions on a conversation differ, and what each of them says there."""
    every: list[Labels] = [decision.labels for decision in waiting.decisions]
    apart = []
    for index in sorted({index for labels in every for index in labels}):
        told = ["no label" if index not in labels else labels[index] or "none" for labels in every]
        if len(set(told)) > 1:
            apart.append((index + 1, told))
    return apart


def _who(request: Request) -> tuple[ReviewStore, Reviewer]:
    return request.app.state.store, request.state.reviewer
