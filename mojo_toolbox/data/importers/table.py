"""CSV and similar tables: a column of utterances and one of labels, with any delimiter and encoding, streamed."""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Literal, TextIO

from mojo_toolbox.data.conversations import Conversation, Task
from mojo_toolbox.data.importers.rows import (
    ASSISTANT_ROLES,
    NONE_LABELS,
    USER_ROLES,
    Labels,
    Row,
    conversations_of_rows,
)
from mojo_toolbox.data.importers.summary import ImportSummary
from mojo_toolbox.data.importers.task_lists import TaskLists
from mojo_toolbox.data.importers.text_files import open_text
from mojo_toolbox.errors import ConfigurationError, DataError
from mojo_toolbox.progress import Progress, silent

_DELIMITERS = (",", ";", "\t", "|")
# The lines of a file that are looked at to find its delimiter; a heading of more lines is none.
_HEAD_LINES = 50
_ENCODING_HINT = "Give the file's encoding (--encoding cp1252 for many files of Windows), or save it as UTF-8."
_LONGEST_LINE = 1 << 20


@dataclass(frozen=True)
class Columns:
    """The columns to read, by their heading, or by number from 1 in a table without headings."""

    text: str
    label: str
    conversation: str | None = None
    role: str | None = None

    def named(self) -> dict[str, str]:
        """Return the columns that were chosen."""
        return {use: column for use, column in vars(self).items() if column is not None}


@dataclass(frozen=True)
class Dialect:
    """The form of a table: the delimiter, whether quotation marks hold cells together, and whether it has headings."""

    delimiter: str | None = None
    quotes: bool = True
    header: bool = True

    def __post_init__(self) -> None:
        if self.delimiter is not None and (len(self.delimiter) != 1 or self.delimiter in '"\r\n'):
            raise ConfigurationError(f"A delimiter is one character, such as ; or a tab, not {self.delimiter!r}.")

    def reader(self, lines: Iterator[str], delimiter: str) -> Iterator[list[str]]:
        """Return a reader of rows that refuses ambiguous rows, such as one with an open quotation mark."""
        quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if self.quotes else csv.QUOTE_NONE
        return csv.reader(lines, delimiter=delimiter, quoting=quoting, skipinitialspace=True, strict=True)


def import_csv(
    path: Path | str,
    *,
    tasks: Sequence[Task],
    columns: Columns,
    dialect: Dialect | None = None,
    encoding: str | None = None,
    none_labels: Collection[str] = NONE_LABELS,
    skip_unknown: bool = False,
    roles: Mapping[str, Literal["user", "assistant"]] | None = None,
    tasks_per_list: int | None = None,
    withhold: float = 0.0,
    seed: int = 0,
    summary: ImportSummary | None = None,
    progress: Progress = silent,
) -> Iterator[Conversation]:
    """Yield the rows of a table as conversations of one user turn, or of all rows that follow each other with the same id.

    Every conversation lists `tasks` in random order, or `tasks_per_list` tasks drawn from them. A label is a task's name. A
    label of `none_labels` means no task, and an empty cell means that nobody knows. `roles` adds words for the speakers. The
    file is read row by row, whatever its size. The same seed gives each conversation the same list.

    Raises:
        DataError: there is no such file or column, the bytes do not fit `encoding` (UTF-8 by default), cells cannot be
            separated, or, unless `skip_unknown`, a label is not a task.
        ConfigurationError: an unknown encoding, or a delimiter, share or length out of its range.
    """
    path = Path(path)
    summary = ImportSummary() if summary is None else summary
    lists = TaskLists(tasks, length=tasks_per_list, withhold=withhold, seed=seed)
    speakers = {**dict.fromkeys(USER_ROLES, "user"), **dict.fromkeys(ASSISTANT_ROLES, "assistant")}
    speakers |= {word.strip().casefold(): role for word, role in (roles or {}).items()}
    table = _Table(path, columns, dialect or Dialect(), speakers, summary)
    rows = _rows(table, encoding, progress)
    return conversations_of_rows(rows, Labels(lists, none_labels, skip_unknown), summary)


def _rows(table: _Table, encoding: str | None, progress: Progress) -> Iterator[Row]:
    with open_text(table.path, encoding=encoding, hint=_ENCODING_HINT, progress=progress) as file:
        for number, row in enumerate(table.rows(file)):
            if number % 1000 == 0:
                progress(text=f"{table.summary.written:,} conversations")
            yield row


@dataclass(frozen=True)
class _Table:
    """What takes the rows of one file apart."""

    path: Path
    columns: Columns
    dialect: Dialect
    speakers: Mapping[str, str]
    summary: ImportSummary

    def rows(self, file: TextIO) -> Iterator[Row]:
        lines = self._lines(file)
        head = list(islice(lines, _HEAD_LINES))
        # utf-16-le and its kin leave the mark to the reader.
        head[:1] = [line.removeprefix("\ufeff") for line in head[:1]]
        skipped, delimiter = self._declared(head)
        delimiter = delimiter or self._find_delimiter(head[skipped:])
        reader = self.dialect.reader(chain(head[skipped:], lines), delimiter)
        found = self._cells(reader, skipped)
        width, places = 0, {use: int(column) - 1 for use, column in self._numbers().items()}
        if not self.dialect.header:
            self._require_width(head[skipped:], delimiter, places)
        else:
            _, heading = next(found, (0, []))
            width, places = len(heading), self._places(heading)
        for line, cells in found:
            row = self._row(line, cells, places, width)
            if row is not None:
                yield row

    def _lines(self, file: TextIO) -> Iterator[str]:
        """Yield lines as csv reads them; a file without line ends must not fill the memory."""
        for number, line in enumerate(iter(lambda: file.readline(_LONGEST_LINE + 1), ""), start=1):
            if len(line) > _LONGEST_LINE:
                raise DataError(
                    f"a line of more than {_LONGEST_LINE:,} characters is no row.", path=self.path, line=number
                )
            yield line

    def _declared(self, head: list[str]) -> tuple[int, str | None]:
        """Return how many lines Excel's line sep=; takes, and the delimiter that was given or that it names."""
        first = head[0].strip() if head else ""
        if len(first) == len("sep=;") and first.lower().startswith("sep="):
            return 1, self.dialect.delimiter or first[-1]
        return 0, self.dialect.delimiter

    def _find_delimiter(self, head: list[str]) -> str:
        """Return the delimiter with which the first row has the wanted columns; the one that makes most cells otherwise."""
        counts = {}
        for delimiter in _DELIMITERS:
            try:
                heading = next((cells for cells in self.dialect.reader(iter(head), delimiter) if any(cells)), [])
            except csv.Error:
                continue
            if self.dialect.header and all(
                _position(heading, name) is not None for name in self.columns.named().values()
            ):
                return delimiter
            counts[delimiter] = len(heading)
        return max(counts, key=lambda delimiter: counts[delimiter], default=",")

    def _cells(self, reader: Iterator[list[str]], skipped: int) -> Iterator[tuple[int, list[str]]]:
        """Yield (line on which the row begins, its cells); rows without any content are passed over."""
        line = skipped
        while True:
            begins = line + 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                raise DataError(
                    f"the cells cannot be told apart: {error}. Is a quotation mark not closed, or not doubled inside a cell? "
                    "Where quotation marks are plain text: --no-quotes.",
                    path=self.path,
                    line=begins,
                ) from error
            line = skipped + reader.line_num  # type: ignore[attr-defined]  # csv's reader has it, Iterator has not
            if any(cell.strip() for cell in cells):
                yield begins, cells

    def _numbers(self) -> dict[str, str]:
        """Return the columns when they are numbers, as they must be without headings."""
        if self.dialect.header:
            return {}
        for use, column in self.columns.named().items():
            if not (column.isascii() and column.isdecimal() and int(column) > 0):
                raise ConfigurationError(
                    f"Without headings a column is a number from 1; the {use} column is {column!r}."
                )
        return self.columns.named()

    def _require_width(self, head: list[str], delimiter: str, places: Mapping[str, int]) -> None:
        """Refuse a column that none of the first rows has; without headings nothing else says how many there are."""
        try:
            widest = max(map(len, self.dialect.reader(iter(head), delimiter)), default=0)
        except csv.Error:  # named with its line when that row is read
            return
        for use, position in places.items():
            if position >= widest:
                raise DataError(
                    f"no column {position + 1} for the {use}: the first rows have {widest}.", path=self.path, line=1
                )

    def _places(self, heading: list[str]) -> dict[str, int]:
        if not heading:
            raise DataError("the table is empty: it needs a row of headings.", path=self.path)
        places = {}
        for use, column in self.columns.named().items():
            position = _position(heading, column)
            if position is None:
                raise DataError(
                    f"no column {column!r} for the {use}; the first row has: {_shown(heading)}. "
                    "(A table without headings: --no-header, and columns by number.)",
                    path=self.path,
                    line=1,
                )
            if sum(cell.strip() == heading[position].strip() for cell in heading) > 1:
                raise DataError(f"has more than one column {column!r}.", path=self.path, line=1)
            places[use] = position
        return places

    def _row(self, line: int, cells: list[str], places: Mapping[str, int], width: int) -> Row | None:
        place = f"{self.path}:{line}"
        if width and any(cell.strip() for cell in cells[width:]):
            # A delimiter in a text without quotation marks moves all that follows: a wrong label would be worse than none.
            self.summary.skip_row("the row has more cells than headings", place)
            return None
        text, label, conversation, role = (
            cells[places[use]].strip() if use in places and places[use] < len(cells) else ""
            for use in ("text", "label", "conversation", "role")
        )
        if not text:
            self.summary.skip_row("the row has no text", place)
            return None
        speaker = self._speaker(role, line) if "role" in places else "user"
        if speaker == "user" and places["label"] >= len(cells):
            # Such as the first piece of a text with a line break and no quotation marks.
            self.summary.skip_row("the row ends before its label", place)
            return None
        key = conversation or f"{self.path.stem}-{line}"
        return Row(str(self.path), line, place, key, text, label, "assistant" if speaker == "assistant" else "user")

    def _speaker(self, role: str, line: int) -> str:
        speaker = self.speakers.get(role.casefold())
        if speaker is None:
            raise DataError(
                f"the role {role[:40]!r} is neither the user's nor the assistant's; say whose it is "
                f"(--user-role or --assistant-role). Known are: {', '.join(self.speakers)}.",
                path=self.path,
                line=line,
            )
        return speaker


def _position(heading: Sequence[str], name: str) -> int | None:
    """Return where a column stands: by its exact name, else by its name in other cases, when only one has it."""
    cells = [cell.strip() for cell in heading]
    if name.strip() in cells:
        return cells.index(name.strip())
    alike = [index for index, cell in enumerate(cells) if cell.casefold() == name.strip().casefold()]
    return alike[0] if len(alike) == 1 else None


def _shown(heading: Sequence[str]) -> str:
    return ", ".join(cell.strip()[:40] for cell in heading[:20]) + (", …" if len(heading) > 20 else "")  # noqa: PLR2004
