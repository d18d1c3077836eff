"""How long answers took: the distribution on an axis that all routers share, and percentiles."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mojo_toolbox.evaluation.drawing.markdown_tables import by_router, titled
from mojo_toolbox.evaluation.drawing.pictures import AxisMark, Bar
from mojo_toolbox.evaluation.drawing.readable import (
    count,
    milliseconds,
    milliseconds_between,
    percent,
    percent_of,
    value_of,
    with_interval,
)
from mojo_toolbox.evaluation.drawing.terminal_tables import NEVER_SPARED, SPARED_NEXT, Column
from mojo_toolbox.evaluation.sections.section import Document, Remark, Section, Shown

_HEIGHT = 64
_MOST_TICKS = 6
_PERCENTILES = ("p50", "p95", "p99")
# A router that is slower than its limit in more of its answers is called slow.
_SLOW_SHARE = 0.05

_PAGE = """{% import "macros.html" as draw %}

{% macro picture_of(picture, name) -%}
{% set base = latency_height + 60 %}
<svg class="picture" height="{{ base + 22 }}" role="img" aria-label="Latency of {{ name }}, {{ picture.n|counted('answer') }} on a logarithmic axis
{%- for mark in picture.percentiles %}, {{ mark.text }}{% endfor %}, {{ picture.limit.text }}">
{% for bar in picture.bars %}
<rect class="{{ 'late' if bar.emphasised else 'bar' }}" x="{{ bar.x }}%" y="{{ base - bar.height }}" width="{{ bar.width }}%" height="{{ bar.height }}"><title>{{ bar.says }}</title></rect>
{% endfor %}
<line class="axis" x1="0" x2="100%" y1="{{ base }}" y2="{{ base }}"/>
{% for tick in picture.ticks %}
<line class="axis" x1="{{ tick.at }}%" x2="{{ tick.at }}%" y1="{{ base }}" y2="{{ base + 4 }}"/><text class="tick {{ tick.anchor }}" x="{{ tick.at }}%" y="{{ base + 17 }}">{{ tick.text }}</text>
{% endfor %}
<line class="limit" x1="{{ picture.limit.at }}%" x2="{{ picture.limit.at }}%" y1="3" y2="{{ base }}"/>
{% for mark in picture.percentiles %}
<line class="mark" x1="{{ mark.at }}%" x2="{{ mark.at }}%" y1="{{ 4 + 14 * loop.index }}" y2="{{ base }}"/>
{% endfor %}
{{ label(picture.limit, 12, "limit") }}
{% for mark in picture.percentiles %}
{{ label(mark, 12 + 14 * loop.index, "mark") }}
{% endfor %}
</svg>
{%- endmacro %}

{# Text beside its line: a few pixels away on the side that has room. #}
{% macro label(mark, y, class) -%}
<text class="{{ class }} {{ mark.anchor }}" x="{{ mark.at }}%" dx="{{ 4 if mark.anchor == 'start' else -4 }}" y="{{ y }}">{{ mark.text }}</text>
{%- endmacro %}

<section aria-labelledby="latency">
<h2 id="latency">How long it took</h2>
{% for router in routers %}
<figure>
<figcaption>{% if routers|length > 1 %}<b>{{ router.name }}</b>{% else %}Distribution of the answers' latency{% endif %}</figcaption>
{% if router.latency %}
{{ picture_of(router.latency, router.name) }}
{% else %}
<p class="nothing">– no answers</p>
{% endif %}
</figure>
{% endfor %}
{% if routers|selectattr('latency')|list %}
<p class="hint">The axis is logarithmic{% if routers|length > 1 %} and the same for all{% endif %}; answers beyond the limit are <span class="key late">orange</span>.</p>
{% endif %}
{% if routers %}
{% set limits = routers|map(attribute='report.latency_ms.limit')|unique|list %}
{% call draw.scroll('Latency') %}
<table class="figures">
<caption class="unseen">Latency</caption>
<thead><tr><th scope="col">Router</th><th scope="col">p50</th><th scope="col">p95</th><th scope="col">p99</th><th scope="col">Over the limit{% if limits|length == 1 %}<small>{{ limits[0]|milliseconds }}</small>{% endif %}</th></tr></thead>
<tbody>
{% for router in routers %}
{% set latency = router.report.latency_ms %}
{% set n = latency.histogram.counts|sum %}
<tr><th scope="row">{{ router.name|name }}</th>
{% for name in ['p50', 'p95', 'p99'] %}<td>{{ draw.time(latency[name], n) }}</td>{% endfor %}
<td>{{ draw.share(latency.share_over_limit, n, 'of ' ~ latency.limit|milliseconds if limits|length > 1) }}</td></tr>
{% endfor %}
</tbody>
</table>
{% endcall %}
{% endif %}
{{ parts }}
</section>"""


def _values(shown: Shown) -> dict[str, Any]:
    return {"routers": shown.routers(latency=latency_pictures(shown.reports)), "latency_height": _HEIGHT}


# ---------------------------------------------------------------------------------------------------- the picture


@dataclass(frozen=True)
class LatencyPicture:
    """A distribution on an axis that all routers share."""

    n: int
    bars: list[Bar]
    limit: AxisMark
    percentiles: list[AxisMark]
    ticks: list[AxisMark]


def latency_pictures(reports: Sequence[Mapping[str, Any]]) -> list[LatencyPicture | None]:
    """Return a picture for each report, all on one logarithmic axis. None for one without answers."""
    found = [report["latency_ms"] for report in reports if report["latency_ms"]["histogram"]["counts"]]
    if not found:
        return [None for _ in reports]
    ends = [end for latency in found for end in (latency["limit"], *latency["histogram"]["edges"])]
    axis = _LogAxis(min(ends) / 1.25, max(ends) * 1.25)
    return [_latency_picture(report["latency_ms"], axis) for report in reports]


class _LogAxis:
    """Milliseconds to percent of the width."""

    def __init__(self, low: float, high: float) -> None:
        self._low, self._high = math.log10(max(low, 1e-6)), math.log10(max(high, 1e-5))

    def at(self, time: float) -> float:
        share = (math.log10(max(time, 1e-6)) - self._low) / (self._high - self._low)
        return round(100 * min(max(share, 0.0), 1.0), 3)

    def mark(self, time: float, text: str) -> AxisMark:
        at = self.at(time)
        return AxisMark(at, text, "start" if at < 75 else "end")  # noqa: PLR2004 - beyond, a narrow screen has no room at the right

    def ticks(self) -> list[AxisMark]:
        """Return round times: 1, 2 and 5 of each power of ten where there are few powers, else some of the powers."""
        powers = range(math.floor(self._low), math.ceil(self._high) + 1)
        inside = [10.0**power for power in powers if self._low <= power <= self._high]
        if len(inside) <= 2:  # noqa: PLR2004
            steps = [10.0**power * digit for power in powers for digit in (1, 2, 5)]
            inside = [time for time in steps if self._low <= math.log10(time) <= self._high]
        every = max(1, math.ceil(len(inside) / _MOST_TICKS))
        return [AxisMark(at, milliseconds(time), _anchor(at)) for time in inside[::every] for at in [self.at(time)]]


def _latency_picture(latency: Mapping[str, Any], axis: _LogAxis) -> LatencyPicture | None:
    histogram = latency["histogram"]
    if not histogram["counts"]:
        return None
    known = ((name, latency[name]) for name in _PERCENTILES)
    return LatencyPicture(
        n=sum(histogram["counts"]),
        bars=list(_latency_bars(histogram, axis, latency["limit"])),
        limit=axis.mark(latency["limit"], f"limit {milliseconds(latency['limit'])}"),
        percentiles=[axis.mark(time["value"], f"{name} {milliseconds(time['value'])}") for name, time in known if time],
        ticks=axis.ticks(),
    )


def _latency_bars(histogram: Mapping[str, Any], axis: _LogAxis, limit: float) -> Iterator[Bar]:
    edges, counts = histogram["edges"], histogram["counts"]
    highest = max(counts)
    for low, high, times in zip(edges, edges[1:], counts, strict=False):
        if times:
            begin, end = axis.at(low), axis.at(high)
            # A bin with a single answer must not vanish beside one with thousands.
            height = max(2.0, _HEIGHT * times / highest)
            says = f"{milliseconds(low)} to {milliseconds(high)}: {times:,}"
            yield Bar(begin, round(max(end - begin, 0.3), 3), round(height, 1), low >= limit, says)


def _anchor(at: float) -> str:
    """Return where a label stands so that it does not leave the picture."""
    return "start" if at < 6 else "end" if at > 94 else "middle"  # noqa: PLR2004


# ------------------------------------------------------------------------------------------------------- in words


def _markdown(shown: Shown) -> str:
    rows = []
    for name, report in shown.named:
        latency = report["latency_ms"]
        times = [_time(latency[figure]) for figure in _PERCENTILES]
        over = with_interval(latency["share_over_limit"])
        rows.append([name, count(_answers(latency)), *times, milliseconds(latency["limit"]), over])
    heads = ["router", "n", *_PERCENTILES, "limit", "over the limit"]
    return titled("Latency", by_router(heads, rows, alone=shown.alone))


def _time(figure: Mapping[str, Any] | None) -> str:
    reach = milliseconds_between(figure)
    return f"{milliseconds(value_of(figure))} ({reach})" if reach else milliseconds(value_of(figure))


def _answers(latency: Mapping[str, Any]) -> int:
    return sum(latency["histogram"]["counts"])


def _lines(report: Document) -> Iterator[tuple[str, str]]:
    latency = report["latency_ms"]
    times = ", ".join(f"{name} {milliseconds(value_of(latency[name]))}" for name in _PERCENTILES)
    slow = f"{percent_of(latency['share_over_limit'])} over {milliseconds(latency['limit'])}"
    yield "Latency", f"{times}; {slow}; n {count(_answers(latency))}"


def _columns(shown: Shown) -> Iterator[Column]:
    found = [report["latency_ms"] for report in shown.reports]
    for name in _PERCENTILES:
        cells = [milliseconds(value_of(latency[name])) for latency in found]
        yield Column(name, cells, NEVER_SPARED if name == "p95" else SPARED_NEXT)
    yield Column("over limit", [percent_of(latency["share_over_limit"]) for latency in found])


def _remarks(report: Document) -> Iterator[Remark]:
    latency = report["latency_ms"]
    slow = value_of(latency["share_over_limit"])
    if slow is not None and slow > _SLOW_SHARE:
        yield Remark(f"Answers that took longer than {milliseconds(latency['limit'])}", percent(slow), slow, rank=30)


def _explains(_: Shown) -> Iterator[tuple[str, str]]:
    yield "Latency", "From asking to having the answer, as the caller waits for it. Errors have none."


LATENCY = Section(
    name="latency",
    anchor="latency",
    link="Latency",
    page=_PAGE,
    values=_values,
    markdown=_markdown,
    lines=_lines,
    columns=_columns,
    remarks=_remarks,
    explains=_explains,
)
