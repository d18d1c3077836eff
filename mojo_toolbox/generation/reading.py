"""What a model wrote becomes the turns that were planned, or is malformed with a reason.

Two ways of writing are read, wherever they stand in prose or fences: {"turns": [{"user": "...", "assistant": "..."}]}, and
messages that begin with `### User:` or `### Assistant:`. Nothing is mended: what does not have the planned number of user
messages has other labels than the plan's, and a text that was cut off lacks what makes its last label true.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, Literal

from mojo_toolbox.data import Message
from mojo_toolbox.data.conversations import whole_characters
from mojo_toolbox.errors import MojoError
from mojo_toolbox.generation.plan import Plan, PlannedTurn

_LONG_INTENT = 40  # characters
_LONGEST_REPLY = 500_000  # characters; 200 turns of half a page have fewer
_TURNS = re.compile(r'"turns"\s*:\s*(?=\[)')
_AFTER_TURNS = re.compile(r"\s*[,}]")
_MOST_DRAFTS = 20  # what fails as JSON is looked at again from each further "turns"
# Few blanks at a time: a model that has gone astray writes thousands of them.
_MARK = re.compile(
    r"^[ \t>]{0,8}#{2,6}[ \t]{0,4}\*{0,3}(?P<role>user|assistant)\*{0,3}[ \t]{0,4}(?::\*{0,3}|$)",
    re.IGNORECASE | re.MULTILINE,
)
_FENCE = re.compile(r"^[ \t]{0,8}```[\w-]*[ \t]*$", re.MULTILINE)
_THOUGHTS = re.compile(r"\A.*</think(?:ing)?>", re.DOTALL)
_OPEN_THOUGHTS = re.compile(r"\s*<think(?:ing)?>")
# A name before a message that one side was asked for: models put it there although they are told not to.
_SPEAKER = re.compile(r"\A(?:#{1,6}[ \t]{0,4})?\*{0,3}(?:user|assistant)\*{0,3}[ \t]{0,4}:\*{0,3}", re.IGNORECASE)
_NAMED_LINE = re.compile(r"^(?:user|assistant):", re.IGNORECASE | re.MULTILINE)
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_QUOTES = {'"': '"', "\u201c": "\u201d", "\u00ab": "\u00bb", "\u201e": "\u201c"}

_Role = Literal["user", "assistant"]


class MalformedReply(MojoError):  # noqa: N818 - a finding about a reply, counted and kept; no failure of the program
    """A reply that does not fit its plan. `reason` says why in a few words."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def read_reply(text: str, plan: Plan) -> tuple[Message, ...]:
    """Return the messages of a whole conversation, its user turns labelled by the plan.

    A greeting of the assistant before the first user message is kept, and so is its message after the last one.

    Raises:
        MalformedReply: the text is no such conversation.
    """
    text = _without_thoughts(text)
    found = list(_from_json(text)) if _TURNS.search(text) else list(_from_marks(text))
    if not found:
        raise MalformedReply("no conversation in it")
    if found[-1] == ("assistant", ""):
        found.pop()
    _check_order(found, planned=len(plan.turns))
    return tuple(_messages(found, plan.turns))


def read_message(text: str) -> str:
    """Return a single message that one side wrote, without thoughts, quotation marks and a name before it.

    Raises:
        MalformedReply: nothing is left, or it goes on with further messages.
    """
    content = _SPEAKER.sub("", _without_thoughts(text).strip()).strip()
    if len(content) > 1 and content[-1] == _QUOTES.get(content[0]) and content[0] not in content[1:-1]:
        content = content[1:-1].strip()
    if not content:
        raise MalformedReply("empty")
    if _NAMED_LINE.search(content):
        raise MalformedReply("goes on with further messages")
    _check_text(content)
    return content


def _without_thoughts(text: str) -> str:
    if len(text) > _LONGEST_REPLY:
        raise MalformedReply(f"more than {_LONGEST_REPLY} characters")
    text = _THOUGHTS.sub("", text)
    if _OPEN_THOUGHTS.match(text):
        raise MalformedReply("cut off in its thoughts")
    return text


def _from_json(text: str) -> Iterator[tuple[_Role, str]]:
    for number, turn in enumerate(_last_turns(text), start=1):
        if not isinstance(turn, dict) or not turn.keys() & {"user", "assistant"}:
            raise MalformedReply(f'turn {number} is not {{"user": ..., "assistant": ...}}')
        if turn.get("user") is not None:
            yield "user", _text(turn["user"], number)
        if turn.get("assistant") is not None:
            yield "assistant", _text(turn["assistant"], number)


def _last_turns(text: str) -> list[Any]:
    """Return the last list of turns: a draft, or the format repeated, may stand before it."""
    decoder = json.JSONDecoder()
    turns: list[Any] = []
    wrong = ""
    position = drafts = 0
    while (match := _TURNS.search(text, position)) and drafts < _MOST_DRAFTS:
        drafts += 1
        try:
            turns, position = decoder.raw_decode(text, match.end())
            wrong = "" if _AFTER_TURNS.match(text, position) else "the object is not closed"
        except (ValueError, RecursionError) as error:
            position = match.end()
            wrong = error.msg if isinstance(error, json.JSONDecodeError) else type(error).__name__
    if wrong:
        raise MalformedReply(f"JSON that is cut off or wrong: {wrong}")
    return turns


def _text(value: object, number: int) -> str:
    if not isinstance(value, str):
        raise MalformedReply(f"turn {number} has something else than text")
    return value.strip()


def _from_marks(text: str) -> Iterator[tuple[_Role, str]]:
    marks = list(_MARK.finditer(text))
    if not marks:
        return
    end = len(text)
    # An open fence before the first mark: the conversation stands in it, and ends where the last one closes.
    if len(_FENCE.findall(text, 0, marks[0].start())) % 2:
        fences = list(_FENCE.finditer(text, marks[-1].end()))
        if not fences:
            raise MalformedReply("cut off: the fence around it is not closed")
        end = fences[-1].start()
    ends = [mark.start() for mark in marks[1:]] + [end]
    for mark, until in zip(marks, ends, strict=True):
        role: _Role = "user" if mark["role"].lower() == "user" else "assistant"
        yield role, text[mark.end() : until].strip()


def _check_order(found: Sequence[tuple[_Role, str]], *, planned: int) -> None:
    users = sum(role == "user" for role, _ in found)
    if users != planned:
        raise MalformedReply(f"{users} user {'message' if users == 1 else 'messages'}, and {planned} were planned")
    for number, ((role, _), (following, _)) in enumerate(itertools.pairwise(found), start=1):
        if role == following:
            raise MalformedReply(f"messages {number} and {number + 1} are both the {role}'s")
    for number, (role, content) in enumerate(found, start=1):
        if not content:
            raise MalformedReply(f"message {number}, the {role}'s, is empty")


def _messages(found: Sequence[tuple[_Role, str]], planned: Sequence[PlannedTurn]) -> Iterator[Message]:
    turns = iter(planned)
    for role, content in found:
        _check_text(content)
        if role == "assistant":
            yield Message(role=role, content=content)
            continue
        turn = next(turns)
        if _repeats(content, turn.intent):
            raise MalformedReply("a user message repeats the plan")
        yield Message(role=role, content=content, task=turn.task)


def _repeats(content: str, intent: str) -> bool:
    """Whether a message is the plan's own words; a short intent may be a part of what people say."""
    content, intent = content.casefold(), intent.casefold()
    return content.strip(" .").removeprefix("the user ") == intent or (
        len(intent) >= _LONG_INTENT and intent in content
    )


def _check_text(content: str) -> None:
    if _MARK.search(content):
        raise MalformedReply("a message has another one in it")
    if control := _CONTROL.search(content):
        raise MalformedReply(f"a control character, U+{ord(control[0]):04X}")
    try:
        whole_characters(content)
    except ValueError as error:
        raise MalformedReply(str(error)) from error
