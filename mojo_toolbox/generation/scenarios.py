"""The scenarios: what each has to happen in a conversation, so that no kind of decision is rare."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence

from mojo_toolbox.data import Task
from mojo_toolbox.generation import intents
from mojo_toolbox.generation.story import PlannedTurn, Story

# The study had the first one alone, and its router could neither switch nor notice an end. Each of the others has also
# turns that merely go on, and an end in many cases: so no kind of decision is rare.
DEFAULT_SHARES: Mapping[str, float] = {
    "one_task": 0.16,
    "switch": 0.20,
    "return": 0.12,
    "ending": 0.14,
    "uncovered": 0.14,
    "small_talk": 0.08,
    "two_wishes": 0.08,
    "correction": 0.08,
}
NEEDS_TWO_TASKS = frozenset({"switch", "two_wishes"})


def planned_turns(
    scenario: str, cast: Sequence[Task], *, unlisted: Task | None, rng: random.Random
) -> tuple[PlannedTurn, ...]:
    """Return the user turns of a conversation.

    Args:
        scenario: one of `DEFAULT_SHARES`.
        cast: listed tasks that may be wanted, the first one in any case where a task is wanted at all; two at least
            for a scenario of `NEEDS_TWO_TASKS`.
        unlisted: a task of the product that is not listed, to be asked for in vain.
        rng: what is drawn from.
    """
    story = Story(cast, unlisted, rng)
    _SCENARIOS[scenario](story)
    return tuple(story.turns)


def _one_task(story: Story) -> None:
    story.open()
    story.start(story.first)
    story.go_on()
    story.close(0.35)


def _switch(story: Story) -> None:
    story.open()
    running = story.first
    story.start(running)
    for _ in range(1 + story.happens(0.35) + story.happens(0.1)):
        story.go_on()
        running = story.another(running)
        story.switch(running)
    story.go_on()
    story.close(0.3)


def _return(story: Story) -> None:
    story.open()
    left = story.first
    story.start(left)
    story.go_on()
    between = story.another(left)
    way = story.one_of({"switch": 0 if between == left else 6, "uncovered": 3, "end": 1.5})
    if way == "switch":
        story.switch(between)
        story.go_on()
    elif way == "uncovered":
        story.ask_in_vain()
    else:
        story.end(dropped=0.6)
    story.come_back(left)
    story.go_on()
    if between != left and way == "switch" and story.happens(0.15):
        story.come_back(between)
        story.go_on()
    story.close(0.4)


def _ending(story: Story) -> None:
    story.open()
    story.start(story.first)
    story.go_on()
    story.end(dropped=0.4)
    after = story.one_of({"nothing": 5, "chat": 1.5, "in vain": 1, "start": 3})
    if after == "chat":
        story.say("small_talk", intents.SMALL_TALK_AFTER, None)
    elif after == "in vain":
        story.ask_in_vain()
    elif after == "start":
        story.start(story.another(story.first))
        story.go_on()
        story.close(0.6)


def _uncovered(story: Story) -> None:
    story.open()
    place = story.one_of({"only": 3, "before": 3, "inside": 4, "after": 2})
    if place in {"only", "before"}:
        story.ask_in_vain()
        if place == "only":
            return
    story.start(story.first)
    story.go_on()
    if place == "after":
        story.end(dropped=0.2)
    if place in {"inside", "after"}:
        story.ask_in_vain()
    if place == "inside" and story.happens(0.6):
        story.come_back(story.first)
        story.go_on()
    story.close(0.3)


def _small_talk(story: Story) -> None:
    story.open(small_talk=0.7)
    if not story.turns and story.happens(0.5):
        story.say("small_talk", intents.SMALL_TALK_BEFORE, None)
    story.start(story.first)
    story.go_on(at_least=1)
    story.say("small_talk", intents.SMALL_TALK_INSIDE, story.first)
    story.go_on(small_talk=0.2)
    if story.happens(0.4):
        story.end(dropped=0.1)
        if story.happens(0.5):
            story.say("small_talk", intents.SMALL_TALK_AFTER, None)


def _two_wishes(story: Story) -> None:
    story.open()
    wanted = story.first
    other = story.another(wanted)
    third = story.another(wanted, other)
    if third not in {wanted, other} and story.happens(0.3):
        story.start(third)
        story.go_on()
    if story.happens(0.2):
        story.say("two_wishes", intents.TWO_WISHES_UNCOVERED, wanted)
        story.go_on()
        story.close(0.4)
        return
    story.say("two_wishes", intents.TWO_WISHES, wanted, other)
    story.go_on(at_least=1)
    if story.happens(0.7):
        story.say("switch", intents.SECOND_WISH, other)
        story.go_on()
    story.close(0.4)


def _correction(story: Story) -> None:
    story.open()
    mistaken = story.another(story.first)
    # With a single task there is no other wish to take for it.
    way = story.one_of({"detail": 5, "wish": 0 if mistaken == story.first else 5, "nothing": 1})
    if way == "wish":
        story.start(mistaken)
        if story.happens(0.4):
            story.go_on()
        story.say("correction", intents.CORRECT_WISH, story.first, mistaken)
    else:
        story.start(story.first)
        story.go_on(at_least=int(way == "detail"))
        if way == "nothing":
            story.say("correction", intents.CORRECT_TO_NOTHING, None)
            return
        story.say("correction", intents.CORRECT_DETAIL, story.first)
    story.go_on()
    story.close(0.35)


_SCENARIOS: Mapping[str, Callable[[Story], None]] = {
    "one_task": _one_task,
    "switch": _switch,
    "return": _return,
    "ending": _ending,
    "uncovered": _uncovered,
    "small_talk": _small_talk,
    "two_wishes": _two_wishes,
    "correction": _correction,
}
