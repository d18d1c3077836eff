"""Text files of any size in any encoding: read with progress; what cannot be decoded is named by byte and line."""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from mojo_toolbox.data.packed_files import open_data
from mojo_toolbox.errors import ConfigurationError, DataError
from mojo_toolbox.progress import Progress, silent

_CHUNK = 1 << 20
_UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@contextmanager
def open_text(
    path: Path, *, encoding: str | None = None, hint: str = "Save the file as UTF-8.", progress: Progress = silent
) -> Iterator[TextIO]:
    """Yield a text file, unpacked if it is packed, line ends as they stand; without `encoding` it is UTF-8, or UTF-16 when it begins like that.

    `hint` is what an error about its bytes tells to try.

    Raises:
        DataError: no such file; while it is read: damaged packing, or bytes that are no text in this encoding.
        ConfigurationError: an encoding that Python does not know.
    """
    with open_data(path, report=progress) as file:
        try:
            chosen = encoding or _probable_encoding(file.peek(2))
            # A mark at the top is no text, whether or not the user knows of it.
            chosen = "utf-8-sig" if codecs.lookup(chosen).name == "utf-8" else chosen
            text = io.TextIOWrapper(file, encoding=chosen, newline="")
        except LookupError as error:
            raise ConfigurationError(
                f"There is no text encoding {encoding!r}. Such as: utf-8, utf-16, cp1252, latin-1, shift_jis."
            ) from error
        try:
            yield text
        except UnicodeError as error:
            raise _undecodable(path, chosen, error, hint) from error


def _probable_encoding(start: bytes) -> str:
    if start.startswith(_UTF16_MARKS):
        return "utf-16"
    # No other text begins with a letter and a zero, or the other way round.
    zeros = [byte == 0 for byte in start[:2]]
    return "utf-16-le" if zeros == [False, True] else "utf-16-be" if zeros == [True, False] else "utf-8-sig"


def _undecodable(path: Path, encoding: str, error: UnicodeError, hint: str) -> DataError:
    """Say where the bytes stand that stopped the decoder: it knows its own chunk only, so the file is read again."""
    shown = encoding.removesuffix("-sig")
    decoder = codecs.getincrementaldecoder(encoding)()
    offset, line = 0, 1
    with open_data(path) as file:
        while True:
            chunk = file.read(_CHUNK)
            try:
                line += decoder.decode(chunk, final=not chunk).count("\n")
            except UnicodeDecodeError as found:
                # The decoder may have kept the first bytes of a character from the chunk before.
                place = offset - (len(found.object) - len(chunk)) + found.start
                line += bytes(found.object[: found.start]).decode(encoding, errors="ignore").count("\n")
                byte = found.object[found.start]
                return DataError(
                    f"not {shown}: byte 0x{byte:02x} at position {place + 1}. {hint}", path=path, line=line
                )
            except UnicodeError:
                break
            if not chunk:
                break
            offset += len(chunk)
    return DataError(f"not {shown}: {error}. {hint}", path=path)
