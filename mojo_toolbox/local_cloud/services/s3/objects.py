"""Requests that concern one object: read, write, copy, delete, tags and attributes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import unquote

from mojo_toolbox.local_cloud.identity.payload import SignedPayload
from mojo_toolbox.local_cloud.identity.signatures import PayloadRule
from mojo_toolbox.local_cloud.services.s3 import call as s3_call
from mojo_toolbox.local_cloud.services.s3.blobs import Segment
from mojo_toolbox.local_cloud.services.s3.call import Call
from mojo_toolbox.local_cloud.services.s3.conditions import check_read, write_condition
from mojo_toolbox.local_cloud.services.s3.copying import summed_copy
from mojo_toolbox.local_cloud.services.s3.intake import BodyIntake, chosen_checksums
from mojo_toolbox.local_cloud.services.s3.s3_errors import ObjectStoreError
from mojo_toolbox.local_cloud.services.s3.store import Condition, ObjectStore, check_key
from mojo_toolbox.local_cloud.services.s3.tables import NewObject, ObjectRecord
from mojo_toolbox.local_cloud.wire.http import FileBody, HttpAnswer
from mojo_toolbox.local_cloud.wire.protocol import bounded_number

_RANGE = re.compile(r"bytes=([0-9]*)-([0-9]*)")
# Farther than any object reaches: a position with more digits is read as this one.
_FAR = 2**63
_ATTRIBUTES = {"Checksum", "ETag", "ObjectParts", "ObjectSize", "StorageClass"}
# A presigned URL may say how the answer is to be labelled.
OVERRIDES = {
    f"response-{name}": name
    for name in (
        "cache-control",
        "content-disposition",
        "content-encoding",
        "content-language",
        "content-type",
        "expires",
    )
}


class ObjectRoutes:
    """Answers requests whose path has a key."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def begin_put(self, call: Call, rule: PayloadRule, *, sized: bool = True) -> BodyIntake:
        """Prepare PutObject. Conditions are checked now, to refuse early, and again when the object is made."""
        self._store.bucket(call.bucket)
        check_key(call.key)
        condition = write_condition(call.key, call.headers)
        if condition is not None:
            condition(self._store.find(call.bucket, call.key) if self._exists(call) else None)
        headers, tags = s3_call.kept_headers(call.headers), s3_call.header_tags(call.headers)

        def keep(segment: Segment, payload: SignedPayload) -> HttpAnswer:
            sums = chosen_checksums(payload, call.headers)
            new = NewObject(headers=headers, tags=tags, checksums=sums)
            record = self._store.put(call.bucket, call.key, [segment], payload.md5.hex(), new, condition=condition)
            return HttpAnswer(
                200,
                {
                    "etag": f'"{record.etag}"',
                    **s3_call.encryption_headers(headers),
                    **s3_call.checksum_headers(sums, "FULL_OBJECT"),
                },
            )

        return BodyIntake(call, rule, self._store, keep, sized=sized)

    def get(self, call: Call) -> HttpAnswer:
        """Answer GetObject and HeadObject."""
        record, file = self._store.open_record(call.bucket, call.key)
        try:
            check_read(record, call.headers)
            headers = s3_call.described(record)
            overrides = {header: call.query[name] for name, header in OVERRIDES.items() if name in call.query}
            headers |= s3_call.checked_values(overrides)
            start, length, partial = self._window(call, record, headers)
            if not partial and call.headers.get("x-amz-checksum-mode", "").upper() == "ENABLED":
                headers |= s3_call.checksum_headers(record.checksums, record.checksum_type)
            headers["content-length"] = str(length)
            status = 206 if partial else 200
            if call.method == "HEAD":
                file.close()
                return HttpAnswer(status, headers)
            file.seek(start)
        except BaseException:
            file.close()
            raise
        return HttpAnswer(status, headers, FileBody(file, length))  # type: ignore[arg-type]

    def delete(self, call: Call) -> HttpAnswer:
        """Answer DeleteObject: that it is gone, also when it was not there."""
        self._store.delete(call.bucket, call.key, condition=_delete_condition(call))
        return HttpAnswer(204)

    def copy(self, call: Call) -> HttpAnswer:
        """Answer CopyObject: the copy shares the bytes of its source, so it takes no space."""
        source = copy_source(call.headers)
        if source == (call.bucket, call.key) and not _replaces(call, "metadata") and not _changes_itself(call):
            raise ObjectStoreError(
                "InvalidRequest",
                "This copy request is illegal because it is trying to copy an object to itself without changing the "
                "object's metadata, storage class, website redirect location or encryption attributes.",
            )
        record = None
        while record is None:
            record = self._copied(call, *source)
        return s3_call.xml_answer(
            "CopyObjectResult",
            {
                "LastModified": s3_call.iso_time(record.modified),
                "ETag": f'"{record.etag}"',
                **s3_call.checksum_elements(record.checksums),
                "ChecksumType": record.checksum_type,
            },
            headers=s3_call.encryption_headers(record.headers),
        )

    def _copied(self, call: Call, bucket: str, key: str) -> ObjectRecord | None:
        """Return the copy, or None if the source was replaced while it was read, so that it has to be read again."""
        check_read(self._store.find(bucket, key), call.headers, prefix="x-amz-copy-source-")
        summed = summed_copy(self._store, bucket, key, call.headers.get("x-amz-checksum-algorithm"))
        # One transaction: the source cannot change between the check of its conditions and the copy.
        with self._store.database.transaction() as connection:
            source = self._store.find(bucket, key)
            check_read(source, call.headers, prefix="x-amz-copy-source-")
            if summed.source != source.id:
                return None
            record, unused = self._store.put_within(
                connection,
                call.bucket,
                call.key,
                segments=self._store.segments(source),
                etag=summed.etag,
                new=NewObject(
                    headers=_copied_headers(call, source),
                    tags=s3_call.header_tags(call.headers) if _replaces(call, "tagging") else source.tags,
                    checksums=summed.checksums,
                ),
                condition=write_condition(call.key, call.headers),
            )
        self._store.blobs.discard(unused)
        return record

    def get_tags(self, call: Call) -> HttpAnswer:
        """Answer GetObjectTagging."""
        tags = self._store.find(call.bucket, call.key).tags
        return s3_call.xml_answer(
            "Tagging", {"TagSet": {"Tag": [{"Key": key, "Value": value} for key, value in tags.items()]}}
        )

    def put_tags(self, call: Call) -> HttpAnswer:
        """Answer PutObjectTagging."""
        tags = s3_call.body_tags(call.body)
        self._store.update(self._store.find(call.bucket, call.key), tags=tags)
        return HttpAnswer(200)

    def delete_tags(self, call: Call) -> HttpAnswer:
        """Answer DeleteObjectTagging."""
        self._store.update(self._store.find(call.bucket, call.key), tags={})
        return HttpAnswer(204)

    def attributes(self, call: Call) -> HttpAnswer:
        """Answer GetObjectAttributes."""
        record = self._store.find(call.bucket, call.key)
        wanted = {one.strip() for one in call.headers.get("x-amz-object-attributes", "").split(",")}
        if not wanted <= _ATTRIBUTES:
            raise ObjectStoreError("InvalidArgument", "Invalid attribute name specified.")
        content: dict[str, object] = {}
        if "ETag" in wanted:
            content["ETag"] = record.etag
        if "Checksum" in wanted and record.checksums:
            content["Checksum"] = {
                **s3_call.checksum_elements(record.checksums),
                "ChecksumType": record.checksum_type,
            }
        if "ObjectParts" in wanted and record.parts:
            content["ObjectParts"] = _parts(call, record)
        if "StorageClass" in wanted:
            content["StorageClass"] = record.headers.get("x-amz-storage-class", "STANDARD")
        if "ObjectSize" in wanted:
            content["ObjectSize"] = record.size
        headers = {"last-modified": s3_call.described(record)["last-modified"]}
        return s3_call.xml_answer("GetObjectAttributesResponse", content, headers=headers)

    def _exists(self, call: Call) -> bool:
        return self._store.exists(call.bucket, call.key)

    def _window(self, call: Call, record: ObjectRecord, headers: dict[str, str]) -> tuple[int, int, bool]:
        """Return start, length and whether that is a part. Adds the range to the headers."""
        size = record.size
        if "partNumber" in call.query:
            start, length = _part_window(record, call.query["partNumber"], headers)
        else:
            window = requested_range(call.headers.get("range"), size)
            if window is None:
                return 0, size, False
            start, length = window
        if length:
            headers["content-range"] = f"bytes {start}-{start + length - 1}/{size}"
        return start, length, True


def requested_range(header: str | None, size: int) -> tuple[int, int] | None:
    """Return start and length of a Range header, or None if there is none, or if HTTP says to ignore it.

    Raises:
        ObjectStoreError: InvalidRange (416).
    """
    found = _RANGE.fullmatch((header or "").strip())
    if found is None or not (found[1] or found[2]):
        return None
    first, last = (None if text == "" else _position(text) for text in found.groups())
    if first is None:
        start, end = max(0, size - (last or 0)), size - 1
        unsatisfiable = not last or size == 0
    else:
        if last is not None and last < first:
            return None
        start, end = first, size - 1 if last is None else min(last, size - 1)
        unsatisfiable = start >= size
    if unsatisfiable:
        headers = {"content-range": f"bytes */{size}"}
        raise ObjectStoreError("InvalidRange", "The requested range is not satisfiable", 416, headers=headers)
    return start, end - start + 1


def _position(digits: str) -> int:
    number = bounded_number(digits, _FAR)
    return _FAR if number is None else number


def copy_source(headers: Mapping[str, str]) -> tuple[str, str]:
    """Return bucket and key that a copy reads.

    Raises:
        ObjectStoreError: InvalidArgument, or NoSuchVersion.
    """
    text, _, version = headers["x-amz-copy-source"].partition("?versionId=")
    bucket, _, key = unquote(text).removeprefix("/").partition("/")
    if not bucket or not key:
        raise ObjectStoreError("InvalidArgument", "Copy Source must mention the source bucket and key: bucket/key")
    s3_call.check_version(version)
    return bucket, key


def _copied_headers(call: Call, source: ObjectRecord) -> dict[str, str]:
    own = s3_call.kept_headers(call.headers)
    if _replaces(call, "metadata"):
        return own
    # S3 takes these from the request alone, but for the encryption, which stays unless the request changes it.
    never_copied = ("x-amz-storage-class", "x-amz-website-redirect-location")
    changed = {name: own[name] for name in own if name.startswith(("x-amz-server-side", *never_copied))}
    kept = {name: value for name, value in source.headers.items() if not name.startswith(never_copied)}
    return kept | changed


def _replaces(call: Call, what: str) -> bool:
    directive = call.headers.get(f"x-amz-{what}-directive", "COPY").upper()
    if directive not in ("COPY", "REPLACE"):
        raise ObjectStoreError("InvalidArgument", f"Unknown {what} directive.")
    return directive == "REPLACE"


def _changes_itself(call: Call) -> bool:
    return any(
        name in call.headers
        for name in (
            "x-amz-storage-class",
            "x-amz-server-side-encryption",
            "x-amz-website-redirect-location",
            "x-amz-checksum-algorithm",
        )
    )


def _delete_condition(call: Call) -> Condition | None:
    match = call.headers.get("if-match")
    return None if match is None else write_condition(call.key, {"if-match": match})


def _part_window(record: ObjectRecord, text: str, headers: dict[str, str]) -> tuple[int, int]:
    number = bounded_number(text, 2**31) or 0
    if not record.parts:
        if number != 1:
            raise ObjectStoreError("InvalidPartNumber", "The requested partnumber is not satisfiable", 416)
        return 0, record.size
    headers["x-amz-mp-parts-count"] = str(len(record.parts))
    if not 1 <= number <= len(record.parts):
        raise ObjectStoreError("InvalidPartNumber", "The requested partnumber is not satisfiable", 416)
    start = sum(part.size for part in record.parts[: number - 1])
    return start, record.parts[number - 1].size


def _parts(call: Call, record: ObjectRecord) -> dict[str, object]:
    after = s3_call.number(call.headers, "x-amz-part-number-marker", 0)
    limit = s3_call.number(call.headers, "x-amz-max-parts", 1000)
    rest = [part for part in record.parts if part.number > after]
    return {
        "PartsCount": len(record.parts),
        "PartNumberMarker": after,
        "MaxParts": limit,
        "IsTruncated": len(rest) > limit,
        "NextPartNumberMarker": rest[:limit][-1].number if rest[:limit] else 0,
        "Part": [
            {"PartNumber": part.number, "Size": part.size, **s3_call.checksum_elements(part.checksums)}
            for part in rest[:limit]
        ],
    }
