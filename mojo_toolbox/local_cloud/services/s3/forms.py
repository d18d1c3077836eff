"""Uploads by HTML form (`generate_presigned_post`): a policy that the owner signed limits the upload."""

from __future__ import annotations

import base64
import hmac
import json
import re
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from mojo_toolbox.local_cloud.identity import sigv4
from mojo_toolbox.local_cloud.identity.credentials import Key, KeyRing
from mojo_toolbox.local_cloud.services.s3.s3_errors import ObjectStoreError
from mojo_toolbox.local_cloud.wire.http import HttpRequest
from mojo_toolbox.local_cloud.wire.refusals import refusal

_BOUNDARY = re.compile(r'multipart/form-data;.*?boundary="?([^";,\s]{1,200})"?', re.IGNORECASE)
_NAME = re.compile(r'\bname="([^"]*)"', re.IGNORECASE)
_FILE_NAME = re.compile(r'\bfilename="([^"]*)"', re.IGNORECASE)
_MAX_FIELDS_BYTES = 64 * 1024
# Fields that carry the signature itself, which no condition can cover.
_UNCONDITIONED = {"policy", "signature", "x-amz-signature", "awsaccesskeyid", "file"}


def is_form(request: HttpRequest) -> bool:
    """Whether a request may be an upload by form."""
    media = request.headers.get("content-type", "").lower()
    return request.method == "POST" and not request.raw_query and media.startswith("multipart/form-data")


class FormReader:
    """Takes a form apart as it arrives: the fields first, then the bytes of the field `file`, which is the last."""

    def __init__(self, content_type: str) -> None:
        found = _BOUNDARY.match(content_type)
        if found is None:
            raise _malformed()
        self._end = b"\r\n--" + found[1].encode("latin-1")
        # As if a line had ended before the first boundary, so that every boundary looks alike.
        self._buffer = bytearray(b"\r\n")
        self.fields: dict[str, str] = {}
        self.in_file = False
        self.complete = False

    def feed(self, data: bytes) -> bytes:
        """Return the bytes of the file in `data`. `fields` is complete once `in_file` is true.

        Raises:
            ObjectStoreError: MalformedPOSTRequest.
        """
        if self.complete:
            return b""
        self._buffer += data
        while not self.in_file:
            if not self._take_field():
                if len(self._buffer) > _MAX_FIELDS_BYTES:
                    raise _malformed()
                return b""
        at = self._buffer.find(self._end)
        self.complete = at >= 0
        # Bytes that may begin the boundary stay until more have come.
        upto = at if self.complete else max(0, len(self._buffer) - len(self._end) + 1)
        piece = bytes(self._buffer[:upto])
        del self._buffer[:upto]
        return piece

    def _take_field(self) -> bool:
        """Take one field off the buffer, or the head of the file. Return whether there was enough for it."""
        if len(self._buffer) < len(self._end):
            return False
        if not self._buffer.startswith(self._end):
            raise _malformed()
        head_end = self._buffer.find(b"\r\n\r\n", len(self._end))
        if head_end < 0:
            return False
        head = bytes(self._buffer[len(self._end) : head_end]).decode("utf-8", "replace")
        name = _NAME.search(head)
        if name is None:
            raise _malformed()
        if name[1].lower() == "file":
            file_name = _FILE_NAME.search(head)
            self.fields = {
                key: value.replace("${filename}", file_name[1] if file_name else "") if key == "key" else value
                for key, value in self.fields.items()
            }
            self.in_file = True
            del self._buffer[: head_end + 4]
            return True
        value_end = self._buffer.find(self._end, head_end + 4)
        if value_end < 0:
            return False
        self.fields[name[1].lower()] = bytes(self._buffer[head_end + 4 : value_end]).decode("utf-8", "replace")
        del self._buffer[:value_end]
        return True


def check_form(fields: Mapping[str, str], bucket: str, keys: KeyRing) -> tuple[int, int]:
    """Check a form's signature and policy, and return the least and the most bytes that the file may have.

    Raises:
        ServiceError: 403, it is not signed by a key we know, or the policy does not allow it.
    """
    policy = fields.get("policy", "")
    if not policy or "key" not in fields:
        raise refusal("unsigned", "s3")
    if "x-amz-signature" in fields:
        access_key_id, _, rest = fields.get("x-amz-credential", "").partition("/")
        scope = sigv4.Scope(*[*rest.split("/"), "", "", ""][:3])
        key = _usable_key(keys, access_key_id, fields)
        expected = hmac.new(sigv4.signing_key(key.secret_access_key, scope), policy.encode(), "sha256").hexdigest()
        stated = fields["x-amz-signature"]
    else:
        key = _usable_key(keys, fields.get("awsaccesskeyid", ""), fields)
        expected = base64.b64encode(hmac.digest(key.secret_access_key.encode(), policy.encode(), "sha1")).decode()
        stated = fields.get("signature", "")
    if not hmac.compare_digest(expected.encode(), stated.encode()):
        raise refusal("wrong_signature", "s3")
    try:
        document = json.loads(base64.b64decode(policy))
        expires = datetime.fromisoformat(document["expiration"]).timestamp()
        conditions = [_condition(one) for one in document["conditions"]]
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise ObjectStoreError("InvalidPolicyDocument", "Invalid Policy: it cannot be read.") from error
    if time.time() > expires:
        raise _against_policy("Policy expired.")
    return _check_conditions(conditions, {**fields, "bucket": bucket})


def _usable_key(keys: KeyRing, access_key_id: str, fields: Mapping[str, str]) -> Key:
    key = keys.find(access_key_id)
    token = fields.get("x-amz-security-token", "")
    if key is None or not hmac.compare_digest((key.session_token or "").encode(), token.encode()):
        raise refusal("unknown_key", "s3")
    if key.expires is not None and time.time() >= key.expires:
        raise refusal("expired", "s3")
    return key


def _condition(one: Any) -> tuple[str, str, Any, Any]:
    """Return a condition as (operator, field, first operand, second operand)."""
    if isinstance(one, dict):
        ((field, value),) = one.items()
        return "eq", field.lower(), str(value), None
    operator, first, second = one
    if operator == "content-length-range":
        return operator, "", int(first), int(second)
    if operator not in ("eq", "starts-with"):
        raise ValueError(operator)
    return operator, first.removeprefix("$").lower(), str(second), None


def _check_conditions(conditions: list[tuple[str, str, Any, Any]], fields: Mapping[str, str]) -> tuple[int, int]:
    least, most = 0, 5 * 1024**3
    covered = set()
    for operator, field, first, second in conditions:
        value = fields.get(field, "")
        if operator == "content-length-range":
            least, most = first, second
        elif value != first if operator == "eq" else not value.startswith(first):
            raise _against_policy(f'Policy Condition failed: ["{operator}", "${field}", "{first}"]')
        covered.add(field)
    extra = {
        field
        for field in fields
        if field not in covered | _UNCONDITIONED | {"bucket"} and not field.startswith("x-ignore-")
    }
    if extra:
        raise _against_policy(f"Extra input fields: {min(extra)}")
    return least, most


def _against_policy(reason: str) -> ObjectStoreError:
    return ObjectStoreError("AccessDenied", f"Invalid according to Policy: {reason}", 403)


def _malformed() -> ObjectStoreError:
    return ObjectStoreError(
        # 403, since an unreadable policy is not signed either.
        "MalformedPOSTRequest",
        "The body of your POST request is not well-formed multipart/form-data.",
        403,
    )
