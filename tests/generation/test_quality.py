"""Figures of a file of conversations: right by hand, and a classifier that knows chance from difference."""

import json
import random

import pytest

from mojo_toolbox.data import parse_conversation
from mojo_toolbox.errors import DataError
from mojo_toolbox.generation.quality import quality
from mojo_toolbox.generation.quality.diversity import diversity, words_said
from mojo_toolbox.generation.quality.two_samples import two_sample_tests

TASKS = [{"name": name, "description": f"do a {name}"} for name in ("mail", "recap", "quote")]
SYLLABLES = [f"{a}{b}" for a in "bdfgklmnprst" for b in ("a", "e", "i", "ou")]
WORDS = [one + other for one in SYLLABLES for other in SYLLABLES[::2]]


def record(*labels, texts=None, meta=None):
    texts = texts or [f"Turn {number} of {random.Random(str(labels)).random()}" for number in range(len(labels))]
    messages = []
    for text, label in zip(texts, labels, strict=True):
        messages += [{"role": "user", "content": text, "task": label}, {"role": "assistant", "content": "All right."}]
    return {"tasks": TASKS, "messages": messages} | ({"meta": meta} if meta else {})


def spoken(rng, *, words=WORDS, tidy=False, turns=3):
    texts = [" ".join(rng.choices(words, k=8)) for _ in range(turns)]
    if tidy:
        texts = [f"{text.capitalize()}." for text in texts]
    return record(None, "mail", None, texts=texts)


def several(count, seed, **how):
    rng = random.Random(seed)
    return [spoken(rng, **how) for _ in range(count)]


@pytest.fixture
def write(tmp_path):
    def written(name, records):
        path = tmp_path / f"{name}.jsonl"
        path.write_text("".join(json.dumps(one) + "\n" for one in records), encoding="utf-8")
        return path

    return written


def test_labels_and_courses_are_counted(write):
    path = write(
        "a",
        [
            record("mail", "mail", "mail"),
            record(None, "mail", "recap", "mail", None),
            record(None, None),
            record("mail", None, "mail", "mail"),
        ],
    )
    report = quality(path)
    found = {figure.name: figure.here.value for figure in report.figures}
    assert found["conversations"] == 4
    assert found["user turns"] == 14
    assert found["labelled"] == 1
    assert report.tasks == {"mail": 8, "recap": 1}
    assert found["largest task"] == pytest.approx(8 / 9)
    assert found["evenness"] == pytest.approx(0.5033, abs=1e-3)
    points = {name: found[name] * 14 for name in ("start", "continue", "switch", "end", "none")}
    assert points == pytest.approx({"start": 4, "continue": 3, "switch": 2, "end": 2, "none": 3})
    courses = {
        name: found[name] for name in ("one label", "with a switch", "with a return", "with an end", "never a task")
    }
    assert courses == {
        "one label": 0.5,
        "with a switch": 0.25,
        "with a return": 0.5,
        "with an end": 0.5,
        "never a task": 0.25,
    }
    assert (report.figure("turns").here.low, report.figure("turns").here.high) == (2, 5)


def test_wording_is_counted(write):
    rng = random.Random(3)
    rows = [
        record(None, "mail", texts=[f"Hi, I need {rng.random()}.", "the one of yesterday evening"]) for _ in range(30)
    ]
    rows[0]["messages"][2]["content"] = "日本語の文です。"
    report = quality(write("a", rows))
    found = {figure.name: figure.here.value for figure in report.figures}
    assert found["common openings"] == 1
    assert found["turns said again"] == pytest.approx(28 / 60)
    assert found["small beginning"] == pytest.approx(29 / 59)
    assert found["no full stop"] == pytest.approx(29 / 60)


def test_distinct_words_are_of_as_many_words_in_both_files(write):
    small, large = several(20, 1), several(400, 2)
    samples = [[parse_conversation(one) for one in rows] for rows in (small, large)]
    words = min(map(words_said, samples))
    assert words == 20 * 3 * 8
    few, many = (diversity(sample, words=words)["distinct words"].value for sample in samples)
    assert few == pytest.approx(many, abs=0.08)
    report = quality(write("small", small), write("large", large))
    assert report.sampled == {"conversations": 20, "reference conversations": 400, "words": 480}
    everything = diversity(samples[1], words=words_said(samples[1]))["distinct words"].value
    assert everything < few / 3


def test_repetition_in_the_file_and_of_the_reference(write):
    rows, others = several(20, 1), several(20, 2)
    copied = json.loads(json.dumps(others[:5]))
    for one in copied:
        one["messages"][0]["content"] += " please"
    report = quality(write("a", [*rows, rows[0], *copied]), write("b", others))
    assert report.figure("duplicates").here.value == pytest.approx(1 / 26)
    assert report.figure("duplicates").reference.value == 0
    assert report.figure("near the reference").here.value == pytest.approx(5 / 26)
    assert report.figure("near the reference").reference is None


def test_marks_of_a_second_pass_are_counted_by_kind(write):
    rows = several(4, 1)
    for one, kinds in zip(rows, (["label", "language"], ["label"], [], None), strict=True):
        if kinds is not None:
            one["meta"] = {"review": [{"turn": 0, "kind": kind} for kind in kinds]}
    report = quality(write("a", rows))
    assert report.marks == {"label": 2, "language": 1}
    assert report.figure("marked").here.value == pytest.approx(2 / 3)
    assert "marked" not in {figure.name for figure in quality(write("b", several(4, 1))).figures}


def test_two_files_alike_cannot_be_told_apart():
    for seed in range(3):
        rows = [parse_conversation(one) for one in several(200, seed)]
        tests = two_sample_tests(rows[:100], rows[100:], seed=seed)
        assert [test.by for test in tests] == ["user's words", "user's style", "assistant's words"]
        assert all(test.chance for test in tests)
        assert all(test.accuracy_low < 0.5 for test in tests)
        assert all(test.auc_high - test.auc_low < 0.4 for test in tests)


def test_style_tells_without_the_topic(write):
    """Other words in the same style, then the same words in another style."""
    words = several(60, 1, words=WORDS[::2]), several(60, 2, words=WORDS[1::2])
    style = several(60, 3, words=WORDS[::2]), several(60, 4, words=WORDS[::2], tidy=True)
    by_words = {test.by: test for test in quality(write("a", words[0]), write("b", words[1])).tests}
    by_style = {test.by: test for test in quality(write("c", style[0]), write("d", style[1])).tests}
    assert by_words["user's words"].auc > 0.99
    assert by_words["user's style"].auc_low < 0.65
    assert by_style["user's style"].auc > 0.99
    assert by_style["user's words"].chance
    assert ". ¶ W" in {telling.text for telling in by_style["user's style"].telling_reference}
    telling = by_words["user's words"].telling_here[0]
    assert telling.text in WORDS[::2]
    assert telling.here > telling.reference == 0


def test_copies_of_a_conversation_do_not_help_the_classifier(write):
    """Twenty copies on either side of a fold would be known by heart."""
    copies = [one for one in several(40, 1) for _ in range(20)], several(200, 2)
    report = quality(write("a", copies[0]), write("b", copies[1]))
    assert report.sampled["conversations"] == 40
    assert report.tests[0].chance


def test_too_few_conversations_are_not_classified(write):
    report = quality(write("a", several(10, 1)), write("b", several(10, 2)))
    assert report.tests == []
    assert "No classifier" in report.notes[1]


def test_a_side_that_never_speaks_is_left_out(write):
    rows = several(60, 1)
    for one in rows:
        one["messages"] = [message for message in one["messages"] if message["role"] == "user"]
    assert [test.by for test in quality(write("a", rows), write("b", several(60, 2))).tests] == [
        "user's words",
        "user's style",
    ]


def test_the_same_seed_gives_the_same_report(write):
    a, b = write("a", several(80, 1)), write("b", several(80, 2))
    first = quality(a, b, sample=50, seed=3).as_dict()
    assert quality(a, b, sample=50, seed=3).as_dict() == first
    assert quality(a, b, sample=50, seed=4).as_dict() != first
    assert first["sampled"]["conversations"] == 50
    json.dumps(first)


def test_every_figure_has_a_meaning(write):
    report = quality(write("a", several(5, 1)), write("b", several(5, 2)))
    assert len(report.figures) > 20
    assert all(figure.meaning.endswith(".") for figure in report.figures)


@pytest.mark.parametrize(
    "row",
    [
        {"tasks": TASKS, "messages": [{"role": "user", "content": "hm"}]},
        {"tasks": TASKS, "messages": [{"role": "assistant", "content": ""}]},
        record(None, texts=[""]),
        record("mail", texts=["\u202e \u200b"]),
        record(None, texts=["🙂" * 30_000]),
        record(None, meta={"review": "no list"}),
        record(None, meta={"review": [1, {"kind": None}, {"kind": "x" * 10_000}]}),
    ],
)
def test_odd_conversations_have_figures_too(write, row):
    path = write("a", [row])
    json.dumps(quality(path, path).as_dict())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "the file is empty"),
        ("{}\n", "a.jsonl:1: not a routing conversation"),
        (json.dumps(record(None)) + "\nno\n", "a.jsonl:2: not JSON"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_with_its_line(tmp_path, text, words):
    path = tmp_path / "a.jsonl"
    path.write_text(text)
    with pytest.raises(DataError, match=words):
        quality(path)
    with pytest.raises(DataError, match="no such file"):
        quality(tmp_path / "none.jsonl")
