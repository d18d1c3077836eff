"""In and out: earlier decisions are kept, what is written says who decided what."""

import json

import pytest
from making import TASKS, fill, join, read, record, write

from mojo_toolbox.data import Conversation, read_conversations
from mojo_toolbox.data.content_hash import content_hash
from mojo_toolbox.errors import ConfigurationError, DataError
from mojo_toolbox.review.records import ReviewDecision, ReviewMark, RouterDecision


@pytest.fixture
def talks(tmp_path):
    return tmp_path / "talks.jsonl"


@pytest.fixture
def ann(store):
    return join(store, "ann")[0]


def decide(store, who, *actions):
    for action in actions:
        store.decide(who, store.next(who).id, action)


def test_a_file_comes_back_as_it_was_while_nothing_is_decided(store, tmp_path, talks):
    odd = '<script>alert(1)</script> & "\u202e עברית\u0000 🎉 \u2028'
    given = [record(1, text=odd, meta={"deep": [1, {"x": None}]}), record(2, *["recap"] * 100), {**record(3), "id": ""}]
    del given[1]["messages"][4]["task"]
    write(talks, given)
    assert store.import_file(talks).new == 3
    out = tmp_path / "out.jsonl"
    report = store.export_file(out, include=["undecided"])
    assert report.written == 3
    written = list(read_conversations(out))
    assert written == list(read_conversations(talks))
    assert report.sha256 == content_hash(written)


def test_what_was_decided_is_written_with_who_and_when(store, ann, tmp_path, talks):
    fill(store, tmp_path, 5)
    changed = ReviewDecision("change", {0: "email", 4: "recap"}, note="an email, see turn 2")
    decide(store, ann, ReviewDecision("okay"), changed, ReviewDecision("wrong"), ReviewDecision("check"))
    report = store.export_file(tmp_path / "out.jsonl")
    first, second = read(tmp_path / "out.jsonl")
    assert (report.written, report.changed) == (2, 1)
    assert report.left_out == {"wrong": 1, "check": 1, "undecided": 1}
    assert [m.get("task", "-") for m in second["messages"]] == ["email", "-", "email", "-", "recap", "-"]
    assert first["meta"]["reviewed"]["verdict"] == "decided"
    assert second["meta"]["reviewed"]["decisions"] == [
        {
            "by": "ann",
            "at": "2027-01-15T08:00:00+00:00",
            "action": "change",
            "labels": {"0": "email", "2": "email", "4": "recap"},
            "changes": [{"message": 0, "from": "recap", "to": "email"}, {"message": 4, "from": None, "to": "recap"}],
            "note": "an email, see turn 2",
        }
    ]


def test_what_is_left_out_can_be_asked_for(store, ann, tmp_path):
    fill(store, tmp_path, 3)
    decide(store, ann, ReviewDecision("wrong", reason="A duplicate"), ReviewDecision("check"))
    report = store.export_file(tmp_path / "out.jsonl", include={"wrong", "check", "undecided"})
    (thrown,) = read(tmp_path / "out.jsonl")[0]["meta"]["reviewed"]["decisions"]
    assert (thrown["action"], thrown["reason"]) == ("wrong", "A duplicate")
    assert report.left_out == {}
    verdicts = [r.get("meta", {}).get("reviewed", {}).get("verdict") for r in read(tmp_path / "out.jsonl")]
    assert verdicts == ["wrong", "check", None]
    with pytest.raises(ConfigurationError, match="no 'all'"):
        store.export_file(tmp_path / "out.jsonl", include=["all"])


def test_a_turn_that_two_people_label_differently_is_written_without_a_label(store, ann, tmp_path):
    (bob,) = join(store, "bob")
    fill(store, tmp_path, 1, overlap=1.0)
    decide(store, ann, ReviewDecision("okay"))
    decide(store, bob, ReviewDecision("change", {2: None}))
    assert store.export_file(tmp_path / "out.jsonl").left_out == {"disagreement": 1}
    store.export_file(tmp_path / "out.jsonl", include=["disagreement"])
    (written,) = read(tmp_path / "out.jsonl")
    assert ["task" in m for m in written["messages"]] == [True, False, False, False, True, False]


def test_a_settled_conversation_is_written_as_settled(store, ann, tmp_path):
    (boss,) = join(store, "boss", admin=True)
    fill(store, tmp_path, 1)
    decide(store, ann, ReviewDecision("check"))
    store.settle(boss, 1)
    store.decide(boss, 1, ReviewDecision("change", {0: "email"}))
    assert store.export_file(tmp_path / "out.jsonl").written == 1
    (written,) = read(tmp_path / "out.jsonl")
    assert written["messages"][0]["task"] == "email"
    assert written["meta"]["reviewed"]["settled"]["by"] == "boss"
    assert written["meta"]["reviewed"]["decisions"][0]["action"] == "check"


def test_importing_more_keeps_decisions(store, ann, tmp_path, talks):
    fill(store, tmp_path, 2)
    decide(store, ann, ReviewDecision("change", {0: "email"}))
    # Another id, other labels, other meta, the task list in another order: the same conversation.
    same = record(0, "recap", None, None, meta={"model": "x"})
    write(talks, [{**same, "id": "renamed", "tasks": TASKS[::-1]}, record(1), record(2)])
    report = store.import_file(talks)
    assert (report.read, report.new, report.known, report.kept, report.updated) == (3, 1, 2, 1, 0)
    assert store.get(ann, 1).labels == {0: "email", 2: "email", 4: None}
    assert [store.next(ann).id, store.upcoming(ann).id] == [2, 3]


def test_an_undecided_conversation_takes_the_new_labels_and_a_page_that_shows_it_is_told(store, ann, tmp_path, talks):
    fill(store, tmp_path, 1)
    shown = store.next(ann)
    write(talks, [record(0, "email", "email", None)])
    assert store.import_file(talks).updated == 1
    assert store.next(ann).labels[0] == "email"
    with pytest.raises(Exception, match="has changed since"):
        store.decide(ann, shown.id, ReviewDecision("okay", version=shown.version))


def test_another_text_under_the_same_id_replaces_the_earlier_one(store, ann, tmp_path, talks):
    fill(store, tmp_path, 3)
    decide(store, ann, ReviewDecision("okay"))
    write(talks, [record(0, text="mended"), record(1, text="mended"), record(2)])
    report = store.import_file(talks)
    assert (report.new, report.known, report.replaced) == (2, 1, 2)
    assert store.progress(ann).total == 3
    decide(store, ann, *[ReviewDecision("okay")] * 3)
    assert store.next(ann) is None
    store.export_file(tmp_path / "out.jsonl")
    assert ["mended" in r["messages"][0]["content"] for r in read(tmp_path / "out.jsonl")] == [False, True, True]
    # It comes back when its text does, with what was decided on it.
    write(talks, [record(0)])
    assert store.import_file(talks).replaced == 1
    assert store.progress(ann).done == 3


def test_the_same_id_in_another_file_replaces_nothing(store, tmp_path):
    fill(store, tmp_path, 1)
    report = store.import_file(write(tmp_path / "other.jsonl", [record(0, text="other")]))
    assert (report.new, report.replaced) == (1, 0)


def test_a_conversation_that_stands_twice_is_taken_once(store, tmp_path, talks):
    write(talks, [record(0), {**record(0), "id": "again"}, *(record(n) for n in range(1, 600)), record(0)])
    report = store.import_file(talks)
    assert (report.read, report.new, report.repeated) == (602, 600, 2)


def test_a_line_that_cannot_be_read_is_named_and_nothing_is_stored(store, ann, talks):
    write(talks, [record(0), record(1)])
    talks.write_bytes(talks.read_bytes() + b'{"tasks": []}\n')
    with pytest.raises(DataError, match=r"talks\.jsonl:3: "):
        store.import_file(talks)
    assert store.progress(ann).total == 0
    with pytest.raises(DataError, match="no such file"):
        store.import_file(talks.with_name("nix.jsonl"))


@pytest.mark.parametrize("spoilt", [{"content": "\ud800"}, {"content": 7}, {"role": "system"}, {"role": []}])
def test_odd_messages_are_refused_with_their_line(store, talks, spoilt):
    bad = record(1)
    bad["messages"][0] |= spoilt
    write(talks, [record(0), bad])
    with pytest.raises(DataError, match=r"talks\.jsonl:2: "):
        store.import_file(talks)


def test_labels_that_the_task_list_lacks_are_taken_off_and_come_first(store, ann, talks):
    write(talks, [record(0), record(1, "book_flight", "", "recap")])
    report = store.import_file(talks)
    assert (report.new, report.unlisted_labels) == (2, 2)
    item = store.next(ann)
    assert item.labels == {4: "recap"}
    assert item.marks[0] == ReviewMark(0, "labelled 'book_flight', which is not on the task list")
    assert item.marks[1] == ReviewMark(2, "labelled '', which is not on the task list")
    store.decide(ann, item.id, ReviewDecision("change", {0: "email", 2: None}))


@pytest.mark.parametrize("spelt", ["none", "NONE", " None "])
def test_none_is_no_task_in_a_file_and_in_a_decision(store, ann, talks, spelt):
    write(talks, [record(1, "recap", spelt, "email")])
    assert store.import_file(talks).unlisted_labels == 0
    item = store.next(ann)
    assert (item.labels, item.marks) == ({0: "recap", 2: None, 4: "email"}, ())
    store.decide(ann, item.id, ReviewDecision("change", {0: spelt}))
    assert store.get(ann, item.id).labels == {0: None, 2: None, 4: "email"}


def test_labels_are_compared_however_their_accents_are_typed(store, ann, talks):
    given = record(1, "re\u0301sume\u0301", None, "recap")
    given["tasks"] = [*TASKS, {"name": "r\u00e9sum\u00e9", "description": ""}]
    write(talks, [given])
    assert store.import_file(talks).unlisted_labels == 0
    item = store.next(ann)
    store.decide(ann, item.id, ReviewDecision("change", {2: "re\u0301sum\u00e9"}))
    assert store.get(ann, item.id).labels == {0: "r\u00e9sum\u00e9", 2: "r\u00e9sum\u00e9", 4: "recap"}


def test_marks_of_the_generator_come_along(store, ann, talks):
    marks = [{"turn": 2, "reason": "sounds like a recap"}, "too short", {"turn": 99, "reason": "?"}, 7]
    write(talks, [record(0), record(1, meta={"review": marks})])
    store.import_file(talks)
    item = store.next(ann)
    assert item.id == 2
    assert item.marks == (ReviewMark(2, "sounds like a recap"), ReviewMark(None, "too short"), ReviewMark(None, "?"))


def predicted(number, turn, gold, task, probability=None, **more):
    row = {"conversation": number, "id": f"c{number}", "turn": turn, "gold": gold, "task": task, "valid": True}
    return row | {"probability": probability} | more


def test_a_routers_disagreement_comes_first_then_its_doubt(store, ann, tmp_path, talks):
    write(talks, [record(n, "recap") for n in range(5)])
    rows = [
        predicted(0, 0, "recap", "recap", 0.99),
        predicted(1, 0, "recap", "email", 0.6),
        predicted(2, 0, "recap", "recap", 0.4),
        predicted(3, 0, "recap", None, 0.9),
        predicted(4, 0, "recap", None, None, valid=False),
    ]
    store.import_file(talks)
    report = store.import_file(talks, predictions=write(tmp_path / "predictions.jsonl", rows))
    assert (report.known, report.disagreements) == (5, 2)
    order = []
    while (item := store.next(ann)) is not None:
        order.append(item.id - 1)
        if item.id == 4:
            assert item.router == {0: RouterDecision(None, 0.9)}
        store.decide(ann, item.id, ReviewDecision("okay"))
    assert order == [3, 1, 2, 0, 4]


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (predicted(0, 0, "email", "recap"), "other data"),
        (predicted(0, 1, "recap", "recap"), "other data"),
        (predicted(0, 0, "recap", "recap", id="x"), "other data"),
        (predicted(7, 0, "recap", "recap"), "does not have"),
        (predicted(0, 0, "recap", "recap", 1.5), "not between 0 and 1"),
        ({"id": "c0"}, "no prediction"),
    ],
)
def test_predictions_of_other_data_are_refused(store, ann, tmp_path, talks, row, told):
    write(talks, [record(0)])
    with pytest.raises(DataError, match=rf"predictions\.jsonl:1: .*{told}"):
        store.import_file(talks, predictions=write(tmp_path / "predictions.jsonl", [row]))
    assert store.progress(ann).total == 0


def test_a_single_conversation_joins_the_queue_near_its_front(store, ann, tmp_path):
    fill(store, tmp_path, 2)
    corrected = Conversation.model_validate({**record(9), "id": ""})
    number = store.enqueue(
        corrected, by=ann, marks=[ReviewMark(0, "corrected")], router={0: RouterDecision("email", 0.7)}
    )
    item = store.next(ann)
    assert (item.id, item.source, item.marks) == (number, "playground", (ReviewMark(0, "corrected"),))
    assert item.router[0].task == "email"
    # Once more, corrected otherwise.
    again = Conversation.model_validate({**record(9, "email", None, None), "id": ""})
    assert store.enqueue(again) == number
    assert store.next(ann).labels[0] == "email"


def test_reviewing_what_was_reviewed_elsewhere_keeps_what_was_said_there(store, ann, tmp_path, talks):
    write(talks, [record(0, meta={"reviewed": {"verdict": "decided", "decisions": []}})])
    store.import_file(talks)
    decide(store, ann, ReviewDecision("okay"))
    store.export_file(tmp_path / "out.jsonl")
    reviewed = read(tmp_path / "out.jsonl")[0]["meta"]["reviewed"]
    assert reviewed["earlier"] == {"verdict": "decided", "decisions": []}
    assert reviewed["decisions"][0]["by"] == "ann"


@pytest.mark.parametrize("overlap", [-0.1, 1.1, float("nan")])
def test_an_overlap_is_a_share(store, tmp_path, overlap):
    with pytest.raises(ConfigurationError, match="overlap"):
        fill(store, tmp_path, 1, overlap=overlap)


def test_the_share_of_overlap_can_grow(store, ann, tmp_path):
    fill(store, tmp_path, 40)
    decide(store, ann, ReviewDecision("okay"))
    fill(store, tmp_path, 40, overlap=0.5)
    half = store.progress(ann).total
    assert 50 < half < 70
    fill(store, tmp_path, 40, overlap=1.0)
    assert store.progress(ann).total == 80
    assert json.dumps([store.next(ann).id]) != "[1]"


def test_a_file_that_holds_more_than_it_may_is_refused_as_a_whole(store, tmp_path):
    path = write(tmp_path / "talks.jsonl", [record(n) for n in range(5)])
    size = path.stat().st_size
    with pytest.raises(DataError, match=f"holds more than {size - 1:,} bytes"):
        store.import_file(path, max_bytes=size - 1)
    assert store.overview().conversations == 0
    assert store.import_file(path, max_bytes=size).new == 5
