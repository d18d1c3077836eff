"""What a client states of the whole when it completes an upload in parts."""

from __future__ import annotations

import base64
import os
import random
import zlib
from pathlib import Path
from typing import Any

import pytest
from awscrt import checksums as crt
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError
from cloud_clients import Clients

from mojo_toolbox.local_cloud.wire import checksums

MB = 1024 * 1024
# The same in each process of the tests: pytest-xdist compares their parameters.
BODIES = (random.Random(0).randbytes(5 * MB), b"end")
DATA = b"".join(BODIES)
CRCS = ["CRC32", "CRC32C", "CRC64NVME"]
OTHERS = ["SHA1", "SHA256", "SHA512", "XXHASH64", "XXHASH3", "XXHASH128"]


def of(algorithm: str, data: bytes) -> str:
    running = checksums.new_checksum(algorithm)
    running.update(data)
    return checksums.encode(running.digest())


def begun(s3: Any, bucket: str, **said: Any) -> tuple[dict[str, str], list[dict[str, Any]]]:
    name = {"Bucket": bucket, "Key": "k"}
    name["UploadId"] = s3.create_multipart_upload(**name, **said)["UploadId"]
    parts = []
    for number, body in enumerate(BODIES, 1):
        algorithm = said.get("ChecksumAlgorithm", "CRC64NVME")
        part = s3.upload_part(**name, PartNumber=number, Body=body, ChecksumAlgorithm=algorithm)
        field = f"Checksum{algorithm}"
        parts.append({"PartNumber": number, "ETag": part["ETag"], field: part[field]})
    return name, parts


def refused(code: str, call: Any, **arguments: Any) -> None:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    assert caught.value.response["Error"]["Code"] == code


@pytest.mark.parametrize("algorithm", CRCS)
def test_the_sum_of_all_bytes_may_be_stated(clients: Clients, bucket, algorithm):
    s3 = clients("s3")
    name, parts = begun(s3, bucket, ChecksumAlgorithm=algorithm, ChecksumType="FULL_OBJECT")
    field, kind = f"Checksum{algorithm}", {"ChecksumType": "FULL_OBJECT"}
    complete = {**name, "MultipartUpload": {"Parts": parts}}
    refused("BadDigest", s3.complete_multipart_upload, **complete, **kind, **{field: of(algorithm, b"other")})
    done = s3.complete_multipart_upload(**complete, **kind, **{field: of(algorithm, DATA)}, MpuObjectSize=len(DATA))
    assert (done[field], done["ChecksumType"]) == (of(algorithm, DATA), "FULL_OBJECT")
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == DATA


@pytest.mark.parametrize("algorithm", [*CRCS[:2], *OTHERS])
@pytest.mark.parametrize("numbered", [True, False])
def test_the_sum_of_the_sums_may_be_stated(clients: Clients, bucket, algorithm, numbered):
    s3 = clients("s3")
    name, parts = begun(s3, bucket, ChecksumAlgorithm=algorithm)
    field = f"Checksum{algorithm}"
    value = of(algorithm, b"".join(base64.b64decode(part[field]) for part in parts))
    complete = {**name, "MultipartUpload": {"Parts": parts}}
    refused("BadDigest", s3.complete_multipart_upload, **complete, **{field: f"{of(algorithm, DATA)}-2"})
    refused("BadDigest", s3.complete_multipart_upload, **complete, **{field: f"{value}-3"})
    done = s3.complete_multipart_upload(**complete, **{field: f"{value}-2" if numbered else value})
    assert (done[field], done["ChecksumType"]) == (f"{value}-2", "COMPOSITE")


@pytest.mark.parametrize("algorithm", OTHERS)
def test_only_a_crc_can_be_of_the_whole(clients: Clients, bucket, algorithm):
    s3 = clients("s3")
    create = {"Bucket": bucket, "Key": "k", "ChecksumAlgorithm": algorithm, "ChecksumType": "FULL_OBJECT"}
    refused("InvalidRequest", s3.create_multipart_upload, **create)


def test_sums_of_another_kind_than_the_upload_has_are_refused(clients: Clients, bucket):
    s3 = clients("s3")
    name, parts = begun(s3, bucket, ChecksumAlgorithm="CRC32")
    complete = {**name, "MultipartUpload": {"Parts": parts}}
    whole = {"ChecksumCRC32": of("CRC32", DATA), "ChecksumType": "FULL_OBJECT"}
    refused("InvalidRequest", s3.complete_multipart_upload, **complete, **whole)
    refused("InvalidRequest", s3.complete_multipart_upload, **complete, ChecksumSHA256=of("SHA256", DATA))
    refused("InvalidRequest", s3.complete_multipart_upload, **complete, MpuObjectSize=len(DATA) - 1)
    bare = [{"PartNumber": part["PartNumber"], "ETag": part["ETag"]} for part in parts]
    refused("InvalidRequest", s3.complete_multipart_upload, **name, MultipartUpload={"Parts": bare})
    altered = [{**part, "ChecksumCRC32": of("CRC32", b"other")} for part in parts]
    refused("InvalidPart", s3.complete_multipart_upload, **name, MultipartUpload={"Parts": altered})
    s3.complete_multipart_upload(**complete)


@pytest.mark.parametrize("size", [100, 13 * MB])
@pytest.mark.parametrize("algorithm", CRCS)
def test_a_file_is_uploaded_with_the_sum_that_its_owner_knows(
    clients: Clients, bucket, tmp_path: Path, size, algorithm
):
    s3 = clients("s3")
    data = os.urandom(size)
    (tmp_path / "file").write_bytes(data)
    config = TransferConfig(multipart_threshold=8 * MB, multipart_chunksize=5 * MB)
    field = f"Checksum{algorithm}"
    s3.upload_file(str(tmp_path / "file"), bucket, "k", ExtraArgs={field: of(algorithm, data)}, Config=config)
    assert s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")[field] == of(algorithm, data)
    with pytest.raises(Exception, match="BadDigest"):
        s3.upload_file(str(tmp_path / "file"), bucket, "l", ExtraArgs={field: of(algorithm, b"")}, Config=config)
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket, Prefix="l")


def test_our_sums_are_those_of_the_libraries():
    assert of("CRC32", DATA) == base64.b64encode(zlib.crc32(DATA).to_bytes(4, "big")).decode()
    assert of("CRC64NVME", DATA) == base64.b64encode(crt.crc64nvme(DATA).to_bytes(8, "big")).decode()
