"""Right answers and time by length of the task list: `python benchmarks/lists.py --encoder FOLDER --artifact FOLDER`.

Asked are labelled turns at which a task starts or another takes over. Their lists are filled up to each length with the
library's starter tasks and the tasks of all files given (`--fill` for others), drawn at random: some fit as well as the
labelled one, so "right" is a lower bound. Ways, all with the code that serves them:

  sentence encoder, untrained   evaluation's baseline `encoder-previous`
  encoder router                --encoder (two encoder routers, where another one lies beside it)
  language model, whole list    --artifact
  language model, encoder's 20  both: the language model decides among the 20 that the encoder finds likeliest
  both mixed, encoder's 20      both, as `mojo deploy --encoder` serves them

Ways take turns at every list. A turn is asked when its list was seen once (at the decision before it): `seconds`; that
decision, the first with this list, took `first`. `over whole` is the time over that of the language model with the whole
list, `over own` over the same way's at the shortest list; medians of ratios of the same turn. `top 10` and `top 20`: the
labelled task stood there (what was left out of a shortlist stands nowhere).

  python benchmarks/lists.py --data dev.jsonl --encoder unpacked/encoder --decisions 200
  python benchmarks/lists.py --encoder unpacked/encoder --artifact unpacked/router --lengths 0,50,200 --out lists.json
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

from list_ways import OF_LANGUAGE_MODELS, WHOLE, Models, Reply, Way, ways
from long_lists import POINTS, Turn, filled, task_pool, turns
from made_conversations import made_tasks
from measuring import machine, say, table, use_threads, write_json

from mojo_toolbox.base_models import MINILM
from mojo_toolbox.data import read_conversations
from mojo_toolbox.shipped import example_data_dir

COLUMNS = {
    "way": "way",
    "listed": "tasks",
    "decisions": "turns",
    "refused": "refused",
    "right": "right",
    "among_10": "top 10",
    "among_20": "top 20",
    "p50_seconds": "seconds",
    "first_p50_seconds": "first",
    "seconds_over_whole_list": "over whole",
    "seconds_over_own_shortest": "over own",
}


class Asked:
    """One turn with one list: how many tasks it had, and what each way answered."""

    def __init__(self, turn: Turn, by: Mapping[str, Way]) -> None:
        self.tasks = len(turn.tasks)
        self.point = turn.point
        self.first: dict[str, Reply | None] = {}
        self.replies: dict[str, Reply | None] = {}
        for name, way in by.items():
            self.first[name] = way.ask(turn.earlier())
            self.replies[name] = way.ask(turn)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--data", type=Path, action="append", help="labelled conversations, a table each (examples/data/test.jsonl)"
    )
    parser.add_argument(
        "--fill", type=Path, action="append", default=[], help="conversations or tasks to fill lists with"
    )
    parser.add_argument("--encoder", type=Path, help="folder of an unpacked encoder artifact (that beside --artifact)")
    parser.add_argument("--artifact", help="folder of an unpacked language model artifact, or a base model")
    parser.add_argument("--untrained", default=MINILM, help=f"the baseline's sentence encoder ({MINILM}); empty: none")
    parser.add_argument("--lengths", default="0,50,200,1000", help="of lists; 0: as it is (0,50,200,1000)")
    parser.add_argument("--decisions", type=int, default=20, help="turns of each file (20)")
    parser.add_argument("--model-decisions", type=int, help="of them, those that a language model is asked too (all)")
    parser.add_argument("--seed", type=int, default=0, help="of the turns and of the tasks that are added (0)")
    parser.add_argument("--threads", type=int, help="that torch computes on (one on every core)")
    parser.add_argument("--out", type=Path, help="JSON file to write")
    return parser.parse_args()


def measure(given: argparse.Namespace, by: Mapping[str, Way]) -> list[dict[str, Any]]:
    files = given.data or [example_data_dir() / "test.jsonl"]
    lengths = sorted({int(length) for length in given.lengths.split(",") if length})
    pool = task_pool([*files, *given.fill])
    found = []
    for file in files:
        asked = turns(read_conversations(file), most=given.decisions, seed=given.seed)
        if not asked:
            raise SystemExit(f"{file}: no labelled turn starts a task. Give another file.")
        _start(by, asked[0])
        of_file: list[dict[int, Asked]] = []
        for number, turn in enumerate(asked):
            if given.artifact or number % 20 == 0:  # without a language model a turn takes no time
                say(f"{file.name}: turn {number + 1} of {len(asked)}")
            lists = {length: filled(turn, pool, length, seed=f"{given.seed} {number}") for length in lengths}
            slow = given.model_decisions is None or number < given.model_decisions
            of_file.append(ask(lists, by if slow else _without_language_models(by)))
        found += [{"data": file.name} | row for row in curve(of_file, list(by))]
    return found


def ask(lists: Mapping[int, Turn], by: Mapping[str, Way]) -> dict[int, Asked]:
    """Ask every way about each list; one that is the same as a shorter one is not asked again: it would be cached."""
    by_tasks: dict[int, Asked] = {}
    for turn in lists.values():
        if len(turn.tasks) not in by_tasks:
            by_tasks[len(turn.tasks)] = Asked(turn, by)
    return {length: by_tasks[len(turn.tasks)] for length, turn in lists.items()}


def curve(asked: Sequence[Mapping[int, Asked]], names: Sequence[str]) -> list[dict[str, Any]]:
    """Return a row for each way and length."""
    lengths = list(asked[0])
    return [_row(name, length, asked, shortest=lengths[0]) for name in names for length in lengths]


def _row(name: str, length: int, asked: Sequence[Mapping[int, Asked]], *, shortest: int) -> dict[str, Any]:
    there = [of_turn for of_turn in asked if name in of_turn[length].replies]
    at = [of_turn[length] for of_turn in there]
    answered = [(one.point, reply) for one in at if (reply := one.replies[name])]
    replies = [reply for _, reply in answered]
    sizes = [one.tasks for one in at]
    return {
        "way": name,
        "length": length,
        "tasks": median(sizes) if sizes else None,
        "listed": _range(sizes),
        "decisions": len(at),
        "refused": len(at) - len(replies),
        "right": _share([reply.right for reply in replies]),
        **{f"right_at_{point}": _share([reply.right for at, reply in answered if at == point]) for point in POINTS},
        "among_10": _share([reply.rank is not None and reply.rank <= 10 for reply in replies]),  # noqa: PLR2004
        "among_20": _share([reply.rank is not None and reply.rank <= 20 for reply in replies]),  # noqa: PLR2004
        "p50_seconds": _median([reply.seconds for reply in replies]),
        "first_p50_seconds": _median([reply.seconds for one in at if (reply := one.first[name])]),
        "seconds_over_whole_list": _over([(one.replies[name], one.replies.get(WHOLE)) for one in at]),
        "seconds_over_own_shortest": _over(
            [(of_turn[length].replies[name], of_turn[shortest].replies[name]) for of_turn in there]
        ),
    }


def _over(pairs: Sequence[tuple[Reply | None, Reply | None]]) -> float | None:
    return _median([ours.seconds / theirs.seconds for ours, theirs in pairs if ours and theirs])


def _share(hits: Sequence[bool]) -> float | None:
    return sum(hits) / len(hits) if hits else None


def _median(values: Sequence[float]) -> float | None:
    return median(values) if values else None


def _range(sizes: Sequence[int]) -> str | None:
    if not sizes:
        return None
    return f"{min(sizes)}" if min(sizes) == max(sizes) else f"{min(sizes)}-{max(sizes)}"


def _start(by: Mapping[str, Way], turn: Turn) -> None:
    """Ask once uncounted, with a list that does not come again: threads start, memory is fetched."""
    tasks = made_tasks(5)
    for way in by.values():
        way.ask(replace(turn, messages=turn.messages[-1:], tasks=tuple(tasks), previous=None, gold=tasks[0].name))


def _without_language_models(by: Mapping[str, Way]) -> dict[str, Way]:
    return {name: way for name, way in by.items() if name not in OF_LANGUAGE_MODELS}


def show(rows: Sequence[Mapping[str, Any]]) -> None:
    for data in dict.fromkeys(row["data"] for row in rows):
        print(f"\n{data}: turns that start a task or change to another, by length of the list")
        print(table(list(COLUMNS.values()), [[row[name] for name in COLUMNS] for row in rows if row["data"] == data]))
    short = sorted({(row["length"], row["listed"]) for row in rows if row["listed"] and row["tasks"] < row["length"]})
    for length, listed in short:
        print(f"No more tasks were at hand than {listed}, for lists of {length}.")
    if any(row["refused"] for row in rows):
        print("Refused: more than the language model's context, or than it tells names apart by.")


def main() -> None:
    given = arguments()
    threads = use_threads(given.threads)
    by = ways(Models(given.encoder, given.artifact, given.untrained))
    if not by:
        raise SystemExit("There is no way to ask: give --encoder or --artifact.")
    rows = measure(given, by)
    show(rows)
    models = {
        "encoder": given.encoder and given.encoder.name,
        "artifact": given.artifact,
        "untrained": given.untrained or None,
    }
    found = {"threads": threads, "seed": given.seed, **models, "by_length": rows}
    write_json(given.out, {"lists": found, "machine": machine()})


if __name__ == "__main__":
    main()
