"""Sections of a report: one more is one object, and page, Markdown, terminal and report.json have it."""

import re

import pytest
from conversations import many, oracle
from test_page import Document

from mojo_toolbox.cli.tables.report_tables import print_reports
from mojo_toolbox.evaluation import evaluate, read_report
from mojo_toolbox.evaluation.drawing.markdown_tables import by_router, titled
from mojo_toolbox.evaluation.drawing.terminal_tables import Column, Layout, Table
from mojo_toolbox.evaluation.pages.markdown import render_markdown
from mojo_toolbox.evaluation.pages.page import render_page
from mojo_toolbox.evaluation.sections import table
from mojo_toolbox.evaluation.sections.section import Remark, Section

WORDS = Section(
    name="words",
    measure=lambda run: {"longest": max(len(row["task"] or "") for row in run.journal.predictions())},
    anchor="words",
    link="Words & letters",
    page=(
        '<section aria-labelledby="words"><h2 id="words">Longest answers</h2>\n'
        "{% for router in routers %}<p>{{ router.name|name }}: {{ router.report.words.longest|count }} {{ unit }}</p>{% endfor %}\n"
        "{{ parts }}</section>"
    ),
    values=lambda shown: {"unit": "<letters>"},
    markdown=lambda shown: titled(
        "Longest answers",
        by_router(
            ["router", "letters"],
            [[name, str(report["words"]["longest"])] for name, report in shown.named],
            alone=shown.alone,
        ),
    ),
    tables=lambda shown: [Table([Layout(["router", "letters in all"], [[name, "7"] for name in shown.names])])],
    lines=lambda report: [("Longest answer", f"{report['words']['longest']} letters")],
    columns=lambda shown: [Column("longest", [str(report["words"]["longest"]) for report in shown.reports])],
    remarks=lambda report: [Remark("Long names", "no screen is so wide", 1.0, rank=0)],
    explains=lambda shown: [("Longest answer", "Counted in letters.")],
)
WITHIN = Section(name="within_words", within="words", page="<p>a part of it</p>")


@pytest.fixture
def report(monkeypatch):
    monkeypatch.setattr(table, "SECTIONS", (*table.SECTIONS, WORDS, WITHIN))
    return evaluate(oracle(many(12)), many(12), progress=False, resamples=20, name="knows")


def test_a_section_counts_its_figures_into_the_report(report, tmp_path):
    longest = report.as_dict()["words"]["longest"]
    assert longest > 3
    report.save(tmp_path)
    assert read_report(tmp_path).as_dict() == report.as_dict()
    assert f"{longest} &lt;letters&gt;" in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "## Longest answers" in (tmp_path / "report.md").read_text(encoding="utf-8")


def test_the_page_has_a_section_that_was_added(report):
    document = report.as_dict()
    page = render_page([document])
    text = Document(page).text
    assert f"Longest answers knows: {document['words']['longest']} <letters> a part of it" in text
    assert "Words & letters" in text
    assert "Long names : no screen is so wide" in text
    assert "Longest answer Counted in letters." in text
    assert Document(page).unbalanced == []


def test_markdown_has_a_section_that_was_added(report):
    document = report.as_dict()
    alone, both = render_markdown([document]), render_markdown([document, document | {"router": "other"}])
    assert f"## Longest answers\n\n| letters |\n| ---: |\n| {document['words']['longest']} |" in alone
    assert re.search(r"\| other \| \d+ \|", both.split("## Longest answers")[1])
    assert "- **Longest answer**: Counted in letters." in alone


def test_the_terminal_has_a_section_that_was_added(report, capsys):
    document = report.as_dict()
    print_reports([document])
    alone = capsys.readouterr().out
    assert f"Longest answer: {document['words']['longest']} letters" in alone
    assert re.search(r"^knows +7$", alone, re.MULTILINE)
    print_reports([document, document | {"router": "other"}])
    both = capsys.readouterr().out
    assert re.search(r"^ROUTER .*LONGEST$", both, re.MULTILINE)
    assert "Long names: knows no screen is so wide; other no screen is so wide" in both


def test_no_two_sections_have_one_name():
    names = [section.name for section in table.SECTIONS]
    assert len(set(names)) == len(names)
    assert {section.within for section in table.SECTIONS} - {""} <= set(names)
    assert all(section.page and section.link for section in table.SECTIONS if section.anchor)
