"""Examples for few-shot prompts: the task file's own, and where it has too few, written talks of other products."""

from __future__ import annotations

import functools
import random
from collections.abc import Sequence

from mojo_toolbox.data import Message
from mojo_toolbox.data.starter.material import Material, WrittenTalk, starter_material
from mojo_toolbox.generation.task_file import Example, TaskFile

_NUMBER = 3  # as in the study
_LOOKED_AT = 30  # examples, for so many of different tasks
_FEWEST, _MOST = 2, 6  # user turns of a talk that is shown


def few_shot_examples(spec: TaskFile, rng: random.Random) -> tuple[Example, ...]:
    """Return three examples, of different tasks where there are."""
    chosen = _of_different_tasks(spec.examples, _NUMBER, rng)
    if len(chosen) < _NUMBER:
        chosen += _of_different_tasks(starter_examples(), _NUMBER - len(chosen), rng)
    return tuple(chosen)


@functools.cache
def starter_examples() -> tuple[Example, ...]:
    """Return the beginnings of the shipped talks, up to where the task changes."""
    material = starter_material()
    return tuple(example for talk in material.talks if (example := _beginning(talk, material)) is not None)


def _beginning(talk: WrittenTalk, material: Material) -> Example | None:
    """Return the talk up to the last user turn of its first task, when that is a conversation of a fit length."""
    labels = [message.task for message in talk.messages if message.labelled]
    name = next((label for label in labels if label is not None), None)
    kept: list[Message] = []
    started = False
    for message in talk.messages:
        if message.role == "user" and message.task != name and started:
            break
        started |= message.role == "user" and message.task == name
        kept.append(message)
    while kept and kept[-1].role == "assistant":
        kept.pop()
    turns = sum(message.role == "user" for message in kept)
    task = next((known.task for known in material.domains[talk.domain] if known.task.name == name), None)
    return Example(task, tuple(kept)) if task is not None and _FEWEST <= turns <= _MOST else None


def _of_different_tasks(examples: Sequence[Example], number: int, rng: random.Random) -> list[Example]:
    chosen: list[Example] = []
    names: set[str] = set()
    for example in rng.sample(examples, min(len(examples), _LOOKED_AT)):
        if len(chosen) < number and example.task.name not in names:
            names.add(example.task.name)
            chosen.append(example)
    return chosen
