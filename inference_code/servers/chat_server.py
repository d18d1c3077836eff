"""Answers a checked chat request: encodes it, asks the model, puts the reply in OpenAI's form."""

from __future__ import annotations

import functools
import math
from typing import Any

from artifact.language_model import LoadedLanguageModel
from chat.prompt import ChatPrompts
from chat.reply import TokenCounts, answered, completion, logprobs
from chat.request import ChatRequest, InvalidRequestError
from decoding.choice_trie import AmbiguousChoicesError, ChoiceTrie
from decoding.decision import decide
from decoding.generation import generate
from language_model.network import BASE_MODEL
from language_model.prefix_cache import PrefixCache
from model_code.chat_encoding import end_of_turn_id, stop_ids

# The square of it is the tree mask's size in bytes. 1,000 ordinary names share some hundreds of nodes.
MAX_SHARED_NODES = 8192
# Of all choices together: a trie of so many takes about 100 MB.
MAX_CHOICE_TOKENS = 250_000
# A trie of so many characters in all takes some 10 MB.
_KEPT_TRIE_CHARACTERS = 100_000
_CHARACTERS_A_TOKEN = 4
# The choice as the reply has it, the answer's tokens with their log-probabilities, how many of the prompt were cached.
_Answer = tuple[dict[str, Any], list[tuple[int, float]], int]


class ChatServer:
    """Answers requests from any number of threads. The model runs one pass at a time.

    Passes are run in the order in which they were asked for, with no limit to the waiting (SageMaker's callers give up after
    60 s). A decision is one pass as a rule, so it waits for one pass at most of each request before it, however long the
    answers are that those write.
    """

    def __init__(self, loaded: LoadedLanguageModel, *, prefix_cache_bytes: int) -> None:
        self._loaded = loaded
        self._model = loaded.model
        self._tokenizer = loaded.tokenizer
        self._prompts = ChatPrompts(self._tokenizer, self._model.context_length)
        self._kept_trie = functools.lru_cache(maxsize=16)(self._new_trie)
        self.prefixes = PrefixCache(prefix_cache_bytes)
        self._end_id = end_of_turn_id(self._tokenizer)
        self._end_ids = stop_ids(self._tokenizer, self._model.end_of_text_ids)

    def answer(self, request: ChatRequest) -> dict[str, Any]:
        """Return a chat completion.

        Raises:
            InvalidRequestError: an adapter that is not loaded, a prompt or choices that do not fit.
            ModelFailureError: the model computes NaN.
        """
        adapter = self._adapter(request.adapter)
        if request.max_tokens > self._model.context_length:
            raise InvalidRequestError(
                f"'max_tokens' is {str(request.max_tokens)[:20]}, more than the model's context of "
                f"{self._model.context_length} tokens. Ask for fewer."
            )
        if request.choices is None:
            prompt = self._prompts.prompt(request.messages)
            choice, tokens, cached = self._generated(request, prompt.ids, adapter)
        else:
            trie = self._trie(request.choices)
            prompt = self._prompts.prompt(request.messages, answer_tokens=max(1, trie.depth), fold=True)
            choice, tokens, cached = self._chosen(request.choices, trie, prompt.ids, adapter)
        if request.logprobs:
            choice["logprobs"] = logprobs((self._tokenizer.decode([token]), value) for token, value in tokens)
        return completion(
            choice,
            model=adapter or request.adapter or self._loaded.base_model,
            usage=TokenCounts(len(prompt.ids), len(tokens), cached, prompt.dropped_messages),
        )

    def _adapter(self, name: str | None) -> str:
        adapters = self._model.adapters
        if name in adapters:
            return str(name)
        if name in self._loaded.names or (name is None and not adapters):
            return BASE_MODEL
        if name is None and len(adapters) == 1:
            return adapters[0]
        known = ", ".join(repr(known) for known in [*adapters, *sorted(self._loaded.names)])
        if name is None:
            raise InvalidRequestError(f"This endpoint holds several adapters. Name one as 'model': {known}.")
        raise InvalidRequestError(f"There is no adapter {name[:80]!r} on this endpoint. Known: {known}.")

    def _trie(self, choices: list[str]) -> ChoiceTrie:
        where = "structured_outputs.choice"
        # No name is that long: refused before it is encoded.
        for i, choice in enumerate(choices):
            if len(choice) > self._model.context_length * _CHARACTERS_A_TOKEN:
                raise InvalidRequestError(f"{where}[{i}] has {len(choice)} characters. Shorten it.")
        # Callers ask with the same list turn after turn.
        small = sum(map(len, choices)) <= _KEPT_TRIE_CHARACTERS
        return self._kept_trie(tuple(choices)) if small else self._new_trie(tuple(choices))

    def _new_trie(self, choices: tuple[str, ...]) -> ChoiceTrie:
        where = "structured_outputs.choice"
        sequences = [self._prompts.name(choice) for choice in choices]
        total = sum(map(len, sequences))
        if total > MAX_CHOICE_TOKENS:
            raise InvalidRequestError(
                f"{where} has {total} tokens, more than {MAX_CHOICE_TOKENS}. List fewer, or shorter names."
            )
        try:
            trie = ChoiceTrie(sequences, self._end_id)
        except AmbiguousChoicesError as error:
            raise InvalidRequestError(
                f"{where}[{error.first}] and [{error.second}] read the same to the model: {choices[error.first][:80]!r} "
                f"and {choices[error.second][:80]!r}. Name them differently."
            ) from error
        if len(trie.shared) > MAX_SHARED_NODES:
            raise InvalidRequestError(
                f"{where} needs {len(trie.shared)} tokens to tell the choices apart, more than {MAX_SHARED_NODES}. "
                "List fewer, or names that differ earlier."
            )
        return trie

    def _chosen(self, choices: list[str], trie: ChoiceTrie, prompt: list[int], adapter: str) -> _Answer:
        decision = decide(self._model, prompt, trie, prefixes=self.prefixes, adapter=adapter)
        probabilities = dict(zip(choices, map(math.exp, decision.log_probabilities), strict=True))
        choice = answered(choices[decision.best], probabilities=probabilities)
        return choice, decision.best_tokens, decision.cached_tokens

    def _generated(self, request: ChatRequest, prompt: list[int], adapter: str) -> _Answer:
        found = generate(
            self._model,
            self._tokenizer,
            prompt,
            request,
            end_ids=self._end_ids,
            prefixes=self.prefixes,
            adapter=adapter,
        )
        return answered(found.text, finish_reason=found.finish_reason), found.tokens, found.cached_tokens
