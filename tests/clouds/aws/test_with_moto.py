"""The requests as moto's AWS takes them, and what its answers and refusals become."""

import hashlib
import time

import pytest
from plans import KEY, deployment_plan, training_plan

from mojo_toolbox.administration.listing import list_endpoints, list_jobs, list_models
from mojo_toolbox.clouds.aws import names
from mojo_toolbox.clouds.aws.deployments import deployment_requests
from mojo_toolbox.clouds.aws.endpoints import Endpoint
from mojo_toolbox.clouds.aws.jobs import TrainingJob, channel_uri, training_job_request
from mojo_toolbox.clouds.aws.session import Session
from mojo_toolbox.clouds.aws.storage import Storage, file_sha256, split_uri
from mojo_toolbox.errors import ConfigurationError, NotFoundError
from mojo_toolbox.names import ModelKey
from mojo_toolbox.settings import Settings


def send(session, *requests):
    for request in requests:
        session.call("sagemaker", request.method, **request.parameters)


# ------------------------------------------------------------------------------------------------------- session


def test_the_account_and_region_are_those_of_the_credentials(session):
    assert session.account_id == "123456789012"
    assert session.region_name == "us-east-1"
    assert not session.is_local


def test_without_a_region_the_error_says_where_to_put_one(session, monkeypatch):
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    with pytest.raises(ConfigurationError, match="MOJO_REGION_NAME or AWS_DEFAULT_REGION"):
        _ = Session(Settings(cloud_service="aws")).region_name


def test_a_refusal_carries_awss_code_operation_and_request_id(session):
    with pytest.raises(NotFoundError) as caught:
        session.call("s3", "get_object", Bucket="no-such-bucket-anywhere", Key="x")
    assert (caught.value.code, caught.value.operation) == ("NoSuchBucket", "s3:get_object")
    assert caught.value.request_id


# ------------------------------------------------------------------------------------------------------- storage


def test_a_file_goes_up_and_comes_down_whole(storage, tmp_path):
    # Above 8 MB boto3 sends parts.
    (tmp_path / "big").write_bytes(bytes(range(256)) * 40_000)
    uri = storage.upload(tmp_path / "big", "folder/big")
    assert uri == f"s3://{storage.bucket}/folder/big"
    storage.download(uri, tmp_path / "back")
    assert file_sha256(tmp_path / "back") == hashlib.sha256((tmp_path / "big").read_bytes()).hexdigest()


def test_a_folder_goes_up_with_its_sub_folders(storage, session, tmp_path):
    (tmp_path / "sub").mkdir()
    for name in ("a", "sub/b"):
        (tmp_path / name).write_text(name)
    assert storage.upload_folder(tmp_path, "base") == f"s3://{storage.bucket}/base"
    listed = session.call("s3", "list_objects_v2", Bucket=storage.bucket, Prefix="base/")["Contents"]
    assert [entry["Key"] for entry in listed] == ["base/a", "base/sub/b"]


def test_an_object_that_is_not_there_is_said_with_its_uri(storage, tmp_path):
    storage.put("there", b"x")
    assert storage.exists("there")
    assert not storage.exists("gone")
    with pytest.raises(NotFoundError, match=f"There is no object s3://{storage.bucket}/gone"):
        storage.download(storage.uri("gone"), tmp_path / "x")


def test_an_upload_that_fails_is_our_error(session, tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(NotFoundError, match="NoSuchBucket") as caught:
        Storage(session, "bucket-that-is-missing").upload(tmp_path / "file", "key")
    assert caught.value.operation == "s3:upload_file"


@pytest.mark.parametrize("region", ["us-east-1", "eu-west-1"])
def test_a_missing_bucket_is_made_in_the_sessions_region_and_only_once(session, region):
    there = Session(Settings(cloud_service="aws", region_name=region))
    storage = Storage(there, names.default_bucket(region, there.account_id))
    storage.ensure_bucket()
    storage.ensure_bucket()
    location = there.call("s3", "get_bucket_location", Bucket=storage.bucket)["LocationConstraint"]
    assert (location or "us-east-1") == region


@pytest.mark.parametrize("bad", ["", "file.txt", "https://b/k", "s3:///key"])
def test_what_is_no_s3_uri_is_refused(bad):
    with pytest.raises(ConfigurationError, match="is not an S3 URI"):
        split_uri(bad)
    assert split_uri("s3://b/a/b c") == ("b", "a/b c")
    assert split_uri("s3://b/a#1/x?y.jsonl") == ("b", "a#1/x?y.jsonl")


# ---------------------------------------------------------------------------------------------------------- jobs


def test_a_training_job_is_started_and_found_again(session):
    older, newer = training_plan("20260101-000000-aaaa"), training_plan("20260102-000000-bbbb")
    send(session, training_job_request(older), training_job_request(newer))
    job = TrainingJob(session, older.job_name)
    assert job.status in {"InProgress", "Completed"}
    assert channel_uri(job.describe(), "validation") == older.channels["validation"]
    assert channel_uri(job.describe(), "base_model") is None
    assert {j.name for j in list_jobs(session)} == {newer.job_name, older.job_name}
    assert len(list_jobs(session, limit=1)) == 1
    assert list_jobs(session, wanted={"model_id": "another"}) == []
    found = list_jobs(session, wanted={"model_id": KEY.model_id})
    assert {(j.key, j.version) for j in found} == {(KEY, "20260101-000000-aaaa"), (KEY, "20260102-000000-bbbb")}


def test_jobs_whose_tags_read_the_same_stay_apart(session):
    sharp, star = (ModelKey(product="p", task="routing", model_id=name) for name in ("c#", "c*"))
    for number, key in enumerate((sharp, star), start=1):
        version = f"2026010{number}-000000-aaaa"
        tags = names.tags(key, version=version)
        send(session, training_job_request(training_plan(version, tags=tags)))
    wanted = {"product": "p", "task": "routing", "model_id": "c#"}
    assert [job.version for job in list_jobs(session, wanted=wanted)] == ["20260101-000000-aaaa"]


def test_a_profile_or_region_that_is_wrong_is_said(session, monkeypatch):
    with pytest.raises(ConfigurationError, match="bad region"):
        Session(Settings(cloud_service="aws", region_name="bad region!")).client("s3")
    monkeypatch.setenv("AWS_PROFILE", "nope")
    with pytest.raises(ConfigurationError, match="nope"):
        Session(Settings(cloud_service="aws")).client("s3")


def test_a_job_that_others_started_is_not_ours(session):
    send(session, training_job_request(training_plan(tags=[{"Key": "team", "Value": "x"}])))
    assert list_jobs(session) == []


def test_a_job_that_is_not_there_is_said(session):
    with pytest.raises(NotFoundError, match="describe_training_job"):
        _ = TrainingJob(session, "no-such-job").status


def test_a_job_without_a_log_has_no_lines(session):
    send(session, training_job_request(training_plan()))
    assert list(TrainingJob(session, training_plan().job_name).logs()) == []


def test_a_jobs_log_is_read_page_by_page(session):
    plan = training_plan()
    send(session, training_job_request(plan))
    group, stream = "/aws/sagemaker/TrainingJobs", f"{plan.job_name}/algo-1-1"
    session.call("logs", "create_log_group", logGroupName=group)
    for name in (stream, f"{plan.job_name}-other/algo-1-1"):
        session.call("logs", "create_log_stream", logGroupName=group, logStreamName=name)
        now = int(time.time() * 1000)
        events = [{"timestamp": now + i, "message": f"{name} {i}\n"} for i in range(30)]
        session.call("logs", "put_log_events", logGroupName=group, logStreamName=name, logEvents=events)
    assert list(TrainingJob(session, plan.job_name).logs()) == [f"{stream} {i}" for i in range(30)]


# ----------------------------------------------------------------------------------------------------- endpoints


def endpoint_of(plan, **options):
    return {"name": plan.endpoint_name, "version_base": names.deployment_base(KEY, "dev"), **options}


def test_an_endpoint_is_deployed_listed_and_deleted_with_all_that_belongs_to_it(session):
    plan, prod = deployment_plan(), deployment_plan(stage="prod")
    send(session, *deployment_requests(plan, update=False), *deployment_requests(prod, update=False))
    endpoint = Endpoint(session, **endpoint_of(plan, expected_config=plan.version_name)).wait(progress=False)
    assert endpoint.status == "InService"
    assert {(e.key, e.stage, e.name) for e in list_endpoints(session)} == {
        (KEY, "dev", plan.endpoint_name),
        (KEY, "prod", prod.endpoint_name),
    }
    deletion = endpoint.delete()
    assert len(deletion.removed) == 3
    assert deletion.failed == {}
    assert [e.stage for e in list_endpoints(session)] == ["prod"]
    assert [m.name for m in list_models(session)] == [prod.version_name]
    again = str(endpoint.delete())
    assert again == f"nothing was there to remove. There is no endpoint {endpoint.name!r}."


def test_superseded_versions_are_removed_and_others_left_alone(session):
    old, new = deployment_plan("20260101-000000-aaaa"), deployment_plan("20260102-000000-bbbb")
    # Older too, and with this endpoint's name inside: as long as AWS allows.
    alike = f"a-{old.version_name.removesuffix('00-aaaa')}"
    other = deployment_plan("20260103-000000-cccc", version_name=alike, endpoint_name="other")
    for plan in (old, new, other):
        send(session, *deployment_requests(plan, update=False)[:2])
    coming = deployment_plan("20260104-000000-dddd")  # another process deploys it just now
    send(session, *deployment_requests(coming, update=False)[:2])
    Endpoint(session, **endpoint_of(new)).remove_versions(before=new.version_name)
    assert {m.name for m in list_models(session)} == {new.version_name, coming.version_name, other.version_name}


def test_what_could_not_be_finished_is_taken_back(session):
    model, config, _ = deployment_requests(deployment_plan(), update=False)
    send(session, model, config)
    endpoint = Endpoint(session, **endpoint_of(deployment_plan()))
    endpoint.take_back(config)
    endpoint.take_back(model)
    assert list_models(session) == []


def test_an_endpoint_that_is_not_there_is_said(session):
    with pytest.raises(NotFoundError):
        Endpoint(session, **endpoint_of(deployment_plan())).describe()
    assert list(Endpoint(session, **endpoint_of(deployment_plan())).logs()) == []
