"""How varied the wording of a sample is: distinct n-grams of as many words in each file, and how conversations begin."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from mojo_toolbox.data import Conversation
from mojo_toolbox.data.likeness.shingles import plain
from mojo_toolbox.generation.quality.meanings import Value

# Of more words a smaller share is distinct, in any text: files are compared on as many.
MOST_WORDS = 50_000
_LENGTHS = {"distinct words": 1, "distinct pairs": 2, "distinct triples": 3}
_OPENING_WORDS, _OPENINGS = 3, 10


def words_said(conversations: Sequence[Conversation]) -> int:
    """Return how many words the users say, as far as they are counted."""
    total = 0
    for turn in _turns(conversations):
        total += len(turn)
        if total >= MOST_WORDS:
            return MOST_WORDS
    return total


def diversity(conversations: Sequence[Conversation], *, words: int) -> dict[str, Value]:
    """Return the figures of wording; distinct n-grams are those of the first `words` words of the users."""
    found: dict[str, set[tuple[str, ...]]] = {name: set() for name in _LENGTHS}
    totals: Counter[str] = Counter()
    left = words
    for turn in _turns(conversations):
        told = turn[:left]
        left -= len(told)
        for name, length in _LENGTHS.items():
            grams = list(zip(*(told[start:] for start in range(length)), strict=False))
            found[name].update(grams)
            totals[name] += len(grams)
        if not left:
            break
    values = {name: Value(len(found[name]) / totals[name] if totals[name] else None) for name in _LENGTHS}
    return values | {"common openings": Value(_common_openings(conversations))}


def _turns(conversations: Sequence[Conversation]) -> Iterator[list[str]]:
    for conversation in conversations:
        for message in conversation.messages:
            if message.role == "user":
                yield plain([message.content]).split()


def _common_openings(conversations: Sequence[Conversation]) -> float | None:
    """Return the share of the most common openings; None of so few conversations that each could be one of them."""
    openings: Counter[tuple[str, ...]] = Counter()
    for conversation in conversations:
        first = next(_turns([conversation]), [])
        openings[tuple(first[:_OPENING_WORDS])] += 1
    if openings.total() <= 2 * _OPENINGS:
        return None
    return sum(count for _, count in openings.most_common(_OPENINGS)) / openings.total()
