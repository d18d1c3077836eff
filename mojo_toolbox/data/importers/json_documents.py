"""A file that is one JSON document, read whole."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mojo_toolbox.data.foreign_files import HEAD, require_json
from mojo_toolbox.data.json_faults import why_not_json
from mojo_toolbox.data.packed_files import open_data
from mojo_toolbox.errors import DataError


def read_json_document(path: Path) -> Any:
    """Return what a file of JSON holds.

    Raises:
        DataError: no such file, a file of another kind, or not JSON.
    """
    with open_data(path) as file:
        content = file.read()
    require_json(path, content[:HEAD].decode("utf-8-sig", errors="replace"), expected="one JSON document")
    try:
        return json.loads(content.decode("utf-8-sig"))
    except json.JSONDecodeError as error:
        raise DataError(f"not JSON: {why_not_json(error)}", path=path, line=error.lineno) from error
    except (ValueError, RecursionError) as error:  # other bytes than UTF-8, thousands of digits or of brackets
        raise DataError(f"not JSON: {error}.", path=path) from error
