"""The programmer's door: what is asked, and what each refusal becomes."""

import json

import pytest
from pages import ROOT

from mojo_toolbox import AWSModel, Decision, Model
from mojo_toolbox.contract import ENCODER_REFUSAL
from mojo_toolbox.errors import (
    ConfigurationError,
    DataError,
    EndpointNotFoundError,
    InvalidAnswerError,
    InvalidNameError,
    ModelError,
    PredictionError,
)
from mojo_toolbox.model import ServerReply

TASKS = [{"name": "recap", "description": "Sum up"}, {"name": "email", "description": "Write"}]
KEY = {"product": "mojodex", "task": "routing", "model_id": "x"}


class Scripted(Model):
    """A model of another cloud: what `Model` promises must hold for any subclass."""

    def __init__(self, reply):
        self.reply = reply
        self.asked = []

    name = "scripted"

    def _ask(self, body):
        self.asked.append(json.loads(body))
        reply = self.reply if isinstance(self.reply, bytes) else json.dumps(self.reply).encode()
        return ServerReply(body=reply, request_id="r-1")


def reply(content, **more):
    return {"choices": [{"message": {"role": "assistant", "content": content}, **more}], "usage": {"prompt_tokens": 7}}


def test_a_decision_is_a_listed_task_or_none():
    model = Scripted(reply("recap", choice_probabilities={"recap": 0.7, "email": 0.2, "none": 0.1}))
    decision = model.predict([{"role": "user", "content": "hi"}], tasks=TASKS)
    assert isinstance(decision, Decision)
    assert (decision.task, decision.request_id, decision.usage.prompt_tokens) == ("recap", "r-1", 7)
    assert decision.probabilities == {"recap": 0.7, "email": 0.2, None: 0.1}
    assert model.asked[0]["structured_outputs"] == {"choice": ["recap", "email", "none"]}
    assert Scripted(reply("none")).predict([{"role": "user", "content": "hi"}], tasks=TASKS).task is None


@pytest.mark.parametrize(("below", "abstained"), [(None, False), (0, False), (0.7, False), (0.71, True), (1, True)])
def test_below_the_threshold_a_decision_is_abstained_and_says_the_likeliest_all_the_same(below, abstained):
    model = Scripted(reply("recap", choice_probabilities={"recap": 0.7, "email": 0.2, "none": 0.1}))
    decision = model.predict([{"role": "user", "content": "hi"}], tasks=TASKS, abstain_below=below)
    assert (decision.task, decision.probability, decision.abstained) == ("recap", 0.7, abstained)


@pytest.mark.parametrize("below", [float("nan"), -1, 2, 1.0001, "0.8", True, [0.5]])
def test_a_threshold_that_is_no_probability_is_refused_before_anything_is_asked(below):
    model = Scripted(reply("recap", choice_probabilities={"recap": 1.0}))
    for ask in (
        lambda: model.predict([{"role": "user", "content": "hi"}], tasks=TASKS, abstain_below=below),
        lambda: model.session(tasks=TASKS, abstain_below=below),
    ):
        with pytest.raises(ConfigurationError, match="must be a number from 0 to 1") as caught:
            ask()
        assert "\n" not in str(caught.value)
    assert model.asked == []


@pytest.mark.parametrize("given", [{}, {"choice_probabilities": {"email": 1.0}}])
def test_a_threshold_without_probabilities_to_compare_is_an_error(given):
    with pytest.raises(ConfigurationError, match="scripted gives no probabilities"):
        Scripted(reply("recap", **given)).predict([{"role": "user", "content": "x"}], tasks=TASKS, abstain_below=0.5)


@pytest.mark.parametrize("probability", [float("nan"), -0.1, 1.5])
def test_a_probability_that_is_none_does_not_pass_a_threshold(probability):
    broken = reply("recap", choice_probabilities={"recap": probability})
    with pytest.raises(ModelError, match="which is none"):
        Scripted(broken).predict([{"role": "user", "content": "x"}], tasks=TASKS, abstain_below=0.5)


def test_a_threshold_without_tasks_is_refused():
    with pytest.raises(ConfigurationError, match="abstain_below= belongs to routing"):
        Scripted(reply("x")).predict([{"role": "user", "content": "x"}], abstain_below=0.5)


def test_an_answer_outside_the_choices_is_never_passed_on():
    with pytest.raises(InvalidAnswerError, match="Sure") as caught:
        Scripted(reply("Sure! I would say recap")).predict([{"role": "user", "content": "hi"}], tasks=TASKS)
    assert caught.value.choices == ("recap", "email", "none")


def test_previous_none_differs_from_unknown():
    turns = [
        {"role": "user", "content": "one"},
        {"role": "assistant", "content": "two"},
        {"role": "user", "content": "three"},
    ]
    model = Scripted(reply("none"))
    model.predict(turns, tasks=TASKS)
    model.predict(turns, tasks=TASKS, previous=None)
    model.predict(turns, tasks=TASKS, previous="email")
    answers = [[m["content"] for m in asked["messages"] if m["role"] == "assistant"] for asked in model.asked]
    assert answers == [[], ["none"], ["email"]]


@pytest.mark.parametrize("body", [b"not json", b"[]", b'{"choices": []}', b'{"choices": [{"message": {}}]}'])
def test_rubbish_from_a_server_is_a_model_error(body):
    with pytest.raises(ModelError, match="no chat completion"):
        Scripted(body).predict([{"role": "user", "content": "hi"}])


@pytest.mark.parametrize(
    ("messages", "options", "words"),
    [
        ([], {"tasks": TASKS}, "at least one message"),
        ("hello", {"tasks": TASKS}, "must be a list"),
        ([{"role": "assistant", "content": "x"}], {"tasks": TASKS}, "last message must be the user's"),
        ([{"role": "user", "content": 3}], {"tasks": TASKS}, "content"),
        ([{"role": "user", "content": ""}], {"tasks": TASKS}, "last message is empty"),
        ([{"role": "user", "content": " \n\t"}], {"tasks": TASKS}, "last message is blank"),
        ([{"role": "user", "content": "\u200b\ufeff"}], {"tasks": TASKS}, "last message is blank"),
        ([{"role": "user", "content": ""}], {}, "last message is empty"),
        ([{"role": "user", "content": "hi"}, {"role": "user", "content": " "}], {}, "last message is blank"),
        ([{"role": "user", "content": "x"}], {"tasks": []}, "at least one task"),
        ([{"role": "user", "content": "x"}], {"tasks": [*TASKS, TASKS[0]]}, "occurs twice"),
        ([{"role": "user", "content": "x"}], {"tasks": [{"name": "None"}]}, "cannot be named"),
        ([{"role": "user", "content": "x"}], {"tasks": [{"name": "a\nb"}]}, "line breaks"),
        ([{"role": "user"}], {}, "messages cannot be used: message 1: content: is missing"),
        ([{"content": "x"}], {}, "message 1: role: is missing"),
        (["x"], {}, "message 1: a JSON object was expected"),
        ([None], {}, "message 1: a JSON object was expected"),
        (5, {}, "must be a list"),
        ([{"role": "user", "content": "x"}], {"tasks": ["recap"]}, "each task is"),
        ([{"role": "user", "content": "x"}], {"max_tokens": 0}, "max_tokens=0"),
        ([{"role": "user", "content": "x"}], {"temperature": -1}, "temperature=-1"),
        (5, {"tasks": TASKS}, "must be a list"),
        ([{"role": "user", "content": "x"}], {"tasks": 5}, "must be a list"),
        ([{"role": "user", "content": "x"}], {"tasks": TASKS, "previous": 5}, "previous must be"),
        ([{"role": object(), "content": "x"}], {}, "message 1: role: text was expected, not object"),
        ([{"role": "user", "content": "x" * 7_000_000}], {}, "MB"),
    ],
)
def test_what_cannot_be_asked_is_said(messages, options, words):
    model = Scripted(reply("none"))
    with pytest.raises(DataError, match=words):
        model.predict(messages, **options)
    assert model.asked == []


@pytest.mark.parametrize("content", [[{"type": "text", "text": "hi"}], None, 3, {"text": "hi"}])
@pytest.mark.parametrize("options", [{}, {"tasks": TASKS}])
def test_a_content_that_is_no_text_is_named_by_its_message_and_the_filter_works(content, options):
    turns = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "hello"},
        {"role": "assistant", "content": content},
        {"role": "user", "content": "bye"},
    ]
    model = Scripted(reply("none"))
    with pytest.raises(DataError, match=r"^messages cannot be used: message 3: content: text was expected") as caught:
        model.predict(turns, **options)
    proposed = str(caught.value).partition("[m for m")[2].removesuffix(".")
    model.predict(eval(f"[m for m{proposed}", {"messages": turns}), **options)  # as the error proposes
    assert len(model.asked) == 1


@pytest.mark.parametrize("turn", [5, {"content": "x"}, {"role": "user", "content": "\ud800"}])
def test_no_filter_is_proposed_that_would_not_help(turn):
    with pytest.raises(DataError, match="message 1: ") as caught:
        Scripted(reply("x")).predict([turn])
    assert "[m for m" not in str(caught.value)


@pytest.mark.parametrize("said", ["?", "👋", "ок", "1", "はい", "…"])
def test_earlier_messages_may_be_empty_and_the_last_as_short_as_it_likes(said):
    history = [{"role": "user", "content": ""}, {"role": "assistant", "content": " "}]
    model = Scripted(reply("none"))
    assert model.predict([*history, {"role": "user", "content": said}], tasks=TASKS).task is None
    model.predict([*history, {"role": "user", "content": said}])
    assert len(model.asked) == 2


def test_a_session_keeps_nothing_of_an_empty_turn():
    session = Scripted(reply("none")).session(tasks=TASKS)
    with pytest.raises(DataError, match="last message is empty"):
        session.route("")
    assert session.messages == []


def test_an_encoder_that_is_asked_for_a_reply_is_said_to_choose_only():
    class Encoder(Scripted):
        def _ask(self, body):
            text = f'{ENCODER_REFUSAL}: send structured_outputs: {{"choice": [...]}}.'
            raise ModelError("400", endpoint_name="e", status=400, container_message=text, handled=True)

    with pytest.raises(ModelError, match=r"chooses among tasks, and writes no replies\. Give tasks=…") as caught:
        Encoder(None).predict([{"role": "user", "content": "hi"}])
    assert (caught.value.status, caught.value.handled) == (400, True)
    assert ENCODER_REFUSAL in (ROOT / "inference_code" / "servers" / "encoder_server.py").read_text(encoding="utf-8")


def test_previous_without_tasks_is_refused():
    with pytest.raises(ConfigurationError, match="previous"):
        Scripted(reply("x")).predict([{"role": "user", "content": "x"}], previous="recap")


def test_the_gateways_token_is_refused_until_there_is_a_gateway(tmp_path):
    with pytest.raises(ConfigurationError, match="api_auth_token"):
        AWSModel(**KEY, api_auth_token="t", home=tmp_path)
    assert AWSModel(**KEY, api_auth_token="", home=tmp_path).name == "mojodex--routing--x--dev"


def test_names_are_checked_at_once(tmp_path):
    with pytest.raises(InvalidNameError, match="stage"):
        AWSModel(**KEY, stage="", home=tmp_path)


@pytest.mark.parametrize("content", ["\ud83d", "a \udfff b"])
def test_half_a_character_is_refused(content):
    turns = [{"role": "user", "content": content}]
    with pytest.raises(DataError, match="surrogate"):
        Scripted(reply("x")).predict(turns)
    with pytest.raises(DataError):
        Scripted(reply("x")).predict(turns, tasks=TASKS)


def test_a_proxy_or_profile_of_the_user_is_not_the_local_clouds(local_home, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_PROFILE", "nope")
    with pytest.raises(EndpointNotFoundError):
        AWSModel(**KEY, cloud_service="local", home=local_home).predict([{"role": "user", "content": "hi"}])


def test_an_endpoint_out_of_reach_is_a_prediction_error(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    model = AWSModel(**KEY, cloud_service="aws", region_name="us-east-1")
    with pytest.raises(PredictionError, match="could not be reached"):
        model.predict([{"role": "user", "content": "hi"}])


def test_a_missing_endpoint_is_named(local_home):
    model = AWSModel(**KEY, stage="prod", cloud_service="local", home=local_home)
    with pytest.raises(EndpointNotFoundError, match="mojodex--routing--x--prod") as caught:
        model.predict([{"role": "user", "content": "x"}], tasks=TASKS)
    assert caught.value.endpoint_name == model.name
