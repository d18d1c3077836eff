"""Lays out a training job as SageMaker lays out its container: `<job>/opt/ml` in place of `/opt/ml`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mojo_toolbox.local_cloud.services.sagemaker.resources.ml_paths import map_ml_path, replace_ml_paths
from mojo_toolbox.local_cloud.services.sagemaker.resources.s3_transfer import (
    TransferError,
    download_manifest,
    download_prefix,
)
from mojo_toolbox.local_cloud.services.sagemaker.resources.surroundings import ObjectAccess

# The one host of a job. The training toolkit waits until its hosts resolve, and `algo-1` never would.
HOST = "localhost"
# ModelTrainer's own programs, which name /opt/ml in their text.
DRIVER_CHANNELS = ("sm_drivers",)


@dataclass(frozen=True)
class JobFolder:
    """The folders of one job."""

    root: Path

    @property
    def ml(self) -> Path:
        """The folder that the container would see as /opt/ml."""
        return self.root / "opt" / "ml"

    @property
    def model(self) -> Path:
        """The folder that becomes model.tar.gz."""
        return self.ml / "model"

    @property
    def output_data(self) -> Path:
        """The folder that becomes output.tar.gz."""
        return self.ml / "output" / "data"

    @property
    def failure(self) -> Path:
        """Where the container says why it failed."""
        return self.ml / "output" / "failure"

    def channel(self, name: str) -> Path:
        """The folder of an input channel."""
        return self.ml / "input" / "data" / name

    def inside(self, path: str) -> str:
        """Map a value that is a path below /opt/ml to this job's folder. Leaves anything else as it is."""
        return map_ml_path(path, self.ml)

    def rewritten(self, text: str) -> str:
        """Replace /opt/ml wherever a text names it."""
        return replace_ml_paths(text, self.ml)

    def local_checkpoints(self, request: Mapping[str, Any]) -> Path | None:
        """The folder that is kept in S3 while the job runs, if it asked for one."""
        config = request.get("CheckpointConfig")
        return Path(self.inside(config.get("LocalPath") or "/opt/ml/checkpoints")) if config else None


def lay_out(folder: JobFolder, request: Mapping[str, Any], store: ObjectAccess) -> None:
    """Make the folders, download the channels and checkpoints, and write the configuration files.

    Raises:
        TransferError: an object is missing or has no place.
    """
    for path in (
        folder.model,
        folder.output_data,
        folder.ml / "code",
        folder.ml / "input" / "config",
    ):
        path.mkdir(parents=True, exist_ok=True)
    for channel in request.get("InputDataConfig", []):
        _download_channel(folder, channel, store)
    checkpoints = folder.local_checkpoints(request)
    if checkpoints is not None:
        checkpoints.mkdir(parents=True, exist_ok=True)
        uri = request["CheckpointConfig"]["S3Uri"].rstrip("/") + "/"
        try:
            download_prefix(store, uri, checkpoints)
        except TransferError as error:
            # A first run has none yet. Anything else shows when they are uploaded.
            if "No S3 objects" not in str(error):
                raise
    _write_config(folder, request)


def _download_channel(folder: JobFolder, channel: Mapping[str, Any], store: ObjectAccess) -> None:
    target = folder.channel(channel["ChannelName"])
    target.mkdir(parents=True, exist_ok=True)
    source = channel["DataSource"]["S3DataSource"]
    if source["S3DataType"] == "ManifestFile":
        download_manifest(store, source["S3Uri"], target)
    else:
        download_prefix(store, source["S3Uri"], target)
    if channel["ChannelName"] in DRIVER_CHANNELS:
        _rewrite_texts(folder, target)


def _rewrite_texts(folder: JobFolder, target: Path) -> None:
    for path in target.rglob("*"):
        if not path.is_file():
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        rewritten = folder.rewritten(text)
        if rewritten != text:
            path.write_text(rewritten, encoding="utf-8")


def _write_config(folder: JobFolder, request: Mapping[str, Any]) -> None:
    resources = request.get("ResourceConfig", {})
    instance_type = resources.get("InstanceType", "ml.m5.large")
    hyperparameters = {name: folder.inside(value) for name, value in request.get("HyperParameters", {}).items()}
    channels = {
        channel["ChannelName"]: {
            "TrainingInputMode": "File",
            "S3DistributionType": channel["DataSource"]["S3DataSource"].get(
                "S3DataDistributionType", "FullyReplicated"
            ),
            "RecordWrapperType": "None",
            **({"ContentType": channel["ContentType"]} if "ContentType" in channel else {}),
        }
        for channel in request.get("InputDataConfig", [])
    }
    resource = {
        "current_host": HOST,
        "current_instance_type": instance_type,
        "current_group_name": "homogeneousCluster",
        "hosts": [HOST],
        "instance_groups": [
            {"instance_group_name": "homogeneousCluster", "instance_type": instance_type, "hosts": [HOST]}
        ],
        "network_interface_name": "lo",
    }
    for name, content in (
        ("hyperparameters", hyperparameters),
        ("inputdataconfig", channels),
        ("resourceconfig", resource),
    ):
        (folder.ml / "input" / "config" / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
