"""Headings, tables and texts of GitHub-flavoured Markdown, in which other people's texts stay texts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from mojo_toolbox.evaluation.drawing.readable import DASH, count, short, with_interval


def titled(heading: str, *blocks: str) -> str:
    """Return blocks below their heading. Empty ones are left out."""
    return "\n\n".join([f"## {heading}", *filter(None, blocks)])


def by_router(heads: Sequence[str], rows: Sequence[Sequence[str]], *, alone: bool, numbers_from: int = 1) -> str:
    """Return a table whose first column names the router. It is left out where the router is `alone`."""
    if not alone:
        return table(heads, rows, numbers_from=numbers_from)
    return table(heads[1:], [row[1:] for row in rows], numbers_from=numbers_from - 1)


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], *, numbers_from: int = 1) -> str:
    """Return a table whose columns from `numbers_from` on are aligned as numbers. A table of nothing is a dash."""
    if not rows:
        return DASH
    aligns = ["---" if column < numbers_from else "---:" for column in range(len(heads))]
    return "\n".join(
        _lines([[_cell(head) for head in heads], aligns, *([_cell(cell) for cell in row] for row in rows)])
    )


def plain(text: str) -> str:
    """Return a text that Markdown shows as it is: names and error messages are other people's."""
    text = re.sub(r"([\\`*\[\]<>~#&])", r"\\\1", text)
    # An underscore within a word means nothing in GitHub's Markdown, and escaped names are hard to read.
    return re.sub(r"(?<![^\W_])_|_(?![^\W_])", r"\\_", text)


def share(figure: Mapping[str, Any] | None, n: int) -> str:
    """Return a share with its interval and its number of decisions."""
    return f"{with_interval(figure)}, n {count(n)}"


def _lines(rows: Iterable[Sequence[str]]) -> Iterator[str]:
    for row in rows:
        yield f"| {' | '.join(row)} |"


def _cell(text: str) -> str:
    return plain(short(text, 300)).replace("|", r"\|")
