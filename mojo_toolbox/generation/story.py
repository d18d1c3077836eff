"""A conversation as it goes on: the turns so far, and the task that is in charge after them."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import Template
from typing import Literal

from mojo_toolbox.data import Task
from mojo_toolbox.generation import intents

TurnKind = Literal[
    "greeting",
    "small_talk",
    "start",
    "continue",
    "switch",
    "return",
    "end",
    "uncovered",
    "two_wishes",
    "correction",
]

_LONGEST_STRETCH = 9  # turns that merely go on
_LONGEST_DESCRIPTION = 240  # characters of a description in an intent; the list has it whole


@dataclass(frozen=True)
class PlannedTurn:
    """A user turn that is still to be written."""

    kind: TurnKind
    task: str | None
    """The task in charge after the turn, which is its label."""
    intent: str
    """The user's part in the turn, in words, for the prompt."""


class Story:
    """The turns of a conversation, added one after the other; what happens next is drawn."""

    def __init__(self, cast: Sequence[Task], unlisted: Task | None, rng: random.Random) -> None:
        self.turns: list[PlannedTurn] = []
        self.first = cast[0]
        self._cast = cast
        self._unlisted = unlisted
        self._rng = rng
        self._running: Task | None = None
        self._said: list[str] = []
        # One pace a conversation, so that some are short throughout and some long; two turns a task on the average.
        self._pace = rng.lognormvariate(0.35, 0.8)

    def happens(self, probability: float) -> bool:
        """Whether something of this probability happens."""
        return self._rng.random() < probability

    def another(self, *than: Task) -> Task:
        """A task of the cast that differs from the given ones where there is one."""
        return self._rng.choice([task for task in self._cast if task not in than] or self._cast)

    def one_of(self, ways: Mapping[str, float]) -> str:
        """Draw one by its weight."""
        return self._rng.choices(list(ways), weights=list(ways.values()))[0]

    def say(self, kind: TurnKind, ways: Sequence[str], task: Task | None, other: Task | None = None) -> None:
        """Add a turn after which `task` is in charge."""
        self._running = task
        self._add(kind, ways, about=task, other=other)

    def _add(self, kind: TurnKind, ways: Sequence[str], *, about: Task | None, other: Task | None = None) -> None:
        # The same again within a few turns is rare among people; a bare answer after the other is not, and stands twice.
        fresh = [way for way in ways if way not in self._said[-4:]]
        way = self._rng.choice(fresh or ways)
        self._said.append(way)
        intent = self._worded(way, about, other)
        self.turns.append(PlannedTurn(kind, self._running.name if self._running else None, intent))

    def _worded(self, way: str, about: Task | None, other: Task | None) -> str:
        return Template(way).safe_substitute(
            task=_named(about or self.first),
            other=_named(other or self.another(*([about] if about else []))),
            topic=self._rng.choice(intents.TOPICS),
        )

    # Parts of a conversation.

    def open(self, *, small_talk: float = 0.06) -> None:
        """Before anything is wanted: mostly nothing."""
        if self.happens(0.14):
            self.say("greeting", intents.GREETING, None)
        while self.happens(small_talk):
            self.say("small_talk", intents.SMALL_TALK_BEFORE, None)
            small_talk /= 3

    def start(self, task: Task) -> None:
        """Want a task when none is running."""
        greets = not self.turns and self.happens(0.12)
        self.say("start", intents.GREETING_AND_START if greets else intents.START, task)

    def go_on(self, *, at_least: int = 0, small_talk: float = 0.04) -> None:
        """Turns after which the running task is in charge as before."""
        wanted = max(at_least, min(_LONGEST_STRETCH, int(self._rng.expovariate(1 / self._pace))))
        for _ in range(wanted):
            if self.happens(small_talk):
                self.say("small_talk", intents.SMALL_TALK_INSIDE, self._running)
            elif self.happens(0.05):
                self.say("correction", intents.CORRECT_DETAIL, self._running)
            elif len(self._cast) > 1 and self.happens(0.12):
                self.say("continue", intents.CONTINUE_MENTIONING, self._running)
            else:
                self.say("continue", intents.CONTINUE, self._running)

    def switch(self, task: Task) -> None:
        """Want another task than the running one."""
        self.say("switch", intents.SWITCH, task)

    def come_back(self, task: Task) -> None:
        """Want a task again that was left before."""
        self.say("return", intents.RETURN, task)

    def end(self, *, dropped: float = 0.25) -> None:
        """Finish the running task, or drop it with the given probability."""
        self.say("end", intents.DROP if self.happens(dropped) else intents.END, None)

    def ask_in_vain(self) -> None:
        """One turn or several in which what is wanted is in no list."""
        self._running = None
        if self._unlisted and self.happens(0.45):
            self._add("uncovered", intents.UNCOVERED_UNLISTED, about=self._unlisted)
        else:
            self._add("uncovered", intents.UNCOVERED, about=None)
        while self.happens(0.25):
            self._add("uncovered", intents.UNCOVERED_AGAIN, about=None)

    def close(self, probability: float) -> None:
        """Often the user says that it is over; otherwise the conversation just stops."""
        if self._running and self.happens(probability):
            self.end()


def _named(task: Task) -> str:
    """Name a task so that whoever writes the turn knows what it does, without having the list."""
    description = task.description
    if len(description) > _LONGEST_DESCRIPTION:
        description = description[:_LONGEST_DESCRIPTION].rsplit(" ", 1)[0] + " ..."
    return f'{task.name} ("{description}")' if description else task.name
