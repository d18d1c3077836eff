"""Checkpoints to resume from: sealed, limited in number, and refused by another run."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

from job.errors import TrainingInputError
from job.output import say
from job.settings import TrainingSettings
from saving.sealed_folders import by_step, seal, sealed_facts


def run_fingerprint(
    settings: TrainingSettings, source: str, examples: Iterable[Any], *, may_differ: Collection[str]
) -> str:
    """Digest of all that must be the same for a checkpoint to be resumed. `examples` are JSON values."""
    kept = {name: value for name, value in dataclasses.asdict(settings).items() if name not in may_differ}
    # The folder's name says nothing: on resume the same base model may be elsewhere.
    kept["base_model"] = Path(source).name
    digest = hashlib.sha256(json.dumps(kept, sort_keys=True).encode())
    for example in examples:
        digest.update(json.dumps(example).encode())
    return digest.hexdigest()


class Checkpoints:
    """Seals each checkpoint that was written, keeps the newest `limit`, and finds the one to resume from."""

    def __init__(self, folder: Path, fingerprint: str, *, limit: int) -> None:
        self._folder = folder
        self._fingerprint = fingerprint
        self._limit = limit

    def newest(self) -> Path | None:
        """Return the newest whole checkpoint. Half-written ones are passed over."""
        for path in by_step(self._folder, "checkpoint-*"):
            facts = sealed_facts(path)
            if facts is None:
                say(f"{path.name} was not written to its end: it is passed over.")
                continue
            if facts["fingerprint"] != self._fingerprint:
                raise TrainingInputError(
                    f"{path} is of a run with other data, settings or base model: name an empty checkpoint folder."
                )
            say(f"Resuming from {path.name}.")
            return path
        return None

    def at(self, step: int) -> Path:
        """Return the folder of a step's checkpoint."""
        return self._folder / f"checkpoint-{step}"

    def keep(self, step: int) -> None:
        """Seal this step's checkpoint, then remove older ones and unfinished ones: never the other way round."""
        seal(self.at(step), {"fingerprint": self._fingerprint})
        paths = by_step(self._folder, "checkpoint-*")
        whole = [path for path in paths if sealed_facts(path) is not None]
        for path in set(paths) - set(whole[: self._limit]):
            shutil.rmtree(path, ignore_errors=True)
