"""Fine-tune a language model on chat examples with QLoRA: a SageMaker training job, or by hand.

    SM_CHANNEL_TRAIN=data/train SM_MODEL_DIR=model python train_qlora.py --base_model HuggingFaceTB/SmolLM2-135M-Instruct

Reads JSONL lines {"messages": [{"role", "content", "train"?}, ...]}. Assistant messages bear loss, on their content and
the token that ends the turn, unless "train" is false. Writes the adapter, the tokenizer and manifest.json to SM_MODEL_DIR.
Progress is one JSON object a line on stdout; everything else goes to stderr.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import os
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any, Literal

import torch
import transformers
from job.run_callbacks import Progress, StopSignal, sum_over_processes
from job.settings import (
    Job,
    TrainingInputError,
    TrainingSettings,
    base_model_revision,
    base_model_source,
    check_numbers,
    claim_stdout,
    loading,
    print_resolved,
    read_environment,
    read_settings,
    say,
    work_folder,
)
from model_code.base_network import load_language_model, read_config, require_language_model
from model_code.base_network import load_tokenizer as read_tokenizer
from model_code.chat_encoding import ensure_chat_template, require_vocabulary
from model_code.hugging_face_token import fetch_hugging_face_token
from peft import LoraConfig, PeftModel, get_peft_model, load_peft_weights, set_peft_model_state_dict
from qlora.examples import IGNORED, Examples, check_channel, load_examples, pad_batch
from saving.checkpoints import BestEpoch, Checkpoints, run_fingerprint
from saving.manifest import write_manifest
from transformers import AutoModelForCausalLM, BitsAndBytesConfig, Trainer, TrainerCallback

MOST_LAYERS = 10_000  # any model has fewer: a range that ends beyond is refused, not counted out
PACKAGES = ("torch", "transformers", "peft", "bitsandbytes", "accelerate", "tokenizers", "safetensors")
# A checkpoint may be resumed with other values of these.
MAY_DIFFER = {"save_steps", "save_total_limit", "logging_steps", "load_best_model_at_end", "merge_weights"}


def main() -> None:
    """Tell the story: arguments, data, model, train, save. What can be refused at once is checked before what takes long."""
    began = time.monotonic()
    settings, job = read_settings(Settings, description=str(__doc__)), read_environment()
    check_settings(settings)
    source = base_model_source(settings.base_model, job)
    relaunch_on_every_gpu(job)
    stop = StopSignal()
    progress = Progress(claim_stdout(), is_printer=int(os.environ.get("RANK", "0")) == 0)
    print_resolved(settings, job)
    with work_folder(job) as work:
        arguments = training_arguments(settings, work, saves=job.checkpoint_dir is not None)
        check_channel(job.train, versions=settings.data_versions)
        if job.validation:
            check_channel(job.validation)

        fetch_hugging_face_token()
        config = check_base_model(source, settings)
        context = getattr(config, "max_position_embeddings", None)
        tokenizer = load_tokenizer(source, settings, vocabulary=config.vocab_size)
        train = load_examples(
            job.train, tokenizer, settings.max_length, versions=settings.data_versions, context_length=context
        )
        validation = None
        if job.validation:
            validation = load_examples(job.validation, tokenizer, settings.max_length, context_length=context)

        read = (example._asdict() for example in train.all_versions())
        fingerprint = run_fingerprint(settings, source, read, may_differ=MAY_DIFFER)
        checkpoints = Checkpoints(work, fingerprint, limit=settings.save_total_limit)
        resume_from = checkpoints.newest()

        model = add_adapter(load_base_model(source, settings, arguments.device), settings)
        best = best_adapter(model, work / "best", forget=resume_from is None)
        epochs = Epochs(best, validation, settings.per_device_eval_batch_size, progress, stop)

        trainer = DecisionTrainer(
            model=model,
            args=arguments,
            train_dataset=train,
            data_collator=pad_batch,
            callbacks=[NextVersion(train), progress, Sealing(checkpoints), epochs, stop],
        )
        trainer.remove_callback(transformers.PrinterCallback)  # it prints Python dicts to stdout
        trainer.train(resume_from_checkpoint=None if resume_from is None else str(resume_from))
        if stop.requested and trainer.state.global_step < trainer.state.max_steps:
            say(f"Stopped by SIGTERM after step {trainer.state.global_step}; a resumed job goes on from there.")
            raise SystemExit(128 + signal.SIGTERM)
        epochs.measure_if_not_yet(model, arguments, trainer.state)

        if trainer.is_world_process_zero():
            metrics = {"train_loss": mean_training_loss(trainer.state.log_history), **epochs.metrics()}
            if settings.load_best_model_at_end:
                metrics |= best.restore()
            save_adapter(model, tokenizer, settings, job.model_dir)
            if settings.merge_weights:
                save_merged(source, settings, tokenizer, job.model_dir)
            write_manifest(
                job.model_dir / "manifest.json",
                settings,
                job,
                of_the_model={"answers": settings.answers or "names", "merged": settings.merge_weights},
                of_the_training={
                    "rows": {"train": len(train), "validation": None if validation is None else len(validation)},
                    "tokens": trainer.state.num_input_tokens_seen,
                    "seconds": round(time.monotonic() - began, 1),
                },
                packages=PACKAGES,
                metrics=metrics,
            )


# ---------------------------------------------------------------------------------------------------- arguments


@dataclass(frozen=True)
class Settings(TrainingSettings):
    """Hyperparameters, by transformers', peft's and trl's names."""

    num_train_epochs: float = 2
    learning_rate: float = 2e-4
    warmup_steps: int = 8
    weight_decay: float = 0.0
    per_device_train_batch_size: int = 2
    per_device_eval_batch_size: int = 4
    gradient_accumulation_steps: int = 1
    gradient_checkpointing: bool = False
    optim: str = "adamw_torch"
    max_length: int = 4096
    lora_r: int = 16
    lora_alpha: int = 32
    lora_dropout: float = 0.0
    target_modules: str = "all-linear"
    """`all-linear`, or names of modules with commas between them."""
    layers_to_transform: str = ""
    """Numbers of the layers that are adapted, with commas and ranges (`15-29`); empty: all."""
    autocast_adapter_dtype: bool = True
    """LoRA's weights in fp32 whatever the base computes in; false: in the base's dtype."""
    load_in_4bit: bool = True
    dtype: Literal["auto", "bfloat16", "float16", "float32"] = "auto"
    """What is computed in: auto is bfloat16, or float16 on a GPU that has no bfloat16."""
    logging_steps: int = 1
    save_steps: int = 50
    merge_weights: bool = False
    answers: str = ""


def check_settings(settings: Settings) -> None:
    """Refuse settings that no base model could be trained with."""
    check_numbers(settings)
    layer_numbers(settings.layers_to_transform)
    if settings.load_in_4bit and importlib.util.find_spec("bitsandbytes") is None:
        raise TrainingInputError(
            "load_in_4bit needs the package bitsandbytes. Install it (see requirements.txt), or set load_in_4bit to false."
        )


def relaunch_on_every_gpu(job: Job) -> None:
    """With several GPUs become torchrun, which starts this script once for each."""
    gpus = min(job.num_gpus, torch.cuda.device_count())
    if gpus > 1 and "LOCAL_RANK" not in os.environ:
        torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={gpus}"]
        os.execv(sys.executable, [*torchrun, __file__, *sys.argv[1:]])  # noqa: S606 - keeps our pid, so SIGTERM arrives


# -------------------------------------------------------------------------------------------------------- model


def check_base_model(source: str, settings: Settings) -> Any:
    """Refuse a base model that cannot be trained as asked for, by config.json alone; return its text configuration.

    A network without weights, made in a moment, has the names of the modules.
    """
    with loading():
        config = read_config(source, revision=base_model_revision(source, settings))
        require_language_model(source, config)
        with torch.device("meta"):
            network = AutoModelForCausalLM.from_config(config)
    adapter_config(network, settings)
    return config.get_text_config()


def load_tokenizer(source: str, settings: Settings, *, vocabulary: int) -> Any:
    """Load the base model's tokenizer, with ChatML when it has no chat template that takes a system message."""
    with loading():
        tokenizer = read_tokenizer(source, revision=base_model_revision(source, settings))
        if ensure_chat_template(tokenizer):
            say("The base model has no chat template with a system role: ChatML is used and saved with the tokenizer.")
        require_vocabulary(tokenizer, vocabulary)
    return tokenizer


def compute_dtype(settings: Settings, device: torch.device) -> torch.dtype:
    """Resolve what is computed in on this device."""
    if settings.dtype != "auto":
        dtype: torch.dtype = getattr(torch, settings.dtype)
        if dtype is torch.float16 and device.type == "cpu":
            raise TrainingInputError("float16 needs a GPU: on a CPU use dtype bfloat16, float32 or auto.")
        return dtype
    # Emulated bfloat16 (a T4) would be slower than float16 with loss scaling.
    lacks_bfloat16 = device.type == "cuda" and not torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.float16 if lacks_bfloat16 else torch.bfloat16


def load_base_model(source: str, settings: Settings, device: torch.device) -> Any:
    """Load the frozen base model, in NF4 with double quantisation unless `load_in_4bit` is false."""
    dtype = compute_dtype(settings, device)
    options: dict[str, Any] = {"dtype": dtype, "revision": base_model_revision(source, settings)}
    if device.type != "cpu":
        options["device_map"] = {"": device}
    if settings.load_in_4bit:
        options["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=dtype,
        )
    with loading():
        model = load_language_model(source, **options)
    model.config.use_cache = False  # of no use in training, and gradient checkpointing cannot have it
    return model


def add_adapter(model: Any, settings: Settings) -> Any:
    """Put LoRA on the target modules of the layers to transform; only that is trained."""
    transformers.set_seed(settings.seed)
    config = adapter_config(model, settings)
    if settings.gradient_checkpointing:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    return get_peft_model(model, config, autocast_adapter_dtype=settings.autocast_adapter_dtype)


def adapter_config(model: Any, settings: Settings) -> LoraConfig:
    """Say which modules of the model are adapted, and how."""
    layers = layer_numbers(settings.layers_to_transform)
    targets: str | list[str] = settings.target_modules
    if targets != "all-linear":
        targets = [name.strip() for name in settings.target_modules.split(",") if name.strip()]
        check_targets(model, targets)
    if layers:
        check_layers(model, layers)
        if targets == "all-linear":  # peft wants names once layers are chosen
            targets = sorted(linear_names(model.base_model))
    return LoraConfig(
        r=settings.lora_r,
        lora_alpha=settings.lora_alpha,
        lora_dropout=settings.lora_dropout,
        target_modules=targets,
        layers_to_transform=layers,
        task_type="CAUSAL_LM",
    )


def linear_names(model: Any) -> set[str]:
    """Return the last parts of the names of the model's linear modules."""
    return {name.rsplit(".", 1)[-1] for name, module in model.named_modules() if isinstance(module, torch.nn.Linear)}


def layer_numbers(text: str) -> list[int] | None:
    """Read `0,1,15-29`; None when it is empty."""
    numbers: set[int] = set()
    for part in filter(None, (part.strip() for part in text.split(","))):
        first, dash, last = part.partition("-")
        try:
            low, high = int(first), int(last if dash else first)
        except ValueError:
            low, high = 1, 0
        if low > high:  # an empty range would silently mean all layers
            raise TrainingInputError(f"layers_to_transform: {part!r} is no number and no range such as 15-29.")
        numbers |= set(range(low, min(high, MOST_LAYERS) + 1))
    return sorted(numbers) or None


def check_layers(model: Any, layers: Sequence[int]) -> None:
    """Refuse layers that the model lacks: peft would leave them out silently as long as one is there."""
    count = model.config.get_text_config().num_hidden_layers
    if layers[-1] >= count:
        raise TrainingInputError(
            f"layers_to_transform: there is no layer {layers[-1]}; the base model's layers are 0 to {count - 1}."
        )


def check_targets(model: Any, targets: list[str]) -> None:
    """Refuse names that match no module: peft would leave them out silently as long as one matches."""
    full_names = [name for name, _ in model.named_modules()]
    for target in targets or [""]:
        if not any(name == target or name.endswith(f".{target}") for name in full_names):
            linear = ", ".join(sorted(linear_names(model)))
            raise TrainingInputError(f"target_modules: {target!r} matches no module. Linear ones: {linear}.")


# -------------------------------------------------------------------------------------------------------- train


def training_arguments(settings: Settings, work: Path, *, saves: bool) -> transformers.TrainingArguments:
    """Build Trainer's arguments from ours; its own evaluation, saving limits and reports stay off."""
    on_gpu = torch.cuda.is_available()
    dtype = compute_dtype(settings, torch.device("cuda" if on_gpu else "cpu"))
    same_names = {f.name for f in dataclasses.fields(Settings)} & {
        f.name for f in dataclasses.fields(transformers.TrainingArguments)
    }
    # BestEpoch and Checkpoints do the first two, as Trainer's own would need evaluation and saving in step; add_adapter
    # does the third, since its name changes between transformers' versions.
    ours = {"load_best_model_at_end", "save_total_limit", "gradient_checkpointing"}
    given = {name: getattr(settings, name) for name in same_names - ours}
    try:
        return transformers.TrainingArguments(
            **given,
            output_dir=str(work),
            save_strategy="steps" if saves else "no",
            save_total_limit=None,
            train_sampling_strategy="group_by_length" if settings.group_by_length else "random",
            use_cpu=not on_gpu,
            # Autocast lets a GPU's tensor cores do LoRA's fp32 weights too; on a CPU it gains nothing (measured).
            bf16=on_gpu and dtype is torch.bfloat16,
            fp16=dtype is torch.float16,
            dataloader_pin_memory=on_gpu,
            ddp_backend="gloo" if "LOCAL_RANK" in os.environ and not on_gpu else None,
            ddp_find_unused_parameters=False,
            include_num_input_tokens_seen="non_padding",
            remove_unused_columns=False,
            logging_nan_inf_filter=False,  # a loss that is no number ends the job (Progress)
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
    """Shows each epoch its own version of the data; an epoch that is resumed sees the one it began with."""

    def __init__(self, examples: Examples) -> None:
        self._examples = examples

    def on_epoch_begin(self, _args: Any, state: Any, _control: Any, **_: Any) -> None:
        """Turn to the version of the epoch that begins."""
        self._examples.turn_to(int(state.epoch or 0))


# -------------------------------------------------------------------------------- checkpoints and the best epoch


class Sealing(TrainerCallback):  # type: ignore[misc]
    """Seals each checkpoint that Trainer has written."""

    def __init__(self, checkpoints: Checkpoints) -> None:
        self._checkpoints = checkpoints

    def on_save(self, args: Any, state: Any, _control: Any, **_: Any) -> None:
        """Seal it once all of it is there, in one process."""
        sum_over_processes([0.0], args.device)  # every process has written its part by now
        if state.is_world_process_zero:
            self._checkpoints.keep(state.global_step)


def best_adapter(model: Any, folder: Path, *, forget: bool) -> BestEpoch:
    """Keep the best epoch's adapter in `folder`."""

    def save(target: Path) -> None:
        model.save_pretrained(str(target), save_embedding_layers=False)

    def restore(kept: Path) -> None:
        set_peft_model_state_dict(model, load_peft_weights(str(kept), device="cpu"))

    return BestEpoch(folder, save=save, restore=restore, forget=forget)


class Epochs(TrainerCallback):  # type: ignore[misc]
    """Measures the validation channel after each epoch, and offers the adapter as the best."""

    def __init__(
        self, best: BestEpoch, validation: Examples | None, batch_size: int, progress: Progress, stop: StopSignal
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
        """Measure at this step; a job resumed after its last step comes here without an epoch's end."""
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


# --------------------------------------------------------------------------------------------------------- save


def save_adapter(model: Any, tokenizer: Any, settings: Settings, model_dir: Path) -> None:
    """Write the adapter and the tokenizer, naming the base model as the hub does and not by a folder of this machine."""
    config = model.peft_config["default"]
    config.base_model_name_or_path = settings.base_model_id or settings.base_model
    config.revision = settings.base_model_revision or None
    model.save_pretrained(str(model_dir), save_embedding_layers=False)
    (model_dir / "README.md").unlink(missing_ok=True)  # peft's empty model card; the manifest says it all
    tokenizer.save_pretrained(str(model_dir))


def save_merged(source: str, settings: Settings, tokenizer: Any, model_dir: Path) -> None:
    """Write merged/, a model folder of its own: the adapter added to the base read again in bf16, without NF4's rounding."""
    base = load_base_model(
        source, dataclasses.replace(settings, load_in_4bit=False, dtype="bfloat16"), torch.device("cpu")
    )
    base.config.use_cache = True
    merged = PeftModel.from_pretrained(base, str(model_dir)).merge_and_unload()
    merged.save_pretrained(str(model_dir / "merged"))
    tokenizer.save_pretrained(str(model_dir / "merged"))


if __name__ == "__main__":
    try:
        main()
    except TrainingInputError as problem:
        # One line: SageMaker's failure reason is made of the lines from the first that names an error.
        say(f"{type(problem).__name__}: {problem}")
        raise SystemExit(1) from None
