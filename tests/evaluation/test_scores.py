"""Routers of known behaviour get exactly the figures that they deserve."""

from mojo_toolbox.data import Conversation, Message
from mojo_toolbox.evaluation import evaluate, tfidf_router

TASKS = [{"name": "recap", "description": "Sum up a meeting"}, {"name": "email", "description": "Write an email"}]
LABELS = [None, "recap", "recap", "email", None]


def conversation():
    return Conversation(
        tasks=TASKS, messages=[{"role": "user", "content": f"turn {i}", "task": task} for i, task in enumerate(LABELS)]
    )


def rights(router):
    return {point: (score.n, score.right) for point, score in evaluate(router, [conversation()]).points.items()}


def test_an_oracle_is_always_right():
    def oracle(messages, tasks, previous):
        return LABELS[len(messages) - 1]

    assert set(rights(oracle).values()) == {(1, 1)}
    assert evaluate(oracle, [conversation()]).overall.accuracy == 1


def test_staying_is_right_where_nothing_changes():
    points = rights(lambda messages, tasks, previous: previous)
    assert points == {"start": (1, 0), "continue": (1, 1), "switch": (1, 0), "end": (1, 0), "none": (1, 1)}


def test_a_router_sees_no_label_of_the_turn_in_question_nor_later_turns():
    seen = []

    def spy(messages, tasks, previous):
        seen.append(([m.labelled for m in messages], previous))

    evaluate(spy, [conversation()])
    assert [flags for flags, _ in seen] == [[True] * i + [False] for i in range(5)]
    assert [previous for _, previous in seen] == [None, *LABELS[:-1]]


def test_where_nothing_is_asked_there_is_no_accuracy():
    unlabelled = Conversation(tasks=TASKS, messages=[{"role": "user", "content": "hi"}])
    assert evaluate(lambda *_: None, [unlabelled]).overall.accuracy is None


def test_the_baseline_reads_descriptions_and_stays_otherwise():
    tasks = conversation().tasks

    def ask(text, previous):
        return tfidf_router([Message(role="user", content=text)], tasks, previous)

    assert ask("sum up this meeting", None) == "recap"
    assert ask("qwertz", "email") == "email"
    assert ask("thanks, that's all", "email") is None
    assert ask("", None) is None
