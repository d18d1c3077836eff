"""Our own handler: `inference_code/` in AWS's container for Hugging Face's models."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mojo_toolbox.clouds.aws.base_model_places import BaseModelPlace
from mojo_toolbox.clouds.aws.container_paths import (
    ADDITIONAL_DATA_DIR,
    BASE_MODEL_CHANNEL,
    ENCODER_BASE_MODEL_CHANNEL,
)
from mojo_toolbox.clouds.aws.images import serving_image
from mojo_toolbox.contract import CONTRACT_VERSION, BaseModelReference, Manifest, ModelKind
from mojo_toolbox.serving.artifacts import MANIFEST, Trained, add_file, add_folder, copy_trained, writing_archive
from mojo_toolbox.shipped import served_code

CODE_DIR = "code"
# An encoder's artifact next to another one.
ENCODER_DIR = "encoder"
# multi-model-server, which the Hugging Face serving container runs, looks for a MANIFEST.json, at the root and one folder
# deep and in any case. Without this file it takes our manifest.json for its own and does not start.
SERVER_MANIFEST_DIR = "MAR-INF"
SERVER_MANIFEST = f"{SERVER_MANIFEST_DIR}/MANIFEST.json"
SERVER_MANIFEST_CONTENT = {
    "specificationVersion": "1.0",
    "implementationVersion": "1.0",
    "modelServerVersion": "1.0",
    "model": {"modelName": "model", "handler": "sagemaker_huggingface_inference_toolkit.handler_service"},
    "runtime": "python",
}
# These files are added at each deployment anew.
_OURS = (CODE_DIR, ENCODER_DIR, SERVER_MANIFEST_DIR)
_INSTANCE_TYPES: Mapping[ModelKind, str] = {"language_model": "ml.g5.xlarge", "encoder": "ml.c7i.xlarge"}
# The container's variables with the place of each channel's base model.
_VARIABLES = {
    BASE_MODEL_CHANNEL: "MOJO_BASE_MODEL",
    ENCODER_BASE_MODEL_CHANNEL: "MOJO_ENCODER_BASE_MODEL",
}
# multi-model-server would start a process with a model of its own for each vCPU: several times the memory, threads that
# get in each other's way, and as many prefix caches, of which a conversation's next turn would find another one.
_ONE_WORKER = {"SAGEMAKER_MODEL_SERVER_WORKERS": "1"}


@dataclass(frozen=True)
class OwnHandler:
    """AWS's Hugging Face container, with our code in its archive: a language model, an encoder, or both together."""

    def image(self, *, region_name: str, instance_type: str) -> str:
        """Return AWS's image for Hugging Face's models, with or without a GPU."""
        return serving_image(region_name, instance_type)

    def instance_type(self, kind: ModelKind) -> str:
        """Return one with a GPU for a language model, and one without for an encoder."""
        return _INSTANCE_TYPES[kind]

    def pack_trained(
        self, trained: Trained, target: Path, *, encoder: Trained | None = None
    ) -> tuple[Manifest, Manifest | None]:
        """Write the job's files, with the encoder's artifact in `encoder/` and our code in `code/`."""
        return deployable_artifact(trained, served_code(), target, encoder=encoder)

    def pack_base(self, base: BaseModelReference, target: Path) -> None:
        """Write a manifest that names the base model, and our code."""
        base_only_artifact(base, served_code(), target)

    def environment(self, bases: Mapping[str, BaseModelPlace]) -> dict[str, str]:
        """Say how many models to load, and where each base model is: mounted, or on Hugging Face's hub."""
        variables = dict(_ONE_WORKER)
        for channel, base in bases.items():
            name = _VARIABLES[channel]
            variables[name] = f"{ADDITIONAL_DATA_DIR}/{channel}" if base.uri else base.reference.id
            variables[f"{name}_REVISION"] = base.reference.revision or ""
        return variables


def deployable_artifact(
    trained: Trained, code: Mapping[str, Path], target: Path, *, encoder: Trained | None = None
) -> tuple[Manifest, Manifest | None]:
    """Write `trained` to `target` with `code` as its `code/`, and `encoder`, if given, as its `encoder/`.

    `code` maps places below `code/` to the folders whose files go there.
    Returns both manifests. Nothing is unpacked to disk.

    Raises:
        ArtifactError: not a tar.gz, paths that climb out, no manifest, or one of an unknown contract version.
    """
    with writing_archive(target) as archive:
        manifest = copy_trained(trained, archive, leave_out=_OURS)
        of_encoder = (
            None if encoder is None else copy_trained(encoder, archive, prefix=f"{ENCODER_DIR}/", leave_out=_OURS)
        )
        _add_what_serves(archive, code)
    return manifest, of_encoder


def base_only_artifact(base: BaseModelReference, code: Mapping[str, Path], target: Path) -> None:
    """Write an artifact without an adapter: the base model answers as it is."""
    manifest = Manifest(contract_version=CONTRACT_VERSION, base_model=base)
    with writing_archive(target) as archive:
        add_file(archive, MANIFEST, manifest.model_dump_json(indent=2).encode())
        _add_what_serves(archive, code)


def _add_what_serves(archive: tarfile.TarFile, code: Mapping[str, Path]) -> None:
    for place, folder in code.items():
        add_folder(archive, folder, prefix=f"{CODE_DIR}/{place}")
    add_file(archive, SERVER_MANIFEST, json.dumps(SERVER_MANIFEST_CONTENT, indent=1).encode())
