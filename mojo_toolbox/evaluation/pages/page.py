"""Reports as one HTML page that holds all it needs: no scripts, nothing fetched, every text escaped."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mojo_toolbox.data import POINTS
from mojo_toolbox.errors.extras import needed_for
from mojo_toolbox.evaluation.drawing import readable
from mojo_toolbox.evaluation.drawing.pictures import (
    LATENCY_HEIGHT,
    POSITION_HEIGHT,
    LatencyPicture,
    PositionPicture,
    latency_pictures,
    position_picture,
)
from mojo_toolbox.evaluation.pages.verdict import comparable, notes, position_sentence, verdict
from mojo_toolbox.evaluation.sections.confidence import (
    NOT_GIVEN,
    TargetRow,
    bin_rows,
    calibration_sentence,
    target_rows,
    too_sure,
)
from mojo_toolbox.evaluation.sections.differences import change_tables
from mojo_toolbox.evaluation.sections.fine_print import explanations, settings
from mojo_toolbox.evaluation.sections.mistakes import Chat, chat
from mojo_toolbox.evaluation.sections.prompt_grid import prompt_grid
from mojo_toolbox.evaluation.sections.tasks import (
    Confusion,
    Matrix,
    TaskRow,
    largest_confusions,
    matrix,
    shade,
    task_rows,
)
from mojo_toolbox.evaluation.sections.thresholds import (
    COVERAGE_HEIGHT,
    CROWD_HEIGHT,
    RELIABILITY_HEIGHT,
    CoveragePicture,
    ReliabilityPicture,
    coverage_picture,
    reliability_picture,
)

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

_TEMPLATES = Path(__file__).parent / "templates"
_FIGURES = ("accuracy", "balanced", *POINTS)


@dataclass(frozen=True)
class RouterView:
    """One report as the page shows it; `figures` are the main table's, each with its number of decisions."""

    name: str
    report: Mapping[str, Any]
    figures: dict[str, tuple[Mapping[str, Any] | None, int]]
    leads: set[str]
    """The figures in which no other router is better."""
    confusions: list[Confusion]
    tasks: list[TaskRow]
    matrix: Matrix
    latency: LatencyPicture | None
    position: PositionPicture | None
    reliability: ReliabilityPicture | None
    coverage: CoveragePicture | None
    bins: list[list[str]]
    targets: list[TargetRow]
    too_sure: bool
    chats: list[Chat]


def render_page(
    reports: Sequence[Mapping[str, Any]], *, title: str | None = None, comparisons: Sequence[Mapping[str, Any]] = ()
) -> str:
    """Return one or several reports (the dictionaries of report.json) as an HTML page.

    Args:
        reports: of routers on the same data; of other data the page says that they do not compare.
        title: left out, it says which routers and which data.
        comparisons: paired differences (`Comparison.model_dump()`), shown as tables.

    Raises:
        ConfigurationError: the `evaluation` extra is missing.
    """
    style = (_TEMPLATES / "page.css").read_text(encoding="utf-8")
    page = (
        _environment()
        .get_template("page.html")
        .render(
            title=title or _title(reports),
            style=style,
            style_hash=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
            verdict=verdict(reports, comparisons),
            notes=notes(reports),
            comparable=comparable(reports),
            routers=_views(reports),
            points=POINTS,
            meanings=readable.POINT_MEANINGS,
            grid=prompt_grid(reports),
            changes=change_tables(comparisons),
            settings=settings(reports),
            explanations=explanations(reports),
        )
    )
    return readable.printable(page)


def _title(reports: Sequence[Mapping[str, Any]]) -> str:
    data = list(dict.fromkeys(readable.data_name(report) for report in reports))
    asked = readable.router_names(reports)[0] if len(reports) == 1 else f"{len(reports)} routers"
    return f"{asked} on {data[0]}" if len(data) == 1 else asked


def _views(reports: Sequence[Mapping[str, Any]]) -> list[RouterView]:
    names = readable.router_names(reports)
    pictures = latency_pictures(reports)
    figures = [_figures(report) for report in reports]
    return [
        RouterView(
            name=name,
            report=report,
            figures=own,
            leads=_leads(own, figures) if len(reports) > 1 and comparable(reports) else set(),
            confusions=largest_confusions(report["tasks"]),
            tasks=task_rows(report["tasks"]),
            matrix=matrix(report["tasks"]),
            latency=latency,
            position=position_picture(report["position_bias"]) if report["position_bias"] else None,
            reliability=reliability_picture(report["confidence"]) if report["confidence"] else None,
            coverage=coverage_picture(report["confidence"]) if report["confidence"] else None,
            bins=bin_rows(report["confidence"]) if report["confidence"] else [],
            targets=target_rows(report["confidence"]) if report["confidence"] else [],
            too_sure=too_sure(report["confidence"]),
            chats=[chat(mistake) for mistake in report["mistakes"]],
        )
        for report, name, latency, own in zip(reports, names, pictures, figures, strict=True)
    ]


def _figures(report: Mapping[str, Any]) -> dict[str, tuple[Mapping[str, Any] | None, int]]:
    overall, points = report["overall"], report["points"]
    found = {figure: (overall[figure], overall["n"]) for figure in ("accuracy", "balanced")}
    return found | {point: (points[point]["accuracy"], points[point]["n"]) for point in POINTS}


def _leads(own: dict[str, Any], figures: Sequence[dict[str, Any]]) -> set[str]:
    values = {name: [readable.value_of(other[name][0]) for other in figures] for name in _FIGURES}
    best = {name: max((value for value in known if value is not None), default=None) for name, known in values.items()}
    return {name for name in _FIGURES if best[name] and readable.value_of(own[name][0]) == best[name]}


def _breakable(text: str) -> Markup:
    """Return a name that may be broken behind its slashes and underscores, rather than within a word."""
    from markupsafe import Markup, escape

    return Markup(re.sub("([_/]+)", r"\1<wbr>", str(escape(readable.short(text)))))  # noqa: S704 - escaped


@cache
def _environment() -> Environment:
    with needed_for("A report's page", extra="evaluation"):
        from jinja2 import Environment, FileSystemLoader, StrictUndefined
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,  # whatever a file is called: conversations are other people's texts
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    texts = (
        "between", "change", "change_between", "count", "counted", "milliseconds", "milliseconds_between", "moment",
        "money", "narrowed", "percent", "percent_of", "short", "task_name", "with_interval",
    )  # fmt: skip
    environment.filters |= {name: getattr(readable, name) for name in texts} | {"name": _breakable}
    environment.globals |= {
        "shade": shade,
        "share_of": readable.share_of,
        "position_sentence": position_sentence,
        "calibration_sentence": calibration_sentence,
        "not_given": NOT_GIVEN,
        "reliability_height": RELIABILITY_HEIGHT,
        "crowd_height": CROWD_HEIGHT,
        "coverage_height": COVERAGE_HEIGHT,
        "latency_height": LATENCY_HEIGHT,
        "position_height": POSITION_HEIGHT,
    }
    return environment
