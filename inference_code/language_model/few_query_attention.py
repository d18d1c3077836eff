"""Attention of a few new tokens to many kept ones, on a CPU in 16 bits: two products and a softmax.

PyTorch's own (scaled_dot_product_attention) is made for many queries. For 86 new tokens after 1,550 kept ones it took twice
as long as this, half of a decision's time, so that a turn grew dearer with the conversation. Heads that share keys and
values are rows of one product here, where transformers copies keys and values for each head.
"""

from __future__ import annotations

from typing import Any

import torch

NAME = "few_query_attention"
# Beyond it PyTorch's own is faster.
_FEW = 256


def switch_on(network: Any) -> bool:
    """Let `network` compute attention by this where it is meant for it. Return whether anything changed."""
    config = network.config.get_text_config()
    parameter = next(network.parameters())
    meant_for = parameter.device.type == "cpu" and parameter.dtype == torch.bfloat16
    if not meant_for or getattr(config, "_attn_implementation", None) != "sdpa":
        return False
    try:
        from transformers import AttentionInterface, AttentionMaskInterface
        from transformers.masking_utils import sdpa_mask
    except ImportError:  # before transformers 4.53
        return False
    AttentionInterface.register(NAME, attend)
    AttentionMaskInterface.register(NAME, sdpa_mask)
    network.set_attn_implementation(NAME)
    return True


def switch_off(network: Any) -> None:
    """Go back to PyTorch's own."""
    network.set_attn_implementation("sdpa")


def attend(  # noqa: PLR0917 - transformers passes them so
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    **options: Any,
) -> tuple[torch.Tensor, None]:
    """Attend as transformers' `sdpa_attention_forward` does: (1, heads, tokens, size) -> (1, tokens, heads, size)."""
    heads, queries = query.shape[1:3]
    groups, keys = key.shape[1:3]
    one_mask = attention_mask is not None and attention_mask.shape[:2] == (1, 1)
    if not one_mask or len(query) > 1 or queries > _FEW or options.get("dropout") or module.training:
        return _of_transformers(module, query, key, value, attention_mask, scaling=scaling, **options)
    assert attention_mask is not None
    scaling = query.shape[-1] ** -0.5 if scaling is None else scaling
    rows = heads // groups * queries
    mask = _added(attention_mask[0, 0], query.dtype).repeat(heads // groups, 1).expand(groups, rows, keys)
    scores = torch.baddbmm(mask, (query * scaling).reshape(groups, rows, -1), key[0].transpose(1, 2))
    found = torch.bmm(scores.softmax(-1), value[0]).view(1, heads, queries, -1)
    return found.transpose(1, 2).contiguous(), None


def _of_transformers(*given: Any, **options: Any) -> tuple[torch.Tensor, None]:
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    found, _ = sdpa_attention_forward(*given, **options)
    return found, None


def _added(mask: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    if mask.dtype != torch.bool:
        return mask
    return torch.zeros(mask.shape, dtype=dtype).masked_fill_(~mask, torch.finfo(dtype).min)
