"""Runs one training job: its folders, its environment, its process, its artifacts."""

from __future__ import annotations

import json
import os
import tarfile
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mojo_toolbox.local_cloud.running.environments import EnvironmentFailedError, child_environment
from mojo_toolbox.local_cloud.running.processes import Child
from mojo_toolbox.local_cloud.services.sagemaker.resources.s3_transfer import (
    FolderUpload,
    TransferError,
    download_object,
    upload_file,
)
from mojo_toolbox.local_cloud.services.sagemaker.resources.short_paths import plain_path
from mojo_toolbox.local_cloud.services.sagemaker.resources.surroundings import Surroundings
from mojo_toolbox.local_cloud.services.sagemaker.training.archives import PackingError, pack
from mojo_toolbox.local_cloud.services.sagemaker.training.job_layout import JobFolder, lay_out
from mojo_toolbox.local_cloud.services.sagemaker.training.metrics import Metrics
from mojo_toolbox.local_cloud.untrusted.plain_files import first_bytes, remove_folder
from mojo_toolbox.local_cloud.untrusted.unpacking import UnsafeArchiveError, unpack

LOG_GROUP = "/aws/sagemaker/TrainingJobs"
CHECKPOINT_SYNC_SECONDS = 5.0
METRICS_SECONDS = 1.0
FAILURE_REASON_LENGTH = 1024
_LAST_LINES = 20
_MOST_LEFT_OUT_LINES = 50
_FAILURE_FILE_BYTES = 4096


@dataclass(frozen=True)
class JobOutcome:
    """How a job ended."""

    status: str
    secondary: str
    reason: str = ""
    model_artifacts: str = ""


class JobFailedError(Exception):
    """Why a job failed, as DescribeTrainingJob will say it."""


@dataclass
class Reports:
    """The news that a running job gives to the records."""

    phase: Callable[[str], None]
    metrics: Callable[[Sequence[Mapping[str, Any]]], None]


@dataclass
class Control:
    """How a running job is stopped from another thread."""

    grace_seconds: float
    stop_reason: str = ""
    requested: threading.Event = field(default_factory=threading.Event)
    killed: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)
    child: Child | None = None

    def stop(self, secondary: str = "Stopped") -> None:
        """Ask the job to end, and kill it after the grace. The first reason stays."""
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
            self.killed.set()
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

    def __init__(
        self, cloud: Surroundings, name: str, request: Mapping[str, Any], control: Control, reports: Reports
    ) -> None:
        self._cloud = cloud
        self._name = name
        self._request = request
        self._control = control
        self._reports = reports
        self._folder = JobFolder(plain_path(cloud.folders.jobs_dir, cloud.owner) / name)
        self._stream = f"{name}/algo-1-{int(time.time() * 1000)}"
        self._last_lines: list[str] = []
        self._left_out_count = 0
        self._deadline = time.monotonic() + self._limit()
        self._metrics = Metrics(request["AlgorithmSpecification"].get("MetricDefinitions", []))

    def run(self) -> JobOutcome:
        """Run the job to its end. Never raises."""
        remove_folder(self._folder.root)
        try:
            return self._run()
        except (JobFailedError, EnvironmentFailedError, PackingError, TransferError, UnsafeArchiveError) as error:
            if self._control.requested.is_set():
                return JobOutcome("Stopped", self._control.stop_reason)
            return self._failed(str(error) if isinstance(error, JobFailedError) else f"ClientError: {error}")
        except Exception as error:  # noqa: BLE001 - a job must end in a state, whatever happened (a full disk, say)
            return self._failed(f"InternalServerError: {type(error).__name__}: {error}")
        finally:
            remove_folder(self._folder.root)

    def _failed(self, reason: str) -> JobOutcome:
        self._keep(_now(reason))
        return JobOutcome("Failed", "Failed", reason[:FAILURE_REASON_LENGTH])

    def _run(self) -> JobOutcome:
        self._reports.phase("Downloading")
        # There from the start, empty or not: who follows a job asks for its log at once.
        self._cloud.logs.append(LOG_GROUP, self._stream, [])
        lay_out(self._folder, self._request, self._cloud.object_store)
        python, command = self._prepare()
        if self._control.requested.is_set():
            return JobOutcome("Stopped", self._control.stop_reason)
        self._reports.phase("Training")
        status = self._execute(python, command)
        stopped = self._control.requested.is_set()
        # SageMaker keeps a failed job's output/data, but never its model.
        self._reports.phase("Stopping" if stopped else "Uploading")
        self._upload_output()
        if not stopped and status != 0:
            raise JobFailedError(self._failure_reason(status))
        artifacts = self._upload_model()
        if stopped:
            return JobOutcome("Stopped", self._control.stop_reason, model_artifacts=artifacts)
        return JobOutcome("Completed", "Completed", model_artifacts=artifacts)

    def _prepare(self) -> tuple[Path, Sequence[str]]:
        """Make the job's environment and return its command."""
        requirements, command = self._program()
        below = None
        if requirements is not None:
            below = self._cloud.environments.with_requirements(
                requirements, log=self._log, stopped=self._stopped_or_too_long
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
        archive = self._source_archive(source)
        if archive is None:
            return None
        unpacked = self._folder.root / "source"
        try:
            unpack(archive, unpacked)
        except UnsafeArchiveError as error:
            raise JobFailedError(f"ClientError: The source archive {source} was refused: {error}") from error
        requirements = unpacked / "requirements.txt"
        return requirements if requirements.is_file() else None

    def _source_archive(self, source: str) -> Path | None:
        """Return the archive that the training toolkit will unpack in the job. Our checks refuse files that the toolkit lets through."""
        if source.startswith("s3://"):
            archive = self._folder.root / "source.tar.gz"
            download_object(self._cloud.object_store, source, archive)
            return archive
        local = Path(self._folder.inside(source))
        return local if source and local.is_file() and tarfile.is_tarfile(local) else None

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
        self._deadline = time.monotonic() + self._limit()
        metrics_due = sync_due = time.monotonic()
        try:
            for batch in child.batches():
                self._log(batch)
                now = time.monotonic()
                self._stopped_or_too_long()
                if self._metrics.read(batch) and now >= metrics_due:
                    self._reports.metrics(self._metrics.latest())
                    metrics_due = now + METRICS_SECONDS
                if checkpoints is not None and now >= sync_due:
                    self._sync(checkpoints)
                    sync_due = time.monotonic() + CHECKPOINT_SYNC_SECONDS
        finally:
            child.kill()
        if checkpoints is not None:
            self._sync(checkpoints)
        self._reports.metrics(self._metrics.latest())
        if self._metrics.skipped_lines:
            self._keep(
                _now(f"Metrics were not looked for in {self._metrics.skipped_lines} lines: a Regex is too slow.")
            )
        return child.wait()

    def _limit(self) -> float:
        return float(self._request.get("StoppingCondition", {}).get("MaxRuntimeInSeconds", 86400))

    def _stopped_or_too_long(self) -> bool:
        """Return whether the job is to end. Stop it when training, or pip before it, takes longer than it may."""
        if time.monotonic() >= self._deadline and not self._control.requested.is_set():
            self._reports.phase("Stopping")
            self._control.stop("MaxRuntimeExceeded")
        return self._control.requested.is_set()

    def _checkpoints(self) -> FolderUpload | None:
        folder = self._folder.local_checkpoints(self._request)
        if folder is None:
            return None
        uri = self._request["CheckpointConfig"]["S3Uri"]
        upload = FolderUpload(self._cloud.object_store, folder, uri, left_out=self._left_out)
        upload.mark_present()
        return upload

    def _sync(self, checkpoints: FolderUpload) -> None:
        if self._is_own(checkpoints.folder):
            checkpoints.sync()

    def _log(self, batch: list[tuple[int, str]]) -> None:
        if batch:
            self._last_lines = [*self._last_lines, *(line for _, line in batch[-_LAST_LINES:])][-_LAST_LINES:]
            self._keep(batch)

    def _keep(self, batch: list[tuple[int, str]]) -> None:
        self._cloud.logs.append(LOG_GROUP, self._stream, batch)

    def _left_out(self, name: str, why: str) -> None:
        self._left_out_count += 1
        if self._left_out_count <= _MOST_LEFT_OUT_LINES:
            self._keep(_now(f"Not uploaded: {ascii(name)[:200]} {why}."))

    def _failure_reason(self, status: int) -> str:
        """Return the reason: the container's output/failure, and the last lines it printed."""
        written = first_bytes(self._folder.failure, _FAILURE_FILE_BYTES).decode("utf-8", "replace").strip()
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
        folder = self._folder.output_data
        if self._is_own(folder) and any(folder.iterdir()):
            self._upload_archive(folder, "output.tar.gz")

    def _upload_model(self) -> str:
        folder = self._folder.model
        # A script may have removed it.
        if not os.path.lexists(folder):
            folder.mkdir(parents=True)
        if not self._is_own(folder):
            raise JobFailedError("AlgorithmError: /opt/ml/model is no folder of the job any more.")
        if self._request["OutputDataConfig"].get("CompressionType") == "NONE":
            uri = f"{self._output_uri()}/model/"
            FolderUpload(self._cloud.object_store, folder, uri, left_out=self._left_out).sync()
            return uri
        return self._upload_archive(folder, "model.tar.gz")

    def _is_own(self, folder: Path) -> bool:
        """Whether a folder is one, and the job has not put a link to another place there."""
        return folder.is_dir() and folder.resolve().is_relative_to(self._folder.root.resolve())

    def _upload_archive(self, folder: Path, name: str) -> str:
        uri = f"{self._output_uri()}/{name}"
        with tempfile.TemporaryDirectory(dir=self._folder.root) as scratch:
            archive = Path(scratch) / name
            pack(folder, archive, left_out=self._left_out, go_on=lambda: not self._control.killed.is_set())
            upload_file(self._cloud.object_store, archive, uri)
        return uri


def _now(text: str) -> list[tuple[int, str]]:
    """Return the lines of a text as log events of this moment."""
    return [(int(time.time() * 1000), line) for line in text.splitlines() if line]


def _plain(hyperparameter: str) -> str:
    """Hyperparameters of script mode are JSON strings. Some clients send them bare."""
    try:
        value = json.loads(hyperparameter)
    except ValueError:
        return hyperparameter
    return value if isinstance(value, str) else hyperparameter
