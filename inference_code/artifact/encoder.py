"""Loads the encoder that an artifact holds, alone or next to another model."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from safetensors import SafetensorError

from artifact.base_weights import base_weights
from artifact.manifest import UnservableArtifactError, read_manifest, trained_names
from artifact.number_format import given_dtype
from encoders.mixture import Chooser, EncoderMixture
from model_code.base_network import require_finite
from model_code.choice_encoder import CONFIG_FILE, WEIGHTS_FILE, ChoiceEncoder
from model_code.hugging_face_token import fetch_hugging_face_token

_ENCODER_FOLDER = "encoder"
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LoadedEncoder:
    """An encoder ready to choose. A request may call it by any of `names`."""

    encoder: Chooser
    base_model: str
    names: frozenset[str] = field(default_factory=frozenset)


def load_encoder(model_dir: Path) -> LoadedEncoder:
    """Load the encoder in `model_dir`, on the CPU. Takes seconds, and memory for two copies of the base model.

    Raises:
        UnservableArtifactError: files that are missing or do not fit the base model, or as in `load_artifact()`.
    """
    manifest = read_manifest(model_dir)
    weights, revision = base_weights(model_dir, manifest)
    encoder = _encoder(model_dir, weights, revision)
    base_model = (manifest.get("base_model") or {}).get("id") or str(weights)
    return LoadedEncoder(encoder, base_model, trained_names(manifest))


def load_encoder_beside(model_dir: Path) -> LoadedEncoder | None:
    """Load the encoder that an artifact holds in `encoder/` next to its own model. Return None if it has no encoder.

    The folder is an artifact of its own. MOJO_ENCODER_BASE_MODEL names another place of the encoder's base model.

    Raises:
        UnservableArtifactError: as in `load_encoder()`.
    """
    folder = model_dir / _ENCODER_FOLDER
    if not any((folder / name).is_file() for name in ("manifest.json", WEIGHTS_FILE)):
        return None
    weights, revision = base_weights(folder, read_manifest(folder), variable="MOJO_ENCODER_BASE_MODEL")
    return LoadedEncoder(_encoder(folder, weights, revision), str(weights))


def mixed(loaded: LoadedEncoder, beside: LoadedEncoder, *, weight: float) -> LoadedEncoder:
    """Let another encoder answer with one, under the names of the one. `weight` is the other's share.

    Raises:
        UnservableArtifactError: they were trained to take different choices for the fallback.
    """
    own, other = (one.encoder.config.fallback for one in (loaded, beside))
    if own != other:
        raise UnservableArtifactError(
            f"The two encoders do not go together: one takes {own!r} for the fallback, the other {other!r}. Deploy one alone."
        )
    return replace(loaded, encoder=EncoderMixture(loaded.encoder, beside.encoder, weight=weight))


def _encoder(folder: Path, weights: str, revision: str | None) -> ChoiceEncoder:
    fetch_hugging_face_token()
    # Read first: a wrong setting must show before a model is fetched. So small a model gains little by 16 bits.
    dtype = given_dtype() or torch.float32
    for name in (CONFIG_FILE, WEIGHTS_FILE):
        if not (folder / name).is_file():
            raise UnservableArtifactError(
                f"The artifact is said to hold an encoder, but has no {name} in {folder}. Train again."
            )
    started = time.monotonic()
    try:
        encoder = ChoiceEncoder.from_folder(folder, weights, revision=revision)
        encoder.encoder.to(dtype)
        require_finite(encoder)
    except (ValueError, TypeError, KeyError, RuntimeError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:300]
        raise UnservableArtifactError(
            f"The encoder in {WEIGHTS_FILE} cannot be loaded on the base model {weights}: {reason} Check that it is the base "
            "model that it was trained from, or train again."
        ) from error
    encoder.requires_grad_(False)
    # PyTorch's own fast path for attention layers is none here: it writes out a weight for each pair of choices. Without it
    # a decision among 1,000 took 66 ms of one core, with it 125 ms. Among 10,000 it needs gigabytes.
    torch.backends.mha.set_fastpath_enabled(False)
    _log.info("Loaded an encoder on %s in %.1f s: %s on the CPU.", weights, time.monotonic() - started, dtype)
    return encoder
