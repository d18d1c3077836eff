"""Requests that concern a multipart upload."""

from __future__ import annotations

import hashlib
import itertools
import re

from mojo_toolbox.local_cloud.identity.payload import SignedPayload
from mojo_toolbox.local_cloud.identity.signatures import PayloadRule
from mojo_toolbox.local_cloud.services.s3 import call as s3_call
from mojo_toolbox.local_cloud.services.s3 import xml
from mojo_toolbox.local_cloud.services.s3.blobs import READ_SIZE, Segment
from mojo_toolbox.local_cloud.services.s3.call import Call
from mojo_toolbox.local_cloud.services.s3.conditions import check_read, write_condition
from mojo_toolbox.local_cloud.services.s3.intake import MAX_BODY_BYTES, BodyIntake, chosen_checksums
from mojo_toolbox.local_cloud.services.s3.key_pages import list_uploads
from mojo_toolbox.local_cloud.services.s3.multipart import MultipartUploads, StatedPart, StatedWhole
from mojo_toolbox.local_cloud.services.s3.objects import copy_source
from mojo_toolbox.local_cloud.services.s3.s3_errors import ObjectStoreError
from mojo_toolbox.local_cloud.services.s3.store import ObjectStore
from mojo_toolbox.local_cloud.services.s3.tables import NewObject, Upload, UploadedPart
from mojo_toolbox.local_cloud.wire import checksums
from mojo_toolbox.local_cloud.wire.http import HttpAnswer
from mojo_toolbox.local_cloud.wire.protocol import bounded_number

_MAX_PARTS = 10_000
_COPIED_RANGE = re.compile(r"bytes=([0-9]{1,19})-([0-9]{1,19})")


class UploadRoutes:
    """Answers requests with `?uploads` or `?uploadId=`."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._uploads = MultipartUploads(store)

    def create(self, call: Call) -> HttpAnswer:
        """Answer CreateMultipartUpload."""
        named = call.headers.get("x-amz-checksum-algorithm")
        algorithm = checksums.known_algorithm(named) if named else checksums.DEFAULT_ALGORITHM
        kind = call.headers.get("x-amz-checksum-type", checksums.default_type(algorithm)).upper()
        if kind == "FULL_OBJECT":
            checksums.full_object(algorithm, [])
        elif kind != "COMPOSITE" or algorithm == "CRC64NVME":
            raise ObjectStoreError(
                "InvalidRequest", f"The {kind} checksum type cannot be used with the {algorithm.lower()} algorithm."
            )
        headers = s3_call.kept_headers(call.headers)
        new = NewObject(headers=headers, tags=s3_call.header_tags(call.headers), checksum_type=kind)
        upload = self._uploads.begin(call.bucket, call.key, new, algorithm)
        answer = s3_call.encryption_headers(headers)
        if named:
            answer |= {"x-amz-checksum-algorithm": algorithm, "x-amz-checksum-type": kind}
        return s3_call.xml_answer(
            "InitiateMultipartUploadResult",
            {"Bucket": call.bucket, "Key": call.key, "UploadId": upload.id},
            headers=answer,
        )

    def begin_part(self, call: Call, rule: PayloadRule) -> BodyIntake:
        """Prepare UploadPart."""
        upload, number = self._find(call), _part_number(call)

        def keep(segment: Segment, payload: SignedPayload) -> HttpAnswer:
            # The upload's own sum is always kept: without it the whole could not be summed up.
            sums = chosen_checksums(payload, call.headers)
            kept = sums | {upload.checksum_algorithm: payload.checksums[upload.checksum_algorithm]}
            part = self._uploads.put_part(upload, number, segment, etag=payload.md5.hex(), checksums=kept)
            shown = s3_call.checksum_headers(sums, "")
            shown.pop("x-amz-checksum-type", None)
            return HttpAnswer(200, {"etag": f'"{part.etag}"', **s3_call.encryption_headers(upload.headers), **shown})

        return BodyIntake(call, rule, self._store, keep, algorithms=[upload.checksum_algorithm])

    def copy_part(self, call: Call) -> HttpAnswer:
        """Answer UploadPartCopy."""
        upload, number = self._find(call), _part_number(call)
        record, source = self._store.open_record(*copy_source(call.headers))
        with source:
            check_read(record, call.headers, prefix="x-amz-copy-source-")
            start, length = _copied_range(call.headers.get("x-amz-copy-source-range"), record.size)
            if length > MAX_BODY_BYTES:
                raise ObjectStoreError("InvalidRequest", "The specified copy source is larger than the maximum allowed")
            source.seek(start)
            digest, running = hashlib.md5(usedforsecurity=False), checksums.new_checksum(upload.checksum_algorithm)
            writer = self._store.writer()
            try:
                left = length
                while left:
                    data = source.read(min(left, READ_SIZE)) or b""
                    left -= len(data)
                    digest.update(data)
                    running.update(data)
                    writer.write(data)
                sums = {upload.checksum_algorithm: checksums.encode(running.digest())}
                part = self._uploads.put_part(upload, number, writer.seal(), etag=digest.hexdigest(), checksums=sums)
            except BaseException:
                writer.discard()
                raise
        content = {"LastModified": s3_call.iso_time(part.modified), "ETag": f'"{part.etag}"'}
        return s3_call.xml_answer("CopyPartResult", content | s3_call.checksum_elements(sums))

    def complete(self, call: Call) -> HttpAnswer:
        """Answer CompleteMultipartUpload. Asked again after it succeeded, it says so again."""
        upload = self._uploads.find(call.bucket, call.key, call.query["uploadId"], completed=True)
        if upload.completed_etag is None:
            record = self._uploads.complete(
                upload,
                _stated_parts(call.body),
                whole=_stated_whole(call),
                condition=write_condition(call.key, call.headers),
            )
            etag, sums = record.etag, dict(record.checksums)
        else:
            etag, sums = upload.completed_etag, {}
        host = call.request.headers.get("host", "")
        return s3_call.xml_answer(
            "CompleteMultipartUploadResult",
            {
                "Location": f"http://{host}{call.request.raw_path}",
                "Bucket": call.bucket,
                "Key": call.key,
                "ETag": f'"{etag}"',
                **s3_call.checksum_elements(sums),
                "ChecksumType": upload.checksum_type if sums else None,
            },
            headers=s3_call.encryption_headers(upload.headers),
        )

    def abort(self, call: Call) -> HttpAnswer:
        """Answer AbortMultipartUpload."""
        self._uploads.abort(self._find(call))
        return HttpAnswer(204)

    def list_parts(self, call: Call) -> HttpAnswer:
        """Answer ListParts."""
        upload = self._find(call)
        after, limit = (
            s3_call.number(call.query, "part-number-marker", 0),
            s3_call.number(call.query, "max-parts", 1000),
        )
        limit = min(limit, 1000)
        parts = self._uploads.parts(upload, after=after, limit=limit + 1)
        shown = parts[:limit]
        return s3_call.xml_answer(
            "ListPartsResult",
            {
                "Bucket": call.bucket,
                "Key": call.key,
                "UploadId": upload.id,
                "Initiator": s3_call.owner(),
                "Owner": s3_call.owner(),
                "StorageClass": upload.headers.get("x-amz-storage-class", "STANDARD"),
                "PartNumberMarker": after,
                "NextPartNumberMarker": shown[-1].number if shown else 0,
                "MaxParts": limit,
                "IsTruncated": len(parts) > limit,
                "ChecksumAlgorithm": upload.checksum_algorithm,
                "ChecksumType": upload.checksum_type,
                "Part": [_part_element(part) for part in shown],
            },
        )

    def list_uploads(self, call: Call) -> HttpAnswer:
        """Answer ListMultipartUploads."""
        query = call.query
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        limit = min(s3_call.number(call.query, "max-uploads", 1000), 1000)
        marker = (query.get("key-marker", ""), query.get("upload-id-marker", ""))
        uploads = sorted(list_uploads(self._store, call.bucket), key=lambda one: (one.key, one.id))
        rest = [
            one
            for one in uploads
            if one.key.startswith(prefix) and ((one.key, one.id) > marker if marker[1] else one.key > marker[0])
        ]
        folders = {
            one.key[: one.key.index(delimiter, len(prefix)) + len(delimiter)]
            for one in rest
            if delimiter and delimiter in one.key[len(prefix) :]
        }
        plain = [one for one in rest if not any(one.key.startswith(folder) for folder in folders)]
        shown = list(itertools.islice(plain, limit))
        encode = s3_call.key_encoder(call)
        return s3_call.xml_answer(
            "ListMultipartUploadsResult",
            {
                "Bucket": call.bucket,
                "KeyMarker": encode(marker[0]),
                "UploadIdMarker": marker[1],
                "NextKeyMarker": encode(shown[-1].key) if len(plain) > limit else None,
                "NextUploadIdMarker": shown[-1].id if len(plain) > limit else None,
                "Prefix": encode(prefix),
                "Delimiter": encode(delimiter) or None,
                "EncodingType": query.get("encoding-type"),
                "MaxUploads": limit,
                "IsTruncated": len(plain) > limit,
                "Upload": [_upload_element(one, encode(one.key)) for one in shown],
                "CommonPrefixes": [{"Prefix": encode(folder)} for folder in sorted(folders)],
            },
        )

    def _find(self, call: Call) -> Upload:
        return self._uploads.find(call.bucket, call.key, call.query["uploadId"])


def _copied_range(header: str | None, size: int) -> tuple[int, int]:
    """Return start and length of the bytes that UploadPartCopy reads. S3 cuts nothing off here as it does for a read."""
    if header is None:
        return 0, size
    found = _COPIED_RANGE.fullmatch(header.strip())
    if found is None or int(found[1]) > int(found[2]):
        raise ObjectStoreError(
            "InvalidArgument",
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the "
            "zero-based offsets of the first and last bytes to copy",
        )
    start, last = int(found[1]), int(found[2])
    if last >= size:
        raise ObjectStoreError("InvalidArgument", f"Range specified is not valid for source object of size: {size}")
    return start, last - start + 1


def _part_number(call: Call) -> int:
    number = bounded_number(call.query.get("partNumber", ""), _MAX_PARTS)
    if not number:
        raise ObjectStoreError("InvalidArgument", f"Part number must be an integer between 1 and {_MAX_PARTS}")
    return number


def _stated_whole(call: Call) -> StatedWhole:
    kind, size = call.headers.get("x-amz-checksum-type"), call.headers.get("x-amz-mp-object-size")
    return StatedWhole(
        checksums=checksums.stated_checksums(call.headers),
        checksum_type=kind and kind.upper(),
        size=None if size is None else s3_call.number(call.headers, "x-amz-mp-object-size", 0, most=2**63),
    )


def _stated_parts(body: bytes) -> list[StatedPart]:
    root = xml.parse(body, "CompleteMultipartUpload")
    return [
        StatedPart(
            number=xml.number(part, "PartNumber"),
            etag=xml.text(part, "ETag").strip().strip('"'),
            checksums={
                algorithm: value
                for algorithm in checksums.ALGORITHMS
                if (value := xml.text(part, f"Checksum{algorithm}"))
            },
        )
        for part in root.iterfind("Part")
    ]


def _part_element(part: UploadedPart) -> dict[str, object]:
    return {
        "PartNumber": part.number,
        "LastModified": s3_call.iso_time(part.modified),
        "ETag": f'"{part.etag}"',
        "Size": part.segment.size,
        **s3_call.checksum_elements(part.checksums),
    }


def _upload_element(upload: Upload, key: str) -> dict[str, object]:
    return {
        "Key": key,
        "UploadId": upload.id,
        "Initiator": s3_call.owner(),
        "Owner": s3_call.owner(),
        "StorageClass": upload.headers.get("x-amz-storage-class", "STANDARD"),
        "Initiated": s3_call.iso_time(upload.initiated),
        "ChecksumAlgorithm": upload.checksum_algorithm,
        "ChecksumType": upload.checksum_type,
    }
