"""Runs that are killed, hang, fail, meet each other or find another run in their folder."""

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from conversations import conversation, many, oracle

from mojo_toolbox.data import write_records
from mojo_toolbox.errors import ConfigurationError, DataError, EndpointNotFoundError, EvaluationError, ReportError
from mojo_toolbox.evaluation import Answer, evaluate, evaluate_all, read_report


def ask(router, conversations, **options):
    return evaluate(router, conversations, progress=False, resamples=20, **options)


def rows(folder):
    return [json.loads(line) for line in (folder / "predictions.jsonl").read_text().splitlines()]


KILLED = """
import os, signal, sys
from mojo_toolbox.evaluation import evaluate

def stay(messages, tasks, previous):
    with open(sys.argv[3], "a") as asked:
        asked.write(messages[-1].content + "\\n")
    if len(open(sys.argv[3]).readlines()) == int(sys.argv[4]):
        os.kill(os.getpid(), signal.SIGKILL)
    return previous

evaluate(stay, sys.argv[1], output=sys.argv[2], progress=False, resamples=20)
"""


def test_a_run_killed_at_a_decision_asks_only_for_the_rest(tmp_path):
    write_records(tmp_path / "data.jsonl", [c.as_record() for c in many(6)])
    script = tmp_path / "run.py"
    script.write_text(KILLED)
    asked = tmp_path / "asked.txt"

    def run(kill_at):
        command = [sys.executable, script, tmp_path / "data.jsonl", tmp_path / "out", asked, str(kill_at)]
        return subprocess.run(
            command, check=False, timeout=60, env={**os.environ, "PYTHONPATH": str(Path.cwd())}
        ).returncode

    assert run(11) == -signal.SIGKILL
    assert not (tmp_path / "out" / "predictions.jsonl").exists()
    assert not (tmp_path / "out" / "report.json").exists()
    assert run(0) == 0
    decisions = sum(m.labelled for c in many(6) for m in c.messages)
    # The one that was under way when the process was killed is asked twice.
    assert len(asked.read_text().splitlines()) == decisions + 1
    found = rows(tmp_path / "out")
    assert [(row["conversation"], row["turn"]) for row in found] == sorted(
        {(r["conversation"], r["turn"]) for r in found}
    )
    assert len(found) == decisions == read_report(tmp_path / "out").overall.n
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        "predictions.jsonl",
        "report.html",
        "report.json",
        "report.md",
        "run.json",
    ]


def test_own_decisions_are_taken_up_again_where_a_run_ended(tmp_path):
    conversations = [conversation(0, ["recap"] * 6)]
    key, seen = False, []

    def router(messages, tasks, previous):
        if len(seen) == 3 and not key:
            raise ConfigurationError("no key")
        seen.append(previous)
        return "email" if len(seen) < 4 else None

    with pytest.raises(ConfigurationError, match="no key"):
        ask(router, conversations, output=tmp_path, previous="own")
    key = True
    ask(router, conversations, output=tmp_path, previous="own")
    assert seen == [None, "email", "email", "email", None, None]


def test_a_call_that_hangs_becomes_an_error_and_the_others_go_on(tmp_path):
    never = threading.Event()

    def hangs(messages, tasks, previous):
        if messages[-1].content == "0.1":
            never.wait()
        return previous

    report = ask(hangs, [conversation(0), conversation(1)], timeout=0.3, output=tmp_path)
    never.set()
    assert report.overall.errors == 1
    assert report.error_kinds == {"TimeoutError: no answer within 0.3 s": 1}
    assert report.overall.n == 10
    assert [row["latency_ms"] is None for row in rows(tmp_path)] == [False, True, *[False] * 8]


def test_what_failed_is_asked_again_when_told_to(tmp_path):
    working = False

    def flaky(messages, tasks, previous):
        if not working and messages[-1].content.endswith("1"):
            raise ConnectionError("down")
        return previous

    assert ask(flaky, many(4), output=tmp_path).overall.errors == 4
    working = True
    assert ask(flaky, many(4), output=tmp_path, retry_errors=True).overall.errors == 0


def test_a_folder_with_another_run_is_left_alone_until_told_to_overwrite(tmp_path):
    def stay(messages, tasks, previous):
        return previous

    ask(stay, many(3), output=tmp_path)
    before = (tmp_path / "predictions.jsonl").read_bytes()
    with pytest.raises(EvaluationError, match="finished"):
        ask(lambda messages, tasks, previous: None, many(3), output=tmp_path, name="stay")
    for options in ({"previous": "own"}, {"name": "other"}):
        with pytest.raises(EvaluationError, match="holds another run"):
            ask(stay, many(3), output=tmp_path, **options)
    with pytest.raises(EvaluationError, match="holds another run"):
        ask(stay, many(4), output=tmp_path)
    assert (tmp_path / "predictions.jsonl").read_bytes() == before
    assert ask(stay, many(4), output=tmp_path, overwrite=True).data.conversations == 4
    assert len(rows(tmp_path)) > len(before.splitlines())


def test_a_finished_run_is_not_taken_for_a_new_one(tmp_path):
    asked = []

    def router(messages, tasks, previous):
        asked.append(previous)

    ask(router, many(3), output=tmp_path)
    decisions = len(asked)
    with pytest.raises(EvaluationError, match="finished"):
        ask(router, many(3), output=tmp_path)
    again = ask(router, many(3), output=tmp_path, reuse=True, latency_limit_ms=0.0001)
    assert (len(asked), again.overall.n) == (decisions, decisions)
    assert again.latency_ms.share_over_limit.value == 1
    ask(router, many(3), output=tmp_path, overwrite=True)
    assert len(asked) == 2 * decisions


def test_asked_as_live_what_followed_a_failed_call_is_asked_again_too(tmp_path):
    working, asked = False, []

    def flaky(messages, tasks, previous):
        asked.append(messages[-1]["content"])
        if not working and messages[-1]["content"] == "0.2":
            raise ConnectionError("down")
        return "recap"

    ask(flaky, [conversation(0), conversation(1)], output=tmp_path, previous="own", shuffles=1)
    working = True
    asked.clear()
    report = ask(
        flaky, [conversation(0), conversation(1)], output=tmp_path, previous="own", shuffles=1, retry_errors=True
    )
    assert report.overall.errors == 0
    assert asked == ["0.2", "0.2", "0.3", "0.3", "0.4", "0.4"]


def test_two_runs_in_one_folder_are_refused(tmp_path):
    inside, going_on = threading.Event(), threading.Event()

    def waits(messages, tasks, previous):
        inside.set()
        going_on.wait(20)
        return previous

    first = threading.Thread(target=ask, args=(waits, many(2)), kwargs={"output": tmp_path})
    first.start()
    assert inside.wait(20)
    with pytest.raises(EvaluationError, match="another evaluation"):
        ask(waits, many(2), output=tmp_path)
    going_on.set()
    first.join(20)
    assert read_report(tmp_path).overall.n > 0


def test_no_more_conversations_are_asked_at_once_than_told():
    lock = threading.Lock()
    now, most = 0, 0
    together = threading.Barrier(3, timeout=20)

    def router(messages, tasks, previous):
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        if messages[-1].content in {"0.0", "1.0", "2.0"}:
            together.wait()
        with lock:
            now -= 1

    assert ask(router, many(20), concurrency=3).overall.errors == 0
    assert most == 3


def test_the_order_of_rows_is_the_datas_whatever_was_answered_first(tmp_path):
    ask(oracle(many(20)), many(20), concurrency=4, output=tmp_path, shuffles=2)
    found = [(row["conversation"], row["turn"]) for row in rows(tmp_path)]
    assert found == sorted(found)
    shuffles = [json.loads(line) for line in (tmp_path / "shuffles.jsonl").read_text().splitlines()]
    assert [(r["conversation"], r["turn"], r["shuffle"]) for r in shuffles] == [
        (*place, shuffle) for place in found for shuffle in (1, 2)
    ]


def test_data_that_cannot_be_read_is_said_before_anything_is_asked(tmp_path):
    path = tmp_path / "data.jsonl"
    good = json.dumps(conversation(0).as_record())
    path.write_text(good + "\n" + good.replace('"task": "email"', '"task": "emial"') + "\n")
    with pytest.raises(DataError, match="emial") as caught:
        ask(lambda *_: pytest.fail("asked"), path)
    assert caught.value.line == 2


def test_a_dataset_is_asked_about_like_a_file():
    from datasets import Dataset

    given = {
        "tasks": [{"name": "a"}],
        "messages": [{"role": "user", "content": "x", "task": "a"}, {"role": "assistant", "content": "y"}],
    }
    assert ask(lambda *_: "a", Dataset.from_list([given])).overall.right == 1


def test_an_endpoint_that_is_not_there_ends_the_run():
    def router(messages, tasks, previous):
        raise EndpointNotFoundError("no such endpoint", endpoint_name="e")

    with pytest.raises(EndpointNotFoundError):
        ask(router, many(3), concurrency=2)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"previous": "mine"}, "previous='mine'"),
        ({"concurrency": 0}, "concurrency=0"),
        ({"shuffles": -1}, "shuffles=-1"),
        ({"seed": -1}, "seed=-1"),
        ({"concurrency": 100_000}, "concurrency=100000"),
        ({"timeout": 0}, "timeout=0"),
        ({"resamples": 1.5}, "resamples=1.5"),
    ],
)
def test_arguments_out_of_range_are_named(options, words):
    with pytest.raises(ConfigurationError, match=words):
        evaluate(lambda *_: None, many(1), progress=False, **options)


async def later(messages, tasks, previous):
    return None


def test_what_is_no_router_is_refused():
    with pytest.raises(EvaluationError, match="not str"):
        ask("tfidf?", many(1))
    with pytest.raises(EvaluationError, match="async function"):
        ask(later, many(1))
    with pytest.raises(EvaluationError, match="the class Path"):
        ask(Path, many(1))
    with pytest.raises(DataError, match="a path or a list"):
        ask(lambda *_: None, 7)
    with pytest.raises(EvaluationError, match="is a file"):
        ask(lambda *_: None, many(1), output=__file__)


def test_a_damaged_journal_is_said(tmp_path):
    (tmp_path / ".predictions.sqlite").write_bytes(b"not a database, surely" * 100)
    with pytest.raises(EvaluationError, match="Remove it"):
        ask(lambda *_: None, many(1), output=tmp_path)


def test_a_run_that_never_got_an_answer_does_not_hold_its_folder(tmp_path):
    def nowhere(messages, tasks, previous):
        raise EndpointNotFoundError("no such endpoint", endpoint_name="e")

    with pytest.raises(EndpointNotFoundError):
        ask(nowhere, many(2), output=tmp_path)
    assert ask(lambda *_: None, many(2), output=tmp_path).overall.n > 0


def test_a_folder_holds_one_router_or_a_summary_of_several(tmp_path):
    def stay(messages, tasks, previous):
        return previous

    evaluate_all([stay, oracle(many(2))], many(2), output=tmp_path / "several", progress=False, resamples=20)
    with pytest.raises(EvaluationError, match="a summary of several"):
        ask(stay, many(2), output=tmp_path / "several", overwrite=True)
    with pytest.raises(ReportError, match="several/stay"):
        read_report(tmp_path / "several")
    ask(stay, many(2), output=tmp_path / "one")
    with pytest.raises(EvaluationError, match="a single router"):
        evaluate_all([stay], many(2), output=tmp_path / "one", overwrite=True)


def test_a_function_that_was_changed_goes_on_with_a_warning(tmp_path, caplog):
    def breaks(messages, tasks, previous):
        if messages[-1]["content"] == "0.2":
            raise ConfigurationError("a mistake")
        return previous

    with pytest.raises(ConfigurationError):
        ask(breaks, [conversation(0)], output=tmp_path, name="mine")
    asked = []
    ask(lambda messages, tasks, previous: asked.append(previous), [conversation(0)], output=tmp_path, name="mine")
    assert len(asked) == 3
    assert "code has changed since" in caplog.text


def test_a_prompt_that_was_changed_is_another_run(tmp_path):
    class Prompted:
        name = "chat/mine.md"
        fingerprint = "1"

        def ask(self, question):
            if self.fingerprint == "1" and question.messages[-1]["content"] == "0.2":
                raise ConfigurationError("no key")
            return Answer(task=None)

    router = Prompted()
    with pytest.raises(ConfigurationError):
        ask(router, [conversation(0)], output=tmp_path)
    router.fingerprint = "2"
    with pytest.raises(EvaluationError, match="prompt has changed"):
        ask(router, [conversation(0)], output=tmp_path)


def test_a_failed_call_with_another_order_of_the_list_is_asked_again_alone(tmp_path):
    working, asked = False, []

    def flaky(messages, tasks, previous):
        asked.append(messages[-1]["content"])
        if not working and asked.count("0.1") == 2:
            raise ConnectionError("down")
        return "recap"

    # Twice each: once as the list stands, once shuffled. The second "0.1", which is the last, fails.
    ask(flaky, [conversation(0, ["recap", "recap"])], output=tmp_path, previous="own", shuffles=1)
    working = True
    asked.clear()
    ask(flaky, [conversation(0, ["recap", "recap"])], output=tmp_path, previous="own", shuffles=1, retry_errors=True)
    assert asked == ["0.1"]
