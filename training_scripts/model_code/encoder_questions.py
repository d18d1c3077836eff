"""An encoder's question: a chat with a constrained choice, taken apart into the words that decide.

    system      …one choice a line, "description: choice"     -> the texts that describe the choices
    user        Assistant: Leaving when?                      -> context
                User: Is it going to rain there?              -> the words the answer is about
    assistant   weather                                       -> the choice that is running

Training and serving share this file, so that both see the same.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

# Of a conversation without any answer, the user turns that are decided to know what is running.
MOST_BARE_TURNS = 12
# Longer texts are cut before anything else is done with them. No tokenizer makes fewer tokens than it reads of these.
_MOST_CHARACTERS = 4096
_SPEAKER = re.compile(r"\n(User|Assistant): ")
# Speakers looked for in one message, from its end: a message of megabytes may mark hundreds of thousands.
_MOST_MARKS = 256
_LINE_BREAK = re.compile(r"\r?\n")
_COLON = re.compile(": ")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


@dataclass(frozen=True)
class ChoiceQuestion:
    """One decision to make. `running` and `right` are places in `choices`.

    `right` is `FALLBACK` for the fallback choice, and None where nobody knows.
    """

    user: str
    assistant: str
    earlier: str
    choices: tuple[str, ...]
    running: int | None = None
    right: int | None = None


FALLBACK = -1


@dataclass(frozen=True)
class ChoiceList:
    """The choices of a chat without the fallback: their names as they are answered, and the texts that describe them."""

    names: tuple[str, ...]
    texts: tuple[str, ...]


def choice_list(system: str, names: Iterable[str], *, fallback: str) -> ChoiceList:
    """Find the system message's text about each choice: its line reads "description: choice", or the choice alone."""
    every = list(names)
    # A line that is the name alone describes nothing: "" is left of it.
    described = {name: line[: -len(name) - 2] for line, name in choice_lines(system, every) if name is not None}
    wanted = [name for name in every if name != fallback]
    return ChoiceList(tuple(wanted), tuple(choice_text(name, described.get(name, "")) for name in wanted))


def choice_lines(system: str, names: Sequence[str]) -> list[tuple[str, str | None]]:
    """Return the lines of a system message, each with the one of `names` that it lists, None where it lists none."""
    lines = _LINE_BREAK.split(system)
    listing = lines[len(lines) - len(names) :] if len(lines) >= len(names) else []
    # As a rule the message ends with the list, in the order of the names: then no name can be taken for another.
    if listing and all(line == name or line.endswith(f": {name}") for line, name in zip(listing, names, strict=True)):
        return [*((line, None) for line in lines[: -len(names)]), *zip(listing, names, strict=True)]
    wanted = set(names)
    lengths = {len(name) for name in wanted}
    shortest = min(lengths, default=len(system) + 1)
    return [(line, _name_at_end(line, wanted, lengths) if len(line) >= shortest else None) for line in lines]


def choice_text(name: str, description: str) -> str:
    """Put a choice into words: its name, taken apart where it is joined as programmers join words, and its description."""
    name, description = name[:_MOST_CHARACTERS], description[:_MOST_CHARACTERS]
    words = " ".join(_CAMEL.sub(" ", name.replace("_", " ").replace("-", " ")).split())
    return f"{words}. {description}"[:_MOST_CHARACTERS] if description else words[:_MOST_CHARACTERS]


def question(messages: Sequence[dict[str, Any]], listed: ChoiceList) -> ChoiceQuestion:
    """Return the question after the last message, which is the user's."""
    last = len(messages) - 1
    running = next((m["content"] for m in reversed(messages[:last]) if m["role"] == "assistant"), None)
    users = [m["content"] for m in messages[max(0, last - 4) : last + 1] if m["role"] == "user"]
    turns = [turn for content in users for turn in _turns(content)]
    *before, asked = turns or [_Turn("User", "", 0)]
    assistant = next((turn.text for turn in reversed(before) if turn.who == "Assistant"), "")
    earlier = next((turn.text for turn in reversed(before) if turn.who == "User"), "")
    return ChoiceQuestion(
        user=asked.text,
        assistant=assistant,
        earlier=earlier,
        choices=listed.texts,
        running=listed.names.index(running) if running in listed.names else None,
    )


def labelled_questions(
    messages: Sequence[dict[str, Any]], names: Sequence[str], *, fallback: str
) -> list[ChoiceQuestion]:
    """Return a question for each answer of a chat that bears loss (`"train"` is not false), with the right answer.

    Raises:
        ValueError: an answer that is not one of `names`.
    """
    system = "\n".join(m["content"] for m in messages if m["role"] == "system")
    listed = choice_list(system, names, fallback=fallback)
    found = []
    for place, message in enumerate(messages):
        if message["role"] != "assistant" or not message.get("train", True):
            continue
        answer = message["content"]
        if answer != fallback and answer not in listed.names:
            raise ValueError(f"the answer {answer[:80]!r} is none of the choices.")
        right = FALLBACK if answer == fallback else listed.names.index(answer)
        found.append(replace(question(messages[:place], listed), right=right))
    return found


def bare_turns(messages: Sequence[dict[str, Any]], *, most: int = MOST_BARE_TURNS) -> list[list[dict[str, Any]]]:
    """Return the chats that lead to the last one turn by turn, when it comes without any answer. Otherwise return it alone.

    A caller who keeps no decisions sends the conversation in one message. To know what is running, each of its last `most`
    user turns is decided in turn. The chats of a conversation stay the same while it grows.
    """
    if any(m["role"] == "assistant" for m in messages):
        return [list(messages)]
    chats: list[list[dict[str, Any]]] = []
    for place in reversed(range(len(messages))):
        if messages[place]["role"] != "user":
            continue
        content = messages[place]["content"]
        for turn in reversed(_turns(content)):
            if turn.who == "User":
                chats.append([*messages[:place], {"role": "user", "content": content[: turn.end]}])
            if len(chats) == most:
                return chats[::-1]
    return chats[::-1]


@dataclass(frozen=True)
class _Turn:
    """One speaker's words, and where they end in the message."""

    who: str
    text: str
    end: int


def _name_at_end(line: str, names: set[str], lengths: set[int]) -> str | None:
    if line in names:
        return line
    # A name may hold ": " itself: the longest one that ends the line is meant.
    for colon in _COLON.finditer(line, max(0, len(line) - max(lengths) - 2)):
        if len(line) - colon.end() in lengths and line[colon.end() :] in names:
            return line[colon.end() :]
    return None


def _turns(content: str) -> list[_Turn]:
    """Take a user message apart by who said what. It ends with the user's words, and begins with them where no mark is.

    A mark that a user typed cannot be told from a real one, except behind the last words: these are the user's, whatever
    is written in them.
    """
    marked = f"\n{content}"
    found = deque(_SPEAKER.finditer(marked), maxlen=_MOST_MARKS)
    begins_unmarked = not found or (found[0].start() > 0 and len(found) < _MOST_MARKS)
    while found and found[-1][1] == "Assistant":
        found.pop()
    if not found:
        return [_Turn("User", content, len(content))]
    ends = [*[mark.start() for mark in found][1:], len(marked)]
    turns = [_Turn(mark[1], marked[mark.end() : end], end - 1) for mark, end in zip(found, ends, strict=True)]
    if begins_unmarked:
        end = found[0].start()
        turns.insert(0, _Turn("User", marked[1:end].rstrip("\n"), end - 1))
    return turns
