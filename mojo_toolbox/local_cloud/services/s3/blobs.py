"""The bytes of objects and parts: immutable files, written once, deleted when nothing refers to them any more."""

from __future__ import annotations

import contextlib
import io
import os
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from mojo_toolbox.local_cloud.state.home import sync_folder

READ_SIZE = 1024 * 1024
_DELETERS = ThreadPoolExecutor(8, thread_name_prefix="blob-deleter")


@dataclass(frozen=True)
class Segment:
    """One blob's contribution to an object."""

    blob: str
    size: int


class Blobs:
    """A folder of blobs. One that is being read outlives its deletion until the reader closes it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._folder.mkdir(parents=True, exist_ok=True)
        # Held while somebody looks up which blobs to read and pins them, and while it is settled which to delete.
        self.lock = threading.RLock()
        self._pins: Counter[str] = Counter()
        self._doomed: set[str] = set()

    def path(self, blob: str) -> Path:
        """Return a blob's path."""
        return self._folder / blob[:2] / blob

    def writer(self) -> BlobWriter:
        """Start a new blob."""
        blob = uuid.uuid4().hex
        path = self.path(blob)
        if not path.parent.is_dir():
            path.parent.mkdir(exist_ok=True)
            sync_folder(self._folder)
        return BlobWriter(blob, path)

    def open(self, find: Callable[[], Sequence[Segment]]) -> SegmentReader:
        """Open the segments that `find` returns. They stay readable until the reader is closed."""
        with self.lock:
            segments = find()
            self._pins.update(segment.blob for segment in segments)
        return SegmentReader(segments, self)

    def release(self, blobs: Iterable[str]) -> None:
        """Release the segments that `open` has pinned."""
        with self.lock:
            self._pins.subtract(blobs)
            self._pins += Counter()
            unused = {blob for blob in self._doomed if not self._pins[blob]}
            self._doomed -= unused
        self._delete(unused)

    def discard(self, blobs: Collection[str]) -> None:
        """Delete blobs that nothing refers to any more."""
        with self.lock:
            pinned = {blob for blob in blobs if self._pins[blob]}
            self._doomed |= pinned
        # Nobody finds these any more, so nobody has to wait until a thousand files are gone.
        self._delete(set(blobs) - pinned)

    def sweep(self, kept: Collection[str]) -> int:
        """Delete the files of a killed process: every blob that is not in `kept`. Return how many there were."""
        orphans = [path for path in self._folder.glob("*/*") if path.name not in kept]
        for path in orphans:
            path.unlink(missing_ok=True)
        return len(orphans)

    def _delete(self, blobs: Collection[str]) -> None:
        # A journaling file system lets each one wait for the disk, but many at once wait together.
        list(_DELETERS.map(_unlink, map(self.path, blobs)))


def _unlink(path: Path) -> None:
    # A file that cannot be deleted now is an orphan, which the next start sweeps away.
    with contextlib.suppress(OSError):
        path.unlink()


class BlobWriter:
    """A blob that is being written. It is on disk after `seal()`, and gone after `discard()`."""

    def __init__(self, blob: str, path: Path) -> None:
        self.blob = blob
        self.size = 0
        self._path = path
        self._file = path.open("xb", buffering=0)
        self._sealed = False

    def write(self, data: bytes) -> None:
        """Append bytes. A full disk raises OSError."""
        view = memoryview(data)
        while view:
            view = view[self._file.write(view) :]
        self.size += len(data)

    def seal(self) -> Segment:
        """Put the bytes and the file's name on disk."""
        os.fsync(self._file.fileno())
        self._file.close()
        sync_folder(self._path.parent)
        self._sealed = True
        return Segment(self.blob, self.size)

    def discard(self) -> None:
        """Delete the file."""
        self._file.close()
        self._path.unlink(missing_ok=True)


class SegmentReader(io.RawIOBase):
    """Segments as one seekable file."""

    def __init__(self, segments: Sequence[Segment], blobs: Blobs) -> None:
        self.segments = segments
        self._blobs = blobs
        self._position = 0
        self._file: io.FileIO | None = None
        self._index = -1
        self.size = sum(segment.size for segment in segments)

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def tell(self) -> int:
        """Return the position in the object."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to a position in the object."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self.size}[whence]
        self._position = max(0, base + offset)
        return self._position

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Fill the buffer, at most to the end of the current segment."""
        if self._position >= self.size:
            return 0
        index, start = self._locate()
        if index != self._index:
            self._close_file()
            self._file = io.FileIO(self._blobs.path(self.segments[index].blob))
            self._index = index
        assert self._file is not None
        inside = self._position - start
        if self._file.tell() != inside:
            self._file.seek(inside)
        count = self._file.readinto(memoryview(buffer)[: self.segments[index].size - inside]) or 0
        if count == 0:
            raise OSError(f"The file of an object is shorter than it was written: {self._file.name!r}")
        self._position += count
        return count

    def close(self) -> None:
        """Let the blobs go."""
        if not self.closed:
            self._close_file()
            self._blobs.release(segment.blob for segment in self.segments)
        super().close()

    def _locate(self) -> tuple[int, int]:
        start = 0
        for index, segment in enumerate(self.segments):
            if self._position < start + segment.size:
                return index, start
            start += segment.size
        raise AssertionError("the position lies inside the object")

    def _close_file(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
