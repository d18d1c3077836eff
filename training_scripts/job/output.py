"""A job's two outputs: progress lines on stdout, everything else on stderr."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from typing import TextIO

from job.environment import Job
from job.settings import TrainingSettings


def claim_stdout() -> TextIO:
    """Return stdout for progress lines only. The prints of libraries go to stderr from now on."""
    sys.stdout.flush()
    progress = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1, encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return progress


def say(text: str) -> None:
    """Write a line for people to stderr."""
    print(text, file=sys.stderr, flush=True)


def print_resolved(settings: TrainingSettings, job: Job) -> None:
    """Print the settings and folders that this run goes by."""
    say(json.dumps({"settings": dataclasses.asdict(settings), "job": dataclasses.asdict(job)}, default=str))
