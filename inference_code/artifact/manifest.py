"""An artifact's description of itself: manifest.json, its kind, and the error of a wrong one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

CONTRACT_VERSIONS = (1,)
LANGUAGE_MODEL, ENCODER = KINDS = ("language_model", "encoder")


class UnservableArtifactError(ValueError):
    """The artifact cannot be served. The message says why and what to try."""


def artifact_kind(model_dir: Path) -> str:
    """Return the kind of model in `model_dir`: `LANGUAGE_MODEL` or `ENCODER`.

    Raises:
        UnservableArtifactError: another kind, or a contract version that this server does not know.
    """
    kind = read_manifest(model_dir).get("kind", LANGUAGE_MODEL)
    if kind not in KINDS:
        raise UnservableArtifactError(
            f"manifest.json says that this artifact is of the kind {str(kind)[:80]!r}; this server knows "
            f"{' and '.join(KINDS)}. Deploy it with the library version that trained it, or train again."
        )
    return str(kind)


def read_manifest(model_dir: Path) -> dict[str, Any]:
    """Return manifest.json, or an empty dict without one.

    Raises:
        UnservableArtifactError: it is not JSON, or of a contract version that this server does not know.
    """
    path = model_dir / "manifest.json"
    if not path.is_file():
        return {}
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UnservableArtifactError(f"manifest.json is not JSON ({error}). Train again, or repair it.") from error
    version = manifest.get("contract_version") if isinstance(manifest, dict) else None
    if version not in CONTRACT_VERSIONS:
        known = ", ".join(map(str, CONTRACT_VERSIONS))
        raise UnservableArtifactError(
            f"manifest.json was written for contract version {version!r}; this server knows {known}. "
            "Deploy it with the library version that trained it, or train again."
        )
    return dict(manifest)


def trained_names(manifest: dict[str, Any]) -> frozenset[str]:
    """Return the names by which a request may call the trained model."""
    job_name = (manifest.get("training") or {}).get("job_name")
    return frozenset(["default", job_name] if job_name else ["default"])
