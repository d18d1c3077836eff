"""What containers and callers agree on: chat request and reply, hyperparameters, manifest.

The containers' side stands in `inference_code/` and `training_scripts/`, which import nothing from here; tests hold both
sides against each other.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, overload

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from mojo_toolbox.errors import ArtifactError, HyperparameterError

CONTRACT_VERSION = 1
# SageMaker refuses larger request bodies (botocore's documentation of InvokeEndpoint).
MAX_BODY_BYTES = 6 * 1024 * 1024
ADAPTER_HEADER = "X-Amzn-SageMaker-Adapter-Identifier"
# Where SageMaker mounts what CreateModel's AdditionalModelDataSources names.
STAGED_DIR = "/opt/ml/additional-model-data-sources"
BASE_MODEL_CHANNEL = "base_model"
# Of the encoder that answers together with a model.
ENCODER_BASE_MODEL_CHANNEL = "encoder_base_model"
CHECKPOINT_DIR = "/opt/ml/checkpoints"

# What an artifact holds: a language model (its adapter, or merged weights), or a sentence encoder that chooses.
ModelKind = Literal["language_model", "encoder"]
# What other tools call some hyperparameters.
_SHORT_NAMES = {
    "lr": "learning_rate",
    "head_lr": "head_learning_rate",
    "epochs": "num_train_epochs",
    "batch_size": "per_device_train_batch_size",
    "torch_dtype": "dtype",
    "warmup": "warmup_steps",
}
# Of transformers' TrainingArguments, what a job cannot choose: where files go, when it evaluates, where it runs.
_SET_BY_SCRIPTS = frozenset(
    [
        "output_dir",
        "overwrite_output_dir",
        "logging_dir",
        "run_name",
        "report_to",
        "do_train",
        "do_eval",
        "eval_strategy",
        "evaluation_strategy",
        "eval_steps",
        "save_strategy",
        "logging_strategy",
        "metric_for_best_model",
        "push_to_hub",
        "deepspeed",
        "fsdp",
        "load_in_8bit",
        "data_seed",
        "dataloader_num_workers",
        "local_rank",
        "ddp_backend",
    ]
)
# Below it, names that look alike mean other things: "output_dir" is not "optim".
_LIKENESS = 0.7
# CloudWatch reads these from the training script's JSON lines.
# How the serving code answers a request without choices where an encoder serves.
ENCODER_REFUSAL = "This endpoint holds an encoder, which only chooses"
METRIC_DEFINITIONS = [
    {"Name": name, "Regex": rf'"{name}": ([-+0-9.eE]+)'}
    for name in (
        "loss",
        "learning_rate",
        "tokens_per_second",
        "decisions_per_second",
        "eval_loss",
        "eval_decision_accuracy",
    )
]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class Usage(_Frozen):
    """Tokens of one answer; `cached_tokens` of the prompt were not computed again.

    `dropped_messages`, the oldest of a chat that is longer than the model's context, were not read.
    """

    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0
    cached_tokens: int = 0
    dropped_messages: int = 0


class ChatReply(_Frozen):
    """The part of a container's reply that callers use."""

    content: str
    usage: Usage
    choice_probabilities: dict[str, float] | None = None


def chat_request(
    messages: Sequence[Mapping[str, Any]],
    *,
    choices: Sequence[str] | None = None,
    max_tokens: int = 128,
    temperature: float = 0.0,
    adapter: str | None = None,
) -> dict[str, Any]:
    """Build the body of an invocation; with `choices` the answer is exactly one of them."""
    body: dict[str, Any] = {"messages": list(messages), "max_tokens": max_tokens, "temperature": temperature}
    if choices is not None:
        body["structured_outputs"] = {"choice": list(choices)}
        body["logprobs"] = True
    if adapter is not None:
        body["model"] = adapter
    return body


def first_question() -> dict[str, Any]:
    """Build a request that every kind of model answers, as soon as it is loaded."""
    return chat_request([{"role": "user", "content": "Hello"}], choices=["hello", "none"])


def parse_chat_reply(body: bytes) -> ChatReply:
    """Read a container's reply.

    Raises:
        ValueError: it is not a chat completion.
    """
    document = json.loads(body)
    try:
        choice = document["choices"][0]
        usage = document.get("usage") or {}
        details = usage.get("prompt_tokens_details") or {}
        return ChatReply(
            content=choice["message"]["content"],
            usage=Usage(
                prompt_tokens=usage.get("prompt_tokens", 0),
                completion_tokens=usage.get("completion_tokens", 0),
                total_tokens=usage.get("total_tokens", 0),
                cached_tokens=details.get("cached_tokens") or 0,
                dropped_messages=details.get("dropped_messages") or 0,
            ),
            choice_probabilities=choice.get("choice_probabilities"),
        )
    except (KeyError, IndexError, TypeError, AttributeError, ValidationError) as error:
        raise ValueError(f"not a chat completion ({error!r})") from error


def _layers_as_text(layers: Any) -> Any:
    """Write a number, or peft's list of them, as the flag has them."""
    if isinstance(layers, bool) or not isinstance(layers, int | list | tuple):
        return layers
    return ",".join(map(str, [layers] if isinstance(layers, int) else layers))


class TrainingHyperparameters(BaseModel):
    """What `training_scripts/train_qlora.py` can be told, by transformers', peft's and trl's names, with its defaults."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    num_train_epochs: float = Field(default=2, gt=0)
    max_steps: int = Field(default=-1, ge=-1)
    learning_rate: float = Field(default=2e-4, gt=0, lt=1)
    lr_scheduler_type: Literal["linear", "cosine", "constant"] = "linear"
    warmup_steps: int = Field(default=8, ge=0)
    weight_decay: float = Field(default=0.0, ge=0)
    max_grad_norm: float = Field(default=1.0, ge=0)
    per_device_train_batch_size: int = Field(default=2, ge=1)
    per_device_eval_batch_size: int = Field(default=4, ge=1)
    gradient_accumulation_steps: int = Field(default=1, ge=1)
    gradient_checkpointing: bool = False
    optim: str = "adamw_torch"
    max_length: int = Field(default=4096, ge=16)
    group_by_length: bool = True
    seed: int = Field(default=42, ge=0)
    lora_r: int = Field(default=16, ge=1)
    lora_alpha: int = Field(default=32, ge=1)
    lora_dropout: float = Field(default=0.0, ge=0, lt=1)
    target_modules: str = "all-linear"
    layers_to_transform: Annotated[str, BeforeValidator(_layers_as_text)] = Field(
        default="", pattern=r"^(\d+(-\d+)?(, *\d+(-\d+)?)*)?$"
    )
    autocast_adapter_dtype: bool = True
    load_in_4bit: bool = True
    dtype: Literal["auto", "bfloat16", "float16", "float32"] = "auto"
    logging_steps: int = Field(default=1, ge=1)
    save_steps: int = Field(default=50, ge=1)
    save_total_limit: int = Field(default=2, ge=1)
    load_best_model_at_end: bool = True
    merge_weights: bool = False


class EncoderHyperparameters(BaseModel):
    """What `training_scripts/train_encoder.py` can be told, by transformers' names where it has them, with its defaults."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    num_train_epochs: float = Field(default=3, gt=0)
    max_steps: int = Field(default=-1, ge=-1)
    learning_rate: float = Field(default=8e-5, gt=0, lt=1)
    head_learning_rate: float = Field(default=5e-4, gt=0, lt=1)
    lr_scheduler_type: Literal["linear", "cosine", "constant"] = "linear"
    warmup_steps: int = Field(default=50, ge=0)
    weight_decay: float = Field(default=0.01, ge=0)
    max_grad_norm: float = Field(default=1.0, ge=0)
    per_device_train_batch_size: int = Field(default=24, ge=1)
    per_device_eval_batch_size: int = Field(default=64, ge=1)
    group_by_length: bool = True
    trained_layers: int = Field(default=-1, ge=-1)
    continue_share: float = Field(default=0.25, ge=0, le=1)
    seed: int = Field(default=42, ge=0)
    calibrate: bool = True
    logging_steps: int = Field(default=10, ge=1)
    save_steps: int = Field(default=200, ge=1)
    save_total_limit: int = Field(default=2, ge=1)
    load_best_model_at_end: bool = True


_HYPERPARAMETERS: dict[ModelKind, type[TrainingHyperparameters | EncoderHyperparameters]] = {
    "language_model": TrainingHyperparameters,
    "encoder": EncoderHyperparameters,
}
_WORDS: dict[ModelKind, str] = {"language_model": "a language model", "encoder": "an encoder"}


@overload
def check_hyperparameters(
    given: Mapping[str, Any] | None, *, kind: Literal["language_model"] = "language_model"
) -> TrainingHyperparameters: ...
@overload
def check_hyperparameters(given: Mapping[str, Any] | None, *, kind: Literal["encoder"]) -> EncoderHyperparameters: ...
def check_hyperparameters(
    given: Mapping[str, Any] | None, *, kind: ModelKind = "language_model"
) -> TrainingHyperparameters | EncoderHyperparameters:
    """Check hyperparameters before anything is sent, by what the training script of this kind of model knows.

    Raises:
        HyperparameterError: an unknown name (the nearest known one is named) or a value out of range.
    """
    if given is not None and not isinstance(given, Mapping):
        raise HyperparameterError(f"hyperparameters must be a dictionary of names and values, not {given!r:.80}.")
    given = dict(given or {})
    model = _HYPERPARAMETERS[kind]
    known = list(model.model_fields)
    for name in given:
        if name not in known:
            raise HyperparameterError(f"Unknown hyperparameter {name!r}. {_hint(name, known, kind)}")
    try:
        return model.model_validate(given)
    except ValidationError as error:
        problem = error.errors()[0]
        raise HyperparameterError(
            f"Hyperparameter {problem['loc'][0]!r} cannot be {problem['input']!r}: {problem['msg']}."
        ) from error


def _hint(name: Any, known: Sequence[str], kind: ModelKind) -> str:
    """Say which known name may be meant, or that it is one of another kind of model."""
    short = [_SHORT_NAMES[name]] if _SHORT_NAMES.get(name) in known else []
    for other, model in _HYPERPARAMETERS.items():
        if other != kind and name in model.model_fields:
            return f"It is known to {_WORDS[other]}'s training, not to {_WORDS[kind]}'s. Known: {', '.join(known)}."
    if name in _SET_BY_SCRIPTS:
        return f"The training script decides it. Known: {', '.join(known)}."
    near = short or difflib.get_close_matches(str(name), known, n=1, cutoff=_LIKENESS)
    return f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(known)}."


class BaseModelReference(_Frozen):
    """The base model as the hub names it, whether or not it was staged in S3."""

    id: str
    revision: str | None = None


class Manifest(BaseModel):
    """What `manifest.json` in an artifact says of the model; written by the training script.

    `fallback` is the choice that an encoder takes for none of the others; a language model has none.
    """

    model_config = ConfigDict(frozen=True, extra="allow")

    contract_version: int
    kind: ModelKind = "language_model"
    fallback: str | None = None
    prompt_version: str = ""
    answers: str = "names"
    base_model: BaseModelReference
    merged: bool = False
    training: dict[str, Any] = Field(default_factory=dict)
    metrics: dict[str, Any] = Field(default_factory=dict)


def parse_manifest(text: str | bytes, *, source: str) -> Manifest:
    """Read a manifest; `source` names it in errors.

    Raises:
        ArtifactError: no manifest, or one of a contract version that this library does not know.
    """
    try:
        manifest = Manifest.model_validate_json(text)
    except ValidationError as error:
        raise ArtifactError(f"{source} holds no usable manifest.json: {error.errors()[0]['msg']}.") from error
    if manifest.contract_version != CONTRACT_VERSION:
        raise ArtifactError(
            f"{source} was written for contract version {manifest.contract_version}; this library speaks version "
            f"{CONTRACT_VERSION}. Install the library version that trained it, or train again."
        )
    return manifest
