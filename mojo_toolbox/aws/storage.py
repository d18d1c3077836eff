"""S3: the bucket, and files going up and coming down."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mojo_toolbox.aws.session import Session, connection_failure, refusal
from mojo_toolbox.errors import AWSError, ConfigurationError, NotFoundError


def split_uri(uri: str) -> tuple[str, str]:
    """Return (bucket, key) of an `s3://` URI.

    Raises:
        ConfigurationError: it is none.
    """
    scheme, _, rest = uri.partition("://")
    bucket, _, key = rest.partition("/")
    if scheme != "s3" or not bucket:
        raise ConfigurationError(f"{uri!r} is not an S3 URI such as s3://bucket/folder/file.")
    return bucket, key


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Storage:
    """The one bucket that data, code and models of this account and region go to."""

    def __init__(self, session: Session, bucket: str) -> None:
        self._session = session
        self.bucket = bucket

    def uri(self, key: str) -> str:
        """Return the `s3://` URI of a key."""
        return f"s3://{self.bucket}/{key}"

    def ensure_bucket(self) -> None:
        """Create the bucket when it is missing: private, as S3's defaults make it."""
        try:
            self._session.call("s3", "head_bucket", Bucket=self.bucket)
        except NotFoundError:
            region = self._session.region_name
            # us-east-1 is the one region that must not be named.
            extra: dict[str, Any] = (
                {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
            )
            try:
                self._session.call("s3", "create_bucket", Bucket=self.bucket, **extra)
            except AWSError as error:
                if error.code != "BucketAlreadyOwnedByYou":  # another process of ours was faster
                    raise

    def upload(self, path: Path, key: str) -> str:
        """Upload a file and return its URI; multipart for large ones."""
        with _translated("s3:upload_file"):
            self._session.client("s3").upload_file(str(path), self.bucket, key)
        return self.uri(key)

    def upload_folder(self, folder: Path, prefix: str) -> str:
        """Upload the files of a folder, those of sub-folders too, and return the prefix's URI."""
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                self.upload(path, f"{prefix}/{path.relative_to(folder).as_posix()}")
        return self.uri(prefix)

    def exists(self, key: str) -> bool:
        """Return whether the object is there."""
        try:
            self._session.call("s3", "head_object", Bucket=self.bucket, Key=key)
        except NotFoundError:
            return False
        return True

    def put(self, key: str, body: bytes) -> None:
        """Write a small object."""
        self._session.call("s3", "put_object", Bucket=self.bucket, Key=key, Body=body)

    def download(self, uri: str, target: Path) -> None:
        """Write the object at `uri` (of any bucket) to the file `target`.

        Raises:
            NotFoundError: there is no such object.
        """
        bucket, key = split_uri(uri)
        with _translated("s3:download_file", uri):
            self._session.client("s3").download_file(bucket, key, str(target))


@contextmanager
def _translated(operation: str, uri: str = "") -> Iterator[None]:
    """Turn the errors of boto3's transfers, which do not pass through `Session.call`, into ours."""
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (BotoCoreError, Boto3Error, ClientError) as error:
        # upload_file wraps what S3 answered in an exception of its own.
        answer = error if isinstance(error, ClientError) else error.__context__
        if not isinstance(answer, ClientError):
            raise connection_failure(error, operation=operation) from error
        translated = refusal(answer.response, operation=operation)
        if isinstance(translated, NotFoundError) and uri:
            translated = NotFoundError(f"There is no object {uri}.", code=translated.code, operation=operation)
        raise translated from error
