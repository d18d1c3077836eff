"""A query parameter that an operation does not know is refused: ignored, it would turn one request into another."""

from __future__ import annotations

import itertools

import pytest
from cloud_clients import Clients
from raw_http import Reply, send, signed


def names(text: str) -> set[str]:
    return set(text.split())


# Every sub-resource of S3's API, and names that it does not have.
SUBRESOURCES = names("""
    abac accelerate acl analytics annotation attributes cors delete encryption intelligent-tiering inventory legal-hold
    lifecycle list-type location logging metadataConfiguration metadataTable metrics notification object-lock
    ownershipControls policy policyStatus publicAccessBlock renameObject replication requestPayment restore retention
    select session tagging torrent uploads uploadId versioning versions website
    ACL Delete frobnicate partNumber
""")
OFFERED = {
    "GET": {
        "bucket": names(
            "accelerate acl analytics cors encryption intelligent-tiering inventory lifecycle location logging metrics "
            "notification object-lock ownershipControls policy policyStatus publicAccessBlock replication "
            "requestPayment tagging uploads versioning versions website"
        ),
        "object": {"acl", "attributes", "tagging", "uploadId", "partNumber"},
    },
    "HEAD": {"bucket": set(), "object": {"partNumber"}},
    "PUT": {
        "bucket": names(
            "accelerate acl cors encryption lifecycle logging notification ownershipControls policy "
            "publicAccessBlock requestPayment tagging versioning website"
        ),
        "object": {"acl", "tagging", "uploadId"},
    },
    "POST": {"bucket": {"delete"}, "object": {"uploads", "uploadId"}},
    "DELETE": {
        "bucket": names(
            "cors encryption lifecycle ownershipControls policy publicAccessBlock replication tagging website"
        ),
        "object": {"tagging", "uploadId"},
    },
}


def ask(clients: Clients, method: str, path: str, body: bytes = b"") -> Reply:
    headers = signed(clients.connection, method, path, body=body)
    return send(clients.connection, method, path, headers=headers, body=body or None)


@pytest.mark.parametrize(("method", "kind"), list(itertools.product(OFFERED, ["bucket", "object"])))
def test_what_is_not_offered_is_refused_and_changes_nothing(clients: Clients, bucket, method, kind):
    s3 = clients("s3")
    s3.put_object(Bucket=bucket, Key="k", Body=b"kept")
    path = f"/{bucket}" if kind == "bucket" else f"/{bucket}/k"
    for name in sorted(SUBRESOURCES - OFFERED[method][kind]):
        for query in (name, f"{name}=", f"{name}=1"):
            reply = ask(clients, method, f"{path}?{query}")
            assert reply.status in (400, 405, 501), (query, reply.status, reply.body)
        assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"kept", name
    assert [one["Key"] for one in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["k"]


@pytest.mark.parametrize("query", ["uploads", "frobnicate", "acl", "location", "versioning", "versions", "list-type=2"])
def test_an_empty_bucket_is_not_deleted_by_mistake(clients: Clients, bucket, query):
    assert ask(clients, "DELETE", f"/{bucket}?{query}").status in (400, 405)
    clients("s3").head_bucket(Bucket=bucket)


@pytest.mark.parametrize(
    ("method", "query", "status", "code"),
    [
        ("DELETE", "acl", 405, "MethodNotAllowed"),
        ("PUT", "legal-hold", 501, "NotImplemented"),
        ("PUT", "acl&tagging", 400, "InvalidArgument"),
        ("PUT", "partNumber=1", 400, "InvalidArgument"),
        ("GET", "uploads", 405, "MethodNotAllowed"),
        ("PATCH", "", 405, "MethodNotAllowed"),
    ],
)
def test_a_refusal_says_what_is_wrong(clients: Clients, bucket, method, query, status, code):
    clients("s3").put_object(Bucket=bucket, Key="k", Body=b"kept")
    reply = ask(clients, method, f"/{bucket}/k?{query}")
    assert (reply.status, reply.code) == (status, code), reply.body


def test_parameters_that_clients_use_for_themselves_are_ignored(clients: Clients, bucket):
    for method, path in (("PUT", "/k"), ("GET", "/k"), ("HEAD", "/k"), ("GET", "?list-type=2"), ("DELETE", "/k")):
        mark = "&" if "?" in path else "?"
        reply = ask(clients, method, f"/{bucket}{path}{mark}x-id=Operation&x-mine=1")
        assert reply.status in (200, 204), reply.body


def test_a_path_without_a_bucket_is_no_list_of_buckets(clients: Clients):
    assert ask(clients, "GET", "//key").code == "InvalidBucketName"
    assert ask(clients, "GET", "/?acl").status in (400, 405, 501)
    assert ask(clients, "POST", "/").status == 405
