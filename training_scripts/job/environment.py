"""A job's folders and facts, from the SM_* variables that SageMaker's toolkit sets."""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from job.errors import TrainingInputError
from job.settings import TrainingSettings


@dataclass(frozen=True)
class Job:
    """The facts that SageMaker's toolkit gives in SM_* variables."""

    train: Path
    validation: Path | None
    base_model: Path | None
    model_dir: Path
    checkpoint_dir: Path | None
    num_gpus: int
    name: str | None


def read_environment() -> Job:
    """Read SM_* variables. A missing train channel, or a model folder that cannot be written, is refused at once."""

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
    """Return the folder or hub id that the base model is read from: the hyperparameter's, else the channel."""
    source = base_model or str(job.base_model or "")
    if not source:
        raise TrainingInputError("There is no base model: give the hyperparameter base_model or a base_model channel.")
    return source


def base_model_revision(source: str, settings: TrainingSettings) -> str | None:
    """Return the revision of the hub that is read. A folder has no revision."""
    return None if Path(source).is_dir() else settings.base_model_revision or None


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
