"""An encoder answers under the same contract as a language model."""

import json
import math
import random
import threading
import tracemalloc

import pytest
import torch
from tiny_choice_encoder import save_bert, save_choice_encoder, tasks_message

from chat.request import InvalidRequestError, ModelFailureError

TASKS = {"book_table": "books a table for dinner", "weather": "forecast of rain", "会議": "meeting recap"}
SYSTEM = tasks_message(TASKS)
CHOICES = [*TASKS, "none"]


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch):
    for name in ("MOJO_DTYPE", "MOJO_BASE_MODEL", "MOJO_BASE_MODEL_REVISION"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    return save_bert(tmp_path_factory.mktemp("bert"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory, bert):
    return save_choice_encoder(tmp_path_factory.mktemp("encoder"), bert, training={"job_name": "job-7"})


@pytest.fixture(scope="module")
def server(folder):
    import inference

    return inference.model_fn(str(folder))


@pytest.fixture
def fresh(folder):
    """A server that has seen nothing."""
    import inference

    return inference.model_fn(str(folder))


@pytest.fixture
def sticky(tmp_path, bert):
    """A server whose running choice goes on whatever is said."""
    import inference

    return inference.model_fn(str(save_choice_encoder(tmp_path, bert, running=100.0)))


def ask(server, messages, choices=CHOICES, **body):
    import inference

    if choices is not None:
        body["structured_outputs"] = {"choice": list(choices)}
    return json.loads(inference.answer(server, json.dumps({"messages": messages, **body})))


def user(text):
    return {"role": "user", "content": text}


def answer(text):
    return {"role": "assistant", "content": text}


def chosen(reply):
    return reply["choices"][0]["message"]["content"]


def weights(reply):
    return reply["choices"][0]["choice_probabilities"]


def passes(server):
    """Count the passes of the trained tower from now on."""
    counted = []
    tower = server._decider._encoder.encoder
    tower.register_forward_hook(lambda *given: counted.append(1))
    return counted


def test_the_reply_is_a_chat_completion(server):
    reply = ask(server, [SYSTEM, user("User: book a table")], logprobs=True, max_tokens=1, temperature=0)
    choice, usage = reply["choices"][0], reply["usage"]
    assert reply["object"] == "chat.completion"
    assert choice["message"]["role"] == "assistant"
    assert choice["finish_reason"] == "stop"
    assert list(weights(reply)) == CHOICES
    assert sum(weights(reply).values()) == pytest.approx(1, abs=1e-12)
    assert weights(reply)[chosen(reply)] == max(weights(reply).values())
    (entry,) = choice["logprobs"]["content"]
    assert entry["token"] == chosen(reply)
    assert bytes(entry["bytes"]).decode() == chosen(reply)
    assert math.exp(entry["logprob"]) == pytest.approx(weights(reply)[chosen(reply)])
    # [CLS] book a table [SEP] (nobody answered) [SEP] (nothing earlier) [SEP] task : none [SEP]
    assert usage["prompt_tokens"] == 11
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert usage["prompt_tokens_details"]["cached_tokens"] == 0
    assert ask(server, [SYSTEM, user("User: book a table")])["choices"][0]["logprobs"] is None


def test_the_words_what_came_before_and_what_is_running_count(server):
    chats = [
        [SYSTEM, user("User: rain tomorrow")],
        [SYSTEM, user("User: book a table")],
        [SYSTEM, user("User: bus"), answer("none"), user("User: book a table")],
        [SYSTEM, user("User: bus"), answer("weather"), user("User: book a table")],
        [SYSTEM, user("User: bus"), answer("weather"), user("Assistant: thanks\nUser: book a table")],
    ]
    found = [tuple(round(value, 6) for value in weights(ask(server, chat)).values()) for chat in chats]
    assert len(set(found)) == len(chats)


def test_the_order_of_the_list_does_not_matter(server):
    first = weights(ask(server, [SYSTEM, user("User: rain")]))
    turned = dict(reversed(TASKS.items()))
    second = weights(ask(server, [tasks_message(turned), user("User: rain")], ["none", *turned]))
    assert list(second) == ["none", *turned]
    assert second == pytest.approx(first, abs=1e-5)


def test_a_fallback_that_is_not_listed_is_never_answered(server):
    every = weights(ask(server, [SYSTEM, user("User: rain")]))
    found = weights(ask(server, [SYSTEM, user("User: rain")], TASKS))
    assert list(found) == list(TASKS)
    rest = 1 - every["none"]
    assert found == pytest.approx({name: every[name] / rest for name in TASKS}, abs=1e-5)


def test_the_fallback_alone_is_certain(server):
    reply = ask(server, [SYSTEM, user("User: rain")], ["none"], logprobs=True)
    assert weights(reply) == {"none": 1.0}
    assert reply["choices"][0]["logprobs"]["content"][0]["logprob"] == 0
    assert reply["usage"]["prompt_tokens"] == 0
    assert weights(ask(server, [SYSTEM, user("User: rain")], ["weather"])) == {"weather": 1.0}


@pytest.mark.parametrize("choices", [["weather", "Weather", "WEATHER"], ["a_b", "a-b", "a b"], ["会議", "Краткий итог", "🎉", "___"]])  # fmt: skip
def test_names_that_read_alike_or_like_nothing_are_answered_all_the_same(server, choices):
    listed = tasks_message(dict.fromkeys(choices, "the same"))
    reply = ask(server, [listed, user("User: 会議")], [*choices, "none"])
    assert chosen(reply) in {*choices, "none"}
    assert sum(weights(reply).values()) == pytest.approx(1)


def test_an_encoder_only_chooses(server):
    with pytest.raises(InvalidRequestError, match="only chooses") as caught:
        ask(server, [user("hello")], None)
    assert caught.value.status_code == 400


@pytest.mark.parametrize("last", [answer("weather"), SYSTEM])
def test_the_last_message_must_be_the_users(server, last):
    with pytest.raises(InvalidRequestError, match=f"The last message is the {last['role']}'s") as caught:
        ask(server, [SYSTEM, user("User: rain"), last])
    assert caught.value.status_code == 400


def test_known_names_of_the_model_are_answered_and_others_refused(server, bert):
    chat = [SYSTEM, user("User: rain")]
    assert ask(server, chat)["model"] == str(bert)
    for name in ("default", "job-7"):
        reply = ask(server, chat, model=name)
        assert (reply["model"], weights(reply)) == (name, weights(ask(server, chat)))
    with pytest.raises(InvalidRequestError, match=r"no adapter 'job-8'.*Known: 'default', 'job-7'") as caught:
        ask(server, chat, model="job-8")
    assert caught.value.status_code == 400


def test_of_choices_that_read_the_same_the_first_is_the_answer():
    from encoders.decider import EncoderDecision

    assert EncoderDecision([-2.0, -0.70001, -0.7, -3.0]).best == 1
    assert EncoderDecision([-2.0, -0.701, -0.7, -3.0]).best == 2


def test_nan_is_the_models_fault_and_the_server_lives_on(tmp_path, bert):
    import inference

    server = inference.model_fn(str(save_choice_encoder(tmp_path, bert, scale=1e38)))
    for chat in ([SYSTEM, user("User: rain")], [SYSTEM, user("User: a"), answer("none"), user("User: b")]):
        for choices in (CHOICES, TASKS):
            with pytest.raises(ModelFailureError, match="NaN") as caught:
                ask(server, chat, choices)
            assert caught.value.status_code == 500
    assert weights(ask(server, [SYSTEM, user("User: rain")], ["none"])) == {"none": 1.0}


def test_a_bare_conversation_is_decided_like_one_whose_decisions_are_known(fresh):
    said = ["book a table", "tomorrow", "rain forecast", "thanks bye"]
    known, bare = [SYSTEM], ""
    for turn, text in enumerate(said):
        words = f"Assistant: the ticket\nUser: {text}" if turn else f"User: {text}"
        known.append(user(words))
        bare = f"{bare}\n{words}" if turn else words
        first, second = ask(fresh, known), ask(fresh, [SYSTEM, user(bare)])
        assert weights(second) == pytest.approx(weights(first), abs=1e-6)
        known.append(answer(chosen(first)))


def test_what_was_decided_goes_on_in_a_bare_conversation(sticky):
    first = chosen(ask(sticky, [SYSTEM, user("User: rain")], TASKS))
    words = "User: rain" + "\nAssistant: ok\nUser: bus" * 5
    assert chosen(ask(sticky, [SYSTEM, user(words)], TASKS)) == first


def test_a_growing_bare_conversation_costs_one_pass_a_turn(fresh):
    counted = passes(fresh)
    words, spent = "User: rain", []
    for turn in range(15):
        before = len(counted)
        ask(fresh, [SYSTEM, user(words)])
        spent.append(len(counted) - before)
        words += f"\nAssistant: the table\nUser: bus {'a ' * turn}"
    assert spent == [1] * 15


def test_a_long_bare_conversation_costs_twelve_passes_at_most(fresh):
    counted = passes(fresh)
    words = "\n".join(["User: rain\nAssistant: the table"] * 100 + ["User: bus"])
    reply = ask(fresh, [SYSTEM, user(words)])
    assert len(counted) == 12
    assert reply["usage"]["prompt_tokens"] > 12 * 11
    ask(fresh, [SYSTEM, user(words)])
    assert len(counted) == 13


def test_what_was_decided_belongs_to_its_list(fresh):
    counted = passes(fresh)
    words = "User: rain\nAssistant: the table\nUser: bus"
    lists = [
        (SYSTEM, CHOICES),
        (SYSTEM, list(TASKS)),
        (SYSTEM, CHOICES[::-1]),
        (tasks_message({**TASKS, "weather": "bus ticket"}), CHOICES),
    ]
    for system, choices in lists:
        before = len(counted)
        ask(fresh, [system, user(words)], choices)
        assert len(counted) - before == 2
    ask(fresh, [SYSTEM, user(words)])
    assert len(counted) == 9


def test_speakers_that_a_user_typed_end_nothing(server):
    for text in ("User: rain\nAssistant: none", "rain\nUser: book\nAssistant: ", "Assistant: \nUser: ", "Assistant: a"):
        reply = ask(server, [SYSTEM, user(text)])
        assert sum(weights(reply).values()) == pytest.approx(1)
    typed, real = "User: rain\nAssistant: bus ticket", "User: rain"
    assert weights(ask(server, [SYSTEM, user(typed)])) != pytest.approx(weights(ask(server, [SYSTEM, user(real)])))


@pytest.mark.parametrize("words", ["", "User: ", "\n", "User: \nAssistant: \nUser: ", "\x00", "🎉" * 3000])
def test_empty_and_odd_turns_are_answered(server, words):
    for chat in ([SYSTEM, user(words)], [SYSTEM, user("User: a"), answer("none"), user(words)], [user(words)]):
        assert sum(weights(ask(server, chat)).values()) == pytest.approx(1)


@pytest.mark.parametrize("words", ["word " * 1_000_000, "w" * 5_000_000, "User: rain\nAssistant: bus\n" * 190_000], ids=["words", "word", "turns"])  # fmt: skip
def test_five_megabytes_are_answered(server, words):
    for chat in ([SYSTEM, user(words)], [{"role": "system", "content": words}, user("User: rain")]):
        reply = ask(server, chat)
        assert sum(weights(reply).values()) == pytest.approx(1)
        assert reply["usage"]["prompt_tokens"] < 12 * 250


def test_long_lists_are_answered_and_the_last_of_them_can_win(fresh):
    chance = random.Random(0)
    words = ["book", "rain", "bus", "dinner", "ticket", "recap", "bye", "weather"]
    tasks = {f"task_{i}": " ".join(chance.choices(words, k=6)) for i in range(1_000)}
    reply = ask(fresh, [tasks_message(tasks), user("User: rain")], [*tasks, "none"])
    assert len(weights(reply)) == 1_001
    assert sum(weights(reply).values()) == pytest.approx(1)
    best = max(tasks, key=weights(reply).__getitem__)
    last = {name: text for name, text in tasks.items() if name != best} | {best: tasks[best]}
    again = weights(ask(fresh, [tasks_message(last), user("User: rain")], [*last, "none"]))
    assert max(tasks, key=again.__getitem__) == best


def test_ten_thousand_choices_are_answered(fresh):
    names = [f"task {i}" for i in range(9_999)]
    reply = ask(fresh, [tasks_message(dict.fromkeys(names, "")), user("User: rain")], [*names, "none"])
    assert len(weights(reply)) == 10_000
    assert sum(weights(reply).values()) == pytest.approx(1)


def test_a_list_that_comes_again_is_not_read_again(fresh):
    tasks = {f"task_{i}": "rain" for i in range(200)}
    counted = passes(fresh)
    for _ in range(3):
        ask(fresh, [tasks_message(tasks), user("User: rain")], [*tasks, "none"])
    # 200 new texts are read in portions, of which the last comes with the question.
    assert len(counted) == 3 + 3
    ask(fresh, [tasks_message(dict(reversed(tasks.items()))), user("User: rain")], ["none", *reversed(tasks)])
    assert len(counted) == 7


def test_threads_get_the_answers_they_get_alone(fresh):
    chats = {name: [tasks_message({**TASKS, f"extra_{i % 5}": name}), user(f"User: {name}" + "\nUser: bus" * (i % 4))] for i, name in enumerate(["rain", "book a table", "bus ticket", "recap", "bye"] * 3 + [f"word {n}" for n in range(9)])}  # fmt: skip
    choices = {name: [*TASKS, f"extra_{i % 5}", "none"] for i, name in enumerate(chats)}
    found, errors = {}, []

    def run(names):
        try:
            for name in names:
                found.setdefault(name, []).append(ask(fresh, chats[name], choices[name]))
        except Exception as error:
            errors.append(error)

    names = list(chats)
    threads = [threading.Thread(target=run, args=(random.Random(seed).sample(names, len(names)),)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    assert errors == []
    for name in names:
        expected = weights(ask(fresh, chats[name], choices[name]))
        assert len(found[name]) == 8
        for reply in found[name]:
            assert weights(reply) == pytest.approx(expected, abs=1e-5)


def test_memories_are_bounded(fresh):
    from threads.recently_used import RecentlyUsed

    kept = RecentlyUsed(10)
    for number in range(100):
        kept.put(number, str(number), size=3)
        kept.get(0)
    assert (len(kept), kept.get(0), kept.get(99), kept.get(50)) == (3, "0", "99", None)
    kept.put(99, "again", size=8)
    assert (len(kept), kept.get(99)) == (1, "again")
    kept.put("huge", "", size=11)
    assert len(kept) == 0
    # A system message of megabytes is answered, and not kept.
    ask(fresh, [{"role": "system", "content": "x" * 5_000_000}, user("User: rain")])
    assert len(fresh._decider._lists) == 0


@pytest.mark.parametrize("choices", [["a"], ["a", "b", "c", "d", "e"], [f"task {i}" for i in range(50)]])
def test_small_lists_count_with_all_that_is_kept_of_them(fresh, choices):
    decider = fresh._decider
    decider._listed([{"role": "system", "content": "-1"}], choices)
    counted = decider._lists._size
    tracemalloc.start()
    for number in range(300):
        decider._listed([{"role": "system", "content": f"{number}"}], [f"{number} {choice}" for choice in choices])
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    # In characters, which take four bytes at most.
    assert held < 4 * (decider._lists._size - counted)


def test_sixteen_bits_are_used_when_asked_for(folder, monkeypatch):
    import inference

    chat = [SYSTEM, user("User: rain")]
    plain = inference.model_fn(str(folder))
    assert plain._decider._encoder.encoder.dtype == torch.float32
    monkeypatch.setenv("MOJO_DTYPE", "bf16")
    half = inference.model_fn(str(folder))
    assert half._decider._encoder.encoder.dtype == torch.bfloat16
    assert sum(weights(ask(half, chat)).values()) == pytest.approx(1)
    assert weights(ask(half, chat)) == pytest.approx(weights(ask(plain, chat)), abs=0.2)
