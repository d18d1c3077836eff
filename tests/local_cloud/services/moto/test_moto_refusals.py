"""Through boto3: what the local cloud does not do is refused in one line, also where moto would have an answer."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from botocore.exceptions import ClientError
from cloud_clients import Clients

ROLE = "arn:aws:iam::123456789012:role/mojo-local"
_NUMBERS = itertools.count()


def refused(call: Any, **parameters: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    error = caught.value.response["Error"]
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] in (400, 404)
    assert "\n" not in error["Message"]
    return f"{error['Code']}: {error['Message']}"


def test_an_asynchronous_invocation_of_an_endpoint_that_never_was_is_refused(clients: Clients):
    message = refused(
        clients("sagemaker-runtime").invoke_endpoint_async, EndpointName="never", InputLocation="s3://bucket/x"
    )
    assert message == "ValidationError: Endpoint never of account 123456789012 not found."


@pytest.mark.parametrize("resource", ["TrainingJob", "Endpoint", "Model", "FeatureGroup", "HyperParameterTuningJob"])
def test_a_search_for_what_moto_knows_nothing_of_is_refused(clients: Clients, resource):
    assert f"does not search for {resource}" in refused(clients("sagemaker").search, Resource=resource)


def test_a_search_that_moto_answers_truly_is_answered(clients: Clients):
    sagemaker = clients("sagemaker")
    name = f"group-{next(_NUMBERS)}"
    sagemaker.create_model_package_group(ModelPackageGroupName=name)
    by_name = {"Filters": [{"Name": "ModelPackageGroupName", "Operator": "Equals", "Value": name}]}
    found = sagemaker.search(Resource="ModelPackageGroup", SearchExpression=by_name)["Results"]
    assert [row["ModelPackageGroup"]["ModelPackageGroupName"] for row in found] == [name]
    by_time = {"Filters": [{"Name": "CreationTime", "Operator": "GreaterThan", "Value": "2020-01-01T00:00:00Z"}]}
    says = refused(sagemaker.search, Resource="ModelPackageGroup", SearchExpression=by_time)
    assert "does not offer Search's filter operator GreaterThan" in says
    assert "Search's SortBy" in refused(sagemaker.search, Resource="ModelPackageGroup", SortBy="CreationTime")


@pytest.mark.parametrize(
    ("operation", "parameters"),
    [
        ("create_domain", {"DomainName": "d", "AuthMode": "IAM", "DefaultUserSettings": {}}),
        ("create_feature_group", {
            "FeatureGroupName": "f",
            "RecordIdentifierFeatureName": "a",
            "EventTimeFeatureName": "b",
            "FeatureDefinitions": [{"FeatureName": "a", "FeatureType": "String"}],
        }),
        ("create_transform_job", {
            "TransformJobName": "t",
            "ModelName": "m",
            "TransformInput": {"DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://b/x"}}},
            "TransformOutput": {"S3OutputPath": "s3://b/x"},
            "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
        }),
        ("create_inference_component", {"InferenceComponentName": "c", "EndpointName": "e"}),
        ("create_mlflow_app", {"Name": "x", "ArtifactStoreUri": "s3://b/x", "RoleArn": ROLE}),
        ("start_pipeline_execution", {"PipelineName": "p", "ClientRequestToken": "t" * 32}),
        ("update_training_job", {"TrainingJobName": "x"}),
        ("list_inference_components", {}),
    ],
)  # fmt: skip
def test_operations_that_would_have_to_be_executed_are_refused(clients: Clients, operation, parameters):
    says = refused(getattr(clients("sagemaker"), operation), **parameters)
    assert "The local cloud does not" in says


def test_data_services_of_sagemaker_are_refused(clients: Clients):
    store = clients("sagemaker-featurestore-runtime")
    says = refused(store.get_record, FeatureGroupName="f", RecordIdentifierValueAsString="1")
    assert says.startswith("UnknownOperationException: The local cloud does not offer ")


def test_what_moto_remembers_follows_sagemakers_rules(clients: Clients):
    sagemaker = clients("sagemaker")
    tag = {"Key": "team", "Value": "v"}
    create = sagemaker.create_model_package_group
    assert "given more than once" in refused(create, ModelPackageGroupName="g", Tags=[tag, tag])
    assert "regular expression pattern" in refused(create, ModelPackageGroupName="not_a_name")


def test_only_variants_that_are_there_can_be_scaled(clients: Clients):
    scaling = clients("application-autoscaling")
    for resource, dimension in (
        ("endpoint/never/variant/v", "sagemaker:variant:DesiredInstanceCount"),
        ("inference-component/never", "sagemaker:inference-component:DesiredCopyCount"),
    ):
        says = refused(
            scaling.register_scalable_target,
            ServiceNamespace="sagemaker",
            ResourceId=resource,
            ScalableDimension=dimension,
            MinCapacity=1,
            MaxCapacity=2,
        )
        assert f"has no {resource} that could be scaled" in says
