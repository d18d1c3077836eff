"""Paths that are short and plain enough: for Unix sockets, and for programs that split their command lines at spaces."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import stat
import tempfile
from pathlib import Path


def short_folder(owner: str) -> Path:
    """Name the folder of this home's sockets and links. It is there only while something needs it.

    A Unix socket's path holds some 100 bytes, and a home's path may be longer than that.
    """
    digest = hashlib.sha256(owner.encode()).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"mojo-{os.getuid()}-{digest}"


def socket_dir(owner: str) -> Path:
    """Return the folder of this home's sockets, made and closed to other users."""
    folder = short_folder(owner)
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
        raise PermissionError(f"{folder} belongs to somebody else; remove it.")
    folder.chmod(0o700)
    return folder


def clear_short_paths(owner: str) -> None:
    """Remove the folder with its sockets and links: at the end, and at the start those of a killed local cloud."""
    shutil.rmtree(short_folder(owner), ignore_errors=True)


def plain_path(folder: Path, owner: str) -> Path:
    """Return a path to a folder that holds no white space: the folder's own, or a link's.

    The training toolkit and ModelTrainer's shell scripts leave paths unquoted.
    """
    if not any(character.isspace() for character in str(folder)):
        return folder
    link = socket_dir(owner) / folder.name
    folder.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        link.symlink_to(folder)
    return link
