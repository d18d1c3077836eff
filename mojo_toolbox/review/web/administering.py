"""The admin's page: who did what, what disagrees, what is to be checked."""

from __future__ import annotations

import re
from http import HTTPStatus

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from mojo_toolbox.errors import ReviewConflictError
from mojo_toolbox.review.agreement import turns_apart
from mojo_toolbox.review.records import Open, Overview
from mojo_toolbox.review.store import Reviewer, ReviewStore
from mojo_toolbox.review.web.pages import FOR_ADMINS, page, refusal
from mojo_toolbox.review.web.shown import moment
from mojo_toolbox.review.wording import ACTION_WORDS, LEFT_OUT_WORDS, NO_REASON, reason_lines

# Not more than databases call an integer.
_NUMBER = re.compile("[0-9]{1,9}")


async def admin_page(request: Request) -> Response:
    """Show the overview."""
    store, reviewer = _who(request)
    if not reviewer.admin:
        return refusal(request, HTTPStatus.FORBIDDEN, FOR_ADMINS)
    overview = await run_in_threadpool(store.overview)
    return page(
        "admin.html",
        here="admin",
        reviewer=reviewer,
        overview=overview,
        left_out=left_out(overview),
        actions=ACTION_WORDS,
        no_reason=NO_REASON,
        reasons=reason_lines(overview.reasons),
        moment=moment,
        judged_apart=judged_apart,
    )


async def settle(request: Request) -> Response:
    """Give a conversation of the queues to an admin, and lead on to the review page, where it is open."""
    store, reviewer = _who(request)
    if not reviewer.admin:
        return refusal(request, HTTPStatus.FORBIDDEN, FOR_ADMINS)
    number = request.path_params["item"]
    if not _NUMBER.fullmatch(number):
        return refusal(request, HTTPStatus.NOT_FOUND, "There is no such conversation.")
    try:
        await run_in_threadpool(store.settle, reviewer, int(number))
    except ReviewConflictError as error:
        return refusal(request, HTTPStatus.CONFLICT, str(error))
    return RedirectResponse("/", status_code=HTTPStatus.SEE_OTHER)


def judged_apart(waiting: Open) -> list[tuple[int, list[str]]]:
    """Return at which user turns (from 1) the decisions on a conversation differ, and what each of them says there."""
    every = [decision.labels for decision in waiting.decisions if decision.action != "wrong"]
    return [
        (
            waiting.user_turns.index(turn) + 1,
            ["no label" if turn not in labels else labels[turn] or "none" for labels in every],
        )
        for turn in turns_apart(waiting.decisions)
    ]


def left_out(overview: Overview) -> list[tuple[str, str, int]]:
    """Return what a download leaves out unless it is asked for: its name, its words, and how many there are."""
    counts = {
        "undecided": overview.conversations - overview.decided,
        "wrong": overview.thrown_out_total,
        "check": overview.checks_total,
        "disagreement": overview.disagreements_total,
    }
    return [(name, words, counts[name]) for name, words in LEFT_OUT_WORDS.items()]


def _who(request: Request) -> tuple[ReviewStore, Reviewer]:
    return request.app.state.store, request.state.reviewer
