"""`mojo data augment`: a file of varied conversations, the same again from the same seed."""

import json

import pytest

from mojo_toolbox.data import read_conversations
from mojo_toolbox.data.content_hash import content_hash

OTHERS = {"get_weather": "Tell the forecast", "rent_car": "Hire a vehicle", "write_poem": "Compose rhyming verses"}


def record(number, **tasks):
    listed = {"recap": "Sum up a meeting", "email": "Write a mail", **tasks}
    labels = ["recap", None, "email"]
    return {
        "id": f"c{number}",
        "tasks": [{"name": name, "description": description} for name, description in listed.items()],
        "messages": [{"role": "user", "content": f"turn {i}", "task": task} for i, task in enumerate(labels)],
    }


def write(path, records):
    path.write_text("".join(json.dumps(r) + "\n" for r in records), encoding="utf-8")
    return path


@pytest.fixture
def train(tmp_path):
    """Conversations of which each knows only one of the others' tasks."""
    others = [{name: description} for name, description in OTHERS.items()]
    return write(tmp_path / "train.jsonl", [record(number, **others[number % 3]) for number in range(12)])


def test_a_file_is_written_with_copies_and_summed_up(mojo, train, tmp_path):
    told = mojo.json("data", "augment", train, "--output", tmp_path / "new" / "out.jsonl", "--copies", "3")
    written = list(read_conversations(tmp_path / "new" / "out.jsonl"))
    assert [c.id for c in written[:4]] == ["c0#0.0", "c0#0.1", "c0#0.2", "c1#0.0"]
    assert (told["conversations"], told["written"], told["pool_tasks"]) == (12, 36, 5)
    assert told["sha256"] == content_hash(written)
    assert told["tasks_per_list"]["before"] == 3
    assert told["tasks_per_list"]["after"] == pytest.approx(sum(len(c.tasks) for c in written) / 36, abs=0.01)
    assert told["longer_lists"] == sum(len(c.tasks) > 3 for c in written) > 0


def test_the_same_seed_writes_the_same_file_and_another_one_another(mojo, train, tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        done = mojo("data", "augment", train, "-o", tmp_path / name, "--seed", seed)
        assert done.returncode == 0, done.stderr
        assert "content hash: " in done.stdout
    a, b, c = ((tmp_path / name).read_bytes() for name in "abc")
    assert a == b != c


def test_distractors_come_from_the_file_itself_or_from_a_pool(mojo, train, tmp_path):
    pool = write(tmp_path / "pool.jsonl", [{"name": "set_alarm", "description": "Wake somebody"}])
    for given, expected in ((["--pool", pool], {"set_alarm"}), ([], set(OTHERS))):
        mojo.json("data", "augment", train, "-o", tmp_path / "out.jsonl", "--overwrite", "--distractors", "1", *given)
        before = {c.id: {t.name for t in c.tasks} for c in read_conversations(train)}
        added = set()
        for written in read_conversations(tmp_path / "out.jsonl"):
            added |= {t.name for t in written.tasks} - before[written.id.partition("#")[0]]
        assert added == expected


def test_tasks_are_renamed_and_labels_follow(mojo, train, tmp_path):
    (tmp_path / "words.json").write_text('{"recap": [{"name": "summary", "description": "Summarise"}]}')
    options = ["--alternatives", tmp_path / "words.json", "--renamed-tasks", "1", "--withheld-task", "0"]
    mojo.json("data", "augment", train, "-o", tmp_path / "out.jsonl", *options, "--hidden-decisions", "0")
    for written in read_conversations(tmp_path / "out.jsonl"):
        assert [m.task for m in written.messages] == ["summary", None, "email"]
        assert {"summary", "email"} < {t.name for t in written.tasks}


def test_nothing_is_varied_where_every_share_is_zero(mojo, train, tmp_path):
    zero = [word for share in ("withheld-task", "distractors", "hidden-decisions") for word in (f"--{share}", "0")]
    mojo.json("data", "augment", train, "-o", tmp_path / "out.jsonl", "--same-order", *zero)
    written = list(read_conversations(tmp_path / "out.jsonl"))
    assert [(c.tasks, c.messages) for c in written] == [(c.tasks, c.messages) for c in read_conversations(train)]


def test_a_pool_that_has_nothing_new_is_said(mojo, tmp_path):
    train = write(tmp_path / "train.jsonl", [record(number) for number in range(40)])
    done = mojo("data", "augment", train, "-o", tmp_path / "out.jsonl")
    assert done.returncode == 0
    assert "No distractor was added. None of the pool's 2 tasks could join" in done.stderr


@pytest.mark.parametrize(
    ("given", "status", "words"),
    [
        (["missing.jsonl", "-o", "out.jsonl"], 1, "missing.jsonl: no such file"),
        (["broken.jsonl", "-o", "out.jsonl"], 1, "broken.jsonl:2: not a routing conversation"),
        (["broken.jsonl", "-o", "out.jsonl", "--distractors", "0"], 1, "broken.jsonl:2: not a routing conversation"),
        (["train.jsonl", "-o", "train.jsonl"], 2, "is the input file"),
        (["train.jsonl", "-o", "."], 2, "is a folder. Name a file"),
        (["train.jsonl", "-o", "out.jsonl", "--withheld-task", "2"], 2, "--withheld-task"),
        (["train.jsonl", "-o", "out.jsonl", "--pool", "missing.jsonl"], 1, "missing.jsonl: no such file"),
        (
            ["train.jsonl", "-o", "out.jsonl", "--alternatives", "train.jsonl"],
            1,
            "train.jsonl:1: 'id': a list of wordings",
        ),
        (["/dev/stdin", "-o", "out.jsonl"], 2, "can be read only once"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line_and_leaves_no_file(mojo, train, tmp_path, given, status, words):
    write(tmp_path / "broken.jsonl", [record(1), {"tasks": []}])
    done = mojo("data", "augment", *given, text="{}\n")
    assert done.returncode == status
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert words in errors[0]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["broken.jsonl", "train.jsonl"]


def test_training_takes_the_same_settings(mojo, train, tmp_path):
    (tmp_path / "words.json").write_text('{"recap": [{"name": "summary"}]}')
    job = [
        "train",
        "--cloud",
        "aws",
        "--region-name",
        "us-east-1",
        "--role",
        "r",
        "--product",
        "p",
        "--task",
        "routing",
    ]
    job += ["--model-id", "m", "--base-model", "a/b", "--train-data", train, "--dry-run"]
    settings = [
        "-A",
        "withheld_task=0.2",
        "-A",
        "shuffled=false",
        "--alternatives",
        "words.json",
        "--pool",
        "train.jsonl",
    ]
    for options in (settings, ["--as-it-stands", "--copies", "2"]):
        (request,) = mojo.json(*job, *options)
        hyperparameters = request["parameters"]["HyperParameters"]
        assert json.loads(hyperparameters["dataset_sha256"]) == content_hash(read_conversations(train))
        assert json.loads(hyperparameters["data_versions"]) == 2
    for options, status, words in (
        (["-A", "witheld_task=0.2"], 2, "there is no 'witheld_task'. Known: shuffled, withheld_task"),
        (["-A", "withheld_task=2"], 1, "withheld_task=2 must be a share between 0 and 1"),
        (["-A", "withheld_task=0.2", "--as-it-stands"], 2, "not both"),
        (["--alternatives", "train.jsonl"], 1, "train.jsonl:1: 'id': a list of wordings"),
    ):
        done = mojo(*job, *options)
        assert (done.returncode, words in done.stderr) == (status, True), done.stderr
