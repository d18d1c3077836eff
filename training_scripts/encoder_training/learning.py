"""The loop over epochs and batches, to the end or to SIGTERM."""

from __future__ import annotations

import signal
from statistics import fmean
from typing import Any

from encoder_training.decisions import Decisions
from encoder_training.measuring import measure_epoch
from encoder_training.run import EncoderRun
from job.output import say
from job.progress import ProgressLines
from job.stopping import StopSignal
from saving.best_epoch import BestEpoch
from saving.checkpoints import Checkpoints


def learn(
    run: EncoderRun,
    validation: Decisions | None,
    best: BestEpoch,
    *,
    checkpoints: Checkpoints | None,
    progress: ProgressLines,
    stop: StopSignal,
) -> dict[str, Any]:
    """Train to the end and return the last epoch's figures. On SIGTERM leave a checkpoint and end the process."""
    metrics: dict[str, Any] = {"eval_loss": None, "eval_decision_accuracy": None, "best_epoch": None}
    progress.start(run, run.decisions_read)
    for epoch in run.epochs_left():
        for batch in run.batches_left(epoch):
            run.step(batch, progress)
            # At an epoch's end the model is measured first: a resumed run would not do it again.
            if checkpoints and (stop.requested or (run.is_due_to_save() and not run.is_at_end_of(epoch))):
                run.save(checkpoints)
            if stop.requested and run.global_step < run.max_steps:
                say(f"Stopped by SIGTERM after step {run.global_step}; a resumed job goes on from there.")
                raise SystemExit(128 + signal.SIGTERM)
        if validation is not None:
            metrics |= measure_epoch(run, validation, best, progress)
        if checkpoints and run.is_due_to_save():
            run.save(checkpoints)
    return {"train_loss": round(fmean(run.losses), 6), **metrics}
