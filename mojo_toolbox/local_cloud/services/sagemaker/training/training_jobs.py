"""Training jobs: the operations, and the queue of those that wait for their turn."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from mojo_toolbox.clouds.aws.names import key_from_tags
from mojo_toolbox.local_cloud.services.sagemaker.resources.list_operations import list_page
from mojo_toolbox.local_cloud.services.sagemaker.resources.register import (
    NameTakenError,
    ResourceRecord,
    ResourceRegister,
)
from mojo_toolbox.local_cloud.services.sagemaker.resources.surroundings import Surroundings
from mojo_toolbox.local_cloud.services.sagemaker.resources.tags import Tags
from mojo_toolbox.local_cloud.services.sagemaker.training.job_runner import Control, JobOutcome, JobRun, Reports
from mojo_toolbox.local_cloud.services.sagemaker.training.training_request import refuse_what_cannot_run
from mojo_toolbox.local_cloud.services.sagemaker.training.waiting_limits import WaitingLimits
from mojo_toolbox.local_cloud.wire.protocol import ServiceError

# A laptop trains one model well and two badly. More only wait for each other.
JOBS_AT_ONCE = 2
DISK_FULL_PAUSE_SECONDS = 5.0
LOCAL_CLOUD_STOPPED = "InternalServerError: The local cloud was stopped while this job was running."
_RUNNING = ("InProgress", "Stopping")
_MESSAGES = {
    "Starting": "Preparing the instances for training",
    "Downloading": "Downloading input data",
    "Training": "Training in-progress",
    "Stopping": "Stopping the training job",
    "Uploading": "Uploading generated training model",
    "Completed": "Training job completed",
    "Failed": "Training job failed",
    "Stopped": "Training job stopped",
    "MaxRuntimeExceeded": "Training job runtime exceeded MaxRuntimeInSeconds provided",
    "MaxWaitTimeExceeded": "Training job wait time and runtime exceeded MaxWaitTimeInSeconds provided",
}


class TrainingJobs:
    """CreateTrainingJob and its siblings. Jobs run in this process's threads, each as a child process."""

    def __init__(self, cloud: Surroundings, tags: Tags) -> None:
        self._cloud = cloud
        self._tags = tags
        self.records = ResourceRegister(cloud.database, "training-job")
        self._pool = ThreadPoolExecutor(JOBS_AT_ONCE, thread_name_prefix="training-job")
        self._controls: dict[str, Control] = {}
        self._waiting = WaitingLimits(self._stop)
        self._lock = threading.Lock()
        self._closing = threading.Event()

    def create(self, request: dict[str, Any]) -> dict[str, Any]:
        """CreateTrainingJob."""
        name = request["TrainingJobName"]
        arn = self._cloud.arn("training-job", name)
        refuse_what_cannot_run(request)
        document = {key: value for key, value in request.items() if key not in ("Tags", "TrainingJobName")}
        document.setdefault("StoppingCondition", {"MaxRuntimeInSeconds": 86400})
        document["AlgorithmSpecification"].setdefault("EnableSageMakerMetricsTimeSeries", False)
        for flag in (
            "EnableNetworkIsolation",
            "EnableInterContainerTrafficEncryption",
            "EnableManagedSpotTraining",
        ):
            document.setdefault(flag, False)
        _enter(document, "Starting", time.time())
        try:
            with self._cloud.database.transaction():
                self.records.insert(name, document, status="InProgress")
                self._tags.set(arn, request.get("Tags", []))
        except NameTakenError as error:
            raise ServiceError(
                "ResourceInUse",
                "Training job names must be unique within an AWS account and region, and a training job with this name "
                f"already exists ({self._cloud.arn('training-job', error.name)})",
            ) from None
        control = Control(grace_seconds=self._cloud.stop_grace_seconds)
        with self._lock:
            self._controls[name] = control
        self._waiting.begin(name, request)
        self._pool.submit(self._run, name, dict(request), control)
        return {"TrainingJobArn": arn}

    def describe(self, request: dict[str, Any]) -> dict[str, Any]:
        """DescribeTrainingJob."""
        record = self._required(request)
        return {
            "TrainingJobName": record.name,
            "TrainingJobArn": self._cloud.arn("training-job", record.name),
            "TrainingJobStatus": record.status,
            "CreationTime": record.created,
            "LastModifiedTime": record.modified,
            **record.document,
        }

    def list(self, request: dict[str, Any]) -> dict[str, Any]:
        """ListTrainingJobs."""
        return list_page(self.records.all(), request, key="TrainingJobSummaries", summary=self._summary)

    def stop(self, request: dict[str, Any]) -> dict[str, Any]:
        """StopTrainingJob: answers at once, the job is Stopping until it has ended."""
        record = self._required(request)
        if record.status not in _RUNNING:
            raise ServiceError(
                "ValidationException",
                f"The request was rejected because the training job is in status {record.status}.",
            )
        self._stop(record.name, "Stopped")
        return {}

    def delete(self, request: dict[str, Any]) -> dict[str, Any]:
        """DeleteTrainingJob: only jobs that have ended. Their artifacts and logs stay."""
        record = self._required(request)
        if record.status in _RUNNING:
            raise ServiceError(
                "ResourceInUse", f"Cannot delete the training job {record.name} in status {record.status}."
            )
        self.records.delete(record.name)
        self._tags.forget(self._cloud.arn("training-job", record.name))
        return {}

    def recover(self) -> None:
        """Fail the jobs that an earlier local cloud left running."""
        for record in self.records.all():
            if record.status in _RUNNING:
                self._finish(
                    record.name, JobOutcome("Failed", "Failed", f"{LOCAL_CLOUD_STOPPED} {self._remedy(record)}")
                )

    def _remedy(self, record: ResourceRecord) -> str:
        """Say how a job goes on that was cut off. Those of `mojo` have a command for it."""
        if "CheckpointConfig" not in record.document:
            return "Start the job again."
        if key_from_tags(self._tags.of(self._cloud.arn("training-job", record.name))) is not None:
            return f"If it has written a checkpoint, go on from it: mojo train ... --resume {record.name}"
        return "Start the job again: with the same CheckpointConfig it goes on from its last checkpoint."

    def shutdown(self) -> None:
        """Kill the running jobs, and leave none in the queue."""
        self._closing.set()
        self._waiting.close()
        self._pool.shutdown(wait=False, cancel_futures=True)
        with self._lock:
            controls = list(self._controls.values())
        for control in controls:
            control.kill()
        self._pool.shutdown(wait=True)
        self.recover()

    def _stop(self, name: str, secondary: str) -> None:
        """Ask a job to end. `secondary` is the status in which it will have ended."""

        def edit(record: ResourceRecord) -> None:
            if record.status == "InProgress":
                record.status = "Stopping"
                _enter(record.document, "Stopping", time.time())

        self.records.change(name, edit)
        with self._lock:
            control = self._controls.get(name)
        if control is not None:
            control.stop(secondary)

    def _required(self, request: Mapping[str, Any]) -> ResourceRecord:
        record = self.records.get(request["TrainingJobName"])
        if record is None:
            raise ServiceError("ValidationException", "Requested resource not found.")
        return record

    def _summary(self, record: ResourceRecord) -> dict[str, Any]:
        summary = {
            "TrainingJobName": record.name,
            "TrainingJobArn": self._cloud.arn("training-job", record.name),
            "CreationTime": record.created,
            "LastModifiedTime": record.modified,
            "TrainingJobStatus": record.status,
            "SecondaryStatus": record.document["SecondaryStatus"],
        }
        if "TrainingEndTime" in record.document:
            summary["TrainingEndTime"] = record.document["TrainingEndTime"]
        return summary

    def _run(self, name: str, request: dict[str, Any], control: Control) -> None:
        self._waiting.started(name)
        try:
            if control.requested.is_set():
                outcome = JobOutcome("Stopped", control.stop_reason)
            else:
                reports = Reports(
                    phase=lambda phase: self._phase(name, phase), metrics=lambda m: self._metrics(name, m)
                )
                outcome = JobRun(self._cloud, name, request, control, reports).run()
            self._finish_surely(name, outcome)
        finally:
            self._waiting.ended(name)
            with self._lock:
                self._controls.pop(name, None)

    def _finish_surely(self, name: str, outcome: JobOutcome) -> None:
        """Note the end, again and again while the disk is full: a job must not stay InProgress for ever."""
        while not self._closing.is_set():
            try:
                self._finish(name, outcome)
            except sqlite3.OperationalError:
                self._closing.wait(DISK_FULL_PAUSE_SECONDS)
            else:
                return

    def _phase(self, name: str, phase: str) -> None:
        def edit(record: ResourceRecord) -> None:
            now = time.time()
            # A stop that came first keeps the status of a job that stops.
            if record.document["SecondaryStatus"] != "Stopping":
                _enter(record.document, phase, now)
            if phase == "Stopping":
                record.status = "Stopping"
            if phase == "Downloading":
                record.document["TrainingStartTime"] = now

        self.records.change(name, edit)

    def _metrics(self, name: str, metrics: Sequence[Mapping[str, Any]]) -> None:
        def edit(record: ResourceRecord) -> None:
            record.document["FinalMetricDataList"] = [*metrics]

        if metrics:
            self.records.change(name, edit)

    def _finish(self, name: str, outcome: JobOutcome) -> None:
        def edit(record: ResourceRecord) -> None:
            now = time.time()
            document = record.document
            record.status = outcome.status
            _enter(document, outcome.secondary, now)
            document["SecondaryStatusTransitions"][-1]["EndTime"] = now
            document["TrainingEndTime"] = now
            if "TrainingStartTime" in document:
                seconds = max(1, round(now - document["TrainingStartTime"]))
                document["TrainingTimeInSeconds"] = document["BillableTimeInSeconds"] = seconds
            if outcome.reason:
                document["FailureReason"] = outcome.reason
                document["SecondaryStatusTransitions"][-1]["StatusMessage"] = outcome.reason
            if outcome.model_artifacts:
                document["ModelArtifacts"] = {"S3ModelArtifacts": outcome.model_artifacts}

        self.records.change(name, edit)


def _enter(document: dict[str, Any], secondary: str, now: float) -> None:
    """Note a step in SecondaryStatusTransitions."""
    transitions = document.setdefault("SecondaryStatusTransitions", [])
    if transitions:
        transitions[-1].setdefault("EndTime", now)
    transitions.append({"Status": secondary, "StartTime": now, "StatusMessage": _MESSAGES[secondary]})
    document["SecondaryStatus"] = secondary
