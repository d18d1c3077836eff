"""A training run of an encoder, step by step."""

from __future__ import annotations

import math
import random
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean

import torch

from encoder_training.decisions import choice_texts
from encoder_training.schedule import Schedule
from encoder_training.settings import EncoderSettings
from job.output import say
from job.progress import ProgressLines, check_loss
from model_code.choice_encoder import ChoiceEncoder
from model_code.encoder_questions import ChoiceQuestion
from saving.checkpoints import Checkpoints

RUN_FILE = "run.pt"


@dataclass
class EncoderRun:
    """A training run and its progress: all that a resumed one must have to give the same weights.

    Every random draw comes from torch's and Python's generators, kept with a checkpoint, or (which decisions an
    epoch reads) from the epoch's number.
    """

    model: ChoiceEncoder
    schedule: Schedule
    settings: EncoderSettings
    global_step: int = 0
    epoch: float = 0.0
    decisions_read: int = 0
    losses: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.max_steps = self.schedule.epoch_ends[-1]
        encoder = [w for w in self.model.encoder.parameters() if w.requires_grad]
        of_encoder = {id(weight) for weight in encoder}
        new = [w for w in self.model.parameters() if w.requires_grad and id(w) not in of_encoder]
        self._highest_rates = (self.settings.learning_rate, self.settings.head_learning_rate)
        self._optimizer = torch.optim.AdamW(
            [{"params": encoder}, {"params": new}], lr=0.0, weight_decay=self.settings.weight_decay
        )

    def epochs_left(self) -> list[int]:
        """Return the numbers of the epochs that end at this step or later: a stopped job may not have measured its last."""
        return [epoch for epoch, end in enumerate(self.schedule.epoch_ends) if end >= self.global_step]

    def batches_left(self, epoch: int) -> list[list[ChoiceQuestion]]:
        """Return the decisions to read in this epoch, with the choices' vectors of all of it at hand."""
        began = self.schedule.epoch_ends[epoch - 1] if epoch else 0
        end = self.schedule.epoch_ends[epoch]
        batches = self.schedule.batches(epoch)[: end - began]
        left = batches[self.global_step - began :]
        if left:
            texts = choice_texts([asked for batch in batches for asked in batch])
            say(f"Reading the {len(texts)} different texts of epoch {epoch + 1}'s choices first, once.")
            self.model.remember(texts)
            self.model.train()
        return left

    def step(self, batch: Sequence[ChoiceQuestion], progress: ProgressLines) -> None:
        """Learn from one batch. A loss that is no number ends the job."""
        rates = self._set_rates()
        loss = self.model.loss(batch, running_share=self.settings.continue_share)
        self.losses.append(loss.item())
        check_loss(self.losses[-1], self.global_step + 1)
        loss.backward()  # type: ignore[no-untyped-call]
        if self.settings.max_grad_norm > 0:
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.settings.max_grad_norm)
        self._optimizer.step()
        self._optimizer.zero_grad()
        self.global_step += 1
        self.decisions_read += len(batch)
        self.epoch = self._epochs_read()
        # The last steps too: a run that is shorter than logging_steps would never say its loss.
        since = self.global_step % self.settings.logging_steps or self.settings.logging_steps
        if since == self.settings.logging_steps or self.global_step == self.max_steps:
            progress.write(
                self,
                loss=round(fmean(self.losses[-since:]), 6),
                learning_rate=rates[0],
                decisions_per_second=progress.speed(self.decisions_read),
            )

    def is_due_to_save(self) -> bool:
        """Say whether a checkpoint is due at this step."""
        return self.global_step % self.settings.save_steps == 0

    def is_at_end_of(self, epoch: int) -> bool:
        """Say whether this step is the epoch's last."""
        return self.global_step == self.schedule.epoch_ends[epoch]

    def save(self, checkpoints: Checkpoints) -> None:
        """Write a checkpoint."""
        folder = checkpoints.at(self.global_step)
        shutil.rmtree(folder, ignore_errors=True)
        self.model.save(folder)
        state = {
            "global_step": self.global_step,
            "decisions_read": self.decisions_read,
            "losses": self.losses,
            "optimizer": self._optimizer.state_dict(),
            "python": random.getstate(),
            "torch": torch.get_rng_state(),
            "cuda": torch.cuda.get_rng_state_all(),
        }
        torch.save(state, folder / RUN_FILE)
        checkpoints.keep(self.global_step)

    def load(self, folder: Path) -> None:
        """Go on from a checkpoint."""
        self.model.load_trained(folder)
        state = torch.load(folder / RUN_FILE, map_location="cpu", weights_only=True)
        self.global_step, self.decisions_read = state["global_step"], state["decisions_read"]
        self.losses = state["losses"]
        self.epoch = self._epochs_read()
        self._optimizer.load_state_dict(state["optimizer"])
        random.setstate(state["python"])
        torch.set_rng_state(state["torch"])
        if state["cuda"] and torch.cuda.is_available():
            torch.cuda.set_rng_state_all(state["cuda"])

    def _set_rates(self) -> list[float]:
        share = rate_share(
            self.global_step, self.max_steps, warmup=self.settings.warmup_steps, kind=self.settings.lr_scheduler_type
        )
        rates = [highest * share for highest in self._highest_rates]
        for group, rate in zip(self._optimizer.param_groups, rates, strict=True):
            group["lr"] = rate
        return rates

    def _epochs_read(self) -> float:
        """Return how many epochs were read, with parts of one."""
        ends = self.schedule.epoch_ends
        epoch = next(epoch for epoch, end in enumerate(ends) if end >= self.global_step)
        began = ends[epoch - 1] if epoch else 0
        return epoch + (self.global_step - began) / self.schedule.full_steps(epoch)


def rate_share(step: int, steps: int, *, warmup: int, kind: str) -> float:
    """Return the share of the highest learning rate that a step has: it rises in `warmup` steps, then falls towards 0."""
    if step < warmup:
        return (step + 1) / (warmup + 1)
    done = (step - warmup) / max(1, steps - warmup)
    return {"linear": 1 - done, "cosine": (1 + math.cos(math.pi * done)) / 2, "constant": 1.0}[kind]
