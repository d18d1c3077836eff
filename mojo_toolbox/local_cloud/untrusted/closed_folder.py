"""A folder that is filled under names from outside: none of them leads out of it, and none is reached through a link."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Self

# Deeper than any model, and less than what Python's own recursive functions can remove again.
MAX_DEPTH = 200
_MAX_LINKS = 40
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC

Parts = Sequence[str]


class LeadsOutError(Exception):
    """A name or a link that leads out of the folder, or through a link. The message is a clause about it."""


class ClosedFolder:
    """One folder, open until `close`.

    The system walks one part of a name at a time from an open folder, so that neither the length of a path nor a link
    that appears meanwhile changes where a file lands.
    """

    def __init__(self, root: Path) -> None:
        self._root = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._longest = os.pathconf(root, "PC_PATH_MAX") - len(os.fsencode(root)) - 2

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._root)

    def parts(self, name: str) -> Parts:
        """Split a name; "." and empty parts count for nothing.

        Raises:
            LeadsOutError: it climbs, is absolute, or is too long or too deep to be used.
        """
        parts = [part for part in name.split("/") if part not in {"", "."}]
        if name.startswith("/") or ".." in parts:
            raise LeadsOutError("leads out of the folder")
        if "\0" in name:
            raise LeadsOutError("contains a zero byte")
        if len(parts) > MAX_DEPTH or len(os.fsencode(name)) > self._longest:
            raise LeadsOutError("is too long")
        return parts

    def make_folder(self, parts: Parts) -> None:
        """Make a folder and those above it, unless they are there."""
        with self._opened(parts, make=True):
            return

    def create(self, parts: Parts, *, executable: bool) -> BinaryIO:
        """Open a new file for writing. It takes the place of a file or a link of its name, which is not written to."""
        with self._place(parts) as (folder, name):
            descriptor = os.open(name, _NEW_FILE, 0o755 if executable else 0o644, dir_fd=folder)
        return os.fdopen(descriptor, "wb")

    def hard_link(self, parts: Parts, existing: Parts) -> None:
        """Give a file of this folder a second name.

        Raises:
            LeadsOutError: there is no such file here.
        """
        try:
            with self._opened(existing[:-1], make=False) as source:
                status = os.stat(existing[-1], dir_fd=source, follow_symlinks=False) if existing else None
                if status is None or not stat.S_ISREG(status.st_mode):
                    raise LeadsOutError("is a link to something that is no file of the archive")
                if list(parts) == list(existing):
                    return
                with self._place(parts) as (folder, name):
                    os.link(existing[-1], name, src_dir_fd=source, dst_dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            raise LeadsOutError("is a link to a file that does not come before it") from None

    def symbolic_link(self, parts: Parts, target: str) -> None:
        """Make a link in the place of a file or a link of its name. `drop_broken_links` checks where it leads."""
        with self._place(parts) as (folder, name):
            os.symlink(target, name, dir_fd=folder)

    def drop_broken_links(self) -> None:
        """Remove links to nothing: something could come there later.

        Raises:
            LeadsOutError: a link leads out of the folder. All links are removed then.
        """
        links = list(self._links())
        try:
            broken = [link for link in links if not self._leads_to_something(link)]
        except LeadsOutError:
            self._remove(links)
            raise
        self._remove(broken)

    def _links(self) -> Iterator[Parts]:
        waiting: list[list[str]] = [[]]
        while waiting:
            parts = waiting.pop()
            with self._opened(parts, make=False) as folder, os.scandir(folder) as entries:
                for entry in entries:
                    if entry.is_symlink():
                        yield [*parts, entry.name]
                    elif entry.is_dir(follow_symlinks=False):
                        waiting.append([*parts, entry.name])

    def _leads_to_something(self, link: Parts) -> bool:
        """Follow a link part by part, as the system would."""
        here, pending, followed = list(link[:-1]), [link[-1]], 0
        while pending:
            name = pending.pop()
            if name == "..":
                if not here:
                    raise LeadsOutError(f"{'/'.join(link)!r} is a link that leads out of the folder")
                here.pop()
                continue
            status = self._status([*here, name])
            if status is None:
                return False
            if stat.S_ISLNK(status.st_mode):
                target, followed = self._target([*here, name]), followed + 1
                if target.startswith("/"):
                    raise LeadsOutError(f"{'/'.join(link)!r} is a link that leads out of the folder")
                if followed > _MAX_LINKS:
                    return False
                pending += reversed([part for part in target.split("/") if part not in {"", "."}])
            elif stat.S_ISDIR(status.st_mode):
                here.append(name)
            elif pending:
                return False
        return True

    def _status(self, parts: Parts) -> os.stat_result | None:
        try:
            with self._opened(parts[:-1], make=False) as folder:
                return os.stat(parts[-1], dir_fd=folder, follow_symlinks=False)
        except OSError:
            return None

    def _target(self, parts: Parts) -> str:
        with self._opened(parts[:-1], make=False) as folder:
            return os.readlink(parts[-1], dir_fd=folder)

    def _remove(self, links: Sequence[Parts]) -> None:
        for parts in links:
            with self._opened(parts[:-1], make=False) as folder:
                os.unlink(parts[-1], dir_fd=folder)

    @contextlib.contextmanager
    def _place(self, parts: Parts) -> Iterator[tuple[int, str]]:
        """Open the folder of a name whose place is free, or holds a file or a link, which is removed."""
        if not parts:
            raise LeadsOutError("is the folder itself")
        with self._opened(parts[:-1], make=True) as folder:
            try:
                status = os.stat(parts[-1], dir_fd=folder, follow_symlinks=False)
            except FileNotFoundError:
                pass
            else:
                if stat.S_ISDIR(status.st_mode):
                    raise LeadsOutError("is a folder and something else")
                os.unlink(parts[-1], dir_fd=folder)
            yield folder, parts[-1]

    @contextlib.contextmanager
    def _opened(self, parts: Parts, *, make: bool) -> Iterator[int]:
        folder = os.dup(self._root)
        try:
            for part in parts:
                if make:
                    with contextlib.suppress(FileExistsError):
                        os.mkdir(part, 0o755, dir_fd=folder)
                try:
                    below = os.open(part, _FOLDER, dir_fd=folder)
                except OSError as error:
                    if error.errno not in (errno.ENOTDIR, errno.ELOOP):
                        raise
                    raise LeadsOutError("lies below a link or a file") from error
                os.close(folder)
                folder = below
            yield folder
        finally:
            os.close(folder)
