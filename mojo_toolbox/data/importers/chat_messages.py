"""The messages of a chat record: who speaks, what is said, what is called, in the forms of many services."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from mojo_toolbox.data.importers.call_objects import called_by, json_or_none
from mojo_toolbox.data.importers.calls_in_text import names_of_call, plain_name, read_answer, without_results
from mojo_toolbox.data.keys import leaves_out, switch_problem, takes_out_of_training

# Who spoke, in the words of both formats and of the tools that write them; blanks and dashes are as "_".
_ROLES = {
    **dict.fromkeys(("user", "human", "prompter"), "user"),
    **dict.fromkeys(
        ("assistant", "gpt", "chatgpt", "bot", "model", "bard", "bing", "claude", "ai", "chatbot"), "assistant"
    ),
    **dict.fromkeys(("system", "developer"), "system"),
    **dict.fromkeys(("tool", "function", "observation", "ipython"), "result"),
    **dict.fromkeys(
        (f"{of}_{what}" for of in ("function", "tool") for what in ("response", "result", "output")), "result"
    ),
    **dict.fromkeys(("tool_results", "tool_outputs", "tool_responses", "function_results", "observations"), "result"),
    **dict.fromkeys(("function_call", "tool_call", "function_calls", "tool_calls", "functioncall", "toolcall"), "call"),
    **dict.fromkeys(("reasoning", "thinking", "thought"), "thought"),
}
_TEXT_PARTS = frozenset({"text", "input_text", "output_text"})
# Parts that are certainly no calls; whatever else an assistant sends may be one.
_HARMLESS = (
    "image",
    "input_image",
    "audio",
    "input_audio",
    "video",
    "file",
    "document",
    "thinking",
    "redacted",
    "cache",
    "guard",
    "inline_data",
    "reasoning",
    "refusal",
)
_CALL_KEYS = ("toolUse", "functionCall", "toolInvocation")
_RESULT_KEYS = ("toolResult", "functionResponse")
_STOPPED = ("finish_reason", "stop_reason", "finishReason", "stopReason")
_CALLING = frozenset({"tool_calls", "tool_use", "function_call"})

_RESULT = "the result of a tool"
_CALL = "the call of a tool"
_NEVER_WRITTEN = {"system": "a system prompt", "result": _RESULT, "call": _CALL, "thought": "the assistant's thinking"}


class NoChat(Exception):  # noqa: N818 - never leaves the importer of chats
    """A record that cannot be read as a chat; the text is the reason, `message` the number of the message."""

    def __init__(self, reason: str, *, message: int | None = None) -> None:
        super().__init__(reason)
        self.message = message


@dataclass
class Turn:
    """A message; of a user's, what is known of the answer to it. One with `dropped` is not written, for that reason."""

    role: str
    text: str
    number: int
    dropped: str | None = None
    calls: list[str] = field(default_factory=list)
    answered: bool = False
    said: bool = False
    """The assistant answers in words."""
    unread: bool = False
    """A call was made that could not be read."""
    result: bool = False
    """A tool answers, so it was called."""
    sign: str | None = None
    """The answer may be a call in a way that is not known, for this reason."""
    left_out: bool = False
    """The turn itself is marked as left out."""
    unlearnt_words: bool = False
    """An answer without a call is marked as not to be learnt from."""
    unlearnt_calls: bool = False
    """A message that calls is marked as not to be learnt from."""


@dataclass
class _Content:
    """What a message holds, besides its text."""

    text: str = ""
    calls: list[str] = field(default_factory=list)
    unread: bool = False
    results: bool = False
    others: bool = False
    unlearnt: bool = False


def turns_of(messages: list[Any], listed: Collection[str]) -> list[Turn]:
    """Take the messages of a chat apart; what an assistant calls is noted at the user turn before it.

    Raises:
        NoChat: a message that cannot be read.
    """
    turns: list[Turn] = []
    asked: Turn | None = None
    for number, message in enumerate(messages, start=1):
        try:
            turn, content = _turn(message, number, listed)
        except NoChat as error:
            raise NoChat(str(error), message=number) from None
        if asked is not None and (turn.role == "result" or content.results):
            asked.result = True
        if turn.role == "user":
            asked = turn
        elif turn.role in {"assistant", "call"} and asked is not None:
            _note_answer(asked, turn, content)
        turns.append(turn)
    return turns


def _turn(message: Any, number: int, listed: Collection[str]) -> tuple[Turn, _Content]:
    if not isinstance(message, Mapping):
        raise NoChat("has a message that is no object")
    role = _role(message)
    if role in {"system", "result", "thought"}:
        return Turn(role, "", number, _NEVER_WRITTEN[role]), _Content()
    content = _content(message, role, listed)
    content.unlearnt = not _is_learnt(message)
    turn = Turn(role, content.text, number)
    if role == "user":
        # Only this: formats that mask the loss message by message give every user turn the weight 0.
        turn.left_out = any(leaves_out(str(key), value) for key, value in message.items())
        turn.text, handed_over = without_results(content.text)
        content.results |= handed_over
        if content.results and not turn.text:
            turn.role = "result"  # Anthropic's way, and that of models whose templates know no tools
    elif role == "assistant":
        written = read_answer(content.text, listed)
        turn.text = written.text
        turn.sign = written.sign
        content.calls += written.calls
        content.unread |= written.unread
        content.results |= written.result
    turn.dropped = _reason_to_drop(turn, content)
    return turn, content


def _note_answer(asked: Turn, turn: Turn, content: _Content) -> None:
    asked.answered = True
    asked.said |= turn.role == "assistant" and bool(turn.text)
    asked.calls += content.calls
    asked.unread |= content.unread
    asked.sign = asked.sign or turn.sign
    asked.unlearnt_calls |= content.unlearnt and bool(content.calls)
    asked.unlearnt_words |= content.unlearnt and not content.calls


def _is_learnt(message: Mapping[str, Any]) -> bool:
    """Whether a message may be learnt from: `train`, OpenAI's `weight`, and other formats' words for them."""
    train, weight = message.get("train"), message.get("weight")
    if problem := switch_problem(train, weight):
        raise NoChat(f"has a message that cannot be used: {problem}")
    if train is False or weight == 0:
        return False
    return not any(takes_out_of_training(str(key), value) for key, value in message.items())


def _reason_to_drop(turn: Turn, content: _Content) -> str | None:
    if turn.role in _NEVER_WRITTEN:
        return _NEVER_WRITTEN[turn.role]
    if turn.text:
        return None
    if content.calls or content.unread:
        return _CALL
    if content.results:
        return _RESULT
    return "pictures or other parts without text" if content.others else "no text"


def _role(message: Mapping[str, Any]) -> str:
    speaker = message.get("role") or message.get("from")
    if not speaker:
        return _role_of_item(message)
    word = str(speaker).strip().lower()
    if word.startswith("functions."):  # gpt-oss names the function that answers, and whom the assistant addresses
        return "result"
    word = word.split(" to=")[0]
    role = _ROLES.get(re.sub(r"[\s-]+", "_", word))
    if role is None:
        raise NoChat(f"has a message of the unknown role {str(speaker)[:40]!r}")
    return "thought" if role == "assistant" and message.get("channel") == "analysis" else role


def _role_of_item(message: Mapping[str, Any]) -> str:
    """Return who speaks where only the kind is said, as in OpenAI's responses and LangChain's messages."""
    kind = str(message.get("type") or "").strip().lower()
    if kind in _ROLES:
        return _ROLES[kind]
    if kind.endswith("_call"):
        return "call"
    if kind.endswith("_output"):
        return "result"
    raise NoChat(f"has a message of the unknown kind {kind[:40]!r}" if kind else "has a message without a role")


def _content(message: Mapping[str, Any], role: str, listed: Collection[str]) -> _Content:
    """Return what a message holds, in its content and beside it."""
    given = next((message[key] for key in ("content", "value", "parts") if message.get(key) is not None), None)
    content = _Content() if role == "call" and isinstance(given, Mapping) else _parts(given)
    if role == "call":
        names = called_by(message) or called_by(given) or names_of_call(content.text, listed)
        content.calls = [plain_name(name, listed) for name in names] or content.calls
        content.unread |= not content.calls
    elif role == "assistant":
        _add_calls_beside(message, content, listed)
    return content


def _parts(given: Any) -> _Content:
    if given is None or isinstance(given, str):
        return _Content((given or "").strip())
    if not isinstance(given, list):
        raise NoChat("has a message whose content is neither text nor a list of parts")
    content = _Content()
    texts: list[str] = []
    for part in given:
        kind = _kind(part)
        if kind in _TEXT_PARTS:
            text = part.get("text", part.get("value")) if isinstance(part, Mapping) else part
            texts += [text.strip()] if isinstance(text, str) and text.strip() else []
        elif kind == "call":
            names = called_by(part) or called_by(part.get("value"))
            content.calls += names
            content.unread |= not names
        elif kind == "result":
            content.results = True
        else:
            content.others = True
            content.unread |= not kind.startswith(_HARMLESS)
    content.text = "\n".join(texts)
    return content


def _kind(part: Any) -> str:
    if not isinstance(part, Mapping):
        return "text"
    if any(key in part for key in _CALL_KEYS):
        return "call"
    if any(key in part for key in _RESULT_KEYS):
        return "result"
    # Bedrock and Gemini say the kind by the key; a part that is known by neither may be a call.
    key = next((key for key in part if key not in {"text", "value"}), "text")
    said = "text" if {"text", "value"} & part.keys() else re.sub(r"(?<=[a-z])(?=[A-Z])", "_", str(key))
    kind = str(part.get("type", said)).lower().replace("-", "_")
    if kind.endswith(("_call", "_use", "_invocation")):
        return "call"
    return "result" if kind.endswith(("_result", "_output", "_response")) and kind not in _TEXT_PARTS else kind


def _add_calls_beside(message: Mapping[str, Any], content: _Content, listed: Collection[str]) -> None:
    """Add the calls that stand beside an assistant's text, each in the way of some service."""
    for key in ("tool_calls", "function_call"):
        given = message.get(key)
        given = json_or_none(given) or given if isinstance(given, str) else given
        for call in given if isinstance(given, list) else [given] if given else []:
            names = called_by(call)
            content.calls += names
            content.unread |= not names
    addressed = str(message.get("role") or "").partition(" to=")[2].split(" ")[0]
    for name in (addressed, message.get("recipient"), message.get("to"), message.get("metadata")):  # gpt-oss, ChatGLM
        if isinstance(name, str) and (name.startswith("functions.") or name in listed):
            content.calls.append(name)
    content.calls = [plain_name(name, listed) for name in content.calls]
    stopped = {str(message.get(key)) for key in _STOPPED}
    content.unread |= bool(stopped & _CALLING) and not content.calls
