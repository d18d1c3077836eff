"""`mojo report`: look at reports again, and compare two before one goes to production."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mojo_toolbox.cli.terminal.options import AsJson, Overwrite, require_free
from mojo_toolbox.cli.terminal.output import data_as_json, note, print_table
from mojo_toolbox.errors import MojoError

if TYPE_CHECKING:
    from mojo_toolbox.evaluation import Comparison, Report
    from mojo_toolbox.evaluation.comparison import Difference

EXAMPLES = {
    "compare": """
mojo report compare production/report.json candidate/report.json
mojo report compare production candidate --on accuracy,switch && ./deploy.sh
""",
    "show": """
mojo report show reports/router
mojo report show reports/tfidf reports/router --html both.html
""",
    "threshold": """
mojo report threshold reports/router --precision 0.95
mojo report threshold reports/router --precision 0.99 --sure --json
""",
}


def compare(
    *,
    a: Annotated[
        Path, typer.Argument(help="The current router: a report.json or its folder.", metavar="A", show_default=False)
    ],
    b: Annotated[Path, typer.Argument(help="The candidate.", metavar="B", show_default=False)],
    margin: Annotated[
        float,
        typer.Option(
            min=0, max=0.5, help="B may be below A by this share. 0.01 is one percentage point.", metavar="SHARE"
        ),
    ] = 0.01,
    on: Annotated[
        str,
        typer.Option(
            help="The figures that decide, separated by commas: accuracy, balanced, start, continue, switch, end, none.",
            metavar="FIGURES",
        ),
    ] = "accuracy,balanced",
    any_data: Annotated[bool, typer.Option("--any-data", help="Compare even if the conversations differ.")] = False,
    as_json: AsJson = False,
) -> None:
    """Compare two reports, with exit status 1 when B is worse than A by more than the margin.

    With predictions.jsonl next to both reports, the differences are paired and have intervals.
    """
    from mojo_toolbox.evaluation import compare as compare_reports

    gated = tuple(name.strip() for name in on.split(",") if name.strip())
    comparison = compare_reports(a, b, margin=margin, gated=gated, any_data=any_data)
    if as_json:
        data_as_json(comparison.model_dump(mode="json") | {"worse": comparison.worse})
    else:
        _print(comparison)
    if comparison.worse:
        raise typer.Exit(1)


def show(
    *,
    reports: Annotated[
        list[Path], typer.Argument(help="report.json files or their folders.", metavar="REPORT...", show_default=False)
    ],
    html: Annotated[
        Path | None, typer.Option(help="Also write them as one page.", metavar="FILE", show_default=False)
    ] = None,
    markdown: Annotated[
        Path | None, typer.Option(help="Also write them as Markdown.", metavar="FILE", show_default=False)
    ] = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Print reports again, side by side.

    With predictions.jsonl next to each report, the differences from the runner-up are paired and have intervals.
    """
    from mojo_toolbox.cli.tables.report_tables import print_reports
    from mojo_toolbox.evaluation import read_report
    from mojo_toolbox.evaluation.pages.markdown import render_markdown
    from mojo_toolbox.evaluation.pages.page import render_page
    from mojo_toolbox.whole_files import whole_file

    require_free(html, markdown, overwrite=overwrite)
    found = [read_report(path) for path in reports]
    documents = [report.as_dict() for report in found]
    comparisons = [] if as_json and not html and not markdown else _compared(found, reports)
    if as_json:
        data_as_json(documents)
    else:
        print_reports(documents, comparisons=comparisons)
    for path, render in ((html, render_page), (markdown, render_markdown)):
        if path is not None:
            text = render(documents, comparisons=comparisons)
            with whole_file(path) as file:
                file.write(text)
            note(f"Written: {path}")


def threshold(
    *,
    report: Annotated[Path, typer.Argument(help="A report.json or its folder.", metavar="REPORT", show_default=False)],
    precision: Annotated[
        float, typer.Option(help="The share of accepted decisions that must be right.", metavar="SHARE")
    ],
    sure: Annotated[
        bool, typer.Option("--sure", help="The low end of the precision's interval must reach it too.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Find the threshold below which to abstain, with exit status 1 when no threshold reaches the precision.

    Prints the accepted decisions of several thresholds, and the loosest threshold that reaches the precision.
    """
    from mojo_toolbox.cli.tables.report_tables import print_acceptances
    from mojo_toolbox.evaluation import read_report
    from mojo_toolbox.evaluation.sections.thresholds import threshold_sentence

    measured = read_report(report)
    found = measured.threshold(precision=precision, sure=sure)
    confidence = measured.confidence
    if as_json:
        data_as_json(found.model_dump(mode="json") | {"threshold": found.value})
    elif confidence is not None:
        print_acceptances(confidence, found.found)
        note(threshold_sentence(found, confidence.asked))
    if found.value is None:
        raise typer.Exit(1)


def _compared(reports: list[Report], paths: list[Path]) -> list[dict[str, Any]]:
    """Return the differences from the runner-up, under the names that tables show. Without fitting predictions: none."""
    from mojo_toolbox.evaluation.comparison import against_runner_up
    from mojo_toolbox.evaluation.drawing.readable import router_names

    names = router_names([report.as_dict() for report in reports])
    named = [report.model_copy(update={"router": name}) for report, name in zip(reports, names, strict=True)]
    try:
        return [found.model_dump(mode="json") for found in against_runner_up(named, paths)]
    except MojoError as error:
        note(f"Not compared decision by decision: {error}")
        return []


def _print(comparison: Comparison) -> None:
    columns = ("figure", "verdict", "difference", "a", "b", "n")
    print_table(
        f"a = {comparison.a}, b = {comparison.b}", columns, [_row(row) for row in comparison.rows], narrow=len(columns)
    )
    points = f"{100 * comparison.margin:g} percentage point{'' if comparison.margin == 0.01 else 's'}"  # noqa: PLR2004
    decided = " and ".join(comparison.gated)
    if comparison.worse:
        note(f"Worse: b is below a by more than {points} in {decided}.")
    else:
        note(f"Not worse: b is not below a by more than {points} in {decided}.")


def _row(row: Difference) -> tuple[str, ...]:
    milliseconds = row.figure.endswith("_ms")

    def shown(value: float | None, *, sign: str = "") -> str:
        if value is None:
            return "\N{EN DASH}"
        return f"{value:{sign}.0f} ms" if milliseconds else f"{100 * value:{sign}.1f}"

    change = "\N{EN DASH}"
    if row.difference is not None:
        change = shown(row.difference.value, sign="+")
        if row.difference.low is not None:
            change += f" ({shown(row.difference.low, sign='+')} to {shown(row.difference.high, sign='+')})"
    verdict: str = row.verdict or ""
    if row.verdict in {"better", "worse"} and row.difference is not None and row.difference.low is not None:
        verdict += ", surely" if row.certain else ", perhaps by chance"
    name = {"p95_ms": "latency p95", "unanswered": "invalid or failed", "ece": "calibration error"}.get(
        row.figure, row.figure
    )
    return name, verdict, change, shown(row.a), shown(row.b), str(row.n)


COMMANDS: dict[str, Callable[..., None]] = {"compare": compare, "show": show, "threshold": threshold}
