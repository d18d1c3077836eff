"""kill -9 of the local cloud: nothing stays behind, and the next start takes up what there was."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil

HERE = Path(__file__).parent
PROGRAM = """
import pathlib, sys, threading
from conftest import Cloud

cloud = Cloud(pathlib.Path(sys.argv[1]))
cloud.CreateTrainingJob(**cloud.shell_request("job", "(setsid sleep 4721 &); (sleep 4722 &); echo ready; sleep 4723; sleep 1"))
cloud.deploy("served", "def predict_fn(data, model):\\n    return 'here'\\n")
cloud.until(lambda: cloud.job_log("job"), lambda lines: lines == ["ready"])
print("up", flush=True)
threading.Event().wait()
"""


def children_of(home: Path) -> list[psutil.Process]:
    """Every process that works for this home, however far it went."""
    marker = f"MOJO_LOCAL_CLOUD_CHILD_OF={home.resolve()}".encode()
    found = []
    for process in psutil.process_iter():
        try:
            alive = process.status() != psutil.STATUS_ZOMBIE
            if alive and marker in b"\0".join(f"{k}={v}".encode() for k, v in process.environ().items()):
                found.append(process)
        except psutil.Error:
            continue
    return found


def start_and_wait(home: Path) -> subprocess.Popen:
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(home)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), str(HERE.parents[2])])},
    )
    assert process.stdout.readline() == b"up\n"
    return process


def end(process: subprocess.Popen) -> None:
    process.kill()
    process.wait()
    process.stdout.close()


def test_kill_9_leaves_no_process_and_the_next_start_fails_the_job_and_serves_the_endpoint(make_cloud, tmp_path):
    process = start_and_wait(tmp_path)
    assert len(children_of(tmp_path)) >= 7
    end(process)
    psutil.wait_procs(children_of(tmp_path), timeout=10)
    assert not children_of(tmp_path)
    cloud = make_cloud()
    job = cloud.DescribeTrainingJob(TrainingJobName="job")
    assert job["TrainingJobStatus"] == "Failed"
    assert "The local cloud was stopped while this job was running" in job["FailureReason"]
    assert cloud.job_log("job") == ["ready"]
    # The first answer waits for the model: right after the start nobody has to ask twice.
    assert cloud.ask("served", 1) == "here"


def test_children_whose_wardens_were_killed_too_are_swept_at_the_next_start(make_cloud, tmp_path):
    process = start_and_wait(tmp_path)
    wardens = [child for child in children_of(tmp_path) if "warden.py" in " ".join(child.cmdline())]
    assert len(wardens) == 2
    for warden in wardens:
        warden.send_signal(signal.SIGSTOP)
    end(process)
    for warden in wardens:
        warden.kill()
    left = children_of(tmp_path)
    assert left
    cloud = make_cloud()
    psutil.wait_procs(left, timeout=10)
    assert not [child for child in left if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]
    assert cloud.ask("served", 1) == "here"
