"""The real local cloud, as a process, asked by boto3: a job, an endpoint, and kill -9 in the middle of both."""

from __future__ import annotations

import json
import os
import signal

import boto3
import botocore.exceptions
import psutil
import pytest
from cloud_in_process import ROLE, tar_gz, wait_until

from mojo_toolbox.local_cloud import lifecycle

TRAIN = """
import os, pathlib, boto3
account = boto3.client("sts").get_caller_identity()["Account"]
print("loss=0.5")
model = pathlib.Path(os.environ["SM_MODEL_DIR"])
(model / "code").mkdir()
(model / "account.txt").write_text(account + pathlib.Path(os.environ["SM_CHANNEL_TRAIN"], "x").read_text())
(model / "code" / "inference.py").write_text('''
import pathlib
def model_fn(model_dir):
    return pathlib.Path(model_dir, "account.txt").read_text()
def predict_fn(data, model):
    return [data, model]
''')
"""


class Aws:
    """boto3's clients of one local cloud."""

    def __init__(self, home) -> None:
        self.home = home
        self.clients = {}
        self.start()

    def start(self) -> None:
        self.close()
        connection = lifecycle.up(self.home)
        self.pid = connection.pid
        credentials = connection.credentials
        session = boto3.Session(
            aws_access_key_id=credentials.access_key_id,
            aws_secret_access_key=credentials.secret_access_key,
            region_name=connection.region,
        )
        self.clients = {
            name: session.client(name, endpoint_url=connection.endpoint_url)
            for name in ("s3", "sagemaker", "sagemaker-runtime", "logs")
        }

    def __getattr__(self, name: str):
        return self.clients[{"runtime": "sagemaker-runtime"}.get(name, name)]

    def close(self) -> None:
        for client in self.clients.values():
            client.close()

    def create_job(self, name: str, **algorithm) -> None:
        self.sagemaker.create_training_job(
            TrainingJobName=name,
            RoleArn=ROLE,
            AlgorithmSpecification={"TrainingImage": "image", "TrainingInputMode": "File", **algorithm},
            HyperParameters={
                "sagemaker_program": '"train.py"',
                "sagemaker_submit_directory": '"s3://data/source.tar.gz"',
            },
            InputDataConfig=[
                {
                    "ChannelName": "train",
                    "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://data/train/"}},
                }
            ],
            OutputDataConfig={"S3OutputPath": "s3://data/out"},
            ResourceConfig={"InstanceType": "ml.g5.2xlarge", "InstanceCount": 1, "VolumeSizeInGB": 10},
            StoppingCondition={"MaxRuntimeInSeconds": 100},
        )

    def wait_job(self, name: str) -> dict:
        return wait_until(
            lambda: self.sagemaker.describe_training_job(TrainingJobName=name),
            lambda job: job["TrainingJobStatus"] not in ("InProgress", "Stopping"),
        )

    def deploy(self, name: str, model_data: str) -> None:
        self.sagemaker.create_model(
            ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer={"Image": "image", "ModelDataUrl": model_data}
        )
        variant = {"VariantName": "AllTraffic", "ModelName": name, "InstanceType": "ml.g5.xlarge"}
        self.sagemaker.create_endpoint_config(
            EndpointConfigName=name, ProductionVariants=[{**variant, "InitialInstanceCount": 1}]
        )
        self.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
        endpoint = wait_until(
            lambda: self.sagemaker.describe_endpoint(EndpointName=name),
            lambda endpoint: endpoint["EndpointStatus"] != "Creating",
        )
        assert endpoint["EndpointStatus"] == "InService", endpoint

    def ask(self, name: str, document):
        answer = self.runtime.invoke_endpoint(
            EndpointName=name, Body=json.dumps(document), ContentType="application/json"
        )
        return json.loads(answer["Body"].read())

    def log(self, job: str) -> list[str]:
        group = "/aws/sagemaker/TrainingJobs"
        streams = self.logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=f"{job}/")["logStreams"]
        events = self.logs.get_log_events(
            logGroupName=group, logStreamName=streams[0]["logStreamName"], startFromHead=True
        )["events"]
        return [event["message"] for event in events]


@pytest.fixture
def aws(tmp_path):
    made = Aws(tmp_path / "home")
    yield made
    made.close()
    lifecycle.down(made.home)
    assert not children_of(made.home)


def children_of(home) -> list[psutil.Process]:
    """Every process that works for this home, however far it went."""
    owner = str((home / "local_cloud").resolve())
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("MOJO_LOCAL_CLOUD_CHILD_OF") == owner and process.status() != "zombie":
                found.append(process)
        except psutil.Error:
            continue
    return found


def test_a_job_that_boto3_started_becomes_an_endpoint_that_boto3_asks(aws):
    aws.s3.create_bucket(Bucket="data")
    aws.s3.put_object(Bucket="data", Key="source.tar.gz", Body=tar_gz({"train.py": TRAIN}))
    aws.s3.put_object(Bucket="data", Key="train/x", Body=b"!")
    aws.create_job("job", MetricDefinitions=[{"Name": "loss", "Regex": "loss=([0-9.]+)"}])
    job = aws.wait_job("job")
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    assert job["FinalMetricDataList"][0]["Value"] == 0.5
    assert "loss=0.5" in aws.log("job")
    aws.deploy("endpoint", job["ModelArtifacts"]["S3ModelArtifacts"])
    assert aws.ask("endpoint", "hello") == ["hello", "123456789012!"]
    with pytest.raises(botocore.exceptions.ClientError) as missing:
        aws.ask("missing", 1)
    assert missing.value.response["Error"]["Code"] == "ValidationError"
    with pytest.raises(aws.runtime.exceptions.ModelError) as refused:
        aws.runtime.invoke_endpoint(EndpointName="endpoint", Body=b"{", ContentType="application/json")
    assert refused.value.response["OriginalStatusCode"] == 400
    events = aws.runtime.invoke_endpoint_with_response_stream(
        EndpointName="endpoint", Body=b"1", ContentType="application/json"
    )["Body"]
    assert [event["PayloadPart"]["Bytes"] for event in events] == [b'[1, "123456789012!"]']


def test_kill_9_leaves_no_process_and_the_next_start_fails_the_job_and_serves_the_endpoint(aws):
    aws.s3.create_bucket(Bucket="data")
    inference = "def predict_fn(data, model):\n    return 'here'\n"
    aws.s3.put_object(Bucket="data", Key="model.tar.gz", Body=tar_gz({"code/inference.py": inference}))
    aws.s3.put_object(Bucket="data", Key="train/x", Body=b"!")
    aws.deploy("served", "s3://data/model.tar.gz")
    script = "(setsid sleep 4721 &); (sleep 4722 &); echo ready; sleep 4723; sleep 1"
    aws.create_job("job", ContainerEntrypoint=["/bin/sh"], ContainerArguments=["-c", script])
    wait_until(lambda: children_of(aws.home), lambda found: len(found) >= 7)
    wait_until(lambda: aws.log("job"), lambda lines: lines == ["ready"])
    os.kill(aws.pid, signal.SIGKILL)
    left = children_of(aws.home)
    psutil.wait_procs(left, timeout=10)
    assert not children_of(aws.home)
    aws.start()
    job = aws.sagemaker.describe_training_job(TrainingJobName="job")
    assert job["TrainingJobStatus"] == "Failed"
    assert "The local cloud was stopped while this job was running" in job["FailureReason"]
    assert aws.log("job") == ["ready"]
    # The first answer waits for the model: right after the start nobody has to ask twice.
    assert aws.ask("served", 1) == "here"


def test_children_whose_wardens_were_killed_too_are_swept_at_the_next_start(aws):
    aws.s3.create_bucket(Bucket="data")
    aws.s3.put_object(Bucket="data", Key="train/x", Body=b"!")
    aws.create_job("job", ContainerEntrypoint=["/bin/sh"], ContainerArguments=["-c", "sleep 4724 & wait"])
    wait_until(lambda: children_of(aws.home), lambda found: len(found) == 3)
    (warden,) = [child for child in children_of(aws.home) if "warden.py" in " ".join(child.cmdline())]
    warden.send_signal(signal.SIGSTOP)
    os.kill(aws.pid, signal.SIGKILL)
    warden.kill()
    left = children_of(aws.home)
    assert left
    aws.start()
    psutil.wait_procs(left, timeout=10)
    assert not children_of(aws.home)
