"""S3 as a service: which request is which operation, and bodies that stream to disk without stopping the others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from mojo_toolbox.local_cloud.body import Body
from mojo_toolbox.local_cloud.http import Answer, Request
from mojo_toolbox.local_cloud.payload import SignedPayload
from mojo_toolbox.local_cloud.s3 import call as s3_call
from mojo_toolbox.local_cloud.s3 import documents
from mojo_toolbox.local_cloud.s3.buckets import BucketRoutes
from mojo_toolbox.local_cloud.s3.call import Call
from mojo_toolbox.local_cloud.s3.errors import ObjectStoreError
from mojo_toolbox.local_cloud.s3.intake import Intake
from mojo_toolbox.local_cloud.s3.objects import ObjectRoutes
from mojo_toolbox.local_cloud.s3.store import ObjectStore
from mojo_toolbox.local_cloud.s3.uploads import UploadRoutes
from mojo_toolbox.local_cloud.signatures import Verified
from mojo_toolbox.local_cloud.threads import in_thread

# CompleteMultipartUpload with 10,000 parts and their checksums is the longest document: about 2 MB.
_MAX_DOCUMENT_BYTES = 8 * 1024 * 1024
_NOT_OFFERED = frozenset(
    "abac annotation legal-hold metadataConfiguration metadataTable renameObject restore retention select session "
    "torrent encryption".split()
)


class S3Service:
    """Answers S3's requests."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._buckets = BucketRoutes(store)
        self._objects = ObjectRoutes(store)
        self._uploads = UploadRoutes(store)
        self._documents = documents.BucketDocuments(store)

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

    def _operation(self, call: Call) -> Callable[[Call], Answer]:
        if not call.bucket:
            if call.method == "GET":
                return self._buckets.list_buckets
            raise _not_allowed()
        if call.query.get("versionId", "null") not in ("", "null"):
            raise ObjectStoreError("NoSuchVersion", "The specified version does not exist.", 404)
        found = self._object_operation(call) if call.key else self._bucket_operation(call)
        if found is None:
            raise _not_allowed()
        return found

    def _bucket_operation(self, call: Call) -> Callable[[Call], Answer] | None:
        document = next((name for name in call.query if name in documents.NAMES), None)
        if document is not None:
            return lambda call: self._documents.handle(call, document)
        if call.query.keys() & _NOT_OFFERED:
            raise _not_offered(call)
        query, routes = call.query, self._buckets
        match call.method:
            case "GET" if "location" in query:
                return routes.location
            case "GET" if "versioning" in query:
                return self._versioning
            case "GET" if "policyStatus" in query:
                return lambda _: documents.default_document("PolicyStatus", "<IsPublic>false</IsPublic>")
            case "GET" if "uploads" in query:
                return self._uploads.list_uploads
            case "GET" if "versions" in query:
                return routes.list_versions
            case "GET":
                return routes.list_v2 if query.get("list-type") == "2" else routes.list_v1
            case "PUT" if "versioning" in query:
                return self._put_versioning
            case "POST" if "delete" in query:
                return routes.delete_objects
            case "PUT" if not query.keys() - {"x-id"}:
                return routes.create
        return {"HEAD": routes.head, "DELETE": routes.delete}.get(call.method)

    def _object_operation(self, call: Call) -> Callable[[Call], Answer] | None:
        query, objects, uploads = call.query, self._objects, self._uploads
        if query.keys() & _NOT_OFFERED:
            raise _not_offered(call)
        if "tagging" in query:
            return {"GET": objects.get_tags, "PUT": objects.put_tags, "DELETE": objects.delete_tags}.get(call.method)
        if "acl" in query:
            return self._object_acl
        if "uploadId" in query:
            return {
                "GET": uploads.list_parts,
                "PUT": uploads.copy_part,
                "POST": uploads.complete,
                "DELETE": uploads.abort,
            }.get(call.method)
        if "uploads" in query and call.method == "POST":
            return uploads.create
        if "attributes" in query and call.method == "GET":
            return objects.attributes
        return {"GET": objects.get, "HEAD": objects.get, "PUT": objects.copy, "DELETE": objects.delete}.get(call.method)

    def _versioning(self, call: Call) -> Answer:
        self._store.bucket(call.bucket)
        return documents.default_document("VersioningConfiguration", "")

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


def _not_allowed() -> ObjectStoreError:
    return ObjectStoreError("MethodNotAllowed", "The specified method is not allowed against this resource.", 405)


def _not_offered(call: Call) -> ObjectStoreError:
    names = ", ".join(sorted(call.query.keys() & _NOT_OFFERED))
    return ObjectStoreError("NotImplemented", f"The local cloud does not implement {names}.", 501)
