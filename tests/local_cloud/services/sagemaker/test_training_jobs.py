"""Training jobs are really run: their folders, logs, metrics, artifacts, failures and ends."""

from __future__ import annotations

import io
import json
import tarfile

import pytest

from mojo_toolbox.local_cloud.wire.protocol import ServiceError


def names_in(archive: bytes) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        return sorted(opened.getnames())


def test_script_mode_runs_with_sagemakers_variables_and_its_model_lands_in_s3(cloud):
    cloud.store.write("bucket", "data/train.jsonl", "one\n")
    cloud.store.write("bucket", "data/more/a.txt", "two")
    program = """
import argparse, json, os, pathlib
parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int)
parser.add_argument("--name")
arguments = parser.parse_args()
train = pathlib.Path(os.environ["SM_CHANNEL_TRAIN"])
print(json.dumps({"loss": 0.5}), json.dumps({"epochs": arguments.epochs, "name": arguments.name}))
print(json.dumps({"loss": 0.25}))
print("HPS", os.environ["SM_HPS"])
print(sorted(str(p.relative_to(train)) for p in train.rglob("*")))
pathlib.Path(os.environ["SM_MODEL_DIR"], "weights.bin").write_text("w")
pathlib.Path(os.environ["SM_OUTPUT_DATA_DIR"], "report.txt").write_text("r")
"""
    request = cloud.train_request("job-1", program)
    request["HyperParameters"] |= {"epochs": "3", "name": '"a b"'}
    request["AlgorithmSpecification"]["MetricDefinitions"] = [{"Name": "loss", "Regex": r'"loss": ([0-9.]+)'}]
    request["InputDataConfig"] = [
        {
            "ChannelName": "train",
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://bucket/data"}},
        }
    ]
    job = cloud.train(request)
    assert job["TrainingJobStatus"] == "Completed", job
    steps = [step["Status"] for step in job["SecondaryStatusTransitions"]]
    assert steps == ["Starting", "Downloading", "Training", "Uploading", "Completed"]
    assert job["FinalMetricDataList"][0]["Value"] == 0.25
    log = cloud.job_log("job-1")
    assert '{"loss": 0.5} {"epochs": 3, "name": "a b"}' in log
    assert "['more', 'more/a.txt', 'train.jsonl']" in log
    artifacts = job["ModelArtifacts"]["S3ModelArtifacts"]
    assert artifacts == "s3://bucket/out/job-1/output/model.tar.gz"
    assert names_in(cloud.store.read(artifacts)) == ["weights.bin"]
    assert names_in(cloud.store.read("s3://bucket/out/job-1/output/output.tar.gz")) == ["report.txt"]
    assert not (cloud.root / "jobs" / "job-1").exists()


def test_script_that_dies_fails_the_job_with_its_last_lines(cloud):
    job = cloud.train(cloud.train_request("dies", "print('before')\nraise ValueError('no such tokenizer')\n"))
    assert job["TrainingJobStatus"] == job["SecondaryStatus"] == "Failed"
    assert "ValueError: no such tokenizer" in job["FailureReason"]
    assert "exit code: 1" in job["FailureReason"]
    assert len(job["FailureReason"]) <= 1024
    assert "ModelArtifacts" not in job


def test_long_failures_keep_their_last_line(cloud):
    job = cloud.train(
        cloud.train_request("long", "print('x' * 5000)\nraise SystemExit('the end ' + 'y' * 3000 + ' END')")
    )
    assert job["FailureReason"].endswith("END")
    assert len(job["FailureReason"]) <= 1024


def test_container_entrypoints_find_opt_ml_in_the_jobs_folder(cloud):
    cloud.store.write(
        "bucket", "drivers/run.sh", "cat /opt/ml/input/data/train/x; cp /opt/ml/input/data/train/x /opt/ml/model/\n"
    )
    cloud.store.write("bucket", "train/x", "hello\n")
    request = cloud.shell_request("entry", "")
    request["AlgorithmSpecification"]["ContainerArguments"] = ["/opt/ml/input/data/sm_drivers/run.sh"]
    request["InputDataConfig"] = [
        {
            "ChannelName": name,
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://bucket/{uri}"}},
        }
        for name, uri in (("train", "train/"), ("sm_drivers", "drivers/"))
    ]
    job = cloud.train(request)
    assert job["TrainingJobStatus"] == "Completed", job
    assert cloud.job_log("entry") == ["hello"]
    assert names_in(cloud.store.read(job["ModelArtifacts"]["S3ModelArtifacts"])) == ["x"]


def test_the_reason_that_a_container_wrote_is_the_reason_of_the_job(cloud):
    job = cloud.train(cloud.shell_request("reason", "echo 'bad data' > /opt/ml/output/failure; exit 7"))
    assert job["FailureReason"].startswith("AlgorithmError: bad data, exit code: 7")


def test_stopping_lets_the_script_save_and_keeps_what_it_saved(cloud):
    script = "trap 'echo saved > /opt/ml/model/m; exit 0' TERM; echo ready; while true; do sleep 0.05; done"
    cloud.CreateTrainingJob(**cloud.shell_request("stop", script))
    cloud.until(lambda: cloud.logs.tail(*stream_of(cloud, "stop"), 1), lambda lines: lines == ["ready"])
    cloud.StopTrainingJob(TrainingJobName="stop")
    job = cloud.wait_job("stop")
    assert job["TrainingJobStatus"] == job["SecondaryStatus"] == "Stopped"
    assert "Stopping" in [step["Status"] for step in job["SecondaryStatusTransitions"]]
    assert names_in(cloud.store.read(job["ModelArtifacts"]["S3ModelArtifacts"])) == ["m"]
    with pytest.raises(ServiceError, match="status Stopped"):
        cloud.StopTrainingJob(TrainingJobName="stop")


def stream_of(cloud, name: str) -> tuple[str, str]:
    group = "/aws/sagemaker/TrainingJobs"
    rows = cloud.database.execute("SELECT name FROM log_streams WHERE name LIKE ?", (f"{name}/%",))
    return group, rows[0]["name"] if rows else ""


def test_max_runtime_ends_a_job_that_ignores_sigterm_and_its_background_processes(cloud):
    script = "trap '' TERM; (setsid sleep 4711 &); sleep 4712; sleep 4712"
    request = cloud.shell_request("runtime", script, StoppingCondition={"MaxRuntimeInSeconds": 1})
    job = cloud.train(request)
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "MaxRuntimeExceeded")
    assert not processes_with("471[12]")


def processes_with(pattern: str) -> list[str]:
    import re

    import psutil

    found = [" ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"])]
    return [line for line in found if re.fullmatch(rf"sleep {pattern}", line)]


def test_a_second_job_of_the_name_is_refused(cloud):
    request = cloud.shell_request("twice", "true")
    cloud.CreateTrainingJob(**request)
    with pytest.raises(ServiceError, match="must be unique") as caught:
        cloud.CreateTrainingJob(**request)
    assert caught.value.code == "ResourceInUse"
    cloud.wait_job("twice")


def test_missing_data_fails_the_job_and_says_which(cloud):
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://bucket/nothing"}}
    request = cloud.shell_request("missing", "true", InputDataConfig=[{"ChannelName": "train", "DataSource": source}])
    job = cloud.train(request)
    assert "No S3 objects found under S3 URL 's3://bucket/nothing'" in job["FailureReason"]


def test_checkpoints_come_down_before_and_go_up_while_the_job_runs(cloud):
    cloud.store.write("bucket", "check/step-1", "1")
    script = 'cat "$SM_CHECKPOINT_DIR/step-1"; echo; echo 2 > "$SM_CHECKPOINT_DIR/step-2"; exit 3'
    request = cloud.shell_request(
        "check",
        script,
        CheckpointConfig={"S3Uri": "s3://bucket/check", "LocalPath": "/opt/ml/checkpoints"},
        Environment={"SM_CHECKPOINT_DIR": "/opt/ml/checkpoints"},
    )
    assert cloud.train(request)["TrainingJobStatus"] == "Failed"
    assert cloud.job_log("check")[0] == "1"
    assert cloud.store.read("s3://bucket/check/step-2") == b"2\n"


def test_output_that_is_not_utf8_and_progress_bars_become_lines(cloud):
    script = r"printf 'caf\351\nstep 1\rstep 2\rstep 3\n\n'; printf 'no newline'"
    assert cloud.train(cloud.shell_request("bytes", script))["TrainingJobStatus"] == "Completed"
    assert cloud.job_log("bytes") == ["caf\ufffd", "step 1", "step 2", "step 3", "no newline"]


def test_jobs_never_see_the_users_credentials(cloud, monkeypatch):
    for name in (
        "AWS_SESSION_TOKEN",
        "AWS_PROFILE",
        "HF_TOKEN",
        "MY_SECRET",
        "AWS_ACCESS_KEY_ID",
        "AWS_ENDPOINT_URL_S3",
    ):
        monkeypatch.setenv(name, "the-users")
    cloud.train(cloud.shell_request("env", "env"))
    lines = dict(line.split("=", 1) for line in cloud.job_log("env") if "=" in line)
    assert "the-users" not in lines.values()
    assert lines["AWS_ACCESS_KEY_ID"] == "AKIATEST"
    assert lines["AWS_SHARED_CREDENTIALS_FILE"] == "/dev/null"
    assert lines["TRAINING_JOB_NAME"] == "env"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            {"ResourceConfig": {"InstanceType": "ml.g9.huge", "VolumeSizeInGB": 1}},
            "'ml.g9.huge' at 'resourceConfig.ins",
        ),
        ({"TrainingJobName": "not_a_name"}, "'not_a_name' at 'trainingJobName' failed .* regular expression"),
        ({"TrainingJobName": "x" * 64}, "length less than or equal to 63"),
        ({"RoleArn": None}, "Value null at 'roleArn'"),
        ({"OutputDataConfig": {"S3OutputPath": "/tmp/x"}}, "s3OutputPath"),
        ({"AlgorithmSpecification": {"TrainingImage": "i", "TrainingInputMode": "Pipe"}}, "not Pipe"),
        ({"ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 2, "VolumeSizeInGB": 1}}, "one instance"),
    ],
)
def test_what_cannot_run_is_refused_with_the_member_that_is_wrong(cloud, change, says):
    with pytest.raises(ServiceError, match=says) as caught:
        cloud.CreateTrainingJob(**cloud.shell_request("refused", "true", **change))
    assert caught.value.code == "ValidationException"


def test_requirements_are_installed_into_a_layer_that_the_next_job_shares(cloud):
    program = "import sys, boto3; print('PREFIX', sys.prefix)"
    files = {"requirements.txt": "boto3\n"}
    for name in ("req-1", "req-2"):
        job = cloud.train(cloud.train_request(name, program, files))
        assert job["TrainingJobStatus"] == "Completed", job["FailureReason"]
    assert any(line.startswith("PREFIX") and "req-2" in line for line in cloud.job_log("req-2"))


def test_a_requirement_that_does_not_exist_fails_the_job_with_pips_error(cloud, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    job = cloud.train(cloud.train_request("badreq", "print(1)", {"requirements.txt": "no-such-package-at-all\n"}))
    assert job["TrainingJobStatus"] == "Failed"
    assert "no-such-package-at-all" in job["FailureReason"]


def test_jobs_that_ran_when_the_cloud_died_are_failed_at_the_next_start(cloud):
    cloud.CreateTrainingJob(**cloud.shell_request("orphan", "echo ready; sleep 4713"))
    cloud.until(lambda: processes_with("4713"), bool)
    cloud.close()
    assert not processes_with("4713")
    cloud.start()
    job = cloud.DescribeTrainingJob(TrainingJobName="orphan")
    assert job["TrainingJobStatus"] == "Failed"
    assert "local cloud was stopped" in job["FailureReason"]
    assert cloud.job_log("orphan") == ["ready"]


def test_many_jobs_at_once_all_end(cloud):
    for index in range(8):
        cloud.CreateTrainingJob(**cloud.shell_request(f"many-{index}", f"echo {index}"))
    for index in range(8):
        assert cloud.wait_job(f"many-{index}")["TrainingJobStatus"] == "Completed"
    listed, token = [], {}
    while True:
        page = cloud.ListTrainingJobs(MaxResults=3, SortBy="Name", SortOrder="Ascending", **token)
        listed += [job["TrainingJobName"] for job in page["TrainingJobSummaries"]]
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}
    assert listed == [f"many-{index}" for index in range(8)]
    assert json.dumps(page)
