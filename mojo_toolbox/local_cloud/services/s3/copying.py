"""The entity tag and checksums of a copy: S3 makes one object of one part, however its source was uploaded."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from mojo_toolbox.local_cloud.services.s3.blobs import READ_SIZE, SegmentReader
from mojo_toolbox.local_cloud.services.s3.s3_errors import ObjectStoreError
from mojo_toolbox.local_cloud.services.s3.store import ObjectStore
from mojo_toolbox.local_cloud.services.s3.tables import ObjectRecord
from mojo_toolbox.local_cloud.wire import checksums

_MAX_COPY_BYTES = 5 * 1024**3


@dataclass(frozen=True)
class SummedCopy:
    """The facts of a copy of the object with the id `source`. Its checksums are of all bytes."""

    source: int
    etag: str
    checksums: Mapping[str, str]


def summed_copy(store: ObjectStore, bucket: str, key: str, wanted: str | None) -> SummedCopy:
    """Sum up a copy with the algorithm `wanted`, else the source's own. Reads the bytes only when they are needed.

    Raises:
        ServiceError: NoSuchBucket, NoSuchKey, an unknown algorithm, or a source of more than 5 GiB.
    """
    record, file = store.open_record(bucket, key)
    with file:
        if record.size > _MAX_COPY_BYTES:
            raise ObjectStoreError(
                "InvalidRequest",
                "The specified copy source is larger than the maximum allowable size for a copy source: "
                f"{_MAX_COPY_BYTES}",
            )
        named = [checksums.known_algorithm(wanted)] if wanted else list(record.checksums)
        algorithms = named or [checksums.DEFAULT_ALGORITHM]
        known = record.checksums if record.checksum_type == "FULL_OBJECT" else {}
        missing = [algorithm for algorithm in algorithms if algorithm not in known]
        etag, sums = record.etag, dict(known)
        if missing or _in_parts(record):
            etag, computed = _read(file, missing)
            sums |= computed
    return SummedCopy(record.id, etag, {algorithm: sums[algorithm] for algorithm in algorithms})


def _in_parts(record: ObjectRecord) -> bool:
    return bool(record.parts) or "-" in record.etag


def _read(file: SegmentReader, algorithms: list[str]) -> tuple[str, dict[str, str]]:
    md5 = hashlib.md5(usedforsecurity=False)
    running = {algorithm: checksums.new_checksum(algorithm) for algorithm in algorithms}
    while data := file.read(READ_SIZE):
        md5.update(data)
        for one in running.values():
            one.update(data)
    return md5.hexdigest(), {algorithm: checksums.encode(one.digest()) for algorithm, one in running.items()}
