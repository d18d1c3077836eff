"""A training script as a process, as a container runs it."""

import json
import os
import subprocess
import sys
from pathlib import Path

SCRIPTS = Path(__file__).parents[2] / "training_scripts"
# `make container-test` names one with the training container's versions.
PYTHON = os.environ.get("MOJO_TEST_TRAINING_PYTHON", sys.executable)


class Outcome:
    """How a run of the script ended."""

    def __init__(self, returncode, stdout, stderr):
        self.returncode = returncode
        self.stderr = stderr
        # Fails when anything but progress lines went to stdout.
        self.progress = [json.loads(line) for line in stdout.splitlines()]


def start_script(base, *launcher, environment, script="train_qlora.py", **hyperparameters):
    flags = [text for name, value in hyperparameters.items() for text in (f"--{name}", str(value))]
    # One thread: two would wait for each other longer than a tiny model computes.
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SM_", "HF_"))}
    return subprocess.Popen(
        [PYTHON, *launcher, str(SCRIPTS / script), "--base_model", str(base), *flags],
        env={
            **kept,
            "HF_HUB_OFFLINE": "1",
            "OMP_NUM_THREADS": "1",
            **{name: str(value) for name, value in environment.items()},
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
