"""A few training steps with one trainer, in a process of its own: training.py starts it, and reads the JSON it writes.

    python one_training.py TRAINER SETTINGS.json

TRAINER: ours (train_qlora.py's loop), sft (trl's SFTTrainer, same options), sft-defaults (SFTTrainer with its own defaults
for gradient checkpointing and mixed precision). Same model, adapter, rows in the same order, batches and steps in each.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from measuring import peak_mb, use_threads

from mojo_toolbox.shipped import training_scripts_dir

sys.path.insert(0, str(training_scripts_dir()))

import transformers

from qlora.adapter import add_adapter
from qlora.base_model import check_base_model, load_base_model, load_tokenizer
from qlora.examples import Examples, load_examples, pad_batch
from qlora.settings import QloraSettings
from qlora.trainer import DecisionTrainer, training_arguments

# Options that SFTTrainer has under the same names.
_SHARED = (
    "per_device_train_batch_size",
    "gradient_accumulation_steps",
    "learning_rate",
    "lr_scheduler_type",
    "warmup_steps",
    "weight_decay",
    "max_grad_norm",
    "optim",
    "max_steps",
    "seed",
    "use_cpu",
    "bf16",
    "fp16",
    "dataloader_pin_memory",
    "logging_steps",
    "report_to",
    "disable_tqdm",
    "save_strategy",
    "train_sampling_strategy",
)


class Clock(transformers.TrainerCallback):  # type: ignore[misc]
    """Notes when each step ended, and its loss."""

    def __init__(self) -> None:
        self.ends: list[float] = []
        self.losses: list[float] = []

    def on_step_end(self, *_: Any, **__: Any) -> None:
        self.ends.append(time.perf_counter())

    def on_log(self, _args: Any, _state: Any, _control: Any, logs: dict[str, Any], **_: Any) -> None:
        if "loss" in logs:
            self.losses.append(float(logs["loss"]))


def our_trainer(model: Any, arguments: Any, rows: Examples, clock: Clock) -> Any:
    return DecisionTrainer(model=model, args=arguments, train_dataset=rows, data_collator=pad_batch, callbacks=[clock])


def sft_trainer(model: Any, arguments: Any, rows: Examples, clock: Clock, tokenizer: Any, **own: Any) -> Any:
    """Give SFTTrainer the rows as tokens with labels, which it takes as they are: the same tokens bear loss."""
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    options = {name: getattr(arguments, name) for name in _SHARED} | {"gradient_checkpointing": False} | own
    config = SFTConfig(output_dir=arguments.output_dir, max_length=None, **options)
    encoded = Dataset.from_list([labelled(rows[i]) for i in range(len(rows))])
    return SFTTrainer(model=model, args=config, train_dataset=encoded, processing_class=tokenizer, callbacks=[clock])


def labelled(row: dict[str, Any]) -> dict[str, list[int]]:
    batch = pad_batch([row])
    return {"input_ids": batch["input_ids"][0].tolist(), "labels": batch["labels"][0].tolist()}


def padding_lengths(model: Any, arguments: Any, rows: Examples, strategy: str) -> list[list[int]]:
    """Return the lengths of the rows of each batch that our loop would read in an epoch."""
    arguments.train_sampling_strategy = strategy
    batches = our_trainer(model, arguments, rows, Clock()).get_train_dataloader()
    return [batch["attention_mask"].sum(dim=1).tolist() for batch in batches]


def main() -> None:
    kind, given = sys.argv[1], json.loads(Path(sys.argv[2]).read_text(encoding="utf-8"))
    use_threads(given["threads"])
    transformers.utils.logging.disable_progress_bar()
    settings = QloraSettings(
        max_steps=given["steps"],
        per_device_train_batch_size=given["batch_size"],
        load_in_4bit=given["load_in_4bit"],
        max_length=10**9,
    )
    with tempfile.TemporaryDirectory() as work:
        arguments = training_arguments(settings, Path(work), saves=False)
        vocabulary = check_base_model(given["base_model"], settings).vocab_size
        tokenizer = load_tokenizer(given["base_model"], settings, vocabulary=vocabulary)
        rows = load_examples(Path(given["rows"]), tokenizer, settings.max_length)
        model = add_adapter(load_base_model(given["base_model"], settings, arguments.device), settings)
        if kind == "padding":
            names = {"grouped_by_length": "group_by_length", "in_random_order": "random"}
            found: dict[str, Any] = {n: padding_lengths(model, arguments, rows, s) for n, s in names.items()}
        else:
            arguments.train_sampling_strategy = "sequential"  # the same batches for all
            clock = Clock()
            own = {"gradient_checkpointing": True, "bf16": True} if kind == "sft-defaults" else {}
            trainer = (
                our_trainer(model, arguments, rows, clock)
                if kind == "ours"
                else sft_trainer(model, arguments, rows, clock, tokenizer, **own)
            )
            trainer.train()
            found = {"ends": clock.ends, "losses": clock.losses, "peak_mb": peak_mb()}
            found["lengths"] = [len(rows[i]["input_ids"]) for i in range(len(rows))]
    Path(given["answer"]).write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main()
