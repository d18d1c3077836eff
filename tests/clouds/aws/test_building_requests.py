"""Requests are built and checked before anything is sent."""

import json
import re

import pytest
from plans import BUCKET, deployment_plan, training_plan

from mojo_toolbox.clouds.aws.container_paths import BASE_MODEL_CHANNEL
from mojo_toolbox.clouds.aws.deployments import deployment_requests
from mojo_toolbox.clouds.aws.jobs import training_job_request
from mojo_toolbox.clouds.aws.metric_definitions import METRIC_DEFINITIONS
from mojo_toolbox.clouds.aws.requests import OPERATIONS, Request, build, require_instance_type
from mojo_toolbox.errors import ConfigurationError


def test_a_training_job_runs_our_script_in_script_mode():
    request = training_job_request(training_plan())
    given = {name: json.loads(value) for name, value in request.parameters["HyperParameters"].items()}
    assert given["sagemaker_program"] == "train_qlora.py"
    assert given["sagemaker_submit_directory"] == f"{BUCKET}/sourcedir.tar.gz"
    # JSON keeps the types, since SageMaker carries strings only.
    assert (given["learning_rate"], given["load_in_4bit"], given["target_modules"]) == (2e-4, True, "all-linear")
    assert all(isinstance(value, str) for value in request.parameters["HyperParameters"].values())


def test_a_training_job_keeps_checkpoints_where_the_script_writes_them():
    parameters = training_job_request(training_plan()).parameters
    assert parameters["CheckpointConfig"]["LocalPath"] == parameters["Environment"]["SM_CHECKPOINT_DIR"]
    assert parameters["Environment"]["MOJO_GIT_COMMIT"] == "abc"
    assert [c["ChannelName"] for c in parameters["InputDataConfig"]] == ["train", "validation"]
    assert parameters["AlgorithmSpecification"]["MetricDefinitions"] == METRIC_DEFINITIONS


def test_metric_definitions_are_ones_that_aws_takes():
    # Limits of CreateTrainingJob: 40 definitions, regexes of 500 characters, names of 255.
    assert 0 < len(METRIC_DEFINITIONS) <= 40
    for definition in METRIC_DEFINITIONS:
        assert len(definition["Regex"]) <= 500
        assert re.compile(definition["Regex"]).groups == 1


def test_a_deployment_is_a_model_a_configuration_and_an_endpoint():
    requests = deployment_requests(deployment_plan(), update=False)
    assert [r.method for r in requests] == ["create_model", "create_endpoint_config", "create_endpoint"]
    model, config, endpoint = (r.parameters for r in requests)
    assert config["ProductionVariants"][0]["ModelName"] == model["ModelName"] == endpoint["EndpointConfigName"]
    assert all(r.parameters["Tags"] for r in requests)
    assert "AdditionalModelDataSources" not in model["PrimaryContainer"]


def test_an_update_changes_the_endpoint_that_is_there():
    *_, last = deployment_requests(deployment_plan(), update=True)
    assert last.operation == "UpdateEndpoint"
    assert set(last.parameters) == {"EndpointName", "EndpointConfigName"}


def test_a_base_model_in_s3_is_mounted_where_the_container_looks():
    plan = deployment_plan(mounted={BASE_MODEL_CHANNEL: f"{BUCKET}/base/"})
    container = deployment_requests(plan, update=False)[0].parameters["PrimaryContainer"]
    (source,) = container["AdditionalModelDataSources"]
    assert source["ChannelName"] == BASE_MODEL_CHANNEL
    assert source["S3DataSource"]["S3Uri"] == f"{BUCKET}/base/"


def test_overrides_are_merged_into_what_we_say():
    overrides = {
        "CreateEndpointConfig": {"KmsKeyId": "key"},
        "CreateModel": {"EnableNetworkIsolation": True, "PrimaryContainer": {"Environment": {"A": "b"}}},
        "UpdateEndpoint": {"RetainAllVariantProperties": True},
    }
    model, config, endpoint = (
        r.parameters for r in deployment_requests(deployment_plan(), update=False, overrides=overrides)
    )
    assert config["KmsKeyId"] == "key"
    assert model["EnableNetworkIsolation"] is True
    assert model["PrimaryContainer"]["Environment"] == {"MOJO_BASE_MODEL": "owner/base", "A": "b"}
    assert model["PrimaryContainer"]["Image"]
    assert "RetainAllVariantProperties" not in endpoint


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        ({"CreateTrainingJobs": {}}, "Did you mean 'CreateTrainingJob'"),
        ({"Zzz": {}}, "Known: CreateTrainingJob"),
        ({"CreateTrainingJob": {"Vpc": {}}}, 'Unknown parameter in input: "Vpc"'),
        ({"CreateTrainingJob": {"ResourceConfig": {"VolumeSizeInGB": "many"}}}, "VolumeSizeInGB"),
        ({"CreateTrainingJob": {"TrainingJobName": None}}, "TrainingJobName"),
    ],
)
def test_a_wrong_override_is_named_before_anything_is_sent(overrides, words):
    with pytest.raises(ConfigurationError, match=re.escape(words)):
        training_job_request(training_plan(), overrides)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"StoppingCondition": {"MaxRuntimeInSeconds": 2419201}}, "MaxRuntimeInSeconds 2419201 is too long"),
        ({"StoppingCondition": {"MaxPendingTimeInSeconds": 2419201}}, "is too high, and AWS takes at most 2419200"),
        ({"StoppingCondition": {"MaxWaitTimeInSeconds": 3600}}, "is for managed spot training"),
        (
            {"EnableManagedSpotTraining": True, "StoppingCondition": {"MaxWaitTimeInSeconds": 3599}},
            "MaxWaitTimeInSeconds must be at least MaxRuntimeInSeconds (3600)",
        ),
        ({"ResourceConfig": {"KeepAlivePeriodInSeconds": 21601}}, "at most 21600"),
        (
            {"ResourceConfig": {"InstanceType": "ml.g5.2xlage"}},
            "ResourceConfig.InstanceType 'ml.g5.2xlage' is not one of",
        ),
        ({"AlgorithmSpecification": {"TrainingInputMode": "file"}}, "such as File"),
        ({"AlgorithmSpecification": {"TrainingImage": "Upper/Case"}}, "'Upper/Case' is not an image"),
        ({"VpcConfig": {"SecurityGroupIds": ["sg 1"], "Subnets": ["s"]}}, "VpcConfig.SecurityGroupIds[0] 'sg 1'"),
        ({"VpcConfig": {"SecurityGroupIds": ["sg"] * 6, "Subnets": ["s"]}}, "has 6 entries, and AWS takes 5"),
        ({"RoleArn": "arn:aws:iam::1:role/longer-than-twenty"}, "RoleArn 'arn:aws:iam::1:role/longer-than-twenty'"),
        ({"Tags": [{"Key": "a*b", "Value": "c"}]}, "Tags[0].Key 'a*b'"),
        ({"Tags": [{"Key": "a", "Value": "b"}, {"Key": "a", "Value": "c"}]}, "Tags has the key 'a' twice"),
        ({"Tags": [{"Key": "aws:a", "Value": "b"}]}, "AWS keeps keys that begin with 'aws:' for itself"),
        (
            {"VpcConfig": {"SecurityGroupIds": [], "Subnets": []}},
            "min length: 1; Invalid length for parameter VpcConfig",
        ),
        ({"HyperParameters": {"x": "y" * 2501}}, "HyperParameters.x has 2501 characters, and AWS takes 2500"),
        ({"HyperParameters": {f"x{n}": "y" for n in range(101)}}, "entries, and AWS takes 100"),
        ({"OutputDataConfig": {"S3OutputPath": "/tmp/here"}}, "OutputDataConfig.S3OutputPath '/tmp/here'"),
        ({"TrainingJobName": "under_score"}, "TrainingJobName 'under_score'"),
    ],
)
def test_what_aws_would_refuse_is_said_before_anything_is_sent(fields, words):
    with pytest.raises(ConfigurationError, match=re.escape(words)) as caught:
        training_job_request(training_plan(), {"CreateTrainingJob": fields})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("operation", "fields", "words"),
    [
        ("CreateEndpointConfig", {"VariantName": "a_b"}, "VariantName 'a_b' does not match"),
        ("CreateEndpointConfig", {"InitialVariantWeight": float("nan")}, "InitialVariantWeight nan is not a number"),
        ("CreateEndpointConfig", {"VolumeSizeInGB": 513}, "VolumeSizeInGB 513 is too high, and AWS takes at most 512"),
        ("CreateEndpointConfig", {"ContainerStartupHealthCheckTimeoutInSeconds": 3601}, "at most 3600"),
    ],
)
def test_what_aws_would_refuse_of_a_variant_is_said(operation, fields, words):
    variant = {"VariantName": "v", "ModelName": "m", "InitialInstanceCount": 1, "InstanceType": "ml.m5.large", **fields}
    with pytest.raises(ConfigurationError, match=re.escape(words)):
        build(operation, {"EndpointConfigName": "c", "ProductionVariants": [variant]}, None)


@pytest.mark.parametrize(
    "fields",
    [
        {"StoppingCondition": {"MaxRuntimeInSeconds": 2419200}},
        {"EnableManagedSpotTraining": True, "StoppingCondition": {"MaxWaitTimeInSeconds": 3600}},
        {"AlgorithmSpecification": {"TrainingImage": "image"}},
        {"AlgorithmSpecification": {"TrainingImage": f"localhost:5000/a/b_c:v1.2@sha256:{'0' * 64}"}},
        {"Tags": [{"Key": "Größe 日本", "Value": "a b_.:/=+-@"}]},
        {"RoleArn": "arn:aws:iam::<account>:role/mojo"},
        {"RoleArn": "arn:aws-us-gov:iam::123456789012:role/path/mojo"},
    ],
)
def test_what_aws_takes_is_taken(fields):
    assert training_job_request(training_plan(), {"CreateTrainingJob": fields})


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_request_without_its_required_fields_is_refused(operation):
    with pytest.raises(ConfigurationError, match="Missing required parameter"):
        build(operation, {}, None)


def test_a_request_can_be_read():
    request = Request("CreateEndpointConfig", {"EndpointConfigName": "größe"})
    assert request.method == "create_endpoint_config"
    assert str(request).startswith("CreateEndpointConfig {")
    assert "größe" in str(request)


def test_an_instance_type_that_does_not_exist_is_refused_with_near_ones():
    assert require_instance_type("ml.g5.2xlarge", training=True) == "ml.g5.2xlarge"
    for training in (True, False):
        with pytest.raises(ConfigurationError, match=r"Near ones: .*ml\.g5\.2xlarge"):
            require_instance_type("ml.g5.2xlage", training=training)
    with pytest.raises(ConfigurationError, match="An example"):
        require_instance_type("zzzzzzzz", training=False)
