"""Reports as Markdown to paste into an issue or a page: the figures and the settings, without the conversations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mojo_toolbox.evaluation.drawing.markdown_tables import plain
from mojo_toolbox.evaluation.drawing.readable import DASH, data_name, printable
from mojo_toolbox.evaluation.pages.verdict import notes, verdict
from mojo_toolbox.evaluation.sections import table
from mojo_toolbox.evaluation.sections.section import Document, Shown


def render_markdown(reports: Sequence[Document], *, comparisons: Sequence[Mapping[str, Any]] = ()) -> str:
    """Return one or several reports (the dictionaries of report.json) as GitHub-flavoured Markdown.

    Args:
        reports: of routers on the same data. Of other data the text says that they do not compare.
        comparisons: paired differences (`Comparison.model_dump()`), shown as tables.
    """
    shown = Shown(reports, comparisons, table.SECTIONS)
    parts = [_summary(shown), *(section.markdown(shown) for section in shown.sections)]
    return printable("\n\n".join(filter(None, parts)) + "\n")


def _summary(shown: Shown) -> str:
    data = " and ".join(dict.fromkeys(map(data_name, shown.reports))) or DASH
    names = shown.names
    asked = names[0] if len(names) == 1 else f"{len(names)} routers"
    lines = [f"# {plain(asked)} on {plain(data)}", "", plain(verdict(shown.reports, shown.comparisons))]
    found = notes(shown.reports)
    if found:
        lines.append("")
    for note in found:
        says = [text if len(names) == 1 else f"{name} {text}" for name, text in note.routers]
        others = [f"and {note.others} more"] if note.others else []
        lines.append(f"- **{note.subject}**: {plain('; '.join(says + others))}")
    return "\n".join(lines)
