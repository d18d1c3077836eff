"""Says at once which training jobs this machine cannot run, in place of a job that fails later."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from mojo_toolbox.local_cloud.protocol import ServiceError
from mojo_toolbox.local_cloud.sagemaker.cloud import split_s3_uri


def refuse_what_cannot_run(request: Mapping[str, Any]) -> None:
    """Check what the service's model cannot know.

    Raises:
        ServiceError: the job could not run here, with the member that is why.
    """
    algorithm = request.get("AlgorithmSpecification", {})
    if not algorithm.get("TrainingImage") and not algorithm.get("AlgorithmName"):
        raise _refused("AlgorithmSpecification needs a TrainingImage or an AlgorithmName.")
    _check_instances(request.get("ResourceConfig", {}))
    _check_uri(request["OutputDataConfig"]["S3OutputPath"], "outputDataConfig.s3OutputPath")
    _check_checkpoints(request.get("CheckpointConfig"))
    _check_channels(request.get("InputDataConfig", []), algorithm.get("TrainingInputMode"))
    for definition in algorithm.get("MetricDefinitions", []):
        try:
            re.compile(definition["Regex"])
        except re.error as error:
            raise _refused(f"The Regex of metric {definition['Name']!r} cannot be used: {error}") from None


def _check_instances(resources: Mapping[str, Any]) -> None:
    instances = sum(group["InstanceCount"] for group in resources.get("InstanceGroups", []))
    if max(instances, resources.get("InstanceCount", 1)) > 1:
        raise _refused("The local cloud runs a training job on one instance: this machine.")


def _check_checkpoints(config: Mapping[str, Any] | None) -> None:
    if config is None:
        return
    _check_uri(config["S3Uri"], "checkpointConfig.s3Uri")
    path = config.get("LocalPath") or "/opt/ml/checkpoints"
    # Anywhere else would be the user's own files: downloaded into, and uploaded from.
    if not path.startswith("/opt/ml/") or ".." in path.split("/"):
        raise _refused(f"The local cloud keeps checkpoints below /opt/ml; LocalPath is {path!r}.")


def _check_channels(channels: list[Mapping[str, Any]], mode: str | None) -> None:
    names: set[str] = set()
    for channel in channels:
        name = channel["ChannelName"]
        if name in names or not name.strip("."):
            raise _refused(f"The channel name {name!r} is used twice or is no folder's name.")
        names.add(name)
        source = channel["DataSource"].get("S3DataSource")
        if source is None:
            raise _refused(f"The local cloud reads channels from S3; {name!r} names no S3.")
        if source["S3DataType"] not in ("S3Prefix", "ManifestFile"):
            raise _refused(f"The local cloud reads S3Prefix and ManifestFile, not {source['S3DataType']}.")
        _check_uri(source["S3Uri"], f"the channel {name!r}")
    if "Pipe" in (mode, *(channel.get("InputMode") for channel in channels)):
        raise _refused("The local cloud reads File and FastFile inputs, not Pipe.")


def _check_uri(uri: str, where: str) -> None:
    try:
        split_s3_uri(uri)
    except ValueError as error:
        raise _refused(f"{where}: {error}") from None


def _refused(message: str) -> ServiceError:
    return ServiceError("ValidationException", message)
