"""Deployments: the three requests behind an endpoint, and sending them so that nothing half made stays behind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mojo_toolbox.clouds.aws.endpoints import Endpoint
from mojo_toolbox.clouds.aws.requests import Overrides, Request, build
from mojo_toolbox.clouds.aws.session import Session
from mojo_toolbox.errors import AWSError

_VARIANT = "AllTraffic"


@dataclass(frozen=True)
class DeploymentPlan:
    """The facts of the three requests behind an endpoint."""

    endpoint_name: str
    version_name: str
    """The name of this version's model and of its endpoint configuration."""
    image_uri: str
    role_arn: str
    model_data_uri: str
    mounted: Mapping[str, str]
    """The `s3://` folders of base models by channel. The container reads other base models from Hugging Face's hub."""
    environment: Mapping[str, str]
    instance_type: str
    instance_count: int
    tags: list[dict[str, str]]


def deployment_requests(plan: DeploymentPlan, *, update: bool, overrides: Overrides | None = None) -> list[Request]:
    """Build and check the requests of a plan, in the order in which they are sent."""
    container: dict[str, Any] = {
        "Image": plan.image_uri,
        "ModelDataUrl": plan.model_data_uri,
        "Environment": dict(plan.environment),
    }
    if plan.mounted:
        container["AdditionalModelDataSources"] = [
            {
                "ChannelName": channel,
                "S3DataSource": {"S3DataType": "S3Prefix", "CompressionType": "None", "S3Uri": uri},
            }
            for channel, uri in plan.mounted.items()
        ]
    variant = {
        "VariantName": _VARIANT,
        "ModelName": plan.version_name,
        "InitialInstanceCount": plan.instance_count,
        "InstanceType": plan.instance_type,
    }
    last = "UpdateEndpoint" if update else "CreateEndpoint"
    endpoint = {"EndpointName": plan.endpoint_name, "EndpointConfigName": plan.version_name}
    tags = {"Tags": plan.tags}
    return [
        build(
            "CreateModel",
            {"ModelName": plan.version_name, "ExecutionRoleArn": plan.role_arn, "PrimaryContainer": container, **tags},
            overrides,
        ),
        build(
            "CreateEndpointConfig",
            {"EndpointConfigName": plan.version_name, "ProductionVariants": [variant], **tags},
            overrides,
        ),
        build(last, endpoint if update else {**endpoint, **tags}, overrides),
    ]


def send_deployment(session: Session, requests: list[Request], endpoint: Endpoint) -> None:
    """Send the requests of a deployment. When one is refused, take back the ones before it."""
    sent: list[Request] = []
    try:
        for request in requests:
            session.call("sagemaker", request.method, **request.parameters)
            sent.append(request)
    except BaseException as error:  # Ctrl-C too
        # Interrupted in the last request, which may have arrived: the endpoint may need its model and configuration.
        if isinstance(error, AWSError) or len(sent) < len(requests) - 1:
            for request in reversed(sent):
                endpoint.take_back(request)
        raise
    if requests[-1].operation == "UpdateEndpoint":
        arn = endpoint.describe()["EndpointArn"]
        session.call("sagemaker", "add_tags", ResourceArn=arn, Tags=requests[0].parameters["Tags"])
