"""What asking at once costs: `python benchmarks/concurrency.py` (some minutes on two cores).

One server, asked by several clients at once, each with a conversation of its own and its next turn sent as soon as the last
one is answered; beside it a fresh server that one client asks the same, conversation after conversation.

  over one by one   the whole time over that of the one client: 1 is the limit where the one keeps all cores busy
  tokens            that the server read, cached ones not counted, over those read one by one
  p50, p95          seconds from a request to its reply; `alone` is the one client's p50
  longest           wait over the mean wait: some 2 where all are served in turn, more where somebody is passed over
  changed           replies with another answer than one by one; `difference`: of a probability, at most. In 16 bits the same
                    prompt read in other portions gives other roundings: MOJO_DTYPE=float32 tells rounding from confusion

The list is known to the server beforehand, but in the last row: there the first turns of all arrive at once at a server that
has just started. Without `--model`: SmolLM2-135M-Instruct, untrained.

  python benchmarks/concurrency.py --served unpacked/encoder --clients 1,4,16,64
"""

from __future__ import annotations

import argparse
import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import fmean, median, quantiles
from typing import Any, NamedTuple

from loading_models import load_model, load_server
from made_conversations import made_conversation, made_tasks
from measuring import machine, say, table, use_threads, write_json
from served_turns import bodies, server

# After served_turns, which puts the folder of the serving code on the path.
# isort: split
from inference import answer
from mojo_toolbox.data import Conversation, Task
from servers.server import Server

COLUMNS = {
    "server": "server",
    "clients": "clients",
    "requests": "requests",
    "seconds_over_one_by_one": "over one by one",
    "tokens_over_one_by_one": "tokens",
    "alone_p50_seconds": "alone",
    "p50_seconds": "p50",
    "p95_seconds": "p95",
    "longest_over_mean_wait": "longest",
    "changed": "changed",
    "max_difference": "difference",
}


class Waited(NamedTuple):
    """One request: the seconds until its reply, and the reply."""

    seconds: float
    reply: dict[str, Any]


class Run(NamedTuple):
    """All requests of all clients: what each waited, by client, and what it took from the first to the last."""

    seconds: float
    waits: list[list[Waited]]

    @property
    def all(self) -> list[Waited]:
        return [wait for of_client in self.waits for wait in of_client]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="folder of an artifact or a base model, or a base model's id; empty: none")
    parser.add_argument("--served", type=Path, action="append", default=[], help="an artifact to ask too: an encoder's")
    parser.add_argument("--clients", default="1,4,16", help="how many ask at once (1,4,16)")
    parser.add_argument("--turns", type=int, default=10, help="of each conversation (10)")
    parser.add_argument("--tasks", type=int, default=20, help="length of the task list, the same for all (20)")
    parser.add_argument("--rounds", type=int, default=1, help="of each measurement; the median ratio counts (1)")
    parser.add_argument("--threads", type=int, help="that torch computes on (one on every core)")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    return parser.parse_args()


def clients_conversation(tasks: list[Task], *, turns: int, client: int) -> Conversation:
    """Return a conversation that says whose it is, so that none begins as another does."""
    made = made_conversation(tasks, turns=turns, seed=client)
    first = made.messages[0]
    named = first.model_copy(update={"content": f"Hello, customer {client} here. {first.content}"})
    return made.model_copy(update={"messages": (named, *made.messages[1:])})


def ask(served_by: Server, body: bytes) -> Waited:
    started = time.perf_counter()
    reply = answer(served_by, body)
    return Waited(time.perf_counter() - started, json.loads(reply))


def one_by_one(served_by: Server, requests: Sequence[Sequence[bytes]]) -> Run:
    started = time.perf_counter()
    waits = [[ask(served_by, body) for body in of_client] for of_client in requests]
    return Run(time.perf_counter() - started, waits)


def at_once(served_by: Server, requests: Sequence[Sequence[bytes]]) -> Run:
    """Let each client ask in a thread of its own, its requests in their order."""
    waits: list[list[Waited]] = [[] for _ in requests]
    failed: list[BaseException] = []
    began: list[float] = []
    start = threading.Barrier(len(requests))

    def go(client: int) -> None:
        start.wait()
        began.append(time.perf_counter())
        try:
            for body in requests[client]:
                waits[client].append(ask(served_by, body))
        except Exception as error:  # noqa: BLE001 - raised again below
            failed.append(error)

    threads = [threading.Thread(target=go, args=(client,)) for client in range(len(requests))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.perf_counter() - min(began)
    if failed:
        raise failed[0]
    return Run(took, waits)


def measure(
    make: Callable[[], Server], requests: Sequence[Sequence[bytes]], *, known: bytes | None, rounds: int
) -> dict[str, Any]:
    """Ask fresh servers one by one and at once, in turns; `known` is a request that each was asked before."""
    pairs = []
    for _ in range(rounds):
        runs = []
        for way in (one_by_one, at_once):
            fresh = make()
            if known is not None:
                ask(fresh, known)
            runs.append(way(fresh, requests))
        pairs.append((runs[0], runs[1]))
    return figures(pairs)


def figures(pairs: Sequence[tuple[Run, Run]]) -> dict[str, Any]:
    """Compare what was asked at once with the same one by one, a pair a round."""
    differences = [
        difference(a.reply, b.reply) for alone, both in pairs for a, b in zip(alone.all, both.all, strict=True)
    ]
    waits = [wait.seconds for _, both in pairs for wait in both.all]
    return {
        "clients": len(pairs[0][1].waits),
        "requests": len(pairs[0][1].all),
        "seconds": median(both.seconds for _, both in pairs),
        "seconds_over_one_by_one": median(both.seconds / alone.seconds for alone, both in pairs),
        "tokens_over_one_by_one": median(tokens(both) / tokens(alone) for alone, both in pairs),
        "alone_p50_seconds": median(wait.seconds for alone, _ in pairs for wait in alone.all),
        "p50_seconds": median(waits),
        "p95_seconds": quantiles(waits, n=20, method="inclusive")[-1] if len(waits) > 1 else waits[0],
        "longest_over_mean_wait": median(
            max(wait.seconds for wait in both.all) / fmean(wait.seconds for wait in both.all) for _, both in pairs
        ),
        "changed": sum(changed for changed, _ in differences),
        "max_difference": max(most for _, most in differences),
    }


def difference(a: Mapping[str, Any], b: Mapping[str, Any]) -> tuple[bool, float]:
    """Return whether two replies answer differently, and by how much a probability differs at most."""
    one, other = a["choices"][0], b["choices"][0]
    p, q = one["choice_probabilities"], other["choice_probabilities"]
    return one["message"] != other["message"], max(abs(p[name] - q[name]) for name in p.keys() | q.keys())


def tokens(run: Run) -> int:
    """Count the tokens that were read: those of prompts that were not cached."""
    usages = [wait.reply["usage"] for wait in run.all]
    return sum(usage["prompt_tokens"] - usage["prompt_tokens_details"]["cached_tokens"] for usage in usages)


def of_server(name: str, make: Callable[[], Server], given: argparse.Namespace) -> list[dict[str, Any]]:
    """Measure each number of clients with a list that the server knows, then all their first turns with a new one."""
    tasks = made_tasks(given.tasks)
    counts = [int(count) for count in given.clients.split(",") if count]
    known, *every = (
        bodies(clients_conversation(tasks, turns=given.turns, client=client)) for client in range(max(counts) + 1)
    )
    ask(make(), known[0])  # threads start, memory is fetched
    rows = []
    for count in counts:
        say(f"{name}: {count} at once")
        rows.append(measure(make, every[:count], known=known[0], rounds=given.rounds) | {"list_known": True})
    say(f"{name}: {len(every)} at once, a list new to the server")
    first = [of_client[:1] for of_client in every]
    rows.append(measure(make, first, known=None, rounds=given.rounds) | {"list_known": False})
    return [{"server": name} | row for row in rows]


def show(rows: Sequence[Mapping[str, Any]]) -> None:
    print("\nClients that ask at once; in the last row of each server first turns only, with a list new to it:")
    print(table(list(COLUMNS.values()), [[row[name] for name in COLUMNS] for row in rows]))


def main() -> None:
    given = arguments()
    threads = use_threads(given.threads)
    rows = []
    dtype = None
    if given.model != "":
        loaded, _ = load_model(given.model)
        dtype = str(loaded.model.dtype).removeprefix("torch.")
        rows += of_server("language model", lambda: server(loaded), given)
    for folder in given.served:
        rows += of_server(folder.resolve().name, lambda folder=folder: load_server(folder), given)
    if not rows:
        raise SystemExit("There is nobody to ask: give --model or --served.")
    show(rows)
    found = {"threads": threads, "dtype": dtype, "tasks": given.tasks, "turns": given.turns, "by_clients": rows}
    write_json(given.out, {"concurrency": found, "machine": machine()})


if __name__ == "__main__":
    main()
