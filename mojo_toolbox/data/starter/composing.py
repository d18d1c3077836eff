"""Conversations composed of the starter material, without end: who starts what, goes on, turns to another wish, ends.

A router that is trained on one team's conversations alone learns their style. These teach it what is the same everywhere:
to read descriptions, to tell near neighbours apart, and to say none.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from mojo_toolbox.data.conversations import Conversation, Message
from mojo_toolbox.data.starter.material import Material, StarterTask, starter_material
from mojo_toolbox.data.task_pool import TaskPool

# How many conversations of a hundred are a single turn (the hardest, and the most alike from team to team), one errand
# after the other (many starts and switches for one reading of the list), a talk put together, or one that was written whole.
_SHAPES = {"single": 25, "errands": 20, "talk": 20, "written": 35}
# What happens after a task's turns, with the weight of each.
_NEXT = {"close": 3, "switch": 4, "unlisted": 1, "aside": 1, "stop": 2}
_REPLIES = ("One moment, please.", "All right, I'm on it.", "Understood.", "Let me see.", "Noted. What else?", "Okay.")
_LONGEST_LIST = 24
# A chatty assistant's tasks are small talk and farewells: asides and closings would belong to one of them.
_CHATTY = "companion"


def starter_conversations(count: int, *, seed: int = 0, material: Material | None = None) -> Iterator[Conversation]:
    """Yield `count` conversations. For the same seed the first ones are the same, whatever the count.

    Args:
        count: the number of conversations.
        seed: the seed of all random choices.
        material: the tasks and turns to compose them of. By default all shipped ones.
    """
    for number in range(count):
        yield starter_conversation(number, seed=seed, material=material)


def starter_conversation(number: int, *, seed: int = 0, material: Material | None = None) -> Conversation:
    """Return the conversation of this number, from 0, among those of `seed`."""
    rng = random.Random(f"{seed}:{number}")
    return _Composer(material or starter_material(), rng).conversation(f"starter-{seed}-{number}")


def starter_pool(material: Material | None = None) -> TaskPool:
    """Return the starter tasks as distractors, and their other wordings, to augment with."""
    material = material or starter_material()
    return TaskPool(
        (task.task for task in material.tasks), alternatives={task.task.name: task.wordings for task in material.tasks}
    )


class _Composer:
    """Draws one conversation."""

    def __init__(self, material: Material, rng: random.Random) -> None:
        self._material = material
        self._rng = rng
        self._listed = self._task_list(material.domains)
        self._turns: list[Message] = []

    def conversation(self, identifier: str) -> Conversation:
        rng = self._rng
        shape = rng.choices(list(_SHAPES), weights=list(_SHAPES.values()))[0]
        if shape == "written" and self._material.talks:
            self._written()
        elif shape in {"single", "errands"}:
            self._errands(1 if shape == "single" else rng.randint(3, 8))
        else:
            self._talk()
        shown = list(self._listed)
        rng.shuffle(shown)
        return Conversation(
            id=identifier,
            tasks=tuple(task.task for task in shown),
            messages=tuple(self._turns),
            meta={"origin": "starter"},
        )

    def _written(self) -> None:
        """A talk as it was written, its domain's tasks listed with some of others."""
        rng = self._rng
        talk = rng.choice(self._material.talks)
        wanted = {message.task for message in talk.messages}
        domain = self._material.domains[talk.domain]
        idle = [task for task in domain if task.task.name not in wanted]
        listed = [task for task in domain if task.task.name in wanted]
        listed += rng.sample(idle, rng.randint(max(0, len(idle) - 2), len(idle)))
        self._listed = listed + self._strangers({talk.domain}, len(listed))
        self._turns = list(talk.messages)

    def _errands(self, number: int) -> None:
        """So many wishes, each started anew, turned to from the one before, or of no listed task."""
        rng = self._rng
        running: StarterTask | None = None
        for _ in range(number):
            if running and rng.random() < 0.3:  # noqa: PLR2004 - a share
                self._answer(running.handover)
                self._say(self._closing(), None)
                running = None
            elif rng.random() < 0.25:  # noqa: PLR2004 - a share
                self._between(running)
                wish = self._unlisted_wish()
                self._say(self._turned(wish) if running else wish, None)
                running = None
            else:
                self._between(running)
                task = rng.choice(self._listed)
                wish = rng.choice(task.requests)
                self._say(self._turned(wish) if running else wish, task)
                running = task

    def _between(self, running: StarterTask | None) -> None:
        """What the assistant says before the user turns to something: a question left open, a result, a phrase."""
        if not self._turns:
            return
        said = [self._rng.choice(_REPLIES)]
        if running:
            said += [running.handover, self._rng.choice(running.exchanges)[0]]
        self._answer(self._rng.choice(said))

    def _talk(self) -> None:
        rng = self._rng
        if rng.random() < 0.3:  # noqa: PLR2004 - a share
            self._say(self._unlisted_wish(), None)
            self._answer("I'm afraid I can't help with that. What can I do for you?")
        task = rng.choice(self._listed)
        self._say(rng.choice(task.requests), task)
        for _ in range(rng.randint(1, 4)):
            self._work_on(task)
            event = rng.choices(list(_NEXT), weights=list(_NEXT.values()))[0]
            if event == "stop":
                return
            if event != "close":
                self._between(task)
            if event == "switch":
                task = rng.choice([other for other in self._listed if other is not task] or [task])
                self._say(self._turned(rng.choice(task.requests)), task)
                continue
            if event == "close":
                self._answer(task.handover)
                self._say(self._closing(), None)
            elif event == "aside":
                self._say(self._aside(), None)
            else:
                self._say(self._turned(self._unlisted_wish()), None)
            if rng.random() < 0.5:  # noqa: PLR2004 - a share
                return
            self._answer("All right. Is there anything else?")
            task = rng.choice(self._listed)
            self._say(rng.choice(task.requests), task)

    def _task_list(self, domains: dict[str, tuple[StarterTask, ...]]) -> list[StarterTask]:
        """One to four domains, whole or in part, and single tasks from anywhere."""
        rng = self._rng
        listed: list[StarterTask] = []
        for domain in rng.sample(sorted(domains), min(len(domains), rng.choice([1, 1, 2, 2, 3, 4]))):
            tasks = domains[domain]
            listed += rng.sample(tasks, rng.randint(max(1, len(tasks) - 2), len(tasks)))
        return listed + self._strangers({known.domain for known in listed}, len(listed))

    def _strangers(self, domains: set[str], listed: int) -> list[StarterTask]:
        """In half of the lists, some tasks of other domains up to the longest list; none that small talk could be for."""
        rng = self._rng
        if rng.random() < 0.5:  # noqa: PLR2004 - a share
            return []
        others = [task for task in self._material.tasks if task.domain not in domains and _CHATTY not in task.domain]
        return rng.sample(others, min(len(others), rng.randint(0, max(0, _LONGEST_LIST - listed))))

    def _work_on(self, task: StarterTask) -> None:
        for asked, answered in self._rng.sample(task.exchanges, self._rng.randint(0, 2)):
            self._answer(asked)
            self._say(answered, task)

    def _unlisted_wish(self) -> str:
        """Something that no listed task serves: a near miss, a task that is not listed, or an aside."""
        rng = self._rng
        kind = rng.random()
        if kind < 0.4:  # noqa: PLR2004 - a share
            return rng.choice(rng.choice(self._listed).near_misses)
        if kind < 0.75:  # noqa: PLR2004 - a share
            domains = {task.domain for task in self._listed}
            # Another domain's: inside one, what is not listed may still be taken for a neighbour's.
            others = [task for task in self._material.tasks if task.domain not in domains]
            if others:
                return rng.choice(rng.choice(others).requests)
        return self._aside()

    def _aside(self) -> str:
        return self._of_none(self._material.asides)

    def _closing(self) -> str:
        return self._of_none(self._material.closings)

    def _of_none(self, texts: tuple[str, ...]) -> str:
        """One of `texts`, which belong to no task, unless chatting is one."""
        if any(_CHATTY in task.domain for task in self._listed):
            return self._rng.choice(self._rng.choice(self._listed).near_misses)
        return self._rng.choice(texts)

    def _turned(self, wish: str) -> str:
        """Lead over to another wish in two of three cases; the others are abrupt."""
        if self._rng.random() < 0.33:  # noqa: PLR2004 - a share
            return wish
        return f"{self._rng.choice(self._material.turnings)} {wish}"

    def _say(self, text: str, task: StarterTask | None) -> None:
        self._turns.append(Message(role="user", content=text, task=None if task is None else task.task.name))

    def _answer(self, text: str) -> None:
        self._turns.append(Message(role="assistant", content=text))
