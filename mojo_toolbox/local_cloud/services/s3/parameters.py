"""Refuses requests to S3 for something unsupported: in AWS's words where AWS has some, else in our own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mojo_toolbox.local_cloud.services.s3 import call as s3_call
from mojo_toolbox.local_cloud.services.s3.call import Call
from mojo_toolbox.local_cloud.services.s3.honoured_parameters import FIELDS
from mojo_toolbox.local_cloud.services.s3.members import enum_of, members_of_request
from mojo_toolbox.local_cloud.services.s3.s3_errors import ObjectStoreError
from mojo_toolbox.local_cloud.wire.fields import refuse_unhonoured

# S3 has words of its own for these. Every other value that it does not know is an InvalidArgument.
_WRONG_VALUES = {
    "StorageClass": ("InvalidStorageClass", "The storage class you specified is not valid"),
    "ServerSideEncryption": ("InvalidEncryptionAlgorithmError", "The encryption request you specified is not valid"),
}
# Whoever reads these refuses them, and takes small letters too.
_READ_ELSEWHERE = frozenset(
    ["ChecksumAlgorithm", "ChecksumMode", "ChecksumType", "EncodingType", "MetadataDirective", "TaggingDirective"]
)
_OWNERS_ACLS = ("private", "bucket-owner-full-control")


def check_parameters(operation: str, call: Call) -> None:
    """Look at all that a request gives but its bucket, its key and an object's bytes.

    Raises:
        ObjectStoreError: it gives something that S3 does not take, or that the local cloud does not do.
    """
    members = members_of_request(operation, call)
    if operation in ("PutBucketAcl", "PutObjectAcl") and not any(map(_is_of_acl, members)):
        raise ObjectStoreError("MissingSecurityHeader", "Your request was missing a required header: x-amz-acl")
    for name, value in members.items():
        _check_value(operation, name, value)
    _check_acl(operation, members)
    _check_encryption(members)
    refuse_unhonoured(operation, members, FIELDS[operation], code="NotImplemented", status=501)


def _check_value(operation: str, name: str, value: Any) -> None:
    if name in _READ_ELSEWHERE:
        return
    # Buckets take all that objects do, and pass over the rest.
    known = enum_of("PutObject" if name == "ACL" else operation, name)
    if known and value not in known:
        code, message = _WRONG_VALUES.get(name, ("InvalidArgument", f"{name} is not valid"))
        raise ObjectStoreError(code, f"{message}: {value}")


def _check_acl(operation: str, members: Mapping[str, Any]) -> None:
    """Refuse access for others, as buckets do whose objects are their owner's: all new ones, on AWS."""
    granted = any(_is_of_acl(name) and name not in ("ACL", "AccessControlPolicy") for name in members)
    if "AccessControlPolicy" in members:
        grants = members["AccessControlPolicy"].get("Grants") or []
        granted = granted or not grants or not all(map(_is_owners, grants))
    if not granted and members.get("ACL", _OWNERS_ACLS[0]) in _OWNERS_ACLS:
        return
    if operation == "CreateBucket":
        raise ObjectStoreError(
            "InvalidBucketAclWithObjectOwnership",
            "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting",
        )
    raise ObjectStoreError("AccessControlListNotSupported", "The bucket does not allow ACLs")


def _is_of_acl(name: str) -> bool:
    return name in ("ACL", "AccessControlPolicy") or name.startswith("Grant")


def _is_owners(grant: Any) -> bool:
    return bool(
        grant.get("Permission") == "FULL_CONTROL" and grant.get("Grantee", {}).get("ID") == s3_call.owner()["ID"]
    )


def _check_encryption(members: Mapping[str, Any]) -> None:
    by_kms = str(members.get("ServerSideEncryption", "")).startswith("aws:kms")
    if not by_kms and ("SSEKMSKeyId" in members or "SSEKMSEncryptionContext" in members):
        raise ObjectStoreError(
            "InvalidArgument",
            "Server Side Encryption with AWS KMS managed key requires HTTP header "
            "x-amz-server-side-encryption : aws:kms",
        )
