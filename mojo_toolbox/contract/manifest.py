"""The manifest: an artifact's facts about its model. A training script writes it, and the library reads it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mojo_toolbox.errors import ArtifactError

CONTRACT_VERSION = 1

# The kinds of models in artifacts: a language model (its adapter, or merged weights), or a sentence encoder that chooses.
ModelKind = Literal["language_model", "encoder"]


class BaseModelReference(BaseModel):
    """The base model by its name on Hugging Face's hub, wherever its files are read from."""

    model_config = ConfigDict(frozen=True)

    id: str
    revision: str | None = None


class Manifest(BaseModel):
    """The facts about a model in its artifact's `manifest.json`, which the training script writes.

    `fallback` is the choice of an encoder when no other fits. A language model does not have it.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    contract_version: int
    kind: ModelKind = "language_model"
    fallback: str | None = None
    prompt_version: str = ""
    answers: str = "names"
    base_model: BaseModelReference
    merged: bool = False
    training: dict[str, Any] = Field(default_factory=dict)
    metrics: dict[str, Any] = Field(default_factory=dict)


def parse_manifest(text: str | bytes, *, source: str) -> Manifest:
    """Read a manifest. `source` names it in errors.

    Raises:
        ArtifactError: no manifest, or one of a contract version that this library does not know.
    """
    try:
        manifest = Manifest.model_validate_json(text)
    except ValidationError as error:
        raise ArtifactError(f"{source} holds no usable manifest.json: {error.errors()[0]['msg']}.") from error
    if manifest.contract_version != CONTRACT_VERSION:
        raise ArtifactError(
            f"{source} was written for contract version {manifest.contract_version}; this library speaks version "
            f"{CONTRACT_VERSION}. Install the library version that trained it, or train again."
        )
    return manifest
