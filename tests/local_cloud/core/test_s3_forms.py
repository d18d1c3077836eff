"""Uploads by form: what `generate_presigned_post` allows, and nothing else."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError
from cloud_clients import Clients
from raw_http import Reply, send

BOUNDARY = "----boundary"


def post(clients: Clients, bucket: str, fields: dict[str, str], content: bytes) -> Reply:
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="f.txt"\r\n\r\n'.encode()
    body = b"".join([*parts, head, content, f"\r\n--{BOUNDARY}--\r\n".encode()])
    headers = {"content-type": f"multipart/form-data; boundary={BOUNDARY}", "content-length": str(len(body))}
    # In small pieces, so that boundaries are torn apart.
    pieces = (body[at : at + 701] for at in range(0, len(body), 701))
    return send(clients.connection, "POST", f"/{bucket}", headers=headers, body=pieces)


@pytest.mark.parametrize("version", ["s3", "s3v4"])
@pytest.mark.parametrize("lent", [False, True])
def test_a_form_uploads_what_its_policy_allows(clients: Clients, bucket, version, lent):
    keys = clients("sts").get_session_token()["Credentials"] if lent else None
    s3 = clients("s3", keys, signature_version=version)
    form = s3.generate_presigned_post(
        bucket,
        "up/${filename}",
        Fields={"x-amz-meta-who": "me", "Content-Type": "text/plain"},
        Conditions=[
            {"x-amz-meta-who": "me"},
            ["starts-with", "$Content-Type", "text/"],
            ["content-length-range", 1, 5000],
        ],
    )["fields"]
    content = b"\r\n--almost a boundary" * 100
    assert post(clients, bucket, form, content).status == 204
    got = s3.get_object(Bucket=bucket, Key="up/f.txt")
    assert (got["Body"].read(), got["Metadata"], got["ContentType"]) == (content, {"who": "me"}, "text/plain")
    for altered, size, status in (
        (form | {"key": "elsewhere"}, 10, 403),
        (form | {"x-amz-meta-who": "you"}, 10, 403),
        (form | {"x-amz-meta-more": "x"}, 10, 403),
        (form | {"policy": form["policy"][:-4]}, 10, 403),
        ({name: value for name, value in form.items() if name != "policy"}, 10, 403),
        (form, 6000, 400),
        (form, 0, 400),
    ):
        assert post(clients, bucket, altered, b"x" * size).status == status
    assert [one["Key"] for one in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["up/f.txt"]


def test_a_form_that_nobody_signed_is_refused(clients: Clients, bucket):
    assert post(clients, bucket, {"key": "k"}, b"x").status == 403
    signed = clients("s3").generate_presigned_post(bucket, "k", ExpiresIn=-10)["fields"]
    assert post(clients, bucket, signed, b"x").status == 403
    reply = send(
        clients.connection, "POST", f"/{bucket}", headers={"content-type": "multipart/form-data"}, body=b"no form"
    )
    assert reply.status == 403
    with pytest.raises(ClientError, match="404"):
        clients("s3").head_object(Bucket=bucket, Key="k")
