"""What measuring costs beside asking: `python benchmarks/evaluation.py` (half a minute).

Time: `evaluate()` on 400 conversations with a router that answers in 1 ms, against a bare loop that asks the same and
counts nothing. Memory: the peak of a process that evaluates 400 conversations against one that evaluates 20 times as many,
each beside a process that only imports. All in one run, each figure a ratio. `--out FILE` writes them as JSON.
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from measuring import machine, table, write_json

from mojo_toolbox.data import measuring_points, read_conversations
from mojo_toolbox.evaluation import evaluate

CONVERSATIONS, FACTOR, TASKS, TURNS = 400, 20, 12, 8
ANSWER_S = 0.001  # seconds


def write(path: Path, count: int) -> None:
    tasks = [{"name": f"task_{i}", "description": f"Do the thing number {i} for the user"} for i in range(TASKS)]
    with path.open("w") as file:
        for number in range(count):
            messages: list[dict[str, Any]] = []
            for turn in range(TURNS):
                task = None if turn in {0, TURNS - 1} else f"task_{(number + turn // 3) % TASKS}"
                messages.append(
                    {"role": "user", "content": f"please do number {number}, step {turn}. " * 3, "task": task}
                )
                messages.append({"role": "assistant", "content": "Certainly, here is what I found. " * 3})
            file.write(json.dumps({"id": str(number), "tasks": tasks, "messages": messages}) + "\n")


def router(messages: Any, tasks: Any, previous: str | None) -> str | None:
    time.sleep(ANSWER_S)
    return previous


def stay(messages: Any, tasks: Any, previous: str | None) -> str | None:
    return previous


def bare_loop(path: Path) -> int:
    asked = 0
    for conversation in read_conversations(path):
        for point in measuring_points(conversation):
            router(conversation.messages[: point.turn + 1], conversation.tasks, point.previous)
            asked += 1
    return asked


def time_ratio(path: Path) -> dict[str, float]:
    started = time.perf_counter()
    asked = bare_loop(path)
    bare = time.perf_counter() - started
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as output:
        evaluate(router, path, output=output, progress=False)
    measured = time.perf_counter() - started
    return {"decisions": asked, "bare_loop_s": bare, "evaluate_s": measured, "ratio": measured / bare}


def own_peak_mb() -> float:
    status = Path("/proc/self/status")
    if status.exists():  # getrusage counts what the parent had when it forked
        return int(re.search(r"VmHWM:\s+(\d+)", status.read_text())[1]) / 1024  # type: ignore[index]
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # bytes, on macOS


def peak_mb(path: str) -> float:
    command = [sys.executable, __file__, "--peak", path]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def memory_ratio(folder: Path) -> dict[str, float]:
    write(folder / "many.jsonl", CONVERSATIONS * FACTOR)
    only_imports, few, many = (peak_mb(str(path)) for path in ("", folder / "few.jsonl", folder / "many.jsonl"))
    return {
        "times_the_data": FACTOR,
        "only_imports_mb": only_imports,
        "few_mb": few,
        "many_mb": many,
        "ratio": many / few,
    }


def main() -> None:
    if sys.argv[1:2] == ["--peak"]:
        if sys.argv[2]:
            with tempfile.TemporaryDirectory() as output:
                evaluate(stay, sys.argv[2], output=output, progress=False)
        print(own_peak_mb())
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="JSON file to write")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder, "few.jsonl"), CONVERSATIONS)
        found = {"time": time_ratio(Path(folder, "few.jsonl")), "memory": memory_ratio(Path(folder))}
    for kind, figures in found.items():
        print(f"\n{kind}:")
        print(table(["figure", "value"], [(name.replace("_", " "), value) for name, value in figures.items()]))
    write_json(given.out, {"evaluation": found, "machine": machine()})


if __name__ == "__main__":
    main()
