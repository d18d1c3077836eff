"""Who is let in: by a token that only its holder knows."""

import sqlite3

import pytest
from making import fill, join

from mojo_toolbox.errors import ReviewError


def test_a_token_opens_and_its_text_is_nowhere_in_the_database(store, url, tmp_path):
    token = store.invite("ann", admin=True)
    assert (store.reviewer(token).name, store.reviewer(token).admin) == ("ann", True)
    assert store.reviewer(token + "x") is None
    assert store.reviewer("") is None
    if url.endswith(".db"):
        store.close()
        connection = sqlite3.connect(url)
        assert token not in "\n".join(connection.iterdump())
        connection.close()


def test_who_is_revoked_is_out_at_once_and_what_they_had_open_goes_back(store, tmp_path):
    fill(store, tmp_path, 2)
    token = store.invite("ann")
    ann, (bob,) = store.reviewer(token), join(store, "bob")
    store.next(ann)
    store.upcoming(ann)
    store.revoke("ann")
    assert store.reviewer(token) is None
    with pytest.raises(ReviewError, match="ann is no reviewer here any more"):
        store.next(ann)
    assert store.next(bob).id == 1


def test_a_name_is_given_once_and_a_link_can_be_renewed(store):
    old = store.invite("ann")
    with pytest.raises(ReviewError, match="--renew"):
        store.invite(" ann ")
    new = store.invite("ann", renew=True)
    assert store.reviewer(old) is None
    assert store.reviewer(new).name == "ann"
    store.revoke("ann")
    back = store.invite("ann")
    assert store.reviewer(back).id == 1


@pytest.mark.parametrize(
    ("name", "problem"), [("", "is empty"), ("  ", "is empty"), ("a\u200bb", r"U\+200B"), ("x" * 101, "at most 100")]
)
def test_a_name_can_be_seen(store, name, problem):
    with pytest.raises(ReviewError, match=problem):
        store.invite(name)


def test_a_name_is_known_however_its_accents_are_typed(store):
    token = store.invite("Jose\u0301")
    with pytest.raises(ReviewError, match="has a link already"):
        store.invite("Jos\u00e9")
    store.revoke("Jos\u00e9")
    assert store.reviewer(token) is None


def test_a_persian_name_is_one(store):
    assert store.reviewer(store.invite("نیک\u200cپور")).name == "نیک\u200cپور"


def test_nobody_by_that_name(store):
    with pytest.raises(ReviewError, match=r"no reviewer 'bob': nobody yet"):
        store.revoke("bob")


def test_the_single_person_of_this_machine_is_an_admin_and_one_person(store):
    one, again = store.local_reviewer(), store.local_reviewer()
    assert one == again
    assert one.admin
    assert [(p.name, p.local) for p in store.people()] == [(one.name, True)]
