"""A language model and an encoder answer together; long lists are shortened first, and the reply is about the whole one."""

import json
import math
from dataclasses import dataclass, field

import pytest
from tiny_base import save_tiny_base
from tiny_choice_encoder import save_bert, save_choice_encoder, tasks_message

from chat.request import ChatRequest, InvalidRequestError
from servers.paired_server import PairedServer
from servers.shortlist import Shortlist

TASKS = {f"task_{letter}": f"does {letter}" for letter in "abcdefgh"}
CHOICES = [*TASKS, "none"]
# What weighs most first: e, c, g, then the others in the list's order.
WEIGHTS = {"task_e": 0.4, "task_c": 0.2, "task_g": 0.1}


@dataclass(frozen=True)
class Weighed:
    log_probabilities: list[float]
    running: str | None


@dataclass
class FixedWeights:
    """Weighs by a table, whatever is said."""

    fallback: str = "none"
    running: str | None = None
    asked: list = field(default_factory=list)

    def decide(self, messages, choices):
        self.asked.append((messages, choices))
        return Weighed([math.log(WEIGHTS.get(choice, 0.01)) for choice in choices], self.running)


class FirstChoice:
    """Answers the first of the choices, and keeps what it was asked."""

    def answer(self, request):
        self.request = request
        if request.choices is None:
            return {"choices": [{"message": {"content": "written"}}]}
        weights = {choice: float(place == 0) for place, choice in enumerate(request.choices)}
        return {"choices": [{"message": {"content": request.choices[0]}, "choice_probabilities": weights}]}


def user(text):
    return {"role": "user", "content": text}


def answer(text):
    return {"role": "assistant", "content": text}


def request(*messages, choices=CHOICES, system=None, **fields):
    return ChatRequest([system or tasks_message(TASKS), *messages], choices, **fields)


def shortened(asked, most=2, **weights):
    shortlist = Shortlist(most, "none")
    decision = FixedWeights(**weights).decide(asked.messages, asked.choices)
    return shortlist.shortened(asked, shortlist.kept(asked, decision))


def paired(server, most=2, encoder_weight=0.0):
    return PairedServer(server, FixedWeights(), most=most, encoder_weight=encoder_weight)


def test_the_likeliest_the_running_one_and_the_fallback_stay_in_the_lists_order():
    found = shortened(request(user("x"), answer("task_a"), user("y"), logprobs=True, adapter="job"))
    assert found.choices == ["task_a", "task_c", "task_e", "none"]
    assert found.messages[0] == {
        "role": "system",
        "content": "Name the task. Tasks:\ndoes a: task_a\ndoes c: task_c\ndoes e: task_e\nNothing fits: none",
    }
    assert found.messages[1:] == [user("x"), answer("task_a"), user("y")]
    assert (found.logprobs, found.adapter) == (True, "job")


def test_what_a_bare_conversation_came_to_stays():
    assert shortened(request(user("x")), running="task_h").choices == ["task_c", "task_e", "task_h", "none"]
    assert shortened(request(user("x"))).choices == ["task_c", "task_e", "none"]


@pytest.mark.parametrize("earlier", ["none", "task_gone", "task_e"])
def test_an_earlier_answer_that_is_no_other_task_adds_nothing(earlier):
    chat = [user("x"), answer("task_b"), user("y"), answer(earlier), user("z")]
    found = shortened(request(*chat))
    assert found.choices == ["task_c", "task_e", "none"]
    assert found.messages[1:] == chat


def test_a_fallback_that_is_not_listed_is_not_added():
    assert shortened(request(user("x"), choices=list(TASKS))).choices == ["task_c", "task_e"]


@pytest.mark.parametrize(
    ("messages", "choices", "most"),
    [
        ([user("x")], CHOICES, 8),
        ([user("x")], list(TASKS), 8),
        ([user("x")], None, 2),
        ([user("x")], CHOICES, 0),
        ([user("x"), answer("task_a")], CHOICES, 2),
    ],
    ids=["as many as are read", "without fallback", "no choices", "all shown", "no turn to decide"],
)
def test_nothing_is_left_out_where_nothing_needs_to_be(messages, choices, most):
    server = FirstChoice()
    asked = request(*messages, choices=choices)
    assert "shortlist" not in paired(server, most).answer(asked)["choices"][0]
    assert server.request is asked


def test_lines_that_list_no_choice_and_other_system_messages_stay():
    first = {"role": "system", "content": "Be brief.\n\nYou may say: task_a, or another one."}
    asked = ChatRequest([first, tasks_message(TASKS), user("x")], CHOICES)
    found = shortened(asked)
    assert found.messages[0] == first
    assert found.messages[1]["content"].splitlines()[1:-1] == ["does c: task_c", "does e: task_e"]


def test_a_list_that_the_system_message_does_not_spell_is_shortened_all_the_same():
    asked = ChatRequest([user("x")], CHOICES)
    found = shortened(asked)
    assert (found.choices, found.messages) == (["task_c", "task_e", "none"], [user("x")])


def test_the_reply_is_about_the_whole_list():
    server = FirstChoice()
    reply = paired(server).answer(request(user("x")))
    (choice,) = reply["choices"]
    assert server.request.choices == choice["shortlist"] == ["task_c", "task_e", "none"]
    assert list(choice["choice_probabilities"]) == CHOICES
    assert {name for name, weight in choice["choice_probabilities"].items() if weight > 1e-8} == {"task_c"}
    assert sum(choice["choice_probabilities"].values()) == pytest.approx(1)


@dataclass(frozen=True)
class Says:
    """A language model that weighs as told."""

    weights: dict

    def answer(self, request):
        best = max(self.weights, key=self.weights.get)
        entries = (
            {"content": [{"token": part, "logprob": -0.1} for part in best.split("_")]} if request.logprobs else None
        )
        choice = {"message": {"content": best}, "logprobs": entries, "choice_probabilities": dict(self.weights)}
        return {"choices": [choice]}


def test_both_models_probabilities_are_mixed():
    names = ["task_c", "task_e", "none"]
    server = Says({"task_c": 0.5, "task_e": 0.3, "none": 0.2})
    asked = request(user("x"), choices=names, logprobs=True)
    choice = paired(server, most=9, encoder_weight=0.7).answer(asked)["choices"][0]
    expected = {n: server.weights[n] ** 0.3 * WEIGHTS.get(n, 0.01) ** 0.7 for n in names}
    total = sum(expected.values())
    assert choice["choice_probabilities"] == pytest.approx({n: value / total for n, value in expected.items()})
    assert choice["message"]["content"] == "task_e"
    (entry,) = choice["logprobs"]["content"]
    assert entry["token"] == "task_e"
    assert math.exp(entry["logprob"]) == pytest.approx(choice["choice_probabilities"]["task_e"])


@pytest.mark.parametrize(("encoder_weight", "best"), [(0.0, "task_c"), (1.0, "task_e")])
def test_at_the_ends_of_the_scale_one_model_decides(encoder_weight, best):
    server = Says({"task_c": 0.9, "task_e": 0.0, "none": 0.1})
    asked = request(user("x"), choices=list(server.weights))
    assert (
        paired(server, most=9, encoder_weight=encoder_weight).answer(asked)["choices"][0]["message"]["content"] == best
    )


def test_of_choices_that_are_as_likely_but_for_rounding_the_first_is_the_answer():
    server = Says({"task_a": 0.4, "task_b": 0.400001, "none": 0.199999})
    asked = request(user("x"), choices=list(server.weights))
    assert paired(server, most=9).answer(asked)["choices"][0]["message"]["content"] == "task_a"


@pytest.mark.parametrize("given", ["half", "1.5", "-0.1", "nan"])
def test_a_weight_that_is_none_is_refused_before_anything_is_loaded(given, monkeypatch, tmp_path):
    import inference

    (tmp_path / "manifest.json").write_text('{"contract_version": 1}')
    monkeypatch.setenv("MOJO_ENCODER_WEIGHT", given)
    with pytest.raises(ValueError, match=f"MOJO_ENCODER_WEIGHT is '{given}'"):
        inference.model_fn(str(tmp_path))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A language model with an encoder beside it."""
    root = tmp_path_factory.mktemp("both")
    save_tiny_base(root / "artifact")
    save_choice_encoder(root / "artifact" / "encoder", save_bert(root / "bert"))
    return root / "artifact"


@pytest.fixture
def settings(monkeypatch):
    monkeypatch.setenv("MOJO_DTYPE", "float32")
    for name in ("MOJO_BASE_MODEL", "MOJO_ENCODER_BASE_MODEL", "MOJO_SHORTLIST"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def ask(server, tasks, words="User: rain", **body):
    import inference

    body |= {"messages": [tasks_message(tasks), user(words)], "structured_outputs": {"choice": [*tasks, "none"]}}
    return json.loads(inference.answer(server, json.dumps(body)))


def test_a_language_model_with_an_encoder_beside_it_reads_twenty_tasks_at_most(folder, settings):
    import inference

    server = inference.model_fn(str(folder))
    tasks = {f"t{number}": "rain" for number in range(60)}
    reply = ask(server, tasks, logprobs=True)
    choice = reply["choices"][0]
    assert len(choice["shortlist"]) == 21
    assert choice["message"]["content"] in choice["shortlist"]
    assert list(choice["choice_probabilities"]) == [*tasks, "none"]
    assert sum(choice["choice_probabilities"].values()) == pytest.approx(1)
    # The whole list does not fit the context of 512 tokens.
    assert reply["usage"]["prompt_tokens"] < 512
    short = {f"t{number}": "rain" for number in range(20)}
    assert "shortlist" not in ask(server, short)["choices"][0]
    with pytest.raises(InvalidRequestError, match="no adapter 'other'"):
        ask(server, tasks, model="other")


def test_the_environment_says_how_many_are_read(folder, settings):
    import inference

    tasks = {f"t{number}": "rain" for number in range(9)}
    settings.setenv("MOJO_SHORTLIST", "3")
    assert len(ask(inference.model_fn(str(folder)), tasks)["choices"][0]["shortlist"]) == 4
    settings.setenv("MOJO_SHORTLIST", "0")
    assert "shortlist" not in ask(inference.model_fn(str(folder)), tasks)["choices"][0]
    settings.setenv("MOJO_SHORTLIST", "few")
    with pytest.raises(ValueError, match="MOJO_SHORTLIST is 'few'"):
        inference.model_fn(str(folder))
