"""Packed files are read wherever files of data are, or named for what they are; so is what is wrong with JSON."""

import bz2
import gzip
import io
import json
import lzma
import tarfile
import zipfile

import pytest

from mojo_toolbox.data import Task, read_conversations
from mojo_toolbox.data.checks import check
from mojo_toolbox.data.importers import import_chats, import_clinc, import_csv, read_tasks
from mojo_toolbox.data.importers.table import Columns
from mojo_toolbox.data.jsonl import parse_line, read_lines, write_records
from mojo_toolbox.data.split_files import split_file
from mojo_toolbox.data.wordings import read_alternatives
from mojo_toolbox.errors import DataError
from mojo_toolbox.generation.task_file import read_task_file

PACKERS = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}


def conversation(number):
    return {
        "id": f"c{number}",
        "tasks": [{"name": "recap", "description": "Sum up"}, {"name": "email", "description": "Write a mail"}],
        "messages": [
            {"role": "user", "content": f"the {number}th thing: {'sum up' if number % 2 else 'mail'} {number * 7919}"},
            {"role": "assistant", "content": "Ok."},
        ],
    }


def lines(*records):
    return "".join(json.dumps(record) + "\n" for record in records).encode()


CONVERSATIONS = [conversation(number) for number in range(40)]
for record in CONVERSATIONS:
    record["messages"][0]["task"] = ["email", "recap"]["sum up" in record["messages"][0]["content"]]


@pytest.mark.parametrize("kind", PACKERS)
def test_conversations_are_read_packed_under_any_name(tmp_path, kind):
    plain, packed = tmp_path / "plain.jsonl", tmp_path / "train.jsonl"
    plain.write_bytes(lines(*CONVERSATIONS))
    packed.write_bytes(PACKERS[kind](lines(*CONVERSATIONS)))
    assert list(read_conversations(packed)) == list(read_conversations(plain))
    assert [line.offset for line in read_lines(packed)] == [line.offset for line in read_lines(plain)]


def test_a_packed_file_is_checked_and_split_as_if_it_were_plain(tmp_path):
    plain, packed = tmp_path / "plain.jsonl", tmp_path / "train.jsonl.gz"
    plain.write_bytes(lines(*CONVERSATIONS, CONVERSATIONS[0]))
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    expected, found = check(plain), check(packed)
    assert (found.errors, found.warnings, found.statistics) == (expected.errors, expected.warnings, expected.statistics)
    assert expected.warnings
    reports = [
        split_file(source, train=tmp_path / f"{name}-a.jsonl", test=tmp_path / f"{name}-b.jsonl")
        for name, source in (("plain", plain), ("packed", packed))
    ]
    assert reports[0].test.sha256 == reports[1].test.sha256
    assert (tmp_path / "packed-a.jsonl").read_bytes() == (tmp_path / "plain-a.jsonl").read_bytes()


def test_every_importer_reads_packed_files(tmp_path):
    def packed(name, text):
        (tmp_path / name).write_bytes(gzip.compress(text.encode()))
        return tmp_path / name

    chat = {"messages": [{"role": "user", "content": "hi"}], "tools": [{"name": "recap"}]}
    assert len(list(import_chats(packed("c.jsonl.gz", json.dumps(chat))))) == 1
    table = packed("t.csv.gz", "text,label\nhi,recap\n")
    assert len(list(import_csv(table, tasks=[Task(name="recap")], columns=Columns("text", "label")))) == 1
    queries = packed("data_full.json.gz", json.dumps({"train": [["a", "recap"], ["b", "email"]]}))
    assert len(list(import_clinc(queries))) == 2
    tasks = packed("tasks.json.gz", '[{"name": "recap"}]')
    assert [task.name for task in read_tasks(tasks)] == ["recap"]
    assert [task.name for task in read_task_file(tasks).tasks] == ["recap"]
    wordings = packed("wordings.json.gz", '{\n"recap": [{"name": "minutes"}]}')
    assert list(read_alternatives(wordings)) == ["recap"]


def an_archive(kind):
    target = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(target, "w") as archive:
            archive.writestr("x.jsonl", "{}")
    else:
        with tarfile.open(fileobj=target, mode="w:gz" if kind == "tar.gz" else "w") as archive:
            archive.addfile(tarfile.TarInfo("x.jsonl"))
    return target.getvalue()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (an_archive("zip"), "is a zip archive, or a spreadsheet"),
        (an_archive("tar"), "is a tar archive"),
        (an_archive("tar.gz"), "is a tar archive"),
        (b"\x28\xb5\x2f\xfd\x24\x08", "is compressed with Zstandard. Unpack it first: zstd -d FILE"),
        (b"PAR1\x15\x04", "is a Parquet file.*mojo data import hub"),
        (gzip.compress(lines(*CONVERSATIONS))[:-9], r"cannot be unpacked \(gzip\)"),
        (gzip.compress(lines(*CONVERSATIONS))[:60] + b"\0" * 99, r"cannot be unpacked \(gzip\)"),
        (bz2.compress(lines(*CONVERSATIONS))[:-9], r"cannot be unpacked \(bzip2\)"),
        (lzma.compress(lines(*CONVERSATIONS))[:-9], r"cannot be unpacked \(xz\)"),
    ],
    ids=range(9),
)
def test_what_cannot_be_unpacked_is_named(tmp_path, content, words):
    (tmp_path / "x.jsonl").write_bytes(content)
    for read in (read_conversations, import_chats):
        with pytest.raises(DataError, match=words) as caught:
            list(read(tmp_path / "x.jsonl"))
        assert str(caught.value.path) == str(tmp_path / "x.jsonl")


def test_packed_latin_1_is_still_no_utf_8(tmp_path):
    (tmp_path / "x.jsonl.gz").write_bytes(gzip.compress('{"a": "e"}\n{"a": "é"}'.encode("latin-1")))
    with pytest.raises(DataError, match="byte 0xe9 at position 19") as caught:
        list(import_chats(tmp_path / "x.jsonl.gz"))
    assert caught.value.line == 2


def test_text_is_not_written_under_a_packed_name(tmp_path):
    with pytest.raises(DataError, match=r"Give a name without \.gz"):
        write_records(tmp_path / "out.jsonl.gz", [{}])
    (tmp_path / "all.jsonl").write_bytes(lines(*CONVERSATIONS))
    with pytest.raises(DataError, match=r"Give a name without \.gz"):
        split_file(tmp_path / "all.jsonl", train=tmp_path / "a.jsonl", test=tmp_path / "b.jsonl.gz")
    assert [path.name for path in tmp_path.iterdir()] == ["all.jsonl"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"messages": [{"role": "user"},]}', "a comma before the end of the list at column 32. Remove the comma."),
        ('{"a": 1, }', "a comma before the end of the object at column 10. Remove the comma."),
        ("{'a': 1}", "a single quotation mark at column 2. JSON has double ones."),
        ('{"a": 1 // one\n}', "a comment at column 9"),
        ('{"a": [1', "The line ends too early"),
        ("[", "The line ends too early"),
        ('{"a": tru', "The line ends too early"),
    ],
)
def test_faults_of_json_are_said_in_words(tmp_path, text, words):
    with pytest.raises(DataError) as caught:
        parse_line(text.encode())
    assert words in str(caught.value)
    (tmp_path / "x.json").write_text(text)
    for read in (lambda path: list(import_chats(path)), import_clinc, read_tasks):
        with pytest.raises(DataError) as caught:
            read(tmp_path / "x.json")
        assert ("too early" in str(caught.value)) <= ("too early" in words)
        assert ("Remove" in str(caught.value)) == ("Remove" in words)


def test_a_comma_behind_the_last_record_of_an_array_is_passed_over(tmp_path):
    (tmp_path / "x.json").write_text('[{"name": "a"},\n {"name": "b"},\n]\n')
    assert [task.name for task in read_tasks(tmp_path / "x.json")] == ["a", "b"]
