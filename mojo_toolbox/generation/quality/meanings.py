"""A figure of a set of conversations, and what each one means in a sentence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mojo_toolbox.data.decision_kinds import POINTS

# share: from 0 to 1. spread: a median, with the 5% and the 95% quantile as low and high.
Unit = Literal["count", "share", "spread"]


@dataclass(frozen=True)
class Value:
    """A figure of one file; None where there is nothing to count."""

    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Figure:
    """A figure of the file, and of the reference if there is one."""

    name: str
    group: str
    unit: Unit
    meaning: str
    here: Value
    reference: Value | None


# Group -> name -> what is counted in, and what it means. The order is the report's.
FIGURES: dict[str, dict[str, tuple[Unit, str]]] = {
    "Size": {
        "conversations": ("count", "Conversations in the file."),
        "user turns": ("count", "Turns of users, labelled or not."),
        "labelled": ("share", "User turns whose task in charge is known."),
    },
    "Labels": {
        "tasks": ("count", "Tasks that are in charge at least once."),
        "largest task": ("share", "The most frequent task, of all turns with a task: a router learns to prefer it."),
        "evenness": (
            "share",
            "1 if all tasks are in charge as often, near 0 if nearly always the same one is (entropy).",
        ),
        **{
            point: ("share", meaning)
            for point, meaning in zip(
                POINTS,
                (
                    "Turns that start a task, of the labelled ones.",
                    "Turns that go on with the task.",
                    "Turns that change from a task to another.",
                    "Turns that end a task.",
                    "Turns without a task that follow such a turn: greetings, small talk, wishes that no task covers.",
                ),
                strict=True,
            )
        },
    },
    "Courses": {
        "one label": (
            "share",
            "Conversations whose labels never change: too many, and a router learns that tasks never end.",
        ),
        "with a switch": ("share", "Conversations that change from a task to another at least once."),
        "with a return": ("share", "Conversations that come back to a task that they had left."),
        "with an end": ("share", "Conversations in which a task ends before the conversation does, or with it."),
        "never a task": ("share", "Conversations in which no listed task is ever wanted."),
    },
    "Lengths": {
        "turns": ("spread", "User turns a conversation: median, and from the 5% to the 95% quantile."),
        "user's turn": ("spread", "Characters of a user's turn; people vary more than models do."),
        "assistant's turn": ("spread", "Characters of an assistant's turn."),
        "listed tasks": ("spread", "Tasks in a conversation's list."),
    },
    "Wording": {
        "distinct words": ("share", "Different words of all words that users say: the more, the more varied."),
        "distinct pairs": ("share", "Different pairs of words in a row, of all pairs."),
        "distinct triples": ("share", "Different triples of words in a row, of all triples."),
        "common openings": ("share", "Conversations that begin with one of the file's ten most common three words."),
        "turns said again": (
            "share",
            "User turns of four words or more that another turn of the file has said already.",
        ),
        "small beginning": ("share", "User turns that begin with a small letter, as people in a hurry write them."),
        "no full stop": ("share", "User turns that end without a punctuation mark."),
    },
    "Repetition": {
        "duplicates": ("share", "Conversations with the messages of an earlier one, or nearly."),
        "near the reference": ("share", "Conversations that resemble one of the reference: copied, not written."),
    },
    "Review": {
        "marked": ("share", "Conversations of which a second pass marked a turn for review."),
    },
}
