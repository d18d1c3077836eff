"""JSON Lines in and out: streamed, with file and line in every complaint."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from mojo_toolbox.data.conversations import Conversation, parse_conversation
from mojo_toolbox.errors import DataError


def read_records(path: Path | str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (line number from 1, record) of a JSON Lines file; blank lines are skipped.

    Raises:
        DataError: no such file, not UTF-8, a line that is not a JSON object, or no record at all.
    """
    path = Path(path)
    found = False
    line = 0
    try:
        with path.open("rb") as file:
            for line, raw in enumerate(file, start=1):
                if raw.strip():
                    found = True
                    yield line, _parse_line(raw, path, line)
    except FileNotFoundError as error:
        raise DataError("no such file.", path=path) from error
    except IsADirectoryError as error:
        raise DataError("is a folder; give a JSON Lines file.", path=path) from error
    if not found:
        raise DataError("the file is empty: it needs one JSON object a line.", path=path)


def _parse_line(raw: bytes, path: Path, line: int) -> dict[str, Any]:
    try:
        # A byte order mark is what Windows editors leave at the top.
        record = json.loads(raw.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise DataError(
            f"not UTF-8 (byte {error.start + 1} of the line). Save the file as UTF-8.", path=path, line=line
        ) from error
    except json.JSONDecodeError as error:
        raise DataError(f"not JSON: {error.msg} at column {error.colno}.", path=path, line=line) from error
    except ValueError as error:  # a number of thousands of digits
        raise DataError(f"not JSON: {error}.", path=path, line=line) from error
    except RecursionError as error:
        raise DataError("JSON nested too deeply.", path=path, line=line) from error
    if not isinstance(record, dict):
        raise DataError(f"a JSON object was expected, not {type(record).__name__}.", path=path, line=line)
    return record


def read_conversations(path: Path | str) -> Iterator[Conversation]:
    """Yield the routing conversations of a file.

    Raises:
        DataError: the first line that cannot be read, with file and line.
    """
    for line, record in read_records(path):
        yield parse_conversation(record, path=path, line=line)


def write_records(path: Path | str, records: Iterable[dict[str, Any]]) -> int:
    """Write a JSON Lines file whole or not at all; return the number of records."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    count = 0
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            for record in records:
                file.write(json.dumps(record, ensure_ascii=False) + "\n")
                count += 1
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return count
