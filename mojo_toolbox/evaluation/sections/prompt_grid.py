"""Chat models across prompts: which report belongs where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mojo_toolbox.evaluation.drawing.readable import model_name, short

Report = Mapping[str, Any]


@dataclass(frozen=True)
class PromptGrid:
    """A row for each model, a report or nothing under each prompt."""

    prompts: list[str]
    rows: list[tuple[str, list[Report | None]]]


def prompt_grid(reports: Sequence[Report]) -> PromptGrid | None:
    """Return the chat models' reports by model and prompt; None where there are no two of them.

    Of several reports of one model under one prompt, the last one stands in the grid.
    """
    prompted = [report for report in reports if report["prompt"]]
    cells = {(model_name(report), short(report["prompt"])): report for report in prompted}
    if len(cells) < 2:  # noqa: PLR2004 - one cell is no grid
        return None
    models, prompts = (list(dict.fromkeys(key[place] for key in cells)) for place in (0, 1))
    return PromptGrid(prompts, [(model, [cells.get((model, prompt)) for prompt in prompts]) for model in models])
