"""The headers of an invocation: which SageMaker takes, which the container gets, and which ask for something unsupported."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from mojo_toolbox.local_cloud.services.sagemaker.resources.honoured_fields import FIELDS
from mojo_toolbox.local_cloud.services.sagemaker.resources.refusing import refused
from mojo_toolbox.local_cloud.wire.fields import refuse_unhonoured
from mojo_toolbox.local_cloud.wire.validation import check_request, service_shapes

# SageMaker strips every other header of a request.
_PASSED_ON = {
    "ContentType": "content-type",
    "Accept": "accept",
    "CustomAttributes": "x-amzn-sagemaker-custom-attributes",
    "InferenceId": "x-amzn-sagemaker-inference-id",
    "SessionId": "x-amzn-sagemaker-session-id",
}


@dataclass(frozen=True)
class Invocation:
    """An invocation's wishes, in addition to its body."""

    variant: str
    """The variant that is asked for. Empty where the weights choose."""
    session: str
    passed_on: Mapping[str, str]
    """The headers that the container gets."""


def read_invocation(operation: str, endpoint: str, headers: Mapping[str, str]) -> Invocation:
    """Read the headers of `InvokeEndpoint` or its sibling.

    Raises:
        ServiceError: SageMaker would refuse them, or the local cloud does not support them.
    """
    given = {name.lower(): value for name, value in headers.items()}
    asked = {member: given[header] for member, header in _headers(operation).items() if given.get(header)}
    # The body has been read by now, and its length is checked where it is sent on.
    check_request("sagemaker-runtime", operation, {"EndpointName": endpoint, "Body": "", **asked})
    if "TargetModel" in asked:
        raise refused(f"Endpoint {endpoint} is not a multi-model endpoint and does not support target model header.")
    if "TargetContainerHostname" in asked:
        raise refused(
            f"Endpoint {endpoint} is not a multi-container endpoint with direct invocation and does not support target "
            "container hostname header."
        )
    refuse_unhonoured(operation, asked, FIELDS[operation])
    passed = {header: asked[member] for member, header in _PASSED_ON.items() if member in asked}
    return Invocation(
        variant=asked.get("TargetVariant", ""),
        session=asked.get("SessionId", ""),
        passed_on={"content-type": "application/json", **passed},
    )


@cache
def _headers(operation: str) -> Mapping[str, str]:
    """Return the headers of an operation's request, in small letters, by their member's name."""
    model = service_shapes("sagemaker-runtime")
    members: Mapping[str, Any] = model["shapes"][model["operations"][operation]["input"]["shape"]]["members"]
    return {
        name: member["locationName"].lower() for name, member in members.items() if member.get("location") == "header"
    }
