"""A container's error body: the reason in one line, and whether the model's own handler gave it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class ContainerError:
    """A reason without line breaks. `handled` says that the model's own handler gave it."""

    reason: str
    handled: bool


def read_container_error(body: str) -> ContainerError:
    """Read the error body of a container.

    Our handler answers `{"error": "…"}`. multi-model-server answers `{"code": …, "type": "…", "message": "…"}` over several
    lines for everything that its handler raises, with status 400 whoever is at fault. Servers that speak OpenAI's format
    put an object with a `message` under `error`, others a `message` or a `detail` of their own. What is none of these is
    the reason itself.
    """
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return ContainerError(_one_line(body), handled=False)
    if not isinstance(document, dict):
        return ContainerError(_one_line(body), handled=False)
    error = document.get("error")
    handled = isinstance(error, str | dict)
    for reason in (_message(error), document.get("message"), document.get("detail")):
        if isinstance(reason, str) and reason.strip():
            return ContainerError(_one_line(reason), handled=handled)
    return ContainerError(_one_line(body), handled=handled)


def _message(error: Any) -> Any:
    return error.get("message") if isinstance(error, dict) else error


def _one_line(text: str) -> str:
    return " ".join(text.split())
