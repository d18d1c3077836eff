"""Training jobs: the request that starts one, and the handle on one that was started."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mojo_toolbox.clouds.aws.container_paths import CHECKPOINT_DIR
from mojo_toolbox.clouds.aws.metric_definitions import METRIC_DEFINITIONS
from mojo_toolbox.clouds.aws.requests import Overrides, Request, build
from mojo_toolbox.clouds.aws.session import Session
from mojo_toolbox.clouds.aws.waiting import Deadline
from mojo_toolbox.errors import NotFoundError, TrainingJobFailedError
from mojo_toolbox.progress import Progress, reporting_to

LOG_GROUP = "/aws/sagemaker/TrainingJobs"
_ENDED = frozenset({"Completed", "Failed", "Stopped"})
_LAST_LINES = 15


@dataclass(frozen=True)
class TrainingPlan:
    """Everything that a CreateTrainingJob request says. S3 places are URIs."""

    job_name: str
    image_uri: str
    role_arn: str
    instance_type: str
    instance_count: int
    volume_size_gb: int
    max_runtime_seconds: int
    program: str
    hyperparameters: Mapping[str, Any]
    channels: Mapping[str, str]
    source_uri: str
    output_uri: str
    checkpoint_uri: str
    environment: Mapping[str, str]
    region_name: str
    tags: list[dict[str, str]]


def training_job_request(plan: TrainingPlan, overrides: Overrides | None = None) -> Request:
    """Build and check the CreateTrainingJob request of a plan."""
    hyperparameters = {
        **plan.hyperparameters,
        # Script mode of the sagemaker-training toolkit, which AWS's training images run.
        "sagemaker_program": plan.program,
        "sagemaker_submit_directory": plan.source_uri,
        "sagemaker_region": plan.region_name,
        "sagemaker_container_log_level": 20,
    }
    parameters = {
        "TrainingJobName": plan.job_name,
        "RoleArn": plan.role_arn,
        "AlgorithmSpecification": {
            "TrainingImage": plan.image_uri,
            "TrainingInputMode": "File",
            "MetricDefinitions": METRIC_DEFINITIONS,
        },
        # Hyperparameters are strings. JSON keeps the types on the way (sagemaker-training decodes it).
        "HyperParameters": {name: json.dumps(value) for name, value in hyperparameters.items()},
        "InputDataConfig": [_channel(name, uri) for name, uri in plan.channels.items()],
        "OutputDataConfig": {"S3OutputPath": plan.output_uri},
        "ResourceConfig": {
            "InstanceType": plan.instance_type,
            "InstanceCount": plan.instance_count,
            "VolumeSizeInGB": plan.volume_size_gb,
        },
        "StoppingCondition": {"MaxRuntimeInSeconds": plan.max_runtime_seconds},
        "CheckpointConfig": {"S3Uri": plan.checkpoint_uri, "LocalPath": CHECKPOINT_DIR},
        "Environment": {"SM_CHECKPOINT_DIR": CHECKPOINT_DIR, **plan.environment},
        "Tags": plan.tags,
    }
    return build("CreateTrainingJob", parameters, overrides)


def _channel(name: str, uri: str) -> dict[str, Any]:
    return {
        "ChannelName": name,
        "DataSource": {
            "S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": uri, "S3DataDistributionType": "FullyReplicated"}
        },
    }


class TrainingJob:
    """A training job that was started, here or in another session. Every property asks AWS anew."""

    def __init__(self, session: Session, name: str) -> None:
        self._session = session
        self.name = name

    def __repr__(self) -> str:
        return f"TrainingJob({self.name!r})"

    def describe(self) -> dict[str, Any]:
        """Return DescribeTrainingJob's answer.

        Raises:
            NotFoundError: there is no such job.
        """
        return self._session.call("sagemaker", "describe_training_job", TrainingJobName=self.name)

    @property
    def status(self) -> str:
        """InProgress, Completed, Failed, Stopping or Stopped."""
        return str(self.describe()["TrainingJobStatus"])

    @property
    def metrics(self) -> dict[str, float]:
        """The last value of each metric that the job printed, for example `eval_decision_accuracy` (a share of 1)."""
        return {m["MetricName"]: float(m["Value"]) for m in self.describe().get("FinalMetricDataList", [])}

    @property
    def failure_reason(self) -> str | None:
        """Why the job failed, in AWS's words. None if it did not fail."""
        return self.describe().get("FailureReason")

    @property
    def model_data(self) -> str | None:
        """The S3 URI of the trained artifact. None until it exists."""
        uri: str | None = self.describe().get("ModelArtifacts", {}).get("S3ModelArtifacts")
        return uri

    @property
    def checkpoint_uri(self) -> str | None:
        """The S3 URI of the folder that the job's checkpoints are copied to. None if it keeps no checkpoints."""
        uri: str | None = self.describe().get("CheckpointConfig", {}).get("S3Uri")
        return uri

    def logs(self, *, follow: bool = False) -> Iterator[str]:
        """Yield the lines that the job printed. With `follow` they go on until it has ended."""
        cursor = _LogCursor(self._session, self.name)
        while True:
            ended = not follow or self.status in _ENDED
            yield from cursor.new_lines()
            if ended:
                return
            time.sleep(self._poll_seconds)

    def stop(self) -> None:
        """Ask the job to stop and return at once. A checkpoint and the model trained so far are kept."""
        self._session.call("sagemaker", "stop_training_job", TrainingJobName=self.name)

    def wait(self, *, progress: bool | Progress = True, timeout: float | None = None) -> TrainingJob:
        """Wait until the job has ended, and return the handle. Shows a bar with the loss, or reports to `progress`.

        Raises:
            TrainingJobFailedError: the job failed or was stopped. The message ends with its last lines.
            WaitTimeoutError: it still runs after `timeout` seconds. It goes on.
        """
        cursor = _LogCursor(self._session, self.name)
        with reporting_to(progress, "Training") as report:

            def look() -> dict[str, Any]:
                found = self.describe()
                for line in cursor.new_lines():
                    _show_step(line, report)
                status = found["TrainingJobStatus"]
                if status not in _ENDED and not cursor.seen_steps(found):
                    report(text=found.get("SecondaryStatus", status))
                return found

            description = Deadline(timeout).until_settled(
                look,
                status="TrainingJobStatus",
                settled=_ENDED,
                what=f"Training job {self.name!r}",
                pause=self._poll_seconds,
            )
        if description["TrainingJobStatus"] != "Completed":
            raise self._failure(description, cursor.last_lines)
        return self

    @property
    def _poll_seconds(self) -> float:
        # AWS throttles DescribeTrainingJob. The local cloud answers from this machine.
        return 0.5 if self._session.is_local else 10.0

    def _failure(self, description: Mapping[str, Any], last_lines: list[str]) -> TrainingJobFailedError:
        status = description["TrainingJobStatus"].lower()
        reason = description.get("FailureReason") or description.get("SecondaryStatus", "no reason was given")
        hint = "Try a smaller per_device_train_batch_size or max_length.\n" if "out of memory" in reason.lower() else ""
        tail = "".join(f"\n  {line}" for line in last_lines)
        return TrainingJobFailedError(
            f"Training job {self.name!r} {status}: {reason}\n{hint}Logs: mojo logs {self.name}{self._session.cli_option}"
            + (f"\nIts last lines:{tail}" if tail else ""),
            job_name=self.name,
            reason=reason,
        )


class _LogCursor:
    """Reads a job's log from where it was left. Remembers the last lines."""

    def __init__(self, session: Session, job_name: str) -> None:
        self._session = session
        self._job_name = job_name
        self._tokens: dict[str, str] = {}
        self._saw_steps = False
        self.last_lines: list[str] = []

    def new_lines(self) -> Iterator[str]:
        for stream in self._streams():
            while True:
                token = {"nextToken": self._tokens[stream]} if stream in self._tokens else {}
                answer = self._session.call(
                    "logs",
                    "get_log_events",
                    logGroupName=LOG_GROUP,
                    logStreamName=stream,
                    startFromHead=True,
                    **token,
                )
                for event in answer["events"]:
                    line = str(event["message"]).rstrip("\n")
                    self._saw_steps = self._saw_steps or line.startswith('{"step"')
                    self.last_lines = [*self.last_lines, line][-_LAST_LINES:]
                    yield line
                # CloudWatch says "no more for now" by giving the same token back.
                if answer["nextForwardToken"] == self._tokens.get(stream):
                    break
                self._tokens[stream] = answer["nextForwardToken"]

    def seen_steps(self, description: Mapping[str, Any]) -> bool:
        """Whether the bar shows steps now, so that the secondary status should not overwrite them."""
        return self._saw_steps and description.get("SecondaryStatus") == "Training"

    def _streams(self) -> list[str]:
        try:
            answer = self._session.call(
                "logs", "describe_log_streams", logGroupName=LOG_GROUP, logStreamNamePrefix=f"{self._job_name}/"
            )
        except NotFoundError:
            return []  # the group is there from the first line on
        return sorted(stream["logStreamName"] for stream in answer["logStreams"])


def _show_step(line: str, report: Progress) -> None:
    """Show one progress line of the training script. Other lines are left alone."""
    if not line.startswith("{"):
        return
    try:
        step = json.loads(line)
    except json.JSONDecodeError:
        return
    if "loss" in step:
        report(done=step.get("step"), total=step.get("max_steps"), text=f"loss {step['loss']:.3f}")
    elif "eval_decision_accuracy" in step:
        report(done=step.get("step"), total=step.get("max_steps"), text=f"{step['eval_decision_accuracy']:.0%} right")


def why_no_model(session: Session, description: Mapping[str, Any]) -> str:
    """Say why a described job has no model to deploy: it runs, or ended without one."""
    name, status = description["TrainingJobName"], description["TrainingJobStatus"]
    if status not in _ENDED:
        return f"Training job {name!r} is {status}: there is no model to deploy yet."
    reason = description.get("FailureReason")
    return (
        f"Training job {name!r} is {status}, so it has no model to deploy{f': {reason}' if reason else '.'}\n"
        f"Logs: mojo logs {name}{session.cli_option}"
    )


def channel_uri(description: Mapping[str, Any], channel: str) -> str | None:
    """Return where a described job read `channel` from, or None if it has no such channel."""
    for given in description.get("InputDataConfig", []):
        if given["ChannelName"] == channel:
            uri: str = given["DataSource"]["S3DataSource"]["S3Uri"]
            return uri
    return None
