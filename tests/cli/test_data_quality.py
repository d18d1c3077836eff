"""`mojo data quality` as users run it."""

import json
import random

import pytest
from rich.console import Console
from rich.text import Text
from typer.testing import CliRunner

from mojo_toolbox.cli.application import application
from mojo_toolbox.cli.commands import data_quality
from mojo_toolbox.cli.tables import quality_tables
from mojo_toolbox.generation.quality import quality
from mojo_toolbox.generation.quality.quality_report import SAMPLE

TASKS = [{"name": "mail", "description": "Write an email"}, {"name": "[recap]\x1b[31m", "description": "Sum up"}]
WORDS = [f"{a}{b}{c}" for a in "bdfgklmnprst" for b in ("a", "e", "i", "ou") for c in ("n", "rt", "l", "sh", "ck")]


def conversation(rng, *, tidy):
    texts = [" ".join(rng.choices(WORDS, k=7)) for _ in range(3)]
    texts = [f"{text.capitalize()}, please." if tidy else text for text in texts]
    turns = [{"role": "user", "content": t, "task": s} for t, s in zip(texts, (None, "mail", None), strict=True)]
    return {"tasks": TASKS[:1], "messages": turns, "meta": {"review": [{"turn": 1, "kind": "label"}]}}


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = random.Random(1)
    for name, tidy, count in (("generated", True, 40), ("real", False, 40), ("other", False, 40), ("few", False, 5)):
        rows = [conversation(rng, tidy=tidy) for _ in range(count)]
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def run(*arguments):
    return CliRunner().invoke(application, ["data", "quality", *arguments])


def test_a_file_is_described(files):
    done = run("generated.jsonl")
    assert done.exit_code == 0, done.stderr
    words = ["Labels", "with a switch", "Conversations that change from a task", "Wording", "marked", "40 of 40"]
    assert [word for word in words if word not in done.stdout] == []
    assert "REFERENCE" not in done.stdout


def test_a_file_is_compared(files):
    done = run("generated.jsonl", "--reference", "real.jsonl")
    assert done.exit_code == 0, done.stderr
    words = ["REFERENCE", "Better than chance", "user's style", "1.00 (1.00", "please", "100% / 0%"]
    assert [word for word in words if word not in done.stdout] == []
    alike = run("other.jsonl", "--reference", "real.jsonl")
    assert "No better than chance" in alike.stdout
    assert "Differences by the" not in alike.stdout
    assert "No classifier: it needs 30" in run("few.jsonl", "--reference", "real.jsonl").stdout


def test_json_has_everything_on_one_line(files):
    done = run("generated.jsonl", "--reference", "real.jsonl", "--json", "--sample", "35")
    assert len(done.stdout.splitlines()) == 1
    told = json.loads(done.stdout)
    assert told["figures"]["conversations"]["here"]["value"] == 40
    assert told["figures"]["conversations"]["meaning"]
    assert told["sampled"]["conversations"] == 35
    assert told["tests"][0]["auc"] > 0.9
    assert told["marks"] == {"label": 40}


def test_the_sample_in_the_help_is_the_librarys():
    assert data_quality._SAMPLE == SAMPLE


@pytest.mark.parametrize("width", [80, 120])
def test_the_report_fits_the_terminal(files, width, monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", str(width))
    quality_tables.print_quality(quality("generated.jsonl", "real.jsonl"))
    shown = capsys.readouterr().out
    plain = Console(width=1000, color_system=None, force_terminal=False)
    with plain.capture() as captured:
        plain.print(Text.from_ansi(shown))
    assert max(len(line.rstrip()) for line in captured.get().splitlines()) <= width


def test_a_name_cannot_speak_to_the_terminal(files, tmp_path):
    row = {
        "tasks": [{"name": "[bold]x[/bold]"}],
        "messages": [{"role": "user", "content": "a", "task": "[bold]x[/bold]"}],
    }
    row["meta"] = {"review": [{"kind": "\x1b[31mred"}]}
    (tmp_path / "evil.jsonl").write_text(json.dumps(row) + "\n")
    shown = run("evil.jsonl").stdout
    assert "\x1b" not in shown
    assert "[bold]x[/bold]" in shown


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["none.jsonl"], 1, "none.jsonl: no such file"),
        (["real.jsonl", "--reference", "none.jsonl"], 1, "none.jsonl: no such file"),
        (["."], 1, "is a folder"),
        ([], 2, "FILE"),
        (["real.jsonl", "--sample", "0"], 2, "--sample"),
    ],
)
def test_what_cannot_be_done_is_one_line(files, arguments, status, words):
    done = run(*arguments)
    assert done.exit_code == status
    assert done.stdout == ""
    assert words in done.stderr
    assert "Traceback" not in done.stderr
