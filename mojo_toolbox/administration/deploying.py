"""Deploying: everything is decided and checked, the cheap things first, then an endpoint is made or updated."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from mojo_toolbox.administration.account import Account
from mojo_toolbox.administration.existing_jobs import (
    artifact_of,
    existing_job,
    newest_completed_job,
    require_job_name,
)
from mojo_toolbox.administration.options import DeploymentOptions
from mojo_toolbox.clouds.aws import names
from mojo_toolbox.clouds.aws.base_model_places import require_base_model_name, require_in_s3
from mojo_toolbox.clouds.aws.deployments import DeploymentPlan, deployment_requests, send_deployment
from mojo_toolbox.clouds.aws.endpoints import Endpoint
from mojo_toolbox.clouds.aws.jobs import TrainingJob
from mojo_toolbox.clouds.aws.requests import Request, require_instance_type
from mojo_toolbox.clouds.aws.storage import Storage, split_file_uri, split_uri
from mojo_toolbox.errors import AlreadyExistsError, AWSError, ConfigurationError, NotFoundError
from mojo_toolbox.names import ModelKey, new_version, require_name
from mojo_toolbox.purposes.registry import purpose_of
from mojo_toolbox.serving.containers import find_container
from mojo_toolbox.serving.packing import Packed, TrainedArtifact, named_bases, pack, require_untrained
from mojo_toolbox.serving.serving_container import ServingContainer


def deploy(account: Account, options: DeploymentOptions, *, dry_run: bool) -> Endpoint | list[Request]:
    """Make the stage's endpoint, or update it, or return the requests that would."""
    session, overrides = account.session, options.request_overrides
    intent = _decide(account, options)
    storage = account.storage(dry_run=True)
    plan = _plan(account, options, intent, storage)
    # Whatever is wrong so far costs nobody the minutes that artifact and base model take.
    for known in (False, True):
        deployment_requests(plan, update=known, overrides=overrides)
    update = _is_update(account, intent, dry_run=dry_run)
    if not dry_run:
        storage = account.usable_storage()
    model = _find_model(account, options, intent)
    for name in named_bases(model.trained, base_model=options.base_model, encoder=model.encoder):
        require_in_s3(name, storage)
    if options.confirm is not None and not dry_run:
        options.confirm()
    with tempfile.TemporaryDirectory() as scratch:
        artifact = Path(scratch) / "model.tar.gz"
        packed = _pack(account, options, intent, model, artifact=artifact, storage=storage)
        plan = _completed(plan, account, options, intent, packed, storage=storage, dry_run=dry_run)
        requests = deployment_requests(plan, update=update, overrides=overrides)
        if dry_run:
            return requests
        storage.ensure_bucket()
        for base in packed.bases.values():
            base.upload(storage)
        storage.upload(artifact, intent.artifact_key)
    endpoint = intent.endpoint(account)
    if not update:
        endpoint.remove_failed()
    send_deployment(session, requests, endpoint)
    return endpoint


@dataclass(frozen=True)
class _DeploymentIntent:
    """The model, its names and its container, decided without asking anybody."""

    key: ModelKey
    stage: str
    version: str
    container: ServingContainer

    @property
    def endpoint_name(self) -> str:
        return names.endpoint_name(self.key, self.stage)

    @property
    def version_base(self) -> str:
        """The beginning of the names of all models and configurations behind the endpoint."""
        return names.deployment_base(self.key, self.stage)

    @property
    def version_name(self) -> str:
        return names.versioned(self.version_base, self.version)

    @property
    def artifact_key(self) -> str:
        """Where in the bucket the deployed artifact goes."""
        return f"{names.s3_prefix(self.key)}/deployments/{self.version}/model.tar.gz"

    def endpoint(self, account: Account) -> Endpoint:
        """Return the handle that waits for this version."""
        return Endpoint(
            account.session,
            self.endpoint_name,
            version_base=self.version_base,
            expected_config=self.version_name,
        )


@dataclass(frozen=True)
class _DeployedModel:
    """A trained model or (None) a base model as it is, and an encoder that answers with it."""

    trained: TrainedArtifact | None
    encoder: TrainedArtifact | None


def _decide(account: Account, options: DeploymentOptions) -> _DeploymentIntent:
    """Check the options by themselves, and name the version."""
    key = account.key(product=options.product, task=options.task, model_id=options.model_id)
    stage = account.stage(options.stage)
    if options.instance_type is not None:
        require_instance_type(options.instance_type, training=False)
    if options.environment is not None and not isinstance(options.environment, Mapping):
        raise ConfigurationError('environment must be a dictionary such as {"NAME": "value"}.')
    _require_one_model(options)
    container = find_container(options.container)
    return _DeploymentIntent(key=key, stage=require_name("stage", stage), version=new_version(), container=container)


def _require_one_model(options: DeploymentOptions) -> None:
    """Refuse options that name two models to deploy, or one that cannot be deployed. Asks nobody."""
    require_job_name("job", options.job)
    require_job_name("encoder", options.encoder)
    if options.model_data is not None and options.job is not None:
        raise ConfigurationError("Give either model_data or job: they name the same thing.")
    if options.model_data is not None:
        split_file_uri(options.model_data)
    if options.base_model is not None:
        require_base_model_name(options.base_model)
        if options.job is options.model_data is None:
            require_untrained(options.base_model, encoder_given=options.encoder is not None)


def _plan(account: Account, options: DeploymentOptions, intent: _DeploymentIntent, storage: Storage) -> DeploymentPlan:
    """Plan the requests, but for the facts of the packed artifact."""
    instance_type = options.instance_type or intent.container.instance_type("language_model")
    return DeploymentPlan(
        endpoint_name=intent.endpoint_name,
        version_name=intent.version_name,
        image_uri=_image(account, options, intent, instance_type),
        role_arn=account.role_arn(dry_run=True),
        model_data_uri=storage.uri(intent.artifact_key),
        mounted={},
        environment=options.environment or {},
        instance_type=instance_type,
        instance_count=options.instance_count,
        tags=names.tags(intent.key, stage=intent.stage, version=intent.version),
    )


def _completed(
    plan: DeploymentPlan,
    account: Account,
    options: DeploymentOptions,
    intent: _DeploymentIntent,
    packed: Packed,
    *,
    storage: Storage,
    dry_run: bool,
) -> DeploymentPlan:
    """Complete a plan by the facts of the packed artifact."""
    instance_type = options.instance_type or intent.container.instance_type(packed.kind)
    return replace(
        plan,
        image_uri=_image(account, options, intent, instance_type),
        role_arn=account.role_arn(dry_run=dry_run),
        model_data_uri=storage.uri(intent.artifact_key),
        mounted=packed.mounted,
        environment={**packed.environment, **account.token_environment(), **(options.environment or {})},
        instance_type=instance_type,
    )


def _image(account: Account, options: DeploymentOptions, intent: _DeploymentIntent, instance_type: str) -> str:
    if options.image_uri is not None:
        return options.image_uri
    return intent.container.image(region_name=account.session.region_name, instance_type=instance_type)


def _is_update(account: Account, intent: _DeploymentIntent, *, dry_run: bool) -> bool:
    """Return whether the endpoint is there to be updated. Refuse one on its way, or a new name nobody agreed to."""
    try:
        status = None if dry_run else intent.endpoint(account).status_if_there()
    except (AWSError, ConfigurationError):
        # A fault of the name is said first, because finding it needs nobody's credentials.
        account.require_agreed_name(intent.key, intent.stage)
        raise
    if status is None:
        account.require_agreed_name(intent.key, intent.stage)
    if status not in {None, "Failed", "OutOfService", "InService"}:
        name = intent.endpoint_name
        raise AlreadyExistsError(f"Endpoint {name!r} is {status}. Wait until it has settled, then deploy again.")
    return status == "InService"


def _find_model(account: Account, options: DeploymentOptions, intent: _DeploymentIntent) -> _DeployedModel:
    trained = _trained_artifact(account, options, intent)
    return _DeployedModel(trained, None if options.encoder is None else _encoder_artifact(account, options.encoder))


def _trained_artifact(
    account: Account, options: DeploymentOptions, intent: _DeploymentIntent
) -> TrainedArtifact | None:
    """Find the artifact to deploy. Return None if a base model is to be deployed unchanged."""
    session = account.session
    if options.model_data is not None:
        Storage(session, split_uri(options.model_data)[0]).require_object(options.model_data)
        return TrainedArtifact(uri=options.model_data)
    if options.job is not None:
        return artifact_of(session, existing_job(session, options.job))
    if options.base_model is not None:
        return None
    return artifact_of(session, newest_completed_job(session, intent.key))


def _encoder_artifact(account: Account, encoder: TrainingJob | str) -> TrainedArtifact:
    try:
        return artifact_of(account.session, existing_job(account.session, encoder))
    except NotFoundError as error:
        raise NotFoundError(
            f"encoder takes the name of a training job, as `mojo ls` lists them. {error}", code=error.code
        ) from error


def _pack(
    account: Account,
    options: DeploymentOptions,
    intent: _DeploymentIntent,
    model: _DeployedModel,
    *,
    artifact: Path,
    storage: Storage,
) -> Packed:
    """Write the archive that the endpoint's container unpacks."""
    return pack(
        model.trained,
        artifact,
        container=intent.container,
        fetch=storage.download,
        encoder=model.encoder,
        base_model=options.base_model,
        find_base=lambda name: account.find_base(name, storage),
        prompt_version=purpose_of(intent.key.task).prompt_version,
    )
