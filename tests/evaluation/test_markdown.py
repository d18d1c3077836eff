"""Reports as Markdown: tables that hold, figures beside their numbers, no conversations."""

import re

import pytest
from report_documents import biased, comparison, hostile, nothing, of_many_tasks, one, several, sure

from mojo_toolbox.evaluation.pages.markdown import render_markdown


def tables(text):
    """Return all tables as lists of rows; a row is the list of its cells."""
    found = [[]]
    for line in text.splitlines():
        if line.startswith("| "):
            found[-1].append([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
        elif found[-1]:
            found.append([])
    return [table for table in found if table]


@pytest.mark.parametrize(
    "reports",
    [[one()], several(), [nothing()], [hostile(), one()], [of_many_tasks(190)], [sure()], [sure(), one()], []],
)
def test_every_row_of_a_table_has_its_columns(reports):
    text = render_markdown(reports)
    text.encode()
    found = tables(text)
    assert found or not reports
    for table in found:
        assert {len(row) for row in table} == {len(table[0])}
        assert all(re.fullmatch("---:?", cell) for cell in table[1])


def test_figures_stand_beside_their_numbers_of_decisions():
    report = one()
    overall, start = report["overall"], report["points"]["start"]
    text = render_markdown([report])
    accuracy = f"{100 * overall['accuracy']['value']:.1f}%"
    assert re.search(rf"\| all decisions \| {accuracy} \([\d.]+\N{{EN DASH}}[\d.]+\), n {overall['n']} \|", text)
    assert f"| start | {start['n']} | {start['detection']['matrix'][1][1]} |" in text
    assert report["data"]["sha256"] in text
    assert "ConnectionError: \\<b\\>reset\\</b\\>" in text


def test_conversations_are_left_out():
    report = one()
    for mistake in report["mistakes"]:
        for message in mistake["messages"]:
            message["content"] = "what somebody said"
    assert "what somebody said" not in render_markdown([report])


def test_several_routers_stand_side_by_side():
    reports = several()
    text = render_markdown(reports, comparisons=[comparison("stay", "small/react")])
    names = [row[0] for row in tables(text)[0][2:]]
    assert names == ["stay", "small/zero-shot", "small/react", "large/react"]
    assert re.search(r"\| large \| \N{EN DASH} \| [\d.]+%.* 0 invalid \|", text)
    assert "| all decisions | 60 | 50.0% | +20.0 (+10.0 to +30.0) better |" in text


def test_nothing_measured_is_a_dash():
    text = render_markdown([nothing()])
    assert "Nothing was measured" in text
    assert "| start | \N{EN DASH}, n 0 |" in text
    assert "0%" not in text.split("## Fine print")[0]


def test_hostile_names_neither_make_elements_nor_links():
    text = render_markdown([hostile()])
    assert not re.search(r"(?<!\\)<", text)
    assert not re.search(r"(?<!\\)\[", text)
    assert not re.search("[\x00-\x09\x0b-\x1f\ud800-\udfff]", text)


def test_task_names_stay_readable():
    assert "task_000" in render_markdown([of_many_tasks(5)])


def test_confidence_has_its_bins_and_thresholds():
    text = render_markdown([sure()])
    assert re.search(r"\| 93\N{EN DASH}100% \| \d+ \| 9\d\.\d% \| \d+\.\d% \|", text)
    assert "| 95.0% | \N{EN DASH} | \N{EN DASH} | \N{EN DASH} | out of reach |" in text
    assert "gives its answers no probabilities" in render_markdown([one()])


def test_position_bias_is_there_when_it_was_measured():
    assert "| flagged | 1 |" in render_markdown([biased(flagged=True)])
    assert "Position bias" not in render_markdown([one()]).split("## Fine print")[0]
