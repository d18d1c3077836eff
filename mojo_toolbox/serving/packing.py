"""The archive that an endpoint runs: a trained artifact, or a base model that nobody trained, packed for a serving container."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from mojo_toolbox.base_models import require_kind
from mojo_toolbox.clouds.aws.base_model_places import BaseModelPlace
from mojo_toolbox.clouds.aws.container_paths import BASE_MODEL_CHANNEL, ENCODER_BASE_MODEL_CHANNEL
from mojo_toolbox.contract import Manifest, ModelKind
from mojo_toolbox.errors import ArtifactError, ConfigurationError
from mojo_toolbox.serving.artifacts import Trained
from mojo_toolbox.serving.serving_container import ServingContainer


@dataclass(frozen=True)
class TrainedArtifact:
    """A training job's artifact in S3, and the place of its base model, if that is in S3."""

    uri: str
    base_uri: str | None = None


@dataclass(frozen=True)
class Packed:
    """The base models, by channel, that a packed artifact needs, the container's variables, and the model's kind."""

    bases: Mapping[str, BaseModelPlace]
    environment: Mapping[str, str]
    kind: ModelKind = "language_model"

    @property
    def mounted(self) -> dict[str, str]:
        """The `s3://` folders to mount, by channel."""
        return {channel: base.uri for channel, base in self.bases.items() if base.uri}


def pack(
    trained: TrainedArtifact | None,
    target: Path,
    *,
    container: ServingContainer,
    fetch: Callable[[str, Path], None],
    find_base: Callable[[str], BaseModelPlace],
    base_model: str | Path | None = None,
    encoder: TrainedArtifact | None = None,
    prompt_version: str | None = None,
) -> Packed:
    """Write the artifact to deploy to `target`.

    Args:
        trained: the artifact to serve. None for `base_model` as it is.
        target: the model.tar.gz to write. Its folder is used as scratch.
        container: the container to serve it, which knows the archive's layout.
        fetch: brings the trained artifact at a URI to a file.
        find_base: looks a base model up by its name.
        base_model: what to serve, or another place of the trained one's base model.
        encoder: of an encoder router that answers together with what is served.
        prompt_version: which prompt it must have been trained on, or None if any will do.

    Raises:
        ArtifactError: an artifact, or a prompt, that this library does not know.
        ConfigurationError: things that do not go together, or a base model of another kind.
    """
    if trained is None:
        require_untrained(str(base_model), encoder_given=encoder is not None)
        base = find_base(str(base_model))
        container.pack_base(base.reference, target)
        bases = {BASE_MODEL_CHANNEL: base}
        return Packed(bases, container.environment(bases))
    manifest, encoder_manifest = container.pack_trained(
        _downloaded(trained, target.with_name("trained.tar.gz"), fetch),
        target,
        encoder=None if encoder is None else _downloaded(encoder, target.with_name("encoder.tar.gz"), fetch),
    )
    _require_prompt(manifest, trained.uri, prompt_version)
    bases = {BASE_MODEL_CHANNEL: _base_of(trained, manifest, base_model, find_base)}
    if encoder is not None and encoder_manifest is not None:
        _require_partner(encoder_manifest, encoder.uri, manifest, trained.uri)
        _require_prompt(encoder_manifest, encoder.uri, prompt_version)
        bases[ENCODER_BASE_MODEL_CHANNEL] = _base_of(encoder, encoder_manifest, None, find_base)
    return Packed(bases, container.environment(bases), kind=manifest.kind)


def require_untrained(base_model: str | Path, *, encoder_given: bool) -> None:
    """Refuse a base model that cannot be served as it is, as far as no artifact is read. Asks nobody.

    Raises:
        ConfigurationError: it is of another kind, or has an encoder next to it.
    """
    if encoder_given:
        raise ConfigurationError(
            "encoder stands beside a trained model, and base_model alone deploys one that nobody trained. Leave one of them "
            "out, or name the trained model's job or model_data too."
        )
    require_kind(str(base_model), "language_model")


def named_bases(
    trained: TrainedArtifact | None, *, base_model: str | Path | None, encoder: TrainedArtifact | None
) -> list[str]:
    """Return the base models that the arguments of `pack()` name by themselves, before an artifact is read."""
    first = base_model if base_model is not None else trained and trained.base_uri
    return [str(base) for base in (first, encoder and encoder.base_uri) if base is not None]


def _downloaded(trained: TrainedArtifact, path: Path, fetch: Callable[[str, Path], None]) -> Trained:
    fetch(trained.uri, path)
    return Trained(path, source=trained.uri)


def _require_prompt(manifest: Manifest, uri: str, prompt_version: str | None) -> None:
    if prompt_version is not None and manifest.prompt_version != prompt_version:
        raise ArtifactError(
            f"{uri} was trained on the prompt {manifest.prompt_version!r}; this library asks with {prompt_version!r}. "
            "Install the library version that trained it, or train again."
        )


def _require_partner(encoder: Manifest, encoder_uri: str, model: Manifest, model_uri: str) -> None:
    """Refuse an encoder that cannot answer together with the model."""
    if encoder.kind != "encoder":
        raise ConfigurationError(
            f"encoder takes the training job of an encoder router; {encoder_uri} is a language model's."
        )
    if model.kind == encoder.kind and model.fallback != encoder.fallback:
        raise ConfigurationError(
            f"The two encoders do not go together: {model_uri} takes {model.fallback!r} for none of the choices, "
            f"{encoder_uri} {encoder.fallback!r}."
        )


def _base_of(
    trained: TrainedArtifact,
    manifest: Manifest,
    base_model: str | Path | None,
    find_base: Callable[[str], BaseModelPlace],
) -> BaseModelPlace:
    """Find the base model of a trained one: where its job read it, where the caller says, or on Hugging Face's hub."""
    if base_model is None and trained.base_uri is not None:
        return BaseModelPlace(reference=manifest.base_model, uri=trained.base_uri)
    if base_model is not None:
        require_kind(str(base_model), manifest.kind)
    found = find_base(str(base_model or manifest.base_model.id))
    return BaseModelPlace(reference=manifest.base_model, uri=found.uri, folder=found.folder)
