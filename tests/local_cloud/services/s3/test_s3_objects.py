"""Objects as AWS's own client stores, reads, copies and lists them."""

from __future__ import annotations

import hashlib
import io
import os
import random
import resource
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError
from cloud_clients import Clients
from raw_http import send, signed

from mojo_toolbox.local_cloud import lifecycle

MB = 1024 * 1024


def code_of(caught: pytest.ExceptionInfo[ClientError]) -> tuple[str, int]:
    response = caught.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def test_an_object_comes_back_with_what_was_said_of_it(clients: Clients, bucket):
    s3 = clients("s3")
    put = s3.put_object(
        Bucket=bucket,
        Key="k",
        Body=b"body",
        ContentType="text/plain",
        CacheControl="no-store",
        ContentEncoding="gzip",
        Metadata={"Author": "me"},
        Tagging="a=1&b=2",
        StorageClass="STANDARD_IA",
    )
    got = s3.get_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert got["Body"].read() == b"body"
    assert got["ETag"] == put["ETag"] == f'"{hashlib.md5(b"body").hexdigest()}"'
    assert (got["ContentType"], got["CacheControl"], got["ContentEncoding"]) == ("text/plain", "no-store", "gzip")
    assert (got["Metadata"], got["StorageClass"], got["TagCount"]) == ({"author": "me"}, "STANDARD_IA", 2)
    assert got["ChecksumCRC32"] == put["ChecksumCRC32"]
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"][0] == {"Key": "a", "Value": "1"}
    s3.delete_object(Bucket=bucket, Key="k")
    with pytest.raises(ClientError) as caught:
        s3.get_object(Bucket=bucket, Key="k")
    assert code_of(caught) == ("NoSuchKey", 404)


@pytest.mark.parametrize(
    "key",
    ["a b", "ü/ß", "a+b", "a%2Fb", "a//b", "/lead", "dot/../dot/.", "q?x=1#f", "tail/", "emoji \U0001f600", "'(!)*~"],
)
def test_every_key_is_just_a_key(clients: Clients, bucket, key):
    s3 = clients("s3")
    s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == key.encode()
    assert [one["Key"] for one in s3.list_objects_v2(Bucket=bucket)["Contents"]] == [key]
    s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": key})
    s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key}]})
    assert [one["Key"] for one in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["copy"]


@pytest.mark.parametrize(
    "algorithm",
    ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256", "SHA512", "XXHASH64", "XXHASH3", "XXHASH128"],
)
def test_checksums_of_every_algorithm_are_checked_and_kept(clients: Clients, bucket, algorithm):
    s3 = clients("s3")
    put = s3.put_object(Bucket=bucket, Key="k", Body=b"body", ChecksumAlgorithm=algorithm)
    field = f"Checksum{algorithm}"
    head = s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert put[field] == head[field]
    assert head["ChecksumType"] == "FULL_OBJECT"
    with pytest.raises(ClientError) as caught:
        s3.put_object(Bucket=bucket, Key="k", Body=b"other", **{field: put[field]})
    assert code_of(caught) == ("BadDigest", 400)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"body"


def test_a_wrong_content_md5_is_refused(clients: Clients, bucket):
    with pytest.raises(ClientError) as caught:
        clients("s3").put_object(Bucket=bucket, Key="k", Body=b"x", ContentMD5="1B2M2Y8AsgTpgAmY7PhCfg==")
    assert code_of(caught) == ("BadDigest", 400)


def test_ranges_and_conditions_are_honoured(clients: Clients, bucket):
    s3 = clients("s3")
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"0123456789")["ETag"]
    for header, text in (("bytes=2-4", b"234"), ("bytes=7-", b"789"), ("bytes=-3", b"789"), ("bytes=8-99", b"89")):
        got = s3.get_object(Bucket=bucket, Key="k", Range=header)
        assert got["Body"].read() == text
        assert got["ContentRange"].endswith("/10")
    with pytest.raises(ClientError) as caught:
        s3.get_object(Bucket=bucket, Key="k", Range="bytes=10-")
    assert code_of(caught) == ("InvalidRange", 416)
    later = datetime.now(UTC) + timedelta(hours=1)
    for condition, status in (
        ({"IfNoneMatch": etag}, 304),
        ({"IfModifiedSince": later}, 304),
        ({"IfMatch": '"other"'}, 412),
        ({"IfUnmodifiedSince": later - timedelta(days=1)}, 412),
    ):
        with pytest.raises(ClientError) as caught:
            s3.get_object(Bucket=bucket, Key="k", **condition)
        assert code_of(caught)[1] == status
    assert (
        s3.get_object(Bucket=bucket, Key="k", IfMatch=etag, IfModifiedSince=later - timedelta(days=1))["ETag"] == etag
    )


def test_conditional_writes_replace_only_what_they_name(clients: Clients, bucket):
    s3 = clients("s3")
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"1", IfNoneMatch="*")["ETag"]
    for condition in ({"IfNoneMatch": "*"}, {"IfMatch": '"other"'}):
        with pytest.raises(ClientError) as caught:
            s3.put_object(Bucket=bucket, Key="k", Body=b"2", **condition)
        assert code_of(caught) == ("PreconditionFailed", 412)
    with pytest.raises(ClientError) as caught:
        s3.put_object(Bucket=bucket, Key="missing", Body=b"2", IfMatch=etag)
    assert code_of(caught)[1] == 404
    s3.put_object(Bucket=bucket, Key="k", Body=b"2", IfMatch=etag)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"2"


def test_copies_share_bytes_and_live_on_their_own(clients: Clients, bucket):
    s3 = clients("s3")
    s3.put_object(Bucket=bucket, Key="a", Body=b"bytes", Metadata={"x": "1"}, Tagging="t=1")
    source = {"Bucket": bucket, "Key": "a"}
    s3.copy_object(Bucket=bucket, Key="b", CopySource=source)
    s3.copy_object(Bucket=bucket, Key="c", CopySource=source, MetadataDirective="REPLACE", Metadata={"y": "2"})
    s3.copy_object(Bucket=bucket, Key="d", CopySource=source, ChecksumAlgorithm="SHA256")
    with pytest.raises(ClientError) as caught:
        s3.copy_object(Bucket=bucket, Key="a", CopySource=source)
    assert code_of(caught) == ("InvalidRequest", 400)
    with pytest.raises(ClientError) as caught:
        s3.copy_object(Bucket=bucket, Key="e", CopySource=source, CopySourceIfMatch='"other"')
    assert code_of(caught) == ("PreconditionFailed", 412)
    s3.copy_object(Bucket=bucket, Key="a", CopySource=source, MetadataDirective="REPLACE", Metadata={"z": "3"})
    assert s3.head_object(Bucket=bucket, Key="a")["Metadata"] == {"z": "3"}
    s3.delete_object(Bucket=bucket, Key="a")
    for key, metadata in (("b", {"x": "1"}), ("c", {"y": "2"})):
        got = s3.get_object(Bucket=bucket, Key=key)
        assert (got["Body"].read(), got["Metadata"]) == (b"bytes", metadata)
    assert s3.head_object(Bucket=bucket, Key="d", ChecksumMode="ENABLED")["ChecksumSHA256"]
    assert s3.get_object_tagging(Bucket=bucket, Key="b")["TagSet"] == [{"Key": "t", "Value": "1"}]


def test_a_reader_keeps_its_object_while_it_is_replaced(clients: Clients, bucket):
    s3 = clients("s3")
    old, new = os.urandom(4 * MB), os.urandom(4 * MB)
    s3.put_object(Bucket=bucket, Key="k", Body=old)
    stream = s3.get_object(Bucket=bucket, Key="k")["Body"]
    begun = stream.read(1000)
    s3.put_object(Bucket=bucket, Key="k", Body=new)
    s3.delete_object(Bucket=bucket, Key="k")
    assert begun + stream.read() == old


def test_large_files_travel_in_parts(clients: Clients, bucket, tmp_path: Path):
    s3 = clients("s3")
    data = os.urandom(13 * MB + 7)
    (tmp_path / "up").write_bytes(data)
    config = TransferConfig(multipart_threshold=5 * MB, multipart_chunksize=5 * MB)
    s3.upload_file(str(tmp_path / "up"), bucket, "k", ExtraArgs={"Metadata": {"m": "1"}}, Config=config)
    s3.download_file(bucket, "k", str(tmp_path / "down"), Config=config)
    assert (tmp_path / "down").read_bytes() == data
    head = s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert head["ETag"].endswith('-3"')
    assert head["ChecksumCRC32"].endswith("-3")
    assert head["Metadata"] == {"m": "1"}
    part = s3.get_object(Bucket=bucket, Key="k", PartNumber=3)
    assert (part["PartsCount"], part["Body"].read()) == (3, data[10 * MB :])
    attributes = s3.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=["ObjectParts", "ObjectSize"])
    assert attributes["ObjectSize"] == len(data)
    assert attributes["ObjectParts"]["TotalPartsCount"] == 3
    s3.copy({"Bucket": bucket, "Key": "k"}, bucket, "copy", Config=config)
    copied = io.BytesIO()
    s3.download_fileobj(bucket, "copy", copied)
    assert copied.getvalue() == data


def test_the_checksum_of_a_whole_is_that_of_its_bytes(clients: Clients, bucket):
    s3 = clients("s3")
    data = os.urandom(5 * MB) + b"end"
    upload = s3.create_multipart_upload(
        Bucket=bucket, Key="k", ChecksumAlgorithm="CRC64NVME", ChecksumType="FULL_OBJECT"
    )["UploadId"]
    name = {"Bucket": bucket, "Key": "k", "UploadId": upload}
    parts = [
        {"PartNumber": number, "ETag": s3.upload_part(**name, PartNumber=number, Body=body)["ETag"]}
        for number, body in ((1, data[: 5 * MB]), (2, b"end"))
    ]
    whole = s3.complete_multipart_upload(**name, MultipartUpload={"Parts": parts})["ChecksumCRC64NVME"]
    assert (
        whole == s3.put_object(Bucket=bucket, Key="one", Body=data, ChecksumAlgorithm="CRC64NVME")["ChecksumCRC64NVME"]
    )


def test_an_upload_in_parts_is_refused_where_aws_refuses_it(clients: Clients, bucket):
    s3 = clients("s3")
    name = {"Bucket": bucket, "Key": "k"}
    name["UploadId"] = s3.create_multipart_upload(**name)["UploadId"]
    one = {"PartNumber": 1, "ETag": s3.upload_part(**name, PartNumber=1, Body=b"x")["ETag"]}
    two = {"PartNumber": 2, "ETag": s3.upload_part(**name, PartNumber=2, Body=b"y")["ETag"]}
    assert [part["Size"] for part in s3.list_parts(**name)["Parts"]] == [1, 1]
    assert s3.list_multipart_uploads(Bucket=bucket)["Uploads"][0]["UploadId"] == name["UploadId"]
    for parts, code in (
        ([two, one], "InvalidPartOrder"),
        ([one, two], "EntityTooSmall"),
        ([one, {"PartNumber": 3, "ETag": one["ETag"]}], "InvalidPart"),
        ([{"PartNumber": 1, "ETag": two["ETag"]}], "InvalidPart"),
        ([], "MalformedXML"),
    ):
        with pytest.raises(ClientError) as caught:
            s3.complete_multipart_upload(**name, MultipartUpload={"Parts": parts})
        assert code_of(caught) == (code, 400)
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)
    done = s3.complete_multipart_upload(**name, MultipartUpload={"Parts": [two]})
    # A client that missed the answer asks again.
    assert s3.complete_multipart_upload(**name, MultipartUpload={"Parts": [two]})["ETag"] == done["ETag"]
    for call in (s3.abort_multipart_upload, s3.list_parts):
        with pytest.raises(ClientError) as caught:
            call(**name)
        assert code_of(caught) == ("NoSuchUpload", 404)


def test_nothing_is_left_of_uploads_that_were_aborted_or_broken_off(clients: Clients, bucket):
    s3 = clients("s3")
    folder = clients.connection.home / "local_cloud" / "s3" / "blobs"
    before = set(folder.glob("*/*"))
    name = {"Bucket": bucket, "Key": "k"}
    name["UploadId"] = s3.create_multipart_upload(**name)["UploadId"]
    s3.upload_part(**name, PartNumber=1, Body=b"x")
    assert set(folder.glob("*/*")) != before
    s3.abort_multipart_upload(**name)
    path = f"/{bucket}/broken"
    headers = signed(clients.connection, "PUT", path, body=b"x" * 10)
    for wrong in (b"y" * 10, b"x" * 11):
        assert send(clients.connection, "PUT", path, headers=headers, body=wrong).status == 400
    assert set(folder.glob("*/*")) == before


def test_lists_roll_up_folders_and_go_on_page_by_page(clients: Clients, bucket):
    s3 = clients("s3")
    keys = sorted(
        [
            "a",
            "b/1",
            "b/2",
            "b/c/3",
            "b0",
            "c/1",
            "\ud7ff".encode("utf-8", "surrogatepass").decode("utf-8", "replace"),
            "z\U0010ffff/x",
            "ü",
        ]
    )
    for key in keys:
        s3.put_object(Bucket=bucket, Key=key, Body=b"")
    for operation in ("list_objects_v2", "list_objects", "list_object_versions"):
        paginator = s3.get_paginator(operation)
        pages = list(paginator.paginate(Bucket=bucket, PaginationConfig={"PageSize": 2}))
        field = "Versions" if operation == "list_object_versions" else "Contents"
        assert [one["Key"] for page in pages for one in page.get(field, [])] == keys
        pages = list(paginator.paginate(Bucket=bucket, Delimiter="/", PaginationConfig={"PageSize": 1}))
        folders = [one["Prefix"] for page in pages for one in page.get("CommonPrefixes", [])]
        assert folders == ["b/", "c/", "z\U0010ffff/"]
        assert len([one for page in pages for one in page.get(field, [])]) == len(keys) - 5
    listed = s3.list_objects_v2(Bucket=bucket, Prefix="b/", Delimiter="/")
    assert [one["Key"] for one in listed["Contents"]] == ["b/1", "b/2"]
    assert [one["Prefix"] for one in listed["CommonPrefixes"]] == ["b/c/"]
    assert s3.list_objects_v2(Bucket=bucket, StartAfter="b0", MaxKeys=1)["Contents"][0]["Key"] == "c/1"
    assert s3.list_objects_v2(Bucket=bucket, MaxKeys=0)["KeyCount"] == 0


def test_many_objects_are_deleted_at_once(clients: Clients, bucket):
    s3 = clients("s3")
    for number in range(5):
        s3.put_object(Bucket=bucket, Key=f"k{number}", Body=b"")
    names = [{"Key": f"k{number}"} for number in range(4)]
    assert len(s3.delete_objects(Bucket=bucket, Delete={"Objects": names})["Deleted"]) == 4
    assert "Deleted" not in s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "k4"}], "Quiet": True})
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_virtual_host_addressing_names_the_bucket_in_the_host(clients: Clients, bucket):
    cloud = clients.connection
    for host in (f"{bucket}.localhost:{cloud.port}", f"{bucket}.s3.us-east-1.localhost"):
        put = signed(cloud, "PUT", "/k", headers={"Host": host}, body=b"x") | {"Host": host}
        assert send(cloud, "PUT", "/k", headers=put, body=b"x").status == 200, host
        get = signed(cloud, "GET", "/k", headers={"Host": host}) | {"Host": host}
        assert send(cloud, "GET", "/k", headers=get).body == b"x"
    assert clients("s3").list_objects_v2(Bucket=bucket)["KeyCount"] == 1


def test_what_would_only_seem_to_work_is_refused(clients: Clients, bucket):
    s3 = clients("s3")
    for call in (
        lambda: s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"}),
        lambda: s3.put_object(Bucket=bucket, Key="k", Body=b"", SSECustomerAlgorithm="AES256", SSECustomerKey="0" * 32),
        lambda: s3.put_object(Bucket=bucket, Key="k", Body=b"", ObjectLockLegalHoldStatus="ON"),
        lambda: s3.put_object_legal_hold(Bucket=bucket, Key="k", LegalHold={"Status": "ON"}),
    ):
        with pytest.raises(ClientError) as caught:
            call()
        assert code_of(caught) == ("NotImplemented", 501)


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="only Linux limits the files of another process")
def test_a_full_disk_is_said_and_leaves_nothing_behind(own_home, clients_of):
    own = lifecycle.up(own_home)
    s3 = clients_of(own)("s3")
    s3.create_bucket(Bucket="full")
    s3.put_object(Bucket="full", Key="k", Body=b"old")
    blobs = own_home / "local_cloud" / "s3" / "blobs"
    # The kernel refuses to let a file grow further, which to a writer is what a full disk is.
    resource.prlimit(own.pid, resource.RLIMIT_FSIZE, (8 * MB, resource.RLIM_INFINITY))
    with pytest.raises(ClientError) as caught:
        s3.put_object(Bucket="full", Key="k", Body=b"x" * (9 * MB))
    assert code_of(caught) == ("InsufficientStorage", 507)
    assert [path.read_bytes() for path in blobs.glob("*/*")] == [b"old"]
    assert s3.get_object(Bucket="full", Key="k")["Body"].read() == b"old"
    resource.prlimit(own.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    s3.put_object(Bucket="full", Key="k", Body=b"x" * (9 * MB))


def test_an_early_refusal_leaves_the_connection_usable(clients: Clients, bucket):
    s3 = clients("s3", max_pool_connections=1)
    for _ in range(3):
        with pytest.raises(ClientError) as caught:
            s3.put_object(Bucket="no-such-bucket-here", Key="k", Body=b"x" * MB)
        assert code_of(caught) == ("NoSuchBucket", 404)
        s3.put_object(Bucket=bucket, Key="k", Body=b"x")


def test_objects_used_by_many_at_once_are_never_torn(own_home, clients_of):
    own = lifecycle.up(own_home)
    s3 = clients_of(own)("s3", max_pool_connections=8)
    s3.create_bucket(Bucket="busy")
    seen: list[str] = []

    def work(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(40):
            key, other = f"k{chance.randint(0, 1)}", f"k{chance.randint(0, 1)}"
            try:
                match chance.choice(["put", "get", "copy", "delete"]):
                    case "put":
                        s3.put_object(Bucket="busy", Key=key, Body=chance.randbytes(chance.choice([0, 10, 2 * MB])))
                    case "get":
                        got = s3.get_object(Bucket="busy", Key=key)
                        assert hashlib.md5(got["Body"].read()).hexdigest() == got["ETag"].strip('"')
                    case "copy" if key != other:
                        s3.copy_object(Bucket="busy", Key=other, CopySource={"Bucket": "busy", "Key": key})
                    case _:
                        s3.delete_object(Bucket="busy", Key=key)
            except ClientError as error:
                seen.append(error.response["Error"]["Code"])

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(6)))
    assert set(seen) <= {"NoSuchKey"}
    for key in ("k0", "k1"):
        s3.delete_object(Bucket="busy", Key=key)
    assert not list((own_home / "local_cloud" / "s3" / "blobs").glob("*/*"))
