"""The hyperparameters that a training script takes, checked before anything is sent."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, overload

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from mojo_toolbox.contract.manifest import ModelKind
from mojo_toolbox.errors import HyperparameterError

# Other tools' names for some hyperparameters.
_SHORT_NAMES = {
    "lr": "learning_rate",
    "head_lr": "head_learning_rate",
    "epochs": "num_train_epochs",
    "batch_size": "per_device_train_batch_size",
    "torch_dtype": "dtype",
    "warmup": "warmup_steps",
}
# The TrainingArguments of transformers that a job cannot choose: where files go, when it evaluates, where it runs.
_SET_BY_SCRIPTS = frozenset(
    [
        "output_dir",
        "overwrite_output_dir",
        "logging_dir",
        "run_name",
        "report_to",
        "do_train",
        "do_eval",
        "eval_strategy",
        "evaluation_strategy",
        "eval_steps",
        "save_strategy",
        "logging_strategy",
        "metric_for_best_model",
        "push_to_hub",
        "deepspeed",
        "fsdp",
        "load_in_8bit",
        "data_seed",
        "dataloader_num_workers",
        "local_rank",
        "ddp_backend",
    ]
)
# Below it, names that look alike mean other things: "output_dir" is not "optim".
_LIKENESS = 0.7


def _layers_as_text(layers: Any) -> Any:
    """Write a number, or peft's list of them, as the flag has them."""
    if isinstance(layers, bool) or not isinstance(layers, int | list | tuple):
        return layers
    return ",".join(map(str, [layers] if isinstance(layers, int) else layers))


class TrainingHyperparameters(BaseModel):
    """The hyperparameters of `training_scripts/train_qlora.py`, under transformers', peft's and trl's names, with defaults."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    num_train_epochs: float = Field(default=2, gt=0)
    max_steps: int = Field(default=-1, ge=-1)
    learning_rate: float = Field(default=2e-4, gt=0, lt=1)
    lr_scheduler_type: Literal["linear", "cosine", "constant"] = "linear"
    warmup_steps: int = Field(default=8, ge=0)
    weight_decay: float = Field(default=0.0, ge=0)
    max_grad_norm: float = Field(default=1.0, ge=0)
    per_device_train_batch_size: int = Field(default=2, ge=1)
    per_device_eval_batch_size: int = Field(default=4, ge=1)
    gradient_accumulation_steps: int = Field(default=1, ge=1)
    gradient_checkpointing: bool = False
    optim: str = "adamw_torch"
    max_length: int = Field(default=4096, ge=16)
    group_by_length: bool = True
    seed: int = Field(default=42, ge=0)
    lora_r: int = Field(default=16, ge=1)
    lora_alpha: int = Field(default=32, ge=1)
    lora_dropout: float = Field(default=0.0, ge=0, lt=1)
    target_modules: str = "all-linear"
    layers_to_transform: Annotated[str, BeforeValidator(_layers_as_text)] = Field(
        default="", pattern=r"^(\d+(-\d+)?(, *\d+(-\d+)?)*)?$"
    )
    autocast_adapter_dtype: bool = True
    load_in_4bit: bool = True
    dtype: Literal["auto", "bfloat16", "float16", "float32"] = "auto"
    logging_steps: int = Field(default=1, ge=1)
    save_steps: int = Field(default=50, ge=1)
    save_total_limit: int = Field(default=2, ge=1)
    load_best_model_at_end: bool = True
    merge_weights: bool = False


class EncoderHyperparameters(BaseModel):
    """The hyperparameters of `training_scripts/train_encoder.py`, under transformers' names if it has them, with defaults."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    num_train_epochs: float = Field(default=3, gt=0)
    max_steps: int = Field(default=-1, ge=-1)
    learning_rate: float = Field(default=8e-5, gt=0, lt=1)
    head_learning_rate: float = Field(default=5e-4, gt=0, lt=1)
    lr_scheduler_type: Literal["linear", "cosine", "constant"] = "linear"
    warmup_steps: int = Field(default=50, ge=0)
    weight_decay: float = Field(default=0.01, ge=0)
    max_grad_norm: float = Field(default=1.0, ge=0)
    per_device_train_batch_size: int = Field(default=24, ge=1)
    per_device_eval_batch_size: int = Field(default=64, ge=1)
    group_by_length: bool = True
    trained_layers: int = Field(default=-1, ge=-1)
    continue_share: float = Field(default=0.25, ge=0, le=1)
    seed: int = Field(default=42, ge=0)
    calibrate: bool = True
    logging_steps: int = Field(default=10, ge=1)
    save_steps: int = Field(default=200, ge=1)
    save_total_limit: int = Field(default=2, ge=1)
    load_best_model_at_end: bool = True


_HYPERPARAMETERS: dict[ModelKind, type[TrainingHyperparameters | EncoderHyperparameters]] = {
    "language_model": TrainingHyperparameters,
    "encoder": EncoderHyperparameters,
}
_WORDS: dict[ModelKind, str] = {"language_model": "a language model", "encoder": "an encoder"}


@overload
def check_hyperparameters(
    given: Mapping[str, Any] | None, *, kind: Literal["language_model"] = "language_model"
) -> TrainingHyperparameters: ...
@overload
def check_hyperparameters(given: Mapping[str, Any] | None, *, kind: Literal["encoder"]) -> EncoderHyperparameters: ...
def check_hyperparameters(
    given: Mapping[str, Any] | None, *, kind: ModelKind = "language_model"
) -> TrainingHyperparameters | EncoderHyperparameters:
    """Check hyperparameters against the training script of this kind of model, before anything is sent.

    Raises:
        HyperparameterError: an unknown name (the nearest known one is named) or a value out of range.
    """
    if given is not None and not isinstance(given, Mapping):
        raise HyperparameterError(f"hyperparameters must be a dictionary of names and values, not {given!r:.80}.")
    given = dict(given or {})
    model = _HYPERPARAMETERS[kind]
    known = list(model.model_fields)
    for name in given:
        if name not in known:
            raise HyperparameterError(f"Unknown hyperparameter {name!r}. {_hint(name, known, kind)}")
    try:
        return model.model_validate(given)
    except ValidationError as error:
        problem = error.errors()[0]
        raise HyperparameterError(
            f"Hyperparameter {problem['loc'][0]!r} cannot be {problem['input']!r}: {problem['msg']}."
        ) from error


def _hint(name: Any, known: Sequence[str], kind: ModelKind) -> str:
    """Say which known name may be meant, or that it is one of another kind of model."""
    short = [_SHORT_NAMES[name]] if _SHORT_NAMES.get(name) in known else []
    for other, model in _HYPERPARAMETERS.items():
        if other != kind and name in model.model_fields:
            return f"It is known to {_WORDS[other]}'s training, not to {_WORDS[kind]}'s. Known: {', '.join(known)}."
    if name in _SET_BY_SCRIPTS:
        return f"The training script decides it. Known: {', '.join(known)}."
    near = short or difflib.get_close_matches(str(name), known, n=1, cutoff=_LIKENESS)
    return f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(known)}."
