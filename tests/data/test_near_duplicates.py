"""Texts that resemble each other: which are found, at what size, and which are not taken for alike."""

import random

import numpy as np
import pytest

from mojo_toolbox.data.likeness import near_duplicates
from mojo_toolbox.data.likeness.near_duplicates import SIMILAR, Groups, Signatures, join_similar, nearest
from mojo_toolbox.data.likeness.shingles import plain, shingles, similarity

WORDS = [f"{a}{b}{c}" for a in "bdfgklmnprst" for b in ("a", "e", "i", "ou") for c in ("n", "rt", "l", "sh", "ck")]


def sentence(rng, length=30):
    return " ".join(rng.choice(WORDS) for _ in range(length))


def alike(one, other):
    return similarity(shingles([one]), shingles([other]))


@pytest.fixture(params=["all pairs", "bands"])
def way(request, monkeypatch):
    if request.param == "bands":
        monkeypatch.setattr(near_duplicates, "_FEW", 0)


def index(texts):
    signatures, pieces = Signatures(), [shingles([text]) for text in texts]
    for piece in pieces:
        signatures.add(piece)
    return signatures, pieces.__getitem__


def groups_of(texts, least=SIMILAR):
    signatures, pieces = index(texts)
    groups = Groups(np.arange(len(texts)))
    pairs = list(join_similar(groups, signatures.rows(), np.arange(len(texts)), pieces, least=least))
    return groups.roots().tolist(), pairs


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Book a table for two.", "book a table, for two!"),
        ("\uff22\uff4f\uff4f\uff4b a table for two", "Book a table for two"),
        ("أريد حجز طاولة لشخصين", "أريد، حجز طاولة لشخصين؟"),
        ("我想预订两个人的桌子。", "我想预订两个人的桌子"),
        ("?!", "?!"),
    ],
)
def test_case_width_and_punctuation_make_no_difference(one, other):
    assert alike(one, other) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Book a table for two at seven tonight", "Book a table for two at seven tonight please"),
        ("Book a table for two at seven tonight", "Book a tabel for two at seven tonight"),
        ("我想预订明天晚上七点两个人靠窗的桌子", "我想预订明天晚上八点两个人靠窗的桌子"),
    ],
)
def test_a_word_more_or_a_typo_leaves_short_texts_similar(one, other):
    assert SIMILAR <= alike(one, other) < 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("What is my checking balance", "What is my phone number"),
        ("Play the next song", "Book a table for two"),
        ("我想预订两个人的桌子", "明天的天气怎么样"),
        ("👍", "👎"),
        ("?!", "..."),
    ],
)
def test_other_requests_are_not_similar(one, other):
    assert alike(one, other) < SIMILAR


def test_what_has_no_words_is_compared_as_it_is():
    assert plain(["...", " "]).strip() == "..."
    assert len(shingles([""])) == 1
    assert len(shingles([])) == 1


def test_planted_copies_are_found_and_nothing_else(way):
    rng = random.Random(1)
    texts = [sentence(rng) for _ in range(300)]
    copies = {}
    for number in range(0, 300, 10):
        copies[len(texts)] = number
        words = texts[number].split()
        words[rng.randrange(len(words))] = "something"
        texts.append(" ".join(words))
    roots, pairs = groups_of(texts)
    assert {number: root for number, root in enumerate(roots) if number != root} == copies
    assert sorted(pairs) == sorted((first, second) for second, first in copies.items())


def test_what_hangs_together_over_others_is_one_group(way):
    rng = random.Random(2)
    words = sentence(rng, 60).split()
    chain = []
    for step in range(8):
        chain.append(" ".join(words))
        for place in range(step * 5, step * 5 + 4):
            words[place] = f"other{place}"
    assert alike(chain[0], chain[-1]) < SIMILAR <= alike(chain[0], chain[1])
    roots, _ = groups_of([*chain, sentence(rng, 60)])
    assert roots == [0] * 8 + [8]


def test_the_same_texts_give_the_same_groups(way):
    rng = random.Random(3)
    texts = [sentence(rng, 12) for _ in range(100)]
    texts += [text + " please" for text in texts[::3]]
    assert groups_of(texts) == groups_of(texts)


def test_the_similarity_asked_for_is_exact(way):
    rng = random.Random(4)
    texts = [sentence(rng, 20) for _ in range(60)]
    for text in texts[:60]:
        words = text.split()
        for place in rng.sample(range(len(words)), 3):
            words[place] = "else"
        texts.append(" ".join(words))
    for least in (0.5, 0.7, 0.9):
        _, pairs = groups_of(texts, least)
        assert all(alike(texts[one], texts[other]) >= least for one, other in pairs)
        true = {(number, number + 60) for number in range(60) if alike(texts[number], texts[number + 60]) >= least}
        assert len(true & set(pairs)) >= 0.9 * len(true)


def test_a_template_that_thousands_share_takes_no_quadratic_time(monkeypatch):
    monkeypatch.setattr(near_duplicates, "_FEW", 0)
    compared = 0
    estimates = near_duplicates._estimates

    def counting(one, other):
        nonlocal compared
        compared += len(one)
        return estimates(one, other)

    monkeypatch.setattr(near_duplicates, "_estimates", counting)
    texts = [f"I would like to reserve a table for two people at the restaurant number {n}" for n in range(3000)]
    roots, _ = groups_of(texts)
    assert set(roots) == {0}
    assert compared < 3000 * 200


def test_each_text_is_given_its_nearest_of_the_others(way):
    rng = random.Random(5)
    train = [sentence(rng) for _ in range(200)]
    test = [sentence(rng), train[7] + " indeed", train[150].upper()]
    (train_signatures, train_pieces), (test_signatures, test_pieces) = index(train), index(test)
    found, _ = nearest(test_signatures.rows(), train_signatures.rows(), test_pieces, train_pieces)
    assert found.tolist() == [-1, 7, 150]


def test_nothing_is_near_where_there_is_nothing(way):
    (none, none_pieces), (some, some_pieces) = index([]), index(["a text"])
    assert nearest(some.rows(), none.rows(), some_pieces, none_pieces)[0].tolist() == [-1]
    assert nearest(none.rows(), some.rows(), none_pieces, some_pieces)[0].tolist() == []
    assert groups_of([]) == ([], [])
