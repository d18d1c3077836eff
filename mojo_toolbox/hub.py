"""The administrator's door: train, deploy, list, delete."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, overload

from mojo_toolbox.administration.training_choices import ROUTING, TrainingChoices
from mojo_toolbox.clouds.aws import endpoints as aws_endpoints
from mojo_toolbox.clouds.aws import images, jobs, names
from mojo_toolbox.clouds.aws.container_paths import BASE_MODEL_CHANNEL
from mojo_toolbox.clouds.aws.endpoints import Deletion, DeploymentPlan, Endpoint, EndpointSummary, ModelSummary
from mojo_toolbox.clouds.aws.jobs import JobSummary, TrainingJob, TrainingPlan
from mojo_toolbox.clouds.aws.request_rules import UNASKED_ACCOUNT
from mojo_toolbox.clouds.aws.requests import Overrides, Request, require_instance_type
from mojo_toolbox.clouds.aws.session import Session
from mojo_toolbox.clouds.aws.staging import BaseModel, find_base_model, require_base_model_name, require_staged
from mojo_toolbox.clouds.aws.storage import Storage, file_sha256, require_bucket_name, split_file_uri, split_uri
from mojo_toolbox.data.augmentation import Augmentation
from mojo_toolbox.data.task_pool import TaskPool
from mojo_toolbox.errors import AlreadyExistsError, AWSError, ConfigurationError, InvalidNameError, NotFoundError
from mojo_toolbox.names import ModelKey, new_version, require_name
from mojo_toolbox.purposes.routing import PROMPT_VERSION
from mojo_toolbox.purposes.routing.dataset import DataSource, PreparedData, prepare_validation_data, require_readable
from mojo_toolbox.purposes.routing.recipes import SERVING_INSTANCE_TYPES
from mojo_toolbox.serving.artifacts import pack_folder
from mojo_toolbox.serving.packing import TrainedArtifact, pack, require_untrained, staged_bases
from mojo_toolbox.settings import CloudService, load_settings, require_names
from mojo_toolbox.shipped import training_scripts_dir

# The file that the training scripts write into a checkpoint last.
_WHOLE_CHECKPOINT = re.compile(r"checkpoint-\d+/sealed\.json")
_LOCAL_ROLE = "mojo-local"
# A name, or an ARN as SageMaker's API takes it.
_ROLE = re.compile(r"(?:[\w+=,.@/-]{0,511}/)?[\w+=,.@-]{1,64}|arn:aws[a-z-]*:iam::\d{12}:role/?[\w+=,.@/-]+", re.ASCII)


class Hub:
    """Trains and deploys models on SageMaker, or on this machine's local cloud: the same requests either way."""

    def __init__(
        self,
        *,
        cloud_service: CloudService | None = None,
        region_name: str | None = None,
        role: str | None = None,
        bucket: str | None = None,
        home: Path | str | None = None,
        allow_hashed_names: bool | None = None,
    ) -> None:
        """Take settings; what is left out comes from the environment, `.env` or `mojo.toml` (see `Settings`). Sends nothing yet.

        With `allow_hashed_names`, names that AWS does not take as they are get a hash: "Dev_1!" becomes "dev-1---62303fbb19".

        Raises:
            ConfigurationError: a setting that cannot be used.
        """
        self._settings = load_settings(
            cloud_service=cloud_service,
            region_name=region_name,
            role=role,
            bucket=bucket,
            home=home,
            allow_hashed_names=allow_hashed_names,
        )
        self._session = Session(self._settings)

    def __repr__(self) -> str:
        return f"Hub(cloud_service={self._settings.cloud_service!r}, region_name={self._settings.region_name!r})"

    def require_access(self) -> None:
        """Raise unless region, role, credentials and bucket can be used; asks AWS, and changes nothing there.

        Raises:
            ConfigurationError: a setting that is missing or wrong.
            AWSError: AWS refused a call, as for the lack of credentials.
        """
        self._role_arn(dry_run=True)
        self._usable_storage()

    # ------------------------------------------------------------------------------------------------- training

    @overload
    def train(
        self,
        *,
        recipe: str = ...,
        base_model: str | Path | None = None,
        train_data: DataSource,
        validation_data: DataSource | None = None,
        product: str | None = None,
        task: str | None = None,
        model_id: str | None = None,
        instance_type: str | None = None,
        instance_count: int = ...,
        hyperparameters: dict[str, Any] | None = None,
        augmentation: Augmentation | None = None,
        pool: TaskPool | None = None,
        copies: int = ...,
        starter_conversations: int | None = None,
        resume: TrainingJob | str | None = None,
        job_name: str | None = None,
        max_runtime_seconds: int | None = None,
        volume_size_gb: int = ...,
        image_uri: str | None = None,
        request_overrides: Overrides | None = None,
        dry_run: Literal[False] = False,
        confirm: Callable[[], None] | None = None,
    ) -> TrainingJob: ...

    @overload
    def train(self, *, dry_run: Literal[True], **options: Any) -> list[Request]: ...

    def train(  # type: ignore[misc]  # **options of the dry run stands for the arguments below
        self,
        *,
        recipe: str = "plain",
        base_model: str | Path | None = None,
        train_data: DataSource,
        validation_data: DataSource | None = None,
        product: str | None = None,
        task: str | None = None,
        model_id: str | None = None,
        instance_type: str | None = None,
        instance_count: int = 1,
        hyperparameters: dict[str, Any] | None = None,
        augmentation: Augmentation | None = None,
        pool: TaskPool | None = None,
        copies: int = 1,
        starter_conversations: int | None = None,
        resume: TrainingJob | str | None = None,
        job_name: str | None = None,
        max_runtime_seconds: int | None = None,
        volume_size_gb: int = 100,
        image_uri: str | None = None,
        request_overrides: Overrides | None = None,
        dry_run: bool = False,
        confirm: Callable[[], None] | None = None,
    ) -> TrainingJob | list[Request]:
        """Start a training job and return at once; `wait()` on the handle. The instance is billed while it runs.

        Args:
            recipe: "plain" is QLoRA on your data alone; "router", "encoder-router" and "encoder-router-small" bring
                hyperparameters, augmentation and conversations to train on beside yours (docs/choosing-a-router.md). What is
                given here wins.
            base_model: a Hugging Face model id, a folder (staged in S3) or the `s3://` URI of one; left out, the recipe's.
            train_data: routing conversations or chat examples: a path, an `s3://` URI, a list or a `datasets.Dataset`.
            validation_data: the same, held out; the best epoch on it is kept.
            product: the application; with `task` and `model_id` it names the model everywhere. Left out, MOJO_PRODUCT or
                `mojo.toml` says it.
            task: what the model is for, such as "routing"; left out, as for `product`.
            model_id: the fine-tuned model's name; left out, as for `product`.
            instance_type: SageMaker's; left out, the recipe's, which for an encoder has no GPU. The local cloud accepts any and
                uses this machine.
            instance_count: 1; several GPUs of one instance are used by themselves.
            hyperparameters: by transformers' and peft's names; see docs/hyperparameters.md for the defaults.
            augmentation: how routing conversations are varied, newly for each epoch; see `Augmentation` for what is done
                when it is left out, and `AS_IT_STANDS` for conversations that were augmented before.
            pool: distractors and other wordings of tasks to augment with; without it there are none.
            copies: how many differently augmented examples of each routing conversation an epoch has.
            starter_conversations: how many of the conversations that ship with the library an epoch reads beside yours; left
                out, the recipe's number.
            resume: a job that was stopped or failed, or its name: the new one goes on from its newest checkpoint, with
                the same base model, data and hyperparameters (the training script refuses others).
            job_name: the job's name; when left out it is made of product, task, model_id and the time.
            max_runtime_seconds: the job is stopped after this time; left out, the recipe's: 24 hours, for an encoder 6.
            volume_size_gb: disk of the instance, in GB.
            image_uri: another training image than the pinned one.
            request_overrides: fields to merge into a request by operation, such as
                `{"CreateTrainingJob": {"VpcConfig": {…}}}`.
            dry_run: check everything and return the requests without sending any.
            confirm: called once, after all quick checks and before anything is uploaded or billed; an exception in it ends
                the call.

        Raises:
            DataError: data that cannot be used.
            HyperparameterError: an unknown name or a value out of range.
            ConfigurationError: an argument or setting that is missing or wrong.
            AlreadyExistsError: a job of that name exists.
            NotFoundError: there is no job to resume.
            AWSError: AWS refused a call.
        """
        key = self._key(product, task, model_id)
        _require_job("resume", resume)
        if base_model is not None:
            require_base_model_name(base_model)
        choices = TrainingChoices.settle(
            recipe,
            base_model=base_model,
            hyperparameters=hyperparameters,
            augmentation=augmentation,
            pool=pool,
            copies=copies,
            starter_conversations=starter_conversations,
        )
        if instance_type is None:
            instance_type = choices.recipe.instance_type
        require_instance_type(instance_type, training=True)
        _require_one_instance(instance_count)
        self._require_agreed_name(key, self._settings.stage)
        version = new_version()
        name = names.versioned(names.job_base(key), version) if job_name is None else job_name
        names.require_resource_name("job_name", name)
        prefix = f"{names.s3_prefix(key)}/jobs/{name}"
        sources = {"train": train_data, **({} if validation_data is None else {"validation": validation_data})}
        # The version keeps apart what two processes upload for one job_name, of which AWS will refuse one.
        folders = {channel: f"{prefix}/data/{version}/{channel}" for channel in sources}
        storage = self._storage(dry_run=True)
        plan = TrainingPlan(
            job_name=name,
            image_uri=images.training_image(self._session.region_name) if image_uri is None else image_uri,
            role_arn=self._role_arn(dry_run=True),
            instance_type=instance_type,
            instance_count=instance_count,
            volume_size_gb=volume_size_gb,
            max_runtime_seconds=choices.recipe.max_runtime_seconds
            if max_runtime_seconds is None
            else max_runtime_seconds,
            program=choices.program,
            hyperparameters=choices.hyperparameters.model_dump(),
            channels={channel: storage.uri(f"{place}/") for channel, place in folders.items()},
            source_uri=storage.uri("code/"),
            # SageMaker adds the job's name and "output/model.tar.gz".
            output_uri=storage.uri(f"{names.s3_prefix(key)}/jobs"),
            checkpoint_uri=storage.uri(f"{prefix}/checkpoints"),
            environment={**self._hub_token_environment(), **choices.environment()},
            region_name=self._session.region_name,
            tags=names.tags(key, version=version),
        )
        # Whatever is wrong so far costs nobody the minutes that data and base model take.
        jobs.training_job_request(plan, request_overrides)
        self._require_sources(sources.values())
        if not dry_run:
            storage = self._usable_storage()
            self._require_no_job(name)
        self._require_sources_in_s3(sources.values())
        require_staged(choices.base_model, storage)
        plan = replace(
            plan,
            role_arn=self._role_arn(dry_run=dry_run),
            channels={channel: storage.uri(f"{place}/") for channel, place in folders.items()},
            output_uri=storage.uri(f"{names.s3_prefix(key)}/jobs"),
            checkpoint_uri=storage.uri(f"{prefix}/checkpoints") if resume is None else self._checkpoints_of(resume),
        )
        if confirm is not None and not dry_run:
            confirm()
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            # The quick one first: what is wrong with it is said before the other one is varied for minutes.
            held_out = self._held_out(validation_data, folder)
            train = choices.prepare(self._on_disk(train_data, folder), folder / "train.jsonl")
            base = self._find_base(choices.base_model, storage)
            code = pack_folder(training_scripts_dir(), folder / "sourcedir.tar.gz")
            code_key = f"code/{file_sha256(code)[:16]}/sourcedir.tar.gz"
            plan = replace(
                plan,
                hyperparameters={
                    **choices.told(task=key.task, train=train, held_out=held_out),
                    "base_model": "" if base.uri else base.reference.id,
                    "base_model_id": base.reference.id,
                    "base_model_revision": base.reference.revision or "",
                },
                channels={**plan.channels, **({BASE_MODEL_CHANNEL: base.uri} if base.uri else {})},
                source_uri=storage.uri(code_key),
            )
            request = jobs.training_job_request(plan, request_overrides)
            if dry_run:
                return [request]
            storage.ensure_bucket()
            base.stage(storage)
            if not storage.exists(code_key):
                storage.upload(code, code_key)
            for prepared in (train, held_out):
                if prepared is not None:
                    storage.upload(prepared.path, f"{folders[prepared.path.stem]}/{prepared.path.name}")
        self._send(request)
        return TrainingJob(self._session, name)

    def jobs(
        self, *, product: str | None = None, task: str | None = None, model_id: str | None = None, limit: int = 100
    ) -> list[JobSummary]:
        """Return the training jobs that this library started, newest first, at most `limit`.

        Raises:
            ConfigurationError: `limit` is no number of jobs.
            InvalidNameError: a part of the name that cannot be used.
        """
        if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
            raise ConfigurationError(f"limit={limit!r} must be a whole number of at least 1.")
        given = {"product": product, "task": task, "model_id": model_id}
        wanted = {field: require_name(field, name) for field, name in given.items() if name is not None}
        return jobs.list_jobs(self._session, limit=limit, wanted=wanted)

    def job(self, name: str) -> TrainingJob:
        """Return the handle on the job `name`.

        Raises:
            InvalidNameError: no job can have this name.
            NotFoundError: there is no such job.
        """
        _require_job("name", name)
        job = TrainingJob(self._session, name)
        try:
            job.describe()
        except NotFoundError as error:
            raise NotFoundError(f"There is no training job {name!r}. See hub.jobs().", code=error.code) from error
        return job

    # ------------------------------------------------------------------------------------------------ deployment

    @overload
    def deploy(
        self,
        *,
        product: str | None = None,
        task: str | None = None,
        model_id: str | None = None,
        stage: str | None = None,
        instance_type: str | None = None,
        instance_count: int = ...,
        job: TrainingJob | str | None = None,
        model_data: str | None = None,
        base_model: str | Path | None = None,
        encoder: TrainingJob | str | None = None,
        image_uri: str | None = None,
        environment: dict[str, str] | None = None,
        request_overrides: Overrides | None = None,
        dry_run: Literal[False] = False,
        confirm: Callable[[], None] | None = None,
    ) -> Endpoint: ...

    @overload
    def deploy(self, *, dry_run: Literal[True], **options: Any) -> list[Request]: ...

    def deploy(  # type: ignore[misc]  # **options of the dry run stands for the arguments below
        self,
        *,
        product: str | None = None,
        task: str | None = None,
        model_id: str | None = None,
        stage: str | None = None,
        instance_type: str | None = None,
        instance_count: int = 1,
        job: TrainingJob | str | None = None,
        model_data: str | None = None,
        base_model: str | Path | None = None,
        encoder: TrainingJob | str | None = None,
        image_uri: str | None = None,
        environment: dict[str, str] | None = None,
        request_overrides: Overrides | None = None,
        dry_run: bool = False,
        confirm: Callable[[], None] | None = None,
    ) -> Endpoint | list[Request]:
        """Put a model on the endpoint of this stage and return at once; `wait()` on the handle. Billed until deleted.

        What is deployed: `model_data`, else the artifact of `job`, else a `base_model` that nobody trained, else the newest
        completed job of this product, task and model_id. A stage that exists is updated without an interruption, and
        `wait()` then removes the superseded configuration and model.

        Args:
            product: as in `train()`.
            task: as in `train()`.
            model_id: as in `train()`.
            stage: "dev", "prod" or another; each has an endpoint of its own. Left out, MOJO_STAGE or `mojo.toml`, else "dev".
            instance_type: SageMaker's; left out, one without a GPU for an encoder (ml.c7i.xlarge), and with one for a language
                model (ml.g5.xlarge). The local cloud accepts any and uses this machine.
            instance_count: how many instances answer.
            job: the training job, or its name, whose artifact is deployed.
            model_data: the `s3://` URI of an artifact.
            base_model: as in `train()`. Beside `model_data` or `job`, where the artifact's base model is read from.
            encoder: the training job of an encoder router, or its name, that answers together with this model, a language
                model or another encoder router (MOJO_ENCODER_WEIGHT in `environment`), and shortens lists of more than 20
                tasks for a language model (MOJO_SHORTLIST).
            image_uri: another serving image than the pinned one.
            environment: variables for the container.
            request_overrides: fields to merge into a request by operation, as in `train()`.
            dry_run: check everything and return the requests without sending any that change something. A trained model is
                read from S3 for it, which needs credentials.
            confirm: as in `train()`.

        Raises:
            NotFoundError: no completed job, or no such artifact.
            ArtifactError: an artifact, or the prompt it was trained on, that this version of the library does not know.
            ConfigurationError: an argument or setting that is missing or wrong.
            AWSError: AWS refused a call.
        """
        key = self._key(product, task, model_id)
        stage = self._settings.stage if stage is None else stage
        if instance_type is not None:
            require_instance_type(instance_type, training=False)
        if environment is not None and not isinstance(environment, Mapping):
            raise ConfigurationError('environment must be a dictionary such as {"NAME": "value"}.')
        _require_one_model(job=job, model_data=model_data, base_model=base_model, encoder=encoder)
        version = new_version()
        version_base = names.deployment_base(key, stage)
        version_name = names.versioned(version_base, version)
        endpoint_name = names.endpoint_name(key, stage)
        storage = self._storage(dry_run=True)
        artifact_key = f"{names.s3_prefix(key)}/deployments/{version}/model.tar.gz"
        any_type = instance_type or SERVING_INSTANCE_TYPES["language_model"]
        plan = DeploymentPlan(
            endpoint_name=endpoint_name,
            version_name=version_name,
            image_uri=images.serving_image(self._session.region_name, any_type) if image_uri is None else image_uri,
            role_arn=self._role_arn(dry_run=True),
            model_data_uri=storage.uri(artifact_key),
            staged={},
            environment=environment or {},
            instance_type=any_type,
            instance_count=instance_count,
            tags=names.tags(key, stage=stage, version=version),
        )
        # Whatever is wrong so far costs nobody the minutes that artifact and base model take.
        for known in (False, True):
            aws_endpoints.deployment_requests(plan, update=known, overrides=request_overrides)
        update = self._require_stage(key, stage, dry_run=dry_run)
        if not dry_run:
            storage = self._usable_storage()
        trained = self._trained_artifact(key, job=job, model_data=model_data, base_model=base_model)
        beside = None if encoder is None else self._encoder_artifact(encoder)
        for base in staged_bases(trained, base_model=base_model, encoder=beside):
            require_staged(base, storage)
        with tempfile.TemporaryDirectory() as scratch:
            artifact = Path(scratch) / "model.tar.gz"
            if confirm is not None and not dry_run:
                confirm()
            packed = pack(
                trained,
                artifact,
                storage,
                encoder=beside,
                base_model=base_model,
                find_base=lambda name: self._find_base(name, storage),
                prompt_version=PROMPT_VERSION if key.task == ROUTING else None,
            )
            instance_type = instance_type or SERVING_INSTANCE_TYPES[packed.kind]
            requests = aws_endpoints.deployment_requests(
                replace(
                    plan,
                    image_uri=images.serving_image(self._session.region_name, instance_type)
                    if image_uri is None
                    else image_uri,
                    role_arn=self._role_arn(dry_run=dry_run),
                    model_data_uri=storage.uri(artifact_key),
                    staged=packed.staged,
                    environment={
                        **packed.environment,
                        **self._hub_token_environment(),
                        **(environment or {}),
                    },
                    instance_type=instance_type,
                ),
                update=update,
                overrides=request_overrides,
            )
            if dry_run:
                return requests
            storage.ensure_bucket()
            packed.stage(storage)
            storage.upload(artifact, artifact_key)
        if not update:
            self._remove_failed(endpoint_name)
        endpoint = Endpoint(self._session, endpoint_name, version_base=version_base, expected_config=version_name)
        self._send_all(requests, endpoint)
        return endpoint

    def endpoints(self) -> list[EndpointSummary]:
        """Return the endpoints that this library made, newest first."""
        return aws_endpoints.list_endpoints(self._session)

    def models(self) -> list[ModelSummary]:
        """Return the deployed model versions that this library made, newest first."""
        return aws_endpoints.list_models(self._session)

    def endpoint(
        self,
        *,
        product: str | None = None,
        task: str | None = None,
        model_id: str | None = None,
        stage: str | None = None,
    ) -> Endpoint:
        """Return the handle on an endpoint, whether or not it exists. Names that are left out: as in `deploy()`."""
        key = self._key(product, task, model_id)
        stage = self._settings.stage if stage is None else stage
        name = names.endpoint_name(key, stage)
        about_name = names.about_hash(key, stage)
        return Endpoint(self._session, name, version_base=names.deployment_base(key, stage), about_name=about_name)

    def delete(
        self,
        *,
        product: str | None = None,
        task: str | None = None,
        model_id: str | None = None,
        stage: str | None = None,
    ) -> Deletion:
        """Remove a stage: its endpoint, configurations and models. Training jobs and artifacts in S3 stay.

        What could not be removed stands in the answer's `failed` with AWS's reason. Where nothing was there, the answer's
        text says under which name it was looked for.
        """
        return self.endpoint(product=product, task=task, model_id=model_id, stage=stage).delete()

    # --------------------------------------------------------------------------------------------- what they share

    def _key(self, product: str | None, task: str | None, model_id: str | None) -> ModelKey:
        return ModelKey(**require_names(self._settings, product=product, task=task, model_id=model_id))

    def _storage(self, *, dry_run: bool) -> Storage:
        bucket = self._settings.bucket
        if bucket is not None:
            require_bucket_name(bucket)
        else:
            account = UNASKED_ACCOUNT if dry_run else self._session.account_id
            bucket = names.default_bucket(self._session.region_name, account)
        return Storage(self._session, bucket)

    def _role_arn(self, *, dry_run: bool) -> str:
        role = self._settings.role or (_LOCAL_ROLE if self._session.is_local else None)
        if role is None:
            raise ConfigurationError(
                "SageMaker needs an execution role. Pass role='…' (a name or an ARN), or set MOJO_ROLE or SAGEMAKER_ROLE."
            )
        if not _ROLE.fullmatch(role):
            raise ConfigurationError(
                f"role={role!r} is neither a role's name nor its ARN, such as arn:aws:iam::111122223333:role/MojoSageMaker."
            )
        if role.startswith("arn:"):
            return role
        return names.role_arn(role, self._session.region_name, UNASKED_ACCOUNT if dry_run else self._session.account_id)

    def _hub_token_environment(self) -> dict[str, str]:
        """Name the secret that holds the hub's token; the token itself never travels."""
        arn = self._settings.hf_token_secret_arn
        return {} if arn is None or self._session.is_local else {"MOJO_HF_TOKEN_SECRET_ARN": arn}

    def _usable_storage(self) -> Storage:
        """Return the bucket, once AWS has said that the credentials are good and that it can be used."""
        storage = self._storage(dry_run=False)
        storage.require_usable()
        return storage

    def _require_sources(self, sources: Iterable[DataSource]) -> None:
        """Refuse data that is plainly not usable, without asking AWS."""
        for source in sources:
            if isinstance(source, str) and source.startswith("s3://"):
                split_file_uri(source)
            else:
                require_readable(source)

    def _require_sources_in_s3(self, sources: Iterable[DataSource]) -> None:
        for source in sources:
            if isinstance(source, str) and source.startswith("s3://"):
                Storage(self._session, split_uri(source)[0]).require_object(source)

    def _on_disk(self, data: DataSource, folder: Path) -> DataSource:
        """Bring data that lies in S3 to this machine; leave the rest as it is."""
        if not isinstance(data, str) or not data.startswith("s3://"):
            return data
        path = folder / f"from-s3-{len(list(folder.iterdir()))}.jsonl"
        Storage(self._session, split_uri(data)[0]).download(data, path)
        return path

    def _held_out(self, validation_data: DataSource | None, folder: Path) -> PreparedData | None:
        if validation_data is None:
            return None
        return prepare_validation_data(self._on_disk(validation_data, folder), folder / "validation.jsonl")

    def _find_base(self, name: str, storage: Storage) -> BaseModel:
        token = self._settings.hf_token
        return find_base_model(
            name,
            storage,
            cache_dir=self._settings.home / "base_models",
            token=token.get_secret_value() if token else None,
            # A container on AWS reads the hub by itself; on this machine we know already whether it can.
            look_up=self._session.is_local,
        )

    def _require_no_job(self, name: str) -> None:
        """Refuse a taken name before anything is uploaded over the other job's data."""
        try:
            TrainingJob(self._session, name).describe()
        except NotFoundError:
            return
        raise AlreadyExistsError(f"A training job named {name!r} exists. Leave job_name out, or choose another.")

    def _checkpoints_of(self, job: TrainingJob | str) -> str:
        """Return where the checkpoints to go on from lie, if nobody writes there any more."""
        resumed = self.job(job) if isinstance(job, str) else job
        if resumed.status in {"InProgress", "Stopping"}:
            raise ConfigurationError(f"{resumed.name} still runs: stop it first, or let it end.")
        if resumed.checkpoint_uri is None:
            raise ConfigurationError(f"{resumed.name} kept no checkpoints: start without resume=….")
        held = Storage(self._session, split_uri(resumed.checkpoint_uri)[0]).names_below(resumed.checkpoint_uri)
        if not any(_WHOLE_CHECKPOINT.fullmatch(name) for name in held):
            raise ConfigurationError(
                f"{resumed.name} is {resumed.status} and left no checkpoint to go on from. Start without resume=…, or with a "
                "smaller save_steps to have checkpoints sooner."
            )
        return resumed.checkpoint_uri

    def _trained_artifact(
        self, key: ModelKey, *, job: TrainingJob | str | None, model_data: str | None, base_model: str | Path | None
    ) -> TrainedArtifact | None:
        """Find the artifact to deploy; None when a base model is to be deployed as it is."""
        if model_data is not None:
            Storage(self._session, split_uri(model_data)[0]).require_object(model_data)
            return TrainedArtifact(uri=model_data)
        if job is not None:
            return self._artifact_of(self._as_job(job))
        if base_model is not None:
            return None
        return self._artifact_of(self._newest_completed(key))

    def _encoder_artifact(self, encoder: TrainingJob | str) -> TrainedArtifact:
        try:
            return self._artifact_of(self._as_job(encoder))
        except NotFoundError as error:
            raise NotFoundError(
                f"encoder takes the name of a training job, as `mojo ls` lists them. {error}", code=error.code
            ) from error

    def _as_job(self, job: TrainingJob | str) -> TrainingJob:
        return job if isinstance(job, TrainingJob) else self.job(job)

    def _artifact_of(self, handle: TrainingJob) -> TrainedArtifact:
        description = handle.describe()
        uri = description.get("ModelArtifacts", {}).get("S3ModelArtifacts")
        if description["TrainingJobStatus"] != "Completed" or not uri:
            raise NotFoundError(jobs.why_no_model(self._session, description))
        return TrainedArtifact(uri=uri, staged_base_uri=jobs.channel_uri(description, BASE_MODEL_CHANNEL))

    def _newest_completed(self, key: ModelKey) -> TrainingJob:
        wanted = {"product": key.product, "task": key.task, "model_id": key.model_id}
        for newest in jobs.list_jobs(self._session, status="Completed", wanted=wanted, limit=1):
            return TrainingJob(self._session, newest.name)
        begun = jobs.list_jobs(self._session, wanted=wanted, limit=1)
        newest_begun = f" The newest, {begun[0].name}, is {begun[0].status}." if begun else ""
        raise NotFoundError(
            f"No completed training job of {key.product}/{key.task}/{key.model_id}.{newest_begun} "
            "Train one, or deploy an untrained model with base_model=…"
        )

    def _require_stage(self, key: ModelKey, stage: str, *, dry_run: bool) -> bool:
        """Return whether the stage's endpoint is there to be updated; refuse one on its way, or a new name nobody agreed to."""
        name = names.endpoint_name(key, stage)
        try:
            status = None if dry_run else self._endpoint_status(name)
        except (AWSError, ConfigurationError):
            # What is wrong with the name is said first: it needs nobody's credentials.
            self._require_agreed_name(key, stage)
            raise
        if status is None:
            self._require_agreed_name(key, stage)
        if status not in {None, "Failed", "OutOfService", "InService"}:
            raise AlreadyExistsError(f"Endpoint {name!r} is {status}. Wait until it has settled, then deploy again.")
        return status == "InService"

    def _require_agreed_name(self, key: ModelKey, stage: str) -> None:
        if not self._settings.allow_hashed_names:
            names.require_unhashed(key, stage)

    def _endpoint_status(self, name: str) -> str | None:
        try:
            return Endpoint(self._session, name, version_base="").status
        except NotFoundError:
            return None

    def _remove_failed(self, endpoint_name: str) -> None:
        """Remove an endpoint that failed: AWS cannot update it, and its name is wanted."""
        if self._endpoint_status(endpoint_name) in {"Failed", "OutOfService"}:
            self._session.call("sagemaker", "delete_endpoint", EndpointName=endpoint_name)

    def _send_all(self, requests: list[Request], endpoint: Endpoint) -> None:
        """Send the deployment's requests; when one is refused, take back the ones before it."""
        sent: list[Request] = []
        try:
            for request in requests:
                self._send(request)
                sent.append(request)
        except BaseException as error:  # Ctrl-C too
            # Interrupted in the last request, which may have arrived: what the endpoint stands on must stay.
            if isinstance(error, AWSError) or len(sent) < len(requests) - 1:
                for request in reversed(sent):
                    endpoint.take_back(request)
            raise
        if requests[-1].operation == "UpdateEndpoint":
            arn = endpoint.describe()["EndpointArn"]
            tags = requests[0].parameters["Tags"]
            self._session.call("sagemaker", "add_tags", ResourceArn=arn, Tags=tags)

    def _send(self, request: Request) -> None:
        self._session.call("sagemaker", request.method, **request.parameters)


def _require_one_instance(count: object) -> None:
    if count != 1:
        raise ConfigurationError(
            f"instance_count={count!r} is not supported: the training script runs on one instance. Take an instance type "
            "with more GPUs; all of them are used."
        )


def _require_job(argument: str, given: object) -> None:
    """Refuse what can be no training job, without asking AWS."""
    if given is not None and not isinstance(given, TrainingJob) and not names.is_resource_name(given):
        raise InvalidNameError(
            f"{argument}={given!r:.80} is no name of a training job: letters, digits and inner dashes, at most "
            f"{names.MAX_NAME_LENGTH}. See hub.jobs()."
        )


def _require_one_model(
    *,
    job: TrainingJob | str | None,
    model_data: str | None,
    base_model: str | Path | None,
    encoder: TrainingJob | str | None,
) -> None:
    """Refuse what names two models to deploy, or none that can be; asks nobody."""
    _require_job("job", job)
    _require_job("encoder", encoder)
    if model_data is not None and job is not None:
        raise ConfigurationError("Give either model_data or job: they name the same thing.")
    if model_data is not None:
        split_file_uri(model_data)
    if base_model is not None:
        require_base_model_name(base_model)
        if job is model_data is None:
            require_untrained(base_model, encoder_given=encoder is not None)
