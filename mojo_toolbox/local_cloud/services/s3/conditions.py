"""Conditional requests: If-Match and its relatives, on reads, writes and the source of a copy."""

from __future__ import annotations

from collections.abc import Mapping

from mojo_toolbox.local_cloud.identity.sigv2 import http_time
from mojo_toolbox.local_cloud.services.s3 import call as s3_call
from mojo_toolbox.local_cloud.services.s3.s3_errors import ObjectStoreError, no_such_key, precondition_failed
from mojo_toolbox.local_cloud.services.s3.store import Condition
from mojo_toolbox.local_cloud.services.s3.tables import ObjectRecord

# A client with a copy renews these headers when nothing has changed.
_SHOWN_UNCHANGED = {"cache-control", "etag", "expires", "last-modified"}


def check_read(record: ObjectRecord, headers: Mapping[str, str], *, prefix: str = "") -> None:
    """Check the conditions of a read, or with the prefix `x-amz-copy-source-` those of a copy's source.

    Raises:
        ObjectStoreError: PreconditionFailed (412), or NotModified (304) on a plain read.
    """
    if (match := headers.get(f"{prefix}if-match")) is not None:
        if not _names(match, record.etag):
            raise precondition_failed("If-Match")
    # HTTP: a matching entity tag outweighs the date.
    elif (since := http_time(headers.get(f"{prefix}if-unmodified-since", ""))) is not None and int(
        record.modified
    ) > since:
        raise precondition_failed("If-Unmodified-Since")
    unchanged = False
    if (none_match := headers.get(f"{prefix}if-none-match")) is not None:
        unchanged = _names(none_match, record.etag)
    elif (since := http_time(headers.get(f"{prefix}if-modified-since", ""))) is not None:
        unchanged = int(record.modified) <= since
    if unchanged:
        if prefix:
            raise precondition_failed("If-None-Match")
        shown = {name: value for name, value in s3_call.described(record).items() if name in _SHOWN_UNCHANGED}
        raise ObjectStoreError("NotModified", "Not Modified", 304, headers=shown)


def write_condition(key: str, headers: Mapping[str, str]) -> Condition | None:
    """Return the check that a write sets on the existing object. It runs inside the write's transaction."""
    match, none_match = headers.get("if-match"), headers.get("if-none-match")
    if match is None and none_match is None:
        return None
    if none_match not in (None, "*"):
        raise ObjectStoreError("NotImplemented", "If-None-Match on a write takes * only.", 501)

    def check(current: ObjectRecord | None) -> None:
        if none_match is not None and current is not None:
            raise precondition_failed("If-None-Match")
        if match is not None:
            if current is None:
                raise no_such_key(key)
            if not _names(match, current.etag):
                raise precondition_failed("If-Match")

    return check


def _names(header: str, etag: str) -> bool:
    tags = [one.strip().removeprefix("W/").strip('"') for one in header.split(",")]
    return "*" in tags or etag in tags
