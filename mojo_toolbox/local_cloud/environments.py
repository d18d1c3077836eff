"""Python environments of jobs and endpoints: layers on the local cloud's own interpreter, which they never change."""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import platform
import re
import shutil
import site
import sys
import sysconfig
import venv
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from mojo_toolbox.local_cloud.processes import Child

# What of the user's environment a job sees. Everything else, credentials above all, stays outside.
PASSED_ON = frozenset(
    """HOME USER LOGNAME SHELL LANG LANGUAGE TZ TMPDIR TERM XDG_CACHE_HOME
    HF_HOME HF_HUB_CACHE HF_XET_CACHE HF_HUB_OFFLINE HF_ENDPOINT HF_HUB_ETAG_TIMEOUT HF_HUB_DOWNLOAD_TIMEOUT
    HF_DATASETS_CACHE TRANSFORMERS_OFFLINE TORCH_HOME
    HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY http_proxy https_proxy all_proxy no_proxy
    SSL_CERT_FILE SSL_CERT_DIR REQUESTS_CA_BUNDLE CURL_CA_BUNDLE
    OMP_NUM_THREADS MKL_NUM_THREADS OPENBLAS_NUM_THREADS CUDA_VISIBLE_DEVICES CUDA_HOME LD_LIBRARY_PATH
    DYLD_LIBRARY_PATH
    PIP_INDEX_URL PIP_EXTRA_INDEX_URL PIP_FIND_LINKS PIP_NO_INDEX PIP_TRUSTED_HOST PIP_CERT PIP_CLIENT_CERT PIP_PROXY
    PIP_CACHE_DIR PIP_NO_CACHE_DIR PIP_CONFIG_FILE PIP_CONSTRAINT PIP_DEFAULT_TIMEOUT PIP_RETRIES
    UV_INDEX_URL UV_DEFAULT_INDEX""".split()  # noqa: SIM905 - a list literal would be a page
)
PASSED_ON_PREFIXES = ("LC_", "PYTORCH_", "CUDA_", "NVIDIA_")

Log = Callable[[list[tuple[int, str]]], None]


class EnvironmentFailedError(Exception):
    """pip could not install a requirements.txt; the message ends with its last lines."""


class Environments:
    """Layered virtual environments under one folder, cached by what was asked for."""

    def __init__(self, folder: Path, *, owner: str) -> None:
        self._folder = folder
        self._owner = owner

    def layer(self, folder: Path, *, below: Path | None = None) -> Path:
        """Make an empty environment that sees the packages of `below` and of this interpreter; returns its Python.

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
        with _locked(self._folder / f"{folder.name}.lock"):
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
            shutil.rmtree(folder, ignore_errors=True)
            errors = [line for line in last if line.startswith("ERROR")] or last[-5:]
            raise EnvironmentFailedError("pip could not install requirements.txt: " + " ".join(errors))


def _all_text(requirements: Path) -> bytes:
    """Join a requirements file with those that it names (`-r base.txt`, `-c constraints.txt`)."""
    text = requirements.read_bytes()
    named = re.findall(rb"^\s*(?:-[rc]|--requirement|--constraint)[ =]*(\S+)", text, flags=re.MULTILINE)
    others = [requirements.parent / os.fsdecode(name) for name in named]
    return text + b"".join(other.read_bytes() for other in others if other.is_file())


def user_environment() -> dict[str, str]:
    """Return the part of the user's environment that jobs and endpoints may see."""
    kept = {
        name: value for name, value in os.environ.items() if name in PASSED_ON or name.startswith(PASSED_ON_PREFIXES)
    }
    # A pip.conf may say `user = true`, and that would be the user's own packages.
    return {**kept, "PATH": os.environ.get("PATH", os.defpath), "PIP_USER": "0"}


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
        # Only what the container's own Environment names may speak to a hub in somebody's name.
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
def _locked(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as handle:
        # Threads and processes alike: each open file has a lock of its own.
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
