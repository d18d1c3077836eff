"""One variant's server process: started, watched, restarted when it dies, asked over a Unix socket."""

from __future__ import annotations

import http.client
import socket
import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mojo_toolbox.local_cloud.running import SERVING_HOST
from mojo_toolbox.local_cloud.running.processes import Child
from mojo_toolbox.local_cloud.services.sagemaker.hosting.model_folder import LaidOut, LayoutError, lay_out_model
from mojo_toolbox.local_cloud.services.sagemaker.resources.short_paths import socket_dir
from mojo_toolbox.local_cloud.services.sagemaker.resources.surroundings import Surroundings

LOG_GROUP_PREFIX = "/aws/sagemaker/Endpoints/"
# An endpoint's FailureReason holds as many characters.
FAILURE_LENGTH = 1024
_LAST_LINES = 8
_STOP_GRACE_SECONDS = 5.0
_MAX_PAUSE_SECONDS = 30.0


class NotReadyError(Exception):
    """The server is not there to answer: it is loading, or died and is being started again."""


class ServerFailedError(Exception):
    """The server cannot be started. The message says why."""


@dataclass(frozen=True)
class ContainerReply:
    """A container's answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class ModelServer:
    """The server of one variant, from its first start until `stop`."""

    def __init__(self, cloud: Surroundings, endpoint: str, variant: Mapping[str, Any], folder: Path) -> None:
        self._cloud = cloud
        self._variant = variant
        self._folder = folder
        self._log_group = LOG_GROUP_PREFIX + endpoint
        self.log_stream = f"{variant['VariantName']}/i-{uuid.uuid4().hex[:17]}"
        self._socket = socket_dir(cloud.owner) / uuid.uuid4().hex[:16]
        self._stopping = threading.Event()
        self._changed = threading.Condition()
        self._ready = False
        self._first_load = True
        self._served_once = False
        self._failure = ""
        self._child: Child | None = None
        self._in_flight = 0
        self._last_lines: list[str] = []
        self._thread = threading.Thread(target=self._supervise, daemon=True, name=f"endpoint-{endpoint}")

    @property
    def log_stream_arn(self) -> str:
        """The ARN of the server's log, for error messages."""
        cloud = self._cloud
        return (
            f"arn:aws:logs:{cloud.region}:{cloud.account_id}:log-group:{self._log_group}:log-stream:{self.log_stream}"
        )

    def start(self, *, keep_trying: bool) -> None:
        """Start in the background. With `keep_trying` even a first start that fails is repeated (after a restart)."""
        self._served_once = keep_trying
        self._cloud.logs.append(self._log_group, self.log_stream, [])
        self._thread.start()

    def wait_ready(self, timeout: float) -> None:
        """Wait until the model is loaded.

        Raises:
            ServerFailedError: it never will be, or not in time.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._ready or self._failure or self._stopping.is_set(), timeout)
            if self._failure:
                raise ServerFailedError(self._failure)
            if self._stopping.is_set():
                raise ServerFailedError("It was stopped.")
            if not self._ready:
                raise ServerFailedError(
                    f"The primary container for production variant {self._variant['VariantName']} did not pass the "
                    f"ping health check within {timeout:.0f} seconds. Please check CloudWatch logs for this endpoint."
                )

    def ask(self, body: bytes, headers: Mapping[str, str], *, timeout: float) -> ContainerReply:
        """Send one invocation and wait for the answer.

        A server that is loading for the first time since the local cloud's start is waited for.

        Raises:
            NotReadyError: there is no server now.
            TimeoutError: no answer in time.
        """
        deadline = time.monotonic() + timeout
        with self._changed:
            if not self._ready and self._is_loading():
                self._changed.wait_for(lambda: self._ready or not self._is_loading(), timeout)
            if not self._ready:
                raise NotReadyError
            self._in_flight += 1
        try:
            left = max(0.1, deadline - time.monotonic())
            return _exchange(self._socket, "/invocations", body=body, headers=headers, timeout=left)
        except (http.client.HTTPException, ConnectionError, FileNotFoundError) as error:
            raise NotReadyError from error
        finally:
            with self._changed:
                self._in_flight -= 1
                self._changed.notify_all()

    def drain(self, timeout: float) -> None:
        """Wait until nobody waits for an answer."""
        with self._changed:
            self._changed.wait_for(lambda: self._in_flight == 0 or self._stopping.is_set(), timeout)

    def stop(self) -> None:
        """End the process and wait for it."""
        self._stopping.set()
        with self._changed:
            child = self._child
            self._changed.notify_all()
        if child is not None:
            child.stop(_STOP_GRACE_SECONDS)
        if self._thread.is_alive():
            self._thread.join()

    def _is_loading(self) -> bool:
        return self._first_load and not self._failure and not self._stopping.is_set()

    def _supervise(self) -> None:
        """Keep the server running: load failures end it, later deaths start it again after a growing pause."""
        pause = 1.0
        while not self._stopping.is_set():
            started = time.monotonic()
            reason = self._serve()
            self._socket.unlink(missing_ok=True)
            with self._changed:
                self._ready = False
                self._first_load = False
                if not self._served_once and not self._stopping.is_set():
                    self._failure = reason
                self._changed.notify_all()
            if self._failure or self._stopping.is_set():
                return
            # Long lived means healthy: the next death starts from a short pause again.
            pause = 1.0 if time.monotonic() - started > _MAX_PAUSE_SECONDS else pause
            self._log([(int(time.time() * 1000), f"{reason} Starting it again in {pause:.0f} s.")])
            self._stopping.wait(pause)
            pause = min(pause * 2, _MAX_PAUSE_SECONDS)

    def _serve(self) -> str:
        """Run the process to its end. Returns why it ended."""
        try:
            laid_out = lay_out_model(
                self._cloud, self._variant["Container"], self._folder, log=self._log, stopped=self._stopping.is_set
            )
            return self._host(laid_out)
        except LayoutError as error:
            return str(error)
        except Exception as error:  # noqa: BLE001 - a stated reason beats an endpoint that stays Creating
            return f"The server could not be started: {error!r}"

    def _host(self, laid_out: LaidOut) -> str:
        self._last_lines = []
        child = Child(
            # The host's own folder must not be importable: it would hide the model's modules of the same names.
            [
                *(str(laid_out.python), "-P", str(SERVING_HOST)),
                *("--model-dir", str(laid_out.model_dir)),
                *("--program", str(laid_out.program)),
                *("--socket", str(self._socket)),
            ],
            environment=laid_out.environment,
            folder=laid_out.model_dir,
            owner=self._cloud.owner,
        )
        with self._changed:
            self._child = child
        if self._stopping.is_set():
            child.stop(_STOP_GRACE_SECONDS)
        pinger = threading.Thread(target=self._await_ping, args=(child,), daemon=True)
        pinger.start()
        try:
            for batch in child.batches():
                self._log(batch)
        finally:
            child.kill()
            pinger.join()
        ended = f"The server of variant {self._variant['VariantName']} ended (exit code {child.wait()})."
        # The last words of a traceback name the problem.
        said = "\n".join(self._last_lines)[len(ended) + 1 - FAILURE_LENGTH :]
        return f"{ended}\n{said}".strip()

    def _await_ping(self, child: Child) -> None:
        while child.running and not self._stopping.is_set():
            try:
                answered = _exchange(self._socket, "/ping", timeout=5.0).status
            except (OSError, http.client.HTTPException):
                answered = 0
            if answered == http.client.OK:
                with self._changed:
                    self._ready = self._served_once = True
                    self._first_load = False
                    self._changed.notify_all()
                return
            self._stopping.wait(0.05)

    def _log(self, batch: list[tuple[int, str]]) -> None:
        if batch:
            self._cloud.logs.append(self._log_group, self.log_stream, batch)
            self._last_lines = [*self._last_lines, *(line for _, line in batch)][-_LAST_LINES:]


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def _exchange(
    path: Path, target: str, *, body: bytes | None = None, headers: Mapping[str, str] | None = None, timeout: float
) -> ContainerReply:
    connection = _UnixConnection(path, timeout)
    try:
        connection.request("GET" if body is None else "POST", target, body=body, headers=dict(headers or {}))
        answer = connection.getresponse()
        return ContainerReply(
            answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        )
    finally:
        connection.close()
