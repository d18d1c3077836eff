"""The hyperparameters of a job: read from `--name value` flags, and checked."""

from __future__ import annotations

import argparse
import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar, get_args, get_origin, get_type_hints

from job.errors import TrainingInputError

BestMetric = Literal["eval_decision_accuracy", "eval_loss"]
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


@dataclass(frozen=True)
class TrainingSettings:
    """The hyperparameters that every training script knows, by transformers' names where it has them."""

    base_model: str = ""
    """A folder or an id of the Hugging Face hub. Empty when the channel `base_model` brings the model."""
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
    metric_for_best_model: BestMetric = "eval_decision_accuracy"
    """By which measure of the validation channel the best epoch is kept: decisions right, or the loss."""
    prompt_version: str = ""
    data_versions: int = 1
    """How many versions of the data the train channel holds, line by line in turn: an epoch reads the next one."""
    dataset_sha256: str = ""
    """Content hash of the train channel's source. Empty means the channel's own hash."""
    validation_sha256: str = ""


def read_settings(settings: type[AnySettings], argv: Sequence[str] | None = None, *, description: str) -> AnySettings:
    """Read `--name value` flags into a dataclass of settings. SageMaker passes hyperparameters so."""
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
    """Refuse numbers out of range before anything is loaded. The library's contract has the same ranges."""
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
