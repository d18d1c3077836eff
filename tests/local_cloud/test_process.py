"""The process that serves: what it keeps of its starter, how it outlives an interrupted start, and with whom it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from mojo_toolbox.errors import LocalCloudError
from mojo_toolbox.local_cloud import lifecycle

SECRETS = {
    "HF_TOKEN": "hf-of-the-user",
    "AWS_SECRET_ACCESS_KEY": "aws-of-the-user",
    "AWS_SESSION_TOKEN": "session-of-the-user",
    "OPENAI_API_KEY": "openai-of-the-user",
    "MOJO_OPENAI_API_KEY": "openai-of-the-user",
    "MOJO_REVIEW_DATABASE": "postgresql://me:password-of-the-user@host/db",
    "GITHUB_TOKEN": "github-of-the-user",
    "SSH_AUTH_SOCK": "/agent-of-the-user",
    "ANYTHING": "else-of-the-user",
}
# A process that a script starts in the background is born deaf to Ctrl-C; one at a terminal is not.
_HEARING = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
_MAIN = "import sys; from mojo_toolbox.local_cloud.__main__ import main; sys.exit(main())"


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-c", _HEARING + _MAIN, *arguments]


def wait_for(condition, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def servers_of(home: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if "serve" in words and str(home) in words:
            found.append(process)
    return found


def start_job(clients, name: str, script: str) -> None:
    clients("sagemaker").create_training_job(
        TrainingJobName=name,
        AlgorithmSpecification={
            "TrainingImage": "image",
            "TrainingInputMode": "File",
            "ContainerEntrypoint": ["/bin/sh"],
            "ContainerArguments": ["-c", script],
        },
        RoleArn="arn:aws:iam::123456789012:role/SageMakerRole",
        OutputDataConfig={"S3OutputPath": "s3://jobs/out"},
        ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 5},
        StoppingCondition={"MaxRuntimeInSeconds": 60},
    )


def assert_no_secrets(pid: int) -> None:
    family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    for process in family:
        seen = [*process.environ().values(), *process.cmdline()]
        assert not [text for text in seen if "of-the-user" in text], process


def test_the_server_keeps_none_of_its_starters_secrets(own_home, monkeypatch):
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    connection = lifecycle.up(own_home)
    assert_no_secrets(connection.pid)
    assert psutil.Process(connection.pid).environ()["HF_HUB_OFFLINE"] == "1"


def test_a_server_in_the_foreground_keeps_none_either(own_home):
    serving = subprocess.Popen(
        [sys.executable, "-m", "mojo_toolbox.local_cloud", "serve", "--home", str(own_home)],
        env={**os.environ, **SECRETS},
    )
    try:
        wait_for(lambda: lifecycle.status(own_home))
        assert lifecycle.status(own_home).pid == serving.pid
        assert_no_secrets(serving.pid)
    finally:
        serving.terminate()
        assert serving.wait(60) in (0, -signal.SIGTERM)


def test_a_job_finds_no_secret_in_any_process_above_it(own_home, clients_of, monkeypatch):
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    connection = lifecycle.up(own_home)
    clients = clients_of(connection)
    clients("s3").create_bucket(Bucket="jobs")
    reads = (
        f"p=$$; while :; do echo at $p; tr '\\000' '\\n' </proc/$p/environ; [ $p = {connection.pid} ] && break; "
        "p=$(awk '/PPid/{print $2}' /proc/$p/status); done"
    )
    start_job(clients, "spy", reads)
    describe = clients("sagemaker").describe_training_job
    wait_for(lambda: describe(TrainingJobName="spy")["TrainingJobStatus"] not in ("InProgress", "Stopping"))
    logs = clients("logs")
    stream = logs.describe_log_streams(logGroupName="/aws/sagemaker/TrainingJobs")["logStreams"][0]["logStreamName"]
    lines = [
        event["message"]
        for event in logs.get_log_events(
            logGroupName="/aws/sagemaker/TrainingJobs", logStreamName=stream, startFromHead=True
        )["events"]
    ]
    assert f"at {connection.pid}" in lines
    assert any(line.startswith("MOJO_LOCAL_CLOUD_SERVER=") for line in lines), "the server's environment was not seen"
    assert not [line for line in lines if "of-the-user" in line]


def test_files_of_the_local_cloud_are_its_owners_alone_whatever_the_umask(own_home):
    before = os.umask(0)
    try:
        lifecycle.up(own_home)
    finally:
        os.umask(before)
    folder = own_home / "local_cloud"
    files = [path for path in folder.iterdir() if path.is_file() and path.suffix != ".lock"]
    assert {"cloud.sqlite", "cloud.sqlite-wal", "credentials.json", "server.log"} <= {path.name for path in files}
    assert [path for path in files if path.stat().st_mode & 0o077] == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_start_that_is_interrupted_at_any_moment_leaves_the_next_one_free(own_home, number):
    for delay in (0.1, 0.3, 0.5, 0.7, 0.9, 1.1, 1.4, 1.8):
        first = subprocess.Popen(command("up", "--home", str(own_home)), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        time.sleep(delay)
        first.send_signal(number)
        first.communicate()
        connection = lifecycle.up(own_home)
        assert [process.pid for process in servers_of(own_home)] == [connection.pid]
        assert lifecycle.down(own_home)
        assert servers_of(own_home) == []


def test_ctrl_c_takes_back_what_it_began(own_home):
    first = subprocess.Popen(command("up", "--home", str(own_home)), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    wait_for(lambda: servers_of(own_home) or first.poll() is not None)
    first.send_signal(signal.SIGINT)
    first.communicate()
    assert lifecycle.status(own_home) is None
    assert servers_of(own_home) == []


def test_an_interrupted_start_can_be_ended(own_home):
    first = subprocess.Popen(command("up", "--home", str(own_home)), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    wait_for(lambda: servers_of(own_home))
    first.kill()
    first.communicate()
    lifecycle.down(own_home)
    assert servers_of(own_home) == []


def test_folders_that_a_killed_one_left_are_removed_at_the_next_start(own_home, clients_of):
    first = lifecycle.up(own_home)
    clients = clients_of(first)
    clients("s3").create_bucket(Bucket="jobs")
    start_job(clients, "orphan", "mkdir -p closed/in; touch closed/in/file; chmod 000 closed/in closed; sleep 1000")
    folder = own_home / "local_cloud"
    wait_for(lambda: list(folder.glob("jobs/orphan/opt/ml/closed")))
    # What a kill between two steps leaves: an endpoint that no record names, an environment that pip did not complete.
    (folder / "endpoints" / "nobodys" / "plan").mkdir(parents=True)
    (folder / "environments" / "half").mkdir(parents=True)
    (folder / "environments" / "whole").mkdir()
    (folder / "environments" / "whole" / "complete").touch()
    os.kill(first.pid, signal.SIGKILL)
    lifecycle.up(own_home)
    assert [path.name for path in (folder / "jobs").iterdir()] == []
    assert [path.name for path in (folder / "endpoints").iterdir()] == []
    assert [path.name for path in (folder / "environments").iterdir()] == ["whole"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_it_ends_with_the_process_that_the_variable_names(own_home, monkeypatch, number):
    with subprocess.Popen(["sleep", "1000"]) as other:
        monkeypatch.setenv(lifecycle.ENDS_WITH, str(other.pid))
        connection = lifecycle.up(own_home)
        time.sleep(1)
        assert lifecycle.status(own_home) == connection
        other.send_signal(number)
        # Nobody has waited for it: it is a zombie, which does not live.
        wait_for(lambda: servers_of(own_home) == [])


def test_it_does_not_start_for_a_process_that_is_gone(own_home, monkeypatch):
    with subprocess.Popen(["true"]) as other:
        pass
    monkeypatch.setenv(lifecycle.ENDS_WITH, str(other.pid))
    with pytest.raises(LocalCloudError, match=f"process {other.pid}, with which .* does not run"):
        lifecycle.up(own_home)
    monkeypatch.setenv(lifecycle.ENDS_WITH, "nobody")
    with pytest.raises(LocalCloudError, match="not 'nobody'"):
        lifecycle.up(own_home)


# As one process, and as `make test` runs it, with a local cloud of its own for each of xdist's processes.
ENDINGS = [(0, signal.SIGTERM), (0, signal.SIGINT), (0, signal.SIGKILL), (2, signal.SIGTERM), (2, signal.SIGKILL)]


@pytest.mark.parametrize(("processes", "number"), ENDINGS)
def test_a_test_run_that_is_ended_leaves_no_local_cloud(tmp_path, processes, number):
    test = "import time\ndef test_sleeps(local_home):\n    (local_home / 'begun').touch()\n    time.sleep(1000)\n"
    for name in range(processes or 1):
        (tmp_path / f"test_{name}.py").write_text(test)
    tests = Path(__file__).parents[1]
    run = subprocess.Popen(
        [
            *(sys.executable, "-c", _HEARING + "import sys, pytest; sys.exit(pytest.main(sys.argv[1:]))"),
            *("-q", "-n", str(processes), "--dist", "loadfile", "-p", "no:cacheprovider", "-p", "conftest"),
            *(f"--basetemp={tmp_path / 'base'}", str(tmp_path)),
        ],
        env={**os.environ, "PYTHONPATH": f"{tests}:{tests.parent}"},
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
    )
    wait_for(lambda: len(list(tmp_path.glob("base/**/begun"))) == (processes or 1), 120)
    homes = [path.parent for path in tmp_path.glob("base/**/begun")]
    assert all(servers_of(home) for home in homes)
    run.send_signal(number)
    run.communicate(timeout=60)
    for home in homes:
        wait_for(lambda home=home: servers_of(home) == [])
