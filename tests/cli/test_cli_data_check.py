"""`mojo data check` and `mojo data split` as users run them."""

import json
import random

import pytest
from rich.console import Console
from typer.testing import CliRunner

from mojo_toolbox.cli.application import application
from mojo_toolbox.cli.tables import check_tables
from mojo_toolbox.data.checks import check

TASKS = [{"name": "mail", "description": "Write an email"}, {"name": "[recap]", "description": "Sum up a meeting"}]
WORDS = [f"{a}{b}{c}" for a in "bdfgklmnprst" for b in ("a", "e", "i", "ou") for c in ("n", "rt", "l", "sh", "ck")]


def conversation(number, label="mail"):
    rng = random.Random(number)
    texts = [" ".join(rng.choice(WORDS) for _ in range(8)) for _ in range(3)]
    turns = [{"role": "user", "content": t, "task": s} for t, s in zip(texts, (None, label, None), strict=True)]
    return {"id": str(number), "tasks": TASKS, "messages": turns}


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Write files of conversations into the folder that the commands run in."""
    monkeypatch.chdir(tmp_path)

    def write(**contents):
        for name, lines in contents.items():
            text = "".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines)
            (tmp_path / f"{name}.jsonl").write_text(text, encoding="utf-8")

    return write


def run(*arguments):
    return CliRunner().invoke(application, ["data", *map(str, arguments)])


def test_a_good_file_is_described_and_ends_with_0(files):
    files(train=[conversation(n, ("mail", "[recap]")[n % 2]) for n in range(12)])
    done = run("check", "train.jsonl")
    assert done.exit_code == 0, done.stderr
    words = [
        "No problems",
        "conversations     12",
        "36, 36 labelled (100%)",
        "start 12 (33%)",
        "No duplicates",
        "[recap]",
    ]
    assert [word for word in words if word not in done.stdout] == []
    assert check("train.jsonl").sha256 in done.stdout


def test_problems_are_listed_with_their_lines_and_end_with_1(files):
    broken = conversation(1) | {"tasks": TASKS[1:]}
    files(train=[conversation(0), broken, "no JSON", *[broken] * 4])
    done = run("check", "train.jsonl", "--show", "2")
    assert done.exit_code == 1
    assert "train.jsonl:2: message 2 is labelled 'mail'" in done.stdout
    assert "train.jsonl:3: not JSON" in done.stdout
    assert "train.jsonl:5" not in done.stdout
    assert "… and 3 more" in done.stdout
    assert "error: 6 problems, 0 allowed" in done.stderr
    assert run("check", "train.jsonl", "--max-problems", "6").exit_code == 0


def test_contamination_passes_a_threshold(files):
    files(train=[conversation(n) for n in range(8)], test=[conversation(3), conversation(100), conversation(101)])
    assert run("check", "train.jsonl", "--against", "test.jsonl").exit_code == 0
    done = run("check", "train.jsonl", "--against", "test.jsonl", "--max-contamination", "0.1")
    assert done.exit_code == 1
    assert "test.jsonl:1 and train.jsonl:4" in done.stdout
    assert "error: 33.3% of the test conversations are in the training file, 10.0% allowed" in done.stderr
    assert run("check", "train.jsonl", "--max-contamination", "0.1").exit_code == 2


def test_json_has_everything_on_one_line(files):
    files(train=[conversation(n) for n in range(3)] + [conversation(0), "x"])
    done = run("check", "train.jsonl", "--json", "--max-near-duplicates", "0")
    assert done.exit_code == 1
    told = json.loads(done.stdout)
    assert told["exceeded"] == [
        "1 problem, 0 allowed",
        "25.0% of the conversations repeat or resemble others, 0.0% allowed",
    ]
    assert [p["line"] for p in told["problems"] if p["severity"] == "error"] == [5]
    assert told["statistics"]["tasks"]["mail"]["turns"] == 4
    assert told["contamination"] is None


@pytest.mark.parametrize("width", [80, 120])
def test_the_report_fits_the_terminal(files, width, monkeypatch, capsys):
    names = [f"a_task_with_quite_a_long_name_that_hardly_fits_number_{n}" for n in range(20)]
    tasks = [{"name": name, "description": f"Do {name}"} for name in names]
    long = [conversation(n, names[n % 20]) | {"tasks": tasks} for n in range(40)]
    files(train=[*long, long[3] | {"id": "again"}, conversation(0) | {"tasks": []}], test=[long[0]])
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", str(width))
    assert Console().width == width
    check_tables.print_report(check("train.jsonl", "test.jsonl"), show=5)
    shown = capsys.readouterr().out
    plain = Console(width=1000, color_system=None, force_terminal=False)
    with plain.capture() as captured:
        from rich.text import Text

        plain.print(Text.from_ansi(shown))
    assert max(len(line.rstrip()) for line in captured.get().splitlines()) <= width


def test_a_text_cannot_speak_to_the_terminal(files):
    evil = conversation(1)
    evil["messages"][0]["content"] = "\x1b[31mred [bold]x[/bold]\r" + evil["messages"][0]["content"]
    files(train=[evil, evil | {"id": "2"}])
    done = run("check", "train.jsonl")
    assert "\x1b" not in done.stdout
    assert "[bold]x[/bold]" in done.stdout


def test_a_split_is_told_and_written(files):
    files(all=[conversation(n, ("mail", "[recap]")[n % 2]) for n in range(20)])
    done = run(
        "split", "all.jsonl", "--train", "out/a.jsonl", "--test", "out/b.jsonl", "--by", "task", "--test-share", ".5"
    )
    assert done.exit_code == 0, done.stderr
    assert [line.partition(",")[0] for line in done.stdout.splitlines()] == [
        "out/a.jsonl: 10 conversations (50.0%)",
        "out/b.jsonl: 10 conversations (50.0%)",
    ]
    told = json.loads(run("split", "all.jsonl", "--train", "c", "--test", "d", "--seed", "1", "--json").stdout)
    assert (told["train"]["conversations"], told["test"]["conversations"]) == (16, 4)
    assert told["test"]["sha256"] == check("d").sha256


def test_a_template_that_makes_all_alike_is_said(files):
    alike = [conversation(0) | {"id": str(n)} for n in range(60)]
    for number, given in enumerate(alike):
        given["messages"] = [{"role": "user", "content": f"please do this for me: request {number}", "task": "mail"}]
    files(all=alike)
    done = run("split", "all.jsonl", "--train", "a", "--test", "b")
    assert done.exit_code == 0
    assert "alike, as from a template" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["check", "nowhere.jsonl"], 1, "nowhere.jsonl: no such file"),
        (["check", "one.jsonl", "--tokenizer", "no/such/folder"], 1, "No tokenizer can be loaded"),
        (["check"], 2, "FILE"),
        (["split", "one.jsonl", "--train", "a", "--test", "b"], 1, "cannot be divided"),
        (["split", "one.jsonl", "--train", "a", "--test", "a"], 1, "three files"),
        (["split", "one.jsonl", "--train", "a"], 2, "--test"),
        (["split", "one.jsonl", "--train", "a", "--test", "b", "--test-share", "1"], 1, "between 0 and 1"),
    ],
)
def test_what_cannot_be_done_is_one_line(files, monkeypatch, arguments, status, words):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    files(one=[conversation(0)])
    done = run(*arguments)
    assert done.exit_code == status
    assert done.stdout == ""
    assert words in done.stderr
    assert "Traceback" not in done.stderr
