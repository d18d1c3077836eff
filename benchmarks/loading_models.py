"""Models to measure: base models and artifacts, loaded by the code that serves them, from where they are on this machine."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from transformers import AutoModelForCausalLM
from transformers.utils.logging import disable_progress_bar

from mojo_toolbox.base_models import SMOLLM2, resolve_base_model
from mojo_toolbox.settings import load_settings
from mojo_toolbox.shipped import inference_code_dir, training_scripts_dir

# The packages import each other by plain name, as in a container, where all of them are in one folder.
sys.path.insert(0, str(training_scripts_dir()))
sys.path.insert(0, str(inference_code_dir()))

from artifact.encoder import LoadedEncoder
from artifact.language_model import LoadedLanguageModel, load_artifact
from artifact.manifest import ENCODER, artifact_kind
from artifact.number_format import serving_device
from inference import model_fn
from servers.loading import load_encoders
from servers.server import Server


def load_model(name: str | None) -> tuple[LoadedLanguageModel, str]:
    """Load an artifact's folder, or a base model by folder or name; return it and where its base weights are."""
    disable_progress_bar()
    if name and artifact_kind(Path(name)) == ENCODER:
        raise SystemExit(
            f"{name} holds an encoder. Give the folder of a language model here, a base model's or an artifact's."
        )
    base = _base_model(Path(name)) if name else None
    source = resolved(base or name or SMOLLM2)
    with tempfile.TemporaryDirectory() as empty, _variables(MOJO_BASE_MODEL=source):
        return load_artifact(Path(name) if name and base else Path(empty), serving_device(None)), source


def load_server(folder: Path) -> Server:
    """Load whatever an artifact's folder holds as a container does: a language model, an encoder, or both."""
    disable_progress_bar()
    with _bases(folder):
        return model_fn(str(folder))


def load_choice_encoder(folder: Path) -> LoadedEncoder:
    """Load the encoder in an artifact's folder, together with one beside it, without a server around them."""
    disable_progress_bar()
    if _base_model(folder) is None or artifact_kind(folder) != ENCODER:
        raise SystemExit(
            f"{folder} holds no encoder. Give the folder of an unpacked artifact of --recipe encoder-router."
        )
    with _bases(folder):
        return load_encoders(folder)


def peer_network(loaded: LoadedLanguageModel, source: str) -> Any:
    """Load the base network once more, as transformers does it, in the server's dtype."""
    network: Any = AutoModelForCausalLM.from_pretrained(source, dtype=loaded.model.dtype)
    return network.to(loaded.model.device).eval()


def resolved(base_model: str) -> str:
    """Return the folder or the hub's name that a base model is read from."""
    return str(resolve_base_model(base_model, cache_dir=load_settings().home / "base_models"))


def _base_model(artifact: Path) -> str | None:
    """Return the base model that an artifact's manifest names; None for a folder that is no artifact."""
    manifest = artifact / "manifest.json"
    if not manifest.is_file():
        return None
    return str(json.loads(manifest.read_text(encoding="utf-8"))["base_model"]["id"])


def _bases(folder: Path) -> AbstractContextManager[None]:
    """Tell the serving code where the base models of an artifact's folder are."""
    bases = {"MOJO_BASE_MODEL": _base_model(folder), "MOJO_ENCODER_BASE_MODEL": _base_model(folder / "encoder")}
    return _variables(**{variable: resolved(base) for variable, base in bases.items() if base})


@contextmanager
def _variables(**values: str) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
