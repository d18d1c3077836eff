"""The administrator's door, on a real local cloud with a tiny model."""

import itertools
import json
import re
import tarfile

import pytest
from misfit_bases import classifier, without_head
from tiny_encoder import save_tiny_encoder

from mojo_toolbox import AWSModel, Hub
from mojo_toolbox.base_models import MINILM
from mojo_toolbox.errors import (
    AccessDeniedError,
    AlreadyExistsError,
    ArtifactError,
    BaseModelNotFoundError,
    ConfigurationError,
    DataError,
    EndpointFailedError,
    EndpointNotReadyError,
    HyperparameterError,
    InvalidNameError,
    ModelError,
    NotFoundError,
    TrainingJobFailedError,
)

TASKS = [{"name": "recap", "description": "Sum up a meeting"}, {"name": "email", "description": "Write an email"}]
QUICK = {"max_steps": 1, "load_in_4bit": False, "dtype": "float32", "warmup_steps": 0, "lora_r": 2}
KEY = {"product": "mojodex", "task": "routing", "model_id": "tiny-router"}
FAILED_KEY = {**KEY, "model_id": "fails"}


def conversation(request="sum it up", task="recap"):
    return {"tasks": TASKS, "messages": [{"role": "user", "content": request, "task": task}]}


@pytest.fixture(scope="module")
def hub(local_home):
    return Hub(cloud_service="local", home=local_home)


@pytest.fixture(scope="module")
def trained(hub, tiny_base):
    job = hub.train(
        base_model=tiny_base,
        train_data=[conversation()],
        validation_data=[conversation()],
        hyperparameters=QUICK,
        **KEY,
    )
    return job.wait(progress=False)


@pytest.mark.long
def test_a_trained_router_is_deployed_asked_updated_and_deleted(hub, trained, local_home):
    endpoint = hub.deploy(**KEY, stage="dev").wait(progress=False)
    model = AWSModel(**KEY, stage="dev", cloud_service="local", home=local_home)
    decision = model.predict([{"role": "user", "content": "hello"}], tasks=TASKS)
    assert decision.task in {"recap", "email", None}
    assert sum(decision.probabilities.values()) == pytest.approx(1)
    assert set(decision.probabilities) == {"recap", "email", None}
    assert decision.request_id
    assert decision.latency_ms > 0
    assert model.predict([{"role": "user", "content": "hello"}], max_tokens=3).content is not None

    first = endpoint.describe()["EndpointConfigName"]
    hub.deploy(**KEY, stage="dev", job=trained).wait(progress=False)
    second = endpoint.describe()["EndpointConfigName"]
    assert second != first
    assert [m.name for m in hub.models() if m.key.model_id == KEY["model_id"]] == [second]
    assert [e.stage for e in hub.endpoints() if e.name == endpoint.name] == ["dev"]

    deletion = hub.delete(**KEY, stage="dev")
    assert len(deletion.removed) == 3
    assert not deletion.failed
    assert "nothing" in str(hub.delete(**KEY, stage="dev"))


def test_a_job_tells_its_metrics_and_its_log(hub, trained):
    assert trained.status == "Completed"
    assert 0 <= trained.metrics["eval_decision_accuracy"] <= 1
    assert any(line.startswith('{"step"') for line in trained.logs())
    assert trained.name in [job.name for job in hub.jobs(model_id=KEY["model_id"])]
    assert hub.jobs(model_id="another") == []


def test_the_artifact_says_how_it_was_trained(hub, trained, tmp_path):
    hub._account.storage(dry_run=False).download(trained.model_data, tmp_path / "model.tar.gz")
    with tarfile.open(tmp_path / "model.tar.gz") as archive:
        manifest = json.load(archive.extractfile("manifest.json"))
    assert manifest["prompt_version"] == "routing-2"
    assert manifest["training"]["job_name"] == trained.name
    assert len(manifest["training"]["dataset_sha256"]) == 64


def test_a_second_job_of_the_same_name_is_refused_before_anything_is_overwritten(hub, trained, tiny_base):
    with pytest.raises(AlreadyExistsError, match=trained.name):
        hub.train(
            base_model=tiny_base, train_data=[conversation()], job_name=trained.name, hyperparameters=QUICK, **KEY
        )


def test_a_job_goes_on_from_the_checkpoints_of_another(hub, tiny_base):
    same = {
        "base_model": tiny_base,
        "train_data": [conversation()],
        "hyperparameters": {**QUICK, "max_steps": 2, "save_steps": 1},
        **KEY,
    }
    first = hub.train(**same).wait(progress=False)
    resumed = hub.train(**same, resume=first).wait(progress=False)
    assert resumed.checkpoint_uri == first.checkpoint_uri
    assert "Resuming from checkpoint-2." in list(resumed.logs())
    with pytest.raises(NotFoundError, match="no training job 'nobody'"):
        hub.train(**same, resume="nobody")


@pytest.fixture(scope="module")
def failed(hub, tiny_base):
    """A job that failed before its first checkpoint."""
    wrong = {**QUICK, "target_modules": "no_such_layer"}
    job = hub.train(base_model=tiny_base, train_data=[conversation()], hyperparameters=wrong, **FAILED_KEY)
    with pytest.raises(TrainingJobFailedError):
        job.wait(progress=False)
    return job


def test_a_job_without_a_checkpoint_is_not_resumed_from_nothing(hub, failed, tiny_base):
    agreed = []
    with pytest.raises(ConfigurationError, match=f"{failed.name} is Failed and left no checkpoint") as caught:
        hub.train(
            base_model=tiny_base,
            train_data=[conversation()],
            resume=failed,
            confirm=lambda: agreed.append(1),
            **FAILED_KEY,
        )
    assert "Start without resume=" in str(caught.value)
    assert agreed == []


def test_a_failed_job_has_no_model_and_says_why(hub, failed):
    with pytest.raises(
        NotFoundError, match=f"(?s){failed.name}' is Failed, so it has no model to deploy: .*no_such_layer"
    ):
        hub.deploy(**FAILED_KEY, job=failed)
    with pytest.raises(NotFoundError, match=f"The newest, {failed.name}, is Failed"):
        hub.deploy(**FAILED_KEY)
    (listed,) = hub.jobs(model_id="fails")
    assert "no_such_layer" in listed.failure_reason


def test_a_confirmation_comes_after_the_checks_and_before_anything_is_sent(hub, trained, tiny_base):
    class RefusedError(Exception):
        pass

    def refuse():
        raise RefusedError

    options = {"base_model": tiny_base, "train_data": [conversation()], **KEY}
    with pytest.raises(RefusedError):
        hub.train(**options, job_name="never-begun", confirm=refuse)
    with pytest.raises(NotFoundError):
        hub.job("never-begun")
    assert [request.operation for request in hub.train(**options, dry_run=True, confirm=refuse)] == [
        "CreateTrainingJob"
    ]
    with pytest.raises(RefusedError):
        hub.deploy(**KEY, stage="never", confirm=refuse)
    with pytest.raises(NotFoundError, match="no object s3://"):
        hub.deploy(**KEY, model_data="s3://no-such-bucket/model.tar.gz", confirm=refuse)
    assert hub.endpoint(**KEY, stage="never").removable() == []


def test_a_failing_job_says_why_with_its_last_lines(hub, tiny_base):
    job = hub.train(
        base_model=tiny_base,
        train_data=[conversation()],
        hyperparameters={**QUICK, "target_modules": "no_such_layer"},
        **KEY,
    )
    with pytest.raises(TrainingJobFailedError, match="no_such_layer") as caught:
        job.wait(progress=False)
    assert f"mojo logs {job.name}" in str(caught.value)


def test_a_base_model_that_nobody_trained_is_deployed_as_it_is(hub, tiny_base, local_home):
    key = {"product": "mojodex", "task": "chat", "model_id": "untrained"}
    hub.deploy(**key, base_model=tiny_base).wait(progress=False)
    model = AWSModel(**key, cloud_service="local", home=local_home)
    assert model.predict([{"role": "user", "content": "hello"}], max_tokens=2).usage.completion_tokens <= 2
    with pytest.raises(ModelError, match="nobody") as caught:
        AWSModel(**key, cloud_service="local", home=local_home, adapter="nobody").predict(
            [{"role": "user", "content": "x"}]
        )
    assert caught.value.status == 400
    hub.delete(**key)


def test_a_dry_run_returns_the_requests_and_sends_none(tmp_path, tiny_base):
    hub = Hub(cloud_service="local", home=tmp_path)
    (request,) = hub.train(
        base_model=tiny_base, train_data=[conversation()], hyperparameters=QUICK, dry_run=True, **KEY
    )
    assert request.operation == "CreateTrainingJob"
    assert json.loads(request.parameters["HyperParameters"]["max_steps"]) == 1
    operations = [r.operation for r in hub.deploy(**KEY, base_model=tiny_base, dry_run=True)]
    assert operations == ["CreateModel", "CreateEndpointConfig", "CreateEndpoint"]
    assert not (tmp_path / "local_cloud").exists()


def test_overrides_reach_the_request(tmp_path, tiny_base):
    hub = Hub(cloud_service="aws", region_name="us-east-1", role="r", home=tmp_path)
    vpc = {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]}
    overrides = {"CreateTrainingJob": {"VpcConfig": vpc, "ResourceConfig": {"KeepAlivePeriodInSeconds": 60}}}
    options = {"base_model": "a/b", "train_data": [conversation()], "dry_run": True, **KEY}
    (request,) = hub.train(**options, request_overrides=overrides)
    assert request.parameters["VpcConfig"] == vpc
    assert request.parameters["ResourceConfig"]["KeepAlivePeriodInSeconds"] == 60
    assert request.parameters["ResourceConfig"]["InstanceType"] == "ml.g5.2xlarge"
    assert request.parameters["RoleArn"] == "arn:aws:iam::<account>:role/r"
    for wrong in ({"CreateTrainingjob": {}}, {"CreateTrainingJob": {"Vpc": {}}}):
        with pytest.raises(ConfigurationError, match=r"CreateTrainingJob"):
            hub.train(**options, request_overrides=wrong)


def test_no_token_stands_in_a_request(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    monkeypatch.setenv("MOJO_HF_TOKEN_SECRET_ARN", "arn:aws:secretsmanager:us-east-1:123456789012:secret:hf")
    hub = Hub(cloud_service="aws", region_name="us-east-1", role="r", home=tmp_path)
    (request,) = hub.train(base_model="a/b", train_data=[conversation()], dry_run=True, **KEY)
    assert "hf_secret" not in str(request)
    assert request.parameters["Environment"]["MOJO_HF_TOKEN_SECRET_ARN"].endswith("secret:hf")


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"hyperparameters": {"learnin_rate": 1e-4}}, HyperparameterError, "learning_rate"),
        ({"hyperparameters": {"lora_r": "many"}}, HyperparameterError, "lora_r"),
        ({"instance_count": 2}, ConfigurationError, "one instance"),
        ({"instance_type": "ml.g5.2xlage"}, ConfigurationError, r"ml\.g5\.2xlarge"),
        ({"train_data": []}, DataError, "nothing to train on"),
        ({"train_data": "no-such.jsonl"}, DataError, "no-such.jsonl: no such file"),
        ({"train_data": [conversation(task="other")]}, DataError, "record:1: .*'other'"),
        ({"train_data": [{"tasks": TASKS, "messages": 3}]}, DataError, "record:1"),
        ({"train_data": 5}, DataError, "int"),
        ({"job_name": "no_underscores"}, InvalidNameError, "no-underscores"),
        ({"product": " "}, InvalidNameError, "product"),
    ],
)
def test_bad_input_is_refused_before_anything_is_sent(tmp_path, tiny_base, change, error, words):
    hub = Hub(cloud_service="local", home=tmp_path)
    options = {"base_model": tiny_base, "train_data": [conversation()], **KEY, **change}
    with pytest.raises(error, match=words):
        hub.train(**options)
    assert not (tmp_path / "local_cloud").exists()


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"job_name": 5}, InvalidNameError, "must be text"),
        ({"copies": 0}, ConfigurationError, "copies=0"),
        ({"copies": "2"}, ConfigurationError, "copies='2'"),
        ({"hyperparameters": [1]}, HyperparameterError, "must be a dictionary"),
        ({"hyperparameters": {"num_train_epochs": float("inf")}}, HyperparameterError, "num_train_epochs"),
        ({"request_overrides": [1]}, ConfigurationError, "must be a dictionary"),
        ({"request_overrides": {"CreateTrainingJob": 5}}, ConfigurationError, "must be a dictionary"),
    ],
)
def test_arguments_of_the_wrong_kind_are_said(hub, tiny_base, options, error, words):
    with pytest.raises(error, match=words):
        hub.train(base_model=tiny_base, train_data=[conversation()], dry_run=True, **KEY, **options)


def test_an_environment_of_the_wrong_kind_is_said(hub, tiny_base):
    with pytest.raises(ConfigurationError, match="environment must be a dictionary"):
        hub.deploy(base_model=tiny_base, environment=["a=b"], dry_run=True, **KEY)


def test_a_base_model_that_is_nowhere_is_named(hub):
    with pytest.raises(BaseModelNotFoundError, match="/no/such/folder"):
        hub.train(base_model="/no/such/folder", train_data=[conversation()], **KEY)


def test_nothing_to_deploy_is_said(hub, trained):
    with pytest.raises(NotFoundError, match="No completed training job of ghost/routing/x"):
        hub.deploy(product="ghost", task="routing", model_id="x")
    with pytest.raises(NotFoundError, match="no-such-job"):
        hub.deploy(**KEY, job="no-such-job")
    with pytest.raises(NotFoundError, match=r"encoder takes the name of a training job.* 'no-such-job'"):
        hub.deploy(**KEY, job=trained, encoder="no-such-job")
    with pytest.raises(NotFoundError, match="s3://"):
        hub.deploy(**KEY, model_data="s3://no-such-bucket/model.tar.gz")


def test_foreign_artifacts_are_refused(hub, tmp_path):
    storage = hub._account.storage(dry_run=False)
    storage.ensure_bucket()
    (tmp_path / "manifest.json").write_text(json.dumps({"contract_version": 99, "base_model": {"id": "x"}}))
    for number, names in enumerate([[], ["manifest.json"]]):
        path = tmp_path / f"{number}.tar.gz"
        with tarfile.open(path, "w:gz") as archive:
            for name in names:
                archive.add(tmp_path / name, name)
        uri = storage.upload(path, f"foreign/{number}.tar.gz")
        with pytest.raises(ArtifactError, match=r"contract version 99|no manifest"):
            hub.deploy(**KEY, model_data=uri)
    (tmp_path / "plain.txt").write_text("no archive")
    with pytest.raises(ArtifactError, match=r"no tar\.gz"):
        hub.deploy(**KEY, model_data=storage.upload(tmp_path / "plain.txt", "foreign/plain"))


def test_a_damaged_artifact_is_refused(hub, trained, tmp_path):
    storage = hub._account.storage(dry_run=False)
    path = tmp_path / "model.tar.gz"
    storage.download(trained.model_data, path)
    whole = path.read_bytes()
    middle = len(whole) // 2
    # Damaged data, and data that reads well but for the checksum at its end.
    damaged_ones = [whole[:middle] + b"\xff" * 64 + whole[middle + 64 :], whole[:-8] + b"\0" * 8]
    for number, damaged in enumerate(damaged_ones):
        path.write_bytes(damaged)
        with pytest.raises(ArtifactError, match=r"is no tar\.gz archive"):
            hub.deploy(**KEY, model_data=storage.upload(path, f"foreign/damaged-{number}.tar.gz"))


def test_data_may_lie_in_s3_or_be_a_dataset(hub, tiny_base, tmp_path):
    import datasets

    storage = hub._account.storage(dry_run=False)
    storage.ensure_bucket()
    path = tmp_path / "data.jsonl"
    path.write_text("".join(json.dumps(conversation(f"sum {i}")) + "\n" for i in range(3)))
    uri = storage.upload(path, "data/data.jsonl")
    sources = [uri, path, str(path), datasets.Dataset.from_list([conversation(f"sum {i}") for i in range(3)])]
    digests = {
        hub.train(base_model=tiny_base, train_data=source, dry_run=True, **KEY)[0].parameters["HyperParameters"][
            "dataset_sha256"
        ]
        for source in sources
    }
    assert len(digests) == 1


def test_two_hubs_may_deploy_the_same_base_at_once(hub, tiny_base):
    names = [f"twin-{n}" for n in range(2)]
    endpoints = [hub.deploy(product="p", task="chat", model_id=name, base_model=tiny_base) for name in names]
    for endpoint, other in itertools.permutations([e.wait(progress=False) for e in endpoints], 2):
        assert endpoint.name != other.name
    for name in names:
        hub.delete(product="p", task="chat", model_id=name)


# -------------------------------------------------------------------------------------------- what is looked at first


@pytest.fixture
def half_right(tmp_path):
    """A file whose second line cannot be used: who complains of it has begun to prepare it."""
    path = tmp_path / "half-right.jsonl"
    path.write_text(json.dumps(conversation()) + "\nno JSON\n")
    return path


AWS = {"cloud_service": "aws", "region_name": "us-east-1", "role": "r"}


@pytest.mark.parametrize(
    ("setting", "change", "error", "words"),
    [
        ({"region_name": None}, {}, ConfigurationError, "No AWS region"),
        ({"region_name": "mars-north-1"}, {}, ConfigurationError, "mars-north-1"),
        ({"role": None}, {}, ConfigurationError, "execution role"),
        ({"role": "my role"}, {}, ConfigurationError, "role='my role'"),
        ({"role": "arn:aws:iam::1:role/x"}, {}, ConfigurationError, "neither a role's name nor its ARN"),
        ({"bucket": "s3://my-bucket/x"}, {}, ConfigurationError, "Give the name alone: my-bucket"),
        ({"bucket": "My_Bucket"}, {}, ConfigurationError, "no name of an S3 bucket"),
        ({}, {}, AccessDeniedError, "no usable AWS credentials"),
        ({"bucket": "my-bucket", "role": "arn:aws:iam::111122223333:role/x"}, {}, AccessDeniedError, "no usable AWS"),
        ({}, {"request_overrides": {"CreateTrainingJob": {"Vpc": {}}}}, ConfigurationError, "Vpc"),
        ({}, {"max_runtime_seconds": 0}, ConfigurationError, "MaxRuntimeInSeconds"),
        ({}, {"max_runtime_seconds": 99999999}, ConfigurationError, "max_runtime_seconds takes 1 to 2419200"),
        ({}, {"max_runtime_seconds": True}, ConfigurationError, "MaxRuntimeInSeconds True is not a number"),
        ({}, {"volume_size_gb": "big"}, ConfigurationError, "VolumeSizeInGB"),
        ({}, {"volume_size_gb": 2**31}, ConfigurationError, "VolumeSizeInGB 2147483648 is not a number"),
        ({}, {"image_uri": "!!"}, ConfigurationError, "TrainingImage '!!' is not an image"),
        ({}, {"image_uri": ""}, ConfigurationError, "TrainingImage '' is not an image"),
        ({}, {"image_uri": "a" * 256}, ConfigurationError, "has 256 characters, and AWS takes 255"),
        (
            {},
            {"hyperparameters": {"target_modules": "q" * 2500}},
            ConfigurationError,
            "HyperParameters.target_modules",
        ),
        (
            {},
            {"request_overrides": {"CreateTrainingJob": {"EnableManagedSpotTraining": True}}},
            ConfigurationError,
            "spot",
        ),
        ({}, {"base_model": "./nowhere"}, BaseModelNotFoundError, "no such folder"),
        ({}, {"base_model": ""}, ConfigurationError, "base_model='' names no model"),
        ({}, {"base_model": 5}, ConfigurationError, "base_model=5 names no model"),
        ({}, {"resume": 5}, InvalidNameError, "resume=5 is no name of a training job"),
        ({}, {"resume": ""}, InvalidNameError, "resume='' is no name of a training job"),
        ({}, {"resume": "under_score"}, InvalidNameError, "resume='under_score' is no name"),
        ({"bucket": "two..dots"}, {}, ConfigurationError, "no name of an S3 bucket"),
        ({"bucket": "192.168.1.1"}, {}, ConfigurationError, "no name of an S3 bucket"),
        ({"role": "r" * 65}, {}, ConfigurationError, "neither a role's name nor its ARN"),
        (
            {},
            {"request_overrides": {"CreateTrainingJob": {"Tags": [{"Key": "a", "Value": v} for v in "bc"]}}},
            ConfigurationError,
            "Tags has the key 'a' twice",
        ),
        ({}, {"base_model": "s3://"}, ConfigurationError, "'s3://' is not an S3 URI"),
        ({}, {"validation_data": "nowhere.jsonl"}, DataError, "nowhere.jsonl: no such file"),
        ({}, {"validation_data": []}, DataError, "nothing to train on"),
        ({}, {"validation_data": "s3://bucket"}, ConfigurationError, "names a bucket, not a file"),
        ({}, {"train_data": "s3://bucket/folder/"}, ConfigurationError, "names a folder, not a file"),
        ({}, {"train_data": "s3://bucket"}, ConfigurationError, "Add the file's name: s3://bucket/FILE"),
        ({}, {"train_data": None}, DataError, "NoneType"),
    ],
)
def test_train_looks_at_what_is_cheap_before_it_prepares_data(tmp_path, half_right, setting, change, error, words):
    hub = Hub(**{**AWS, "home": tmp_path, **setting})
    with pytest.raises(error, match=re.escape(words)):
        hub.train(**{"base_model": "some/model", "train_data": half_right, **KEY, **change})


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"resume": "nobody"}, NotFoundError, "no training job 'nobody'"),
        (
            {"validation_data": "s3://no-such-bucket/dev.jsonl"},
            NotFoundError,
            "no object s3://no-such-bucket/dev.jsonl",
        ),
        (
            {"base_model": "s3://no-such-bucket"},
            BaseModelNotFoundError,
            "s3://no-such-bucket/config.json does not exist",
        ),
        ({"base_model": "s3://no-such-bucket/a/"}, BaseModelNotFoundError, "no base model at s3://no-such-bucket/a/"),
    ],
)
def test_train_asks_the_cloud_before_it_prepares_data(hub, half_right, tiny_base, change, error, words):
    with pytest.raises(error, match=re.escape(words)):
        hub.train(**{"base_model": tiny_base, "train_data": half_right, **KEY, **change})


@pytest.fixture(scope="module")
def bucket(hub):
    """A bucket with the config.json of a model in the folder "model", and nothing else."""
    hub._session.call("s3", "create_bucket", Bucket="base-models")
    hub._session.call("s3", "put_object", Bucket="base-models", Key="model/config.json", Body=b"{}")
    return "s3://base-models"


@pytest.mark.parametrize("place", ["", "/", "/nothing/", "/mode", "/model/config.json"])
def test_a_base_model_that_is_not_in_s3_is_refused_at_once(hub, bucket, trained, half_right, place):
    words = "Name the folder that holds it"
    with pytest.raises(BaseModelNotFoundError, match=words):
        hub.train(base_model=bucket + place, train_data=half_right, **KEY)
    before = len(hub.models())
    for options in ({}, {"job": trained}, {"dry_run": True}):
        with pytest.raises(BaseModelNotFoundError, match=words):
            hub.deploy(base_model=bucket + place, **options, **{**KEY, "model_id": "nowhere"})
    assert len(hub.models()) == before


def test_a_base_model_that_is_in_s3_is_taken(hub, bucket, half_right):
    for slash in ("", "/"):
        assert hub.deploy(base_model=f"{bucket}/model{slash}", dry_run=True, **KEY)
        with pytest.raises(DataError, match=r"half-right\.jsonl:2"):
            hub.train(base_model=f"{bucket}/model{slash}", train_data=half_right, **KEY)


def test_a_staged_base_model_that_is_gone_is_said_before_its_artifact_is_deployed(hub, trained):
    (channel,) = (one for one in trained.describe()["InputDataConfig"] if one["ChannelName"] == "base_model")
    bucket, _, prefix = channel["DataSource"]["S3DataSource"]["S3Uri"].removeprefix("s3://").partition("/")
    place = {"Bucket": bucket, "Key": f"{prefix}config.json"}
    kept = hub._session.call("s3", "get_object", **place)["Body"].read()
    hub._session.call("s3", "delete_object", **place)
    try:
        with pytest.raises(BaseModelNotFoundError, match=r"config\.json does not exist"):
            hub.deploy(job=trained, **{**KEY, "model_id": "gone"})
    finally:
        hub._session.call("s3", "put_object", Body=kept, **place)


def test_who_may_not_look_into_s3_leaves_a_base_model_to_the_container(tmp_path):
    # Without credentials: a dry run shows the request all the same.
    hub = Hub(**AWS, home=tmp_path)
    (request,) = hub.train(base_model="s3://b-1/model", train_data=[conversation()], dry_run=True, **KEY)
    assert "s3://b-1/model/" in str(request)


@pytest.mark.parametrize(
    ("look", "error", "words"),
    [
        (lambda hub: hub.job(5), InvalidNameError, "name=5 is no name of a training job"),
        (lambda hub: hub.job(""), InvalidNameError, "name='' is no name of a training job"),
        (lambda hub: hub.jobs(limit=0), ConfigurationError, "limit=0 must be a whole number of at least 1"),
        (lambda hub: hub.jobs(limit=True), ConfigurationError, "limit=True must be"),
        (lambda hub: hub.jobs(product=5), InvalidNameError, "product must be a name, not 5"),
    ],
)
def test_what_cannot_be_looked_for_is_said_before_aws_is_asked(tmp_path, look, error, words):
    with pytest.raises(error, match=re.escape(words)):
        look(Hub(**AWS, home=tmp_path))


def test_a_taken_job_name_is_said_before_data_is_prepared(hub, trained, half_right, tiny_base):
    with pytest.raises(AlreadyExistsError, match=trained.name):
        hub.train(base_model=tiny_base, train_data=half_right, job_name=trained.name, **KEY)


def test_data_is_read_before_a_base_model_is_looked_up(hub, half_right):
    with pytest.raises(DataError, match=r"half-right\.jsonl:2"):
        hub.train(base_model="nobody/has-this", train_data=half_right, **KEY)


def test_a_stream_of_conversations_loses_none_to_the_early_look(tmp_path, tiny_base):
    hub = Hub(cloud_service="local", home=tmp_path)
    options = {"base_model": tiny_base, "dry_run": True, **KEY}
    listed = [conversation(f"sum {number}") for number in range(3)]
    (whole,) = hub.train(train_data=listed, **options)
    (streamed,) = hub.train(train_data=iter(listed), **options)
    digests = [request.parameters["HyperParameters"]["dataset_sha256"] for request in (whole, streamed)]
    assert digests[0] == digests[1]


@pytest.mark.parametrize(
    ("setting", "change", "error", "words"),
    [
        ({"region_name": None}, {}, ConfigurationError, "No AWS region"),
        ({"region_name": "mars-north-1"}, {}, ConfigurationError, "mars-north-1"),
        ({"role": None}, {}, ConfigurationError, "execution role"),
        ({"bucket": "a bucket"}, {}, ConfigurationError, "bucket='a bucket'"),
        ({}, {}, AccessDeniedError, "no usable AWS credentials"),
        ({}, {"instance_type": "ml.inf2.xlarge"}, ConfigurationError, "Neuron"),
        ({}, {"instance_count": 0}, ConfigurationError, "InitialInstanceCount"),
        ({}, {"instance_count": True}, ConfigurationError, "InitialInstanceCount True is not a number"),
        ({}, {"environment": {"A": 1}}, ConfigurationError, "Environment"),
        ({}, {"environment": {"A-B": "1"}}, ConfigurationError, "the key 'A-B', 'A-B' does not match AWS's pattern"),
        ({}, {"environment": {"A": "x" * 1025}}, ConfigurationError, "Environment.A has 1025 characters"),
        ({}, {"image_uri": "!!"}, ConfigurationError, "PrimaryContainer.Image '!!' is not an image"),
        ({}, {"image_uri": "two words"}, ConfigurationError, "PrimaryContainer.Image 'two words'"),
        ({}, {"request_overrides": {"UpdateEndpoint": {"Vpc": {}}}}, ConfigurationError, "Vpc"),
        ({}, {"request_overrides": {"CreateModel": {"Vpc": {}}}}, ConfigurationError, "Vpc"),
        ({}, {"job": "a", "model_data": "s3://b/c"}, ConfigurationError, "either model_data or job"),
        ({}, {"model_data": "s3://bucket"}, ConfigurationError, "names a bucket, not a file"),
        ({}, {"model_data": 5}, ConfigurationError, "5 is not an S3 URI"),
        ({}, {"job": 5}, InvalidNameError, "job=5 is no name of a training job"),
        ({}, {"job": ""}, InvalidNameError, "job='' is no name"),
        ({}, {"encoder": "two words"}, InvalidNameError, "encoder='two words' is no name"),
        ({}, {"base_model": MINILM}, ConfigurationError, "is no causal language model"),
        ({}, {"model_data": "/tmp/model.tar.gz"}, ConfigurationError, "is not an S3 URI"),
        ({}, {"base_model": "/no/folder"}, BaseModelNotFoundError, "no such folder"),
        ({}, {"base_model": "a/b", "encoder": "job"}, ConfigurationError, "encoder stands beside a trained model"),
    ],
)
def test_deploy_looks_at_what_is_cheap_first(tmp_path, setting, change, error, words):
    with pytest.raises(error, match=re.escape(words)):
        Hub(**{**AWS, "home": tmp_path, **setting}).deploy(**KEY, **change)


# ------------------------------------------------------------------------------------------------------------ names


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"stage": "Dev_1!"}, "would be called 'mojodex--routing--tiny-router--dev-1---"),
        ({"stage": "Dev_1!"}, "such as 'dev-1', or agree to that name with allow_hashed_names=True."),
        ({"product": "Mojodex"}, "product 'Mojodex' does not fit into AWS's names"),
        ({"task": "route_it"}, "such as 'route-it'"),
        ({"model_id": "tiny.Router"}, "such as 'tiny-router'"),
        ({"model_id": "\u65e5\u672c"}, "single dashes, or agree"),
        ({"product": "a--b"}, "such as 'a-b'"),
        ({"product": "p" * 60}, "and AWS takes 63"),
    ],
)
def test_a_new_name_that_needs_a_hash_is_refused(tmp_path, tiny_base, change, words):
    hub = Hub(cloud_service="local", home=tmp_path)
    with pytest.raises(InvalidNameError, match=re.escape(words)):
        hub.deploy(**{**KEY, **change}, base_model=tiny_base, dry_run=True)
    if "stage" not in change:
        with pytest.raises(InvalidNameError, match=re.escape(words)):
            hub.train(**{**KEY, **change}, base_model=tiny_base, train_data=[conversation()], dry_run=True)
    assert not (tmp_path / "local_cloud").exists()


def test_a_hashed_name_is_said_even_where_nobody_can_be_asked(tmp_path):
    with pytest.raises(InvalidNameError, match="Dev_1!"):
        Hub(**AWS, home=tmp_path).deploy(**KEY, stage="Dev_1!", base_model="a/b")


def test_an_endpoint_with_a_hash_in_its_name_stays_reachable(hub, tiny_base, local_home):
    names = {"product": "Acme Inc.", "task": "chat", "model_id": "tiny.Chat", "stage": "Dev_1!"}
    with pytest.raises(InvalidNameError, match="Acme Inc"):
        hub.deploy(**names, base_model=tiny_base)
    agreed = Hub(cloud_service="local", home=local_home, allow_hashed_names=True)
    agreed.deploy(**names, base_model=tiny_base).wait(progress=False)
    model = AWSModel(**names, cloud_service="local", home=local_home)
    assert "---" in model.name
    assert model.predict([{"role": "user", "content": "hello"}], max_tokens=1).usage.completion_tokens <= 1
    hub.deploy(**names, base_model=tiny_base).wait(progress=False)  # an update: agreed to before
    assert hub.delete(**names).removed
    nothing = str(hub.delete(**names))
    assert nothing.startswith(f"nothing was there to remove. There is no endpoint '{model.name}'. ")
    assert "because product 'Acme Inc.' and model_id 'tiny.Chat' and stage 'Dev_1!' do not fit" in nothing


def test_names_come_from_the_project_where_they_are_left_out(tmp_path, monkeypatch, tiny_base):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mojo.toml").write_text('product = "acme"\ntask = "routing"\nmodel_id = "mine"\nstage = "prod"\n')
    hub = Hub(cloud_service="local", home=tmp_path)
    (request,) = hub.train(base_model=tiny_base, train_data=[conversation()], dry_run=True)
    assert request.parameters["TrainingJobName"].startswith("acme--routing--mine--")
    assert json.loads(request.parameters["HyperParameters"]["prompt_version"])
    assert hub.deploy(base_model=tiny_base, dry_run=True)[-1].parameters["EndpointName"] == "acme--routing--mine--prod"
    assert hub.endpoint(model_id="other").name == "acme--routing--other--prod"
    assert AWSModel(cloud_service="local", home=tmp_path).name == "acme--routing--mine--prod"
    assert AWSModel(stage="dev", cloud_service="local", home=tmp_path).name == "acme--routing--mine--dev"
    monkeypatch.setenv("MOJO_STAGE", "test")
    assert AWSModel(cloud_service="local", home=tmp_path).name == "acme--routing--mine--test"
    (tmp_path / "mojo.toml").unlink()
    with pytest.raises(ConfigurationError, match="Missing: product=…, task=…, model_id=…"):
        AWSModel(cloud_service="local")


def test_access_is_looked_at_without_changing_anything(hub, tmp_path):
    before = hub._session.call("s3", "list_buckets")["Buckets"]
    hub.require_access()
    assert hub._session.call("s3", "list_buckets")["Buckets"] == before
    for wrong, words in (({"role": None}, "execution role"), ({"bucket": "a b"}, "no name of an S3 bucket")):
        with pytest.raises(ConfigurationError, match=words):
            Hub(**{**AWS, "home": tmp_path, **wrong}).require_access()
    with pytest.raises(AccessDeniedError, match="no usable AWS credentials"):
        Hub(**AWS, home=tmp_path).require_access()


def test_a_base_model_of_another_kind_is_refused_before_anything_is_sent(hub, tiny_base, tmp_path):
    encoder, trained_on_top = save_tiny_encoder(tmp_path / "encoder"), classifier(tmp_path / "classifier")
    for name in (MINILM, encoder, trained_on_top):
        with pytest.raises(ConfigurationError, match="no causal language model"):
            hub.deploy(base_model=name, dry_run=True, **KEY)
        with pytest.raises(ConfigurationError, match="no causal language model"):
            hub.train(base_model=name, train_data=[conversation()], dry_run=True, **KEY)
    with pytest.raises(ConfigurationError, match="no sentence encoder"):
        hub.train(recipe="encoder-router", base_model=tiny_base, train_data=[conversation()], dry_run=True, **KEY)


def test_an_endpoint_whose_weights_are_not_all_there_fails_and_says_so(hub, tmp_path, local_home):
    key = {**KEY, "model_id": "headless"}
    endpoint = hub.deploy(base_model=without_head(tmp_path), **key)
    model = AWSModel(**key, cloud_service="local", home=local_home)
    with pytest.raises(EndpointNotReadyError, match="it is Creating") as caught:
        model.predict([{"role": "user", "content": "hi"}])
    assert caught.value.status == "Creating"
    with pytest.raises(EndpointFailedError, match=r"lack lm_head\.weight"):
        endpoint.wait(progress=False)
    with pytest.raises(EndpointNotReadyError, match=r"failed: .*lack lm_head\.weight") as caught:
        model.predict([{"role": "user", "content": "hi"}])
    assert "lm_head.weight" in caught.value.reason
    hub.delete(**key)
