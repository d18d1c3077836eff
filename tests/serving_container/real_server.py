"""The serving container's own server on one archive of ours: started, asked, ended, in namespaces of its own."""

import json
import os
import shutil
import subprocess
import tarfile
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import pytest
from pages import ROOT

INSIDE = Path(__file__).with_name("inside.py")
# `.ci/run` and `make container-test` set it: there a missing server is a failure, elsewhere a reason to skip.
REQUIRED = "MOJO_TEST_SERVING_REQUIRED"
# The Python of the environment that scripts/serving_environment.sh made.
PYTHON = "MOJO_TEST_SERVING_PYTHON"
# Nothing that listens or that looks for processes may meet those of other tests.
NAMESPACES = ["--mount", "--net", "--pid", "--fork", "--mount-proc", "--kill-child"]


@dataclass(frozen=True)
class Answered:
    """Whether the server started; its answers in order; command lines of its processes; what it printed."""

    started: bool
    answers: list[dict]
    processes: list[str]
    log: str

    @property
    def documents(self):
        return [json.loads(answer["body"]) for answer in self.answers]

    @property
    def statuses(self):
        return [answer["status"] for answer in self.answers]


def serving_python():
    """The Python of the server's environment; skips, or fails where the server is required, when it cannot run here."""
    python = Path(os.environ.get(PYTHON, ROOT / ".venv-serving" / "bin" / "python"))
    if not python.exists():
        _missing(f"no environment of the serving container ({python}): make test makes it where Java can be had")
    return python


def unshare():
    """The command that makes namespaces: as root, else as a root of a namespace of its own."""
    if shutil.which("unshare") is None:
        _missing("this machine has no `unshare`, with which processes get namespaces of their own (Linux)")
    for user in ([], ["--user", "--map-root-user"]):
        command = ["unshare", *user, *NAMESPACES]
        if subprocess.run([*command, "true"], check=False, capture_output=True).returncode == 0:
            return command
    return _missing("this machine lets no process have namespaces of its own")


def _missing(reason) -> NoReturn:
    if os.environ.get(REQUIRED):
        pytest.fail(reason)
    pytest.skip(reason)


@contextmanager
def unpacked(archive, mounted):
    """Lay an archive and its base models out as SageMaker does, below a short path (sockets take 107 characters)."""
    with tempfile.TemporaryDirectory(prefix="mms") as work:
        ml = Path(work, "opt", "ml")
        for channel, folder in mounted.items():
            target = ml / "additional-model-data-sources" / channel
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(folder)
        with tarfile.open(archive) as opened:
            opened.extractall(ml / "model", filter="data")
        yield Path(work)


def ask_the_real_server(archive, questions, *, environment, mounted=None):
    """Start the server on an archive, ask the bodies (or `(body, headers)`) one after the other, and end it."""
    command = [*unshare(), str(serving_python()), str(INSIDE)]
    asked = [(q, {}) if isinstance(q, dict) else q for q in questions]
    told = json.dumps([[json.dumps(body), {"Content-Type": "application/json", **headers}] for body, headers in asked])
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SM_", "HF_", "MOJO_", "OMP_"))}
    with unpacked(archive, mounted or {}) as work:
        moved = {name: value.replace("/opt/ml", f"{work}/opt/ml") for name, value in environment.items()}
        ended = subprocess.run(
            [*command, str(work)],
            input=told, capture_output=True, text=True, check=False, timeout=280,
            env={**kept, "HF_HUB_OFFLINE": "1", "SAGEMAKER_STARTUP_TIMEOUT": "20", **moved},
        )  # fmt: skip
        log = (work / "server.log").read_text(encoding="utf-8", errors="replace") if ended.returncode == 0 else ""
    assert ended.returncode == 0, ended.stderr
    return Answered(log=log, **json.loads(ended.stdout))
