"""Routers of known behaviour get exactly the figures that they deserve."""

import random

import numpy as np
import pytest
from conversations import NAMES, conversation, many, oracle

from mojo_toolbox.data import POINTS, Conversation
from mojo_toolbox.evaluation import Answer, evaluate


def ask(router, conversations, **options):
    return evaluate(router, conversations, progress=False, resamples=50, **options)


def shares(report):
    return {point: (figures.n, figures.right) for point, figures in report.points.items()}


def test_an_oracle_is_always_right():
    conversations = many(30)
    report = ask(oracle(conversations), conversations)
    assert report.overall.accuracy.model_dump() == {"value": 1, "low": 1, "high": 1}
    assert report.overall.balanced.value == 1
    for figures in report.points.values():
        assert figures.n == figures.right > 0
        detection = figures.detection
        assert detection.matrix == [[report.overall.n - figures.n, 0], [0, figures.n]]
        assert [f.value for f in (detection.accuracy, detection.precision, detection.recall, detection.f1)] == [1] * 4
    assert report.tasks.macro.f1.value == report.tasks.weighted.f1.value == 1
    assert report.mistakes == []


def test_staying_is_right_where_nothing_changes():
    report = ask(lambda messages, tasks, previous: previous, [conversation(0)])
    assert shares(report) == {"start": (1, 0), "continue": (1, 1), "switch": (1, 0), "end": (1, 0), "none": (1, 1)}
    assert report.overall.accuracy.value == pytest.approx(2 / 5)
    assert report.overall.balanced.value == pytest.approx(2 / 5)
    # It never says "start": there is no precision, and the share of starts found is 0.
    start = report.points["start"].detection
    assert (start.precision, start.recall.value, start.f1.value) == (None, 0, 0)


def test_never_naming_a_task_is_right_where_none_is_wanted():
    report = ask(lambda *_: None, [conversation(0)])
    assert {point for point, (_, right) in shares(report).items() if right} == {"end", "none"}
    assert report.none_detection.matrix == [[0, 3], [0, 2]]
    assert report.none_detection.recall.value == 1


def test_invalid_answers_and_errors_are_counted_apart_and_both_wrong():
    answers = iter(["banana", None, 7, "recap ", ["recap"]])

    def rubbish(messages, tasks, previous):
        answer = next(answers)
        if answer is None:
            raise RuntimeError("no\n  luck")
        return answer

    report = ask(rubbish, [conversation(0, [None] * 5)])
    assert (report.overall.n, report.overall.right, report.overall.invalid, report.overall.errors) == (5, 0, 4, 1)
    assert report.error_kinds == {"RuntimeError: no luck": 1}
    assert report.tasks.invalid == [5]
    assert report.points["none"].detection.matrix == [[0, 0], [5, 0]]


class Says:
    """A router of one's own, whose answers may be anything."""

    name = "says"

    def __init__(self, answer):
        self.answer = answer

    def ask(self, question):
        return self.answer


@pytest.mark.parametrize("task", ["nope", 5, ["recap"], "a\ud800"])
def test_an_answer_that_names_no_listed_task_is_invalid_whatever_it_says_of_itself(task, tmp_path):
    report = ask(Says(Answer(task=task, valid=True)), [conversation(0)], shuffles=1, output=tmp_path)
    assert (report.overall.invalid, report.overall.errors, report.overall.right) == (5, 0, 0)
    assert ask(Says(Answer(task="recap", valid=False)), [conversation(0)]).overall.invalid == 5


@pytest.mark.parametrize(
    "answer",
    [
        "recap",
        Answer(task="recap", probability=5.0),
        Answer(task="recap", probability=float("nan")),
        Answer(task="recap", probability="high"),
        Answer(task="recap", usage={"prompt_tokens": 1}),
        Answer(task="recap", text=5),
    ],
)
def test_an_answer_that_no_row_can_hold_is_an_error(answer, tmp_path):
    assert ask(Says(answer), [conversation(0)], output=tmp_path).overall.errors == 5


def test_numbers_of_numpy_are_numbers():
    answer = Answer(task="recap", probability=np.float32(0.5))
    assert ask(Says(answer), [conversation(0)]).mistakes[0].probability == 0.5
    assert ask(lambda *_: np.array(["recap"]), [conversation(0)]).overall.invalid == 5


class UnspeakableError(Exception):
    def __str__(self):
        raise RuntimeError("not even this")


@pytest.mark.parametrize(
    ("error", "kind"), [(ValueError("\ud800"), "ValueError: ?"), (UnspeakableError(), "UnspeakableError")]
)
def test_an_error_that_cannot_be_written_is_counted_all_the_same(error, kind, tmp_path):
    def router(messages, tasks, previous):
        raise error

    assert ask(router, [conversation(0)], output=tmp_path).error_kinds == {kind: 5}


def test_a_name_that_is_listed_elsewhere_only_is_invalid():
    report = ask(lambda *_: "quote", [conversation(0, ["recap"], ["recap", "email"])])
    assert report.overall.invalid == 1


def test_where_nothing_is_asked_there_is_no_figure():
    unlabelled = Conversation(tasks=[{"name": "a"}], messages=[{"role": "user", "content": "hi"}])
    report = ask(lambda *_: None, [unlabelled])
    assert report.overall.n == 0
    assert report.overall.accuracy is report.overall.balanced is report.latency_ms.p50 is None
    assert all(report.points[point].accuracy is None for point in POINTS)
    assert report.tasks.labels == []


def test_balanced_is_the_mean_over_the_points_that_occur():
    # 2 of 2 starts, 0 of 4 continues; no other point occurs.
    report = ask(
        lambda messages, tasks, previous: None if previous else "recap",
        [conversation(i, ["recap"] * 3) for i in (0, 1)],
    )
    assert report.overall.accuracy.value == pytest.approx(2 / 6)
    assert report.overall.balanced.value == pytest.approx(1 / 2)


# -------------------------------------------------------------------------------------------- what a router sees


def test_a_router_sees_no_label_of_the_turn_in_question_nor_later_turns():
    seen = []

    def spy(messages, tasks, previous):
        seen.append(([m.get("task", "?") for m in messages if m["role"] == "user"], previous, len(messages)))

    ask(spy, [conversation(0)])
    labels = [None, "recap", "recap", "email", None]
    assert seen == [([*labels[:i], "?"], ([None, *labels])[i], 2 * i + 1) for i in range(5)]


def test_records_are_dictionaries_whose_keys_are_attributes_too():
    def spy(messages, tasks, previous):
        assert messages[-1] == {"role": "user", "content": messages[-1].content}
        assert not hasattr(messages[-1], "task")
        return tasks[0].name

    assert ask(spy, [conversation(0, ["recap"])]).overall.right == 1


def test_a_router_that_changes_its_lists_changes_nothing():
    def greedy(messages, tasks, previous):
        messages.clear()
        tasks[0]["name"] = "changed"
        tasks.clear()

    report = ask(greedy, [conversation(0, [None, None])], shuffles=2)
    assert (report.overall.right, report.overall.errors) == (2, 0)


def test_unlabelled_turns_are_neither_asked_nor_scored():
    given = {
        "tasks": [{"name": "a"}],
        "messages": [
            {"role": "user", "content": "1", "task": "a"},
            {"role": "user", "content": "2"},
            {"role": "user", "content": "3", "task": "a"},
        ],
    }
    asked = []

    def spy(messages, tasks, previous):
        asked.append([("task" in m, m["content"]) for m in messages])
        return "a"

    assert ask(spy, [given]).overall.n == 2
    assert asked == [[(False, "1")], [(True, "1"), (False, "2"), (False, "3")]]


# ---------------------------------------------------------------------------------- decisions as the router's own


def test_its_own_errors_carry_on_when_a_router_is_asked_as_live():
    def wrong_once(messages, tasks, previous):
        return "email" if len(messages) == 3 else previous

    labels = ["recap", "recap", "recap"]
    conversations = [conversation(0, labels)]
    labelled, own = (ask(wrong_once, conversations, previous=mode) for mode in ("labelled", "own"))
    assert shares(labelled)["continue"] == (2, 1)
    assert shares(own)["continue"] == (2, 0)
    assert shares(own)["start"] == (1, 0)


def test_an_invalid_answer_and_an_error_decide_nothing():
    seen = []

    def router(messages, tasks, previous):
        seen.append((previous, ["task" in m for m in messages if m["role"] == "user"]))
        if len(messages) == 3:
            return "banana"
        if len(messages) == 5:
            raise ValueError
        return "recap"

    report = ask(router, [conversation(0, ["recap"] * 4)], previous="own")
    assert seen == [
        (None, [False]),
        ("recap", [True, False]),
        ("recap", [True, False, False]),
        ("recap", [True, False, False, False]),
    ]
    assert (report.overall.right, report.overall.invalid, report.overall.errors) == (2, 1, 1)


# --------------------------------------------------------------------------------------------------- position bias


def biased(router, **options):
    return ask(router, many(60), shuffles=4, **options).position_bias


def test_a_router_that_always_takes_the_first_is_flagged():
    bias = biased(lambda messages, tasks, previous: tasks[0]["name"])
    assert bias.flagged
    assert bias.largest_gap.position == 1
    assert bias.positions[0].chosen == 1
    assert bias.positions[0].gap == pytest.approx(1 - bias.positions[0].correct)
    assert bias.largest_gap.low <= bias.positions[0].gap <= bias.largest_gap.high
    assert bias.changed_by_order.value > 0.9


def test_a_router_that_is_blind_to_the_order_is_not_flagged():
    conversations = many(60)
    for router in (oracle(conversations), lambda messages, tasks, previous: min(t["name"] for t in tasks)):
        bias = ask(router, conversations, shuffles=4).position_bias
        assert not bias.flagged
        assert bias.changed_by_order.value == 0
        assert bias.n == 4 * sum(m.task is not None for c in conversations for m in c.messages)


def test_a_random_router_changes_its_answers_without_preferring_a_place():
    draw = random.Random(5)
    bias = biased(lambda messages, tasks, previous: draw.choice(NAMES))
    assert not bias.flagged
    assert bias.changed_by_order.value > 0.9
