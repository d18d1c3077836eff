"""An orderly end on SIGTERM, in all processes of a training."""

from __future__ import annotations

import signal
from typing import Any

import torch
from transformers import TrainerCallback


class StopSignal(TrainerCallback):  # type: ignore[misc]
    """On SIGTERM ends training after the step under way, with a checkpoint."""

    def __init__(self) -> None:
        self.requested = False
        signal.signal(signal.SIGTERM, self._note)

    def _note(self, *_: object) -> None:
        self.requested = True

    def on_step_end(self, args: Any, _state: Any, control: Any, **_: Any) -> None:
        """Stop if any process got the signal: one that went on alone would wait for the others forever."""
        self.requested = bool(sum_over_processes([float(self.requested)], args.device)[0])
        if self.requested:
            control.should_training_stop = True
            control.should_save = args.save_strategy != "no"


def sum_over_processes(values: list[float], device: torch.device) -> list[float]:
    """Add up each value over the training processes. With one process return them as they are."""
    if not torch.distributed.is_initialized():
        return values
    total = torch.tensor(values, dtype=torch.float64, device=device)
    torch.distributed.all_reduce(total)
    return list(total.tolist())
