"""What is cheap to look at is looked at first: long work does not begin only to end at a name or a place."""

import json

import pytest

TURNS = [{"role": "user", "content": "mail Ann", "task": "email"}, {"role": "user", "content": "bye", "task": None}]
RECORD = {"tasks": [{"name": "email", "description": "write"}], "messages": TURNS}
GOOD = json.dumps(RECORD) + "\n"
CANARY = "def choose(messages, tasks, previous):\n    open('asked', 'w').close()\n    return None\n"


@pytest.fixture
def folder(mojo):
    """Files of which the second line of one cannot be used, a router that leaves a trace, and a file in a folder's place."""
    mojo.environment["MOJO_CLOUD_SERVICE"] = "local"
    (mojo.folder / "good.jsonl").write_text(GOOD)
    (mojo.folder / "half.jsonl").write_text(GOOD + "no JSON\n")
    (mojo.folder / "canary.py").write_text(CANARY)
    (mojo.folder / "README.md").write_text("# Title\n\ntext\n")
    return mojo


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--routers", "python:canary.py:choose,openai:m", "--prompts", "zero-shot"), "OPENAI_API_KEY"),
        (("--routers", "python:canary.py:choose,endpoint:acme/routing/ghost"), "acme--routing--ghost--dev"),
        (("--routers", "python:canary.py:choose,tfidf", "--output", "README.md/x"), "README.md is a file"),
        (("--routers", "python:canary.py:choose", "--output", "README.md"), "is a file; output is a folder"),
        (
            (
                "--routers",
                "python:canary.py:choose,openai:m",
                "--prompts",
                "zero-shot",
                "--base-url",
                "http://127.0.0.1:9/v1",
            ),
            "cannot be reached",
        ),
    ],
    ids=["no key", "no endpoint", "no folder", "a file", "no server"],
)
def test_no_router_is_asked_when_another_one_or_the_place_is_wrong(folder, local, arguments, words):
    folder.environment["MOJO_HOME"] = local.environment["MOJO_HOME"]
    done = folder("evaluate", "good.jsonl", *arguments)
    assert done.returncode in {1, 2}
    assert words in done.stderr
    assert done.stderr.count("\n") <= 3
    assert not (folder.folder / "asked").exists()


def test_an_endpoint_that_is_not_there_is_said_before_a_long_file_is_read(folder, local):
    folder.environment["MOJO_HOME"] = local.environment["MOJO_HOME"]
    done = folder("evaluate", "half.jsonl", "--routers", "endpoint:acme/routing/ghost")
    assert done.returncode == 1
    assert "acme--routing--ghost--dev" in done.stderr


def test_another_run_in_a_later_routers_folder_is_said_first(folder):
    options = ("--routers", "stay,python:canary.py:choose", "--output", "out")
    assert folder("evaluate", "good.jsonl", *options).returncode == 0
    (folder.folder / "out" / "summary.json").unlink()
    (folder.folder / "asked").unlink()
    for path in (folder.folder / "out" / "stay").iterdir():
        path.unlink()
    (folder.folder / "good.jsonl").write_text(GOOD.replace("Ann", "Bob"))
    done = folder("evaluate", "good.jsonl", *options)
    assert done.returncode == 1
    assert "another run" in done.stderr
    assert not (folder.folder / "asked").exists()
    assert not list((folder.folder / "out" / "stay").iterdir())


@pytest.mark.parametrize(
    "arguments",
    [
        ("data", "split", "half.jsonl", "--train", "README.md/a", "--test", "b.jsonl"),
        ("data", "split", "half.jsonl", "--train", "a.jsonl", "--test", "README.md/b"),
        ("data", "augment", "half.jsonl", "--output", "README.md/a"),
        ("data", "starter", "--output", "README.md/a", "--count", "1000000"),
        ("data", "generate", "--provider", "local:/no/model", "--output", "README.md/a", "TASKS"),
        ("data", "generate", "--provider", "local:/no/model", "--record", "README.md/a", "TASKS"),
        ("data", "generate", "--provider", "replay", "--output", "README.md/a"),
    ],
    ids=lambda arguments: " ".join(arguments[1:]),
)
def test_a_place_that_takes_no_file_is_said_before_anything_is_read_or_loaded(folder, arguments):
    (folder.folder / "tasks.json").write_text(json.dumps(RECORD["tasks"]))
    done = folder(*("tasks.json" if word == "TASKS" else word for word in arguments))
    assert done.returncode == 1
    assert "README.md: is a file, not a folder." in done.stderr
    assert "Errno" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--max-cost", "1"), "--max-cost needs prices: give --price-per-million-input"),
        (("--template", "nowhere.md"), "nowhere.md"),
        (("--scenario-shares", "swich=1"), "swich"),
        (("--judge", "nobody:x"), "nobody:x"),
        (("--judge", "router:nobody"), "nobody"),
    ],
)
def test_generate_checks_its_options_before_it_loads_a_model(folder, arguments, words):
    (folder.folder / "tasks.json").write_text(json.dumps(RECORD["tasks"]))
    done = folder("data", "generate", "tasks.json", "--provider", "local:/no/model", *arguments)
    assert done.returncode in {1, 2}
    assert words in done.stderr
    assert "/no/model" not in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("data", "check", "README.md"),
        ("data", "check", "good.jsonl", "--against", "README.md"),
        ("data", "quality", "README.md"),
        ("data", "split", "README.md", "--train", "a", "--test", "b"),
        ("data", "augment", "README.md", "--output", "a"),
        ("evaluate", "README.md", "--routers", "stay"),
        (
            "train",
            "--product",
            "a",
            "--task",
            "b",
            "--model-id",
            "c",
            "--recipe",
            "router",
            "--train-data",
            "README.md",
        ),
    ],
    ids=lambda arguments: " ".join(arguments[:3]),
)
def test_a_file_of_another_kind_is_one_line(folder, arguments):
    done = folder(*arguments)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert "README.md" in line
    assert "not JSON" in line


def test_a_file_of_chats_has_no_page_of_zeros(folder):
    (folder.folder / "chats.jsonl").write_text('{"messages": []}\n' * 3)
    done = folder("data", "check", "chats.jsonl")
    assert done.returncode == 1
    assert "No line is a conversation, so there is nothing to count." in done.stdout
    assert "Statistics" not in done.stdout
    done = folder("data", "check", "good.jsonl", "--against", "chats.jsonl")
    assert "so it cannot be compared" in done.stdout
    assert "0 of 0" not in done.stdout
