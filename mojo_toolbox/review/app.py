"""The review page as an application that any ASGI server runs."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING

from mojo_toolbox.errors import (
    ConfigurationError,
    DataError,
    MojoError,
    PredictionError,
    ReviewConflictError,
    ReviewDatabaseError,
    ReviewError,
)
from mojo_toolbox.errors.extras import needed_for
from mojo_toolbox.model import Model
from mojo_toolbox.review.store import ReviewStore

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

_log = logging.getLogger(__name__)

# The first class that fits tells the status. What can be sent again with another outcome is a 5xx: the page keeps it.
_STATUS: tuple[tuple[type[MojoError], HTTPStatus], ...] = (
    (ReviewDatabaseError, HTTPStatus.SERVICE_UNAVAILABLE),
    (ReviewConflictError, HTTPStatus.CONFLICT),
    (ReviewError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (DataError, HTTPStatus.BAD_REQUEST),
    (ConfigurationError, HTTPStatus.BAD_REQUEST),
    (PredictionError, HTTPStatus.BAD_GATEWAY),
)


def create_app(
    store: ReviewStore,
    *,
    local_person: bool = False,
    router: Model | None = None,
    max_upload_bytes: int | None = None,
) -> Starlette:
    """Return the review page over `store`, as an ASGI application.

    Args:
        store: the conversations. It stays open when the application ends.
        local_person: let anybody at this machine in without a token, as the store's local reviewer. Use it only for a server
            that listens on loopback and has no proxy in front.
        router: the router of the playground, such as an `AWSModel`. With None the playground says that there is no router.
        max_upload_bytes: the admin's page refuses a larger file of conversations. None means 1 GB.

    Raises:
        ConfigurationError: the `review` extra is missing.
    """
    with needed_for("The review page", extra="review"):
        from starlette.applications import Starlette
        from starlette.middleware import Middleware
        from starlette.routing import Mount, Route
        from starlette.staticfiles import StaticFiles

        from mojo_toolbox.review.web import administering, exchanging, joining, playing, reviewing
        from mojo_toolbox.review.web.guard import Guard
        from mojo_toolbox.review.web.pages import STATIC, static_path

    application = Starlette(
        routes=[
            Route("/", reviewing.review_page),
            Route("/api/state", reviewing.state),
            Route("/api/decide", reviewing.decide, methods=["POST"]),
            Route("/api/back", reviewing.back, methods=["POST"]),
            Route("/api/leave", reviewing.leave, methods=["POST"]),
            Route("/api/keep", reviewing.keep, methods=["POST"]),
            Route("/admin", administering.admin_page),
            Route("/admin/settle/{item}", administering.settle, methods=["POST"]),
            Route("/api/admin/import", exchanging.upload, methods=["POST"]),
            Route("/admin/export", exchanging.download),
            Route("/playground", playing.playground_page),
            Route("/api/playground/turn", playing.turn, methods=["POST"]),
            Route("/api/playground/correct", playing.correct, methods=["POST"]),
            Route("/join/{token}", joining.join),
            Route("/leave", joining.leave, methods=["POST"]),
            Mount(static_path(), StaticFiles(directory=STATIC)),
        ],
        middleware=[
            Middleware(Guard, store=store, local_person=local_person, public=(f"{static_path()}/", "/join/")),
        ],
        exception_handlers={MojoError: _told, Exception: _failed},
    )
    application.state.store = store
    application.state.router = router
    application.state.max_upload_bytes = exchanging.MAX_UPLOAD_BYTES if max_upload_bytes is None else max_upload_bytes
    return application


def _told(request: Request, error: Exception) -> Response:
    """Answer what the library refused, in its own words."""
    from mojo_toolbox.review.web.pages import refusal

    status = next((status for kind, status in _STATUS if isinstance(error, kind)), HTTPStatus.INTERNAL_SERVER_ERROR)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        _log.warning("%s %s: %s", request.method, _place(request), error)
    return refusal(request, status, str(error))


def _failed(request: Request, error: Exception) -> Response:
    """Answer what nobody expected; the log has the details, and the page keeps what it could not store."""
    from mojo_toolbox.review.web.pages import refusal

    _log.error("%s %s failed: %r", request.method, _place(request), error)
    return refusal(request, HTTPStatus.INTERNAL_SERVER_ERROR, "The server failed inside. Its log has the details.")


def _place(request: Request) -> str:
    """Return what was asked for as the log may know it: a personal link has its token in the path."""
    path: str = request.scope["path"]
    return "/join/…" if path.startswith("/join/") else path
