#!/usr/bin/env python3
"""Run a command beside a PostgreSQL server of its own, which the tests then use: postgres.py COMMAND [ARGUMENT ...].

The server listens on a socket in a private folder, keeps everything in that folder and ends with the command. Where PostgreSQL
is missing, root on Debian gets it installed. Only Python's standard library is needed, so CI can begin with this script.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

# tests/review reads it.
VARIABLE = "MOJO_TEST_POSTGRES_URL"
_USER = "postgres"
# The data is gone in minutes: nothing needs to survive a power failure.
_SERVER_OPTIONS = "-c fsync=off -c full_page_writes=off -c synchronous_commit=off -c max_connections=200"
_PATIENCE = ["-o", "Acquire::http::Timeout=30", "-o", "Acquire::Retries=2"]
_CLUSTER_SETTINGS = Path("/etc/postgresql-common/createcluster.conf")


class CannotStartError(Exception):
    """The server does not start. The message gives the remedy."""


def main(command: list[str]) -> int:
    """Run the command, and return its exit status."""
    if not command:
        print(__doc__, file=sys.stderr)
        return 2
    # From now on SIGTERM tidies up as Ctrl+C does.
    signal.signal(signal.SIGTERM, _end)
    if os.environ.get(VARIABLE):
        return _run(command, os.environ[VARIABLE])
    try:
        with _server(_programs()) as url:
            return _run(command, url)
    except CannotStartError as error:
        print(f"PostgreSQL: {error}", file=sys.stderr)
        return 1


def _end(number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + number)


def _run(command: list[str], url: str) -> int:
    """Run the command until it ends by itself or by a signal, which it gets too."""
    process = subprocess.Popen(command, env={**os.environ, VARIABLE: url})
    while True:
        try:
            status = process.wait()
        except KeyboardInterrupt:
            # The terminal sent Ctrl+C to the command as well.
            continue
        except SystemExit:
            process.terminate()
        else:
            return 128 - status if status < 0 else status


def _programs() -> Path:
    """Return the folder of `initdb` and `pg_ctl`."""
    found = _find_programs()
    apt_get = shutil.which("apt-get")
    if found is None and os.getuid() == 0 and apt_get:
        _install(apt_get)
        found = _find_programs()
    if found is None:
        raise CannotStartError(
            "initdb and pg_ctl are missing. On Debian and Ubuntu: apt install postgresql; on macOS: brew install postgresql"
        )
    return found


def _find_programs() -> Path | None:
    """Return the newest one that Debian keeps out of PATH, else the one in PATH."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[4]))
    if debian:
        return debian[-1].parent
    in_path = shutil.which("initdb")
    return Path(in_path).parent if in_path else None


def _install(apt_get: str) -> None:
    print("Installing postgresql, for the tests of review", flush=True)
    # Debian's package would start a server for the whole machine.
    if not _CLUSTER_SETTINGS.exists():
        _CLUSTER_SETTINGS.parent.mkdir(parents=True, exist_ok=True)
        _CLUSTER_SETTINGS.write_text("create_main_cluster = false\n")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "UCF_FORCE_CONFFOLD": "1"}
    for step in (["update"], ["install", "-y", "--no-install-recommends", "postgresql"]):
        command = [apt_get, *_PATIENCE, *step]
        done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)
        if done.returncode != 0:
            print(f"{done.stdout}{done.stderr}"[-2000:], file=sys.stderr)
            raise CannotStartError(
                "it is missing and could not be installed, so the tests of review would run on SQLite only. "
                "Install it by hand (apt install postgresql), or run the command without this script."
            )


@contextmanager
def _server(programs: Path) -> Iterator[str]:
    """Start a server in a new folder; yield the URL of its database."""
    folder = Path(tempfile.mkdtemp(prefix="pg"))
    data, log = folder / "data", folder / "log"
    account = _account()
    encoding = ["-E", "UTF8", "--no-locale"]
    # Who reaches the socket may do everything, and the folder lets only this user reach it.
    options = f"{_SERVER_OPTIONS} -c listen_addresses='' -c unix_socket_directories='{folder}'"
    try:
        if account:
            shutil.chown(folder, account)
        _as(account, programs / "initdb", "-D", data, "-U", _USER, *encoding, "-A", "trust", "--no-sync")
        _as(account, programs / "pg_ctl", "-D", data, "-l", log, "-o", options, "-w", "start")
        yield f"postgresql://{_USER}@/{_USER}?host={folder}"
    finally:
        if (data / "postmaster.pid").exists():
            _as(account, programs / "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
        shutil.rmtree(folder, ignore_errors=True)


def _account() -> str | None:
    """Return the user to become: PostgreSQL refuses to run as root."""
    if os.getuid() != 0:
        return None
    return next((user.pw_name for user in pwd.getpwall() if user.pw_name == _USER), "nobody")


def _as(account: str | None, *command: object) -> None:
    # A session of its own, so that Ctrl+C reaches the server only through this script.
    done = subprocess.run(
        [str(part) for part in command],
        user=account,
        group=pwd.getpwnam(account).pw_gid if account else None,
        extra_groups=[] if account else None,
        cwd="/",
        check=False,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        start_new_session=True,
    )
    if done.returncode != 0:
        raise CannotStartError(f"{Path(str(command[0])).name} failed: {done.stdout}{done.stderr}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
