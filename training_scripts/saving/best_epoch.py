"""The weights of the best epoch so far, kept over a resume too."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from job.output import say
from job.settings import BestMetric
from saving.sealed_folders import by_step, seal, sealed_facts


class BestEpoch:
    """Keeps the weights of the epoch that did best on the validation data, and its figures, over a resume too."""

    def __init__(
        self,
        folder: Path,
        *,
        save: Callable[[Path], None],
        restore: Callable[[Path], None],
        forget: bool,
        metric: BestMetric = "eval_decision_accuracy",
    ) -> None:
        """Keep below `folder` the best by `metric`. `save` writes the weights into a folder, `restore` takes them from it."""
        if forget:
            shutil.rmtree(folder, ignore_errors=True)
        self._folder = folder
        self._save = save
        self._restore = restore
        self._metric = metric

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
        """Take the best epoch's weights back and return its figures, or nothing if none was ever measured."""
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
        best = self._rank(facts["eval_loss"], facts["eval_decision_accuracy"])
        return self._rank(loss, accuracy) > best

    def _rank(self, loss: float, accuracy: float) -> tuple[float, float]:
        """Return figures that are higher for a better epoch."""
        if self._metric == "eval_loss":
            return -loss, accuracy
        # Of equally many right decisions the surer ones.
        return accuracy, -loss
