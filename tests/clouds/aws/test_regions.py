"""Names of regions: misspelt ones are refused before anything is sent, new ones are tried."""

import logging

import pytest

from mojo_toolbox import AWSModel, Hub
from mojo_toolbox.clouds.aws.regions import require_region
from mojo_toolbox.errors import ConfigurationError, PredictionError

KEY = {"product": "a", "task": "b", "model_id": "c"}


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("us-est-1", "us-east-1"),
        ("eu-wst-1", "eu-west-1"),
        ("eu-west1", "eu-west-1"),
        ("EU-WEST-1", "eu-west-1"),
        (" eu-west-1", "eu-west-1"),
        ("eu-west-1a", "eu-west-1"),
        ("us-gov-est-1", "us-gov-east-1"),
        ("ireland", "like eu-west-1"),
    ],
)
def test_a_misspelt_region_is_refused_with_the_nearest(name, near):
    with pytest.raises(ConfigurationError, match=f"There is no AWS region '{name}'") as caught:
        require_region(name)
    assert near in str(caught.value)


@pytest.mark.parametrize("name", ["eu-west-1", "us-gov-west-1", "cn-northwest-1", "eusc-de-east-1", "me-central-1"])
def test_known_regions_pass_in_silence(name, caplog):
    require_region.cache_clear()
    require_region(name)
    assert caplog.messages == []


def test_a_region_that_boto3_does_not_know_yet_is_warned_of_once_and_tried(caplog):
    require_region.cache_clear()
    with caplog.at_level(logging.WARNING):
        require_region("eu-north-7")
        require_region("eu-north-7")
    (said,) = caplog.messages
    assert "'eu-north-7' is not known" in said
    assert "eu-north-1" in said


def test_every_door_refuses_a_misspelt_region(monkeypatch):
    hub = Hub(cloud_service="aws", region_name="us-est-1", role="r")
    with pytest.raises(ConfigurationError, match="us-east-1"):
        hub.jobs()
    with pytest.raises(PredictionError, match="us-east-1"):
        AWSModel(**KEY, region_name="us-est-1").predict([{"role": "user", "content": "hi"}])
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-est-1")
    with pytest.raises(ConfigurationError, match="us-east-1"):
        Hub(cloud_service="aws", role="r").endpoints()


def test_the_local_cloud_takes_any_region(local_home):
    assert isinstance(Hub(cloud_service="local", region_name="moon-base-1", home=local_home).endpoints(), list)


def test_without_a_region_or_credentials_the_local_cloud_is_named(monkeypatch):
    with pytest.raises(ConfigurationError, match='without an account: cloud_service="local"'):
        Hub(cloud_service="aws", role="r").jobs()
