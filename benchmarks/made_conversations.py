"""Conversations made on the spot: task lists of any length whose names share prefixes, and turns of one length.

What is measured on them is time, which depends on the number of tokens and not on what they say.
"""

from __future__ import annotations

import random
from itertools import product

from mojo_toolbox.data import Conversation, Message, Task

_AREAS = (
    "flights",
    "hotels",
    "buses",
    "restaurants",
    "events",
    "banking",
    "calendar",
    "weather",
    "rental_cars",
    "music",
)
_ACTIONS = ("find", "book", "cancel", "change", "compare", "review", "share", "pay", "track", "report")
_OBJECTS = ("offer", "reservation", "ticket", "price", "schedule", "receipt", "request", "account", "list", "reminder")

_USER = (
    "I would like something for {n} people on the {n}th, not too expensive, and please tell me what it costs",
    "could you look at that again, the one of {n} o'clock does not suit us, is there anything later",
    "ok that sounds fine to me, take number {n} then, and send everything to my usual address please",
    "hm, before we go on, what about the other place that we talked about {n} days ago, is it open",
)
_AGENT = (
    "I found {n} that would fit. The first leaves early, the second is a little cheaper. Which do you want?",
    "Certainly. For {n} people there are two left, both can be cancelled until the evening before. Shall I go on?",
    "Done. You will get a message within {n} minutes. Is there anything else that I can do for you today?",
)


def made_tasks(count: int, *, seed: int = 0) -> list[Task]:
    """Return `count` tasks, 1,000 at most, in random order; names such as `flights_book_ticket` share their beginnings."""
    names = list(product(_AREAS, _ACTIONS, _OBJECTS))
    chosen = random.Random(f"tasks {seed}").sample(names, count)
    return [
        Task(
            name=f"{area}_{action}_{thing}",
            description=f"{action.capitalize()} a {thing} that has to do with {area.replace('_', ' ')}, as the user wishes",
        )
        for area, action, thing in chosen
    ]


def made_conversation(tasks: list[Task], *, turns: int, seed: int = 0) -> Conversation:
    """Return a conversation of `turns` user turns, all labelled; the task in charge changes after every few."""
    rng = random.Random(f"conversation {seed}")
    messages: list[Message] = []
    task: str | None = None
    for turn in range(turns):
        if turn % 4 == 1:
            task = rng.choice(tasks).name
        elif turn % 12 == 11:  # noqa: PLR2004 - now and then nothing is wanted
            task = None
        number = rng.randint(2, 9)
        if turn:
            messages.append(Message(role="assistant", content=_AGENT[turn % len(_AGENT)].format(n=number)))
        messages.append(Message(role="user", content=_USER[turn % len(_USER)].format(n=number), task=task))
    return Conversation(id=f"made-{seed}", tasks=tuple(tasks), messages=tuple(messages))
