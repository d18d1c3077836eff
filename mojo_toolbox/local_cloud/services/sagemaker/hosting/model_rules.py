"""SageMaker's rules between the fields of a model, which its service model does not say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mojo_toolbox.local_cloud.services.sagemaker.resources.image_names import is_image
from mojo_toolbox.local_cloud.services.sagemaker.resources.refusing import refused, require_one_of, require_unique

MAX_ENVIRONMENT_BYTES = 32 * 1024


def check_model(request: Mapping[str, Any]) -> None:
    """Refuse fields that exclude each other, need each other, or contradict each other.

    Raises:
        ServiceError: with the fields that are wrong.
    """
    require_one_of(("PrimaryContainer", "Containers"), request, "A model")
    containers = containers_of(request)
    for container in containers:
        _check_container(container)
    size = sum(_environment_bytes(container) for container in containers)
    if size > MAX_ENVIRONMENT_BYTES:
        raise refused(
            f"The Environment of a model's containers is {size} bytes long, keys and values together: at most "
            f"{MAX_ENVIRONMENT_BYTES}."
        )
    _check_pipeline(request, containers)


def containers_of(model: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the containers of a model, however it names them."""
    primary = model.get("PrimaryContainer")
    return [primary] if primary else list(model.get("Containers") or [])


def _check_container(container: Mapping[str, Any]) -> None:
    require_one_of(("Image", "ModelPackageName"), container, "A container")
    image = container.get("Image")
    if image and not is_image(image):
        raise refused(f"Invalid image. {image!r} is not the path of an image in Amazon Elastic Container Registry.")
    if container.get("ModelDataUrl") and container.get("ModelDataSource"):
        raise refused("A container takes ModelDataUrl or ModelDataSource, not both.")
    if container.get("MultiModelConfig") and container.get("Mode") != "MultiModel":
        raise refused("MultiModelConfig is only supported when Mode is MultiModel.")
    access = container.get("ImageConfig", {})
    if access.get("RepositoryAuthConfig") and access["RepositoryAccessMode"] != "Vpc":
        raise refused("RepositoryAuthConfig is only supported when RepositoryAccessMode is Vpc.")
    additional = container.get("AdditionalModelDataSources", [])
    require_unique((source["ChannelName"] for source in additional), "The ChannelNames of AdditionalModelDataSources")
    for source in (container.get("ModelDataSource", {}), *additional):
        if "S3DataSource" in source:
            _check_source(source["S3DataSource"])


def _check_source(source: Mapping[str, Any]) -> None:
    if source["S3DataType"] != "S3Prefix":
        return
    if not source["S3Uri"].endswith("/"):
        raise refused(f"The S3Uri of an S3Prefix must end with a slash; {source['S3Uri']} does not.")
    if source["CompressionType"] == "Gzip":
        raise refused("CompressionType Gzip needs the S3DataType S3Object: one archive, not a prefix.")


def _check_pipeline(request: Mapping[str, Any], containers: list[dict[str, Any]]) -> None:
    names = [container.get("ContainerHostname") for container in containers]
    present = [name for name in names if name]
    require_unique(present, "ContainerHostnames")
    if len(containers) > 1 and present and len(present) < len(names):
        raise refused("Give a ContainerHostname to every container of a pipeline, or to none.")
    mode = request.get("InferenceExecutionConfig", {}).get("Mode")
    if mode and "Containers" not in request:
        raise refused("InferenceExecutionConfig is only supported for a model of several Containers.")
    if mode == "Direct" and len(present) < len(names):
        raise refused("InferenceExecutionConfig mode Direct needs a ContainerHostname for every container.")
    if (
        len(containers) > 1
        and any(container.get("Mode") == "MultiModel" for container in containers)
        and mode != "Direct"
    ):
        raise refused("More than one container in MultiModel mode is not supported with inference pipeline.")


def _environment_bytes(container: Mapping[str, Any]) -> int:
    environment = container.get("Environment", {})
    return sum(len(name.encode()) + len(value.encode("utf-8", "replace")) for name, value in environment.items())
