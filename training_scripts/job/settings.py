"""What a training job is told, and where it speaks: SM_* variables, `--name value` flags, stdout for progress lines.

A folder of its own for each training script would repeat this; SageMaker unpacks all of them side by side.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TextIO, TypeVar, get_args, get_origin, get_type_hints

AnySettings = TypeVar("AnySettings", bound="TrainingSettings")
# The least and the most that a number may be, where a script knows it.
_RANGES: dict[str, tuple[float, float]] = {
    "num_train_epochs": (0, math.inf),
    "max_steps": (-1, math.inf),
    "learning_rate": (0, 1),
    "head_learning_rate": (0, 1),
    "warmup_steps": (0, math.inf),
    "weight_decay": (0, math.inf),
    "max_grad_norm": (0, math.inf),
    "per_device_train_batch_size": (1, math.inf),
    "per_device_eval_batch_size": (1, math.inf),
    "gradient_accumulation_steps": (1, math.inf),
    "seed": (0, math.inf),
    "max_length": (16, math.inf),
    "lora_r": (1, math.inf),
    "lora_alpha": (1, math.inf),
    "lora_dropout": (0, 1),
    "trained_layers": (-1, math.inf),
    "continue_share": (0, 1),
    "logging_steps": (1, math.inf),
    "save_steps": (1, math.inf),
    "save_total_limit": (1, math.inf),
    "data_versions": (1, math.inf),
}
_MORE_THAN_LEAST = {"num_train_epochs", "learning_rate", "head_learning_rate"}
_LESS_THAN_MOST = {"learning_rate", "head_learning_rate", "lora_dropout"}


class TrainingInputError(ValueError):
    """Something that whoever started the job can put right; the message is one line and says how."""


@dataclass(frozen=True)
class Job:
    """What SageMaker's toolkit says through SM_* variables."""

    train: Path
    validation: Path | None
    base_model: Path | None
    model_dir: Path
    checkpoint_dir: Path | None
    num_gpus: int
    name: str | None


@dataclass(frozen=True)
class TrainingSettings:
    """The hyperparameters that every training script knows, by transformers' names where it has them."""

    base_model: str = ""
    """A folder or an id of the Hugging Face hub; empty when the channel `base_model` brings the model."""
    base_model_id: str = ""
    """The base model's name for the manifest, when `base_model` is a folder or empty."""
    base_model_revision: str = ""
    max_steps: int = -1
    """Above 0: how many steps are made, whatever the number of epochs."""
    lr_scheduler_type: Literal["linear", "cosine", "constant"] = "linear"
    max_grad_norm: float = 1.0
    group_by_length: bool = True
    seed: int = 42
    save_total_limit: int = 2
    load_best_model_at_end: bool = True
    prompt_version: str = ""
    data_versions: int = 1
    """How many versions of the data the train channel holds, line by line in turn: an epoch reads the next one."""
    dataset_sha256: str = ""
    """Content hash of what the train channel was made from; empty: the channel's own."""
    validation_sha256: str = ""


def read_settings(settings: type[AnySettings], argv: Sequence[str] | None = None, *, description: str) -> AnySettings:
    """Read `--name value` flags into a dataclass of settings; SageMaker passes hyperparameters so."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    hints = get_type_hints(settings)
    for field in dataclasses.fields(settings):
        kind = hints[field.name]
        choices = get_args(kind) if get_origin(kind) is Literal else None
        convert = str if choices else true_or_false if kind is bool else kind
        parser.add_argument(f"--{field.name}", type=convert, choices=choices, default=field.default)
    return settings(**vars(parser.parse_args(argv)))


def true_or_false(text: str) -> bool:
    """Read a boolean as JSON or Python spells it."""
    if text.lower() in {"true", "1"}:
        return True
    if text.lower() in {"false", "0"}:
        return False
    raise argparse.ArgumentTypeError(f"{text!r} is neither true nor false")


def check_numbers(settings: TrainingSettings) -> None:
    """Refuse numbers out of range before anything is loaded; the library's contract has the same ranges."""
    for name, (low, high) in _RANGES.items():
        value = getattr(settings, name, None)
        if value is None:
            continue
        above = value > low if name in _MORE_THAN_LEAST else value >= low
        below = value < high if name in _LESS_THAN_MOST else value <= high
        if not (above and below and math.isfinite(value)):
            least = f"{'more than' if name in _MORE_THAN_LEAST else 'at least'} {low}"
            most = "" if high == math.inf else f" and {'less than' if name in _LESS_THAN_MOST else 'at most'} {high}"
            raise TrainingInputError(f"{name} is {value}. Set it to {least}{most}.")


def read_environment() -> Job:
    """Read SM_* variables; a missing train channel, or a model folder that cannot be written, is refused at once."""

    def folder(name: str) -> Path | None:
        return Path(os.environ[name]) if os.environ.get(name) else None

    train = folder("SM_CHANNEL_TRAIN")
    if train is None:
        raise TrainingInputError("There is no train channel: give the job one (by hand: set SM_CHANNEL_TRAIN).")
    if len(json.loads(os.environ.get("SM_HOSTS", "[]"))) > 1:
        raise TrainingInputError("This script trains on one instance, with all its GPUs: set instance_count to 1.")
    try:
        json.loads(os.environ.get("MOJO_DATA_RECIPE") or "null")
    except ValueError as error:
        raise TrainingInputError(f"MOJO_DATA_RECIPE is no JSON ({error}). Correct it or leave it out.") from error
    model_dir = folder("SM_MODEL_DIR") or Path("model")
    _require_writable(model_dir)
    return Job(
        train=train,
        validation=folder("SM_CHANNEL_VALIDATION"),
        base_model=folder("SM_CHANNEL_BASE_MODEL"),
        model_dir=model_dir,
        checkpoint_dir=folder("SM_CHECKPOINT_DIR"),
        num_gpus=int(os.environ.get("SM_NUM_GPUS") or 0),
        name=os.environ.get("TRAINING_JOB_NAME"),
    )


def _require_writable(model_dir: Path) -> None:
    """Refuse a folder that cannot be made or written: it would be noticed when all is trained."""
    nearest = next(path for path in (model_dir.absolute(), *model_dir.absolute().parents) if path.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        raise TrainingInputError(f"The model cannot be saved in {model_dir} (SM_MODEL_DIR): {nearest} is not writable.")


def base_model_source(base_model: str, job: Job) -> str:
    """Return the folder or hub id that the base model is read from: what the hyperparameter says, else the channel."""
    source = base_model or str(job.base_model or "")
    if not source:
        raise TrainingInputError("There is no base model: give the hyperparameter base_model or a base_model channel.")
    return source


def base_model_revision(source: str, settings: TrainingSettings) -> str | None:
    """Return what of the hub's history is read; a folder has none."""
    return None if Path(source).is_dir() else settings.base_model_revision or None


@contextmanager
def loading() -> Iterator[None]:
    """Tell why a base model or its chat template cannot be used (each a ValueError of one line) as an input error."""
    try:
        yield
    except ValueError as error:
        raise TrainingInputError(str(error)) from error


def claim_stdout() -> TextIO:
    """Return stdout for progress lines only; what libraries print to stdout goes to stderr from now on."""
    sys.stdout.flush()
    progress = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1, encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return progress


def say(text: str) -> None:
    """Write a line for people to stderr."""
    print(text, file=sys.stderr, flush=True)


def print_resolved(settings: TrainingSettings, job: Job) -> None:
    """Print the settings and folders that this run goes by."""
    say(json.dumps({"settings": dataclasses.asdict(settings), "job": dataclasses.asdict(job)}, default=str))


class work_folder:  # noqa: N801 - used as `with work_folder(job)`
    """The checkpoint folder, or one that is thrown away when the job has none: it holds the best epoch meanwhile."""

    def __init__(self, job: Job) -> None:
        self._scratch = None if job.checkpoint_dir else tempfile.TemporaryDirectory(prefix="train-")
        self._path = job.checkpoint_dir or Path(self._scratch.name)  # type: ignore[union-attr]

    def __enter__(self) -> Path:
        self._path.mkdir(parents=True, exist_ok=True)
        return self._path

    def __exit__(self, *_: object) -> None:
        if self._scratch:
            self._scratch.cleanup()
