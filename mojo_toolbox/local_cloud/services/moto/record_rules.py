"""AWS's rules between a request and the existing records, of which moto checks few."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

from mojo_toolbox.local_cloud.services.sagemaker.resources.refusing import refused
from mojo_toolbox.local_cloud.state.account import ACCOUNT_ID, REGION
from mojo_toolbox.local_cloud.wire.protocol import ServiceError

# For each operation that names something new in IAM: the field, the noun, and the field of the name so far.
_IAM_NAMES = {
    "CreateRole": ("RoleName", "Role", ""),
    "CreateUser": ("UserName", "User", ""),
    "CreateGroup": ("GroupName", "Group", ""),
    "CreatePolicy": ("PolicyName", "Policy", ""),
    "CreateInstanceProfile": ("InstanceProfileName", "Instance Profile", ""),
    "UpdateUser": ("NewUserName", "User", "UserName"),
    "UpdateGroup": ("NewGroupName", "Group", "GroupName"),
}
_PRINCIPALS = {"AWS", "CanonicalUser", "Federated", "Service"}
_TRIAL = ("TrialName", "trials", "Trial")
_COMPONENT = ("TrialComponentName", "trial_components", "Trial component")
_EXPERIMENT = ("ExperimentName", "experiments", "Experiment")
# A record that a request names must exist: the field, moto's collection, the noun.
_NAMED = {
    "CreateTrial": (_EXPERIMENT,),
    "AssociateTrialComponent": (_TRIAL, _COMPONENT),
    "DisassociateTrialComponent": (_TRIAL, _COMPONENT),
    "ListTrials": (_EXPERIMENT, _COMPONENT),
    "ListTrialComponents": (_EXPERIMENT, _TRIAL),
}
# A record that a request makes may not exist: moto would replace it.
_MADE = {
    "CreateExperiment": _EXPERIMENT,
    "CreateTrial": _TRIAL,
    "CreateTrialComponent": _COMPONENT,
    "CreateModelPackageGroup": ("ModelPackageGroupName", "model_package_groups", "Model Package Group"),
}
_DOCUMENTS = {
    "CreatePipeline": "PipelineDefinition",
    "UpdatePipeline": "PipelineDefinition",
    "CreateModelCard": "Content",
    "UpdateModelCard": "Content",
}
_OF_TARGETS = ("DeregisterScalableTarget", "PutScalingPolicy", "PutScheduledAction")


def check_against_records(service: str, operation: str, request: Mapping[str, Any]) -> None:
    """Refuse requests that AWS would refuse because of records that exist, or do not.

    Raises:
        ServiceError: with AWS's code.
    """
    if service == "iam":
        _check_iam(operation, request)
    elif service == "sagemaker":
        _check_sagemaker(operation, request)
    else:
        _check_scaling(operation, request)


def _check_iam(operation: str, request: Mapping[str, Any]) -> None:
    from moto.iam.models import iam_backends

    backend: Any = iam_backends[ACCOUNT_ID]["aws"]
    if operation in _IAM_NAMES:
        field, noun, before = _IAM_NAMES[operation]
        _check_new_name(backend, noun, request.get(field), request.get(before))
    if operation == "CreateRole":
        _check_trust(request["AssumeRolePolicyDocument"])
    boundary = request.get("PermissionsBoundary")
    if boundary and boundary not in backend.managed_policies:
        raise ServiceError("NoSuchEntity", f"Policy {boundary} does not exist or is not attachable.", 404)


def _check_new_name(backend: Any, noun: str, name: str | None, before: str | None) -> None:
    """Refuse a name that is taken: IAM tells names not apart by their case."""
    taken = {
        "Role": [role.name for role in backend.roles.values()],
        "User": list(backend.users),
        "Group": list(backend.groups),
        "Policy": [one.name for one in backend.managed_policies.values() if one.arn.split(":")[4] == ACCOUNT_ID],
        "Instance Profile": [profile.name for profile in backend.instance_profiles.values()],
    }[noun]
    if name is not None and _is_among(name, [one for one in taken if one != before]):
        raise ServiceError("EntityAlreadyExists", f"{noun} with name {name} already exists.", 409)


def _check_trust(document: str) -> None:
    """Refuse a document that could not say who takes on a role. moto checks it at its update alone."""
    from moto.iam.exceptions import MalformedPolicyDocument
    from moto.iam.policy_validation import IAMTrustPolicyDocumentValidator

    try:
        IAMTrustPolicyDocumentValidator(document).validate()
    except (MalformedPolicyDocument, RecursionError) as error:
        raise _malformed_policy(str(getattr(error, "message", error))) from error
    statements = json.loads(document)["Statement"]
    for statement in statements if isinstance(statements, list) else [statements]:
        principal = statement.get("Principal")
        if principal is None:
            raise _malformed_policy("Missing required field Principal")
        if principal != "*" and not (isinstance(principal, dict) and principal and set(principal) <= _PRINCIPALS):
            raise _malformed_policy("Invalid principal in policy")


def _malformed_policy(reason: str) -> ServiceError:
    return ServiceError("MalformedPolicyDocument", reason)


def _check_sagemaker(operation: str, request: Mapping[str, Any]) -> None:
    from moto.sagemaker.models import sagemaker_backends

    backend: Any = sagemaker_backends[ACCOUNT_ID][REGION]
    for field, collection, noun in _NAMED.get(operation, ()):
        if request.get(field) and request[field] not in getattr(backend, collection):
            raise ServiceError("ResourceNotFound", f"{noun} {request[field]} does not exist.")
    if operation in _MADE:
        field, collection, noun = _MADE[operation]
        if _is_among(request[field], getattr(backend, collection)):
            raise refused(f"{noun} names must be unique within an AWS account and region: {request[field]} exists.")
    if operation == "DisassociateTrialComponent":
        trial, component = request["TrialName"], request["TrialComponentName"]
        if component not in backend.trials[trial].trial_components:
            raise ServiceError("ResourceNotFound", f"Trial component {component} is not associated with trial {trial}.")
    if operation in _DOCUMENTS and _DOCUMENTS[operation] in request:
        _check_document(_DOCUMENTS[operation], request[_DOCUMENTS[operation]])
    _check_unused(backend, operation, request)


def _check_document(field: str, text: str) -> None:
    try:
        readable = isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        readable = False
    if not readable:
        raise refused(f"{field} must be a JSON object.")


def _check_unused(backend: Any, operation: str, request: Mapping[str, Any]) -> None:
    """Refuse to delete a record that another one of the same experiment still needs."""
    trials = backend.trials.values()
    used: Mapping[str, tuple[str, list[str], str]] = {
        "DeleteExperiment": (
            "ExperimentName",
            [one.experiment_name for one in trials],
            "Delete its trials first.",
        ),
        "DeleteTrial": (
            "TrialName",
            [one.trial_name for one in trials if one.trial_components],
            "Disassociate its trial components first.",
        ),
        "DeleteTrialComponent": (
            "TrialComponentName",
            [component for one in trials for component in one.trial_components],
            "Disassociate it from its trials first.",
        ),
    }
    field, names, advice = used.get(operation, ("", [], ""))
    if request.get(field) in names:
        raise refused(f"{request[field]} is in use. {advice}")


def _check_scaling(operation: str, request: Mapping[str, Any]) -> None:
    from moto.applicationautoscaling.models import applicationautoscaling_backends

    backend: Any = applicationautoscaling_backends[ACCOUNT_ID][REGION]
    of_what = (
        f"service namespace: {request.get('ServiceNamespace')}, resource ID: {request.get('ResourceId')}, "
        f"scalable dimension: {request.get('ScalableDimension')}"
    )
    registered = backend.targets.get(request.get("ScalableDimension"), {})
    if operation in _OF_TARGETS and request["ResourceId"] not in registered:
        raise _nothing_to_scale(f"No scalable target registered for {of_what}")
    if operation == "DeleteScheduledAction":
        raise _nothing_to_scale(f"No scheduled action found for {of_what}")
    if operation == "PutScheduledAction":
        raise refused("The local cloud does not offer PutScheduledAction: nothing scales here, so it would never run.")
    if operation == "PutScalingPolicy":
        _check_policy(backend, request)
    if operation == "DeleteScalingPolicy" and not _policies(backend, request):
        raise _nothing_to_scale(f"No scaling policy found for {of_what}")
    if operation == "RegisterScalableTarget":
        least, most = request.get("MinCapacity"), request.get("MaxCapacity")
        if least is not None and most is not None and least > most:
            raise refused("Maximum capacity cannot be less than minimum capacity")


def _check_policy(backend: Any, request: Mapping[str, Any]) -> None:
    """Refuse a new policy without its kind's configuration."""
    kind = request.get("PolicyType", "StepScaling")
    if kind not in ("StepScaling", "TargetTrackingScaling"):
        raise refused(f"The policy type {kind} does not scale variants of endpoints.")
    if not _policies(backend, request) and f"{kind}PolicyConfiguration" not in request:
        raise refused(f"A policy of the type {kind} needs {kind}PolicyConfiguration.")


def _policies(backend: Any, request: Mapping[str, Any]) -> list[Any]:
    names = ("ServiceNamespace", "ResourceId", "ScalableDimension", "PolicyName")
    wanted = tuple(request.get(name) for name in names)
    return [
        one
        for one in backend.policies.values()
        if (one.service_namespace, one.resource_id, one.scalable_dimension, one.policy_name) == wanted
    ]


def _nothing_to_scale(message: str) -> ServiceError:
    return ServiceError("ObjectNotFoundException", message)


def _is_among(name: str, taken: Collection[str]) -> bool:
    return name.casefold() in {one.casefold() for one in taken}
