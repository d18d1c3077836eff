"""The task list of a conversation: read from a file, drawn from a larger one, in an order of its own."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mojo_toolbox.data.conversations import Task, describe, parse_listed_task, require_distinct
from mojo_toolbox.data.importers.json_stream import read_json_values
from mojo_toolbox.errors import ConfigurationError, DataError
from mojo_toolbox.errors.sentences import sentence

# Of a drawn list, so many come from the group of what is wanted: without near ones every choice is easy.
_NEAR_SHARE = 3
# Words that are not spelled as the name of an intent spells them.
_SPELLINGS = {"pto": "PTO"}


def read_tasks(path: Path | str) -> tuple[Task, ...]:
    """Read a task file: a JSON list of {name, description} or of names, {name: description}, or a file of conversations.

    Of conversations the first one's tasks are taken.

    Raises:
        DataError: no such file, not JSON, no tasks in it, or tasks that cannot be used.
    """
    path = Path(path)
    try:
        tasks = tuple(parse_listed_task(entry) for entry in _entries(path))
        require_distinct(tasks)
    except ValidationError as error:
        raise DataError(f"not a list of tasks: {sentence(describe(error))}", path=path) from error
    except DataError:
        raise
    except ValueError as error:
        raise DataError(f"not a list of tasks: {sentence(error)}", path=path) from error
    if not tasks:
        raise DataError('holds no tasks; it should look like [{"name": "…", "description": "…"}].', path=path)
    return tasks


def _entries(path: Path) -> list[Any]:
    values = read_json_values(path)
    _, first = next(values)
    if isinstance(first, dict) and isinstance(first.get("tasks"), list):
        return list(first["tasks"])
    # An object with a description is a task whose name is missing or misspelt.
    if isinstance(first, dict) and not {"name", "description"} & first.keys():
        return [{"name": name, "description": description} for name, description in first.items()]
    entries = [first, *(value for _, value in values)]
    return [{"name": e, "description": describe_name(e)} if isinstance(e, str) else e for e in entries]


def describe_name(name: str, *, group: str | None = None) -> str:
    """Return a description for a task of which only the name is known, such as report_lost_card."""
    spelled = " ".join(_SPELLINGS.get(word, word) for word in name.replace("_", " ").replace("-", " ").split())
    about = "" if group is None else f" ({group.replace('_', ' ')})"
    return f"The user wants help with: {spelled}{about}."


class TaskLists:
    """Draws the list of each conversation out of all tasks of a source.

    The same seed and key draw the same list, whatever was drawn before. `length` None lists all tasks. In a share
    `withhold` of the conversations one wanted task is left off the list, with the tasks of its group if `groups` names
    them, so that nothing on the list fits.
    """

    def __init__(
        self,
        tasks: Collection[Task],
        *,
        length: int | None = None,
        withhold: float = 0.0,
        seed: int = 0,
        groups: Mapping[str, str] | None = None,
    ) -> None:
        require_share(withhold)
        if length is not None and length < 1:
            raise ConfigurationError(f"A list of {length} tasks is none: 1 is the least.")
        self.names = {task.name: task for task in tasks}
        self._length = len(self.names) if length is None else length
        self._withhold = withhold
        self._seed = seed
        self._groups = dict(groups or {})

    def draw(self, key: str, wanted: Iterable[str]) -> tuple[list[Task], frozenset[str]]:
        """Return the list of the conversation `key`, in random order, and the tasks that were withheld from it."""
        rng = random.Random(f"{self._seed} {key}")
        asked = sorted(set(wanted))
        withheld = self._withheld(rng, asked)
        chosen = [name for name in asked if name not in withheld]
        others = [name for name in self.names if name not in withheld and name not in chosen]
        rng.shuffle(others)
        groups = {self._groups[name] for name in chosen if name in self._groups}
        near = [name for name in others if self._groups.get(name) in groups]
        far = [name for name in others if self._groups.get(name) not in groups]
        room = max(0, self._length - len(chosen))
        some = min(len(near), self._length // _NEAR_SHARE)
        # Where the other groups are used up, more of the near ones fill the list.
        chosen += [*near[:some], *far, *near[some:]][:room]
        rng.shuffle(chosen)
        return [self.names[name] for name in chosen], withheld & set(asked)

    def _withheld(self, rng: random.Random, asked: list[str]) -> frozenset[str]:
        if not asked or rng.random() >= self._withhold:
            return frozenset()
        name = rng.choice(asked)
        group = self._groups.get(name)
        together = {other for other in self.names if other == name or (group and self._groups.get(other) == group)}
        # A list cannot be empty.
        return frozenset(together) if len(together) < len(self.names) else frozenset()


def require_share(value: float) -> None:
    """Refuse what is no share.

    Raises:
        ConfigurationError: `value` is not between 0 and 1.
    """
    if not 0 <= value <= 1:
        raise ConfigurationError(f"The share of conversations with a withheld task is between 0 and 1, not {value:g}.")
