"""Runs one training job: its folders, its environment, its process, its artifacts."""

from __future__ import annotations

import json
import math
import re
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mojo_toolbox.local_cloud.environments import EnvironmentFailedError, child_environment
from mojo_toolbox.local_cloud.processes import Child
from mojo_toolbox.local_cloud.sagemaker.archives import UnsafeArchiveError, pack, unpack
from mojo_toolbox.local_cloud.sagemaker.cloud import Cloud
from mojo_toolbox.local_cloud.sagemaker.job_layout import JobFolder, lay_out
from mojo_toolbox.local_cloud.sagemaker.s3_transfer import (
    FolderUpload,
    TransferError,
    download_object,
    upload_file,
)
from mojo_toolbox.local_cloud.sagemaker.short_paths import plain_path

LOG_GROUP = "/aws/sagemaker/TrainingJobs"
CHECKPOINT_SYNC_SECONDS = 5.0
METRICS_SECONDS = 1.0
FAILURE_REASON_LENGTH = 1024
_LAST_LINES = 20


@dataclass(frozen=True)
class Outcome:
    """How a job ended."""

    status: str
    secondary: str
    reason: str = ""
    model_artifacts: str = ""


class JobFailedError(Exception):
    """Why a job failed, as DescribeTrainingJob will say it."""


@dataclass
class Reports:
    """What a running job tells the records."""

    phase: Callable[[str], None]
    metrics: Callable[[Sequence[Mapping[str, Any]]], None]


@dataclass
class Control:
    """How a running job is stopped from another thread."""

    grace_seconds: float
    stop_reason: str = ""
    requested: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)
    child: Child | None = None

    def stop(self, secondary: str = "Stopped") -> None:
        """Ask the job to end, and kill it after the grace; the first reason stays."""
        with self.lock:
            if not self.requested.is_set():
                self.stop_reason = secondary
                self.requested.set()
                if self.child is not None:
                    self.child.stop(self.grace_seconds)

    def kill(self) -> None:
        """End the job without asking."""
        with self.lock:
            self.grace_seconds = 0
            self.requested.set()
            if self.child is not None:
                self.child.stop(0)

    def watch(self, child: Child) -> None:
        """Hand over the process that `stop` has to reach."""
        with self.lock:
            self.child = child
            if self.requested.is_set():
                child.stop(self.grace_seconds)


class JobRun:
    """One run of one job, in the thread that calls `run`."""

    def __init__(self, cloud: Cloud, name: str, request: Mapping[str, Any], control: Control, reports: Reports) -> None:
        self._cloud = cloud
        self._name = name
        self._request = request
        self._control = control
        self._reports = reports
        self._folder = JobFolder(plain_path(cloud.folders.jobs_dir, cloud.owner) / name)
        self._stream = f"{name}/algo-1-{int(time.time() * 1000)}"
        self._last_lines: list[str] = []
        self._metrics = Metrics(request["AlgorithmSpecification"].get("MetricDefinitions", []))

    def run(self) -> Outcome:
        """Run the job to its end; never raises."""
        shutil.rmtree(self._folder.root, ignore_errors=True)
        try:
            return self._run()
        except (JobFailedError, EnvironmentFailedError, TransferError, UnsafeArchiveError) as error:
            if self._control.requested.is_set():
                return Outcome("Stopped", self._control.stop_reason)
            return self._failed(str(error) if isinstance(error, JobFailedError) else f"ClientError: {error}")
        except Exception as error:  # noqa: BLE001 - a job must end in a state, whatever happened (a full disk, say)
            return self._failed(f"InternalServerError: {type(error).__name__}: {error}")
        finally:
            shutil.rmtree(self._folder.root, ignore_errors=True)

    def _failed(self, reason: str) -> Outcome:
        self._log([(int(time.time() * 1000), line) for line in reason.splitlines() if line])
        return Outcome("Failed", "Failed", reason[:FAILURE_REASON_LENGTH])

    def _run(self) -> Outcome:
        self._reports.phase("Downloading")
        # There from the start, empty or not: who follows a job asks for its log at once.
        self._cloud.logs.append(LOG_GROUP, self._stream, [])
        lay_out(self._folder, self._request, self._cloud.object_store)
        python, command = self._prepare()
        if self._control.requested.is_set():
            return Outcome("Stopped", self._control.stop_reason)
        self._reports.phase("Training")
        status = self._execute(python, command)
        stopped = self._control.requested.is_set()
        # SageMaker keeps what a failed job left in output/data, its model never.
        self._reports.phase("Stopping" if stopped else "Uploading")
        self._upload_output()
        if not stopped and status != 0:
            raise JobFailedError(self._failure_reason(status))
        artifacts = self._upload_model()
        if stopped:
            return Outcome("Stopped", self._control.stop_reason, model_artifacts=artifacts)
        return Outcome("Completed", "Completed", model_artifacts=artifacts)

    def _prepare(self) -> tuple[Path, Sequence[str]]:
        """Make the job's environment and say what runs in it."""
        requirements, command = self._program()
        below = None
        if requirements is not None:
            below = self._cloud.environments.with_requirements(
                requirements, log=self._log, stopped=self._control.requested.is_set
            )
        # A layer of its own: a script that calls pip changes neither the cached environment nor the user's.
        python = self._cloud.environments.layer(self._folder.root / "environment", below=below)
        return python, command or [str(python), "-m", "sagemaker_training.cli.train"]

    def _program(self) -> tuple[Path | None, Sequence[str]]:
        algorithm = self._request["AlgorithmSpecification"]
        if "ContainerEntrypoint" in algorithm:
            words = [*algorithm["ContainerEntrypoint"], *algorithm.get("ContainerArguments", [])]
            return self._driver_requirements(), [self._folder.rewritten(word) for word in words]
        parameters = self._request.get("HyperParameters", {})
        if "sagemaker_program" not in parameters:
            raise JobFailedError(
                "ClientError: The local cloud runs script mode (hyperparameters sagemaker_program and "
                "sagemaker_submit_directory) and jobs with a ContainerEntrypoint; it cannot run the program inside the "
                f"image {algorithm.get('TrainingImage') or algorithm.get('AlgorithmName')}."
            )
        return self._script_requirements(_plain(parameters.get("sagemaker_submit_directory", ""))), []

    def _script_requirements(self, source: str) -> Path | None:
        if not source.startswith("s3://"):
            return None
        archive = self._folder.root / "source.tar.gz"
        download_object(self._cloud.object_store, source, archive)
        unpacked = self._folder.root / "source"
        try:
            unpack(archive, unpacked)
        except UnsafeArchiveError as error:
            raise JobFailedError(f"ClientError: The source archive {source} was refused: {error}") from error
        requirements = unpacked / "requirements.txt"
        return requirements if requirements.is_file() else None

    def _driver_requirements(self) -> Path | None:
        """Find the requirements that ModelTrainer's driver will install, so that a cached layer has them already."""
        try:
            source = json.loads((self._folder.channel("sm_drivers") / "sourcecode.json").read_text())
            name = source.get("requirements")
        except (OSError, ValueError, AttributeError):
            return None
        code = self._folder.channel("code")
        path = (code / name).resolve() if isinstance(name, str) else None
        return path if path is not None and path.is_file() and path.is_relative_to(code.resolve()) else None

    def _environment(self, python: Path) -> dict[str, str]:
        given = {name: self._folder.inside(value) for name, value in self._request.get("Environment", {}).items()}
        credentials = self._cloud.credentials
        return child_environment(
            endpoint_url=self._cloud.endpoint_url,
            access_key_id=credentials.access_key_id,
            secret_access_key=credentials.secret_access_key,
            region=self._cloud.region,
            python=python,
            extra={
                "TRAINING_JOB_NAME": self._name,
                "TRAINING_JOB_ARN": self._cloud.arn("training-job", self._name),
                **given,
                "SAGEMAKER_BASE_DIR": str(self._folder.ml),
            },
        )

    def _execute(self, python: Path, command: Sequence[str]) -> int:
        child = Child(command, environment=self._environment(python), folder=self._folder.ml, owner=self._cloud.owner)
        self._control.watch(child)
        checkpoints = self._checkpoints()
        limit = self._request.get("StoppingCondition", {}).get("MaxRuntimeInSeconds", 86400)
        deadline = time.monotonic() + limit
        metrics_due = sync_due = time.monotonic()
        try:
            for batch in child.batches():
                self._log(batch)
                now = time.monotonic()
                if now >= deadline and not self._control.requested.is_set():
                    self._reports.phase("Stopping")
                    self._control.stop("MaxRuntimeExceeded")
                if self._metrics.read(batch) and now >= metrics_due:
                    self._reports.metrics(self._metrics.latest())
                    metrics_due = now + METRICS_SECONDS
                if checkpoints is not None and now >= sync_due:
                    checkpoints.sync()
                    sync_due = time.monotonic() + CHECKPOINT_SYNC_SECONDS
        finally:
            child.kill()
        if checkpoints is not None:
            checkpoints.sync()
        self._reports.metrics(self._metrics.latest())
        return child.wait()

    def _checkpoints(self) -> FolderUpload | None:
        folder = self._folder.local_checkpoints(self._request)
        if folder is None:
            return None
        upload = FolderUpload(self._cloud.object_store, folder, self._request["CheckpointConfig"]["S3Uri"])
        upload.mark_present()
        return upload

    def _log(self, batch: list[tuple[int, str]]) -> None:
        if batch:
            self._cloud.logs.append(LOG_GROUP, self._stream, batch)
            self._last_lines = [*self._last_lines, *(line for _, line in batch[-_LAST_LINES:])][-_LAST_LINES:]

    def _failure_reason(self, status: int) -> str:
        """Say why: what the container wrote to output/failure, and the last lines it printed."""
        try:
            written = self._folder.failure.read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            written = ""
        signal_name = f" (signal {status - 128})" if status > 128 else ""  # noqa: PLR2004 - the shells' convention
        head = f"AlgorithmError: {written[:500]}, exit code: {status}{signal_name}"
        if not written:
            head = f"AlgorithmError: exit code: {status}{signal_name}"
        lines = [line for line in self._last_lines if line.strip() and line.strip() not in written]
        noise = ("Reporting training FAILURE", "Encountered exit_code", "ExecuteUserScriptError", "ExitCode ")
        lines = [line for line in lines if not any(word in line for word in noise)]
        room = FAILURE_REASON_LENGTH - len(head) - len("\nLast lines:\n")
        tail = "\n".join(lines)[-room:] if room > 0 else ""
        return f"{head}\nLast lines:\n{tail}" if tail else head

    def _output_uri(self) -> str:
        return f"{self._request['OutputDataConfig']['S3OutputPath'].rstrip('/')}/{self._name}/output"

    def _upload_output(self) -> None:
        if self._folder.output_data.is_dir() and any(self._folder.output_data.iterdir()):
            self._upload_archive(self._folder.output_data, "output.tar.gz")

    def _upload_model(self) -> str:
        # A script may have removed it.
        self._folder.model.mkdir(parents=True, exist_ok=True)
        if self._request["OutputDataConfig"].get("CompressionType") == "NONE":
            uri = f"{self._output_uri()}/model/"
            FolderUpload(self._cloud.object_store, self._folder.model, uri).sync()
            return uri
        return self._upload_archive(self._folder.model, "model.tar.gz")

    def _upload_archive(self, folder: Path, name: str) -> str:
        uri = f"{self._output_uri()}/{name}"
        with tempfile.TemporaryDirectory(dir=self._folder.root) as scratch:
            archive = Path(scratch) / name
            pack(folder, archive)
            upload_file(self._cloud.object_store, archive, uri)
        return uri


class Metrics:
    """The last value of each metric that a regular expression finds in the log."""

    def __init__(self, definitions: Sequence[Mapping[str, str]]) -> None:
        self._patterns = [(definition["Name"], re.compile(definition["Regex"])) for definition in definitions]
        self._found: dict[str, tuple[float, int]] = {}

    def read(self, batch: Sequence[tuple[int, str]]) -> bool:
        """Look through log lines; True when one of them held a value."""
        found = False
        for at, line in batch if self._patterns else ():
            for name, pattern in self._patterns:
                match = pattern.search(line)
                value = _number(match) if match else None
                if value is not None:
                    self._found[name] = (value, at)
                    found = True
        return found

    def latest(self) -> list[dict[str, Any]]:
        """Return them as FinalMetricDataList."""
        return [
            {"MetricName": name, "Value": value, "Timestamp": at // 1000} for name, (value, at) in self._found.items()
        ]


def _number(match: re.Match[str]) -> float | None:
    try:
        value = float(match[1])
    except (IndexError, TypeError, ValueError):
        return None
    # JSON has no NaN: a client would choke on it.
    return value if math.isfinite(value) else None


def _plain(hyperparameter: str) -> str:
    """Hyperparameters of script mode are JSON strings; some clients send them bare."""
    try:
        value = json.loads(hyperparameter)
    except ValueError:
        return hyperparameter
    return value if isinstance(value, str) else hyperparameter
