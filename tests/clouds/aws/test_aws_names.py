"""Names on AWS: whatever a user calls things, AWS takes the name, and no two things share one."""

# ruff: noqa: RUF001 - names in other scripts stand in here

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mojo_toolbox.clouds.aws import names
from mojo_toolbox.errors import InvalidNameError
from mojo_toolbox.names import ModelKey, new_version
from mojo_toolbox.spelling import canonical, misspelling

AWS_NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9])*")
AWS_TAG_VALUE = re.compile(r"[\w\s.:/=+\-@]*")


def usable(text):
    return misspelling(text) is None and canonical(text) == text


# Names as people write them, near each other so that collisions would be found, and any other printable ones.
parts = st.one_of(
    st.text(alphabet="ab-_.AB 1", min_size=1, max_size=5),
    st.text(alphabet="ab-", min_size=15, max_size=90),
    st.text(min_size=1, max_size=20),
).filter(usable)
keys = st.builds(ModelKey, product=parts, task=parts, model_id=parts)


@given(keys, parts)
def test_every_name_is_one_that_aws_takes(key, stage):
    version = new_version()
    made = [
        names.endpoint_name(key, stage),
        names.versioned(names.job_base(key), version),
        names.versioned(names.deployment_base(key, stage), version),
    ]
    for name in made:
        assert AWS_NAME.fullmatch(name)
        assert len(name) <= 63
        assert names.require_resource_name("endpoint", name) == name


@given(st.lists(st.tuples(keys, parts), min_size=2, max_size=30, unique=True))
def test_different_things_have_different_names(things):
    # AWS takes upper and lower case for the same endpoint.
    assert len({names.endpoint_name(key, stage).casefold() for key, stage in things}) == len(things)
    assert len({names.deployment_base(key, stage).casefold() for key, stage in things}) == len(things)
    different = {key for key, _ in things}
    assert len({names.job_base(key).casefold() for key in different}) == len(different)
    assert len({names.s3_prefix(key) for key in different}) == len(different)


@given(keys, parts)
def test_names_are_derived_the_same_way_each_time(key, stage):
    assert names.endpoint_name(key, stage) == names.endpoint_name(ModelKey(**vars(key)), stage)


def test_a_clean_name_can_be_read():
    key = ModelKey(product="mojodex", task="routing", model_id="smollm2-router")
    assert names.endpoint_name(key, "dev") == "mojodex--routing--smollm2-router--dev"
    assert names.s3_prefix(key) == "mojodex/routing/smollm2-router"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("a", "b-c", "d"), ("a-b", "c", "d")),
        (("a", "b", "falcon.7b"), ("a", "b", "falcon-7b")),
        (("a", "b", "Falcon"), ("a", "b", "falcon")),
        (("a", "b", "x" * 100), ("a", "b", "x" * 101)),
        (("a", "b", "模型"), ("a", "b", "会話")),
    ],
)
def test_near_names_stay_apart(one, other):
    made = [names.endpoint_name(ModelKey(*key), "dev") for key in (one, other)]
    assert made[0] != made[1]


def test_a_name_of_one_model_is_no_beginning_of_another_ones_versions():
    short = names.job_base(ModelKey("p", "t", "m"))
    longer = names.versioned(names.job_base(ModelKey("p", "t", "m--x")), new_version())
    assert "--" in longer.removeprefix(f"{short}--") or not longer.startswith(f"{short}--")


def test_both_ways_to_type_an_accent_name_the_same_things():
    one, other = ModelKey("caf\u00e9", "t", "m"), ModelKey("cafe\u0301", "t", "m")
    assert one == other
    assert names.endpoint_name(one, "\u00e9") == names.endpoint_name(other, "e\u0301")
    assert names.deployment_base(one, "\u00e9") == names.deployment_base(other, "e\u0301")
    assert names.tags(one, stage="\u00e9", version="v") == names.tags(other, stage="e\u0301", version="v")
    assert names.tag_value("caf\u00e9") == names.tag_value("cafe\u0301")


@pytest.mark.parametrize("name", ["می\u200cخواهم", "会議\u3000まとめ", "👩\u200d💻"])
def test_correct_spelling_of_any_script_is_a_name(name):
    key = ModelKey(name, name, name)
    assert AWS_NAME.fullmatch(names.endpoint_name(key, name))
    assert names.key_from_tags(names.tags(key, stage=name, version="v")) is not None


@pytest.mark.parametrize("bad", ["", "  ", " a", "a\n", "a\x00b", "a\u200bb", "a\u202eb", "x" * 129, None, 7])
def test_what_cannot_be_a_stage_is_refused_with_its_field(bad):
    with pytest.raises(InvalidNameError, match="stage"):
        names.endpoint_name(ModelKey("p", "t", "m"), bad)


@pytest.mark.parametrize("bad", ["no_underscores", "-a", "a-", "", "x" * 64, "ü"])
def test_a_chosen_name_that_aws_refuses_comes_with_one_that_it_takes(bad):
    with pytest.raises(InvalidNameError, match="Try '") as caught:
        names.require_resource_name("job", bad)
    suggestion = re.search(r"Try '(.*)'", str(caught.value))[1]
    assert names.require_resource_name("job", suggestion) == suggestion


@given(keys, st.one_of(st.none(), parts))
def test_tags_are_ones_that_aws_takes(key, stage):
    tags = names.tags(key, stage=stage, version="v1")
    assert all(AWS_TAG_VALUE.fullmatch(tag["Value"]) and len(tag["Value"]) <= 256 for tag in tags)
    found = names.key_from_tags(tags)
    assert found is not None
    assert found[2] == "v1"
    assert found[0].product == names.tag_value(key.product)


def test_foreign_tags_are_not_ours():
    assert names.key_from_tags([]) is None
    assert names.key_from_tags([{"Key": "mojo:product", "Value": "x"}]) is None


@pytest.mark.parametrize(
    ("region", "partition"), [("us-east-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")]
)
def test_a_role_stands_in_its_regions_partition(region, partition):
    assert names.role_arn("r", region, "123456789012") == f"arn:{partition}:iam::123456789012:role/r"
