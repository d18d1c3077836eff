"""What the benchmarks count by: made conversations, ratios, tables, tokens, and that all ways to decide answer."""

import ast
import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
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
import ast
import importlib
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


def routed(*turns, tasks=("flights", "hotels")):
    from mojo_toolbox.data import Conversation, Message, Task

    messages = [Message(role="user", content=words, task=task) for words, task in turns]
    return Conversation(id="c", tasks=tuple(Task(name=name) for name in tasks), messages=tuple(messages))


def test_turns_of_long_lists_start_a_task_or_change_to_another():
    from long_lists import turns

    talk = routed(("hi", None), ("a flight", "flights"), ("at 6", "flights"), ("a hotel", "hotels"), ("bye", None))
    found = {turn.point: turn for turn in turns([talk], most=9, seed=0)}
    assert set(found) == {"start", "switch"}
    assert [(turn.gold, turn.previous) for turn in found.values()] in (
        [("flights", None), ("hotels", "flights")],
        [("hotels", "flights"), ("flights", None)],
    )
    assert found["switch"].earlier().messages == talk.messages[:3]
    assert found["switch"].question().messages[-1] == {"role": "user", "content": "a hotel"}


def test_a_list_is_filled_up_with_other_names_and_a_shorter_one_is_part_of_the_longer_one():
    from long_lists import filled, task_pool, turns

    turn = turns([routed(("a flight", "flights"))], most=1, seed=0)[0]
    pool = task_pool([])
    assert len(pool) > 400
    short, long, all_there = (filled(turn, pool, length, seed="1").tasks for length in (20, 90, 10_000))
    assert (len(short), len(long)) == (20, 90)
    assert len({task.name.casefold() for task in all_there}) == len(all_there) > 400
    assert {"flights", "hotels"} <= {task.name for task in short}
    assert [task for task in long if task in short] == list(short)
    assert filled(turn, pool, 2, seed="1") == turn
    assert filled(turn, pool, 90, seed="2").tasks != long


def test_tasks_of_files_fill_lists_too_unless_they_have_a_known_name(tmp_path):
    from long_lists import task_pool

    from mojo_toolbox.data.jsonl import write_records

    known = task_pool([])
    file = tmp_path / "talks.jsonl"
    talk = routed(("hi", None), tasks=("fly_to_mars", known[0].name.upper()))
    write_records(file, [talk.as_record()])
    assert [task.name for task in task_pool([file])[len(known) :]] == ["fly_to_mars"]


@pytest.fixture(scope="session")
def encoder(tmp_path_factory):
    """An encoder's artifact, made in a process of its own: the serving code's modules must not stay in this one."""
    folder = tmp_path_factory.mktemp("encoder")
    code = """
import sys; from pathlib import Path
sys.path[:0] = ["tests", "tests/inference_code", "inference_code", "training_scripts"]
from tiny_choice_encoder import save_bert, save_choice_encoder
save_choice_encoder(Path(sys.argv[1], "artifact"), save_bert(Path(sys.argv[1], "bert")))
"""
    subprocess.run([sys.executable, "-c", code, str(folder)], cwd=ROOT, check=True, capture_output=True)
    return folder


def run(name, *options, out):
    """Run a benchmark as people do; return its tables, its notes and its JSON."""
    environment = {"PATH": "", "MOJO_DTYPE": "float32", "PYTHONPATH": str(ROOT), "MOJO_HOME": str(out.parent)}
    command = [
        sys.executable,
        str(ROOT / "benchmarks" / f"{name}.py"),
        *map(str, options),
        "--threads",
        "1",
        "--out",
        out,
    ]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr, json.loads(out.read_text(encoding="utf-8"))[name]


def test_every_way_answers_from_lists_of_every_length_and_what_is_refused_is_said(base, encoder, tmp_path):
    models = ("--untrained", encoder / "bert", "--encoder", encoder / "artifact", "--artifact", base)
    sizes = ("--lengths", "0,30,2000", "--decisions", 2, "--model-decisions", 1)
    shown, _, found = run("lists", *models, *sizes, out=tmp_path / "lists.json")
    rows = {(row["way"], row["length"]): row for row in found["by_length"]}
    assert len(rows) == 5 * 3
    whole = "language model, whole list"
    assert {row["refused"] for row in rows.values() if row["way"] != whole} == {0}
    # The tiny model reads 4,096 characters.
    assert [rows[whole, length]["refused"] for length in (0, 30, 2000)] == [0, 0, 1]
    assert "Refused" in shown
    assert "No more tasks were at hand" in shown
    for (way, length), row in rows.items():
        assert row["decisions"] == (1 if "20" in way or way == whole else 2)
        assert (row["right"] is None) == (row["refused"] > 0)
        if not row["refused"]:
            assert row["p50_seconds"] > 0
            assert length or row["seconds_over_own_shortest"] == 1
    assert rows[whole, 30]["seconds_over_whole_list"] == 1
    assert rows["encoder router", 2000]["seconds_over_whole_list"] is None
    assert rows["encoder router", 30]["tasks"] == 30


def test_ways_without_a_model_are_left_out_and_said(encoder, tmp_path):
    sizes = ("--lengths", "0", "--decisions", 1)
    _, notes, found = run("lists", "--untrained", encoder / "bert", *sizes, out=tmp_path / "lists.json")
    assert [row["way"] for row in found["by_length"]] == ["sentence encoder, untrained"]
    assert "Left out" in notes
    assert "encoder router" in notes


def test_clients_that_ask_at_once_get_the_answers_that_one_gets(base, encoder, tmp_path):
    sizes = ("--clients", "1,3", "--turns", 3, "--tasks", 5)
    models = ("--model", base, "--served", encoder / "artifact")
    shown, _, found = run("concurrency", *models, *sizes, out=tmp_path / "concurrency.json")
    rows = found["by_clients"]
    assert [(row["server"], row["clients"], row["requests"]) for row in rows] == [
        (server, clients, requests)
        for server in ("language model", "artifact")
        for clients, requests in ((1, 3), (3, 9), (3, 3))
    ]
    assert [row["list_known"] for row in rows] == [True, True, False] * 2
    assert {row["changed"] for row in rows} == {0}
    assert max(row["max_difference"] for row in rows) < 1e-4
    assert all(row["seconds_over_one_by_one"] > 0 for row in rows)
    assert "over one by one" in shown


def test_waits_are_counted_over_all_clients_and_a_changed_reply_is_seen():
    """In a process of its own, as benchmarks run."""
    code = """
import sys; sys.path.insert(0, "benchmarks")
from concurrency import Run, Waited, figures
import ast
import importlib
import json
def reply(answer, p):
    probabilities = {"a": p, "b": 1 - p}
    usage = {"prompt_tokens": 10, "prompt_tokens_details": {"cached_tokens": 5}}
    message = {"role": "assistant", "content": answer}
    return {"choices": [{"message": message, "choice_probabilities": probabilities}], "usage": usage}
alone = Run(4.0, [[Waited(2.0, reply("a", 0.75))], [Waited(2.0, reply("a", 0.75))]])
both = Run(6.0, [[Waited(2.0, reply("a", 0.75))], [Waited(6.0, reply("b", 0.25))]])
print(json.dumps(figures([(alone, both)])))
"""
    environment = {"PATH": "", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["seconds_over_one_by_one"] == 1.5
    assert found["longest_over_mean_wait"] == 1.5
    assert (found["changed"], found["max_difference"]) == (1, 0.5)
    assert found["tokens_over_one_by_one"] == 1


@pytest.mark.parametrize("folder", ["benchmarks", "scripts"])
def test_all_that_is_imported_from_the_project_is_there(folder):
    """No type checker reads these folders, and hours may pass until a benchmark comes to an import."""
    ours = {"mojo_toolbox", *(path.parent.name for path in ROOT.glob("*_*/*/__init__.py"))}
    found = []
    for path in sorted((ROOT / folder).glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module.split(".")[0] in ours:
                found += [(path.name, node.module, name.name) for name in node.names]
    assert found
    assert [entry for entry in found if not is_there(*entry[1:])] == []


def is_there(module, name):
    """Whether a module has this name, or a module of its own under it."""
    return hasattr(importlib.import_module(module), name) or importlib.util.find_spec(f"{module}.{name}") is not None
