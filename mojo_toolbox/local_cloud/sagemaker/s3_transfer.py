"""Between objects in the local cloud's S3 and folders on disk."""

from __future__ import annotations

import json
import os
from pathlib import Path, PurePosixPath

from mojo_toolbox.local_cloud.sagemaker.cloud import ObjectStore, split_s3_uri


class TransferError(Exception):
    """Objects that are not there, or that have no place in a folder."""


def download_prefix(store: ObjectStore, uri: str, folder: Path) -> int:
    """Download every object below a prefix; returns how many there were.

    As SageMaker does: below `s3://b/data` the object `data/a/x` becomes `a/x`, the object `data` itself its last part.

    Raises:
        TransferError: nothing is there, or a key would climb out of the folder.
    """
    bucket, prefix = _split(uri)
    keys = [key for key in store.list_keys(bucket, prefix) if not key.endswith("/")] if _has(store, bucket) else []
    if not keys:
        raise TransferError(f"No S3 objects found under S3 URL {uri!r} given in input data source.")
    cut = prefix if prefix.endswith("/") or not prefix else f"{prefix}/"
    parent = prefix[: prefix.rfind("/") + 1]
    for key in keys:
        relative = key[len(cut) :] if key.startswith(cut) else key[len(parent) :]
        download_key(store, bucket, key, _inside(folder, relative))
    return len(keys)


def download_manifest(store: ObjectStore, uri: str, folder: Path) -> int:
    """Download what a manifest file lists: `[{"prefix": "s3://…/"}, "key", …]`.

    Raises:
        TransferError: the manifest or one of its objects is missing or cannot be read.
    """
    bucket, key = _split(uri)
    if not _has(store, bucket) or not store.exists(bucket, key):
        raise TransferError(f"The manifest {uri!r} does not exist.")
    with store.open(bucket, key) as stream:
        try:
            head, *names = json.loads(stream.read())
            source, prefix = _split(head["prefix"])
        except (ValueError, KeyError, TypeError) as error:
            raise TransferError(f"The manifest {uri!r} is not a list of a prefix and keys: {error}") from error
    for name in names:
        if not isinstance(name, str):
            raise TransferError(f"The manifest {uri!r} lists {name!r}, which is no key.")
        download_key(store, source, prefix + name, _inside(folder, name))
    return len(names)


def download_object(store: ObjectStore, uri: str, target: Path) -> None:
    """Download one object.

    Raises:
        TransferError: it does not exist.
    """
    download_key(store, *_split(uri), target)


def download_key(store: ObjectStore, bucket: str, key: str, target: Path) -> None:
    """Download one object to a path, making its folders."""
    if not _has(store, bucket) or not store.exists(bucket, key):
        raise TransferError(f"The object s3://{bucket}/{key} does not exist.")
    target.parent.mkdir(parents=True, exist_ok=True)
    store.download(bucket, key, target)


def object_exists(store: ObjectStore, uri: str) -> bool:
    """Whether an S3 URI names an object."""
    bucket, key = _split(uri)
    return _has(store, bucket) and store.exists(bucket, key)


def prefix_exists(store: ObjectStore, uri: str) -> bool:
    """Whether an object's key begins as an S3 URI says."""
    bucket, prefix = _split(uri)
    return _has(store, bucket) and bool(store.list_keys(bucket, prefix))


def upload_file(store: ObjectStore, path: Path, uri: str) -> None:
    """Upload one file to an S3 URI.

    Raises:
        TransferError: the bucket does not exist.
    """
    bucket, key = _split(uri)
    if not _has(store, bucket):
        raise TransferError(f"The bucket of {uri!r} does not exist.")
    store.put_file(bucket, key, path)


class FolderUpload:
    """Keeps an S3 prefix like a folder: each call uploads what is new or changed since the last one."""

    def __init__(self, store: ObjectStore, folder: Path, uri: str) -> None:
        self._store = store
        self._folder = folder
        self._uri = uri.rstrip("/")
        self._seen: dict[Path, tuple[int, int]] = {}

    def mark_present(self) -> None:
        """Take what lies in the folder now as uploaded already."""
        self._seen = {path: state for path, state in self._states()}  # noqa: C416 - pairs, spelled out

    def sync(self) -> None:
        """Upload what changed.

        Raises:
            TransferError: the bucket does not exist.
        """
        for path, state in self._states():
            if self._seen.get(path) == state:
                continue
            try:
                upload_file(self._store, path, f"{self._uri}/{path.relative_to(self._folder).as_posix()}")
            except FileNotFoundError:
                # Replaced or removed by the job while it was looked at; the next call sees what came after.
                continue
            self._seen[path] = state

    def _states(self) -> list[tuple[Path, tuple[int, int]]]:
        found = []
        # os.walk passes over folders that the job removes meanwhile; Path.rglob raises.
        for folder, _, names in os.walk(self._folder):
            for name in sorted(names):
                path = Path(folder, name)
                try:
                    status = path.stat()
                except FileNotFoundError:
                    continue
                found.append((path, (status.st_mtime_ns, status.st_size)))
        return found


def _has(store: ObjectStore, bucket: str) -> bool:
    return store.bucket_exists(bucket)


def _split(uri: str) -> tuple[str, str]:
    try:
        return split_s3_uri(uri)
    except ValueError as error:
        raise TransferError(str(error)) from error


def _inside(folder: Path, relative: str) -> Path:
    parts = PurePosixPath(relative).parts
    if not parts or ".." in parts or PurePosixPath(relative).is_absolute() or "\0" in relative:
        raise TransferError(f"The key {relative!r} has no place inside a folder.")
    return folder.joinpath(*parts)
