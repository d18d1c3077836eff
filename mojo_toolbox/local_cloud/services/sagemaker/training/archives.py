"""Packs a job's files as SageMaker does: model.tar.gz and output.tar.gz."""

from __future__ import annotations

import os
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from mojo_toolbox.local_cloud.untrusted.closed_folder import MAX_DEPTH
from mojo_toolbox.local_cloud.untrusted.plain_files import FolderEntry, LeftOut, NotPlainError, entries, open_plain


class PackingError(Exception):
    """Why a folder cannot become an archive."""


def pack(folder: Path, target: Path, *, left_out: LeftOut, go_on: Callable[[], bool] = lambda: True) -> None:
    """Write the contents of a folder as a tar.gz. Paths in it are relative to the folder.

    Pipes, sockets, devices and links to nothing are left out. A link to a file outside becomes that file.

    Raises:
        PackingError: a file is larger than the free space of the disk, or `go_on()` became false.
    """
    # Weights hardly compress: level 9 would take a minute for each gigabyte and save nothing.
    with tarfile.open(target, "w:gz", compresslevel=1) as archive:
        for entry in entries(folder, left_out):
            if not go_on():
                raise PackingError("The local cloud was stopped.")
            if entry.name.count("/") >= MAX_DEPTH:
                left_out(entry.name, "lies too deep")
            elif entry.kind == "file":
                _add_file(archive, entry, target, left_out, go_on)
            else:
                archive.addfile(_member(entry))


def _add_file(
    archive: tarfile.TarFile, entry: FolderEntry, target: Path, left_out: LeftOut, go_on: Callable[[], bool]
) -> None:
    try:
        file = open_plain(entry.path)
    except NotPlainError as error:
        left_out(entry.name, str(error))
        return
    except OSError as error:
        raise PackingError(f"{entry.name} cannot be read: {error.strerror}") from error
    with file:
        member = _member(entry)
        member.size = os.fstat(file.fileno()).st_size
        free = shutil.disk_usage(target.parent).free
        if member.size > free:
            # Most often a sparse file: reading its zeros would take hours.
            raise PackingError(f"{entry.name} has {member.size:,} bytes, and the disk has {free:,} free.")
        archive.addfile(member, _Interruptible(file, go_on))  # type: ignore[arg-type]


def _member(entry: FolderEntry) -> tarfile.TarInfo:
    """Describe an entry without the name of the user: in a container everything belongs to root."""
    member = tarfile.TarInfo(entry.name)
    member.mtime = int(entry.status.st_mtime)
    member.mode = entry.status.st_mode & 0o777
    if entry.kind == "folder":
        member.type = tarfile.DIRTYPE
    elif entry.kind == "link":
        member.type = tarfile.SYMTYPE
        # The job's own folder is gone tomorrow: the link leads from its place to the other one.
        member.linkname = os.path.relpath(entry.path.resolve(), entry.path.parent.resolve())
    return member


class _Interruptible:
    """A file that stops being read once the local cloud is to end."""

    def __init__(self, file: BinaryIO, go_on: Callable[[], bool]) -> None:
        self._file = file
        self._go_on = go_on

    def read(self, size: int) -> bytes:
        if not self._go_on():
            raise PackingError("The local cloud was stopped.")
        return self._file.read(size)
