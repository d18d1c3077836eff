"""`mojo train`: start a training job and wait for it."""

from __future__ import annotations

import json
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mojo_toolbox.cli.terminal.endings import UsageError, goes_on
from mojo_toolbox.cli.terminal.options import (
    AllowHashedNames,
    AsJson,
    Bucket,
    Cloud,
    DryRun,
    ImageUri,
    ModelId,
    Product,
    Region,
    RequestOverrides,
    Role,
    TaskName,
    Wait,
    Yes,
    command,
    is_local,
    json_file,
    open_hub,
    pairs,
    require_consent,
    require_model,
)
from mojo_toolbox.cli.terminal.output import data, data_as_json, note, print_requests

if TYPE_CHECKING:
    from mojo_toolbox.clouds.aws.jobs import TrainingJob
    from mojo_toolbox.data.augmentation import Augmentation
    from mojo_toolbox.data.task_pool import TaskPool
    from mojo_toolbox.hub import Hub

# How good the model became; the other metrics, such as the learning rate, say how it was trained.
_TOLD_METRICS = ("eval_decision_accuracy", "eval_loss", "loss")

EXAMPLES = """
mojo train --cloud local --recipe encoder-router \\
    --product mojodex --task routing --model-id encoder \\
    --train-data train.jsonl --validation-data dev.jsonl
mojo train --cloud local \\
    --product mojodex --task routing --model-id smollm2-router \\
    --base-model HuggingFaceTB/SmolLM2-135M-Instruct \\
    --train-data train.jsonl --validation-data dev.jsonl -H num_train_epochs=2
mojo train ... --alternatives wordings.json -A withheld_task=0.2
mojo train ... --dry-run
mojo train ... --instance-type ml.g5.2xlarge --no-wait --yes --json
"""


def train(
    *,
    train_data: Annotated[
        str,
        typer.Option(
            "--train-data", "--data", help="JSON Lines of conversations: a path or s3:// URI.", metavar="FILE"
        ),
    ],
    product: Product = None,
    task: TaskName = None,
    model_id: ModelId = None,
    recipe: Annotated[
        str,
        typer.Option(
            help="The kind of training: encoder-router (begin with it), encoder-router-small (faster, less accurate), router "
            "(a language model), or plain (QLoRA of --base-model on your data alone).",
            metavar="NAME",
        ),
    ] = "plain",
    base_model: Annotated[
        str | None,
        typer.Option(
            help="Hugging Face model id, a folder, or the s3:// URI of a folder. Unset: the recipe's.",
            metavar="MODEL",
            show_default=False,
        ),
    ] = None,
    validation_data: Annotated[
        str | None,
        typer.Option(
            help="Conversations that are held out. They choose the best epoch, and calibrate an encoder.",
            metavar="FILE",
            show_default=False,
        ),
    ] = None,
    hyperparameter: Annotated[
        list[str] | None,
        typer.Option(
            "--hyperparameter",
            "-H",
            help="A hyperparameter by transformers' or peft's name, with JSON or text as its value. May be repeated.",
            metavar="NAME=VALUE",
            show_default=False,
        ),
    ] = None,
    augmentation: Annotated[
        list[str] | None,
        typer.Option(
            "--augmentation",
            "-A",
            help="The share of a variation, such as withheld_task=0.2. See mojo data augment. May be repeated.",
            metavar="NAME=VALUE",
            show_default=False,
        ),
    ] = None,
    as_it_stands: Annotated[
        bool, typer.Option("--as-it-stands", help="Augment nothing, because the conversations are augmented already.")
    ] = False,
    pool: Annotated[
        Path | None,
        typer.Option(help="Conversations whose tasks may be added to lists.", metavar="FILE", show_default=False),
    ] = None,
    alternatives: Annotated[
        Path | None,
        typer.Option(help="Other names and descriptions of tasks, as JSON.", metavar="FILE", show_default=False),
    ] = None,
    copies: Annotated[
        int, typer.Option(min=1, help="Augmented examples of each conversation in an epoch.", metavar="N")
    ] = 1,
    starter_conversations: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Conversations of mojo data starter that an epoch reads in addition to yours. Unset: the recipe's number.",
            metavar="N",
            show_default=False,
        ),
    ] = None,
    resume: Annotated[
        str | None,
        typer.Option(
            help="Go on from the newest checkpoint of this job, with the same data and hyperparameters.",
            metavar="JOB",
            show_default=False,
        ),
    ] = None,
    instance_type: Annotated[
        str | None,
        typer.Option(
            help="SageMaker's instance type. Unset: the recipe's (for encoders one without a GPU). The local cloud uses this "
            "machine.",
            metavar="TYPE",
            show_default=False,
        ),
    ] = None,
    instance_count: Annotated[
        int, typer.Option(min=1, help="Always 1. For more GPUs take a larger type.", metavar="N")
    ] = 1,
    job_name: Annotated[
        str | None,
        typer.Option(
            help="Name of the job. Unset: made of the model's names and the time.", metavar="NAME", show_default=False
        ),
    ] = None,
    max_runtime_seconds: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Stop the job after this time. Unset: the recipe's, which is 24 hours, or 6 for encoders.",
            metavar="SECONDS",
            show_default=False,
        ),
    ] = None,
    volume_size_gb: Annotated[int, typer.Option(min=1, help="Disk of an instance, in GB.", metavar="GB")] = 100,
    image_uri: ImageUri = None,
    request_overrides: RequestOverrides = None,
    cloud_service: Cloud = None,
    region_name: Region = None,
    role: Role = None,
    bucket: Bucket = None,
    allow_hashed_names: AllowHashedNames = None,
    wait: Wait = True,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Train a model: upload the data, start a training job, and wait for it.

    Prints the job's name. AWS bills the instance while the job runs, so the command asks you first.
    """
    from mojo_toolbox.administration.options import TrainingOptions
    from mojo_toolbox.administration.training_choices import TrainingChoices
    from mojo_toolbox.purposes.routing.recipes import find_recipe

    chosen = find_recipe(recipe)
    if base_model is None and chosen.base_model is None:
        raise UsageError("Give --base-model, or a --recipe that brings one, such as encoder-router.")
    names = {"product": product, "task": task, "model_id": model_id}
    require_model(**names)
    for option, path in (("--pool", pool), ("--alternatives", alternatives)):
        if path is not None and not path.exists():
            raise UsageError(f"{option}: there is no file {path}.")
    mix: dict[str, Any] = {
        "recipe": recipe,
        "base_model": base_model,
        "hyperparameters": _hyperparameters(hyperparameter),
        "augmentation": _augmentation(augmentation, as_it_stands=as_it_stands),
        "copies": copies,
        "starter_conversations": starter_conversations,
        "train_data": train_data,
    }
    # Before a pool is read for minutes.
    TrainingChoices.settle(TrainingOptions(**mix))
    options: dict[str, Any] = {
        **mix,
        "validation_data": validation_data,
        **names,
        "instance_type": instance_type,
        "instance_count": instance_count,
        "resume": resume,
        "job_name": job_name,
        "max_runtime_seconds": max_runtime_seconds,
        "volume_size_gb": volume_size_gb,
        "image_uri": image_uri,
        "request_overrides": json_file(request_overrides, option="--request-overrides"),
    }
    hub = open_hub(cloud_service, region_name, role=role, bucket=bucket, allow_hashed_names=allow_hashed_names)
    if pool is not None or alternatives is not None:
        options["pool"] = _read_pool(pool, alternatives, None if dry_run else hub)
    if dry_run:
        print_requests(hub.train(dry_run=True, **options), as_json=as_json)
        return
    hours = (chosen.max_runtime_seconds if max_runtime_seconds is None else max_runtime_seconds) / 3600
    cost = (
        f"Training on {instance_count} x {instance_type or chosen.instance_type} is billed by AWS while it runs, "
        f"{hours:g} h at most."
    )
    confirm = None if is_local(cloud_service) else partial(require_consent, cost, yes=yes)
    place = {"cloud": cloud_service, "region_name": region_name}
    with goes_on(f"If the training job has started, it goes on. See: {command('ls', argument='jobs', **place)}"):
        job = hub.train(**options, confirm=confirm)
    started = f"Training job {job.name} started."
    if wait:
        follow, stop = command("logs", argument=job.name, **place), command("rm", job=job.name, **place)
        with goes_on(f"The training job goes on.\nFollow it: {follow} --follow\nStop it: {stop}"):
            note(started)
            job.wait()
    else:
        note(started)
    _print_job(job, as_json=as_json)
    if wait:
        note(f"Deploy it: {command('deploy', **names, **place)}")


def _read_pool(pool: Path | None, alternatives: Path | None, hub: Hub | None) -> TaskPool:
    from mojo_toolbox.data.task_pool import read_pool

    if hub is not None:
        # A pool may be long: who lacks credentials need not wait for it.
        hub.require_access()
    return read_pool(pool, alternatives=alternatives)


def _hyperparameters(given: list[str] | None) -> dict[str, Any]:
    return {name: _json_or_text(value) for name, value in pairs(given, option="--hyperparameter").items()}


def _augmentation(given: list[str] | None, *, as_it_stands: bool) -> Augmentation | None:
    """Read the settings that the options name; None when there are none."""
    from mojo_toolbox.data.augmentation import AS_IT_STANDS, Augmentation

    if as_it_stands:
        if given:
            raise UsageError("Give either --as-it-stands or --augmentation, not both.")
        return AS_IT_STANDS
    values = {name: _json_or_text(value) for name, value in pairs(given, option="--augmentation").items()}
    known = [field.name for field in fields(Augmentation)]
    for name in values:
        if name not in known:
            raise UsageError(f"--augmentation: there is no {name!r}. Known: {', '.join(known)}.")
    return Augmentation(**values) if values else None


def _json_or_text(value: str) -> Any:
    """Read a JSON value; what is none, such as cosine or q_proj,v_proj, is the text itself."""
    try:
        return json.loads(value)
    except json.JSONDecodeError:
        return value


def _print_job(job: TrainingJob, *, as_json: bool) -> None:
    description = job.describe()
    status, metrics = description["TrainingJobStatus"], job.metrics
    if as_json:
        model_data = description.get("ModelArtifacts", {}).get("S3ModelArtifacts")
        data_as_json({"job_name": job.name, "status": status, "model_data": model_data, "metrics": metrics})
        return
    data(job.name)
    told = ", ".join(f"{name} {metrics[name]:.4g}" for name in _TOLD_METRICS if name in metrics)
    note(f"{status}. {told}" if told else f"{status}.")
