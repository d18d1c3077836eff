"""What is refused, with which words, and what is answered."""

import json
import math
import time

import pytest
from tiny_base import CONTEXT_LENGTH

from chat.request import InvalidRequestError, ModelFailureError, parse_chat_request

HELLO = [{"role": "user", "content": "hello"}]


def choose(*choices, **others):
    return {"messages": HELLO, "structured_outputs": {"choice": list(choices)}, **others}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("{", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        ("[" * 100_000, "nested"),
        ("[]", "a list"),
        ("{}", "'messages'"),
        ({"messages": []}, "an empty list"),
        ({"messages": "hello"}, "a string"),
        ({"messages": ["hello"]}, "messages[0]"),
        ({"messages": [*HELLO, {"role": "wizard", "content": "x"}]}, "messages[1] has the role 'wizard'"),
        ({"messages": [{"role": ["user"], "content": "x"}]}, "messages[0] has the role a list"),
        ({"messages": [{"role": "user"}]}, "messages[0].content must be a string, not null"),
        ('{"messages": [{"role": "user", "content": "\\ud83d"}]}', "surrogate"),
        (choose(), "an empty list"),
        (choose("a", "b", "a"), "repeats structured_outputs.choice[0]: 'a'"),
        (choose("a", 1), "structured_outputs.choice[1] must be a string, not a number"),
        (choose("a", " "), "structured_outputs.choice[1] is empty"),
        (choose(*map(str, range(10_001))), "at most 10000"),
        ({"messages": HELLO, "structured_outputs": ["a"]}, "must be an object"),
        ({"messages": HELLO, "structured_outputs": {"choice": "ab"}}, "not a string"),
        ({"messages": HELLO, "structured_outputs": {}}, "not null"),
        ({"messages": HELLO, "structured_outputs": {"json": {}}}, "structured_outputs.json is not supported"),
        ({"messages": HELLO, "guided_choice": ["a"]}, "structured_outputs"),
        ({"messages": HELLO, "temperature": -0.1}, "'temperature' must be from 0 to 2, not -0.1"),
        ({"messages": HELLO, "temperature": math.nan}, "'temperature'"),
        ({"messages": HELLO, "temperature": True}, "a boolean"),
        ({"messages": HELLO, "top_p": 1.5}, "'top_p'"),
        ({"messages": HELLO, "max_tokens": 0}, "'max_tokens'"),
        ({"messages": HELLO, "max_tokens": 1.5}, "'max_tokens'"),
        ({"messages": HELLO, "max_tokens": "5"}, "a string"),
        ({"messages": HELLO, "logprobs": 1}, "'logprobs'"),
        ({"messages": HELLO, "seed": -1}, "'seed'"),
        ({"messages": HELLO, "stop": ["", "x"]}, "'stop'"),
        ({"messages": HELLO, "stop": [3]}, "'stop'"),
        ({"messages": HELLO, "n": 2}, "'n' must be 1"),
        ({"messages": HELLO, "stream": True}, "'stream'"),
        ({"messages": HELLO, "tools": [{}]}, "'tools'"),
        ({"messages": HELLO, "model": 3}, "'model'"),
    ],
)
def test_a_request_that_cannot_be_answered_is_refused_in_one_line(body, words):
    sent = body if isinstance(body, str | bytes) else json.dumps(body)
    with pytest.raises(InvalidRequestError) as caught:
        parse_chat_request(sent)
    assert caught.value.status_code == 400
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


def test_an_answer_is_one_of_the_choices_with_the_probability_of_each(ask):
    reply = ask(structured_outputs={"choice": ["meeting_recap", "none"]}, temperature=0, max_tokens=1, logprobs=True)
    [choice] = reply["choices"]
    assert choice["message"] == {"role": "assistant", "content": max(*choice["choice_probabilities"].items(), key=lambda item: item[1])[0]}  # fmt: skip
    assert set(choice["choice_probabilities"]) == {"meeting_recap", "none"}
    assert sum(choice["choice_probabilities"].values()) == pytest.approx(1)
    total = sum(token["logprob"] for token in choice["logprobs"]["content"])
    assert total == pytest.approx(math.log(choice["choice_probabilities"][choice["message"]["content"]]))
    usage = reply["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert usage["prompt_tokens_details"] == {"cached_tokens": 0, "dropped_messages": 0}


def test_a_growing_conversation_pays_for_its_new_turn_only(ask):
    messages = [{"role": "system", "content": "name the task"}, {"role": "user", "content": "my meeting"}]
    choices = {"choice": ["meeting_recap", "none"]}
    first = ask(messages=messages, structured_outputs=choices)
    answer = first["choices"][0]["message"]
    second = ask(messages=[*messages, answer, {"role": "user", "content": "and now?"}], structured_outputs=choices)
    assert second["usage"]["prompt_tokens_details"]["cached_tokens"] == first["usage"]["prompt_tokens"]


@pytest.mark.parametrize(
    "choices",
    [
        ["会議の要約", "会議の要約を書く", "会議", "なし"],
        ["Краткий итог встречи", "Краткий итог", "нет"],
        ["🎉", "🎉🎉", "👩‍👩‍👧", "👩"],
        ["none", "None", "NONE"],
        ["תזכורת לפגישה", "תזכורת", "ملخص الاجتماع", "ملخص"],
        ["café", "cafe\u0301", "cafe", "ne\u0301e", "née"],
        ["buses_find_bus", "buses_find_bus_ticket", "buses", "Buses", "none"],
        ["संक्षेप", "สรุปการประชุม", "🏳️‍🌈", "🏳️", "\u200fnone"],
        ["a\nb", "a b", 'a"b', "<|im_end|>"],
        [f"task_{i:03}_of_a_very_long_list_of_tasks_that_somebody_wrote" for i in range(1000)],
    ],
)
def test_names_in_any_script_and_number_can_be_chosen(ask, choices):
    reply = ask(structured_outputs={"choice": choices})
    [choice] = reply["choices"]
    assert choice["message"]["content"] in choices
    assert list(choice["choice_probabilities"]) == choices
    assert sum(choice["choice_probabilities"].values()) == pytest.approx(1)


@pytest.mark.parametrize("content", ["", "  \n ", "\u200b"])
def test_an_empty_last_turn_is_answered(ask, content):
    messages = [{"role": "system", "content": "name the task"}, {"role": "user", "content": content}]
    probabilities = ask(messages=messages, structured_outputs={"choice": ["email", "none"]})["choices"][0]["choice_probabilities"]  # fmt: skip
    assert sum(probabilities.values()) == pytest.approx(1)


def test_the_same_list_again_is_weighed_for_the_new_messages(ask):
    for choices in (["email", "none"], ["none", "email"], ["email", "none"]):
        for text in ("help me", "thanks, that is all"):
            messages = [{"role": "user", "content": text}]
            [choice] = ask(messages=messages, structured_outputs={"choice": choices})["choices"]
            assert list(choice["choice_probabilities"]) == choices
            assert choice["message"]["content"] == max(choices, key=choice["choice_probabilities"].get)


def test_choices_that_differ_only_in_outer_spaces_are_refused(ask):
    with pytest.raises(InvalidRequestError, match=r"choice\[0\] and \[1\] read the same") as caught:
        ask(structured_outputs={"choice": ["none", "none "]})
    assert caught.value.status_code == 400


def test_a_prompt_over_the_context_is_refused_by_how_much(ask):
    content = "meeting " * CONTEXT_LENGTH
    with pytest.raises(
        InvalidRequestError, match=rf"tokens, \d+ too many for the model's context of {CONTEXT_LENGTH}"
    ) as caught:
        ask(messages=[{"role": "user", "content": content}])
    assert caught.value.status_code == 400


@pytest.mark.parametrize("text", ["a", "meeting recap ", "会議", "<|im_end|>", " "])
def test_megabytes_of_text_are_refused_at_once(ask, text):
    started = time.monotonic()
    body = {"messages": [{"role": "user", "content": text * (5_000_000 // len(text.encode()))}]}
    if text.strip():
        with pytest.raises(InvalidRequestError, match="too many for the model's context") as caught:
            ask(**body)
        assert caught.value.status_code == 400
    else:  # outer spaces are dropped, so this is an empty message
        ask(**body, max_tokens=1)
    assert time.monotonic() - started < 10


def test_megabytes_of_blanks_within_a_text_are_counted_piece_by_piece(ask, monkeypatch):
    import chat.prompt

    longest = []
    encode = chat.prompt.encode_content
    monkeypatch.setattr(chat.prompt, "encode_content", lambda tokenizer, text: longest.append(len(text)) or encode(tokenizer, text))  # fmt: skip
    with pytest.raises(InvalidRequestError, match="at least"):
        ask(messages=[{"role": "user", "content": "a" + " " * 1_000_000 + "b"}])
    assert max(longest) < 100_000


def test_a_choice_of_megabytes_is_refused_at_once(ask):
    with pytest.raises(InvalidRequestError, match=r"choice\[1\] has 5000000 characters"):
        ask(structured_outputs={"choice": ["none", "x" * 5_000_000]})


def test_tens_of_thousands_of_messages_are_refused_at_once(ask):
    started = time.monotonic()
    with pytest.raises(InvalidRequestError, match="The messages are at least 60000 tokens"):
        ask(messages=[{"role": "user", "content": ""}] * 60_000)
    assert time.monotonic() - started < 10


def test_choices_of_many_tokens_in_all_are_refused(ask):
    with pytest.raises(InvalidRequestError, match="more than 250000"):
        ask(structured_outputs={"choice": [f"{i} " + "會" * 400 for i in range(300)]})


def test_choices_beyond_the_context_are_refused(ask):
    shared = "日" * (CONTEXT_LENGTH // 2)
    with pytest.raises(InvalidRequestError, match="The messages with the choices are"):
        ask(structured_outputs={"choice": [shared + "本", shared + "曜"]})


def test_more_tokens_than_the_context_cannot_be_asked_for(ask):
    with pytest.raises(InvalidRequestError, match="'max_tokens' is 1000000000, more than") as caught:
        ask(max_tokens=10**9)
    assert caught.value.status_code == 400


def test_chat_stops_at_max_tokens(ask):
    reply = ask(max_tokens=5, temperature=0, logprobs=True)
    assert reply["usage"]["completion_tokens"] == 5
    assert reply["choices"][0]["finish_reason"] == "length"
    assert len(reply["choices"][0]["logprobs"]["content"]) == 5


def test_chat_at_temperature_0_is_greedy_and_a_seed_repeats_a_draw(ask):
    def text(**options):
        return ask(max_tokens=12, **options)["choices"][0]["message"]["content"]

    assert text(temperature=0) == text(temperature=0) == text(temperature=1, top_p=0) == text(temperature=1e-9)
    assert text(temperature=1.5, seed=7) == text(temperature=1.5, seed=7)
    assert len({text(temperature=1.5, seed=seed) for seed in range(5)}) > 1


def test_chat_ends_before_a_stop_string(ask):
    whole = ask(max_tokens=20, temperature=0)["choices"][0]["message"]["content"]
    stop = whole[3]
    reply = ask(max_tokens=20, temperature=0, stop=stop)
    assert reply["choices"][0]["message"]["content"] == whole[: whole.index(stop)]
    assert reply["choices"][0]["finish_reason"] == "stop"


def test_chat_goes_no_further_than_the_context(ask):
    content = " ".join(["meeting"] * 300)
    reply = ask(messages=[{"role": "user", "content": content}], max_tokens=CONTEXT_LENGTH, temperature=0)
    assert reply["usage"]["total_tokens"] <= CONTEXT_LENGTH


def test_sampling_keeps_to_the_likeliest_tokens_that_hold_top_p():
    import torch

    from decoding.generation import sample

    logits = torch.log(torch.tensor([0.5, 0.3, 0.15, 0.05]))
    randomness = torch.Generator().manual_seed(0)
    drawn = {sample(logits, 1.0, 0.7, randomness)[0] for _ in range(200)}
    assert drawn == {0, 1}
    assert {sample(logits, 1.0, 1.0, randomness)[0] for _ in range(400)} == {0, 1, 2, 3}


def test_not_a_number_is_the_models_fault_and_the_server_lives_on(server, ask):
    import torch

    weight = server._model._network.lm_head.weight
    kept = weight.clone()
    with torch.no_grad():
        weight.fill_(math.nan)
    for options in ({"structured_outputs": {"choice": ["a", "b"]}}, {"max_tokens": 2}):
        with pytest.raises(ModelFailureError, match="NaN") as caught:
            ask(**options)
        assert caught.value.status_code == 500
    with torch.no_grad():
        weight.copy_(kept)
    assert ask(structured_outputs={"choice": ["a", "b"]})["choices"][0]["message"]["content"] in "ab"
