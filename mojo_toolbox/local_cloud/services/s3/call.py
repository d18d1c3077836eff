"""One S3 request with its bucket and key, and the headers that objects keep."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import formatdate
from time import gmtime, strftime
from urllib.parse import parse_qsl, quote

from mojo_toolbox.local_cloud.services.s3 import xml
from mojo_toolbox.local_cloud.services.s3.s3_errors import ObjectStoreError
from mojo_toolbox.local_cloud.services.s3.tables import ObjectRecord
from mojo_toolbox.local_cloud.state.account import ACCOUNT_ID
from mojo_toolbox.local_cloud.wire import checksums
from mojo_toolbox.local_cloud.wire.http import HttpAnswer, HttpRequest
from mojo_toolbox.local_cloud.wire.protocol import bounded_number

_KEPT = {
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-type",
    "expires",
    "x-amz-server-side-encryption",
    "x-amz-server-side-encryption-aws-kms-key-id",
    "x-amz-server-side-encryption-bucket-key-enabled",
    "x-amz-storage-class",
    "x-amz-website-redirect-location",
}
_ENCRYPTION = "x-amz-server-side-encryption"
_NO_HEADER = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]|[^\x00-\xff]|^\s|\s$")
_MAX_METADATA_BYTES = 2048
_MAX_OBJECT_TAGS = 10
_LOOPBACK_NAME = ".localhost"
_S3_HOST = re.compile(r"(?:(?P<bucket>.+)\.)?s3(?:[.-][a-z]{2}(?:-[a-z]+)+-\d)?")


@dataclass(frozen=True)
class Call:
    """A request to S3. `headers` include those in the query of a presigned URL."""

    request: HttpRequest
    bucket: str
    key: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    region: str
    body: bytes = b""

    @property
    def method(self) -> str:
        """The HTTP method."""
        return self.request.method


def bucket_of_host(host: str) -> str:
    """Return the bucket that a host name carries: `bucket.localhost`, `bucket.s3.localhost`, or "" if it has none."""
    name = host.rpartition(":")[0] if re.search(r":\d+$", host) else host
    if not name.lower().endswith(_LOOPBACK_NAME):
        return ""
    name = name.lower().removesuffix(_LOOPBACK_NAME)
    found = _S3_HOST.fullmatch(name)
    return name if found is None else found["bucket"] or ""


def address(request: HttpRequest) -> tuple[str, str]:
    """Return bucket and key of a request, in either addressing style."""
    path = request.path.removeprefix("/")
    bucket = bucket_of_host(request.headers.get("host", ""))
    if bucket:
        return bucket, path
    bucket, _, key = path.partition("/")
    return bucket, key


def effective_headers(request: HttpRequest) -> dict[str, str]:
    """Return the headers, and those that a presigned URL moved into its query.

    Raises:
        ObjectStoreError: the request is for another account's bucket.
    """
    # Headers travel as latin-1: a value from the query takes the form that the same bytes have in a header.
    hoisted = {
        name.lower(): value.encode("utf-8").decode("latin-1")
        for name, value in request.query.items()
        if name.lower().startswith("x-amz-") and name.lower() != "x-amz-security-token"
    }
    # The JavaScript SDK puts the checksum of a body that it does not know yet there: S3 ignores it.
    hoisted = checksums.without_checksums(hoisted)
    headers = hoisted | dict(request.headers)
    owner = headers.get("x-amz-expected-bucket-owner", ACCOUNT_ID)
    if owner != ACCOUNT_ID or headers.get("x-amz-source-expected-bucket-owner", ACCOUNT_ID) != ACCOUNT_ID:
        raise ObjectStoreError("AccessDenied", f"The buckets of the local cloud belong to account {ACCOUNT_ID}.", 403)
    return headers


def kept_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return those headers of a write that come back with the object.

    Raises:
        ObjectStoreError: MetadataTooLarge.
    """
    kept = {name: value for name, value in headers.items() if name in _KEPT or name.startswith("x-amz-meta-")}
    metadata = {name: value for name, value in kept.items() if name.startswith("x-amz-meta-")}
    if sum(len(name) - len("x-amz-meta-") + len(value) for name, value in metadata.items()) > _MAX_METADATA_BYTES:
        raise ObjectStoreError("MetadataTooLarge", "Your metadata headers exceed the maximum allowed metadata size")
    # aws-chunked is the body's encoding on the wire, not its own.
    coding = ", ".join(
        one for one in map(str.strip, kept.pop("content-encoding", "").split(",")) if one not in ("", "aws-chunked")
    )
    if coding:
        kept["content-encoding"] = coding
    checked_values(kept)
    kept.setdefault("content-type", "binary/octet-stream")
    if kept.get("x-amz-storage-class") == "STANDARD":
        del kept["x-amz-storage-class"]
    return kept


def checked_values(headers: Mapping[str, str]) -> dict[str, str]:
    """Refuse values that no header can carry. Only a query could bring them here.

    Raises:
        ObjectStoreError: InvalidArgument.
    """
    for name, value in headers.items():
        if _NO_HEADER.search(value):
            raise ObjectStoreError("InvalidArgument", f"Header value cannot be represented: {name}")
    return dict(headers)


def header_tags(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the tags that a write carries in its header.

    Raises:
        ObjectStoreError: InvalidTag.
    """
    return checked_tags(parse_qsl(headers.get("x-amz-tagging", ""), keep_blank_values=True), most=_MAX_OBJECT_TAGS)


def body_tags(body: bytes, *, most: int = _MAX_OBJECT_TAGS) -> dict[str, str]:
    """Return the tags of a Tagging document.

    Raises:
        ObjectStoreError: MalformedXML or InvalidTag.
    """
    tags = xml.parse(body, "Tagging").iterfind("TagSet/Tag")
    return checked_tags([(xml.text(tag, "Key"), xml.text(tag, "Value")) for tag in tags], most=most)


def checked_tags(pairs: list[tuple[str, str]], *, most: int) -> dict[str, str]:
    """Refuse tags that S3 refuses.

    Raises:
        ObjectStoreError: InvalidTag, or BadRequest when there are too many.
    """
    tags = dict(pairs)
    if len(tags) != len(pairs):
        raise ObjectStoreError("InvalidTag", "Cannot provide multiple Tags with the same key")
    if len(tags) > most:
        raise ObjectStoreError("BadRequest", f"Object tags cannot be greater than {most}")
    for key, value in tags.items():
        if not 1 <= len(key) <= 128 or key.lower().startswith("aws:"):  # noqa: PLR2004 - S3's limits
            raise ObjectStoreError("InvalidTag", f"The TagKey you have provided is invalid: {key}")
        if len(value) > 256:  # noqa: PLR2004
            raise ObjectStoreError("InvalidTag", f"The TagValue you have provided is invalid: {value}")
    return tags


def encryption_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the encryption headers of an answer. S3 says AES256 when the client asked for nothing."""
    stated = {name: value for name, value in headers.items() if name.startswith(_ENCRYPTION)}
    return {_ENCRYPTION: "AES256"} | stated


def checksum_headers(sums: Mapping[str, str], kind: str) -> dict[str, str]:
    """Return checksums as an answer's headers."""
    named = {checksums.HEADER_PREFIX + algorithm.lower(): value for algorithm, value in sums.items()}
    return named | {"x-amz-checksum-type": kind} if named else {}


def checksum_elements(sums: Mapping[str, str]) -> dict[str, str]:
    """Return checksums as elements of a document."""
    return {f"Checksum{algorithm}": value for algorithm, value in sums.items()}


def described(record: ObjectRecord) -> dict[str, str]:
    """Return the headers that describe an object."""
    headers = {
        **record.headers,
        **encryption_headers(record.headers),
        "etag": f'"{record.etag}"',
        "last-modified": formatdate(record.modified, usegmt=True),
        "accept-ranges": "bytes",
    }
    if record.tags:
        headers["x-amz-tagging-count"] = str(len(record.tags))
    return headers


def check_version(version: str) -> None:
    """Refuse any version but the only one that there is.

    Raises:
        ObjectStoreError: NoSuchVersion.
    """
    if version not in ("", "null"):
        raise ObjectStoreError("NoSuchVersion", "The specified version does not exist.", 404)


def iso_time(seconds: float) -> str:
    """Write a time as S3's documents do."""
    return strftime("%Y-%m-%dT%H:%M:%S", gmtime(seconds)) + f".{int(seconds * 1000) % 1000:03d}Z"


def xml_answer(root: str, content: Mapping[str, object], *, headers: Mapping[str, str] | None = None) -> HttpAnswer:
    """Answer with a document."""
    return HttpAnswer(200, {"content-type": "application/xml", **(headers or {})}, xml.document(root, content))


def owner() -> dict[str, str]:
    """Return the owner of everything, as documents name one."""
    return {"ID": ACCOUNT_ID.rjust(64, "0"), "DisplayName": "owner"}


def key_encoder(call: Call) -> Callable[[str], str]:
    """Return how keys are written in a list: percent-encoded when the client asked for it.

    Raises:
        ObjectStoreError: InvalidArgument.
    """
    kind = call.query.get("encoding-type")
    if kind is None:
        return str
    if kind != "url":
        raise ObjectStoreError("InvalidArgument", "Invalid Encoding Method specified in Request")
    return lambda key: quote(key, safe="/-_.*")


def number(values: Mapping[str, str], name: str, default: int, *, most: int = 2**31 - 1) -> int:
    """Return a number of the query or the headers.

    Raises:
        ObjectStoreError: InvalidArgument.
    """
    found = bounded_number(values.get(name) or str(default), most)
    if found is None:
        raise ObjectStoreError("InvalidArgument", f"Provided {name} not an integer or within integer range")
    return found
