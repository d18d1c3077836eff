"""Base models of every kind of tokenizer learn a chat by heart; the server then gives whole answers, and ends them."""

import json

import pytest
import torch
from tiny_base import make_network
from tiny_tokenizers import KINDS

from model_code.chat_encoding import encode_chat, ensure_chat_template

SYSTEM = {"role": "system", "content": "Name the task."}
ANSWERS = {"which is less?": "1 < 2, </b> <|x|>", "recap, please": "meeting_recap"}


@pytest.fixture(autouse=True)
def _full_precision(full_precision):
    pass


def save_learned_base(folder, tokenizer):
    """Save a network that answers as in `ANSWERS`, learned from the very tokens that training makes of a chat."""
    size = 8 * (len(tokenizer) // 8 + 1)
    network = make_network(vocab_size=size, eos_token_id=tokenizer.eos_token_id, pad_token_id=None).train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3)
    chats = [
        encode_chat(
            tokenizer,
            [SYSTEM, {"role": "user", "content": asked}, {"role": "assistant", "content": answer}],
            add_generation_prompt=False,
        )
        for asked, answer in ANSWERS.items()
    ]
    for _ in range(60):
        for chat in chats:
            start, end = chat.content_spans[-1]
            logits = network(torch.tensor([chat.ids])).logits[0, start - 1 : end]
            torch.nn.functional.cross_entropy(logits, torch.tensor(chat.ids[start : end + 1])).backward()
        optimizer.step()
        optimizer.zero_grad()
    network.eval().save_pretrained(folder)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_an_answer_is_whole_and_ends(kind, tmp_path):
    import inference

    tokenizer = kind()
    tokenizer.save_pretrained(tmp_path)
    ensure_chat_template(tokenizer)
    save_learned_base(tmp_path, tokenizer)
    server = inference.model_fn(str(tmp_path))
    for asked, answer in ANSWERS.items():
        body = {"messages": [SYSTEM, {"role": "user", "content": asked}], "max_tokens": 60, "temperature": 0}
        choice = json.loads(inference.answer(server, json.dumps(body)))["choices"][0]
        assert (choice["message"]["content"], choice["finish_reason"]) == (answer, "stop")
        body["structured_outputs"] = {"choice": [*ANSWERS.values(), "none"]}
        chosen = json.loads(inference.answer(server, json.dumps(body)))["choices"][0]
        assert chosen["message"]["content"] == answer
        assert chosen["choice_probabilities"][answer] > 0.9
