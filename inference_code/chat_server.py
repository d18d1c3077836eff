"""Answers a checked chat request: encodes it, asks the model, puts the reply in OpenAI's form."""

from __future__ import annotations

import math
import threading
import time
import uuid
from typing import Any

from artifact import Loaded
from chat_encoding import ChatTemplateError, encode_chat, encode_content, end_of_turn_id
from chat_request import ChatRequest, InvalidRequestError
from choice_trie import AmbiguousChoicesError, ChoiceTrie
from decision import decide
from generation import generate
from language_model import BASE_MODEL
from prefix_cache import PrefixCache

# The square of it is the tree mask's size in bytes; 1,000 ordinary names share some hundreds of nodes.
MAX_SHARED_NODES = 8192
# Of all choices together: a trie of so many takes about 100 MB.
MAX_CHOICE_TOKENS = 250_000
# Longer texts than this share of the context (in characters a token) are counted piece by piece before they are encoded.
_CHARACTERS_A_TOKEN = 4
_PIECE = 32_768


class ChatServer:
    """Answers requests from any number of threads; the model runs one pass at a time."""

    def __init__(self, loaded: Loaded, *, prefix_cache_bytes: int) -> None:
        self._loaded = loaded
        self._model = loaded.model
        self._tokenizer = loaded.tokenizer
        # Encoding sets options on the tokenizer itself, so two threads would see each other's.
        self._tokenizer_lock = threading.Lock()
        self.prefixes = PrefixCache(prefix_cache_bytes)
        self._end_id = end_of_turn_id(self._tokenizer)
        self._end_ids = frozenset({self._end_id, *_end_of_text_ids(loaded)})

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
        prompt = self._prompt(request)
        choose = self._chosen if request.choices is not None else self._generated
        choice, tokens, cached = choose(request, prompt, adapter)
        if request.logprobs:
            choice["logprobs"] = {"content": [self._token_entry(token, value) for token, value in tokens]}
        return {
            "id": f"chatcmpl-{uuid.uuid4().hex}",
            "object": "chat.completion",
            "created": int(time.time()),
            "model": adapter or request.adapter or self._loaded.base_model,
            "choices": [choice],
            "usage": {
                "prompt_tokens": len(prompt),
                "completion_tokens": len(tokens),
                "total_tokens": len(prompt) + len(tokens),
                "prompt_tokens_details": {"cached_tokens": cached},
            },
        }

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

    def _prompt(self, request: ChatRequest) -> list[int]:
        limit = self._model.context_length
        if len(request.messages) > limit:  # each takes a token or more
            count = len(request.messages)
            raise InvalidRequestError(_too_long("The messages", f"at least {count}", count - limit, limit))
        with self._tokenizer_lock:
            least = self._least_tokens([message["content"] for message in request.messages], limit)
            if least > limit:
                raise InvalidRequestError(_too_long("The messages", f"at least {least}", least - limit, limit))
            try:
                ids = encode_chat(self._tokenizer, request.messages, add_generation_prompt=True).ids
            except ChatTemplateError as error:
                raise InvalidRequestError(f"{error}".splitlines()[0]) from error
        # One place is left for the answer.
        if len(ids) >= limit:
            raise InvalidRequestError(_too_long("The messages", str(len(ids)), len(ids) - limit + 1, limit))
        return ids

    def _least_tokens(self, texts: list[str], limit: int) -> int:
        """Count tokens only as far as needed to know that texts of megabytes do not fit; 0 when they may."""
        if sum(map(len, texts)) <= limit * _CHARACTERS_A_TOKEN:
            return 0
        count = 0
        for text in texts:
            for start in range(0, len(text), _PIECE):
                # A cut adds one token at most where it splits a word; fewer tokens are counted, never more.
                count += max(0, len(encode_content(self._tokenizer, text[start : start + _PIECE])) - 1)
                if count > limit:
                    return count
        return 0

    def _trie(self, choices: list[str], prompt: list[int]) -> ChoiceTrie:
        where = "structured_outputs.choice"
        limit = self._model.context_length
        # No name is that long: refused before it is encoded.
        for i, choice in enumerate(choices):
            if len(choice) > limit * _CHARACTERS_A_TOKEN:
                raise InvalidRequestError(f"{where}[{i}] has {len(choice)} characters. Shorten it.")
        with self._tokenizer_lock:
            sequences = [encode_content(self._tokenizer, choice) for choice in choices]
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
        needed = len(prompt) + trie.depth
        if needed > limit:
            raise InvalidRequestError(_too_long("Messages and choices", str(needed), needed - limit, limit))
        return trie

    def _chosen(
        self, request: ChatRequest, prompt: list[int], adapter: str
    ) -> tuple[dict[str, Any], list[tuple[int, float]], int]:
        choices = request.choices or []
        trie = self._trie(choices, prompt)
        decision = decide(self._model, prompt, trie, prefixes=self.prefixes, adapter=adapter)
        probabilities = [math.exp(value) for value in decision.log_probabilities]
        choice = _choice(choices[decision.best], "stop")
        choice["choice_probabilities"] = dict(zip(choices, probabilities, strict=True))
        return choice, decision.best_tokens, decision.cached_tokens

    def _generated(
        self, request: ChatRequest, prompt: list[int], adapter: str
    ) -> tuple[dict[str, Any], list[tuple[int, float]], int]:
        found = generate(
            self._model,
            self._tokenizer,
            prompt,
            request,
            end_ids=self._end_ids,
            prefixes=self.prefixes,
            adapter=adapter,
        )
        return _choice(found.text, found.finish_reason), found.tokens, found.cached_tokens

    def _token_entry(self, token: int, log_probability: float) -> dict[str, Any]:
        text = self._tokenizer.decode([token])
        return {"token": text, "logprob": log_probability, "bytes": list(text.encode()), "top_logprobs": []}


def _choice(content: str, finish_reason: str) -> dict[str, Any]:
    message = {"role": "assistant", "content": content}
    return {"index": 0, "message": message, "finish_reason": finish_reason, "logprobs": None}


def _too_long(what: str, tokens: str, excess: int, limit: int) -> str:
    return f"{what} are {tokens} tokens, {excess} too many for the model's context of {limit}. Shorten them."


def _end_of_text_ids(loaded: Loaded) -> list[int]:
    """Tokens that the base model ends its texts with, which need not be the template's end of turn."""
    found = loaded.tokenizer.eos_token_id
    return [] if found is None else [found]
