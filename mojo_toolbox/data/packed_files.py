"""Files of data as bytes: unpacked while they are read, where the standard library can."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import re
import shutil
import tempfile
import zlib
from pathlib import Path
from typing import IO, Any, BinaryIO, Protocol

from mojo_toolbox.data.foreign_files import not_there
from mojo_toolbox.errors import DataError
from mojo_toolbox.progress import Progress, silent

_CHUNK = 1 << 17


class _Unpacker(Protocol):
    def __call__(self, filename: IO[bytes], /) -> Any: ...


# By the bytes with which files begin: a name says less, since files are renamed and downloads unpacked on the way.
_READ: dict[bytes, tuple[str, _Unpacker]] = {
    rb"\x1f\x8b\x08": ("gzip", gzip.open),
    rb"BZh[1-9]1AY&SY": ("bzip2", bz2.open),
    rb"\xfd7zXZ\x00": ("xz", lzma.open),
}
_REFUSED = {
    b"PK\x03\x04": "a zip archive, or a spreadsheet. Unpack it and give a file of it, or save the sheet as CSV",
    b"PK\x05\x06": "an empty zip archive",
    b"\x28\xb5\x2f\xfd": "compressed with Zstandard. Unpack it first: zstd -d FILE",
    b"\x04\x22\x4d\x18": "compressed with LZ4. Unpack it first: lz4 -d FILE",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive. Unpack it and give a file of it",
    b"Rar!\x1a": "a RAR archive. Unpack it and give a file of it",
    b"\x1f\x9d": "compressed with compress. Unpack it first: uncompress FILE",
    b"PAR1": "a Parquet file. Write it as JSON Lines: mojo data import hub FILE --output conversations.jsonl",
    b"ARROW1": "an Arrow file. Write it as JSON Lines: mojo data import hub FILE --output conversations.jsonl",
    b"SQLite format 3\x00": "an SQLite database. Export it as CSV or JSON Lines",
}
# Files of bytes that no command reads, by how they begin.
_NO_TEXT = (
    (rb"%PDF-", "a PDF document"),
    (
        rb"\x89PNG|\xff\xd8\xff|GIF8[79]a|RIFF....WEBP|BM....\x00\x00\x00\x00|II\*\x00|MM\x00\*|\x00\x00\x01\x00|....ftyp(?:avif|heic|mif1)",
        "a picture",
    ),
    (rb"ID3|\xff[\xfb\xf3\xf2]|RIFF....WAVE|OggS|fLaC|....ftypM4A", "a sound recording"),
    (rb"....ftyp|\x1aE\xdf\xa3|RIFF....AVI ", "a film"),
    (rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "a document or a sheet of an old Office"),
    (rb"\x93NUMPY|\x89HDF\r\n|\x80[\x02-\x05](?:[\x95}\]c])", "a file of numbers or of Python objects"),
    (rb"\x7fELF|MZ.\x00|\xcf\xfa\xed\xfe|\xca\xfe\xba\xbe|\x00asm", "a program"),
    (rb"[\x00-\xff]{5}\x00\x00\x00\{\"", "a file of weights (safetensors)"),
    (rb"GGUF", "a file of weights (GGUF)"),
)
_TAR_AT, _TAR = 257, b"ustar"
_PACKED_NAMES = (".gz", ".bz2", ".xz", ".zst", ".zip", ".lz4", ".7z")


def open_data(path: Path, *, report: Progress = silent) -> io.BufferedReader:
    """Open a file of data to be read once; gzip, bzip2 and xz are unpacked. What is `report`ed are bytes on the disk.

    Raises:
        DataError: no such file, a folder, a format that has to be unpacked first; while it is read: damaged packing.
    """
    try:
        raw = _ReportingFile(path, report)
    except FileNotFoundError as error:
        raise not_there(path) from error
    except IsADirectoryError as error:
        raise DataError("is a folder; give a file.", path=path) from error
    file: io.BufferedReader = io.BufferedReader(raw, _CHUNK)
    try:
        start = file.peek(_TAR_AT + len(_TAR))
        for mark, (name, unpacker) in _READ.items():
            if re.match(mark, start):
                file = io.BufferedReader(_Unpacked(file, unpacker(file), path, name), _CHUNK)
                start = file.peek(_TAR_AT + len(_TAR))
                break
        _refuse(path, start)
    except BaseException:
        file.close()
        raise
    return file


def open_data_to_seek(path: Path) -> BinaryIO:
    """Open a file of data to be read from any place; one that is packed is unpacked into a temporary file first.

    Raises:
        DataError: as `open_data` does.
    """
    with open_data(path) as file:
        if isinstance(file.raw, _ReportingFile):
            return path.open("rb")
        unpacked = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
        shutil.copyfileobj(file, unpacked, _CHUNK)
        return unpacked


def is_packed(path: Path) -> bool:
    """Whether a name says that its file is packed."""
    return path.suffix.lower() in _PACKED_NAMES


def require_plain_name(path: Path) -> None:
    """Refuse a name that says that the file is packed, for a file that is written as text.

    Raises:
        DataError: it ends like one.
    """
    if is_packed(path):
        raise DataError(
            f"is written as text. Give a name without {path.suffix}, and pack the file afterwards.", path=path
        )


def _refuse(path: Path, start: bytes) -> None:
    for mark, what in _REFUSED.items():
        if start.startswith(mark):
            raise DataError(f"is {what}.", path=path)
    for begins, what in _NO_TEXT:
        if re.match(begins, start, re.DOTALL):
            raise DataError(f"is {what}, not a text file of data such as JSON Lines or CSV.", path=path)
    if start[_TAR_AT : _TAR_AT + len(_TAR)] == _TAR:
        raise DataError("is a tar archive. Unpack it and give a file of it.", path=path)


class _ReportingFile(io.FileIO):
    """A file that tells how much of it was read."""

    def __init__(self, path: Path, report: Progress) -> None:
        super().__init__(path)
        self._report = report
        self._read = 0
        report(total=path.stat().st_size, done=0)

    def readinto(self, buffer: Any, /) -> int:
        count = super().readinto(buffer)
        # A pipe has nothing to read at the moment when it answers None; files never do.
        self._read += count or 0
        self._report(done=self._read)
        return count


class _Unpacked(io.RawIOBase):
    """What is packed in a file; damage becomes a DataError wherever it is met."""

    def __init__(self, file: BinaryIO, packed: Any, path: Path, name: str) -> None:
        self._file = file
        self._packed = packed
        self._path = path
        self._name = name

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        try:
            return int(self._packed.readinto(buffer))
        except (EOFError, OSError, zlib.error, lzma.LZMAError) as error:
            raise DataError(
                f"cannot be unpacked ({self._name}): {str(error).rstrip('.')}. Is the file cut off or damaged?",
                path=self._path,
            ) from error

    def close(self) -> None:
        self._packed.close()
        self._file.close()
        super().close()
