"""The conversations that ship with the library: what they are made of, and what is composed of it."""

from __future__ import annotations

import itertools
from collections import Counter

import pytest

from mojo_toolbox.data import POINTS, Conversation, measuring_points
from mojo_toolbox.data.resemblance import plain_name
from mojo_toolbox.data.starter import (
    Material,
    starter_conversation,
    starter_conversations,
    starter_material,
    starter_pool,
)


@pytest.fixture(scope="module")
def composed() -> list[Conversation]:
    return list(starter_conversations(300))


def test_material_is_whole() -> None:
    material = starter_material()
    for task in material.tasks:
        assert task.task.description
        assert len(task.requests) >= 10
        assert len(task.exchanges) >= 5
        assert len(task.near_misses) >= 3
        assert len(task.wordings) == 3
    assert len(material.tasks) > 400
    assert len(material.closings) > 100


def test_talks_are_whole() -> None:
    material = starter_material()
    assert len(material.talks) > 300
    for talk in material.talks:
        known = {task.task.name for task in material.domains[talk.domain]}
        roles = [message.role for message in talk.messages]
        assert roles == ["user", "assistant"] * (len(roles) // 2) + ["user"]
        assert {message.task for message in talk.messages} <= known | {None}
        assert all(message.content.strip() for message in talk.messages)


def test_user_and_assistant_take_turns_and_tasks_are_listed(composed: list[Conversation]) -> None:
    for conversation in composed:
        roles = [message.role for message in conversation.messages]
        assert roles == ["user", "assistant"] * (len(roles) // 2) + ["user"]
        listed = {task.name for task in conversation.tasks}
        assert {message.task for message in conversation.messages} <= listed | {None}
        assert len(listed) == len(conversation.tasks)


def test_no_two_tasks_share_a_name_in_any_wording() -> None:
    """Wordings are looked up by name, and a list must hold each name once."""
    owners: dict[str, str] = {}
    for task in starter_material().tasks:
        for name in {plain_name(wording.name or "") for wording in task.wordings} | {plain_name(task.task.name)}:
            assert owners.setdefault(name, task.task.name) == task.task.name


def test_the_same_seed_gives_the_same_conversations_whatever_their_number(composed: list[Conversation]) -> None:
    assert list(starter_conversations(5)) == composed[:5]
    assert starter_conversation(3) == composed[3]
    assert list(starter_conversations(5, seed=1)) != composed[:5]


def test_all_measuring_points_occur(composed: list[Conversation]) -> None:
    points = Counter(point.point for conversation in composed for point in measuring_points(conversation))
    assert set(points) == set(POINTS)
    assert all(count > 30 for count in points.values())


def test_lists_are_of_many_lengths_and_of_tasks_that_differ(composed: list[Conversation]) -> None:
    lengths = {len(conversation.tasks) for conversation in composed}
    assert min(lengths) < 6
    assert max(lengths) > 15


def test_what_belongs_to_none_is_asked_of_no_listed_task(composed: list[Conversation]) -> None:
    requests = {request: task.task.name for task in starter_material().tasks for request in task.requests}
    for conversation in composed:
        listed = {task.name for task in conversation.tasks}
        for message in conversation.messages:
            if message.labelled and message.task is None:
                assert requests.get(message.content) not in listed


def test_one_domain_of_one_task_can_be_composed_of() -> None:
    task = starter_material().tasks[0]
    material = Material(tasks=(task,), closings=("bye",), asides=("nice weather",), turnings=("Also,",))
    for number in range(50):
        assert starter_conversation(number, material=material).tasks == (task.task,)


def test_pool_has_every_task_in_its_other_wordings() -> None:
    pool = starter_pool()
    material = starter_material()
    assert len(pool.distractors) == len(material.tasks)
    assert all(len(pool.wordings(task.task)) == 3 for task in itertools.islice(material.tasks, 20))
