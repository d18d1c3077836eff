"""Where a router decides, and what kind of decision it is."""

import pytest

from mojo_toolbox.data import measuring_points, parse_conversation
from mojo_toolbox.errors import DataError


def user(label, **more):
    return {"role": "user", "content": "x", "task": label, **more}


def conversation(*messages):
    return parse_conversation({"tasks": [{"name": name} for name in "abc"], "messages": messages})


def test_every_kind_of_decision_has_its_name():
    points = list(measuring_points(conversation(*map(user, (None, "a", "a", "b", None, None)))))
    assert [p.point for p in points] == ["none", "start", "continue", "switch", "end", "none"]
    assert [p.previous for p in points] == [None, None, "a", "a", "b", None]
    assert [p.gold for p in points] == [None, "a", "a", "b", None, None]
    assert [p.turn for p in points] == [0, 1, 2, 3, 4, 5]


def test_turns_without_a_label_and_the_assistants_are_skipped_and_change_nothing():
    answer, unlabelled = {"role": "assistant", "content": "y"}, {"role": "user", "content": "z"}
    points = measuring_points(conversation(user("a"), answer, unlabelled, user("a")))
    assert [(p.turn, p.point) for p in points] == [(0, "start"), (3, "continue")]


def test_stored_points_that_follow_from_the_labels_are_read():
    unlabelled = {"role": "user", "content": "z", "point": None}
    messages = [user("a", point="start"), unlabelled, user("b", point="switch"), user(None, point="end")]
    read = conversation(*messages)
    assert [point.point for point in measuring_points(read)] == ["start", "switch", "end"]
    assert "point" not in str(read.as_record())


@pytest.mark.parametrize(
    ("messages", "words"),
    [
        ([user("a", point="continue")], "message 1 is stored as the measuring point 'continue'.* make it 'start'"),
        ([user("a"), user("a", point="start")], "message 2 .* make it 'continue'"),
        ([user("a", point="begin")], "'begin'"),
        ([user("a", point=["start"])], r"\['start'\]"),
        ([user("a"), {"role": "user", "content": "z", "point": "none"}], "message 2 .* without a label has none"),
        ([user("a"), {"role": "assistant", "content": "z", "point": "end"}], "message 2 .* without a label has none"),
    ],
)
def test_stored_points_that_contradict_the_labels_are_refused(messages, words):
    with pytest.raises(DataError, match=words):
        conversation(*messages)
