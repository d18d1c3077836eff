"""A section of a report: its figures, and its part of the page, of the Markdown text and of the terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from mojo_toolbox.evaluation.drawing.readable import router_names
from mojo_toolbox.evaluation.drawing.terminal_tables import Column, Table
from mojo_toolbox.evaluation.runs.answer_journal import AnswerJournal
from mojo_toolbox.evaluation.runs.source import Source

Document = Mapping[str, Any]
"""A report as in report.json."""


@dataclass(frozen=True)
class FinishedRun:
    """A finished run, from which sections count their figures."""

    journal: AnswerJournal
    source: Source
    shuffles: int
    resamples: int
    seed: int


@dataclass(frozen=True)
class Shown:
    """The reports to show, and the comparisons (`Comparison.model_dump()`) to show with them."""

    reports: Sequence[Document]
    comparisons: Sequence[Mapping[str, Any]]
    sections: Sequence[Section]

    @cached_property
    def names(self) -> list[str]:
        """A name for each report by which it differs from the others."""
        return router_names(self.reports)

    @property
    def named(self) -> Iterator[tuple[str, Document]]:
        """Each report with its name."""
        return zip(self.names, self.reports, strict=True)

    @property
    def alone(self) -> bool:
        """Whether there is no second router to be told from."""
        return len(self.reports) <= 1

    @property
    def comparable(self) -> bool:
        """Whether all reports were measured on the same conversations, with earlier decisions given in the same way."""
        return comparable(self.reports)

    def routers(self, **columns: Iterable[Any]) -> list[dict[str, Any]]:
        """Return each router for a page's template: its name, its report, and its value of each column."""
        rows = [{"name": name, "report": report} for name, report in self.named]
        for column, values in columns.items():
            for row, value in zip(rows, values, strict=True):
                row[column] = value
        return rows


@dataclass(frozen=True)
class Remark:
    """Something about one router that a reader should not miss."""

    subject: str
    says: str
    weight: float
    """Of several routers with this subject, those with the most weight are named."""
    rank: int
    """Where it stands in the list: lower ranks come first."""


def _nothing(_: Any) -> Iterator[Any]:
    return iter(())


@dataclass(frozen=True, kw_only=True, eq=False)
class Section:
    """One section of a report. Every part may be left out."""

    name: str
    """With `measure`, also the name of its figures in report.json."""
    measure: Callable[[FinishedRun], Any] | None = None
    """Counts its figures (numbers, lists, a pydantic model), or returns None where there is nothing to count."""
    page: str = ""
    """A Jinja template. It knows `routers`, each with `name` and `report`, and what `values` returns."""
    link: str = ""
    """Its name in the page's list of sections. The template has an element whose id is the section's `anchor`."""
    anchor: str = ""
    within: str = ""
    """The name of the section in whose template it stands, as one of the `parts`."""
    values: Callable[[Shown], Mapping[str, Any]] = lambda _: {}
    markdown: Callable[[Shown], str] = lambda _: ""
    tables: Callable[[Shown], Iterable[Table]] = _nothing
    """Tables for the terminal."""
    lines: Callable[[Document], Iterable[tuple[str, str]]] = _nothing
    """Labels and texts for the terminal, of a router that is shown alone."""
    columns: Callable[[Shown], Iterable[Column]] = _nothing
    """Columns for the terminal's table of several routers."""
    remarks: Callable[[Document], Iterable[Remark]] = _nothing
    """Remarks that a reader should not miss."""
    explains: Callable[[Shown], Iterable[tuple[str, str]]] = _nothing
    """Headings and texts for the fine print: how the figures are made."""


def comparable(reports: Sequence[Document]) -> bool:
    """Whether all reports were measured on the same conversations, with earlier decisions given in the same way."""
    return len({(report["data"]["sha256"], report["previous"], report["overall"]["n"]) for report in reports}) <= 1
