"""Answers that were no listed task, and calls that failed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mojo_toolbox.evaluation.drawing.markdown_tables import by_router, titled
from mojo_toolbox.evaluation.drawing.readable import DASH, TIMES, count, counted, percent, share_of, short
from mojo_toolbox.evaluation.drawing.terminal_tables import NEVER_SPARED, Column
from mojo_toolbox.evaluation.sections.section import Document, Remark, Section, Shown

_SUBJECTS = {"errors": "Calls that failed", "invalid": "Answers that are no listed task"}

_PAGE = """{% import "macros.html" as draw %}
<section aria-labelledby="failures">
<h2 id="failures">Invalid answers and errors</h2>
<p>An invalid answer is no listed task; an error is no answer at all. Both count as wrong.</p>
{% if routers %}
{% call draw.scroll('Failures of each router') %}
<table class="figures">
<caption class="unseen">Invalid answers and errors</caption>
<thead><tr><th scope="col">Router</th><th scope="col">Invalid answers</th><th scope="col">Errors</th><th scope="col">What the errors were</th></tr></thead>
<tbody>
{% for router in routers %}
{% set overall, kinds = router.report.overall, router.report.error_kinds %}
<tr><th scope="row">{{ router.name|name }}</th><td>{{ draw.part(overall.invalid, overall.n) }}</td><td>{{ draw.part(overall.errors, overall.n) }}</td>
<td>{% if not kinds %}–{% else %}<ul class="kinds">
{% for kind, times in (kinds.items()|list)[:5] %}
<li><b>{{ times|count }}×</b> {{ kind|short(200) }}</li>
{% endfor %}
{% set others = overall.errors - (kinds.values()|list)[:5]|sum %}
{% if others > 0 %}<li><b>{{ others|count }}×</b> of other kinds</li>{% endif %}
</ul>{% endif %}</td></tr>
{% endfor %}
</tbody>
</table>
{% endcall %}
{% endif %}
</section>"""


def _values(shown: Shown) -> dict[str, Any]:
    return {"routers": shown.routers()}


def _markdown(shown: Shown) -> str:
    rows = []
    for name, report in shown.named:
        overall = report["overall"]
        counts = [_with_share(overall[part], overall["n"]) for part in ("invalid", "errors")]
        rows.append([name, count(overall["n"]), *counts, _kinds(report) or DASH])
    heads = ["router", "n", "invalid", "errors", "what the errors were"]
    return titled("Invalid answers and errors", by_router(heads, rows, alone=shown.alone, numbers_from=9))


def _with_share(number: int, n: int) -> str:
    return f"{count(number)} ({percent(share_of(number, n))})" if n else DASH


def _kinds(report: Document) -> str:
    return "; ".join(f"{count(times)}{TIMES} {short(kind, 200)}" for kind, times in report["error_kinds"].items())


def _lines(report: Document) -> Iterator[tuple[str, str]]:
    overall, kinds = report["overall"], _kinds(report)
    failures = f"{counted(overall['invalid'], 'invalid answer')}, {counted(overall['errors'], 'error')}"
    yield "Not answered", f"{failures} of {count(overall['n'])}" + (f" ({kinds})" if kinds else "")


def _columns(shown: Shown) -> Iterator[Column]:
    for part in ("invalid", "errors"):
        cells = [count(report["overall"][part]) if report["overall"]["n"] else DASH for report in shown.reports]
        yield Column(part, cells, NEVER_SPARED)


def _remarks(report: Document) -> Iterator[Remark]:
    overall = report["overall"]
    for part, subject in _SUBJECTS.items():
        number, n = overall[part], overall["n"]
        if number:
            yield Remark(
                subject, f"{count(number)} of {count(n)} ({percent(share_of(number, n))})", number / n, rank=10
            )


# The terminal says how much was answered before it says how sure the answers were.
NOT_ANSWERED = Section(name="not_answered", lines=_lines)

FAILURES = Section(
    name="failures",
    anchor="failures",
    link="Failures",
    page=_PAGE,
    values=_values,
    markdown=_markdown,
    columns=_columns,
    remarks=_remarks,
)
