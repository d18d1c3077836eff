"""A run: nothing is lost, nothing is asked twice, nothing changes with how it came about."""

import json
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from scripted_chat_server import completion, refusal, serving
from written import Model, conversation_text, faulty_first

from mojo_toolbox.contract import Usage
from mojo_toolbox.data import read_conversations
from mojo_toolbox.errors import (
    ConfigurationError,
    DataError,
    GenerationError,
    ModelError,
    ProviderUnavailableError,
)
from mojo_toolbox.generation.asking import Retries
from mojo_toolbox.generation.generating import generate
from mojo_toolbox.generation.judging import PromptJudge
from mojo_toolbox.generation.openai_provider import OpenAIProvider
from mojo_toolbox.generation.prices import TokenPrices
from mojo_toolbox.generation.providers import Reply
from mojo_toolbox.generation.replay import RecordingProvider, ReplayProvider

QUICK = Retries(first_wait=0.001, longest_wait=0.002)


@pytest.fixture
def run(tasks, template, tmp_path):
    """Run with short waits, without a bar, into out.jsonl."""

    def start(model, **options):
        given = {"output": tmp_path / "out.jsonl", "count": 10, "templates": [template], "judges": (), "retries": QUICK}
        return generate(tasks, provider=model, progress=False, **(given | options))

    return start


def rows(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


# ------------------------------------------------------------------------------------------------ what is written


def test_conversations_come_with_labels_plan_and_provenance(run, tmp_path):
    outcome = run(Model(), count=8)
    found = list(read_conversations(tmp_path / "out.jsonl"))
    assert (outcome.written, outcome.wanted, outcome.malformed) == (8, 8, None)
    assert [conversation.id for conversation in found] == [f"gen-0-{number}" for number in range(8)]
    for conversation in found:
        users = [message for message in conversation.messages if message.role == "user"]
        assert len(users) == len(conversation.meta["plan"]["turns"])
        assert all(message.labelled for message in users)
        assert conversation.meta["origin"] == "generated"
        assert conversation.meta["model"] == "model-t"
        assert conversation.meta["usage"] == {"prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 0}
        assert len(conversation.meta["prompt_sha256"]) == 64


def test_the_same_seed_writes_the_same_file_whatever_the_concurrency(run, tmp_path):
    malformed = faulty_first('{"turns": [{"user": "hal')
    run(Model(malformed), output=tmp_path / "one.jsonl", count=30)
    run(Model(faulty_first('{"turns": [{"user": "hal')), output=tmp_path / "many.jsonl", count=30, concurrency=8)
    run(Model(), output=tmp_path / "other.jsonl", count=30, seed=1)
    one = (tmp_path / "one.jsonl").read_bytes()
    assert one == (tmp_path / "many.jsonl").read_bytes()
    assert one != (tmp_path / "other.jsonl").read_bytes()


def test_never_more_are_asked_at_once_than_allowed(run):
    together, most = set(), []
    lock, all_there = threading.Lock(), threading.Barrier(4, timeout=20)

    def answer(request):
        with lock:
            together.add(threading.get_ident())
            most.append(len(together))
        all_there.wait()
        with lock:
            together.discard(threading.get_ident())
        return conversation_text(request)

    run(Model(answer), count=12, concurrency=4)
    assert max(most) == 4


# ------------------------------------------------------------------------------------------------ malformed replies


@pytest.mark.parametrize(
    "said",
    [
        "I'm sorry, I cannot do that.",
        "",
        '{"turns": [{"user": "Can you',
        '{"turns": []}',
        "[" * 100_000,
        "\ud83d half a character",
        json.dumps({"turns": [{"user": "one turn too many", "assistant": "x"}] * 99}),
        Reply('{"turns": [{"user": "cut', Usage(prompt_tokens=1, completion_tokens=500), cut_off=True),
    ],
)
def test_a_malformed_reply_is_kept_counted_and_asked_for_again(run, tmp_path, said):
    model = Model(faulty_first(said))
    outcome = run(model, count=3)
    aside = rows(tmp_path / "out.malformed.jsonl")
    text = said.text if isinstance(said, Reply) else said
    assert (outcome.written, sum(outcome.put_aside.values()), outcome.given_up) == (3, 3, 0)
    assert [(row["number"], row["attempt"], row["why"], row["replies"]) for row in aside] == [
        (number, 1, "malformed", [text]) for number in range(3)
    ]
    assert {row["reason"] for row in aside} == set(outcome.put_aside)
    assert len({request["seed"] for request in model.requests}) == 6


def test_prose_around_a_conversation_does_no_harm(run):
    outcome = run(Model(lambda request: f"Sure! Here it is:\n```json\n{conversation_text(request)}\n```\nEnjoy."))
    assert (outcome.written, outcome.malformed) == (10, None)


def test_a_conversation_is_given_up_after_so_many_attempts_and_taken_up_again_with_more(run, tmp_path):
    model = Model(faulty_first("no", times=3))
    outcome = run(model, count=2, attempts=2)
    assert (outcome.written, outcome.given_up, len(model.requests)) == (0, 2, 4)
    again = run(model, count=2, attempts=2)
    assert (again.given_up, len(model.requests)) == (2, 4)
    more = run(model, count=2, attempts=4)
    assert (more.written, more.given_up, len(model.requests)) == (2, 0, 8)
    assert [row["meta"]["attempt"] for row in rows(tmp_path / "out.jsonl")] == [4, 4]


def test_a_model_that_never_writes_to_the_plan_is_not_asked_without_end(run, tmp_path):
    model = Model(lambda request: "no")
    with pytest.raises(GenerationError, match="20 replies in a row were of no use, 20 of them for this: no conv"):
        run(model, count=1000)
    assert len(model.requests) == 20
    assert len(rows(tmp_path / "out.malformed.jsonl")) == 20


def test_a_refused_chat_is_put_aside_and_the_others_are_written(run, tmp_path):
    refusing = ModelError("m answered 400: content filter.", endpoint_name="m", status=400)
    outcome = run(Model(faulty_first(refusing)), count=3)
    assert (outcome.written, outcome.put_aside) == (3, {"m answered 400: content filter.": 3})
    assert {row["why"] for row in rows(tmp_path / "out.malformed.jsonl")} == {"refused"}


# ------------------------------------------------------------------------------------------------ no answer


def test_passing_faults_are_waited_for(run):
    faults = iter([ProviderUnavailableError("500")] * 4 + [ProviderUnavailableError("429", rate_limited=True)] * 9)
    model = Model(lambda request: next(faults, None) or conversation_text(request))
    assert run(model, count=5).written == 5
    assert len(model.requests) == 18


def test_an_outage_ends_the_run_and_a_new_start_asks_for_the_rest(run, tmp_path):
    down = []
    model = Model(lambda request: ProviderUnavailableError("no line") if down else conversation_text(request))
    run(model, count=4)
    down.append(True)
    with pytest.raises(GenerationError, match=r"no line\. None of 18 tries in a row brought an answer\."):
        run(model, count=8, concurrency=2)
    down.clear()
    outcome = run(model, count=8, concurrency=2)
    assert (outcome.written, outcome.given_up) == (8, 0)


def test_a_single_request_that_is_never_answered_does_not_end_the_run(run, tmp_path):
    poison = []

    def answer(request):
        prompt = request["messages"][-1]["content"]
        poison[:] = poison or [prompt]
        return ProviderUnavailableError("500") if prompt == poison[0] else conversation_text(request)

    outcome = run(Model(answer), count=6, concurrency=2)
    assert (outcome.written, outcome.put_aside) == (5, {"500": 1})
    # It was no attempt: a new start asks again.
    assert rows(tmp_path / "out.malformed.jsonl")[0]["why"] == "no answer"
    assert run(Model(), count=6).written == 6


def test_a_fault_that_nobody_can_wait_out_ends_the_run(run):
    with pytest.raises(GenerationError, match="left alone for 3600 s"):
        run(Model(lambda request: ProviderUnavailableError("Closed.", retry_after=3600, rate_limited=True)))
    with pytest.raises(GenerationError, match="wrong key"):
        run(Model(lambda request: GenerationError("wrong key")))


# ------------------------------------------------------------------------------------------------ over HTTP, with faults


def test_a_server_with_every_kind_of_fault(run, tmp_path):
    """The first two requests for each conversation fail in some way; everything is written all the same."""
    faults = [
        lambda text: refusal(500, "boom"),
        lambda text: refusal(429, "slow down"),
        lambda text: (429, {"error": {"message": "slow"}}, {"retry-after": "0"}),
        lambda text: b"<html>Bad gateway</html>",
        lambda text: (503, b"busy"),
        lambda text: completion(text[: len(text) // 2], finish_reason="length", completion_tokens=500),
        lambda text: text[: len(text) // 2],
    ]
    asked = {}
    lock = threading.Lock()

    def answer(request):
        key = request["messages"][-1]["content"]
        with lock:
            number = list(asked).index(key) if key in asked else len(asked)
            asked[key] = times = asked.get(key, 0) + 1
        text = conversation_text(request)
        if times <= 2:
            return faults[(number + times) % len(faults)](text)
        return f"With pleasure.\n\n{text}\n\nAnything else?"

    with serving(answer) as server:
        provider = OpenAIProvider("model-t", base_url=server.url, timeout=20)
        outcome = run(provider, count=12, concurrency=3)
    assert (outcome.written, outcome.given_up) == (12, 0)
    assert [row["id"] for row in rows(tmp_path / "out.jsonl")] == [f"gen-0-{number}" for number in range(12)]
    assert server.requests[0]["temperature"] == 0.9


# ------------------------------------------------------------------------------------------------ cost


PRICES = TokenPrices(read=1.0, written=10.0)  # 100 read and 50 written cost $0.0006


def test_cost_is_counted_and_malformed_replies_are_too(run):
    outcome = run(Model(faulty_first("no")), prices=PRICES)
    assert outcome.cost == pytest.approx(20 * 0.0006)
    assert run(Model(), prices=PRICES, count=11).cost == pytest.approx(21 * 0.0006)


@pytest.mark.parametrize("concurrency", [1, 5, 32])
def test_the_cap_is_never_passed_and_nearly_used_up(run, tmp_path, concurrency):
    cap = 0.05
    outcome = run(Model(), count=1000, prices=PRICES, max_cost=cap, concurrency=concurrency)
    assert outcome.stopped == "max_cost"
    # The next one might have written its 500 tokens.
    assert cap - 0.0066 < outcome.cost <= cap
    assert outcome.written == round(outcome.cost / 0.0006) == len(rows(tmp_path / "out.jsonl"))
    more = run(Model(), count=1000, prices=PRICES, max_cost=0.08, concurrency=concurrency)
    assert cap < more.cost <= 0.08
    assert not more.put_aside


def test_a_cap_that_allows_nothing_asks_nothing(run):
    model = Model()
    outcome = run(model, prices=PRICES, max_cost=0.001)
    assert (outcome.stopped, outcome.written, model.requests) == ("max_cost", 0, [])


def test_a_cap_holds_where_answers_are_as_dear_as_can_be(run):
    outcome = run(
        Model(usage=Usage(prompt_tokens=300, completion_tokens=500)),
        count=100,
        prices=PRICES,
        max_cost=0.05,
        concurrency=8,
    )
    assert 0.04 < outcome.cost <= 0.05


def test_a_server_that_counts_no_tokens_is_counted_at_a_token_a_byte(run, tmp_path):
    outcome = run(Model(usage=None), count=100, prices=PRICES, max_cost=0.05)
    assert 0 < outcome.cost <= 0.05
    assert rows(tmp_path / "out.jsonl")[0]["meta"]["usage"]["prompt_tokens"] > 100


def test_what_may_have_been_paid_for_counts_towards_the_cap(run):
    lost = ProviderUnavailableError("connection lost", maybe_paid=True)
    outcome = run(Model(faulty_first(lost)), count=100, prices=PRICES, max_cost=0.05)
    assert outcome.stopped == "max_cost"
    # Each conversation took room for an answer of 500 tokens that never came.
    assert outcome.written <= 0.05 / 0.005


def test_a_judges_tokens_count_too(run, tmp_path):
    def answer(request):
        return conversation_text(request) if "Exactly" in request["messages"][-1]["content"] else "{}"

    outcome = run(Model(answer), count=4, judges=[lambda provider: PromptJudge(provider, attempts=1)], prices=PRICES)
    assert outcome.cost == pytest.approx(8 * 0.0006)
    assert {mark["kind"] for mark in rows(tmp_path / "out.jsonl")[0]["meta"]["review"]} == {"unjudged"}


def test_a_judge_that_gives_no_answer_costs_no_conversation(run, tmp_path):
    def answer(request):
        prompt = request["messages"][-1]["content"]
        return conversation_text(request) if "Exactly" in prompt else ProviderUnavailableError("500")

    outcome = run(Model(answer), count=2, judges=[PromptJudge])
    marks = [mark for row in rows(tmp_path / "out.jsonl") for mark in row["meta"]["review"]]
    assert outcome.written == 2
    assert [mark["reason"] for mark in marks] == ["The judge gave no answer: 500"] * 2


# ------------------------------------------------------------------------------------------------ going on


def test_a_new_start_asks_only_for_what_is_missing(run, tmp_path):
    run(Model(), count=4)
    model = Model()
    assert run(model, count=9).written == 9
    assert len(model.requests) == 5
    run(Model(), output=tmp_path / "at once.jsonl", count=9)
    assert (tmp_path / "out.jsonl").read_bytes() == (tmp_path / "at once.jsonl").read_bytes()
    assert run(Model(), count=2).written == 9


def test_a_torn_last_line_is_cut_and_asked_for_again(run, tmp_path):
    run(Model(), count=5)
    whole = (tmp_path / "out.jsonl").read_bytes()
    for end in (1, 40, len(whole) - whole.rstrip().rfind(b"\n") - 2):
        (tmp_path / "out.jsonl").write_bytes(whole[:-end])
        model = Model()
        run(model, count=5)
        assert len(model.requests) == 1
        assert (tmp_path / "out.jsonl").read_bytes() == whole


KILLED = """
import os, sys, threading
from pathlib import Path
sys.path[:0] = {path!r}
from written import Model, conversation_text
from mojo_toolbox.generation.generating import generate
asked = 0
lock = threading.Lock()
def answer(request):
    global asked
    with lock:
        asked += 1
        now = asked
    if now > {good}:
        os.write(1, b"ready\\n")
        threading.Event().wait()
    return conversation_text(request)
generate({tasks!r}, {output!r}, provider=Model(answer), count=20, templates=[{template!r}], judges=(), concurrency=3,
         progress=False)
"""


@pytest.fixture
def process(tasks, template, tmp_path):
    """A run in a process of its own that gets `good` answers, and then none."""
    started = []

    def start(good, **options):
        code = KILLED.format(
            path=[str(Path(__file__).parent), str(Path.cwd())],
            tasks=str(tasks),
            template=str(template),
            output=str(tmp_path / "out.jsonl"),
            good=good,
        )
        running = subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
        )
        started.append(running)
        for _ in range(3):
            assert running.stdout.readline() == "ready\n"
        return running

    yield start
    for running in started:
        running.kill()
        running.communicate()


@pytest.mark.parametrize("good", [0, 1, 7])
def test_what_a_killed_run_wrote_is_kept(run, process, tmp_path, good):
    running = process(good)
    running.send_signal(signal.SIGKILL)
    running.wait()
    assert len(rows(tmp_path / "out.jsonl")) == good
    model = Model()
    assert run(model, count=20, concurrency=3).written == 20
    assert len(model.requests) == 20 - good
    run(Model(), count=20, output=tmp_path / "at once.jsonl")
    assert (tmp_path / "out.jsonl").read_bytes() == (tmp_path / "at once.jsonl").read_bytes()


def test_ctrl_c_twice_leaves_what_is_under_way_and_keeps_the_rest(run, process, tmp_path):
    running = process(4)
    running.send_signal(signal.SIGINT)
    assert "Ctrl-C again" in running.stderr.readline()
    running.send_signal(signal.SIGINT)
    assert running.wait(timeout=30) != 0
    assert len(rows(tmp_path / "out.jsonl")) == 4
    assert run(Model(), count=20).written == 20


def test_two_runs_never_write_into_one_file(run, process, tmp_path):
    process(2)
    with pytest.raises(GenerationError, match=r"Another run writes into .*out\.jsonl"):
        run(Model(), count=20)
    assert len(rows(tmp_path / "out.jsonl")) == 2


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"seed": 1}, "seed 0 there, 1 here"),
        ({"temperature": 0.5}, "temperature 0.9 there, 0.5 here"),
        ({"languages": {"French": 1}}, 'languages null there, {"French": 1} here'),
        ({"shares": {"ending": 1}}, 'scenario shares null there, {"ending": 1} here'),
        ({"templates": []}, "templates "),
        ({"two_sided": True, "templates": []}, 'writing "whole" there, "two-sided" here'),
        ({"provider": Model(name="other")}, 'model "model-t" there, "other" here'),
    ],
)
def test_another_run_on_the_same_file_is_refused_with_what_differs(tasks, template, tmp_path, change, words):
    given = {"provider": Model(), "count": 3, "templates": [template], "judges": (), "progress": False}
    generate(tasks, tmp_path / "out.jsonl", **given)
    before = (tmp_path / "out.jsonl").read_bytes()
    with pytest.raises(GenerationError, match="holds another run") as caught:
        generate(tasks, tmp_path / "out.jsonl", **(given | change))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert (tmp_path / "out.jsonl").read_bytes() == before


def test_other_tasks_on_the_same_file_are_refused(run, tasks):
    run(Model(), count=2)
    document = json.loads(tasks.read_text())
    document["tasks"][0]["description"] = "Something else"
    tasks.write_text(json.dumps(document))
    with pytest.raises(GenerationError, match="the tasks changed since"):
        run(Model(), count=2)


def test_a_changed_template_on_the_same_file_is_refused(run, template):
    run(Model(), count=2)
    template.write_text(template.read_text() + "\nBe brief.\n")
    with pytest.raises(GenerationError, match=r"templates .*the prompts changed since"):
        run(Model(), count=2)


def test_a_run_that_wrote_nothing_may_be_started_otherwise(run):
    with pytest.raises(GenerationError, match="wrong key"):
        run(Model(lambda request: GenerationError("wrong key")))
    assert run(Model(), seed=5).written == 10


@pytest.mark.parametrize(
    ("content", "words"),
    [("my own notes\n", "no run wrote it"), ('{"a": 1}\n', "no run wrote it")],
)
def test_a_file_that_no_run_wrote_is_left_alone(run, tmp_path, content, words):
    (tmp_path / "out.jsonl").write_text(content)
    with pytest.raises(GenerationError, match=words):
        run(Model())
    assert (tmp_path / "out.jsonl").read_text() == content


@pytest.mark.parametrize(
    "line", ["nonsense", "[1]", '{"id": "x"}', '{"meta": {"plan": {"number": "x"}, "usage": null}}']
)
def test_a_line_that_is_no_conversation_of_the_run_is_named(run, tmp_path, line):
    run(Model(), count=3)
    with (tmp_path / "out.jsonl").open("a") as file:
        file.write(line + "\n")
    with pytest.raises(DataError, match=r"out\.jsonl:4: "):
        run(Model(), count=5)


def test_a_place_where_nothing_can_be_written_is_said(run, tmp_path):
    with pytest.raises(GenerationError, match="is a folder"):
        run(Model(), output=tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(GenerationError, match=r"cannot be written"):
        run(Model(), output=tmp_path / "file" / "out.jsonl")


# ------------------------------------------------------------------------------------------------ recording


def test_what_was_recorded_is_replayed_to_the_byte(run, tmp_path):
    recorder = RecordingProvider(Model(faulty_first("no")), tmp_path / "answers.jsonl")
    run(recorder, concurrency=3)
    replayed = run(ReplayProvider(tmp_path / "answers.jsonl"), output=tmp_path / "again.jsonl", concurrency=2)
    assert replayed.put_aside == {"no conversation in it": 10}
    assert (tmp_path / "out.jsonl").read_bytes() == (tmp_path / "again.jsonl").read_bytes()


# ------------------------------------------------------------------------------------------------ arguments


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"count": 0}, "count=0"),
        ({"concurrency": 0}, "concurrency=0"),
        ({"attempts": 0}, "attempts=0"),
        ({"temperature": 3}, "temperature=3"),
        ({"max_cost": 1}, "needs prices"),
        ({"two_sided": True}, "two-sided, so it takes templates that write: user or agent"),
    ],
)
def test_arguments_that_cannot_be_used_are_refused_before_anything_is_written(run, tmp_path, options, words):
    with pytest.raises(ConfigurationError, match=words):
        run(Model(), **options)
    assert not (tmp_path / "out.jsonl").exists()
