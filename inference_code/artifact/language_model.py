"""Loads the language model that an artifact describes."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from artifact.base_weights import base_weights, is_merged
from artifact.manifest import UnservableArtifactError, read_manifest, trained_names
from artifact.number_format import serving_dtype
from language_model.adapters import AdapterError, with_adapter
from language_model.network import LanguageModel
from model_code.base_network import BaseModelError, load_language_model, load_tokenizer, require_finite
from model_code.chat_encoding import ChatTemplateError, ensure_chat_template, require_vocabulary
from model_code.hugging_face_token import fetch_hugging_face_token

# A configuration that names no limit: as far as most current models go.
_UNKNOWN_CONTEXT = 131_072
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LoadedLanguageModel:
    """A model ready to answer. A request may call the default model by any of `names`."""

    model: LanguageModel
    tokenizer: Any
    base_model: str
    names: frozenset[str] = field(default_factory=frozenset)


def load_artifact(model_dir: Path, device: torch.device) -> LoadedLanguageModel:
    """Load the model in `model_dir` to `device`. Takes seconds to minutes, and memory for one copy of the weights.

    Raises:
        UnservableArtifactError: a contract version that this server does not know, no base model named, an unknown dtype, or weights
            that do not fit each other.
    """
    manifest = read_manifest(model_dir)
    weights, revision = base_weights(model_dir, manifest)
    fetch_hugging_face_token()
    dtype = serving_dtype(device)
    started = time.monotonic()
    folders = _adapter_folders(model_dir)
    try:
        network = load_language_model(weights, revision=revision, dtype=dtype).to(device).eval()
        tokenizer = _tokenizer(model_dir, weights, revision)
        require_vocabulary(tokenizer, network.get_input_embeddings().weight.shape[0])
        if (model_dir / "adapter_config.json").is_file() and not is_merged(model_dir):
            network = with_adapter(network, "default", model_dir).merge_and_unload()
        for name, folder in folders.items():
            network = with_adapter(network, name, folder)
        network = network.to(dtype).eval().requires_grad_(False)
        require_finite(network)
    except (BaseModelError, AdapterError, ChatTemplateError) as error:
        raise UnservableArtifactError(str(error)) from error
    model = LanguageModel(network, adapters=tuple(folders), context_length=_context_length(network.config, tokenizer))
    _log.info(
        "Loaded %s in %.1f s: %s on %s, context %d, adapters %s, KV cache %s, tree mask %s.",
        weights, time.monotonic() - started, dtype, device, model.context_length, list(folders) or "none apart",
        model.has_cache, model.has_tree_mask,
    )  # fmt: skip
    base_model = (manifest.get("base_model") or {}).get("id") or str(weights)
    return LoadedLanguageModel(model, tokenizer, base_model, _default_names(model_dir, manifest, base_model))


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
    if (model_dir / "adapter_config.json").is_file() or is_merged(model_dir):
        return trained_names(manifest)
    return frozenset([base_model])
