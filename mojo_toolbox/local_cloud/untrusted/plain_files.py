"""What a program left in a folder, whatever it is: plain files to read, and the pipes, sockets and loops that nobody can.

A program may replace, remove or close any of it meanwhile.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

# O_NONBLOCK: opening a pipe that nobody writes to would wait for ever.
_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_KINDS = (
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)

# Takes a name and why it is left out, as a clause: "is a named pipe".
LeftOut = Callable[[str, str], None]


class NotPlainError(OSError):
    """Something that is not a plain file. The message is a clause that names its kind."""


@dataclass(frozen=True)
class FolderEntry:
    """A folder, a plain file, or a link that stays inside of the folder that was walked."""

    name: str
    path: Path
    kind: Literal["folder", "file", "link"]
    status: os.stat_result
    """A link's is that of the file or folder it leads to."""


def open_plain(path: Path) -> BinaryIO:
    """Open a plain file for reading, without waiting for anybody. A file that its owner closed to itself is opened.

    Raises:
        NotPlainError: it is a pipe, a socket, a device or a folder.
    """
    try:
        descriptor = _open(path)
    except OSError as error:
        if error.errno == errno.ENXIO:
            raise NotPlainError("is a socket or a device") from error
        raise
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        raise NotPlainError(f"is {_kind(mode)}")
    return os.fdopen(descriptor, "rb")


def pieces(path: Path, size: int) -> Iterator[bytes]:
    """Read a plain file in pieces, as long as it was when it was opened: one that grows all the time has an end too.

    Raises:
        OSError: it cannot be read, or is no plain file (NotPlainError).
    """
    with open_plain(path) as file:
        left = os.fstat(file.fileno()).st_size
        while left and (piece := file.read(min(size, left))):
            left -= len(piece)
            yield piece


def first_bytes(path: Path, size: int) -> bytes:
    """Return the first bytes of a plain file, nothing when it is missing or no such file."""
    try:
        with open_plain(path) as file:
            return file.read(size)
    except OSError:
        return b""


def entries(folder: Path, left_out: LeftOut) -> Iterator[FolderEntry]:
    """Walk a folder of any depth in the order of names. Report each omitted file with its reason.

    A link to a file outside counts as that file. Files that vanish meanwhile are passed over.
    """
    waiting = [folder]
    root = folder.resolve()
    while waiting:
        below: list[Path] = []
        for path in _paths_in(waiting.pop(), folder, left_out):
            name = path.relative_to(folder).as_posix()
            try:
                entry = _entry(path, name, root)
            except FileNotFoundError:
                continue
            except OSError as error:
                left_out(name, str(error) if isinstance(error, NotPlainError) else f"cannot be read ({error.strerror})")
                continue
            yield entry
            if entry.kind == "folder":
                below.append(path)
        waiting += reversed(below)


def remove_folder(folder: Path) -> None:
    """Remove a folder however deep it is, and whatever in it is closed to its owner. A link to one is only unlinked."""
    with suppress(RecursionError):
        shutil.rmtree(folder, ignore_errors=True)
    if not os.path.lexists(folder):
        return
    # Python's own removal ends at some thousand levels, and at a folder that nobody may write to.
    if not folder.is_symlink():
        subprocess.run(["chmod", "-R", "u+rwx", str(folder)], check=False, capture_output=True)  # noqa: S607 - the system's own
    subprocess.run(["rm", "-rf", "--", str(folder)], check=False, capture_output=True)  # noqa: S607 - the system's own


def _paths_in(folder: Path, root: Path, left_out: LeftOut) -> list[Path]:
    try:
        try:
            return sorted(folder.iterdir())
        except PermissionError:
            folder.chmod(0o700)
            return sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        left_out(folder.relative_to(root).as_posix(), f"cannot be read ({error.strerror})")
        return []


def _entry(path: Path, name: str, root: Path) -> FolderEntry:
    status = path.lstat()
    if stat.S_ISDIR(status.st_mode):
        return FolderEntry(name, path, "folder", status)
    if stat.S_ISLNK(status.st_mode):
        return _linked(path, name, root)
    if not stat.S_ISREG(status.st_mode):
        raise NotPlainError(f"is {_kind(status.st_mode)}")
    return FolderEntry(name, path, "file", status)


def _linked(path: Path, name: str, root: Path) -> FolderEntry:
    try:
        real = path.resolve(strict=True)
        status = path.stat()
    except FileNotFoundError:
        if not os.path.lexists(path):
            raise
        raise NotPlainError("is a link to nothing") from None
    except (OSError, RuntimeError):
        # Python before 3.13 has a RuntimeError for a loop.
        raise NotPlainError("is a link that leads nowhere") from None
    if real.is_relative_to(root):
        return FolderEntry(name, path, "link", status)
    if stat.S_ISREG(status.st_mode):
        return FolderEntry(name, path, "file", status)
    raise NotPlainError(f"is a link to {_kind(status.st_mode)} outside of it")


def _open(path: Path) -> int:
    try:
        return os.open(path, _READ)
    except PermissionError:
        # The containers of SageMaker run as root, for whom no file of their own is closed.
        path.chmod(path.stat().st_mode | stat.S_IRUSR)
        return os.open(path, _READ)


def _kind(mode: int) -> str:
    return next((kind for is_kind, kind in _KINDS if is_kind(mode)), "no plain file")
