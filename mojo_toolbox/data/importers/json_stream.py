"""JSON objects one after the other, streamed: a file of lines, one big array, or objects that fill several lines each."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from mojo_toolbox.data.foreign_files import HEAD, require_json
from mojo_toolbox.data.importers.text_files import open_text
from mojo_toolbox.data.json_faults import ends_too_early, why_not_json
from mojo_toolbox.errors import DataError
from mojo_toolbox.progress import Progress, silent

_CHUNK = 1 << 20
_BLANK = re.compile(r"\s*")
# An escape such as \ud83d or a literal cut in two at the end of what was read so far.
_CUT = 16
# A record, in characters; a conversation of a whole day has less than a million.
_LONGEST = 1 << 26


def read_json_objects(path: Path | str, *, progress: Progress = silent) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (line number from 1, object) of JSON Lines or of a file that is one array; memory holds one object at a time.

    Raises:
        DataError: no such file, a file of another kind, not UTF-8, not JSON, something else than objects, or no object at all.
    """
    for line, value in read_json_values(path, progress=progress):
        if not isinstance(value, dict):
            raise DataError(f"a JSON object was expected, not {type(value).__name__}.", path=path, line=line)
        yield line, value


def read_json_values(path: Path | str, *, progress: Progress = silent) -> Iterator[tuple[int, Any]]:
    """Yield (line number from 1, value) of a file of JSON values, or of one array of them.

    Raises:
        DataError: no such file, a file of another kind, not UTF-8, not JSON, or no value at all.
    """
    path = Path(path)
    found = False
    with open_text(path, progress=progress) as file:
        for numbered in _values(_Buffer(file), path):
            found = True
            yield numbered
    if not found:
        raise DataError("is empty: JSON was expected, one object on each line or an array of them.", path=path)


class _Buffer:
    """The part of a text that was read and is not used up yet."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self.text = ""
        self.start = 0
        self.line = 1
        self.ended = False

    def skip(self, end: int) -> None:
        """Use up everything before `end`."""
        self.line += self.text.count("\n", self.start, end)
        self.start = end

    def more(self) -> bool:
        """Read on, each time as much as there is already: a long object is tried a few times, not a thousand."""
        rest = self.text[self.start :]
        added = self._file.read(max(_CHUNK, len(rest)))
        self.text, self.start, self.ended = rest + added, 0, not added
        return bool(added)

    def next(self) -> str:
        """Use up blanks; return the character that follows, "" at the end of the file."""
        while True:
            match = _BLANK.match(self.text, self.start)
            assert match is not None  # it matches the empty text too
            self.skip(match.end())
            if self.start < len(self.text):
                return self.text[self.start]
            if not self.more():
                return ""


def _values(buffer: _Buffer, path: Path) -> Iterator[tuple[int, Any]]:
    decoder = json.JSONDecoder()
    if not buffer.next():
        return
    require_json(path, buffer.text[:HEAD], expected="one JSON object a line, or an array of them,")
    if buffer.next() == "[":
        yield from _array(decoder, buffer, path)
        return
    while mark := buffer.next():
        if mark == ",":
            raise DataError(
                "a comma between records: JSON Lines has none. Remove it, or put [ and ] around all records.",
                path=path,
                line=buffer.line,
            )
        yield _value(decoder, buffer, path)


def _array(decoder: json.JSONDecoder, buffer: _Buffer, path: Path) -> Iterator[tuple[int, Any]]:
    """Yield the values of an array; a comma behind the last one is passed over."""
    count = 0
    buffer.skip(buffer.start + 1)
    while (mark := buffer.next()) and mark != "]":
        if count and mark != ",":
            what = f"not JSON: no comma between records {count:,} and {count + 1:,} of the array. Add the comma."
            raise DataError(what, path=path, line=buffer.line)
        if count:
            buffer.skip(buffer.start + 1)
            if buffer.next() in {"]", ""}:
                continue
        yield _value(decoder, buffer, path)
        count += 1
    if not mark:
        raise DataError("the array does not end: the file was cut off.", path=path, line=buffer.line)
    buffer.skip(buffer.start + 1)
    if buffer.next():
        raise DataError("something stands behind the end of the array.", path=path, line=buffer.line)


def _value(decoder: json.JSONDecoder, buffer: _Buffer, path: Path) -> tuple[int, Any]:
    line = buffer.line
    value, end = _decode(decoder, buffer, path)
    buffer.skip(end)
    return line, value


def _decode(decoder: json.JSONDecoder, buffer: _Buffer, path: Path) -> tuple[Any, int]:
    """Return the value at the buffer's start and where it ends; what is cut off by the buffer's end is read on first."""
    while True:
        start = buffer.start
        try:
            return decoder.raw_decode(buffer.text, start)
        except json.JSONDecodeError as error:
            cut = _is_cut(error, buffer)
            if cut and len(buffer.text) - buffer.start > _LONGEST:
                what = (
                    f"a record of more than {_LONGEST:,} characters: JSON Lines, or an array of records, was expected."
                )
                raise DataError(what, path=path, line=buffer.line) from error
            if cut and buffer.more():
                continue
            # Where the file ends, the buffer has moved on; the error's own text has not.
            line = buffer.line + error.doc.count("\n", start, error.pos)
            hint = " The file ends too early." if ends_too_early(error) else ""
            why = f"not JSON: {why_not_json(error, column=False)}{hint}"
            raise DataError(why, path=path, line=line) from error
        except RecursionError as error:
            raise DataError("JSON nested too deeply.", path=path, line=buffer.line) from error
        except ValueError as error:  # a number of thousands of digits
            raise DataError(f"not JSON: {error}.", path=path, line=buffer.line) from error


def _is_cut(error: json.JSONDecodeError, buffer: _Buffer) -> bool:
    return error.msg.startswith("Unterminated string") or error.pos >= len(buffer.text) - _CUT
