"""Pages of keys: prefixes, delimiters and where to go on, in the order of the keys' UTF-8 bytes as S3."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from mojo_toolbox.local_cloud.services.s3.store import ObjectStore
from mojo_toolbox.local_cloud.services.s3.tables import ObjectRecord, Upload, object_from_row, upload_from_row

_BATCH = 1000
_LAST_CHARACTER = chr(0x10FFFF)


@dataclass
class Page:
    """The answer to one list request. `last` is the key or common prefix to go on after."""

    objects: list[ObjectRecord] = field(default_factory=list)
    prefixes: list[str] = field(default_factory=list)
    truncated: bool = False
    last: str = ""

    @property
    def count(self) -> int:
        """Keys and common prefixes together: both count against the limit."""
        return len(self.objects) + len(self.prefixes)


def list_objects(
    store: ObjectStore, bucket: str, *, prefix: str = "", delimiter: str = "", after: str = "", limit: int = 1000
) -> Page:
    """Return the objects after the key (or common prefix) `after`. With a delimiter, keys are rolled up.

    Raises:
        ObjectStoreError: NoSuchBucket.
    """
    store.bucket(bucket)
    page = Page()
    if limit == 0:
        return page
    at, inclusive = max(after, prefix), prefix > after
    # The marker of a page that ended with a common prefix: all of its keys are behind us.
    if delimiter and after.startswith(prefix) and after.endswith(delimiter) and len(after) > len(prefix):
        at, inclusive = _behind(after), True
    while True:
        jumped = False
        for record in _records(store, bucket, prefix, at, inclusive=inclusive):
            if page.count == limit:
                page.truncated = True
                return page
            at, inclusive = record.key, False
            if delimiter and delimiter in record.key[len(prefix) :]:
                page.last = _rolled_up(record.key, prefix, delimiter)
                page.prefixes.append(page.last)
                # A folder may hold millions of keys: go on behind it without reading them.
                at, inclusive, jumped = _behind(page.last), True, True
                break
            page.objects.append(record)
            page.last = record.key
        if not jumped:
            return page


def list_uploads(store: ObjectStore, bucket: str) -> list[Upload]:
    """Return the uploads that are neither complete nor aborted, by key and time.

    Raises:
        ObjectStoreError: NoSuchBucket.
    """
    store.bucket(bucket)
    rows = store.database.execute(
        "SELECT * FROM s3_uploads WHERE bucket = ? AND completed_etag IS NULL ORDER BY key, initiated, id", (bucket,)
    )
    return [upload_from_row(row) for row in rows]


def _records(store: ObjectStore, bucket: str, prefix: str, at: str, *, inclusive: bool) -> Iterator[ObjectRecord]:
    """Yield the objects from a key on, batch by batch: a page never needs all keys in memory."""
    while True:
        rows = store.database.execute(
            f"SELECT * FROM s3_objects WHERE bucket = ? AND key {'>=' if inclusive else '>'} ? ORDER BY key LIMIT ?",  # noqa: S608
            (bucket, at, _BATCH),
        )
        for row in rows:
            if not row["key"].startswith(prefix):
                return
            yield object_from_row(row)
        if len(rows) < _BATCH:
            return
        at, inclusive = rows[-1]["key"], False


def _rolled_up(key: str, prefix: str, delimiter: str) -> str:
    return key[: key.index(delimiter, len(prefix)) + len(delimiter)]


def _behind(prefix: str) -> str:
    """Return the least key that is greater than every key with this prefix.

    Code points and UTF-8 bytes sort alike. The surrogates between U+D7FF and U+E000 are no characters.
    """
    trimmed = prefix.rstrip(_LAST_CHARACTER)
    if not trimmed:
        return prefix + _LAST_CHARACTER
    following = ord(trimmed[-1]) + 1
    return trimmed[:-1] + chr(0xE000 if following == 0xD800 else following)  # noqa: PLR2004
