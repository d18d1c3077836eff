"""JSON Lines in and out: streamed, with file and line in every complaint."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, Self, TextIO

from mojo_toolbox.data.conversations import Conversation, parse_conversation
from mojo_toolbox.data.foreign_files import HEAD, require_json
from mojo_toolbox.data.json_faults import ends_too_early, why_not_json
from mojo_toolbox.data.packed_files import open_data, open_data_to_seek, require_plain_name
from mojo_toolbox.errors import DataError
from mojo_toolbox.progress import Progress, silent
from mojo_toolbox.whole_files import whole_file

# A file of 10 GB without a line end must not fill the memory; a conversation of a whole day has less than a megabyte.
LONGEST_LINE = 64 * 2**20


# What may begin a JSON value that goes wrong later, and the comments that some dialects of JSON have.
_BEGINNINGS = ("{", "[", '"', "'", "//", "/*")
_SHOWN = 20
OTHER_FORMATS = "For other formats: mojo data import"


class RawLine(NamedTuple):
    """A line of a file: its number from 1, the byte of the unpacked file where it begins, its first LONGEST_LINE + 1 bytes."""

    number: int
    offset: int
    content: bytes


def read_lines(path: Path | str, *, report: Progress = silent) -> Iterator[RawLine]:
    """Yield the lines of a file that are not blank, unpacked if it is packed; what stands on them is not looked at.

    What is `report`ed are bytes on the disk.

    Raises:
        DataError: no such file, a folder, a file of another kind, or nothing but blank lines.
    """
    path = Path(path)
    found = False
    offset = 0
    with open_data(path, report=report) as file:
        require_json(path, file.peek(HEAD)[:HEAD].decode("utf-8-sig", errors="replace"))
        for number, content in enumerate(iter(lambda: file.readline(LONGEST_LINE + 1), b""), start=1):
            rest = _skip_line(file) if len(content) > LONGEST_LINE and content[-1:] != b"\n" else 0
            if content.strip():
                found = True
                yield RawLine(number, offset, content)
            offset += len(content) + rest
    if not found:
        raise DataError("the file is empty: it needs one JSON object a line.", path=path)


def _skip_line(file: BinaryIO) -> int:
    """Read on to the end of a line; return the bytes that were left out."""
    skipped = 0
    while piece := file.readline(LONGEST_LINE):
        skipped += len(piece)
        if piece.endswith(b"\n"):
            break
    return skipped


def read_records(path: Path | str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (line number from 1, record) of a JSON Lines file. Blank lines are skipped.

    Raises:
        DataError: no such file, a line that is too long, not UTF-8 or not a JSON object, or no record at all.
    """
    path = Path(path)
    for line in read_lines(path):
        yield line.number, parse_line(line.content, path=path, line=line.number)


def parse_line(raw: bytes, *, path: Path | str | None = None, line: int | None = None) -> dict[str, Any]:
    """Read the JSON object on a line.

    Raises:
        DataError: it is too long, not UTF-8, or not a JSON object.
    """
    if len(raw) > LONGEST_LINE:
        size = f"{LONGEST_LINE / 2**20:.0f} MB"
        raise DataError(f"a line of more than {size}: one JSON object a line was expected.", path=path, line=line)
    try:
        # A byte order mark is what Windows editors leave at the top.
        record = json.loads(raw.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise DataError(
            f"not UTF-8 (byte {error.start + 1} of the line). Save the file as UTF-8.", path=path, line=line
        ) from error
    except json.JSONDecodeError as error:
        raise DataError(f"not JSON: {_fault(error)}", path=path, line=line) from error
    except ValueError as error:  # a number of thousands of digits
        raise DataError(f"not JSON: {error}.", path=path, line=line) from error
    except RecursionError as error:
        raise DataError("JSON nested too deeply.", path=path, line=line) from error
    if not isinstance(record, dict):
        raise DataError(f"a JSON object was expected, not {type(record).__name__}.", path=path, line=line)
    return record


def _fault(error: json.JSONDecodeError) -> str:
    """Say what is wrong with a line; one that is no JSON from its first character on is mostly of a file of another kind."""
    text = error.doc.strip()
    if text and not error.doc[: error.pos].strip() and not text.startswith(_BEGINNINGS):
        return f"the line begins with {text[:_SHOWN]!r}, and one JSON object a line was expected. {OTHER_FORMATS}"
    hint = " The line ends too early: one whole JSON object a line was expected." if ends_too_early(error) else ""
    return f"{why_not_json(error)}{hint}"


def read_conversations(path: Path | str) -> Iterator[Conversation]:
    """Yield the routing conversations of a file.

    Raises:
        DataError: the first line that cannot be read, with file and line.
    """
    for line, record in read_records(path):
        yield parse_conversation(record, path=path, line=line)


def require_file_on_disk(path: Path) -> None:
    """Refuse a file that cannot be read a second time, such as a pipe.

    Raises:
        DataError: it is neither a file nor missing.
    """
    if path.exists() and not path.is_file() and not path.is_dir():
        raise DataError("is no file on disk, and it is read more than once. Save it first.", path=path)


class RandomLines:
    """The lines of a file by number from 0, read again from where they begin."""

    def __init__(self, path: Path | str, offsets: Sequence[int]) -> None:
        self._path = path
        self._offsets = offsets
        self._file = open_data_to_seek(Path(path))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Return the record on a line.

        Raises:
            DataError: the file has changed since it was read first.
        """
        self._file.seek(self._offsets[index])
        try:
            return parse_line(self._file.readline(LONGEST_LINE + 1))
        except DataError as error:
            raise DataError("the file changed while it was read. Start again.", path=self._path) from error


@contextmanager
def both_files(one: Path, other: Path) -> Iterator[tuple[TextIO, TextIO]]:
    """Yield two files to write to; both take their places when the block ends, or neither when it ends by an exception."""
    for path in (one, other):
        require_plain_name(path)
        if path.is_dir():
            raise DataError("is a folder; give a file to write to.", path=path)
    with whole_file(one) as first, whole_file(other) as second:
        yield first, second
        # An old file beside a new one would be a pair that was never divided: rather one that is missing.
        one.unlink(missing_ok=True)
        other.unlink(missing_ok=True)


def write_records(path: Path | str, records: Iterable[dict[str, Any]]) -> int:
    """Write a JSON Lines file whole or not at all, and return the number of records.

    Raises:
        DataError: the name is that of a packed file.
    """
    require_plain_name(Path(path))
    count = 0
    with whole_file(path) as file:
        for record in records:
            file.write(json.dumps(record, ensure_ascii=False) + "\n")
            count += 1
    return count
