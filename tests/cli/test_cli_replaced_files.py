"""No command replaces a file that is there already, unless it is told to."""

import json

import pytest

TURNS = [{"role": "user", "content": "mail Ann", "task": "email"}, {"role": "user", "content": "bye", "task": None}]
TASKS = [{"name": "email", "description": "write"}]
KEPT = "mine\n"


@pytest.fixture
def files(mojo):
    """What each command reads, and a file of somebody's at each place that it is told to write to."""
    records = [{"tasks": TASKS, "messages": [{**TURNS[0], "content": f"mail {n}"}, TURNS[1]]} for n in range(20)]
    (mojo.folder / "talks.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    (mojo.folder / "tasks.json").write_text(json.dumps(TASKS))
    (mojo.folder / "table.csv").write_text("text,label\nmail Ann,email\n")
    chat = {"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yes?"}]}
    (mojo.folder / "chats.jsonl").write_text(json.dumps(chat) + "\n")
    done = mojo("evaluate", "talks.jsonl", "--routers", "stay", "--output", "run", "--limit", "3")
    assert done.returncode == 0, done.stderr
    assert mojo("review", "import", "talks.jsonl").returncode == 0
    (mojo.folder / "out").write_text(KEPT)
    return mojo


COMMANDS = [
    ("data", "split", "talks.jsonl", "--train", "out", "--test", "test.jsonl"),
    ("data", "split", "talks.jsonl", "--train", "train.jsonl", "--test", "out"),
    ("data", "augment", "talks.jsonl", "--output", "out"),
    ("data", "starter", "--output", "out", "--count", "2"),
    ("data", "import", "csv", "table.csv", "--tasks", "tasks.json", "--output", "out"),
    ("data", "import", "chat", "chats.jsonl", "--tasks", "tasks.json", "--output", "out"),
    ("report", "show", "run", "--html", "out"),
    ("report", "show", "run", "--markdown", "out"),
    ("review", "export", "out", "--include", "undecided"),
]


def test_a_file_that_is_there_is_kept_and_replaced_with_overwrite(files):
    for command in COMMANDS:
        refused = files(*command)
        assert (refused.returncode, refused.stdout) == (2, ""), command
        assert "error: out exists already. Replace it with --overwrite" in refused.stderr, command
        assert (files.folder / "out").read_text() == KEPT, command
        done = files(*command, "--overwrite")
        assert done.returncode == 0, (command, done.stderr)
        assert (files.folder / "out").read_text() != KEPT, command
        for path in ("out", "train.jsonl", "test.jsonl"):
            (files.folder / path).unlink(missing_ok=True)
        (files.folder / "out").write_text(KEPT)


def test_what_is_read_is_not_replaced_even_with_overwrite(files):
    before = (files.folder / "talks.jsonl").read_text()
    for command in (
        ("data", "split", "talks.jsonl", "--train", "talks.jsonl", "--test", "x.jsonl"),
        ("data", "augment", "talks.jsonl", "--output", "talks.jsonl"),
        ("data", "import", "chat", "talks.jsonl", "--output", "talks.jsonl"),
    ):
        assert files(*command, "--overwrite").returncode in {1, 2}
        assert (files.folder / "talks.jsonl").read_text() == before


def test_a_generated_set_goes_on_only_in_a_file_of_its_own(files):
    done = files("data", "generate", "--provider", "replay", "--output", "out")
    assert done.returncode == 1
    assert (files.folder / "out").read_text() == KEPT


def test_a_finished_evaluation_is_refused_before_anything_is_read_or_loaded(files):
    (files.folder / "talks.jsonl").unlink()
    again = files("evaluate", "talks.jsonl", "--routers", "python:nowhere.py:f", "--output", "run")
    assert again.returncode == 1
    assert "run holds a finished evaluation. Begin again in it (--overwrite)" in again.stderr
    assert "name another folder: --output" in again.stderr
    assert "Ask" not in again.stderr
