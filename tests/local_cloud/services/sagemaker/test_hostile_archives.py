"""A hostile archive fails the job or the endpoint that it came for, and reaches nothing else."""

from __future__ import annotations

import io
import json
import tarfile

import hostile_archives as hostile
import pytest
from hostile_archives import file, packed, symlink

SERVING = "def predict_fn(data, model):\n    return data\n"


def test_an_endpoint_refuses_a_chain_of_links(cloud):
    content = packed(file("code/inference.py", SERVING.encode()), *_members(hostile.chain_beyond_path_max()))
    uri = cloud.store.write("bucket", "chain.tar.gz", content)
    cloud.CreateModel(ModelName="chain", PrimaryContainer={"Image": "i", "ModelDataUrl": uri})
    cloud.config("chain", "chain")
    cloud.CreateEndpoint(EndpointName="chain", EndpointConfigName="chain")
    endpoint = cloud.wait_endpoint("chain")
    assert endpoint["EndpointStatus"] == "Failed"
    assert "was refused" in endpoint["FailureReason"]


@pytest.mark.parametrize("from_s3", [True, False])
def test_a_job_refuses_source_code_that_reaches_out(cloud, from_s3):
    content = packed(file("train.py", b"print('ran')"), symlink("up", "../.."), file("up/planted", b"x"))
    if from_s3:
        source = cloud.store.write("bucket", "code/sourcedir.tar.gz", content)
    else:
        cloud.store.write("bucket", "code/sourcedir.tar.gz", content)
        source = "/opt/ml/input/data/code/sourcedir.tar.gz"
    request = cloud.train_request("climbs", "")
    request["HyperParameters"]["sagemaker_submit_directory"] = json.dumps(source)
    s3 = {"S3DataType": "S3Prefix", "S3Uri": "s3://bucket/code/"}
    request["InputDataConfig"] = [{"ChannelName": "code", "DataSource": {"S3DataSource": s3}}]
    job = cloud.train(request)
    assert job["TrainingJobStatus"] == "Failed"
    assert "was refused" in job["FailureReason"]
    assert "ran" not in cloud.job_log("climbs")
    assert not list(cloud.root.rglob("planted"))


def _members(content: bytes):
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        return [(info, archive.extractfile(info).read() if info.isreg() else b"") for info in archive]
