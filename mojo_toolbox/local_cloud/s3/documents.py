"""What clients attach to a bucket (policy, lifecycle, encryption, …): kept and given back, not acted upon."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from mojo_toolbox.local_cloud.http import Answer
from mojo_toolbox.local_cloud.s3 import call as s3_call
from mojo_toolbox.local_cloud.s3 import xml
from mojo_toolbox.local_cloud.s3.call import Call
from mojo_toolbox.local_cloud.s3.errors import ObjectStoreError
from mojo_toolbox.local_cloud.s3.routes import Route
from mojo_toolbox.local_cloud.s3.store import ObjectStore

_OWNER = f"<Owner><ID>{s3_call.owner()['ID']}</ID><DisplayName>owner</DisplayName></Owner>"
_FULL_CONTROL = (
    f"{_OWNER}<AccessControlList><Grant>"
    '<Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser">'
    f"<ID>{s3_call.owner()['ID']}</ID><DisplayName>owner</DisplayName></Grantee>"
    "<Permission>FULL_CONTROL</Permission></Grant></AccessControlList>"
)


@dataclass(frozen=True)
class _Kind:
    """One sub-resource: its root element, and what S3 says when none was put: a default's content or an error."""

    root: str
    default: str | None = None
    missing: str = ""
    put_status: int = 200
    deletable: bool = False


_KINDS = {
    "accelerate": _Kind("AccelerateConfiguration", default=""),
    "acl": _Kind("AccessControlPolicy", default=_FULL_CONTROL),
    "cors": _Kind("CORSConfiguration", missing="NoSuchCORSConfiguration", deletable=True),
    "encryption": _Kind(
        "ServerSideEncryptionConfiguration",
        default="<Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm>"
        "</ApplyServerSideEncryptionByDefault><BucketKeyEnabled>false</BucketKeyEnabled></Rule>",
        deletable=True,
    ),
    "lifecycle": _Kind("LifecycleConfiguration", missing="NoSuchLifecycleConfiguration", deletable=True),
    "logging": _Kind("BucketLoggingStatus", default=""),
    "notification": _Kind("NotificationConfiguration", default=""),
    "object-lock": _Kind("ObjectLockConfiguration", missing="ObjectLockConfigurationNotFoundError"),
    "ownershipControls": _Kind("OwnershipControls", missing="OwnershipControlsNotFoundError", deletable=True),
    "policy": _Kind("", missing="NoSuchBucketPolicy", put_status=204, deletable=True),
    "publicAccessBlock": _Kind(
        "PublicAccessBlockConfiguration", missing="NoSuchPublicAccessBlockConfiguration", deletable=True
    ),
    "replication": _Kind("ReplicationConfiguration", missing="ReplicationConfigurationNotFoundError", deletable=True),
    "requestPayment": _Kind("RequestPaymentConfiguration", default="<Payer>BucketOwner</Payer>"),
    "tagging": _Kind("Tagging", missing="NoSuchTagSet", put_status=204, deletable=True),
    "website": _Kind("WebsiteConfiguration", missing="NoSuchWebsiteConfiguration", deletable=True),
}
# Kinds of which a bucket has several, told apart by ?id=.
_NUMBERED = {
    "analytics": "AnalyticsConfiguration",
    "intelligent-tiering": "IntelligentTieringConfiguration",
    "inventory": "InventoryConfiguration",
    "metrics": "MetricsConfiguration",
}
# Accepting one of these would promise what does not happen.
_REFUSED_PUTS = {"object-lock", "replication"}


class BucketDocuments:
    """The sub-resources of buckets."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._database = store.database

    def routes(self) -> Iterator[Route]:
        """Yield what can be asked of each sub-resource."""
        for name, kind in _KINDS.items():
            for method in ("GET", "PUT", *(["DELETE"] if kind.deletable else [])):
                yield Route(method, name, partial(self._handle, name=name))
        for name in _NUMBERED:
            yield Route("GET", name, partial(self._handle, name=name), ("continuation-token", "id"))
            for method in ("PUT", "DELETE"):
                yield Route(method, name, partial(self._handle, name=name), ("id",))

    def _handle(self, call: Call, *, name: str) -> Answer:
        """Answer a request for the sub-resource `name`.

        Raises:
            ObjectStoreError: NoSuchBucket, MalformedXML, MalformedPolicy, or that there is none.
        """
        self._store.bucket(call.bucket)
        if name in _NUMBERED and call.method != "GET" and not call.query.get("id"):
            raise ObjectStoreError("InvalidArgument", "Missing required parameter: id")
        if name in _NUMBERED and "id" not in call.query and call.method == "GET":
            return self._list(call, name)
        kind = _KINDS.get(name) or _Kind(_NUMBERED[name], missing="NoSuchConfiguration")
        stored_name = f"{name}/{call.query['id']}" if name in _NUMBERED and "id" in call.query else name
        if call.method == "PUT":
            return self._put(call, name, kind, stored_name)
        if call.method == "DELETE":
            self._database.execute("DELETE FROM s3_documents WHERE bucket = ? AND name = ?", (call.bucket, stored_name))
            return Answer(204)
        return self._get(call, kind, stored_name)

    def _get(self, call: Call, kind: _Kind, stored_name: str) -> Answer:
        rows = self._database.execute(
            "SELECT body FROM s3_documents WHERE bucket = ? AND name = ?", (call.bucket, stored_name)
        )
        if rows:
            media = "application/xml" if kind.root else "application/json"
            return Answer(200, {"content-type": media}, rows[0]["body"])
        if kind.default is None:
            raise ObjectStoreError(kind.missing, f"The bucket has no such configuration: {stored_name}", 404)
        return default_document(kind.root, kind.default)

    def _put(self, call: Call, name: str, kind: _Kind, stored_name: str) -> Answer:
        if name in _REFUSED_PUTS:
            raise ObjectStoreError("NotImplemented", f"The local cloud does not implement {name}.", 501)
        if name == "policy":
            _check_policy(call.body)
        elif name == "tagging":
            s3_call.body_tags(call.body, most=50)
        # A canned ACL comes as a header without a body: the owner has full control in any case.
        elif not (name == "acl" and not call.body):
            xml.parse(call.body, kind.root)
        if call.body:
            self._database.execute(
                "INSERT OR REPLACE INTO s3_documents VALUES (?, ?, ?)", (call.bucket, stored_name, call.body)
            )
        return Answer(kind.put_status)

    def _list(self, call: Call, name: str) -> Answer:
        rows = self._database.execute(
            "SELECT body FROM s3_documents WHERE bucket = ? AND name LIKE ? || '/%' ORDER BY name", (call.bucket, name)
        )
        documents = "".join(row["body"].decode("utf-8").partition("?>")[2] or row["body"].decode() for row in rows)
        return default_document(f"List{_NUMBERED[name]}sResult", f"<IsTruncated>false</IsTruncated>{documents}")


def default_document(root: str, content: str) -> Answer:
    """Answer with a document whose content is written out already."""
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n<{root} xmlns="{xml.NAMESPACE}">{content}</{root}>'
    return Answer(200, {"content-type": "application/xml"}, text.encode())


def object_acl() -> Answer:
    """Answer GetObjectAcl: everything is its owner's."""
    return default_document("AccessControlPolicy", _FULL_CONTROL)


def _check_policy(body: bytes) -> None:
    try:
        policy = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ObjectStoreError(
            "MalformedPolicy", "Policies must be valid JSON and the first byte must be '{'"
        ) from error
    if not isinstance(policy, dict) or "Statement" not in policy:
        raise ObjectStoreError("MalformedPolicy", "Missing required field Statement")
