"""S3 as a service: which request is which operation, and bodies that stream to disk without stopping the others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from mojo_toolbox.local_cloud.identity import signatures
from mojo_toolbox.local_cloud.identity.credentials import KeyRing
from mojo_toolbox.local_cloud.identity.incoming import Incoming
from mojo_toolbox.local_cloud.identity.payload import SignedPayload
from mojo_toolbox.local_cloud.identity.signatures import Verified
from mojo_toolbox.local_cloud.services.s3 import call as s3_call
from mojo_toolbox.local_cloud.services.s3 import documents
from mojo_toolbox.local_cloud.services.s3.buckets import BucketRoutes
from mojo_toolbox.local_cloud.services.s3.call import Call
from mojo_toolbox.local_cloud.services.s3.form_upload import FormUpload
from mojo_toolbox.local_cloud.services.s3.forms import is_form
from mojo_toolbox.local_cloud.services.s3.intake import BodyIntake
from mojo_toolbox.local_cloud.services.s3.objects import OVERRIDES, ObjectRoutes
from mojo_toolbox.local_cloud.services.s3.parameters import check_parameters
from mojo_toolbox.local_cloud.services.s3.routes import Operation, Route, Routes
from mojo_toolbox.local_cloud.services.s3.s3_errors import ObjectStoreError
from mojo_toolbox.local_cloud.services.s3.store import ObjectStore
from mojo_toolbox.local_cloud.services.s3.uploads import UploadRoutes
from mojo_toolbox.local_cloud.wire.body import Body
from mojo_toolbox.local_cloud.wire.checksums import without_checksums
from mojo_toolbox.local_cloud.wire.http import HttpAnswer, HttpRequest
from mojo_toolbox.local_cloud.wire.threads import in_thread

# CompleteMultipartUpload with 10,000 parts and their checksums is the longest document: about 2 MB.
_MAX_DOCUMENT_BYTES = 8 * 1024 * 1024
_LIST = ("delimiter", "encoding-type", "max-keys", "prefix")
_READ = ("partNumber", "versionId", *OVERRIDES)
_VERSION = ("versionId",)
_COPIES = "x-amz-copy-source"


class S3Service:
    """Answers S3's requests."""

    def __init__(self, store: ObjectStore, keys: KeyRing) -> None:
        self._store = store
        self._keys = keys
        self._buckets = BucketRoutes(store)
        self._objects = ObjectRoutes(store)
        self._uploads = UploadRoutes(store)
        self._documents = documents.BucketDocuments(store)
        self._of_service = Routes(*self._service_routes())
        self._of_buckets = Routes(*self._bucket_routes())
        self._of_objects = Routes(*self._object_routes())

    def _service_routes(self) -> Iterator[Route]:
        paged = ("bucket-region", "continuation-token", "max-buckets", "prefix")
        yield Route("ListBuckets", "GET", "", self._buckets.list_buckets, paged)

    def _bucket_routes(self) -> Iterator[Route]:
        buckets, uploads = self._buckets, self._uploads
        yield Route("GetBucketLocation", "GET", "location", buckets.location)
        yield Route("GetBucketPolicyStatus", "GET", "policyStatus", self._policy_status)
        listed = ("delimiter", "encoding-type", "key-marker", "max-uploads", "prefix", "upload-id-marker")
        yield Route("ListMultipartUploads", "GET", "uploads", uploads.list_uploads, listed)
        versions = (*_LIST, "key-marker", "version-id-marker")
        yield Route("ListObjectVersions", "GET", "versions", buckets.list_versions, versions)
        pages = (*_LIST, "continuation-token", "fetch-owner", "start-after")
        yield Route("ListObjectsV2", "GET", "list-type", buckets.list_v2, pages)
        yield Route("DeleteObjects", "POST", "delete", buckets.delete_objects)
        yield from self._documents.routes()
        yield Route("ListObjects", "GET", "", buckets.list_v1, (*_LIST, "marker"))
        yield Route("HeadBucket", "HEAD", "", buckets.head)
        yield Route("CreateBucket", "PUT", "", buckets.create)
        yield Route("DeleteBucket", "DELETE", "", buckets.delete)

    def _object_routes(self) -> Iterator[Route]:
        objects, uploads = self._objects, self._uploads
        yield Route("GetObjectTagging", "GET", "tagging", objects.get_tags, _VERSION)
        yield Route("PutObjectTagging", "PUT", "tagging", objects.put_tags, _VERSION)
        yield Route("DeleteObjectTagging", "DELETE", "tagging", objects.delete_tags, _VERSION)
        yield Route("GetObjectAcl", "GET", "acl", self._object_acl, _VERSION)
        yield Route("PutObjectAcl", "PUT", "acl", self._object_acl, _VERSION)
        yield Route("GetObjectAttributes", "GET", "attributes", objects.attributes, _VERSION)
        yield Route("CreateMultipartUpload", "POST", "uploads", uploads.create)
        yield Route("CompleteMultipartUpload", "POST", "uploadId", uploads.complete)
        yield Route("ListParts", "GET", "uploadId", uploads.list_parts, ("max-parts", "part-number-marker"))
        yield Route("AbortMultipartUpload", "DELETE", "uploadId", uploads.abort)
        yield Route("UploadPartCopy", "PUT", "uploadId", uploads.copy_part, ("partNumber",), _COPIES)
        yield Route("UploadPart", "PUT", "uploadId", None, ("partNumber",))
        yield Route("CopyObject", "PUT", "", objects.copy, only_with=_COPIES)
        yield Route("PutObject", "PUT", "", None)
        yield Route("GetObject", "GET", "", objects.get, _READ)
        yield Route("HeadObject", "HEAD", "", objects.get, _READ)
        yield Route("DeleteObject", "DELETE", "", objects.delete, _VERSION)

    async def answer(self, incoming: Incoming) -> HttpAnswer | None:
        """Answer the requests that are signed for S3. The signature and the hash of the body are checked here.

        Raises:
            ServiceError: it is refused.
            OSError: the disk is full.
        """
        if incoming.service != "s3":
            return None
        bucket = s3_call.bucket_of_host(incoming.request.headers.get("host", ""))
        verified = await in_thread(signatures.verify, incoming.request, self._keys, bucket_of_host=bucket)
        return await self._answer_verified(incoming.request, verified, incoming.body)

    async def _answer_verified(self, request: HttpRequest, verified: Verified, body: Body) -> HttpAnswer:
        bucket, key = s3_call.address(request)
        headers = s3_call.effective_headers(request)
        request = replace(request, headers=headers)
        call = Call(request, bucket, key, request.query, headers, verified.region)
        route = self._route(call)
        if route.operation is None:
            await in_thread(check_parameters, route.name, call)
            return await self._take_in(call, verified, body)
        if route.name == "CompleteMultipartUpload":
            # The checksums in its headers are those of the object, not of the document.
            request = replace(request, headers=without_checksums(headers))
        payload = SignedPayload(request, verified.payload)
        pieces = payload.feed(await body.read(_MAX_DOCUMENT_BYTES))
        payload.finish()
        return await in_thread(_answer, route.name, route.operation, replace(call, body=b"".join(pieces)))

    async def answer_form(self, incoming: Incoming) -> HttpAnswer | None:
        """Answer the uploads by form: their signature is among their fields, so it is checked here.

        Raises:
            ServiceError: it is refused, with 403 if it is not signed.
            OSError: the disk is full.
        """
        request = incoming.request
        if incoming.service is not None or not is_form(request):
            return None
        bucket, _ = s3_call.address(request)
        upload = FormUpload(self._objects, request, bucket, self._keys)
        try:
            async for data in incoming.body.pieces():
                await in_thread(upload.take, data)
        except BaseException:
            await in_thread(upload.discard)
            raise
        return await in_thread(upload.finish)

    async def _take_in(self, call: Call, verified: Verified, body: Body) -> HttpAnswer:
        begin = self._uploads.begin_part if "uploadId" in call.query else self._objects.begin_put
        intake: BodyIntake = await in_thread(begin, call, verified.payload)
        try:
            async for data in body.pieces():
                await in_thread(intake.take, data)
        except BaseException:
            await in_thread(intake.discard)
            raise
        # From here on the intake cleans up by itself: a cancelled wait must not delete an object that is being kept.
        return await in_thread(intake.finish)

    def _route(self, call: Call) -> Route:
        if not call.bucket and call.key:
            raise ObjectStoreError("InvalidBucketName", "The specified bucket is not valid: its name is empty.")
        routes = self._of_objects if call.key else self._of_buckets if call.bucket else self._of_service
        route = routes.find(call)
        s3_call.check_version(call.query.get("versionId", ""))
        return route

    def _policy_status(self, call: Call) -> HttpAnswer:
        self._store.bucket(call.bucket)
        return documents.default_document("PolicyStatus", "<IsPublic>false</IsPublic>")

    def _object_acl(self, call: Call) -> HttpAnswer:
        self._store.find(call.bucket, call.key)
        return documents.object_acl() if call.method == "GET" else HttpAnswer(200)


def _answer(name: str, operation: Operation, call: Call) -> HttpAnswer:
    check_parameters(name, call)
    return operation(call)
