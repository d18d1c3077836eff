"""manifest.json, which the library reads on deploy: what was trained, on which base model, how, and how well it went."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
import os
from collections.abc import Collection
from pathlib import Path
from typing import Any

from job.environment import Job
from job.records import channel_sha256
from job.settings import TrainingSettings

CONTRACT_VERSION = 1
# Without a manifest of its own, the serving container's multi-model-server takes ours for one and does not start.
SERVER_MANIFEST = "MAR-INF/MANIFEST.json"
SERVER_MANIFEST_CONTENT = {
    "specificationVersion": "1.0",
    "implementationVersion": "1.0",
    "modelServerVersion": "1.0",
    "model": {"modelName": "model", "handler": "sagemaker_huggingface_inference_toolkit.handler_service"},
    "runtime": "python",
}
# Settings that the library decides: they stand elsewhere in the manifest than among the hyperparameters.
_SET_BY_LIBRARY = {
    "base_model",
    "base_model_id",
    "base_model_revision",
    "prompt_version",
    "answers",
    "fallback",
    "metric_for_best_model",
    "data_versions",
    "dataset_sha256",
    "validation_sha256",
}


def _version(package: str) -> str | None:
    """Return a package's version, None where it is not installed: bitsandbytes is needed for 4 bits alone."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def write_manifest(
    path: Path,
    settings: TrainingSettings,
    job: Job,
    *,
    of_the_model: dict[str, Any],
    of_the_training: dict[str, Any],
    packages: Collection[str],
    metrics: dict[str, Any],
) -> None:
    """Write the manifest from a script's settings, and the serving container's own beside it.

    Args:
        path: where to.
        settings: the script's dataclass. Every script's has the same names for base model and data.
        job: what SageMaker said.
        of_the_model: facts that this kind of model has beside every model's.
        of_the_training: the same for its training: how much was read, how long it took.
        packages: whose versions may matter to who trains it again.
        metrics: how well it went.
    """
    hyperparameters = {k: v for k, v in dataclasses.asdict(settings).items() if k not in _SET_BY_LIBRARY}
    manifest = {
        "contract_version": CONTRACT_VERSION,
        "prompt_version": settings.prompt_version,
        "base_model": {
            "id": settings.base_model_id or settings.base_model,
            "revision": settings.base_model_revision or None,
        },
        **of_the_model,
        "training": {
            "job_name": job.name,
            "hyperparameters": hyperparameters,
            "dataset_sha256": settings.dataset_sha256 or channel_sha256(job.train),
            "validation_sha256": settings.validation_sha256 or (job.validation and channel_sha256(job.validation)),
            "data_versions": settings.data_versions,
            "metric_for_best_model": settings.metric_for_best_model,
            "data_recipe": json.loads(os.environ.get("MOJO_DATA_RECIPE") or "null"),
            "library_versions": {name: _version(name) for name in packages},
            "git_commit": os.environ.get("MOJO_GIT_COMMIT") or None,
            **of_the_training,
        },
        "metrics": metrics,
    }
    path.write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    of_the_server = path.parent / SERVER_MANIFEST
    of_the_server.parent.mkdir(exist_ok=True)
    of_the_server.write_text(json.dumps(SERVER_MANIFEST_CONTENT, indent=1) + "\n", encoding="utf-8")
