"""Archives: the artifacts of training jobs are read, and new archives for containers are written."""

from __future__ import annotations

import gzip
import io
import tarfile
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mojo_toolbox.contract import Manifest, parse_manifest
from mojo_toolbox.errors import ArtifactError

MANIFEST = "manifest.json"
_LEFT_OUT = {"__pycache__", ".DS_Store"}
_CHUNK = 1 << 20
# A manifest has some kilobytes. More is no manifest, and would be read into memory.
_MOST_MANIFEST_BYTES = 16 << 20


def pack_folder(folder: Path, target: Path) -> Path:
    """Pack a folder's files into a tar.gz whose bytes depend on their names and contents only. Return `target`."""
    with writing_archive(target) as archive:
        add_folder(archive, folder, prefix="")
    return target


@dataclass(frozen=True)
class Trained:
    """An artifact on disk, the model.tar.gz of a training job. `source` names it in errors."""

    path: Path
    source: str


def copy_trained(
    trained: Trained, new: tarfile.TarFile, *, prefix: str = "", leave_out: Collection[str] = ()
) -> Manifest:
    """Copy an artifact's members below `prefix`, all but the top-level folders in `leave_out`. Return its manifest.

    Raises:
        ArtifactError: not a tar.gz, paths that climb out, no manifest, or one of an unknown contract version.
    """
    manifest: Manifest | None = None
    source = trained.source
    try:
        with tarfile.open(trained.path, "r:gz") as old:
            for member in old:
                name = _safe_name(member, source)
                if name == MANIFEST:
                    manifest = parse_manifest(_content(old, member, source), source=source)
                if name and name.split("/")[0] not in leave_out:
                    member.name = prefix + name
                    # In a container everything belongs to root, and nothing is run as somebody else.
                    member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
                    new.addfile(member, old.extractfile(member) if member.isfile() else None)
            # The archive's checksum stands behind its last member, and is checked by whoever reads so far.
            while old.fileobj is not None and old.fileobj.read(_CHUNK):
                pass
    except (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError, RecursionError) as error:
        raise ArtifactError(f"{source} is no tar.gz archive, or is cut short: {error}") from error
    if manifest is None:
        raise ArtifactError(
            f"{source} holds no {MANIFEST}. It was not made by this library's training script; deploy a base model with "
            "base_model=…, or train again."
        )
    return manifest


@contextmanager
def writing_archive(target: Path) -> Iterator[tarfile.TarFile]:
    """Open a new tar.gz whose bytes depend on the names and contents of its files only."""
    # mtime=0 and anonymous members: the same files give the same bytes, so an upload can be recognised and skipped.
    with (
        target.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0, compresslevel=1) as zipped,
        tarfile.open(fileobj=zipped, mode="w") as archive,
    ):
        yield archive


def add_folder(archive: tarfile.TarFile, folder: Path, *, prefix: str) -> None:
    """Add the files of a folder below `prefix`, but no compiled Python."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not _LEFT_OUT.intersection(path.parts):
            add_file(archive, prefix + path.relative_to(folder).as_posix(), path.read_bytes())


def add_file(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    """Add a file that everybody may read."""
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(content), 0o644
    archive.addfile(member, io.BytesIO(content))


def _safe_name(member: tarfile.TarInfo, source: str) -> str:
    parts = [part for part in member.name.split("/") if part not in {"", "."}]
    # A size below zero would make tarfile read the same member for ever.
    plain = member.isdir() or (member.isfile() and not member.issparse() and member.size >= 0)
    if ".." in parts or member.name.startswith("/") or not plain:
        raise ArtifactError(
            f"{source} holds {member.name!r}, which leads out of the archive or is no plain file. Not used."
        )
    return "/".join(parts)


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo, source: str) -> bytes:
    if member.size > _MOST_MANIFEST_BYTES:
        raise ArtifactError(f"{source} holds a {MANIFEST} of {member.size:,} bytes, which is none. Not used.")
    file = archive.extractfile(member)
    return file.read() if file is not None else b""
