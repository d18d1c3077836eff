"""InvokeEndpoint: one call, and the meaning of its refusals to a programmer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Never

from mojo_toolbox.clouds.aws.container_errors import read_container_error
from mojo_toolbox.clouds.aws.existing_endpoints import EndpointSurroundings, look_around, place
from mojo_toolbox.clouds.aws.session import CREDENTIAL_FAILURES, Session, connection_failure, refusal
from mojo_toolbox.errors import (
    EndpointNotFoundError,
    EndpointNotReadyError,
    ModelError,
    MojoError,
    PredictionError,
    PredictionTimeoutError,
    as_prediction_error,
)

# SageMaker refuses larger request bodies (botocore's documentation of InvokeEndpoint).
MAX_BODY_BYTES = 6 * 1024 * 1024
_OPERATION = "sagemaker-runtime:invoke_endpoint"
_NOT_READY_CODES = {"ModelNotReadyException", "ServiceUnavailable"}


def invoke_endpoint(session: Session, name: str, body: bytes, *, about_name: str = "") -> tuple[bytes, str]:
    """Send `body` (JSON) to the endpoint `name`. Return the answer's body and the request id.

    `about_name` is said where nothing is found under the name.

    Raises:
        PredictionError: or one of its kinds, whatever failed: settings, credentials, the network, AWS or the container.
    """
    try:
        return _invoke(session, name, body, about_name)
    except PredictionError:
        raise
    except MojoError as error:
        raise as_prediction_error(error, endpoint_name=name) from error


def _invoke(session: Session, name: str, body: bytes, about_name: str) -> tuple[bytes, str]:
    from botocore.exceptions import (
        BotoCoreError,
        ClientError,
        ConnectTimeoutError,
        HTTPClientError,
        ReadTimeoutError,
    )
    from botocore.exceptions import ConnectionError as BotoConnectionError

    client = session.client("sagemaker-runtime")
    try:
        answer = client.invoke_endpoint(
            EndpointName=name, Body=body, ContentType="application/json", Accept="application/json"
        )
        return answer["Body"].read(), str(answer["ResponseMetadata"]["RequestId"])
    except ClientError as error:
        _raise_for(session, error.response, name, about_name, error)
    except (ReadTimeoutError, ConnectTimeoutError) as error:
        raise PredictionTimeoutError(f"Endpoint {name!r} did not answer in time.", endpoint_name=name) from error
    except (HTTPClientError, BotoConnectionError) as error:
        raise PredictionError(
            f"Endpoint {name!r} could not be reached: {error}. Check the network, a proxy, and the region.",
            endpoint_name=name,
        ) from error
    except (BotoCoreError, *CREDENTIAL_FAILURES) as error:
        raise connection_failure(error, operation=_OPERATION) from error


def _raise_for(session: Session, response: Mapping[str, Any], name: str, about_name: str, cause: Exception) -> Never:
    """Raise the error that AWS's answer means."""
    code = str(response.get("Error", {}).get("Code", ""))
    text = str(response.get("Error", {}).get("Message", ""))
    request_id = str(response.get("ResponseMetadata", {}).get("RequestId", ""))
    facts = {"endpoint_name": name, "request_id": request_id}
    if code == "ModelError":
        status = int(response.get("OriginalStatusCode", 0))
        said = str(response.get("OriginalMessage", "")) or text
        # SageMaker reports its 60 s limit as a ModelError with this text and status 0.
        if "timed out" in text.lower():
            raise PredictionTimeoutError(f"Endpoint {name!r} did not answer within 60 s: {said}", **facts) from cause
        error = read_container_error(said)
        raise ModelError(
            f"Endpoint {name!r} answered {status}: {error.reason}",
            status=status,
            container_message=error.reason,
            handled=error.handled,
            **facts,
        ) from cause
    if code == "ValidationError" and "not found" in text:
        # AWS says so of every endpoint that is not in service: it may be there all the same.
        found = look_around(session, name)
        if found.status:
            standing = {"status": found.status, "reason": found.reason}
            raise EndpointNotReadyError(_not_ready(session, name, found), **standing, **facts) from cause
        message = (
            f"There is no endpoint {name!r} {place(session)}. {about_name and about_name + ' '}"
            "Deploy it, or check product, task, model_id, stage and region."
        )
        raise EndpointNotFoundError(f"{message}{found}", known=found.others, **facts) from cause
    if code in _NOT_READY_CODES or (code == "ValidationError" and "InService" in text):
        raise EndpointNotReadyError(f"Endpoint {name!r} is not ready: {text}", **facts) from cause
    raise refusal(response, operation=_OPERATION) from cause


def _not_ready(session: Session, name: str, found: EndpointSurroundings) -> str:
    """Say how an endpoint that answers nobody is doing, and what to try."""
    if found.status == "Failed":
        reason = found.reason.rstrip(".") or "AWS gives no reason"
        return f"Endpoint {name!r} failed: {reason}. See: mojo logs {name}{session.cli_option}. Then deploy it again."
    if found.status == "Deleting":
        return f"Endpoint {name!r} is being deleted. Deploy it again when it is gone."
    if found.status == "InService":
        return f"Endpoint {name!r} is InService, but did not answer yet. Ask again in a moment."
    return f"Endpoint {name!r} is not ready: it is {found.status}. Wait until it is InService: mojo ls endpoints{session.cli_option}"
