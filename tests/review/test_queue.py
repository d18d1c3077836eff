"""Who gets what: once each, locked while open, back after a time-out, twice where people overlap."""

import threading

import pytest
from making import fill, join

from mojo_toolbox.errors import ReviewConflictError, ReviewError
from mojo_toolbox.review.records import ReviewDecision

OKAY = ReviewDecision("okay")


def test_each_conversation_is_given_out_once(store, tmp_path):
    fill(store, tmp_path, 6)
    ann, bob = join(store, "ann", "bob")
    given = []
    while (item := store.next(ann)) is not None:
        given.append(item.id)
        store.decide(ann, item.id, OKAY)
        if (other := store.next(bob)) is not None:
            given.append(other.id)
            store.decide(bob, other.id, OKAY)
    assert sorted(given) == [1, 2, 3, 4, 5, 6]
    assert store.next(bob) is None


def test_the_same_item_comes_until_it_is_decided(store, tmp_path):
    fill(store, tmp_path)
    (ann,) = join(store, "ann")
    assert [store.next(ann).id for _ in range(3)] == [1, 1, 1]
    assert store.upcoming(ann).id == 2
    store.decide(ann, 1, OKAY)
    assert (store.next(ann).id, store.upcoming(ann).id) == (2, 3)


def test_what_is_upcoming_is_reserved(store, tmp_path):
    fill(store, tmp_path, 3)
    ann, bob = join(store, "ann", "bob")
    assert (store.next(ann).id, store.upcoming(ann).id) == (1, 2)
    assert store.next(bob).id == 3
    assert store.upcoming(bob) is None


def test_an_item_goes_back_after_the_time_out_and_the_late_decision_is_refused(store, clock, tmp_path):
    fill(store, tmp_path, 1)
    ann, bob = join(store, "ann", "bob")
    shown = store.next(ann)
    assert store.next(bob) is None
    clock.move(601)
    assert store.next(bob).id == shown.id
    with pytest.raises(ReviewConflictError, match="given to somebody else"):
        store.decide(ann, shown.id, ReviewDecision("wrong", version=shown.version))
    store.decide(bob, shown.id, OKAY)
    assert store.progress(bob).done == 1


def test_a_late_decision_counts_where_nobody_took_the_item(store, clock, tmp_path):
    fill(store, tmp_path, 2)
    ann, bob = join(store, "ann", "bob")
    first = store.next(ann)
    clock.move(601)
    # Sends ann's back to the queue, and takes it.
    assert store.next(bob).id == first.id
    second = store.next(ann)
    clock.move(601)
    store.decide(ann, second.id, ReviewDecision("okay", version=second.version))
    assert store.progress(ann).mine == 1


def test_a_page_that_is_open_keeps_its_item(store, clock, tmp_path):
    fill(store, tmp_path, 1)
    ann, bob = join(store, "ann", "bob")
    store.next(ann)
    for _ in range(5):
        clock.move(400)
        store.keep(ann)
        assert store.next(bob) is None


def test_looking_again_keeps_an_item_too(store, clock, tmp_path):
    fill(store, tmp_path, 1)
    ann, bob = join(store, "ann", "bob")
    for _ in range(5):
        assert store.next(ann).due > clock.now
        clock.move(400)
    assert store.next(bob) is None


def test_overlapping_conversations_go_to_two_people(store, tmp_path):
    fill(store, tmp_path, 4, overlap=1.0)
    ann, bob, cem = join(store, "ann", "bob", "cem")
    seen = {who.name: [] for who in (ann, bob, cem)}
    for who in (ann, bob, cem) * 4:
        if (item := store.next(who)) is not None:
            seen[who.name].append(item.id)
            store.decide(who, item.id, OKAY)
    assert all(len(set(ids)) == len(ids) for ids in seen.values())
    assert sorted(number for ids in seen.values() for number in ids) == [1, 1, 2, 2, 3, 3, 4, 4]


def test_nobody_judges_a_conversation_twice(store, tmp_path):
    fill(store, tmp_path, 3, overlap=1.0)
    (ann,) = join(store, "ann")
    ids = []
    while (item := store.next(ann)) is not None:
        ids.append(item.id)
        store.decide(ann, item.id, OKAY)
    assert ids == [1, 2, 3]
    assert (store.progress(ann).done, store.progress(ann).total) == (3, 6)


def test_another_persons_item_is_not_shown(store, tmp_path):
    fill(store, tmp_path, 2)
    ann, bob = join(store, "ann", "bob")
    (boss,) = join(store, "boss", admin=True)
    store.next(ann)
    with pytest.raises(ReviewError, match="not given to you"):
        store.get(bob, 1)
    assert store.get(boss, 1).id == store.get(ann, 1).id == 1
    with pytest.raises(ReviewError, match="no conversation number 99"):
        store.get(boss, 99)


def test_many_people_at_once_never_share_an_item(store, tmp_path):
    fill(store, tmp_path, 60)
    people = join(store, *(f"p{n}" for n in range(5)))
    given, failures = [], []

    def work(who):
        try:
            while (item := store.next(who)) is not None:
                store.upcoming(who)
                given.append(item.id)
                store.decide(who, item.id, OKAY)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(who,)) for who in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert sorted(given) == list(range(1, 61))


def test_two_tabs_of_one_person_at_once_show_one_item(store, tmp_path):
    fill(store, tmp_path, 20)
    (ann,) = join(store, "ann")
    shown = []
    threads = [threading.Thread(target=lambda: shown.append(store.next(ann).id)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(shown) == {1}
    assert len(shown) == 8
