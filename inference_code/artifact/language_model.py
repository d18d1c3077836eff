"""Loads what an artifact (the unpacked model.tar.gz) describes: tokenizer, base model, adapters or merged weights.

merged/                  whole model: loaded as it is, no base model needed
adapter_config.json      one adapter: merged into the base model in memory (unmerged, a decision takes over twice as long)
adapters/<name>/         several adapters: kept unmerged beside each other, each request chooses
none of these            the base model as it is, or the folder itself where it holds a whole model (config.json)

Where manifest.json says `"kind": "encoder"`, it holds what was trained of an encoder (choice_encoder.safetensors and .json).
encoder/                 the same beside a language model or an encoder: both answer together
"""

from __future__ import annotations

import json
import logging
import os
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from encoders.mixture import Chooser, EncoderMixture
from language_model.adapters import AdapterError, with_adapter
from language_model.network import LanguageModel
from model_code.base_network import BaseModelError, load_language_model, load_tokenizer, require_finite
from model_code.chat_encoding import ChatTemplateError, ensure_chat_template, require_vocabulary
from model_code.choice_encoder import CONFIG_FILE, WEIGHTS_FILE, ChoiceEncoder
from model_code.hugging_face_token import fetch_hugging_face_token

CONTRACT_VERSIONS = (1,)
LANGUAGE_MODEL, ENCODER = KINDS = ("language_model", "encoder")
_ENCODER_FOLDER = "encoder"
_DTYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16, "float32": torch.float32}
_SHORT_DTYPES = {"bf16": "bfloat16", "fp16": "float16", "half": "float16", "fp32": "float32"}
# A configuration that names no limit: as far as most current models go.
_UNKNOWN_CONTEXT = 131_072
_log = logging.getLogger(__name__)


class ArtifactError(ValueError):
    """The artifact cannot be served; the message says why and what to try."""


@dataclass(frozen=True)
class Loaded:
    """A model ready to answer. `names` are what a request may call the model that answers by default."""

    model: LanguageModel
    tokenizer: Any
    base_model: str
    names: frozenset[str] = field(default_factory=frozenset)


@dataclass(frozen=True)
class LoadedEncoder:
    """An encoder ready to choose. `names` are what a request may call it."""

    encoder: Chooser
    base_model: str
    names: frozenset[str] = field(default_factory=frozenset)


def artifact_kind(model_dir: Path) -> str:
    """Return what `model_dir` holds: `LANGUAGE_MODEL` or `ENCODER`.

    Raises:
        ArtifactError: another kind, or a contract version that this server does not know.
    """
    kind = _manifest(model_dir).get("kind", LANGUAGE_MODEL)
    if kind not in KINDS:
        raise ArtifactError(
            f"manifest.json says that this artifact is of the kind {str(kind)[:80]!r}; this server knows "
            f"{' and '.join(KINDS)}. Deploy it with the library version that trained it, or train again."
        )
    return str(kind)


def load_encoder(model_dir: Path) -> LoadedEncoder:
    """Load the encoder in `model_dir`, on the CPU. Takes seconds, and memory for two copies of the base model.

    Raises:
        ArtifactError: files that are missing or do not fit the base model, or as in `load_artifact()`.
    """
    manifest = _manifest(model_dir)
    weights, revision = _weights(model_dir, manifest)
    encoder = _encoder(model_dir, weights, revision)
    base_model = (manifest.get("base_model") or {}).get("id") or str(weights)
    return LoadedEncoder(encoder, base_model, _trained_names(manifest))


def load_encoder_beside(model_dir: Path) -> LoadedEncoder | None:
    """Load the encoder that an artifact holds in `encoder/` beside its own model, None where it holds none.

    The folder is an artifact of its own; MOJO_ENCODER_BASE_MODEL names another place of the encoder's base model.

    Raises:
        ArtifactError: as in `load_encoder()`.
    """
    folder = model_dir / _ENCODER_FOLDER
    if not any((folder / name).is_file() for name in ("manifest.json", WEIGHTS_FILE)):
        return None
    weights, revision = _weights(folder, _manifest(folder), variable="MOJO_ENCODER_BASE_MODEL")
    return LoadedEncoder(_encoder(folder, weights, revision), str(weights))


def mixed(loaded: LoadedEncoder, beside: LoadedEncoder, *, weight: float) -> LoadedEncoder:
    """Let another encoder answer with one, under the names of the one; `weight` is the other's share.

    Raises:
        ArtifactError: they were trained to take different choices for the fallback.
    """
    own, other = (one.encoder.config.fallback for one in (loaded, beside))
    if own != other:
        raise ArtifactError(
            f"The two encoders do not go together: one takes {own!r} for the fallback, the other {other!r}. Deploy one alone."
        )
    return replace(loaded, encoder=EncoderMixture(loaded.encoder, beside.encoder, weight=weight))


def load_artifact(model_dir: Path, device: torch.device) -> Loaded:
    """Load what `model_dir` holds to `device`. Takes seconds to minutes, and memory for one copy of the weights.

    Raises:
        ArtifactError: a contract version that this server does not know, no base model named, an unknown dtype, or weights
            that do not fit each other.
    """
    manifest = _manifest(model_dir)
    weights, revision = _weights(model_dir, manifest)
    fetch_hugging_face_token()
    dtype = serving_dtype(device)
    started = time.monotonic()
    folders = _adapter_folders(model_dir)
    try:
        network = load_language_model(weights, revision=revision, dtype=dtype).to(device).eval()
        tokenizer = _tokenizer(model_dir, weights, revision)
        require_vocabulary(tokenizer, network.get_input_embeddings().weight.shape[0])
        if (model_dir / "adapter_config.json").is_file() and not _merged(model_dir):
            network = with_adapter(network, "default", model_dir).merge_and_unload()
        for name, folder in folders.items():
            network = with_adapter(network, name, folder)
        network = network.to(dtype).eval().requires_grad_(False)
        require_finite(network)
    except (BaseModelError, AdapterError, ChatTemplateError) as error:
        raise ArtifactError(str(error)) from error
    model = LanguageModel(network, adapters=tuple(folders), context_length=_context_length(network.config, tokenizer))
    _log.info(
        "Loaded %s in %.1f s: %s on %s, context %d, adapters %s, KV cache %s, tree mask %s.",
        weights, time.monotonic() - started, dtype, device, model.context_length, list(folders) or "none apart",
        model.has_cache, model.has_tree_mask,
    )  # fmt: skip
    base_model = (manifest.get("base_model") or {}).get("id") or str(weights)
    return Loaded(model, tokenizer, base_model, _default_names(model_dir, manifest, base_model))


def serving_device(gpu_id: int | None) -> torch.device:
    """Return where a language model computes: on the GPU of this number, the first when none is given, else on the CPU."""
    return torch.device("cuda", gpu_id or 0) if torch.cuda.is_available() else torch.device("cpu")


def serving_dtype(device: torch.device) -> torch.dtype:
    """Return what to compute in: MOJO_DTYPE, else 16 bits where the device is fast at them."""
    given = _given_dtype()
    if given is not None:
        return given
    if device.type == "cuda":
        # T4s and older emulate bf16, slowly.
        return torch.bfloat16 if torch.cuda.get_device_capability(device) >= (8, 0) else torch.float16
    return torch.bfloat16 if _cpu_is_fast_at_bf16() else torch.float32


def _given_dtype() -> torch.dtype | None:
    given = os.environ.get("MOJO_DTYPE", "").strip().lower()
    if given in ("", "auto"):
        return None
    name = _SHORT_DTYPES.get(given, given)
    if name not in _DTYPES:
        raise ArtifactError(f"MOJO_DTYPE is {given!r}. Set it to auto, bfloat16, float16 or float32.")
    return _DTYPES[name]


def _encoder(folder: Path, weights: str, revision: str | None) -> ChoiceEncoder:
    fetch_hugging_face_token()
    # Read first: a wrong setting is to be told before a model is fetched. So small a model gains little by 16 bits.
    dtype = _given_dtype() or torch.float32
    for name in (CONFIG_FILE, WEIGHTS_FILE):
        if not (folder / name).is_file():
            raise ArtifactError(f"The artifact is said to hold an encoder, but has no {name} in {folder}. Train again.")
    started = time.monotonic()
    try:
        encoder = ChoiceEncoder.from_folder(folder, weights, revision=revision)
        encoder.encoder.to(dtype)
        require_finite(encoder)
    except (ValueError, TypeError, KeyError, RuntimeError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:300]
        raise ArtifactError(
            f"The encoder in {WEIGHTS_FILE} cannot be loaded on the base model {weights}: {reason} Check that it is the base "
            "model that it was trained from, or train again."
        ) from error
    encoder.requires_grad_(False)
    # PyTorch's own fast path for attention layers is none here: it writes out a weight for each pair of choices. Without it
    # a decision among 1,000 took 66 ms of one core, with it 125 ms; among 10,000 it needs gigabytes.
    torch.backends.mha.set_fastpath_enabled(False)
    _log.info("Loaded an encoder on %s in %.1f s: %s on the CPU.", weights, time.monotonic() - started, dtype)
    return encoder


def _cpu_is_fast_at_bf16() -> bool:
    """Time a small product in both, some 20 ms in all: CPUs without bf16 units emulate them, several times slower.

    On one thread and in turns, so that a busy machine does not decide.
    """
    dtypes = (torch.float32, torch.bfloat16)
    operands = {dtype: (torch.randn(64, 512).to(dtype), torch.randn(512, 512).to(dtype)) for dtype in dtypes}
    fastest = dict.fromkeys(dtypes, float("inf"))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.inference_mode():
            for dtype in dtypes * 30:
                started = time.perf_counter()
                torch.nn.functional.linear(*operands[dtype])
                fastest[dtype] = min(fastest[dtype], time.perf_counter() - started)
    finally:
        torch.set_num_threads(threads)
    return fastest[torch.bfloat16] < fastest[torch.float32]


def _manifest(model_dir: Path) -> dict[str, Any]:
    path = model_dir / "manifest.json"
    if not path.is_file():
        return {}
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ArtifactError(f"manifest.json is not JSON ({error}). Train again, or repair it.") from error
    version = manifest.get("contract_version") if isinstance(manifest, dict) else None
    if version not in CONTRACT_VERSIONS:
        known = ", ".join(map(str, CONTRACT_VERSIONS))
        raise ArtifactError(
            f"manifest.json was written for contract version {version!r}; this server knows {known}. "
            "Deploy it with the library version that trained it, or train again."
        )
    return dict(manifest)


def _merged(model_dir: Path) -> bool:
    return (model_dir / "merged" / "config.json").is_file()


def _weights(model_dir: Path, manifest: dict[str, Any], *, variable: str = "MOJO_BASE_MODEL") -> tuple[str, str | None]:
    """Where the weights to start from are: a folder or an id of the hub, and its revision."""
    if _merged(model_dir):
        return str(model_dir / "merged"), None
    if given := os.environ.get(variable):
        return given, os.environ.get(f"{variable}_REVISION") or None
    if (model_dir / "config.json").is_file():
        return str(model_dir), None
    base = manifest.get("base_model") or {}
    if base.get("id"):
        return base["id"], base.get("revision") or None
    raise ArtifactError(
        "The artifact names no base model: it holds neither merged/ nor config.json, and its manifest.json no "
        f"base_model.id. Set {variable} to a Hugging Face id or a folder."
    )


def _adapter_folders(model_dir: Path) -> dict[str, Path]:
    return {path.parent.name: path.parent for path in sorted(model_dir.glob("adapters/*/adapter_config.json"))}


def _tokenizer(model_dir: Path, weights: str, revision: str | None) -> Any:
    for folder in (model_dir, model_dir / "merged"):
        if (folder / "tokenizer_config.json").is_file():
            tokenizer = load_tokenizer(str(folder))
            break
    else:
        tokenizer = load_tokenizer(weights, revision=revision)
    ensure_chat_template(tokenizer)
    return tokenizer


def _context_length(config: Any, tokenizer: Any) -> int:
    limit = getattr(config.get_text_config(), "max_position_embeddings", None)
    if isinstance(limit, int) and limit > 0:
        return limit
    # Tokenizers that know no limit say 10**30.
    return int(min(tokenizer.model_max_length, _UNKNOWN_CONTEXT))


def _default_names(model_dir: Path, manifest: dict[str, Any], base_model: str) -> frozenset[str]:
    if (model_dir / "adapter_config.json").is_file() or _merged(model_dir):
        return _trained_names(manifest)
    return frozenset([base_model])


def _trained_names(manifest: dict[str, Any]) -> frozenset[str]:
    job_name = (manifest.get("training") or {}).get("job_name")
    return frozenset(["default", job_name] if job_name else ["default"])
