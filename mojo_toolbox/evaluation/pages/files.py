"""Reports as files: report.json with its page and its Markdown text, and the summary of several reports."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mojo_toolbox.evaluation.pages.markdown import render_markdown
from mojo_toolbox.evaluation.pages.page import render_page
from mojo_toolbox.evaluation.runs.file_names import REPORT_FILE, SUMMARY_FILE
from mojo_toolbox.evaluation.sections.section import Document
from mojo_toolbox.whole_files import whole_file


def write_report(report: Document, folder: Path) -> None:
    """Write report.html, report.md and report.json into `folder`, each whole or not at all.

    Raises:
        ConfigurationError: the `evaluation` extra is missing.
    """
    _write(folder, "report", render_page([report]), render_markdown([report]))
    # The JSON last: where it is, the others are.
    _write_json(folder / REPORT_FILE, report)


def write_summary(reports: Sequence[Document], comparisons: Sequence[Mapping[str, Any]], folder: Path) -> None:
    """Write summary.html, summary.md and summary.json into `folder`, each whole or not at all.

    Raises:
        ConfigurationError: the `evaluation` extra is missing.
    """
    page, markdown = (show(reports, comparisons=comparisons) for show in (render_page, render_markdown))
    _write(folder, "summary", page, markdown)
    _write_json(folder / SUMMARY_FILE, {"reports": reports, "comparisons": comparisons})


def _write(folder: Path, name: str, page: str, markdown: str) -> None:
    for ending, text in {"html": page, "md": markdown}.items():
        with whole_file(folder / f"{name}.{ending}") as file:
            file.write(text)


def _write_json(path: Path, document: Mapping[str, Any]) -> None:
    with whole_file(path) as file:
        file.write(json.dumps(document, ensure_ascii=False, indent=1) + "\n")
