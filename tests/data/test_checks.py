"""Checking a file of conversations: every problem in one pass, statistics, duplicates, contamination."""

import json
import os
import random

import pytest

from mojo_toolbox.data import jsonl, parse_conversation, read_conversations, read_records
from mojo_toolbox.data.checking import problems
from mojo_toolbox.data.checking.doubts import DOUBTS
from mojo_toolbox.data.checks import check
from mojo_toolbox.data.content_hash import content_hash
from mojo_toolbox.errors import ConfigurationError, DataError

TASKS = [{"name": "mail", "description": "Write an email"}, {"name": "recap", "description": "Sum up a meeting"}]
WORDS = [f"{a}{b}{c}" for a in "bdfgklmnprst" for b in ("a", "e", "i", "ou") for c in ("n", "rt", "l", "sh", "ck")]
UNKNOWN = object()


def user(label, text=None, **more):
    said = {"role": "user", "content": text or random_text()} | more
    return said if label is UNKNOWN else said | {"task": label}


def assistant(text=None, **more):
    return {"role": "assistant", "content": text or random_text()} | more


def random_text(length=12, rng=random.Random(0)):  # noqa: B008 - one stream for all texts of a test run
    return " ".join(rng.choice(WORDS) for _ in range(length))


def record(*messages, tasks=TASKS, **more):
    return {"tasks": tasks, "messages": list(messages), **more}


def good(*, tasks=TASKS, **more):
    """A conversation with every measuring point."""
    labels = (None, tasks[0]["name"], tasks[0]["name"], tasks[1]["name"], None)
    return record(*map(user, labels), tasks=tasks, **more)


@pytest.fixture
def write(tmp_path):
    def write(*records, name="c.jsonl"):
        path = tmp_path / name
        lines = [r if isinstance(r, bytes) else json.dumps(r, ensure_ascii=False).encode() for r in records]
        path.write_bytes(b"\n".join(lines) + b"\n")
        return path

    return write


def told(report, severity="error"):
    return [(p.line, p.kind, p.message) for p in report.problems if p.severity == severity]


# ------------------------------------------------------------------------------------------------- problems


def test_a_good_file_has_none(write):
    # In both orders of the list, or the right task would stand at the same place each time.
    path = write(*(good(id=str(number), tasks=TASKS[:: 1 - number % 2 * 2]) for number in range(20)))
    report = check(path)
    assert (report.errors, report.warnings, report.problems) == ({}, {}, [])
    assert report.exceeded(max_warnings=0, max_near_duplicates=0) == []
    assert report.sha256 == content_hash(read_conversations(path))


BAD = {
    "line": [b"not json", b"[1]", b'{"a": "\xe9"}', b"[" * 100_000, b'{"a": ' + b"9" * 5000 + b"}"],
    "tasks": [
        record(user("mail"), tasks=[*TASKS, TASKS[0]]),
        record(user(None), tasks=[{"name": "None"}]),
        record(user(None), tasks=[]),
        record(user(None), tasks=5),
    ],
    "messages": [
        record(),
        record({"role": "agent", "content": "x"}),
        record(user("mail"), assistant(task="mail")),
        record(user("mail", "x", content=5)),
    ],
    "labels": [record(user("quote"))],
    "points": [record(user("mail", point="end"))],
    "record": [record(user("mail"), id=5), record(user("mail"), meta=[])],
}


@pytest.mark.parametrize(("kind", "bad"), [(kind, bad) for kind, lines in BAD.items() for bad in lines])
def test_what_reading_refuses_is_a_problem_with_its_line(write, kind, bad):
    path = write(good(), bad, good())
    with pytest.raises(DataError) as refused:
        list(read_conversations(path))
    assert refused.value.line == 2
    report = check(path)
    assert {(line, found) for line, found, _ in told(report)} == {(2, kind)}
    assert str(report.problems[0]).startswith(f"{path}:2: ")
    assert report.sha256 is None
    assert report.statistics.conversations == 2
    assert report.exceeded() == ["1 problem, 0 allowed"]
    assert report.exceeded(max_problems=5) == []


def test_all_problems_of_a_record_are_told_at_once(write):
    bad = record(
        user("quote"),
        assistant(task="mail"),
        user("invoice", point="switch"),
        {"role": "bot", "content": 5},
        tasks=[*TASKS, TASKS[0]],
    )
    messages = [message for _, _, message in told(check(write(bad, good())))]
    wanted = ["message 2: an assistant", "message 4 role: ", "message 4 content: ", "'mail' occurs twice"]
    wanted += ["message 1 is labelled 'quote'", "message 3 is labelled 'invoice'"]
    assert [words for words in wanted if not any(words in message for message in messages)] == []
    assert len(messages) == len(wanted)


def test_a_stored_point_that_contradicts_is_told_beside_another_problem(write):
    found = told(check(write(record(user("quote"), user("mail", point="start")), good())))
    assert {kind for _, kind, _ in found} == {"labels", "points"}


def test_problems_are_counted_beyond_those_that_are_kept(write, monkeypatch):
    monkeypatch.setattr(problems, "MOST_KEPT", 3)
    report = check(write(*[b"x"] * 10, good()))
    assert report.errors == {"line": 10}
    assert [line for line, _, _ in told(report)] == [1, 2, 3]


def test_a_line_without_an_end_does_not_fill_the_memory(write, monkeypatch):
    monkeypatch.setattr(jsonl, "LONGEST_LINE", 2000)
    long = record(user("mail", "x" * 5000))
    path = write(good(), long, good(), b"y" * 1999, b"z" * 2000, good())
    assert [(line, "longer" in m or "more than" in m) for line, _, m in told(check(path))] == [
        (2, True),
        (4, False),
        (5, True),
    ]
    assert check(path).statistics.conversations == 3
    with pytest.raises(DataError, match="more than") as caught:
        list(read_records(path))
    assert caught.value.line == 2


def test_line_ends_and_byte_order_marks_of_windows_are_read(write, tmp_path):
    lines = [json.dumps(good(id=str(number)), ensure_ascii=False) for number in range(3)]
    (tmp_path / "windows.jsonl").write_bytes(b"\xef\xbb\xbf" + "\r\n".join([*lines, ""]).encode())
    (tmp_path / "unix.jsonl").write_bytes("\n".join(lines).encode())
    reports = [check(tmp_path / name) for name in ("windows.jsonl", "unix.jsonl")]
    assert [report.errors for report in reports] == [{}, {}]
    assert reports[0].sha256 == reports[1].sha256
    assert reports[0].statistics == reports[1].statistics


@pytest.mark.parametrize(
    ("kind", "records", "line"),
    [
        ("unlabelled", [good(), record(user(UNKNOWN))], 2),
        ("empty-message", [good(), record(user("mail", " \n"), user("mail"))], 2),
        ("no-description", [good(), record(user("mail"), tasks=[TASKS[0], {"name": "x"}])], 2),
        ("same-description", [good(), record(user("mail"), tasks=[TASKS[0], TASKS[0] | {"name": "x"}])], 2),
        ("one-task", [good(), record(user("mail"), tasks=TASKS[:1])], 2),
        ("last-message", [good(), record(user("mail"), assistant())], 2),
        ("same-id", [good(id="a"), good(id="b"), good(id="a"), good(), good()], 3),
        ("relabelled", [good(), record(user("mail", "do it")), record(user("recap", "do it"))], 3),
        ("one-label", [record(user("mail"), user("mail")), record(user("mail"))], None),
        ("constant-labels", [record(user("mail"), user("mail")), record(user("recap"), user("recap"))], None),
        ("missing-point", [record(user("mail")), record(user(None), user("recap"))], None),
        ("position", [good(tasks=[*TASKS, *({"name": n, "description": n} for n in "abcdef")])] * 60, None),
    ],
)
def test_what_is_allowed_and_seldom_meant_is_a_warning(write, kind, records, line):
    # Read in again, so that a record that is repeated says something else each time.
    fresh = [r | {"messages": [m | {"content": m["content"]} for m in r["messages"]]} for r in records]
    path = write(*fresh)
    report = check(path)
    assert report.errors == {}
    assert [found for found, k, _ in told(report, "warning") if k == kind] == [line]
    assert report.exceeded() == []
    assert report.exceeded(max_warnings=0) != []
    assert set(report.warnings) <= set(DOUBTS)


def test_labels_of_single_turns_need_not_change(write):
    assert "constant-labels" not in check(write(record(user("mail")), record(user("recap")))).warnings


# ----------------------------------------------------------------------------------------------- statistics


def test_statistics_count_what_is_there(write):
    one = record(user("mail"), assistant(), user(UNKNOWN), user("recap"), user(None))
    two = record(user(None, "x" * 10), tasks=[*TASKS, {"name": "quote", "description": "Make an offer"}])
    found = check(write(one, b"broken", two)).statistics
    assert (found.conversations, found.user_turns, found.assistant_turns, found.labelled_turns) == (2, 5, 1, 4)
    assert found.points == {"start": 1, "continue": 0, "switch": 1, "end": 1, "none": 1}
    counts = {name: (c.lists, c.turns, c.conversations) for name, c in found.tasks.items()}
    assert counts == {"mail": (2, 1, 1), "recap": (2, 1, 1), "quote": (1, 0, 0)}
    lists = found.list_length
    assert (lists.total, lists.least, lists.median, lists.p95, lists.most) == (5, 2, 2, 3, 3)
    assert (found.messages.total, found.messages.most) == (6, 5)
    listed = "mail: Write an email" + "recap: Sum up a meeting" + "quote: Make an offer"
    assert found.tokens.least == -(-len(listed + "x" * 10) // 4)
    assert found.tokenizer is None


def test_tokens_are_exact_with_a_tokenizer(write, tiny_base):
    from transformers import AutoTokenizer

    conversation = good()
    report = check(write(conversation), tokenizer=tiny_base)
    tokenizer = AutoTokenizer.from_pretrained(tiny_base)
    texts = [f"{task['name']}: {task['description']}" for task in TASKS]
    texts += [message["content"] for message in conversation["messages"]]
    assert report.statistics.tokens.total == sum(len(tokenizer(t, add_special_tokens=False).input_ids) for t in texts)
    assert report.statistics.tokenizer == str(tiny_base)


def test_a_tokenizer_that_is_none_is_refused_before_anything_is_read(tmp_path):
    with pytest.raises(ConfigurationError, match="tokenizer"):
        check(tmp_path / "nowhere.jsonl", tokenizer=tmp_path)


# --------------------------------------------------------------------------- duplicates and contamination


def edited(given, **more):
    messages = [message | {"content": message["content"] + " please"} for message in given["messages"]]
    return given | {"messages": messages} | more


def test_duplicates_and_near_duplicates_are_told_apart(write):
    originals = [good(id=str(number)) for number in range(10)]
    other_list = originals[0] | {"id": "x", "tasks": [{"name": "mail"}, {"name": "recap"}, {"name": "new"}]}
    path = write(*originals, other_list, edited(originals[1]), edited(originals[2]))
    found = check(path).duplicates
    assert (found.exact, found.near) == (1, 2)
    assert found.share == pytest.approx(3 / 13)
    assert [(e.exact, e.first.line, e.second.line) for e in found.examples] == [
        (True, 1, 11),
        *sorted([(False, 2, 12), (False, 3, 13)], key=lambda pair: found_similarity(found, pair)),
    ]
    assert all(0.65 <= e.similarity < 1 for e in found.examples if not e.exact)
    assert found.examples[0].first.text == " / ".join(m["content"] for m in originals[0]["messages"])[:200] + "…"
    assert check(path).exceeded(max_near_duplicates=0.2) == [
        "23.1% of the conversations repeat or resemble others, 20.0% allowed"
    ]


def found_similarity(found, pair):
    return -next(e.similarity for e in found.examples if (e.exact, e.first.line, e.second.line) == pair)


def test_test_conversations_that_training_has_are_found_under_other_task_names(write):
    train = [good(id=str(number)) for number in range(10)]
    renamed = [{"name": f"my_{task['name']}", "description": "other words"} for task in TASKS]
    copied = json.loads(json.dumps(train[3]).replace('"mail"', '"my_mail"').replace('"recap"', '"my_recap"'))
    test = [good(tasks=renamed), copied | {"tasks": renamed}, edited(train[4]), good()]
    report = check(write(*train), write(*test, name="test.jsonl"))
    found = report.contamination
    assert (found.conversations, found.exact, found.near, found.share) == (4, 1, 1, 0.5)
    assert [(e.first.line, e.second.line) for e in found.examples] == [(2, 4), (3, 5)]
    assert found.path.endswith("test.jsonl")
    assert found.sha256 == content_hash(map(parse_conversation, test))
    assert report.exceeded(max_contamination=0.5) == []
    assert len(report.exceeded(max_contamination=0.4)) == 1


def test_tasks_that_occur_in_both_are_found_by_name_and_by_description(write):
    description = "Find a bus journey for a given pair of cities"
    tasks = [
        {"name": "Mail", "description": "quite something else"},
        {"name": "buses", "description": description.upper() + "!"},
        {"name": "new", "description": "Translate a text into Welsh"},
    ]
    train = good(tasks=[*TASKS, {"name": "find_bus", "description": description}])
    report = check(write(train), write(record(user("new"), user("buses"), tasks=tasks), name="test.jsonl"))
    found = report.contamination
    assert (found.tasks, found.shared_tasks, found.unseen_tasks) == (3, ["Mail"], ["buses", "new"])
    assert [(t.name, t.other_name, t.similarity) for t in found.similar_tasks] == [("buses", "find_bus", 1.0)]
    assert len(report.exceeded(max_shared_tasks=0.3)) == 1


def test_problems_of_the_test_file_count_too(write):
    report = check(write(good(id="1")), write(good(id="2"), b"broken", name="test.jsonl"))
    assert report.errors == {"line": 1}
    assert [str(p).rpartition("/")[2].split(":")[:2] for p in report.problems if p.severity == "error"] == [
        ["test.jsonl", "2"]
    ]
    assert report.sha256 is not None
    assert report.contamination.sha256 is None


def test_a_limit_on_contamination_needs_a_test_file(write):
    with pytest.raises(ConfigurationError, match="against"):
        check(write(good())).exceeded(max_contamination=0)


def test_a_file_without_a_usable_line_is_reported_too(write):
    report = check(write(b"x", b"y"), write(b"z", name="test.jsonl"))
    assert report.statistics.conversations == report.contamination.conversations == 0
    assert (report.duplicates.share, report.contamination.share) == (0, 0)


def test_files_that_are_none_are_refused(tmp_path):
    (tmp_path / "empty.jsonl").write_text("\n \n")
    os.mkfifo(tmp_path / "pipe")
    for name, words in (("nowhere", "no such file"), ("empty.jsonl", "empty"), (".", "folder"), ("pipe", "no file")):
        with pytest.raises(DataError, match=words):
            check(tmp_path / name)


def test_a_report_is_json(write):
    report = check(write(good(), b"x"), write(good(), name="test.jsonl")).as_dict()
    assert json.loads(json.dumps(report)) == report
