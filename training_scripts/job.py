"""What a training job is told, and where it speaks: SM_* variables, `--name value` flags, stdout for progress lines.

A folder of its own for each training script would repeat this; SageMaker unpacks all of them side by side.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TextIO, TypeVar, get_args, get_origin, get_type_hints

AnySettings = TypeVar("AnySettings", bound="TrainingSettings")


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


def read_environment() -> Job:
    """Read SM_* variables; a missing train channel is refused at once."""

    def folder(name: str) -> Path | None:
        return Path(os.environ[name]) if os.environ.get(name) else None

    train = folder("SM_CHANNEL_TRAIN")
    if train is None:
        raise TrainingInputError("There is no train channel: give the job one (by hand: set SM_CHANNEL_TRAIN).")
    if len(json.loads(os.environ.get("SM_HOSTS", "[]"))) > 1:
        raise TrainingInputError("This script trains on one instance, with all its GPUs: set instance_count to 1.")
    return Job(
        train=train,
        validation=folder("SM_CHANNEL_VALIDATION"),
        base_model=folder("SM_CHANNEL_BASE_MODEL"),
        model_dir=folder("SM_MODEL_DIR") or Path("model"),
        checkpoint_dir=folder("SM_CHECKPOINT_DIR"),
        num_gpus=int(os.environ.get("SM_NUM_GPUS") or 0),
        name=os.environ.get("TRAINING_JOB_NAME"),
    )


def base_model_source(base_model: str, job: Job) -> str:
    """Return the folder or hub id that the base model is read from: what the hyperparameter says, else the channel."""
    source = base_model or str(job.base_model or "")
    if not source:
        raise TrainingInputError("There is no base model: give the hyperparameter base_model or a base_model channel.")
    return source


@contextmanager
def loading(source: str) -> Iterator[None]:
    """Load of a base model; when that fails, say in one line from where."""
    try:
        yield
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise TrainingInputError(f"The base model {source!r} cannot be loaded: {reason}") from error


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
