"""Fine-tune a language model on chat examples with QLoRA: a SageMaker training job, or by hand.

    SM_CHANNEL_TRAIN=data/train SM_MODEL_DIR=model python train_qlora.py --base_model HuggingFaceTB/SmolLM2-135M-Instruct

Reads JSONL lines {"messages": [{"role", "content", "train"?}, ...]}. Assistant messages bear loss, on their content and
the token that ends the turn, unless "train" is false. Writes the adapter, the tokenizer and manifest.json to SM_MODEL_DIR.
Progress is one JSON object a line on stdout; everything else goes to stderr.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import importlib.metadata
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any, Literal, NamedTuple, TextIO, get_args, get_origin, get_type_hints

import torch
import transformers
from chat_encoding import ChatTemplateError, encode_chat, ensure_chat_template
from hub_token import fetch_hub_token
from peft import LoraConfig, PeftModel, get_peft_model, load_peft_weights, set_peft_model_state_dict
from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig, Trainer, TrainerCallback

CONTRACT_VERSION = 1
MOST_LAYERS = 10_000  # any model has fewer: a range that ends beyond is refused, not counted out
IGNORED = -100  # the label that cross_entropy leaves out


def main() -> None:
    """Tell the story: arguments, data, model, train, save."""
    began = time.monotonic()
    settings, job = read_arguments(), read_environment()
    relaunch_on_every_gpu(job)
    stop = StopSignal()
    progress = Progress(claim_stdout(), is_printer=int(os.environ.get("RANK", "0")) == 0)
    print_resolved(settings, job)
    with work_folder(job) as work:
        arguments = training_arguments(settings, work, saves=job.checkpoint_dir is not None)

        fetch_hub_token()
        source = base_model_source(settings, job)
        tokenizer = load_tokenizer(source)
        train = load_examples(job.train, tokenizer, settings.max_length, versions=settings.data_versions)
        validation = load_examples(job.validation, tokenizer, settings.max_length) if job.validation else None

        model = add_adapter(load_base_model(source, settings, arguments.device), settings)
        checkpoints = Checkpoints(work, run_fingerprint(settings, source, train), limit=settings.save_total_limit)
        resume_from = checkpoints.newest()
        best = BestEpoch(work / "best", validation, settings, progress, stop, forget=resume_from is None)

        trainer = DecisionTrainer(
            model=model,
            args=arguments,
            train_dataset=train,
            data_collator=pad_batch,
            callbacks=[NextVersion(train), progress, checkpoints, best, stop],
        )
        trainer.remove_callback(transformers.PrinterCallback)  # it prints Python dicts to stdout
        trainer.train(resume_from_checkpoint=None if resume_from is None else str(resume_from))
        if stop.requested and trainer.state.global_step < trainer.state.max_steps:
            say(f"Stopped by SIGTERM after step {trainer.state.global_step}; a resumed job goes on from there.")
            raise SystemExit(128 + signal.SIGTERM)
        best.measure_if_not_yet(model, arguments, trainer.state)

        if trainer.is_world_process_zero():
            metrics = {"train_loss": mean_training_loss(trainer.state.log_history), **best.metrics()}
            if settings.load_best_model_at_end:
                metrics |= best.restore(model)
            save_adapter(model, tokenizer, settings, job.model_dir)
            if settings.merge_weights:
                save_merged(source, settings, tokenizer, job.model_dir)
            write_manifest(
                job.model_dir / "manifest.json",
                settings,
                job,
                rows={"train": len(train), "validation": None if validation is None else len(validation)},
                tokens=trainer.state.num_input_tokens_seen,
                seconds=time.monotonic() - began,
                metrics=metrics,
            )


class TrainingInputError(ValueError):
    """Something that whoever started the job can put right; the message is one line and says how."""


# ---------------------------------------------------------------------------------------------------- arguments


@dataclass(frozen=True)
class Settings:
    """Hyperparameters, by transformers', peft's and trl's names."""

    base_model: str = ""
    """A folder or an id of the Hugging Face hub; empty when the channel `base_model` brings the model."""
    base_model_id: str = ""
    """The base model's name for the manifest, when `base_model` is a folder or empty."""
    base_model_revision: str = ""
    num_train_epochs: float = 2
    max_steps: int = -1
    learning_rate: float = 2e-4
    lr_scheduler_type: Literal["linear", "cosine", "constant"] = "linear"
    warmup_steps: int = 8
    weight_decay: float = 0.0
    max_grad_norm: float = 1.0
    per_device_train_batch_size: int = 2
    per_device_eval_batch_size: int = 4
    gradient_accumulation_steps: int = 1
    gradient_checkpointing: bool = False
    optim: str = "adamw_torch"
    max_length: int = 4096
    group_by_length: bool = True
    seed: int = 42
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
    save_total_limit: int = 2
    load_best_model_at_end: bool = True
    merge_weights: bool = False
    prompt_version: str = ""
    answers: str = ""
    data_versions: int = 1
    """How many versions of the data the train channel holds, line by line in turn: an epoch reads the next one."""
    dataset_sha256: str = ""
    """Content hash of what the train channel was made from; empty: the channel's own."""
    validation_sha256: str = ""


@dataclass(frozen=True)
class Job:
    """What SageMaker's toolkit says through SM_* variables."""

    train: Path
    validation: Path | None
    base_model: Path | None
    model_dir: Path
    checkpoint_dir: Path | None
    num_gpus: int
    name: str | None


def read_arguments(argv: Sequence[str] | None = None) -> Settings:
    """Read `--name value` flags; SageMaker passes hyperparameters so."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    hints = get_type_hints(Settings)
    for field in dataclasses.fields(Settings):
        kind = hints[field.name]
        choices = get_args(kind) if get_origin(kind) is Literal else None
        convert = str if choices else true_or_false if kind is bool else kind
        parser.add_argument(f"--{field.name}", type=convert, choices=choices, default=field.default)
    return Settings(**vars(parser.parse_args(argv)))


def true_or_false(text: str) -> bool:
    """Read a boolean as JSON or Python spells it."""
    if text.lower() in {"true", "1"}:
        return True
    if text.lower() in {"false", "0"}:
        return False
    raise argparse.ArgumentTypeError(f"{text!r} is neither true nor false")


def read_environment() -> Job:
    """Read SM_* variables; a missing train channel is refused at once."""

    def folder(name: str) -> Path | None:
        return Path(os.environ[name]) if os.environ.get(name) else None

    train = folder("SM_CHANNEL_TRAIN")
    if train is None:
        raise TrainingInputError("There is no train channel: give the job one (by hand: set SM_CHANNEL_TRAIN).")
    if len(json.loads(os.environ.get("SM_HOSTS", "[]"))) > 1:
        raise TrainingInputError("This script trains on one instance, with all its GPUs: set instance_count to 1.")
    return Job(
        train=train,
        validation=folder("SM_CHANNEL_VALIDATION"),
        base_model=folder("SM_CHANNEL_BASE_MODEL"),
        model_dir=folder("SM_MODEL_DIR") or Path("model"),
        checkpoint_dir=folder("SM_CHECKPOINT_DIR"),
        num_gpus=int(os.environ.get("SM_NUM_GPUS") or 0),
        name=os.environ.get("TRAINING_JOB_NAME"),
    )


def relaunch_on_every_gpu(job: Job) -> None:
    """With several GPUs become torchrun, which starts this script once for each."""
    gpus = min(job.num_gpus, torch.cuda.device_count())
    if gpus > 1 and "LOCAL_RANK" not in os.environ:
        torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={gpus}"]
        os.execv(sys.executable, [*torchrun, __file__, *sys.argv[1:]])  # noqa: S606 - keeps our pid, so SIGTERM arrives


def claim_stdout() -> TextIO:
    """Return stdout for progress lines only; what libraries print to stdout goes to stderr from now on."""
    sys.stdout.flush()
    progress = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1, encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return progress


def say(text: str) -> None:
    """Write a line for people to stderr."""
    print(text, file=sys.stderr, flush=True)


def print_resolved(settings: Settings, job: Job) -> None:
    """Print the settings and folders that this run goes by."""
    say(json.dumps({"settings": dataclasses.asdict(settings), "job": dataclasses.asdict(job)}, default=str))


class work_folder:  # noqa: N801 - used as `with work_folder(job)`
    """The checkpoint folder, or one that is thrown away when the job has none: it holds the best epoch meanwhile."""

    def __init__(self, job: Job) -> None:
        self._scratch = None if job.checkpoint_dir else tempfile.TemporaryDirectory(prefix="train-")
        self._path = job.checkpoint_dir or Path(self._scratch.name)  # type: ignore[union-attr]

    def __enter__(self) -> Path:
        self._path.mkdir(parents=True, exist_ok=True)
        return self._path

    def __exit__(self, *_: object) -> None:
        if self._scratch:
            self._scratch.cleanup()


# --------------------------------------------------------------------------------------------------------- data


class Example(NamedTuple):
    """A conversation as tokens. `decisions` are the half-open ranges of `input_ids` that bear loss."""

    input_ids: list[int]
    decisions: list[tuple[int, int]]


class Examples(torch.utils.data.Dataset[dict[str, Any]]):
    """Conversations, as the dictionaries that Trainer and its length grouping expect: one version of them at a time."""

    def __init__(self, examples: Sequence[Example], *, versions: int = 1) -> None:
        self._examples = examples
        self._versions = versions
        self._current = 0

    def __len__(self) -> int:
        return len(self._examples) // self._versions

    def __getitem__(self, index: int) -> dict[str, Any]:
        if index >= len(self):
            raise IndexError(index)
        return self._examples[index * self._versions + self._current]._asdict()

    def turn_to(self, epoch: int) -> None:
        """Show the version of this epoch; after the last one the first comes again."""
        self._current = epoch % self._versions

    def all_versions(self) -> Sequence[Example]:
        """Return what any epoch may read."""
        return self._examples


def load_examples(channel: Path, tokenizer: Any, max_length: int, *, versions: int = 1) -> Examples:
    """Read and encode every conversation of a channel; any that cannot be trained on whole is an error."""
    examples = []
    for where, record in read_records(channel):
        try:
            examples.append(encode_example(tokenizer, checked_messages(record)))
        except (TrainingInputError, ChatTemplateError) as error:
            raise TrainingInputError(f"{where}: {error}") from error
    if not examples:
        raise TrainingInputError(f"{channel} holds no conversations: its .jsonl files are empty or missing.")
    too_long = [len(example.input_ids) for example in examples if len(example.input_ids) > max_length]
    if too_long:
        # Cutting would lose the task list (at the front) or decisions (at the end), dropping would lose data unseen.
        raise TrainingInputError(
            f"{len(too_long)} of {len(examples)} conversations of {channel} are longer than max_length={max_length} "
            f"tokens, the longest has {max(too_long)}. Raise max_length to that, or split them."
        )
    if versions < 1 or len(examples) % versions:
        raise TrainingInputError(
            f"{channel} has {len(examples)} lines, which are not data_versions={versions} of each."
        )
    return Examples(examples, versions=versions)


def read_records(channel: Path) -> Iterator[tuple[str, Any]]:
    """Yield (file:line, JSON value) of the channel's .jsonl and .json files, in the order of their names."""
    files = [channel] if channel.is_file() else sorted(p for p in channel.rglob("*.json*") if p.is_file())
    for file in files:
        with file.open(encoding="utf-8-sig") as lines:
            try:
                for number, line in enumerate(lines, start=1):
                    if line.strip():
                        yield f"{file.name}:{number}", json.loads(line)
            except json.JSONDecodeError as error:
                raise TrainingInputError(f"{file.name}:{number}: this line is no JSON ({error.msg}).") from error
            except UnicodeDecodeError as error:
                raise TrainingInputError(f"{file.name} is not encoded in UTF-8 ({error.reason}).") from error


def checked_messages(record: Any) -> list[dict[str, Any]]:
    """Return the record's messages if they have the shape of a conversation."""
    messages = record.get("messages") if isinstance(record, dict) else None
    if not isinstance(messages, list) or not messages:
        raise TrainingInputError('expected {"messages": [{"role": ..., "content": ...}, ...]}.')
    for message in messages:
        is_message = isinstance(message, dict) and isinstance(message.get("content"), str)
        if not is_message or message.get("role") not in {"system", "user", "assistant"}:
            raise TrainingInputError("every message needs a role (system, user or assistant) and a content of text.")
    return messages


def encode_example(tokenizer: Any, messages: list[dict[str, Any]]) -> Example:
    """Encode a conversation; its decisions are the assistant's contents, each with the token that ends the turn."""
    chat = encode_chat(tokenizer, messages, add_generation_prompt=False)
    decisions = [
        (start, end + 1)
        for message, (start, end) in zip(messages, chat.content_spans, strict=True)
        if message["role"] == "assistant" and message.get("train", True)
    ]
    if not decisions:
        raise TrainingInputError("no assistant message bears loss, so there is nothing to learn from it.")
    return Example(input_ids=chat.ids, decisions=decisions)


def pad_batch(examples: Sequence[dict[str, Any]]) -> dict[str, torch.Tensor]:
    """Pad conversations on the right: (B, T) input_ids, attention_mask, and labels that are set on decisions only."""
    length = max(len(example["input_ids"]) for example in examples)
    input_ids = torch.zeros(len(examples), length, dtype=torch.long)
    attention_mask = torch.zeros_like(input_ids)
    labels = torch.full_like(input_ids, IGNORED)
    for row, example in enumerate(examples):
        ids = torch.tensor(example["input_ids"])
        input_ids[row, : len(ids)] = ids
        attention_mask[row, : len(ids)] = 1
        for start, end in example["decisions"]:
            labels[row, start:end] = ids[start:end]
    return {"input_ids": input_ids, "attention_mask": attention_mask, "labels": labels}


# -------------------------------------------------------------------------------------------------------- model


def base_model_source(settings: Settings, job: Job) -> str:
    """Return the folder or hub id that the base model is read from."""
    source = settings.base_model or str(job.base_model or "")
    if not source:
        raise TrainingInputError("There is no base model: give the hyperparameter base_model or a base_model channel.")
    return source


def pretrained(loader: Any, source: str, **options: Any) -> Any:
    """Load a tokenizer or model; when that fails, say in one line from where."""
    try:
        return loader.from_pretrained(source, **options)
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise TrainingInputError(f"The base model {source!r} cannot be loaded: {reason}") from error


def load_tokenizer(source: str) -> Any:
    """Load the base model's tokenizer, with ChatML when it has no chat template that takes a system message."""
    tokenizer = pretrained(AutoTokenizer, source)
    try:
        if ensure_chat_template(tokenizer):
            say("The base model has no chat template with a system role: ChatML is used and saved with the tokenizer.")
    except ChatTemplateError as error:
        raise TrainingInputError(str(error)) from error
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
    options: dict[str, Any] = {"dtype": dtype}
    if settings.base_model_revision and not Path(source).is_dir():
        options["revision"] = settings.base_model_revision
    if device.type != "cpu":
        options["device_map"] = {"": device}
    if settings.load_in_4bit:
        options["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=dtype,
        )
    model = pretrained(AutoModelForCausalLM, source, **options)
    model.config.use_cache = False  # of no use in training, and gradient checkpointing cannot have it
    return model


def add_adapter(model: Any, settings: Settings) -> Any:
    """Put LoRA on the target modules of the layers to transform; only that is trained."""
    transformers.set_seed(settings.seed)
    layers = layer_numbers(settings.layers_to_transform)
    targets: str | list[str] = settings.target_modules
    if targets != "all-linear":
        targets = [name.strip() for name in settings.target_modules.split(",") if name.strip()]
        check_targets(model, targets)
    if layers:
        check_layers(model, layers)
        if targets == "all-linear":  # peft wants names once layers are chosen
            targets = sorted(linear_names(model.base_model))
    config = LoraConfig(
        r=settings.lora_r,
        lora_alpha=settings.lora_alpha,
        lora_dropout=settings.lora_dropout,
        target_modules=targets,
        layers_to_transform=layers,
        task_type="CAUSAL_LM",
    )
    if settings.gradient_checkpointing:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    return get_peft_model(model, config, autocast_adapter_dtype=settings.autocast_adapter_dtype)


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


class Progress(TrainerCallback):  # type: ignore[misc]
    """One JSON object a line on stdout, from the first process only."""

    def __init__(self, stream: TextIO, *, is_printer: bool) -> None:
        self._stream = stream
        self._is_printer = is_printer
        self._since = (time.monotonic(), 0)

    def write(self, state: Any, **values: Any) -> None:
        """Print where training stands, and `values`."""
        if self._is_printer:
            epoch = None if state.epoch is None else round(state.epoch, 4)
            line = {"step": state.global_step, "max_steps": state.max_steps, "epoch": epoch, **values}
            print(json.dumps(line), file=self._stream, flush=True)

    def on_train_begin(self, _args: Any, state: Any, _control: Any, **_: Any) -> None:
        """Start the clock that tokens_per_second goes by, and say how many steps there will be."""
        self._since = (time.monotonic(), state.num_input_tokens_seen)
        self.write(state)

    def on_log(self, _args: Any, state: Any, _control: Any, logs: dict[str, Any], **_: Any) -> None:
        """Print the loss since the last line; a loss that is no number ends the job."""
        if "loss" not in logs:  # Trainer's summary at the end
            return
        now, tokens = time.monotonic(), state.num_input_tokens_seen
        speed = (tokens - self._since[1]) / max(now - self._since[0], 1e-9)
        self._since = (now, tokens)
        loss = logs["loss"]
        if loss != loss or loss in {float("inf"), float("-inf")}:  # noqa: PLR0124 - NaN
            raise TrainingInputError(
                f"The loss is no number any more at step {state.global_step}: lower learning_rate."
            )
        self.write(state, loss=loss, learning_rate=logs["learning_rate"], tokens_per_second=round(speed, 1))


class StopSignal(TrainerCallback):  # type: ignore[misc]
    """On SIGTERM ends training after the step under way, with a checkpoint."""

    def __init__(self) -> None:
        self.requested = False
        signal.signal(signal.SIGTERM, self._note)

    def _note(self, *_: object) -> None:
        self.requested = True

    def on_step_end(self, args: Any, _state: Any, control: Any, **_: Any) -> None:
        """Stop if any process was told to: one that went on alone would wait for the others forever."""
        self.requested = bool(sum_over_processes([float(self.requested)], args.device)[0])
        if self.requested:
            control.should_training_stop = True
            control.should_save = args.save_strategy != "no"


def sum_over_processes(values: list[float], device: torch.device) -> list[float]:
    """Add up each value over the training processes; with one process return them as they are."""
    if not torch.distributed.is_initialized():
        return values
    total = torch.tensor(values, dtype=torch.float64, device=device)
    torch.distributed.all_reduce(total)
    return list(total.tolist())


# -------------------------------------------------------------------------------- checkpoints and the best epoch


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


class Checkpoints(TrainerCallback):  # type: ignore[misc]
    """Seals each checkpoint that Trainer has written, keeps the newest `limit`, and finds the one to resume from."""

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

    def on_save(self, args: Any, state: Any, _control: Any, **_: Any) -> None:
        """Seal the checkpoint, then remove older ones and unfinished ones: never the other way round."""
        sum_over_processes([0.0], args.device)  # every process has written its part by now
        if state.is_world_process_zero:
            seal(self._folder / f"checkpoint-{state.global_step}", {"fingerprint": self._fingerprint})
            paths = by_step(self._folder, "checkpoint-*")
            whole = [path for path in paths if sealed_facts(path) is not None]
            for path in set(paths) - set(whole[: self._limit]):
                shutil.rmtree(path, ignore_errors=True)


def run_fingerprint(settings: Settings, source: str, train: Examples) -> str:
    """Digest of all that must be the same for a checkpoint to be resumed."""
    may_differ = {"save_steps", "save_total_limit", "logging_steps", "load_best_model_at_end", "merge_weights"}
    kept = {name: value for name, value in dataclasses.asdict(settings).items() if name not in may_differ}
    # The folder's name says nothing: on resume the same base model may lie elsewhere.
    kept["base_model"] = Path(source).name
    digest = hashlib.sha256(json.dumps(kept, sort_keys=True).encode())
    for example in train.all_versions():
        digest.update(json.dumps(example._asdict()).encode())
    return digest.hexdigest()


class BestEpoch(TrainerCallback):  # type: ignore[misc]
    """Measures the validation channel after each epoch and keeps the adapter that got most decisions right."""

    def __init__(
        self,
        folder: Path,
        validation: Examples | None,
        settings: Settings,
        progress: Progress,
        stop: StopSignal,
        *,
        forget: bool,
    ) -> None:
        if forget:
            shutil.rmtree(folder, ignore_errors=True)
        self._folder = folder
        self._validation = validation
        self._batch_size = settings.per_device_eval_batch_size
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
        self._last = {"eval_loss": loss, "eval_decision_accuracy": accuracy, "epoch": state.epoch}
        self._progress.write(state, eval_loss=loss, eval_decision_accuracy=accuracy)
        if state.is_world_process_zero and self._beats_best(loss, accuracy):
            folder = self._folder / f"step-{state.global_step}"
            shutil.rmtree(folder, ignore_errors=True)
            model.save_pretrained(str(folder), save_embedding_layers=False)
            seal(folder, self._last)
            for older in by_step(self._folder, "step-*"):
                if older != folder:
                    shutil.rmtree(older, ignore_errors=True)

    def metrics(self) -> dict[str, Any]:
        """Return the last epoch's figures, for the manifest."""
        return {
            "eval_loss": self._last.get("eval_loss"),
            "eval_decision_accuracy": self._last.get("eval_decision_accuracy"),
            "best_epoch": None,
        }

    def restore(self, model: Any) -> dict[str, Any]:
        """Load the best epoch's adapter into the model and return its figures; nothing without a validation channel."""
        found = self._best()
        if found is None:
            return {}
        folder, facts = found
        set_peft_model_state_dict(model, load_peft_weights(str(folder), device="cpu"))
        best_epoch = round(facts["epoch"], 4)
        say(f"The best epoch was {best_epoch}: its adapter is kept.")
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


def write_manifest(
    path: Path,
    settings: Settings,
    job: Job,
    *,
    rows: dict[str, int | None],
    tokens: int,
    seconds: float,
    metrics: dict[str, Any],
) -> None:
    """Write what the library reads on deploy: what was trained, on which base model, how, and how well it went."""
    packages = ("torch", "transformers", "peft", "bitsandbytes", "accelerate", "tokenizers", "safetensors")
    about_the_model = {
        "base_model",
        "base_model_id",
        "base_model_revision",
        "prompt_version",
        "answers",
        "data_versions",
        "dataset_sha256",
        "validation_sha256",
    }
    hyperparameters = {k: v for k, v in dataclasses.asdict(settings).items() if k not in about_the_model}
    manifest = {
        "contract_version": CONTRACT_VERSION,
        "prompt_version": settings.prompt_version,
        "answers": settings.answers or "names",
        "base_model": {
            "id": settings.base_model_id or settings.base_model,
            "revision": settings.base_model_revision or None,
        },
        "merged": settings.merge_weights,
        "training": {
            "job_name": job.name,
            "hyperparameters": hyperparameters,
            "dataset_sha256": settings.dataset_sha256 or channel_sha256(job.train),
            "validation_sha256": settings.validation_sha256 or (job.validation and channel_sha256(job.validation)),
            "rows": rows,
            "data_versions": settings.data_versions,
            "tokens": tokens,
            "library_versions": {name: importlib.metadata.version(name) for name in packages},
            "git_commit": os.environ.get("MOJO_GIT_COMMIT") or None,
            "seconds": round(seconds, 1),
        },
        "metrics": metrics,
    }
    path.write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")


def channel_sha256(channel: Path) -> str:
    """Return the content hash of the channel's records, whatever files they lie in; the library's `ContentHash` is the same."""
    digest = hashlib.sha256()
    for _, record in read_records(channel):
        text = json.dumps(record, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        digest.update(text.encode("utf-8", "surrogatepass") + b"\n")
    return digest.hexdigest()


if __name__ == "__main__":
    try:
        main()
    except TrainingInputError as problem:
        # One line: SageMaker's failure reason is made of the lines from the first that names an error.
        say(f"{type(problem).__name__}: {problem}")
        raise SystemExit(1) from None
