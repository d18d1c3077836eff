"""Whole training examples under every kind of tokenizer: what bears loss, and what the model is asked later."""

import pytest
from tiny_base import conversation
from tiny_tokenizers import KINDS

from model_code.chat_encoding import encode_chat, end_of_turn_id, ensure_chat_template
from qlora.examples import encode_example

RECORD = conversation("a < b, </s> <|im_end|> <eos>", "email")["messages"]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_loss_lies_on_whole_answers_and_the_one_token_that_ends_them(kind):
    tokenizer = kind()
    ensure_chat_template(tokenizer)
    example = encode_example(tokenizer, RECORD)
    end_of_turn = end_of_turn_id(tokenizer)
    learnt = [example.input_ids[start:end] for start, end in example.decisions]
    assert [tokenizer.decode(ids[:-1]) for ids in learnt] == ["email", "none"]
    assert [ids[-1] for ids in learnt] == [end_of_turn] * 2
    assert all(end_of_turn not in ids[:-1] for ids in learnt)
    for (start, _), turns in zip(example.decisions, (2, 4), strict=True):
        asked = encode_chat(tokenizer, RECORD[:turns], add_generation_prompt=True).ids
        assert asked == example.input_ids[:start]
