"""How all benchmarks measure and report: in turns, medians, tables, JSON, and what machine it was."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
_STATUS = Path("/proc/self/status")


class Step(NamedTuple):
    """`run` is timed, with what `prepare` returns."""

    prepare: Callable[[], Any]
    run: Callable[[Any], Any]


def say(text: str) -> None:
    """Tell whoever waits how far it is."""
    print(text, file=sys.stderr, flush=True)


def seconds(run: Callable[..., Any], *given: Any) -> float:
    started = time.perf_counter()
    run(*given)
    return time.perf_counter() - started


def in_turns(steps: Mapping[str, Step], *, rounds: int) -> dict[str, list[float]]:
    """Return the seconds of each step, one a round; all steps run once a round, so that a busy moment meets them alike.

    A first round goes uncounted: threads start, memory is fetched.
    """
    found: dict[str, list[float]] = {name: [] for name in steps}
    for number in range(rounds + 1):
        for name, step in steps.items():
            took = seconds(step.run, step.prepare())
            if number:
                found[name].append(took)
    return found


def ratio(times: Sequence[float], unit: Sequence[float]) -> float:
    """Return the median of the ratios of what was measured in the same round."""
    return median(a / b for a, b in zip(times, unit, strict=True))


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return lines of aligned columns; numbers to three digits, what is not known as a dash."""
    cells = [list(header), *([_cell(value) for value in row] for row in rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
    aligned = [
        "  ".join([row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))])
        for row in cells
    ]
    return "\n".join([aligned[0], "-" * len(aligned[0]), *aligned[1:]])


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"  # noqa: PLR2004 - 1234 rather than 1.23e+03
    return str(value)


def rounded(value: Any) -> Any:
    """Round all floats of a JSON value to five digits."""
    if isinstance(value, dict):
        return {name: rounded(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(part) for part in value]
    return float(f"{value:.5g}") if isinstance(value, float) else value


def write_json(path: Path | None, document: Mapping[str, Any]) -> None:
    """Write the document whole or not at all; without a path do nothing."""
    if path is None:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.part")
    unfinished.write_text(json.dumps(rounded(document), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    unfinished.replace(path)


def use_threads(count: int | None) -> int:
    """Let torch compute on `count` threads, None: one on every core, whatever OMP_NUM_THREADS says; return their number."""
    import torch

    torch.set_num_threads(count or cores())
    return count or cores()


def cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def machine() -> dict[str, Any]:
    """Return what the figures were measured on."""
    import torch
    import transformers

    return {
        "cores": cores(),
        "cpu": _cpu(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "load": os.getloadavg()[0],  # of the minute before: above the number of cores, others were computing too
        "date": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "commit": commit(),
    }


def commit() -> str | None:
    """Return the commit of this checkout, with a + where files differ from it; None outside of one."""
    try:
        name = _git("rev-parse", "--short=12", "HEAD")
        return name + ("+" if _git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True)  # noqa: S607
    return done.stdout.strip()


def _cpu() -> str:
    with contextlib.suppress(OSError):
        found = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text(encoding="utf-8"))
        if found:
            return found[1].strip()
    return platform.processor() or platform.machine()


def memory_mb() -> float | None:
    """Memory of this process now, in MB; None where the system does not say."""
    return _status("VmRSS")


def peak_mb() -> float | None:
    """Return the most memory that this process had, in MB, since it began or `forget_peak()`."""
    return _status("VmHWM")


def forget_peak() -> bool:
    """Let the peak be counted from now on; return whether the system can."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return False
    return True


def _status(name: str) -> float | None:
    if not _STATUS.exists():
        return None
    found = re.search(rf"{name}:\s+(\d+)", _STATUS.read_text(encoding="ascii"))
    return int(found[1]) / 1024 if found else None
