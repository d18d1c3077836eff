"""Starting, finding and stopping the local cloud, from any number of processes at once."""

from __future__ import annotations

import fcntl
import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mojo_toolbox.errors import LocalCloudError, PortInUseError
from mojo_toolbox.errors.extras import require_local_cloud
from mojo_toolbox.local_cloud.identity import sigv4
from mojo_toolbox.local_cloud.running.passed_on import server_environment
from mojo_toolbox.local_cloud.state.account import REGION
from mojo_toolbox.local_cloud.state.home import AccessKey, Home, hold_serve_lock
from mojo_toolbox.local_cloud.wire.protocol import STATUS_SERVICE

# The exit status by which `serve` says that its port is taken.
PORT_IN_USE_STATUS = 4
# Where this variable names a process, a local cloud that is started ends with it: tests and CI leave none behind.
ENDS_WITH = "MOJO_LOCAL_ENDS_WITH"
# The pid of a process that holds the home's lock and has not written its own yet.
_UNNAMED = 0
_START_SECONDS = 120.0
# Endpoints and jobs are given time to end. Those that have not ended by then are killed.
_STOP_SECONDS = 45.0
_POLL_SECONDS = 0.05
_LOG_TAIL_LINES = 15
_MAX_LOG_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True)
class RunningCloud:
    """A running local cloud."""

    endpoint_url: str
    pid: int
    port: int
    region: str
    home: Path
    credentials: AccessKey


def up(home: Path, port: int | None = None) -> RunningCloud:
    """Start the local cloud unless it runs, and return once it answers.

    Raises:
        MissingExtraError: it does not run, and the `local` extra is not installed.
        PortInUseError: another program listens on `port`.
        LocalCloudError: it runs on another port than `port`, or it does not start. The message ends with its log.
    """
    place = _place(home)
    place.prepare()
    with _locked(place.start_lock):
        place.credentials()
        running = _running(place) or _settled(place)
        if running is None:
            require_local_cloud()
            return _start(place, port)
    if port not in (None, running.port):
        raise LocalCloudError(
            f"The local cloud runs already, on port {running.port}. To move it: mojo local down, then "
            f"mojo local up --port {port}"
        )
    return running


def down(home: Path) -> bool:
    """Stop the local cloud, its jobs and its endpoints, and return when all of them have ended.

    Returns whether there was one to stop. Jobs that run are Failed. Endpoints come back with the next start.
    """
    place = _place(home)
    if not place.folder.is_dir():
        return False
    with _locked(place.start_lock):
        # One that has just begun has not said yet who it is.
        _wait(lambda: _server_pid(place) != _UNNAMED, _STOP_SECONDS)
        pid = _server_pid(place)
        if pid is None:
            place.connection_file.unlink(missing_ok=True)
            return False
        _signal(pid, signal.SIGTERM)
        if not _wait(lambda: _server_pid(place) is None, _STOP_SECONDS):
            _signal(pid, signal.SIGKILL)
            _wait(lambda: _server_pid(place) is None, _STOP_SECONDS)
        place.connection_file.unlink(missing_ok=True)
        return True


def status(home: Path) -> RunningCloud | None:
    """Return the running local cloud, None when none answers."""
    place = _place(home)
    return _running(place) if place.folder.is_dir() else None


def _place(home: Path) -> Home:
    """Return the home under its absolute name: the server runs in another folder than its caller."""
    return Home(home.expanduser().resolve())


def _start(home: Home, port: int | None) -> RunningCloud:
    process, begun = _launch(home, port)
    try:
        return _await_answer(home, process, port, begun)
    except BaseException:
        # Ctrl-C, most often: the process that does not answer yet is ended again.
        process.kill()
        process.wait()
        raise


def _launch(home: Home, port: int | None) -> tuple[subprocess.Popen[bytes], int]:
    """Start the process. Returns it and where in the log its output begins.

    It holds the home's lock from its first moment on, handed over by us: whoever is interrupted here leaves no gap in which
    a second one could start.
    """
    if home.log_file.exists() and home.log_file.stat().st_size > _MAX_LOG_BYTES:
        home.log_file.replace(home.log_file.with_suffix(".log.1"))
    with home.log_file.open("ab") as log, hold_serve_lock(home) as lock:
        home.log_file.chmod(0o600)
        command = [sys.executable, "-P", "-m", "mojo_toolbox.local_cloud", "serve", "--home", str(home.root)]
        command += ["--lock", str(lock.fileno())]
        command += [] if port is None else ["--port", str(port)]
        command += _ends_with()
        begun = log.tell()
        # A session of its own and no folder of the user's: it outlives the terminal and the folder it began in.
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=home.folder,
            env=server_environment(),
            pass_fds=[lock.fileno()],
            start_new_session=True,
        )
    return process, begun


def _await_answer(home: Home, process: subprocess.Popen[bytes], port: int | None, begun: int) -> RunningCloud:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        connection = _running(home)
        if connection is not None and connection.pid == process.pid:
            # It is not ours to wait for any more. Without this, Python warns that it still runs.
            process.returncode = 0
            return connection
        code = process.poll()
        if code == PORT_IN_USE_STATUS and port is not None:
            raise PortInUseError(port)
        if code is not None:
            raise LocalCloudError(f"The local cloud did not start (exit status {code}).\n{_tail(home, begun)}")
        time.sleep(_POLL_SECONDS)
    raise LocalCloudError(f"The local cloud did not answer within {_START_SECONDS:.0f} s.\n{_tail(home, begun)}")


def _ends_with() -> list[str]:
    pid = os.environ.get(ENDS_WITH, "")
    if pid and not pid.isdecimal():
        raise LocalCloudError(f"{ENDS_WITH} is the id of the process with which the local cloud ends, not {pid!r}.")
    return ["--ends-with", pid] if pid else []


def _running(home: Home) -> RunningCloud | None:
    """Return the connection that the home names, if the local cloud of this very home answers there."""
    if not home.credentials_file.exists():
        return None
    try:
        document = json.loads(home.connection_file.read_text(encoding="utf-8"))
        connection = RunningCloud(
            endpoint_url=document["endpoint_url"],
            pid=document["pid"],
            port=document["port"],
            region=document["region"],
            home=home.root,
            credentials=home.credentials(),
        )
    except (FileNotFoundError, ValueError, KeyError):
        return None
    answer = _ask_status(connection)
    # After a kill, another program may have taken the port: only ours can check our signature and knows its pid.
    return connection if answer is not None and answer.get("pid") == connection.pid else None


def _ask_status(connection: RunningCloud) -> dict[str, Any] | None:
    host = f"127.0.0.1:{connection.port}"
    now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    scope = sigv4.Scope(date=now[:8], region=REGION, service=STATUS_SERVICE)
    headers = {"host": host, "x-amz-content-sha256": sigv4.EMPTY_SHA256, "x-amz-date": now}
    canonical = sigv4.canonical_request(
        "GET", "/", query="", headers=headers, signed_headers=sorted(headers), payload_hash=sigv4.EMPTY_SHA256
    )
    key = sigv4.signing_key(connection.credentials.secret_access_key, scope)
    headers["authorization"] = (
        f"{sigv4.ALGORITHM} Credential={connection.credentials.access_key_id}/{scope}, "
        f"SignedHeaders={';'.join(sorted(headers))}, Signature={sigv4.signature(key, now, scope, canonical)}"
    )
    client = http.client.HTTPConnection("127.0.0.1", connection.port, timeout=5)
    try:
        client.request("GET", "/", headers=headers)
        answer = client.getresponse()
        body = answer.read()
        return dict(json.loads(body)) if answer.status == http.HTTPStatus.OK else None
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        client.close()


def _server_pid(home: Home) -> int | None:
    """Return the pid of the process that holds the home's lock, None when nobody does, `_UNNAMED` before it says so."""
    try:
        with home.serve_lock.open("r+", encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                text = file.read().strip()
                return int(text) if text.isdigit() else _UNNAMED
            return None
    except FileNotFoundError:
        return None


def _settled(home: Home) -> RunningCloud | None:
    """Wait for a local cloud that is on its way up or down, and end one that neither answers nor ends."""
    if not _wait(lambda: _server_pid(home) is None or _running(home) is not None, _STOP_SECONDS):
        _signal(_server_pid(home) or _UNNAMED, signal.SIGKILL)
        _wait(lambda: _server_pid(home) is None, _STOP_SECONDS)
    return _running(home)


def _signal(pid: int, number: signal.Signals) -> None:
    if pid > 0:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return


def _wait(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def _tail(home: Home, begun: int) -> str:
    with home.log_file.open("rb") as file:
        file.seek(begun)
        lines = file.read().decode("utf-8", "replace").splitlines()
    return "\n".join([*lines[-_LOG_TAIL_LINES:], f"Log: {home.log_file}"])


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("a", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
