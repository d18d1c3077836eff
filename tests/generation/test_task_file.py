"""Task files: the three ways to write one, and what is said about one that cannot be used."""

import json

import pytest

from mojo_toolbox.errors import DataError
from mojo_toolbox.generation.task_file import TaskFile, read_task_file

RECAP = {
    "name": "meeting_recap",
    "description": "Sum up a meeting",
    "examples": ["need the notes of tuesday", [{"user": "hi"}, {"assistant": "Hello!"}, {"user": "sum it up"}]],
}
QUOTE = {"name": "prepare_a_quote"}


def written(tmp_path, content, name="tasks.jsonl"):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def lines(*records):
    return "".join(json.dumps(record) + "\n" for record in records)


@pytest.mark.parametrize(
    "content",
    [
        lines(RECAP, QUOTE),
        "\n\n" + lines(RECAP) + "\r\n" + lines(QUOTE).strip(),
        "\ufeff" + lines(RECAP, QUOTE),
        json.dumps([RECAP, QUOTE]),
        json.dumps([RECAP, QUOTE], indent=2),
        json.dumps({"tasks": [RECAP, QUOTE]}),
        json.dumps({"tasks": [RECAP, QUOTE]}, indent=1),
    ],
)
def test_a_file_is_lines_a_list_or_an_object(tmp_path, content):
    spec = read_task_file(written(tmp_path, content))
    assert [(task.name, task.description) for task in spec.tasks] == [
        ("meeting_recap", "Sum up a meeting"),
        ("prepare_a_quote", ""),
    ]
    assert [[m.content for m in example.messages] for example in spec.examples] == [
        ["need the notes of tuesday"],
        ["hi", "Hello!", "sum it up"],
    ]
    assert {example.task for example in spec.examples} == {spec.tasks[0]}


@pytest.mark.parametrize("content", [lines(RECAP), json.dumps(RECAP, indent=2)])
def test_a_single_task_is_a_file_too(tmp_path, content):
    assert [task.name for task in read_task_file(written(tmp_path, content)).tasks] == ["meeting_recap"]


def test_an_object_tells_what_the_product_is_and_who_uses_it(tmp_path):
    document = {"about": "An assistant\n for sales", "users": ["a rep", "a  manager"], "tasks": [QUOTE]}
    spec = read_task_file(written(tmp_path, json.dumps(document)))
    assert (spec.about, spec.users) == ("An assistant for sales", ("a rep", "a manager"))


def test_the_hash_is_of_the_content_not_of_the_layout(tmp_path):
    one = read_task_file(written(tmp_path, lines(RECAP, QUOTE), "one"))
    other = read_task_file(written(tmp_path, json.dumps({"tasks": [RECAP, QUOTE]}, indent=2), "other"))
    fewer = read_task_file(written(tmp_path, lines(RECAP), "fewer"))
    assert one.sha256 == other.sha256 != fewer.sha256
    assert TaskFile(tasks=one.tasks).sha256 != one.sha256


def test_names_of_all_scripts_are_read(tmp_path):
    spec = read_task_file(
        written(tmp_path, json.dumps({"name": "会議の要約", "description": "مرحبا"}, ensure_ascii=False))
    )
    assert spec.tasks[0].name == "会議の要約"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "the file is empty"),
        (" \n\n", "the file is empty"),
        ("\ufeff", "the file is empty"),
        (lines(RECAP) + '{"name": "b", \n', ":2: not JSON: .* at column"),
        ('[\n{"name": "a"},\n{"name" "b"}\n]', ":3: not JSON: .* at column 9"),
        ('{"tasks": [\n{"name": "a"}\n', ":3: not JSON"),
        ("name,description\na,b\n", ": is a CSV table, not JSON Lines"),
        (b"\xff\xfe{\x00}\x00", ":1: not UTF-8"),
        (lines(QUOTE).encode() + b'{"name": "caf\xe9"}\n', ":2: not UTF-8"),
        ("[" * 100_000, "nested too deeply|not JSON"),
        ("9" * 5000, "not JSON"),
        ("7", "a list of tasks was expected"),
        ("null", "a list of tasks was expected"),
        ('{"task": []}', "a list of tasks was expected"),
        ('{"tasks": {}}', "a list of tasks was expected"),
        ('{"tasks": []}', '"tasks" is empty'),
        ("[]", '"tasks" is empty'),
        ('{"tasks": [], "languages": []}', "'languages' is no field beside the tasks. Known: about, users, tasks"),
        (lines(QUOTE, {"name": "none"}), ":2: name: a task cannot be named 'none'"),
        (lines(QUOTE, {"name": " x"}), ":2: name: task name"),
        (lines(QUOTE, {"description": "x"}), ":2: name: is missing"),
        (lines(QUOTE, {"name": "x", "description": None}), ":2: description: text was expected"),
        (
            lines(QUOTE, {"name": "x", "desc": "y"}),
            ":2: 'desc' is no field of a task. Known: name, description, examples",
        ),
        (lines(QUOTE, QUOTE), ":2: name: 'prepare_a_quote' is the name of an earlier task too"),
        (lines(QUOTE, ["x"]), ":2: a JSON object was expected"),
        (lines(QUOTE, {"tasks": [], "messages": []}), ":2: this is a conversation; a task was expected"),
        (json.dumps([QUOTE, "x"]), "task 2: a task was expected"),
        (json.dumps([QUOTE, {"name": 7}]), "task 2: name: text was expected"),
        (json.dumps({"tasks": [QUOTE], "messages": []}), "a list of tasks was expected"),
        (lines({"name": "x", "description": "\ud800"}), "half of a surrogate pair"),
        (lines({"name": "x", "examples": ["\ud800"]}), "example 1: half of a surrogate pair"),
        (lines(QUOTE, {"name": "x", "examples": "y"}), ":2: examples: a list was expected"),
        (lines({"name": "x", "examples": [[]]}), "example 1: a text was expected, or a list of turns"),
        (lines({"name": "x", "examples": [" "]}), "example 1: turn 1 is neither"),
        (lines({"name": "x", "examples": ["ok", [{"user": "a"}, {"bot": "b"}]]}), "example 2: turn 2 is neither"),
        (lines({"name": "x", "examples": [[{"user": "a", "assistant": "b"}]]}), "example 1: turn 1 is neither"),
        (json.dumps({"tasks": [QUOTE], "about": 7}), "about: a text of at most 2000"),
        (json.dumps({"tasks": [QUOTE], "about": "x" * 2001}), "about: a text of at most 2000"),
        (json.dumps({"tasks": [QUOTE], "about": "\udfff"}), "about: half of a surrogate pair"),
        (json.dumps({"tasks": [QUOTE], "users": "me"}), "users: a list of texts"),
        (json.dumps({"tasks": [QUOTE], "users": ["me", 1]}), "users, number 2: a text"),
        (json.dumps({"tasks": [QUOTE], "users": ["me", ""]}), "users: one of them is empty"),
    ],
)
def test_what_cannot_be_used_is_told_with_file_line_and_field(tmp_path, content, said):
    path = written(tmp_path, content)
    with pytest.raises(DataError, match=said) as error:
        read_task_file(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_there_a_folder_and_a_giant_are_told(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        read_task_file(tmp_path / "missing")
    with pytest.raises(DataError, match="is a folder"):
        read_task_file(tmp_path)
    with pytest.raises(DataError, match="cannot be read"):
        read_task_file("nul\0byte")
    with pytest.raises(DataError, match="more than 16 MB"):
        read_task_file(written(tmp_path, b" " * (16 * 2**20 + 1)))
