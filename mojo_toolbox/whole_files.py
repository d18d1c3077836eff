"""Files that are there whole or not at all: written beside their place, then moved into it."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO


def require_writable(path: Path | str) -> None:
    """Refuse a place where no file can be written, before anybody makes what goes there.

    Raises:
        OSError: it is a folder, stands below a file, or may not be written to.
    """
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, "is a folder; name a file", str(path))
    require_writable_folder(path.parent)


def require_writable_folder(path: Path | str) -> None:
    """Refuse a folder that can neither be made nor written to.

    Raises:
        OSError: it is a file, stands below one, or may not be written to.
    """
    path = Path(path)
    there = next(folder for folder in (path, *path.parents) if folder.exists())
    if not there.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, "is a file, not a folder", str(there))
    if not os.access(there, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, "nothing may be written there", str(there))


@contextmanager
def whole_file(path: Path | str) -> Iterator[TextIO]:
    """Yield a file to write text to (UTF-8); it takes the place of `path` when the block ends, unless by an exception.

    Missing folders are made. What stood at `path` stays there until then.

    Raises:
        OSError: as `require_writable()`, before the block begins.
    """
    path = Path(path)
    require_writable(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with temporary.open("x", encoding="utf-8", newline="\n") as file:
            yield file
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
