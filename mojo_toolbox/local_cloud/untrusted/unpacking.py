"""Unpacks an archive from a stranger: nothing of it lands outside of the folder, and it cannot fill memory or disk.

`tarfile.extractall(filter="data")` alone is not enough: on Python without the fix of CVE-2025-4517 a chain of links leads out.
"""

from __future__ import annotations

import bz2
import contextlib
import errno
import gzip
import lzma
import shutil
import tarfile
import zlib
from pathlib import Path
from typing import Protocol

from mojo_toolbox.local_cloud.untrusted.closed_folder import ClosedFolder, LeadsOutError

_PIECE = 1 << 20
# No header is longer. tarfile reads one at once, and a header may claim gigabytes.
_LONGEST_READ = 16 << 20
# Weights hardly compress. Beyond a gigabyte, an archive that grows a hundredfold is made to fill the disk.
_ALWAYS_ALLOWED_BYTES = 1 << 30
_MOST_GROWTH = 100
_MOST_MEMBERS = 1_000_000
_SPARED_BYTES = 256 << 20
_SHOWN_NAME = 120
_UNUSABLE_NAME = (errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL)


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


class UnsafeArchiveError(Exception):
    """An archive that cannot be unpacked, or that must not be."""


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a tar archive (plain, gzip, bzip2 or xz) below a folder.

    Files come out plain: no owner, no set-user-id bit. Links inside of the folder are kept, links to nothing left out.

    Raises:
        UnsafeArchiveError: a name or a link leads out, a member is a device or a pipe, it unpacks to more than the disk
            holds, or it is no whole tar archive.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with _decompressed(archive) as raw, ClosedFolder(folder) as target:
            size = archive.stat().st_size
            room = min(max(_ALWAYS_ALLOWED_BYTES, _MOST_GROWTH * size), max(0, _free_bytes(folder) - _SPARED_BYTES))
            stream = _Forwards(raw, most=room)
            with tarfile.open(fileobj=stream, mode="r:") as members:  # type: ignore[call-overload]
                _Unpacking(target, room).take_all(members)
            stream.read_to_its_end()
            target.drop_broken_links()
    except LeadsOutError as error:
        raise UnsafeArchiveError(f"it holds a path that is not allowed: {error}") from error
    except (tarfile.TarError, EOFError, ValueError, OverflowError, RecursionError, zlib.error, lzma.LZMAError) as error:
        raise UnsafeArchiveError(f"it cannot be read as a tar archive: {error}") from error
    except OSError as error:
        if error.errno in _UNUSABLE_NAME:
            raise UnsafeArchiveError(f"it holds a name that no file here can have: {error.strerror}") from error
        if error.errno is not None:
            raise
        # gzip reports damaged data as an OSError without a number.
        raise UnsafeArchiveError(f"it cannot be read as a tar archive: {error}") from error


class _Unpacking:
    """The totals taken out of one archive so far."""

    def __init__(self, target: ClosedFolder, room: int) -> None:
        self._target = target
        self._room = room
        # Made at the end: until then nothing can be written through one.
        self._links: dict[tuple[str, ...], str] = {}

    def take_all(self, members: tarfile.TarFile) -> None:
        count = 0
        while (member := members.next()) is not None:
            # tarfile keeps each member that it has read, and no one asks for them again.
            members.members = []  # type: ignore[attr-defined]
            count += 1
            if count > _MOST_MEMBERS:
                raise UnsafeArchiveError(f"it holds more than {_MOST_MEMBERS:,} members")
            try:
                self._take(members, member)
            except LeadsOutError as error:
                raise LeadsOutError(f"{_shown(member.name)} {error}") from error
        for parts, link in self._links.items():
            try:
                self._target.symbolic_link(parts, link)
            except LeadsOutError as error:
                raise LeadsOutError(f"{_shown('/'.join(parts))} {error}") from error

    def _take(self, members: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        parts = self._target.parts(member.name)
        if member.isdir():
            self._target.make_folder(parts)
        elif member.isreg():
            self._links.pop(tuple(parts), None)
            self._write(members, member)
        elif member.issym():
            self._links[tuple(parts)] = member.linkname
        elif member.islnk():
            self._links.pop(tuple(parts), None)
            self._target.hard_link(parts, self._target.parts(member.linkname))
        else:
            raise LeadsOutError("is a device, a pipe or of an unknown kind")

    def _write(self, members: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        # The archive does not contain all the bytes of a sparse file.
        self._room -= max(0, member.size)
        if self._room < 0:
            raise UnsafeArchiveError("it unpacks to far more than its own size, or to more than the disk has free")
        content = members.extractfile(member)
        assert content is not None
        executable = bool((member.mode or 0) & 0o100)
        with content, self._target.create(self._target.parts(member.name), executable=executable) as file:
            shutil.copyfileobj(content, file, _PIECE)


class _Forwards:
    """The bytes of an archive, read once from front to back, in pieces, and not more of them than there is room for.

    A size below zero makes tarfile go back, and read the same header for ever (CVE-2025-8194).
    """

    def __init__(self, raw: _Readable, *, most: int) -> None:
        self._raw = raw
        # Names and padding come in addition to the files' bytes.
        self._most = most + most // 4 + _LONGEST_READ
        self._position = 0
        self._last = b""

    def tell(self) -> int:
        return self._position

    def read(self, size: int) -> bytes:
        if not 0 <= size <= _LONGEST_READ:
            raise UnsafeArchiveError(f"one of its headers claims to be {size:,} bytes long")
        data = self._last = self._raw.read(size)
        self._position += len(data)
        if self._position > self._most:
            raise UnsafeArchiveError("it unpacks to far more than its own size, or to more than the disk has free")
        return data

    def seek(self, position: int) -> int:
        if position < self._position:
            raise UnsafeArchiveError("one of its headers points back")
        while self._position < position and self.read(min(_PIECE, position - self._position)):
            pass
        return self._position

    def read_to_its_end(self) -> None:
        """Read the bytes behind the last member, so that the checksum at the end is checked.

        tarfile takes a damaged header for the end: the end is a block of zeros, or nothing at all.
        """
        if any(self._last):
            raise UnsafeArchiveError("it cannot be read as a tar archive: a header in its midst is damaged")
        while self.read(_PIECE):
            pass


def _decompressed(archive: Path) -> contextlib.AbstractContextManager[_Readable]:
    with archive.open("rb") as file:
        start = file.read(6)
    if start.startswith(b"\x1f\x8b"):
        return gzip.open(archive)
    if start.startswith(b"BZh"):
        return bz2.open(archive)
    if start.startswith((b"\xfd7zXZ", b"\x5d\x00\x00")):
        return lzma.open(archive)
    return archive.open("rb")


def _free_bytes(folder: Path) -> int:
    return shutil.disk_usage(folder).free


def _shown(name: str) -> str:
    return repr(name if len(name) <= _SHOWN_NAME else f"{name[:_SHOWN_NAME]}…")
