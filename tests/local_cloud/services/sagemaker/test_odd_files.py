"""What a job can leave in its folders, and what it can print: none of it freezes the job or the local cloud."""

from __future__ import annotations

import io
import json
import os
import tarfile
import time

import pytest
from hostile_archives import file, packed

from mojo_toolbox.local_cloud.services.logs import service as logs
from mojo_toolbox.local_cloud.services.sagemaker.training import job_runner

# Each needs Python, which a job has: a shell makes no sockets.
_SOCKET = "python3 -c \"import socket; socket.socket(socket.AF_UNIX).bind('odd')\""
ODD = {
    "a pipe": "mkfifo odd",
    "a pipe that somebody writes to": "mkfifo odd; (setsid sh -c 'echo x > odd' &)",
    "a socket": _SOCKET,
    "a device": "mknod odd c 1 5 || mkfifo odd",
    "a link to itself": "ln -s odd odd",
    "a loop of links": "ln -s other odd; ln -s odd other",
    "a link to nothing": "ln -s nowhere odd",
    "a link to an endless file": "ln -s /dev/zero odd",
    "a link to everything": "ln -s / odd",
    "a name that is not UTF-8": "touch \"$(printf 'odd\\351')\"",
    "a name with line ends": "touch \"$(printf 'odd\\nname\\001')\"",
    "closed files and folders": "touch odd; mkdir closed; touch closed/in; chmod 000 odd closed",
    "a long path": "for i in $(seq 12); do mkdir -p $(printf '%0250d' 1) && cd $(printf '%0250d' 1); done; touch odd",
    "a deep path": "mkdir -p $(printf 'd/%.0s' $(seq 1500)); touch odd",
}
CHECKPOINTS = {"S3Uri": "s3://bucket/check", "LocalPath": "/opt/ml/checkpoints"}


def names_in(archive: bytes) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        return sorted(opened.getnames())


@pytest.mark.parametrize("kind", ODD)
def test_a_job_with_odd_files_completes_and_keeps_its_good_ones(cloud, kind):
    makes = " && ".join(
        f'cd "$SAGEMAKER_BASE_DIR/{folder}" && echo good > good && ({ODD[kind]})'
        for folder in ("model", "output/data", "checkpoints")
    )
    job = cloud.train(cloud.shell_request("odd", makes, CheckpointConfig=CHECKPOINTS))
    assert job["TrainingJobStatus"] == "Completed", job["FailureReason"]
    assert "good" in names_in(cloud.store.read(job["ModelArtifacts"]["S3ModelArtifacts"]))
    assert "good" in names_in(cloud.store.read("s3://bucket/out/odd/output/output.tar.gz"))
    assert cloud.store.read("s3://bucket/check/good") == b"good\n"
    assert not (cloud.root / "jobs" / "odd").exists()


@pytest.mark.parametrize("kind", ODD)
def test_a_model_without_compression_skips_odd_files(cloud, kind):
    output = {"S3OutputPath": "s3://bucket/out", "CompressionType": "NONE"}
    script = f'cd "$SAGEMAKER_BASE_DIR/model" && echo good > good && ({ODD[kind]})'
    job = cloud.train(cloud.shell_request("odd", script, OutputDataConfig=output))
    assert job["TrainingJobStatus"] == "Completed", job["FailureReason"]
    assert cloud.store.read(f"{job['ModelArtifacts']['S3ModelArtifacts']}good") == b"good\n"


def test_the_log_says_what_was_left_out(cloud):
    script = 'cd "$SAGEMAKER_BASE_DIR" && mkfifo checkpoints/pipe model/pipe && ln -s / model/all'
    cloud.train(cloud.shell_request("told", script, CheckpointConfig=CHECKPOINTS))
    assert cloud.job_log("told") == [
        "Not uploaded: 'pipe' is a named pipe.",
        "Not uploaded: 'all' is a link to a folder outside of it.",
        "Not uploaded: 'pipe' is a named pipe.",
    ]


def test_stopping_a_job_with_a_pipe_among_its_checkpoints_ends(cloud):
    script = 'mkfifo "$SAGEMAKER_BASE_DIR/checkpoints/pipe"; echo ready; sleep 600'
    cloud.CreateTrainingJob(**cloud.shell_request("pipe", script, CheckpointConfig=CHECKPOINTS))
    cloud.until(lambda: cloud.job_log("pipe") if _has_log(cloud) else [], lambda lines: "ready" in lines)
    cloud.StopTrainingJob(TrainingJobName="pipe")
    assert cloud.wait_job("pipe", seconds=20)["TrainingJobStatus"] == "Stopped"


def _has_log(cloud) -> bool:
    return bool(cloud.database.execute("SELECT 1 FROM log_groups"))


@pytest.mark.parametrize(
    "failure", ["mkfifo failure", "mkdir failure", "ln -s failure failure", "ln -s /dev/zero failure"]
)
def test_an_odd_failure_file_is_passed_over(cloud, failure):
    job = cloud.train(cloud.shell_request("fails", f"cd /opt/ml/output; {failure}; echo why; exit 3"))
    assert job["FailureReason"].startswith("AlgorithmError: exit code: 3")
    assert "why" in job["FailureReason"]


def test_a_failure_file_of_gigabytes_is_read_to_its_first_lines(cloud):
    script = "cd /opt/ml/output; echo bad data > failure; truncate -s 40G failure; exit 3"
    job = cloud.train(cloud.shell_request("fails", script))
    assert job["FailureReason"].startswith("AlgorithmError: bad data")
    assert len(job["FailureReason"]) <= 1024


@pytest.mark.parametrize("folder", ["model", "output/data", "checkpoints"])
def test_a_sparse_file_larger_than_the_disk_fails_the_job_and_is_named(cloud, folder):
    script = (
        f'truncate -s 900T "$SAGEMAKER_BASE_DIR/{folder}/huge" || truncate -s 15T "$SAGEMAKER_BASE_DIR/{folder}/huge"'
    )
    job = cloud.train(cloud.shell_request("sparse", script, CheckpointConfig=CHECKPOINTS))
    assert job["TrainingJobStatus"] == "Failed"
    assert "huge has" in job["FailureReason"]
    assert "free" in job["FailureReason"]


@pytest.mark.parametrize(
    "script",
    [
        'rm -rf "$SAGEMAKER_BASE_DIR"/model; touch "$SAGEMAKER_BASE_DIR"/model',
        'rm -rf "$SAGEMAKER_BASE_DIR"/model; ln -s / "$SAGEMAKER_BASE_DIR"/model',
        'rm -rf "$SAGEMAKER_BASE_DIR"/model; ln -s model "$SAGEMAKER_BASE_DIR"/model',
        'rm -rf "$SAGEMAKER_BASE_DIR"/model; mkfifo "$SAGEMAKER_BASE_DIR"/model',
    ],
)
def test_a_model_folder_that_is_none_any_more_fails_the_job(cloud, script):
    job = cloud.train(cloud.shell_request("swapped", script))
    assert job["TrainingJobStatus"] == "Failed"
    assert "/opt/ml/model is no folder of the job any more" in job["FailureReason"]


@pytest.mark.parametrize(
    "script",
    [
        'rm -rf "$(dirname "$(dirname "$SAGEMAKER_BASE_DIR")")"',
        'rm -rf "$SAGEMAKER_BASE_DIR"/checkpoints; ln -s / "$SAGEMAKER_BASE_DIR"/checkpoints',
    ],
)
def test_a_job_that_removes_or_swaps_its_folders_ends(cloud, script):
    job = cloud.train(cloud.shell_request("gone", script, CheckpointConfig=CHECKPOINTS))
    assert job["TrainingJobStatus"] == "Completed", job["FailureReason"]


def test_files_that_come_and_go_and_grow_do_not_fail_a_job(cloud, monkeypatch):
    monkeypatch.setattr(job_runner, "CHECKPOINT_SYNC_SECONDS", 0.01)
    script = """cd "$SAGEMAKER_BASE_DIR/checkpoints"
(while :; do echo 0123456789; done) > grows & YES=$!
for i in $(seq 300); do mkdir d; echo x > d/f; mv d/f g; rm -f g; rmdir d; mkfifo g; rm -f g; echo x > g; rm -f g; done
kill $YES; rm -f grows; echo end > last"""
    job = cloud.train(cloud.shell_request("races", script, CheckpointConfig=CHECKPOINTS))
    assert job["TrainingJobStatus"] == "Completed", job["FailureReason"]
    assert cloud.store.read("s3://bucket/check/last") == b"end\n"


def test_thousands_of_tiny_checkpoints_are_kept(cloud):
    script = 'cd "$SAGEMAKER_BASE_DIR/checkpoints"; for i in $(seq 3000); do : > f$i; done'
    job = cloud.train(cloud.shell_request("tiny", script, CheckpointConfig=CHECKPOINTS))
    assert job["TrainingJobStatus"] == "Completed", job["FailureReason"]
    assert len(cloud.store.list_keys("bucket", "check/")) == 3000


@pytest.mark.timeout(60)
@pytest.mark.parametrize("expression", [r"(a+)+$", r"(a|aa)+$", r"(.*)(.*)(.*)(.*)(.*)(.*)b", r"([a-z]+)*(\d)"])
def test_a_metric_that_backtracks_stops_nothing(cloud, expression):
    request = cloud.shell_request("slow", f"printf '{'a' * 5000}!\\n'; echo {'a' * 32}!; echo loss=0.5")
    definitions = [{"Name": "slow", "Regex": expression}, {"Name": "loss", "Regex": "loss=([0-9.]+)"}]
    request["AlgorithmSpecification"]["MetricDefinitions"] = definitions
    begun = time.monotonic()
    job = cloud.train(request)
    assert time.monotonic() - begun < 20
    assert job["TrainingJobStatus"] == "Completed"
    assert {found["MetricName"]: found["Value"] for found in job["FinalMetricDataList"]}["loss"] == 0.5


@pytest.mark.timeout(60)
def test_a_log_filter_that_backtracks_stops_nothing(cloud):
    cloud.train(cloud.shell_request("filtered", f"echo {'a' * 64}!; echo aaa"))
    found = cloud.logs.handle(
        "FilterLogEvents", {"logGroupName": "/aws/sagemaker/TrainingJobs", "filterPattern": "%(a+)+$%"}
    )
    assert [event["message"] for event in found["events"]] == ["aaa"]


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        (r"(?=loss)", "look-around"),
        (r"(a)\1", "back-references"),
        ("(", r"missing \)"),
        ("a{1000}{1000}", "repetition"),
    ],
)
def test_a_metric_that_no_linear_engine_takes_is_refused_with_the_reason(cloud, expression, says):
    from mojo_toolbox.local_cloud.wire.protocol import ServiceError

    request = cloud.shell_request("refused", "true")
    request["AlgorithmSpecification"]["MetricDefinitions"] = [{"Name": "m", "Regex": expression}]
    with pytest.raises(ServiceError, match=f"Regex of metric 'm' cannot be used: .*{says}"):
        cloud.CreateTrainingJob(**request)


def test_a_log_without_end_loses_its_oldest_lines_and_says_so(cloud, monkeypatch):
    monkeypatch.setattr(logs, "MOST_STREAM_BYTES", 5_000_000)
    monkeypatch.setattr(logs, "_REMOVED_AT_ONCE", 1000)
    script = "echo first; yes 0123456789 | head -c 2000000; echo; echo the last words; exit 3"
    job = cloud.train(cloud.shell_request("floods", script))
    log = [row["message"] for row in cloud.database.execute("SELECT message FROM log_events ORDER BY id")]
    assert 10_000 < len(log) < 60_000
    assert "first" not in log
    assert "The oldest lines of this log were removed: it became too long." in log
    assert log[-1] == "the last words"
    assert "the last words" in job["FailureReason"]


def test_a_pip_that_never_ends_is_ended_by_the_limit_of_the_job(cloud):
    # pip waits for somebody to write to the pipe.
    os.mkfifo(cloud.root / "pipe")
    request = cloud.train_request("pip", "print(1)", StoppingCondition={"MaxRuntimeInSeconds": 1})
    content = packed(file("train.py", b"print(1)"), file("requirements.txt", f"-r {cloud.root / 'pipe'}\n".encode()))
    source = cloud.store.write("bucket", "sourcedir.tar.gz", content)
    request["HyperParameters"]["sagemaker_submit_directory"] = json.dumps(source)
    assert cloud.train(request)["SecondaryStatus"] == "MaxRuntimeExceeded"


@pytest.mark.parametrize("closed", ["exec >&- 2>&-", "exec >/dev/null 2>&1"])
def test_a_job_that_closes_its_output_is_ended_all_the_same(cloud, closed):
    request = cloud.shell_request("closed", f"{closed}; sleep 4724", StoppingCondition={"MaxRuntimeInSeconds": 1})
    assert cloud.train(request)["SecondaryStatus"] == "MaxRuntimeExceeded"
    assert not _running("sleep", "4724")


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    "script",
    [
        "(setsid sleep 4721 &); kill -9 $PPID; sleep 4722",
        "(setsid yes &); kill -9 $PPID; sleep 4722",
        "(setsid env -i yes &); kill -9 $PPID; sleep 4722",
    ],
    ids=["silent", "chatty", "unmarked"],
)
def test_a_job_that_kills_its_warden_ends_and_leaves_nothing_that_bears_its_mark(cloud, script):
    job = cloud.train(cloud.shell_request("patricide", script))
    assert job["TrainingJobStatus"] == "Failed"
    assert not _running("sleep", "4721")
    assert not _running("sleep", "4722")
    for process in _running("yes"):
        process.kill()


@pytest.mark.timeout(120)
def test_a_job_that_stops_its_warden_can_be_stopped(cloud, monkeypatch):
    from mojo_toolbox.local_cloud.running import processes

    monkeypatch.setattr(processes, "_WARDEN_SECONDS", 1.0)
    cloud.CreateTrainingJob(**cloud.shell_request("frozen", "trap '' TERM; kill -STOP $PPID; echo ready; sleep 4723"))
    cloud.until(lambda: cloud.job_log("frozen") if _has_log(cloud) else [], lambda lines: "ready" in lines)
    cloud.StopTrainingJob(TrainingJobName="frozen")
    assert cloud.wait_job("frozen", seconds=30)["TrainingJobStatus"] == "Stopped"
    assert not _running("sleep", "4723")


def _running(*command: str):
    import psutil

    return [process for process in psutil.process_iter(["cmdline"]) if process.info["cmdline"] == [*command]]


def test_keys_that_no_file_can_have_fail_the_job_and_are_named(cloud, monkeypatch):
    keys = ["data/" + "x" * 300, "data/a", "data/a/b"]
    for bad in ([keys[0]], keys[1:]):
        monkeypatch.setattr(cloud.store, "list_keys", lambda bucket, prefix, bad=bad: bad)
        monkeypatch.setattr(cloud.store, "exists", lambda bucket, key: True)
        monkeypatch.setattr(cloud.store, "download", lambda bucket, key, target: target.write_text("x"))
        source = {"S3DataType": "S3Prefix", "S3Uri": "s3://bucket/data"}
        channel = {"ChannelName": "train", "DataSource": {"S3DataSource": source}}
        name = f"keys-{len(bad)}"
        job = cloud.train(cloud.shell_request(name, "true", InputDataConfig=[channel]))
        assert "has no place inside a folder" in job["FailureReason"]
