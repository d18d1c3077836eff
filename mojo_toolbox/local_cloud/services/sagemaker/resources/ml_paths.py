"""Paths below /opt/ml, which containers name, and the folders of this machine that replace them."""

from __future__ import annotations

import re
from pathlib import Path

_ML_PATH = re.compile(r"(?<![\w.~/-])/opt/ml(?=/|$|[^\w.-])")


def map_ml_path(value: str, ml: Path) -> str:
    """Map `/opt/ml/…`, bare or as a JSON string, to a folder on this machine. Leaves anything else as it is."""
    match = re.fullmatch(r'("?)/opt/ml((?:/[^"]*)?)("?)', value)
    return f"{match[1]}{ml}{match[2]}{match[3]}" if match and match[1] == match[3] else value


def replace_ml_paths(text: str, ml: Path) -> str:
    """Replace /opt/ml wherever a text names it."""
    return _ML_PATH.sub(lambda _: str(ml), text)
