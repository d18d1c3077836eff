"""The decisions that an encoder learns from: read from a channel's chats, laid out in batches epoch by epoch.

What an epoch reads follows from the data, the settings and the epoch's number alone, so that a resumed run goes on with the
very batch that it would have read.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from job.records import check_versions, checked_messages, read_records
from job.settings import TrainingInputError
from model_code.encoder_questions import Question, labelled_questions

# Batches that are sorted by length together: enough for little padding, few enough for epochs to differ.
_SORTED_BATCHES = 50
# Characters of each part of a question that tell its length in tokens; of longer parts the encoder reads an excerpt.
_MOST_USER, _MOST_ASSISTANT, _MOST_EARLIER = 400, 180, 150


@dataclass(frozen=True)
class Decisions:
    """The decisions of a channel; `versions` differ in how the same conversations were augmented."""

    rows: int
    versions: tuple[tuple[Question, ...], ...]

    def of_epoch(self, epoch: int) -> tuple[Question, ...]:
        """Return the decisions of the version that this epoch reads; after the last one the first comes again."""
        return self.versions[epoch % len(self.versions)]


def load_decisions(channel: Path, *, fallback: str, versions: int = 1) -> Decisions:
    """Read every labelled decision of a channel; any chat that cannot be learnt from is an error."""
    found: list[list[Question]] = [[] for _ in range(max(1, versions))]
    lines = 0
    for where, record in read_records(channel):
        try:
            found[lines % len(found)] += questions_of(record, fallback=fallback)
        except TrainingInputError as error:
            raise TrainingInputError(f"{where}: {error}") from error
        lines += 1
    check_versions(channel, lines, versions)
    return Decisions(lines // versions, tuple(map(tuple, found)))


def questions_of(record: Any, *, fallback: str) -> list[Question]:
    """Return the labelled decisions of one chat; `fallback` may stand among its choices or not."""
    messages, names = checked_messages(record), checked_choices(record)
    decided = [place for place, message in enumerate(messages) if message["role"] == "assistant"]
    if any(place == 0 or messages[place - 1]["role"] != "user" for place in decided):
        raise TrainingInputError("an assistant message follows none of the user's: there is nothing that it answers.")
    try:
        questions = labelled_questions(messages, names, fallback=fallback)
    except ValueError as error:
        raise TrainingInputError(str(error)) from error
    if not questions:
        raise TrainingInputError("no assistant message bears loss, so there is nothing to learn from it.")
    return questions


def checked_choices(record: Any) -> list[str]:
    """Return the names that the record's answers are chosen from."""
    names = record.get("choices")
    if not isinstance(names, list) or not names or not all(isinstance(name, str) and name for name in names):
        raise TrainingInputError('expected "choices": the names that answer this chat, such as ["book_table", "none"].')
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise TrainingInputError(f"the choice {twice[:80]!r} stands in the list more than once.")
    return names


class Schedule:
    """Which decisions are read in which step.

    Of the decisions that merely repeat the running choice, the many and the easy ones, each epoch reads another sample.
    """

    def __init__(
        self,
        decisions: Decisions,
        *,
        epochs: float,
        max_steps: int,
        batch_size: int,
        continue_share: float,
        by_length: bool,
        seed: int,
    ) -> None:
        """Lay out `epochs`, a part of one at the end included; `max_steps` above 0 counts in place of them."""
        self._decisions = decisions
        self._batch_size = batch_size
        self._continue_share = continue_share
        self._by_length = by_length
        self._seed = seed
        self.epoch_ends: list[int] = []
        """The step after which each epoch ends; the last one is the number of steps."""
        end = 0
        while end < max_steps if max_steps > 0 else len(self.epoch_ends) < epochs:
            share = 1.0 if max_steps > 0 else min(1.0, epochs - len(self.epoch_ends))
            end += math.ceil(share * self.full_steps(len(self.epoch_ends)))
            self.epoch_ends.append(min(end, max_steps) if max_steps > 0 else end)

    def full_steps(self, epoch: int) -> int:
        """Return how many steps this epoch has when it is read to its end."""
        others, repeating = self._sorts(epoch)
        count = len(others) + self._sampled(repeating)
        if not count:
            raise TrainingInputError(
                "With continue_share=0 no decision is left to learn from: all of them repeat the running choice."
            )
        return math.ceil(count / self._batch_size)

    def batches(self, epoch: int) -> list[list[Question]]:
        """Return the batches of this epoch, those that it may not come to included."""
        rng = random.Random(f"epoch {epoch} of seed {self._seed}")
        others, repeating = self._sorts(epoch)
        read = others + rng.sample(repeating, self._sampled(repeating))
        rng.shuffle(read)
        if self._by_length:
            pool = _SORTED_BATCHES * self._batch_size
            read = [asked for start in range(0, len(read), pool) for asked in by_length(read[start : start + pool])]
        found = [read[start : start + self._batch_size] for start in range(0, len(read), self._batch_size)]
        rng.shuffle(found)
        return found

    def _sorts(self, epoch: int) -> tuple[list[Question], list[Question]]:
        questions = self._decisions.of_epoch(epoch)
        repeating = [asked for asked in questions if asked.right == asked.running]
        return [asked for asked in questions if asked.right != asked.running], repeating

    def _sampled(self, repeating: Sequence[Question]) -> int:
        return math.ceil(self._continue_share * len(repeating))


def by_length(questions: Sequence[Question]) -> list[Question]:
    """Return the questions, those of like length together: less padding."""
    return sorted(
        questions,
        key=lambda asked: (
            min(len(asked.user), _MOST_USER)
            + min(len(asked.assistant), _MOST_ASSISTANT)
            + min(len(asked.earlier), _MOST_EARLIER)
        ),
    )


def choice_texts(questions: Sequence[Question]) -> set[str]:
    """Return the texts of all the questions' choices."""
    return {text for choices in {asked.choices for asked in questions} for text in choices}
