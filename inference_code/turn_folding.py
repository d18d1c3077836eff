"""Which of the oldest turns are left out of a conversation that is longer than the context; pure.

Servers keep no conversations, so what is left out must follow from the messages alone, and must stay the same over many
following turns: else each turn's prompt would begin differently and no kept prefix would serve it. So the history is
replayed: at the first turn that does not fit, turns are dropped from the front until those before it take half of the room;
then nothing changes until it is full again. Only turns up to the asked one decide, so the next request replays the same.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

# More than people's text has in any language. Beyond it a text need not be tokenised to know that it does not fit.
_CHARACTERS_A_TOKEN = 8
# A message without content takes some tokens too.
_CHARACTERS_A_MESSAGE = 16


@dataclass(frozen=True)
class Exchanges:
    """A conversation cut before each user message: `starts[j]` is the index of the first message of exchange j.

    What stands before `head` (the system message) belongs to none.
    """

    head: int
    starts: list[int]

    def without_first(self, count: int, messages: Sequence[dict[str, str]]) -> list[dict[str, str]]:
        """Return the messages without those of the first `count` exchanges; a system message is never left out."""
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


def surely_too_old(cut: Exchanges, messages: Sequence[dict[str, str]], context_length: int) -> int:
    """Count exchanges that lie so far back, by characters, that they need not be tokenised.

    It grows in strides of a whole context and more, so prompts seldom begin anew for its sake.
    """
    weights = [len(message["content"]) + _CHARACTERS_A_MESSAGE for message in messages[cut.head :]]
    upto = [0, *itertools.accumulate(weights)]
    stride = _CHARACTERS_A_TOKEN * context_length
    if upto[-1] <= 2 * stride:
        return 0
    edge = (upto[-1] - stride) // stride * stride
    begins = (j for j, start in enumerate(cut.starts) if upto[start - cut.head] >= edge)
    return next(begins, len(cut.starts) - 1)


def exchanges_to_drop(begins: Sequence[int], asked: Sequence[int], limit: int) -> int:
    """Replay a conversation and count the exchanges that are left out when its last turn is asked.

    `begins[j]` is where exchange j begins, in tokens from the start of the whole conversation, and `asked[j]` the length of
    the prompt that asked for its answer. `limit` is what a prompt may have.
    """
    head, dropped = begins[0], 0
    for j, (begin, length) in enumerate(zip(begins, asked, strict=True)):
        if head + length - begins[dropped] <= limit:
            continue
        half = (limit - head - (length - begin)) // 2
        while dropped < j and begin - begins[dropped] > half:
            dropped += 1
    return dropped
