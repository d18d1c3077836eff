"""A conversation that is routed turn by turn."""

import json

import pytest

from mojo_toolbox import Model
from mojo_toolbox.errors import DataError, PredictionError
from mojo_toolbox.model import ServerReply

TASKS = [{"name": "recap", "description": "Sum up"}, {"name": "email", "description": "Write"}]


class Scripted(Model):
    """Answers what it is told to, one after the other."""

    name = "scripted"

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []

    def _ask(self, body):
        self.asked.append(json.loads(body))
        answer = self.answers.pop(0)
        if answer is None:
            raise PredictionError("no line", endpoint_name=self.name)
        answer, probability = answer if isinstance(answer, tuple) else (answer, 1.0)
        choice = {"message": {"role": "assistant", "content": answer}, "choice_probabilities": {answer: probability}}
        return ServerReply(json.dumps({"choices": [choice]}).encode(), "r")


def texts(request):
    return [(message["role"], message["content"]) for message in request["messages"]]


def test_each_turn_is_asked_with_all_that_was_said_and_decided():
    model = Scripted("recap", "email", "none")
    session = model.session(tasks=TASKS)
    assert session.route("sum up my meeting").task == "recap"
    session.reply("Who was there?")
    assert session.route("first write to Ann").task == "email"
    assert session.route("thanks").task is None
    assert texts(model.asked[2])[1:] == [
        ("user", "User: sum up my meeting"),
        ("assistant", "recap"),
        ("user", "Assistant: Who was there?\nUser: first write to Ann"),
        ("assistant", "email"),
        ("user", "User: thanks"),
    ]
    assert [message.get("task", "-") for message in session.messages] == ["recap", "-", "email", None]


def test_what_was_sent_begins_what_is_sent_next_so_that_a_server_reads_only_the_new_turn():
    model = Scripted("recap", "email", "none")
    session = model.session(tasks=TASKS)
    for text in ("one", "two", "three"):
        session.route(text)
        session.reply("ok")
    for before, after in zip(model.asked, model.asked[1:], strict=False):
        assert texts(after)[: len(before["messages"])] == texts(before)


def test_a_call_that_fails_leaves_the_conversation_as_it_was():
    model = Scripted("recap", None, "email")
    session = model.session(tasks=TASKS)
    session.route("one")
    before = session.messages
    with pytest.raises(PredictionError):
        session.route("two")
    assert session.messages == before
    assert session.route("two").task == "email"
    assert texts(model.asked[1]) == texts(model.asked[2])


def test_an_abstained_turn_is_kept_without_a_decision():
    model = Scripted(("recap", 0.9), ("email", 0.4), ("recap", 0.9))
    session = model.session(tasks=TASKS, abstain_below=0.8)
    session.route("one")
    session.reply("Who was there?")
    unsure = session.route("Ann, and write to her")
    assert (unsure.task, unsure.abstained) == ("email", True)
    session.reply("Write to her first?")
    assert not session.route("no, go on").abstained
    assert [message.get("task", "-") for message in session.messages] == ["recap", "-", "-", "-", "recap"]
    said = (
        "Assistant: Who was there?",
        "User: Ann, and write to her",
        "Assistant: Write to her first?",
        "User: no, go on",
    )
    folded = "\n".join(said)
    assert texts(model.asked[2])[1:] == [
        ("user", "User: one"),
        ("assistant", "recap"),
        ("user", folded),
    ]


def test_the_list_may_change_to_one_without_the_task_in_charge():
    model = Scripted("recap", "quote")
    session = model.session(tasks=TASKS)
    session.route("one")
    session.tasks = [{"name": "quote", "description": "Offer a price"}]
    assert session.route("two").task == "quote"
    # The decision that is no longer listed is folded away: it counts as unknown.
    assert texts(model.asked[1])[1:] == [("user", "User: one\nUser: two")]
    assert model.asked[1]["structured_outputs"] == {"choice": ["quote", "none"]}


def test_what_is_handed_out_cannot_change_the_conversation():
    session = Scripted("recap").session(tasks=TASKS)
    session.route("one")
    session.messages.clear()
    session.messages[0]["task"] = "email"
    assert session.messages == [{"role": "user", "content": "one", "task": "recap"}]


def test_what_is_no_text_is_refused_and_not_kept():
    session = Scripted().session(tasks=TASKS)
    with pytest.raises(DataError, match="not NoneType"):
        session.reply(None)
    with pytest.raises(DataError, match="content"):
        session.route(7)
    assert session.messages == []


@pytest.mark.parametrize(
    ("tasks", "words"),
    [
        ([{"name": "None"}], "cannot be named 'None'"),
        ([], "at least one task"),
        ("recap", "must be a list"),
        (None, "must be a list"),
        (["recap"], "each task is"),
        ([*TASKS, TASKS[0]], "occurs twice"),
        ([{"name": "a\nb"}], "line breaks"),
        ([{"description": "Sum up"}], "task 1: name: is missing"),
    ],
)
def test_tasks_that_cannot_be_asked_with_are_refused_when_they_are_given(tasks, words):
    model = Scripted("recap")
    with pytest.raises(DataError, match=words):
        model.session(tasks=tasks)
    session = model.session(tasks=TASKS)
    with pytest.raises(DataError, match=words):
        session.tasks = tasks
    assert session.tasks == TASKS
    assert session.route("sum it up").task == "recap"


def test_a_stream_of_tasks_is_asked_with_at_every_turn():
    session = Scripted("recap", "email").session(tasks=iter(TASKS))
    assert [session.route(text).task for text in ("one", "two")] == ["recap", "email"]


def test_half_a_character_in_a_reply_is_refused_and_not_kept():
    session = Scripted("recap").session(tasks=TASKS)
    with pytest.raises(DataError, match="surrogate"):
        session.reply("\ud83d")
    assert session.route("one").task == "recap"
