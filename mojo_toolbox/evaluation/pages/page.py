"""Reports as one HTML page that holds all it needs: no scripts, nothing fetched, every text escaped."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mojo_toolbox.errors.extras import needed_for
from mojo_toolbox.evaluation.drawing import readable
from mojo_toolbox.evaluation.drawing.pictures import shade
from mojo_toolbox.evaluation.pages.verdict import notes, verdict
from mojo_toolbox.evaluation.sections import table
from mojo_toolbox.evaluation.sections.section import Section, Shown

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

_TEMPLATES = Path(__file__).parent / "templates"


def render_page(
    reports: Sequence[Mapping[str, Any]], *, title: str | None = None, comparisons: Sequence[Mapping[str, Any]] = ()
) -> str:
    """Return one or several reports (the dictionaries of report.json) as an HTML page.

    Args:
        reports: of routers on the same data. Of other data the page says that they do not compare.
        title: left out, it says which routers and which data.
        comparisons: paired differences (`Comparison.model_dump()`), shown as tables.

    Raises:
        ConfigurationError: the `evaluation` extra is missing.
    """
    style = (_TEMPLATES / "page.css").read_text(encoding="utf-8")
    shown = Shown(reports, comparisons, table.SECTIONS)
    environment = _environment(table.SECTIONS)
    page = environment.get_template("page.html").render(
        title=title or _title(reports),
        style=style,
        style_hash=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
        verdict=verdict(reports, comparisons),
        notes=notes(shown.reports),
        comparable=shown.comparable,
        routers=shown.routers(),
        sections=[
            {"anchor": section.anchor, "link": section.link, "part": _part(section, shown, environment)}
            for section in shown.sections
            if section.anchor
        ],
    )
    return readable.printable(page)


def _title(reports: Sequence[Mapping[str, Any]]) -> str:
    data = list(dict.fromkeys(readable.data_name(report) for report in reports))
    asked = readable.router_names(reports)[0] if len(reports) == 1 else f"{len(reports)} routers"
    return f"{asked} on {data[0]}" if len(data) == 1 else asked


def _part(section: Section, shown: Shown, environment: Environment) -> Markup:
    """Return a section's part of the page, with the sections that stand within it."""
    from markupsafe import Markup

    within = [_part(one, shown, environment) for one in shown.sections if one.within == section.name]
    values = {"routers": shown.routers(), "parts": Markup().join(within)} | dict(section.values(shown))
    return Markup(environment.get_template(section.name).render(values))  # noqa: S704 - the template has escaped it


def _breakable(text: str) -> Markup:
    """Return a name that may be broken behind its slashes and underscores, rather than within a word."""
    from markupsafe import Markup, escape

    return Markup(re.sub("([_/]+)", r"\1<wbr>", str(escape(readable.short(text)))))  # noqa: S704 - escaped


@cache
def _environment(sections: Sequence[Section]) -> Environment:
    with needed_for("A report's page", extra="evaluation"):
        from jinja2 import ChoiceLoader, DictLoader, Environment, FileSystemLoader, StrictUndefined
    environment = Environment(
        loader=ChoiceLoader(
            [DictLoader({section.name: section.page for section in sections}), FileSystemLoader(_TEMPLATES)]
        ),
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
    environment.globals |= {"shade": shade, "share_of": readable.share_of}
    return environment
