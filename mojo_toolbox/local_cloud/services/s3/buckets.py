"""Requests that concern a bucket as a whole: making and deleting it, listing it, deleting many objects."""

from __future__ import annotations

import base64
import binascii
from xml.etree import ElementTree as ET

from mojo_toolbox.local_cloud.services.s3 import call as s3_call
from mojo_toolbox.local_cloud.services.s3 import xml
from mojo_toolbox.local_cloud.services.s3.call import Call
from mojo_toolbox.local_cloud.services.s3.conditions import write_condition
from mojo_toolbox.local_cloud.services.s3.key_pages import Page, list_objects
from mojo_toolbox.local_cloud.services.s3.s3_errors import ObjectStoreError
from mojo_toolbox.local_cloud.services.s3.store import Condition, ObjectStore
from mojo_toolbox.local_cloud.services.s3.tables import ObjectRecord
from mojo_toolbox.local_cloud.state.account import REGION
from mojo_toolbox.local_cloud.wire.http import HttpAnswer

_MAX_DELETES = 1000
_MAX_KEYS = 1000


class BucketRoutes:
    """Answers requests whose path is a bucket, or nothing."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    def list_buckets(self, call: Call) -> HttpAnswer:
        """Answer ListBuckets."""
        prefix, region = call.query.get("prefix", ""), call.query.get("bucket-region")
        limit = s3_call.number(call.query, "max-buckets", 10_000)
        after = _untoken(call.query.get("continuation-token", ""))
        rest = [
            one
            for one in self._store.buckets()
            if one.name.startswith(prefix) and one.name > after and region in (None, one.region)
        ]
        shown = rest[:limit]
        return s3_call.xml_answer(
            "ListAllMyBucketsResult",
            {
                "Owner": s3_call.owner(),
                "Buckets": {
                    "Bucket": [
                        {
                            "Name": one.name,
                            "CreationDate": s3_call.iso_time(one.created),
                            "BucketRegion": one.region,
                            "BucketArn": f"arn:aws:s3:::{one.name}",
                        }
                        for one in shown
                    ]
                },
                "ContinuationToken": _token(shown[-1].name) if shown and len(rest) > limit else None,
                "Prefix": prefix or None,
            },
        )

    def create(self, call: Call) -> HttpAnswer:
        """Answer CreateBucket. A bucket that is there already is fine in us-east-1 only, as on AWS."""
        region = call.region
        if call.body:
            root = xml.parse(call.body, "CreateBucketConfiguration")
            region = xml.text(root, "LocationConstraint") or region
        if not self._store.create_bucket(call.bucket, region) and region != REGION:
            raise ObjectStoreError(
                "BucketAlreadyOwnedByYou",
                "Your previous request to create the named bucket succeeded and you already own it.",
                409,
            )
        return HttpAnswer(200, {"location": f"/{call.bucket}", "x-amz-bucket-arn": f"arn:aws:s3:::{call.bucket}"})

    def head(self, call: Call) -> HttpAnswer:
        """Answer HeadBucket."""
        bucket = self._store.bucket(call.bucket)
        return HttpAnswer(
            200,
            {
                "x-amz-bucket-region": bucket.region,
                "x-amz-bucket-arn": f"arn:aws:s3:::{bucket.name}",
                "x-amz-access-point-alias": "false",
                "content-type": "application/xml",
            },
        )

    def delete(self, call: Call) -> HttpAnswer:
        """Answer DeleteBucket."""
        self._store.delete_bucket(call.bucket)
        return HttpAnswer(204)

    def location(self, call: Call) -> HttpAnswer:
        """Answer GetBucketLocation: us-east-1 is said by saying nothing."""
        region = self._store.bucket(call.bucket).region
        content = "" if region == REGION else region
        text = f'<?xml version="1.0"?><LocationConstraint xmlns="{xml.NAMESPACE}">{content}</LocationConstraint>'
        return HttpAnswer(200, {"content-type": "application/xml"}, text.encode())

    def list_v2(self, call: Call) -> HttpAnswer:
        """Answer ListObjectsV2."""
        if call.query["list-type"] != "2":
            raise ObjectStoreError("InvalidArgument", "Invalid List Type specified in Request")
        token, start = call.query.get("continuation-token"), call.query.get("start-after", "")
        page = self._page(call, _untoken(token) if token is not None else start)
        encode = s3_call.key_encoder(call)
        return s3_call.xml_answer(
            "ListBucketResult",
            {
                **_common(call, page),
                "KeyCount": page.count,
                "ContinuationToken": token,
                "NextContinuationToken": _token(page.last) if page.truncated else None,
                "StartAfter": encode(start) or None,
                "Contents": _contents(call, page, with_owner=call.query.get("fetch-owner") == "true"),
                "CommonPrefixes": [{"Prefix": encode(prefix)} for prefix in page.prefixes],
            },
        )

    def list_v1(self, call: Call) -> HttpAnswer:
        """Answer ListObjects."""
        marker = call.query.get("marker", "")
        page = self._page(call, marker)
        encode = s3_call.key_encoder(call)
        return s3_call.xml_answer(
            "ListBucketResult",
            {
                **_common(call, page),
                "Marker": encode(marker),
                # S3 names it only where the last key does not: when keys are rolled up.
                "NextMarker": encode(page.last) if page.truncated and call.query.get("delimiter") else None,
                "Contents": _contents(call, page, with_owner=True),
                "CommonPrefixes": [{"Prefix": encode(prefix)} for prefix in page.prefixes],
            },
        )

    def list_versions(self, call: Call) -> HttpAnswer:
        """Answer ListObjectVersions: without versioning each object is its only version, `null`."""
        marker = call.query.get("key-marker", "")
        page = self._page(call, marker)
        encode = s3_call.key_encoder(call)
        versions = [
            {**content, "VersionId": "null", "IsLatest": True} for content in _contents(call, page, with_owner=True)
        ]
        return s3_call.xml_answer(
            "ListVersionsResult",
            {
                **_common(call, page),
                "KeyMarker": encode(marker),
                "VersionIdMarker": call.query.get("version-id-marker", ""),
                "NextKeyMarker": encode(page.last) if page.truncated else None,
                "NextVersionIdMarker": "null" if page.truncated else None,
                "Version": versions,
                "CommonPrefixes": [{"Prefix": encode(prefix)} for prefix in page.prefixes],
            },
        )

    def delete_objects(self, call: Call) -> HttpAnswer:
        """Answer DeleteObjects: each key by itself, in one answer."""
        self._store.bucket(call.bucket)
        root = xml.parse(call.body, "Delete")
        objects = root.findall("Object")
        if not 1 <= len(objects) <= _MAX_DELETES:
            raise ObjectStoreError("MalformedXML", f"A request deletes between 1 and {_MAX_DELETES} objects.")
        quiet = xml.text(root, "Quiet").strip().lower() == "true"
        # One write for all of them: each by itself waits for the disk once.
        keys = [xml.text(one, "Key") for one in objects]
        wanted = [(key, _delete_condition(key, one)) for key, one in zip(keys, objects, strict=True)]
        refused = self._store.delete_all(call.bucket, wanted)
        deleted = [{"Key": key} for key, error in zip(keys, refused, strict=True) if error is None]
        errors = [
            {"Key": key, "Code": error.code, "Message": error.message}
            for key, error in zip(keys, refused, strict=True)
            if error is not None
        ]
        return s3_call.xml_answer("DeleteResult", {"Deleted": [] if quiet else deleted, "Error": errors})

    def _page(self, call: Call, after: str) -> Page:
        return list_objects(
            self._store,
            call.bucket,
            prefix=call.query.get("prefix", ""),
            delimiter=call.query.get("delimiter", ""),
            after=after,
            limit=min(s3_call.number(call.query, "max-keys", _MAX_KEYS), _MAX_KEYS),
        )


def _common(call: Call, page: Page) -> dict[str, object]:
    encode = s3_call.key_encoder(call)
    return {
        "Name": call.bucket,
        "Prefix": encode(call.query.get("prefix", "")),
        "Delimiter": encode(call.query.get("delimiter", "")) or None,
        "MaxKeys": min(s3_call.number(call.query, "max-keys", _MAX_KEYS), _MAX_KEYS),
        "EncodingType": call.query.get("encoding-type"),
        "IsTruncated": page.truncated,
    }


def _contents(call: Call, page: Page, *, with_owner: bool) -> list[dict[str, object]]:
    encode = s3_call.key_encoder(call)
    return [_content(record, encode(record.key), with_owner=with_owner) for record in page.objects]


def _content(record: ObjectRecord, key: str, *, with_owner: bool) -> dict[str, object]:
    return {
        "Key": key,
        "LastModified": s3_call.iso_time(record.modified),
        "ETag": f'"{record.etag}"',
        "ChecksumAlgorithm": list(record.checksums),
        "ChecksumType": record.checksum_type if record.checksums else None,
        "Size": record.size,
        "StorageClass": record.headers.get("x-amz-storage-class", "STANDARD"),
        "Owner": s3_call.owner() if with_owner else None,
    }


def _delete_condition(key: str, one: ET.Element) -> Condition:
    version, match = xml.text(one, "VersionId"), xml.text(one, "ETag")
    matches = write_condition(key, {"if-match": match}) if match else None

    def check(current: ObjectRecord | None) -> None:
        s3_call.check_version(version)
        if matches is not None:
            matches(current)

    return check


def _token(key: str) -> str:
    return base64.urlsafe_b64encode(key.encode()).decode()


def _untoken(token: str) -> str:
    try:
        return base64.b64decode(token.encode(), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise ObjectStoreError("InvalidArgument", "The continuation token provided is incorrect") from error
