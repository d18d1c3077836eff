"""Attention of few tokens to many gives what PyTorch's own gives."""

import pytest
import torch
from tiny_base import CONTEXT_LENGTH, make_network

from language_model import few_query_attention


@pytest.fixture
def bf16_model():
    from language_model.network import LanguageModel

    return LanguageModel(make_network().to(torch.bfloat16), context_length=CONTEXT_LENGTH)


def tensors(heads, groups, queries, keys, dtype=torch.float32):
    torch.manual_seed(0)
    shapes = [(heads, queries), (groups, keys), (groups, keys)]
    return [torch.randn(1, count, tokens, 16, dtype=dtype) for count, tokens in shapes]


@pytest.mark.parametrize(("heads", "groups"), [(9, 3), (4, 4), (4, 1)])
@pytest.mark.parametrize("boolean", [True, False])
def test_it_equals_pytorchs_own(heads, groups, boolean):
    query, key, value = tensors(heads, groups, 5, 12)
    sees = torch.ones(5, 12, dtype=torch.bool).tril(7)
    sees[3, 2:5] = False
    mask = sees if boolean else torch.zeros(5, 12).masked_fill_(~sees, torch.finfo(torch.float32).min)
    found, _ = few_query_attention.attend(torch.nn.Module().eval(), query, key, value, mask[None, None], scaling=0.3)
    expected = torch.nn.functional.scaled_dot_product_attention(query, key, value, sees, scale=0.3, enable_gqa=True)
    torch.testing.assert_close(found, expected.transpose(1, 2))


def test_a_model_on_a_cpu_in_16_bits_uses_it_for_new_tokens_after_kept_ones(bf16_model, monkeypatch):
    from language_model.network import TokenSequence

    shapes = []
    product = torch.baddbmm
    monkeypatch.setattr(torch, "baddbmm", lambda *given: shapes.append(given[1].shape) or product(*given))
    ids = list(range(40, 100))
    first = TokenSequence(bf16_model)
    first.feed(ids[:50])
    assert not shapes  # without a mask PyTorch's own is used
    found = first.feed(ids[50:])
    assert [tuple(shape) for shape in shapes] == [(2, 2 * 10, 16)] * 2
    few_query_attention.switch_off(bf16_model._network)
    second = TokenSequence(bf16_model)
    second.feed(ids[:50])
    expected = second.feed(ids[50:])
    assert float((found - expected).abs().mean() / expected.std()) < 0.02


def test_other_precisions_keep_pytorchs_own():
    from language_model.network import LanguageModel

    model = LanguageModel(make_network(), context_length=CONTEXT_LENGTH)
    assert model._network.config._attn_implementation == "sdpa"


def test_an_attention_that_does_not_reproduce_pytorchs_is_not_used(monkeypatch, caplog):
    from language_model.network import LanguageModel

    attend = few_query_attention.attend
    monkeypatch.setattr(few_query_attention, "attend", lambda *given, **options: (-attend(*given, **options)[0], None))
    model = LanguageModel(make_network().to(torch.bfloat16), context_length=CONTEXT_LENGTH)
    assert model._network.config._attn_implementation == "sdpa"
    assert "No attention of our own" in caplog.text
    assert model.has_tree_mask
