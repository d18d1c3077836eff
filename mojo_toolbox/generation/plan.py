"""The plan of a conversation, made before a word of it is written: which task when, in which list, by whom."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mojo_toolbox.data import Task
from mojo_toolbox.data.resemblance import Vocabulary, words_of
from mojo_toolbox.errors import ConfigurationError
from mojo_toolbox.generation.few_shot import few_shot_examples
from mojo_toolbox.generation.scenarios import DEFAULT_SHARES, NEEDS_TWO_TASKS, planned_turns
from mojo_toolbox.generation.story import PlannedTurn, TurnKind
from mojo_toolbox.generation.task_file import Example, TaskFile
from mojo_toolbox.generation.voices import DEFAULT_LANGUAGES, Voice, checked_languages, draw_voice
from mojo_toolbox.generation.weights import checked_shares, evenly_drawn

__all__ = ["DEFAULT_SHARES", "Plan", "PlannedTurn", "TurnKind", "Voice", "plan"]

_SHORTEST_LIST, _LONGEST_LIST = 4, 20
# What is asked for in vain must not be what a listed task does too. Of the weight of a task's words, so much may be shared.
_MOST_SHARED = 0.35
_TRIES = 10  # tasks that are looked at for one that can be asked for in vain


@dataclass(frozen=True)
class Plan:
    """A conversation that is still to be written."""

    number: int
    id: str
    """"gen-<seed>-<number>"."""
    scenario: str
    """One of `DEFAULT_SHARES`."""
    tasks: tuple[Task, ...]
    """The listed tasks, in this order."""
    turns: tuple[PlannedTurn, ...]
    """The user's turns, in order."""
    voice: Voice
    examples: tuple[Example, ...] = ()
    """Examples for few-shot prompts, from the task file or from other products."""
    about: str = ""
    """The product, in the task file's words."""

    def task(self, name: str | None) -> Task | None:
        """Return the listed task of that name."""
        return next((task for task in self.tasks if task.name == name), None)

    def as_record(self) -> dict[str, Any]:
        """Return the plan for a conversation's `meta`. The conversation itself has the tasks and labels."""
        return {
            "number": self.number,
            "scenario": self.scenario,
            "turns": [{"kind": turn.kind, "intent": turn.intent} for turn in self.turns],
            "voice": dict(vars(self.voice)),
        }


def plan(
    number: int,
    spec: TaskFile,
    *,
    seed: int,
    shares: Mapping[str, float] | None = None,
    languages: Mapping[str, float] | None = None,
) -> Plan:
    """Return the plan of this number: the same one for the same seed, tasks and shares, on any machine.

    The first numbers have the shares and the tasks evenly, so that small sets are balanced too.

    Args:
        number: from 0.
        spec: the tasks; of more than 20 a conversation lists a part.
        seed: of all that is drawn.
        shares: how often each scenario occurs, such as {"switch": 1, "ending": 1}; by default `DEFAULT_SHARES`.
        languages: how often each language is spoken, such as {"English": 3, "French": 1}; by default only English.

    Raises:
        ConfigurationError: a scenario that there is not or that needs more tasks, or a share that is none.
    """
    wanted = _possible(shares, len(spec.tasks))
    spoken = checked_languages(DEFAULT_LANGUAGES if languages is None else languages)

    # A stream of its own for each: to change one setting leaves what the others draw as it was.
    def draws(what: str) -> random.Random:
        return random.Random(f"{seed}:{what}:{number}")

    scenario = evenly_drawn(wanted, number, offset=random.Random(f"{seed}:scenario").random())
    first = _in_turn(spec.tasks, number, seed)
    listed, unlisted = _task_list(spec, first, draws("list"))
    cast = [first, *(task for task in listed if task.name != first.name)]
    turns = planned_turns(scenario, cast, unlisted=unlisted, rng=draws("turns"))
    return Plan(
        number=number,
        id=f"gen-{seed}-{number}",
        scenario=scenario,
        tasks=tuple(listed),
        turns=turns,
        voice=draw_voice(draws("voice"), languages=spoken, users=spec.users),
        examples=few_shot_examples(spec, draws("examples")),
        about=spec.about,
    )


def _possible(shares: Mapping[str, float] | None, tasks: int) -> dict[str, float]:
    """Return the shares of the scenarios that so many tasks can play."""
    if shares is None:
        shares = {name: share for name, share in DEFAULT_SHARES.items() if tasks > 1 or name not in NEEDS_TWO_TASKS}
    wanted = checked_shares("scenarios", shares, DEFAULT_SHARES)
    if tasks < 2 and (impossible := sorted(NEEDS_TWO_TASKS & set(wanted))):  # noqa: PLR2004 - as the name says
        raise ConfigurationError(
            f"The scenario {impossible[0]} needs two tasks, and there is only one. Add tasks, or give it the share 0."
        )
    return wanted


def _in_turn(tasks: Sequence[Task], number: int, seed: int) -> Task:
    """The task that is mostly wanted: each in its turn, in another order every round."""
    turn, place = divmod(number, len(tasks))
    order = list(range(len(tasks)))
    random.Random(f"{seed}:round:{turn}").shuffle(order)
    return tasks[order[place]]


def _task_list(spec: TaskFile, first: Task, rng: random.Random) -> tuple[list[Task], Task | None]:
    """Return a part of the tasks with `first` in it, shuffled; and one that is not in it, where that can be told."""
    others = [task for task in spec.tasks if task.name != first.name]
    rng.shuffle(others)
    longest = min(len(others), _LONGEST_LIST - 1)
    number = rng.randint(min(longest, _SHORTEST_LIST - 1), longest)
    listed = [first, *others[:number]]
    unlisted = next((task for task in others[number:][:_TRIES] if not _resembles(task, listed, spec.vocabulary)), None)
    rng.shuffle(listed)
    return listed, unlisted


def _resembles(task: Task, listed: Sequence[Task], vocabulary: Vocabulary) -> bool:
    own = frozenset().union(*words_of(task))
    weight = vocabulary.weight(own)
    for other in listed:
        others = frozenset().union(*words_of(other))
        if vocabulary.weight(own & others) >= _MOST_SHARED * min(weight, vocabulary.weight(others)):
            return True
    return False
