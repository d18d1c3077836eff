"""The hyperparameters of a QLoRA training."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from typing import Literal

from job.errors import TrainingInputError
from job.settings import TrainingSettings, check_numbers

# A checkpoint may be resumed with other values of these.
MAY_DIFFER = {
    "save_steps",
    "save_total_limit",
    "logging_steps",
    "load_best_model_at_end",
    "metric_for_best_model",
    "merge_weights",
}
MOST_LAYERS = 10_000  # any model has fewer: a range that ends beyond is refused, not counted out


@dataclass(frozen=True)
class QloraSettings(TrainingSettings):
    """Hyperparameters, by transformers', peft's and trl's names."""

    num_train_epochs: float = 2
    learning_rate: float = 2e-4
    warmup_steps: int = 8
    weight_decay: float = 0.0
    per_device_train_batch_size: int = 2
    per_device_eval_batch_size: int = 4
    gradient_accumulation_steps: int = 1
    gradient_checkpointing: bool = False
    optim: str = "adamw_torch"
    max_length: int = 4096
    lora_r: int = 16
    lora_alpha: int = 32
    lora_dropout: float = 0.0
    target_modules: str = "all-linear"
    """`all-linear`, or names of modules with commas between them."""
    layers_to_transform: str = ""
    """Numbers of the layers that are adapted, with commas and ranges (`15-29`). Empty: all."""
    autocast_adapter_dtype: bool = True
    """LoRA's weights in fp32 whatever the base computes in. False: in the base's dtype."""
    load_in_4bit: bool = True
    dtype: Literal["auto", "bfloat16", "float16", "float32"] = "auto"
    """The number format of computing: auto is bfloat16, or float16 on a GPU that has no bfloat16."""
    logging_steps: int = 1
    save_steps: int = 50
    merge_weights: bool = False
    answers: str = ""


def check_settings(settings: QloraSettings) -> None:
    """Refuse settings that no base model could be trained with."""
    check_numbers(settings)
    layer_numbers(settings.layers_to_transform)
    if settings.load_in_4bit and importlib.util.find_spec("bitsandbytes") is None:
        raise TrainingInputError(
            "load_in_4bit needs the package bitsandbytes. Install it (see requirements.txt), or set load_in_4bit to false."
        )


def layer_numbers(text: str) -> list[int] | None:
    """Read `0,1,15-29`. Empty means None."""
    numbers: set[int] = set()
    for part in filter(None, (part.strip() for part in text.split(","))):
        first, dash, last = part.partition("-")
        try:
            low, high = int(first), int(last if dash else first)
        except ValueError:
            low, high = 1, 0
        if low > high:  # an empty range would silently mean all layers
            raise TrainingInputError(f"layers_to_transform: {part!r} is no number and no range such as 15-29.")
        numbers |= set(range(low, min(high, MOST_LAYERS) + 1))
    return sorted(numbers) or None
