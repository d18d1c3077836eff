"""A training on all GPUs of the instance."""

from __future__ import annotations

import os
import sys

import torch

from job.environment import Job


def relaunch_on_every_gpu(script: str, *, job: Job) -> None:
    """With several GPUs become torchrun, which starts `script` once for each."""
    gpus = min(job.num_gpus, torch.cuda.device_count())
    if gpus > 1 and "LOCAL_RANK" not in os.environ:
        torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={gpus}"]
        os.execv(sys.executable, [*torchrun, script, *sys.argv[1:]])  # noqa: S606 - keeps our pid, so SIGTERM arrives
