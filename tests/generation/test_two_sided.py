"""User and agent, each asked apart: who sees what, and what becomes of their messages."""

import json

import pytest
from written import Model

from mojo_toolbox.errors import ProviderUnavailableError
from mojo_toolbox.generation.asking import Retries
from mojo_toolbox.generation.generating import generate
from mojo_toolbox.generation.plan import plan
from mojo_toolbox.generation.prices import TokenPrices
from mojo_toolbox.generation.projection import project
from mojo_toolbox.generation.reading import MalformedReply
from mojo_toolbox.generation.task_file import read_task_file
from mojo_toolbox.generation.two_sided import TwoSidedWriter


@pytest.fixture
def spec(tasks):
    return read_task_file(tasks)


def speaking(asked):
    """Return an ask() that numbers what it says, and keeps what it was asked."""

    def ask(messages, max_tokens):
        asked.append((messages, max_tokens))
        return f"message {len(asked)}"

    return ask


def test_the_two_sides_take_turns_and_the_user_has_the_last_word(spec):
    for number in range(12):
        drawn, asked = plan(number, spec, seed=0), []
        said = TwoSidedWriter().write(drawn, speaking(asked))
        assert [message.role for message in said] == ["user", "assistant"] * (len(drawn.turns) - 1) + ["user"]
        assert [message.content for message in said] == [f"message {n + 1}" for n in range(len(said))]
        assert [message.task for message in said if message.role == "user"] == [turn.task for turn in drawn.turns]
        assert len(asked) == 2 * len(drawn.turns) - 1


def test_each_side_sees_what_was_said_and_only_the_user_what_it_is_after(spec):
    drawn = next(p for p in (plan(number, spec, seed=0) for number in range(50)) if len(p.turns) > 2)
    asked = []
    TwoSidedWriter().write(drawn, speaking(asked))
    for number, (messages, _) in enumerate(asked):
        text = json.dumps(messages)
        assert all(f"message {earlier}" in text for earlier in range(1, number + 1))
        turn = drawn.turns[number // 2]
        if number % 2:
            assert json.dumps(turn.intent)[1:-1] not in text
            assert drawn.voice.persona not in text
        else:
            assert json.dumps(turn.intent)[1:-1] in text


def test_a_message_that_is_none_is_malformed(spec):
    with pytest.raises(MalformedReply):
        TwoSidedWriter().write(plan(0, spec, seed=0), lambda messages, max_tokens: "   ")


def test_templates_of_a_side_stand_in_for_the_shipped_ones(spec, tmp_path):
    from mojo_toolbox.generation.templates import load_template

    (tmp_path / "mine.md").write_text(
        "---\nwrites: user\nmax_tokens: 7\n---\n\n## user\n\n$conversation WISH $intent\n"
    )
    asked = []
    TwoSidedWriter([load_template(tmp_path / "mine.md")]).write(plan(1, spec, seed=0), speaking(asked))
    assert all(("WISH" in messages[-1]["content"]) == (number % 2 == 0) for number, (messages, _) in enumerate(asked))
    assert {max_tokens for _, max_tokens in asked[::2]} == {7}


def test_a_whole_run_survives_faults_in_the_middle_of_conversations(tasks, tmp_path):
    asked = []

    def answer(request):
        asked.append(request)
        return ProviderUnavailableError("500") if len(asked) % 3 == 0 else f"words {request['seed']}"

    given = {"two_sided": True, "judges": (), "progress": False, "retries": Retries(first_wait=0.001)}
    outcome = generate(tasks, tmp_path / "a.jsonl", provider=Model(answer), count=6, concurrency=3, **given)
    calm = Model(lambda request: f"words {request['seed']}")
    generate(tasks, tmp_path / "b.jsonl", provider=calm, count=6, **given)
    assert outcome.written == 6
    assert (tmp_path / "a.jsonl").read_bytes() == (tmp_path / "b.jsonl").read_bytes()


def test_a_cap_leaves_hardly_a_conversation_half_written(tasks, tmp_path):
    outcome = generate(
        tasks,
        tmp_path / "a.jsonl",
        provider=Model(lambda request: f"words {request['seed']}"),
        count=500,
        two_sided=True,
        judges=(),
        concurrency=6,
        prices=TokenPrices(1.0, 1.0),
        max_cost=0.1,
        progress=False,
    )
    assert outcome.stopped == "max_cost"
    assert 0.08 < outcome.cost <= 0.1
    assert sum(outcome.put_aside.values()) <= 6
    usage = outcome.usage
    assert outcome.cost == pytest.approx((usage.prompt_tokens + usage.completion_tokens) / 1e6)


def test_what_it_will_take_is_projected(spec):
    def planned(number):
        return plan(number, spec, seed=0)

    projection = project(planned, 20, TwoSidedWriter(), TokenPrices(1.0, 2.0))
    assert projection.requests == sum(2 * len(planned(number).turns) - 1 for number in range(20))
    assert projection.cost == pytest.approx((projection.read + 2 * projection.written) / 1e6)
