"""Figures: agreement held against other code, progress and speed, the admin's view."""

import contextlib
import random
from collections import Counter

import pytest
from making import fill, join, record, write
from sklearn.metrics import cohen_kappa_score

from mojo_toolbox.errors import ReviewConflictError
from mojo_toolbox.review.agreement import cohens_kappa
from mojo_toolbox.review.records import ReviewDecision


@pytest.mark.parametrize("seed", range(5))
def test_kappa_is_that_of_scikit_learn(seed):
    draw = random.Random(seed)
    one = [draw.choice("abcd") for _ in range(200)]
    other = [label if draw.random() < 0.7 else draw.choice("abce") for label in one]
    assert cohens_kappa(None, Counter(zip(one, other, strict=True))).kappa == pytest.approx(
        cohen_kappa_score(one, other)
    )


def test_kappa_is_unknown_where_chance_explains_all_or_nothing_was_judged():
    assert cohens_kappa(None, Counter([("a", "a")] * 10)).kappa is None
    assert cohens_kappa(None, Counter()).kappa is None


def test_agreement_of_two_people_is_that_of_scikit_learn_on_their_labels(store, tmp_path):
    fill(store, tmp_path, 30, overlap=1.0)
    people = join(store, "zoe", "ann")
    draw = random.Random(0)
    labels = {who.name: [] for who in people}
    for who in people:
        for number in range(1, 31):
            assert store.next(who).id == number
            chosen = {turn: draw.choice(["recap", "email", None]) for turn in (0, 2, 4)}
            labels[who.name] += [str(label) for label in chosen.values()]
            store.decide(who, number, ReviewDecision("change", chosen))
    overview = store.overview()
    assert overview.agreement.turns == 90
    assert overview.agreement.kappa == pytest.approx(cohen_kappa_score(labels["ann"], labels["zoe"]))
    assert [kappa.pair for kappa in overview.agreement_by_pair] == [("ann", "zoe")]
    assert overview.disagreements_total > 20
    assert len(overview.disagreements[0].decisions) == 2


def test_what_was_thrown_out_or_is_doubtful_counts_for_no_agreement(store, tmp_path):
    fill(store, tmp_path, 2, overlap=1.0)
    ann, bob = join(store, "ann", "bob")
    for who, actions in ((ann, ("wrong", "okay")), (bob, ("okay", "check"))):
        for action in actions:
            store.decide(who, store.next(who).id, ReviewDecision(action))
    overview = store.overview()
    assert overview.agreement.turns == 0
    assert (overview.disagreements_total, overview.checks_total) == (1, 1)


def test_progress_tells_speed_without_pauses_and_the_time_left(store, clock, tmp_path):
    fill(store, tmp_path, 10)
    ann, bob = join(store, "ann", "bob")
    assert store.progress(ann).per_hour is None
    for pause in (0, 10, 10, 4000, 10):
        clock.move(pause)
        store.decide(ann, store.next(ann).id, ReviewDecision("okay"))
    told = store.progress(ann)
    assert (told.done, told.total, told.mine) == (5, 10, 5)
    assert told.per_hour == pytest.approx(360)
    assert told.seconds_left == pytest.approx(50)
    # Who works beside her makes it shorter.
    for _ in range(3):
        clock.move(10)
        store.decide(bob, store.next(bob).id, ReviewDecision("okay"))
    assert store.progress(ann).seconds_left == pytest.approx(10)


@pytest.mark.parametrize("seed", range(3))
def test_the_counts_that_are_kept_are_those_of_the_seats(store, clock, tmp_path, seed):
    draw = random.Random(seed)
    people = join(store, "ann", "bob", "cy", admin=True)
    made = dict.fromkeys(("decided", "undone", "left the queue"), 0)
    for _ in range(80):
        who = draw.choice(people)
        match draw.choice(["okay", "okay", "okay", "back", "settle", "wait", "import"]):
            case "okay" if item := store.next(who):
                store.decide(who, item.id, ReviewDecision(draw.choice(["okay", "wrong", "check"])))
                made["decided"] += 1
            case "back":
                made["undone"] += store.back(who) is not None
            case "settle" if store.overview().checks:
                with contextlib.suppress(ReviewConflictError):
                    store.settle(who, store.overview().checks[0].item_id)
            case "wait":
                clock.move(draw.choice([1, 700]))
            case "import":
                # Texts change under their ids, change back, and are judged twice later on.
                talks = [record(number, text=draw.choice(["", "mended"])) for number in range(draw.randint(1, 12))]
                overlap = draw.choice([0.0, 0.5, 1.0])
                made["left the queue"] += store.import_file(
                    write(tmp_path / "t.jsonl", talks), overlap=overlap
                ).replaced
        overview = store.overview()
        told = [store.progress(reviewer) for reviewer in people]
        assert {(t.done, t.total) for t in told} == {(overview.decisions, overview.decisions_needed)}
        assert sum(t.mine for t in told) == overview.decisions
    assert all(made.values())


def test_the_overview_counts_by_reviewer_and_task(store, tmp_path):
    fill(store, tmp_path, 4)
    ann, bob = join(store, "ann", "bob")
    store.decide(ann, store.next(ann).id, ReviewDecision("change", {0: "email", 4: "email"}))
    store.decide(ann, store.next(ann).id, ReviewDecision("wrong"))
    store.decide(bob, store.next(bob).id, ReviewDecision("okay"))
    store.next(bob)
    overview = store.overview()
    assert (overview.conversations, overview.decided, overview.decisions, overview.decisions_needed) == (4, 3, 3, 4)
    ann_did, bob_did = overview.reviewers
    assert (ann_did.decided, ann_did.actions["wrong"], ann_did.changed_labels, ann_did.holding) == (2, 1, 2, 0)
    assert (bob_did.decided, bob_did.holding) == (1, 1)
    assert [(t.task, t.turns, t.changed_away, t.changed_to) for t in overview.tasks] == [
        ("email", 2, 0, 2),
        ("recap", 2, 1, 0),
        (None, 2, 1, 0),
    ]
