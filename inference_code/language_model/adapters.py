"""Puts trained adapters on a language model, where all of their weights have a place in it."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any


class AdapterError(ValueError):
    """An adapter that does not fit the base model. The message is one line and says why."""


def with_adapter(network: Any, name: str, folder: Path) -> Any:
    """Add the adapter in `folder` to a network, next to those that it has, under a name of its own.

    Raises:
        AdapterError: it was trained on another base model, or cannot be read.
    """
    from peft import PeftModel, load_peft_weights, set_peft_model_state_dict

    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Found missing adapter keys")  # accounted for below
            if isinstance(network, PeftModel):
                network.load_adapter(str(folder), adapter_name=name)
            else:
                network = PeftModel.from_pretrained(network, str(folder), adapter_name=name)
            # Once more, for the account of it: peft only warns of weights that are missing, and passes over others.
            weights = load_peft_weights(str(folder), device="cpu")
            account = set_peft_model_state_dict(network, weights, adapter_name=name)
    except Exception as error:
        # peft, safetensors and torch each raise errors of their own. All mean the same here.
        reason = " ".join(str(error).split())[:300]
        raise AdapterError(_misfit(folder, f"it cannot be loaded on it ({type(error).__name__}: {reason})")) from error
    prefix = getattr(network.base_model, "prefix", "lora_")
    missing = [key for key in account.missing_keys if prefix in key and name in key.split(".")]
    if missing or account.unexpected_keys:
        first = (missing or account.unexpected_keys)[0].removeprefix("base_model.model.")
        raise AdapterError(_misfit(folder, f"it {'lacks' if missing else 'alone has'} {first}"))
    return network


def _misfit(folder: Path, why: str) -> str:
    return (
        f"The adapter in {folder.name}/ does not fit the base model: {why}. Check that it is the base model and revision that "
        "it was trained on, or train again."
    )
