"""`mojo evaluate` and `mojo report` as users run them."""

import json
import subprocess
import sys

import pytest

LABELS = [None, "email", "email", "recap", None]
TASKS = [{"name": "email", "description": "write an email"}, {"name": "recap", "description": "sum up a meeting"}]


@pytest.fixture
def with_test(mojo):
    """A shell in a folder with twelve conversations and a router of one's own."""
    lines = []
    for number in range(12):
        turns = [{"role": "user", "content": f"{number} {task or 'hm'}", "task": task} for task in LABELS]
        lines.append(json.dumps({"id": f"c{number}", "tasks": TASKS, "messages": turns}))
    (mojo.folder / "test.jsonl").write_text("\n".join(lines))
    (mojo.folder / "mine.py").write_text(
        "def words(messages, tasks, previous):\n"
        "    return next((t['name'] for t in tasks if t['name'] in messages[-1]['content']), None)\n"
        "print('imported')\n"
        "def talks(messages, tasks, previous):\n"
        "    print('asked')\n"
        "def broken(messages, tasks, previous):\n"
        "    raise ConnectionError('no line')\n"
    )
    return mojo


def test_one_router_prints_its_figures_and_leaves_a_report(with_test):
    done = with_test("evaluate", "test.jsonl", "--routers", "python:mine.py:words", "--output", "out")
    assert done.returncode == 0, done.stderr
    assert "switch" in done.stdout
    assert "100" in done.stdout
    assert done.stderr.splitlines()[-1] == "Report: out/report.html"
    document = json.loads((with_test.folder / "out" / "report.json").read_text())
    assert document["overall"]["accuracy"]["value"] == 1
    assert document["data"]["source"] == "test.jsonl"


def test_several_routers_stand_side_by_side(with_test):
    names = "always-none,stay,tfidf,python:mine.py:words"
    reports = with_test.json("evaluate", "test.jsonl", "--routers", names, "--shuffles", "1", "--limit", "6")
    assert [report["router"] for report in reports] == ["always-none", "stay", "tfidf", "words"]
    assert [report["data"]["conversations"] for report in reports] == [6] * 4
    folder = with_test.folder / "evaluation-test"
    assert json.loads((folder / "summary.json").read_text())["reports"] == reports
    assert (folder / "stay" / "predictions.jsonl").is_file()
    for name in ("always-none", "stay", "tfidf", "words"):
        assert name in (folder / "summary.html").read_text()
    again = with_test("evaluate", "test.jsonl", "--routers", names)
    assert again.returncode == 1
    assert "--overwrite" in again.stderr


def test_what_a_router_prints_is_no_part_of_the_answer(with_test):
    report = with_test.json("evaluate", "test.jsonl", "--routers", "python:mine.py:talks", "--output", "out")
    assert report["overall"]["n"] == 60


def test_a_router_whose_answers_are_all_invalid_is_said(with_test):
    (with_test.folder / "wrong.py").write_text("def f(messages, tasks, previous):\n    return 'booking'\n")
    done = with_test("evaluate", "test.jsonl", "--routers", "python:wrong.py:f", "--output", "out")
    assert done.returncode == 0
    assert "Every answer of f was invalid, such as 'booking'." in done.stderr


def test_a_file_without_labels_asks_nothing_and_says_so(with_test):
    record = {"tasks": TASKS, "messages": [{"role": "user", "content": "hi"}]}
    (with_test.folder / "plain.jsonl").write_text(json.dumps(record))
    done = with_test("evaluate", "plain.jsonl", "--routers", "stay,always-none")
    assert done.returncode == 0, done.stderr
    assert "no user turn is labelled" in done.stderr


def test_the_gate_ends_with_1_when_the_candidate_is_worse(with_test):
    for name in ("words", "broken"):
        with_test("evaluate", "test.jsonl", "--routers", f"python:mine.py:{name}", "--output", name)
    done = with_test("report", "compare", "words", "broken/report.json")
    assert done.returncode == 1
    assert "Worse" in done.stderr
    assert "worse, surely" in done.stdout
    assert with_test("report", "compare", "broken", "words").returncode == 0
    assert with_test.json("report", "compare", "words", "words")["worse"] is False


def test_a_router_that_always_fails_is_said(with_test):
    done = with_test("evaluate", "test.jsonl", "--routers", "python:mine.py:broken", "--output", "out")
    assert done.returncode == 1
    assert "Every decision failed: ConnectionError: no line" in done.stderr


def test_reports_are_shown_again(with_test):
    with_test("evaluate", "test.jsonl", "--routers", "stay,always-none", "--output", "out")
    done = with_test("report", "show", "out/stay", "out/always-none/report.json", "--html", "both.html")
    assert done.returncode == 0, done.stderr
    assert "always-none" in done.stdout
    assert "always-none" in (with_test.folder / "both.html").read_text()


def test_a_threshold_is_found_for_a_precision(with_test):
    (with_test.folder / "unsure.py").write_text(
        "from mojo_toolbox.evaluation import Answer\n"
        "class Unsure:\n"
        "    name = 'unsure'\n"
        "    def ask(self, question):\n"
        "        words = question.messages[-1]['content'].split()[1]\n"
        "        return Answer(None, probability=0.5) if words == 'hm' else Answer('email', probability=0.9)\n"
    )
    code = (
        "from unsure import Unsure; from mojo_toolbox.evaluation import evaluate; "
        "evaluate(Unsure(), 'test.jsonl', output='out', progress=False, resamples=50)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=with_test.folder, env=with_test.environment, check=True)
    found = with_test.json("report", "threshold", "out", "--precision", "0.7")
    # 24 of 24 right with .5, 24 of 36 with .9: all together 80%.
    assert (found["threshold"], found["found"]["accepted"], found["found"]["right"]) == (0.0, 60, 48)
    done = with_test("report", "threshold", "out", "--precision", "0.7")
    assert "chosen" in done.stdout
    assert "80.0%" in done.stderr
    out_of_reach = with_test("report", "threshold", "out/report.json", "--precision", "0.95", "--json")
    assert out_of_reach.returncode == 1
    assert json.loads(out_of_reach.stdout)["threshold"] is None
    wrong = with_test("report", "threshold", "out", "--precision", "95")
    assert wrong.returncode == 1
    assert wrong.stderr.startswith("error: --precision 95")
    assert wrong.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["--routers", "gpt"], 2, "there is no router 'gpt'"),
        (["--routers", ","], 2, "--routers names no router"),
        (["--routers", "endpoint:a/b"], 2, "'a/b' is not PRODUCT/TASK/MODEL_ID"),
        (["--routers", "openai:m"], 2, "name its prompts"),
        (["--routers", "openai:m", "--prompts", "zero"], 1, "zero"),
        (["--routers", "python:mine.py"], 2, "does not name a function"),
        (["--routers", "python:mine.py:gone"], 2, "has no function 'gone'"),
        (["--routers", "python:nowhere.py:f"], 2, "no file nowhere.py"),
        (["--routers", "python:no_such_module:f"], 2, "cannot be imported"),
        (["--routers", "stay", "--price", "1"], 2, "--price takes two numbers"),
        (["--routers", "stay,stay"], 1, "two routers are called 'stay'"),
    ],
)
def test_what_cannot_be_asked_is_said_in_a_line(with_test, arguments, status, words):
    done = with_test("evaluate", "test.jsonl", *arguments)
    assert done.returncode == status, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(with_test.folder.glob("**/report.*"))


def test_a_file_that_is_not_there_is_said(with_test):
    done = with_test("evaluate", "nowhere.jsonl", "--routers", "stay")
    assert (done.returncode, done.stdout) == (1, "")
    assert "nowhere.jsonl: no such file" in done.stderr


def test_an_endpoint_that_is_not_there_is_said(local):
    done = local("evaluate", "train.jsonl", "--routers", "endpoint:a/b/c", "--output", "nowhere")
    assert (done.returncode, done.stdout) == (1, "")
    assert "a--b--c--dev" in done.stderr
    assert not (local.folder / "nowhere" / "report.json").exists()
