"""OpenAI's chat completions: the request that is sent, the answer that comes back, and the meaning of a refusal."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Literal

from mojo_toolbox.contract import Usage
from mojo_toolbox.errors import EvaluationError, ModelError, MojoError

if TYPE_CHECKING:
    from openai import APIStatusError

# How a server is held to a list of answers: structured_outputs (vLLM, our endpoints), or response_format (OpenAI).
Structured = Literal["choice", "json_schema"]
Messages = Sequence[Mapping[str, str]]

# OpenAI takes no more. All are looked for in the answer again, so the rest only costs tokens.
MOST_STOPS = 4
# Parameters that some models refuse, those above all that think before they answer, and the words they refuse them with.
_DISPENSABLE = ("max_tokens", "temperature", "seed", "stop")
_REFUSES = re.compile(
    r"unsupported|not support|unrecognized|unknown|unexpected|not permitted|not allowed|extra", re.IGNORECASE
)
_BAD_REQUEST, _UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND, _UNPROCESSABLE = 400, 401, 403, 404, 422
_LONGEST_REASON = 300


@dataclass(frozen=True)
class Completion:
    """A chat model's text."""

    content: str
    usage: Usage | None = None
    """None where the server counts no tokens."""
    cut_off: bool = False
    """Whether `max_tokens` were used up before it came to an end."""
    probability: float | None = None
    """Of an answer out of given choices, where the server says."""


def completion_request(
    messages: Messages,
    *,
    model: str,
    max_tokens: int,
    stop: Sequence[str],
    seed: int,
    temperature: float = 0,
    left_out: frozenset[str],
    reasoning_tokens: int,
) -> dict[str, Any]:
    """Return the arguments of a chat completion without the parameters that the model refuses (`left_out`).

    A model that refuses `max_tokens` thinks before it answers: its longer name, and room for the thoughts, replace it.
    """
    wanted: dict[str, Any] = {"max_tokens": max_tokens, "temperature": temperature, "seed": seed}
    if stop:
        wanted["stop"] = list(stop[:MOST_STOPS])
    request: dict[str, Any] = {"model": model, "messages": list(messages)}
    request |= {name: value for name, value in wanted.items() if name not in left_out}
    if "max_tokens" in left_out:
        request["max_completion_tokens"] = max_tokens + reasoning_tokens
    return request


def restriction(choices: Sequence[str], structured: Structured) -> dict[str, Any]:
    """Return the arguments that hold the answer to `choices`."""
    if structured == "choice":
        return {"extra_body": {"structured_outputs": {"choice": list(choices)}}}
    schema = {
        "type": "object",
        "properties": {"task": {"type": "string", "enum": list(choices)}},
        "required": ["task"],
        "additionalProperties": False,
    }
    return {
        "response_format": {"type": "json_schema", "json_schema": {"name": "task", "strict": True, "schema": schema}}
    }


def read_completion(answer: Any) -> Completion:
    """Read the reply of openai's client.

    Raises:
        ValueError: it is no chat completion.
    """
    # The client checks nothing: a page of HTML arrives as a string, missing fields as None.
    try:
        choice = answer.choices[0]
        message = choice.message
        content = message.content if message.content is not None else getattr(message, "refusal", None) or ""
        usage, cut_off = answer.usage, choice.finish_reason == "length"
    except (AttributeError, IndexError, TypeError) as error:
        raise ValueError(f"no chat completion ({error})") from error
    if not isinstance(content, str):
        raise ValueError(f"a message whose content is no text but {type(content).__name__}")  # noqa: TRY004 - documented
    return Completion(content, _usage(usage), cut_off)


def chosen(content: str) -> str:
    """Return the task in an answer by `restriction(…, "json_schema")`. Return any other answer unchanged."""
    try:
        task = json.loads(content)["task"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return content
    return task if isinstance(task, str) else content


def until(content: str, stop: Sequence[str]) -> str:
    """Return the part of `content` before the first of the stop strings."""
    return content[: min((content.find(text) for text in stop if text in content), default=len(content))]


def refused_parameter(error: APIStatusError, request: Mapping[str, Any]) -> str | None:
    """Return the parameter that the model refuses and can do without, or None if something else is wrong."""
    if error.status_code not in (_BAD_REQUEST, _UNPROCESSABLE):
        return None
    said = _all_said(error)
    if not _REFUSES.search(said):
        return None
    # In quotation marks: some servers repeat the request, and a user may well write of a stop.
    named = [name for name in _DISPENSABLE if name in request and re.search(rf"['\"`]{name}['\"`]", said)]
    return named[0] if named else None


def refusal(error: APIStatusError, request: Mapping[str, Any], *, name: str, where: str, secret: str) -> MojoError:
    """Return the caller's error for a server's refusal: an EvaluationError if asking on is of no use."""
    reason = _reason(error, secret)
    status = error.status_code
    if status in (_UNAUTHORIZED, _FORBIDDEN):
        return EvaluationError(f"{where} refuses the key ({status}): {reason} Give another with OPENAI_API_KEY.")
    if status == _NOT_FOUND:
        return EvaluationError(
            f"{where} has no model {request['model']!r}, or no chat completions (404): {reason} "
            "Check the model's name, and whether the address lacks /v1."
        )
    if "insufficient_quota" in _all_said(error):
        return EvaluationError(f"The account at {where} is used up ({status}): {reason}")
    if _refuses_restriction(error, request):
        return EvaluationError(
            f"{where} cannot hold answers to a list in this way ({status}): {reason} "
            'Try the other of "choice" and "json_schema", or free text.'
        )
    return ModelError(
        f"{name} answered {status}: {reason}",
        endpoint_name=name,
        request_id=error.request_id or "",
        status=status,
        container_message=reason,
    )


def seconds_to_wait(error: APIStatusError) -> float | None:
    """Return how long the server wants to be left alone (Retry-After, in seconds or as a date), or None if it does not say."""
    headers = error.response.headers
    for name, unit in (("retry-after-ms", 1e-3), ("retry-after", 1.0)):
        try:
            seconds = float(headers[name]) * unit
        except (KeyError, ValueError):
            continue
        # NaN and negative numbers say nothing.
        return seconds if seconds >= 0 else None
    try:
        until = parsedate_to_datetime(headers["retry-after"])
        return max(0.0, (until - datetime.now(UTC)).total_seconds())
    except (KeyError, ValueError, TypeError):  # TypeError: a date without a zone
        return None


def _refuses_restriction(error: APIStatusError, request: Mapping[str, Any]) -> bool:
    said = _all_said(error)
    asked = ("structured_outputs" if "extra_body" in request else "response_format") in said
    restricted = "extra_body" in request or "response_format" in request
    return restricted and asked and _REFUSES.search(said) is not None


def _all_said(error: APIStatusError) -> str:
    return f"{error.message} {json.dumps(error.body, default=str)}"


def _reason(error: APIStatusError, secret: str) -> str:
    """Return the server's own words in one line, without the key, which some servers repeat."""
    body = error.body if isinstance(error.body, Mapping) else {}
    said = next((body[key] for key in ("message", "detail", "error") if isinstance(body.get(key), str)), error.message)
    line = " ".join(said.split())
    line = line.replace(secret, "…") if secret else line
    line = line if len(line) <= _LONGEST_REASON else f"{line[:_LONGEST_REASON]}…"
    return line if line.endswith((".", "!", "?", "…")) else f"{line}."


def _usage(usage: Any) -> Usage | None:
    """Return the server's token counts. None if it gives none, or impossible ones: null, a text, no token read."""
    prompt, written = (_count(usage, name) for name in ("prompt_tokens", "completion_tokens"))
    if not prompt or written is None:
        return None
    cached = _count(getattr(usage, "prompt_tokens_details", None), "cached_tokens") or 0
    return Usage(prompt_tokens=prompt, completion_tokens=written, total_tokens=prompt + written, cached_tokens=cached)


def _count(counts: Any, name: str) -> int | None:
    number = getattr(counts, name, None)
    return number if type(number) is int and number >= 0 else None
