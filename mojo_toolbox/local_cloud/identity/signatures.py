"""Checks every request's signature against the keys that the local cloud knows. Anything else is refused with 403."""

from __future__ import annotations

import hmac
import re
import time
from calendar import timegm
from dataclasses import dataclass

from mojo_toolbox.local_cloud.identity import sigv2, sigv4
from mojo_toolbox.local_cloud.identity.credentials import Key, KeyRing
from mojo_toolbox.local_cloud.state.account import REGION
from mojo_toolbox.local_cloud.wire.http import HttpRequest
from mojo_toolbox.local_cloud.wire.protocol import ServiceError
from mojo_toolbox.local_cloud.wire.refusals import Dialect, dialect_of, refusal

# As AWS: clocks may differ by a quarter of an hour, a presigned URL lives for a week at most.
CLOCK_SKEW_SECONDS = 15 * 60
_LONGEST_PRESIGNED = 7 * 86400
_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256\s+Credential=(?P<credential>[^,\s]+)\s*,\s*SignedHeaders=(?P<headers>[^,\s]+)\s*,"
    r"\s*Signature=(?P<signature>[0-9a-f]{64})\s*"
)
# These may come unsigned: their values are in the signed text anyway, or are checked for themselves.
_SIGNED_OTHERWISE = {"x-amz-content-sha256", "x-amz-security-token", "x-amz-date"}


@dataclass(frozen=True)
class PayloadRule:
    """The signature's claim about the body: `sha256` of it, or signed chunks, or nothing (both None)."""

    sha256: str | None = None
    streaming: str | None = None
    """The STREAMING-… form of an aws-chunked body."""
    key: bytes = b""
    amz_date: str = ""
    scope: sigv4.Scope | None = None
    seed: str = ""


@dataclass(frozen=True)
class Verified:
    """Who sent a request, and for which service and region it was signed."""

    key: Key
    service: str
    region: str
    payload: PayloadRule


@dataclass(frozen=True)
class _Claim:
    """A signature of version 4 as the request states it, not yet checked."""

    access_key_id: str
    scope: sigv4.Scope
    signed_headers: list[str]
    signature: str
    amz_date: str
    token: str | None
    presigned_seconds: int | None = None


def claimed_service(request: HttpRequest) -> str | None:
    """Return the service that a request says it is signed for, None when it is not signed.

    Raises:
        ServiceError: the signature is not one, or its form is not known.
    """
    claim = _claim(request)
    if claim is not None:
        return claim.scope.service
    return "s3" if sigv2.claim(request) is not None else None


def check_head(request: HttpRequest, keys: KeyRing, *, now: float | None = None) -> None:
    """Refuse signatures that are wrong without a look at the body, for the services whose signature covers it (all but S3).

    Raises:
        ServiceError: 403, with AWS's code.
    """
    claim = _claim(request)
    if claim is None:
        raise refusal("unsigned", dialect_of(request))
    key = _checked_key(request, claim, keys, time.time() if now is None else now)
    stated = _stated_payload(request, claim)
    if stated is not None:
        _check_signature(request, claim, sigv4.signing_key(key.secret_access_key, claim.scope), stated)


def verify(
    request: HttpRequest,
    keys: KeyRing,
    *,
    bucket_of_host: str = "",
    body_sha256: str = sigv4.EMPTY_SHA256,
    now: float | None = None,
) -> Verified:
    """Check a request's signature. All services but S3 sign the hash of the body itself.

    Raises:
        ServiceError: 403, with AWS's code.
    """
    now = time.time() if now is None else now
    claim = _claim(request)
    if claim is not None:
        return _verify_v4(request, claim, keys, body_sha256, now)
    old = sigv2.claim(request)
    if old is None:
        raise refusal("unsigned", dialect_of(request))
    key = _find_key(keys, old.access_key_id, old.token, "s3", now)
    if old.expires is not None and now > old.expires:
        raise ServiceError("AccessDenied", "Request has expired", 403)
    if old.time is not None and abs(now - old.time) > CLOCK_SKEW_SECONDS:
        raise refusal("skewed", "s3")
    expected = sigv2.signatures(request, key.secret_access_key, old, bucket_of_host)
    if not any(hmac.compare_digest(old.signature.encode(), one.encode()) for one in expected):
        raise refusal("wrong_signature", "s3")
    # Version 2 does not cover the body. A client may state its hash all the same.
    stated = request.headers.get("x-amz-content-sha256")
    rule = PayloadRule(sha256=stated if stated and re.fullmatch("[0-9a-f]{64}", stated) else None)
    return Verified(key, "s3", REGION, rule)


def _verify_v4(request: HttpRequest, claim: _Claim, keys: KeyRing, body_sha256: str, now: float) -> Verified:
    service = claim.scope.service
    key = _checked_key(request, claim, keys, now)
    stated = _stated_payload(request, claim)
    if service == "s3":
        payload = _empty_payload(request) if stated is None else stated
    else:
        payload = body_sha256
        if stated is not None and not hmac.compare_digest(stated.encode(), payload.encode()):
            raise refusal("wrong_signature", dialect_of(request, service))
    signing_key = sigv4.signing_key(key.secret_access_key, claim.scope)
    _check_signature(request, claim, signing_key, payload)
    return Verified(key, service, claim.scope.region, _payload_rule(payload, claim, signing_key))


def _checked_key(request: HttpRequest, claim: _Claim, keys: KeyRing, now: float) -> Key:
    """Return the key of a claim, whose time and signed headers are as they must be."""
    dialect = dialect_of(request, claim.scope.service)
    key = _find_key(keys, claim.access_key_id, claim.token, dialect, now)
    _check_time(claim, dialect, now)
    _check_signed_headers(request, claim, dialect)
    return key


def _check_signature(request: HttpRequest, claim: _Claim, signing_key: bytes, payload: str) -> None:
    service = claim.scope.service
    without = "X-Amz-Signature" if claim.presigned_seconds is not None else ""
    for path in sigv4.canonical_paths(request.raw_path, service=service):
        for query in sigv4.canonical_queries(request.raw_query, without=without):
            text = sigv4.canonical_request(
                request.method,
                path,
                query=query,
                headers=request.headers,
                signed_headers=claim.signed_headers,
                payload_hash=payload,
            )
            expected = sigv4.signature(signing_key, claim.amz_date, claim.scope, text)
            if hmac.compare_digest(expected.encode(), claim.signature.encode()):
                return
    raise refusal("wrong_signature", dialect_of(request, service))


def _claim(request: HttpRequest) -> _Claim | None:
    authorization = request.headers.get("authorization", "")
    if authorization.startswith("AWS4-"):
        found = _AUTHORIZATION.fullmatch(authorization)
        if found is None:
            raise refusal("malformed", dialect_of(request))
        access_key_id, scope = _credential(found["credential"], request)
        return _Claim(
            access_key_id,
            scope,
            found["headers"].split(";"),
            found["signature"],
            _amz_date(request),
            request.headers.get("x-amz-security-token"),
        )
    if "X-Amz-Signature=" not in request.raw_query or authorization:
        return None
    query = request.query
    try:
        if query["X-Amz-Algorithm"] != sigv4.ALGORITHM:
            raise refusal("malformed", dialect_of(request))
        access_key_id, scope = _credential(query["X-Amz-Credential"], request)
        if not query["X-Amz-SignedHeaders"].isascii():
            raise refusal("malformed", dialect_of(request))
        return _Claim(
            access_key_id,
            scope,
            query["X-Amz-SignedHeaders"].split(";"),
            query["X-Amz-Signature"],
            query["X-Amz-Date"],
            query.get("X-Amz-Security-Token"),
            presigned_seconds=int(query["X-Amz-Expires"]),
        )
    except (KeyError, ValueError) as error:
        raise refusal("malformed", dialect_of(request)) from error


def _credential(text: str, request: HttpRequest) -> tuple[str, sigv4.Scope]:
    parts = text.split("/")
    if len(parts) != 5 or parts[4] != "aws4_request":  # noqa: PLR2004 - key, date, region, service, terminator
        raise refusal("malformed", dialect_of(request))
    return parts[0], sigv4.Scope(date=parts[1], region=parts[2], service=parts[3])


def _amz_date(request: HttpRequest) -> str:
    """Return the time of the signature as version 4 writes it. A plain Date header serves too."""
    stated = request.headers.get("x-amz-date")
    if stated is not None:
        return stated
    at = sigv2.http_time(request.headers.get("date", ""))
    if at is None:
        raise refusal("malformed", dialect_of(request))
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(at))


def _find_key(keys: KeyRing, access_key_id: str, token: str | None, dialect: Dialect, now: float) -> Key:
    key = keys.find(access_key_id)
    if key is None:
        raise refusal("unknown_key", dialect)
    # A token that does not belong to the key proves nothing, whatever the signature.
    if not hmac.compare_digest((key.session_token or "").encode(), (token or "").encode()):
        raise refusal("unknown_key", dialect, _foreign_token(key))
    if key.expires is not None and now >= key.expires:
        raise refusal("expired", dialect)
    return key


def _foreign_token(key: Key) -> str:
    """Say which variable is wrong: the key is known here, so most of the advice has been followed already."""
    said = "The security token included in the request is invalid"
    if key.session_token is None:
        return f"{said}: this access key goes without one. Unset AWS_SESSION_TOKEN (AWS_SECURITY_TOKEN in old clients)."
    return f"{said}: it is not the one that was lent with this access key. Set AWS_SESSION_TOKEN to that."


def _check_time(claim: _Claim, dialect: Dialect, now: float) -> None:
    try:
        signed_at = timegm(time.strptime(claim.amz_date, "%Y%m%dT%H%M%SZ"))
    except ValueError as error:
        raise refusal("malformed", dialect) from error
    if not claim.amz_date.startswith(claim.scope.date):
        raise refusal("wrong_signature", dialect)
    if claim.presigned_seconds is None:
        if abs(now - signed_at) > CLOCK_SKEW_SECONDS:
            raise refusal("skewed", dialect)
        return
    if not 0 <= claim.presigned_seconds <= _LONGEST_PRESIGNED:
        raise refusal("malformed", dialect, "X-Amz-Expires must be less than a week (in seconds).")
    if signed_at - now > CLOCK_SKEW_SECONDS:
        raise ServiceError("AccessDenied", "Request is not yet valid", 403)
    if now > signed_at + claim.presigned_seconds:
        raise ServiceError("AccessDenied", "Request has expired", 403)


def _check_signed_headers(request: HttpRequest, claim: _Claim, dialect: Dialect) -> None:
    """Refuse headers that a middleman could have added: AWS wants the host and every x-amz header signed."""
    signed = set(claim.signed_headers)
    unsigned = {name for name in request.headers if name.startswith("x-amz-")} - signed - _SIGNED_OTHERWISE
    if "host" not in signed or unsigned:
        names = ", ".join(sorted(unsigned or {"host"}))
        detail = f"There were headers present in the request which were not signed: {names}"
        raise ServiceError("AccessDenied" if dialect == "s3" else "SignatureDoesNotMatch", detail, 403)


def _stated_payload(request: HttpRequest, claim: _Claim) -> str | None:
    if claim.presigned_seconds is None:
        return request.headers.get("x-amz-content-sha256")
    if claim.scope.service != "s3":
        return None
    # A header that the signature does not cover binds nobody.
    if "x-amz-content-sha256" in claim.signed_headers:
        return request.headers.get("x-amz-content-sha256")
    return request.query.get("X-Amz-Content-Sha256", sigv4.UNSIGNED_PAYLOAD)


def _empty_payload(request: HttpRequest) -> str:
    """Return the hash of no body: some clients leave out the header of an empty body.

    Raises:
        ServiceError: 403, there is a body without a signed hash.
    """
    if request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers:
        raise ServiceError("InvalidRequest", "Missing required header for this request: x-amz-content-sha256", 403)
    return sigv4.EMPTY_SHA256


def _payload_rule(payload: str, claim: _Claim, signing_key: bytes) -> PayloadRule:
    if payload.startswith("STREAMING-"):
        return PayloadRule(
            streaming=payload, key=signing_key, amz_date=claim.amz_date, scope=claim.scope, seed=claim.signature
        )
    return PayloadRule(sha256=None if payload == sigv4.UNSIGNED_PAYLOAD else payload)
