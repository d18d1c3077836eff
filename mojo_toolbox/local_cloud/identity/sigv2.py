"""S3's old signatures, version 2: boto3 still makes presigned URLs with them unless told otherwise."""

from __future__ import annotations

import base64
import hmac
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from urllib.parse import quote, unquote

from mojo_toolbox.local_cloud.wire.http import HttpRequest
from mojo_toolbox.local_cloud.wire.refusals import refusal

# The query parameters that belong to the resource and are signed with it.
_RESOURCE_PARAMETERS = frozenset(
    [
        "accelerate",
        "acl",
        "analytics",
        "cors",
        "defaultObjectAcl",
        "delete",
        "inventory",
        "lifecycle",
        "location",
        "logging",
        "metrics",
        "notification",
        "object-lock",
        "partNumber",
        "policy",
        "replication",
        "requestPayment",
        "response-cache-control",
        "response-content-disposition",
        "response-content-encoding",
        "response-content-language",
        "response-content-type",
        "response-expires",
        "restore",
        "select",
        "select-type",
        "storageClass",
        "tagging",
        "torrent",
        "uploadId",
        "uploads",
        "versionId",
        "versioning",
        "versions",
        "website",
    ]
)


@dataclass(frozen=True)
class Claim:
    """A signature of version 2 as the request states it. `expires` for presigned URLs, `time` for headers."""

    access_key_id: str
    signature: str
    token: str | None
    expires: int | None = None
    time: float | None = None


def claim(request: HttpRequest) -> Claim | None:
    """Return the signature that a request states, or None if it has no signature of this version.

    Raises:
        ServiceError: it states one that is malformed.
    """
    authorization = request.headers.get("authorization", "")
    token = request.headers.get("x-amz-security-token")
    if authorization.startswith("AWS "):
        access_key_id, _, signature = authorization[4:].strip().partition(":")
        at = http_time(request.headers.get("x-amz-date") or request.headers.get("date", ""))
        if at is None:
            raise refusal("malformed", "s3", "AWS authentication requires a valid Date or x-amz-date header")
        return Claim(access_key_id, signature, token, time=at)
    if authorization or "AWSAccessKeyId=" not in request.raw_query:
        return None
    query = request.query
    try:
        return Claim(
            query["AWSAccessKeyId"],
            query["Signature"],
            query.get("x-amz-security-token", token),
            expires=int(query["Expires"]),
        )
    except (KeyError, ValueError) as error:
        raise refusal("malformed", "s3") from error


def signatures(request: HttpRequest, secret: str, claim: Claim, bucket_of_host: str) -> list[str]:
    """Compute the possible signatures: some clients sign the path as they sent it, others strictly encoded."""
    prefix = f"/{bucket_of_host}" if bucket_of_host else ""
    paths = [request.raw_path, quote(unquote(request.raw_path), safe="/~")]
    if "/" not in request.raw_path[1:]:
        # A bucket by itself is signed as /bucket/, however it is requested.
        paths.append(f"{request.raw_path}/")
    texts = [_string_to_sign(request, claim, prefix + path) for path in dict.fromkeys(paths)]
    return [
        base64.b64encode(hmac.digest(secret.encode(), text.encode("utf-8", "surrogateescape"), "sha1")).decode()
        for text in texts
    ]


def http_time(text: str) -> float | None:
    """Return the seconds since 1970 of an HTTP date, or None if it is not a date."""
    try:
        return parsedate_to_datetime(text).timestamp()
    except (TypeError, ValueError, OverflowError):
        return None


def _string_to_sign(request: HttpRequest, claim: Claim, path: str) -> str:
    query = request.query
    # Headers came as latin-1, whatever the client meant. Their bytes are signed, as are those of the query.
    headers = {
        name: value.encode("latin-1").decode("utf-8", "surrogateescape") for name, value in request.headers.items()
    }
    signed = {name: value for name, value in headers.items() if name.startswith("x-amz-")}
    if claim.expires is not None:
        # The signed headers of a presigned request travel in the query.
        signed |= {name: value for name, value in query.items() if name.startswith("x-amz-")}
        date = str(claim.expires)
    else:
        date = "" if "x-amz-date" in signed else headers.get("date", "")
    lines = [
        request.method,
        headers.get("content-md5", query.get("content-md5", "")),
        headers.get("content-type", query.get("content-type", "")),
        date,
        *(f"{name}:{' '.join(value.split())}" for name, value in sorted(signed.items())),
    ]
    pairs = (pair.partition("=") for pair in request.raw_query.split("&"))
    resource = sorted(
        (name, f"{name}{equals}{unquote(value)}") for name, equals, value in pairs if name in _RESOURCE_PARAMETERS
    )
    return "\n".join([*lines, path + ("?" + "&".join(text for _, text in resource) if resource else "")])
