"""The server with a model that was really trained: SmolLM2-135M-Instruct, 20 tasks, a growing conversation."""

import json
import math

import pytest

from mojo_toolbox.base_models import smollm2_folder
from mojo_toolbox.settings import load_settings

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

TASKS = {
    "meeting_recap": "Summarise a meeting from notes or a transcript",
    "meeting_preparation": "Prepare an agenda and questions for a meeting",
    "meeting": "Find a time for a meeting and invite people",
    "follow_up_email": "Write the email after a call or a meeting",
    "cold_email": "Write a first email to somebody who does not know us",
    "proposal": "Draft an offer with prices",
    "proposal_review": "Check an offer somebody else wrote",
    "invoice_reminder": "Remind a customer of an unpaid invoice",
    "linkedin_post": "Write a post for LinkedIn",
    "translation": "Translate a text",
    "会議の要約": "Summarise a meeting in Japanese",
    "Краткий итог": "Summarise a text in Russian",
    **{f"report_{n}": f"Write the report of quarter {n}" for n in range(1, 9)},
}


@pytest.fixture(scope="module")
def folder():
    return smollm2_folder(load_settings().home / "base_models")


@pytest.fixture
def serve(folder, monkeypatch):
    import inference

    def start(dtype):
        monkeypatch.setenv("MOJO_DTYPE", dtype)
        monkeypatch.delenv("MOJO_BASE_MODEL", raising=False)
        return inference.model_fn(str(folder))

    return start


def ask(server, messages, **options):
    import inference

    body = json.dumps({"messages": messages, **options})
    return json.loads(inference.answer(server, body))


def conversation():
    tasks = "\n".join(f"{name}: {description}" for name, description in TASKS.items())
    yield {"role": "system", "content": f"Name the task that the user wants, or none.\n{tasks}\nnone: no task fits"}
    for text in ("can u sum up my call with Acme this morning", "yes the notes are attached", "ok now mail them pls"):
        yield {"role": "user", "content": f"User: {text}"}


def test_decisions_agree_between_one_pass_and_step_by_step_on_every_turn(serve):
    from decoding.decision import stepwise_log_probabilities, tree_log_probabilities
    from language_model.network import TokenSequence

    server = serve("float32")
    assert server._model.has_tree_mask
    system, *turns = conversation()
    choices = [*TASKS, "none"]
    messages = [system]
    for number, turn in enumerate(turns):
        messages.append(turn)
        reply = ask(server, messages, structured_outputs={"choice": choices}, temperature=0, logprobs=True)
        cached = reply["usage"]["prompt_tokens_details"]["cached_tokens"]
        assert (cached > 200) == (number > 0)

        prompt = server._prompts.prompt(messages).ids
        trie = server._trie(choices)
        tree = tree_log_probabilities(server._model, TokenSequence(server._model), prompt, trie)
        steps = stepwise_log_probabilities(TokenSequence(server._model), prompt, trie)
        assert tree == pytest.approx(steps, abs=1e-4)

        totals = [sum(steps.get(place, 0.0) for place in path) for path in trie.paths]
        probabilities = reply["choices"][0]["choice_probabilities"]
        assert list(probabilities.values()) == pytest.approx([math.exp(total) for total in totals], abs=1e-4)
        messages.append(reply["choices"][0]["message"])


def test_in_16_bits_it_decides_and_chats(serve):
    server = serve("bfloat16")
    assert server._model.has_tree_mask
    decided = ask(server, list(conversation())[:2], structured_outputs={"choice": [*TASKS, "none"]})
    assert sum(decided["choices"][0]["choice_probabilities"].values()) == pytest.approx(1)
    question = [{"role": "user", "content": "What is the capital of France?"}]
    reply = ask(server, question, temperature=0, max_tokens=24)
    assert "Paris" in reply["choices"][0]["message"]["content"]
    assert reply["choices"][0]["finish_reason"] == "stop"
