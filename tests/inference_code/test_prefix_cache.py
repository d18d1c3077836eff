"""Prefixes are copied, bounded, and safe to use from many threads."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch


def states(*ids):
    """One layer whose keys spell the ids, 4 bytes each for keys and for values."""
    keys = torch.tensor(ids, dtype=torch.float32).reshape(1, 1, -1, 1)
    return [(keys, -keys)]


def cache_of(entries, max_bytes=10_000):
    from prefix_cache import PrefixCache

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


def test_what_is_handed_out_or_stored_is_a_copy():
    given = states(1, 2, 3)
    cache = cache_of([])
    cache.store("", [1, 2, 3], given)
    given[0][0].zero_()
    for _ in range(2):
        layers = cache.longest_prefix("", [1, 2, 3, 4])
        assert layers[0][0].flatten().tolist() == [1, 2, 3]
        assert layers[0][1].flatten().tolist() == [-1, -2, -3]
        layers[0][0].zero_()
        layers[0][1].zero_()


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


@pytest.mark.parametrize("budget", ["536870912", "60000", "0"])
def test_conversations_at_once_get_what_they_get_alone(base_folder, full_precision, monkeypatch, budget):
    import inference

    monkeypatch.setenv("MOJO_PREFIX_CACHE_BYTES", budget)
    server = inference.model_fn(str(base_folder))
    system = {"role": "system", "content": "meeting_recap: notes of a meeting, none"}
    conversations = [
        [system] + [{"role": "user", "content": f"user {i} turn {j} " * 3} for j in range(turns)]
        for i in range(6)
        for turns in (1, 2, 3)
    ]

    def probabilities(answering, messages):
        body = json.dumps(
            {"messages": messages, "structured_outputs": {"choice": ["meeting_recap", "meeting", "none"]}}
        )
        reply = inference.predict_fn(inference.input_fn(body), answering)
        return list(reply["choices"][0]["choice_probabilities"].values())

    monkeypatch.setenv("MOJO_PREFIX_CACHE_BYTES", "0")
    alone = [probabilities(inference.model_fn(str(base_folder)), messages) for messages in conversations]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda messages: probabilities(server, messages), conversations * 3))
    for expected, got in zip(alone * 3, together, strict=True):
        assert got == pytest.approx(expected, abs=1e-4)
    assert server.prefixes.size <= int(budget)
