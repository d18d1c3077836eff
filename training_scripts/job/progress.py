"""Progress of a training: one JSON object a line on stdout."""

from __future__ import annotations

import json
import math
import time
from typing import Any, TextIO

from transformers import TrainerCallback

from job.errors import TrainingInputError


class ProgressLines(TrainerCallback):  # type: ignore[misc]
    """One JSON object a line on stdout, from the first process only."""

    def __init__(self, stream: TextIO, *, is_printer: bool) -> None:
        self._stream = stream
        self._is_printer = is_printer
        self._since = (time.monotonic(), 0)

    def write(self, state: Any, **values: Any) -> None:
        """Print the progress of training, and `values`."""
        if self._is_printer:
            epoch = None if state.epoch is None else round(state.epoch, 4)
            line = {"step": state.global_step, "max_steps": state.max_steps, "epoch": epoch, **values}
            print(json.dumps(line), file=self._stream, flush=True)

    def start(self, state: Any, count: int) -> None:
        """Start the clock at `count` tokens or decisions read, and say how many steps there will be."""
        self._since = (time.monotonic(), count)
        self.write(state)

    def speed(self, count: int) -> float:
        """Return how many tokens or decisions were read a second since the last call, given how many were in all."""
        now = time.monotonic()
        speed = (count - self._since[1]) / max(now - self._since[0], 1e-9)
        self._since = (now, count)
        return round(speed, 1)

    def on_train_begin(self, _args: Any, state: Any, _control: Any, **_: Any) -> None:
        """Start the clock that tokens_per_second goes by."""
        self.start(state, state.num_input_tokens_seen)

    def on_step_end(self, _args: Any, state: Any, control: Any, **_: Any) -> None:
        """Log the last step in any case: a run that is shorter than logging_steps would never say its loss."""
        if state.global_step >= state.max_steps:
            control.should_log = True

    def on_log(self, _args: Any, state: Any, _control: Any, logs: dict[str, Any], **_: Any) -> None:
        """Print the loss since the last line. A loss that is no number ends the job."""
        if "loss" not in logs:  # Trainer's summary at the end
            return
        check_loss(logs["loss"], state.global_step)
        speed = self.speed(state.num_input_tokens_seen)
        self.write(state, loss=logs["loss"], learning_rate=logs["learning_rate"], tokens_per_second=speed)


def check_loss(loss: float, step: int) -> None:
    """End the job when the loss is no number any more: nothing would be learnt from then on."""
    if not math.isfinite(loss):
        raise TrainingInputError(f"The loss is no number any more at step {step}: lower learning_rate.")
