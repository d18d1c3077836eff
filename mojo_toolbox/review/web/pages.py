"""The HTML pages: templates with every text escaped, and refusals that say no more than they must."""

from __future__ import annotations

import hashlib
import re
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

FOR_ADMINS = (
    "This page is for admins. Whoever runs the server can make you one: mojo review invite NAME --admin --renew"
)
_ROOM = Path(__file__).parents[1]
STATIC = _ROOM / "static"


def page(template: str, *, status: int = HTTPStatus.OK, **values: Any) -> HTMLResponse:
    """Return a page made of `template` and `values`."""
    return HTMLResponse(_environment().get_template(template).render(values), status_code=status)


def refusal(request: Request, status: HTTPStatus, text: str) -> Response:
    """Return why nothing is shown: as JSON to the page's scripts, else as a page."""
    if request.scope["path"].startswith("/api/"):
        return JSONResponse({"error": text}, status_code=status)
    return page("refusal.html", status=status, title=status.phrase, text=text)


def breakable(name: str) -> Markup:
    """Return a name that is broken, where it is longer than a line, behind its underscores and the like."""
    return Markup(re.sub("([_/.-]+)", r"\1<wbr>", str(escape(name))))  # noqa: S704 - escaped


@cache
def static_path() -> str:
    """Return where scripts and styles are served: their content's hash is in it, so browsers may keep them for ever."""
    digest = hashlib.sha256()
    for path in sorted(STATIC.iterdir()):
        digest.update(path.name.encode() + path.read_bytes())
    return f"/static/{digest.hexdigest()[:16]}"


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_ROOM / "pages"),
        autoescape=True,  # whatever a file is called: conversations are other people's texts
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["static"] = static_path()
    environment.filters["name"] = breakable
    return environment
