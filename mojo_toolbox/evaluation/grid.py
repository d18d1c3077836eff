"""Several routers on the same conversations: a folder each, and one summary that sets them side by side."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mojo_toolbox.errors import EvaluationError
from mojo_toolbox.evaluation.comparison import against_runner_up
from mojo_toolbox.evaluation.evaluating import evaluate, require_askable, run_of
from mojo_toolbox.evaluation.pages.files import write_summary
from mojo_toolbox.evaluation.report import Report
from mojo_toolbox.evaluation.routers.question import Router, RouterFunction, as_router
from mojo_toolbox.evaluation.runs.file_names import REPORT_FILE, SUMMARY_FILE
from mojo_toolbox.evaluation.runs.run_folder import require_free, require_unfinished
from mojo_toolbox.evaluation.runs.source import Conversations, Source
from mojo_toolbox.model import Model

_LONGEST_FOLDER = 100


def evaluate_all(
    routers: Sequence[Router | Model | RouterFunction],
    conversations: Conversations,
    *,
    output: Path | str,
    **options: Any,
) -> list[Report]:
    """Evaluate routers one after the other. Each has its own folder in `output`, named after it.

    summary.html, summary.md and summary.json set them side by side, with the paired differences from the runner-up.
    If you start a killed grid again, it goes on where it was.

    Args:
        routers: any routers that `evaluate()` takes. Their names must differ.
        conversations: as for `evaluate()`.
        output: the folder.
        options: further arguments of `evaluate()`.

    Raises:
        EvaluationError: two routers have one name, or `output` holds a summary already.
    """
    asked = [as_router(router) for router in routers]
    folders = [Path(output) / _folder_name(router.name) for router in asked]
    for number, folder in enumerate(folders):
        if folder in folders[:number]:
            raise EvaluationError(f"two routers are called {asked[number].name!r}: give each a name of its own.")
    if Path(output).exists() and not Path(output).is_dir():
        raise EvaluationError(f"{output} is a file; output is a folder.")
    if (Path(output) / REPORT_FILE).exists():
        raise EvaluationError(f"{output} holds the report of a single router. Name another folder: output=…")
    if not (options.get("overwrite") or options.get("retry_errors")):
        require_unfinished(Path(output))
    if not isinstance(conversations, str | Path):
        conversations = list(conversations)
    _look_first(asked, folders, conversations, options)
    if options.get("overwrite"):
        (Path(output) / SUMMARY_FILE).unlink(missing_ok=True)
    # Without a summary, what is finished in there was finished by a run that was killed later.
    reports = [
        evaluate(router, conversations, output=folder, reuse=True, **options)
        for router, folder in zip(asked, folders, strict=True)
    ]
    comparisons = [found.model_dump(mode="json") for found in against_runner_up(reports, folders)]
    write_summary([report.as_dict() for report in reports], comparisons, Path(output))
    return reports


def _look_first(
    routers: Sequence[Router], folders: Sequence[Path], conversations: Conversations, options: Mapping[str, Any]
) -> None:
    """Refuse what would stop a later router, before the first one is asked (and paid) for hours."""
    again = bool(options.get("overwrite"))
    source = Source(conversations, limit=options.get("limit"))
    source.look_at_first()
    for router, folder in zip(routers, folders, strict=True):
        require_askable(router, folder, again=again or bool(options.get("retry_errors")))
    if not again and any(folder.exists() for folder in folders):
        told = {"previous": options.get("previous", "labelled"), "seed": options.get("seed", 0)}
        survey = source.survey()
        for router, folder in zip(routers, folders, strict=True):
            require_free(folder, run_of(router, survey, **told))


def _folder_name(name: str) -> str:
    """Return a router's name as one that any file system takes."""
    return re.sub(r"[^\w.-]+", "-", name).strip("-.")[:_LONGEST_FOLDER] or "router"
