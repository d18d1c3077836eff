"""Checks a request before it is executed: its members, the rules between them, and whether the local cloud supports it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mojo_toolbox.local_cloud.services.sagemaker.hosting.endpoint_rules import (
    check_deployment,
    check_endpoint_config,
    check_weights,
)
from mojo_toolbox.local_cloud.services.sagemaker.hosting.model_rules import check_model
from mojo_toolbox.local_cloud.services.sagemaker.resources.honoured_fields import FIELDS
from mojo_toolbox.local_cloud.services.sagemaker.resources.tag_rules import check_tags
from mojo_toolbox.local_cloud.services.sagemaker.training.training_rules import check_training_job
from mojo_toolbox.local_cloud.wire.fields import refuse_unhonoured
from mojo_toolbox.local_cloud.wire.validation import check_request

_RULES: Mapping[str, Callable[[Mapping[str, Any]], None]] = {
    "CreateTrainingJob": check_training_job,
    "CreateModel": check_model,
    "CreateEndpointConfig": check_endpoint_config,
    "CreateEndpoint": check_deployment,
    "UpdateEndpoint": check_deployment,
    "UpdateEndpointWeightsAndCapacities": check_weights,
}


def checked(operation: str, request: dict[str, Any]) -> dict[str, Any]:
    """Return a request that AWS would take and that is done here, without members that are null.

    Raises:
        ServiceError: AWS would refuse it, or the local cloud does not support it.
    """
    check_request("sagemaker", operation, request)
    given: dict[str, Any] = _without_nulls(request)
    check_tags(operation, given)
    if operation in _RULES:
        _RULES[operation](given)
    refuse_unhonoured(operation, given, FIELDS[operation])
    return given


def _without_nulls(value: Any) -> Any:
    """Leave out members that are null: AWS takes them for absent."""
    if isinstance(value, dict):
        return {name: _without_nulls(item) for name, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    return value
