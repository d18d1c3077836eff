"""Where the weights are that an artifact starts from: a folder, or a model of the Hugging Face hub."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from artifact.manifest import UnservableArtifactError


def is_merged(model_dir: Path) -> bool:
    """Say whether the artifact holds a whole model in merged/, which needs no base model."""
    return (model_dir / "merged" / "config.json").is_file()


def base_weights(
    model_dir: Path, manifest: dict[str, Any], *, variable: str = "MOJO_BASE_MODEL"
) -> tuple[str, str | None]:
    """Return where the weights to start from are, a folder or a Hugging Face id, and their revision.

    Raises:
        UnservableArtifactError: nothing names a base model.
    """
    if is_merged(model_dir):
        return str(model_dir / "merged"), None
    if given := os.environ.get(variable):
        return given, os.environ.get(f"{variable}_REVISION") or None
    if (model_dir / "config.json").is_file():
        return str(model_dir), None
    base = manifest.get("base_model") or {}
    if base.get("id"):
        return base["id"], base.get("revision") or None
    raise UnservableArtifactError(
        "The artifact names no base model: it holds neither merged/ nor config.json, and its manifest.json no "
        f"base_model.id. Set {variable} to a Hugging Face id or a folder."
    )
