"""Chat: the serving code reads what the library writes, and the other way round."""

import json

import pytest

from mojo_toolbox import contract


@pytest.fixture
def chat_request():
    import chat.request

    return chat.request


def test_the_server_takes_what_the_caller_builds(chat_request):
    messages = [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}]
    body = contract.chat_request(messages, choices=["a", "none"], max_tokens=16, adapter="blue")
    read = chat_request.parse_chat_request(json.dumps(body))
    assert (read.messages, read.choices, read.adapter) == (messages, ["a", "none"], "blue")
    assert (read.max_tokens, read.temperature, read.logprobs) == (16, 0.0, True)
    plain = chat_request.parse_chat_request(json.dumps(contract.chat_request(messages)))
    assert (plain.choices, plain.adapter, plain.temperature) == (None, None, 0.0)


def test_a_reply_without_our_extras_is_read():
    """A vLLM container leaves `choice_probabilities` out, and may give null for details."""
    usage = {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11, "prompt_tokens_details": None}
    body = {"choices": [{"message": {"role": "assistant", "content": "a"}}], "usage": usage}
    reply = contract.parse_chat_reply(json.dumps(body).encode())
    assert (reply.content, reply.choice_probabilities) == ("a", None)
    assert reply.usage == contract.Usage(prompt_tokens=9, completion_tokens=2, total_tokens=11)


@pytest.mark.parametrize(
    "body", [b"", b"hello", b"[]", b"{}", b'{"choices": []}', b'{"choices": [{"message": {"content": 3}}]}', b"null"]
)
def test_what_is_no_reply_is_refused(body):
    with pytest.raises(ValueError, match=r"Expecting value|not a chat completion"):
        contract.parse_chat_reply(body)
