"""The validation channel, measured after each epoch."""

from __future__ import annotations

from statistics import fmean
from typing import Any

import torch
from transformers import TrainerCallback

from job.progress import ProgressLines
from job.stopping import StopSignal, sum_over_processes
from qlora.examples import IGNORED, Examples, pad_batch
from qlora.trainer import decision_logits
from saving.best_epoch import BestEpoch


class Epochs(TrainerCallback):  # type: ignore[misc]
    """Measures the validation channel after each epoch, and offers the adapter as the best."""

    def __init__(
        self, best: BestEpoch, validation: Examples | None, batch_size: int, progress: ProgressLines, stop: StopSignal
    ) -> None:
        self._best = best
        self._validation = validation
        self._batch_size = batch_size
        self._progress = progress
        self._stop = stop
        self._measured_step = -1
        self._last: dict[str, Any] = {}

    def on_epoch_end(self, args: Any, state: Any, _control: Any, model: Any, **_: Any) -> None:
        """Measure, unless the job is being stopped: then every second counts."""
        if not self._stop.requested:
            self.measure_if_not_yet(model, args, state)

    def measure_if_not_yet(self, model: Any, args: Any, state: Any) -> None:
        """Measure at this step. A job resumed after its last step comes here without an epoch's end."""
        if self._validation is None or self._measured_step == state.global_step:
            return
        loss, accuracy = measure_decisions(model, self._validation, self._batch_size, args)
        self._measured_step = state.global_step
        self._last = {"eval_loss": loss, "eval_decision_accuracy": accuracy}
        self._progress.write(state, eval_loss=loss, eval_decision_accuracy=accuracy)
        if state.is_world_process_zero:
            self._best.offer(state.global_step, epoch=state.epoch, loss=loss, accuracy=accuracy)

    def metrics(self) -> dict[str, Any]:
        """Return the last epoch's figures, for the manifest."""
        return {"eval_loss": None, "eval_decision_accuracy": None, **self._last, "best_epoch": None}


@torch.no_grad()
def measure_decisions(model: Any, examples: Any, batch_size: int, args: Any) -> tuple[float, float]:
    """Return the mean loss of the decision tokens and the share of decisions right, teacher-forced.

    A decision is right when each of its tokens, the end of the turn included, is the likeliest given those before it.
    """
    model.eval()
    longest_first = sorted(range(len(examples)), key=lambda index: -len(examples[index]["input_ids"]))
    mine = longest_first[args.process_index :: args.world_size]
    loss, tokens, right, decisions = 0.0, 0, 0, 0
    for start in range(0, len(mine), batch_size):
        rows = [examples[index] for index in mine[start : start + batch_size]]
        batch = {name: value.to(args.device) for name, value in pad_batch(rows).items()}
        logits, targets, positions = decision_logits(model, batch)
        loss += torch.nn.functional.cross_entropy(
            logits.flatten(0, 1), targets.flatten(), ignore_index=IGNORED, reduction="sum"
        ).item()
        tokens += int((targets != IGNORED).sum())
        # Positions that are another row's decision carry no target here, and count as right.
        as_wanted = ((logits.argmax(dim=-1) == targets) | (targets == IGNORED)).cpu()
        for row, example in enumerate(rows):
            for first, end in example["decisions"]:
                # The token at i is foretold at i - 1.
                low, high = torch.searchsorted(positions.cpu(), torch.tensor([first - 1, end - 1])).tolist()
                right += bool(as_wanted[row, low:high].all())
                decisions += 1
    model.train()
    loss, tokens, right, decisions = sum_over_processes([loss, tokens, right, decisions], args.device)  # type: ignore[assignment]
    return round(loss / tokens, 6), round(right / decisions, 6)


def mean_training_loss(log_history: list[dict[str, Any]]) -> float | None:
    """Mean of the logged losses, those before a resume included (Trainer's own forgets them)."""
    losses = [entry["loss"] for entry in log_history if "loss" in entry]
    return round(fmean(losses), 6) if losses else None
