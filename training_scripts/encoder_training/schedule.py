"""Which decisions are read in which step. It follows from the data, the settings and the epoch's number alone."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

from encoder_training.decisions import Decisions
from encoder_training.settings import EncoderSettings
from job.errors import TrainingInputError
from model_code.encoder_questions import ChoiceQuestion

# Batches that are sorted by length together: enough for little padding, few enough for epochs to differ.
_SORTED_BATCHES = 50
# Characters of each part of a question that tell its length in tokens. Of longer parts the encoder reads an excerpt.
_MOST_USER, _MOST_ASSISTANT, _MOST_EARLIER = 400, 180, 150


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
        """Lay out `epochs`, a part of one at the end included. `max_steps` above 0 counts in place of them."""
        self._decisions = decisions
        self._batch_size = batch_size
        self._continue_share = continue_share
        self._by_length = by_length
        self._seed = seed
        self.epoch_ends: list[int] = []
        """The step after which each epoch ends. The last one is the number of steps."""
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

    def batches(self, epoch: int) -> list[list[ChoiceQuestion]]:
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

    def _sorts(self, epoch: int) -> tuple[list[ChoiceQuestion], list[ChoiceQuestion]]:
        questions = self._decisions.of_epoch(epoch)
        repeating = [asked for asked in questions if asked.right == asked.running]
        return [asked for asked in questions if asked.right != asked.running], repeating

    def _sampled(self, repeating: Sequence[ChoiceQuestion]) -> int:
        return math.ceil(self._continue_share * len(repeating))


def scheduled(train: Decisions, settings: EncoderSettings) -> Schedule:
    """Lay out the decisions of each step."""
    return Schedule(
        train,
        epochs=settings.num_train_epochs,
        max_steps=settings.max_steps,
        batch_size=settings.per_device_train_batch_size,
        continue_share=settings.continue_share,
        by_length=settings.group_by_length,
        seed=settings.seed,
    )


def by_length(questions: Sequence[ChoiceQuestion]) -> list[ChoiceQuestion]:
    """Return the questions, those of like length together: less padding."""
    return sorted(
        questions,
        key=lambda asked: (
            min(len(asked.user), _MOST_USER)
            + min(len(asked.assistant), _MOST_ASSISTANT)
            + min(len(asked.earlier), _MOST_EARLIER)
        ),
    )
