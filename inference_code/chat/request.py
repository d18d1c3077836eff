"""The requests that a caller may make: the subset of OpenAI's chat completion request that we answer, checked field by field.

Every refusal is one line that names the problem, the field and the remedy.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

KNOWN_ROLES = ("system", "user", "assistant")
MAX_CHOICES = 10_000
MAX_STOP_STRINGS = 16
MAX_TEMPERATURE = 2.0  # OpenAI's limit
# Fields that change the answer's meaning: answering as if they were absent would be a wrong answer, not a lenient one.
_UNSUPPORTED = {
    "tools": "Leave it out.",
    "functions": "Leave it out.",
    "response_format": 'Use structured_outputs: {"choice": [...]} for an answer out of a list.',
    "guided_choice": 'Use structured_outputs: {"choice": [...]}.',
    "guided_json": 'Use structured_outputs: {"choice": [...]}.',
    "guided_regex": 'Use structured_outputs: {"choice": [...]}.',
    "guided_grammar": 'Use structured_outputs: {"choice": [...]}.',
    "top_logprobs": "Use logprobs: true, which gives the answer's own.",
}


class InvalidRequestError(ValueError):
    """A request that cannot be answered as it stands. The container answers with `status_code`."""

    status_code = 400


class ModelFailureError(RuntimeError):
    """The model, not the request, is at fault. The container answers with `status_code`."""

    status_code = 500


@dataclass(frozen=True)
class ChatRequest:
    """A checked request. With `choices`, sampling fields have no effect: the likeliest choice is the answer."""

    messages: list[dict[str, str]]
    choices: list[str] | None = None
    adapter: str | None = None
    max_tokens: int = 128
    temperature: float = 1.0
    top_p: float = 1.0
    seed: int | None = None
    stop: list[str] = field(default_factory=list)
    logprobs: bool = False


def parse_chat_request(body: bytes | str, *, adapter: str | None = None) -> ChatRequest:
    """Check a request body. `adapter` is the one that a header named, which beats the body's `model`.

    Raises:
        InvalidRequestError: the body is no JSON object, or a field is missing, of a wrong type or out of range.
    """
    document = _json_object(body)
    _refuse_unsupported(document)
    model = document.get("model")
    if model is not None and not isinstance(model, str):
        raise InvalidRequestError(f"'model' must be a string, the name of an adapter, not {_kind(model)}.")
    return ChatRequest(
        messages=_messages(document.get("messages")),
        choices=_choices(document.get("structured_outputs")),
        adapter=adapter or model or None,
        max_tokens=_max_tokens(document),
        temperature=_number(document, "temperature", default=1.0, low=0.0, high=MAX_TEMPERATURE),
        top_p=_number(document, "top_p", default=1.0, low=0.0, high=1.0),
        seed=_seed(document.get("seed")),
        stop=_stop(document.get("stop")),
        logprobs=_boolean(document, "logprobs"),
    )


def _kind(value: Any) -> str:
    """Name a JSON value's type without repeating the value, which may be megabytes or private."""
    if value is None:
        return "null"
    names = {bool: "a boolean", int: "a number", float: "a number", str: "a string", list: "a list", dict: "an object"}
    return names[type(value)]


def _json_object(body: bytes | str) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except RecursionError as error:
        raise InvalidRequestError("The body is nested too deeply to be a chat request.") from error
    except ValueError as error:  # JSONDecodeError, UnicodeDecodeError and numbers of thousands of digits
        reason = str(error).splitlines()[0]
        raise InvalidRequestError(f"The body is not JSON ({reason}). Send a JSON object with 'messages'.") from error
    if not isinstance(document, dict):
        raise InvalidRequestError(f"The body is {_kind(document)}. Send a JSON object with 'messages'.")
    return document


def _refuse_unsupported(document: dict[str, Any]) -> None:
    for name, advice in _UNSUPPORTED.items():
        if document.get(name):
            raise InvalidRequestError(f"'{name}' is not supported. {advice}")
    if document.get("stream"):
        raise InvalidRequestError("'stream' is not supported: the answer comes whole. Leave it out.")
    if document.get("n") not in (None, 1):
        raise InvalidRequestError("'n' must be 1: one answer a request.")


def _messages(value: Any) -> list[dict[str, str]]:
    if not isinstance(value, list) or not value:
        found = "an empty list" if value == [] else _kind(value)
        raise InvalidRequestError(f"'messages' must be a list of at least one message, not {found}.")
    return [_message(message, f"messages[{i}]") for i, message in enumerate(value)]


def _message(message: Any, where: str) -> dict[str, str]:
    if not isinstance(message, dict):
        raise InvalidRequestError(f"{where} must be an object with 'role' and 'content', not {_kind(message)}.")
    role, content = message.get("role"), message.get("content")
    if role not in KNOWN_ROLES:
        shown = repr(role[:40]) if isinstance(role, str) else _kind(role)
        raise InvalidRequestError(f"{where} has the role {shown}. Known roles: {', '.join(KNOWN_ROLES)}.")
    if not isinstance(content, str):
        raise InvalidRequestError(f"{where}.content must be a string, not {_kind(content)}.")
    return {"role": role, "content": _text(content, f"{where}.content")}


def _text(value: str, where: str) -> str:
    # JSON can spell half of a surrogate pair ("\\ud83d"), which is no text: no tokenizer takes it.
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise InvalidRequestError(
            f"{where} holds half of a surrogate pair at character {error.start}. Send whole characters."
        ) from error
    return value


def _choices(structured_outputs: Any) -> list[str] | None:
    where = "structured_outputs.choice"
    if structured_outputs is None:
        return None
    if not isinstance(structured_outputs, dict):
        raise InvalidRequestError(f"'structured_outputs' must be an object, not {_kind(structured_outputs)}.")
    unknown = sorted(name for name, value in structured_outputs.items() if name != "choice" and value is not None)
    if unknown:
        raise InvalidRequestError(f"structured_outputs.{unknown[0][:40]} is not supported. Supported: choice.")
    choices = structured_outputs.get("choice")
    if not isinstance(choices, list) or not choices:
        found = "an empty list" if choices == [] else _kind(choices)
        raise InvalidRequestError(f"{where} must be a list of at least one string, not {found}.")
    if len(choices) > MAX_CHOICES:
        raise InvalidRequestError(f"{where} lists {len(choices)} choices. List at most {MAX_CHOICES}.")
    seen: dict[str, int] = {}
    for i, choice in enumerate(choices):
        if not isinstance(choice, str):
            raise InvalidRequestError(f"{where}[{i}] must be a string, not {_kind(choice)}.")
        if not choice.strip():
            raise InvalidRequestError(f"{where}[{i}] is empty. Leave it out or name it.")
        if choice in seen:
            raise InvalidRequestError(f"{where}[{i}] repeats {where}[{seen[choice]}]: {choice[:80]!r}. Name it once.")
        seen[_text(choice, f"{where}[{i}]")] = i
    return choices


def _max_tokens(document: dict[str, Any]) -> int:
    for name in ("max_completion_tokens", "max_tokens"):  # OpenAI renamed it
        value = document.get(name)
        if value is None:
            continue
        if type(value) is not int or value < 1:
            shown = value if type(value) in (int, float) else _kind(value)
            raise InvalidRequestError(f"'{name}' must be a whole number of at least 1, not {str(shown)[:40]}.")
        return value
    return ChatRequest.max_tokens


def _number(document: dict[str, Any], name: str, *, default: float, low: float, high: float) -> float:
    value = document.get(name)
    if value is None:
        return default
    if type(value) not in (int, float):
        raise InvalidRequestError(f"'{name}' must be a number from {low:g} to {high:g}, not {_kind(value)}.")
    if not low <= value <= high:  # NaN, which Python's JSON reader lets through, fails here too
        raise InvalidRequestError(f"'{name}' must be from {low:g} to {high:g}, not {str(value)[:40]}.")
    return float(value)


def _boolean(document: dict[str, Any], name: str) -> bool:
    value = document.get(name)
    if value is not None and not isinstance(value, bool):
        raise InvalidRequestError(f"'{name}' must be true or false, not {_kind(value)}.")
    return bool(value)


def _seed(value: Any) -> int | None:
    if value is None:
        return None
    if type(value) is not int or not 0 <= value < 2**63:
        raise InvalidRequestError("'seed' must be a whole number from 0 to 2**63 - 1.")
    return int(value)


def _stop(value: Any) -> list[str]:
    strings = [value] if isinstance(value, str) else value
    if strings is None:
        return []
    if not isinstance(strings, list) or not all(isinstance(s, str) and s for s in strings):
        raise InvalidRequestError("'stop' must be a string or a list of strings, none of them empty.")
    if len(strings) > MAX_STOP_STRINGS:
        raise InvalidRequestError(f"'stop' lists {len(strings)} strings. List at most {MAX_STOP_STRINGS}.")
    return strings
