"""Tables for the terminal as plain texts: whoever prints them knows the width."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

# A narrow terminal leaves these out first.
SPARED_FIRST, SPARED_NEXT, NEVER_SPARED = range(3)


@dataclass(frozen=True)
class Layout:
    """One way to show a table: heads and rows, a text for each column."""

    heads: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Table:
    """A table in several layouts, the widest first: the first one that fits is printed, else the last one."""

    layouts: Sequence[Layout]
    bold: Collection[str] = ()
    """Rows to show in bold, by their first cell."""


@dataclass(frozen=True)
class Column:
    """A column of the table of several routers, with a cell for each of them."""

    head: str
    cells: Sequence[str]
    spared: int = SPARED_NEXT
