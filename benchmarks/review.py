"""The review's store under load: `python benchmarks/review.py` (two minutes).

Import: 100,000 conversations, its time and memory, beside the memory for a tenth of them. Work: with 10,000 conversations
loaded and five reviewers who each press a key a second in processes of their own, how long one press takes from the decision
to having the next conversation and its successor; and the same with nobody else at work. `--database URL` measures
PostgreSQL (an empty database of its own); `--out FILE` writes JSON.
"""

from __future__ import annotations

import argparse
import json
import random
import secrets
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from measuring import forget_peak, machine, peak_mb, seconds, table, write_json

from mojo_toolbox.review.store import ReviewDecision, ReviewStore

IMPORTED, LOADED, REVIEWERS, PRESSES, PAUSE_S = 100_000, 10_000, 5, 40, 1.0
TASKS, TURNS = 8, 5


def write(path: Path, count: int, *, first: int = 0) -> Path:
    tasks = [{"name": f"task_{i}", "description": f"Do the thing number {i} for the user"} for i in range(TASKS)]
    with path.open("w") as file:
        for number in range(first, first + count):
            messages: list[dict[str, Any]] = []
            for turn in range(TURNS):
                task = None if turn == TURNS - 1 else f"task_{(number + turn // 3) % TASKS}"
                words = f"please do number {number}, step {turn}, for me. " * 2
                messages.append({"role": "user", "content": words, "task": task})
                messages.append({"role": "assistant", "content": "Certainly, here is what I found. " * 3})
            file.write(json.dumps({"id": str(number), "tasks": tasks, "messages": messages}) + "\n")
    return path


def press(store: ReviewStore, token: str, presses: int, pause: float) -> list[float]:
    """Return what each press of a key took, in milliseconds."""
    reviewer = store.reviewer(token)
    assert reviewer is not None
    took = []
    store.upcoming(reviewer)
    for _ in range(presses):
        item = store.next(reviewer)
        assert item is not None
        began = time.perf_counter()
        store.decide(reviewer, item.id, ReviewDecision("okay", key=secrets.token_hex(8), version=item.version))
        store.next(reviewer)
        store.upcoming(reviewer)
        took.append((time.perf_counter() - began) * 1000)
        time.sleep(random.uniform(0.5, 1.5) * pause)
    return took


def import_figures(url: str, folder: Path) -> dict[str, float | None]:
    few, many = write(folder / "few.jsonl", IMPORTED // 10), write(folder / "many.jsonl", IMPORTED, first=IMPORTED)
    peaks = []
    with ReviewStore.open(url) as store:
        for path in (few, many):
            forget_peak()
            took = seconds(store.import_file, path)
            peaks.append(peak_mb())
        again = seconds(store.import_file, many)
    few_mb, many_mb = peaks
    return {
        "conversations": IMPORTED,
        "import_s": took,
        "import_again_s": again,
        "peak_few_mb": few_mb,
        "peak_many_mb": many_mb,
        "memory_for_10_times_as_many": many_mb / few_mb if few_mb and many_mb else None,
    }


def work_figures(url: str, folder: Path) -> dict[str, float]:
    path = write(folder / "loaded.jsonl", LOADED, first=10 * IMPORTED)
    with ReviewStore.open(url) as store:
        if not store.overview().conversations:
            store.import_file(path, overlap=0.1)
        tokens = [store.invite(f"reviewer {number}", renew=True) for number in range(REVIEWERS)]
        alone = press(store, tokens[0], PRESSES, 0.0)
        progress = seconds(store.progress, store.reviewer(tokens[0])) * 1000
    command = [sys.executable, __file__, "--press", url]
    started = [subprocess.Popen([*command, token], stdout=subprocess.PIPE, text=True) for token in tokens]
    together = sorted(float(took) for process in started for took in process.communicate()[0].split())
    alone.sort()
    return {
        "loaded": LOADED,
        "reviewers": REVIEWERS,
        "alone_p50_ms": alone[len(alone) // 2],
        "alone_p95_ms": alone[len(alone) * 95 // 100],
        "together_p50_ms": together[len(together) // 2],
        "together_p95_ms": together[len(together) * 95 // 100],
        "progress_ms": progress,
    }


def main() -> None:
    if sys.argv[1:2] == ["--press"]:
        with ReviewStore.open(sys.argv[2]) as store:
            print(*press(store, sys.argv[3], PRESSES, PAUSE_S))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="JSON file to write")
    parser.add_argument("--database", help="an empty database to measure; unset: SQLite files of its own")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found = {
            "work": work_figures(given.database or str(folder / "work.db"), folder),
            "import": import_figures(given.database or str(folder / "import.db"), folder),
        }
    for kind, figures in found.items():
        print(f"\n{kind}:")
        print(table(["figure", "value"], [(name.replace("_", " "), value) for name, value in figures.items()]))
    write_json(given.out, {"review": found, "machine": machine()})


if __name__ == "__main__":
    main()
