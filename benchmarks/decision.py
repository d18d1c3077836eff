"""What one decision costs: `python benchmarks/decision.py` (about 5 minutes on two cores).

By method, in units of one prefill of the tokens that are new since the last decision; by turn of a conversation, at the
server's door; by length of the task list. Without `--model`: SmolLM2-135M-Instruct, untrained, since time does not depend on
what it learnt.
"""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path
from statistics import median
from typing import Any

from decision_methods import LIMIT, OURS, Methods, Question, question
from loading_models import load_model, load_server, peer_network
from made_conversations import made_conversation, made_tasks
from measuring import in_turns, machine, ratio, say, table, use_threads, write_json
from served_turns import by_list_length, by_turn

from mojo_toolbox.data import Conversation, measuring_points, read_conversations

LIST_COLUMNS = {
    "tasks": "tasks",
    "cold_seconds": "first turn",
    "list_cached_seconds": "list cached",
    "mid_conversation_seconds": "later turn",
    "prefills_of_new_tokens": "prefills",
    "prompt_tokens": "list tokens",
    "mid_conversation_new_tokens": "new",
    "tree_tokens": "of names",
    "kept_mb": "kept MB",
    "peak_mb": "peak MB",
}
MIDDLE = 9  # the tenth decision of a made conversation


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="folder of an artifact or a base model, or a base model's id")
    parser.add_argument("--data", type=Path, help="routing conversations for the methods, in place of made ones")
    parser.add_argument(
        "--served", type=Path, action="append", default=[], help="an artifact to ask too, by length of the list"
    )
    parser.add_argument("--tasks", type=int, default=20, help="length of the made lists (20)")
    parser.add_argument("--turns", type=int, default=20, help="of a conversation (20)")
    parser.add_argument("--lists", default="5,20,50,200", help="lengths of lists to compare (5,20,50,200); empty: none")
    parser.add_argument("--conversations", type=int, default=5, help="how many are asked (5)")
    parser.add_argument("--rounds", type=int, default=9, help="of each measurement (9)")
    parser.add_argument("--threads", type=int, help="that torch computes on (one on every core)")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    return parser.parse_args()


def made(given: argparse.Namespace) -> list[Conversation]:
    return [
        made_conversation(made_tasks(given.tasks, seed=seed), turns=given.turns, seed=seed)
        for seed in range(given.conversations)
    ]


def questions(loaded: Any, given: argparse.Namespace) -> list[Question]:
    """Return a question in the middle of each conversation."""
    if given.data is None:
        return [question(loaded, conversation, decision=min(MIDDLE, given.turns - 1)) for conversation in made(given)]
    counted = ((c, sum(1 for _ in measuring_points(c))) for c in read_conversations(given.data))
    long_enough = itertools.islice(((c, n) for c, n in counted if n > 1), given.conversations)
    found = [question(loaded, conversation, decision=n // 2) for conversation, n in long_enough]
    if not found:
        raise SystemExit(f"{given.data}: no conversation has two labelled user turns. Give another file.")
    return found


def by_method(loaded: Any, peer: Any, asked: list[Question], *, rounds: int) -> dict[str, Any]:
    """Time every method on every question; the figure of a method is the median over the questions."""
    found: dict[str, list[tuple[float, float]]] = {}
    for number, one in enumerate(asked, start=1):
        say(f"methods: question {number} of {len(asked)}")
        times = in_turns(Methods(loaded, peer, one).steps(), rounds=rounds)
        for name, of_method in times.items():
            found.setdefault(name, []).append((median(of_method), ratio(of_method, times[LIMIT])))
    return {
        "new_tokens": median(one.new_tokens for one in asked),
        "prompt_tokens": median(len(one.prompt) for one in asked),
        "names": median(len(one.names) for one in asked),
        "tree_tokens": median(len(one.trie.shared) for one in asked),
        "methods": {
            name: {"seconds": median(s for s, _ in pairs), "prefills_of_new_tokens": median(r for _, r in pairs)}
            for name, pairs in found.items()
        },
    }


def show_methods(methods: dict[str, Any], dtype: str) -> None:
    print(
        f"\nOne decision among {methods['names']:.0f} names, {methods['new_tokens']:.0f} of {methods['prompt_tokens']:.0f} "
        f"prompt tokens new, {methods['tree_tokens']:.0f} more to tell the names apart ({dtype}):"
    )
    rows = [(name, of["seconds"], of["prefills_of_new_tokens"]) for name, of in methods["methods"].items()]
    print(table(["method", "seconds", "prefills"], rows), flush=True)


def show_turns(found: dict[str, Any], tasks: int) -> None:
    print(f"\nAt the server's door by turn, {tasks} tasks; the first reads the list:")
    turns = found["turns"]
    print(table([name.replace("_", " ") for name in turns[0]], [tuple(turn.values()) for turn in turns]))
    last_over_first = found["last_turn_over_first_turn"]
    print(f"Mid-conversation p50 {found['p50_seconds']:.3f} s; last turn over second {last_over_first:.2f}", flush=True)


def show_lists(lists: list[dict[str, Any]]) -> None:
    print("\nBy length of the list: seconds, tokens, memory of two conversations:")
    others = list(lists[0]["others_mid_conversation_seconds"])
    rows = [[*(one[name] for name in LIST_COLUMNS), *one["others_mid_conversation_seconds"].values()] for one in lists]
    print(table([*LIST_COLUMNS.values(), *others], rows))


def main() -> None:
    given = arguments()
    threads = use_threads(given.threads)
    loaded, source = load_model(given.model)
    dtype = str(loaded.model.dtype).removeprefix("torch.")
    of_methods = by_method(loaded, peer_network(loaded, source), questions(loaded, given), rounds=given.rounds)
    show_methods(of_methods, dtype)
    of_turns = by_turn(loaded, made(given), uncached_turns=sorted({2, given.turns // 2, given.turns}))
    show_turns(of_turns, given.tasks)
    others = {folder.name: load_server(folder) for folder in given.served}
    lists = []
    for length in map(int, filter(None, given.lists.split(","))):
        say(f"by length of the list: {length}")
        lists.append(by_list_length(loaded, length, rounds=given.rounds, others=others))
    if lists:
        show_lists(lists)
    found = {
        "model": loaded.base_model,
        "dtype": dtype,
        "threads": threads,
        "tasks": given.tasks,
        "prefills_of_new_tokens": of_methods["methods"][OURS]["prefills_of_new_tokens"],
        "p50_seconds": of_turns["p50_seconds"],
        "last_turn_over_first_turn": of_turns["last_turn_over_first_turn"],
        "by_method": of_methods,
        "by_turn": of_turns,
        "by_list_length": lists,
    }
    write_json(given.out, {"decision": found, "machine": machine()})


if __name__ == "__main__":
    main()
