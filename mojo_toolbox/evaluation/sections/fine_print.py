"""How it was measured, in words and settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mojo_toolbox.evaluation.drawing.markdown_tables import plain, table, titled
from mojo_toolbox.evaluation.drawing.readable import DASH, count, counted, milliseconds, moment, percent, seconds, short
from mojo_toolbox.evaluation.sections.section import Document, Section, Shown

_HASH = "sha256 of the content"

_PAGE = """{% import "macros.html" as draw %}
<section aria-labelledby="fine-print" class="fine">
<h2 id="fine-print">Fine print</h2>
<dl class="settings">
{% for setting in settings if setting.common %}
<div><dt>{{ setting.name }}</dt><dd>{% if setting.code %}<code>{{ setting.values[0] }}</code>{% else %}{{ setting.values[0] }}{% endif %}</dd></div>
{% endfor %}
</dl>
{% if settings|rejectattr('common')|list %}
{% call draw.scroll('What differs between the routers') %}
<table>
<caption>What differs</caption>
<thead><tr><th scope="col">Router</th>{% for setting in settings if not setting.common %}<th scope="col">{{ setting.name }}</th>{% endfor %}</tr></thead>
<tbody>
{% for router in routers %}
{% set place = loop.index0 %}
<tr><th scope="row">{{ router.name|name }}</th>{% for setting in settings if not setting.common %}<td>{{ setting.values[place] }}</td>{% endfor %}</tr>
{% endfor %}
</tbody>
</table>
{% endcall %}
{% endif %}
<dl class="words">
{% for heading, text in explanations %}
<div><dt>{{ heading }}</dt><dd>{{ text }}</dd></div>
{% endfor %}
</dl>
</section>"""


def _values(shown: Shown) -> dict[str, Any]:
    return {
        "routers": shown.routers(),
        "settings": settings(shown.reports),
        "explanations": explanations(shown),
    }


@dataclass(frozen=True)
class Setting:
    """A setting with its value in each report. `values` has one entry where all agree."""

    name: str
    values: list[str]
    code: bool

    @property
    def common(self) -> bool:
        """Whether all reports have the same value."""
        return len(self.values) == 1


def settings(reports: Sequence[Document]) -> list[Setting]:
    """Return the data and the settings of a measurement, as a reader sees them."""
    found = [_settings(report) for report in reports]
    names = found[0] if found else {}
    rows = [Setting(name, _once([one[name] for one in found]), name == _HASH) for name in names]
    return [row for row in rows if row.values != [DASH]]


def explanations(shown: Shown) -> list[tuple[str, str]]:
    """Return the explanations of the figures: headings with their texts."""
    found = [explanation for section in shown.sections for explanation in section.explains(shown)]
    return [*found, (DASH, "There was nothing to measure. It does not mean 0.")]


def _settings(report: Document) -> dict[str, str]:
    data, how = report["data"], report["settings"]
    previous = {"labelled": "as labelled", "own": "the router's own"}
    return {
        "Prompt": short(report["prompt"]) if report["prompt"] else DASH,
        "Conversations": short(data["source"], 200) if data["source"] else "in memory",
        _HASH: data["sha256"],
        "Number of conversations": count(data["conversations"]),
        "Number of decisions": count(data["decisions"]),
        "Earlier decisions": previous.get(report["previous"], report["previous"]),
        "Measured": moment(report["measured_at"]),
        "Time it took": seconds(report["seconds"]),
        "Asked at the same time": counted(how["concurrency"], "conversation"),
        "Longest wait for an answer": seconds(how["timeout_s"]),
        "Latency limit": milliseconds(report["latency_ms"]["limit"]),
        "Other orders of the list": count(how["shuffles"]),
        "Seed": str(how["seed"]),
        "Bootstrap resamples": count(how["resamples"]),
        "Intervals hold": percent(how["confidence"], digits=0),
        "mojo-toolbox": short(report["mojo_toolbox"]),
        "Version of the report": str(report["report_version"]),
    }


def _once(values: list[str]) -> list[str]:
    return values[:1] if len(set(values)) <= 1 else values


def _markdown(shown: Shown) -> str:
    found = settings(shown.reports)
    common = [[one.name, one.values[0]] for one in found if one.common]
    others = [one for one in found if not one.common]
    rows = [[name, *(one.values[place] for one in others)] for place, name in enumerate(shown.names)]
    differing = table(["router", *(one.name for one in others)], rows, numbers_from=9) if others else ""
    words = [f"- **{heading}**: {plain(text)}" for heading, text in explanations(shown)]
    return titled("Fine print", table(["setting", "value"], common, numbers_from=9), differing, "\n".join(words))


FINE_PRINT = Section(
    name="fine_print", anchor="fine-print", link="Fine print", page=_PAGE, values=_values, markdown=_markdown
)
