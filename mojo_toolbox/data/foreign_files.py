"""What was given in place of a file of JSON, in words: an address of the network, or a file of another kind."""

from __future__ import annotations

import json
import re
from pathlib import Path

from mojo_toolbox.errors import DataError

# So much of a file's beginning is looked at.
HEAD = 4096

# A path keeps one slash of two. Drives of Windows have one letter.
_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/+(?=[^/])")
_JSON_NAMES = frozenset({".json", ".jsonl", ".ndjson", ".jl"})
_PACKED = frozenset({".gz", ".bz2", ".xz"})
_MARKDOWN, _HTML, _XML, _YAML, _PYTHON = (
    "a Markdown file",
    "an HTML page",
    "an XML file",
    "a YAML file",
    "a Python program",
)
_INI = "a file of settings"
_CSV = "a CSV table"
_NAMES = {
    **dict.fromkeys((".md", ".markdown", ".mdx", ".rmd", ".qmd"), _MARKDOWN),
    **dict.fromkeys((".html", ".htm", ".xhtml"), _HTML),
    **dict.fromkeys((".xml", ".svg", ".rss"), _XML),
    **dict.fromkeys((".yaml", ".yml"), _YAML),
    **dict.fromkeys((".py", ".pyi", ".pyw"), _PYTHON),
    **dict.fromkeys((".toml", ".ini", ".cfg", ".conf", ".env", ".properties"), _INI),
    **dict.fromkeys((".js", ".mjs", ".ts", ".jsx", ".tsx", ".java", ".c", ".cpp", ".h", ".go", ".rs"), "a program"),
    **dict.fromkeys((".r", ".rb", ".php", ".sh", ".bash", ".ps1", ".bat", ".sql", ".css"), "a program"),
    ".csv": _CSV,
    **dict.fromkeys((".tsv", ".tab"), "a TSV table"),
    ".rst": "a reStructuredText file",
    ".tex": "a LaTeX file",
    ".log": "a log file",
    ".srt": "a file of subtitles",
    ".vtt": "a file of subtitles",
    ".eml": "a mail",
    ".mbox": "a mailbox",
}
# By the first line that is not blank. Only what no JSON can begin with.
_BEGINNINGS = (
    (re.compile(r"<!doctype html|<html|<head|<body", re.IGNORECASE), _HTML),
    (re.compile(r"<\?xml|<\w[\w:.-]*[\s/>]"), _XML),
    (re.compile(r"\{\\rtf"), "an RTF document"),
    (re.compile(r"#!.*\bpython|(?:import|from) [\w.]+( import .*)?$|def \w+\("), _PYTHON),
    (re.compile(r"#!"), "a program"),
    (re.compile(r"---\s*$|%YAML"), _YAML),
    (re.compile(r"\[!\[|\[[^\]\"{}]+\]\("), _MARKDOWN),
    (re.compile(r"\[[A-Za-z][\w .-]*\]\s*$"), _INI),
)
# What may be something else too: not where a line begins an object further down.
_LIKELY = (
    (re.compile(r"#{1,6} \S|```"), _MARKDOWN),
    (re.compile(r"[a-z_][\w-]*:(?: \S|\s*$)"), _YAML),
)
_DELIMITERS = ",;\t|"
_TABLES = " A table of conversations is read by: mojo data import csv"


def address(path: Path) -> str | None:
    """Return the address that a path was made of, as it was written; None when it is a path of this machine."""
    found = _ADDRESS.match(path.as_posix())
    if found is None:
        return None
    slashes = "///" if found[1].lower() == "file" else "//"
    return f"{found[1]}:{slashes}{path.as_posix()[found.end() :]}"


def not_there(path: Path, *, what: str = "file") -> DataError:
    """Return the error for a file that is not there, which says so where an address was given."""
    written = address(path)
    if written is None:
        return DataError(f"no such {what}.", path=path)
    scheme, _, rest = written.partition("://")
    if scheme.lower() == "file":
        return DataError(f"is an address, and a path was expected. Give the path: {rest}", path=written)
    advice = f"Download the {what}, and give its path."
    if scheme.lower() == "s3":
        own = "" if scheme == "s3" else " in small letters"
        advice += f" Only the data of a training job may stay in S3, as s3://{rest.partition('/')[0]}/…{own}."
    return DataError(f"is an address, and addresses are not read here. {advice}", path=written)


def require_json(path: Path, head: str, *, expected: str = "one JSON object a line") -> None:
    """Refuse a file of another kind by its beginning and its name; what may be JSON with a fault in it passes.

    Raises:
        DataError: it is a file of another kind, such as Markdown or CSV.
    """
    kind = _kind(path, head)
    if kind is not None:
        lines = "JSON Lines" if "a line" in expected else "JSON"
        advice = _TABLES if kind.endswith("table") else ""
        raise DataError(f"is {kind}, not {lines}: {expected} was expected.{advice}", path=path)


def _kind(path: Path, head: str) -> str | None:
    lines = [line.strip() for line in head.removeprefix("\ufeff").splitlines() if line.strip()]
    if not lines or "\0" in head:
        return None
    first = lines[0]
    for beginning, kind in _BEGINNINGS:
        if beginning.match(first):
            return _by_name(path) or kind
    if first[0] in "{[" or _is_json(first):
        return None
    return _by_name(path) or _by_lines(lines, said_to_be_json=_suffix(path) in _JSON_NAMES)


def _by_lines(lines: list[str], *, said_to_be_json: bool) -> str | None:
    if any(line.startswith("{") for line in lines) or (said_to_be_json and len(lines) == 1):
        return None
    if any(lines[0].count(mark) == lines[1].count(mark) > 0 for mark in _DELIMITERS if len(lines) > 1):
        return _CSV
    likely = next((kind for pattern, kind in _LIKELY if pattern.match(lines[0])), None)
    return likely or (None if said_to_be_json else "a text file")


def _by_name(path: Path) -> str | None:
    return _NAMES.get(_suffix(path))


def _suffix(path: Path) -> str:
    suffix = path.suffix.lower()
    return Path(path.stem).suffix.lower() if suffix in _PACKED else suffix


def _is_json(line: str) -> bool:
    try:
        json.loads(line)
    except (ValueError, RecursionError):
        return False
    return True
