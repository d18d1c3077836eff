"""The decisions that an encoder learns from, read from a channel's chats."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from job.errors import TrainingInputError
from job.records import check_versions, checked_messages, read_records
from model_code.encoder_questions import ChoiceQuestion, labelled_questions


@dataclass(frozen=True)
class Decisions:
    """The decisions of a channel. `versions` differ in how the same conversations were augmented."""

    rows: int
    versions: tuple[tuple[ChoiceQuestion, ...], ...]

    def of_epoch(self, epoch: int) -> tuple[ChoiceQuestion, ...]:
        """Return the decisions of the version that this epoch reads. After the last one the first comes again."""
        return self.versions[epoch % len(self.versions)]


def load_decisions(channel: Path, *, fallback: str, versions: int = 1) -> Decisions:
    """Read every labelled decision of a channel. Any chat that cannot be learnt from is an error."""
    found: list[list[ChoiceQuestion]] = [[] for _ in range(max(1, versions))]
    lines = 0
    for where, record in read_records(channel):
        try:
            found[lines % len(found)] += questions_of(record, fallback=fallback)
        except TrainingInputError as error:
            raise TrainingInputError(f"{where}: {error}") from error
        lines += 1
    check_versions(channel, lines, versions)
    return Decisions(lines // versions, tuple(map(tuple, found)))


def questions_of(record: Any, *, fallback: str) -> list[ChoiceQuestion]:
    """Return the labelled decisions of one chat. `fallback` may be among its choices or not."""
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


def choice_texts(questions: Sequence[ChoiceQuestion]) -> set[str]:
    """Return the texts of all the questions' choices."""
    return {text for choices in {asked.choices for asked in questions} for text in choices}
