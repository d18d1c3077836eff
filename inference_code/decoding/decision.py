"""The likeliest of several choices, without sampling.

The choices form a trie of tokens. At each node where it branches, the model's distribution is limited to the tokens that
go on and normalised over them. A choice's probability is the product along its path. Those of all choices sum to 1, and
no answer outside them is possible. One pass over the prompt's new tokens plus the trie's shared nodes gives all the
logits at once: each node attends to the prompt and its own ancestors only (a tree attention mask).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from chat.request import ModelFailureError
from decoding.choice_trie import ChoiceTrie
from language_model.network import BASE_MODEL, MAX_TOKENS_A_PASS, LanguageModel, TokenSequence, begun
from language_model.prefix_cache import PrefixCache


@dataclass(frozen=True)
class LanguageModelDecision:
    """`log_probabilities` of all choices. Of `best`, also that of each of its tokens, the end of turn included."""

    best: int
    log_probabilities: list[float]
    best_tokens: list[tuple[int, float]]
    cached_tokens: int


def decide(
    model: LanguageModel, prompt: list[int], trie: ChoiceTrie, *, prefixes: PrefixCache, adapter: str = BASE_MODEL
) -> LanguageModelDecision:
    """Weigh the choices in `trie` as answers to `prompt`.

    Raises:
        ModelFailureError: the model computes NaN.
    """
    local: dict[int, float] = {}
    with begun(model, prompt, prefixes=prefixes, adapter=adapter) as sequence:
        cached = len(sequence.ids)
        if trie.branching:
            if model.has_tree_mask and len(prompt) + trie.depth <= model.window:
                local = tree_log_probabilities(model, sequence, prompt, trie, adapter=adapter)
            else:
                local = stepwise_log_probabilities(sequence, prompt, trie)
            prefixes.store(adapter, prompt, sequence.layers(len(prompt)))
    totals = [sum(local.get(place, 0.0) for place in path) for path in trie.paths]
    best = max(range(len(totals)), key=totals.__getitem__)
    tokens = [(trie.nodes[place].token, local.get(place, 0.0)) for place in trie.paths[best][1:]]
    return LanguageModelDecision(best=best, log_probabilities=totals, best_tokens=tokens, cached_tokens=cached)


def tree_log_probabilities(
    model: LanguageModel, sequence: TokenSequence, prompt: list[int], trie: ChoiceTrie, *, adapter: str = BASE_MODEL
) -> dict[int, float]:
    """Log-probability of each child of a branching node, by its place, from one pass (several when it is very long)."""
    done, length = len(sequence.ids), len(prompt)
    row_of = {place: length + i for i, place in enumerate(trie.shared)} | {0: length - 1}
    ids = prompt + [trie.nodes[place].token for place in trie.shared]
    positions = list(range(length)) + [length + trie.nodes[place].depth - 1 for place in trie.shared]
    ancestry = _ancestry(trie, {place: row - length for place, row in row_of.items() if place})
    local: dict[int, float] = {}
    for start in range(done, len(ids), MAX_TOKENS_A_PASS):
        stop = min(start + MAX_TOKENS_A_PASS, len(ids))
        asked = [place for place in trie.branching if start <= row_of[place] < stop]
        found = model.logits(
            ids[start:stop],
            cache=sequence.cache,
            positions=positions[start:stop],
            # Prompt tokens alone need no mask of ours: the model's own causal attention is faster.
            mask=_tree_mask(start, stop, length, ancestry) if stop > length else None,
            keep=[row_of[place] - start for place in asked] or None,
            adapter=adapter,
        )
        local |= _child_log_probabilities(found, asked, trie)
    return local


def stepwise_log_probabilities(sequence: TokenSequence, prompt: list[int], trie: ChoiceTrie) -> dict[int, float]:
    """Compute the same by walking the trie node by node, for models that take no mask of ours."""
    local: dict[int, float] = {}
    # In the order of their tokens, the nodes of a subtree follow each other, so little is computed twice.
    for tokens, place in sorted((trie.tokens_to(place), place) for place in trie.branching):
        wanted = prompt + tokens
        # At least the last token must be fed: its logits are wanted.
        sequence.rewind(min(_common_length(sequence.ids, wanted), len(wanted) - 1))
        local |= _child_log_probabilities(sequence.feed(wanted[len(sequence.ids) :]), [place], trie)
    return local


def _common_length(a: list[int], b: list[int]) -> int:
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


def _ancestry(trie: ChoiceTrie, row_of: dict[int, int]) -> np.ndarray:
    """Say for each shared node which of them it sees: its ancestors and itself."""
    sees = np.zeros((len(trie.shared), len(trie.shared)), dtype=bool)
    for place, row in row_of.items():
        parent = trie.nodes[place].parent
        if parent:
            sees[row] = sees[row_of[parent]]
        sees[row, row] = True
    return sees


def _tree_mask(start: int, stop: int, prompt_length: int, ancestry: np.ndarray) -> torch.Tensor:
    """The view of rows start..stop of prompt + shared nodes on all tokens before `stop`."""
    mask = np.zeros((stop - start, stop), dtype=bool)
    first = max(start, prompt_length)
    mask[: first - start] = np.arange(stop) <= np.arange(start, first)[:, None]
    mask[first - start :, :prompt_length] = True
    mask[first - start :, prompt_length:] = ancestry[
        first - prompt_length : stop - prompt_length, : stop - prompt_length
    ]
    return torch.from_numpy(mask)


def _child_log_probabilities(logits: torch.Tensor, places: list[int], trie: ChoiceTrie) -> dict[int, float]:
    """Normalise each row of `logits` over the children of the node in `places` that it belongs to."""
    if not places:
        return {}
    rows = [i for i, place in enumerate(places) for _ in trie.nodes[place].children]
    tokens = [token for place in places for token in trie.nodes[place].children]
    # One gather and one transfer for all nodes.
    values = logits[torch.tensor(rows, device=logits.device), torch.tensor(tokens, device=logits.device)]
    scores = iter(values.double().tolist())
    local: dict[int, float] = {}
    for place in places:
        children = trie.nodes[place].children.values()
        of_children = [next(scores) for _ in children]
        highest = max(of_children)
        if any(math.isnan(score) for score in of_children) or math.isinf(highest):
            raise ModelFailureError(
                "The model computes NaN, so no choice can be made. Deploy another version of it, or set MOJO_DTYPE=float32."
            )
        total = highest + math.log(sum(math.exp(score - highest) for score in of_children))
        local |= {child: score - total for child, score in zip(children, of_children, strict=True)}
    return local
