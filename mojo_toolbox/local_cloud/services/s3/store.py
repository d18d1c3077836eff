"""Buckets and objects on disk: finished writes survive `kill -9`, and no object is ever half there."""

from __future__ import annotations

import hashlib
import io
import json
import re
import shutil
import sqlite3
import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import BinaryIO, cast

from mojo_toolbox.local_cloud.services.s3.blobs import READ_SIZE, Blobs, BlobWriter, Segment, SegmentReader
from mojo_toolbox.local_cloud.services.s3.s3_errors import ObjectStoreError, no_such_bucket, no_such_key
from mojo_toolbox.local_cloud.services.s3.tables import (
    TABLES,
    Bucket,
    NewObject,
    ObjectRecord,
    object_from_row,
    parts_json,
)
from mojo_toolbox.local_cloud.state.account import REGION
from mojo_toolbox.local_cloud.state.database import CloudDatabase
from mojo_toolbox.local_cloud.untrusted.plain_files import pieces

_MAX_KEY_BYTES = 1024
_BUCKET_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_IP_ADDRESS = re.compile(r"\d{1,3}(\.\d{1,3}){3}")

# Looks at the object that is there now (None: there is none) and raises when it must not be replaced or deleted.
Condition = Callable[[ObjectRecord | None], None]


class ObjectStore:
    """Safe to use from many threads. An object's bytes are files that never change. SQLite says which belong to it."""

    def __init__(self, folder: Path, database: CloudDatabase) -> None:
        self.database = database
        self.blobs = Blobs(folder / "blobs")
        for statement in TABLES:
            database.execute(statement)

    def sweep(self) -> int:
        """Delete the files of uploads that a killed process left. Call it before the first request."""
        rows = self.database.execute("SELECT blob FROM s3_segments UNION SELECT blob FROM s3_parts")
        return self.blobs.sweep({row["blob"] for row in rows})

    # Buckets

    def bucket_exists(self, bucket: str) -> bool:
        """Whether there is such a bucket."""
        return bool(self.database.execute("SELECT 1 FROM s3_buckets WHERE name = ?", (bucket,)))

    def bucket(self, name: str) -> Bucket:
        """Return a bucket.

        Raises:
            ObjectStoreError: NoSuchBucket.
        """
        rows = self.database.execute("SELECT * FROM s3_buckets WHERE name = ?", (name,))
        if not rows:
            raise no_such_bucket(name)
        return Bucket(**dict(rows[0]))

    def buckets(self) -> list[Bucket]:
        """Return all buckets by name."""
        return [Bucket(**dict(row)) for row in self.database.execute("SELECT * FROM s3_buckets ORDER BY name")]

    def create_bucket(self, bucket: str, region: str = REGION) -> bool:
        """Make a bucket. Return False when it was there.

        Raises:
            ObjectStoreError: InvalidBucketName.
        """
        if _BUCKET_NAME.fullmatch(bucket) is None or ".." in bucket or _IP_ADDRESS.fullmatch(bucket):
            raise ObjectStoreError("InvalidBucketName", f"The specified bucket is not valid: {bucket}")
        with self.database.transaction() as connection:
            cursor = connection.execute(
                "INSERT OR IGNORE INTO s3_buckets VALUES (?, ?, ?)", (bucket, region, time.time())
            )
            return cursor.rowcount == 1

    def delete_bucket(self, bucket: str) -> None:
        """Delete an empty bucket, its documents and its unfinished uploads.

        Raises:
            ObjectStoreError: NoSuchBucket or BucketNotEmpty.
        """
        with self.database.transaction() as connection:
            self.bucket(bucket)
            if connection.execute("SELECT 1 FROM s3_objects WHERE bucket = ? LIMIT 1", (bucket,)).fetchone():
                raise ObjectStoreError("BucketNotEmpty", "The bucket you tried to delete is not empty", 409)
            uploads = "SELECT id FROM s3_uploads WHERE bucket = ?"
            rows = connection.execute(f"SELECT blob FROM s3_parts WHERE upload IN ({uploads})", (bucket,))  # noqa: S608
            blobs = [row["blob"] for row in rows]
            connection.execute(f"DELETE FROM s3_parts WHERE upload IN ({uploads})", (bucket,))  # noqa: S608
            for table, column in (("s3_uploads", "bucket"), ("s3_documents", "bucket"), ("s3_buckets", "name")):
                connection.execute(f"DELETE FROM {table} WHERE {column} = ?", (bucket,))  # noqa: S608
            unused = unreferenced(connection, blobs)
        self.blobs.discard(unused)

    # Objects

    def find(self, bucket: str, key: str) -> ObjectRecord:
        """Return the facts of an object.

        Raises:
            ObjectStoreError: NoSuchBucket or NoSuchKey.
        """
        rows = self.database.execute("SELECT * FROM s3_objects WHERE bucket = ? AND key = ?", (bucket, key))
        if rows:
            return object_from_row(rows[0])
        self.bucket(bucket)
        raise no_such_key(key)

    def exists(self, bucket: str, key: str) -> bool:
        """Whether there is such an object."""
        return bool(self.database.execute("SELECT 1 FROM s3_objects WHERE bucket = ? AND key = ?", (bucket, key)))

    def size(self, bucket: str, key: str) -> int:
        """Return an object's size in bytes.

        Raises:
            ObjectStoreError: NoSuchBucket or NoSuchKey.
        """
        return self.find(bucket, key).size

    def list_keys(self, bucket: str, prefix: str = "") -> list[str]:
        """Return all keys with a prefix in the order of their UTF-8 bytes.

        Raises:
            ObjectStoreError: NoSuchBucket.
        """
        self.bucket(bucket)
        rows = self.database.execute(
            "SELECT key FROM s3_objects WHERE bucket = ? AND key >= ? AND substr(key, 1, ?) = ? ORDER BY key",
            (bucket, prefix, len(prefix), prefix),
        )
        return [row["key"] for row in rows]

    def writer(self) -> BlobWriter:
        """Start writing bytes that are to become an object or a part."""
        return self.blobs.writer()

    def put(
        self,
        bucket: str,
        key: str,
        segments: Sequence[Segment],
        etag: str,
        new: NewObject,
        *,
        condition: Condition | None = None,
    ) -> ObjectRecord:
        """Make sealed segments an object, in place of the one that was there.

        Raises:
            ObjectStoreError: NoSuchBucket, KeyTooLongError, or the condition's own error.
        """
        with self.database.transaction() as connection:
            record, unused = self.put_within(
                connection, bucket, key, segments=segments, etag=etag, new=new, condition=condition
            )
        # An empty segment is part of no object.
        self.blobs.discard([*unused, *(segment.blob for segment in segments if not segment.size)])
        return record

    def put_within(
        self,
        connection: sqlite3.Connection,
        bucket: str,
        key: str,
        *,
        segments: Sequence[Segment],
        etag: str,
        new: NewObject,
        condition: Condition | None,
    ) -> tuple[ObjectRecord, Collection[str]]:
        """Do `put` inside a transaction. The blobs returned are to be discarded once it is committed."""
        check_key(key)
        self.bucket(bucket)
        replaced = self._remove(connection, bucket, key, condition)
        size, modified = sum(segment.size for segment in segments), time.time()
        values = (
            bucket,
            key,
            size,
            etag,
            modified,
            json.dumps(dict(new.headers)),
            json.dumps(dict(new.checksums)),
            new.checksum_type,
            parts_json(new.parts),
            json.dumps(dict(new.tags)),
        )
        columns = "bucket, key, size, etag, modified, headers, checksums, checksum_type, parts, tags"
        cursor = connection.execute(
            f"INSERT INTO s3_objects ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
            values,
        )
        connection.executemany(
            "INSERT INTO s3_segments VALUES (?, ?, ?, ?)",
            [(cursor.lastrowid, position, one.blob, one.size) for position, one in enumerate(segments) if one.size],
        )
        unused = unreferenced(connection, replaced)
        return self.find(bucket, key), unused

    def delete(self, bucket: str, key: str, *, condition: Condition | None = None) -> None:
        """Delete an object if it is there.

        Raises:
            ObjectStoreError: NoSuchBucket, or the condition's own error.
        """
        refused = self.delete_all(bucket, [(key, condition)])
        if refused[0] is not None:
            raise refused[0]

    def delete_all(self, bucket: str, wanted: Sequence[tuple[str, Condition | None]]) -> list[ObjectStoreError | None]:
        """Delete those objects that are there, in one write, and return the answer of each one's condition.

        Raises:
            ObjectStoreError: NoSuchBucket.
        """
        refused: list[ObjectStoreError | None] = []
        removed: list[str] = []
        with self.database.transaction() as connection:
            self.bucket(bucket)
            for key, condition in wanted:
                try:
                    removed += self._remove(connection, bucket, key, condition)
                    refused.append(None)
                except ObjectStoreError as error:
                    refused.append(error)
            unused = unreferenced(connection, removed)
        self.blobs.discard(unused)
        return refused

    def update(self, record: ObjectRecord, *, tags: dict[str, str]) -> None:
        """Replace an object's tags."""
        self.database.execute("UPDATE s3_objects SET tags = ? WHERE id = ?", (json.dumps(tags), record.id))

    def segments(self, record: ObjectRecord) -> list[Segment]:
        """Return the place of an object's bytes."""
        rows = self.database.execute(
            "SELECT blob, size FROM s3_segments WHERE object = ? ORDER BY position", (record.id,)
        )
        return [Segment(row["blob"], row["size"]) for row in rows]

    def open_record(self, bucket: str, key: str) -> tuple[ObjectRecord, SegmentReader]:
        """Open an object together with the facts of exactly these bytes. The caller closes it.

        Raises:
            ObjectStoreError: NoSuchBucket or NoSuchKey.
        """
        while True:
            with self.blobs.lock:
                record = self.find(bucket, key)
                file = self.blobs.open(lambda record=record: self.segments(record))  # type: ignore[misc]
            if file.size == record.size:
                return record, file
            # It was replaced between the two look-ups.
            file.close()

    def open(self, bucket: str, key: str) -> BinaryIO:
        """Open an object for reading. It stays readable when it is replaced meanwhile. The caller closes it.

        Raises:
            ObjectStoreError: NoSuchBucket or NoSuchKey.
        """
        return cast("BinaryIO", io.BufferedReader(self.open_record(bucket, key)[1], READ_SIZE))

    def put_file(self, bucket: str, key: str, path: Path) -> None:
        """Copy a file in. Readers see the old object until all of it is on disk.

        Raises:
            ObjectStoreError: NoSuchBucket.
            OSError: the file cannot be read or is no plain file, or the disk is full.
        """
        writer = self.writer()
        digest = hashlib.md5(usedforsecurity=False)
        try:
            for data in pieces(path, READ_SIZE):
                digest.update(data)
                writer.write(data)
            new = NewObject(headers={"content-type": "application/octet-stream"})
            self.put(bucket, key, [writer.seal()], digest.hexdigest(), new)
        except BaseException:
            writer.discard()
            raise

    def download(self, bucket: str, key: str, target: Path) -> None:
        """Copy an object to a file, whose folder is made.

        Raises:
            ObjectStoreError: NoSuchBucket or NoSuchKey.
        """
        with self.open(bucket, key) as source:
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as file:
                shutil.copyfileobj(source, file, READ_SIZE)

    def _remove(self, connection: sqlite3.Connection, bucket: str, key: str, condition: Condition | None) -> list[str]:
        """Delete an object's rows and return the blobs that it had."""
        row = connection.execute("SELECT * FROM s3_objects WHERE bucket = ? AND key = ?", (bucket, key)).fetchone()
        if condition is not None:
            condition(None if row is None else object_from_row(row))
        if row is None:
            return []
        rows = connection.execute("SELECT blob FROM s3_segments WHERE object = ?", (row["id"],)).fetchall()
        connection.execute("DELETE FROM s3_segments WHERE object = ?", (row["id"],))
        connection.execute("DELETE FROM s3_objects WHERE id = ?", (row["id"],))
        return [one["blob"] for one in rows]


def check_key(key: str) -> None:
    """Refuse a key that S3 would refuse.

    Raises:
        ObjectStoreError: KeyTooLongError.
    """
    if len(key.encode("utf-8")) > _MAX_KEY_BYTES:
        raise ObjectStoreError("KeyTooLongError", "Your key is too long")


def unreferenced(connection: sqlite3.Connection, blobs: Collection[str]) -> list[str]:
    """Return those of the blobs that neither an object nor an upload refers to: copies share blobs."""
    statement = "SELECT 1 FROM s3_segments WHERE blob = ? UNION ALL SELECT 1 FROM s3_parts WHERE blob = ? LIMIT 1"
    return [blob for blob in set(blobs) if connection.execute(statement, (blob, blob)).fetchone() is None]
