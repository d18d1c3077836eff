"""The playground: a chat with a deployed router, turn by turn, whose corrections join the review queue."""

from __future__ import annotations

from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from mojo_toolbox.data import parse_conversation
from mojo_toolbox.errors import ConfigurationError, DataError
from mojo_toolbox.model import Decision, Model
from mojo_toolbox.review.records import ReviewMark, RouterDecision
from mojo_toolbox.review.store import Reviewer, ReviewStore
from mojo_toolbox.review.web.bodies import CorrectionBody, TurnBody, read
from mojo_toolbox.review.web.pages import page


async def playground_page(request: Request) -> Response:
    """Show the playground; without a router it says how to start the page with one."""
    router: Model | None = request.app.state.router
    name = None if router is None else router.name
    return page("playground.html", here="playground", reviewer=request.state.reviewer, router=name)


async def turn(request: Request) -> Response:
    """Ask the router about the last user turn; the whole chat comes with each, so that a restart of the server loses none."""
    router: Model | None = request.app.state.router
    if router is None:
        raise ConfigurationError(
            "This page was started without a router: mojo review serve --router PRODUCT/TASK/MODEL_ID"
        )
    body = await read(request, TurnBody)
    if body.messages[-1].role != "user":
        raise DataError("the last message must be the user's: after it the router decides.")
    return JSONResponse(decided(await run_in_threadpool(router.predict, body.messages, tasks=body.tasks)))


async def correct(request: Request) -> Response:
    """Put a corrected chat into the review queue."""
    store: ReviewStore = request.app.state.store
    router: Model | None = request.app.state.router
    reviewer: Reviewer = request.state.reviewer
    body = await read(request, CorrectionBody)
    record = {
        "id": f"playground-{body.chat}",
        "tasks": body.tasks,
        "messages": body.messages,
        "meta": {
            "origin": "playground",
            "router": None if router is None else router.name,
            "judged": body.judged,
            "by": reviewer.name,
        },
    }
    conversation = parse_conversation(record)
    item = await run_in_threadpool(
        store.enqueue,
        conversation,
        source="playground",
        by=reviewer,
        marks=marks(body),
        router={index: RouterDecision(task, probability) for index, (task, probability) in body.decisions.items()},
    )
    return JSONResponse({"item": item})


def decided(decision: Decision) -> dict[str, Any]:
    """Return a decision as the page shows it: each choice with its probability, the likeliest first."""
    probabilities = decision.probabilities
    shares = None if probabilities is None else sorted(probabilities.items(), key=lambda pair: -pair[1])
    return {
        "task": decision.task,
        "probability": decision.probability,
        "choices": None if shares is None else [{"task": task, "probability": share} for task, share in shares],
        "latency_ms": decision.latency_ms,
        "prompt_tokens": decision.usage.prompt_tokens,
        "cached_tokens": decision.usage.cached_tokens,
        "dropped_messages": decision.usage.dropped_messages,
    }


def marks(body: CorrectionBody) -> list[ReviewMark]:
    """Return what the reviewers of the chat should know: where somebody has judged it already."""
    found = []
    for index in body.judged:
        message = body.messages[index] if 0 <= index < len(body.messages) else None
        if message is None or message.role != "user":
            raise DataError(f"message {index} (from 0) is not the user's, so no label can be right there.")
        same = index in body.decisions and body.decisions[index][0] == message.task
        found.append(ReviewMark(index, f"{'confirmed' if same else 'corrected'} in the playground"))
    return found
