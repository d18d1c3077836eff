"""A model's names: what people may call things, and versions."""

import pytest

from mojo_toolbox.errors import InvalidNameError
from mojo_toolbox.names import VERSION_LENGTH, ModelKey, joined, new_version


def test_both_ways_to_type_an_accent_are_one_name():
    assert ModelKey("caf\u00e9", "t", "m") == ModelKey("cafe\u0301", "t", "m")


@pytest.mark.parametrize("bad", ["", "  ", " a", "a\n", "a\x00b", "a\u200bb", "a\u202eb", "x" * 129, None, 7])
def test_what_cannot_be_a_name_is_refused_with_its_field(bad):
    with pytest.raises(InvalidNameError, match="product"):
        ModelKey(product=bad, task="t", model_id="m")


def test_versions_sort_by_time_and_differ_within_a_second():
    versions = [new_version() for _ in range(50)]
    assert len(set(versions)) == 50
    assert [v[:15] for v in versions] == sorted(v[:15] for v in versions)
    assert {len(v) for v in versions} == {VERSION_LENGTH}


def test_clean_parts_stay_readable_and_the_rest_keeps_a_hash():
    assert joined(["a-b", "c"], limit=20) == "a-b--c"
    changed, cut = joined(["A b", "c"], limit=20), joined(["a" * 30], limit=20)
    assert changed.startswith("a-b--c---")
    assert cut.startswith("aaaaaaa---")
    assert len(changed) == len("a-b--c---") + 10
    assert len(cut) == 20
