"""InvokeEndpoint: one call, and what its refusals mean to a programmer."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Never

from mojo_toolbox.aws.container_errors import read_container_error
from mojo_toolbox.aws.session import Session, connection_failure, refusal
from mojo_toolbox.errors import (
    EndpointNotFoundError,
    EndpointNotReadyError,
    ModelError,
    PredictionError,
    PredictionTimeoutError,
)

_NOT_READY_CODES = {"ModelNotReadyException", "ServiceUnavailable"}


def invoke_endpoint(session: Session, name: str, body: bytes) -> tuple[bytes, str]:
    """Send `body` (JSON) to the endpoint `name`; return the answer's body and the request id.

    Raises:
        PredictionError: or one of its kinds.
        AWSError: credentials or region.
    """
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
        _raise_for(error.response, name, error)
    except (ReadTimeoutError, ConnectTimeoutError) as error:
        raise PredictionTimeoutError(f"Endpoint {name!r} did not answer in time.", endpoint_name=name) from error
    except (HTTPClientError, BotoConnectionError) as error:
        raise PredictionError(f"Endpoint {name!r} could not be reached: {error}", endpoint_name=name) from error
    except BotoCoreError as error:
        raise connection_failure(error, operation="sagemaker-runtime:invoke_endpoint") from error


def _raise_for(response: Mapping[str, Any], name: str, cause: Exception) -> Never:
    """Raise what AWS's error answer means."""
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
            refused=error.refused and status < HTTPStatus.INTERNAL_SERVER_ERROR,
            **facts,
        ) from cause
    if code == "ValidationError" and "not found" in text:
        raise EndpointNotFoundError(
            f"There is no endpoint {name!r} in this region. Deploy it, or check product, task, model_id, stage and region.",
            **facts,
        ) from cause
    if code in _NOT_READY_CODES or (code == "ValidationError" and "InService" in text):
        raise EndpointNotReadyError(f"Endpoint {name!r} is not ready: {text}", **facts) from cause
    raise refusal(response, operation="sagemaker-runtime:invoke_endpoint") from cause
