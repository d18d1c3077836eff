"""Replies of models: read in both ways of writing wherever they stand, or malformed for a reason."""

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mojo_toolbox.data import Conversation, Task
from mojo_toolbox.generation.plan import Plan, PlannedTurn, Voice
from mojo_toolbox.generation.reading import MalformedReply, read_message, read_reply

VOICE = Voice("p", "t", "English", "h", "m")
LABELS = (None, "a", "a", "b", None)


def planned(users, intent="does this and nothing else in the whole of the message"):
    turns = tuple(PlannedTurn("continue", LABELS[i % len(LABELS)], intent) for i in range(users))
    return Plan(0, "gen-0-0", "switch", (Task(name="a"), Task(name="b")), turns, VOICE)


def pairs(*texts):
    """Alternating texts, the user's first, as the list of a JSON object."""
    turns = [{"user": user, "assistant": ""} for user in texts[::2]]
    for turn, assistant in zip(turns, texts[1::2], strict=False):
        turn["assistant"] = assistant
    return turns


def as_json(*texts, **how):
    return json.dumps({"turns": pairs(*texts)}, **how)


def as_marks(*texts):
    return "\n".join(f"### {'Assistant' if i % 2 else 'User'}: {text}" for i, text in enumerate(texts))


def contents(reply, users):
    return [message.content for message in read_reply(reply, planned(users))]


# Blanks around a message are nobody's; control characters and half surrogates are malformed.
TEXT = (
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=60)
    .map(str.strip)
    .filter(bool)
    .filter(lambda text: "#" not in text and "`" not in text)
)
TALKS = st.lists(TEXT, min_size=1, max_size=9)
PROSE = st.sampled_from(["", "Sure! Here it is:\n", "{not json}\n", '"turns" are these:\n\n', "<think>hm</think>\n"])


@settings(deadline=None)
@given(TALKS, PROSE, PROSE.filter(lambda text: "think" not in text), st.booleans(), st.sampled_from([None, 2]))
def test_json_is_read_wherever_it_stands(talk, before, after, fenced, indent):
    reply = as_json(*talk, indent=indent, ensure_ascii=fenced)
    reply = f"```json\n{reply}\n```" if fenced else reply
    messages = read_reply(f"{before}{reply}\n{after}", planned((len(talk) + 1) // 2))
    assert [message.content for message in messages] == talk
    labels = [message.task for message in messages if message.role == "user"]
    assert labels == [LABELS[i % len(LABELS)] for i in range(len(labels))]
    assert all(message.labelled == (message.role == "user") for message in messages)


@settings(deadline=None)
@given(TALKS, PROSE.filter(lambda text: "turns" not in text), st.booleans())
def test_marks_are_read_wherever_they_stand(talk, before, fenced):
    reply = as_marks(*talk)
    reply = f"```\n{reply}\n```\nI hope that helps!" if fenced else reply
    assert contents(before + reply, (len(talk) + 1) // 2) == talk


@settings(deadline=None)
@given(TALKS, st.data())
def test_json_that_was_cut_off_is_malformed_wherever_it_was_cut(talk, data):
    reply = as_json(*talk)
    end = data.draw(st.integers(0, len(reply) - 1))
    with pytest.raises(MalformedReply):
        read_reply(reply[:end], planned((len(talk) + 1) // 2))


@settings(deadline=None, max_examples=300)
@given(
    st.lists(
        st.sampled_from(
            ['{"turns": [', '{"user": "a", "assistant": "b"}', ",", "]}", "### User:", "### Assistant: b", "\n", "a",
             "```", "\ud800", "\x00", "<think>", "</think>", '"turns":', "[", "null", "{"]
        )
        | st.text(),
        max_size=12,
    ).map("".join),
    st.integers(1, 3),
)  # fmt: skip
def test_any_text_is_a_conversation_of_the_plan_or_malformed(reply, users):
    plan = planned(users)
    try:
        messages = read_reply(reply, plan)
    except MalformedReply:
        return
    conversation = Conversation(tasks=plan.tasks, messages=messages)
    assert [m.task for m in conversation.messages if m.role == "user"] == [turn.task for turn in plan.turns]
    assert all(message.content.strip() for message in messages)
    json.dumps(conversation.as_record(), ensure_ascii=False).encode()


@settings(deadline=None)
@given(st.text() | st.text().map("User: {}".format) | st.text().map('"{}"'.format))
def test_any_text_is_a_message_or_malformed(reply):
    try:
        message = read_message(reply)
    except MalformedReply:
        return
    assert message
    assert message == message.strip()
    message.encode()


@pytest.mark.parametrize(
    ("reply", "read"),
    [
        ("### User: a\n\n### Assistant: b\nc\n\n### User: d", ["a", "b\nc", "d"]),
        ("### User:\na\n### Assistant:\nb\n### User:\nd\n", ["a", "b", "d"]),
        ("### User\na\n### Assistant\nb\n### User\nd\n", ["a", "b", "d"]),
        ("### USER: a\r\n### assistant: b\r\n### user: d\r\n", ["a", "b", "d"]),
        ("### **User:** a\n#### **Assistant**: b\n### *User*: d", ["a", "b", "d"]),
        ("> ### User: a\n> ### Assistant: b\n> ### User: d", ["a", "b", "d"]),
        ("### User: a\n### Assistant: ## User guide\n### User: d", ["a", "## User guide", "d"]),
        ("### User: a\n### Assistant: b\n### User: c\n### Assistant:", ["a", "b", "c"]),
        ("### User: a\n### Assistant: b\n### User: c\n### Assistant: e", ["a", "b", "c", "e"]),
        ("### Assistant: Hello!\n### User: a\n### Assistant: b\n### User: c", ["Hello!", "a", "b", "c"]),
        ("### User: a\n### Assistant: ```\nx = 1\n```\n### User: c", ["a", "```\nx = 1\n```", "c"]),
        ("```\n### User: a\n### Assistant: ```\nx\n```\n### User: c\n```\nDone.", ["a", "```\nx\n```", "c"]),
        ('{"conversation": {"turns": [{"user": "a", "assistant": "b"}, {"user": "c"}]}}', ["a", "b", "c"]),
        ('{"id": 7, "turns": [{"user": "a", "assistant": "b"}, {"user": "c", "assistant": null}]}', ["a", "b", "c"]),
        ('{"turns": [{"user": "a"}, {"assistant": "b"}, {"user": "c"}], "more": 1}', ["a", "b", "c"]),
        ('{"turns": [{"assistant": "Hi"}, {"user": "a", "assistant": "b"}, {"user": "c"}]}', ["Hi", "a", "b", "c"]),
        ('{"turns": [{"user": " a ", "assistant": "b", "task": "x"}, {"user": "c\\n"}]}', ["a", "b", "c"]),
        ('Format {"turns": [...]}: {"turns": [{"user": "a", "assistant": "b"}, {"user": "c"}]}', ["a", "b", "c"]),
        ('{"turns": [{"user": "draft"}]} better: {"turns": [{"user": "a", "assistant": "b"}, {"user": "c"}]}', "abc"),
        ("<think>### User: draft</think>### User: a\n### Assistant: b\n### User: c", ["a", "b", "c"]),
    ],
)
def test_what_models_write_is_read(reply, read):
    assert contents(reply, 2) == list(read)


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ("", "no conversation in it"),
        ("I cannot do that.", "no conversation in it"),
        ("User: a\nAssistant: b\nUser: c", "no conversation in it"),
        (as_json("a"), "1 user message, and 2 were planned"),
        (as_json("a", "b", "c", "d", "e"), "3 user messages, and 2 were planned"),
        (as_marks("a", "b", "c", "d", "e"), "3 user messages, and 2 were planned"),
        ("### User: a\n### User: b", "messages 1 and 2 are both the user's"),
        ("### Assistant: a\n### Assistant: b\n### User: c\n### Assistant: d\n### User: e", "both the assistant's"),
        ("### User: a\n### Assistant:\n### User: c", "message 2, the assistant's, is empty"),
        ("### User:\n### Assistant: b\n### User: c", "message 1, the user's, is empty"),
        (as_json("a", "", "c"), "message 2, the assistant's, is empty"),
        (as_json("a", "b", "  "), "message 3, the user's, is empty"),
        ('{"turns": {}}', "no conversation in it"),
        ('{"turns": []}', "no conversation in it"),
        ('{"turns": ["a", "b"]}', "turn 1 is not"),
        ('{"turns": [{"role": "user", "content": "a"}]}', "turn 1 is not"),
        ('{"turns": [{"user": 1}, {"user": "b"}]}', "turn 1 has something else than text"),
        ('{"turns": [{"user": "a", "assistant": ["b"]}, {"user": "b"}]}', "turn 1 has something else than text"),
        ('{"turns": [{"user": "a", "assistant": "b"}, {"user": "c"}]', "the object is not closed"),
        ('{"turns": [{"user": "a"}, {"user": "b"}]} final: {"turns": [{"user": "a', "cut off or wrong"),
        ("```\n### User: a\n### Assistant: b\n### User: c", "the fence around it is not closed"),
        ("<think>### User: a\n### Assistant: b\n### User: c", "cut off in its thoughts"),
        (as_json("a", "b\n### User: c", "d"), "a message has another one in it"),
        (as_json("a", "b\x00", "d"), "a control character, U\\+0000"),
        (as_json("a", "b", "\ud800"), "half of a surrogate pair"),
        (as_json("does this and nothing else in the whole of the message", "b", "c"), "repeats the plan"),
        (as_json("The user does this and nothing else in the whole of the message.", "b", "c"), "repeats the plan"),
        ("x" * 500_001, "more than 500000 characters"),
    ],
)
def test_what_cannot_be_used_is_malformed_for_a_reason(reply, reason):
    with pytest.raises(MalformedReply, match=reason):
        read_reply(reply, planned(2))


def test_words_of_a_short_intent_may_be_said():
    assert read_reply(as_marks("my boss insists on it"), planned(1, intent="insists on it"))
    with pytest.raises(MalformedReply, match="repeats the plan"):
        read_reply(as_marks("Insists on it."), planned(1, intent="insists on it"))


@pytest.mark.parametrize(
    ("reply", "read"),
    [
        (" ok then \n", "ok then"),
        ('"ok then"', "ok then"),
        ("\u201cok then\u201d", "ok then"),
        ('"ok" and "then"', '"ok" and "then"'),
        ("User: ok then", "ok then"),
        ("**User:** ok then", "ok then"),
        ("### Assistant: ok then", "ok then"),
        ("<think>what would she say</think>\n\nok then", "ok then"),
        ("users: 7", "users: 7"),
        ("a\n\nb", "a\n\nb"),
        ('"', '"'),
    ],
)
def test_a_single_message_is_read(reply, read):
    assert read_message(reply) == read


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ("", "empty"),
        ("User:", "empty"),
        ('""', "empty"),
        ("ok\nAssistant: And then?", "goes on with further messages"),
        ("ok\n### Assistant: And then?", "another one in it"),
        ("<think>hm", "cut off in its thoughts"),
        ("a\x1b[31m", "U\\+001B"),
        ("x" * 500_001, "more than"),
    ],
)
def test_a_message_that_cannot_be_used_is_malformed(reply, reason):
    with pytest.raises(MalformedReply, match=reason):
        read_message(reply)


@pytest.mark.parametrize(
    "reply",
    [
        "### " + " " * 400_000,
        " " * 400_000,
        "#" * 400_000,
        "\n" * 400_000 + "### User: a",
        '{"turns":[' * 40_000,
        '{"turns":[{"user":' * 20_000,
        '{"turns": [{"user": "' + "a" * 400_000,
        "```\n" * 100_000 + "### User: a",
        "<think>" * 60_000,
        "</think>" * 50_000,
        "*" * 400_000,
        '"turns":' + " " * 400_000,
        '"turns": ' * 40_000,
        "### User: a\n" * 30_000,
    ],
)
def test_nothing_that_a_model_writes_takes_long(reply):
    begin = time.process_time()
    with pytest.raises(MalformedReply):
        read_reply(reply, planned(2))
    assert time.process_time() - begin < 2
