"""Says at once which training jobs this machine cannot run, in place of a job that fails later."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mojo_toolbox.local_cloud.services.sagemaker.resources.refusing import refused
from mojo_toolbox.local_cloud.services.sagemaker.resources.surroundings import split_s3_uri
from mojo_toolbox.local_cloud.untrusted.linear_patterns import PatternError, compile_pattern

# The container's own folders: they hold a job's model, output or input.
_NO_CHECKPOINTS = frozenset(f"/opt/ml{name}" for name in ("", "/code", "/input", "/model", "/output", "/output/data"))


def refuse_what_cannot_run(request: Mapping[str, Any]) -> None:
    """Check the rules that neither the service's model nor the table of fields has.

    Raises:
        ServiceError: the job could not run here, with the member that is why.
    """
    _check_uri(request["OutputDataConfig"]["S3OutputPath"], "outputDataConfig.s3OutputPath")
    _check_checkpoints(request.get("CheckpointConfig"))
    _check_channels(request.get("InputDataConfig", []))
    for definition in request["AlgorithmSpecification"].get("MetricDefinitions", []):
        try:
            compile_pattern(definition["Regex"])
        except PatternError as error:
            raise refused(f"The Regex of metric {definition['Name']!r} cannot be used: {error}") from None


def _check_checkpoints(config: Mapping[str, Any] | None) -> None:
    if config is None:
        return
    _check_uri(config["S3Uri"], "checkpointConfig.s3Uri")
    path = config.get("LocalPath") or "/opt/ml/checkpoints"
    # Anywhere else would be the user's own files: downloaded into, and uploaded from.
    if not path.startswith("/opt/ml/") or ".." in path.split("/"):
        raise refused(f"The local cloud keeps checkpoints below /opt/ml; LocalPath is {path!r}.")
    if path.rstrip("/") in _NO_CHECKPOINTS or path.startswith("/opt/ml/input/"):
        raise refused(
            f"The local cloud keeps no checkpoints in {path}, which holds the job's own files. Take /opt/ml/checkpoints."
        )


def _check_channels(channels: list[Mapping[str, Any]]) -> None:
    for channel in channels:
        name = channel["ChannelName"]
        if not name.strip("."):
            raise refused(f"The channel name {name!r} is no folder's name.")
        _check_uri(channel["DataSource"]["S3DataSource"]["S3Uri"], f"the channel {name!r}")


def _check_uri(uri: str, where: str) -> None:
    try:
        split_s3_uri(uri)
    except ValueError as error:
        raise refused(f"{where}: {error}") from None
