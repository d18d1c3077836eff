"""Folders of weights that are whole or not there: checkpoints to resume from, and the best epoch so far."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Any

from job.settings import TrainingInputError, TrainingSettings, say


def seal(folder: Path, facts: dict[str, Any]) -> None:
    """Write sealed.json last: the sizes of all files, by which a folder that was half written is told from a whole one.

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
    """Return what was sealed with the folder; None if it is not whole."""
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


def run_fingerprint(
    settings: TrainingSettings, source: str, examples: Iterable[Any], *, may_differ: Collection[str]
) -> str:
    """Digest of all that must be the same for a checkpoint to be resumed; `examples` are JSON values."""
    kept = {name: value for name, value in dataclasses.asdict(settings).items() if name not in may_differ}
    # The folder's name says nothing: on resume the same base model may lie elsewhere.
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
        """Return the newest whole checkpoint; half-written ones are passed over."""
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


class BestEpoch:
    """Keeps the weights of the epoch that got most validation decisions right, and its figures, over a resume too."""

    def __init__(
        self,
        folder: Path,
        *,
        save: Callable[[Path], None],
        restore: Callable[[Path], None],
        forget: bool,
    ) -> None:
        """Keep below `folder`; `save` writes the weights into a folder, `restore` takes them from it."""
        if forget:
            shutil.rmtree(folder, ignore_errors=True)
        self._folder = folder
        self._save = save
        self._restore = restore

    def offer(self, step: int, *, epoch: float, loss: float, accuracy: float) -> None:
        """Keep the weights as they are now when they are better than the best."""
        if not self._beats_best(loss, accuracy):
            return
        folder = self._folder / f"step-{step}"
        shutil.rmtree(folder, ignore_errors=True)
        self._save(folder)
        seal(folder, {"eval_loss": loss, "eval_decision_accuracy": accuracy, "epoch": epoch})
        for older in by_step(self._folder, "step-*"):
            if older != folder:
                shutil.rmtree(older, ignore_errors=True)

    def restore(self) -> dict[str, Any]:
        """Take the best epoch's weights back and return its figures; nothing if none was ever measured."""
        found = self._best()
        if found is None:
            return {}
        folder, facts = found
        self._restore(folder)
        best_epoch = round(facts["epoch"], 4)
        say(f"The best epoch was {best_epoch}: its weights are kept.")
        return {
            "eval_loss": facts["eval_loss"],
            "eval_decision_accuracy": facts["eval_decision_accuracy"],
            "best_epoch": best_epoch,
        }

    def _best(self) -> tuple[Path, dict[str, Any]] | None:
        for folder in by_step(self._folder, "step-*"):
            facts = sealed_facts(folder)
            if facts is not None:
                return folder, facts
        return None

    def _beats_best(self, loss: float, accuracy: float) -> bool:
        found = self._best()
        if found is None:
            return True
        facts = found[1]
        # Of equally many right decisions the surer ones.
        return (accuracy, -loss) > (facts["eval_decision_accuracy"], -facts["eval_loss"])
