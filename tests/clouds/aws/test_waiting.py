"""Waiting for an endpoint ends when its model answers, on a local cloud with containers that do what the test says."""

import io
import tarfile

import pytest

from mojo_toolbox.clouds.aws.endpoints import Endpoint
from mojo_toolbox.clouds.aws.session import Session
from mojo_toolbox.errors import EndpointFailedError, WaitTimeoutError
from mojo_toolbox.settings import Settings

LOADING = """
import pathlib
def transform_fn(model, data, content_type, accept, context):
    asked = pathlib.Path({count!r})
    asked.write_text(asked.read_text() + "x" if asked.exists() else "x")
    if len(asked.read_text()) < 3:
        context.set_response_status(503, "Loading")
        return "the worker is starting"
    return "{{}}"
"""
REFUSING = """
def transform_fn(model, data, content_type, accept, context):
    context.set_response_status(400, "Bad Request")
    return '{"error": "Name an adapter."}'
"""
NAN = """
def transform_fn(model, data, content_type, accept, context):
    context.set_response_status(500, "Model Error")
    return '{"error": "The model computes NaN."}'
"""
BROKEN = "def transform_fn(model, data, content_type, accept):\n    raise RuntimeError('no weights')\n"
NEVER = LOADING.replace("< 3", "< 3000")


@pytest.fixture
def session(local_home):
    return Session(Settings(cloud_service="local", home=local_home))


@pytest.fixture
def deployed(session):
    """Puts a program on an endpoint with plain requests, and returns the handle; removes everything again."""
    made = []

    def deploy(name, program):
        made.append(name)
        content = io.BytesIO()
        with tarfile.open(fileobj=content, mode="w:gz") as archive:
            member = tarfile.TarInfo("code/inference.py")
            member.size = len(program)
            archive.addfile(member, io.BytesIO(program.encode()))
        call = session.call
        call("s3", "create_bucket", Bucket=f"waiting-{name}")
        call("s3", "put_object", Bucket=f"waiting-{name}", Key="model.tar.gz", Body=content.getvalue())
        container = {"Image": "own", "ModelDataUrl": f"s3://waiting-{name}/model.tar.gz"}
        role = "arn:aws:iam::123456789012:role/mojo"
        call("sagemaker", "create_model", ModelName=name, ExecutionRoleArn=role, PrimaryContainer=container)
        variant = {"VariantName": "v", "ModelName": name, "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}
        call("sagemaker", "create_endpoint_config", EndpointConfigName=name, ProductionVariants=[variant])
        call("sagemaker", "create_endpoint", EndpointName=name, EndpointConfigName=name)
        return Endpoint(session, name, version_base="none-of-ours")

    yield deploy
    for name in made:
        session.call("sagemaker", "delete_endpoint", EndpointName=name)


def test_a_model_that_is_still_loading_is_asked_again(deployed, tmp_path):
    endpoint = deployed("loading", LOADING.format(count=str(tmp_path / "asked")))
    endpoint.wait(progress=False)
    assert (tmp_path / "asked").read_text() == "xxx"


def test_a_refusal_in_the_models_own_words_is_an_answer(deployed):
    deployed("refusing", REFUSING).wait(progress=False)


def test_a_model_that_fails_on_the_first_question_fails_the_deployment(deployed):
    with pytest.raises(
        EndpointFailedError, match=r"InService, but its model does not answer: .*400: no weights"
    ) as caught:
        deployed("broken", BROKEN).wait(progress=False)
    assert "mojo logs broken" in str(caught.value)


def test_a_model_that_computes_nothing_fails_the_deployment(deployed):
    with pytest.raises(EndpointFailedError, match=r"does not answer: .*500: The model computes NaN"):
        deployed("nan", NAN).wait(progress=False, timeout=60)


def test_the_timeout_covers_loading(deployed, tmp_path):
    endpoint = deployed("never", NEVER.format(count=str(tmp_path / "asked")))
    with pytest.raises(WaitTimeoutError, match="still loading"):
        endpoint.wait(progress=False, timeout=3)
