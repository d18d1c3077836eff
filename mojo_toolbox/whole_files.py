"""Files that are there whole or not at all: written beside their place, then moved into it."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO


@contextmanager
def whole_file(path: Path | str) -> Iterator[TextIO]:
    """Yield a file to write text to (UTF-8); it takes the place of `path` when the block ends, unless by an exception.

    Missing folders are made. What stood at `path` stays there until then.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with temporary.open("x", encoding="utf-8", newline="\n") as file:
            yield file
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
