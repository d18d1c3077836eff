"""The short version of every benchmark, into one file: `python benchmarks/short.py`, which is `make bench`.

Each runs as a process of its own, one after the other, so that none is in another's way.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from measuring import machine, say, write_json

HERE = Path(__file__).resolve().parent
# Meant for ten minutes on two cores; the same without arguments takes longer and is steadier.
SHORT = {
    "evaluation": [],
    "accuracy": ["--limit", "100"],
    "decision": ["--rounds", "4"],
    "training": ["--limit", "200", "--steps", "6", "--rounds", "2"],
    # Without a language model: an untrained one answers nothing, and what it takes stands in decision.by_list_length.
    "lists": ["--lengths", "0,50,200", "--decisions", "100"],
    "concurrency": ["--turns", "2"],
}


TAKING_DATA = ("accuracy", "training", "lists")


def run(name: str, options: list[str], folder: Path) -> dict[str, Any] | None:
    """Run one benchmark, its tables on our stdout; return its figures, None when it failed."""
    say(f"== {name} {' '.join(options)}")
    out = folder / f"{name}.json"
    started = time.monotonic()
    done = subprocess.run([sys.executable, str(HERE / f"{name}.py"), *options, "--out", str(out)], check=False)
    say(f"== {name}: {time.monotonic() - started:.0f} s")
    if done.returncode:
        return None
    found: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    return found


def merged(found: dict[str, dict[str, Any] | None]) -> dict[str, Any]:
    """Put each benchmark's figures under its name; one that failed is null."""
    return {name: None if document is None else document[name] for name, document in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(SHORT), help="which, separated by commas (all)")
    parser.add_argument("--out", type=Path, default=HERE / "results.json", help="JSON file to write (results.json)")
    parser.add_argument(
        "--data", type=Path, help="labelled conversations for training, accuracy and lists (examples/data)"
    )
    given = parser.parse_args()
    data = ["--data", str(given.data)] if given.data else []
    before = machine()  # its load is that of other programs
    with tempfile.TemporaryDirectory() as folder:
        found = {
            name: run(name, SHORT[name] + (data if name in TAKING_DATA else []), Path(folder))
            for name in given.only.split(",")
        }
    write_json(given.out, merged(found) | {"machine": before})
    print(f"\nAll figures: {given.out}")
    failed = [name for name, document in found.items() if document is None]
    if failed:
        raise SystemExit(f"Failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
