"""Reports as Markdown to paste into an issue or a page: the figures and the settings, without the conversations."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from mojo_toolbox.data import POINTS
from mojo_toolbox.evaluation.drawing.readable import (
    DASH,
    MINUS,
    TIMES,
    change,
    change_between,
    count,
    data_name,
    milliseconds,
    milliseconds_between,
    money,
    percent,
    printable,
    router_names,
    share_of,
    short,
    value_of,
    with_interval,
)
from mojo_toolbox.evaluation.pages.verdict import notes, verdict
from mojo_toolbox.evaluation.sections.confidence import (
    NOT_GIVEN,
    bin_rows,
    calibration_sentence,
    target_rows,
)
from mojo_toolbox.evaluation.sections.differences import ChangeTable, change_tables
from mojo_toolbox.evaluation.sections.fine_print import explanations, settings
from mojo_toolbox.evaluation.sections.prompt_grid import prompt_grid
from mojo_toolbox.evaluation.sections.tasks import largest_confusions

Report = Mapping[str, Any]
_CONFUSIONS = 5


def render_markdown(reports: Sequence[Report], *, comparisons: Sequence[Mapping[str, Any]] = ()) -> str:
    """Return one or several reports (the dictionaries of report.json) as GitHub-flavoured Markdown.

    Args:
        reports: of routers on the same data; of other data the text says that they do not compare.
        comparisons: paired differences (`Comparison.model_dump()`), shown as tables.
    """
    names = router_names(reports)
    parts = [_summary(reports, names, comparisons), _points(reports, names), _prompts(reports)]
    parts += [_changes(table) for table in change_tables(comparisons)]
    parts += [
        _detection(reports, names),
        _tasks(reports, names),
        _confusions(reports, names),
        _confidence(reports, names),
        _thresholds(reports, names),
        _failures(reports, names),
    ]
    parts += [_latency(reports, names), _tokens(reports, names), _bias(reports, names), _fine_print(reports, names)]
    return printable("\n\n".join(filter(None, parts)) + "\n")


def _summary(reports: Sequence[Report], names: list[str], comparisons: Sequence[Mapping[str, Any]]) -> str:
    data = " and ".join(dict.fromkeys(data_name(report) for report in reports)) or DASH
    asked = names[0] if len(names) == 1 else f"{len(names)} routers"
    lines = [f"# {_plain(asked)} on {_plain(data)}", "", _plain(verdict(reports, comparisons))]
    found = notes(reports)
    if found:
        lines.append("")
    for note in found:
        says = [text if len(names) == 1 else f"{name} {text}" for name, text in note.routers]
        others = [f"and {note.others} more"] if note.others else []
        lines.append(f"- **{note.subject}**: {_plain('; '.join(says + others))}")
    return "\n".join(lines)


def _points(reports: Sequence[Report], names: list[str]) -> str:
    heads = ["router", "all decisions", "balanced", *POINTS]
    rows = [[name, *_accuracies(report)] for report, name in zip(reports, names, strict=True)]
    if len(rows) == 1:
        # One router reads better from top to bottom.
        heads, rows = ["", "accuracy"], [list(pair) for pair in zip(heads[1:], rows[0][1:], strict=True)]
    return _section("How much was right", _table(heads, rows))


def _accuracies(report: Report) -> list[str]:
    overall, points = report["overall"], [report["points"][point] for point in POINTS]
    both = [_share(overall[figure], overall["n"]) for figure in ("accuracy", "balanced")]
    return both + [_share(point["accuracy"], point["n"]) for point in points]


def _prompts(reports: Sequence[Report]) -> str:
    grid = prompt_grid(reports)
    if grid is None:
        return ""
    rows = [[model, *map(_prompt_cell, cells)] for model, cells in grid.rows]
    return _section("Models and prompts", _table(["model", *grid.prompts], rows))


def _prompt_cell(report: Report | None) -> str:
    if report is None:
        return DASH
    overall = report["overall"]
    return f"{_share(overall['accuracy'], overall['n'])}, {count(overall['invalid'])} invalid"


def _changes(table: ChangeTable) -> str:
    rows = []
    for row in table.rows:
        cells = [DASH if one is None else " ".join(filter(None, _change_words(one))) for one in row.changes]
        rows.append([row.figure, DASH if row.n is None else count(row.n), row.before, *cells])
    text = (
        f"Decision by decision, in percentage points. Better and worse mean by more than {table.margin}; "
        "where the interval holds 0, that may be chance."
    )
    return _section(
        f"Differences from {_plain(table.before)}", text, _table(["figure", "n", table.before, *table.routers], rows)
    )


def _change_words(one: Any) -> tuple[str, ...]:
    return (
        one.difference,
        f"({one.reach})" if one.reach else "",
        f"{one.verdict}{', perhaps by chance' if one.chance else ''}",
    )


def _detection(reports: Sequence[Report], names: list[str]) -> str:
    heads = [
        "router",
        "point",
        "n",
        "true +",
        "false +",
        f"false {MINUS}",
        f"true {MINUS}",
        "precision",
        "recall",
        "F1",
        "accuracy",
    ]
    rows = []
    for report, name in zip(reports, names, strict=True):
        found = {point: report["points"][point]["detection"] for point in POINTS}
        for point, one in (found | {"no task": report["none_detection"]}).items():
            (tn, fp), (fn, tp) = one["matrix"]
            shares = [with_interval(one[figure]) for figure in ("precision", "recall", "f1", "accuracy")]
            cells = [_of(tp, tp + fn), _of(fp, fp + tn), _of(fn, tp + fn), _of(tn, fp + tn)]
            rows.append([name, point, count(tp + fn), *cells, *shares])
    return _section("Was the moment seen?", _by_router(heads, rows, names, numbers_from=2))


def _tasks(reports: Sequence[Report], names: list[str]) -> str:
    scores = ("precision", "recall", "f1")
    averages = [f"{kind} {score}" for kind in ("macro", "weighted") for score in ("precision", "recall", "F1")]
    heads = ["router", "n", "labels", "accuracy", *averages]
    rows = []
    for report, name in zip(reports, names, strict=True):
        tasks = report["tasks"]
        shares = [with_interval(tasks[kind][score]) for kind in ("macro", "weighted") for score in scores]
        rows.append(
            [
                name,
                count(report["overall"]["n"]),
                count(len(tasks["labels"])),
                with_interval(tasks["accuracy"]),
                *shares,
            ]
        )
    return _section("Which task?", _by_router(heads, rows, names))


def _confusions(reports: Sequence[Report], names: list[str]) -> str:
    rows = []
    for report, name in zip(reports, names, strict=True):
        for one in largest_confusions(report["tasks"], _CONFUSIONS):
            said = "no listed task" if one.said is None else one.said
            rows.append(
                [
                    name,
                    short(one.gold),
                    short(said),
                    count(one.count),
                    count(one.n),
                    percent(share_of(one.count, one.n)),
                ]
            )
    heads = ["router", "right", "answered", "times", "of n", "share"]
    return _section("The largest confusions", _by_router(heads, rows, names, numbers_from=3))


def _confidence(reports: Sequence[Report], names: list[str]) -> str:
    rows = []
    for report, name in zip(reports, names, strict=True):
        found = report["confidence"]
        if found:
            shares = [found["mean"], found["accuracy"], found["ece"], found["ece_by_chance"], found["ece_equal_mass"]]
            scaling = found["scaling"]
            scaled = f"{percent(scaling['ece_after'])} (T {scaling['temperature']:.2f})" if scaling else DASH
            rows.append([name, count(found["n"]), *map(percent, shares), f"{found['brier']:.3f}", scaled])
    if not rows:
        return _section("Confidence", NOT_GIVEN)
    errors = ["calibration error", "by chance below", "in bins of equal size", "Brier", "with a temperature"]
    heads = ["router", "n", "mean probability", "right", *errors]
    table = _by_router(heads, rows, names)
    if len(reports) > 1:
        return _section("Confidence", table)
    found = reports[0]["confidence"]
    bins = _table(["probability", "n", "mean probability", "right"], bin_rows(found))
    return _section("Confidence", _plain(calibration_sentence(found)), table, bins)


def _thresholds(reports: Sequence[Report], names: list[str]) -> str:
    rows = []
    for report, name in zip(reports, names, strict=True):
        found = target_rows(report["confidence"]) if report["confidence"] else []
        rows += [[name, row.target, row.threshold, row.precision, row.coverage, row.remark] for row in found]
    heads = ["router", "wanted", "threshold", "right of the accepted", "accepted", "reached"]
    return _section("Thresholds by precision", _by_router(heads, rows, names)) if rows else ""


def _failures(reports: Sequence[Report], names: list[str]) -> str:
    rows = []
    for report, name in zip(reports, names, strict=True):
        overall, kinds = report["overall"], report["error_kinds"]
        what = "; ".join(f"{count(times)}{TIMES} {short(kind, 200)}" for kind, times in kinds.items()) or DASH
        rows.append(
            [name, count(overall["n"]), *(_count(overall[part], overall["n"]) for part in ("invalid", "errors")), what]
        )
    heads = ["router", "n", "invalid", "errors", "what the errors were"]
    return _section("Invalid answers and errors", _by_router(heads, rows, names, numbers_from=9))


def _latency(reports: Sequence[Report], names: list[str]) -> str:
    rows = []
    for report, name in zip(reports, names, strict=True):
        latency = report["latency_ms"]
        times = [_time(latency[figure]) for figure in ("p50", "p95", "p99")]
        over = with_interval(latency["share_over_limit"])
        rows.append([name, count(sum(latency["histogram"]["counts"])), *times, milliseconds(latency["limit"]), over])
    heads = ["router", "n", "p50", "p95", "p99", "limit", "over the limit"]
    return _section("Latency", _by_router(heads, rows, names))


def _tokens(reports: Sequence[Report], names: list[str]) -> str:
    rows = []
    for report, name in zip(reports, names, strict=True):
        tokens, cost = report["tokens"], report["cost"]
        if tokens:
            costs = [money(cost[part], cost["currency"]) if cost else DASH for part in ("total", "per_1000_decisions")]
            read = [count(tokens[part]) for part in ("prompt", "cached", "completion")]
            rows.append([name, count(report["overall"]["n"]), *read, *costs])
    heads = ["router", "n", "tokens read", "of them cached", "tokens written", "cost", "cost of 1,000 decisions"]
    return _section("Tokens and cost", _by_router(heads, rows, names)) if rows else ""


def _bias(reports: Sequence[Report], names: list[str]) -> str:
    rows = []
    for report, name in zip(reports, names, strict=True):
        bias = report["position_bias"]
        if bias:
            gap = bias["largest_gap"]
            largest = (
                [DASH, DASH]
                if gap is None
                else [str(gap["position"]), f"{change(gap['value'])} ({change_between(gap)})"]
            )
            flagged = "flagged" if bias["flagged"] else DASH if gap is None else "not flagged"
            rows.append([name, count(bias["n"]), flagged, *largest, with_interval(bias["changed_by_order"])])
    heads = ["router", "n", "position bias", "position", "largest gap, in points", "order alone changes the answer"]
    return _section("Position bias", _by_router(heads, rows, names)) if rows else ""


def _fine_print(reports: Sequence[Report], names: list[str]) -> str:
    found = settings(reports)
    common = [[one.name, one.values[0]] for one in found if one.common]
    others = [one for one in found if not one.common]
    rows = [[name, *(one.values[place] for one in others)] for place, name in enumerate(names)]
    differing = _table(["router", *(one.name for one in others)], rows, numbers_from=9) if others else ""
    words = [f"- **{heading}**: {_plain(text)}" for heading, text in explanations(reports)]
    return _section("Fine print", _table(["setting", "value"], common, numbers_from=9), differing, "\n".join(words))


def _share(figure: Mapping[str, Any] | None, n: int) -> str:
    return f"{with_interval(figure)}, n {count(n)}"


def _of(number: int, n: int) -> str:
    return count(number) if n else DASH


def _count(number: int, n: int) -> str:
    return f"{count(number)} ({percent(share_of(number, n))})" if n else DASH


def _time(figure: Mapping[str, Any] | None) -> str:
    reach = milliseconds_between(figure)
    return f"{milliseconds(value_of(figure))} ({reach})" if reach else milliseconds(value_of(figure))


def _section(heading: str, *blocks: str) -> str:
    return "\n\n".join([f"## {heading}", *filter(None, blocks)])


def _by_router(heads: Sequence[str], rows: Sequence[Sequence[str]], names: Sequence[str], numbers_from: int = 1) -> str:
    """Return a table whose first column names the router, without it where there is one only."""
    if len(names) > 1:
        return _table(heads, rows, numbers_from)
    return _table(heads[1:], [row[1:] for row in rows], numbers_from - 1)


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], numbers_from: int = 1) -> str:
    """Return a table whose columns from `numbers_from` on are aligned as numbers; a table of nothing is a dash."""
    if not rows:
        return DASH
    aligns = ["---" if column < numbers_from else "---:" for column in range(len(heads))]
    return "\n".join(
        _lines([[_cell(head) for head in heads], aligns, *([_cell(cell) for cell in row] for row in rows)])
    )


def _lines(rows: Iterable[Sequence[str]]) -> Iterator[str]:
    for row in rows:
        yield f"| {' | '.join(row)} |"


def _cell(text: str) -> str:
    return _plain(short(text, 300)).replace("|", r"\|")


def _plain(text: str) -> str:
    """Return a text that Markdown shows as it is: names and error messages are other people's."""
    text = re.sub(r"([\\`*\[\]<>~#&])", r"\\\1", text)
    # An underscore within a word means nothing in GitHub's Markdown, and escaped names are hard to read.
    return re.sub(r"(?<![^\W_])_|_(?![^\W_])", r"\\_", text)
