"""What would break a careless local cloud: floods, races, hostile keys."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from cloud_in_process import Cloud

from mojo_toolbox.local_cloud.wire.protocol import ServiceError


def test_a_flood_of_output_is_kept_and_does_not_stall_the_job(cloud):
    started = time.monotonic()
    job = cloud.train(cloud.shell_request("flood", "seq 1 200000"))
    assert job["TrainingJobStatus"] == "Completed"
    assert time.monotonic() - started < 20
    stream = cloud.database.execute("SELECT id FROM log_streams")[0]["id"]
    rows = cloud.database.execute("SELECT count(*) AS n, max(id) AS last FROM log_events WHERE stream = ?", (stream,))
    assert rows[0]["n"] == 200000


def test_megabytes_without_a_line_end_pass_through(cloud):
    job = cloud.train(cloud.shell_request("endless", "head -c 3000000 /dev/zero | tr '\\0' 'x'"))
    assert job["TrainingJobStatus"] == "Completed"
    assert sum(len(line) for line in cloud.job_log("endless")) <= 3000000


def test_the_same_name_twenty_times_at_once_makes_one_of_each(cloud):
    cloud.model("m", "def predict_fn(data, model):\n    return 1\n")
    cloud.config("c", "m")
    requests = {
        "CreateTrainingJob": cloud.shell_request("one", "true"),
        "CreateEndpointConfig": {
            "EndpointConfigName": "one",
            "ProductionVariants": [{"VariantName": "v", "ModelName": "m", "InstanceType": "ml.m5.large"}],
        },
        "CreateEndpoint": {"EndpointName": "one", "EndpointConfigName": "c"},
    }

    def attempt(operation: str) -> int:
        try:
            getattr(cloud, operation)(**json.loads(json.dumps(requests[operation])))
        except ServiceError:
            return 0
        return 1

    with ThreadPoolExecutor(20) as pool:
        for operation in requests:
            assert sum(pool.map(attempt, [operation] * 20)) == 1
    assert cloud.wait_job("one")["TrainingJobStatus"] == "Completed"
    assert cloud.wait_endpoint("one")["EndpointStatus"] == "InService"


def test_creating_and_deleting_an_endpoint_in_a_hurry_leaves_the_last_one(cloud):
    cloud.model("m", "def predict_fn(data, model):\n    return 1\n")
    cloud.config("c", "m")
    for _ in range(4):
        cloud.CreateEndpoint(EndpointName="hasty", EndpointConfigName="c")
        cloud.DeleteEndpoint(EndpointName="hasty")
        cloud.until(lambda: cloud.ListEndpoints()["Endpoints"], lambda found: not found)
    cloud.CreateEndpoint(EndpointName="hasty", EndpointConfigName="c")
    assert cloud.wait_endpoint("hasty")["EndpointStatus"] == "InService"
    assert cloud.ask("hasty", 1) == 1
    assert len(list((cloud.root / "endpoints" / "hasty").iterdir())) == 1


def test_keys_that_climb_out_of_a_channel_are_refused(cloud):
    manifest = json.dumps([{"prefix": "s3://bucket/data/"}, "../../../../../../climbed"])
    cloud.store.write("bucket", "manifest.json", manifest)
    source = {"S3DataType": "ManifestFile", "S3Uri": "s3://bucket/manifest.json"}
    channel = {"ChannelName": "train", "DataSource": {"S3DataSource": source}}
    job = cloud.train(cloud.shell_request("climb", "true", InputDataConfig=[channel]))
    assert job["TrainingJobStatus"] == "Failed"
    assert "has no place inside a folder" in job["FailureReason"]


def test_manifests_download_what_they_list(cloud):
    cloud.store.write("bucket", "data/a/x", "1")
    cloud.store.write("bucket", "data/unlisted", "2")
    cloud.store.write("bucket", "manifest.json", json.dumps([{"prefix": "s3://bucket/data/"}, "a/x"]))
    source = {"S3DataType": "ManifestFile", "S3Uri": "s3://bucket/manifest.json"}
    channel = {"ChannelName": "train", "DataSource": {"S3DataSource": source}}
    job = cloud.train(
        cloud.shell_request("manifest", 'cd "$SAGEMAKER_BASE_DIR"; find input/data -type f', InputDataConfig=[channel])
    )
    assert job["TrainingJobStatus"] == "Completed"
    assert cloud.job_log("manifest") == ["input/data/train/a/x"]


def test_a_program_that_does_not_exist_fails_with_its_name(cloud):
    request = cloud.shell_request("none", "")
    request["AlgorithmSpecification"]["ContainerEntrypoint"] = ["/no/such/program"]
    assert "/no/such/program cannot be started" in cloud.train(request)["FailureReason"]


def test_a_job_whose_bucket_is_gone_fails_and_says_so(cloud):
    request = cloud.shell_request("nobucket", "true", OutputDataConfig={"S3OutputPath": "s3://missing-bucket/x"})
    assert "The bucket of 's3://missing-bucket/x/nobucket" in cloud.train(request)["FailureReason"]


def test_a_job_that_is_stopped_while_it_waits_never_runs(cloud):
    for name in ("a", "b"):
        cloud.CreateTrainingJob(**cloud.shell_request(name, "sleep 30 & wait"))
    cloud.CreateTrainingJob(**cloud.shell_request("waits", "echo ran"))
    cloud.StopTrainingJob(TrainingJobName="waits")
    for name in ("a", "b"):
        cloud.StopTrainingJob(TrainingJobName=name)
    job = cloud.wait_job("waits")
    assert job["TrainingJobStatus"] == "Stopped"
    assert "TrainingStartTime" not in job


@pytest.mark.parametrize("metric", [r"loss=(\S+)", r"loss=([0-9.naif]+)"])
def test_metrics_that_are_no_numbers_are_left_out(cloud, metric):
    request = cloud.shell_request("nan", "echo loss=nan; echo loss=inf; echo loss=0.5; echo loss=x")
    request["AlgorithmSpecification"]["MetricDefinitions"] = [{"Name": "loss", "Regex": metric}]
    assert [found["Value"] for found in cloud.train(request)["FinalMetricDataList"]] == [0.5]


def test_a_home_whose_path_has_spaces_runs_jobs_with_requirements(tmp_path):
    cloud = Cloud(tmp_path / "my home")
    job = cloud.train(cloud.train_request("spaces", "print('ran')", {"requirements.txt": "boto3\n"}))
    assert job["TrainingJobStatus"] == "Completed", job["FailureReason"]
    assert "ran" in cloud.job_log("spaces")
    cloud.close()


def test_a_script_that_removes_its_output_folders_completes(cloud):
    job = cloud.train(cloud.shell_request("removes", 'rm -rf "$SAGEMAKER_BASE_DIR"/model "$SAGEMAKER_BASE_DIR"/output'))
    assert job["TrainingJobStatus"] == "Completed", job


@pytest.mark.parametrize("path", ["/root", "/opt/ml/../../etc", "checkpoints"])
def test_checkpoints_outside_of_the_job_are_refused(cloud, path):
    config = {"S3Uri": "s3://bucket/c", "LocalPath": path}
    with pytest.raises(ServiceError, match="keeps checkpoints below /opt/ml"):
        cloud.CreateTrainingJob(**cloud.shell_request("outside", "true", CheckpointConfig=config))


def test_an_update_that_was_under_way_goes_on_at_the_next_start(cloud):
    cloud.deploy("up", "def predict_fn(data, model):\n    return 'old'\n")
    slow = "import time\ntime.sleep(1)\ndef predict_fn(data, model):\n    return 'new'\n"
    cloud.model("new", slow)
    cloud.config("new", "new")
    cloud.UpdateEndpoint(EndpointName="up", EndpointConfigName="new")
    cloud.close()
    cloud.start()
    assert cloud.DescribeEndpoint(EndpointName="up")["EndpointStatus"] == "Updating"
    assert cloud.ask("up", 1) == "old"
    assert cloud.wait_endpoint("up")["EndpointConfigName"] == "new"
    assert cloud.ask("up", 1) == "new"


def test_stopping_the_cloud_does_not_wait_for_answers_that_are_still_computed(cloud):
    cloud.deploy("busy", "import time\ndef predict_fn(data, model):\n    time.sleep(60)\n")
    with ThreadPoolExecutor(1) as pool:
        pool.submit(cloud.ask, "busy", 1)
        started = time.monotonic()
        cloud.close()
        assert time.monotonic() - started < 15
        cloud.start()
