"""Two routers on the same conversations: paired differences, and the gate before production."""

import json

import pytest
from conversations import many, oracle

from mojo_toolbox.errors import ReportError
from mojo_toolbox.evaluation import baseline, compare, evaluate, evaluate_all, read_report
from mojo_toolbox.evaluation.comparison import against_runner_up
from mojo_toolbox.evaluation.pages.markdown import render_markdown
from mojo_toolbox.evaluation.pages.verdict import notes, verdict


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    knows = oracle(many(60))

    def nearly(messages, tasks, previous):
        # Wrong at the first turn of every tenth conversation.
        number, turn = messages[-1].content.split(".")
        return "forecast" if turn == "0" and number.endswith("0") else knows(messages, tasks, previous)

    for name, router in {"oracle": knows, "nearly": nearly, "none": lambda *_: None}.items():
        evaluate(router, many(60), output=folder / name, name=name, progress=False, resamples=100)
    return folder


def row(comparison, figure):
    return next(r for r in comparison.rows if r.figure == figure)


def test_a_router_is_neither_better_nor_worse_than_itself(runs):
    comparison = compare(runs / "nearly", runs / "nearly")
    assert not comparison.worse
    assert {r.verdict for r in comparison.rows} == {"same", None}
    assert row(comparison, "accuracy").difference.model_dump() == {"value": 0, "low": 0, "high": 0}


def test_a_worse_router_is_worse_by_more_than_the_margin_only(runs):
    lost = row(compare(runs / "oracle", runs / "nearly"), "accuracy").difference.value
    assert -0.05 < lost < -0.01
    assert compare(runs / "oracle", runs / "nearly", margin=0.01).worse
    assert not compare(runs / "oracle", runs / "nearly", margin=-lost, gated=("accuracy",)).worse
    assert not compare(runs / "nearly", runs / "oracle").worse
    assert row(compare(runs / "none", runs / "oracle"), "accuracy").verdict == "better"


def test_differences_are_paired(runs):
    """Both were asked the same, so that the interval leaves out 0 where separate ones overlap."""
    found = row(compare(runs / "oracle", runs / "nearly"), "accuracy")
    assert found.certain
    assert found.difference.low < found.difference.value < found.difference.high < 0


def test_figures_that_decide_are_chosen(runs):
    comparison = compare(runs / "oracle", runs / "none", gated=("none",))
    assert not comparison.worse
    assert row(comparison, "start").verdict == "worse"
    with pytest.raises(ReportError, match="no such figure: speed"):
        compare(runs / "oracle", runs / "none", gated=("speed",))
    with pytest.raises(ReportError, match="margin=1 must be from 0"):
        compare(runs / "oracle", runs / "none", margin=1)


def test_a_gate_that_decides_nothing_is_an_error(runs, tmp_path):
    with pytest.raises(ReportError, match="no figure is to decide"):
        compare(runs / "oracle", runs / "none", gated=())
    nothing = [{"tasks": [{"name": "a"}], "messages": [{"role": "user", "content": "x"}]}]
    evaluate(lambda *_: None, nothing, output=tmp_path / "nothing", progress=False, resamples=20)
    with pytest.raises(ReportError, match="has nothing at accuracy, balanced"):
        compare(tmp_path / "nothing", tmp_path / "nothing")


def test_predictions_of_another_report_are_noticed(runs, tmp_path):
    for name, predictions in {"a": "oracle", "b": "none"}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "report.json").write_bytes((runs / "oracle" / "report.json").read_bytes())
        (tmp_path / name / "predictions.jsonl").write_bytes((runs / predictions / "predictions.jsonl").read_bytes())
    with pytest.raises(ReportError, match="does not belong to the report beside it"):
        compare(tmp_path / "a", tmp_path / "b")
    (tmp_path / "b" / "predictions.jsonl").write_text('{"conversation": 1}\n')
    with pytest.raises(ReportError, match="a row is no prediction"):
        compare(tmp_path / "a", tmp_path / "b")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d["overall"]["accuracy"].update(value=float("nan")), "NaN is no figure"),
        (lambda d: d["points"].pop("switch"), "points must be start"),
        (lambda d: d["tasks"].update(matrix=[]), "a row and a column for each label"),
    ],
)
def test_a_mutilated_report_is_refused(runs, tmp_path, change, words):
    document = json.loads((runs / "oracle" / "report.json").read_text())
    change(document)
    (tmp_path / "report.json").write_text(json.dumps(document))
    with pytest.raises(ReportError, match=words):
        read_report(tmp_path)


def test_reports_without_predictions_compare_without_intervals(runs, tmp_path):
    for name in ("oracle", "nearly"):
        (tmp_path / f"{name}.json").write_bytes((runs / name / "report.json").read_bytes())
    found = row(compare(tmp_path / "oracle.json", tmp_path / "nearly.json"), "accuracy")
    assert found.difference.value < 0
    assert found.difference.low is None
    assert not found.certain


def test_reports_of_other_conversations_are_refused(runs, tmp_path):
    evaluate(lambda *_: None, many(5), output=tmp_path / "few", progress=False, resamples=20)
    with pytest.raises(ReportError, match="not measured on the same"):
        compare(runs / "oracle", tmp_path / "few")
    assert compare(runs / "oracle", tmp_path / "few", any_data=True).worse


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "not JSON"),
        ("[]", "not a report"),
        ('{"overall": {}}', "not a report"),
        ('{"report_version": 0}', "a report of version 0; this library reads version 1"),
        ('{"report_version": 1}', "not a report: mojo_toolbox"),
    ],
)
def test_what_is_no_report_is_refused(tmp_path, text, words):
    (tmp_path / "report.json").write_text(text)
    with pytest.raises(ReportError, match=words):
        read_report(tmp_path)


def test_a_report_that_is_not_there_is_said(tmp_path):
    with pytest.raises(ReportError, match="no such file"):
        read_report(tmp_path / "nowhere.json")


def test_a_report_read_again_is_the_same(runs):
    document = json.loads((runs / "nearly" / "report.json").read_text())
    assert read_report(runs / "nearly" / "report.json").as_dict() == document


def documents(runs, *names):
    return [read_report(runs / name).as_dict() for name in names]


@pytest.mark.parametrize(
    "order", [("none", "nearly", "oracle"), ("oracle", "nearly", "none"), ("nearly", "none", "oracle")]
)
def test_all_are_compared_with_the_runner_up_in_whatever_order_they_come(runs, order):
    found = against_runner_up([read_report(runs / name) for name in order], [runs / name for name in order])
    assert [(one.a, one.b) for one in found] == [("nearly", "oracle"), ("nearly", "none")]
    assert row(found[0], "accuracy").difference.low > 0
    text = verdict(documents(runs, *order), [one.model_dump() for one in found])
    ahead = row(found[0], "accuracy").difference
    assert "Next is nearly with " in text
    assert f"Decision by decision, oracle is {100 * ahead.value:.1f} percentage points ahead (+" in text
    assert "chance" not in text


def rarely_wrong(name, *turns):
    knows = oracle(many(60))

    def router(messages, tasks, previous):
        return "forecast" if messages[-1].content in turns else knows(messages, tasks, previous)

    router.__name__ = name
    return router


@pytest.fixture
def close(tmp_path):
    """Reports of two routers that are wrong twice and once, at other turns; the summary stands in `tmp_path`."""
    routers = [rarely_wrong("stumbles", "12.0", "13.0"), rarely_wrong("slips", "7.0")]
    reports = evaluate_all(routers, many(60), output=tmp_path, progress=False, resamples=100)
    return [report.as_dict() for report in reports]


def widened(comparison):
    """A comparison whose difference is beyond the margin, and whose interval holds 0."""
    difference = {"value": 0.02, "low": -0.01, "high": 0.05}
    rows = [one | {"difference": difference, "verdict": "better", "certain": False} for one in comparison["rows"]]
    return comparison | {"rows": rows}


def test_a_paired_interval_that_holds_0_may_be_chance(close, tmp_path):
    comparisons = json.loads((tmp_path / "summary.json").read_text())["comparisons"]
    assert [(one["a"], one["b"]) for one in comparisons] == [("stumbles", "slips")]
    text = verdict(close, comparisons)
    assert "Decision by decision, slips is 0.4 percentage points ahead (\N{MINUS SIGN}" in text
    assert ", which may be chance." in text
    for page in ("summary.html", "summary.md"):
        told = (tmp_path / page).read_text()
        assert "Differences from stumbles" in told
        assert "which may be chance" in told
    assert "better, perhaps by chance" in render_markdown(close, comparisons=[widened(comparisons[0])])


def test_a_comparison_the_other_way_round_says_the_same(runs):
    pair = documents(runs, "oracle", "nearly")
    both = [
        verdict(pair, [compare(runs / a, runs / b).model_dump()])
        for a, b in (("oracle", "nearly"), ("nearly", "oracle"))
    ]
    assert both[0] == both[1]


def test_without_pairs_it_is_open_whether_a_small_difference_is_chance(runs, close):
    text = verdict(close)
    assert "overlap" not in text
    assert "not compared decision by decision, so the difference may be chance" in text
    assert "chance" not in verdict(documents(runs, "oracle", "none"))


def test_nothing_is_compared_where_nothing_can_be(runs, tmp_path):
    evaluate(oracle(many(60)), many(5), output=tmp_path / "few", name="few", progress=False, resamples=20)
    for names in ([runs / "oracle"], [runs / "oracle", tmp_path / "few"]):
        assert against_runner_up([read_report(name) for name in names], names) == []


@pytest.mark.parametrize("flag", [True, None])
def test_baselines_are_left_out_of_what_is_not_to_be_missed(flag):
    stay = evaluate(baseline("stay"), many(12), progress=False, resamples=20).as_dict()
    own = evaluate(lambda messages, tasks, previous: previous, many(12), name="stay", progress=False, resamples=20)
    assert (stay["baseline"], own.baseline) == (True, False)
    assert notes([stay | {"baseline": flag}]) == []
    assert {name for note in notes([stay | {"baseline": flag}, own.as_dict()]) for name, _ in note.routers} != set()
    assert all(len(note.routers) == 1 for note in notes([stay | {"baseline": flag}, own.as_dict()]))
