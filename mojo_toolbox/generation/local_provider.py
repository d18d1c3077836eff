"""Conversations from a model in this process: a folder, or one of Hugging Face."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mojo_toolbox.base_models import require_kind, resolve_base_model
from mojo_toolbox.contract import Usage
from mojo_toolbox.errors import BaseModelNotFoundError, ModelError
from mojo_toolbox.errors.extras import needed_for
from mojo_toolbox.generation.providers import Messages, Reply
from mojo_toolbox.settings import load_settings

if TYPE_CHECKING:
    import torch


class LocalProvider:
    """A chat model on this machine's GPU, or its processor. It writes one conversation at a time."""

    def __init__(self, model: str) -> None:
        """Load the model, which takes from seconds to minutes; one of Hugging Face is downloaded the first time.

        Raises:
            ConfigurationError: the `local` extra is not installed, or the model is of another kind.
            BaseModelNotFoundError: there is no such model, it lacks weights, or it has no chat template.
        """
        with needed_for("A model in this process", extra="local"):
            import torch
            from transformers import AutoModelForCausalLM, AutoTokenizer
        require_kind(model, "language_model")
        settings = load_settings()
        token = settings.hf_token.get_secret_value() if settings.hf_token else None
        place = resolve_base_model(model, cache_dir=settings.home / "base_models", token=token)
        self.name = Path(model).name if isinstance(place, Path) else model
        try:
            self._tokenizer: Any = AutoTokenizer.from_pretrained(place, token=token)
            loaded, found = AutoModelForCausalLM.from_pretrained(
                place, dtype="auto", token=token, output_loading_info=True
            )
        except (OSError, ValueError) as error:
            raise BaseModelNotFoundError(f"{model} cannot be loaded: {' '.join(str(error).split())[:300]}") from error
        if found["missing_keys"]:
            raise BaseModelNotFoundError(
                f"{model} is no whole language model: it lacks {min(found['missing_keys'])}, which would be random. Name another."
            )
        if self._tokenizer.chat_template is None:
            raise BaseModelNotFoundError(
                f"{model} has no chat template, so it cannot be asked. Name an instruct model."
            )
        self._model = loaded.to("cuda" if torch.cuda.is_available() else "cpu").eval()
        # One at a time: sampling takes its randomness from the process.
        self._turn = threading.Lock()

    def complete(self, messages: Messages, *, max_tokens: int, temperature: float, seed: int) -> Reply:
        """Write an answer; the same one for the same seed on the same machine.

        Raises:
            ModelError: the chat does not fit into the model's context.
        """
        prompt = self._prompt(messages)
        length = prompt.shape[1]
        context = getattr(self._model.config, "max_position_embeddings", None)
        if context is not None and length + max_tokens > context:
            raise ModelError(
                f"{self.name} takes {context} tokens; the prompt has {length}, the answer may have {max_tokens}.",
                endpoint_name=self.name,
            )
        with self._turn:
            written = self._write(prompt, max_tokens, temperature, seed)[0, length:]
        ended = bool(len(written)) and int(written[-1]) in self._ends()
        usage = Usage(prompt_tokens=length, completion_tokens=len(written), total_tokens=length + len(written))
        text = self._tokenizer.decode(written, skip_special_tokens=True)
        return Reply(text, usage, cut_off=not ended and len(written) >= max_tokens)

    def _prompt(self, messages: Messages) -> torch.Tensor:
        chat = [dict(message) for message in messages]
        encoded = self._tokenizer.apply_chat_template(
            chat, add_generation_prompt=True, return_tensors="pt", return_dict=True
        )
        ids: torch.Tensor = encoded["input_ids"].to(self._model.device)
        return ids

    def _write(self, prompt: torch.Tensor, max_tokens: int, temperature: float, seed: int) -> torch.Tensor:
        import torch

        sampling = {"do_sample": True, "temperature": temperature} if temperature > 0 else {"do_sample": False}
        torch.manual_seed(seed)
        with torch.inference_mode():
            written: torch.Tensor = self._model.generate(
                input_ids=prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=max_tokens, **sampling
            )
        return written

    def _ends(self) -> set[int]:
        ends = self._model.generation_config.eos_token_id
        listed = ends if isinstance(ends, list) else [ends]
        return {*listed, self._tokenizer.eos_token_id} - {None}
