"""Two routers on the same conversations: their differences, how sure these are, and whether the second is worse.

Both were asked the same decisions, so the differences are paired: each bootstrap resample takes the same conversations for
both, which makes intervals far narrower than two separate ones suggest.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from mojo_toolbox.data import POINTS, read_records
from mojo_toolbox.errors import DataError, ReportError
from mojo_toolbox.errors.extras import require
from mojo_toolbox.evaluation.counting.bootstrap import Interval, interval
from mojo_toolbox.evaluation.counting.ranking import best_first
from mojo_toolbox.evaluation.counting.tally import Tally
from mojo_toolbox.evaluation.report import Report, read_report
from mojo_toolbox.evaluation.runs.file_names import PREDICTIONS_FILE

Verdict = Literal["better", "worse", "same"]
# Shares of right answers, which a margin applies to.
GATED = ("accuracy", "balanced", *POINTS)
DEFAULT_MARGIN = 0.01
_LARGEST_MARGIN = 0.5  # who gives 1 means one percentage point
# Shown, without a verdict: the share of invalid answers and errors (they count as wrong already), the calibration error
# (where both give probabilities), milliseconds.
_BESIDE = {
    "unanswered": lambda report: (report.overall.invalid + report.overall.errors) / max(report.overall.n, 1),
    "ece": lambda report: report.confidence and report.confidence.ece,
    "p95_ms": lambda report: report.latency_ms.p95 and report.latency_ms.p95.value,
}


class Difference(BaseModel):
    """One figure of both routers. `difference` is b - a, with an interval if both have their predictions."""

    model_config = ConfigDict(frozen=True)

    figure: str
    n: int
    a: float | None
    b: float | None
    difference: Interval | None
    verdict: Verdict | None
    """Whether b is better or worse than a by more than the margin, or None if one of them has no such figure."""
    certain: bool
    """Whether the interval of the difference leaves out 0."""


class Comparison(BaseModel):
    """Router a against router b."""

    model_config = ConfigDict(frozen=True)

    a: str
    b: str
    margin: float
    gated: list[str]
    """The figures that decide `worse`."""
    rows: list[Difference]

    @property
    def worse(self) -> bool:
        """Whether b is worse than a by more than the margin in a figure that decides."""
        return any(row.verdict == "worse" for row in self.rows if row.figure in self.gated)


def compare(
    a: Path | str,
    b: Path | str,
    *,
    margin: float = DEFAULT_MARGIN,
    gated: tuple[str, ...] = ("accuracy", "balanced"),
    any_data: bool = False,
) -> Comparison:
    """Compare two report.json (or their folders). If both have a predictions.jsonl, differences have intervals.

    Args:
        a: the router in use now.
        b: the router to take its place.
        margin: how much of a share (0.01 is one percentage point) b may be below a.
        gated: the figures that decide whether b is worse: "accuracy", "balanced" or a measuring point.
        any_data: compare even if they were measured on different conversations, without intervals.

    Raises:
        ReportError: no report, one of another version or of other conversations, or an unknown figure or margin.
        MissingExtraError: the `evaluation` extra is not installed.
    """
    require("Comparing reports", "numpy", extra="evaluation")
    if not 0 <= margin <= _LARGEST_MARGIN:
        raise ReportError(f"margin={margin} must be from 0 to {_LARGEST_MARGIN}: 0.01 is one percentage point.")
    unknown = [figure for figure in gated if figure not in GATED]
    if unknown or not gated:
        what = f"no such figure: {', '.join(unknown)}" if unknown else "no figure is to decide"
        raise ReportError(f"{what}. There are {', '.join(GATED)}.")
    first, second = read_report(a), read_report(b)
    same = first.data.sha256 == second.data.sha256 and first.previous == second.previous
    if not same and not any_data:
        raise ReportError(
            f"{a} and {b} were not measured on the same: {_measured_on(first)}, {_measured_on(second)}. Evaluate both on "
            "the same conversations, or compare anyway (any_data=True, --any-data)."
        )
    for path, report in ((a, first), (b, second)):
        missing = [figure for figure in gated if _value(report, figure) is None]
        if missing:
            raise ReportError(
                f"{path} has nothing at {', '.join(missing)}, which is to decide: no such decision was asked."
            )
    paths = [_predictions(a), _predictions(b)]
    resampled: dict[str, Any] = {}
    if same and all(path.is_file() for path in paths):
        tallies = [_tally(path, report) for path, report in zip(paths, (first, second), strict=True)]
        before, after = (tally.resampled() for tally in tallies)
        resampled = {figure: after[figure] - before[figure] for figure in before}
    rows = [_difference(figure, first, second, resampled.get(figure), margin) for figure in GATED]
    calibrated = first.confidence is not None and second.confidence is not None
    rows += [_beside(figure, first, second) for figure in _BESIDE if calibrated or figure != "ece"]
    return Comparison(a=first.router, b=second.router, margin=margin, gated=list(gated), rows=rows)


def against_runner_up(reports: Sequence[Report], paths: Sequence[Path | str]) -> list[Comparison]:
    """Compare the best of several reports and all the others with the second best, the best first.

    Empty where there is nothing to compare: a single report, reports of other conversations, or no decision.

    Args:
        reports: the two reports.
        paths: their report.json or folders, in the same order.

    Raises:
        ReportError: predictions that do not belong to their report.
    """
    measured = {(report.data.sha256, report.previous, report.overall.n) for report in reports}
    if len(reports) < 2 or len(measured) > 1 or not reports[0].overall.n:  # noqa: PLR2004 - two to compare
        return []
    figures = [(report.overall.right, _value(report, "balanced")) for report in reports]
    best, second, *others = best_first(figures)
    # Under the names that were given: two reports may be of one router.
    return [
        compare(paths[second], paths[place]).model_copy(
            update={"a": reports[second].router, "b": reports[place].router}
        )
        for place in (best, *others)
    ]


def _difference(figure: str, first: Report, second: Report, resampled: Any, margin: float) -> Difference:
    a, b = _value(first, figure), _value(second, figure)
    n = second.overall.n if figure in {"accuracy", "balanced"} else second.points[figure].n  # type: ignore[index]
    if a is None or b is None:
        return Difference(figure=figure, n=n, a=a, b=b, difference=None, verdict=None, certain=False)
    change = b - a
    found = Interval(value=change, low=None, high=None) if resampled is None else interval(resampled, value=change)
    # Shares are fractions of whole numbers: a difference of exactly the margin must not fail by rounding.
    verdict: Verdict = "better" if change > margin + 1e-12 else "worse" if change < -margin - 1e-12 else "same"
    certain = (
        found is not None and found.low is not None and found.high is not None and not found.low <= 0 <= found.high
    )
    return Difference(figure=figure, n=n, a=a, b=b, difference=found, verdict=verdict, certain=certain)


def _beside(figure: str, first: Report, second: Report) -> Difference:
    a, b = (_BESIDE[figure](report) for report in (first, second))
    found = None if a is None or b is None else Interval(value=b - a, low=None, high=None)
    return Difference(figure=figure, n=second.overall.n, a=a, b=b, difference=found, verdict=None, certain=False)


def _value(report: Report, figure: str) -> float | None:
    if figure == "accuracy":
        found = report.overall.accuracy
    elif figure == "balanced":
        found = report.overall.balanced
    else:
        found = report.points[figure].accuracy  # type: ignore[index]
    return None if found is None else found.value


def _tally(path: Path, report: Report) -> Tally:
    """Count a report's predictions. The seed is the same for all: then so are the conversations of each resample."""
    try:
        rows: Iterator[Any] = (row for _, row in read_records(path))
        tally = Tally.of(rows) if path.stat().st_size else Tally()
        counted = tally.overall()
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise ReportError(f"{path}: a row is no prediction ({type(error).__name__}: {error}).") from error
    if (counted.n, counted.right) != (report.overall.n, report.overall.right):
        raise ReportError(
            f"{path} does not belong to the report beside it: {counted.right} of {counted.n} decisions right here, "
            f"{report.overall.right} of {report.overall.n} there. Evaluate again, or move it away to compare without intervals."
        )
    return tally


def _predictions(report: Path | str) -> Path:
    report = Path(report)
    return (report if report.is_dir() else report.parent) / PREDICTIONS_FILE


def _measured_on(report: Report) -> str:
    decisions = f"earlier decisions {'as labelled' if report.previous == 'labelled' else 'its own'}"
    return f"{report.data.source or 'conversations'} ({report.data.sha256[:12]}, {decisions})"
