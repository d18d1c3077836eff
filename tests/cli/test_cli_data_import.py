"""`mojo data import`: what it writes and prints, and that it writes whole or not at all."""

import json

import pytest
from typer.testing import CliRunner

from mojo_toolbox.cli.application import application
from mojo_toolbox.data import read_conversations


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The folder that commands run in, with a table and its tasks."""
    (tmp_path / "tasks.json").write_text('{"email": "writes", "recap": "sums up"}')
    (tmp_path / "t.csv").write_text("text,label\nmail Ann,email\nbye,none\nwhat,\n,email\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return tmp_path


def run(*arguments):
    return CliRunner().invoke(application, ["data", "import", *arguments])


def test_a_table_is_written_and_its_account_printed(folder):
    done = run("csv", "t.csv", "--tasks", "tasks.json", "--output", "new/out.jsonl")
    assert done.exit_code == 0, done.stderr
    assert [m.task for c in read_conversations("new/out.jsonl") for m in c.messages] == ["email", None, None]
    assert "new/out.jsonl: 3 conversations of 3, 3 messages" in done.stdout
    assert "user turns: 3, labelled 2, of these no task 1" in done.stdout
    assert "the row has no text" in done.stdout
    assert "t.csv:4" in done.stdout


def test_the_account_as_json(folder):
    done = run("csv", "t.csv", "--tasks", "tasks.json", "-o", "out.jsonl", "--json")
    account = json.loads(done.stdout)
    assert (account["read"], account["written"], account["labelled"]) == (3, 3, 2)
    assert account["left_out"]["label"] == {"the label is empty": {"count": 1, "example": "t.csv:4"}}
    assert len(account["sha256"]) == 64


def test_nothing_half_written_is_left(folder):
    (folder / "out.jsonl").write_text("as it was")
    with (folder / "t.csv").open("a") as table:
        table.write("x,quote\n")
    done = run("csv", "t.csv", "--tasks", "tasks.json", "-o", "out.jsonl", "--overwrite")
    assert done.exit_code == 1
    assert "t.csv:6: the label 'quote' is not one of the 2 tasks." in done.stderr
    assert (folder / "out.jsonl").read_text() == "as it was"
    assert sorted(path.name for path in folder.iterdir()) == ["out.jsonl", "t.csv", "tasks.json"]


def test_an_import_of_nothing_is_an_error_with_its_reason(folder):
    (folder / "chats.jsonl").write_text('{"messages": [{"role": "user", "content": "hi"}]}\n' * 3)
    done = run("chat", "chats.jsonl", "-o", "out.jsonl")
    assert done.exit_code == 1
    assert (
        "Nothing could be imported: lists no tools, and no task file was given (--tasks) (3 x, such as" in done.stderr
    )
    assert not (folder / "out.jsonl").exists()
    done = run("chat", "chats.jsonl", "--tasks", "tasks.json", "-o", "out.jsonl", "--limit", "2")
    assert done.exit_code == 0, done.stderr
    assert "No turn has a label" in done.stderr
    assert len(list(read_conversations("out.jsonl"))) == 2


@pytest.mark.parametrize("output", ["t.csv", "tasks.json", "./t.csv"])
def test_a_file_that_is_read_is_never_replaced(folder, output):
    before = (folder / output).read_text()
    done = run("csv", "t.csv", "--tasks", "tasks.json", "-o", output)
    assert done.exit_code == 2
    assert "would be replaced" in done.stderr
    assert (folder / output).read_text() == before


def test_published_folders_are_imported(folder):
    (folder / "dev").mkdir()
    intents = [{"name": "GetAlarms", "description": "x"}, {"name": "AddAlarm", "description": "y"}]
    (folder / "dev" / "schema.json").write_text(json.dumps([{"service_name": "Alarm_1", "intents": intents}]))
    frame = {"service": "Alarm_1", "state": {"active_intent": "AddAlarm"}, "actions": []}
    turn = {"speaker": "USER", "utterance": "wake me", "frames": [frame]}
    dialogue = {"dialogue_id": "1", "services": ["Alarm_1"], "turns": [turn]}
    (folder / "dev" / "dialogues_001.json").write_text(json.dumps([dialogue]))
    (folder / "full.json").write_text(json.dumps({"val": [["a", "x"], ["b", "y"]], "oos_val": [["c", "oos"]]}))
    done = run("sgd", ".", "--split", "dev", "--withhold", "0", "-o", "sgd.jsonl", "--json")
    assert json.loads(done.stdout)["labelled"] == 1
    assert [c.messages[0].task for c in read_conversations("sgd.jsonl")] == ["alarm_add_alarm"]
    done = run("clinc", "full.json", "--split", "val", "--withhold", "0", "-o", "clinc.jsonl", "--json")
    assert json.loads(done.stdout)["no_task"] == 1
    assert [c.messages[0].task for c in read_conversations("clinc.jsonl")] == ["x", "y", None]


def test_a_hub_that_cannot_be_reached_is_said_at_once(folder):
    done = run("hub", "someone/data", "-o", "out.jsonl")
    assert done.exit_code == 1
    assert "someone/data: no such file or folder, and the Hugging Face hub cannot be reached." in done.stderr


def test_a_local_data_set_needs_no_hub(folder):
    done = run("hub", "t.csv", "--tasks", "tasks.json", "-o", "out.jsonl", "--json")
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["written"] == 3


@pytest.mark.parametrize(
    ("options", "status", "words"),
    [
        (["--delimiter", "ab"], 1, "A delimiter is one character"),
        (["--encoding", "klingon"], 1, "no text encoding 'klingon'"),
        (["--text", "utterance"], 1, "no column 'utterance'"),
        (["--withhold", "2"], 2, "--withhold"),
        (["--tasks", "nowhere.json"], 1, "nowhere.json: no such file"),
    ],
)
def test_wrong_options_are_one_line(folder, options, status, words):
    done = run("csv", "t.csv", "--tasks", "tasks.json", "-o", "out.jsonl", *options)
    assert done.exit_code == status
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert not (folder / "out.jsonl").exists()


@pytest.mark.parametrize("source", ["sgd", "clinc", "chat", "csv", "hub"])
def test_help_ends_with_examples_that_fit_80_columns(source, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    shown = run(source, "--help")
    examples = shown.stdout.partition("Examples")[2].strip().splitlines()
    assert shown.exit_code == 0
    assert examples
    assert [line for line in examples if not line.strip().startswith(("mojo ", "--"))] == []
