"""Training jobs that an administrator names: checked, found, with their artifacts and checkpoints."""

from __future__ import annotations

import re

from mojo_toolbox.administration.listing import list_jobs
from mojo_toolbox.clouds.aws import names
from mojo_toolbox.clouds.aws.container_paths import BASE_MODEL_CHANNEL
from mojo_toolbox.clouds.aws.jobs import TrainingJob, channel_uri, why_no_model
from mojo_toolbox.clouds.aws.session import Session
from mojo_toolbox.clouds.aws.storage import Storage, split_uri
from mojo_toolbox.errors import AlreadyExistsError, ConfigurationError, InvalidNameError, NotFoundError
from mojo_toolbox.names import ModelKey
from mojo_toolbox.serving.packing import TrainedArtifact

# The file that the training scripts write into a checkpoint last.
_WHOLE_CHECKPOINT = re.compile(r"checkpoint-\d+/sealed\.json")


def require_job_name(argument: str, given: object) -> None:
    """Refuse a value that cannot be a training job, without asking AWS. None and handles pass."""
    if given is not None and not isinstance(given, TrainingJob) and not names.is_resource_name(given):
        raise InvalidNameError(
            f"{argument}={given!r:.80} is no name of a training job: letters, digits and inner dashes, at most "
            f"{names.MAX_NAME_LENGTH}. See hub.jobs()."
        )


def require_no_job(session: Session, name: str) -> None:
    """Refuse a taken name before anything is uploaded over the other job's data."""
    try:
        TrainingJob(session, name).describe()
    except NotFoundError:
        return
    raise AlreadyExistsError(f"A training job named {name!r} exists. Leave job_name out, or choose another.")


def existing_job(session: Session, job: TrainingJob | str) -> TrainingJob:
    """Return the handle on a job that is given by its name, once AWS has described it. A handle is returned as it is."""
    if isinstance(job, TrainingJob):
        return job
    require_job_name("name", job)
    handle = TrainingJob(session, job)
    try:
        handle.describe()
    except NotFoundError as error:
        raise NotFoundError(f"There is no training job {job!r}. See hub.jobs().", code=error.code) from error
    return handle


def newest_completed_job(session: Session, key: ModelKey) -> TrainingJob:
    """Return the newest job of a model that has something to deploy."""
    wanted = {"product": key.product, "task": key.task, "model_id": key.model_id}
    for newest in list_jobs(session, status="Completed", wanted=wanted, limit=1):
        return TrainingJob(session, newest.name)
    begun = list_jobs(session, wanted=wanted, limit=1)
    newest_begun = f" The newest, {begun[0].name}, is {begun[0].status}." if begun else ""
    raise NotFoundError(
        f"No completed training job of {key.product}/{key.task}/{key.model_id}.{newest_begun} "
        "Train one, or deploy an untrained model with base_model=…"
    )


def artifact_of(session: Session, job: TrainingJob) -> TrainedArtifact:
    """Return the artifact that a job left.

    Raises:
        NotFoundError: it left nothing. The message says why.
    """
    description = job.describe()
    uri = description.get("ModelArtifacts", {}).get("S3ModelArtifacts")
    if description["TrainingJobStatus"] != "Completed" or not uri:
        raise NotFoundError(why_no_model(session, description))
    return TrainedArtifact(uri=uri, base_uri=channel_uri(description, BASE_MODEL_CHANNEL))


def checkpoints_of(session: Session, job: TrainingJob | str) -> str:
    """Return where the checkpoints to go on from lie, if nobody writes there any more."""
    resumed = existing_job(session, job)
    if resumed.status in {"InProgress", "Stopping"}:
        raise ConfigurationError(f"{resumed.name} still runs: stop it first, or let it end.")
    if resumed.checkpoint_uri is None:
        raise ConfigurationError(f"{resumed.name} kept no checkpoints: start without resume=….")
    held = Storage(session, split_uri(resumed.checkpoint_uri)[0]).names_below(resumed.checkpoint_uri)
    if not any(_WHOLE_CHECKPOINT.fullmatch(name) for name in held):
        raise ConfigurationError(
            f"{resumed.name} is {resumed.status} and left no checkpoint to go on from. Start without resume=…, or with a "
            "smaller save_steps to have checkpoints sooner."
        )
    return resumed.checkpoint_uri
