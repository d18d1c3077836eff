"""Reports in the terminal, wide and narrow, and through a pipe."""

import re

import pytest
from report_documents import biased, comparison, hostile, nothing, one, several, sure
from rich.cells import cell_len

from mojo_toolbox.cli.tables.report_tables import print_reports


@pytest.fixture
def printed(capsys, monkeypatch):
    """Return what is printed on a terminal of some columns, or into a pipe; without colours."""

    def lines(reports, columns=None, comparisons=()):
        for name in ("FORCE_COLOR", "TTY_COMPATIBLE", "NO_COLOR", "COLUMNS"):
            monkeypatch.delenv(name, raising=False)
        if columns is not None:
            monkeypatch.setenv("FORCE_COLOR", "1")
            monkeypatch.setenv("TERM", "xterm")
            monkeypatch.setenv("COLUMNS", str(columns))
        print_reports(reports, comparisons=comparisons)
        return re.sub(r"\x1b\[[\d;]*m", "", capsys.readouterr().out).splitlines()

    return lines


def row(lines, name):
    return next(re.split(r"\s{2,}", line.strip()) for line in lines if re.match(rf"{re.escape(name)}\s{{2,}}", line))


@pytest.mark.parametrize("columns", [60, 80, 120])
@pytest.mark.parametrize(
    "reports", [[one()], several(), [nothing()], [hostile(), one()], [biased(flagged=True)], [sure(), one()], [sure()]]
)
def test_no_line_is_longer_than_the_terminal(printed, reports, columns):
    lines = printed(reports, columns)
    assert lines
    assert max(map(cell_len, lines)) <= columns


def test_one_router_has_a_row_for_each_point(printed):
    report = one()
    lines = printed([report], 80)
    start = report["points"]["start"]
    cells = row(lines, "start")
    assert cells[1:3] == [str(start["n"]), str(start["right"])]
    assert cells[3].startswith(f"{100 * start['accuracy']['value']:.1f}%")
    assert row(lines, "all")[1:3] == [str(report["overall"]["n"]), str(report["overall"]["right"])]
    assert any(f"{report['overall']['invalid']} invalid answers, 1 error of" in line for line in lines)


def test_several_routers_have_their_figures_beside_each_other(printed):
    reports = several()
    for columns in (80, 120, None):
        lines = printed(reports, columns)
        assert row(lines, "n") == [
            "n",
            *(str(reports[0]["overall"]["n"]),) * 2,
            *(str(p["n"]) for p in reports[0]["points"].values()),
        ]
        assert row(lines, "small/react")[1].startswith("100")


def test_intervals_are_left_out_where_there_is_no_room(printed):
    wide, narrow = (row(printed(several(), columns), "stay") for columns in (120, 80))
    assert all("(" in cell for cell in wide[1:])
    assert [("(" in cell) for cell in narrow[1:3]] == [True, False]


def test_a_pipe_folds_nothing(printed):
    report = one(name="a-router-with-a-name-that-is-longer-than-most-terminals-are-wide-and-then-some")
    lines = printed([report, one()])
    assert any(report["router"] in line and "n " not in line[:3] for line in lines)
    assert any(len(line) > 120 for line in lines)


def test_nothing_measured_is_a_dash(printed):
    assert row(printed([nothing()], 80), "start") == ["start", "0", *"\N{EN DASH}" * 5]


def test_names_and_errors_command_no_terminal(printed):
    lines = printed([hostile()])
    assert not any(re.search("[\x00-\x08\x0b-\x1f]", line) for line in lines)


@pytest.mark.parametrize("columns", [60, 80, None])
def test_paired_differences_stand_beside_each_other(printed, columns):
    pairs = [comparison("small/react", name) for name in ("stay", "large/react")]
    for pair in pairs:
        pair["rows"].append(pair["rows"][0] | {"figure": "balanced"})
    lines = printed(several(), columns, pairs)
    if columns:
        assert max(map(cell_len, lines)) <= columns
    start = next(place for place, line in enumerate(lines) if line.startswith("POINTS MORE THAN"))
    assert row(lines[start:], "stay")[:2] == ["stay", "+20.0 (+10.0 to +30.0)"]
    assert len(row(lines[start:], "large/react")) == 3
