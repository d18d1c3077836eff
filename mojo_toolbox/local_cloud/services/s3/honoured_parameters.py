"""Which parameters of each S3 operation the local cloud honours, and which change nothing here. The rest is refused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mojo_toolbox.local_cloud.wire.checksums import ALGORITHMS
from mojo_toolbox.local_cloud.wire.fields import Fields

_NOT_ENCRYPTED = "nothing is encrypted beyond what this machine's disk does"
_OWNERS_ALONE = "everything is its owner's alone"
_OWNER_MAY = "the owner may do everything"
_NO_ARCHIVE = "it archives nothing, so nothing would have to be restored"
_NO_KEYS_OF_CLIENTS = "it does not encrypt with keys of clients"
_NO_LOCKS = "it locks no objects"
_NO_REPORTS = "it writes no reports and publishes no metrics"

# These mean the same wherever an operation has them.
ALWAYS_HONOURED = frozenset(
    [
        "Bucket",
        "Key",
        "VersionId",
        "ContentMD5",
        "ContentLength",
        "ChecksumAlgorithm",
        "ExpectedBucketOwner",
        "ExpectedSourceBucketOwner",
    ]
)
ALWAYS_WITHOUT_EFFECT = {
    "RequestPayer": "nobody pays",
    "MFA": "deleting never needs a second factor here",
    "BypassGovernanceRetention": "no object is locked",
}
ALWAYS_REFUSED = {
    **dict.fromkeys(("SSECustomerAlgorithm", "SSECustomerKey", "SSECustomerKeyMD5"), _NO_KEYS_OF_CLIENTS),
    **dict.fromkeys(
        ("CopySourceSSECustomerAlgorithm", "CopySourceSSECustomerKey", "CopySourceSSECustomerKeyMD5"),
        _NO_KEYS_OF_CLIENTS,
    ),
    **dict.fromkeys(("GrantFullControl", "GrantRead", "GrantReadACP", "GrantWrite", "GrantWriteACP"), _OWNERS_ALONE),
    "Token": "it neither locks nor replicates objects",
}


def _fields(
    honoured: str = "",
    *,
    without_effect: Mapping[str, str] | None = None,
    values: Mapping[str, tuple[Any, ...]] | None = None,
    reasons: Mapping[str, str] | None = None,
    nothing_by_itself: str = "",
) -> Fields:
    """Make a table from names that blanks part, together with what every operation has."""
    return Fields(
        honoured=ALWAYS_HONOURED | frozenset(honoured.split()),
        without_effect={**ALWAYS_WITHOUT_EFFECT, **(without_effect or {})},
        values=values or {},
        reasons={**ALWAYS_REFUSED, **(reasons or {})},
        nothing_by_itself=frozenset(nothing_by_itself.split()),
    )


_CHECKSUMS = " ".join(f"Checksum{algorithm}" for algorithm in ALGORITHMS)
_LISTED = "Delimiter EncodingType MaxKeys Prefix"
_NO_RESTORE = {"OptionalObjectAttributes": "nothing is archived, so nothing is being restored"}
_READ = (
    "IfMatch IfModifiedSince IfNoneMatch IfUnmodifiedSince Range ChecksumMode PartNumber ResponseCacheControl "
    "ResponseContentDisposition ResponseContentEncoding ResponseContentLanguage ResponseContentType ResponseExpires"
)
_KEPT = (
    "CacheControl ContentDisposition ContentEncoding ContentLanguage ContentType Expires Metadata Tagging "
    "WebsiteRedirectLocation"
)
_COPY_SOURCE = (
    "CopySource CopySourceIfMatch CopySourceIfModifiedSince CopySourceIfNoneMatch CopySourceIfUnmodifiedSince"
)
_WRITE_WITHOUT_EFFECT = {
    "SSEKMSKeyId": _NOT_ENCRYPTED,
    "SSEKMSEncryptionContext": _NOT_ENCRYPTED,
    "BucketKeyEnabled": _NOT_ENCRYPTED,
}
_WRITE_VALUES: Mapping[str, tuple[Any, ...]] = {
    "ACL": ("private", "bucket-owner-full-control"),
    "ServerSideEncryption": ("AES256", "aws:kms", "aws:kms:dsse"),
    "StorageClass": (
        "STANDARD",
        "STANDARD_IA",
        "ONEZONE_IA",
        "INTELLIGENT_TIERING",
        "GLACIER_IR",
        "REDUCED_REDUNDANCY",
    ),
}
_WRITE_REASONS = {
    "StorageClass": "it answers every object at once, and archives none",
    **dict.fromkeys(
        (
            "ObjectLockMode",
            "ObjectLockRetainUntilDate",
            "ObjectLockLegalHoldStatus",
            "ObjectLockEventHold",
            "ObjectLockEventHoldDurationDays",
            "ObjectLockEventHoldDurationYears",
        ),
        _NO_LOCKS,
    ),
}
_GRANT = "AccessControlPolicy"


def _acl() -> Fields:
    # Grants other than the owner's are refused before, in AWS's words.
    return _fields(_GRANT, values={"ACL": _WRITE_VALUES["ACL"]})


_OF_OBJECTS: Mapping[str, Fields] = {
    "GetObject": _fields(_READ),
    "HeadObject": _fields(_READ),
    "PutObject": _fields(
        f"Body IfMatch IfNoneMatch {_KEPT} {_CHECKSUMS}",
        without_effect=_WRITE_WITHOUT_EFFECT,
        values=_WRITE_VALUES,
        reasons={**_WRITE_REASONS, "WriteOffsetBytes": "only directory buckets append"},
    ),
    "CopyObject": _fields(
        f"{_COPY_SOURCE} IfMatch IfNoneMatch MetadataDirective TaggingDirective {_KEPT}",
        without_effect={**_WRITE_WITHOUT_EFFECT, "AnnotationDirective": "objects have no annotations"},
        values=_WRITE_VALUES,
        reasons=_WRITE_REASONS,
    ),
    "DeleteObject": _fields(
        "IfMatch",
        reasons=dict.fromkeys(("IfMatchLastModifiedTime", "IfMatchSize"), "only directory buckets compare it"),
    ),
    "GetObjectTagging": _fields(),
    "PutObjectTagging": _fields("Tagging"),
    "DeleteObjectTagging": _fields(),
    "GetObjectAcl": _fields(),
    "PutObjectAcl": _acl(),
    "GetObjectAttributes": _fields("MaxParts PartNumberMarker ObjectAttributes"),
    "CreateMultipartUpload": _fields(
        f"ChecksumType {_KEPT}", without_effect=_WRITE_WITHOUT_EFFECT, values=_WRITE_VALUES, reasons=_WRITE_REASONS
    ),
    "UploadPart": _fields(f"Body UploadId PartNumber {_CHECKSUMS}"),
    "UploadPartCopy": _fields(f"UploadId PartNumber CopySourceRange {_COPY_SOURCE}"),
    "CompleteMultipartUpload": _fields(
        f"UploadId MultipartUpload ChecksumType MpuObjectSize IfMatch IfNoneMatch {_CHECKSUMS}"
    ),
    "AbortMultipartUpload": _fields("UploadId", reasons={"IfMatchInitiatedTime": "only directory buckets compare it"}),
    "ListParts": _fields("UploadId MaxParts PartNumberMarker"),
}

_OBJECTS = "Delete.Objects[]"
_ENCRYPTION = "ServerSideEncryptionConfiguration.Rules[]"
_OF_BUCKETS: Mapping[str, Fields] = {
    "ListBuckets": _fields("MaxBuckets ContinuationToken Prefix BucketRegion"),
    "CreateBucket": _fields(
        "CreateBucketConfiguration.LocationConstraint",
        values={
            "ACL": _WRITE_VALUES["ACL"],
            "ObjectOwnership": ("BucketOwnerEnforced",),
            "BucketNamespace": ("global",),
        },
        reasons={
            "ObjectOwnership": _OWNERS_ALONE,
            "ObjectLockEnabledForBucket": _NO_LOCKS,
            "CreateBucketConfiguration.Tags": "put them with PutBucketTagging",
            "CreateBucketConfiguration.Location": "it has no directory buckets",
            "CreateBucketConfiguration.Bucket": "it has no directory buckets",
        },
    ),
    "HeadBucket": _fields(),
    "DeleteBucket": _fields(),
    "GetBucketLocation": _fields(),
    "ListObjects": _fields(f"{_LISTED} Marker", without_effect=_NO_RESTORE),
    "ListObjectsV2": _fields(f"{_LISTED} ContinuationToken FetchOwner StartAfter", without_effect=_NO_RESTORE),
    "ListObjectVersions": _fields(f"{_LISTED} KeyMarker VersionIdMarker", without_effect=_NO_RESTORE),
    "ListMultipartUploads": _fields("Delimiter EncodingType KeyMarker MaxUploads Prefix UploadIdMarker"),
    "DeleteObjects": _fields(
        f"Delete.Quiet {_OBJECTS}.Key {_OBJECTS}.VersionId {_OBJECTS}.ETag",
        reasons=dict.fromkeys(
            (f"{_OBJECTS}.LastModifiedTime", f"{_OBJECTS}.Size"), "only directory buckets compare it"
        ),
    ),
    "GetBucketVersioning": _fields(),
    "PutBucketVersioning": _fields(
        values={
            "VersioningConfiguration.Status": ("Suspended",),
            "VersioningConfiguration.MFADelete": ("Disabled",),
        },
        reasons=dict.fromkeys(
            ("VersioningConfiguration.Status", "VersioningConfiguration.MFADelete"),
            "it keeps one version of each object",
        ),
    ),
    "GetBucketPolicyStatus": _fields(),
    "GetBucketAccelerateConfiguration": _fields(),
    "PutBucketAccelerateConfiguration": _fields(
        values={"AccelerateConfiguration.Status": ("Suspended",)},
        reasons={"AccelerateConfiguration.Status": "it has one address"},
    ),
    "GetBucketAcl": _fields(),
    "PutBucketAcl": _acl(),
    "GetBucketCors": _fields(),
    "PutBucketCors": _fields(reasons={"CORSConfiguration": "it refuses pages of other origins"}),
    "DeleteBucketCors": _fields(),
    "GetBucketEncryption": _fields(),
    "PutBucketEncryption": _fields(
        without_effect={f"{_ENCRYPTION}.BucketKeyEnabled": _NOT_ENCRYPTED},
        values={
            f"{_ENCRYPTION}.ApplyServerSideEncryptionByDefault.SSEAlgorithm": ("AES256",),
            f"{_ENCRYPTION}.BlockedEncryptionTypes.EncryptionType[]": ("NONE", "SSE-C"),
        },
        reasons={
            f"{_ENCRYPTION}.ApplyServerSideEncryptionByDefault.SSEAlgorithm": "objects without one say AES256",
            f"{_ENCRYPTION}.ApplyServerSideEncryptionByDefault.KMSMasterKeyID": "objects without one say AES256",
        },
    ),
    "DeleteBucketEncryption": _fields(),
    "GetBucketLifecycleConfiguration": _fields(),
    "PutBucketLifecycleConfiguration": _fields(
        values={"TransitionDefaultMinimumObjectSize": ("all_storage_classes_128K",)},
        reasons={"LifecycleConfiguration": "no object expires or moves by itself"},
    ),
    "DeleteBucketLifecycle": _fields(),
    "GetBucketLogging": _fields(),
    "PutBucketLogging": _fields(
        reasons={"BucketLoggingStatus": "it logs no access"}, nothing_by_itself="BucketLoggingStatus"
    ),
    "GetBucketNotificationConfiguration": _fields(),
    "PutBucketNotificationConfiguration": _fields(
        without_effect={"SkipDestinationValidation": "no destination is taken"},
        reasons={"NotificationConfiguration": "it sends no events"},
        nothing_by_itself="NotificationConfiguration",
    ),
    "GetObjectLockConfiguration": _fields(),
    "PutObjectLockConfiguration": _fields(reasons={"ObjectLockConfiguration": _NO_LOCKS}),
    "GetBucketOwnershipControls": _fields(),
    "PutBucketOwnershipControls": _fields(
        values={"OwnershipControls.Rules[].ObjectOwnership": ("BucketOwnerEnforced",)},
        reasons={"OwnershipControls.Rules[].ObjectOwnership": _OWNERS_ALONE},
    ),
    "DeleteBucketOwnershipControls": _fields(),
    "GetBucketPolicy": _fields(),
    # The place that keeps a policy checks its text.
    "PutBucketPolicy": _fields(
        without_effect={
            "Policy": f"statements that allow something change nothing: {_OWNER_MAY}",
            "ConfirmRemoveSelfBucketAccess": _OWNER_MAY,
        }
    ),
    "DeleteBucketPolicy": _fields(),
    "GetPublicAccessBlock": _fields(),
    "PutPublicAccessBlock": _fields(without_effect={"PublicAccessBlockConfiguration": "nothing is public in any case"}),
    "DeletePublicAccessBlock": _fields(),
    "GetBucketReplication": _fields(),
    "PutBucketReplication": _fields(reasons={"ReplicationConfiguration": "there is one place, this machine"}),
    "DeleteBucketReplication": _fields(),
    "GetBucketRequestPayment": _fields(),
    "PutBucketRequestPayment": _fields(
        values={"RequestPaymentConfiguration.Payer": ("BucketOwner",)},
        reasons={"RequestPaymentConfiguration.Payer": "nobody pays"},
    ),
    "GetBucketTagging": _fields(),
    "PutBucketTagging": _fields("Tagging"),
    "DeleteBucketTagging": _fields(),
    "GetBucketWebsite": _fields(),
    "PutBucketWebsite": _fields(reasons={"WebsiteConfiguration": "it serves no websites"}),
    "DeleteBucketWebsite": _fields(),
}


def _numbered(noun: str) -> Mapping[str, Fields]:
    return {
        f"GetBucket{noun}Configuration": _fields("Id"),
        f"ListBucket{noun}Configurations": _fields("ContinuationToken"),
        f"PutBucket{noun}Configuration": _fields("Id", reasons={f"{noun}Configuration": _NO_REPORTS}),
        f"DeleteBucket{noun}Configuration": _fields("Id"),
    }


FIELDS: Mapping[str, Fields] = {
    **_OF_OBJECTS,
    **_OF_BUCKETS,
    **_numbered("Analytics"),
    **_numbered("IntelligentTiering"),
    **_numbered("Inventory"),
    **_numbered("Metrics"),
}
