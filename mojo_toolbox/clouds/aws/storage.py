"""S3: the bucket, and files going up and coming down."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mojo_toolbox.clouds.aws.session import Session, connection_failure, refusal
from mojo_toolbox.errors import AccessDeniedError, AWSError, ConfigurationError, NotFoundError

# No two dots side by side, and no IP address.
_BUCKET_NAME = re.compile(r"(?!.*\.\.)(?!\d+(\.\d+){3}$)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", re.ASCII)
# Buckets from before 2018 may have these names. None can be made any more.
_OLD_BUCKET_NAME = re.compile(r"[a-zA-Z0-9._-]{1,255}")


def split_uri(uri: str) -> tuple[str, str]:
    """Return (bucket, key) of an `s3://` URI. The key may be empty or end with a slash.

    Raises:
        ConfigurationError: it is none.
    """
    scheme, _, rest = str(uri).partition("://")
    bucket, _, key = rest.partition("/")
    if scheme != "s3" or not _OLD_BUCKET_NAME.fullmatch(bucket):
        raise ConfigurationError(f"{uri!r} is not an S3 URI such as s3://bucket/folder/file.")
    return bucket, key


def split_file_uri(uri: str) -> tuple[str, str]:
    """Return (bucket, key) of the `s3://` URI of one object.

    Raises:
        ConfigurationError: it is none, or names a bucket or a folder only.
    """
    bucket, key = split_uri(uri)
    if not key or key.endswith("/"):
        what = "a folder" if key else "a bucket"
        raise ConfigurationError(f"{uri!r} names {what}, not a file. Add the file's name: {uri.rstrip('/')}/FILE")
    return bucket, key


def require_bucket_name(name: str) -> str:
    """Return `name` if S3 takes it for a bucket.

    Raises:
        ConfigurationError: it does not. A URI in place of a name is the usual reason.
    """
    if not _BUCKET_NAME.fullmatch(name):
        bucket = name.removeprefix("s3://").partition("/")[0]
        hint = f"Give the name alone: {bucket}" if _BUCKET_NAME.fullmatch(bucket) else "An example: my-bucket"
        raise ConfigurationError(
            f"bucket={name!r} is no name of an S3 bucket: 3 to 63 lower-case letters, digits, dots and dashes. {hint}"
        )
    return name


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

    def require_usable(self) -> None:
        """Refuse a bucket that is there and lets nobody in. One that is missing is made when it is needed.

        Raises:
            AWSError: or one of its kinds, such as the bucket of somebody else.
        """
        try:
            self._session.call("s3", "head_bucket", Bucket=self.bucket)
        except NotFoundError:
            return
        except AccessDeniedError as error:
            if not error.request_id:
                raise  # not S3's answer: there are no credentials to ask with
            raise AccessDeniedError(
                f"The bucket {self.bucket!r} cannot be used: it is somebody else's, or s3:ListBucket is not allowed. "
                "Name another with bucket=….",
                code=error.code,
                operation=error.operation,
                request_id=error.request_id,
            ) from error

    def require_object(self, uri: str) -> None:
        """Refuse the URI of an object (of any bucket) that is not there.

        Raises:
            NotFoundError: there is no such object.
        """
        bucket, key = split_file_uri(uri)
        try:
            self._session.call("s3", "head_object", Bucket=bucket, Key=key)
        except NotFoundError as error:
            raise NotFoundError(f"There is no object {uri}.", code=error.code, operation=error.operation) from error

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
        """Upload a file and return its URI. Multipart for large ones."""
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

    def names_below(self, uri: str) -> Iterator[str]:
        """Yield what follows `uri`, the place of a folder, in the keys of the objects in it (of any bucket)."""
        bucket, key = split_uri(uri)
        prefix = f"{key.rstrip('/')}/"
        for page in self._session.pages("s3", "list_objects_v2", Bucket=bucket, Prefix=prefix):
            yield from (str(row["Key"]).removeprefix(prefix) for row in page.get("Contents", []))

    def put(self, key: str, body: bytes) -> None:
        """Write a small object."""
        self._session.call("s3", "put_object", Bucket=self.bucket, Key=key, Body=body)

    def download(self, uri: str, target: Path) -> None:
        """Write the object at `uri` (of any bucket) to the file `target`.

        Raises:
            NotFoundError: there is no such object.
        """
        bucket, key = split_file_uri(uri)
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
