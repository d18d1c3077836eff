"""The manifest: what an artifact says of the model in it; a training script writes it, the library reads it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mojo_toolbox.errors import ArtifactError

CONTRACT_VERSION = 1

# What an artifact holds: a language model (its adapter, or merged weights), or a sentence encoder that chooses.
ModelKind = Literal["language_model", "encoder"]


class BaseModelReference(BaseModel):
    """The base model by its name on Hugging Face's hub, wherever its files are read from."""

    model_config = ConfigDict(frozen=True)

    id: str
    revision: str | None = None


class Manifest(BaseModel):
    """What `manifest.json` in an artifact says of the model; written by the training script.

    `fallback` is the choice that an encoder takes for none of the others. A language model does not have one.
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
    """Read a manifest; `source` names it in errors.

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
