"""The count of our English: which clauses, semicolons and sentences it finds, and what it leaves alone."""

import importlib.util

import pytest
from pages import ROOT

PAGE = """\
# What it costs

Name the thing, not what is left out; one
idea a sentence.  What is a router? The code `what is; this` is no prose.

```python
x = 1; y = "what is"
```

| option | |
|---|---|
| `--a` | See who is there. |

- A second item, 0.7 and not 0.8
<!-- what is; a comment -->
"""


@pytest.fixture(scope="module")
def prose():
    spec = importlib.util.spec_from_file_location("prose", ROOT / "scripts" / "prose.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def counted(prose, tmp_path):
    def count(text, name="page.md"):
        (tmp_path / name).write_text(text, encoding="utf-8")
        return prose.sentences(tmp_path / name)

    return count


def test_a_page_is_read_in_sentences_with_their_lines(counted):
    assert [(sentence.line, sentence.text) for sentence in counted(PAGE)] == [
        (1, "What it costs"),
        (3, "Name the thing, not what is left out; one idea a sentence."),
        (4, "What is a router?"),
        (4, "The code CODE is no prose."),
        (10, "option"),
        (12, "CODE"),
        (12, "See who is there."),
        (14, "A second item, 0.7 and not 0.8"),
    ]


def test_clauses_and_semicolons_count_outside_code_and_questions(counted):
    found = counted(PAGE)
    assert [sentence.text for sentence in found if sentence.clauses] == [
        "What it costs",
        "Name the thing, not what is left out; one idea a sentence.",
        "See who is there.",
    ]
    assert sum(sentence.semicolons for sentence in found) == 1


def test_a_sentence_is_long_from_36_words(counted):
    assert [sentence.long for sentence in counted("word " * 35 + "\n\n" + "word " * 36)] == [False, True]


def test_docstrings_of_public_names_are_read(counted):
    code = '"""A room."""\n\n\nclass A:\n    """Who is it."""\n\n    def _hidden(self):\n        """Not read."""\n'
    assert [(sentence.line, sentence.text) for sentence in counted(code, "a.py")] == [(1, "A room."), (5, "Who is it.")]


@pytest.mark.parametrize(
    "text", ["It is right in .7 of them.", "The file stands in a folder.", "You are told.", "It lies in `a`."]
)
def test_habits_break_a_rule(prose, counted, text):
    assert len(list(prose.broken_rules(counted(text)))) == 1


def test_plain_sentences_break_no_rule(prose, counted):
    text = "It is right in 0.7 of them. The file `a.json` holds them, with `.7`. Version 1.2.3 of a.b.py, see ../x/.5"
    assert list(prose.broken_rules(counted(text))) == []
