"""Chats of OpenAI's and ShareGPT's form: roles, parts, and tool calls as labels; streams of JSON."""

import json

import pytest

from mojo_toolbox.data import Task
from mojo_toolbox.data.importers import ImportSummary, import_chats
from mojo_toolbox.data.importers.chats import UNLEARNT
from mojo_toolbox.data.importers.json_stream import read_json_objects
from mojo_toolbox.errors import DataError

TOOLS = [
    {"type": "function", "function": {"name": name, "description": f"does {name}", "parameters": {}}}
    for name in ("get_weather", "book_bus", "set_alarm")
]


def call(*names, content=None):
    calls = [{"id": "c", "type": "function", "function": {"name": name, "arguments": "{}"}} for name in names]
    return {"role": "assistant", "content": content, "tool_calls": calls}


def say(role, content):
    return {"role": role, "content": content}


def write(path, *records):
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


def imported(path, **options):
    summary = ImportSummary()
    return list(import_chats(path, summary=summary, **options)), summary


def labels(conversation):
    return [m.task if m.labelled else "?" for m in conversation.messages if m.role == "user"]


def reasons(summary, kind):
    return {reason: left.count for reason, left in summary.left_out[kind].items()}


def test_the_tool_that_is_called_labels_the_user_turn_before(tmp_path):
    messages = [
        say("system", "You help."),
        say("user", "rain?"),
        call("get_weather"),
        say("tool", "no"),
        say("assistant", "No rain."),
        say("user", "which bus?"),
        say("assistant", "Where to?"),
        say("user", "home, and wake me"),
        call("book_bus", "set_alarm", content="At once."),
        say("user", "hello?"),
    ]
    (found,), summary = imported(write(tmp_path / "chats.jsonl", {"messages": messages, "tools": TOOLS}))
    assert found.id == "chats-1"
    assert [m.role for m in found.messages] == ["user", "assistant", "user", "assistant", "user", "assistant", "user"]
    assert labels(found) == ["get_weather", "?", "?", "?"]
    assert {task.name: task.description for task in found.tasks} == {
        tool["function"]["name"]: tool["function"]["description"] for tool in TOOLS
    }
    assert reasons(summary, "message") == {
        "a system prompt": 1,
        "the call of a tool": 1,
        "the result of a tool": 1,
    }
    assert reasons(summary, "label") == {
        "no tool was called": 1,
        "several tools were called": 1,
        "the assistant does not answer": 1,
    }
    assert summary.left_out["label"]["no tool was called"].example == f"{tmp_path / 'chats.jsonl'}:1, message 6"


def test_an_answer_without_a_call_can_be_taken_as_no_task(tmp_path):
    messages = [
        say("user", "hi"),
        say("assistant", "hello"),
        say("user", "rain?"),
        call("get_weather"),
        say("user", "?"),
    ]
    (found,), _ = imported(write(tmp_path / "c.jsonl", {"messages": messages, "tools": TOOLS}), no_call="none")
    assert labels(found) == [None, "get_weather", "?"]


def test_sharegpt_needs_tasks_and_stays_unlabelled(tmp_path):
    record = {
        "id": "abc_0",
        "conversations": [
            {"from": "system", "value": "x"},
            {"from": "human", "value": "hi"},
            {"from": "gpt", "value": "hello"},
        ],
    }
    path = write(tmp_path / "c.jsonl", record)
    found, summary = imported(path)
    assert found == []
    assert reasons(summary, "conversation") == {"lists no tools, and no task file was given (--tasks)": 1}
    (found,), summary = imported(path, tasks=[Task(name="a"), Task(name="b")])
    assert (found.id, labels(found), {task.name for task in found.tasks}) == ("abc_0", ["?"], {"a", "b"})
    assert (summary.messages, summary.labelled) == (2, 0)


@pytest.mark.parametrize(
    ("calling", "tools"),
    [
        ({"from": "function_call", "value": '{"name": "book_bus", "arguments": {}}'}, json.dumps(TOOLS)),
        ({"role": "assistant", "content": None, "function_call": {"name": "book_bus"}}, [t["function"] for t in TOOLS]),
        ({"role": "assistant", "content": [{"type": "tool_use", "id": "1", "name": "book_bus", "input": {}}]}, TOOLS),
        ({"role": "assistant", "content": [{"type": "tool_call", "value": '{"name": "book_bus"}'}]}, TOOLS),
        (
            {
                "role": "assistant",
                "tool_calls": [{"function": {"name": "book_bus"}}, {"function": {"name": "book_bus"}}],
            },
            TOOLS,
        ),
    ],
    ids=["sharegpt", "functions", "anthropic", "parts", "twice"],
)
def test_calls_are_known_in_every_spelling(tmp_path, calling, tools):
    record = {"conversations": [{"from": "human", "value": "a bus"}, calling], "tools": tools}
    (found,), _ = imported(write(tmp_path / "c.jsonl", record))
    assert labels(found) == ["book_bus"]
    assert len(found.messages) == 1


def test_a_tool_that_is_not_listed_is_no_label(tmp_path):
    record = {"messages": [say("user", "a"), call("fly")], "tools": TOOLS}
    (found,), summary = imported(write(tmp_path / "c.jsonl", record))
    assert labels(found) == ["?"]
    assert reasons(summary, "label") == {"a tool was called that is not listed": 1}
    assert summary.left_out["label"]["a tool was called that is not listed"].example.endswith(":1, message 1: 'fly'")


def test_parts_are_joined_and_pictures_dropped(tmp_path):
    parts = [
        {"type": "text", "text": "look"},
        {"type": "image_url", "image_url": {}},
        {"type": "text", "text": " here "},
    ]
    messages = [say("user", parts), say("user", parts[1:2]), call("book_bus"), say("user", ""), say("assistant", None)]
    (found,), summary = imported(write(tmp_path / "c.jsonl", {"messages": messages, "tools": TOOLS}))
    assert [m.content for m in found.messages] == ["look\nhere"]
    assert labels(found) == ["?"]  # the call answers the picture
    assert reasons(summary, "message") == {
        "pictures or other parts without text": 1,
        "the call of a tool": 1,
        "no text": 2,
    }


def test_the_result_of_a_tool_on_the_users_side_is_no_turn(tmp_path):
    messages = [
        say("user", "a bus"),
        {"role": "assistant", "content": [{"type": "tool_use", "name": "book_bus"}]},
        say("user", [{"type": "tool_result", "content": "done"}]),
        {"role": "assistant", "content": [{"type": "tool_use", "name": "set_alarm"}]},
    ]
    (found,), summary = imported(write(tmp_path / "c.jsonl", {"messages": messages, "tools": TOOLS}))
    assert labels(found) == ["?"]
    assert reasons(summary, "label") == {"several tools were called": 1}


def test_records_that_are_no_chats_are_left_out_and_counted(tmp_path):
    unusable = [
        {"instruction": "a"},
        {"messages": [say("user", "x")], "tools": [{"function": {"name": "none"}}]},
        {"messages": [say("user", "x")], "tools": [{"type": "web_search"}]},
        {"messages": [say("narrator", "x")], "tools": TOOLS},
        {"messages": [say("assistant", "x")], "tools": TOOLS},
        {"messages": ["x"], "tools": TOOLS},
        {"messages": [say("user", {"a": 1})], "tools": TOOLS},
        {"messages": [say("user", "half \ud800")], "tools": TOOLS},
        {"messages": [], "tools": TOOLS},
    ]
    found, summary = imported(write(tmp_path / "c.jsonl", *unusable))
    assert found == []
    assert sum(reasons(summary, "conversation").values()) == summary.read == len(unusable)
    assert set(reasons(summary, "conversation")) == {
        "has neither messages nor conversations",
        "lists no tool that can be a task, and no task file was given (--tasks)",
        "has a message of the unknown role 'narrator'",
        "has no user message with text",
        "has a message that is no object",
        "has a message whose content is neither text nor a list of parts",
        "cannot be written in the project's format",
    }


def test_lists_stand_in_an_order_of_their_own(tmp_path):
    record = {"messages": [say("user", "a"), call("book_bus")], "tools": TOOLS}
    found, _ = imported(write(tmp_path / "c.jsonl", *[record] * 30))
    again, _ = imported(tmp_path / "c.jsonl")
    assert found == again
    assert {[task.name for task in c.tasks].index("book_bus") for c in found} == {0, 1, 2}


@pytest.mark.parametrize("indent", [None, 2])
def test_one_array_is_read_like_lines(tmp_path, indent):
    records = [{"messages": [say("user", f'{n} ["é\\')], "tools": TOOLS} for n in range(200)]
    lines = write(tmp_path / "lines.jsonl", *records)
    array = tmp_path / "lines.json"
    array.write_text("\ufeff" + json.dumps(records, indent=indent, ensure_ascii=False), encoding="utf-8")
    assert [c.messages for c in imported(lines)[0]] == [c.messages for c in imported(array)[0]]
    places = [line for line, _ in read_json_objects(array)]
    assert places[:2] == ([1, 1] if indent is None else [2, places[1]])
    assert places == sorted(places)


def test_objects_are_read_whole_wherever_the_file_is_cut_in_pieces(tmp_path, monkeypatch):
    monkeypatch.setattr("mojo_toolbox.data.importers.json_stream._CHUNK", 1)
    records = [{"a": ['x 😀 \\ " é', True, None, -1.5e3]}, {}, {"b": {"c": "\u2028"}}]
    for text in (json.dumps(records), json.dumps(records, ensure_ascii=False), "\n".join(map(json.dumps, records))):
        (tmp_path / "x.json").write_text(text, encoding="utf-8")
        assert [record for _, record in read_json_objects(tmp_path / "x.json")] == records


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ('{"a": 1}\n{"a": \n', 3, "ends too early"),
        ('{"a": 1}\n{"a": b}\n{"a": 1}\n' + " " * 50, 2, "not JSON: Expecting value"),
        ('{"a": 1}\n{"a": "x\n{"b": 1}' + " " * 50, 2, "not JSON: Invalid control character"),
        ('[{"a": 1},\n{"a": 2}', 2, "array does not end"),
        ('[{"a": 1}, {"a": 1,},]\n', 1, "a comma before the end of the object"),
        ('[{"a": 1}]\n\nmore', 3, "behind the end"),
        ('[{"a": 1} {"a": 2}]', 1, "no comma between records 1 and 2 of the array"),
        ('[{"a": 1},\n{"a": 2}\n\n{"a": 3}\n]', 4, "no comma between records 2 and 3 of the array"),
        ('[{"a": 1}[{"a": 2}]]', 1, "no comma between records 1 and 2 of the array"),
        ('[{"a": 1}; {"a": 2}]', 1, "no comma between records 1 and 2 of the array"),
        ('[{"a": 1},\n, {"a": 2}]', 2, "not JSON: Expecting value"),
        ('[, {"a": 1}]', 1, "not JSON: Expecting value"),
        ('[{"a": 1},', 1, "array does not end"),
        ('{"a": 1},\n{"a": 2}', 1, "a comma between records"),
        ('{"a": 1}\n[1]', 2, "a JSON object was expected, not list"),
        ('["a"]', 1, "a JSON object was expected, not str"),
        ("[" * 100_000, 1, "."),
        ('{"a": ' + "[" * 100_000, 1, "nested too deeply"),
        ('{"a": ' + "9" * 5000 + "}", 1, "not JSON"),
        ("", None, "is empty"),
        ("[]", None, "is empty"),
    ],
    ids=range(21),
)
def test_what_is_not_json_is_named_with_its_line(tmp_path, text, line, words):
    (tmp_path / "x.jsonl").write_text(text)
    with pytest.raises(DataError, match=words) as caught:
        list(read_json_objects(tmp_path / "x.jsonl"))
    assert caught.value.line == line


def test_a_record_that_never_ends_does_not_fill_the_memory(tmp_path, monkeypatch):
    monkeypatch.setattr("mojo_toolbox.data.importers.json_stream._LONGEST", 10_000)
    monkeypatch.setattr("mojo_toolbox.data.importers.json_stream._CHUNK", 1_000)
    (tmp_path / "x.jsonl").write_text('{"a": "' + "x" * 100_000)
    with pytest.raises(DataError, match="a record of more than"):
        list(read_json_objects(tmp_path / "x.jsonl"))


def test_other_bytes_are_named_by_place(tmp_path):
    (tmp_path / "x.jsonl").write_bytes('{"a": "e"}\n{"a": "é"}'.encode("latin-1"))
    with pytest.raises(DataError, match="byte 0xe9 at position 19") as caught:
        list(read_json_objects(tmp_path / "x.jsonl"))
    assert caught.value.line == 2


def learnt_from(tmp_path, *messages, **record):
    given = {"messages": list(messages), "tools": TOOLS, **record}
    found, summary = imported(write(tmp_path / "chats.jsonl", given), no_call="none")
    return labels(found[0]) if found else None, summary


@pytest.mark.parametrize(
    "mark",
    [
        {"weight": 0},
        {"weight": 0.0},
        {"train": False},
        {"Weight": 0},
        {"train_on_turn": False},
        {"trainable": False},
        {"ignore": True},
        {"mask": 1},
        {"loss": False},
        {"learn": False},
        {"label": False},
        {"sample_weight": 0},
    ],
)
def test_an_answer_that_is_not_to_be_learnt_from_labels_nothing(tmp_path, mark):
    for answer in (call("get_weather"), say("assistant", "Hello!"), say("assistant", "<tool_call>?</tool_call>")):
        found, summary = learnt_from(tmp_path, say("user", "hi"), answer | mark)
        assert found == ["?"]
        assert reasons(summary, "label") == {UNLEARNT: 1}


def test_of_two_answers_the_one_that_is_learnt_from_counts(tmp_path):
    words = say("assistant", "One moment.")
    assert learnt_from(tmp_path, say("user", "hi"), words | {"weight": 0}, call("get_weather"))[0] == ["get_weather"]
    assert learnt_from(tmp_path, say("user", "hi"), call("get_weather"), words | {"weight": 0})[0] == ["get_weather"]
    assert learnt_from(tmp_path, say("user", "hi"), call("get_weather") | {"weight": 0}, words)[0] == ["?"]


@pytest.mark.parametrize("mark", [{"weight": 1}, {"weight": 1.0}, {"weight": None}, {"train": True}, {"ignore": False}])
def test_a_mark_that_changes_nothing_changes_nothing(tmp_path, mark):
    assert learnt_from(tmp_path, say("user", "hi"), call("get_weather") | mark, **mark)[0] == ["get_weather"]


def test_a_user_turn_without_loss_keeps_its_label_and_one_that_is_left_out_does_not(tmp_path):
    for mark in ({"weight": 0}, {"train": False}, {"masked": True}):
        assert learnt_from(tmp_path, say("user", "hi") | mark, call("get_weather"))[0] == ["get_weather"]
    for mark in ({"ignore": True}, {"excluded": 1}, {"skip": "yes"}):
        found, summary = learnt_from(tmp_path, say("user", "hi") | mark, call("get_weather"))
        assert found == ["?"]
        assert reasons(summary, "label") == {UNLEARNT: 1}


@pytest.mark.parametrize(
    ("mark", "words"),
    [
        ({"weight": 0.5}, "weight 0.5 is neither 0 nor 1"),
        ({"weight": "0"}, "weight '0' is neither 0 nor 1"),
        ({"weight": True}, "weight True is neither 0 nor 1"),
        ({"train": "no"}, "train is 'no', neither true nor false"),
        ({"train": True, "weight": 0}, "contradict each other"),
    ],
)
def test_a_weight_that_says_neither_leaves_the_record_out(tmp_path, mark, words):
    found, summary = learnt_from(tmp_path, say("user", "hi"), call("get_weather") | mark)
    assert found is None
    (reason,) = reasons(summary, "conversation")
    assert words in reason
    assert summary.left_out["conversation"][reason].example.endswith("chats.jsonl:1, message 2")


@pytest.mark.parametrize("mark", [{"weight": 0}, {"weight": 2}, {"ignore": True}, {"label": False}, {"train": False}])
def test_a_record_that_is_taken_out_of_training_is_left_out(tmp_path, mark):
    found, summary = learnt_from(tmp_path, say("user", "hi"), call("get_weather"), **mark)
    assert found is None
    (reason,) = reasons(summary, "conversation")
    assert f"has the key {next(iter(mark))!r}" in reason
