"""The store's facts of buckets, objects and uploads, and their tables."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mojo_toolbox.local_cloud.services.s3.blobs import Segment

TABLES = (
    "CREATE TABLE IF NOT EXISTS s3_buckets (name TEXT PRIMARY KEY, region TEXT NOT NULL, created REAL NOT NULL)",
    """CREATE TABLE IF NOT EXISTS s3_documents (
        bucket TEXT NOT NULL, name TEXT NOT NULL, body BLOB NOT NULL, PRIMARY KEY (bucket, name))""",
    """CREATE TABLE IF NOT EXISTS s3_objects (
        id INTEGER PRIMARY KEY AUTOINCREMENT, bucket TEXT NOT NULL, key TEXT NOT NULL, size INTEGER NOT NULL,
        etag TEXT NOT NULL, modified REAL NOT NULL, headers TEXT NOT NULL, checksums TEXT NOT NULL,
        checksum_type TEXT NOT NULL, parts TEXT NOT NULL, tags TEXT NOT NULL, UNIQUE (bucket, key))""",
    """CREATE TABLE IF NOT EXISTS s3_segments (
        object INTEGER NOT NULL, position INTEGER NOT NULL, blob TEXT NOT NULL, size INTEGER NOT NULL,
        PRIMARY KEY (object, position)) WITHOUT ROWID""",
    "CREATE INDEX IF NOT EXISTS s3_segments_of_blob ON s3_segments (blob)",
    """CREATE TABLE IF NOT EXISTS s3_uploads (
        id TEXT PRIMARY KEY, bucket TEXT NOT NULL, key TEXT NOT NULL, initiated REAL NOT NULL, headers TEXT NOT NULL,
        tags TEXT NOT NULL, checksum_algorithm TEXT NOT NULL, checksum_type TEXT NOT NULL, completed_etag TEXT)""",
    "CREATE INDEX IF NOT EXISTS s3_uploads_of_bucket ON s3_uploads (bucket, key, id)",
    """CREATE TABLE IF NOT EXISTS s3_parts (
        upload TEXT NOT NULL, number INTEGER NOT NULL, blob TEXT NOT NULL, size INTEGER NOT NULL, etag TEXT NOT NULL,
        modified REAL NOT NULL, checksums TEXT NOT NULL, PRIMARY KEY (upload, number)) WITHOUT ROWID""",
    "CREATE INDEX IF NOT EXISTS s3_parts_of_blob ON s3_parts (blob)",
)


@dataclass(frozen=True)
class Bucket:
    """A bucket. `created` in seconds since 1970."""

    name: str
    region: str
    created: float


@dataclass(frozen=True)
class PartRecord:
    """One part of an object that came in parts."""

    number: int
    size: int
    checksums: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class NewObject:
    """A client's own facts of an object that it stores."""

    headers: Mapping[str, str] = field(default_factory=dict)
    """The headers that come back with the object: content-type, x-amz-meta-… and the like."""
    tags: Mapping[str, str] = field(default_factory=dict)
    checksums: Mapping[str, str] = field(default_factory=dict)
    checksum_type: str = "FULL_OBJECT"
    parts: Sequence[PartRecord] = ()


@dataclass(frozen=True)
class ObjectRecord(NewObject):
    """A stored object. `etag` without quotes, `modified` in seconds since 1970."""

    id: int = 0
    bucket: str = ""
    key: str = ""
    size: int = 0
    etag: str = ""
    modified: float = 0.0


@dataclass(frozen=True)
class Upload:
    """A multipart upload. `completed_etag` once it has become an object."""

    id: str
    bucket: str
    key: str
    initiated: float
    headers: Mapping[str, str]
    tags: Mapping[str, str]
    checksum_algorithm: str
    checksum_type: str
    completed_etag: str | None


@dataclass(frozen=True)
class UploadedPart:
    """A part of an upload that is not complete yet."""

    number: int
    segment: Segment
    etag: str
    modified: float
    checksums: Mapping[str, str]


def object_from_row(row: sqlite3.Row) -> ObjectRecord:
    """Read a row of s3_objects."""
    parts = [PartRecord(number, size, checksums) for number, size, checksums in json.loads(row["parts"])]
    return ObjectRecord(
        id=row["id"],
        bucket=row["bucket"],
        key=row["key"],
        size=row["size"],
        etag=row["etag"],
        modified=row["modified"],
        headers=json.loads(row["headers"]),
        tags=json.loads(row["tags"]),
        checksums=json.loads(row["checksums"]),
        checksum_type=row["checksum_type"],
        parts=parts,
    )


def upload_from_row(row: sqlite3.Row) -> Upload:
    """Read a row of s3_uploads."""
    values = dict(row)
    return Upload(**(values | {"headers": json.loads(row["headers"]), "tags": json.loads(row["tags"])}))


def part_from_row(row: sqlite3.Row) -> UploadedPart:
    """Read a row of s3_parts."""
    return UploadedPart(
        number=row["number"],
        segment=Segment(row["blob"], row["size"]),
        etag=row["etag"],
        modified=row["modified"],
        checksums=json.loads(row["checksums"]),
    )


def parts_json(parts: Sequence[PartRecord]) -> str:
    """Write the column `parts`."""
    return json.dumps([[part.number, part.size, dict(part.checksums)] for part in parts])
