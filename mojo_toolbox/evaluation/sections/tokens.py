"""The tokens that were read and written, and their cost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mojo_toolbox.evaluation.drawing.markdown_tables import by_router, titled
from mojo_toolbox.evaluation.drawing.readable import DASH, count, money
from mojo_toolbox.evaluation.drawing.terminal_tables import SPARED_FIRST, Column
from mojo_toolbox.evaluation.sections.section import Document, Section, Shown

_PAGE = """{% import "macros.html" as draw %}
{% if spending %}
<h3>Tokens and cost</h3>
{% call draw.scroll('Tokens and cost') %}
<table>
<caption class="unseen">Tokens and cost</caption>
<thead><tr><th scope="col">Router</th><th scope="col" class="number">n</th><th scope="col" class="number">Tokens read</th><th scope="col" class="number">of them cached</th><th scope="col" class="number">Tokens written</th><th scope="col" class="number">Cost</th><th scope="col" class="number">Cost of 1,000 decisions</th></tr></thead>
<tbody>
{% for router in spending %}
{% set tokens, cost = router.report.tokens, router.report.cost %}
<tr><th scope="row">{{ router.name|name }}</th><td class="number">{{ router.report.overall.n|count }}</td><td class="number">{{ tokens.prompt|count }}</td><td class="number">{{ tokens.cached|count }}</td><td class="number">{{ tokens.completion|count }}</td>
<td class="number">{{ cost.total|money(cost.currency) if cost else '–' }}</td><td class="number">{{ cost.per_1000_decisions|money(cost.currency) if cost else '–' }}</td></tr>
{% endfor %}
</tbody>
</table>
{% endcall %}
{% endif %}"""


def _values(shown: Shown) -> dict[str, Any]:
    return {"spending": [router for router in shown.routers() if router["report"]["tokens"]]}


def _markdown(shown: Shown) -> str:
    rows = []
    for name, report in shown.named:
        tokens, cost = report["tokens"], report["cost"]
        if tokens:
            costs = [money(cost[part], cost["currency"]) if cost else DASH for part in ("total", "per_1000_decisions")]
            read = [count(tokens[part]) for part in ("prompt", "cached", "completion")]
            rows.append([name, count(report["overall"]["n"]), *read, *costs])
    heads = ["router", "n", "tokens read", "of them cached", "tokens written", "cost", "cost of 1,000 decisions"]
    return titled("Tokens and cost", by_router(heads, rows, alone=shown.alone)) if rows else ""


def _lines(report: Document) -> Iterator[tuple[str, str]]:
    tokens, cost = report["tokens"], report["cost"]
    if not tokens:
        return
    text = f"{count(tokens['prompt'])} read ({count(tokens['cached'])} cached), {count(tokens['completion'])} written"
    if cost:
        each = money(cost["per_1000_decisions"], cost["currency"])
        text += f"; {money(cost['total'], cost['currency'])}, {each} for 1,000 decisions"
    yield "Tokens", text


def _columns(shown: Shown) -> Iterator[Column]:
    costs = [report["cost"] for report in shown.reports]
    if any(costs):
        cells = [money(cost["per_1000_decisions"], cost["currency"]) if cost else DASH for cost in costs]
        yield Column("per 1,000", cells, SPARED_FIRST)


TOKENS = Section(
    name="tokens",
    within="latency",
    page=_PAGE,
    values=_values,
    markdown=_markdown,
    lines=_lines,
    columns=_columns,
)
