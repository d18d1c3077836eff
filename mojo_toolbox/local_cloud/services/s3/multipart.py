"""Multipart uploads: parts become segments of the object, so completing one copies nothing and is atomic."""

from __future__ import annotations

import hashlib
import json
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mojo_toolbox.local_cloud.services.s3.blobs import Segment
from mojo_toolbox.local_cloud.services.s3.s3_errors import ObjectStoreError, no_such_upload
from mojo_toolbox.local_cloud.services.s3.store import Condition, ObjectStore, check_key, unreferenced
from mojo_toolbox.local_cloud.services.s3.tables import (
    NewObject,
    ObjectRecord,
    PartRecord,
    Upload,
    UploadedPart,
    part_from_row,
    upload_from_row,
)
from mojo_toolbox.local_cloud.wire.checksums import composite, full_object

_MIN_PART_BYTES = 5 * 1024 * 1024
# A completed upload is remembered for a week, so that a client that missed the answer can ask again.
_REMEMBER_SECONDS = 7 * 86400.0


@dataclass(frozen=True)
class StatedPart:
    """A part as the client names it when it completes the upload."""

    number: int
    etag: str
    checksums: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class StatedWhole:
    """The client's claims about the object when it completes the upload."""

    checksums: Mapping[str, str] = field(default_factory=dict)
    checksum_type: str | None = None
    size: int | None = None


class MultipartUploads:
    """The uploads of one store."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._database = store.database

    def begin(self, bucket: str, key: str, new: NewObject, algorithm: str) -> Upload:
        """Start an upload. `new.checksum_type` says how the whole will be summed up.

        Raises:
            ObjectStoreError: NoSuchBucket or KeyTooLongError.
        """
        check_key(key)
        with self._database.transaction() as connection:
            self._store.bucket(bucket)
            connection.execute(
                "DELETE FROM s3_uploads WHERE completed_etag IS NOT NULL AND initiated < ?",
                (time.time() - _REMEMBER_SECONDS,),
            )
            upload = uuid.uuid4().hex
            headers, tags = json.dumps(dict(new.headers)), json.dumps(dict(new.tags))
            connection.execute(
                "INSERT INTO s3_uploads VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL)",
                (upload, bucket, key, time.time(), headers, tags, algorithm, new.checksum_type),
            )
        return self.find(bucket, key, upload)

    def find(self, bucket: str, key: str, upload: str, *, completed: bool = False) -> Upload:
        """Return an upload that is open, or with `completed` also one that has become an object.

        Raises:
            ObjectStoreError: NoSuchBucket or NoSuchUpload.
        """
        rows = self._database.execute(
            "SELECT * FROM s3_uploads WHERE id = ? AND bucket = ? AND key = ?", (upload, bucket, key)
        )
        if not rows:
            self._store.bucket(bucket)
            raise no_such_upload()
        found = upload_from_row(rows[0])
        if found.completed_etag is not None and not completed:
            raise no_such_upload()
        return found

    def put_part(
        self, upload: Upload, number: int, segment: Segment, *, etag: str, checksums: Mapping[str, str]
    ) -> UploadedPart:
        """Keep a sealed segment as a part, in place of one with the same number.

        Raises:
            ObjectStoreError: NoSuchUpload, when it was aborted or completed meanwhile.
        """
        part = UploadedPart(number, segment, etag, time.time(), checksums)
        with self._database.transaction() as connection:
            self.find(upload.bucket, upload.key, upload.id)
            rows = connection.execute(
                "SELECT blob FROM s3_parts WHERE upload = ? AND number = ?", (upload.id, number)
            ).fetchall()
            connection.execute(
                "INSERT OR REPLACE INTO s3_parts VALUES (?, ?, ?, ?, ?, ?, ?)",
                (upload.id, number, segment.blob, segment.size, etag, part.modified, json.dumps(dict(checksums))),
            )
            unused = unreferenced(connection, [row["blob"] for row in rows])
        self._store.blobs.discard(unused)
        return part

    def parts(self, upload: Upload, *, after: int = 0, limit: int = 10_000) -> list[UploadedPart]:
        """Return an upload's parts by number."""
        rows = self._database.execute(
            "SELECT * FROM s3_parts WHERE upload = ? AND number > ? ORDER BY number LIMIT ?", (upload.id, after, limit)
        )
        return [part_from_row(row) for row in rows]

    def abort(self, upload: Upload) -> None:
        """Forget an upload and its parts."""
        with self._database.transaction() as connection:
            self.find(upload.bucket, upload.key, upload.id)
            unused = self._drop_parts(upload)
            connection.execute("DELETE FROM s3_uploads WHERE id = ?", (upload.id,))
        self._store.blobs.discard(unused)

    def complete(
        self,
        upload: Upload,
        stated: Sequence[StatedPart],
        *,
        whole: StatedWhole,
        condition: Condition | None,
    ) -> ObjectRecord:
        """Make an object of the parts that the client names, if it matches the client's claims about the whole.

        Raises:
            ObjectStoreError: InvalidPart, InvalidPartOrder, EntityTooSmall, InvalidRequest, BadDigest, NoSuchUpload.
        """
        _check_kinds(upload, stated, whole)
        with self._database.transaction() as connection:
            self.find(upload.bucket, upload.key, upload.id)
            parts = _chosen_parts({part.number: part for part in self.parts(upload)}, stated)
            _check_size(sum(part.segment.size for part in parts), whole)
            etag = hashlib.md5(b"".join(bytes.fromhex(part.etag) for part in parts), usedforsecurity=False).hexdigest()
            etag = f"{etag}-{len(parts)}"
            new = NewObject(
                headers=upload.headers,
                tags=upload.tags,
                checksums=_checksum_of_whole(upload, parts, whole.checksums),
                checksum_type=upload.checksum_type,
                parts=[PartRecord(part.number, part.segment.size, part.checksums) for part in parts],
            )
            segments = [part.segment for part in parts]
            record, replaced = self._store.put_within(
                connection, upload.bucket, upload.key, segments=segments, etag=etag, new=new, condition=condition
            )
            unused = self._drop_parts(upload)
            connection.execute("UPDATE s3_uploads SET completed_etag = ? WHERE id = ?", (etag, upload.id))
        self._store.blobs.discard([*replaced, *unused])
        return record

    def _drop_parts(self, upload: Upload) -> list[str]:
        """Delete the rows of all parts and return the blobs that no object has taken over."""
        with self._database.transaction() as connection:
            rows = connection.execute("SELECT blob FROM s3_parts WHERE upload = ?", (upload.id,)).fetchall()
            connection.execute("DELETE FROM s3_parts WHERE upload = ?", (upload.id,))
            return unreferenced(connection, [row["blob"] for row in rows])


def _check_kinds(upload: Upload, stated: Sequence[StatedPart], whole: StatedWhole) -> None:
    """Refuse checksums of another kind than the upload was created with."""
    algorithm, kind = upload.checksum_algorithm, upload.checksum_type
    if whole.checksum_type not in (None, kind):
        raise _mismatch(f"The upload was created using the {kind} checksum mode.", "use the same checksum mode")
    if foreign := sorted(whole.checksums.keys() - {algorithm}):
        created = f"The upload was created using a {algorithm.lower()} checksum."
        raise _mismatch(created, f"use the same algorithm, not {foreign[0].lower()}")
    if kind == "COMPOSITE":
        bare = next((part.number for part in stated if algorithm not in part.checksums), None)
        if bare is not None:
            raise _mismatch(
                f"The upload was created using a {algorithm.lower()} checksum.",
                f"include the checksum for each part. It was missing for part {bare} in the request",
            )


def _mismatch(created: str, must: str) -> ObjectStoreError:
    return ObjectStoreError("InvalidRequest", f"{created} The complete request must {must}.")


def _check_size(size: int, whole: StatedWhole) -> None:
    if whole.size not in (None, size):
        raise ObjectStoreError(
            "InvalidRequest",
            f"The x-amz-mp-object-size of {whole.size} bytes does not match the size of the parts: {size} bytes.",
        )


def _chosen_parts(there: Mapping[int, UploadedPart], stated: Sequence[StatedPart]) -> list[UploadedPart]:
    numbers = [one.number for one in stated]
    if not numbers:
        raise ObjectStoreError("MalformedXML", "You must specify at least one part")
    if numbers != sorted(set(numbers)):
        raise ObjectStoreError("InvalidPartOrder", "The list of parts was not in ascending order.")
    chosen = []
    for one in stated:
        part = there.get(one.number)
        if part is None or part.etag != one.etag:
            raise ObjectStoreError(
                "InvalidPart",
                f"One or more of the specified parts could not be found (part {one.number}): it was not uploaded, or "
                "its entity tag does not match.",
            )
        for algorithm, value in one.checksums.items():
            if part.checksums.get(algorithm) != value:
                raise ObjectStoreError("InvalidPart", f"The {algorithm} of part {one.number} does not match.")
        chosen.append(part)
    small = next((part for part in chosen[:-1] if part.segment.size < _MIN_PART_BYTES), None)
    if small is not None:
        raise ObjectStoreError(
            "EntityTooSmall", f"Your proposed upload is smaller than the minimum allowed size (part {small.number})."
        )
    return chosen


def _checksum_of_whole(upload: Upload, parts: Sequence[UploadedPart], whole: Mapping[str, str]) -> dict[str, str]:
    algorithm = upload.checksum_algorithm
    sums = [(part.checksums[algorithm], part.segment.size) for part in parts if algorithm in part.checksums]
    if len(sums) != len(parts):
        raise ObjectStoreError("InvalidPart", f"A part lacks its {algorithm}.")
    value = (
        full_object(algorithm, sums)
        if upload.checksum_type == "FULL_OBJECT"
        else composite(algorithm, [one for one, _ in sums])
    )
    # A composite sum may be stated with or without the number of parts.
    if any(stated not in (value, value.partition("-")[0]) for name, stated in whole.items() if name == algorithm):
        raise ObjectStoreError("BadDigest", f"The {algorithm} you specified did not match the calculated checksum.")
    return {algorithm: value}
