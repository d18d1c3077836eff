"""Documents that clients attach to a bucket (policy, lifecycle, tags, …): kept and given back if they need no action."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from mojo_toolbox.local_cloud.services.s3 import call as s3_call
from mojo_toolbox.local_cloud.services.s3 import xml
from mojo_toolbox.local_cloud.services.s3.call import Call
from mojo_toolbox.local_cloud.services.s3.routes import Route
from mojo_toolbox.local_cloud.services.s3.s3_errors import ObjectStoreError
from mojo_toolbox.local_cloud.services.s3.store import ObjectStore
from mojo_toolbox.local_cloud.wire.http import HttpAnswer

_OWNER = f"<Owner><ID>{s3_call.owner()['ID']}</ID><DisplayName>owner</DisplayName></Owner>"
_FULL_CONTROL = (
    f"{_OWNER}<AccessControlList><Grant>"
    '<Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser">'
    f"<ID>{s3_call.owner()['ID']}</ID><DisplayName>owner</DisplayName></Grantee>"
    "<Permission>FULL_CONTROL</Permission></Grant></AccessControlList>"
)


@dataclass(frozen=True)
class _DocumentKind:
    """One sub-resource: its name in the API, its root element, and S3's answer before one was put.

    That is a default's content or an error.
    """

    noun: str
    root: str
    default: str | None = None
    missing: str = ""
    put_status: int = 200
    deletable: bool = False


_KINDS = {
    "accelerate": _DocumentKind("BucketAccelerateConfiguration", "AccelerateConfiguration", default=""),
    "acl": _DocumentKind("BucketAcl", "AccessControlPolicy", default=_FULL_CONTROL),
    "cors": _DocumentKind("BucketCors", "CORSConfiguration", missing="NoSuchCORSConfiguration", deletable=True),
    "encryption": _DocumentKind(
        "BucketEncryption",
        "ServerSideEncryptionConfiguration",
        default="<Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256</SSEAlgorithm>"
        "</ApplyServerSideEncryptionByDefault><BucketKeyEnabled>false</BucketKeyEnabled></Rule>",
        deletable=True,
    ),
    "lifecycle": _DocumentKind(
        "BucketLifecycleConfiguration", "LifecycleConfiguration", missing="NoSuchLifecycleConfiguration", deletable=True
    ),
    "logging": _DocumentKind("BucketLogging", "BucketLoggingStatus", default=""),
    "notification": _DocumentKind("BucketNotificationConfiguration", "NotificationConfiguration", default=""),
    "object-lock": _DocumentKind(
        "ObjectLockConfiguration", "ObjectLockConfiguration", missing="ObjectLockConfigurationNotFoundError"
    ),
    "ownershipControls": _DocumentKind(
        "BucketOwnershipControls",
        "OwnershipControls",
        default="<Rule><ObjectOwnership>BucketOwnerEnforced</ObjectOwnership></Rule>",
        deletable=True,
    ),
    "policy": _DocumentKind("BucketPolicy", "", missing="NoSuchBucketPolicy", put_status=204, deletable=True),
    "publicAccessBlock": _DocumentKind(
        "PublicAccessBlock",
        "PublicAccessBlockConfiguration",
        missing="NoSuchPublicAccessBlockConfiguration",
        deletable=True,
    ),
    "replication": _DocumentKind(
        "BucketReplication", "ReplicationConfiguration", missing="ReplicationConfigurationNotFoundError", deletable=True
    ),
    "requestPayment": _DocumentKind(
        "BucketRequestPayment", "RequestPaymentConfiguration", default="<Payer>BucketOwner</Payer>"
    ),
    "tagging": _DocumentKind("BucketTagging", "Tagging", missing="NoSuchTagSet", put_status=204, deletable=True),
    "versioning": _DocumentKind("BucketVersioning", "VersioningConfiguration", default=""),
    "website": _DocumentKind(
        "BucketWebsite", "WebsiteConfiguration", missing="NoSuchWebsiteConfiguration", deletable=True
    ),
}
# Kinds of which a bucket may have several on AWS, which differ by ?id=. Here it has none.
_NUMBERED = {
    "analytics": "Analytics",
    "intelligent-tiering": "IntelligentTiering",
    "inventory": "Inventory",
    "metrics": "Metrics",
}


class BucketDocuments:
    """The sub-resources of buckets."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._database = store.database

    def routes(self) -> Iterator[Route]:
        """Yield the operations of each sub-resource."""
        for name, kind in _KINDS.items():
            for method, verb in (("GET", "Get"), ("PUT", "Put"), *([("DELETE", "Delete")] if kind.deletable else [])):
                # The one noun that is shorter where it is deleted.
                noun = "BucketLifecycle" if (verb, name) == ("Delete", "lifecycle") else kind.noun
                yield Route(f"{verb}{noun}", method, name, partial(self._handle, name=name, kind=kind))
        for name, noun in _NUMBERED.items():
            for method, verb in (("GET", "Get"), ("PUT", "Put"), ("DELETE", "Delete")):
                operation = f"{verb}Bucket{noun}Configuration"
                yield Route(operation, method, name, self._numbered, ("id",), only_with="id")
            listed = partial(self._list_numbered, noun=noun)
            yield Route(f"ListBucket{noun}Configurations", "GET", name, listed, ("continuation-token",))

    def _handle(self, call: Call, *, name: str, kind: _DocumentKind) -> HttpAnswer:
        """Answer a request for the sub-resource `name`.

        Raises:
            ObjectStoreError: NoSuchBucket, MalformedXML, MalformedPolicy, or the error of a missing one.
        """
        self._store.bucket(call.bucket)
        if call.method == "PUT":
            return self._put(call, name, kind)
        if call.method == "DELETE":
            self._database.execute("DELETE FROM s3_documents WHERE bucket = ? AND name = ?", (call.bucket, name))
            return HttpAnswer(204)
        return self._get(call, name, kind)

    def _get(self, call: Call, name: str, kind: _DocumentKind) -> HttpAnswer:
        rows = self._database.execute(
            "SELECT body FROM s3_documents WHERE bucket = ? AND name = ?", (call.bucket, name)
        )
        if rows:
            media = "application/xml" if kind.root else "application/json"
            return HttpAnswer(200, {"content-type": media}, rows[0]["body"])
        if kind.default is None:
            raise ObjectStoreError(kind.missing, f"The bucket has no such configuration: {name}", 404)
        return default_document(kind.root, kind.default)

    def _put(self, call: Call, name: str, kind: _DocumentKind) -> HttpAnswer:
        if name == "policy":
            _check_policy(call.body)
        elif name == "tagging":
            s3_call.body_tags(call.body, most=50)
        # A canned ACL comes as a header without a body: the owner has full control in any case.
        elif not (name == "acl" and not call.body):
            xml.parse(call.body, kind.root)
        if call.body:
            self._database.execute(
                "INSERT OR REPLACE INTO s3_documents VALUES (?, ?, ?)", (call.bucket, name, call.body)
            )
        return HttpAnswer(kind.put_status)

    def _numbered(self, call: Call) -> HttpAnswer:
        self._store.bucket(call.bucket)
        raise ObjectStoreError("NoSuchConfiguration", f"The bucket has no configuration {call.query['id']}.", 404)

    def _list_numbered(self, call: Call, *, noun: str) -> HttpAnswer:
        self._store.bucket(call.bucket)
        return default_document(f"ListBucket{noun}ConfigurationsResult", "<IsTruncated>false</IsTruncated>")


def default_document(root: str, content: str) -> HttpAnswer:
    """Answer with a document whose content is written out already."""
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n<{root} xmlns="{xml.NAMESPACE}">{content}</{root}>'
    return HttpAnswer(200, {"content-type": "application/xml"}, text.encode())


def object_acl() -> HttpAnswer:
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
    statements = policy["Statement"]
    for statement in statements if isinstance(statements, list) else [statements]:
        _check_statement(statement)


def _check_statement(statement: Any) -> None:
    """Refuse a statement that would protect something, or open it to others."""
    if not isinstance(statement, dict) or statement.get("Effect") not in ("Allow", "Deny"):
        raise ObjectStoreError("MalformedPolicy", "A statement's Effect must be Allow or Deny")
    if statement["Effect"] == "Deny":
        raise ObjectStoreError(
            "NotImplemented",
            "The local cloud does not offer PutBucketPolicy's Deny: the owner may do everything. Leave it out, or use AWS.",
            501,
        )
    if statement.get("Principal") in ("*", {"AWS": "*"}, {"AWS": ["*"]}) and not statement.get("Condition"):
        raise ObjectStoreError(
            "AccessDenied",
            "Public policies are prevented by the BlockPublicPolicy setting in S3 Block Public Access.",
            403,
        )
