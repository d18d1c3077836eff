"""Sending a deployment: a failure takes back the earlier requests, unless the endpoint may need their result."""

import pytest
from plans import deployment_plan

from mojo_toolbox.clouds.aws.deployments import deployment_requests, send_deployment
from mojo_toolbox.clouds.aws.endpoints import Endpoint
from mojo_toolbox.errors import AWSError

MADE = ["create_model", "create_endpoint_config", "create_endpoint"]
TAKEN_BACK = ["delete_endpoint_config", "delete_model"]


class Cloud:
    """Takes every call, and fails in one of them."""

    def __init__(self, *, fails_in=None, failure=None):
        self.calls = []
        self._fails_in = fails_in
        self._failure = failure

    def call(self, service, operation, **parameters):
        self.calls.append(operation)
        if operation == self._fails_in:
            raise self._failure
        return {"EndpointArn": "arn:of-the-endpoint"}


def send(cloud, *, update=False):
    plan = deployment_plan()
    endpoint = Endpoint(cloud, plan.endpoint_name, version_base="base")
    send_deployment(cloud, deployment_requests(plan, update=update), endpoint)


@pytest.mark.parametrize(
    ("fails_in", "failure", "calls"),
    [
        ("create_endpoint", AWSError("refused"), [*MADE, *TAKEN_BACK]),
        ("create_endpoint_config", AWSError("refused"), [*MADE[:2], "delete_model"]),
        ("create_endpoint_config", KeyboardInterrupt(), [*MADE[:2], "delete_model"]),
        ("create_model", KeyboardInterrupt(), MADE[:1]),
        # Interrupted in the last request, which may have arrived.
        ("create_endpoint", KeyboardInterrupt(), MADE),
    ],
)
def test_what_was_made_before_a_failure_is_taken_back(fails_in, failure, calls):
    cloud = Cloud(fails_in=fails_in, failure=failure)
    with pytest.raises(type(failure)):
        send(cloud)
    assert cloud.calls == calls


def test_an_update_tags_the_endpoint_with_its_new_version():
    cloud = Cloud()
    send(cloud, update=True)
    assert cloud.calls == [*MADE[:2], "update_endpoint", "describe_endpoint", "add_tags"]
