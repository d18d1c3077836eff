"""What AWS refuses because of several fields together is refused here too, before anything is made."""

from __future__ import annotations

import re

import pytest

from mojo_toolbox.local_cloud.wire.protocol import ServiceError

ECHO = "def predict_fn(data, model):\n    return data\n"
SPOT = {"EnableManagedSpotTraining": True}
CHANNEL = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://bucket/x"}}
ALGORITHM = {"TrainingImage": "image", "TrainingInputMode": "File"}
RESOURCES = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 5}


def channel(name: str = "train", **more):
    return {"ChannelName": name, "DataSource": CHANNEL, **more}


def s3(**more):
    return {"S3DataSource": {**CHANNEL["S3DataSource"], **more}}


def tags(*keys: str):
    return [{"Key": key, "Value": "v"} for key in keys]


def refusal_of(call, **request) -> str:
    with pytest.raises(ServiceError) as caught:
        call(**request)
    assert caught.value.code == "ValidationException"
    assert "\n" not in caught.value.message
    return caught.value.message


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (SPOT, "Invalid MaxWaitTimeInSeconds. It must be present"),
        (
            SPOT | {"StoppingCondition": {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 59}},
            "greater than or equal to MaxRuntimeInSeconds (60)",
        ),
        # The default of MaxRuntimeInSeconds is a day.
        (SPOT | {"StoppingCondition": {"MaxWaitTimeInSeconds": 3600}}, "MaxRuntimeInSeconds (86400)"),
        (
            {"StoppingCondition": {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 60}},
            "only supported when EnableManagedSpotTraining is set to true",
        ),
        ({"StoppingCondition": {"MaxRuntimeInSeconds": 28 * 86400 + 1}}, "at most 2419200 (28 days)"),
        ({"Tags": tags("team", "team")}, "'team' is given more than once"),
        ({"Tags": tags("aws:team")}, "System prefix 'aws:' reserved for AWS usage in tag key: aws:team"),
        ({"Tags": tags("AWS:team")}, "System prefix 'aws:' reserved"),
        ({"Tags": tags(*(f"k{n}" for n in range(51)))}, "Member must have length less than or equal to 50"),
        ({"Tags": tags("a,b")}, "'a,b' at 'tags.1.member.key' failed to satisfy constraint"),
        ({"Tags": [{"Key": "k", "Value": "🙂"}]}, "at 'tags.1.member.value' failed to satisfy constraint"),
        (
            {"AlgorithmSpecification": {**ALGORITHM, "AlgorithmName": "mine"}},
            "exactly one of TrainingImage, AlgorithmName; it has TrainingImage and AlgorithmName",
        ),
        ({"AlgorithmSpecification": {"TrainingInputMode": "File"}}, "it has none"),
        ({"AlgorithmSpecification": {"TrainingInputMode": "File", "AlgorithmName": "mine"}}, "no algorithm resources"),
        ({"AlgorithmSpecification": None}, "AlgorithmSpecification needs exactly one of TrainingImage"),
        ({"AlgorithmSpecification": {**ALGORITHM, "TrainingImage": "My Image"}}, "Invalid training image."),
        ({"AlgorithmSpecification": {**ALGORITHM, "TrainingImage": "https://x.y/z"}}, "Invalid training image."),
        (
            {"AlgorithmSpecification": {**ALGORITHM, "MetricDefinitions": [{"Name": "a", "Regex": "(b)"}] * 2}},
            "MetricDefinitions must be unique: 'a'",
        ),
        (
            {"AlgorithmSpecification": {**ALGORITHM, "EnableSageMakerMetricsTimeSeries": True}},
            "EnableSageMakerMetricsTimeSeries: it keeps each metric's last value",
        ),
        ({"ResourceConfig": None}, "ResourceConfig needs exactly one of InstanceType"),
        ({"ResourceConfig": {"VolumeSizeInGB": 5}}, "ResourceConfig needs exactly one of InstanceType"),
        ({"ResourceConfig": {**RESOURCES, "InstanceCount": 0}}, "InstanceCount must be at least 1"),
        (
            {
                "ResourceConfig": {
                    **RESOURCES,
                    "InstanceGroups": [{"InstanceType": "ml.m5.large", "InstanceCount": 1, "InstanceGroupName": "g"}],
                }
            },
            "it has InstanceType and InstanceGroups",
        ),
        (
            {
                "ResourceConfig": {
                    "InstanceGroups": [{"InstanceType": "ml.m5.large", "InstanceCount": 1, "InstanceGroupName": "g"}]
                }
            },
            "InstanceGroups: it runs a training job on one instance",
        ),
        ({"ResourceConfig": {**RESOURCES, "KeepAlivePeriodInSeconds": 60}}, "takes 0 for .* not 60: it has no warm"),
        (
            {"ResourceConfig": {**RESOURCES, "InstanceType": "ml.g5.xlarge", "VolumeKmsKeyId": "alias/k"}},
            "VolumeKmsKeyId cannot be requested for ml.g5.xlarge",
        ),
        ({"InputDataConfig": [channel(), channel()]}, "Channel names must be unique: 'train'"),
        ({"InputDataConfig": [channel(DataSource={})]}, "exactly one of S3DataSource"),
        ({"InputDataConfig": [channel(InputMode="Pipe")]}, "takes File or FastFile for .* not Pipe"),
        ({"InputDataConfig": [channel(CompressionType="Gzip")]}, "takes None for .* not Gzip: .*Pipe mode"),
        ({"InputDataConfig": [channel(RecordWrapperType="RecordIO")]}, "takes None for .* not RecordIO: .*Pipe mode"),
        ({"InputDataConfig": [channel(ShuffleConfig={"Seed": 0})]}, "does not offer .*ShuffleConfig"),
        ({"InputDataConfig": [channel(DataSource=s3(S3DataType="Converse"))]}, "not Converse"),
        (
            {"InputDataConfig": [channel(DataSource=s3(S3DataType="AugmentedManifestFile"))]},
            "AttributeNames and the S3DataType AugmentedManifestFile need each other",
        ),
        ({"InputDataConfig": [channel(DataSource=s3(AttributeNames=["a"]))]}, "need each other"),
        ({"InputDataConfig": [channel(DataSource=s3(S3Uri="s3://Bad_Bucket/x"))]}, "cannot be called 'Bad_Bucket'"),
        ({"OutputDataConfig": {"S3OutputPath": "https://bucket/x"}}, "is no S3 URI"),
        ({"CheckpointConfig": {"S3Uri": "s3://b/x"}}, "cannot be called 'b'"),
        ({"CheckpointConfig": {"S3Uri": "s3://bucket/x", "LocalPath": "/opt/ml/model/"}}, "the job's own files"),
        ({"CheckpointConfig": {"S3Uri": "s3://bucket/x", "LocalPath": "/opt/ml/input/data"}}, "the job's own files"),
        ({"HyperParameters": {f"k{n}": "1" for n in range(101)}}, "length less than or equal to 100"),
        ({"HyperParameters": {"k": "v" * 2501}}, "length less than or equal to 2500"),
        ({"Environment": {f"K{n}": "1" for n in range(101)}}, "length less than or equal to 100"),
        ({"Environment": {"K": "v" * 513}}, "length less than or equal to 512"),
        ({"Environment": {"not a name": "v"}}, "regular expression pattern"),
        ({"RoleArn": "arn:aws:iam::123:role/short-account"}, "'roleArn' failed to satisfy"),
        ({"RetryStrategy": {"MaximumRetryAttempts": 3}}, "does not offer CreateTrainingJob's RetryStrategy"),
        ({"EnableNetworkIsolation": True}, "EnableNetworkIsolation: everything runs in this machine's own network"),
        ({"VpcConfig": {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]}}, "does not offer .*VpcConfig"),
        ({"ExperimentConfig": {"ExperimentName": "e"}}, "does not offer .*ExperimentConfig"),
        ({"ProfilerConfig": {"S3OutputPath": "s3://bucket/p"}}, "does not offer .*ProfilerConfig"),
        ({"TensorBoardOutputConfig": {"S3OutputPath": "s3://bucket/p"}}, "does not offer .*TensorBoardOutputConfig"),
        ({"DebugHookConfig": {"S3OutputPath": "s3://bucket/p"}}, "does not offer .*DebugHookConfig"),
        ({"Frobnicate": 1}, "does not offer CreateTrainingJob's Frobnicate"),
    ],
)
def test_training_jobs_that_aws_refuses_or_that_are_not_done_here(cloud, change, says):
    message = refusal_of(cloud.CreateTrainingJob, **{**cloud.shell_request("refused", "true"), **change})
    assert re.search(says, message) or says in message
    assert cloud.ListTrainingJobs()["TrainingJobSummaries"] == []


def test_spot_training_with_a_time_to_wait_runs_and_says_that_it_was_spot(cloud):
    times = {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 60}
    job = cloud.train(cloud.shell_request("spot", "true", StoppingCondition=times, **SPOT))
    assert job["TrainingJobStatus"] == "Completed", job
    assert job["EnableManagedSpotTraining"] is True
    assert job["BillableTimeInSeconds"] <= job["TrainingTimeInSeconds"]


def test_a_spot_job_that_waits_and_runs_too_long_is_stopped(cloud):
    times = {"MaxRuntimeInSeconds": 1, "MaxWaitTimeInSeconds": 1}
    for name in ("first", "second"):
        cloud.CreateTrainingJob(**cloud.shell_request(name, "sleep 3"))
    cloud.CreateTrainingJob(**cloud.shell_request("waits", "true", StoppingCondition=times, **SPOT))
    job = cloud.wait_job("waits")
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "MaxWaitTimeExceeded")
    assert "TrainingStartTime" not in job


def test_one_instance_gets_every_object_of_a_sharded_channel(cloud):
    cloud.store.write("bucket", "x/a", "1")
    cloud.store.write("bucket", "x/b", "2")
    source = s3(S3DataDistributionType="ShardedByS3Key")
    script = 'ls "$SAGEMAKER_BASE_DIR/input/data/train"'
    job = cloud.train(cloud.shell_request("shards", script, InputDataConfig=[channel(DataSource=source)]))
    assert job["TrainingJobStatus"] == "Completed", job
    assert cloud.job_log("shards") == ["a", "b"]


def test_members_that_are_null_count_as_absent(cloud):
    request = cloud.shell_request("nulls", "true", Tags=None, Environment=None, VpcConfig=None, CheckpointConfig=None)
    assert cloud.train(request)["TrainingJobStatus"] == "Completed"


@pytest.mark.parametrize("kind", ["TrainingJob", "Model", "EndpointConfig", "Endpoint"])
def test_names_that_differ_only_in_case_are_one_name(cloud, kind):
    cloud.model("name", ECHO)
    cloud.config("name", "name")
    requests = {
        "TrainingJob": cloud.shell_request("name", "true"),
        "Model": {"PrimaryContainer": {"Image": "image"}},
        "EndpointConfig": {
            "ProductionVariants": [{"VariantName": "v", "ModelName": "name", "InstanceType": "ml.m5.large"}]
        },
        "Endpoint": {"EndpointConfigName": "name"},
    }
    create = getattr(cloud, f"Create{kind}")
    if kind in ("TrainingJob", "Endpoint"):
        create(**{**requests[kind], f"{kind}Name": "name"})
    with pytest.raises(ServiceError) as caught:
        create(**{**requests[kind], f"{kind}Name": "NAME"})
    code = "ResourceInUse" if kind == "TrainingJob" else "ValidationException"
    assert caught.value.code == code
    # The one that is there, as it is spelled.
    assert "/name" in caught.value.message
    if kind != "TrainingJob":
        assert caught.value.message.startswith("Cannot create already existing ")
    assert [row[f"{kind}Name"] for row in next(iter(getattr(cloud, f"List{kind}s")().values()))] == ["name"]


def container(**more):
    return {"Image": "image", **more}


def prefix(**more):
    return {"S3DataSource": {"S3Uri": "s3://bucket/p/", "S3DataType": "S3Prefix", "CompressionType": "None", **more}}


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        ({}, "A model needs exactly one of PrimaryContainer, Containers; it has none"),
        ({"PrimaryContainer": container(), "Containers": [container()]}, "it has PrimaryContainer and Containers"),
        ({"PrimaryContainer": {"ModelDataUrl": "s3://bucket/m.tar.gz"}}, "exactly one of Image, ModelPackageName"),
        ({"PrimaryContainer": container(ModelPackageName="p")}, "it has Image and ModelPackageName"),
        ({"PrimaryContainer": {"ModelPackageName": "p"}}, "ModelPackageName: name the package's image and model data"),
        (
            {"PrimaryContainer": container(ModelDataUrl="s3://bucket/m.tar.gz", ModelDataSource=prefix())},
            "ModelDataUrl or ModelDataSource, not both",
        ),
        ({"PrimaryContainer": container(ModelDataSource=prefix(S3Uri="s3://bucket/p"))}, "must end with a slash"),
        ({"PrimaryContainer": container(ModelDataSource=prefix(CompressionType="Gzip"))}, "needs the S3DataType S3Ob"),
        ({"PrimaryContainer": container(ModelDataSource=prefix())}, "Could not find model data at s3://bucket/p/"),
        ({"PrimaryContainer": container(ModelDataUrl="s3://x/m.tar.gz")}, "a bucket cannot be called 'x'"),
        (
            {"PrimaryContainer": container(AdditionalModelDataSources=[prefix() | {"ChannelName": "c"}] * 2)},
            "ChannelNames of AdditionalModelDataSources must be unique: 'c'",
        ),
        (
            {"PrimaryContainer": container(AdditionalModelDataSources=[prefix() | {"ChannelName": "c"}])},
            "Could not find model data at s3://bucket/p/",
        ),
        (
            {"PrimaryContainer": container(Environment={f"K{n}": "v" * 1000 for n in range(40)})},
            "at most 32768",
        ),
        ({"PrimaryContainer": container(Environment={"K": "v" * 1025})}, "length less than or equal to 1024"),
        ({"PrimaryContainer": container(Mode="MultiModel")}, "takes SingleModel for .* not MultiModel"),
        ({"PrimaryContainer": container(MultiModelConfig={"ModelCacheSetting": "Enabled"})}, "when Mode is MultiModel"),
        ({"PrimaryContainer": container(ImageConfig={"RepositoryAccessMode": "Vpc"})}, "takes Platform for .* not Vpc"),
        ({"PrimaryContainer": container(Image="Upper/Case:x")}, "Invalid image."),
        ({"Containers": [container(), container()]}, "one container, not inference pipelines"),
        (
            {"Containers": [container(ContainerHostname="a"), container()]},
            "Give a ContainerHostname to every container of a pipeline",
        ),
        (
            {"Containers": [container(ContainerHostname="a")] * 2, "InferenceExecutionConfig": {"Mode": "Direct"}},
            "ContainerHostnames must be unique: 'a'",
        ),
        (
            {"PrimaryContainer": container(), "InferenceExecutionConfig": {"Mode": "Serial"}},
            "only supported for a model of several Containers",
        ),
        ({"PrimaryContainer": container(), "EnableNetworkIsolation": True}, "EnableNetworkIsolation"),
        ({"PrimaryContainer": container(), "Tags": tags("a", "a")}, "'a' is given more than once"),
    ],
)
def test_models_that_aws_refuses_or_that_are_not_hosted_here(cloud, request_, says):
    message = refusal_of(cloud.CreateModel, ModelName="m", **request_)
    assert re.search(says, message) or says in message
    assert cloud.ListModels()["Models"] == []


SERVERLESS = {"MemorySizeInMB": 2048, "MaxConcurrency": 5}


def variant(name: str = "v", **more):
    made = {"VariantName": name, "ModelName": "m", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1, **more}
    return {key: value for key, value in made.items() if value is not None}


def serverless(name: str = "v", **more):
    config = {**SERVERLESS, **more.pop("config", {})}
    return variant(name, **{"InstanceType": None, "InitialInstanceCount": None, "ServerlessConfig": config, **more})


CAPTURE = {
    "InitialSamplingPercentage": 100,
    "DestinationS3Uri": "s3://bucket/c",
    "CaptureOptions": [{"CaptureMode": "Input"}],
}


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        ({"ProductionVariants": [variant(), variant()]}, "names of production variants must be unique: 'v'"),
        ({"ProductionVariants": [variant(InitialVariantWeight=0.0)]}, "needs a weight above 0"),
        ({"ProductionVariants": [variant(n, InitialVariantWeight=0) for n in "ab"]}, "needs a weight above 0"),
        ({"ProductionVariants": [variant(ServerlessConfig=SERVERLESS)]}, "it has InstanceType and ServerlessConfig"),
        (
            {"ProductionVariants": [variant(InstanceType=None)]},
            "exactly one of InstanceType, InstancePools, Serverless",
        ),
        (
            {"ProductionVariants": [variant(InstancePools=[{"InstanceType": "ml.m5.large", "Priority": 1}])]},
            "it has InstanceType and InstancePools",
        ),
        ({"ProductionVariants": [serverless(InitialInstanceCount=1)]}, "takes no InitialInstanceCount"),
        ({"ProductionVariants": [serverless(VolumeSizeInGB=5)]}, "takes no VolumeSizeInGB"),
        ({"ProductionVariants": [serverless(config={"MemorySizeInMB": 3000})]}, "1024, 2048, .* not 3000"),
        ({"ProductionVariants": [serverless(config={"MemorySizeInMB": 512})]}, "greater than or equal to 1024"),
        ({"ProductionVariants": [serverless(config={"MemorySizeInMB": 8192})]}, "less than or equal to 6144"),
        ({"ProductionVariants": [serverless(config={"MaxConcurrency": 201})]}, "less than or equal to 200"),
        ({"ProductionVariants": [serverless(config={"ProvisionedConcurrency": 6})]}, "at most its MaxConcurrency (5)"),
        (
            {"ProductionVariants": [serverless("a"), serverless("b")]},
            "A serverless endpoint has one production variant",
        ),
        (
            {"ProductionVariants": [variant(InstanceType="ml.g5.xlarge", VolumeSizeInGB=5)]},
            "VolumeSizeInGB parameter is not allowed for the selected Instance type ml.g5.xlarge",
        ),
        (
            {"ProductionVariants": [variant(InstanceType="ml.g5.xlarge")], "KmsKeyId": "alias/k"},
            "KmsKeyId cannot be requested for ml.g5.xlarge",
        ),
        (
            {"ProductionVariants": [variant(ManagedInstanceScaling={"Status": "ENABLED"})]},
            "ManagedInstanceScaling is only supported for inference component endpoints",
        ),
        ({"ProductionVariants": [variant(ModelName=None)]}, "has no ModelName: the local cloud has no inference comp"),
        ({"ProductionVariants": [variant(EnableSSMAccess=True)]}, "does not offer .*EnableSSMAccess"),
        ({"ProductionVariants": [variant(AcceleratorType="ml.eia2.medium")]}, "does not offer .*AcceleratorType"),
        (
            {"ProductionVariants": [variant(RoutingConfig={"RoutingStrategy": "KV_AWARE"})]},
            "takes LEAST_OUTSTANDING_REQUESTS or RANDOM for .* not KV_AWARE",
        ),
        (
            {"ProductionVariants": [variant(RoutingConfig={"RoutingStrategy": "PREFIX_AWARE"})]},
            "PrefixAwareRoutingConfig and the RoutingStrategy PREFIX_AWARE need each other",
        ),
        ({"ProductionVariants": [variant()], "DataCaptureConfig": CAPTURE}, "nothing is captured"),
        (
            {"ProductionVariants": [variant()], "DataCaptureConfig": {**CAPTURE, "EnableCapture": True}},
            "nothing is capt",
        ),
        (
            {"ProductionVariants": [variant()], "ShadowProductionVariants": [variant("s")]},
            "does not offer .*ShadowProd",
        ),
        (
            {"ProductionVariants": [variant("a"), variant("b")], "ShadowProductionVariants": [variant("s")]},
            "give one production variant and one shadow variant",
        ),
        (
            {
                "ProductionVariants": [variant()],
                "AsyncInferenceConfig": {"OutputConfig": {"S3OutputPath": "s3://bucket/o"}},
            },
            "AsyncInferenceConfig.*: it has no asynchronous inference",
        ),
        (
            {
                "ProductionVariants": [variant()],
                "ExplainerConfig": {
                    "ClarifyExplainerConfig": {"ShapConfig": {"ShapBaselineConfig": {"ShapBaseline": "1"}}}
                },
            },
            "does not offer .*ExplainerConfig",
        ),
        ({"ProductionVariants": [variant()], "EnableNetworkIsolation": True}, "EnableNetworkIsolation"),
        ({"ProductionVariants": [variant()], "MetricsConfig": {"EnableEnhancedMetrics": True}}, "MetricsConfig"),
        ({"ProductionVariants": [variant()], "Tags": tags("a", "b", "a")}, "'a' is given more than once"),
    ],
)
def test_endpoint_configurations_that_aws_refuses_or_that_are_not_done_here(cloud, request_, says):
    cloud.CreateModel(ModelName="m", PrimaryContainer=container())
    message = refusal_of(cloud.CreateEndpointConfig, EndpointConfigName="c", **request_)
    assert re.search(says, message) or says in message
    assert cloud.ListEndpointConfigs()["EndpointConfigs"] == []


def test_a_serverless_variant_takes_no_model_data_source(cloud):
    cloud.store.write("bucket", "p/x", "1")
    cloud.CreateModel(ModelName="m", PrimaryContainer=container(ModelDataSource=prefix()))
    message = refusal_of(cloud.CreateEndpointConfig, EndpointConfigName="c", ProductionVariants=[serverless()])
    assert "takes no model with a ModelDataSource" in message


@pytest.mark.parametrize(
    "request_",
    [
        {"ProductionVariants": [variant()], "DataCaptureConfig": {**CAPTURE, "EnableCapture": False}},
        {"ProductionVariants": [variant("a", InitialVariantWeight=0.0), variant("b")], "KmsKeyId": "alias/k"},
        {"ProductionVariants": [variant(RoutingConfig={"RoutingStrategy": "RANDOM"}, VolumeSizeInGB=5)]},
        {"ProductionVariants": [serverless(config={"ProvisionedConcurrency": 5})]},
        {
            "ProductionVariants": [
                variant(InstanceType=None, InstancePools=[{"InstanceType": "ml.m5.large", "Priority": 1}])
            ]
        },
    ],
)
def test_configurations_that_are_taken(cloud, request_):
    cloud.CreateModel(ModelName="m", PrimaryContainer=container())
    cloud.CreateEndpointConfig(EndpointConfigName="c", **request_)
    assert cloud.DescribeEndpointConfig(EndpointConfigName="c")["ProductionVariants"]


def blue_green(
    kind: str = "ALL_AT_ONCE", *, wait: int = 0, termination: int | None = None, limit: int | None = None, **size
):
    policy = {
        "TrafficRoutingConfiguration": {"Type": kind, "WaitIntervalInSeconds": wait, **size},
        "TerminationWaitInSeconds": termination,
        "MaximumExecutionTimeoutInSeconds": limit,
    }
    return {"BlueGreenUpdatePolicy": {key: value for key, value in policy.items() if value is not None}}


def percent(value: int):
    return {"Type": "CAPACITY_PERCENT", "Value": value}


ROLLING = {"RollingUpdatePolicy": {"MaximumBatchSize": percent(50), "WaitIntervalInSeconds": 0}}


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        ({"DeploymentConfig": blue_green() | ROLLING}, "Only one update policy should be used"),
        ({"DeploymentConfig": blue_green("CANARY")}, "CanarySize and its Type CANARY need each other"),
        ({"DeploymentConfig": blue_green(CanarySize=percent(10))}, "CanarySize and its Type CANARY need each other"),
        ({"DeploymentConfig": blue_green("CANARY", CanarySize=percent(51))}, "1 to 50 per cent, not 51"),
        ({"DeploymentConfig": blue_green("LINEAR")}, "LinearStepSize and its Type LINEAR need each other"),
        ({"DeploymentConfig": blue_green("LINEAR", LinearStepSize=percent(5))}, "10 to 50 per cent, not 5"),
        (
            {"DeploymentConfig": blue_green(wait=300, termination=300, limit=600)},
            "MaximumExecutionTimeoutInSeconds (600) must be larger than",
        ),
        ({"DeploymentConfig": blue_green("CANARY", CanarySize=percent(10))}, "takes ALL_AT_ONCE for .* not CANARY"),
        ({"DeploymentConfig": ROLLING}, "does not offer .*RollingUpdatePolicy"),
        (
            {"DeploymentConfig": {"AutoRollbackConfiguration": {"Alarms": [{"AlarmName": "a"}]}}},
            "AutoRollbackConfiguration.*: it has no CloudWatch alarms",
        ),
    ],
)
def test_deployments_that_aws_refuses_or_that_are_not_done_here(cloud, request_, says):
    for call in (cloud.CreateEndpoint, cloud.UpdateEndpoint):
        message = refusal_of(call, EndpointName="e", EndpointConfigName="c", **request_)
        assert re.search(says, message) or says in message


@pytest.fixture
def served(cloud):
    """An endpoint of two variants, and configurations to update it to."""
    cloud.model("m", ECHO)
    cloud.CreateEndpointConfig(EndpointConfigName="c", ProductionVariants=[variant("a"), variant("b")])
    cloud.CreateEndpointConfig(EndpointConfigName="other-names", ProductionVariants=[variant("x")])
    cloud.CreateEndpointConfig(EndpointConfigName="serverless", ProductionVariants=[serverless()])
    cloud.CreateEndpoint(EndpointName="e", EndpointConfigName="c", DeploymentConfig=blue_green(limit=700))
    assert cloud.wait_endpoint("e")["EndpointStatus"] == "InService"
    return cloud


def test_updates_that_aws_refuses(served):
    def update(**more) -> str:
        return refusal_of(served.UpdateEndpoint, **{"EndpointName": "e", "EndpointConfigName": "c", **more})

    excluded = [{"VariantPropertyType": "DesiredWeight"}]
    assert "needs RetainAllVariantProperties" in update(ExcludeRetainedVariantProperties=excluded)
    assert "must be unique" in update(RetainAllVariantProperties=True, ExcludeRetainedVariantProperties=excluded * 2)
    assert "not both" in update(RetainDeploymentConfig=True, DeploymentConfig=blue_green())
    assert "variant names of the old one" in update(EndpointConfigName="other-names", DeploymentConfig=blue_green())
    assert "cannot be updated to a serverless one" in update(EndpointConfigName="serverless")
    assert served.DescribeEndpoint(EndpointName="e")["EndpointStatus"] == "InService"


def test_weights_that_aws_refuses(served):
    def update(*desired) -> str:
        return refusal_of(
            served.UpdateEndpointWeightsAndCapacities, EndpointName="e", DesiredWeightsAndCapacities=list(desired)
        )

    assert "must be unique: 'a'" in update(*[{"VariantName": "a", "DesiredWeight": 1.0}] * 2)
    assert "asks nothing of variant a" in update({"VariantName": "a"})
    assert "must be at least 1" in update({"VariantName": "a", "DesiredInstanceCount": 0})
    assert "needs a weight above 0" in update(*({"VariantName": name, "DesiredWeight": 0.0} for name in "ab"))
    assert "do not exist" in update({"VariantName": "z", "DesiredWeight": 1.0})
    concurrency = {"VariantName": "a", "ServerlessUpdateConfig": {"MaxConcurrency": 3}}
    assert "only supported for serverless variants" in update(concurrency)
    shown = served.DescribeEndpoint(EndpointName="e")["ProductionVariants"]
    assert [one["CurrentWeight"] for one in shown] == [1.0, 1.0]


def test_retained_properties_are_kept_but_for_the_excluded_ones(served):
    served.UpdateEndpointWeightsAndCapacities(
        EndpointName="e",
        DesiredWeightsAndCapacities=[{"VariantName": "a", "DesiredWeight": 5.0, "DesiredInstanceCount": 3}],
    )
    served.UpdateEndpoint(
        EndpointName="e",
        EndpointConfigName="c",
        RetainAllVariantProperties=True,
        ExcludeRetainedVariantProperties=[{"VariantPropertyType": "DesiredWeight"}],
        RetainDeploymentConfig=True,
    )
    endpoint = served.wait_endpoint("e")
    assert endpoint["ProductionVariants"][0]["CurrentWeight"] == 1.0
    assert endpoint["ProductionVariants"][0]["CurrentInstanceCount"] == 3
    assert endpoint["LastDeploymentConfig"] == blue_green(limit=700)


def test_tags_that_are_added_or_removed_follow_the_same_rules(cloud):
    cloud.CreateModel(ModelName="m", PrimaryContainer=container(), Tags=tags(*(f"k{n}" for n in range(49))))
    arn = cloud.DescribeModel(ModelName="m")["ModelArn"]
    assert "given more than once" in refusal_of(cloud.AddTags, ResourceArn=arn, Tags=tags("a", "a"))
    assert "reserved for AWS usage" in refusal_of(cloud.AddTags, ResourceArn=arn, Tags=tags("aws:a"))
    assert "reserved for AWS usage" in refusal_of(cloud.DeleteTags, ResourceArn=arn, TagKeys=["aws:a"])
    with pytest.raises(ServiceError, match="can carry 50 tags"):
        cloud.AddTags(ResourceArn=arn, Tags=tags("a", "b"))
    # A key that is there already is replaced: the number stays.
    cloud.AddTags(ResourceArn=arn, Tags=tags("k0", "last"))
    assert len(cloud.ListTags(ResourceArn=arn)["Tags"]) == 50
    assert "Invalid NextToken" in refusal_of(cloud.ListTags, ResourceArn=arn, NextToken="²")


def test_a_token_is_good_for_the_list_the_order_and_the_filters_that_it_is_from(cloud):
    for name in ("a", "b", "c"):
        cloud.CreateModel(ModelName=name, PrimaryContainer=container())
    page = cloud.ListModels(MaxResults=1, SortBy="Name", SortOrder="Ascending")
    token = page["NextToken"]
    onward = cloud.ListModels(MaxResults=2, SortBy="Name", SortOrder="Ascending", NextToken=token)
    assert [model["ModelName"] for model in onward["Models"]] == ["b", "c"]
    for call, more in (
        (cloud.ListModels, {}),
        (cloud.ListModels, {"SortBy": "Name", "SortOrder": "Descending"}),
        (cloud.ListModels, {"SortBy": "Name", "SortOrder": "Ascending", "NameContains": "a"}),
        (cloud.ListEndpoints, {"SortBy": "Name", "SortOrder": "Ascending"}),
    ):
        assert "Invalid NextToken" in refusal_of(call, NextToken=token, **more)
    for wrong in ("", "x", "W10=", "WzEsMiwzXQ==", "bnVsbA==", "é"):
        if wrong:
            assert "Invalid NextToken" in refusal_of(cloud.ListModels, NextToken=wrong)


@pytest.mark.parametrize("filters", [{"WarmPoolStatusEquals": "Available"}, {"CreationTimeAfter": 10**400}])
def test_filters_that_are_not_there_or_no_times_are_refused(cloud, filters):
    assert refusal_of(cloud.ListTrainingJobs, **filters)
