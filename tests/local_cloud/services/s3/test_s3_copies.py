"""Copies: one object of one part, however the source was uploaded."""

from __future__ import annotations

import base64
import hashlib
import random
import zlib
from typing import Any

import pytest
from botocore.exceptions import ClientError
from cloud_clients import Clients

MB = 1024 * 1024
# The same in each process of the tests: pytest-xdist compares their parameters.
DATA = random.Random(0).randbytes(5 * MB) + b"end"
SUMS = ["ChecksumCRC32", "ChecksumCRC32C", "ChecksumCRC64NVME", "ChecksumSHA1", "ChecksumSHA256"]


def upload_in_parts(s3: Any, bucket: str, key: str, **said: Any) -> None:
    name = {"Bucket": bucket, "Key": key}
    name["UploadId"] = s3.create_multipart_upload(**name, **said)["UploadId"]
    algorithm = {"ChecksumAlgorithm": said["ChecksumAlgorithm"]} if "ChecksumAlgorithm" in said else {}
    parts = []
    for number, body in ((1, DATA[: 5 * MB]), (2, b"end")):
        part = s3.upload_part(**name, PartNumber=number, Body=body, **algorithm)
        sums = {field: part[field] for field in SUMS if field in part}
        parts.append({"PartNumber": number, "ETag": part["ETag"], **sums})
    s3.complete_multipart_upload(**name, MultipartUpload={"Parts": parts})


def plain(digest: bytes) -> str:
    return base64.b64encode(digest).decode()


def assert_is_one_part(s3: Any, bucket: str, key: str, field: str, value: str) -> None:
    head = s3.head_object(Bucket=bucket, Key=key, ChecksumMode="ENABLED")
    assert head["ETag"] == f'"{hashlib.md5(DATA).hexdigest()}"'
    assert (head[field], head["ChecksumType"]) == (value, "FULL_OBJECT")
    assert "PartsCount" not in s3.head_object(Bucket=bucket, Key=key, PartNumber=1)
    with pytest.raises(ClientError, match="416"):
        s3.head_object(Bucket=bucket, Key=key, PartNumber=2)
    attributes = s3.get_object_attributes(
        Bucket=bucket, Key=key, ObjectAttributes=["ETag", "Checksum", "ObjectParts", "ObjectSize"]
    )
    assert "ObjectParts" not in attributes
    assert (attributes["ETag"], attributes["ObjectSize"]) == (hashlib.md5(DATA).hexdigest(), len(DATA))
    assert attributes["Checksum"] == {field: value, "ChecksumType": "FULL_OBJECT"}
    listed = s3.list_objects_v2(Bucket=bucket, Prefix=key)["Contents"][0]
    assert (listed["ETag"], listed["ChecksumType"]) == (head["ETag"], "FULL_OBJECT")
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == DATA


@pytest.mark.parametrize(
    ("said", "field", "value"),
    [
        ({"ChecksumAlgorithm": "CRC32"}, "ChecksumCRC32", plain(zlib.crc32(DATA).to_bytes(4, "big"))),
        ({"ChecksumAlgorithm": "SHA1"}, "ChecksumSHA1", plain(hashlib.sha1(DATA).digest())),
        ({"ChecksumAlgorithm": "SHA256"}, "ChecksumSHA256", plain(hashlib.sha256(DATA).digest())),
        (
            {"ChecksumAlgorithm": "CRC32", "ChecksumType": "FULL_OBJECT"},
            "ChecksumCRC32",
            plain(zlib.crc32(DATA).to_bytes(4, "big")),
        ),
    ],
)
def test_a_copy_of_an_upload_in_parts_has_the_sums_of_its_bytes(clients: Clients, bucket, said, field, value):
    s3 = clients("s3")
    upload_in_parts(s3, bucket, "source", **said)
    copied = s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "source"})
    result = copied["CopyObjectResult"]
    assert (result["ETag"], result[field]) == (f'"{hashlib.md5(DATA).hexdigest()}"', value)
    assert result["ChecksumType"] == "FULL_OBJECT"
    assert_is_one_part(s3, bucket, "copy", field, value)
    assert s3.head_object(Bucket=bucket, Key="source")["ETag"].endswith('-2"')


def test_an_upload_in_parts_that_is_copied_onto_itself_becomes_one_part(clients: Clients, bucket):
    s3 = clients("s3")
    upload_in_parts(s3, bucket, "k", Metadata={"old": "1"}, Tagging="t=1", ContentType="text/plain")
    source = {"Bucket": bucket, "Key": "k"}
    s3.copy_object(Bucket=bucket, Key="k", CopySource=source, MetadataDirective="REPLACE", Metadata={"new": "2"})
    head = s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert (head["Metadata"], head["ContentType"]) == ({"new": "2"}, "binary/octet-stream")
    assert_is_one_part(s3, bucket, "k", "ChecksumCRC64NVME", head["ChecksumCRC64NVME"])
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == [{"Key": "t", "Value": "1"}]
    s3.copy_object(Bucket=bucket, Key="k", CopySource=source, StorageClass="STANDARD_IA")
    assert s3.head_object(Bucket=bucket, Key="k")["Metadata"] == {"new": "2"}


@pytest.mark.parametrize("own", ["CRC32", "SHA256"])
def test_a_copy_may_ask_for_another_algorithm_or_the_same_one(clients: Clients, bucket, own):
    s3 = clients("s3")
    upload_in_parts(s3, bucket, "source", ChecksumAlgorithm=own)
    source = {"Bucket": bucket, "Key": "source"}
    s3.copy_object(Bucket=bucket, Key="copy", CopySource=source, ChecksumAlgorithm="SHA256")
    assert_is_one_part(s3, bucket, "copy", "ChecksumSHA256", plain(hashlib.sha256(DATA).digest()))
    again = s3.copy_object(Bucket=bucket, Key="again", CopySource={"Bucket": bucket, "Key": "copy"})
    assert again["CopyObjectResult"]["ChecksumSHA256"] == plain(hashlib.sha256(DATA).digest())


def test_a_copy_keeps_the_algorithm_of_its_source(clients: Clients, bucket):
    s3 = clients("s3")
    put = s3.put_object(Bucket=bucket, Key="source", Body=b"x", ChecksumAlgorithm="CRC64NVME")
    s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "source"})
    head = s3.head_object(Bucket=bucket, Key="copy", ChecksumMode="ENABLED")
    assert head["ChecksumCRC64NVME"] == put["ChecksumCRC64NVME"]


@pytest.mark.parametrize("field", ["MetadataDirective", "TaggingDirective"])
def test_a_directive_that_s3_does_not_have_is_refused(clients: Clients, bucket, field):
    s3 = clients("s3")
    s3.put_object(Bucket=bucket, Key="k", Body=b"")
    with pytest.raises(ClientError, match="InvalidArgument"):
        s3.copy_object(Bucket=bucket, Key="c", CopySource={"Bucket": bucket, "Key": "k"}, **{field: "MERGE"})


def test_a_part_cannot_be_copied_from_beyond_the_end_of_its_source(clients: Clients, bucket):
    s3 = clients("s3")
    s3.put_object(Bucket=bucket, Key="source", Body=b"0123456789")
    name = {"Bucket": bucket, "Key": "k"}
    name["UploadId"] = s3.create_multipart_upload(**name)["UploadId"]
    copy = {**name, "PartNumber": 1, "CopySource": {"Bucket": bucket, "Key": "source"}}
    for wrong in ("bytes=0-10", "bytes=10-10", "bytes=5-99", "bytes=3-", "bytes=-3", "bytes=4-3", "0-5", "bytes=a-b"):
        with pytest.raises(ClientError, match="InvalidArgument"):
            s3.upload_part_copy(**copy, CopySourceRange=wrong)
    with pytest.raises(ClientError, match="InvalidArgument"):
        s3.upload_part_copy(**copy, CopySourceRange=f"bytes=0-{'9' * 5000}")
    assert "Parts" not in s3.list_parts(**name)
    s3.upload_part_copy(**copy, CopySourceRange="bytes=2-9")
    assert s3.list_parts(**name)["Parts"][0]["Size"] == 8
