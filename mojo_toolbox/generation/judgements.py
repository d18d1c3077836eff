"""What a judge wrote becomes a task for each turn, in whatever of the usual shapes it was written."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from mojo_toolbox.data import NONE_ANSWER
from mojo_toolbox.data.resemblance import plain_name
from mojo_toolbox.spelling import canonical

_THOUGHTS = re.compile(r"<think(?:ing)?>.*?(?:</think(?:ing)?>|\Z)", re.DOTALL | re.IGNORECASE)
_LINE = re.compile(
    r"^[\s>*#`-]*(?:user\s+)?(?:turn\s*)?#?(?P<turn>\d{1,4})\b[\s*`.:)\]=-]*(?P<rest>\S.*)$", re.IGNORECASE
)
_LONGEST = 200_000  # characters that are read
_MOST_BEGINNINGS = 500  # of something that may be JSON
_NOTHING = {NONE_ANSWER, "null", "nothing", "notask", "nolistedtask", "na"}


@dataclass(frozen=True)
class Judgement:
    """What a judge said of a turn: a task of the list or None for no task; `valid` is False where it named another."""

    task: str | None
    said: str
    why: str = ""
    valid: bool = True


def read_judgements(text: str, *, turns: Sequence[int], names: Sequence[str]) -> dict[int, Judgement]:
    """Return the judgements by turn; turns that nothing usable was said of are left out.

    Args:
        text: the reply: JSON, whole or cut off, in a fence or between sentences; or lines such as "3: name".
        turns: the numbers that were asked about.
        names: the listed tasks.
    """
    text = _THOUGHTS.sub("", canonical(text[:_LONGEST]))
    # As written first: two names may differ in a blank or a capital only.
    known = {plain_name(name): name for name in names} | {name: name for name in names}
    found: dict[int, Judgement] = {}
    for turn, said, why in [*_from_json(text, turns), *_from_lines(text, known)]:
        if turn in turns and turn not in found:
            found[turn] = _judgement(said, why, known)
    return found


def _judgement(said: str | None, why: str, known: dict[str, str]) -> Judgement:
    if said is None:
        return Judgement(None, NONE_ANSWER, why)
    plain = plain_name(said)
    if name := known.get(said.strip()) or known.get(plain):
        return Judgement(name, said, why)
    return Judgement(None, said, why, valid=plain in _NOTHING)


def _from_json(text: str, turns: Sequence[int]) -> Iterator[tuple[int, str | None, str]]:
    for value in _json_values(text):
        yield from _entries(value, turns)


def _json_values(text: str) -> Iterator[Any]:
    """Yield what can be read as JSON in a text, from left to right; of something cut off, what is whole inside it."""
    decoder = json.JSONDecoder()
    place = 0
    for _ in range(_MOST_BEGINNINGS):
        beginning = re.compile(r"[{\[]").search(text, place)
        if beginning is None:
            return
        try:
            value, place = decoder.raw_decode(text, beginning.start())
            yield value
        except (ValueError, RecursionError):
            place = beginning.start() + 1


def _entries(value: Any, turns: Sequence[int]) -> Iterator[tuple[int, str | None, str]]:
    """Yield (turn, task, why) of {"turns": [...]}, {"turn": 3, "task": ...}, {"3": ...}, or a name for each turn in order."""
    if isinstance(value, list):
        if len(value) == len(turns) and all(entry is None or isinstance(entry, str) for entry in value):
            yield from ((turn, entry, "") for turn, entry in zip(turns, value, strict=True))
            return
        for entry in value:
            yield from _entries(entry, turns) if isinstance(entry, dict) else ()
    elif isinstance(value, dict):
        turn = _number(value.get("turn", value.get("number", value.get("id"))))
        if turn is not None and "task" in value:
            yield from _told(turn, value)
            return
        for key, entry in value.items():
            turn = _number(key)
            if turn is None and isinstance(entry, list | dict):
                yield from _entries(entry, turns)
            elif turn is not None:
                yield from _told(turn, entry if isinstance(entry, dict) else {"task": entry})


def _told(turn: int, entry: dict[str, Any]) -> Iterator[tuple[int, str | None, str]]:
    task, why = entry.get("task", False), entry.get("why", entry.get("reason", ""))
    if task is None or isinstance(task, str):
        yield turn, task, why if isinstance(why, str) else ""


def _from_lines(text: str, known: dict[str, str]) -> Iterator[tuple[int, str | None, str]]:
    longest_first = sorted({*known.values(), NONE_ANSWER}, key=lambda name: (-len(name), name))
    for line in text.splitlines():
        match = _LINE.match(line)
        if match is None:
            continue
        rest = re.sub(r"^task\s*[:=]\s*", "", match["rest"], flags=re.IGNORECASE).strip(" *`\"'")
        for name in longest_first:
            if rest.casefold().startswith(name.casefold()) and not rest[len(name) : len(name) + 1].isalnum():
                yield int(match["turn"]), name, rest[len(name) :].strip(" *`\"':;,.()-\N{EN DASH}\N{EM DASH}")
                break


def _number(given: Any) -> int | None:
    if isinstance(given, bool) or not isinstance(given, int | str):
        return None
    match = re.fullmatch(r"\D{0,8}(\d{1,4})\.?", str(given))
    return int(match[1]) if match else None
