"""Dividing conversations into a training and a test part."""

import json
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from mojo_toolbox.data import Conversation, parse_conversation, read_conversations, read_records
from mojo_toolbox.data.content_hash import content_hash
from mojo_toolbox.data.likeness.shingles import shingles, similarity
from mojo_toolbox.data.split_files import split_file
from mojo_toolbox.data.splits import labels_of, split
from mojo_toolbox.errors import ConfigurationError, DataError

NAMES = [f"task_{letter}" for letter in "abcdefghij"]
WORDS = [f"{a}{b}{c}" for a in "bdfgklmnprst" for b in ("a", "e", "i", "ou") for c in ("n", "rt", "l", "sh", "ck")]


def conversation(number, *labels, tasks=NAMES, text=None, **more):
    rng = random.Random(number)
    said = [text or " ".join(rng.choice(WORDS) for _ in range(9)) for _ in labels]
    turns = [{"role": "user", "content": words, "task": label} for words, label in zip(said, labels, strict=True)]
    listed = [{"name": name, "description": f"does {name}"} for name in tasks]
    return parse_conversation({"id": str(number), "tasks": listed, "messages": turns, **more})


def many(count=200):
    """Two tasks in each conversation, neighbours in the alphabet; every tenth has none."""
    found = []
    for number in range(count):
        labels = (NAMES[number % 10], NAMES[(number + number // 10 % 2) % 10]) if number % 10 else (None, None)
        found.append(conversation(number, *labels))
    return found


def ids(part):
    return [c.id for c in part]


def listed(part):
    return {task.name for c in part for task in c.tasks}


def in_charge(part):
    return set().union(*map(labels_of, part))


# -------------------------------------------------------------------------------------------- by conversation


def test_every_conversation_is_in_one_part_as_it_was_in_the_given_order():
    given = many()
    train, test = split(given)
    assert len(test) == 40
    assert sorted(ids(train) + ids(test), key=int) == ids(given)
    assert ids(train) == sorted(ids(train), key=int)
    by_id = {c.id: c for c in given}
    assert all(by_id[c.id] == c for c in train + test)


def test_each_task_has_its_share_of_the_test_part():
    given = many(400)
    _, test = split(given, test_share=0.25)
    shares = Counter(name for c in test for name in labels_of(c))
    totals = Counter(name for c in given for name in labels_of(c))
    assert {name: 0.1 < shares[name] / totals[name] < 0.4 for name in totals} == dict.fromkeys(totals, True)
    assert sum(not labels_of(c) for c in test) == 10


def test_the_same_seed_divides_alike_in_any_order_of_the_file():
    given = many()
    shuffled = random.Random(1).sample(given, len(given))
    for by in ("conversation", "task"):
        assert set(ids(split(given, by=by)[1])) == set(ids(split(shuffled, by=by)[1]))
        assert set(ids(split(given, by=by)[1])) != set(ids(split(given, by=by, seed=1)[1]))


@pytest.mark.parametrize("by", ["conversation", "task"])
def test_near_duplicates_stay_on_one_side(by):
    given = many(60)
    copies = []
    for number, original in enumerate(given):
        record = original.as_record() | {"id": f"copy {original.id}"}
        record["messages"][0]["content"] += " please" if number % 2 else ""
        copies.append(parse_conversation(record))
    train, test = split(given + copies, by=by, test_share=0.3)
    assert {c.id.removeprefix("copy ") for c in train} & {c.id.removeprefix("copy ") for c in test} == set()
    assert len(test) > 20


def test_what_a_template_made_alike_can_still_be_divided():
    given = [conversation(n, NAMES[n % 10], text=f"please do this for me, it is request {n}") for n in range(100)]
    train, test = split([*given, *given[:20]])
    assert 15 <= len(test) <= 35
    assert in_charge(test) == in_charge(train) == set(NAMES)
    # What is the same to the letter stays together all the same.
    assert set(ids(train)) & set(ids(test)) == set()
    with pytest.raises(DataError, match="all alike"):
        split(given, similar_from=0.6)


# ---------------------------------------------------------------------------------------------------- by task


def test_tasks_of_the_test_part_occur_nowhere_in_the_training_part():
    given = many()
    train, test = split(given, by="task", test_share=0.3)
    assert 40 <= len(test) <= 80
    assert len(train) + len(test) == len(given)
    unseen = in_charge(test)
    assert unseen
    assert unseen & listed(train) == set()
    assert unseen & in_charge(train) == set()
    # Training keeps its own tasks, and both parts have turns without a task.
    assert listed(train) == set(NAMES) - unseen
    assert any(not labels_of(c) for c in train)
    assert any(not labels_of(c) for c in test)


def test_a_training_task_in_a_test_conversation_is_taken_off_its_list_and_its_turns_become_none():
    given = [conversation(n, *labels) for n, labels in enumerate([NAMES[:2], NAMES[1:3]] * 10)]
    train, test = split(given, by="task", test_share=0.5)
    (unseen,) = {frozenset(labels_of(c)) for c in test}
    assert {task for c in train for task in labels_of(c)} == {"task_b", "task_a", "task_c"} - unseen
    for c in test:
        mixed = next(other for other in given if other.id == c.id)
        assert [m.task if m.task in unseen else None for m in mixed.messages] == [m.task for m in c.messages]
        assert listed([c]) == set(NAMES) - (labels_of(mixed) - unseen)


def test_a_stored_point_does_not_survive_the_task_it_spoke_of(tmp_path):
    records = []
    for number, labels in enumerate([NAMES[:2], NAMES[1:3]] * 10):
        record = conversation(number, *labels).as_record()
        record["messages"][0]["point"], record["messages"][1]["point"] = "start", "switch"
        records.append(record)
    source = write(tmp_path, records)
    report = split_file(source, train=tmp_path / "a", test=tmp_path / "b", by="task", test_share=0.5)
    assert report.withheld_turns == 10
    assert len(list(read_conversations(tmp_path / "b"))) == 10


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([], "no conversations"),
        ([conversation(0, NAMES[0])], "One conversation cannot be divided"),
        ([conversation(0, NAMES[0])] * 9, "all alike"),
        ([conversation(n, None) for n in range(9)], "by task"),
        ([conversation(n, NAMES[0]) for n in range(9)], "by task"),
        ([conversation(n, *NAMES) for n in range(9)], "leaves nothing to train on"),
    ],
)
def test_what_cannot_be_divided_by_task_is_said(given: list[Conversation], words):
    with pytest.raises(DataError, match=words):
        split(given, by="task")


def test_two_conversations_are_enough():
    two = [conversation(0, NAMES[0]), conversation(1, NAMES[1])]
    for by in ("conversation", "task"):
        assert [len(part) for part in split(two, by=by)] == [1, 1]


@pytest.mark.parametrize("wrong", [{"test_share": 0}, {"test_share": 1}, {"by": "turn"}])
def test_shares_and_ways_that_are_none_are_refused(wrong):
    with pytest.raises(ConfigurationError, match=next(iter(wrong))):
        split(many(20), **wrong)


# ---------------------------------------------------------------------------------------------------- as files


def write(folder, records):
    path = folder / "all.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


@pytest.mark.parametrize("by", ["conversation", "task"])
def test_a_file_is_divided_as_its_conversations_are(tmp_path, by):
    source = write(tmp_path, [c.as_record() for c in many()])
    report = split_file(source, train=tmp_path / "new" / "train.jsonl", test=tmp_path / "test.jsonl", by=by, seed=3)
    parts = [list(read_conversations(part.path)) for part in (report.train, report.test)]
    assert parts == list(split(read_conversations(source), by=by, seed=3))
    assert [part.conversations for part in (report.train, report.test)] == list(map(len, parts))
    assert [part.sha256 for part in (report.train, report.test)] == list(map(content_hash, parts))
    assert set(report.unseen_tasks) == (in_charge(parts[1]) if by == "task" else set())


def test_lines_are_copied_as_they_are_whatever_else_stands_on_them(tmp_path):
    records = [c.as_record() | {"mine": [1.50, "\u2028 ü"]} for c in many(40)]
    lines = [json.dumps(record, ensure_ascii=number % 2 == 0) for number, record in enumerate(records)]
    source = tmp_path / "all.jsonl"
    source.write_bytes(b"\xef\xbb\xbf" + "\r\n\r\n".join(lines).encode())
    split_file(source, train=tmp_path / "a", test=tmp_path / "b")
    written = (tmp_path / "a").read_bytes().decode() + (tmp_path / "b").read_bytes().decode()
    assert sorted(written.split("\n")[:-1]) == sorted(lines)
    assert [record["mine"] for _, record in read_records(tmp_path / "b")] == [[1.50, "\u2028 ü"]] * 8


def test_a_line_that_cannot_be_read_is_named_and_nothing_is_written(tmp_path):
    source = write(tmp_path, [c.as_record() for c in many(20)])
    with source.open("a") as file:
        file.write('{"tasks": []}\n')
    with pytest.raises(DataError, match=r"all\.jsonl:21: "):
        split_file(source, train=tmp_path / "a", test=tmp_path / "b")
    assert [path.name for path in tmp_path.iterdir()] == ["all.jsonl"]


def test_places_that_are_the_same_or_folders_are_refused_before_anything_is_read(tmp_path):
    source = write(tmp_path, [c.as_record() for c in many(20)])
    before = source.read_bytes()
    for train, test in (("a", "a"), ("all.jsonl", "b"), ("a", "./all.jsonl")):
        with pytest.raises(DataError, match="three files"):
            split_file(source, train=tmp_path / train, test=tmp_path / test)
    with pytest.raises(DataError, match="is a folder"):
        split_file(source, train=tmp_path / "a", test=tmp_path)
    assert source.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["all.jsonl"]


def test_a_file_that_changes_between_the_passes_is_refused(tmp_path):
    source = write(tmp_path, [c.as_record() for c in many(20)])
    passes = 0

    def report(*, done=None, total=None, text=None):
        nonlocal passes
        passes += total is not None
        if passes == 2:
            source.write_text("".join(source.read_text().splitlines(keepends=True)[:10]))

    with pytest.raises(DataError, match="changed while it was read"):
        split_file(source, train=tmp_path / "a", test=tmp_path / "b", progress=report)
    assert [path.name for path in tmp_path.iterdir()] == ["all.jsonl"]


def test_killed_while_writing_it_leaves_no_part(tmp_path):
    source = write(tmp_path, [c.as_record() for c in many(200)])
    (tmp_path / "b").write_text("an older test part\n")
    code = (
        "import sys, time\n"
        "from mojo_toolbox.data.split_files import split_file\n"
        "passes = 0\n"
        "def report(*, done=None, total=None, text=None):\n"
        "    global passes\n"
        "    passes += total is not None\n"
        "    if passes == 2 and done:\n"
        "        print('writing', flush=True)\n"
        "        time.sleep(60)\n"
        f"split_file({str(source)!r}, train={str(tmp_path / 'a')!r}, test={str(tmp_path / 'b')!r}, progress=report)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout.readline() == "writing\n"
        process.send_signal(signal.SIGKILL)
        assert process.wait(20) == -signal.SIGKILL
    assert not (tmp_path / "a").exists()
    assert (tmp_path / "b").read_text() == "an older test part\n"


def test_no_test_conversation_resembles_a_training_conversation():
    rng = random.Random(7)
    given = many(100)
    for number, original in enumerate(rng.sample(given, 50)):
        record = original.as_record() | {"id": str(1000 + number)}
        record["messages"][1]["content"] += " or so"
        given.append(parse_conversation(record))
    train, test = split(given, test_share=0.3)
    pieces = {c.id: shingles(m.content for m in c.messages) for c in given}
    assert max(similarity(pieces[a.id], pieces[b.id]) for a in train for b in test) < 0.65
