"""The trained model on disk: the adapter, and the whole model where it is asked for."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel

from qlora.base_model import load_base_model
from qlora.settings import QloraSettings


def save_adapter(model: Any, tokenizer: Any, settings: QloraSettings, model_dir: Path) -> None:
    """Write the adapter and the tokenizer, naming the base model as the hub does and not by a folder of this machine."""
    config = model.peft_config["default"]
    config.base_model_name_or_path = settings.base_model_id or settings.base_model
    config.revision = settings.base_model_revision or None
    model.save_pretrained(str(model_dir), save_embedding_layers=False)
    (model_dir / "README.md").unlink(missing_ok=True)  # peft's empty model card: the manifest says it all
    tokenizer.save_pretrained(str(model_dir))


def save_merged(source: str, settings: QloraSettings, tokenizer: Any, model_dir: Path) -> None:
    """Write merged/, a model folder of its own: the adapter added to the base read again in bf16, without NF4's rounding."""
    base = load_base_model(
        source, dataclasses.replace(settings, load_in_4bit=False, dtype="bfloat16"), torch.device("cpu")
    )
    base.config.use_cache = True
    merged = PeftModel.from_pretrained(base, str(model_dir)).merge_and_unload()
    merged.save_pretrained(str(model_dir / "merged"))
    tokenizer.save_pretrained(str(model_dir / "merged"))
