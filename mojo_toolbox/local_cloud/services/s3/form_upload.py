"""One upload by form, from its first byte to the object."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

from mojo_toolbox.local_cloud.identity.credentials import KeyRing
from mojo_toolbox.local_cloud.identity.signatures import PayloadRule
from mojo_toolbox.local_cloud.services.s3 import call as s3_call
from mojo_toolbox.local_cloud.services.s3.call import Call
from mojo_toolbox.local_cloud.services.s3.forms import FormReader, check_form
from mojo_toolbox.local_cloud.services.s3.intake import BodyIntake
from mojo_toolbox.local_cloud.services.s3.objects import ObjectRoutes
from mojo_toolbox.local_cloud.services.s3.parameters import check_parameters
from mojo_toolbox.local_cloud.services.s3.s3_errors import ObjectStoreError
from mojo_toolbox.local_cloud.wire.http import HttpAnswer, HttpRequest


class FormUpload:
    """Nothing is written before the form's signature and policy have been checked."""

    def __init__(self, objects: ObjectRoutes, request: HttpRequest, bucket: str, keys: KeyRing) -> None:
        self._objects = objects
        self._request = request
        self._bucket = bucket
        self._keys = keys
        self._reader = FormReader(request.headers.get("content-type", ""))
        self._intake: BodyIntake | None = None
        self._size = 0
        self._least, self._most = 0, 0

    def take(self, data: bytes) -> None:
        """Take the next bytes.

        Raises:
            ServiceError: the form is not signed, or its file is too large.
            OSError: the disk is full.
        """
        piece = self._reader.feed(data)
        if not self._reader.in_file:
            return
        if self._intake is None:
            self._least, self._most = check_form(self._reader.fields, self._bucket, self._keys)
            self._intake = self._objects.begin_put(self._call(), PayloadRule(), sized=False)
        self._size += len(piece)
        if self._size > self._most:
            raise ObjectStoreError("EntityTooLarge", "Your proposed upload exceeds the maximum allowed size")
        self._intake.take(piece)

    def finish(self) -> HttpAnswer:
        """Make the object, and answer as the form asks.

        Raises:
            ServiceError: the form is not complete, or its file is too small.
        """
        if self._intake is None or not self._reader.complete or self._size < self._least:
            self.discard()
            if self._intake is not None and self._reader.complete:
                raise ObjectStoreError(
                    "EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size"
                )
            raise ObjectStoreError(
                "MalformedPOSTRequest", "The form has no file, or ends before its last boundary.", 403
            )
        return self._success(self._intake.finish().headers["etag"])

    def _success(self, etag: str) -> HttpAnswer:
        """Answer as the form asks. If it asks for something impossible, answer as if it had not asked."""
        fields = self._reader.fields
        key, status = fields["key"], fields.get("success_action_status")
        target = fields.get("success_action_redirect") or fields.get("redirect") or ""
        if (location := _redirect(target, {"bucket": self._bucket, "key": key, "etag": etag})) is not None:
            return HttpAnswer(303, {"etag": etag, "location": location})
        location = f"http://{self._request.headers.get('host', '')}/{quote(f'{self._bucket}/{key}')}"
        headers = {"etag": etag, "location": location}
        if status == "201":
            content = {"Location": location, "Bucket": self._bucket, "Key": key, "ETag": etag}
            return replace(s3_call.xml_answer("PostResponse", content, headers=headers), status=201)
        return HttpAnswer(200 if status == "200" else 204, headers)

    def discard(self) -> None:
        """Leave nothing behind."""
        if self._intake is not None:
            self._intake.discard()

    def _call(self) -> Call:
        fields = self._reader.fields
        headers = {name: value for name, value in fields.items() if not name.startswith("x-amz-security")}
        if "tagging" in fields:
            # A form has a document where other uploads have a header.
            headers["x-amz-tagging"] = urlencode(s3_call.body_tags(fields["tagging"].encode()))
        if "acl" in fields:
            headers["x-amz-acl"] = fields["acl"]
        request = replace(self._request, headers=headers)
        call = Call(request, self._bucket, fields["key"], {}, s3_call.effective_headers(request), region="")
        check_parameters("PutObject", call)
        return call


def _redirect(target: str, added: dict[str, str]) -> str | None:
    """Return the URL that a form wants its browser to go on to, with the answer's facts, or None if it is not a URL."""
    try:
        parts = urlsplit(target)
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not parts.netloc or not target.isprintable() or " " in target:
        return None
    query = "&".join(part for part in (parts.query, urlencode(added, quote_via=quote)) if part)
    # A header takes ASCII only.
    return quote(urlunsplit(parts._replace(query=query)), safe="%/:?#[]@!$&'()*+,;=~")
