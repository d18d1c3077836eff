"""Plain chat: token by token until the turn ends."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch

from chat.request import ChatRequest, ModelFailureError
from language_model.network import BASE_MODEL, LanguageModel, begun
from language_model.prefix_cache import PrefixCache


@dataclass(frozen=True)
class Generated:
    """An answer. `tokens` and their log-probabilities include the end of turn where it was reached."""

    text: str
    tokens: list[tuple[int, float]]
    finish_reason: str
    cached_tokens: int


def generate(
    model: LanguageModel,
    tokenizer: Any,
    prompt: list[int],
    request: ChatRequest,
    *,
    end_ids: frozenset[int],
    prefixes: PrefixCache,
    adapter: str = BASE_MODEL,
) -> Generated:
    """Answer `prompt`, of fewer tokens than the model's context, within `max_tokens` and the rest of that context.

    Raises:
        ModelFailureError: the model computes NaN.
    """
    with begun(model, prompt, prefixes=prefixes, adapter=adapter) as sequence:
        cached = len(sequence.ids)
        logits = sequence.feed(prompt[cached:])
        require_numbers(logits)  # before anything is kept: keys and values of a failed pass would fail others
        prefixes.store(adapter, prompt, sequence.layers(len(prompt)))
    randomness = _generator(request.seed)
    tokens: list[tuple[int, float]] = []
    text, finish_reason = "", "length"
    for left in range(min(request.max_tokens, model.context_length - len(prompt)), 0, -1):
        token, log_probability = sample(logits[0], request.temperature, request.top_p, randomness)
        tokens.append((token, log_probability))
        if token in end_ids:
            finish_reason = "stop"
            break
        text = tokenizer.decode([t for t, _ in tokens], skip_special_tokens=True)
        found = [place for stop in request.stop if (place := text.find(stop)) >= 0]
        if found:
            text, finish_reason = text[: min(found)], "stop"
            break
        if left > 1:
            logits = sequence.feed([token])
    return Generated(text, tokens, finish_reason, cached)


def sample(
    logits: torch.Tensor, temperature: float, top_p: float, randomness: torch.Generator | None
) -> tuple[int, float]:
    """Draw a token from the smallest set of likeliest tokens that holds `top_p`. At temperature 0 the likeliest.

    Its log-probability is the model's own, before temperature and top_p, as OpenAI reports it.
    """
    scores = logits.float().cpu()
    log_probabilities = scores.log_softmax(-1)
    require_numbers(log_probabilities)
    # OpenAI's top_p 0 and temperatures that overflow the division mean the likeliest token too.
    if temperature < 1e-4 or top_p == 0:  # noqa: PLR2004
        token = int(scores.argmax())
    else:
        probabilities, order = (scores / temperature).softmax(-1).sort(descending=True)
        probabilities[probabilities.cumsum(-1) - probabilities >= top_p] = 0
        token = int(order[torch.multinomial(probabilities, 1, generator=randomness)])
    return token, float(log_probabilities[token])


def require_numbers(logits: torch.Tensor) -> None:
    """Refuse logits that hold NaN, or of which the highest is infinite: no probabilities follow from them.

    Raises:
        ModelFailureError: they do.
    """
    if not math.isfinite(float(logits.max())):
        raise ModelFailureError(
            "The model computes NaN, so it cannot answer. Deploy another version of it, or set MOJO_DTYPE=float32."
        )


def _generator(seed: int | None) -> torch.Generator | None:
    return None if seed is None else torch.Generator().manual_seed(seed)
