"""transformers' Trainer, with a loss of the decisions alone."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import Trainer, TrainerCallback

from job.errors import TrainingInputError
from job.stopping import sum_over_processes
from qlora.base_model import compute_dtype
from qlora.examples import IGNORED, Examples
from qlora.settings import QloraSettings
from saving.checkpoints import Checkpoints


def training_arguments(settings: QloraSettings, work: Path, *, saves: bool) -> transformers.TrainingArguments:
    """Build Trainer's arguments from ours. Its own evaluation, saving limits and reports stay off."""
    on_gpu = torch.cuda.is_available()
    dtype = compute_dtype(settings, torch.device("cuda" if on_gpu else "cpu"))
    same_names = {f.name for f in dataclasses.fields(QloraSettings)} & {
        f.name for f in dataclasses.fields(transformers.TrainingArguments)
    }
    # BestEpoch and Checkpoints do the first three, as Trainer's own would need evaluation and saving in step. add_adapter
    # does the last, since its name changes between transformers' versions.
    ours = {"load_best_model_at_end", "metric_for_best_model", "save_total_limit", "gradient_checkpointing"}
    given = {name: getattr(settings, name) for name in same_names - ours}
    try:
        return transformers.TrainingArguments(
            **given,
            output_dir=str(work),
            save_strategy="steps" if saves else "no",
            save_total_limit=None,
            train_sampling_strategy="group_by_length" if settings.group_by_length else "random",
            use_cpu=not on_gpu,
            # Autocast lets a GPU's tensor cores do LoRA's fp32 weights too. On a CPU it gains nothing (measured).
            bf16=on_gpu and dtype is torch.bfloat16,
            fp16=dtype is torch.float16,
            dataloader_pin_memory=on_gpu,
            ddp_backend="gloo" if "LOCAL_RANK" in os.environ and not on_gpu else None,
            ddp_find_unused_parameters=False,
            include_num_input_tokens_seen="non_padding",
            remove_unused_columns=False,
            logging_nan_inf_filter=False,  # a loss that is no number ends the job (ProgressLines)
            disable_tqdm=True,
            report_to="none",
        )
    except ValueError as error:
        raise TrainingInputError(" ".join(str(error).split())) from error


def decision_logits(model: Any, batch: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the logits (B, P, V) and targets (B, P) at the P positions before decision tokens, and the positions (P).

    P is a few dozen where T is hundreds: to leave the vocabulary projection out elsewhere makes a step of SmolLM2-135M
    a third faster on a CPU, and spares gigabytes with large vocabularies.
    """
    next_tokens = batch["labels"][:, 1:]
    positions = (next_tokens != IGNORED).any(dim=0).nonzero().squeeze(1)
    # No attention mask: padding stands on the right, where causal attention keeps it out of sight of all that bears loss,
    # and without a mask attention takes its fast causal path (15% of a step on a CPU).
    logits = model(input_ids=batch["input_ids"], logits_to_keep=positions).logits
    return logits.float(), next_tokens[:, positions], positions


class DecisionTrainer(Trainer):  # type: ignore[misc]
    """Trainer whose loss is the mean over the decision tokens of a step, all its micro-batches and GPUs together."""

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, torch.Tensor],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> Any:
        """Return the cross entropy of the decision tokens."""
        logits, targets, _ = decision_logits(model, inputs)
        total = torch.nn.functional.cross_entropy(
            logits.flatten(0, 1), targets.flatten(), ignore_index=IGNORED, reduction="sum"
        )
        if num_items_in_batch is None:  # Trainer divides by the micro-batches itself then
            loss = total / (targets != IGNORED).sum()
        else:
            # DDP averages gradients over the processes, and num_items_in_batch counts the tokens of all of them.
            across = self.accelerator.num_processes if self.args.average_tokens_across_devices else 1
            loss = total * across / num_items_in_batch
        return (loss, logits) if return_outputs else loss


class NextVersion(TrainerCallback):  # type: ignore[misc]
    """Shows each epoch its own version of the data. An epoch that is resumed sees the one it began with."""

    def __init__(self, examples: Examples) -> None:
        self._examples = examples

    def on_epoch_begin(self, _args: Any, state: Any, _control: Any, **_: Any) -> None:
        """Turn to the version of the epoch that begins."""
        self._examples.turn_to(int(state.epoch or 0))


class Sealing(TrainerCallback):  # type: ignore[misc]
    """Seals each checkpoint that Trainer has written."""

    def __init__(self, checkpoints: Checkpoints) -> None:
        self._checkpoints = checkpoints

    def on_save(self, args: Any, state: Any, _control: Any, **_: Any) -> None:
        """Seal it once all of it is there, in one process."""
        sum_over_processes([0.0], args.device)  # every process has written its part by now
        if state.is_world_process_zero:
            self._checkpoints.keep(state.global_step)
