"""Dividing conversations so that the test part holds tasks that training never sees."""

import pytest

from mojo_toolbox.data import Conversation
from mojo_toolbox.data.splits import labels_of, split_with_unseen_tasks
from mojo_toolbox.errors import DataError

TASKS = [{"name": name} for name in "abcdef"]


def conversations(count):
    return [
        Conversation(id=str(i), tasks=TASKS, messages=[{"role": "user", "content": str(i), "task": "abcdef"[i % 6]}])
        for i in range(count)
    ]


def test_unseen_tasks_occur_nowhere_in_training():
    train, test = split_with_unseen_tasks(conversations(60))
    listed = {task.name for c in train for task in c.tasks}
    assert len({name for c in test for name in labels_of(c)} - listed) == 2
    assert {c.id for c in train} | {c.id for c in test} == {str(i) for i in range(60)}
    assert not {c.id for c in train} & {c.id for c in test}


def test_the_same_seed_divides_alike():
    assert split_with_unseen_tasks(conversations(60), seed=3) == split_with_unseen_tasks(conversations(60), seed=3)


def test_too_few_conversations_are_refused():
    with pytest.raises(DataError, match="Give more conversations"):
        split_with_unseen_tasks(conversations(1))
