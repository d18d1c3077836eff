"""`mojo evaluate`: ask routers about labelled conversations and report their right decisions."""

from __future__ import annotations

import json
import math
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from mojo_toolbox.cli.spelling.router_names import Asked, routers
from mojo_toolbox.cli.terminal.endings import UsageError, goes_on
from mojo_toolbox.cli.terminal.options import ASKING, AsJson, BaseUrl, Cloud, Region
from mojo_toolbox.cli.terminal.output import data_as_json, note

if TYPE_CHECKING:
    from mojo_toolbox.evaluation import Price, Report

_COUNT = "Figures"

EXAMPLES = """
mojo evaluate test.jsonl --routers stay,tfidf,encoder-previous
mojo evaluate test.jsonl --cloud local --previous own --shuffles 4 \\
    --routers tfidf,endpoint:mojodex/routing/smollm2-router
mojo evaluate test.jsonl --routers openai:gpt-4.1-mini --concurrency 8 \\
    --prompts zero-shot,few-shot,react
mojo evaluate test.jsonl --base-url http://127.0.0.1:8000/v1 \\
    --routers openai:qwen3 --prompts zero-shot --structured choice
mojo evaluate test.jsonl --routers python:my_router.py:choose --limit 20
"""


def evaluate(
    *,
    conversations: Annotated[
        Path, typer.Argument(help="Labelled conversations, JSON Lines.", metavar="FILE", show_default=False)
    ],
    router_names: Annotated[
        str,
        typer.Option(
            "--routers",
            help="Routers, separated by commas. Baselines: always-none, stay, tfidf, encoder, encoder-previous. Others: "
            "endpoint:PRODUCT/TASK/MODEL_ID (with /STAGE if not dev), endpoint alone for the model in mojo.toml, chat: in the "
            "same two forms, openai:MODEL, python:FILE.py:FUNCTION.",
            metavar="NAMES",
        ),
    ],
    prompts: Annotated[
        str | None,
        typer.Option(
            help="Prompts for chat: and openai:, separated by commas: zero-shot, few-shot, react, or your own file.",
            metavar="NAMES",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            help="Folder for predictions and report, with a folder inside for each of several routers. Unset: evaluation-FILE.",
            metavar="FOLDER",
            show_default=False,
        ),
    ] = None,
    previous: Annotated[
        Literal["labelled", "own"],
        typer.Option(
            help="Earlier decisions that the router sees: the labels, or its own decisions, as in production.",
            metavar="labelled|own",
            rich_help_panel=ASKING,
        ),
    ] = "labelled",
    concurrency: Annotated[
        int, typer.Option(min=1, help="Conversations asked at the same time.", metavar="N", rich_help_panel=ASKING)
    ] = 1,
    timeout: Annotated[
        float, typer.Option(min=0.001, help="Seconds to wait for a decision.", metavar="S", rich_help_panel=ASKING)
    ] = 60.0,
    limit: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Only the first N conversations.",
            metavar="N",
            show_default=False,
            rich_help_panel=ASKING,
        ),
    ] = None,
    structured: Annotated[
        Literal["choice", "json_schema"] | None,
        typer.Option(
            help="Restrict chat models to listed names: choice (vLLM, our endpoints) or json_schema (OpenAI).",
            metavar="choice|json_schema",
            show_default=False,
            rich_help_panel=ASKING,
        ),
    ] = None,
    base_url: BaseUrl = None,
    retry_errors: Annotated[
        bool, typer.Option("--retry-errors", help="Ask again about failed decisions.", rich_help_panel=ASKING)
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Begin again, even if FOLDER has a run.", rich_help_panel=ASKING)
    ] = False,
    shuffles: Annotated[
        int,
        typer.Option(
            min=0,
            help="Ask each decision N more times with the list in another order, to measure position bias.",
            metavar="N",
            rich_help_panel=_COUNT,
        ),
    ] = 0,
    latency_limit: Annotated[
        float, typer.Option(min=0.001, help="Count slower answers.", metavar="MS", rich_help_panel=_COUNT)
    ] = 300.0,
    price: Annotated[
        str | None,
        typer.Option(
            help="US dollars for a million input and output tokens, such as 0.4,1.6.",
            metavar="IN,OUT",
            show_default=False,
            rich_help_panel=_COUNT,
        ),
    ] = None,
    seed: Annotated[
        int,
        typer.Option(min=0, help="Seed of the shuffled lists and the bootstrap.", metavar="N", rich_help_panel=_COUNT),
    ] = 0,
    cloud_service: Cloud = None,
    region_name: Region = None,
    as_json: AsJson = False,
) -> None:
    """Ask routers about every labelled user turn, and report their right decisions at each measuring point.

    Prints the figures. Writes predictions.jsonl and the report as HTML, JSON and Markdown.

    If it was killed, start it again, and it asks only for the rest.
    """
    from mojo_toolbox.cli.tables.report_tables import print_reports

    folder = output or Path(f"evaluation-{conversations.stem}")
    if not (overwrite or retry_errors):
        from mojo_toolbox.evaluation.runs.run_folder import require_unfinished

        require_unfinished(folder)
    asked = Asked(_listed(prompts), structured, base_url, cloud_service, region_name, timeout)
    with redirect_stdout(sys.stderr):  # what a router of one's own prints is no part of the answer
        found = routers(_listed(router_names), asked)
    if not found:
        raise UsageError("--routers names no router. For example: --routers stay,tfidf")
    options: dict[str, Any] = {
        "previous": previous,
        "concurrency": concurrency,
        "timeout": timeout,
        "limit": limit,
        "shuffles": shuffles,
        "latency_limit_ms": latency_limit,
        "price": _price(price),
        "seed": seed,
        "retry_errors": retry_errors,
        "overwrite": overwrite,
    }
    with (
        redirect_stdout(sys.stderr),
        goes_on(f"The answers so far are kept in {folder}. The same command goes on from there."),
    ):
        reports, page, comparisons = _evaluate(found, conversations, folder, options)
    if as_json:
        documents = [report.as_dict() for report in reports]
        data_as_json(documents[0] if len(documents) == 1 else documents)
    else:
        print_reports([report.as_dict() for report in reports], comparisons=comparisons)
    note(f"Report: {page}")
    for report in reports:
        if report.overall.n and report.overall.invalid == report.overall.n:
            note(f"Every answer of {report.router} was invalid, such as {report.mistakes[0].answer!r:.80}.")
    if not reports[0].overall.n:
        note("Nothing was asked, because no user turn is labelled.")
    if all(report.overall.n and report.overall.errors == report.overall.n for report in reports):
        note("Every decision failed: " + "; ".join(next(iter(report.error_kinds)) for report in reports))
        raise typer.Exit(1)


def _evaluate(
    found: list[Any], conversations: Path, folder: Path, options: dict[str, Any]
) -> tuple[list[Report], Path, list[dict[str, Any]]]:
    """Return the reports, the page to read, and the differences from the runner-up."""
    from mojo_toolbox.evaluation import evaluate as evaluate_one
    from mojo_toolbox.evaluation import evaluate_all
    from mojo_toolbox.evaluation.runs.file_names import SUMMARY_FILE

    if len(found) == 1:
        return [evaluate_one(found[0], conversations, output=folder, **options)], folder / "report.html", []
    reports = evaluate_all(found, conversations, output=folder, **options)
    summary = json.loads((folder / SUMMARY_FILE).read_text(encoding="utf-8"))
    return reports, folder / "summary.html", summary["comparisons"]


def _listed(names: str | None) -> list[str]:
    return [name.strip() for name in (names or "").split(",") if name.strip()]


def _price(given: str | None) -> Price | None:
    from mojo_toolbox.evaluation import Price

    if given is None:
        return None
    try:
        prompt, completion = (float(part) for part in given.split(","))
    except ValueError:
        raise UsageError(f"--price takes two numbers, such as 0.4,1.6, not {given!r}.") from None
    if not (0 <= prompt < math.inf and 0 <= completion < math.inf):
        raise UsageError(f"--price {given}: a price must be 0 or more.")
    return Price(prompt, completion)
