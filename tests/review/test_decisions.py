"""The actions: each stored once, BACK undoes exactly one, an admin has the last word."""

import sqlite3

import pytest
from making import fill, join

from mojo_toolbox.errors import ReviewConflictError, ReviewError
from mojo_toolbox.review.records import ReviewDecision
from mojo_toolbox.review.store import ReviewStore


@pytest.fixture
def ann(store, tmp_path):
    fill(store, tmp_path)
    return join(store, "ann")[0]


def decide_all(store, who, count, **options):
    ids = []
    for _ in range(count):
        item = store.next(who)
        store.decide(who, item.id, ReviewDecision("okay", **options))
        ids.append(item.id)
    return ids


def test_labels_that_are_not_named_stay(store, ann):
    store.next(ann)
    store.decide(ann, 1, ReviewDecision("change", {2: None}))
    assert store.get(ann, 1).labels == {0: "recap", 2: None, 4: None}


def test_an_action_that_is_sent_twice_counts_once(store, ann):
    item = store.next(ann)
    for _ in range(3):
        store.decide(ann, item.id, ReviewDecision("okay", key="press-1", version=item.version))
    assert store.progress(ann).done == 1
    assert store.back(ann).id == item.id
    assert store.back(ann) is None


def test_a_key_stands_for_one_action(store, ann):
    store.decide(ann, store.next(ann).id, ReviewDecision("okay", key="k"))
    with pytest.raises(ReviewError, match="key was used"):
        store.decide(ann, store.next(ann).id, ReviewDecision("okay", key="k"))


def test_keys_of_two_people_are_apart(store, ann):
    (bob,) = join(store, "bob")
    for who in (ann, bob):
        store.decide(who, store.next(who).id, ReviewDecision("okay", key="1"))
    assert store.progress(ann).done == 2


def test_a_second_tab_cannot_decide_otherwise(store, ann):
    item = store.next(ann)
    store.decide(ann, item.id, ReviewDecision("okay", key="tab 1"))
    store.decide(ann, item.id, ReviewDecision("okay", key="tab 2"))
    with pytest.raises(ReviewConflictError, match="already"):
        store.decide(ann, item.id, ReviewDecision("wrong", key="tab 2 again"))
    assert store.get(ann, item.id).labels == item.labels
    assert store.progress(ann).done == 1


def test_a_page_from_before_back_is_told_so(store, ann):
    item = store.next(ann)
    store.decide(ann, item.id, ReviewDecision("okay", version=item.version))
    store.back(ann)
    with pytest.raises(ReviewConflictError, match="changed since"):
        store.decide(ann, item.id, ReviewDecision("wrong", version=item.version))


def test_back_undoes_one_decision_again_and_again(store, ann):
    ids = decide_all(store, ann, 3)
    open_one = store.next(ann).id
    assert [store.back(ann).id for _ in range(3)] == ids[::-1]
    assert store.back(ann) is None
    assert store.progress(ann).done == 0
    # The undone ones come in their order, then what was open.
    again = decide_all(store, ann, 4)
    assert again == [*ids, open_one]


def test_back_after_deciding_again_undoes_that_one(store, ann):
    first, second = decide_all(store, ann, 2)
    store.back(ann)
    store.back(ann)
    store.decide(ann, first, ReviewDecision("wrong"))
    item = store.back(ann)
    assert (item.id, item.undone.action) == (first, "wrong")
    assert store.upcoming(ann).id == second


def test_back_shows_the_labels_as_imported_and_what_was_undone(store, ann):
    store.next(ann)
    store.decide(ann, 1, ReviewDecision("change", {0: "email"}, note="not a recap"))
    item = store.back(ann)
    assert item.labels == {0: "recap", 2: "email", 4: None}
    assert (item.undone.changes, item.undone.note, item.undone.by) == ({0: "email"}, "not a recap", "ann")
    store.decide(ann, 1, ReviewDecision("okay"))
    assert store.get(ann, 1).undone is None


def test_back_that_is_sent_twice_undoes_one(store, ann):
    ids = decide_all(store, ann, 3)
    assert [store.back(ann, key="b1").id for _ in range(3)] == [ids[-1]] * 3
    assert store.progress(ann).done == 2
    assert store.back(ann, key="b2").id == ids[-2]


def test_back_undoes_only_ones_own(store, ann):
    (bob,) = join(store, "bob")
    decide_all(store, bob, 1)
    assert store.back(ann) is None
    assert store.progress(ann).done == 1


def test_nothing_is_lost_when_the_store_is_opened_anew(store, ann, url, clock):
    ids = decide_all(store, ann, 3)
    with ReviewStore.open(url, lock_seconds=600, clock=clock) as again:
        assert again.progress(ann).done == 3
        assert again.back(ann).id == ids[-1]


@pytest.mark.parametrize(
    ("decision", "told"),
    [
        (ReviewDecision("change", {0: "nix"}), "'nix' is not on this conversation's task list"),
        (ReviewDecision("change", {1: "email"}), "is no user turn"),
        (ReviewDecision("change", {99: "email"}), "is no user turn"),
        (ReviewDecision("change", {-2: "email"}), "is no user turn"),
        (ReviewDecision("delete"), "no action 'delete'"),
        (ReviewDecision("okay", note="x" * 10_001), "at most 10,000"),
        (ReviewDecision("okay", key="x" * 101), "at most 100"),
    ],
)
def test_what_cannot_be_stored_is_refused_and_nothing_of_it_stored(store, ann, decision, told):
    item = store.next(ann)
    with pytest.raises(ReviewError, match=told):
        store.decide(ann, item.id, decision)
    assert store.next(ann) == item
    assert store.progress(ann).done == 0


def test_a_note_of_any_characters_is_kept_as_far_as_a_database_can(store, ann):
    store.next(ann)
    store.decide(ann, 1, ReviewDecision("check", note=" \0<b>שלום 🎉\ud83d "))
    assert store.back(ann).undone.note == "<b>שלום 🎉?"


def test_every_action_leaves_who_and_when(ann, store, clock, tmp_path, url):
    if not url.endswith(".db"):
        pytest.skip("the log is read with sqlite3 here")
    decide_all(store, ann, 1)
    clock.move(10)
    store.back(ann)
    rows = sqlite3.connect(url)
    told = rows.execute(
        "SELECT action, at, reviewer_id, conversation_id FROM events WHERE action <> 'import'"
    ).fetchall()
    rows.close()
    start = clock.now - 10
    assert ("okay", start, ann.id, 1) in told
    assert ("back", clock.now, ann.id, 1) in told
    assert [action for action, *_ in told].count("given") == 1


def test_an_admin_settles_what_is_to_be_checked_and_can_go_back(store, ann):
    (boss,) = join(store, "boss", admin=True)
    store.next(ann)
    store.decide(ann, 1, ReviewDecision("check", {0: "email"}, note="?"))
    assert [waiting.item_id for waiting in store.overview().checks] == [1]
    item = store.settle(boss, 1)
    assert (item.settling, item.labels[0], item.others[0].note) == (True, "email", "?")
    assert store.next(boss).id == 1
    store.decide(boss, 1, ReviewDecision("change", {0: None}, version=item.version))
    assert store.overview().checks_total == 0
    assert store.get(ann, 1).labels[0] == "email"
    assert store.back(boss).id == 1
    assert store.overview().checks_total == 1


def test_settling_is_for_one_admin_at_a_time_and_ends_with_the_time_out(store, ann, clock):
    boss, other = join(store, "boss", "other", admin=True)
    decide_all(store, ann, 1)
    with pytest.raises(ReviewError, match="Only an admin"):
        store.settle(ann, 1)
    store.settle(boss, 1)
    with pytest.raises(ReviewConflictError, match="Another admin"):
        store.settle(other, 1)
    clock.move(601)
    assert store.settle(other, 1).settling
    # Settling is no work of the queue.
    assert store.progress(ann).total == 5


def test_a_reason_is_stored_and_taken_back_with_its_decision(store, ann):
    item = store.next(ann)
    store.decide(ann, item.id, ReviewDecision("wrong", reason="A duplicate\0 \ud800", key="k"))
    store.decide(ann, item.id, ReviewDecision("wrong", reason="A duplicate\0 \ud800", key="k"))
    (thrown,) = store.overview().thrown_out
    assert (thrown.decisions[0].reason, thrown.user_turns) == ("A duplicate ?", (0, 2, 4))
    assert store.back(ann).undone.reason == "A duplicate ?"
    store.decide(ann, item.id, ReviewDecision("okay"))
    overview = store.overview()
    assert (overview.thrown_out, overview.thrown_out_total, overview.reasons) == ((), 0, {})


@pytest.mark.parametrize(
    "decision",
    [
        ReviewDecision("okay", reason="why not"),
        ReviewDecision("check", reason="x"),
        ReviewDecision("wrong", reason="x" * 201),
    ],
)
def test_a_reason_belongs_to_what_is_thrown_out(store, ann, decision):
    with pytest.raises(ReviewError, match="reason"):
        store.decide(ann, store.next(ann).id, decision)
    assert store.overview().decisions == 0


def test_another_reason_is_another_decision(store, ann):
    item = store.next(ann)
    store.decide(ann, item.id, ReviewDecision("wrong", reason="A duplicate"))
    with pytest.raises(ReviewConflictError):
        store.decide(ann, item.id, ReviewDecision("wrong", reason="Harmful"))


@pytest.fixture
def disputed(store, tmp_path):
    """A conversation that two people judged differently, and an admin."""
    fill(store, tmp_path, 1, overlap=1.0)
    for name, decision in (("ann", ReviewDecision("okay")), ("bob", ReviewDecision("change", {0: "email"}))):
        (who,) = join(store, name)
        store.decide(who, store.next(who).id, decision)
    return join(store, "cy", admin=True)[0]


def test_settling_may_be_left_and_begun_again(store, disputed):
    cy = disputed
    for _ in range(2):
        item = store.settle(cy, 1)
        store.leave(cy, item.id)
        assert store.overview().disagreements_total == 1
        assert store.next(cy) is None
    store.settle(cy, 1)
    store.decide(cy, 1, ReviewDecision("okay"))
    assert store.overview().disagreements_total == 0


def test_leaving_that_is_sent_twice_counts_once(store, disputed):
    store.settle(disputed, 1)
    store.leave(disputed, 1, key="l-1")
    store.settle(disputed, 1)
    store.leave(disputed, 1, key="l-1")
    assert store.next(disputed).settling


def test_nobody_leaves_what_they_do_not_settle(store, disputed):
    (dan,) = join(store, "dan")
    with pytest.raises(ReviewError, match="not settling"):
        store.leave(disputed, 1)
    store.settle(disputed, 1)
    with pytest.raises(ReviewError, match="not settling"):
        store.leave(dan, 1)
    with pytest.raises(ReviewError, match="not settling"):
        store.leave(dan, 99)


@pytest.mark.parametrize("ended", ["left", "timed out"])
def test_a_settled_conversation_that_was_only_looked_at_stays_settled(store, disputed, clock, ended):
    cy = disputed
    (di,) = join(store, "di", admin=True)
    store.settle(cy, 1)
    store.decide(cy, 1, ReviewDecision("wrong", reason="Harmful"))
    store.settle(di, 1)
    if ended == "left":
        store.leave(di, 1)
    else:
        clock.move(3600)
        store.next(cy)
    (thrown,) = store.overview().thrown_out
    assert (thrown.settled.by, thrown.settled.reason) == ("cy", "Harmful")
    # What was taken back does not come again.
    store.back(cy)
    store.leave(cy, 1)
    assert store.overview().disagreements_total == 1
