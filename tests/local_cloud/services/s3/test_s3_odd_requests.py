"""What S3 answers to requests that are odd, but no attack on a signature."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import quote

import pytest
from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from cloud_clients import Clients
from raw_http import Reply, send, signed

from mojo_toolbox.local_cloud.lifecycle import RunningCloud
from mojo_toolbox.local_cloud.services.s3.store import ObjectStore
from mojo_toolbox.local_cloud.services.s3.tables import NewObject
from mojo_toolbox.local_cloud.state.database import CloudDatabase


def ask(clients: Clients, method: str, path: str, headers: dict[str, str] | None = None, body: bytes = b"") -> Reply:
    made = signed(clients.connection, method, path, headers=headers, body=body)
    return send(clients.connection, method, path, headers=made, body=body or None)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("by", ["etag", "time", "both"])
def test_an_object_that_has_not_changed_is_described(clients: Clients, bucket, method, by):
    s3 = clients("s3")
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", CacheControl="max-age=5", Metadata={"m": "1"})
    full = ask(clients, method, f"/{bucket}/k").headers
    headers = {"If-None-Match": full["etag"]} if by != "time" else {}
    headers |= {"If-Modified-Since": full["last-modified"]} if by != "etag" else {}
    reply = ask(clients, method, f"/{bucket}/k", headers)
    assert (reply.status, reply.body) == (304, b"")
    for name in ("etag", "last-modified", "cache-control"):
        assert reply.headers[name] == full[name]
    assert not reply.headers.keys() & {"content-type", "content-length", "transfer-encoding"}


@pytest.mark.parametrize(
    ("header", "status", "body"),
    [
        (f"bytes=0-{'9' * 5000}", 206, b"0123456789"),
        (f"bytes=-{'9' * 5000}", 206, b"0123456789"),
        (f"bytes={'0' * 5000}2-3", 206, b"23"),
        (f"bytes={'9' * 5000}-", 416, None),
        (f"bytes={'9' * 5000}-{'9' * 5001}", 416, None),
    ],
)
def test_a_range_of_thousands_of_digits_is_a_range(clients: Clients, bucket, header, status, body):
    clients("s3").put_object(Bucket=bucket, Key="k", Body=b"0123456789")
    reply = ask(clients, "GET", f"/{bucket}/k", {"Range": header})
    assert reply.status == status
    if body is None:
        assert reply.headers["content-range"] == "bytes */10"
        assert reply.code == "InvalidRange"
    else:
        assert reply.body == body


def presigned(cloud: RunningCloud, path: str) -> str:
    """Return the path with the signature in its query, as the JavaScript SDK writes it."""
    own = Credentials(cloud.credentials.access_key_id, cloud.credentials.secret_access_key)
    request: Any = AWSRequest("PUT", cloud.endpoint_url + path)
    S3SigV4QueryAuth(own, "s3", "us-east-1").add_auth(request)
    return str(request.url).removeprefix(cloud.endpoint_url)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x-amz-checksum-crc32", "AAAAAA=="),
        ("X-Amz-Checksum-Crc32C", "AAAAAA=="),
        ("x-amz-checksum-sha256", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="),
        ("x-amz-checksum-crc64nvme", "no checksum"),
    ],
)
def test_a_checksum_in_the_query_of_a_presigned_put_is_ignored(clients: Clients, bucket, name, value):
    query = f"{name}={quote(value, safe='')}&x-amz-sdk-checksum-algorithm=CRC32&x-id=PutObject"
    path = presigned(clients.connection, f"/{bucket}/k?{query}&x-amz-meta-who=me")
    reply = send(clients.connection, "PUT", path, body=b"content")
    assert reply.status == 200, reply.body
    got = clients("s3").get_object(Bucket=bucket, Key="k")
    assert (got["Body"].read(), got["Metadata"]) == (b"content", {"who": "me"})


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("kind", ['SYSTEM "file:///etc/passwd"', '"expanded"'])
def test_a_document_type_is_refused_in_every_encoding(clients: Clients, bucket, encoding, kind):
    declared = encoding.removesuffix("-sig").removesuffix("-le").removesuffix("-be")
    text = (
        f'<?xml version="1.0" encoding="{declared}"?><!DOCTYPE Tagging [<!ENTITY e {kind}>]>'
        "<Tagging><TagSet><Tag><Key>k</Key><Value>&e;</Value></Tag></TagSet></Tagging>"
    )
    clients("s3").put_object(Bucket=bucket, Key="k", Body=b"x")
    for path in (f"/{bucket}/k?tagging", f"/{bucket}?tagging"):
        reply = ask(clients, "PUT", path, body=text.encode(encoding))
        assert (reply.status, reply.code) == (400, "MalformedXML")
    assert clients("s3").get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == []


def test_a_document_type_that_multiplies_itself_is_not_expanded(clients: Clients, bucket):
    levels = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
    body = f'<!DOCTYPE d [<!ENTITY e0 "x">{levels}]><Delete><Object><Key>&e11;</Key></Object></Delete>'
    started = time.monotonic()
    reply = ask(clients, "POST", f"/{bucket}?delete", body=body.encode("utf-16"))
    assert (reply.status, reply.code) == (400, "MalformedXML")
    assert time.monotonic() - started < 5


def test_the_words_of_a_document_type_may_stand_in_a_text(clients: Clients, bucket):
    body = b"<Tagging><TagSet><Tag><Key>k</Key><Value><![CDATA[<!DOCTYPE x>]]></Value></Tag></TagSet></Tagging>"
    clients("s3").put_object(Bucket=bucket, Key="k", Body=b"x")
    assert ask(clients, "PUT", f"/{bucket}/k?tagging", body=body).status == 200
    tags = clients("s3").get_object_tagging(Bucket=bucket, Key="k")["TagSet"]
    assert tags == [{"Key": "k", "Value": "<!DOCTYPE x>"}]


def test_a_thousand_objects_are_deleted_in_one_write(tmp_path):
    commits: list[str] = []

    class Traced(CloudDatabase):
        def _connect(self):
            connection = super()._connect()
            connection.set_trace_callback(lambda text: commits.append(text) if text == "COMMIT" else None)
            return connection

    database = Traced(tmp_path / "cloud.sqlite")
    store = ObjectStore(tmp_path / "s3", database)
    store.create_bucket("bucket")
    keys = [f"k{number}" for number in range(100)]
    for key in keys:
        writer = store.writer()
        writer.write(b"x")
        store.put("bucket", key, [writer.seal()], "etag", NewObject())
    commits.clear()
    assert store.delete_all("bucket", [(key, None) for key in [*keys, "missing", "k1"]]) == [None] * 102
    assert len(commits) == 1
    assert not list((tmp_path / "s3").rglob("*/??/*"))
    database.close()


def test_deleting_many_refuses_each_for_itself(clients: Clients, bucket):
    s3 = clients("s3")
    etags = [s3.put_object(Bucket=bucket, Key=f"k{number}", Body=b"x")["ETag"] for number in range(3)]
    objects = [
        {"Key": "k0", "ETag": etags[0]},
        {"Key": "k1", "ETag": '"other"'},
        {"Key": "k2", "VersionId": "other"},
        {"Key": "missing"},
    ]
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": objects})
    assert [one["Key"] for one in answer["Deleted"]] == ["k0", "missing"]
    assert [(one["Key"], one["Code"]) for one in answer["Errors"]] == [
        ("k1", "PreconditionFailed"),
        ("k2", "NoSuchVersion"),
    ]
    assert [one["Key"] for one in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["k1", "k2"]
