"""The frozen base model and its tokenizer."""

from __future__ import annotations

from typing import Any

import torch
from transformers import AutoModelForCausalLM, BitsAndBytesConfig

from job.environment import base_model_revision
from job.errors import TrainingInputError, loading
from job.output import say
from model_code.base_network import load_language_model, read_config, require_language_model
from model_code.base_network import load_tokenizer as read_tokenizer
from model_code.chat_encoding import ensure_chat_template, require_vocabulary
from qlora.adapter import adapter_config
from qlora.settings import QloraSettings


def check_base_model(source: str, settings: QloraSettings) -> Any:
    """Refuse a base model that cannot be trained as asked for, by config.json alone. Return its text configuration.

    A network without weights, made in a moment, has the names of the modules.
    """
    with loading():
        config = read_config(source, revision=base_model_revision(source, settings))
        require_language_model(source, config)
        with torch.device("meta"):
            network = AutoModelForCausalLM.from_config(config)
    adapter_config(network, settings)
    return config.get_text_config()


def load_tokenizer(source: str, settings: QloraSettings, *, vocabulary: int) -> Any:
    """Load the base model's tokenizer, with ChatML when it has no chat template that takes a system message."""
    with loading():
        tokenizer = read_tokenizer(source, revision=base_model_revision(source, settings))
        if ensure_chat_template(tokenizer):
            say("The base model has no chat template with a system role: ChatML is used and saved with the tokenizer.")
        require_vocabulary(tokenizer, vocabulary)
    return tokenizer


def compute_dtype(settings: QloraSettings, device: torch.device) -> torch.dtype:
    """Resolve the number format on this device."""
    if settings.dtype != "auto":
        dtype: torch.dtype = getattr(torch, settings.dtype)
        if dtype is torch.float16 and device.type == "cpu":
            raise TrainingInputError("float16 needs a GPU: on a CPU use dtype bfloat16, float32 or auto.")
        return dtype
    # Emulated bfloat16 (a T4) would be slower than float16 with loss scaling.
    lacks_bfloat16 = device.type == "cuda" and not torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.float16 if lacks_bfloat16 else torch.bfloat16


def load_base_model(source: str, settings: QloraSettings, device: torch.device) -> Any:
    """Load the frozen base model, in NF4 with double quantisation unless `load_in_4bit` is false."""
    dtype = compute_dtype(settings, device)
    options: dict[str, Any] = {"dtype": dtype, "revision": base_model_revision(source, settings)}
    if device.type != "cpu":
        options["device_map"] = {"": device}
    if settings.load_in_4bit:
        options["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=dtype,
        )
    with loading():
        model = load_language_model(source, **options)
    model.config.use_cache = False  # of no use in training, and gradient checkpointing cannot have it
    return model
