"""Only what its owner signed reaches the local cloud."""

from __future__ import annotations

import base64
import json
import time
import urllib.error
import urllib.request
import zlib
from urllib.parse import quote

import pytest
from botocore.exceptions import ClientError
from cloud_clients import Clients
from raw_http import ChunkSigner, send, signed

from mojo_toolbox.local_cloud.identity.credentials import KeyRing
from mojo_toolbox.local_cloud.identity.signatures import verify
from mojo_toolbox.local_cloud.lifecycle import RunningCloud
from mojo_toolbox.local_cloud.state.database import CloudDatabase
from mojo_toolbox.local_cloud.state.home import AccessKey
from mojo_toolbox.local_cloud.wire.http import HttpRequest
from mojo_toolbox.local_cloud.wire.protocol import ServiceError

SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
SIGNED_WITH_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
UNSIGNED_WITH_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("GET", "/", {}),
        ("PUT", "/bucket", {}),
        ("PUT", "/bucket/key", {"origin": "https://page.example", "content-type": "text/plain"}),
        ("OPTIONS", "/bucket/key", {"origin": "https://page.example", "access-control-request-method": "PUT"}),
        ("POST", "/", {"content-type": "application/x-www-form-urlencoded"}),
        ("POST", "/", {"x-amz-target": "SageMaker.CreateTrainingJob", "content-type": "application/x-amz-json-1.1"}),
        ("POST", "/endpoints/name/invocations", {"content-type": "application/json"}),
        ("GET", "/moto-api/data.json", {}),
        ("POST", "/moto-api/reset", {}),
        ("GET", "/?X-Amz-Signature=", {}),
        ("GET", "/?AWSAccessKeyId=x&Signature=y&Expires=99999999999", {}),
        ("GET", "/", {"authorization": "Basic dXNlcjpwYXNz"}),
        ("GET", "/", {"authorization": "AWS4-HMAC-SHA256 nonsense"}),
        ("GET", "/", {"authorization": "AWS key:signature"}),
    ],
)
def test_a_request_without_a_signature_is_refused(cloud: RunningCloud, method, path, headers):
    reply = send(cloud, method, path, headers=headers, body=b"x" if method in ("PUT", "POST") else None)
    assert reply.status == 403
    assert not [name for name in reply.headers if name.startswith("access-control")]


@pytest.mark.parametrize("host", ["page.example", "127.0.0.1.page.example", "localhost.page.example", "10.0.0.1", ""])
def test_a_name_that_is_not_loopback_is_refused_even_when_signed(cloud: RunningCloud, host):
    headers = signed(cloud, "GET", "/") | {"Host": host}
    assert send(cloud, "GET", "/", headers=headers).status == 403


@pytest.mark.parametrize("service", ["s3", "sts", "sagemaker", "logs", "iam", "sagemaker-runtime"])
def test_a_wrong_secret_and_an_unknown_key_are_refused_by_every_service(clients: Clients, service):
    call = {
        "s3": ("list_buckets", {}),
        "sts": ("get_caller_identity", {}),
        "sagemaker": ("list_models", {}),
        "logs": ("describe_log_groups", {}),
        "iam": ("list_roles", {}),
        "sagemaker-runtime": ("invoke_endpoint", {"EndpointName": "name", "Body": b"{}"}),
    }[service]
    own = clients.connection.credentials.access_key_id
    seen = set()
    for keys in (
        {"AccessKeyId": own, "SecretAccessKey": "wrong"},
        {"AccessKeyId": "AKIAUNKNOWN", "SecretAccessKey": "wrong"},
        {"AccessKeyId": own, "SecretAccessKey": clients.connection.credentials.secret_access_key, "SessionToken": "x"},
    ):
        with pytest.raises(ClientError) as caught:
            getattr(clients(service, keys), call[0])(**call[1])
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
        seen.add(caught.value.response["Error"]["Code"])
    assert seen in (
        {"SignatureDoesNotMatch", "InvalidAccessKeyId"},
        {"SignatureDoesNotMatch", "InvalidClientTokenId"},
        {"InvalidSignatureException", "UnrecognizedClientException"},
    )


def test_a_request_signed_by_hand_is_answered(cloud: RunningCloud, bucket):
    path = f"/{bucket}/{quote('käse (1)/a+b&c.txt')}"
    assert send(cloud, "PUT", path, headers=signed(cloud, "PUT", path, body=b"cheese"), body=b"cheese").status == 200
    assert send(cloud, "GET", path, headers=signed(cloud, "GET", path)).body == b"cheese"


def test_a_body_that_was_altered_is_refused_and_not_kept(cloud: RunningCloud, clients: Clients, bucket):
    path = f"/{bucket}/key"
    reply = send(cloud, "PUT", path, headers=signed(cloud, "PUT", path, body=b"right"), body=b"wrong")
    assert (reply.status, reply.code) == (400, "XAmzContentSHA256Mismatch")
    form = b"Action=GetCallerIdentity&Version=2011-06-15"
    kind = {"content-type": "application/x-www-form-urlencoded"}
    headers = signed(cloud, "POST", "/", service="sts", headers=kind, body=form)
    assert send(cloud, "POST", "/", headers=headers, body=form).status == 200
    assert send(cloud, "POST", "/", headers=headers, body=form.replace(b"Caller", b"Callex")).status == 403
    assert "Contents" not in clients("s3").list_objects_v2(Bucket=bucket)


def test_a_signature_does_not_serve_another_method_path_query_or_header(cloud: RunningCloud, bucket):
    path = f"/{bucket}/key"
    headers = signed(cloud, "PUT", path, body=b"x")
    assert send(cloud, "DELETE", path, headers=headers).status == 403
    assert send(cloud, "PUT", path + "2", headers=headers, body=b"x").status == 403
    assert send(cloud, "PUT", path + "?tagging", headers=headers, body=b"x").status == 403
    added = {"x-amz-copy-source": "/other/secret"}
    reply = send(cloud, "PUT", path, headers=headers | added, body=b"x")
    assert (reply.status, reply.code) == (403, "AccessDenied")
    assert send(cloud, "PUT", path, headers=headers, body=b"x").status == 200


def test_a_request_from_another_time_is_refused(cloud: RunningCloud, tmp_path):
    headers = {name.lower(): value for name, value in signed(cloud, "GET", "/").items()}
    request = HttpRequest("GET", "/", "", headers, "id")
    database = CloudDatabase(tmp_path / "keys.sqlite")
    keys = KeyRing(cloud.credentials, database)
    assert verify(request, keys, now=time.time() + 14 * 60).service == "s3"
    for wrong in (16 * 60, -16 * 60, 86400 * 2):
        with pytest.raises(ServiceError) as caught:
            verify(request, keys, now=time.time() + wrong)
        assert (caught.value.code, caught.value.status) == ("RequestTimeTooSkewed", 403)
    with pytest.raises(ServiceError, match="does not exist"):
        verify(request, KeyRing(AccessKey("AKIAOTHER", "secret"), database))
    database.close()


@pytest.mark.parametrize("version", ["s3", "s3v4"])
@pytest.mark.parametrize("lent", [False, True])
def test_presigned_urls_of_both_versions_read_and_write(clients: Clients, bucket, version, lent):
    keys = clients("sts").get_session_token()["Credentials"] if lent else None
    s3 = clients("s3", keys, signature_version=version)
    put = s3.generate_presigned_url("put_object", {"Bucket": bucket, "Key": "a b/ü", "ContentType": "text/x"})
    upload = urllib.request.Request(put, data=b"hello", method="PUT", headers={"content-type": "text/x"})
    with urllib.request.urlopen(upload) as answer:
        assert answer.status == 200
    get = s3.generate_presigned_url(
        "get_object", {"Bucket": bucket, "Key": "a b/ü", "ResponseContentDisposition": "attachment; filename=x"}
    )
    with urllib.request.urlopen(get) as answer:
        assert answer.read() == b"hello"
        assert answer.headers["content-disposition"] == "attachment; filename=x"
        assert answer.headers["content-type"] == "text/x"
    for altered in (get.replace("attachment", "inline"), get.replace(bucket, "another"), get[:-2] + "00"):
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(altered)
        assert caught.value.code == 403
        caught.value.close()


@pytest.mark.parametrize("version", ["s3", "s3v4"])
def test_an_expired_presigned_url_is_refused(clients: Clients, bucket, version):
    s3 = clients("s3", signature_version=version)
    url = s3.generate_presigned_url("list_objects_v2", {"Bucket": bucket}, ExpiresIn=1)
    target = url.removeprefix(clients.connection.endpoint_url)
    deadline = time.monotonic() + 10
    while (reply := send(clients.connection, "GET", target)).status == 200:
        assert time.monotonic() < deadline
    assert (reply.status, reply.code) == (403, "AccessDenied")
    assert b"Request has expired" in reply.body


@pytest.mark.parametrize("version", ["s3", "s3v4"])
def test_headers_signed_with_the_old_version_work(clients: Clients, bucket, version):
    s3 = clients("s3", signature_version=version)
    s3.put_object(Bucket=bucket, Key="x/y", Body=b"1", Metadata={"who": "me"})
    assert s3.get_object(Bucket=bucket, Key="x/y")["Metadata"] == {"who": "me"}
    assert s3.list_objects_v2(Bucket=bucket, Prefix="x/")["KeyCount"] == 1
    assert s3.get_bucket_location(Bucket=bucket)["LocationConstraint"] is None


def test_chunks_signed_one_by_one_are_put_together(cloud: RunningCloud, clients: Clients, bucket):
    path, data = f"/{bucket}/chunks", [b"a" * 70000, b"b" * 10, b""]
    chunks = ChunkSigner(cloud, path, size=70010, form=SIGNED)
    body = b"".join(map(chunks.chunk, data)) + b"\r\n"
    reply = send(cloud, "PUT", path, headers=chunks.headers, body=body)
    assert reply.status == 200, reply.body
    stored = clients("s3").get_object(Bucket=bucket, Key="chunks")
    assert stored["Body"].read() == b"".join(data)
    assert "ContentEncoding" not in stored


@pytest.mark.parametrize("damage", ["data", "order", "missing chunk", "no end", "signature"])
def test_chunks_that_were_tampered_with_are_refused(cloud: RunningCloud, clients: Clients, bucket, damage):
    path = f"/{bucket}/chunks"
    chunks = ChunkSigner(cloud, path, size=20, form=SIGNED)
    one, two, end = chunks.chunk(b"a" * 10), chunks.chunk(b"b" * 10), chunks.chunk(b"") + b"\r\n"
    body = {
        "data": one.replace(b"aaa", b"aXa") + two + end,
        "order": two + one + end,
        "missing chunk": one + end,
        "no end": one + two,
        "signature": one.replace(b"signature=", b"signature=0")[: len(one)] + two + end,
    }[damage]
    reply = send(cloud, "PUT", path, headers=chunks.headers, body=body)
    assert reply.status in (400, 403), reply.body
    assert "Contents" not in clients("s3").list_objects_v2(Bucket=bucket)


@pytest.mark.parametrize("form", [SIGNED_WITH_TRAILER, UNSIGNED_WITH_TRAILER])
@pytest.mark.parametrize("altered", [False, True])
def test_a_trailing_checksum_is_checked(cloud: RunningCloud, clients: Clients, bucket, form, altered):
    path, data = f"/{bucket}/trailer", b"some bytes"
    name = "x-amz-checksum-crc32"
    value = base64.b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()
    chunks = ChunkSigner(cloud, path, size=len(data), form=form, trailer=name)
    sent = b"SOME bytes" if altered else data
    if form == SIGNED_WITH_TRAILER:
        body = chunks.chunk(sent) + chunks.chunk(b"") + chunks.trailer(name, value)
    else:
        body = f"{len(sent):x}\r\n".encode() + sent + f"\r\n0\r\n{name}:{value}\r\n\r\n".encode()
    reply = send(cloud, "PUT", path, headers=chunks.headers, body=body)
    assert (reply.status, reply.code) == ((400, "BadDigest") if altered else (200, "")), reply.body
    if not altered:
        head = clients("s3").head_object(Bucket=bucket, Key="trailer", ChecksumMode="ENABLED")
        assert head["ChecksumCRC32"] == value


def test_keys_that_sts_lent_work_until_they_expire(cloud: RunningCloud, clients: Clients, tmp_path):
    arn = "arn:aws:iam::123456789012:role/path/SageMakerRole"
    lent = clients("sts").assume_role(RoleArn=arn, RoleSessionName="session", DurationSeconds=900)
    keys = lent["Credentials"]
    assert lent["AssumedRoleUser"]["Arn"] == "arn:aws:sts::123456789012:assumed-role/SageMakerRole/session"
    assert clients("sts", keys).get_caller_identity()["Arn"] == lent["AssumedRoleUser"]["Arn"]
    assert clients("sagemaker", keys).list_models(NameContains="of-nobody")["Models"] == []
    for token in (None, "another"):
        with pytest.raises(ClientError, match="UnrecognizedClientException"):
            clients("sagemaker", keys | {"SessionToken": token}).list_models()
    database = CloudDatabase(tmp_path / "keys.sqlite")
    ring = KeyRing(cloud.credentials, database)
    key = ring.lend(arn=arn, user_id="x", seconds=-1)
    headers = {"x-amz-security-token": key.session_token or ""}
    own = RunningCloud(
        cloud.endpoint_url, 0, cloud.port, "us-east-1", tmp_path, AccessKey(key.access_key_id, key.secret_access_key)
    )
    signed_headers = {name.lower(): value for name, value in signed(own, "GET", "/", headers=headers).items()}
    with pytest.raises(ServiceError) as caught:
        verify(HttpRequest("GET", "/", "", signed_headers, "id"), ring)
    assert (caught.value.code, caught.value.status) == ("ExpiredToken", 403)
    database.close()


def test_keys_of_an_iam_user_work_until_they_are_deactivated(clients: Clients):
    iam = clients("iam")
    iam.create_user(UserName="ann")
    keys = iam.create_access_key(UserName="ann")["AccessKey"]
    assert clients("sts", keys).get_caller_identity()["Arn"].endswith(":user/ann")
    iam.update_access_key(UserName="ann", AccessKeyId=keys["AccessKeyId"], Status="Inactive")
    with pytest.raises(ClientError, match="InvalidClientTokenId"):
        clients("sts", keys).get_caller_identity()


def test_json_services_refuse_in_json(cloud: RunningCloud):
    headers = {"x-amz-target": "SageMaker.ListModels", "content-type": "application/x-amz-json-1.1"}
    reply = send(cloud, "POST", "/", headers=headers, body=b"{}")
    assert reply.status == 403
    assert json.loads(reply.body)["__type"] == "MissingAuthenticationTokenException"
