"""Tables of utterance and label, task files, and data sets that `datasets` reads."""

import gzip
import json

import pytest

from mojo_toolbox.data import Task
from mojo_toolbox.data.importers import ImportSummary, import_csv, import_dataset, read_tasks
from mojo_toolbox.data.importers.table import Columns, Dialect
from mojo_toolbox.errors import ConfigurationError, DataError

TASKS = [Task(name=name, description=f"does {name}") for name in ("email", "recap", "quote")]
PLAIN = Columns("text", "label")


def write(path, text, encoding="utf-8"):
    path.write_bytes(text.encode(encoding))
    return path


def imported(path, columns=PLAIN, tasks=TASKS, **options):
    summary = ImportSummary()
    return list(import_csv(path, tasks=tasks, columns=columns, summary=summary, **options)), summary


def turns(found):
    return [(m.content, m.task if m.labelled else "?") for c in found for m in c.messages]


def reasons(summary, kind):
    return {reason: (left.count, left.example) for reason, left in summary.left_out[kind].items()}


def test_a_row_is_a_conversation(tmp_path):
    path = write(tmp_path / "t.csv", "label,text\nemail,mail Ann\nNone,bye\n,hm\noos,x\n")
    found, summary = imported(path)
    assert turns(found) == [("mail Ann", "email"), ("bye", None), ("hm", "?"), ("x", None)]
    assert [c.id for c in found] == ["t-2", "t-3", "t-4", "t-5"]
    assert all({task.name for task in c.tasks} == {"email", "recap", "quote"} for c in found)
    assert reasons(summary, "label") == {"the label is empty": (1, f"{path}:4")}
    assert (summary.read, summary.written, summary.labelled, summary.no_task) == (4, 4, 3, 2)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le"])
def test_delimiter_and_unicode_are_found_out(tmp_path, delimiter, encoding):
    text = (
        f'utterance{delimiter}note; a, b{delimiter}intent\r\n"één{delimiter}twee"{delimiter}x, y; z{delimiter}email\r\n'
    )
    text = text.replace("note; a, b", '"note; a, b"').replace("x, y; z", '"x, y; z"')
    found, _ = imported(write(tmp_path / "t.csv", text, encoding), Columns("utterance", "intent"))
    assert turns(found) == [(f"één{delimiter}twee", "email")]


def test_cells_of_several_lines_keep_them_and_rows_their_line(tmp_path):
    path = write(tmp_path / "t.csv", 'text,label\n"one\ntwo ""quoted""\n\nfour",email\n\n , \nlast,recap')
    found, _ = imported(path)
    assert turns(found) == [('one\ntwo "quoted"\n\nfour', "email"), ("last", "recap")]
    assert [c.id for c in found] == ["t-2", "t-8"]


def test_what_spreadsheets_write_is_read(tmp_path):
    path = write(tmp_path / "t.csv", 'sep=;\r\nText ; LABEL;;\r\nhi, there; "email";;\r\nho;recap;;\r\n')
    assert turns(imported(path)[0]) == [("hi, there", "email"), ("ho", "recap")]


def test_a_table_without_headings_has_numbered_columns(tmp_path):
    path = write(tmp_path / "t.tsv", 'email\tsay "hi\nrecap\tit\'s 5" long\n')
    plain = Dialect(quotes=False, header=False)
    assert turns(imported(path, Columns("2", "1"), dialect=plain)[0]) == [
        ('say "hi', "email"),
        ("it's 5\" long", "recap"),
    ]
    with pytest.raises(ConfigurationError, match="a column is a number from 1; the text column is 'text'"):
        imported(path, dialect=plain)


@pytest.mark.parametrize("use", ["text", "label", "conversation", "role"])
def test_a_column_that_no_row_has_is_refused_without_headings(tmp_path, use):
    path = write(tmp_path / "t.tsv", "email\thi\t1\nemail\thi\t1\tuser\n")
    columns = Columns(**{"text": "2", "label": "1", "conversation": "3", "role": "4", use: "5"})
    with pytest.raises(DataError, match=f"no column 5 for the {use}: the first rows have 4"):
        imported(path, columns, dialect=Dialect(header=False))


@pytest.mark.parametrize("use", ["text", "label", "conversation", "role"])
def test_a_column_that_is_not_there_is_named_with_its_use(tmp_path, use):
    path = write(tmp_path / "t.csv", "text,label,conversation,role\nhi,email,1,user\n")
    columns = Columns(**{"text": "text", "label": "label", use: "intents"})
    with pytest.raises(DataError, match=f"no column 'intents' for the {use}; the first row has: text, label"):
        imported(path, columns)


def test_rows_that_follow_each_other_are_joined(tmp_path):
    path = write(
        tmp_path / "t.csv",
        "id,who,text,label\n1,User,mail Ann,email\n1,Agent,done,email\n1,user,and Bo,zzz\n1,user,bye,none\n"
        "2,agent,hi,\n3,customer,sum up,recap\n,user,alone,quote\n",
    )
    columns = Columns("text", "label", conversation="id", role="who")
    found, summary = imported(path, columns, skip_unknown=True)
    assert [c.id for c in found] == ["1", "3", "t-8"]
    assert [m.role for m in found[0].messages] == ["user", "assistant", "user", "user"]
    assert [m.labelled for m in found[0].messages] == [True, False, False, True]
    assert reasons(summary, "label") == {"the label is not in the task list": (1, f"{path}:4: 'zzz'")}
    assert reasons(summary, "conversation") == {"has no user row": (1, f"{path}:6")}


def test_words_for_roles_can_be_given(tmp_path):
    path = write(tmp_path / "t.csv", "who,text,label,id\nseller,hi,,1\nBUYER,mail,email,1\n")
    columns = Columns("text", "label", conversation="id", role="who")
    with pytest.raises(DataError, match="the role 'seller' is neither") as caught:
        imported(path, columns)
    assert caught.value.line == 2
    (found,), _ = imported(path, columns, roles={"Seller": "assistant", "buyer": "user"})
    assert [m.role for m in found.messages] == ["assistant", "user"]


def test_an_unknown_label_is_an_error_or_left_out(tmp_path):
    path = write(tmp_path / "t.csv", "text,label\na,email\nb,recaps\nc,quote\n")
    with pytest.raises(DataError, match=r"'recaps' is not one of the 3 tasks. Did you mean 'recap'\?") as caught:
        imported(path)
    assert caught.value.line == 3
    found, summary = imported(path, skip_unknown=True)
    assert [c.id for c in found] == ["t-2", "t-4"]
    assert reasons(summary, "conversation") == {"the label is not in the task list": (1, f"{path}:3: 'recaps'")}
    assert turns(imported(path, none_labels=["RECAPS"])[0])[1] == ("b", None)
    assert turns(imported(path, tasks=[*TASKS, Task(name="recaps"), Task(name="oos")])[0])[1] == ("b", "recaps")


def test_an_empty_label_can_mean_no_task(tmp_path):
    path = write(tmp_path / "t.csv", "text,label\na,\n")
    assert turns(imported(path, none_labels=["", "none"])[0]) == [("a", None)]


def test_rows_that_cannot_be_trusted_are_left_out(tmp_path):
    path = write(tmp_path / "t.csv", "text,label\nhi, there,email\n,recap\nho\nlast,quote,,\n")
    found, summary = imported(path)
    assert turns(found) == [("last", "quote")]
    assert reasons(summary, "message") == {
        "the row has more cells than headings": (1, f"{path}:2"),
        "the row has no text": (1, f"{path}:3"),
        "the row ends before its label": (1, f"{path}:4"),
    }


def test_lists_are_drawn_and_a_wanted_task_withheld(tmp_path):
    tasks = [Task(name=f"t{n}") for n in range(40)]
    path = write(tmp_path / "t.csv", "text,label\n" + "".join(f"say {n},t{n % 40}\n" for n in range(200)))
    found, _ = imported(path, tasks=tasks, tasks_per_list=6, withhold=0.3, seed=1)
    assert {len(c.tasks) for c in found} == {6}
    withheld = [c for c in found if c.messages[0].task is None]
    assert 35 < len(withheld) < 85
    assert all(c.meta["withheld"][0] not in {task.name for task in c.tasks} for c in withheld)
    assert found == imported(path, tasks=tasks, tasks_per_list=6, withhold=0.3, seed=1)[0]


@pytest.mark.parametrize(
    ("content", "line", "words"),
    [
        (b"", None, "the table is empty"),
        (b"\n\n", None, "the table is empty"),
        (b"utterance,label\na,email\n", 1, "no column 'text' for the text; the first row has: utterance, label"),
        (b"text,label,text\na,email,b\n", 1, "more than one column 'text'"),
        (b'text,label\na,email\n"b,recap\nc,quote\n', 3, "a quotation mark not closed"),
        (b'text,label\n"a"b,email\n', 2, "cells cannot be told apart"),
        (b"text,label\n" + b"x" * 200_000 + b",email\n", 2, "cells cannot be told apart"),
        (b"text,label\n" + b"x" * 2_000_000, 2, "a line of more than"),
        (b"text,label\na,email\ncaf\xe9,recap\n", 3, "not utf-8: byte 0xe9 at position 23. .*--encoding cp1252"),
        (b"text,label\na,email\ncaf\xc3", 3, "not utf-8: byte 0xc3 at position 23"),
    ],
    ids=range(10),
)
def test_what_cannot_be_read_is_named_with_its_line(tmp_path, content, line, words):
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(DataError, match=words) as caught:
        imported(tmp_path / "t.csv")
    assert (str(caught.value.path), caught.value.line) == (str(tmp_path / "t.csv"), line)


def test_another_encoding_can_be_given(tmp_path):
    path = write(tmp_path / "t.csv", "text,label\ncafé,email\n", "cp1252")
    assert turns(imported(path, encoding="cp1252")[0]) == [("café", "email")]
    for encoding, kind, words in (
        ("klingon", ConfigurationError, "no text encoding 'klingon'"),
        ("hex", ConfigurationError, "no text encoding 'hex'"),
        ("utf-16", DataError, "not utf-16"),
        ("ascii", DataError, "not ascii: byte 0xe9 at position 15"),
    ):
        with pytest.raises(kind, match=words):
            imported(path, encoding=encoding)


def test_a_wrong_byte_far_into_a_file_is_named(tmp_path):
    row = "één,email\n".encode()
    (tmp_path / "t.csv").write_bytes(b"text,label\n" + row * 200_000 + b"\xff")
    with pytest.raises(DataError, match="byte 0xff") as caught:
        imported(tmp_path / "t.csv")
    assert caught.value.line == 200_002
    assert f"position {11 + len(row) * 200_000 + 1}." in str(caught.value)


def test_a_column_that_names_no_conversations_is_noticed(tmp_path):
    path = write(tmp_path / "t.csv", "text,label\n" + "a,email\n" * 10_001)
    with pytest.raises(DataError, match="more than 10,000 rows"):
        imported(path, Columns("text", "label", conversation="label"))


@pytest.mark.parametrize("delimiter", ["", "ab", '"', "\n"])
def test_a_delimiter_is_one_character(delimiter):
    with pytest.raises(ConfigurationError, match="A delimiter is one character"):
        Dialect(delimiter=delimiter)


# ------------------------------------------------------------------------------------------------- task files


@pytest.mark.parametrize(
    "text",
    [
        '[{"name": "a", "description": "x"}, {"name": "b"}]',
        '{"tasks": [{"name": "a", "description": "x"}, {"name": "b"}], "other": 1}',
        '{"a": "x", "b": ""}',
        '{"name": "a", "description": "x"}\n{"name": "b"}\n',
        '{"tasks": [{"name": "a", "description": "x"}, {"name": "b"}], "messages": []}\n{"tasks": []}\n',
    ],
    ids=range(5),
)
def test_tasks_are_read_in_every_form(tmp_path, text):
    (tmp_path / "tasks.json").write_text(text)
    assert [(task.name, task.description) for task in read_tasks(tmp_path / "tasks.json")] == [("a", "x"), ("b", "")]


def test_names_alone_describe_themselves(tmp_path):
    (tmp_path / "tasks.json").write_text('["report_lost-card", "pto_balance"]')
    assert [task.description for task in read_tasks(tmp_path / "tasks.json")] == [
        "The user wants help with: report lost card.",
        "The user wants help with: PTO balance.",
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[{"name": "none"}]', "cannot be named"),
        ('[{"name": "a"}, {"name": "a"}]', "'a' occurs twice"),
        ("[1]", "not a list of tasks"),
        ("[]", "is empty"),
        ('{"tasks": []}', "holds no tasks"),
        ("text,label", "not JSON"),
    ],
)
def test_other_task_files_are_refused(tmp_path, text, words):
    (tmp_path / "tasks.json").write_text(text)
    with pytest.raises(DataError, match=words):
        read_tasks(tmp_path / "tasks.json")


# ------------------------------------------------------------------------------------------ what `datasets` reads


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A folder with the same data set as parquet, as `datasets` keeps it on disk, and with chats."""
    import datasets

    folder = tmp_path_factory.mktemp("hub")
    features = datasets.Features(
        {"text": datasets.Value("string"), "intent": datasets.ClassLabel(names=["oos", "email", "recap"])}
    )
    rows = {"text": ["mail Ann", "sum up", "tell a joke", "hm", " "], "intent": [1, 2, 0, -1, 1]}
    data = datasets.Dataset.from_dict(rows, features=features)
    data.to_parquet(folder / "named.parquet")
    datasets.DatasetDict({"validation": data}).save_to_disk(folder / "disk")
    (folder / "parquet_folder").mkdir()
    data.to_parquet(folder / "parquet_folder" / "train.parquet")
    chat = {"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "ho"}]}
    (folder / "chats.jsonl").write_text(json.dumps(chat) + "\n")
    return folder


@pytest.mark.parametrize(
    ("name", "split"), [("named.parquet", "train"), ("disk", "validation"), ("parquet_folder", "train")]
)
def test_numbers_of_labels_become_their_names(saved, name, split):
    summary = ImportSummary()
    found = list(import_dataset(str(saved / name), split=split, label="intent", summary=summary))
    assert turns(found) == [("mail Ann", "email"), ("sum up", "recap"), ("tell a joke", None), ("hm", "?")]
    assert {task.name for task in found[0].tasks} == {"email", "recap"}
    assert found[0].tasks[0].description.startswith("The user wants help with: ")
    assert reasons(summary, "message") == {"the row has no text": (1, f"{saved / name}[{split}] row 5")}


def test_a_column_of_chats_is_read_as_chats(saved):
    (found,) = import_dataset(str(saved / "chats.jsonl"), messages="messages", tasks=TASKS)
    assert (found.id, [m.role for m in found.messages]) == ("chats-1", ["user", "assistant"])


def test_other_data_sets_are_refused(saved, tmp_path):
    with pytest.raises(DataError, match="has no column 'label'; it has text, intent"):
        list(import_dataset(str(saved / "disk"), split="validation", tasks=TASKS))
    with pytest.raises(DataError, match="names of the labels in column 'text' are not known: give a task file"):
        list(import_dataset(str(saved / "named.parquet"), label="text"))
    with pytest.raises(DataError, match="disk: has no split 'train'; it has validation"):
        import_dataset(str(saved / "disk"))
    (tmp_path / "x.xlsx").write_text("x")
    with pytest.raises(DataError, match="not a file that is read here"):
        import_dataset(str(tmp_path / "x.xlsx"))
    (tmp_path / "x.parquet").write_text("x")
    with pytest.raises(DataError, match="cannot be"):
        list(import_dataset(str(tmp_path / "x.parquet"), tasks=TASKS))


def test_a_column_that_is_not_there_is_named_and_not_its_labels(saved):
    for options, words in (
        ({"label": "topic"}, "has no column 'topic'; it has text, intent. Choose another with --label"),
        (
            {"text": "topic", "label": "intent"},
            "has no column 'topic'; it has text, intent. Choose another with --text",
        ),
        ({"messages": "chat"}, "has no column 'chat'; it has text, intent. Choose another with --messages"),
    ):
        for name in ("named.parquet", "parquet_folder"):
            with pytest.raises(DataError, match=words):
                import_dataset(str(saved / name), **options)


@pytest.fixture(scope="module")
def rows():
    import datasets

    return {
        split: datasets.Dataset.from_dict({"text": [split], "label": ["email"]}, split=split)
        for split in ("train", "dev")
    }


def test_a_data_set_that_was_saved_alone_is_not_read_as_another_split(rows, tmp_path):
    import datasets

    rows["train"].save_to_disk(tmp_path / "alone")
    rows["dev"].save_to_disk(tmp_path / "other")
    datasets.Dataset.from_dict({"text": ["hi"], "label": ["email"]}).save_to_disk(tmp_path / "unnamed")
    for name, split, words in (
        ("alone", "test", "has no split 'test'; its one split is 'train'"),
        ("other", "train", "has no split 'train'; its one split is 'dev'. Choose it with --split dev"),
        ("unnamed", "test", "has no split 'test'; it is not divided"),
    ):
        with pytest.raises(DataError, match=words):
            import_dataset(str(tmp_path / name), split=split, tasks=TASKS)
    for name, split, text in (("alone", "train", "train"), ("other", "dev", "dev"), ("unnamed", "train", "hi")):
        found = import_dataset(str(tmp_path / name), split=split, tasks=TASKS)
        assert turns(found) == [(text, "email")]


def test_a_split_that_is_not_there_is_refused_with_those_that_are(saved, rows, tmp_path):
    import datasets

    both = datasets.DatasetDict({split: datasets.Dataset.from_dict(data.to_dict()) for split, data in rows.items()})
    both.save_to_disk(tmp_path / "both")
    for name, split, words in (
        (tmp_path / "both", "test", "has no split 'test'; it has train, dev"),
        (tmp_path / "both" / "dev", "test", "has no split 'test'; its one split is 'dev'"),
        (tmp_path / "both" / "dev", "train", "has no split 'train'; its one split is 'dev'"),
        (saved / "parquet_folder", "test", "has no split 'test'; it has train"),
        (saved / "named.parquet", "test", "has no split 'test'; a file is not divided"),
        (saved / "chats.jsonl", "validation", "has no split 'validation'; a file is not divided"),
    ):
        with pytest.raises(DataError, match=words):
            import_dataset(str(name), split=split, tasks=TASKS)
    assert turns(import_dataset(str(tmp_path / "both" / "dev"), split="dev", tasks=TASKS)) == [("dev", "email")]


def test_what_has_no_effect_is_refused(saved):
    with pytest.raises(DataError, match="has not a revision"):
        import_dataset(str(saved / "parquet_folder"), revision="main")
    for name in ("disk", "named.parquet"):
        with pytest.raises(DataError, match="has not subsets"):
            import_dataset(str(saved / name), subset="plus")
    for options in ({"tasks_per_list": 3}, {"withhold": 0.2}, {"skip_unknown": True}):
        with pytest.raises(ConfigurationError, match="A column of chats has task lists of its own"):
            import_dataset(str(saved / "chats.jsonl"), messages="messages", **options)
    with pytest.raises(ConfigurationError, match="name their column"):
        import_dataset(str(saved / "named.parquet"), no_call="none")


def test_a_packed_file_of_a_data_set_is_read_or_named(saved, tmp_path):
    packed = tmp_path / "chats.jsonl.gz"
    packed.write_bytes(gzip.compress((saved / "chats.jsonl").read_bytes()))
    assert len(list(import_dataset(str(packed), messages="messages", tasks=TASKS))) == 1
    (tmp_path / "chats.jsonl.zip").write_bytes(b"PK\x03\x04")
    with pytest.raises(DataError, match="is a zip archive"):
        import_dataset(str(tmp_path / "chats.jsonl.zip"), messages="messages", tasks=TASKS)
