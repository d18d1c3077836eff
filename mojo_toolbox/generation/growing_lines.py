"""A JSON Lines file that only grows: a line is on disk before anything goes on, and half a line is cut off."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mojo_toolbox.data.jsonl import parse_line, read_lines
from mojo_toolbox.errors import GenerationError

_BLOCK = 64 * 1024


class GrowingLines:
    """A file to which any thread may add rows."""

    def __init__(self, path: Path | str) -> None:
        """Open or begin the file; what a killed run left of a last line is cut off.

        Raises:
            GenerationError: it cannot be written.
        """
        self.path = Path(path)
        self._writing = threading.Lock()
        self._closed = False
        with self._complaining():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab+") as file:
                _cut_torn_line(file.fileno())

    def append(self, row: Mapping[str, Any]) -> None:
        """Write a row. It is on disk when this returns.

        Raises:
            GenerationError: the row cannot be written, such as to a full disk. The file stays as it was.
        """
        line = _as_line(row)
        with self._writing, self._complaining(), self.path.open("ab", buffering=0) as file:
            if self._closed:
                raise GenerationError(f"{self.path} is written no more: its run has ended.")
            before = file.tell()
            try:
                written = file.write(line)
                while written < len(line):
                    written += file.write(line[written:])
                os.fsync(file.fileno())
            except BaseException:
                file.truncate(before)
                raise

    def close(self) -> None:
        """Take no more rows, such as from a thread that the run did not wait for."""
        with self._writing:
            self._closed = True

    def rows(self) -> Iterator[tuple[int, int, dict[str, Any]]]:
        """Yield (line from 1, byte where it begins, row). A file without rows yields nothing.

        Raises:
            DataError: a line is not a JSON object. The error names it.
        """
        if self.path.stat().st_size:
            for line in read_lines(self.path):
                yield line.number, line.offset, parse_line(line.content, path=self.path, line=line.number)

    def _complaining(self) -> _Complaining:
        return _Complaining(self.path)


class _Complaining:
    """Turns what the system refuses into an error that names the file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if isinstance(error, OSError):
            raise GenerationError(
                f"{self._path} cannot be written: {error.strerror or error}. What stands in it is kept."
            ) from error


def _as_line(row: Mapping[str, Any]) -> bytes:
    try:
        return json.dumps(row, ensure_ascii=False).encode() + b"\n"
    except UnicodeEncodeError:  # half of a surrogate pair, as a model may write it: spelt out, nothing is lost
        return json.dumps(row).encode() + b"\n"


def _cut_torn_line(file: int) -> None:
    """Cut off what stands after the last line end."""
    end = os.fstat(file).st_size
    kept = end
    while kept:
        start = max(0, kept - _BLOCK)
        block = os.pread(file, kept - start, start)
        found = block.rfind(b"\n")
        if found >= 0:
            kept = start + found + 1
            break
        kept = start
    if kept < end:
        os.ftruncate(file, kept)
