"""Finding the local cloud, and starting it as a process of its own: it is never imported here."""

from __future__ import annotations

import json
import logging
import os
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from mojo_toolbox.errors import LocalCloudError
from mojo_toolbox.errors.extras import require_local_cloud

_log = logging.getLogger(__name__)

# The first start imports moto and recovers what was running.
_START_TIMEOUT = 120


@dataclass(frozen=True)
class LocalConnection:
    """Where the local cloud answers, and the credentials that it accepts."""

    endpoint_url: str
    access_key_id: str
    secret_access_key: str
    pid: int

    def __repr__(self) -> str:
        return f"LocalConnection({self.endpoint_url})"


def connect(home: Path, *, start: bool) -> LocalConnection:
    """Return the connection of the local cloud under `home`, starting it when it does not run and `start` is true.

    Raises:
        MissingExtraError: it does not run, and the `local` extra is not installed.
        LocalCloudError: it does not run and is not to be started, or does not start.
    """
    connection = _read(home)
    if connection is not None and _answers(connection):
        return connection
    if start:
        _run_up(home)
        connection = _read(home)
        _log.info("The local cloud did not run: started it, with its endpoints. Stop it: mojo local down")
    if connection is None:
        raise LocalCloudError(f"No local cloud runs under {home}. Start it: mojo local up")
    return connection


def _read(home: Path) -> LocalConnection | None:
    folder = home / "local_cloud"
    try:
        connection = json.loads((folder / "connection.json").read_text(encoding="utf-8"))
        credentials = json.loads((folder / "credentials.json").read_text(encoding="utf-8"))
        return LocalConnection(
            endpoint_url=connection["endpoint_url"],
            access_key_id=credentials["access_key_id"],
            secret_access_key=credentials["secret_access_key"],
            pid=connection["pid"],
        )
    except (
        FileNotFoundError,
        ValueError,
        KeyError,
        TypeError,
    ):  # missing, or cut short by a crash: `up` writes it anew
        return None
    except OSError as error:
        raise LocalCloudError(
            f"The local cloud's folder {folder} cannot be read: {error.strerror}. Set MOJO_HOME to a folder of yours."
        ) from error


def _answers(connection: LocalConnection) -> bool:
    """Whether it runs and listens. One that was killed leaves its file behind, and its port to whoever comes next."""
    if not _is_alive(connection.pid):
        return False
    address = urlsplit(connection.endpoint_url)
    try:
        socket.create_connection((str(address.hostname), int(address.port or 0)), timeout=2).close()
    except OSError:
        return False
    return True


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's process: not ours
        return False
    return True


def _run_up(home: Path) -> None:
    require_local_cloud()
    command = [sys.executable, "-m", "mojo_toolbox.local_cloud", "up", "--json", "--home", str(home)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_START_TIMEOUT, check=False)
    except subprocess.TimeoutExpired as error:
        raise LocalCloudError(
            f"The local cloud did not start within {_START_TIMEOUT} s. See {home}/local_cloud."
        ) from error
    if done.returncode != 0:
        raise LocalCloudError((done.stderr.strip() or done.stdout.strip()).removeprefix("error: "))
