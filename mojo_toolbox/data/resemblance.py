"""How alike tasks and texts are by the words they use: in any language, without a model."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache

from mojo_toolbox.data.conversations import Task
from mojo_toolbox.spelling import canonical

Words = frozenset[str]

# Letters, with the vowel signs and accents that some scripts write as characters of their own.
_WORD = re.compile(r"(?:[^\W\d_]|[\u0300-\u036f\u0591-\u05bd\u064b-\u065f\u0900-\u0eff\u1000-\u109f\u1780-\u17ff])+")
_CAMEL_CASE = re.compile(r"(?<=[a-z])(?=[A-Z])")
# From Thai onwards the scripts write no blanks between words, or few.
_WITHOUT_BLANKS = "\u0e00"
# Four letters for a word: "reserve", "reservation" and "reserved" are one. Cruder than a stemmer, but of no language.
_STEM = 4
# What a small pool cannot know to be common.
_EMPTY_WORDS = """
    about all and any are can does for from get has have her his how its let not one our out some that the their them then
    there they this use user want was what when where which who will with would you your
"""
_WEIGHTLESS = frozenset(_EMPTY_WORDS.split())


def words(text: str) -> Words:
    """Return the beginnings of the words of `text`, also of names_like_this and likeThis."""
    found: set[str] = set()
    for word in _WORD.findall(_CAMEL_CASE.sub(" ", text).casefold()):
        if word[0] >= _WITHOUT_BLANKS:
            found.update(word[i : i + 2] for i in range(max(1, len(word) - 1)))
        elif len(word) > 2 and word not in _WEIGHTLESS:  # noqa: PLR2004 - "a", "to", "of"
            found.add(word[:_STEM])
    return frozenset(found)


@lru_cache(maxsize=20_000)
def words_of(task: Task) -> tuple[Words, Words]:
    """Return the words of a task's name, and of its description."""
    return words(task.name), words(task.description)


@lru_cache(maxsize=20_000)
def plain_name(name: str) -> str:
    """Return the name without case, separators and punctuation: `Find_Bus` and `findBus` are the same."""
    spelt = canonical(name)
    return "".join(character for character in spelt.casefold() if character.isalnum()) or spelt


class Vocabulary:
    """The weight of each word: high if few tasks use it, 0 if all do."""

    def __init__(self, tasks: Iterable[Task]) -> None:
        counts: Counter[str] = Counter()
        number = 0
        for task in tasks:
            name, description = words_of(task)
            counts.update(name | description)
            number += 1
        # Squared, as in a TF-IDF cosine, where the weight stands on both sides.
        self._weights = {word: math.log((number + 1) / count) ** 2 for word, count in counts.items()}
        self._rarest = math.log(number + 1) ** 2

    def weight(self, given: Words) -> float:
        """Return the weight of the words together."""
        return sum(self._weights.get(word, self._rarest) for word in given)

    def coverage(self, part: Words, whole: Words) -> float:
        """Return the share (0 to 1) of the weight of `part` that `whole` also has."""
        total = self.weight(part)
        return self.weight(part & whole) / total if total else 0.0
