"""What a request to S3 asks for is done, without effect, or refused by name: nothing is accepted and forgotten."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from cloud_clients import Clients
from raw_http import send, signed

from mojo_toolbox.local_cloud.identity.credentials import KeyRing
from mojo_toolbox.local_cloud.services.s3.honoured_parameters import FIELDS
from mojo_toolbox.local_cloud.services.s3.routes import Route
from mojo_toolbox.local_cloud.services.s3.service import S3Service
from mojo_toolbox.local_cloud.services.s3.store import ObjectStore
from mojo_toolbox.local_cloud.state.database import CloudDatabase
from mojo_toolbox.local_cloud.state.home import AccessKey
from mojo_toolbox.local_cloud.wire.validation import service_shapes

ALL_USERS = 'uri="http://acs.amazonaws.com/groups/global/AllUsers"'
CUSTOMER_KEY = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": "0" * 32}
LATER = "2099-01-01T00:00:00Z"
DENY = {"Effect": "Deny", "Principal": "*", "Action": "s3:DeleteObject", "Resource": "arn:aws:s3:::b/*"}
PUBLIC = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"}


def ask(clients: Clients, bucket: str, method: str, parameters: dict[str, Any]) -> dict[str, Any]:
    """Call `method` on the bucket, with a key, a body and a source where it has them."""
    s3 = clients("s3")
    members = service_shapes("s3")["shapes"][s3.meta.method_to_api_mapping[method] + "Request"]["members"]
    usual = {"Bucket": bucket, "Key": "k", "Body": b"new", "CopySource": f"{bucket}/source"}
    given = {name: value for name, value in usual.items() if name in members} | parameters
    return getattr(s3, method)(**given)


def refusal(clients: Clients, bucket: str, method: str, parameters: dict[str, Any]) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        ask(clients, bucket, method, parameters)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


@pytest.fixture
def filled(clients: Clients, bucket) -> str:
    for key in ("k", "source"):
        clients("s3").put_object(Bucket=bucket, Key=key, Body=b"old")
    return bucket


@pytest.mark.parametrize("method", ["put_object", "copy_object", "create_multipart_upload"])
@pytest.mark.parametrize(
    "parameters",
    [
        {"StorageClass": "GLACIER"},
        {"StorageClass": "DEEP_ARCHIVE"},
        {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": LATER},
        {"ObjectLockRetainUntilDate": LATER},
        {"ObjectLockLegalHoldStatus": "ON"},
        CUSTOMER_KEY,
    ],
)
def test_a_write_is_refused_that_asks_for_what_is_not_done(clients: Clients, filled, method, parameters):
    code, message = refusal(clients, filled, method, parameters)
    assert code == "NotImplemented"
    assert any(f"'s {name}" in message for name in parameters), message
    assert clients("s3").get_object(Bucket=filled, Key="k")["Body"].read() == b"old"
    assert "Uploads" not in clients("s3").list_multipart_uploads(Bucket=filled)


@pytest.mark.parametrize(
    ("method", "parameters"),
    [
        ("copy_object", {"CopySourceSSECustomerAlgorithm": "AES256", "CopySourceSSECustomerKey": "0" * 32}),
        ("get_object", CUSTOMER_KEY),
        ("put_bucket_versioning", {"VersioningConfiguration": {"Status": "Enabled"}}),
        ("put_bucket_versioning", {"VersioningConfiguration": {"Status": "Suspended", "MFADelete": "Enabled"}}),
        ("put_bucket_accelerate_configuration", {"AccelerateConfiguration": {"Status": "Enabled"}}),
        ("put_bucket_request_payment", {"RequestPaymentConfiguration": {"Payer": "Requester"}}),
        ("put_bucket_website", {"WebsiteConfiguration": {"IndexDocument": {"Suffix": "index.html"}}}),
        (
            "put_bucket_lifecycle_configuration",
            {"LifecycleConfiguration": {"Rules": [{"Status": "Enabled", "Prefix": "", "Expiration": {"Days": 1}}]}},
        ),
        (
            "put_bucket_cors",
            {"CORSConfiguration": {"CORSRules": [{"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]}]}},
        ),
        ("put_bucket_notification_configuration", {"NotificationConfiguration": {"EventBridgeConfiguration": {}}}),
        (
            "put_bucket_logging",
            {"BucketLoggingStatus": {"LoggingEnabled": {"TargetBucket": "logs", "TargetPrefix": ""}}},
        ),
        ("put_bucket_metrics_configuration", {"Id": "all", "MetricsConfiguration": {"Id": "all"}}),
        ("put_object_lock_configuration", {"ObjectLockConfiguration": {"ObjectLockEnabled": "Enabled"}}),
        ("put_bucket_ownership_controls", {"OwnershipControls": {"Rules": [{"ObjectOwnership": "ObjectWriter"}]}}),
        (
            "put_bucket_encryption",
            {
                "ServerSideEncryptionConfiguration": {
                    "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}]
                }
            },
        ),
        ("put_bucket_policy", {"Policy": json.dumps({"Statement": [DENY]})}),
        ("put_bucket_policy", {"Policy": json.dumps({"Statement": DENY})}),
        ("create_bucket", {"Bucket": "never-made", "ObjectLockEnabledForBucket": True}),
        ("create_bucket", {"Bucket": "never-made", "ObjectOwnership": "BucketOwnerPreferred"}),
    ],
)
def test_what_a_bucket_would_only_seem_to_do_is_refused(clients: Clients, filled, method, parameters):
    code, message = refusal(clients, filled, method, parameters)
    operation = clients("s3").meta.method_to_api_mapping[method]
    assert code == "NotImplemented"
    assert operation in message
    assert "never-made" not in [one["Name"] for one in clients("s3").list_buckets()["Buckets"]]


@pytest.mark.parametrize(
    ("method", "parameters", "code"),
    [
        ("put_object", {"ACL": "public-read"}, "AccessControlListNotSupported"),
        ("put_object", {"GrantRead": ALL_USERS}, "AccessControlListNotSupported"),
        ("copy_object", {"ACL": "authenticated-read"}, "AccessControlListNotSupported"),
        ("create_multipart_upload", {"ACL": "public-read"}, "AccessControlListNotSupported"),
        ("put_object_acl", {"ACL": "public-read"}, "AccessControlListNotSupported"),
        ("put_object_acl", {"GrantFullControl": ALL_USERS}, "AccessControlListNotSupported"),
        ("put_bucket_acl", {"ACL": "public-read"}, "AccessControlListNotSupported"),
        ("put_bucket_acl", {"GrantWrite": ALL_USERS}, "AccessControlListNotSupported"),
        ("create_bucket", {"Bucket": "never-made", "ACL": "public-read"}, "InvalidBucketAclWithObjectOwnership"),
        ("put_bucket_policy", {"Policy": json.dumps({"Statement": [PUBLIC]})}, "AccessDenied"),
        ("put_bucket_policy", {"Policy": json.dumps({"Statement": ["nonsense"]})}, "MalformedPolicy"),
        ("put_object", {"StorageClass": "NONSENSE"}, "InvalidStorageClass"),
        ("put_object", {"ACL": "nonsense"}, "InvalidArgument"),
        ("put_object", {"ServerSideEncryption": "nonsense"}, "InvalidEncryptionAlgorithmError"),
        ("put_object", {"SSEKMSKeyId": "key"}, "InvalidArgument"),
        ("copy_object", {"TaggingDirective": "NONSENSE"}, "InvalidArgument"),
    ],
)
def test_what_aws_refuses_is_refused_in_its_words(clients: Clients, filled, method, parameters, code):
    assert refusal(clients, filled, method, parameters)[0] == code
    assert clients("s3").get_object(Bucket=filled, Key="k")["Body"].read() == b"old"


@pytest.mark.parametrize(
    ("method", "parameters"),
    [
        ("put_object", {"ACL": "private", "StorageClass": "STANDARD", "ChecksumAlgorithm": "SHA256"}),
        ("put_object", {"ACL": "bucket-owner-full-control", "RequestPayer": "requester"}),
        ("put_object", {"ServerSideEncryption": "AES256", "ExpectedBucketOwner": "123456789012"}),
        ("put_object", {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": "key", "BucketKeyEnabled": True}),
        ("copy_object", {"TaggingDirective": "COPY", "MetadataDirective": "COPY", "ACL": "private"}),
        ("create_multipart_upload", {"ACL": "private", "StorageClass": "STANDARD_IA"}),
        ("put_object_acl", {"ACL": "private"}),
        ("put_bucket_acl", {"ACL": "private"}),
        ("get_object", {"ChecksumMode": "ENABLED", "RequestPayer": "requester"}),
        ("list_objects_v2", {"EncodingType": "url", "FetchOwner": True, "OptionalObjectAttributes": ["RestoreStatus"]}),
        ("create_bucket", {"Bucket": "plain", "ACL": "private", "ObjectLockEnabledForBucket": False}),
        ("create_bucket", {"Bucket": "plainer", "ObjectOwnership": "BucketOwnerEnforced"}),
        ("put_bucket_versioning", {"VersioningConfiguration": {"Status": "Suspended"}}),
        ("put_bucket_notification_configuration", {"NotificationConfiguration": {}}),
        ("put_bucket_logging", {"BucketLoggingStatus": {}}),
        (
            "put_bucket_encryption",
            {
                "ServerSideEncryptionConfiguration": {
                    "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
                }
            },
        ),
        ("put_bucket_policy", {"Policy": json.dumps({"Statement": [PUBLIC | {"Principal": {"AWS": "123456789012"}}]})}),
    ],
)
def test_what_changes_nothing_is_taken(clients: Clients, filled, method, parameters):
    ask(clients, filled, method, parameters)


def test_headers_that_clients_add_by_themselves_are_taken(clients: Clients, bucket):
    added = {
        "Expect": "100-continue",
        "amz-sdk-request": "attempt=1",
        "x-amz-sdk-checksum-algorithm": "CRC32",
        "x-amz-checksum-crc32": "jNwWgw==",
        "x-amz-user-agent": "aws-sdk-js",
        "x-amz-mine": "1",
    }
    path = f"/{bucket}/k"
    headers = signed(clients.connection, "PUT", path, headers=added, body=b"x")
    assert send(clients.connection, "PUT", path, headers=headers | added, body=b"x").status == 200


def test_a_presigned_url_cannot_ask_for_more(clients: Clients, bucket):
    url = clients("s3", signature_version="s3v4").generate_presigned_url(
        "put_object", Params={"Bucket": bucket, "Key": "k", "StorageClass": "GLACIER"}
    )
    path = url.removeprefix(clients.connection.endpoint_url)
    reply = send(clients.connection, "PUT", path, headers={"x-amz-storage-class": "GLACIER"}, body=b"x")
    assert reply.code == "NotImplemented", reply.body


@pytest.fixture
def routes(tmp_path: Path) -> list[Route]:
    database = CloudDatabase(tmp_path / "database")
    service = S3Service(ObjectStore(tmp_path, database), KeyRing(AccessKey("AKIATEST", "secret"), database))
    return [
        route for group in (service._of_service, service._of_buckets, service._of_objects) for route in group.routes
    ]


def test_every_operation_has_a_table_and_every_table_an_operation(routes):
    assert sorted(route.name for route in routes) == sorted(FIELDS)


def test_every_parameter_that_a_table_takes_may_be_in_the_query(routes):
    model = service_shapes("s3")
    for route in routes:
        shape = model["operations"][route.name].get("input", {}).get("shape")
        members = model["shapes"][shape]["members"] if shape else {}
        queried = {
            member["locationName"]
            for name, member in members.items()
            if member.get("location") == "querystring" and name in FIELDS[route.name].accepted
        }
        assert queried - {route.subresource} <= set(route.parameters), route.name
