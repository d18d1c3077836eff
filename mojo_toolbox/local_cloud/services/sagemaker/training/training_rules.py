"""SageMaker's rules between the fields of a training job, which its service model does not say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mojo_toolbox.local_cloud.services.sagemaker.resources.image_names import is_image
from mojo_toolbox.local_cloud.services.sagemaker.resources.instance_types import has_local_storage
from mojo_toolbox.local_cloud.services.sagemaker.resources.refusing import refused, require_one_of, require_unique

MAX_RUNTIME_SECONDS = 28 * 86400
DEFAULT_RUNTIME_SECONDS = 86400
_INSTANCES = ("InstanceType", "InstanceGroups", "InstancePreferences")
_SOURCES = ("S3DataSource", "FileSystemDataSource", "DatasetSource")


def check_training_job(request: Mapping[str, Any]) -> None:
    """Refuse fields that exclude each other, need each other, or contradict each other.

    Raises:
        ServiceError: with the fields that are wrong.
    """
    if "ServerlessJobConfig" not in request:
        _check_algorithm(request.get("AlgorithmSpecification", {}))
        _check_resources(request)
    _check_times(request)
    _check_channels(request.get("InputDataConfig", []))


def _check_algorithm(algorithm: Mapping[str, Any]) -> None:
    require_one_of(("TrainingImage", "AlgorithmName"), algorithm, "AlgorithmSpecification")
    image = algorithm.get("TrainingImage")
    if image and not is_image(image):
        raise refused(
            "Invalid training image. Please provide a valid Amazon Elastic Container Registry path of the Docker image "
            f"to run; {image!r} is not one."
        )
    require_unique(
        (metric["Name"] for metric in algorithm.get("MetricDefinitions", [])), "The names of MetricDefinitions"
    )


def _check_resources(request: Mapping[str, Any]) -> None:
    resources = request.get("ResourceConfig", {})
    require_one_of(_INSTANCES, resources, "ResourceConfig")
    if "InstanceGroups" in resources and "InstanceCount" in resources:
        raise refused("ResourceConfig takes no InstanceCount next to InstanceGroups.")
    if resources.get("InstanceCount") == 0:
        raise refused("ResourceConfig.InstanceCount must be at least 1.")
    if "VolumeKmsKeyId" in resources and has_local_storage(resources.get("InstanceType", "")):
        raise refused(
            f"VolumeKmsKeyId cannot be requested for {resources['InstanceType']}: the instance encrypts its local "
            "storage itself."
        )
    if request.get("EnableManagedSpotTraining") and resources.get("KeepAlivePeriodInSeconds"):
        raise refused("KeepAlivePeriodInSeconds is not supported when EnableManagedSpotTraining is set to true.")


def _check_times(request: Mapping[str, Any]) -> None:
    times = request.get("StoppingCondition", {})
    runtime = times.get("MaxRuntimeInSeconds", DEFAULT_RUNTIME_SECONDS)
    wait = times.get("MaxWaitTimeInSeconds")
    if runtime > MAX_RUNTIME_SECONDS:
        raise refused(
            f"Invalid MaxRuntimeInSeconds. It must be at most {MAX_RUNTIME_SECONDS} (28 days), not {runtime}."
        )
    if request.get("EnableManagedSpotTraining"):
        if wait is None or wait < runtime:
            raise refused(
                "Invalid MaxWaitTimeInSeconds. It must be present and be greater than or equal to MaxRuntimeInSeconds "
                f"({runtime}) when EnableManagedSpotTraining is set to true."
            )
    elif wait is not None:
        raise refused(
            "Invalid MaxWaitTimeInSeconds. It is only supported when EnableManagedSpotTraining is set to true."
        )


def _check_channels(channels: list[Mapping[str, Any]]) -> None:
    require_unique((channel["ChannelName"] for channel in channels), "Channel names")
    for channel in channels:
        name = channel["ChannelName"]
        require_one_of(_SOURCES, channel["DataSource"], f"The DataSource of channel {name!r}")
        source = channel["DataSource"].get("S3DataSource", {})
        augmented = source.get("S3DataType") == "AugmentedManifestFile"
        if augmented != bool(source.get("AttributeNames")):
            raise refused(f"Channel {name!r}: AttributeNames and the S3DataType AugmentedManifestFile need each other.")
