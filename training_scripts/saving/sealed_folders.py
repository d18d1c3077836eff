"""Folders of files that are whole or not there."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any


def seal(folder: Path, facts: dict[str, Any]) -> None:
    """Write sealed.json last: the sizes of all files, by which a half-written folder differs from a whole one.

    Sizes, since SageMaker copies checkpoints to S3 file by file: the seal may travel before the weights.
    """
    sizes = {}
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        with path.open("rb") as file:
            os.fsync(file.fileno())
        sizes[str(path.relative_to(folder))] = path.stat().st_size
    unfinished = folder / "sealed.json.part"
    with unfinished.open("w", encoding="utf-8") as file:
        json.dump({**facts, "sizes": sizes}, file)
        file.flush()
        os.fsync(file.fileno())
    unfinished.rename(folder / "sealed.json")


def sealed_facts(folder: Path) -> dict[str, Any] | None:
    """Return the values sealed with the folder, or None if it is not whole."""
    try:
        facts: dict[str, Any] = json.loads((folder / "sealed.json").read_text(encoding="utf-8"))
        whole = all((folder / name).stat().st_size == size for name, size in facts["sizes"].items())
    except (OSError, ValueError, KeyError):
        return None
    return facts if whole else None


def by_step(folder: Path, pattern: str) -> list[Path]:
    """Return the folders whose names end in a step number, newest step first."""
    found = [path for path in folder.glob(pattern) if path.is_dir() and path.name.rsplit("-", 1)[-1].isdigit()]
    return sorted(found, key=lambda path: -int(path.name.rsplit("-", 1)[-1]))
