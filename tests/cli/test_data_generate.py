"""`mojo data generate` as users run it."""

import json
import re
import signal
import subprocess
import threading

import pytest
from pages import ROOT, table_rows
from scripted_chat_server import completion, refusal, serving

from mojo_toolbox.data import read_conversations
from mojo_toolbox.generation import DEFAULT_SHARES
from mojo_toolbox.generation.example import EXAMPLE_COUNT, EXAMPLE_TASKS

TASKS = [{"name": name, "description": f"What {name} is for"} for name in ("recap", "email", "quote", "lead")]
TEMPLATE = (
    "---\nwrites: conversation\nmax_tokens: 500\n---\n\n## user\n\n$turns\nExactly $count messages in $language.\n"
)


def written(request):
    count = int(re.search(r"Exactly (\d+) messages", request["messages"][-1]["content"])[1])
    turns = [{"user": f"wish {number} {request['seed']}", "assistant": "fine"} for number in range(count)]
    return json.dumps({"turns": turns})


@pytest.fixture
def shell(mojo):
    """A shell with a task file and a short template."""
    (mojo.folder / "tasks.json").write_text(json.dumps(TASKS))
    (mojo.folder / "short.md").write_text(TEMPLATE)
    return mojo


def openai(server, *options):
    return ("tasks.json", "--provider", "openai:m", "--base-url", server.url, "--template", "short.md", *options)


# ------------------------------------------------------------------------------------------------ the example


def test_the_example_runs_offline_with_nothing_but_the_provider(shell):
    outcome = shell.json("data", "generate", "--provider", "replay")
    assert outcome["written"] == outcome["wanted"] == EXAMPLE_COUNT, (
        "the prompts or plans have changed since the example's answers were recorded: python scripts/record_example.py"
    )
    found = list(read_conversations(shell.folder / "generated.jsonl"))
    assert len(found) == EXAMPLE_COUNT
    assert sum(outcome["put_aside"].values()) == 2
    checked = shell.json("data", "check", "generated.jsonl")
    assert [problem for problem in checked["problems"] if problem["severity"] != "warning"] == []


def test_recorded_answers_are_replayed_with_other_concurrency(shell):
    with serving(written) as server:
        shell.json("data", "generate", *openai(server, "-n", "5", "-o", "a.jsonl", "--record", "answers.jsonl"))
    replay = ("tasks.json", "--provider", "replay:answers.jsonl", "--template", "short.md", "-n", "5", "-o", "b.jsonl")
    shell.json("data", "generate", *replay, "--concurrency", "3")
    assert (shell.folder / "a.jsonl").read_bytes() == (shell.folder / "b.jsonl").read_bytes()


# ------------------------------------------------------------------------------------------------ a server


def test_options_become_conversations(shell):
    with serving(written) as server:
        outcome = shell.json(
            "data", "generate",
            *openai(server, "-n", "20", "--seed", "3", "--concurrency", "4", "--language", "fr=1", "--language", "Klingon=1"),
            "--scenario-shares", "switch=3,ending", "--price-per-million-input", "1", "--price-per-million-output", "10",
        )  # fmt: skip
    found = list(read_conversations(shell.folder / "generated.jsonl"))
    assert {conversation.meta["plan"]["scenario"] for conversation in found} == {"switch", "ending"}
    assert {conversation.meta["plan"]["voice"]["language"] for conversation in found} == {"French", "Klingon"}
    assert found[0].id == "gen-3-0"
    assert (outcome["written"], outcome["cost"]) == (20, 20 * 40 / 1e6)
    assert all("review" in conversation.meta for conversation in found)


def test_a_judge_and_a_router_mark_turns(shell):
    def answer(request):
        return written(request) if "Exactly" in request["messages"][-1]["content"] else '{"turns": []}'

    with serving(answer) as server:
        shell.json("data", "generate", *openai(server, "-n", "2", "--judge", "writer", "--judge", "router:always-none"))
    marks = [mark for c in read_conversations(shell.folder / "generated.jsonl") for mark in c.meta["review"]]
    assert {"judge m", "router always-none"} <= {mark["by"] for mark in marks}


def test_the_cap_ends_a_run_with_1_and_a_higher_one_goes_on(shell):
    prices = ("--price-per-million-input", "1", "--price-per-million-output", "10")

    def answer(request):
        return completion(written(request), prompt_tokens=100, completion_tokens=400)

    with serving(answer) as server:
        done = shell("data", "generate", *openai(server, "-n", "500", *prices, "--max-cost", "0.08"))
        assert done.returncode == 1
        assert "might have passed --max-cost. For the rest, start again with more than $0.08" in " ".join(
            done.stderr.split()
        )
        kept = len(list(read_conversations(shell.folder / "generated.jsonl")))
        assert 0 < kept < 200
        more = shell("data", "generate", *openai(server, "-n", "500", *prices, "--max-cost", "0.16", "--json"))
    assert json.loads(more.stdout)["stopped"] == "max_cost"
    assert kept < json.loads(more.stdout)["written"]
    assert json.loads(more.stdout)["cost"] <= 0.16


def test_what_was_put_aside_is_said(shell):
    with serving(lambda request: "no" if len(server.requests) == 1 else written(request)) as server:
        done = shell("data", "generate", *openai(server, "-n", "3"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "generated.jsonl: 3 of 3 conversations",
        "malformed replies, in generated.malformed.jsonl:",
        "  1 x no conversation in it",
    ]


def test_ctrl_c_finishes_what_is_under_way_and_ends_with_130(shell):
    both_asked, released = threading.Barrier(3), threading.Event()

    def answer(request):
        if not released.is_set():
            both_asked.wait(60)
        released.wait(60)
        return written(request)

    with serving(answer) as server:
        running = subprocess.Popen(
            shell.command("data", "generate", *openai(server, "-n", "50", "--concurrency", "2")),
            env=shell.environment,
            cwd=shell.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            both_asked.wait(60)
            running.send_signal(signal.SIGINT)
            assert "Finishing the conversations under way" in next(
                line for line in running.stderr if "Finishing" in line
            )
            released.set()
            rest = running.stderr.read()
            assert running.wait(60) == 130
        finally:
            running.kill()
            running.communicate()
    kept = len(list(read_conversations(shell.folder / "generated.jsonl")))
    assert kept == 2
    assert f"Interrupted. {kept} conversations are kept" in rest
    assert "Traceback" not in rest


# ------------------------------------------------------------------------------------------------ asking nothing


def test_a_dry_run_shows_prompts_and_cost_and_asks_nothing(shell):
    prices = ("--price-per-million-input", "0.4", "--price-per-million-output", "1.6")
    done = shell("data", "generate", "tasks.json", "--provider", "openai:m", "-n", "1000", "--dry-run", *prices)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("──── gen-0-") == 3
    assert "[user]" in done.stdout
    assert re.search(r"1,000 conversations take about 1,000 questions, [\d,]+ input tokens .*: \$\d", done.stderr)
    two = shell.json("data", "generate", "tasks.json", "--provider", "openai:m", "-n", "10", "--dry-run", "--two-sided")
    assert two["requests"] > 30
    assert two["prompts"][0]["messages"][-1]["role"] == "user"
    assert not list(shell.folder.glob("generated*"))


@pytest.mark.parametrize(
    ("options", "status", "words"),
    [
        (["--provider", "gpt"], 2, "there is no provider 'gpt'"),
        (["--provider", "endpoint:a/b"], 2, "'a/b' is not PRODUCT/TASK/MODEL_ID"),
        (["--provider", "openai:m"], 1, "OPENAI_API_KEY"),
        (["--provider", "replay:answers.jsonl", "--scenario-shares", "swich=1"], 1, "Did you mean switch?"),
        (["--provider", "replay:answers.jsonl", "--language", "fr=-1"], 1, "must be a number of at least 0"),
        (["--provider", "replay:answers.jsonl", "--template", "none.md"], 1, "no template 'none.md'"),
        (["--provider", "replay:answers.jsonl", "--max-cost", "1"], 1, "needs prices"),
        (["--provider", "replay:answers.jsonl", "--judge", "stay"], 2, "--judge: there is no provider 'stay'"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(shell, options, status, words):
    done = shell("data", "generate", "tasks.json", *options)
    assert done.returncode == status, done.stderr
    assert words in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert not (shell.folder / "generated.jsonl").exists() or not (shell.folder / "generated.jsonl").read_bytes()


def test_the_page_has_the_shares_of_the_scenarios():
    rows = table_rows(ROOT / "docs/generate-data.md")
    shares = {row[0].strip("`"): float(row[1]) for row in rows if row[0].strip("`") in DEFAULT_SHARES}
    assert shares == DEFAULT_SHARES


def test_tasks_are_needed_but_for_the_example(shell):
    done = shell("data", "generate", "--provider", "openai:m")
    assert (done.returncode, done.stdout) == (2, "")
    assert "TASKS is missing" in done.stderr


def test_a_misspelt_provider_is_said_before_missing_tasks(shell):
    done = shell("data", "generate", "--provider", "opneai:m")
    assert (done.returncode, done.stdout) == (2, "")
    assert "there is no provider 'opneai:m'" in done.stderr
    assert "TASKS" not in done.stderr


def test_replay_alone_is_for_the_example_only(shell):
    done = shell("data", "generate", "tasks.json", "--provider", "replay")
    assert (done.returncode, done.stdout) == (2, "")
    assert (
        "--provider replay has answers for the example's tasks only, not for tasks.json: leave TASKS out" in done.stderr
    )
    (shell.folder / "copy.json").write_bytes(EXAMPLE_TASKS.read_bytes())
    assert shell("data", "generate", "copy.json", "--provider", "replay", "-n", "1").returncode == 0


def test_a_wrong_key_ends_the_run_in_a_line(shell):
    with serving(lambda request: refusal(401, "Incorrect API key provided")) as server:
        done = shell("data", "generate", *openai(server, "-n", "9", "--concurrency", "3"))
    assert done.returncode == 1
    assert "refuses the key" in done.stderr
    assert "Traceback" not in done.stderr


def test_another_seed_on_the_same_file_is_refused(shell):
    with serving(written) as server:
        shell.json("data", "generate", *openai(server, "-n", "2"))
        done = shell("data", "generate", *openai(server, "-n", "2", "--seed", "1"))
    assert done.returncode == 1
    assert "generated.jsonl holds another run: seed 0 there, 1 here" in " ".join(done.stderr.split())


def test_a_run_that_wrote_nothing_says_so_with_its_status(shell):
    with serving(lambda _: "I would rather not.") as server:
        done = shell("data", "generate", *openai(server, "-n", "2", "--attempts", "1"))
    assert done.returncode == 1
    assert "0 of 2 conversations" in done.stdout
    assert "2 conversations were given up" in done.stderr
