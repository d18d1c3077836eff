"""The model as the rest of the server sees it: token ids in, logits out, with keys and values it can hand over.

A model's further abilities (a KV cache of plain keys and values, an attention mask of our own) is tried once at
load, on a few tokens, against plain full passes. A way that does not reproduce them is not used.
"""

from __future__ import annotations

import contextlib
import inspect
import logging
from collections.abc import Iterator
from typing import Any

import torch
from transformers import DynamicCache

from language_model import few_query_attention
from language_model.prefix_cache import LayerStates, PrefixCache
from threads.fair_lock import FairLock

# A pass over more tokens than this is cut into several, so that masks and activations stay small (a mask of
# 1,024 x 8,192 in bf16 is 16 MB).
MAX_TOKENS_A_PASS = 1024
BASE_MODEL = ""
_log = logging.getLogger(__name__)


class LanguageModel:
    """A causal language model behind a lock: any thread may call it, one pass runs at a time, first come, first served.

    `adapters` are names of peft adapters that are loaded unmerged. Each pass says which it wants.
    """

    def __init__(self, model: Any, *, adapters: tuple[str, ...] = (), context_length: int) -> None:
        self._model = model
        self._network = model.get_base_model() if adapters else model
        self._lock = FairLock()
        self._parameters = inspect.signature(self._network.forward).parameters
        self.adapters = adapters
        self.context_length = context_length
        self.dtype: torch.dtype = next(self._network.parameters()).dtype
        self.device: torch.device = self._network.get_input_embeddings().weight.device
        self.end_of_text_ids = _end_of_text_ids(self._network)
        # Beyond this many tokens some layers see a window only, which a mask of ours would widen.
        self.window = _attention_window(self._network.config, context_length)
        self.has_cache = "past_key_values" in self._parameters and self._try("KV cache", self._cache_error)
        if self.has_cache:
            self._use_few_query_attention()
        self.has_tree_mask = self.has_cache and self._try("tree attention mask", self._tree_error)

    def logits(
        self,
        ids: list[int],
        *,
        cache: DynamicCache | None = None,
        positions: list[int] | None = None,
        mask: torch.Tensor | None = None,
        keep: list[int] | None = None,
        adapter: str = BASE_MODEL,
    ) -> torch.Tensor:
        """Run one pass over `ids` after what `cache` holds (and add to it). Return the logits at the places `keep`.

        Without `keep`, those of the last token. `mask` is boolean, of shape (len(ids), cached + len(ids)).
        """
        places = [len(ids) - 1] if keep is None else keep
        inputs: dict[str, Any] = {"input_ids": torch.tensor([ids], device=self.device)}
        if positions is not None:
            inputs["position_ids"] = torch.tensor([positions], device=self.device)
        if mask is not None:
            blocked = torch.zeros(mask.shape, dtype=self.dtype)
            blocked.masked_fill_(~mask, torch.finfo(self.dtype).min)
            inputs["attention_mask"] = blocked[None, None].to(self.device)
        # Logits of all tokens would be the largest tensor of all (vocabularies reach 256,000).
        trimmed = "logits_to_keep" in self._parameters and bool(places)
        if trimmed:
            inputs["logits_to_keep"] = torch.tensor(places, device=self.device)
        with self._lock, torch.inference_mode(), self._using(adapter):
            found: torch.Tensor = self._network(**inputs, past_key_values=cache, use_cache=cache is not None).logits[0]
        return found if trimmed else found[places]

    @contextlib.contextmanager
    def _using(self, adapter: str) -> Iterator[None]:
        if not self.adapters:
            yield
        elif adapter == BASE_MODEL:
            with self._model.disable_adapter():
                yield
        else:
            if self._model.active_adapter != adapter:
                self._model.set_adapter(adapter)
            yield

    def _try(self, feature: str, error_of: Any) -> bool:
        # In fp32 a right result differs by rounding only. In 16 bits it differs by 1 or 2% of the logits' spread, and
        # a trained model whose mask is wrong by far more.
        tolerance = 1e-3 if self.dtype == torch.float32 else 0.1
        try:
            error = error_of()
        except Exception as failure:  # noqa: BLE001 - whatever a model raises here, it cannot do this
            _log.warning("No %s for this model: %s", feature, str(failure).splitlines()[:1])
            return False
        if not error < tolerance:
            _log.warning("No %s for this model: its logits are off by %.2g of their spread.", feature, error)
            return False
        return True

    def _use_few_query_attention(self) -> None:
        expected = self._few_queries()
        if not few_query_attention.switch_on(self._network):
            return
        if not self._try("attention of our own", lambda: _relative_error(self._few_queries(), expected)):
            few_query_attention.switch_off(self._network)

    def _few_queries(self) -> torch.Tensor:
        """Logits of four tokens after eight kept ones."""
        ids = self._probe()
        sequence = TokenSequence(self, cached=True)
        sequence.feed(ids[:8])
        return self.logits(ids[8:], cache=sequence.cache, keep=[0, 1, 2, 3])

    def _probe(self) -> list[int]:
        return [(7 * i + 3) % min(self._network.config.get_text_config().vocab_size, 997) for i in range(1, 13)]

    def _cache_error(self) -> float:
        ids = self._probe()
        first = TokenSequence(self, cached=True)
        first.feed(ids[:8])
        second, third = (TokenSequence(self, cached=True, ids=ids[:6], layers=first.layers(6)) for _ in range(2))
        # Both go on from the same keys and values: a model that writes into them would spoil the other's.
        second.feed(ids[2:10])
        return _relative_error(third.feed(ids[6:]), self.logits(ids))

    def _tree_error(self) -> float:
        # Two branches of two tokens below a prompt of eight: 8-9 and 10-11, both after token 7.
        ids = self._probe()
        mask = torch.ones(12, 12, dtype=torch.bool).tril()
        mask[10:, 8:10] = False
        found = self.logits(ids, positions=[*range(8), 8, 9, 8, 9], mask=mask, keep=[7, 9, 11], cache=DynamicCache())
        expected = [self.logits(part) for part in (ids[:8], ids[:10], ids[:8] + ids[10:])]
        return _relative_error(found, torch.cat(expected))


class TokenSequence:
    """A growing sequence of tokens whose earlier keys and values are kept, where the model can."""

    def __init__(
        self,
        model: LanguageModel,
        *,
        adapter: str = BASE_MODEL,
        ids: list[int] | None = None,
        layers: LayerStates | None = None,
        cached: bool | None = None,
    ) -> None:
        """Start with `ids`, whose keys and values are `layers`. These are never changed, so they may be shared."""
        self.ids = list(ids or [])
        self._model = model
        self._adapter = adapter
        self.cache = DynamicCache() if (model.has_cache if cached is None else cached) else None
        for i, (keys, values) in enumerate(layers or []):
            assert self.cache is not None
            # Given to update(), they would be copied here, and once more with the first new tokens.
            self.cache.update(keys[..., :0, :], values[..., :0, :], i)
            self.cache.layers[i].keys, self.cache.layers[i].values = keys, values

    def feed(self, ids: list[int]) -> torch.Tensor:
        """Append at least one token. Return the logits after the last, of shape (1, vocabulary)."""
        self.ids += ids
        if self.cache is None:
            return self._model.logits(self.ids, adapter=self._adapter)
        found = torch.empty(0)
        for start in range(0, len(ids), MAX_TOKENS_A_PASS):
            part = ids[start : start + MAX_TOKENS_A_PASS]
            found = self._model.logits(part, cache=self.cache, adapter=self._adapter)
        return found

    def rewind(self, length: int) -> None:
        """Forget all but the first `length` tokens."""
        del self.ids[length:]
        if self.cache is not None:
            # DynamicCache.crop() means another thing in transformers 5.5 than in 5.23.
            for layer in self.cache.layers:
                layer.keys = layer.keys[..., :length, :]
                layer.values = layer.values[..., :length, :]

    def layers(self, length: int) -> LayerStates:
        """Keys and values of the first `length` tokens, not copied, or none if the model keeps none."""
        if self.cache is None:
            return []
        return [(layer.keys[..., :length, :], layer.values[..., :length, :]) for layer in self.cache.layers]


@contextlib.contextmanager
def begun(
    model: LanguageModel, prompt: list[int], *, prefixes: PrefixCache, adapter: str = BASE_MODEL
) -> Iterator[TokenSequence]:
    """Give a sequence with the stored part of `prompt`. Its caller reads the rest and stores it within this context."""
    if not model.has_cache:
        yield TokenSequence(model, adapter=adapter)
        return
    with prefixes.reading(adapter, prompt) as layers:
        cached = layers[0][0].shape[-2] if layers else 0
        yield TokenSequence(model, adapter=adapter, ids=prompt[:cached], layers=layers)


def _relative_error(found: torch.Tensor, expected: torch.Tensor) -> float:
    difference = (found.float() - expected.float()).abs().mean()
    return float(difference / expected.float().std())


def _end_of_text_ids(network: Any) -> tuple[int, ...]:
    """Tokens that the model's makers name as ends of its texts. Instruct models name several."""
    found = getattr(getattr(network, "generation_config", None), "eos_token_id", None)
    return tuple(found) if isinstance(found, list | tuple) else () if found is None else (found,)


def _attention_window(config: Any, context_length: int) -> int:
    text = config.get_text_config()
    windows = [getattr(text, name, None) for name in ("sliding_window", "attention_chunk_size")]
    return min([context_length, *(w for w in windows if isinstance(w, int) and w > 0)])
