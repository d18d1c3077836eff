"""A choice is weighed in one pass, to the same numbers as step by step."""

import itertools
import math

import pytest
import torch
from tiny_base import CONTEXT_LENGTH, make_network

NAMES = ["meeting_recap", "meeting_notes", "meeting", "follow_up_email", "Follow_up_email", "none", "会議の要約", "Краткий итог", "🎉 party"]  # fmt: skip
PROMPT = list(range(40, 90))


@pytest.fixture(scope="module")
def model():
    from language_model.network import LanguageModel

    return LanguageModel(make_network(), context_length=CONTEXT_LENGTH)


@pytest.fixture
def prefixes():
    from language_model.prefix_cache import PrefixCache

    return PrefixCache(2**24)


@pytest.fixture
def trie(tokenizer):
    return trie_of(tokenizer, NAMES)


def trie_of(tokenizer, names):
    from decoding.choice_trie import ChoiceTrie
    from model_code.chat_encoding import encode_content

    return ChoiceTrie([encode_content(tokenizer, name) for name in names], end_id=1)


def by_plain_passes(model, prompt, trie):
    """The definition itself: a full pass without any cache for each node."""
    totals = []
    for path in trie.paths:
        total = 0.0
        for place, child in itertools.pairwise(path):
            children = list(trie.nodes[place].children.values())
            logits = model.logits(prompt + trie.tokens_to(place))[0].double()
            local = logits[[trie.nodes[c].token for c in children]].log_softmax(-1)
            total += float(local[children.index(child)])
        totals.append(total)
    return totals


def test_one_pass_under_a_tree_mask_equals_full_passes_node_by_node(model, trie, prefixes):
    from decoding.decision import decide

    assert model.has_tree_mask
    decision = decide(model, PROMPT, trie, prefixes=prefixes)
    expected = by_plain_passes(model, PROMPT, trie)
    assert decision.log_probabilities == pytest.approx(expected, abs=1e-4)
    assert decision.best == expected.index(max(expected))
    assert sum(map(math.exp, decision.log_probabilities)) == pytest.approx(1)


def test_walking_step_by_step_gives_the_same(model, trie):
    from decoding.decision import stepwise_log_probabilities, tree_log_probabilities
    from language_model.network import TokenSequence

    tree = tree_log_probabilities(model, TokenSequence(model), PROMPT, trie)
    steps = stepwise_log_probabilities(TokenSequence(model), PROMPT, trie)
    assert tree == pytest.approx(steps, abs=1e-4)


def test_models_without_a_cache_of_plain_keys_and_values_give_the_same(model, trie):
    from decoding.decision import stepwise_log_probabilities
    from language_model.network import TokenSequence

    steps = stepwise_log_probabilities(TokenSequence(model, cached=False), PROMPT, trie)
    assert steps == pytest.approx(stepwise_log_probabilities(TokenSequence(model), PROMPT, trie), abs=1e-4)


def test_a_cached_prefix_changes_no_number(model, trie, prefixes):
    from decoding.decision import decide

    fresh = decide(model, PROMPT, trie, prefixes=prefixes)
    again = decide(model, PROMPT, trie, prefixes=prefixes)
    longer = decide(model, [*PROMPT, 7, 8, 9], trie, prefixes=prefixes)
    assert (fresh.cached_tokens, again.cached_tokens, longer.cached_tokens) == (0, len(PROMPT) - 1, len(PROMPT))
    assert again.log_probabilities == pytest.approx(fresh.log_probabilities, abs=1e-4)
    assert longer.log_probabilities == pytest.approx(by_plain_passes(model, [*PROMPT, 7, 8, 9], trie), abs=1e-4)


def test_cached_and_fresh_logits_are_equal(model, prefixes):
    from language_model.network import TokenSequence

    first = TokenSequence(model)
    fresh = first.feed(PROMPT)
    prefixes.store("", PROMPT, first.layers(len(PROMPT)))
    layers = prefixes.longest_prefix("", PROMPT)
    cached = TokenSequence(model, ids=PROMPT[:-1], layers=layers).feed(PROMPT[-1:])
    torch.testing.assert_close(cached, fresh, atol=1e-5, rtol=1e-5)


def test_passes_of_few_tokens_give_the_same(model, trie, monkeypatch):
    from decoding import decision
    from language_model.network import TokenSequence

    whole = decision.tree_log_probabilities(model, TokenSequence(model), PROMPT, trie)
    for size in (1, 3, 52):
        monkeypatch.setattr(decision, "MAX_TOKENS_A_PASS", size)
        parts = decision.tree_log_probabilities(model, TokenSequence(model), PROMPT, trie)
        assert parts == pytest.approx(whole, abs=1e-4)


def test_only_nodes_that_two_choices_share_are_computed(model, trie, prefixes, monkeypatch):
    from decoding.decision import decide

    passes = []
    logits = model.logits
    monkeypatch.setattr(model, "logits", lambda ids, **options: passes.append(len(ids)) or logits(ids, **options))
    decide(model, PROMPT, trie, prefixes=prefixes)
    decide(model, PROMPT, trie, prefixes=prefixes)
    assert passes == [len(PROMPT) + len(trie.shared), 1 + len(trie.shared)]
    assert len(trie.shared) < sum(map(len, trie.paths)) / 2


def test_one_choice_needs_no_model(model, tokenizer, prefixes, monkeypatch):
    from decoding.decision import decide

    monkeypatch.setattr(model, "logits", None)
    decision = decide(model, PROMPT, trie_of(tokenizer, ["none"]), prefixes=prefixes)
    assert (decision.best, decision.log_probabilities) == (0, [0.0])


def test_names_that_begin_other_names_end_with_the_turn(tokenizer):
    trie = trie_of(tokenizer, ["meeting", "meeting notes", "meeting notes 2"])
    assert [len({path[-1] for path in trie.paths}), len(trie.paths)] == [3, 3]
    assert all(trie.nodes[path[-1]].token == 1 for path in trie.paths)


def test_a_choice_that_ends_inside_another_is_refused():
    from decoding.choice_trie import AmbiguousChoicesError, ChoiceTrie

    for sequences in ([[5], [5]], [[5], [5, 1, 6]], [[5, 1, 6], [5]]):
        with pytest.raises(AmbiguousChoicesError):
            ChoiceTrie(sequences, end_id=1)


def test_beyond_a_sliding_window_the_trie_is_walked(tokenizer, trie, prefixes):
    from transformers import MistralConfig, MistralForCausalLM

    from decoding.decision import decide
    from language_model.network import LanguageModel

    torch.manual_seed(0)
    config = MistralConfig(
        vocab_size=400, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, sliding_window=16, initializer_range=0.2, bos_token_id=None, eos_token_id=1,
    )  # fmt: skip
    model = LanguageModel(MistralForCausalLM(config).eval(), context_length=CONTEXT_LENGTH)
    assert (model.window, model.has_cache) == (16, True)
    for _ in range(2):
        decision = decide(model, PROMPT, trie, prefixes=prefixes)
        assert decision.log_probabilities == pytest.approx(by_plain_passes(model, PROMPT, trie), abs=1e-4)


def test_a_model_whose_attention_ignores_positions_and_masks_of_ours_is_walked(trie, prefixes):
    from transformers import BloomConfig, BloomForCausalLM

    from decoding.decision import decide
    from language_model.network import LanguageModel

    torch.manual_seed(0)
    config = BloomConfig(vocab_size=400, hidden_size=32, n_layer=2, n_head=4, initializer_range=0.2, bos_token_id=1)
    model = LanguageModel(BloomForCausalLM(config).eval(), context_length=CONTEXT_LENGTH)
    assert not model.has_tree_mask
    decision = decide(model, PROMPT, trie, prefixes=prefixes)
    assert decision.log_probabilities == pytest.approx(by_plain_passes(model, PROMPT, trie), abs=1e-4)


def test_a_recurrent_model_is_asked_without_a_cache(trie, prefixes):
    from transformers import MambaConfig, MambaForCausalLM

    from decoding.decision import decide
    from language_model.network import LanguageModel

    torch.manual_seed(0)
    config = MambaConfig(vocab_size=400, hidden_size=32, num_hidden_layers=2, initializer_range=0.2, state_size=4)
    model = LanguageModel(MambaForCausalLM(config).eval(), context_length=CONTEXT_LENGTH)
    assert not model.has_cache
    decision = decide(model, PROMPT, trie, prefixes=prefixes)
    assert decision.log_probabilities == pytest.approx(by_plain_passes(model, PROMPT, trie), abs=1e-4)
