"""Baselines that need no model: they are what they say, and quick."""

import time

import pytest

from mojo_toolbox.errors import ConfigurationError
from mojo_toolbox.evaluation.routers.baselines import BASELINES, baseline
from mojo_toolbox.evaluation.routers.question import Answer, Question, Record, Router

TASKS = [
    ("meeting_recap", "Summarise a meeting that took place"),
    ("prepare_quote", "Put together a price offer"),
    ("visit_route", "Plan the order of customer visits"),
]


def question(text, previous=None, tasks=TASKS):
    listed = [Record(name=name, description=description) for name, description in tasks]
    return Question([Record(role="user", content=text)], listed, previous)


def ask(name, text, previous=None, tasks=TASKS):
    return baseline(name).ask(question(text, previous, tasks)).task


@pytest.mark.parametrize("name", ["always-none", "stay", "tfidf"])
def test_a_baseline_is_a_router_with_its_name(name):
    router = baseline(name)
    assert isinstance(router, Router)
    assert router.name == name
    assert name in BASELINES


@pytest.mark.parametrize("name", ["", "TFIDF", "oracle", "x" * 500])
def test_an_unknown_name_is_told_from_those_there_are(name):
    with pytest.raises(ConfigurationError, match="always-none, stay, tfidf, encoder, encoder-previous") as caught:
        baseline(name)
    assert len(str(caught.value)) < 200


def test_always_none_says_so_whatever_runs():
    assert baseline("always-none").ask(question("Summarise the meeting", "meeting_recap")) == Answer(None)


def test_stay_goes_on_with_what_runs_while_it_is_listed():
    assert ask("stay", "thanks, bye", "visit_route") == "visit_route"
    assert ask("stay", "summarise the meeting") is None
    assert ask("stay", "go on", "gone") is None


def test_tfidf_goes_by_words():
    assert ask("tfidf", "Please summarise my meeting with Ann") == "meeting_recap"
    assert ask("tfidf", "I need a price offer for Ann", "meeting_recap") == "prepare_quote"
    assert ask("tfidf", "What is the weather like?") is None


def test_tfidf_keeps_the_task_until_it_closes():
    assert ask("tfidf", "The one with Ann", "meeting_recap") == "meeting_recap"
    assert ask("tfidf", "Great, thanks, that's all", "meeting_recap") is None
    assert ask("tfidf", "No, not now", "meeting_recap") is None
    long = "Thanks, and then he told us at length that " + "they talked about it " * 4
    assert ask("tfidf", long, "visit_route") == "visit_route"


@pytest.mark.parametrize(
    ("text", "tasks"),
    [
        ("", TASKS),
        ("...", [("...", "!?")]),
        ("会議を要約して", [("会議", "要約"), ("a", "")]),
        ("of the and", [("the", "of and")]),
        ("x " * 500_000, TASKS),
    ],
)
def test_tfidf_takes_any_text(text, tasks):
    assert ask("tfidf", text, tasks[0][0], tasks) == tasks[0][0]
    assert ask("tfidf", text, None, tasks) is None


def test_tfidf_does_not_see_the_lists_order():
    tasks = [("b", "same words"), ("a", "same words"), ("c", "other things")]
    assert ask("tfidf", "same words", None, tasks) == ask("tfidf", "same words", None, tasks[::-1])


def test_three_thousand_decisions_take_seconds():
    router = baseline("tfidf")
    lists = [[(f"task_{i}_{j}", f"Do thing {i} with number {j} of things") for j in range(10)] for i in range(300)]
    began = time.monotonic()
    for tasks in lists:
        for turn in range(10):
            router.ask(question(f"thing {turn} with number {turn}", None, tasks))
    assert time.monotonic() - began < 30  # 2 s on an idle machine
