"""Conversations from files and from memory: what is read, and what is refused with file and line."""

import json

import pytest

from mojo_toolbox.data import Conversation, parse_conversation, read_conversations, read_records, write_records
from mojo_toolbox.data.checks import check
from mojo_toolbox.errors import DataError
from mojo_toolbox.shipped import example_data_dir

TASKS = [{"name": "recap", "description": "Sum up"}, {"name": "email", "description": "Write"}]


def record(*labels, tasks=TASKS, **more):
    return {"tasks": tasks, "messages": [{"role": "user", "content": "x", "task": t} for t in labels], **more}


def write(path, *lines):
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def test_conversations_are_read_in_order_and_blank_lines_skipped(tmp_path):
    path = write(tmp_path / "c.jsonl", json.dumps(record("recap", id="1")), "", "  ", json.dumps(record(None, id="2")))
    found = list(read_conversations(path))
    assert [c.id for c in found] == ["1", "2"]
    assert [m.task for c in found for m in c.messages] == ["recap", None]


def test_a_byte_order_mark_and_windows_line_ends_are_read(tmp_path):
    path = tmp_path / "c.jsonl"
    path.write_bytes(
        b"\xef\xbb\xbf" + json.dumps(record("recap")).encode() + b"\r\n" + json.dumps(record(None)).encode()
    )
    assert len(list(read_conversations(path))) == 2


def test_a_line_separator_within_a_text_ends_no_line(tmp_path):
    message = {"role": "user", "content": "one\u2028two", "task": None}
    path = write(tmp_path / "c.jsonl", json.dumps({"tasks": TASKS, "messages": [message]}, ensure_ascii=False))
    assert next(read_conversations(path)).messages[0].content == "one\u2028two"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{", "not JSON"),
        ("[1]", "a JSON object was expected, not list"),
        ("[" * 100_000, "nested too deeply"),
        ('{"tasks": []}', "tasks"),
        (json.dumps({"tasks": TASKS}), "messages"),
        (json.dumps(record("quote")), "message 1 is labelled 'quote', which is not in the task list"),
        (json.dumps(record("recap", tasks=[TASKS[0], TASKS[0]])), "'recap' occurs twice"),
        (json.dumps(record(tasks=[{"name": "None"}])), "cannot be named 'None'"),
        (json.dumps(record("a", tasks=[{"name": "a\nb"}])), "line breaks"),
        (json.dumps({"tasks": TASKS, "messages": [{"role": "agent", "content": "x"}]}), "role"),
        (json.dumps({"tasks": TASKS, "messages": [{"role": "user"}]}), "content"),
        (
            json.dumps({"tasks": TASKS, "messages": [{"role": "assistant", "content": "x", "task": None}]}),
            "assistant message has a task label",
        ),
    ],
)
def test_a_line_that_cannot_be_used_is_named_with_its_file(tmp_path, line, words):
    path = write(tmp_path / "c.jsonl", json.dumps(record("recap")), line)
    with pytest.raises(DataError, match=words) as caught:
        list(read_conversations(path))
    assert (str(caught.value.path), caught.value.line) == (str(path), 2)
    assert str(caught.value).startswith(f"{path}:2: ")


def test_other_files_are_refused(tmp_path):
    (tmp_path / "empty.jsonl").write_text("\n\n")
    (tmp_path / "latin.jsonl").write_bytes('{"a": "é"}'.encode("latin-1"))
    for name, words in {
        "missing.jsonl": "no such file",
        ".": "is a folder",
        "empty.jsonl": "the file is empty",
        "latin.jsonl": "not UTF-8",
    }.items():
        with pytest.raises(DataError, match=words):
            list(read_records(tmp_path / name))


def test_no_label_is_not_no_task():
    given = {
        "tasks": TASKS,
        "messages": [{"role": "user", "content": "a"}, {"role": "user", "content": "b", "task": None}],
    }
    unknown, none = parse_conversation(given).messages
    assert (unknown.labelled, none.labelled) == (False, True)
    again = Conversation.model_validate(json.loads(parse_conversation(given).model_dump_json(exclude_unset=True)))
    assert [m.labelled for m in again.messages] == [False, True]


def test_descriptions_become_one_line():
    conversation = parse_conversation(record("a", tasks=[{"name": "a", "description": " Write\n  an email "}]))
    assert conversation.tasks[0].description == "Write an email"


def test_what_is_written_is_read_again(tmp_path):
    records = [record("recap", id="ü \u2028 '\""), record(None)]
    assert write_records(tmp_path / "new" / "out.jsonl", records) == 2
    assert [r for _, r in read_records(tmp_path / "new" / "out.jsonl")] == records


def test_a_write_that_fails_leaves_what_was_there(tmp_path):
    path = tmp_path / "out.jsonl"
    write_records(path, [record("recap")])
    before = path.read_bytes()

    def failing():
        yield record(None)
        raise DataError("bad record")

    with pytest.raises(DataError):
        write_records(path, failing())
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["out.jsonl"]


def test_a_number_of_thousands_of_digits_is_said_with_its_line(tmp_path):
    (tmp_path / "x.jsonl").write_text('{"a": ' + "9" * 5000 + "}\n")
    with pytest.raises(DataError, match="not JSON") as caught:
        list(read_conversations(tmp_path / "x.jsonl"))
    assert caught.value.line == 1


def test_the_examples_have_what_a_router_is_measured_by():
    from collections import Counter

    from mojo_toolbox.data import POINTS, measuring_points

    train, test = (list(read_conversations(example_data_dir() / f"{part}.jsonl")) for part in ("train", "test"))
    assert len(train) >= 100
    assert len(test) >= 30
    assert not {c.id for c in train} & {c.id for c in test}
    assert not {str(c.messages) for c in train} & {str(c.messages) for c in test}
    points = Counter(point.point for c in test for point in measuring_points(c))
    assert all(points[point] >= 20 for point in POINTS), points
    listed = [{task.name for c in part for task in c.tasks} for part in (train, test)]
    in_charge = {m.task for c in test for m in c.messages if m.task is not None}
    assert len((listed[1] - listed[0]) & in_charge) >= 2
    assert len(listed[0] | listed[1]) >= 9


OPENAI_TURNS = [
    ({"role": "system", "content": "x"}, "message 2 role: 'system' was given where 'user' or 'assistant' was expected"),
    ({"role": "tool", "content": "3"}, "message 2 role: 'tool' was given where"),
    ({"role": "user", "content": [{"type": "text", "text": "x"}]}, "message 2 content: text was expected, not a list"),
    ({"role": "assistant", "content": None}, "message 2 content: text was expected, not null"),
    ("hi", "message 2: a JSON object was expected, not a text"),
]


@pytest.mark.parametrize(("message", "words"), OPENAI_TURNS, ids=range(5))
def test_a_message_of_another_service_is_named_with_what_reads_it(tmp_path, message, words):
    path = write(
        tmp_path / "c.jsonl", json.dumps({"tasks": TASKS, "messages": [{"role": "user", "content": "x"}, message]})
    )
    with pytest.raises(DataError) as caught:
        list(read_conversations(path))
    assert words in str(caught.value)
    assert ("mojo data import chat" in str(caught.value)) == isinstance(message, dict)
    (problem,) = check(path).problems
    assert words in problem.message
