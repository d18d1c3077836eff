"""What training costs: `python benchmarks/training.py` (about 10 minutes on two cores; SFTTrainer: pip install -e '.[bench]').

Tokens read for each labelled decision, one sequence a conversation against one prompt a decision. Padding, with batches of
like lengths and in random order. Tokens a second and peak memory of train_qlora.py's loop against trl's SFTTrainer: same
model, adapter, rows, batches and steps, in fresh processes by turns.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import itertools
import json
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

from measuring import cores, machine, ratio, say, table, write_json
from token_counts import count_tokens, padding_share

from mojo_toolbox.base_models import SMOLLM2, resolve_base_model
from mojo_toolbox.data import Conversation, measuring_points, read_conversations, write_records
from mojo_toolbox.purposes.routing import validation_example
from mojo_toolbox.settings import load_settings
from mojo_toolbox.shipped import example_data_dir

CHILD = Path(__file__).with_name("one_training.py")
OURS, SFT, SFT_DEFAULTS = "ours", "sft", "sft-defaults"
HOW_TO_INSTALL = "trl is not installed, so SFTTrainer is not compared with: pip install -e '.[bench]'"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=SMOLLM2, help=f"base model, folder or id ({SMOLLM2})")
    parser.add_argument("--data", type=Path, help="labelled routing conversations (examples/data/train.jsonl)")
    parser.add_argument("--limit", type=int, help="read only the first so many conversations")
    parser.add_argument("--steps", type=int, default=12, help="that are timed (12)")
    parser.add_argument("--warm-up", type=int, default=2, help="steps before that, not timed (2)")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each trainer (3)")
    parser.add_argument("--batch-size", type=int, default=2, help="conversations a step (2)")
    parser.add_argument("--load-in-4bit", action="store_true", help="an NF4 base, as jobs have; else bf16")
    parser.add_argument("--sft-defaults", action="store_true", help="also SFTTrainer with its own defaults")
    parser.add_argument("--counts-only", action="store_true", help="tokens a decision only; nothing is trained")
    parser.add_argument("--threads", type=int, help="that torch computes on (one on every core)")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    return parser.parse_args()


def conversations(given: argparse.Namespace) -> Iterator[Conversation]:
    data = given.data or example_data_dir() / "train.jsonl"
    return itertools.islice((c for c in read_conversations(data) if any(measuring_points(c))), given.limit)


def rows_in_order(tokenizer_lengths: list[int], *, batch_size: int, batches: int) -> list[int]:
    """Choose the rows of `batches` batches of like lengths, spread over all lengths, in random order of batches."""
    by_length = sorted(range(len(tokenizer_lengths)), key=tokenizer_lengths.__getitem__)
    whole = len(by_length) // batch_size
    if whole < batches:
        raise SystemExit(f"{len(by_length)} conversations are too few for {batches} batches of {batch_size}.")
    chosen = [number * whole // batches for number in range(batches)]
    random.Random(0).shuffle(chosen)
    return [by_length[number * batch_size + i] for number in chosen for i in range(batch_size)]


def child(kind: str, folder: Path, settings: dict[str, Any]) -> dict[str, Any]:
    """Run one_training.py in a process of its own and return what it found."""
    document = {**settings, "answer": str(folder / "answer.json")}
    (folder / "settings.json").write_text(json.dumps(document), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(CHILD), kind, str(folder / "settings.json")], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"The trainer {kind} failed:\n{done.stderr[-3000:]}")
    found: dict[str, Any] = json.loads((folder / "answer.json").read_text(encoding="utf-8"))
    return found


def speed(run: dict[str, Any], *, warm_up: int, batch_size: int) -> float:
    """Return real tokens, padding excluded, a second, of the steps after the first `warm_up`."""
    tokens = sum(run["lengths"][warm_up * batch_size : len(run["ends"]) * batch_size])
    return float(tokens / (run["ends"][-1] - run["ends"][warm_up - 1]))


def compare(kinds: list[str], folder: Path, settings: dict[str, Any], given: argparse.Namespace) -> dict[str, Any]:
    """Run the trainers by turns; each figure is the median over the rounds, ratios within a round."""
    runs: dict[str, list[dict[str, Any]]] = {kind: [] for kind in kinds}
    for number in range(given.rounds):
        for kind in kinds:
            say(f"training: {kind}, round {number + 1} of {given.rounds}")
            runs[kind].append(child(kind, folder, settings))
    speeds = {
        kind: [speed(run, warm_up=given.warm_up, batch_size=given.batch_size) for run in of_kind]
        for kind, of_kind in runs.items()
    }
    peaks = {kind: [run["peak_mb"] for run in of_kind] for kind, of_kind in runs.items()}
    found: dict[str, Any] = {
        "trainers": {
            kind: {
                "tokens_per_second": median(speeds[kind]),
                "peak_mb": median(peaks[kind]) if None not in peaks[kind] else None,
                "first_loss": runs[kind][0]["losses"][0],
                "last_loss": runs[kind][0]["losses"][-1],
            }
            for kind in kinds
        }
    }
    for kind, name in {SFT: "sfttrainer", SFT_DEFAULTS: "sfttrainer_defaults"}.items():
        there = kind in kinds
        known = there and None not in [*peaks[OURS], *peaks[kind]]
        if there or kind == SFT:
            found[f"tokens_per_second_over_{name}"] = ratio(speeds[OURS], speeds[kind]) if there else None
            found[f"peak_memory_over_{name}"] = ratio(peaks[OURS], peaks[kind]) if known else None
    return found


def measure(given: argparse.Namespace) -> dict[str, Any]:
    from transformers import AutoTokenizer

    source = str(resolve_base_model(given.model, cache_dir=load_settings().home / "base_models"))
    tokenizer = AutoTokenizer.from_pretrained(source)
    say("counting tokens")
    counts = count_tokens(tokenizer, conversations(given))
    found: dict[str, Any] = {"tokens_per_decision_ratio": counts["ratio"], "tokens_per_decision": counts}
    if given.counts_only:
        return found
    has_trl = importlib.util.find_spec("trl") is not None
    kinds = [OURS, *([SFT] if has_trl else []), *([SFT_DEFAULTS] if has_trl and given.sft_defaults else [])]
    with tempfile.TemporaryDirectory() as name:
        folder, steps = Path(name), given.warm_up + given.steps
        examples = [validation_example(conversation) for conversation in conversations(given)]
        settings = {
            "base_model": source,
            "batch_size": given.batch_size,
            "load_in_4bit": given.load_in_4bit,
            "threads": given.threads,
            "steps": steps,
        }
        all_rows = folder / "all.jsonl"
        write_records(all_rows, examples)
        say("padding")
        padding = child("padding", folder, {**settings, "rows": str(all_rows)})
        found["padding_share"] = {order: padding_share(batches) for order, batches in padding.items()}

        lengths = [len(str(example)) for example in examples]  # characters do, to choose by
        chosen = rows_in_order(lengths, batch_size=given.batch_size, batches=steps)
        write_records(folder / "rows.jsonl", [examples[i] for i in chosen])
        found |= compare(kinds, folder, {**settings, "rows": str(folder / "rows.jsonl")}, given)
    found |= {"base": "nf4" if given.load_in_4bit else "bf16", "steps": given.steps, "batch_size": given.batch_size}
    found["threads"] = given.threads or cores()
    found["trl"] = importlib.metadata.version("trl") if has_trl else None
    return found


def show(found: dict[str, Any]) -> None:
    counts = found["tokens_per_decision"]
    print(
        f"\nTokens read for each of {counts['decisions']} labelled decisions ({counts['conversations']} conversations):"
    )
    ways = ("one_sequence_a_conversation", "one_prompt_a_decision")
    rows = [(way.replace("_", " "), counts[way], counts[way] / counts[ways[1]]) for way in ways]
    print(table(["way", "tokens", "ratio"], rows))
    if "trainers" not in found:
        return
    print(f"\nShare of padding in batches of {found['batch_size']}:")
    print(table(["order", "share"], [(o.replace("_", " "), share) for o, share in found["padding_share"].items()]))
    print(f"\n{found['steps']} steps on a {found['base']} base, the same rows for each:")
    trainers = found["trainers"]
    print(
        table(
            ["trainer", "tokens/s", "peak MB", "first loss", "last loss"],
            [(name, *of.values()) for name, of in trainers.items()],
        )
    )
    if SFT in trainers:
        print(f"ours over SFTTrainer: {found['tokens_per_second_over_sfttrainer']:.2f} of its tokens a second")
    else:
        print(HOW_TO_INSTALL)


def main() -> None:
    given = arguments()
    found = measure(given)
    show(found)
    write_json(given.out, {"training": found, "machine": machine()})


if __name__ == "__main__":
    main()
