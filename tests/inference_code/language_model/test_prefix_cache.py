"""Prefixes are shared without being written to, bounded, and safe to use from many threads."""

import json
import math
import random
import threading
from concurrent.futures import ThreadPoolExecutor, wait

import pytest
import torch
from tiny_base import CONTEXT_LENGTH, make_network

from chat.request import ModelFailureError

PROMPT = list(range(40, 90))


@pytest.fixture(scope="module")
def model():
    from language_model.network import LanguageModel

    return LanguageModel(make_network(), context_length=CONTEXT_LENGTH)


def states(*ids):
    """One layer whose keys spell the ids, 4 bytes each for keys and for values."""
    keys = torch.tensor(ids, dtype=torch.float32).reshape(1, 1, -1, 1)
    return [(keys, -keys)]


def cache_of(entries, max_bytes=10_000):
    from language_model.prefix_cache import PrefixCache

    cache = PrefixCache(max_bytes)
    for ids in entries:
        cache.store("", ids, states(*ids))
    return cache


def found(cache, ids, model=""):
    layers = cache.longest_prefix(model, ids)
    return layers[0][0].flatten().int().tolist() if layers else []


def test_the_longest_common_prefix_is_found_but_never_the_last_token():
    cache = cache_of([[1, 2, 3], [1, 2, 9, 9], [5]])
    assert found(cache, [1, 2, 3, 4]) == [1, 2, 3]
    assert found(cache, [1, 2, 3]) == [1, 2]
    assert found(cache, [1, 2, 9, 8]) == [1, 2, 9]
    assert found(cache, [7, 1]) == []
    assert found(cache, [5]) == []
    assert found(cache, [1, 2, 3, 4], model="adapter") == []


def test_conversations_that_go_on_from_one_entry_leave_it_as_it_is(model):
    from language_model.network import TokenSequence
    from language_model.prefix_cache import PrefixCache

    cache = PrefixCache(2**24)
    first = TokenSequence(model)
    first.feed(PROMPT)
    cache.store("", PROMPT, first.layers(len(PROMPT)))
    stored = [(keys.clone(), values.clone()) for keys, values in cache.longest_prefix("", [*PROMPT, 0])]
    first.feed([5, 6])
    first.rewind(3)
    first.feed([7, 8, 9])
    for ids in ([*PROMPT, 7, 8], [*PROMPT[:20], 9, 9, 9], [*PROMPT, 9]):
        layers = cache.longest_prefix("", ids)
        length = layers[0][0].shape[-2]
        sequence = TokenSequence(model, ids=ids[:length], layers=layers)
        torch.testing.assert_close(sequence.feed(ids[length:]), model.logits(ids), atol=1e-5, rtol=1e-5)
        sequence.rewind(10)
        sequence.feed([1, 2, 3])
    for expected, found in zip(stored, cache.longest_prefix("", [*PROMPT, 0]), strict=True):
        assert torch.equal(expected[0], found[0])
        assert torch.equal(expected[1], found[1])


def test_random_conversations_that_grow_and_fork_get_the_logits_of_a_full_pass(model):
    from language_model.network import TokenSequence
    from language_model.prefix_cache import PrefixCache

    randomness = random.Random(5)
    # Keys and values of some 300 tokens: less than the conversations have together.
    cache = PrefixCache(300 * 2 * 2 * 32 * 4)
    conversations = [[randomness.randrange(2, 400) for _ in range(30)] for _ in range(4)]
    hits = []
    for _ in range(60):
        ids = randomness.choice(conversations)
        if randomness.random() < 0.2:  # another conversation with the same beginning
            conversations.append(ids := ids[: randomness.randrange(5, len(ids))])
        ids += [randomness.randrange(2, 400) for _ in range(randomness.randint(1, 12))]
        layers = cache.longest_prefix("", ids)
        cached = layers[0][0].shape[-2] if layers else 0
        hits.append(cached)
        sequence = TokenSequence(model, ids=ids[:cached], layers=layers)
        torch.testing.assert_close(sequence.feed(ids[cached:]), model.logits(ids), atol=1e-4, rtol=1e-4)
        cache.store("", ids, sequence.layers(len(ids)))
        assert cache.size <= cache.max_bytes
    assert sum(hit > 0 for hit in hits) > 10
    assert 0 in hits


def test_adapters_with_the_same_tokens_have_entries_of_their_own():
    cache = cache_of([])
    cache.store("a", [1, 2, 3], states(1, 2, 3))
    cache.store("b", [1, 2, 3], states(4, 5, 6))
    cache.store("b", [1, 2, 3, 4], states(4, 5, 6, 7))
    assert len(cache) == 2
    assert found(cache, [1, 2, 3, 9], "a") == [1, 2, 3]
    assert found(cache, [1, 2, 3, 9], "b") == [4, 5, 6]
    assert found(cache, [1, 2, 3, 9]) == []


def read_at_once(cache, prompts, *, fails=(), nobody_waits=False):
    """Begin the prompts in their order, each in a thread of its own; return how many ids each found stored.

    The first goes on only once all others have come, or, where nobody is to wait for it, have begun to read.
    """
    all_came = threading.Event()
    hits = {}

    def read(number, ids):
        with cache.reading("", ids) as layers:
            hits[number] = layers[0][0].shape[-2] if layers else 0
            assert number or all_came.wait(30)
            if number in fails:
                raise ModelFailureError("NaN")
            cache.store("", ids, states(*ids))

    def has_come(number, ids):
        if number in hits or nobody_waits:
            return number in hits
        return any(reading.ids.tolist() == ids for reading in list(cache._readings))

    with ThreadPoolExecutor(len(prompts)) as pool:
        readers = []
        for number, ids in enumerate(prompts):
            readers.append(pool.submit(read, number, ids))
            while not has_come(number, ids):
                wait(readers[-1:], timeout=0.001)
        all_came.set()
        for number, reader in enumerate(readers):
            assert isinstance(reader.exception(30), ModelFailureError if number in fails else type(None))
    assert not cache._readings
    return [hits[number] for number in range(len(prompts))]


TASK_LIST = list(range(100, 200))


def test_what_several_want_at_once_is_read_by_the_first():
    prompts = [[*TASK_LIST, *[number] * 9] for number in range(5)]
    assert read_at_once(cache_of([]), prompts) == [0, 100, 100, 100, 100]


def test_nobody_waits_for_what_is_stored_already_or_is_little():
    known = [[*TASK_LIST, *[number] * 40] for number in range(3)]
    assert read_at_once(cache_of([TASK_LIST]), known, nobody_waits=True) == [100, 100, 100]
    little = [[*range(20), number] for number in range(50, 53)]
    assert read_at_once(cache_of([]), little, nobody_waits=True)[0] == 0


def test_when_the_first_fails_the_next_reads_for_the_others():
    prompts = [[*TASK_LIST, *[number] * 9] for number in range(4)]
    assert read_at_once(cache_of([]), prompts, fails={0}) == [0, 0, 100, 100]


def test_what_cannot_be_stored_is_read_by_each_in_turn():
    assert read_at_once(cache_of([], max_bytes=8), [[*TASK_LIST, number] for number in range(4)]) == [0, 0, 0, 0]


def test_bytes_are_those_that_the_tensors_keep_alive():
    cache = cache_of([], max_bytes=10**6)
    whole = torch.zeros(1, 1, 1000, 4)
    # A part of a larger tensor is copied, nearly all of one is kept as it is and counted whole.
    cache.store("", [1] * 10, [(whole[..., :10, :], whole[..., :10, :])])
    assert cache.size == 2 * 10 * 16
    large, larger = torch.zeros(1, 1, 100, 4), torch.zeros(1, 1, 110, 6)  # values may be wider than keys
    cache.store("", [2] * 100, [(large, larger)])
    assert cache.size == 2 * 10 * 16 + 100 * 16 + 110 * 24
    held = {id(t.untyped_storage()): t.untyped_storage().nbytes() for t in cache.longest_prefix("", [1] * 11)[0]}
    assert sum(held.values()) == 2 * 10 * 16


def test_a_conversation_that_outgrows_the_budget_keeps_its_earlier_turn():
    cache = cache_of([[1, 2], [3, 4], [1, 2, 3, 4, 5, 6]], max_bytes=8 * 4)
    assert found(cache, [1, 2, 3, 4, 5, 6, 7]) == [1, 2]
    assert found(cache, [3, 4, 0]) == [3, 4]
    assert cache.size == 8 * 4


@pytest.mark.parametrize("options", [{"structured_outputs": {"choice": ["none", "email"]}}, {"max_tokens": 3}])
@pytest.mark.parametrize("failure", [math.nan, RuntimeError("out of memory")])
def test_a_request_that_fails_midway_leaves_nothing_behind(server, ask, options, failure):
    layer = server._model._network.model.layers[1]

    def fail(module, arguments, output):
        if isinstance(failure, Exception):
            raise failure
        return output * failure

    messages = [{"role": "user", "content": "help me with my meeting"}]
    hook = layer.register_forward_hook(fail)
    with pytest.raises((ModelFailureError, RuntimeError)):
        ask(messages=messages, **options)
    hook.remove()
    assert (len(server.prefixes), server.prefixes.size) == (0, 0)
    reply = ask(messages=messages, **options, temperature=0)
    assert reply["usage"]["prompt_tokens_details"]["cached_tokens"] == 0
    assert ask(messages=messages, **options, temperature=0)["choices"] == approximately(reply["choices"])


@pytest.mark.parametrize("failure", [math.inf, -math.inf, math.nan])
@pytest.mark.parametrize("temperature", [0, 1])
def test_an_answer_that_overflows_leaves_nothing_behind(server, ask, failure, temperature):
    hook = server._model._network.lm_head.register_forward_hook(lambda *given: torch.full_like(given[2], failure))
    with pytest.raises(ModelFailureError):
        ask(max_tokens=3, temperature=temperature)
    hook.remove()
    assert len(server.prefixes) == 0


def approximately(choices):
    """The same answer, its probabilities but for rounding."""
    [choice] = choices
    probabilities = choice.get("choice_probabilities")
    return [choice | ({"choice_probabilities": pytest.approx(probabilities, abs=1e-4)} if probabilities else {})]


def test_a_conversations_next_turn_replaces_its_last():
    cache = cache_of([[1, 2], [1, 2, 3, 4], [1, 2, 3], [1, 7]])
    assert len(cache) == 2
    assert cache.size == 8 * (4 + 2)


def test_the_least_recently_used_goes_when_bytes_run_out():
    cache = cache_of([[1, 1], [2, 2], [3, 3]], max_bytes=8 * 6)
    assert found(cache, [1, 1, 0]) == [1, 1]
    cache.store("", [4, 4], states(4, 4))
    assert [found(cache, [i, i, 0]) for i in (1, 2, 3, 4)] == [[1, 1], [], [3, 3], [4, 4]]
    assert cache.size == 8 * 6
    cache.store("", list(range(7)), states(*range(7)))
    assert (len(cache), cache.size) == (3, 8 * 6)


def test_only_as_many_positions_as_tokens_are_kept():
    cache = cache_of([])
    cache.store("", [1, 2], states(1, 2, 3, 4))
    assert (found(cache, [1, 2, 3]), cache.size) == ([1, 2], 16)


@pytest.mark.parametrize("budget", ["536870912", "300000", "60000", "0"])
def test_conversations_at_once_get_what_they_get_alone(base_folder, full_precision, monkeypatch, budget):
    """Each in a thread of its own, turn by turn, some beyond the context, while the cache drops entries all the time."""
    import inference

    monkeypatch.setenv("MOJO_PREFIX_CACHE_BYTES", budget)
    server = inference.model_fn(str(base_folder))
    monkeypatch.setenv("MOJO_PREFIX_CACHE_BYTES", "0")
    forgetful = inference.model_fn(str(base_folder))

    def answers(answering, number):
        """Probabilities at each decision and the text of each chat."""
        messages = [{"role": "system", "content": "meeting_recap: notes of a meeting, none"}]
        given = []
        for turn in range(7 + 5 * (number % 3)):
            messages.append({"role": "user", "content": f"user {number % 5} turn {turn} " * 3})
            choices = {"structured_outputs": {"choice": ["meeting_recap", "meeting", "none"]}}
            choice = asked(answering, messages=messages, **choices)["choices"][0]
            given.append(pytest.approx(list(choice["choice_probabilities"].values()), abs=1e-4))
            if turn == number % 4:
                text = asked(answering, messages=messages, max_tokens=3, temperature=0)["choices"][0]["message"]
                given.append(text["content"])
            messages.append({"role": "assistant", "content": ["none", "meeting_recap"][turn % 2]})
        return given

    def asked(answering, **body):
        return json.loads(inference.answer(answering, json.dumps(body)))

    alone = [answers(forgetful, number) for number in range(9)]
    with ThreadPoolExecutor(9) as pool:
        together = list(pool.map(lambda number: answers(server, number), range(9)))
    for expected, got in zip(alone, together, strict=True):
        assert [getattr(found, "expected", found) for found in got] == expected
    assert server.prefixes.size <= int(budget)
    held = {
        t.data_ptr(): t.nbytes for entry in server.prefixes._entries.values() for pair in entry.layers for t in pair
    }
    assert sum(held.values()) <= server.prefixes.size
