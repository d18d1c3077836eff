"""Chat models across prompts: which report belongs where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mojo_toolbox.evaluation.drawing.markdown_tables import share, table, titled
from mojo_toolbox.evaluation.drawing.readable import DASH, count, model_name, short
from mojo_toolbox.evaluation.sections.section import Document, Section, Shown

_PAGE = """{% import "macros.html" as draw %}
{% if grid %}
<h3 id="prompts">Models and prompts</h3>
{% call draw.scroll('Models by prompts') %}
<table class="figures">
<caption>Share of right decisions of each chat model under each prompt.</caption>
<thead><tr><th scope="col">Model</th>{% for prompt in grid.prompts %}<th scope="col">{{ prompt|name }}</th>{% endfor %}</tr></thead>
<tbody>
{% for model, cells in grid.rows %}
<tr><th scope="row">{{ model|name }}</th>
{% for report in cells %}
<td>{% if report is none %}<span class="nothing">–</span><small>not measured</small>{% else %}{{ draw.share(report.overall.accuracy, report.overall.n) }}
<small>balanced {{ report.overall.balanced|percent_of }}</small>
<small>{{ report.overall.invalid|count }} invalid, {{ report.overall.errors|counted('error') }}</small>{% endif %}</td>
{% endfor %}</tr>
{% endfor %}
</tbody>
</table>
{% endcall %}
{% endif %}"""


@dataclass(frozen=True)
class PromptGrid:
    """A row for each model, a report or nothing under each prompt."""

    prompts: list[str]
    rows: list[tuple[str, list[Document | None]]]


def prompt_grid(reports: Sequence[Document]) -> PromptGrid | None:
    """Return the chat models' reports by model and prompt, or None if there are no two of them.

    Of several reports of one model under one prompt, the last one stands in the grid.
    """
    prompted = [report for report in reports if report["prompt"]]
    cells = {(model_name(report), short(report["prompt"])): report for report in prompted}
    if len(cells) < 2:  # noqa: PLR2004 - one cell is no grid
        return None
    models, prompts = (list(dict.fromkeys(key[place] for key in cells)) for place in (0, 1))
    return PromptGrid(prompts, [(model, [cells.get((model, prompt)) for prompt in prompts]) for model in models])


def _values(shown: Shown) -> dict[str, Any]:
    return {"grid": prompt_grid(shown.reports)}


def _markdown(shown: Shown) -> str:
    grid = prompt_grid(shown.reports)
    if grid is None:
        return ""
    rows = [[model, *map(_cell, cells)] for model, cells in grid.rows]
    return titled("Models and prompts", table(["model", *grid.prompts], rows))


def _cell(report: Document | None) -> str:
    if report is None:
        return DASH
    overall = report["overall"]
    return f"{share(overall['accuracy'], overall['n'])}, {count(overall['invalid'])} invalid"


PROMPT_GRID = Section(name="prompt_grid", within="points", page=_PAGE, values=_values, markdown=_markdown)
