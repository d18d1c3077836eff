"""The adapter: LoRA on chosen modules of chosen layers, all that is trained."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import transformers
from peft import LoraConfig, get_peft_model, load_peft_weights, set_peft_model_state_dict

from job.errors import TrainingInputError
from job.settings import BestMetric
from qlora.settings import QloraSettings, layer_numbers
from saving.best_epoch import BestEpoch


def add_adapter(model: Any, settings: QloraSettings) -> Any:
    """Put LoRA on the target modules of the layers to transform. Only that is trained."""
    transformers.set_seed(settings.seed)
    config = adapter_config(model, settings)
    if settings.gradient_checkpointing:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    return get_peft_model(model, config, autocast_adapter_dtype=settings.autocast_adapter_dtype)


def adapter_config(model: Any, settings: QloraSettings) -> LoraConfig:
    """Say which modules of the model are adapted, and how."""
    layers = layer_numbers(settings.layers_to_transform)
    targets: str | list[str] = settings.target_modules
    if targets != "all-linear":
        targets = [name.strip() for name in settings.target_modules.split(",") if name.strip()]
        check_targets(model, targets)
    if layers:
        check_layers(model, layers)
        if targets == "all-linear":  # peft wants names once layers are chosen
            targets = sorted(linear_names(model.base_model))
    return LoraConfig(
        r=settings.lora_r,
        lora_alpha=settings.lora_alpha,
        lora_dropout=settings.lora_dropout,
        target_modules=targets,
        layers_to_transform=layers,
        task_type="CAUSAL_LM",
    )


def linear_names(model: Any) -> set[str]:
    """Return the last parts of the names of the model's linear modules."""
    return {name.rsplit(".", 1)[-1] for name, module in model.named_modules() if isinstance(module, torch.nn.Linear)}


def check_layers(model: Any, layers: Sequence[int]) -> None:
    """Refuse layers that the model lacks: peft would leave them out silently as long as one is there."""
    count = model.config.get_text_config().num_hidden_layers
    if layers[-1] >= count:
        raise TrainingInputError(
            f"layers_to_transform: there is no layer {layers[-1]}; the base model's layers are 0 to {count - 1}."
        )


def check_targets(model: Any, targets: list[str]) -> None:
    """Refuse names that match no module: peft would leave them out silently as long as one matches."""
    full_names = [name for name, _ in model.named_modules()]
    for target in targets or [""]:
        if not any(name == target or name.endswith(f".{target}") for name in full_names):
            linear = ", ".join(sorted(linear_names(model)))
            raise TrainingInputError(f"target_modules: {target!r} matches no module. Linear ones: {linear}.")


def best_adapter(model: Any, folder: Path, *, forget: bool, metric: BestMetric = "eval_decision_accuracy") -> BestEpoch:
    """Keep the best epoch's adapter in `folder`."""

    def save(target: Path) -> None:
        model.save_pretrained(str(target), save_embedding_layers=False)

    def restore(kept: Path) -> None:
        set_peft_model_state_dict(model, load_peft_weights(str(kept), device="cpu"))

    return BestEpoch(folder, save=save, restore=restore, forget=forget, metric=metric)
