"""Requests without an AWS client: signed by botocore's own signers, sent by http.client."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from mojo_toolbox.local_cloud.lifecycle import RunningCloud


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes = field(repr=False)

    @property
    def code(self) -> str:
        """The error code of S3's or the query protocol's XML."""
        text = self.body.decode()
        return text.partition("<Code>")[2].partition("</Code>")[0]


def send(
    connection: RunningCloud,
    method: str,
    path: str,
    *,
    headers: dict[str, str] | None = None,
    body: bytes | Iterable[bytes] | None = None,
) -> Reply:
    client = http.client.HTTPConnection("127.0.0.1", connection.port, timeout=30)
    try:
        client.request(method, path, body=body, headers=headers or {})
        answer = client.getresponse()
        return Reply(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
    finally:
        client.close()


def signed(
    connection: RunningCloud,
    method: str,
    path: str,
    *,
    service: str = "s3",
    headers: dict[str, str] | None = None,
    body: bytes = b"",
    secret: str | None = None,
) -> dict[str, str]:
    """Return the headers of a request that botocore has signed."""
    credentials = Credentials(connection.credentials.access_key_id, secret or connection.credentials.secret_access_key)
    request = AWSRequest(method, connection.endpoint_url + path, headers=headers or {}, data=body)
    if service == "s3" and "X-Amz-Content-SHA256" not in (headers or {}):
        request.headers["X-Amz-Content-SHA256"] = hashlib.sha256(body).hexdigest()
    signer = S3SigV4Auth if service == "s3" else SigV4Auth
    signer(credentials, service, "us-east-1").add_auth(request)
    request.headers["Host"] = urlsplit(connection.endpoint_url).netloc
    return dict(request.headers.items())


class ChunkSigner:
    """Writes aws-chunked bodies by hand, after AWS's documentation."""

    def __init__(self, connection: RunningCloud, path: str, *, size: int, form: str, trailer: str = "") -> None:
        """Sign the head of a PUT of `size` bytes; `form` is the value of x-amz-content-sha256."""
        own = connection.credentials
        self._date = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        self._scope = f"{self._date[:8]}/us-east-1/s3/aws4_request"
        headers = {
            "content-encoding": "aws-chunked",
            "host": f"127.0.0.1:{connection.port}",
            "x-amz-content-sha256": form,
            "x-amz-date": self._date,
            "x-amz-decoded-content-length": str(size),
        }
        if trailer:
            headers["x-amz-trailer"] = trailer
        names = ";".join(sorted(headers))
        lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
        canonical = f"PUT\n{path}\n\n{lines}\n{names}\n{form}"
        key = f"AWS4{own.secret_access_key}".encode()
        for part in self._scope.split("/"):
            key = hmac.digest(key, part.encode(), "sha256")
        self._key = key
        hashed = hashlib.sha256(canonical.encode()).hexdigest()
        self._previous = self._sign(f"AWS4-HMAC-SHA256\n{self._date}\n{self._scope}\n{hashed}")
        headers["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={own.access_key_id}/{self._scope},SignedHeaders={names},"
            f"Signature={self._previous}"
        )
        self.headers = headers

    def chunk(self, data: bytes) -> bytes:
        text = (
            f"AWS4-HMAC-SHA256-PAYLOAD\n{self._date}\n{self._scope}\n{self._previous}\n"
            f"{hashlib.sha256(b'').hexdigest()}\n{hashlib.sha256(data).hexdigest()}"
        )
        self._previous = self._sign(text)
        head = f"{len(data):x};chunk-signature={self._previous}\r\n".encode()
        return head + data + b"\r\n" if data else head

    def trailer(self, name: str, value: str) -> bytes:
        hashed = hashlib.sha256(f"{name}:{value}\n".encode()).hexdigest()
        text = f"AWS4-HMAC-SHA256-TRAILER\n{self._date}\n{self._scope}\n{self._previous}\n{hashed}"
        return f"{name}:{value}\r\nx-amz-trailer-signature:{self._sign(text)}\r\n\r\n".encode()

    def _sign(self, text: str) -> str:
        return hmac.new(self._key, text.encode(), "sha256").hexdigest()
