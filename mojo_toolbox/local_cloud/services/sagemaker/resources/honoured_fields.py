"""Which fields of each operation the local cloud honours, and which change nothing on one machine. The rest is refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mojo_toolbox.local_cloud.wire.fields import Fields

_NOT_PULLED = "images are not pulled: the program runs in a Python environment of this machine"
_NO_IAM = "nothing is enforced by IAM: the owner may do everything"
_ONE_MACHINE = "everything runs on this machine"
_NOT_ENCRYPTED = "nothing is encrypted beyond what this machine's disk does"
_NO_LICENCE = "nothing here asks for a licence"
_OWN_NETWORK = "everything runs in this machine's own network"
_NO_COMPONENTS = "it has no inference components"
_NO_CAPTURE = "nothing is captured"

_CHANNEL = "InputDataConfig[]"
_S3_CHANNEL = f"{_CHANNEL}.DataSource.S3DataSource"
_VARIANT = "ProductionVariants[]"
_BLUE_GREEN = "DeploymentConfig.BlueGreenUpdatePolicy"

_CREATE_TRAINING_JOB = Fields(
    honoured=frozenset(
        [
            "TrainingJobName",
            "HyperParameters",
            "AlgorithmSpecification.MetricDefinitions",
            "AlgorithmSpecification.ContainerEntrypoint",
            "AlgorithmSpecification.ContainerArguments",
            f"{_CHANNEL}.ChannelName",
            f"{_CHANNEL}.ContentType",
            f"{_S3_CHANNEL}.S3Uri",
            # One instance gets all objects under either distribution.
            f"{_S3_CHANNEL}.S3DataDistributionType",
            "OutputDataConfig.S3OutputPath",
            "OutputDataConfig.CompressionType",
            "StoppingCondition",
            "CheckpointConfig",
            "Environment",
            "Tags",
        ]
    ),
    without_effect={
        "AlgorithmSpecification.TrainingImage": _NOT_PULLED,
        "RoleArn": _NO_IAM,
        "ResourceConfig.InstanceType": _ONE_MACHINE,
        "ResourceConfig.VolumeSizeInGB": _ONE_MACHINE,
        "ResourceConfig.VolumeKmsKeyId": _NOT_ENCRYPTED,
        "OutputDataConfig.KmsKeyId": _NOT_ENCRYPTED,
        "EnableManagedSpotTraining": "this machine is never taken away",
        "EnableInterContainerTrafficEncryption": "one container has no traffic with others",
        f"{_S3_CHANNEL}.ModelAccessConfig": _NO_LICENCE,
    },
    values={
        "AlgorithmSpecification.TrainingInputMode": ("File", "FastFile"),
        "AlgorithmSpecification.TrainingImageConfig.TrainingRepositoryAccessMode": ("Platform",),
        f"{_CHANNEL}.InputMode": ("File", "FastFile"),
        f"{_CHANNEL}.CompressionType": ("None",),
        f"{_CHANNEL}.RecordWrapperType": ("None",),
        f"{_S3_CHANNEL}.S3DataType": ("S3Prefix", "ManifestFile"),
        "ResourceConfig.InstanceCount": (1,),
        "ResourceConfig.KeepAlivePeriodInSeconds": (0,),
        "ProfilerConfig.DisableProfiler": (True, False),
    },
    reasons={
        "AlgorithmSpecification.AlgorithmName": "it has no algorithm resources",
        "AlgorithmSpecification.EnableSageMakerMetricsTimeSeries": "it keeps each metric's last value",
        f"{_CHANNEL}.CompressionType": "SageMaker decompresses in Pipe mode alone",
        f"{_CHANNEL}.RecordWrapperType": "SageMaker wraps records in Pipe mode alone",
        f"{_CHANNEL}.DataSource.FileSystemDataSource": "it reads channels from S3",
        f"{_CHANNEL}.DataSource.DatasetSource": "it reads channels from S3",
        "ResourceConfig.InstanceCount": "it runs a training job on one instance, this machine",
        "ResourceConfig.InstanceGroups": "it runs a training job on one instance, this machine",
        "ResourceConfig.InstancePreferences": "it runs a training job on one instance, this machine",
        "ResourceConfig.KeepAlivePeriodInSeconds": "it has no warm pools",
        "VpcConfig": _OWN_NETWORK,
        "EnableNetworkIsolation": _OWN_NETWORK,
        "RetryStrategy": "a job that fails stays failed",
    },
    nothing_by_itself=frozenset(
        [
            "ResourceConfig.InstancePlacementConfig",
            "VpcConfig",
            "ExperimentConfig",
            "RemoteDebugConfig",
            "InfraCheckConfig",
            "SessionChainingConfig",
        ]
    ),
)


def _container(path: str) -> tuple[frozenset[str], Mapping[str, str], Mapping[str, tuple[Any, ...]]]:
    """Return honoured fields, fields without effect and restricted values of a container of a model."""
    sources = (f"{path}.ModelDataSource.S3DataSource", f"{path}.AdditionalModelDataSources[].S3DataSource")
    honoured = [
        f"{path}.{name}" for name in ("ModelDataUrl", "AdditionalModelDataSources[].ChannelName", "Environment")
    ]
    honoured += [f"{source}.{name}" for source in sources for name in ("S3Uri", "S3DataType", "CompressionType")]
    without_effect = {
        f"{path}.Image": _NOT_PULLED,
        f"{path}.ContainerHostname": "a model has one container",
        **{f"{source}.ModelAccessConfig": _NO_LICENCE for source in sources},
    }
    values = {f"{path}.Mode": ("SingleModel",), f"{path}.ImageConfig.RepositoryAccessMode": ("Platform",)}
    return frozenset(honoured), without_effect, values


_PRIMARY, _LISTED = _container("PrimaryContainer"), _container("Containers[]")

_CREATE_MODEL = Fields(
    honoured=frozenset(["ModelName", "Tags"]) | _PRIMARY[0] | _LISTED[0],
    without_effect={"ExecutionRoleArn": _NO_IAM, **_PRIMARY[1], **_LISTED[1]},
    values={"InferenceExecutionConfig.Mode": ("Serial",), **_PRIMARY[2], **_LISTED[2]},
    reasons={
        "VpcConfig": _OWN_NETWORK,
        "EnableNetworkIsolation": _OWN_NETWORK,
        **{
            f"{path}.{name}": reason
            for path in ("PrimaryContainer", "Containers[]")
            for name, reason in (
                ("ModelPackageName", "name the package's image and model data"),
                ("Mode", "it has no multi-model endpoints"),
            )
        },
    },
    nothing_by_itself=frozenset(["VpcConfig"]),
)

_CREATE_ENDPOINT_CONFIG = Fields(
    honoured=frozenset(
        [
            "EndpointConfigName",
            f"{_VARIANT}.VariantName",
            f"{_VARIANT}.ModelName",
            f"{_VARIANT}.InitialVariantWeight",
            f"{_VARIANT}.ContainerStartupHealthCheckTimeoutInSeconds",
            f"{_VARIANT}.ServerlessConfig.MaxConcurrency",
            # Only a configuration that captures nothing comes so far.
            "DataCaptureConfig",
            "Tags",
        ]
    ),
    without_effect={
        f"{_VARIANT}.InstanceType": _ONE_MACHINE,
        f"{_VARIANT}.InstancePools[].InstanceType": _ONE_MACHINE,
        f"{_VARIANT}.InstancePools[].Priority": _ONE_MACHINE,
        f"{_VARIANT}.InitialInstanceCount": "a variant has one server; the number is shown",
        f"{_VARIANT}.VariantInstanceProvisionTimeoutInSeconds": _ONE_MACHINE,
        f"{_VARIANT}.VolumeSizeInGB": _ONE_MACHINE,
        f"{_VARIANT}.ModelDataDownloadTimeoutInSeconds": "model data are copied from this machine's disk",
        f"{_VARIANT}.InferenceAmiVersion": _ONE_MACHINE,
        f"{_VARIANT}.ServerlessConfig.MemorySizeInMB": "a server takes the memory that it needs",
        f"{_VARIANT}.ServerlessConfig.ProvisionedConcurrency": "a server is always there",
        "KmsKeyId": _NOT_ENCRYPTED,
    },
    values={f"{_VARIANT}.RoutingConfig.RoutingStrategy": ("LEAST_OUTSTANDING_REQUESTS", "RANDOM")},
    reasons={
        "AsyncInferenceConfig": "it has no asynchronous inference",
        "ExecutionRoleArn": _NO_COMPONENTS,
        "VpcConfig": _NO_COMPONENTS,
        "EnableNetworkIsolation": _NO_COMPONENTS,
        "MetricsConfig": "it publishes no metrics of endpoints",
        f"{_VARIANT}.ManagedInstanceScaling": _NO_COMPONENTS,
    },
    nothing_by_itself=frozenset(["VpcConfig", "MetricsConfig"]),
)

_DEPLOYMENT_WITHOUT_EFFECT = {
    f"{_BLUE_GREEN}.TrafficRoutingConfiguration.WaitIntervalInSeconds": "no alarm is watched meanwhile",
    f"{_BLUE_GREEN}.TerminationWaitInSeconds": "the old servers end once their last answer is sent",
}
_DEPLOYMENT_VALUES = {f"{_BLUE_GREEN}.TrafficRoutingConfiguration.Type": ("ALL_AT_ONCE",)}
_DEPLOYMENT_REASONS = {
    f"{_BLUE_GREEN}.TrafficRoutingConfiguration.Type": "the traffic goes to the new servers at once",
    "DeploymentConfig.RollingUpdatePolicy": "the traffic goes to the new servers at once",
    "DeploymentConfig.AutoRollbackConfiguration": "it has no CloudWatch alarms",
}
_DEPLOYMENT_NOTHING = frozenset(["DeploymentConfig.AutoRollbackConfiguration"])
_DEPLOYMENT_HONOURED = f"{_BLUE_GREEN}.MaximumExecutionTimeoutInSeconds"

_CREATE_ENDPOINT = Fields(
    honoured=frozenset(["EndpointName", "EndpointConfigName", "Tags", _DEPLOYMENT_HONOURED]),
    without_effect=_DEPLOYMENT_WITHOUT_EFFECT,
    values=_DEPLOYMENT_VALUES,
    reasons=_DEPLOYMENT_REASONS,
    nothing_by_itself=_DEPLOYMENT_NOTHING,
)
_UPDATE_ENDPOINT = Fields(
    honoured=frozenset(
        [
            "EndpointName",
            "EndpointConfigName",
            "RetainAllVariantProperties",
            "ExcludeRetainedVariantProperties",
            "RetainDeploymentConfig",
            _DEPLOYMENT_HONOURED,
        ]
    ),
    without_effect=_DEPLOYMENT_WITHOUT_EFFECT,
    values=_DEPLOYMENT_VALUES,
    reasons=_DEPLOYMENT_REASONS,
    nothing_by_itself=_DEPLOYMENT_NOTHING,
)
_DESIRED = "DesiredWeightsAndCapacities[]"
_UPDATE_WEIGHTS = Fields(
    honoured=frozenset(
        [
            "EndpointName",
            f"{_DESIRED}.VariantName",
            f"{_DESIRED}.DesiredWeight",
            f"{_DESIRED}.ServerlessUpdateConfig.MaxConcurrency",
        ]
    ),
    without_effect={
        f"{_DESIRED}.DesiredInstanceCount": "a variant has one server; the number is shown",
        f"{_DESIRED}.ServerlessUpdateConfig.ProvisionedConcurrency": "a server is always there",
    },
)

_LISTED_BY = frozenset(
    ["NextToken", "MaxResults", "SortBy", "SortOrder", "NameContains", "CreationTimeAfter", "CreationTimeBefore"]
)
_LISTED_BY_STATUS = _LISTED_BY | {"StatusEquals", "LastModifiedTimeAfter", "LastModifiedTimeBefore"}

_INVOKED = frozenset(
    ["EndpointName", "Body", "ContentType", "Accept", "CustomAttributes", "TargetVariant", "SessionId"]
)
_INVOKE = Fields(
    honoured=_INVOKED,
    without_effect={"InferenceId": f"the container sees it; {_NO_CAPTURE}"},
    reasons={
        "EnableExplanations": "it has no explainers",
        "InferenceComponentName": _NO_COMPONENTS,
        "PrefixAwareId": "a variant has one server",
    },
)


def _named(name: str) -> Fields:
    return Fields(honoured=frozenset([name]))


FIELDS: Mapping[str, Fields] = {
    "CreateTrainingJob": _CREATE_TRAINING_JOB,
    "DescribeTrainingJob": _named("TrainingJobName"),
    "ListTrainingJobs": Fields(
        honoured=_LISTED_BY_STATUS,
        reasons={
            "WarmPoolStatusEquals": "it has no warm pools",
            "TrainingPlanArnEquals": "it has no training plans",
        },
    ),
    "StopTrainingJob": _named("TrainingJobName"),
    "DeleteTrainingJob": _named("TrainingJobName"),
    "CreateModel": _CREATE_MODEL,
    "DescribeModel": _named("ModelName"),
    "ListModels": Fields(honoured=_LISTED_BY),
    "DeleteModel": _named("ModelName"),
    "CreateEndpointConfig": _CREATE_ENDPOINT_CONFIG,
    "DescribeEndpointConfig": _named("EndpointConfigName"),
    "ListEndpointConfigs": Fields(honoured=_LISTED_BY),
    "DeleteEndpointConfig": _named("EndpointConfigName"),
    "CreateEndpoint": _CREATE_ENDPOINT,
    "DescribeEndpoint": _named("EndpointName"),
    "ListEndpoints": Fields(honoured=_LISTED_BY_STATUS),
    "UpdateEndpoint": _UPDATE_ENDPOINT,
    "UpdateEndpointWeightsAndCapacities": _UPDATE_WEIGHTS,
    "DeleteEndpoint": _named("EndpointName"),
    "AddTags": Fields(honoured=frozenset(["ResourceArn", "Tags"])),
    "ListTags": Fields(honoured=frozenset(["ResourceArn", "NextToken", "MaxResults"])),
    "DeleteTags": Fields(honoured=frozenset(["ResourceArn", "TagKeys"])),
    "Search": Fields(
        honoured=frozenset(
            [
                "Resource",
                "SearchExpression",
                "SortBy",
                "SortOrder",
                "NextToken",
                "MaxResults",
                "CrossAccountFilterOption",
                "VisibilityConditions",
            ]
        )
    ),
    # sagemaker-runtime's
    "InvokeEndpoint": _INVOKE,
    "InvokeEndpointWithResponseStream": _INVOKE,
}
