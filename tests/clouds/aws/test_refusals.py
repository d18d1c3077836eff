"""What AWS's refusals become: one error for each thing that a caller can do about it."""

import socket
import threading

import pytest
from botocore.exceptions import EndpointConnectionError, NoCredentialsError

from mojo_toolbox.clouds.aws.invocation import invoke_endpoint
from mojo_toolbox.clouds.aws.session import Session, connection_failure, refusal
from mojo_toolbox.errors import (
    AccessDeniedError,
    AlreadyExistsError,
    AWSError,
    CapacityError,
    EndpointNotFoundError,
    EndpointNotReadyError,
    LocalCloudError,
    ModelError,
    NotFoundError,
    PredictionError,
    PredictionTimeoutError,
    QuotaError,
)
from mojo_toolbox.settings import Settings


def answer(code, message="", **more):
    return {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"RequestId": "r-1"}, **more}


@pytest.mark.parametrize(
    ("code", "message", "error"),
    [
        ("AccessDeniedException", "User is not authorized", AccessDeniedError),
        ("ExpiredTokenException", "", AccessDeniedError),
        ("SignatureDoesNotMatch", "", AccessDeniedError),
        ("ResourceLimitExceeded", "The account-level service limit 'ml.g5.2xlarge' is 0", QuotaError),
        ("CapacityError", "Unable to provision", CapacityError),
        ("ResourceInUse", "Training job names must be unique", AlreadyExistsError),
        ("ValidationException", 'Cannot create already existing endpoint "arn"', AlreadyExistsError),
        ("ValidationException", 'Could not find endpoint "x".', NotFoundError),
        ("ValidationException", "Requested resource not found.", NotFoundError),
        ("ResourceNotFound", "", NotFoundError),
        ("404", "Not Found", NotFoundError),
        ("ValidationException", "1 validation error detected", AWSError),
        ("ThrottlingException", "Rate exceeded", AWSError),
    ],
)
def test_a_refusal_becomes_the_error_of_its_kind(code, message, error):
    made = refusal(answer(code, message), operation="sagemaker:create_thing")
    assert type(made) is error
    assert (made.code, made.operation, made.request_id) == (code, "sagemaker:create_thing", "r-1")
    assert code in str(made)
    assert message in str(made)


def test_an_answer_without_a_word_is_an_error_all_the_same():
    assert type(refusal({}, operation="x")) is AWSError


def test_missing_credentials_say_what_to_do():
    made = connection_failure(NoCredentialsError(), operation="sts:get_caller_identity")
    assert isinstance(made, AccessDeniedError)
    assert "aws configure" in str(made)


def test_no_network_is_said():
    made = connection_failure(EndpointConnectionError(endpoint_url="https://x"), operation="s3:head_bucket")
    assert type(made) is AWSError
    assert "s3:head_bucket could not be sent" in str(made)


def test_a_local_cloud_that_does_not_run_is_not_started_unasked(tmp_path):
    session = Session(Settings(cloud_service="local", home=tmp_path / "home"), start_local_cloud=False)
    with pytest.raises(LocalCloudError, match="mojo local up"):
        session.call("sts", "get_caller_identity")
    assert not (tmp_path / "home").exists()


# --------------------------------------------------------------------------------------------------- invocations


@pytest.fixture
def answering(session):
    """Return an ask for an endpoint that answers the given error, as botocore reads it."""
    from botocore.stub import Stubber

    client = session.client("sagemaker-runtime")

    def ask(code, message="", **facts):
        with Stubber(client) as stubber:
            extra = {k: v for k, v in facts.items() if v is not None}
            stubber.add_client_error(
                "invoke_endpoint", code, message, http_status_code=424, modeled_fields=extra or None
            )
            return invoke_endpoint(session, "the-endpoint", b"{}")

    return ask


@pytest.mark.parametrize(
    ("code", "message", "error", "words"),
    [
        ("ValidationError", "Endpoint the-endpoint of account 1 not found.", EndpointNotFoundError, "Deploy it"),
        ("ValidationError", "Endpoint the-endpoint is not InService", EndpointNotReadyError, "not ready"),
        ("ModelNotReadyException", "The model is loading", EndpointNotReadyError, "not ready"),
        ("ServiceUnavailable", "", EndpointNotReadyError, "not ready"),
        ("ModelError", "... timed out ... increase", PredictionTimeoutError, "within 60 s"),
    ],
)
def test_a_refused_prediction_becomes_the_error_of_its_kind(answering, code, message, error, words):
    with pytest.raises(error, match=words) as caught:
        answering(code, message)
    assert caught.value.endpoint_name == "the-endpoint"
    assert isinstance(caught.value, PredictionError)


def test_a_containers_error_carries_its_status_and_message(answering):
    with pytest.raises(ModelError, match="answered 400: bad messages") as caught:
        answering("ModelError", "Received client error", OriginalStatusCode=400, OriginalMessage="bad messages\n")
    assert (caught.value.status, caught.value.container_message, caught.value.handled) == (400, "bad messages", False)


def test_other_refusals_stay_awss(answering):
    with pytest.raises(AccessDeniedError):
        answering("AccessDeniedException", "no")


def test_a_prediction_that_times_out_is_not_asked_again(monkeypatch):
    from mojo_toolbox.clouds.aws import session as module

    asked = []

    def listen(server):
        while True:
            try:
                asked.append(server.accept()[0])
            except OSError:
                return

    with socket.create_server(("127.0.0.1", 0)) as server:
        listener = threading.Thread(target=listen, args=(server,))
        listener.start()
        monkeypatch.setattr(module, "_RUNTIME_READ_TIMEOUT", 0.3)
        monkeypatch.setenv("AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME", f"http://127.0.0.1:{server.getsockname()[1]}")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        session = Session(Settings(cloud_service="aws", region_name="us-east-1"))
        with pytest.raises(PredictionTimeoutError, match="did not answer in time"):
            invoke_endpoint(session, "slow", b"{}")
        session.client("sagemaker-runtime").close()
        server.shutdown(socket.SHUT_RDWR)
        listener.join(timeout=10)
    for connection in asked:
        connection.close()
    assert len(asked) == 1
