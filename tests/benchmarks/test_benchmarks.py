"""What the benchmarks count by: made conversations, ratios, tables, tokens, and that all ways to decide answer."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# At the end of the path: the serving code has a decision.py too.
sys.path.append(str(ROOT / "benchmarks"))


def test_made_tasks_are_distinct_and_share_beginnings():
    from made_conversations import made_tasks

    tasks = made_tasks(200)
    assert len({task.name for task in tasks}) == 200
    assert len({task.name.split("_")[0] for task in tasks}) < 20
    assert made_tasks(200) == tasks
    assert made_tasks(200, seed=1) != tasks


def test_every_turn_of_a_made_conversation_is_decided_and_as_long_as_the_others():
    from made_conversations import made_conversation, made_tasks

    from mojo_toolbox.data import measuring_points

    conversation = made_conversation(made_tasks(20), turns=20)
    points = list(measuring_points(conversation))
    assert len(points) == 20
    assert {"start", "switch", "continue"} <= {point.point for point in points}
    words = [len(message.content.split()) for message in conversation.messages if message.role == "user"]
    assert max(words) - min(words) <= 3


def test_a_ratio_is_the_median_over_rounds():
    from measuring import ratio

    # The second round met a busy moment.
    assert ratio([2.0, 30.0, 4.0], [1.0, 10.0, 2.0]) == 2.0


def test_steps_take_turns_and_the_first_round_is_not_counted():
    from measuring import Step, in_turns

    ran = []
    steps = {name: Step(lambda name=name: name, ran.append) for name in ("a", "b")}
    times = in_turns(steps, rounds=2)
    assert ran == ["a", "b"] * 3
    assert {name: len(found) for name, found in times.items()} == {"a": 2, "b": 2}


def test_tables_show_what_is_unknown_as_a_dash():
    from measuring import table

    lines = table(["way", "seconds"], [("ours", 0.12345), ("theirs", None)]).splitlines()
    assert [line.split() for line in lines[2:]] == [["ours", "0.123"], ["theirs", "-"]]


def test_results_are_nested_by_benchmark_and_a_failed_one_is_null():
    from short import merged

    assert merged({"decision": {"decision": {"p50_seconds": 1}, "machine": {}}, "training": None}) == {
        "decision": {"p50_seconds": 1},
        "training": None,
    }


def test_the_share_of_padding_is_counted_by_batch():
    from token_counts import padding_share

    assert padding_share([[4, 4], [2, 2]]) == 0
    assert padding_share([[4, 2], [4, 2]]) == pytest.approx(4 / 16)


def test_rows_are_batches_of_like_lengths_from_all_lengths():
    from training import rows_in_order

    lengths = [10 * (i % 10) + 10 for i in range(40)]
    order = rows_in_order(lengths, batch_size=2, batches=10)
    pairs = [(lengths[a], lengths[b]) for a, b in zip(order[::2], order[1::2], strict=True)]
    assert len(set(order)) == 20
    assert all(a == b for a, b in pairs)
    assert {a for a, _ in pairs} == set(lengths)


@pytest.fixture(scope="session")
def base(tmp_path_factory):
    from tiny_base import save_tiny_base

    return save_tiny_base(tmp_path_factory.mktemp("base"), max_position_embeddings=4096)


def test_one_sequence_a_conversation_reads_fewer_tokens_than_one_prompt_a_decision(base):
    from made_conversations import made_conversation, made_tasks
    from token_counts import count_tokens
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(base)
    counts = count_tokens(tokenizer, [made_conversation(made_tasks(5), turns=turns) for turns in (1, 4)])
    assert counts["decisions"] == 5
    assert counts["ratio"] == pytest.approx(counts["one_sequence_a_conversation"] / counts["one_prompt_a_decision"])
    assert counts["ratio"] < 0.5


def test_all_ways_to_decide_answer_and_those_that_are_exact_agree(base):
    """In a process of its own, as benchmarks run: the serving code's modules must not stay in this one."""
    code = """
import sys; sys.path.insert(0, "benchmarks")
from decision_methods import Methods, question
from loading_models import load_model, peer_network
from made_conversations import made_conversation, made_tasks
import json
loaded, source = load_model(sys.argv[1])
asked = question(loaded, made_conversation(made_tasks(6), turns=4), decision=2)
steps = Methods(loaded, peer_network(loaded, source), asked).steps()
print(json.dumps({name: step.run(step.prepare()) for name, step in steps.items()}))
"""
    environment = {"PATH": "", "MOJO_DTYPE": "float32", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code, str(base)], capture_output=True, text=True, cwd=ROOT, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    chosen = json.loads(done.stdout)
    prefills = [chosen.pop(name) for name in list(chosen) if chosen[name] is None]
    assert len(prefills) == 2
    assert len(chosen) == 6
    assert set(chosen.values()) <= set(range(7))
    exact = {name: place for name, place in chosen.items() if "tree" in name or "no cache" in name}
    assert len(exact) == 3
    assert len(set(exact.values())) == 1
    # Both follow the likeliest token at each branch.
    greedy = {place for name, place in chosen.items() if "greedy" in name or "generate" in name}
    assert len(greedy) == 1
