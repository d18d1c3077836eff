"""A report: the figures of one router on one data set, as an object and as files."""

from __future__ import annotations

import html
import json
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from mojo_toolbox.data import POINTS, Point
from mojo_toolbox.data.conversations import describe
from mojo_toolbox.errors import ReportError
from mojo_toolbox.errors.sentences import sentence
from mojo_toolbox.evaluation.counting.figures import (
    Confidence,
    Cost,
    Data,
    Detection,
    Latency,
    MeasurementSettings,
    Overall,
    PointFigures,
    TaskSelection,
    Tokens,
)
from mojo_toolbox.evaluation.runs.file_names import REPORT_FILE, SUMMARY_FILE
from mojo_toolbox.evaluation.sections.mistakes import Mistake
from mojo_toolbox.evaluation.sections.position_bias import PositionBias
from mojo_toolbox.evaluation.threshold import Threshold, threshold_for

REPORT_VERSION: Literal[1] = 1


class Report(BaseModel):
    """The measured figures, with the fields of report.json. See `mojo_toolbox.evaluation.counting.figures`."""

    # A section may count figures that have no field of their own.
    model_config = ConfigDict(frozen=True, extra="allow")

    report_version: Literal[1] = REPORT_VERSION
    mojo_toolbox: str
    measured_at: str
    """ISO 8601, UTC."""
    router: str
    baseline: bool | None = None
    """Whether the router is one of the library's baselines. None in reports of earlier versions."""
    prompt: str | None
    previous: Literal["labelled", "own"]
    data: Data
    settings: MeasurementSettings
    seconds: float
    """Wall time of asking. A run that was gone on with counts its last part."""
    overall: Overall
    points: dict[Point, PointFigures]
    none_detection: Detection
    tasks: TaskSelection
    latency_ms: Latency
    tokens: Tokens | None
    cost: Cost | None
    position_bias: PositionBias | None
    confidence: Confidence | None = None
    """None where the router gives no probabilities, and in reports of earlier versions."""
    error_kinds: dict[str, int]
    mistakes: list[Mistake]

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if set(self.points) != set(POINTS):
            raise ValueError(f"points must be {', '.join(POINTS)}")
        size = len(self.tasks.labels)
        if [len(row) for row in self.tasks.matrix] != [size] * size or len(self.tasks.invalid) != size:
            raise ValueError("tasks.matrix must have a row and a column for each label")
        return self

    def threshold(self, *, precision: float, sure: bool = False) -> Threshold:
        """Return the loosest threshold on the answer's probability above which answers are right in a share `precision`.

        Give its `value` to `predict(…, abstain_below=…)`. It was chosen on these conversations, so take others than
        those that the router was trained on.

        Args:
            precision: the wanted share right / accepted, such as 0.95.
            sure: ask for more: the low end of the precision's interval has to reach it.

        Raises:
            ReportError: the router gave no probabilities.
            ConfigurationError: `precision` is not a share above 0.
        """
        if self.confidence is None:
            raise ReportError(
                f"{self.router} gave no probabilities (or was evaluated by an earlier version), so there is nothing to set a "
                "threshold on. Evaluate a router that does, such as a deployed one."
            )
        return threshold_for(self.confidence, precision=precision, sure=sure)

    def as_dict(self) -> dict[str, Any]:
        """Return the report as report.json contains it."""
        return self.model_dump(mode="json")

    def save(self, folder: Path | str) -> None:
        """Write report.json, report.html and report.md into `folder`, each whole or not at all."""
        from mojo_toolbox.evaluation.pages.files import write_report

        write_report(self.as_dict(), Path(folder))

    def _repr_html_(self) -> str:
        """Show the page in a notebook, in a frame of its own: its style must not become the notebook's."""
        from mojo_toolbox.evaluation.pages.page import render_page

        page = html.escape(render_page([self.as_dict()]))
        return f'<iframe srcdoc="{page}" style="width: 100%; height: 40rem; border: 0"></iframe>'


def read_report(path: Path | str) -> Report:
    """Read a report.json, or the one in a folder.

    Raises:
        ReportError: there is no file, it is not a report, or it is one of a version that this library does not know.
    """
    path = Path(path)
    if path.is_dir():
        if not (path / REPORT_FILE).exists() and (path / SUMMARY_FILE).exists():
            held = sorted(report.parent.name for report in path.glob(f"*/{REPORT_FILE}"))
            raise ReportError(
                f"{path} holds several reports: name one of {', '.join(str(path / name) for name in held)}."
            )
        path /= REPORT_FILE
    try:
        document = json.loads(path.read_text(encoding="utf-8"), parse_constant=_no_number)
    except FileNotFoundError:
        raise ReportError(f"{path}: no such file. A report is what `mojo evaluate` writes.") from None
    except (ValueError, RecursionError) as error:  # not UTF-8, not JSON
        raise ReportError(f"{path}: not JSON ({error}).") from error
    if not isinstance(document, dict) or "report_version" not in document:
        raise ReportError(f"{path}: not a report of mojo evaluate (it has no report_version).")
    if document["report_version"] != REPORT_VERSION:
        raise ReportError(
            f"{path}: a report of version {document['report_version']}; this library reads version {REPORT_VERSION}. "
            "Evaluate again."
        )
    try:
        return Report.model_validate(document)
    except ValidationError as error:
        raise ReportError(f"{path}: not a report: {sentence(describe(error))}") from error


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no figure")
