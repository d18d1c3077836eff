"""Training: everything is decided and checked, the cheap things first, then one job is started."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from mojo_toolbox.administration.account import Account
from mojo_toolbox.administration.existing_jobs import checkpoints_of, require_job_name, require_no_job
from mojo_toolbox.administration.options import TrainingOptions
from mojo_toolbox.administration.training_choices import TrainingChoices
from mojo_toolbox.administration.training_data import TrainingData
from mojo_toolbox.clouds.aws import names
from mojo_toolbox.clouds.aws.base_model_places import BaseModelPlace, require_base_model_name, require_in_s3
from mojo_toolbox.clouds.aws.container_paths import BASE_MODEL_CHANNEL
from mojo_toolbox.clouds.aws.images import training_image
from mojo_toolbox.clouds.aws.jobs import TrainingJob, TrainingPlan, training_job_request
from mojo_toolbox.clouds.aws.requests import Request, require_instance_type
from mojo_toolbox.clouds.aws.storage import Storage, file_sha256
from mojo_toolbox.errors import ConfigurationError
from mojo_toolbox.names import ModelKey, new_version
from mojo_toolbox.purposes.purpose import PreparedData
from mojo_toolbox.purposes.registry import purpose_of
from mojo_toolbox.serving.artifacts import pack_folder
from mojo_toolbox.shipped import training_scripts_dir


def train(account: Account, options: TrainingOptions, *, dry_run: bool) -> TrainingJob | list[Request]:
    """Start a training job, or return its request."""
    session, overrides = account.session, options.request_overrides
    intent = _decide(account, options)
    storage = account.storage(dry_run=True)
    # Whatever is wrong so far costs nobody the minutes that data and base model take.
    training_job_request(_plan(account, options, intent, storage, dry_run=True), overrides)
    intent.data.require_readable()
    if not dry_run:
        storage = account.usable_storage()
        require_no_job(session, intent.job_name)
    intent.data.require_in_s3(session)
    require_in_s3(intent.choices.base_model, storage)
    plan = _plan(account, options, intent, storage, dry_run=dry_run)
    if options.resume is not None:
        plan = replace(plan, checkpoint_uri=checkpoints_of(session, options.resume))
    if options.confirm is not None and not dry_run:
        options.confirm()
    with tempfile.TemporaryDirectory() as scratch:
        cargo = _prepare(account, intent, storage, Path(scratch))
        request = training_job_request(cargo.told(plan, intent, storage), overrides)
        if dry_run:
            return [request]
        cargo.upload(intent, storage)
    session.call("sagemaker", request.method, **request.parameters)
    return TrainingJob(session, intent.job_name)


@dataclass(frozen=True)
class _TrainingIntent:
    """The training, its names and its data, decided without asking anybody."""

    key: ModelKey
    version: str
    job_name: str
    instance_type: str
    choices: TrainingChoices
    data: TrainingData
    environment: Mapping[str, str]

    @property
    def outputs(self) -> str:
        """Where in the bucket the model's jobs write; SageMaker adds the job's name and "output/model.tar.gz"."""
        return f"{names.s3_prefix(self.key)}/jobs"

    def folder(self, channel: str) -> str:
        """Where in the bucket a channel's data goes."""
        # Two processes may upload for one job_name before AWS refuses one of them. The version keeps their files apart.
        return f"{self.outputs}/{self.job_name}/data/{self.version}/{channel}"


def _decide(account: Account, options: TrainingOptions) -> _TrainingIntent:
    """Check the options by themselves, and name the job."""
    key = account.key(product=options.product, task=options.task, model_id=options.model_id)
    require_job_name("resume", options.resume)
    if options.base_model is not None:
        require_base_model_name(options.base_model)
    choices = TrainingChoices.settle(options)
    instance_type = choices.recipe.instance_type if options.instance_type is None else options.instance_type
    require_instance_type(instance_type, training=True)
    _require_one_instance(options.instance_count)
    account.require_agreed_name(key, account.settings.stage)
    version = new_version()
    job_name = names.versioned(names.job_base(key), version) if options.job_name is None else options.job_name
    return _TrainingIntent(
        key=key,
        version=version,
        job_name=names.require_resource_name("job_name", job_name),
        instance_type=instance_type,
        choices=choices,
        data=TrainingData(options.train_data, options.validation_data, purpose_of(key.task)),
        environment={**account.token_environment(), **choices.environment()},
    )


def _plan(
    account: Account, options: TrainingOptions, intent: _TrainingIntent, storage: Storage, *, dry_run: bool
) -> TrainingPlan:
    """Plan the request, but for the facts of prepared data, base model and code."""
    region_name, recipe, given = account.session.region_name, intent.choices.recipe, options.max_runtime_seconds
    return TrainingPlan(
        job_name=intent.job_name,
        image_uri=training_image(region_name) if options.image_uri is None else options.image_uri,
        role_arn=account.role_arn(dry_run=dry_run),
        instance_type=intent.instance_type,
        instance_count=options.instance_count,
        volume_size_gb=options.volume_size_gb,
        max_runtime_seconds=recipe.max_runtime_seconds if given is None else given,
        program=intent.choices.program,
        hyperparameters=intent.choices.hyperparameters.model_dump(),
        channels={channel: storage.uri(f"{intent.folder(channel)}/") for channel in intent.data.channels},
        source_uri=storage.uri("code/"),
        output_uri=storage.uri(intent.outputs),
        checkpoint_uri=storage.uri(f"{intent.outputs}/{intent.job_name}/checkpoints"),
        environment=intent.environment,
        region_name=region_name,
        tags=names.tags(intent.key, version=intent.version),
    )


@dataclass(frozen=True)
class _Cargo:
    """A job's input, ready on this machine: data, base model and code."""

    train: PreparedData
    held_out: PreparedData | None
    base: BaseModelPlace
    code: Path

    @property
    def code_key(self) -> str:
        """Where the code goes: the same code is uploaded once."""
        return f"code/{file_sha256(self.code)[:16]}/sourcedir.tar.gz"

    def told(self, plan: TrainingPlan, intent: _TrainingIntent, storage: Storage) -> TrainingPlan:
        """Complete a plan by the facts of the prepared input."""
        base = self.base
        return replace(
            plan,
            hyperparameters={
                **intent.choices.told(intent.data.purpose, train=self.train, held_out=self.held_out),
                "base_model": "" if base.uri else base.reference.id,
                "base_model_id": base.reference.id,
                "base_model_revision": base.reference.revision or "",
            },
            channels={**plan.channels, **({BASE_MODEL_CHANNEL: base.uri} if base.uri else {})},
            source_uri=storage.uri(self.code_key),
        )

    def upload(self, intent: _TrainingIntent, storage: Storage) -> None:
        storage.ensure_bucket()
        self.base.upload(storage)
        if not storage.exists(self.code_key):
            storage.upload(self.code, self.code_key)
        for prepared in (self.train, self.held_out):
            if prepared is not None:
                storage.upload(prepared.path, f"{intent.folder(prepared.path.stem)}/{prepared.path.name}")


def _prepare(account: Account, intent: _TrainingIntent, storage: Storage, folder: Path) -> _Cargo:
    # The quick one first, so that its faults are said before the other one is varied for minutes.
    held_out = intent.data.prepare_validation(account.session, folder)
    return _Cargo(
        held_out=held_out,
        train=intent.data.prepare_train(account.session, folder, mix=intent.choices.data_mix),
        base=account.find_base(intent.choices.base_model, storage),
        code=pack_folder(training_scripts_dir(), folder / "sourcedir.tar.gz"),
    )


def _require_one_instance(count: object) -> None:
    if count != 1:
        raise ConfigurationError(
            f"instance_count={count!r} is not supported: the training script runs on one instance. Take an instance type "
            "with more GPUs; all of them are used."
        )
