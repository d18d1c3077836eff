"""The arguments of `Hub.train()` and `Hub.deploy()`, each with its default and its meaning, once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mojo_toolbox.clouds.aws.jobs import TrainingJob
from mojo_toolbox.clouds.aws.requests import Overrides
from mojo_toolbox.data.augmentation import Augmentation
from mojo_toolbox.data.task_pool import TaskPool
from mojo_toolbox.purposes.purpose import DataSource
from mojo_toolbox.serving.containers import DEFAULT_CONTAINER


@dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """The arguments of `Hub.train()`.

    Args:
        recipe: "plain" is QLoRA on your data alone. "router", "encoder-router" and "encoder-router-small" bring
            hyperparameters, augmentation and conversations to train on next to yours (docs/choosing-a-router.md). Your
            arguments win over the recipe.
        base_model: a Hugging Face model id, a folder (uploaded to S3) or the `s3://` URI of one. The default is the recipe's.
        train_data: routing conversations or chat examples: a path, an `s3://` URI, a list or a `datasets.Dataset`.
        validation_data: the same, held out. The best epoch on it is kept.
        product: the application. With `task` and `model_id` it names the model everywhere. If you leave it out,
            MOJO_PRODUCT or `mojo.toml` gives it.
        task: the model's purpose, such as "routing", with defaults as for `product`.
        model_id: the fine-tuned model's name, with defaults as for `product`.
        instance_type: SageMaker's name. The default is the recipe's, which for an encoder has no GPU. The local cloud
            accepts any and uses this machine.
        instance_count: 1. Training uses several GPUs of one instance without a setting.
        hyperparameters: by transformers' and peft's names. See docs/hyperparameters.md for the defaults.
        augmentation: how routing conversations are varied, newly for each epoch. See `Augmentation` for the default, and
            `AS_IT_STANDS` for conversations that were augmented before.
        pool: distractors and other wordings of tasks to augment with. Without a pool there are none.
        copies: how many differently augmented examples of each routing conversation an epoch has.
        starter_conversations: how many of the conversations that ship with the library an epoch reads next to yours. The
            default is the recipe's number.
        resume: a job that was stopped or failed, or its name: the new one goes on from its newest checkpoint, with
            the same base model, data and hyperparameters (the training script refuses others).
        job_name: the job's name. The default is made of product, task, model_id and the time.
        max_runtime_seconds: the job is stopped after this time. The default is the recipe's: 24 hours, for an encoder 6.
        volume_size_gb: disk of the instance, in GB.
        image_uri: another training image than the pinned one.
        request_overrides: fields to merge into a request by operation, such as
            `{"CreateTrainingJob": {"VpcConfig": {…}}}`.
        confirm: called once, after all quick checks and before anything is uploaded or billed. An exception in it ends
            the call.
    """

    recipe: str = "plain"
    base_model: str | Path | None = None
    train_data: DataSource
    validation_data: DataSource | None = None
    product: str | None = None
    task: str | None = None
    model_id: str | None = None
    instance_type: str | None = None
    instance_count: int = 1
    hyperparameters: dict[str, Any] | None = None
    augmentation: Augmentation | None = None
    pool: TaskPool | None = None
    copies: int = 1
    starter_conversations: int | None = None
    resume: TrainingJob | str | None = None
    job_name: str | None = None
    max_runtime_seconds: int | None = None
    volume_size_gb: int = 100
    image_uri: str | None = None
    request_overrides: Overrides | None = None
    confirm: Callable[[], None] | None = None


@dataclass(frozen=True, kw_only=True)
class DeploymentOptions:
    """The arguments of `Hub.deploy()`.

    Args:
        product: as in `train()`.
        task: as in `train()`.
        model_id: as in `train()`.
        stage: "dev", "prod" or another; each has an endpoint of its own. Left out, MOJO_STAGE or `mojo.toml`, else "dev".
        instance_type: SageMaker's name. The default for an encoder has no GPU (ml.c7i.xlarge), and for a language model it
            has one (ml.g5.xlarge). The local cloud accepts any and uses this machine.
        instance_count: how many instances answer.
        job: the training job, or its name, whose artifact is deployed.
        model_data: the `s3://` URI of an artifact.
        base_model: as in `train()`. With `model_data` or `job` it is the place of the artifact's base model.
        encoder: the training job of an encoder router, or its name, that answers together with this model, a language
            model or another encoder router (MOJO_ENCODER_WEIGHT in `environment`), and shortens lists of more than 20
            tasks for a language model (MOJO_SHORTLIST).
        container: the serving container by its name. "own_handler", the only one so far, is AWS's container for Hugging Face's
            models with this library's code in it.
        image_uri: another serving image than the pinned one.
        environment: variables for the container.
        request_overrides: fields to merge into a request by operation, as in `train()`.
        confirm: as in `train()`.
    """

    product: str | None = None
    task: str | None = None
    model_id: str | None = None
    stage: str | None = None
    instance_type: str | None = None
    instance_count: int = 1
    job: TrainingJob | str | None = None
    model_data: str | None = None
    base_model: str | Path | None = None
    encoder: TrainingJob | str | None = None
    container: str = DEFAULT_CONTAINER
    image_uri: str | None = None
    environment: dict[str, str] | None = None
    request_overrides: Overrides | None = None
    confirm: Callable[[], None] | None = None
