"""Lays out one variant of an endpoint: its model and further data below `<folder>/opt/ml`, its program, its Python."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mojo_toolbox.local_cloud.running.environments import EnvironmentFailedError, Log, child_environment
from mojo_toolbox.local_cloud.services.sagemaker.hosting.server_manifest import UnloadableModelError, require_loadable
from mojo_toolbox.local_cloud.services.sagemaker.resources.ml_paths import map_ml_path
from mojo_toolbox.local_cloud.services.sagemaker.resources.s3_transfer import (
    TransferError,
    download_object,
    download_prefix,
)
from mojo_toolbox.local_cloud.services.sagemaker.resources.surroundings import Surroundings
from mojo_toolbox.local_cloud.untrusted.unpacking import UnsafeArchiveError, unpack

# AWS's images that load an inference.py with a server of another kind.
_OTHER_SERVERS = frozenset(
    {"pytorch-inference", "pytorch-inference-graviton", "sagemaker-scikit-learn", "sagemaker-xgboost"}
)


class LayoutError(Exception):
    """Why a variant cannot be hosted, as an endpoint's FailureReason will say it."""


@dataclass(frozen=True)
class LaidOut:
    """The files and settings that a server needs to start."""

    python: Path
    program: Path
    model_dir: Path
    environment: dict[str, str]


def lay_out_model(
    cloud: Surroundings, container: Mapping[str, Any], folder: Path, *, log: Log, stopped: Callable[[], bool]
) -> LaidOut:
    """Download and unpack a container's model, or take the complete one of an earlier start.

    Raises:
        LayoutError: data is missing, must not be unpacked, or holds no program to host.
    """
    ml = folder / "opt" / "ml"
    model = ml / "model"
    stamp = folder / "complete"
    try:
        if not stamp.exists():
            shutil.rmtree(folder, ignore_errors=True)
            model.mkdir(parents=True)
            _download(cloud, container, ml, folder)
            stamp.touch()
        environment = {name: map_ml_path(value, ml) for name, value in (container.get("Environment") or {}).items()}
        program = _program(container, environment, model)
        if _runs_multi_model_server(container):
            require_loadable(model)
        python = _python(cloud, program.parent, folder, log, stopped)
    except (TransferError, UnsafeArchiveError, UnloadableModelError, EnvironmentFailedError) as error:
        raise LayoutError(str(error)) from error
    except OSError as error:
        raise LayoutError(f"{type(error).__name__}: {error}") from error
    credentials = cloud.credentials
    return LaidOut(
        python=python,
        program=program,
        model_dir=model,
        environment=child_environment(
            endpoint_url=cloud.endpoint_url,
            access_key_id=credentials.access_key_id,
            secret_access_key=credentials.secret_access_key,
            region=cloud.region,
            python=python,
            extra={**environment, "SM_MODEL_DIR": str(model), "MOJO_ML_BASE": str(ml)},
        ),
    )


def _download(cloud: Surroundings, container: Mapping[str, Any], ml: Path, folder: Path) -> None:
    if container.get("ModelDataUrl"):
        _fetch(cloud, {"S3Uri": container["ModelDataUrl"], "CompressionType": "Gzip"}, ml / "model", folder)
    source = (container.get("ModelDataSource") or {}).get("S3DataSource")
    if source:
        _fetch(cloud, source, ml / "model", folder)
    for additional in container.get("AdditionalModelDataSources") or []:
        target = ml / "additional-model-data-sources" / additional["ChannelName"]
        target.mkdir(parents=True)
        _fetch(cloud, additional["S3DataSource"], target, folder)
    submitted = (container.get("Environment") or {}).get("SAGEMAKER_SUBMIT_DIRECTORY", "")
    if submitted.startswith("s3://"):
        _fetch(cloud, {"S3Uri": submitted, "CompressionType": "Gzip"}, ml / "code", folder)


def _fetch(cloud: Surroundings, source: Mapping[str, Any], target: Path, folder: Path) -> None:
    uri = source["S3Uri"]
    if source.get("CompressionType") == "Gzip":
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            archive = Path(scratch) / "model.tar.gz"
            download_object(cloud.object_store, uri, archive)
            try:
                unpack(archive, target)
            except UnsafeArchiveError as error:
                raise LayoutError(f"The model data {uri} was refused: {error}") from error
    elif source.get("S3DataType") == "S3Object":
        download_object(cloud.object_store, uri, target / uri.rsplit("/", 1)[-1])
    else:
        download_prefix(cloud.object_store, uri, target)


def _runs_multi_model_server(container: Mapping[str, Any]) -> bool:
    """Whether the image's own server is multi-model-server, as far as its name tells. An unknown image may be."""
    repository = str(container.get("Image", "")).rpartition("/")[2].partition(":")[0]
    return repository not in _OTHER_SERVERS


def _program(container: Mapping[str, Any], environment: Mapping[str, str], model: Path) -> Path:
    name = environment.get("SAGEMAKER_PROGRAM") or "inference.py"
    submitted = environment.get("SAGEMAKER_SUBMIT_DIRECTORY", "")
    folders = [model / "code"]
    if submitted.startswith("s3://"):
        folders.insert(0, model.parent / "code")
    elif submitted.startswith(str(model)):
        folders.insert(0, Path(submitted))
    for folder in folders:
        program = (folder / _unquoted(name)).resolve()
        if program.is_file() and program.is_relative_to(folder.resolve()):
            return program
    raise LayoutError(
        f"The local cloud hosts models that carry their program, and this one has no code/{name}. The container image "
        f"({container.get('Image', 'none')}) itself cannot run here: deploy it with inference code, or on AWS."
    )


def _python(cloud: Surroundings, code: Path, folder: Path, log: Log, stopped: Callable[[], bool]) -> Path:
    requirements = code / "requirements.txt"
    below = None
    if requirements.is_file():
        below = cloud.environments.with_requirements(requirements, log=log, stopped=stopped)
    return cloud.environments.layer(folder / "environment", below=below)


def _unquoted(name: str) -> str:
    try:
        value = json.loads(name)
    except ValueError:
        return name
    return value if isinstance(value, str) else name
