"""Between objects in the local cloud's S3 and folders on disk."""

from __future__ import annotations

import errno
import json
import shutil
from pathlib import Path, PurePosixPath

from mojo_toolbox.local_cloud.services.sagemaker.resources.surroundings import ObjectAccess, split_s3_uri
from mojo_toolbox.local_cloud.untrusted.plain_files import FolderEntry, LeftOut, NotPlainError, entries

# The longest key that S3 takes, in UTF-8.
_MOST_KEY_BYTES = 1024
# The errors of a key as a file's name: it is too long, or is both a file and a folder.
_NO_PLACE = (errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ELOOP, errno.EILSEQ)


class TransferError(Exception):
    """Objects that are not there, or that have no place in a folder."""


def download_prefix(store: ObjectAccess, uri: str, folder: Path) -> int:
    """Download every object below a prefix. Returns how many there were.

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


def download_manifest(store: ObjectAccess, uri: str, folder: Path) -> int:
    """Download the objects that a manifest file lists: `[{"prefix": "s3://…/"}, "key", …]`.

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


def download_object(store: ObjectAccess, uri: str, target: Path) -> None:
    """Download one object.

    Raises:
        TransferError: it does not exist.
    """
    download_key(store, *_split(uri), target)


def download_key(store: ObjectAccess, bucket: str, key: str, target: Path) -> None:
    """Download one object to a path, making its folders."""
    if not _has(store, bucket) or not store.exists(bucket, key):
        raise TransferError(f"The object s3://{bucket}/{key} does not exist.")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        store.download(bucket, key, target)
    except OSError as error:
        if error.errno not in _NO_PLACE:
            raise
        raise TransferError(f"The key {key!r} has no place inside a folder: {error.strerror}.") from error


def object_exists(store: ObjectAccess, uri: str) -> bool:
    """Whether an S3 URI names an object."""
    bucket, key = _split(uri)
    return _has(store, bucket) and store.exists(bucket, key)


def prefix_exists(store: ObjectAccess, uri: str) -> bool:
    """Whether an object's key begins as an S3 URI says."""
    bucket, prefix = _split(uri)
    return _has(store, bucket) and bool(store.list_keys(bucket, prefix))


def upload_file(store: ObjectAccess, path: Path, uri: str) -> None:
    """Upload one file to an S3 URI.

    Raises:
        TransferError: the bucket does not exist.
    """
    bucket, key = _split(uri)
    if not _has(store, bucket):
        raise TransferError(f"The bucket of {uri!r} does not exist.")
    store.put_file(bucket, key, path)


class FolderUpload:
    """Keeps an S3 prefix like a folder: each call uploads files that are new or changed since the last one.

    `left_out` takes the name of anything that cannot be an object, once, and why.
    """

    def __init__(self, store: ObjectAccess, folder: Path, uri: str, *, left_out: LeftOut) -> None:
        self._store = store
        self.folder = folder
        self._uri = uri.rstrip("/")
        self._seen: dict[str, tuple[int, int]] = {}
        self._told: set[str] = set()
        self._tell = left_out

    def mark_present(self) -> None:
        """Take the files in the folder now as uploaded already."""
        self._seen = {entry.name: _state(entry) for entry in self._files()}

    def sync(self) -> None:
        """Upload the changed files.

        Raises:
            TransferError: the bucket does not exist, or a file is larger than the free space of the disk.
        """
        for entry in self._files():
            if self._seen.get(entry.name) != _state(entry):
                self._upload(entry)

    def _upload(self, entry: FolderEntry) -> None:
        uri = f"{self._uri}/{entry.name}"
        trouble = _trouble_with_key(uri)
        if trouble:
            self._left_out(entry.name, trouble)
            return
        try:
            free = shutil.disk_usage(self.folder).free
            if entry.status.st_size > free:
                # Most often a sparse file, whose zeros would fill the disk.
                raise TransferError(f"{entry.name} has {entry.status.st_size:,} bytes, and the disk has {free:,} free.")
            upload_file(self._store, entry.path, uri)
        except FileNotFoundError:
            # The job replaced or removed it during the check. The next call sees the new state.
            return
        except (NotPlainError, PermissionError, NotADirectoryError) as error:
            self._left_out(entry.name, str(error))
            return
        self._seen[entry.name] = _state(entry)

    def _files(self) -> list[FolderEntry]:
        """Return the files that can be uploaded: a link to a file counts as a file, one to a folder as nothing."""
        return [
            entry
            for entry in entries(self.folder, self._left_out)
            if entry.kind == "file" or (entry.kind == "link" and entry.path.is_file())
        ]

    def _left_out(self, name: str, why: str) -> None:
        if name not in self._told:
            self._told.add(name)
            self._tell(name, why)


def _state(entry: FolderEntry) -> tuple[int, int]:
    return entry.status.st_mtime_ns, entry.status.st_size


def _trouble_with_key(uri: str) -> str:
    try:
        key = _split(uri)[1].encode()
    except UnicodeEncodeError:
        return "has a name that is not UTF-8"
    return f"has a key of more than {_MOST_KEY_BYTES} bytes" if len(key) > _MOST_KEY_BYTES else ""


def _has(store: ObjectAccess, bucket: str) -> bool:
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
