"""The administrator's door: train, deploy, list, delete."""

from __future__ import annotations

from pathlib import Path

from mojo_toolbox.administration import deploying, listing, training
from mojo_toolbox.administration.account import Account
from mojo_toolbox.administration.door_methods import takes
from mojo_toolbox.administration.existing_jobs import existing_job
from mojo_toolbox.administration.listing import EndpointSummary, JobSummary, ModelSummary
from mojo_toolbox.administration.options import DeploymentOptions, TrainingOptions
from mojo_toolbox.clouds.aws import names
from mojo_toolbox.clouds.aws.endpoints import Deletion, Endpoint
from mojo_toolbox.clouds.aws.jobs import TrainingJob
from mojo_toolbox.clouds.aws.requests import Request
from mojo_toolbox.settings import CloudService, load_settings


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
        """Take settings, and send nothing yet.

        Settings that you leave out come from the environment, `.env` or `mojo.toml` (see `Settings`).

        With `allow_hashed_names`, names that AWS does not take as they are get a hash: "Dev_1!" becomes "dev-1---62303fbb19".

        Raises:
            ConfigurationError: a setting that cannot be used.
        """
        self._account = Account(
            load_settings(
                cloud_service=cloud_service,
                region_name=region_name,
                role=role,
                bucket=bucket,
                home=home,
                allow_hashed_names=allow_hashed_names,
            )
        )
        self._session = self._account.session

    def __repr__(self) -> str:
        settings = self._account.settings
        return f"Hub(cloud_service={settings.cloud_service!r}, region_name={settings.region_name!r})"

    def require_access(self) -> None:
        """Raise unless region, role, credentials and bucket can be used. This asks AWS, and changes nothing there.

        Raises:
            ConfigurationError: a setting that is missing or wrong.
            AWSError: AWS refused a call, as for the lack of credentials.
        """
        self._account.require_access()

    @takes(TrainingOptions)
    def train(self, options: TrainingOptions, dry_run: bool) -> TrainingJob | list[Request]:
        """Start a training job and return a handle at once, which has `wait()`. The instance is billed while it runs.

        With `dry_run=True` everything is checked, and the requests are returned without sending any.

        Raises:
            DataError: data that cannot be used.
            HyperparameterError: an unknown name or a value out of range.
            ConfigurationError: an argument or setting that is missing or wrong.
            AlreadyExistsError: a job of that name exists.
            NotFoundError: there is no job to resume.
            AWSError: AWS refused a call.
        """
        return training.train(self._account, options, dry_run=dry_run)

    def jobs(
        self, *, product: str | None = None, task: str | None = None, model_id: str | None = None, limit: int = 100
    ) -> list[JobSummary]:
        """Return the training jobs that this library started, newest first, at most `limit`.

        Raises:
            ConfigurationError: `limit` is not a number of jobs.
            InvalidNameError: a part of the name that cannot be used.
        """
        wanted = {"product": product, "task": task, "model_id": model_id}
        return listing.list_jobs(self._session, limit=limit, wanted=wanted)

    def job(self, name: str) -> TrainingJob:
        """Return the handle on the job `name`.

        Raises:
            InvalidNameError: no job can have this name.
            NotFoundError: there is no such job.
        """
        return existing_job(self._session, name)

    @takes(DeploymentOptions)
    def deploy(self, options: DeploymentOptions, dry_run: bool) -> Endpoint | list[Request]:
        """Put a model on the endpoint of this stage and return a handle at once, which has `wait()`. Billed until deleted.

        The model is `model_data`, else the artifact of `job`, else an untrained `base_model`. Without these three, it is the
        artifact of the newest completed job of this product, task and model_id. An existing stage is updated without an
        interruption, and `wait()` then removes the superseded configuration and model.

        With `dry_run=True` everything is checked, and the requests are returned without sending any that change something.
        A trained model is read from S3 for it, which needs credentials.

        Raises:
            NotFoundError: no completed job, or no such artifact.
            ArtifactError: an artifact, or the prompt it was trained on, that this version of the library does not know.
            ConfigurationError: an argument or setting that is missing or wrong.
            AWSError: AWS refused a call.
        """
        return deploying.deploy(self._account, options, dry_run=dry_run)

    def endpoints(self) -> list[EndpointSummary]:
        """Return the endpoints that this library made, newest first."""
        return listing.list_endpoints(self._session)

    def models(self) -> list[ModelSummary]:
        """Return the deployed model versions that this library made, newest first."""
        return listing.list_models(self._session)

    def endpoint(
        self,
        *,
        product: str | None = None,
        task: str | None = None,
        model_id: str | None = None,
        stage: str | None = None,
    ) -> Endpoint:
        """Return the handle on an endpoint, whether or not it exists. Names that you leave out come from the settings."""
        key, stage = self._account.key(product=product, task=task, model_id=model_id), self._account.stage(stage)
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

        The answer's `failed` lists each thing that AWS did not remove, with AWS's reason. If nothing was there, the answer's
        text names the endpoint that it looked for.
        """
        return self.endpoint(product=product, task=task, model_id=model_id, stage=stage).delete()
