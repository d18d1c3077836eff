"""AWS Signature Version 4 as arithmetic: canonical requests, strings to sign, signatures. It knows no keys."""

from __future__ import annotations

import hashlib
import hmac
import posixpath
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import quote, unquote_to_bytes

ALGORITHM = "AWS4-HMAC-SHA256"
EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()
UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"


@dataclass(frozen=True)
class Scope:
    """The limits of a signature: one day, region and service."""

    date: str
    region: str
    service: str

    def __str__(self) -> str:
        return f"{self.date}/{self.region}/{self.service}/aws4_request"


def signing_key(secret: str, scope: Scope) -> bytes:
    """Derive the key of a day, region and service."""
    key = f"AWS4{secret}".encode()
    for part in (scope.date, scope.region, scope.service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def canonical_request(
    method: str,
    path: str,
    *,
    query: str,
    headers: Mapping[str, str],
    signed_headers: Iterable[str],
    payload_hash: str,
) -> bytes:
    """Join the signed text. `path` and `query` are canonical already. Header values are latin-1, as they travel."""
    names = list(signed_headers)
    lines = "".join(f"{name}:{' '.join(headers.get(name, '').split())}\n" for name in names)
    return "\n".join((method, path, query, lines, ";".join(names), payload_hash)).encode("latin-1")


def signature(key: bytes, amz_date: str, scope: Scope, canonical: bytes) -> str:
    """Sign a canonical request."""
    text = f"{ALGORITHM}\n{amz_date}\n{scope}\n{hashlib.sha256(canonical).hexdigest()}"
    return hmac.new(key, text.encode(), "sha256").hexdigest()


def canonical_paths(raw_path: str, *, service: str) -> list[str]:
    """Return the forms in which clients sign a path.

    S3 signs it as it was sent (some clients leave more characters bare than AWS's own do), the other services
    encode it once more after resolving dots.
    """
    if service == "s3":
        return _distinct(quote(unquote_to_bytes(raw_path), safe="/~"), raw_path or "/")
    resolved = posixpath.normpath(raw_path or "/").replace("//", "/")
    if raw_path.endswith("/") and resolved != "/":
        resolved += "/"
    return _distinct(quote(resolved, safe="/~"), resolved, raw_path or "/")


def canonical_queries(raw_query: str, *, without: str = "") -> list[str]:
    """Return the forms in which clients sign a query: sorted as sent, or sorted after encoding it strictly."""
    pairs = [pair.partition("=") for pair in raw_query.split("&") if pair]
    kept = [(name, value) for name, _, value in pairs if name != without]
    strict = [(_encode_strictly(name), _encode_strictly(value)) for name, value in kept]
    return _distinct(*("&".join(f"{name}={value}" for name, value in sorted(form)) for form in (strict, kept)))


def _encode_strictly(text: str) -> str:
    return quote(unquote_to_bytes(text.replace("+", " ")), safe="~")


def _distinct(*forms: str) -> list[str]:
    return list(dict.fromkeys(forms))
