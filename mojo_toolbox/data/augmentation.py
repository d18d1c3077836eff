"""Vary conversations so that a router becomes robust: the order, length and wording of the list, and the known decisions.

Each variation prevents a failure:

- the list's order: preferring the first task
- withheld tasks: never saying "none"
- distractors and shorter lists: knowing only the lists of the training data
- renamed tasks: learning names by heart
- obscured names: not reading descriptions
- hidden decisions: failing for callers who know only the conversation

Messages never change, and every label stays true.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any

from mojo_toolbox.data.conversations import Conversation, Message, Task
from mojo_toolbox.data.resemblance import plain_name
from mojo_toolbox.data.task_pool import TaskPool
from mojo_toolbox.errors import ConfigurationError

_OBSCURE_STYLES = ("task_{}", "tool{}", "option {}", "T-{}", "skill_{}", "f{}")


@dataclass(frozen=True)
class Augmentation:
    """The settings of augmentation. Each share is a probability between 0 and 1.

    Raises:
        ConfigurationError: a share or a number out of its range.
    """

    shuffled: bool = True
    """Whether the list gets a new order every time."""
    withheld_task: float = 0.1
    """Share of examples in which a task that is in charge somewhere is taken off the list. Its turns become none."""
    fewer_tasks: float = 0.0
    """Share of examples from whose list some tasks that are never in charge are left out."""
    distractors: float = 0.3
    """Share of examples whose list gets tasks of the pool that do not fit. Without a pool no task is added."""
    max_tasks: int = 20
    """The most tasks of a list with distractors."""
    renamed_tasks: float = 0.8
    """Share of examples whose tasks are shown in another wording, if the pool has alternatives."""
    obscured_names: float = 0.0
    """Share of examples whose tasks get meaningless names, so that the router must read their descriptions."""
    hidden_decisions: float = 0.3
    """Share of examples in which the first decisions, up to a random turn, are unknown."""

    def __post_init__(self) -> None:
        """Check the ranges."""
        for field in fields(self):
            value = getattr(self, field.name)
            if field.type == "float":
                require_share(field.name, value)
            elif field.type == "int" and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
                raise ConfigurationError(f"{field.name}={value!r} must be a whole number of at least 1.")
            elif field.type == "bool" and not isinstance(value, bool):
                raise ConfigurationError(f"{field.name}={value!r} must be true or false.")


def require_share(name: str, value: object) -> None:
    """Refuse a share that is not a number between 0 and 1.

    Raises:
        ConfigurationError: it is not such a number.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ConfigurationError(f"{name}={value!r} must be a share between 0 and 1.")


# Nothing is varied: for conversations that were augmented before, or are to be learnt as they are.
AS_IT_STANDS = Augmentation(
    shuffled=False, withheld_task=0, fewer_tasks=0, distractors=0, renamed_tasks=0, obscured_names=0, hidden_decisions=0
)


def augment(
    conversation: Conversation,
    *,
    seed: int = 0,
    copy: int = 0,
    augmentation: Augmentation | None = None,
    pool: TaskPool | None = None,
) -> Conversation:
    """Return a version of the conversation. The same seed, copy, settings and pool give the same version on any machine.

    The result has an id of its own, and names its origin in `meta`.

    Args:
        conversation: the conversation to vary. Absent labels stay absent.
        seed: the seed of all random choices.
        copy: the number of the version, from 0.
        augmentation: the shares of the variations. See `Augmentation` for the defaults.
        pool: distractors and other wordings. Without it no task is added or renamed.
    """
    wanted, pool = augmentation or Augmentation(), pool or TaskPool()
    source = _source(conversation)
    tasks, turns = list(conversation.tasks), list(conversation.messages)

    # A stream of its own for each: to change one share leaves what the others draw as it was.
    def draws(what: str) -> random.Random:
        return random.Random(f"{seed}:{copy}:{what}:{source}")

    if (rng := draws("withheld")).random() < wanted.withheld_task:
        tasks, turns = _withhold(tasks, turns, rng)
    if (rng := draws("fewer")).random() < wanted.fewer_tasks:
        tasks = _leave_out_unused(tasks, turns, rng)
    if pool.distractors and (rng := draws("distractors")).random() < wanted.distractors:
        # By the whole conversation: a task that was withheld, or left out, must not come back by another name.
        tasks = [*tasks, *_distractors(conversation, pool, rng, most=wanted.max_tasks - len(tasks))]
    if pool.alternatives and (rng := draws("renamed")).random() < wanted.renamed_tasks:
        tasks, turns = _rename(tasks, turns, pool, rng)
    if (rng := draws("obscured")).random() < wanted.obscured_names:
        tasks, turns = _obscure(tasks, turns, rng)
    if wanted.shuffled:
        draws("order").shuffle(tasks)
    if (rng := draws("hidden")).random() < wanted.hidden_decisions:
        turns = _hide(turns, rng)
    origin = conversation.id or source[:12]
    return Conversation(
        id=f"{origin}#{seed}.{copy}",
        tasks=tuple(tasks),
        messages=tuple(turns),
        meta={**conversation.meta, "augmented_from": origin, "augmented_seed": seed, "augmented_copy": copy},
    )


def _source(conversation: Conversation) -> str:
    """Return a hash of what is drawn for: Python's own differs between processes."""
    record: dict[str, Any] = {**conversation.as_record(), "meta": None}
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()


def _in_charge(turns: Sequence[Message]) -> list[str]:
    return sorted({turn.task for turn in turns if turn.task is not None})


def _withhold(tasks: list[Task], turns: list[Message], rng: random.Random) -> tuple[list[Task], list[Message]]:
    occurring = _in_charge(turns)
    if not occurring or len(tasks) < 2:  # noqa: PLR2004 - a list must keep a task
        return tasks, turns
    withheld = rng.choice(occurring)
    return [task for task in tasks if task.name != withheld], [
        turn.model_copy(update={"task": None}) if turn.task == withheld else turn for turn in turns
    ]


def _leave_out_unused(tasks: list[Task], turns: list[Message], rng: random.Random) -> list[Task]:
    in_charge = _in_charge(turns)
    unused = [task for task in tasks if task.name not in in_charge]
    # With a single task there is next to nothing to decide.
    most = min(len(unused), len(tasks) - 2)
    if most < 1:
        return tasks
    gone = {task.name for task in rng.sample(unused, rng.randint(1, most))}
    return [task for task in tasks if task.name not in gone]


def _distractors(conversation: Conversation, pool: TaskPool, rng: random.Random, *, most: int) -> Iterator[Task]:
    return pool.misfits(conversation, rng=rng, most=rng.randint(1, most) if most > 0 else 0)


def _rename(
    tasks: list[Task], turns: list[Message], pool: TaskPool, rng: random.Random
) -> tuple[list[Task], list[Message]]:
    """Show each task that has alternatives in one of them; a name that another task has, or had, is not taken."""
    taken = {plain_name(task.name): task.name for task in tasks}
    renamed: list[Task] = []
    for task in tasks:
        free = [w for w in pool.wordings(task) if taken.get(plain_name(w.name), task.name) == task.name]
        shown = rng.choice(free) if free else task
        taken[plain_name(shown.name)] = task.name
        renamed.append(shown)
    return renamed, _relabelled(turns, tasks, renamed)


def _obscure(tasks: list[Task], turns: list[Message], rng: random.Random) -> tuple[list[Task], list[Message]]:
    """Name each task that has a description by a word and a number; without one, the name is all that tells it."""
    taken = {plain_name(task.name) for task in tasks}
    style = rng.choice(_OBSCURE_STYLES)
    obscured: list[Task] = []
    for task in tasks:
        name = style.format(rng.randrange(10, 1000))
        if task.description and plain_name(name) not in taken:
            taken.add(plain_name(name))
            obscured.append(Task(name=name, description=task.description))
        else:
            obscured.append(task)
    return obscured, _relabelled(turns, tasks, obscured)


def _relabelled(turns: list[Message], tasks: list[Task], shown: list[Task]) -> list[Message]:
    new_names = {task.name: other.name for task, other in zip(tasks, shown, strict=True)}
    return [turn if turn.task is None else turn.model_copy(update={"task": new_names[turn.task]}) for turn in turns]


def _hide(turns: list[Message], rng: random.Random) -> list[Message]:
    """Make unknown what was decided before a random labelled turn, which is kept."""
    labelled = [index for index, turn in enumerate(turns) if turn.labelled]
    if not labelled:
        return turns
    first_known = rng.choice(labelled)
    return [Message(role=t.role, content=t.content) if i < first_known else t for i, t in enumerate(turns)]
