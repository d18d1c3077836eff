"""The door of the page: who asks, from where, and what every answer forbids the browser."""

from __future__ import annotations

import ipaddress
import re
from http import HTTPStatus
from urllib.parse import urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mojo_toolbox.errors import ReviewDatabaseError
from mojo_toolbox.review.store import Reviewer, ReviewStore
from mojo_toolbox.review.web.pages import refusal, static_path

# Scripts and styles are our own files only, nothing may frame the page, and its texts can load or send nothing.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    # Not "no-referrer": with that, browsers call the origin of our own forms "null".
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
_SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
_LOOPBACK_HOST = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?", re.IGNORECASE)
# A proxy in front makes every visitor look local.
_PROXY_HEADERS = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip")
# A year: the link works until it is revoked, and so does what it left in the browser.
_COOKIE_SECONDS = 365 * 24 * 3600


class Guard:
    """An ASGI layer that lets nobody pass without a reviewer's token, nor a request that another site has sent."""

    def __init__(self, app: ASGIApp, *, store: ReviewStore, local_person: bool, public: tuple[str, ...]) -> None:
        self._app = app
        self._store = store
        self._local_person = local_person
        self._public = public

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection's event."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        # Not request.url: that is put together with the Host header, which is the caller's to choose.
        path: str = scope["path"]
        caching = "public, max-age=31536000, immutable" if path.startswith(f"{static_path()}/") else "no-store"

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS | {"cache-control": caching})
            await send(message)

        answer = None if path.startswith(self._public) else await self._refused(request)
        await (answer or self._app)(scope, receive, send_guarded)

    async def _refused(self, request: Request) -> Response | None:
        """Return why a request may not pass, or None with the reviewer noted in its state."""
        if request.method not in _SAFE_METHODS and not from_own_page(request):
            return refusal(request, HTTPStatus.FORBIDDEN, "This was sent by another site, so nothing was done.")
        try:
            reviewer = await run_in_threadpool(self._reviewer, request)
        except ReviewDatabaseError as error:
            return refusal(request, HTTPStatus.SERVICE_UNAVAILABLE, str(error))
        if reviewer is None:
            text = (
                "This page opens with a personal link. Ask whoever runs it for one; it may have been taken back. If you run it, "
                "make yourself one: mojo review invite YOUR-NAME --admin"
            )
            return refusal(request, HTTPStatus.UNAUTHORIZED, text)
        request.state.reviewer = reviewer
        return None

    def _reviewer(self, request: Request) -> Reviewer | None:
        token = request.cookies.get(cookie_name(request))
        found = self._store.reviewer(token) if token else None
        if found is None and self._local_person and from_this_machine(request):
            return self._store.local_reviewer()
        return found


def from_own_page(request: Request) -> bool:
    """Whether a request that changes something comes from our own page: browsers always say so, and cannot be made to lie."""
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    if site is not None:
        # Behind a proxy with HTTPS: it may have put a Host of its own, which the origin does not have.
        return site == "same-origin"
    # "null" and the names of other sites have another host, or none. Programs send no Origin, and have no cookies to abuse.
    return origin is None or urlsplit(origin).netloc.lower() == request.headers.get("host", "").lower()


def from_this_machine(request: Request) -> bool:
    """Whether somebody at this machine asks, by a loopback name: a site that points its own name here sends that name."""
    if any(name in request.headers for name in _PROXY_HEADERS) or request.client is None:
        return False
    try:
        address = ipaddress.ip_address(request.client.host)
    except ValueError:
        return False
    return address.is_loopback and _LOOPBACK_HOST.fullmatch(request.headers.get("host", "")) is not None


def cookie_name(request: Request) -> str:
    """Return the cookie's name: cookies know no ports, and two review pages may run on one machine."""
    return f"mojo-review-{request.url.port or ('https' if request.url.scheme == 'https' else 'http')}"


def remember(request: Request, response: Response, token: str) -> None:
    """Leave the token in the browser, where no script can read it and no other site can use it."""
    response.set_cookie(
        cookie_name(request),
        token,
        max_age=_COOKIE_SECONDS,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )


def forget(request: Request, response: Response) -> None:
    """Take the token out of the browser."""
    response.delete_cookie(cookie_name(request), httponly=True, samesite="strict")
