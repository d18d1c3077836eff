"""Ways to decide for one of the listed names, each from the same question with the same earlier turns in a KV cache."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

# First: it puts the folder of the serving code on the path.
import loading_models  # noqa: F401
import torch
from measuring import Step
from transformers import DynamicCache

from decoding.choice_trie import ChoiceTrie
from decoding.decision import decide, stepwise_log_probabilities
from language_model.network import BASE_MODEL, LanguageModel, TokenSequence
from language_model.prefix_cache import LayerStates, PrefixCache
from model_code.chat_encoding import encode_chat, encode_content, end_of_turn_id
from mojo_toolbox.data import Conversation, measuring_points
from mojo_toolbox.purposes.routing import routing_prompt

LIMIT = "prefill of the new tokens"
OURS = "one pass with the tree of names (ours)"
_ROOMY = 2**40  # bytes


@dataclass(frozen=True)
class Question:
    """A decision to make: `earlier` are the tokens of the prompt at the decision before, with which `prompt` begins."""

    earlier: list[int]
    prompt: list[int]
    names: list[str]
    trie: ChoiceTrie

    @property
    def new_tokens(self) -> int:
        return len(self.prompt) - len(self.earlier)


def question(loaded: Any, conversation: Conversation, *, decision: int) -> Question:
    """Return the question of the conversation's decision number `decision`, from 1; the ones before are as labelled."""
    turns = [point.turn for point in measuring_points(conversation)]
    earlier, prompt = (_ids(loaded, conversation, turns[number]) for number in (decision - 1, decision))
    assert prompt[: len(earlier)] == earlier
    names = routing_prompt(conversation.messages[:1], conversation.tasks).choices
    sequences = [encode_content(loaded.tokenizer, name) for name in names]
    return Question(earlier, prompt, names, ChoiceTrie(sequences, end_of_turn_id(loaded.tokenizer)))


def _ids(loaded: Any, conversation: Conversation, turn: int) -> list[int]:
    asked = routing_prompt(conversation.messages[: turn + 1], conversation.tasks)
    return encode_chat(loaded.tokenizer, asked.messages, add_generation_prompt=True).ids


class Methods:
    """The ways to answer one question; each returns the place of the name that it chose, a prefill None."""

    def __init__(self, loaded: Any, peer: Any, asked: Question) -> None:
        """Read the earlier turns once; `peer` is the same network as transformers loads it."""
        self._model: LanguageModel = loaded.model
        self._peer = peer
        self._asked = asked
        sequence = TokenSequence(self._model)
        sequence.feed(asked.earlier)
        self._layers: LayerStates = sequence.layers(len(asked.earlier))

    def steps(self) -> dict[str, Step]:
        """Return each method to be timed; finding and keeping keys and values is counted for ours only, which does it."""
        return {
            LIMIT: Step(self._sequence, self.prefill),
            "the same by transformers, without our attention": Step(self._cache, self.plain_prefill),
            OURS: Step(self._kept_prefix, self.tree),
            "greedy walk down the names, on the KV cache": Step(self._sequence, self.walk),
            "loop over all of the tree, on the KV cache": Step(self._sequence, self.loop),
            "generate() with prefix_allowed_tokens_fn, on the KV cache": Step(self._cache, self.generate),
            "all names scored as one batch, on the KV cache": Step(self._cache, self.batch),
            "whole prompt, no cache": Step(lambda: PrefixCache(0), self.tree),
        }

    def prefill(self, sequence: TokenSequence) -> None:
        sequence.feed(self._asked.prompt[len(self._asked.earlier) :])

    @torch.inference_mode()
    def plain_prefill(self, cache: DynamicCache) -> None:
        new = self._asked.prompt[len(self._asked.earlier) :]
        self._peer(torch.tensor([new], device=self._peer.device), past_key_values=cache, logits_to_keep=1)

    def tree(self, prefixes: PrefixCache) -> int:
        return decide(self._model, self._asked.prompt, self._asked.trie, prefixes=prefixes).best

    def loop(self, sequence: TokenSequence) -> int:
        trie = self._asked.trie
        local = stepwise_log_probabilities(sequence, self._asked.prompt, trie)
        totals = [sum(local.get(place, 0.0) for place in path) for path in trie.paths]
        return totals.index(max(totals))

    def walk(self, sequence: TokenSequence) -> int:
        """Take the likeliest next token that a name has, until one name is left; the others get no probability."""
        nodes, place = self._asked.trie.nodes, 0
        new = self._asked.prompt[len(self._asked.earlier) :]
        while nodes[place].choices > 1:
            if len(nodes[place].children) > 1:
                logits = sequence.feed(new)[0]
                new = []
                token = max(nodes[place].children, key=lambda token: float(logits[token]))
            else:
                token = next(iter(nodes[place].children))
            new = [*new, token]
            place = nodes[place].children[token]
        return next(i for i, path in enumerate(self._asked.trie.paths) if place in path)

    @torch.inference_mode()
    def generate(self, cache: DynamicCache) -> int:
        prompt = self._asked.prompt
        nodes = self._asked.trie.nodes

        def allowed(_batch: int, ids: torch.Tensor) -> list[int]:
            place = 0
            for token in ids[len(prompt) :].tolist():
                place = nodes[place].children.get(token, place)
            return list(nodes[place].children) or [end]

        end = nodes[self._asked.trie.paths[0][-1]].token
        ids = torch.tensor([prompt], device=self._peer.device)
        found = self._peer.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            past_key_values=cache,
            prefix_allowed_tokens_fn=allowed,
            max_new_tokens=max(map(len, self._asked.trie.paths)),
            do_sample=False,
            eos_token_id=end,
            pad_token_id=end,
        )
        answer = found[0, len(prompt) :].tolist()
        place = 0
        for token in answer:
            place = nodes[place].children.get(token, place)
        return next(i for i, path in enumerate(self._asked.trie.paths) if path[-1] == place)

    @torch.inference_mode()
    def batch(self, cache: DynamicCache) -> int:
        """Read the new tokens, then every name to its end as a row of one batch."""
        device, trie = self._peer.device, self._asked.trie
        new = torch.tensor([self._asked.prompt[len(self._asked.earlier) :]], device=device)
        first = self._peer(new, past_key_values=cache, logits_to_keep=1).logits[0, -1].float().log_softmax(-1)
        names = [torch.tensor([trie.nodes[place].token for place in path[1:]]) for path in trie.paths]
        rows = torch.nn.utils.rnn.pad_sequence(names, batch_first=True).to(device)
        cache.batch_repeat_interleave(len(names))
        # Padding stands on the right, out of sight of what is scored.
        logits = self._peer(rows[:, :-1], past_key_values=cache).logits.float().log_softmax(-1)
        scores = [
            float(first[name[0]] + logits[row, range(len(name) - 1), name[1:].to(device)].sum())
            for row, name in enumerate(names)
        ]
        return scores.index(max(scores))

    def _copies(self) -> LayerStates:
        return [(keys.clone(), values.clone()) for keys, values in self._layers]

    def _sequence(self) -> TokenSequence:
        return TokenSequence(self._model, ids=self._asked.earlier, layers=self._copies())

    def _cache(self) -> DynamicCache:
        cache = DynamicCache()
        for number, (keys, values) in enumerate(self._copies()):
            cache.update(keys, values, number)
        return cache

    def _kept_prefix(self) -> PrefixCache:
        prefixes = PrefixCache(_ROOMY)
        prefixes.store(BASE_MODEL, self._asked.earlier, self._layers)
        return prefixes
