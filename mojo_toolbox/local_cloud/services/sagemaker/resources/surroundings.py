"""The common ground of SageMaker's rooms: the places of files, and the names of resources."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from mojo_toolbox.local_cloud.running.environments import Environments
from mojo_toolbox.local_cloud.services.logs.service import LogsService
from mojo_toolbox.local_cloud.state.database import CloudDatabase
from mojo_toolbox.local_cloud.state.home import AccessKey

_BUCKET_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


class ObjectAccess(Protocol):
    """The part of S3 that jobs and endpoints use."""

    def bucket_exists(self, bucket: str) -> bool: ...  # noqa: D102
    def exists(self, bucket: str, key: str) -> bool: ...  # noqa: D102
    def size(self, bucket: str, key: str) -> int: ...  # noqa: D102
    def list_keys(self, bucket: str, prefix: str) -> Sequence[str]: ...  # noqa: D102
    def open(self, bucket: str, key: str) -> BinaryIO: ...  # noqa: D102
    def download(self, bucket: str, key: str, target: Path) -> None: ...  # noqa: D102
    def put_file(self, bucket: str, key: str, path: Path) -> None: ...  # noqa: D102


class Folders(Protocol):
    """The part of the local cloud's home that jobs and endpoints use."""

    @property
    def jobs_dir(self) -> Path: ...  # noqa: D102
    @property
    def endpoints_dir(self) -> Path: ...  # noqa: D102
    @property
    def environments_dir(self) -> Path: ...  # noqa: D102


@dataclass(frozen=True)
class Surroundings:
    """The local cloud as its SageMaker sees it."""

    database: CloudDatabase
    logs: LogsService
    object_store: ObjectAccess
    folders: Folders
    environments: Environments
    endpoint_url: str
    credentials: AccessKey
    region: str
    account_id: str
    stop_grace_seconds: float
    invocation_seconds: float

    @property
    def owner(self) -> str:
        """The mark of child processes of this home."""
        return str(self.folders.jobs_dir.parent.resolve())

    def arn(self, kind: str, name: str) -> str:
        """Name a resource as AWS does: `arn:aws:sagemaker:us-east-1:123456789012:model/name`."""
        return f"arn:aws:sagemaker:{self.region}:{self.account_id}:{kind}/{name}"


def split_s3_uri(uri: str) -> tuple[str, str]:
    """Split `s3://bucket/key` in bucket and key. The key may be empty.

    Raises:
        ValueError: it is no S3 URI.
    """
    scheme, _, path = uri.partition("://")
    bucket, _, key = path.partition("/")
    if scheme != "s3" or not bucket:
        raise ValueError(f"{uri!r} is no S3 URI (s3://bucket/key).")
    if _BUCKET_NAME.fullmatch(bucket) is None:
        raise ValueError(f"{uri!r} is no S3 URI: a bucket cannot be called {bucket!r}.")
    return bucket, key
