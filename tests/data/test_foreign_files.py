"""A file of another kind, or an address, is called that wherever data are read; a fault in JSON is called a fault."""

import json
import pickle
from pathlib import Path

import pytest

from mojo_toolbox.data import read_conversations
from mojo_toolbox.data.checks import check
from mojo_toolbox.data.foreign_files import address
from mojo_toolbox.data.importers import import_chats, import_clinc, import_csv, import_sgd, read_tasks
from mojo_toolbox.data.importers.json_stream import read_json_objects
from mojo_toolbox.data.importers.table import Columns
from mojo_toolbox.data.split_files import split_file
from mojo_toolbox.data.wordings import read_alternatives
from mojo_toolbox.errors import DataError
from mojo_toolbox.generation.task_file import read_task_file
from mojo_toolbox.purposes.routing.dataset import prepare_training_data, require_readable

DOORS = {
    "check": check,
    "read_conversations": lambda path: list(read_conversations(path)),
    "train": require_readable,
    "import chat": lambda path: list(import_chats(path)),
    "tasks": read_tasks,
    "generate": read_task_file,
    "clinc": lambda path: list(import_clinc(path)),
    "wordings": read_alternatives,
    "split": lambda path: split_file(path, train=path.parent / "a.jsonl", test=path.parent / "b.jsonl"),
}
MARKDOWN = "# My project\n\nIt says:\n\n```json\n[1]\n```\n"
TEXTS = [
    ("README.md", MARKDOWN, "a Markdown file"),
    ("README.md", "[![build](a.svg)](b)\n\n{x}\n", "a Markdown file"),
    ("README.md", '# JSON\n{"a": 1}\n', "a Markdown file"),
    ("README", MARKDOWN, "a Markdown file"),
    ("renamed.jsonl", MARKDOWN, "a Markdown file"),
    ("page.html", "<!DOCTYPE html>\n<html></html>", "an HTML page"),
    ("saved.jsonl", "\n<html><body>404</body></html>", "an HTML page"),
    ("feed.xml", '<?xml version="1.0"?><a/>', "an XML file"),
    ("table.csv", "text,label\nhi,none\n", "a CSV table"),
    ("table.txt", "text;label\nhi;none\n", "a CSV table"),
    ("renamed.json", "text,label\nhi,none\n", "a CSV table"),
    ("table.tsv", "text\tlabel\n", "a TSV table"),
    ("data.yaml", "tasks:\n  - name: a\n", "a YAML file"),
    ("data", "---\ntasks: 1\n", "a YAML file"),
    ("code.py", '"""What it does."""\nimport os\n', "a Python program"),
    ("code", "import os\n", "a Python program"),
    ("mojo.toml", '[project]\nname = "x"\n', "a file of settings"),
    ("notes.txt", "User: hello, you\nAssistant: hi\n", "a text file"),
    ("mail.rtf", "{\\rtf1 hi}", "an RTF document"),
]


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(("name", "text", "kind"), TEXTS, ids=[f"{name} {n}" for n, (name, *_) in enumerate(TEXTS)])
def test_a_text_of_another_kind_is_called_that(tmp_path, door, name, text, kind):
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=f"is {kind}, not JSON") as caught:
        DOORS[door](tmp_path / name)
    assert "\n" not in str(caught.value)
    assert "comment" not in str(caught.value)


PICTURE = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
BYTES = [
    ("a.pdf", b"%PDF-1.7\n%\xe2\xe3", "a PDF document"),
    ("a.png", PICTURE, "a picture"),
    ("train.jsonl", PICTURE, "a picture"),
    ("a.jpg", b"\xff\xd8\xff\xe0\0\x10JFIF", "a picture"),
    ("a.gif", b"GIF89a", "a picture"),
    ("a.webp", b"RIFF\x10\n\0\0WEBPVP8 ", "a picture"),
    ("a.doc", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "a document or a sheet of an old Office"),
    ("a.mp3", b"ID3\x04", "a sound recording"),
    ("a.mp4", b"\0\0\0\x20ftypisom", "a film"),
    ("a.pkl", pickle.dumps({"a": [1]}), "a file of numbers or of Python objects"),
    ("a.safetensors", b"\x08\x01\0\0\0\0\0\0" + b'{"a":{}}', "a file of weights"),
]


@pytest.mark.parametrize(("name", "content", "kind"), BYTES, ids=[name for name, *_ in BYTES])
def test_a_file_that_is_no_text_is_called_what_it_is(tmp_path, name, content, kind):
    path = tmp_path / name
    path.write_bytes(content)
    doors = DOORS | {"csv": lambda path: list(import_csv(path, tasks=[], columns=Columns(text="a", label="b")))}
    for read in doors.values():
        with pytest.raises(DataError, match=f"is {kind}"):
            read(path)


@pytest.mark.parametrize(
    "text",
    ['# a comment\n{"a": 1}\n', "// a comment\n", '{"a": 1,}\n', "{'a': 1}\n", "nothing\n", '"a"\n', "17\n", "[1]\n"],
)
def test_a_fault_in_json_lines_is_still_called_a_fault(tmp_path, text):
    path = tmp_path / "x.jsonl"
    path.write_text(text)
    for read in (DOORS["read_conversations"], DOORS["import chat"]):
        with pytest.raises(DataError, match=r"not JSON: |a JSON object was expected") as caught:
            read(path)
        assert caught.value.line == 1


@pytest.mark.parametrize("name", ["x.txt", "x.md", "x", "x.csv"])
def test_json_lines_are_read_under_any_name(tmp_path, name):
    record = {"tasks": [{"name": "a"}], "messages": [{"role": "user", "content": "hi", "task": "a"}]}
    (tmp_path / name).write_text("\n" + json.dumps(record))
    assert len(list(read_conversations(tmp_path / name))) == 1
    assert len(list(read_json_objects(tmp_path / name))) == 1


ADDRESSES = ["https://x/y.jsonl", "HTTP://x/y.jsonl", "s3://bkt/x", "S3://bkt/x", "hf://datasets/a/b", "gs://b/x"]


@pytest.mark.parametrize("door", [name for name in DOORS if name != "split"])
@pytest.mark.parametrize("given", ADDRESSES)
def test_an_address_is_named_unharmed_and_not_called_a_missing_file(door, given):
    for path in (given, Path(given)):
        with pytest.raises(DataError, match="is an address, and addresses are not read here") as caught:
            DOORS[door](path)
        assert str(caught.value).startswith(f"{given}: ")


def test_a_folder_at_an_address_is_refused_too():
    with pytest.raises(DataError, match=r"^https://x/sgd: is an address"):
        list(import_sgd("https://x/sgd", split="dev"))


def test_training_data_in_s3_are_spelt_in_small_letters(tmp_path):
    with pytest.raises(DataError, match=r"as s3://bkt/… in small letters"):
        prepare_training_data("S3://bkt/x.jsonl", tmp_path / "out")
    with pytest.raises(DataError, match=r"Give the path: /no/such\.jsonl"):
        check("file:///no/such.jsonl")


@pytest.mark.parametrize("path", ["C:/data/x.jsonl", "missing.jsonl", "a/b:/c", "data:x"])
def test_a_path_is_no_address(path):
    assert address(Path(path)) is None


def test_a_folder_whose_name_looks_like_an_address_is_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "https:").mkdir()
    (tmp_path / "https:" / "x.jsonl").write_text('{"a": 1}')
    assert len(list(read_json_objects("https://x.jsonl"))) == 1
