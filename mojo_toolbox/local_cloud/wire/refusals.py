"""How each family of AWS services words a refusal: S3 and the query services in XML, the others in JSON."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Literal
from xml.sax.saxutils import escape

from mojo_toolbox.local_cloud.wire.http import HttpAnswer, HttpRequest
from mojo_toolbox.local_cloud.wire.protocol import ServiceError

Dialect = Literal["s3", "query", "json"]
Reason = Literal["unsigned", "unknown_key", "wrong_signature", "expired", "skewed", "malformed"]

_QUERY_SERVICES = {"iam", "sts", "monitoring", "cloudformation", "ec2", "autoscaling"}
# AWS's names for the same refusal in its three families.
_CODES: dict[Reason, dict[Dialect, str]] = {
    "unsigned": {
        "s3": "AccessDenied",
        "query": "MissingAuthenticationToken",
        "json": "MissingAuthenticationTokenException",
    },
    "unknown_key": {
        "s3": "InvalidAccessKeyId",
        "query": "InvalidClientTokenId",
        "json": "UnrecognizedClientException",
    },
    "wrong_signature": {
        "s3": "SignatureDoesNotMatch",
        "query": "SignatureDoesNotMatch",
        "json": "InvalidSignatureException",
    },
    "expired": {"s3": "ExpiredToken", "query": "ExpiredToken", "json": "ExpiredTokenException"},
    "skewed": {"s3": "RequestTimeTooSkewed", "query": "SignatureDoesNotMatch", "json": "InvalidSignatureException"},
    "malformed": {"s3": "AccessDenied", "query": "IncompleteSignature", "json": "IncompleteSignatureException"},
}
_TEXTS: dict[Reason, str] = {
    "unsigned": "Access Denied: the request is not signed. `mojo local env` prints the credentials of this local cloud.",
    "unknown_key": "The AWS Access Key Id you provided does not exist in our records. "
    "`mojo local env` prints the credentials of this local cloud. If they are set, see whether AWS_PROFILE or the client's "
    "own profile goes before them.",
    "wrong_signature": "The request signature we calculated does not match the signature you provided. "
    "Check your AWS Secret Access Key and signing method.",
    "expired": "The provided token has expired.",
    "skewed": "The difference between the request time and the current time is too large.",
    "malformed": "The authorization of the request is malformed.",
}


def dialect_of(request: HttpRequest, service: str | None = None) -> Dialect:
    """Return the family that a request belongs to, also when it does not say for which service it is signed."""
    if service == "s3":
        return "s3"
    if service in _QUERY_SERVICES:
        return "query"
    content_type = request.headers.get("content-type", "")
    if "x-amz-target" in request.headers or request.raw_path.startswith("/endpoints/") or "json" in content_type:
        return "json"
    if content_type.startswith("application/x-www-form-urlencoded"):
        return "query"
    return "s3" if service is None else "json"


def refusal(reason: Reason, dialect: Dialect, detail: str = "") -> ServiceError:
    """Build the 403 for a request whose signature does not hold."""
    return ServiceError(_CODES[reason][dialect], detail or _TEXTS[reason], 403)


def render(error: ServiceError, request: HttpRequest, dialect: Dialect) -> HttpAnswer:
    """Write an error as the request's family does."""
    if dialect == "json":
        headers = {
            "content-type": "application/x-amz-json-1.1",
            "x-amzn-errortype": error.code,
            "x-amzn-requestid": request.request_id,
        }
        document = {"__type": error.code, "message": error.message, "Message": error.message}
        return HttpAnswer(error.status, headers, json.dumps(document).encode())
    if dialect == "query":
        kind = "Sender" if error.status < HTTPStatus.INTERNAL_SERVER_ERROR else "Receiver"
        body = (
            '<?xml version="1.0"?><ErrorResponse>'
            f"<Error><Type>{kind}</Type><Code>{escape(error.code)}</Code><Message>{_text(error.message)}</Message>"
            f"</Error><RequestId>{request.request_id}</RequestId></ErrorResponse>"
        )
        return HttpAnswer(
            error.status, {"content-type": "text/xml", "x-amzn-requestid": request.request_id}, body.encode()
        )
    headers = {"content-type": "application/xml", "x-amz-request-id": request.request_id, **error.headers}
    if error.status == HTTPStatus.NOT_MODIFIED:
        # There is no body that could have a type.
        return HttpAnswer(error.status, {name: value for name, value in headers.items() if name != "content-type"})
    if request.method == "HEAD":
        return HttpAnswer(error.status, headers)
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{escape(error.code)}</Code><Message>{_text(error.message)}</Message>"
        f"<Resource>{_text(request.raw_path)}</Resource><RequestId>{request.request_id}</RequestId></Error>"
    )
    return HttpAnswer(error.status, headers, body.encode())


def _text(text: str) -> str:
    """Escape for XML, which cannot carry control characters in any form."""
    return escape("".join(character if character >= " " or character in "\t\n" else "?" for character in text))
