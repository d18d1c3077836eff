"""Buckets, and the documents that clients attach to them."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError
from cloud_clients import Clients
from raw_http import send, signed


def refused(call, code: str) -> None:
    with pytest.raises(ClientError) as caught:
        call()
    assert caught.value.response["Error"]["Code"] == code


def test_buckets_are_made_listed_and_deleted(clients: Clients, bucket):
    s3 = clients("s3")
    assert bucket in [one["Name"] for one in s3.list_buckets()["Buckets"]]
    s3.create_bucket(Bucket=bucket)
    assert s3.head_bucket(Bucket=bucket)["BucketRegion"] == "us-east-1"
    s3.put_object(Bucket=bucket, Key="k", Body=b"")
    refused(lambda: s3.delete_bucket(Bucket=bucket), "BucketNotEmpty")
    s3.delete_object(Bucket=bucket, Key="k")
    s3.create_multipart_upload(Bucket=bucket, Key="k")
    s3.delete_bucket(Bucket=bucket)
    refused(lambda: s3.head_bucket(Bucket=bucket), "404")
    refused(lambda: s3.put_object(Bucket=bucket, Key="k", Body=b""), "NoSuchBucket")
    refused(lambda: s3.list_objects_v2(Bucket=bucket), "NoSuchBucket")


def test_a_bucket_remembers_its_region(clients: Clients):
    s3 = clients("s3")
    name = "in-ireland"
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    assert s3.get_bucket_location(Bucket=name)["LocationConstraint"] == "eu-west-1"
    again = {"LocationConstraint": "eu-west-1"}
    refused(lambda: s3.create_bucket(Bucket=name, CreateBucketConfiguration=again), "BucketAlreadyOwnedByYou")


@pytest.mark.parametrize("name", ["UPPER", "under_score", "10.0.0.1", "a..b", "-dash"])
def test_names_that_s3_refuses_are_refused(clients: Clients, name):
    path = f"/{name}"
    reply = send(clients.connection, "PUT", path, headers=signed(clients.connection, "PUT", path))
    assert (reply.status, reply.code) == (400, "InvalidBucketName")


def test_documents_of_a_bucket_come_back_as_they_were_put(clients: Clients, bucket):
    s3 = clients("s3")
    policy = json.dumps({"Version": "2012-10-17", "Statement": []})
    s3.put_bucket_policy(Bucket=bucket, Policy=policy)
    assert s3.get_bucket_policy(Bucket=bucket)["Policy"] == policy
    s3.delete_bucket_policy(Bucket=bucket)
    refused(lambda: s3.get_bucket_policy(Bucket=bucket), "NoSuchBucketPolicy")
    refused(lambda: s3.put_bucket_policy(Bucket=bucket, Policy="no JSON"), "MalformedPolicy")
    block = {
        "BlockPublicAcls": True,
        "IgnorePublicAcls": True,
        "BlockPublicPolicy": True,
        "RestrictPublicBuckets": True,
    }
    refused(lambda: s3.get_public_access_block(Bucket=bucket), "NoSuchPublicAccessBlockConfiguration")
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=block)
    assert s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"] == block
    tags = [{"Key": "k", "Value": "v"}]
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tags})
    assert s3.get_bucket_tagging(Bucket=bucket)["TagSet"] == tags


def test_a_bucket_without_documents_answers_as_aws_does(clients: Clients, bucket):
    s3 = clients("s3")
    assert "Status" not in s3.get_bucket_versioning(Bucket=bucket)
    assert s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    assert s3.get_bucket_acl(Bucket=bucket)["Grants"][0]["Permission"] == "FULL_CONTROL"
    assert s3.get_bucket_request_payment(Bucket=bucket)["Payer"] == "BucketOwner"
    ownership = s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]
    assert ownership["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    assert "MetricsConfigurationList" not in s3.list_bucket_metrics_configurations(Bucket=bucket)
    for get, code in (
        (s3.get_bucket_cors, "NoSuchCORSConfiguration"),
        (s3.get_bucket_lifecycle_configuration, "NoSuchLifecycleConfiguration"),
        (s3.get_bucket_tagging, "NoSuchTagSet"),
        (s3.get_bucket_website, "NoSuchWebsiteConfiguration"),
        (s3.get_object_lock_configuration, "ObjectLockConfigurationNotFoundError"),
    ):
        refused(lambda get=get: get(Bucket=bucket), code)


def test_another_account_owns_nothing_here(clients: Clients, bucket):
    s3 = clients("s3")
    s3.list_objects_v2(Bucket=bucket, ExpectedBucketOwner="123456789012")
    refused(lambda: s3.list_objects_v2(Bucket=bucket, ExpectedBucketOwner="999999999999"), "AccessDenied")


def test_documents_with_entities_are_not_expanded(clients: Clients, bucket):
    body = b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><Delete><Object><Key>&e;</Key></Object></Delete>'
    path = f"/{bucket}?delete"
    reply = send(
        clients.connection, "POST", path, headers=signed(clients.connection, "POST", path, body=body), body=body
    )
    assert (reply.status, reply.code) == (400, "MalformedXML")
