"""A conversation longer than the context loses its oldest turns, says so, and keeps hitting the cache."""

import itertools
import random
import time

import pytest
from tiny_base import CONTEXT_LENGTH, SYSTEM

from chat.request import InvalidRequestError

CHOICES = {"choice": ["meeting_recap", "email", "none"]}


def user(number, words=6):
    return {"role": "user", "content": f"User: {number} " + "please " * words}


def assistant(number):
    return {"role": "assistant", "content": CHOICES["choice"][number % 3]}


def conversation(turns, words=6):
    """A system message and `turns` user messages, each but the last with its answer."""
    pairs = itertools.chain.from_iterable((user(i, words), assistant(i)) for i in range(turns))
    return [SYSTEM, *itertools.islice(pairs, 2 * turns - 1)]


@pytest.fixture
def prompt(server):
    def encode(messages, **options):
        return server._prompts.prompt(messages, **{"fold": True, "answer_tokens": 4, **options})

    return encode


def test_the_oldest_turns_are_dropped_in_pairs_and_counted(ask, server, prompt):
    messages = conversation(60)
    usage = ask(messages=messages, structured_outputs=CHOICES)["usage"]
    dropped = usage["prompt_tokens_details"]["dropped_messages"]
    assert dropped > 0
    assert dropped % 2 == 0
    assert usage["prompt_tokens"] < CONTEXT_LENGTH
    kept = [SYSTEM, *messages[1 + dropped :]]
    assert prompt(messages).ids == prompt(kept).ids
    assert prompt(kept).dropped_messages == 0


def test_a_conversation_that_fits_loses_nothing(ask, prompt):
    messages = conversation(12)
    assert prompt(messages).ids == prompt(messages, fold=False).ids
    details = ask(messages=messages, structured_outputs=CHOICES)["usage"]["prompt_tokens_details"]
    assert details["dropped_messages"] == 0


def test_each_prompt_begins_with_the_one_before_but_where_half_of_the_room_is_made_free(prompt):
    prompts = [prompt(conversation(turns)) for turns in range(1, 200)]
    anew = [a.dropped_messages != b.dropped_messages for a, b in itertools.pairwise(prompts)]
    for earlier, later, changed in zip(prompts, prompts[1:], anew, strict=False):
        assert earlier.dropped_messages <= later.dropped_messages
        if not changed:
            assert later.ids[: len(earlier.ids)] == earlier.ids
    turns_between = [len(list(run)) for changed, run in itertools.groupby(anew) if not changed]
    assert 5 < sum(anew) < 25
    assert min(turns_between[:-1]) > 5
    assert all(len(p.ids) <= CONTEXT_LENGTH - 4 for p in prompts)


def test_the_cost_of_a_turn_stays_flat_beyond_the_context(ask):
    computed = []
    for turns in range(1, 90):
        usage = ask(messages=conversation(turns), structured_outputs=CHOICES)["usage"]
        computed.append(usage["prompt_tokens"] - usage["prompt_tokens_details"]["cached_tokens"])
    beyond = computed[30:]
    assert sorted(beyond)[len(beyond) // 2] <= sorted(computed[1:10])[4] + 3
    # With what is read again where the prompt begins anew, a turn costs twice its own tokens on the average.
    assert sum(beyond) / len(beyond) < 2.5 * computed[5]


def test_what_is_dropped_follows_from_the_messages_alone(base_folder, full_precision, prompt):
    import inference

    messages = conversation(150)
    for turns in range(1, 150, 7):
        prompt(messages[: 2 * turns])
    fresh = inference.model_fn(str(base_folder))._prompts.prompt(messages, fold=True, answer_tokens=4)
    assert fresh == prompt(messages)


def test_random_conversations_always_fit_and_keep_system_and_last_message(prompt, tokenizer):
    randomness = random.Random(3)
    for _ in range(30):
        roles = [randomness.choice(["user", "user", "assistant", "system"]) for _ in range(randomness.randint(0, 60))]
        middle = [
            {"role": role, "content": f"{i} " + "meeting " * randomness.randint(0, 25)}
            for i, role in enumerate(roles)
            if role != "system" or i % 9 == 0
        ]
        messages = [SYSTEM, *middle, {"role": "user", "content": "the last one"}]
        found = prompt(messages)
        text = tokenizer.decode(found.ids)
        assert len(found.ids) <= CONTEXT_LENGTH - 4
        assert SYSTEM["content"] in text
        assert text.endswith("the last one<|im_end|>\n<|im_start|>assistant\n")
        assert all(m["content"].strip() in text for m in messages if m["role"] == "system")
        assert (found.dropped_messages == 0) == (len(prompt_of_all(messages, tokenizer)) <= CONTEXT_LENGTH - 4)


def prompt_of_all(messages, tokenizer):
    from model_code.chat_encoding import encode_chat

    return encode_chat(tokenizer, messages, add_generation_prompt=True).ids


def test_a_template_whose_roles_must_alternate_takes_a_folded_conversation(server, prompt):
    strict = (
        "{% for message in messages %}{% if loop.index0 and (message['role'] == 'user') != (loop.index0 % 2 == 1) %}"
        "{{ raise_exception('roles must alternate') }}{% endif %}"
        "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}{% endfor %}"
    )
    server._tokenizer.chat_template = strict
    assert prompt(conversation(60)).dropped_messages > 0


def test_a_plain_chat_is_refused_rather_than_answered_in_part(ask):
    with pytest.raises(InvalidRequestError, match=r"The messages are .* too many for the model's context"):
        ask(messages=conversation(60))


@pytest.mark.parametrize(
    "messages",
    [
        [SYSTEM, user(0), assistant(0), {"role": "user", "content": "meeting " * CONTEXT_LENGTH}],
        [{"role": "system", "content": "email " * CONTEXT_LENGTH}, *conversation(30)[1:]],
    ],
    ids=["last turn", "task list"],
)
def test_a_task_list_or_a_last_turn_that_do_not_fit_are_refused(ask, messages):
    with pytest.raises(
        InvalidRequestError, match=r"^The system message and the last turn.* are (at least )?\d+ tokens"
    ) as caught:
        ask(messages=messages, structured_outputs=CHOICES)
    assert caught.value.status_code == 400


def test_megabytes_in_the_last_turn_are_refused_and_in_an_earlier_one_dropped_at_once(ask):
    huge = {"role": "user", "content": "会議 please " * 350_000}
    started = time.process_time()
    with pytest.raises(InvalidRequestError, match="The system message and the last turn are at least"):
        ask(messages=[SYSTEM, user(0), assistant(0), huge], structured_outputs=CHOICES)
    usage = ask(messages=[SYSTEM, user(0), assistant(0), huge, assistant(1), user(2)], structured_outputs=CHOICES)["usage"]  # fmt: skip
    assert usage["prompt_tokens_details"]["dropped_messages"] == 4
    assert time.process_time() - started < 10


def test_tens_of_thousands_of_turns_are_folded_without_being_read(ask):
    started = time.process_time()
    usage = ask(messages=conversation(30_000), structured_outputs=CHOICES)["usage"]
    assert usage["prompt_tokens_details"]["dropped_messages"] > 59_000
    assert time.process_time() - started < 10


def test_a_text_that_comes_again_is_encoded_once(server, monkeypatch):
    import chat.prompt

    encoded = []
    encode = chat.prompt.encode_content
    monkeypatch.setattr(chat.prompt, "encode_content", lambda tokenizer, text: encoded.append(text) or encode(tokenizer, text))  # fmt: skip
    first = server._prompts.prompt(conversation(8))
    assert server._prompts.prompt(conversation(8)) == first
    server._prompts.prompt(conversation(9))
    assert len(encoded) == len(set(encoded)) == 1 + 9 + 3


def test_encoded_texts_are_forgotten_when_their_bytes_run_out(monkeypatch):
    import chat.prompt

    encoded = []
    monkeypatch.setattr(chat.prompt, "_KEPT_BYTES", 10_000)
    monkeypatch.setattr(
        chat.prompt,
        "encode_content",
        lambda _, text: encoded.append(text) or ([0] * 10_000 if text == "long" else [int(text.split()[1]), 7]),
    )
    prompts = chat.prompt.ChatPrompts(tokenizer=None, context_length=100)
    for number in range(100):
        assert prompts.name(f"text {number}") == [number, 7]
        assert prompts._texts._size <= 10_000
        assert prompts.name(f"text {number}") == [number, 7]
        assert prompts.name("text 0") == [0, 7]
    assert encoded == [f"text {number}" for number in range(100)]
    prompts.name("text 1")
    assert encoded[100:] == ["text 1"]
    # A text that is long is not kept, and pushes nothing out.
    assert len(prompts.name("long")) == len(prompts.name("long")) == 10_000
    assert prompts.name("text 0") == [0, 7]
    assert encoded[101:] == ["long", "long"]


def transcript(turns, words=6):
    """A system message and one message with `turns` user turns, each but the last answered."""
    said = itertools.chain.from_iterable(
        (f"User: {i} " + "please " * words, f"Assistant: {i} which email") for i in range(turns)
    )
    return [SYSTEM, {"role": "user", "content": "\n".join(itertools.islice(said, 2 * turns - 1))}]


def test_a_transcript_loses_its_oldest_turns_and_says_so(ask, prompt):
    usage = ask(messages=transcript(60), structured_outputs=CHOICES)["usage"]
    dropped = usage["prompt_tokens_details"]["dropped_messages"]
    assert dropped > 0
    assert usage["prompt_tokens"] < CONTEXT_LENGTH
    system, whole = transcript(60)
    folded = prompt([system, whole])
    begins = whole["content"].index(f"User: {folded.dropped_messages // 2} ")
    kept = [system, {"role": "user", "content": whole["content"][begins:]}]
    assert folded.ids == prompt(kept).ids
    assert prompt(kept).dropped_messages == 0


def test_a_growing_transcript_begins_as_the_one_before_but_where_room_is_made(prompt):
    prompts = [prompt(transcript(turns)) for turns in range(1, 150)]
    changed = [a.dropped_messages != b.dropped_messages for a, b in itertools.pairwise(prompts)]
    for earlier, later, anew in zip(prompts, prompts[1:], changed, strict=False):
        shared = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], zip(earlier.ids, later.ids, strict=False)))  # fmt: skip
        assert anew or shared > len(earlier.ids) - 12
    assert sum(changed) < 20


def test_random_transcripts_always_fit_and_end_with_the_last_turn(prompt, tokenizer):
    rng = random.Random(4)
    for _ in range(100):
        turns = [
            f"User: {'please ' * rng.randint(0, 20)}" + "\nAssistant: meeting" * rng.randint(0, 2) for _ in range(90)
        ]
        messages = [SYSTEM, {"role": "user", "content": "\n".join([*turns, "User: email the last"])}]
        assert tokenizer.decode(prompt(messages).ids).count("email the last") == 1


def test_a_transcript_whose_last_turn_does_not_fit_is_refused(ask):
    _, long = transcript(3)
    huge = {"role": "user", "content": long["content"] + "\nUser: " + "meeting " * CONTEXT_LENGTH}
    with pytest.raises(InvalidRequestError, match=r"^The system message and the last turn"):
        ask(messages=[SYSTEM, huge], structured_outputs=CHOICES)


def test_megabytes_of_transcript_are_folded_without_being_read(ask):
    started = time.process_time()
    usage = ask(messages=transcript(30_000), structured_outputs=CHOICES)["usage"]
    assert usage["prompt_tokens_details"]["dropped_messages"] > 59_000
    assert time.process_time() - started < 10


def blank_ended(turns):
    """A transcript whose turns end in blanks that are some 60 tokens: at the end of a text they would be none."""
    said = "".join(f"User: {i}{chr(0x3000) * 20}\nAssistant: which\n" for i in range(turns - 1))
    return [SYSTEM, {"role": "user", "content": f"{said}User: the last"}]


def test_blanks_at_the_end_of_a_turn_count_as_they_are_read(prompt, server, monkeypatch):
    import chat.prompt

    prompts = [prompt(blank_ended(turns)) for turns in range(2, 60)]
    changed = sum(a.dropped_messages != b.dropped_messages for a, b in itertools.pairwise(prompts))
    assert 0 < changed < 25
    encoded = []
    encode = chat.prompt.encode_chat
    monkeypatch.setattr(chat.prompt, "encode_chat", lambda *given, **options: encoded.append(1) or encode(*given, **options))  # fmt: skip
    prompt(blank_ended(60))
    assert len(encoded) < 6


def test_a_transcript_that_takes_more_tokens_than_its_turns_is_searched_by_halves(prompt, monkeypatch):
    import chat.prompt

    monkeypatch.setattr(chat.prompt, "_of_part", lambda ids: 1)
    encoded = []
    encode = chat.prompt.encode_chat
    monkeypatch.setattr(chat.prompt, "encode_chat", lambda *given, **options: encoded.append(1) or encode(*given, **options))  # fmt: skip
    folded = prompt(transcript(90))
    assert CONTEXT_LENGTH / 2 < len(folded.ids) < CONTEXT_LENGTH
    assert len(encoded) < 12


def test_what_a_transcript_lost_is_counted_however_much_it_was(prompt):
    rng = random.Random(5)
    for turns in (40, 400, 4_000):
        lines = [line for i in range(turns) for line in [f"User: {i}", *["Assistant: ok"] * rng.randint(0, 1)]]
        folded = prompt([SYSTEM, {"role": "user", "content": "\n".join([*lines, "User: the last"])}])
        kept = lines[folded.dropped_messages :]
        assert kept[0].startswith("User: ")
        assert folded.ids == prompt([SYSTEM, {"role": "user", "content": "\n".join([*kept, "User: the last"])}]).ids
