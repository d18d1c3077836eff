"""Python environments of jobs and endpoints: layers on the local cloud's own interpreter, which they never change."""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import platform
import re
import site
import sys
import sysconfig
import time
import venv
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from mojo_toolbox.local_cloud.running.passed_on import user_environment
from mojo_toolbox.local_cloud.running.processes import Child
from mojo_toolbox.local_cloud.untrusted.plain_files import open_plain, remove_folder

_LOCK_POLL_SECONDS = 0.1

Log = Callable[[list[tuple[int, str]]], None]


class EnvironmentFailedError(Exception):
    """pip could not install a requirements.txt. The message ends with its last lines."""


class Environments:
    """Layered virtual environments under one folder, cached by the requirements."""

    def __init__(self, folder: Path, *, owner: str) -> None:
        self._folder = folder
        self._owner = owner

    def layer(self, folder: Path, *, below: Path | None = None) -> Path:
        """Make an empty environment that sees the packages of `below` and of this interpreter. Returns its Python.

        It takes some 30 ms, and everything that pip installs there stays there.
        """
        has_pip = importlib.util.find_spec("pip") is not None
        venv.EnvBuilder(symlinks=True, with_pip=not has_pip, clear=True).create(folder)
        python = folder / "bin" / "python"
        lower = [str(_site_packages(below))] if below else []
        lines = [f"import site; site.addsitedir({path!r})" for path in [*lower, *_own_site_packages()]]
        (_site_packages(folder) / "mojo_layers.pth").write_text("\n".join(lines) + "\n")
        if has_pip:
            # The interpreter below may have a `pip` on the PATH, and that one would install below.
            for name in ("pip", "pip3"):
                script = folder / "bin" / name
                script.write_text(f'#!/bin/sh\nexec "{python}" -m pip "$@"\n')
                script.chmod(0o755)
        return python

    def with_requirements(self, requirements: Path, *, log: Log, stopped: Callable[[], bool]) -> Path:
        """Return the folder of an environment that satisfies a requirements.txt, made at the first call for its text.

        Raises:
            EnvironmentFailedError: pip failed, or `stopped()` became true while it worked.
        """
        text = _all_text(requirements)
        key = hashlib.sha256(text + sys.version.encode() + sys.prefix.encode() + platform.machine().encode())
        folder = self._folder / key.hexdigest()[:24]
        with _locked(self._folder / f"{folder.name}.lock", stopped=stopped):
            stamp = folder / "complete"
            if not stamp.exists():
                self._install(folder, requirements, log, stopped)
                stamp.touch()
        return folder

    def _install(self, folder: Path, requirements: Path, log: Log, stopped: Callable[[], bool]) -> None:
        # No second place and a rename: an environment's scripts hold its path. The stamp says that it is whole.
        python = self.layer(folder)
        command = [
            str(python),
            "-m",
            "pip",
            "install",
            "--disable-pip-version-check",
            "--no-input",
            "--progress-bar=off",
        ]
        child = Child(
            [*command, "-r", str(requirements)],
            environment=user_environment(),
            folder=requirements.parent,
            owner=self._owner,
        )
        last: list[str] = []
        for batch in child.batches():
            log(batch)
            last = [*last, *(line for _, line in batch)][-20:]
            if stopped():
                child.stop(2)
        if child.wait() != 0 or stopped():
            remove_folder(folder)
            errors = [line for line in last if line.startswith("ERROR")] or last[-5:]
            raise EnvironmentFailedError("pip could not install requirements.txt: " + " ".join(errors))


def _all_text(requirements: Path) -> bytes:
    """Join a requirements file with those that it names (`-r base.txt`, `-c constraints.txt`)."""
    text = requirements.read_bytes()
    named = re.findall(rb"^[ \t]*(?:-[rc]|--requirement|--constraint)[ =]*(\S+)", text, flags=re.MULTILINE)
    return text + b"".join(_content(requirements.parent / os.fsdecode(name)) for name in named)


def _content(path: Path) -> bytes:
    try:
        with open_plain(path) as file:
            return file.read()
    except (OSError, ValueError):
        # pip will name the problem.
        return b""


def child_environment(
    *,
    endpoint_url: str,
    access_key_id: str,
    secret_access_key: str,
    region: str,
    python: Path,
    extra: Mapping[str, str],
) -> dict[str, str]:
    """Build the environment of a job or an endpoint: an allow-list, the local cloud's credentials, and no others."""
    base = user_environment()
    path = [str(python.parent), str(Path(sys.executable).parent), base["PATH"]]
    return {
        **base,
        "PYTHONUNBUFFERED": "1",
        # Only what the container's own Environment names may sign in to a hub.
        "HF_TOKEN_PATH": os.devnull,
        "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1",
        **extra,
        "PATH": os.pathsep.join(path),
        "VIRTUAL_ENV": str(python.parent.parent),
        "AWS_ENDPOINT_URL": endpoint_url,
        "AWS_ACCESS_KEY_ID": access_key_id,
        "AWS_SECRET_ACCESS_KEY": secret_access_key,
        "AWS_DEFAULT_REGION": region,
        "AWS_REGION": region,
        # No way around to the credentials of the user.
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        # The local cloud is on loopback: no proxy leads there.
        "NO_PROXY": _without_proxy(base),
        "no_proxy": _without_proxy(base),
    }


def _without_proxy(base: Mapping[str, str]) -> str:
    given = base.get("no_proxy") or base.get("NO_PROXY") or ""
    return ",".join(dict.fromkeys([*filter(None, given.split(",")), "127.0.0.1", "localhost"]))


def _own_site_packages() -> Sequence[str]:
    paths = [sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), *site.getsitepackages()]
    if site.ENABLE_USER_SITE:
        paths.append(site.getusersitepackages())
    return list(dict.fromkeys(paths))


def _site_packages(environment: Path) -> Path:
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return environment / "lib" / version / "site-packages"


@contextmanager
def _locked(path: Path, *, stopped: Callable[[], bool]) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as handle:
        # Threads and processes alike: each open file has a lock of its own.
        while not _take(handle.fileno()):
            # Somebody else's pip may take long, or hang: a job that only waits for it can be stopped.
            if stopped():
                raise EnvironmentFailedError("It was stopped while another one installed the same requirements.txt.")
            time.sleep(_LOCK_POLL_SECONDS)
        yield


def _take(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
