"""Where a router decides, and what kind of decision it is; dividing conversations for a fair test."""

import pytest

from mojo_toolbox.data import Conversation, measuring_points, parse_conversation
from mojo_toolbox.data.splits import labels_of, split_with_unseen_tasks
from mojo_toolbox.errors import DataError


def conversation(*labels, number=0, tasks="abcde"):
    turns = [{"role": "user", "content": f"{number}: {i}", "task": task} for i, task in enumerate(labels)]
    return parse_conversation({"id": str(number), "tasks": [{"name": name} for name in tasks], "messages": turns})


def test_every_kind_of_decision_has_its_name():
    points = list(measuring_points(conversation(None, "a", "a", "b", None, None)))
    assert [p.point for p in points] == ["none", "start", "continue", "switch", "end", "none"]
    assert [p.previous for p in points] == [None, None, "a", "a", "b", None]
    assert [p.gold for p in points] == [None, "a", "a", "b", None, None]
    assert [p.turn for p in points] == [0, 1, 2, 3, 4, 5]


def test_turns_without_a_label_and_the_assistants_are_skipped_and_change_nothing():
    given = {
        "tasks": [{"name": "a"}],
        "messages": [
            {"role": "user", "content": "x", "task": "a"},
            {"role": "assistant", "content": "y"},
            {"role": "user", "content": "z"},
            {"role": "user", "content": "w", "task": "a"},
        ],
    }
    assert [(p.turn, p.point) for p in measuring_points(parse_conversation(given))] == [(0, "start"), (3, "continue")]


def many():
    return [conversation("abcde"[i % 5], "abcde"[(i * 2) % 5], number=i) for i in range(40)]


def test_a_split_holds_tasks_that_training_never_sees():
    train, test = split_with_unseen_tasks(many(), unseen=2, seed=3)
    assert {c.id for c in train} | {c.id for c in test} <= {c.id for c in many()}
    assert not {c.id for c in train} & {c.id for c in test}
    listed = {task.name for c in train for task in c.tasks}
    unseen = set().union(*map(labels_of, test)) - listed
    assert len(unseen) == 2
    assert all(labels_of(c) <= listed for c in train)


def test_a_split_follows_from_its_seed():
    assert split_with_unseen_tasks(many(), seed=1) == split_with_unseen_tasks(many(), seed=1)
    assert split_with_unseen_tasks(many(), seed=1) != split_with_unseen_tasks(many(), seed=2)


@pytest.mark.parametrize("few", [[], [conversation("a")], [conversation(None, number=i) for i in range(9)]])
def test_too_few_conversations_to_divide_are_said(few: list[Conversation]):
    with pytest.raises(DataError, match="Give more conversations"):
        split_with_unseen_tasks(few)
