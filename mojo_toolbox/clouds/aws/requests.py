"""Requests to SageMaker, built and checked before anything is sent. Pure."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from mojo_toolbox.clouds.aws.request_rules import broken_rules
from mojo_toolbox.errors import ConfigurationError

# The operations whose requests users may add to.
OPERATIONS = ("CreateTrainingJob", "CreateModel", "CreateEndpointConfig", "CreateEndpoint", "UpdateEndpoint")


@dataclass(frozen=True)
class Request:
    """One call to SageMaker: the operation's name as AWS writes it, and its parameters."""

    operation: str
    parameters: dict[str, Any]

    @property
    def method(self) -> str:
        """The operation's name as boto3 spells it."""
        return re.sub(r"(?<!^)(?=[A-Z])", "_", self.operation).lower()

    def __str__(self) -> str:
        return f"{self.operation} {json.dumps(self.parameters, indent=2, ensure_ascii=False)}"


Overrides = Mapping[str, Mapping[str, Any]]


def build(operation: str, parameters: Mapping[str, Any], overrides: Overrides | None) -> Request:
    """Merge the user's overrides into `parameters` and check the whole, as botocore does and as AWS will.

    Raises:
        ConfigurationError: an operation or a field that does not exist, or a value of the wrong type or out of range.
    """
    if overrides is not None and not isinstance(overrides, Mapping):
        raise ConfigurationError(
            'request_overrides must be a dictionary such as {"CreateTrainingJob": {"VpcConfig": {…}}}.'
        )
    for name, fields in (overrides or {}).items():
        if not isinstance(fields, Mapping):
            raise ConfigurationError(f"request_overrides[{name!r}] must be a dictionary of the request's fields.")
        if name not in OPERATIONS:
            near = difflib.get_close_matches(name, OPERATIONS, n=1)
            hint = f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(OPERATIONS)}."
            raise ConfigurationError(
                f"request_overrides names the operation {name!r}, which this does not send. {hint}"
            )
    merged = _merge(parameters, (overrides or {}).get(operation, {}))
    report = _validator().validate(merged, _input_shape(operation))
    if report.has_errors():
        problems = "; ".join(report.generate_report().splitlines())
        raise ConfigurationError(f"{operation} cannot be sent: {problems}")
    if broken := broken_rules(operation, merged, _input_shape(operation)):
        raise ConfigurationError(f"{operation} cannot be sent: {'; '.join(broken)}.")
    return Request(operation, merged)


def require_instance_type(instance_type: str, *, training: bool) -> str:
    """Return `instance_type` if SageMaker has it.

    Raises:
        ConfigurationError: it is none that the installed botocore knows. Near ones are named.
    """
    shape = "TrainingInstanceType" if training else "ProductionVariantInstanceType"
    known: Sequence[str] = _service_model().shape_for(shape).enum
    if instance_type not in known:
        near = difflib.get_close_matches(str(instance_type), known, n=3)
        hint = f"Near ones: {', '.join(near)}." if near else "An example: ml.g5.2xlarge."
        use = "training jobs" if training else "endpoints"
        raise ConfigurationError(
            f"SageMaker has no instance type {instance_type!r} for {use}. {hint} (A new one may need a newer boto3.)"
        )
    return instance_type


def _merge(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> dict[str, Any]:
    """Merge nested mappings. Where both name a value, the user's wins."""
    merged = dict(ours)
    for name, value in theirs.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(name), Mapping)
        merged[name] = _merge(merged[name], value) if both else value
    return merged


@cache
def _service_model() -> Any:
    from botocore.loaders import Loader
    from botocore.model import ServiceModel

    return ServiceModel(Loader().load_service_model("sagemaker", "service-2"), "sagemaker")


@cache
def _validator() -> Any:
    from botocore.validate import ParamValidator

    return ParamValidator()


def _input_shape(operation: str) -> Any:
    return _service_model().operation_model(operation).input_shape
