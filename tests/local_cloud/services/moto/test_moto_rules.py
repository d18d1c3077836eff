"""Through boto3: what is made, named and deleted in moto's records follows AWS's rules, whatever moto itself would take."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from cloud_clients import Clients

_NUMBERS = itertools.count()
TRUST = json.dumps({
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ],
})  # fmt: skip
POLICY = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]})
TRACKING = {
    "TargetValue": 1.0,
    "PredefinedMetricSpecification": {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"},
}


def refused(call: Any, code: str, **parameters: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    assert caught.value.response["Error"]["Code"] == code, caught.value
    return caught.value.response["Error"]["Message"]


def new(name: str) -> str:
    return f"{name}-{next(_NUMBERS)}"


def target(endpoint: str, variant: str = "v") -> dict[str, str]:
    return {
        "ServiceNamespace": "sagemaker",
        "ResourceId": f"endpoint/{endpoint}/variant/{variant}",
        "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
    }


@pytest.fixture
def endpoint(clients: Clients) -> str:
    """An endpoint that need not serve: it has a variant."""
    sagemaker, name = clients("sagemaker"), new("scaled")
    role = "arn:aws:iam::123456789012:role/mojo-local"
    sagemaker.create_model(ModelName=name, PrimaryContainer={"Image": "image"}, ExecutionRoleArn=role)
    variant = {"VariantName": "v", "ModelName": name, "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])
    sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
    return name


@pytest.mark.parametrize(
    ("operation", "more"),
    [
        (
            "put_scaling_policy",
            {
                "PolicyName": "p",
                "PolicyType": "TargetTrackingScaling",
                "TargetTrackingScalingPolicyConfiguration": TRACKING,
            },
        ),
        ("put_scheduled_action", {"ScheduledActionName": "a", "Schedule": "garbage"}),
        ("delete_scaling_policy", {"PolicyName": "never"}),
        ("delete_scheduled_action", {"ScheduledActionName": "never"}),
        ("deregister_scalable_target", {}),
    ],
)
def test_nothing_is_scaled_that_was_never_registered(clients: Clients, endpoint, operation, more):
    scaling = clients("application-autoscaling")
    for name in ("nope", endpoint):
        refused(getattr(scaling, operation), "ObjectNotFoundException", **target(name), **more)


def test_a_registered_variant_takes_policies_that_say_something_and_no_schedule(clients: Clients, endpoint):
    scaling = clients("application-autoscaling")
    limits = {"MinCapacity": 3, "MaxCapacity": 2}
    refused(scaling.register_scalable_target, "ValidationException", **target(endpoint), **limits)
    scaling.register_scalable_target(**target(endpoint), MinCapacity=1, MaxCapacity=2)
    policy = {"PolicyName": "p", "PolicyType": "TargetTrackingScaling", **target(endpoint)}
    assert "needs Target" in refused(scaling.put_scaling_policy, "ValidationException", **policy)
    scaling.put_scaling_policy(**policy, TargetTrackingScalingPolicyConfiguration=TRACKING)
    for schedule in ("rate(1 hour)", "garbage"):
        action = {"ScheduledActionName": "a", "Schedule": schedule, **target(endpoint)}
        assert "would never run" in refused(scaling.put_scheduled_action, "ValidationException", **action)
    scaling.delete_scaling_policy(PolicyName="p", **target(endpoint))
    refused(scaling.delete_scaling_policy, "ObjectNotFoundException", PolicyName="p", **target(endpoint))


def test_a_policy_is_refused_once_the_endpoint_is_gone(clients: Clients, endpoint):
    scaling, sagemaker = clients("application-autoscaling"), clients("sagemaker")
    scaling.register_scalable_target(**target(endpoint), MinCapacity=1, MaxCapacity=2)
    with pytest.raises(Exception, match="terminal failure"):
        sagemaker.get_waiter("endpoint_in_service").wait(
            EndpointName=endpoint, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
        )
    sagemaker.delete_endpoint(EndpointName=endpoint)
    sagemaker.get_waiter("endpoint_deleted").wait(EndpointName=endpoint, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    refused(
        scaling.put_scaling_policy,
        "ObjectNotFoundException",
        PolicyName="p",
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration=TRACKING,
        **target(endpoint),
    )


def test_resources_of_other_services_are_not_scaled(clients: Clients):
    says = refused(
        clients("application-autoscaling").register_scalable_target,
        "ValidationException",
        ServiceNamespace="dynamodb",
        ResourceId="table/t",
        ScalableDimension="dynamodb:table:ReadCapacityUnits",
        MinCapacity=1,
        MaxCapacity=2,
    )
    assert "scales nothing of dynamodb" in says


@pytest.mark.parametrize(
    ("operation", "field", "more"),
    [
        ("create_role", "RoleName", {"AssumeRolePolicyDocument": TRUST}),
        ("create_user", "UserName", {}),
        ("create_group", "GroupName", {}),
        ("create_policy", "PolicyName", {"PolicyDocument": POLICY}),
        ("create_instance_profile", "InstanceProfileName", {}),
    ],
)
def test_iam_tells_no_names_apart_by_their_case(clients: Clients, operation, field, more):
    create, name = getattr(clients("iam"), operation), new("Name")
    create(**{field: name}, **more)
    for same in (name, name.lower(), name.upper()):
        refused(create, "EntityAlreadyExists", **{field: same}, **more)


def test_a_user_is_renamed_in_case_but_not_to_another_one(clients: Clients):
    iam, ann, bob = clients("iam"), new("ann"), new("bob")
    iam.create_user(UserName=ann)
    iam.create_user(UserName=bob)
    refused(iam.update_user, "EntityAlreadyExists", UserName=bob, NewUserName=ann.upper())
    iam.update_user(UserName=ann, NewUserName=ann.upper())
    assert iam.get_user(UserName=ann.upper())["User"]["UserName"] == ann.upper()


@pytest.mark.parametrize(
    "document",
    [
        "{}",
        "[]",
        "garbage",
        '{"Version": "2012-10-17", "Statement": []}',
        POLICY,
        TRUST.replace("sts:AssumeRole", "s3:GetObject"),
        TRUST.replace('"Principal": {"Service": "sagemaker.amazonaws.com"}, ', ""),
        TRUST.replace('{"Service": "sagemaker.amazonaws.com"}', '{"Nobody": "x"}'),
        TRUST.replace("Allow", "Perhaps"),
    ],
)
def test_a_role_needs_a_trust_policy(clients: Clients, document):
    iam, name = clients("iam"), new("role")
    refused(iam.create_role, "MalformedPolicyDocument", RoleName=name, AssumeRolePolicyDocument=document)
    refused(iam.get_role, "NoSuchEntity", RoleName=name)


def test_a_boundary_that_is_not_there_is_refused(clients: Clients):
    iam, name = clients("iam"), new("bound")
    boundary = {"PermissionsBoundary": "arn:aws:iam::123456789012:policy/never"}
    iam.create_user(UserName=name)
    refused(iam.put_user_permissions_boundary, "NoSuchEntity", UserName=name, **boundary)
    refused(iam.create_role, "NoSuchEntity", RoleName=name, AssumeRolePolicyDocument=TRUST, **boundary)


def test_what_moto_does_not_do_is_refused_by_its_name(clients: Clients):
    arn = "arn:aws:iam::123456789012:role/r"
    says = refused(
        clients("iam").simulate_principal_policy, "InvalidAction", PolicySourceArn=arn, ActionNames=["s3:GetObject"]
    )
    assert says == "The local cloud does not offer SimulatePrincipalPolicy."
    says = refused(clients("sagemaker").update_trial, "UnknownOperationException", TrialName="t")
    assert says == "The local cloud does not offer UpdateTrial."


@pytest.mark.parametrize(
    ("operation", "named"),
    [
        ("create_trial", {"TrialName": "t", "ExperimentName": "never"}),
        ("associate_trial_component", {"TrialName": "never", "TrialComponentName": "never"}),
        ("disassociate_trial_component", {"TrialName": "never", "TrialComponentName": "never"}),
        ("list_trials", {"ExperimentName": "never"}),
        ("list_trials", {"TrialComponentName": "never"}),
        ("list_trial_components", {"TrialName": "never"}),
        ("list_trial_components", {"ExperimentName": "never"}),
    ],
)
def test_what_a_request_names_has_to_be_there(clients: Clients, operation, named):
    assert "never does not exist" in refused(getattr(clients("sagemaker"), operation), "ResourceNotFound", **named)


def test_an_experiments_parts_are_made_once_and_taken_apart_in_order(clients: Clients):
    sagemaker, name = clients("sagemaker"), new("part")
    made = [
        (sagemaker.create_experiment, {"ExperimentName": name}),
        (sagemaker.create_trial, {"TrialName": name, "ExperimentName": name}),
        (sagemaker.create_trial_component, {"TrialComponentName": name}),
        (sagemaker.create_model_package_group, {"ModelPackageGroupName": name}),
    ]
    for create, names in made:
        create(**names)
        assert "must be unique" in refused(create, "ValidationException", **names)
    both = {"TrialName": name, "TrialComponentName": name}
    assert "not associated" in refused(sagemaker.disassociate_trial_component, "ResourceNotFound", **both)
    sagemaker.associate_trial_component(**both)
    refused(sagemaker.delete_experiment, "ValidationException", ExperimentName=name)
    refused(sagemaker.delete_trial, "ValidationException", TrialName=name)
    refused(sagemaker.delete_trial_component, "ValidationException", TrialComponentName=name)
    sagemaker.disassociate_trial_component(**both)
    sagemaker.delete_trial_component(TrialComponentName=name)
    sagemaker.delete_trial(TrialName=name)
    sagemaker.delete_experiment(ExperimentName=name)


@pytest.mark.parametrize(
    ("operation", "request_"),
    [
        (
            "create_pipeline",
            {
                "PipelineName": "p",
                "ClientRequestToken": "t" * 32,
                "RoleArn": "arn:aws:iam::123456789012:role/r",
                "PipelineDefinition": "garbage",
            },
        ),
        ("create_model_card", {"ModelCardName": "m", "Content": "garbage", "ModelCardStatus": "Draft"}),
    ],
)
def test_documents_are_read(clients: Clients, operation, request_):
    assert "JSON object" in refused(getattr(clients("sagemaker"), operation), "ValidationException", **request_)


def test_clients_of_every_region_see_the_same(clients: Clients):
    name, elsewhere = new("everywhere"), "eu-west-1"
    clients("sagemaker", region=elsewhere).create_model_package_group(ModelPackageGroupName=name)
    groups = clients("sagemaker").list_model_package_groups(NameContains=name)["ModelPackageGroupSummaryList"]
    assert [one["ModelPackageGroupArn"].split(":")[3] for one in groups] == ["us-east-1"]
    clients("sagemaker").create_experiment(ExperimentName=name)
    assert clients("sagemaker", region=elsewhere).describe_experiment(ExperimentName=name)["ExperimentName"] == name
    role = "arn:aws:iam::123456789012:role/mojo-local"
    clients("sagemaker", region=elsewhere).create_model(
        ModelName=name, PrimaryContainer={"Image": "image"}, ExecutionRoleArn=role
    )
    assert clients("sagemaker").describe_model(ModelName=name)["ModelName"] == name
    clients("s3", region=elsewhere).create_bucket(
        Bucket=name, CreateBucketConfiguration={"LocationConstraint": elsewhere}
    )
    clients("s3").put_object(Bucket=name, Key="k", Body=b"")
