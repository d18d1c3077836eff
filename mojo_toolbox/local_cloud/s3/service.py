"""S3 as a service: which request is which operation, and bodies that stream to disk without stopping the others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from mojo_toolbox.local_cloud.body import Body
from mojo_toolbox.local_cloud.credentials import KeyRing
from mojo_toolbox.local_cloud.http import Answer, Request
from mojo_toolbox.local_cloud.payload import SignedPayload
from mojo_toolbox.local_cloud.s3 import call as s3_call
from mojo_toolbox.local_cloud.s3 import documents
from mojo_toolbox.local_cloud.s3.buckets import BucketRoutes
from mojo_toolbox.local_cloud.s3.call import Call
from mojo_toolbox.local_cloud.s3.errors import ObjectStoreError
from mojo_toolbox.local_cloud.s3.form_upload import FormUpload
from mojo_toolbox.local_cloud.s3.intake import Intake
from mojo_toolbox.local_cloud.s3.objects import ObjectRoutes
from mojo_toolbox.local_cloud.s3.store import ObjectStore
from mojo_toolbox.local_cloud.s3.uploads import UploadRoutes
from mojo_toolbox.local_cloud.signatures import Verified
from mojo_toolbox.local_cloud.threads import in_thread

# CompleteMultipartUpload with 10,000 parts and their checksums is the longest document: about 2 MB.
_MAX_DOCUMENT_BYTES = 8 * 1024 * 1024
_NOT_OFFERED = frozenset(
    [
        "abac",
        "annotation",
        "legal-hold",
        "metadataConfiguration",
        "metadataTable",
        "renameObject",
        "restore",
        "retention",
        "select",
        "session",
        "torrent",
        "encryption",
    ]
)

Operation = Callable[[Call], Answer]
Table = dict[str, dict[str, Operation]]


class S3Service:
    """Answers S3's requests."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._buckets = BucketRoutes(store)
        self._objects = ObjectRoutes(store)
        self._uploads = UploadRoutes(store)
        self._documents = documents.BucketDocuments(store)
        # By method, then by query parameter, where "" is what a request without any of the others means.
        self._of_buckets: Table = {
            "GET": {
                "location": self._buckets.location,
                "versioning": self._versioning,
                "policyStatus": self._policy_status,
                "uploads": self._uploads.list_uploads,
                "versions": self._buckets.list_versions,
                "list-type": self._buckets.list_v2,
                "": self._buckets.list_v1,
            },
            "HEAD": {"": self._buckets.head},
            "PUT": {"versioning": self._put_versioning, "": self._buckets.create},
            "POST": {"delete": self._buckets.delete_objects},
            "DELETE": {"": self._buckets.delete},
        }
        self._of_objects: Table = {
            "GET": {
                "tagging": self._objects.get_tags,
                "acl": self._object_acl,
                "uploadId": self._uploads.list_parts,
                "attributes": self._objects.attributes,
                "": self._objects.get,
            },
            "HEAD": {"": self._objects.get},
            # A body that is an object or a part is taken in elsewhere: what is left are copies and documents.
            "PUT": {
                "tagging": self._objects.put_tags,
                "acl": self._object_acl,
                "uploadId": self._uploads.copy_part,
                "": self._objects.copy,
            },
            "POST": {"uploads": self._uploads.create, "uploadId": self._uploads.complete},
            "DELETE": {
                "tagging": self._objects.delete_tags,
                "uploadId": self._uploads.abort,
                "": self._objects.delete,
            },
        }

    async def handle(self, request: Request, verified: Verified, body: Body) -> Answer:
        """Answer one request whose signature holds; the hash of its body is checked here.

        Raises:
            ServiceError: it is refused.
            OSError: the disk is full.
        """
        bucket, key = s3_call.address(request)
        headers = s3_call.effective_headers(request)
        request = replace(request, headers=headers)
        call = Call(request, bucket, key, request.query, headers, verified.region)
        if _is_streamed(call):
            return await self._take_in(call, verified, body)
        payload = SignedPayload(request, verified.payload)
        pieces = payload.feed(await body.read(_MAX_DOCUMENT_BYTES))
        payload.finish()
        call = replace(call, body=b"".join(pieces))
        return await in_thread(self._operation(call), call)

    async def handle_form(self, request: Request, keys: KeyRing, body: Body) -> Answer:
        """Answer an upload by form: its signature is among its fields, so it is checked here.

        Raises:
            ServiceError: it is refused; 403 when it is not signed.
            OSError: the disk is full.
        """
        bucket, _ = s3_call.address(request)
        upload = FormUpload(self._objects, request, bucket, keys)
        try:
            async for data in body.pieces():
                await in_thread(upload.take, data)
        except BaseException:
            await in_thread(upload.discard)
            raise
        return await in_thread(upload.finish)

    async def _take_in(self, call: Call, verified: Verified, body: Body) -> Answer:
        begin = self._uploads.begin_part if "uploadId" in call.query else self._objects.begin_put
        intake: Intake = await in_thread(begin, call, verified.payload)
        try:
            async for data in body.pieces():
                await in_thread(intake.take, data)
        except BaseException:
            await in_thread(intake.discard)
            raise
        # From here on the intake cleans up by itself: a cancelled wait must not delete what is being kept.
        return await in_thread(intake.finish)

    def _operation(self, call: Call) -> Operation:
        """Return what answers the request: the first of its method whose query parameter is there."""
        if not call.bucket:
            table: Table = {"GET": {"": self._buckets.list_buckets}}
        elif call.key:
            table = self._of_objects
        else:
            document = next((name for name in call.query if name in documents.NAMES), None)
            if document is not None:
                return lambda call: self._documents.handle(call, document)
            table = self._of_buckets
        s3_call.check_version(call.query.get("versionId", ""))
        if names := call.query.keys() & _NOT_OFFERED:
            raise ObjectStoreError("NotImplemented", f"The local cloud does not implement {min(names)}.", 501)
        for parameter, operation in table.get(call.method, {}).items():
            if not parameter or parameter in call.query:
                return operation
        raise ObjectStoreError("MethodNotAllowed", "The specified method is not allowed against this resource.", 405)

    def _versioning(self, call: Call) -> Answer:
        self._store.bucket(call.bucket)
        return documents.default_document("VersioningConfiguration", "")

    def _policy_status(self, call: Call) -> Answer:
        self._store.bucket(call.bucket)
        return documents.default_document("PolicyStatus", "<IsPublic>false</IsPublic>")

    def _put_versioning(self, call: Call) -> Answer:
        self._store.bucket(call.bucket)
        if b"Enabled" in call.body:
            raise ObjectStoreError("NotImplemented", "The local cloud keeps one version of each object.", 501)
        return Answer(200)

    def _object_acl(self, call: Call) -> Answer:
        self._store.find(call.bucket, call.key)
        return documents.object_acl() if call.method == "GET" else Answer(200)


def _is_streamed(call: Call) -> bool:
    """Whether the request's body is an object's or a part's bytes, not a document."""
    return (
        call.method == "PUT"
        and bool(call.bucket and call.key)
        and "x-amz-copy-source" not in call.headers
        and not call.query.keys() & {"acl", "tagging", *_NOT_OFFERED}
    )
