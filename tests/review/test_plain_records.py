"""The quick way to read a record comes to what the thorough one does, or leaves it to it."""

import copy
import json

from hypothesis import given, settings
from hypothesis import strategies as st
from making import record

from mojo_toolbox.data import parse_conversation
from mojo_toolbox.review.plain_records import plain_record

ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-1, 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=5),
    st.sampled_from(["user", "assistant", "system", "recap", "email", " recap", "None", "a\nb", "\ud800", "x" * 50]),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.sampled_from(["name", "role", "content", "task", "x"]), st.text(max_size=3), max_size=2),
)
PLACES = st.sampled_from(
    [
        ("id",), ("tasks",), ("messages",), ("meta",), ("extra",), ("tasks", 0), ("tasks", 0, "name"), ("messages", 0),
        ("tasks", 1, "name"), ("tasks", 1, "description"), ("tasks", 0, "more"), ("messages", 0, "role"),
        ("messages", 0, "content"), ("messages", 0, "task"), ("messages", 1, "task"), ("messages", 1, "content"),
        ("messages", 2, "task"), ("messages", 2, "point"), ("messages", 2, "name"),
    ]
)  # fmt: skip


def spoil(given, place, value):
    spoilt = copy.deepcopy(given)
    at = spoilt
    for step in place[:-1]:
        at = at[step]
    at[place[-1]] = value
    return spoilt


@settings(max_examples=300, deadline=None)
@given(place=PLACES, value=ODD)
def test_both_ways_agree(place, value):
    given_record = spoil(record(1, meta={"a": 1}), place, value)
    quick = plain_record(json.loads(json.dumps(given_record)))
    if quick is None:
        return
    if "\\ud800" in json.dumps(given_record):
        # Halves of surrogate pairs are looked for in the whole text at once, afterwards.
        return
    assert quick == parse_conversation(json.loads(json.dumps(given_record))).as_record()


def test_the_quick_way_takes_what_is_common():
    assert plain_record(record(1)) == record(1)
