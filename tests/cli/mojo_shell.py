"""`mojo` as a process."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
NAMES = ("--product", "acme", "--task", "routing", "--model-id", "tiny")


class Shell:
    """Runs `mojo` in an environment that knows no AWS account."""

    def __init__(self, home, folder):
        kept = {n: v for n, v in os.environ.items() if not n.startswith(("AWS_", "MOJO_", "SAGEMAKER_", "HF_"))}
        self.folder = folder
        self.environment = {
            **kept,
            "PYTHONPATH": str(ROOT),
            "MOJO_HOME": str(home),
            "MOJO_LOCAL_ENDS_WITH": str(os.getpid()),
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "HF_HUB_OFFLINE": "1",
            "OMP_NUM_THREADS": "1",
            "COLUMNS": "80",
        }

    @staticmethod
    def command(*arguments):
        return [sys.executable, "-m", "mojo_toolbox.cli", *map(str, arguments)]

    def __call__(self, *arguments, text=""):
        return subprocess.run(
            self.command(*arguments),
            env=self.environment,
            cwd=self.folder,
            input=text,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def json(self, *arguments, text=""):
        """Return what a command that must succeed prints as JSON."""
        done = self(*arguments, "--json", text=text)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)
