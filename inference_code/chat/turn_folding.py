"""Which of the oldest turns are left out of a conversation that is longer than the context. Pure.

Servers keep no conversations, so the omitted turns must follow from the messages alone, and must stay the same over many
following turns: else each turn's prompt would begin differently and no kept prefix would serve it. So the history is
replayed: at the first turn that does not fit, turns are dropped from the front until those before it take half of the room.
Then nothing changes until it is full again. Only turns up to the asked one decide, so the next request replays the same.

A caller who keeps no decisions sends a transcript: all turns in one user message, each marked with who speaks. Its turns are
left out in the same way.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass

# More than people's text has in any language. Beyond it a text need not be tokenised to know that it does not fit.
_CHARACTERS_A_TOKEN = 8
# A message without content takes some tokens too.
_CHARACTERS_A_MESSAGE = 16
# Who speaks, as the library's prompt marks it (mojo_toolbox/purposes/routing/prompt.py) and encoder_questions.py reads it.
_USER_MARK = re.compile(r"\nUser: ")
_ASSISTANT_MARK = "\nAssistant: "


@dataclass(frozen=True)
class Exchanges:
    """A conversation cut before each user message: `starts[j]` is the index of the first message of exchange j.

    The messages before `head` (the system message) belong to no turn.
    """

    head: int
    starts: list[int]

    def without_first(self, count: int, messages: Sequence[dict[str, str]]) -> list[dict[str, str]]:
        """Return the messages without those of the first `count` exchanges. System messages stay."""
        kept_from = self.starts[count]
        return [m for i, m in enumerate(messages) if i < self.head or i >= kept_from or m["role"] == "system"]


def exchanges(messages: Sequence[dict[str, str]]) -> Exchanges:
    """Cut a conversation so that each exchange can be left out whole: a user message and the answers to it.

    The last exchange, which holds the last message, is there always.
    """
    roles = [message["role"] for message in messages]
    head = next((i for i, role in enumerate(roles) if role != "system"), len(roles) - 1)
    starts = [head, *(i for i in range(head + 1, len(roles)) if roles[i] == "user")]
    return Exchanges(head, starts)


@dataclass(frozen=True)
class TranscriptTurn:
    """The user's words and the answer, with the marks: `said + answered` is their text in the transcript."""

    said: str
    answered: str


def turn_starts(content: str) -> list[int]:
    """Return where a transcript's turns begin: at each of the user's marks. A transcript without marks is one turn."""
    return [0, *(mark.start() + 1 for mark in _USER_MARK.finditer(content))]


def transcript_turns(content: str, starts: Sequence[int]) -> list[TranscriptTurn]:
    """Cut a transcript at `starts`, the last of its turns' starts. Its last turn is the user's throughout."""
    turns = []
    for start, end in itertools.pairwise(starts):
        said, mark, answered = content[start:end].partition(_ASSISTANT_MARK)
        turns.append(TranscriptTurn(said, mark + answered))
    return [*turns, TranscriptTurn(content[starts[-1] :], "")]


def messages_between(content: str, starts: Sequence[int]) -> int:
    """Count the words and the answers from the first to the last of these turns, without the last."""
    return sum(1 + (content.find(_ASSISTANT_MARK, *turn) >= 0) for turn in itertools.pairwise(starts))


def exchange_lengths(cut: Exchanges, messages: Sequence[dict[str, str]]) -> list[int]:
    """Count the characters of each exchange, with some for a message without content."""
    bounds = itertools.pairwise([*cut.starts, len(messages)])
    return [sum(len(m["content"]) + _CHARACTERS_A_MESSAGE for m in messages[start:end]) for start, end in bounds]


def surely_too_old(lengths: Sequence[int], context_length: int) -> int:
    """Count exchanges that are so far back, by their `lengths` in characters, that they need not be tokenised.

    It grows in strides of a whole context and more, so prompts seldom begin anew for its sake.
    """
    upto = [0, *itertools.accumulate(lengths)]
    stride = _CHARACTERS_A_TOKEN * context_length
    if upto[-1] <= 2 * stride:
        return 0
    edge = (upto[-1] - stride) // stride * stride
    begins = (j for j, begin in enumerate(upto[:-1]) if begin >= edge)
    return next(begins, len(lengths) - 1)


def exchanges_to_drop(begins: Sequence[int], asked: Sequence[int], limit: int) -> int:
    """Replay a conversation and count the exchanges that are left out when its last turn is asked.

    `begins[j]` is where exchange j begins, in tokens from the start of the whole conversation, and `asked[j]` the length of
    the prompt that asked for its answer. `limit` is the most that a prompt may have.
    """
    head, dropped = begins[0], 0
    for j, (begin, length) in enumerate(zip(begins, asked, strict=True)):
        if head + length - begins[dropped] <= limit:
            continue
        half = (limit - head - (length - begin)) // 2
        while dropped < j and begin - begins[dropped] > half:
            dropped += 1
    return dropped
