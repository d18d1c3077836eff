"""Uploads by form: what `generate_presigned_post` allows, and nothing else."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
from botocore.exceptions import ClientError
from cloud_clients import Clients
from raw_http import Reply, send

BOUNDARY = "----boundary"


def post(clients: Clients, bucket: str, fields: dict[str, str], content: bytes, *, query: str = "") -> Reply:
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="f.txt"\r\n\r\n'.encode()
    body = b"".join([*parts, head, content, f"\r\n--{BOUNDARY}--\r\n".encode()])
    headers = {"content-type": f"multipart/form-data; boundary={BOUNDARY}", "content-length": str(len(body))}
    # In small pieces, so that boundaries are torn apart.
    pieces = (body[at : at + 701] for at in range(0, len(body), 701))
    return send(clients.connection, "POST", f"/{bucket}{query}", headers=headers, body=pieces)


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


def granted(clients: Clients, bucket: str, key: str, **fields: str) -> dict[str, str]:
    conditions = [{name: value} for name, value in fields.items()]
    form = clients("s3").generate_presigned_post(bucket, key, Fields=fields, Conditions=conditions)
    return dict(form["fields"])


@pytest.mark.parametrize("field", ["success_action_redirect", "redirect", "Success_Action_Redirect"])
@pytest.mark.parametrize("status", ["", "201"])
def test_a_form_sends_its_browser_on_to_where_it_wants(clients: Clients, bucket, field, status):
    asked = {field: "https://page.example/done?of=me#top"} | ({"success_action_status": status} if status else {})
    reply = post(clients, bucket, granted(clients, bucket, "a b/ü", **asked), b"content")
    assert (reply.status, reply.body) == (303, b"")
    target = urlsplit(reply.headers["location"])
    assert (target.scheme, target.netloc, target.path, target.fragment) == ("https", "page.example", "/done", "top")
    etag = clients("s3").head_object(Bucket=bucket, Key="a b/ü")["ETag"]
    assert parse_qs(target.query) == {"of": ["me"], "bucket": [bucket], "key": ["a b/ü"], "etag": [etag]}


@pytest.mark.parametrize(
    "target", ["", "page.example", "javascript:alert(1)", "https://[", "https://x.example/\r\nSet-X: y"]
)
def test_a_redirect_that_is_no_address_counts_as_not_asked_for(clients: Clients, bucket, target):
    reply = post(clients, bucket, granted(clients, bucket, "k", success_action_redirect=target), b"content")
    assert reply.status == 204
    assert "set-x" not in reply.headers
    assert clients("s3").get_object(Bucket=bucket, Key="k")["Body"].read() == b"content"


@pytest.mark.parametrize(("asked", "status"), [("200", 200), ("201", 201), ("204", 204), ("303", 204), ("x", 204)])
def test_a_form_is_answered_with_the_status_that_it_asks_for(clients: Clients, bucket, asked, status):
    reply = post(clients, bucket, granted(clients, bucket, "a b", success_action_status=asked), b"content")
    assert reply.status == status
    assert reply.headers["location"].endswith(f"/{bucket}/a%20b")
    assert reply.headers["etag"] == clients("s3").head_object(Bucket=bucket, Key="a b")["ETag"]
    assert (b"<PostResponse" in reply.body) == (status == 201)


def test_a_form_cannot_ask_for_anything_but_an_upload(clients: Clients, bucket):
    form = granted(clients, bucket, "k")
    for query in ("?delete", "?uploads", "?frobnicate"):
        assert post(clients, bucket, form, b"content", query=query).status == 403
    assert "Contents" not in clients("s3").list_objects_v2(Bucket=bucket)


@pytest.mark.parametrize("field", ["Content-Length", "x-amz-decoded-content-length"])
def test_a_field_that_is_called_like_a_header_breaks_nothing(clients: Clients, bucket, field):
    reply = post(clients, bucket, granted(clients, bucket, "k", **{field: "9" * 5000}), b"content")
    assert reply.status in (204, 400), reply.body


def test_a_form_tags_what_it_uploads(clients: Clients, bucket):
    tags = "<Tagging><TagSet><Tag><Key>a b</Key><Value>ü&amp;c</Value></Tag></TagSet></Tagging>"
    assert post(clients, bucket, granted(clients, bucket, "k", tagging=tags), b"content").status == 204
    assert clients("s3").get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == [{"Key": "a b", "Value": "ü&c"}]
    assert post(clients, bucket, granted(clients, bucket, "l", tagging="no document"), b"content").status == 400


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("acl", "public-read", b"AccessControlListNotSupported"),
        ("x-amz-storage-class", "GLACIER", b"NotImplemented"),
        ("x-amz-object-lock-legal-hold", "ON", b"NotImplemented"),
    ],
)
def test_a_form_cannot_ask_for_what_is_not_done(clients: Clients, bucket, field, value, code):
    reply = post(clients, bucket, granted(clients, bucket, "k", **{field: value}), b"content")
    assert code in reply.body
    assert "Contents" not in clients("s3").list_objects_v2(Bucket=bucket)


def test_a_form_may_say_that_its_object_is_private(clients: Clients, bucket):
    assert post(clients, bucket, granted(clients, bucket, "k", acl="private"), b"content").status == 204
