"""An AWS account as moto plays it: requests go through boto3 whole and are answered in memory."""

import pytest

from mojo_toolbox.clouds.aws.session import Session
from mojo_toolbox.clouds.aws.storage import Storage
from mojo_toolbox.settings import Settings


@pytest.fixture
def session(tmp_path, monkeypatch):
    from moto import mock_aws

    monkeypatch.chdir(tmp_path)  # no `.env` of the checkout
    with mock_aws():
        yield Session(Settings(cloud_service="aws", region_name="us-east-1"))


@pytest.fixture
def storage(session):
    made = Storage(session, "mojo-toolbox-us-east-1-123456789012")
    made.ensure_bucket()
    return made
