"""Probabilities from answers to the report, and thresholds from the report."""

import json
import random

import pytest
from conversations import NAMES, conversation, many

from mojo_toolbox.errors import ConfigurationError, ReportError
from mojo_toolbox.evaluation import Answer, compare, evaluate, read_report
from mojo_toolbox.evaluation.counting.confidence import _shortest, confidence
from mojo_toolbox.evaluation.sections.thresholds import threshold_sentence


class Unsure:
    """Right as often as it says, or surer than it should be; says how likely each choice is."""

    name = "unsure"

    def __init__(self, labels, *, sharpness=1.0):
        self.labels, self.sharpness, self.draw = labels, sharpness, random.Random(2)

    def ask(self, question):
        sure = self.draw.uniform(0.4, 1)
        choices = [*question.names, None]
        gold = self.labels[question.messages[0]["content"]][len(question.messages) - 1]
        others = [choice for choice in choices if choice != gold]
        said = gold if self.draw.random() < sure else self.draw.choice(others)
        shares = {choice: (1 - sure) / (len(choices) - 1) for choice in choices} | {said: sure}
        shares = {choice: share**self.sharpness for choice, share in shares.items()}
        return Answer(said, probabilities={choice: share / sum(shares.values()) for choice, share in shares.items()})


class Says:
    """Answers the same to everything."""

    name = "says"

    def __init__(self, answer):
        self.answer = answer

    def ask(self, question):
        return self.answer


def unsure(count, **options):
    conversations = many(count)
    labels = {c.messages[0].content: [m.task for m in c.messages] for c in conversations}
    return Unsure(labels, **options), conversations


def ask(router, conversations, **options):
    return evaluate(router, conversations, progress=False, **{"resamples": 50} | options)


@pytest.fixture(scope="module")
def honest(tmp_path_factory):
    folder = tmp_path_factory.mktemp("honest")
    return ask(*unsure(80), output=folder), folder


def rows(folder):
    return [json.loads(line) for line in (folder / "predictions.jsonl").read_text().splitlines()]


def test_a_row_keeps_the_probability_of_every_choice(honest):
    row = rows(honest[1])[0]
    assert set(row["probabilities"]) == {*NAMES, "none"}
    assert row["probability"] == pytest.approx(row["probabilities"][row["task"] or "none"], rel=1e-5)
    assert sum(row["probabilities"].values()) == pytest.approx(1, abs=1e-5)


def test_the_report_counts_what_the_rows_say(honest):
    report, folder = honest
    found, given = report.confidence, rows(folder)
    right = [row["task"] == row["gold"] for row in given]
    assert (found.n, found.asked) == (len(given), report.overall.n)
    assert found.mean == pytest.approx(sum(row["probability"] for row in given) / len(given))
    assert found.accuracy == pytest.approx(report.overall.accuracy.value)
    assert found.gap.value == pytest.approx(found.mean - found.accuracy)
    squares = [(row["probability"] - hit) ** 2 for row, hit in zip(given, right, strict=True)]
    assert found.brier == pytest.approx(sum(squares) / len(squares))
    assert sum(found.reliability.n) == found.n
    assert read_report(folder).confidence == found


def test_an_honest_router_is_calibrated_and_a_boastful_one_is_seen_through(honest):
    good = honest[0].confidence
    assert good.ece < good.ece_by_chance
    assert good.scaling.temperature == pytest.approx(1, abs=0.15)
    boastful = ask(*unsure(80, sharpness=3.0)).confidence
    assert boastful.ece > 2 * boastful.ece_by_chance
    assert boastful.gap.low > 0
    assert boastful.scaling.temperature == pytest.approx(3, rel=0.15)
    assert boastful.scaling.ece_before == pytest.approx(boastful.ece, abs=1e-3)
    assert boastful.scaling.ece_after < 0.5 * boastful.scaling.ece_before


@pytest.mark.parametrize("target", [0.75, 0.8, 0.9])
def test_a_threshold_is_the_loosest_that_reaches_the_precision(honest, target):
    report, folder = honest
    found = report.threshold(precision=target)
    given = rows(folder)

    def accepted(threshold):
        return [row["task"] == row["gold"] for row in given if row["probability"] >= threshold]

    hits = accepted(found.value)
    assert (found.found.accepted, found.found.right) == (len(hits), sum(hits))
    assert found.found.precision.value == sum(hits) / len(hits) >= target
    assert found.found.coverage == len(hits) / len(given)
    assert found.found.precision.low < found.found.precision.value < found.found.precision.high
    # No looser one does, but those that the report leaves out: each lets half a percent more through.
    looser = [t for t in report.confidence.curve.threshold if t < found.value]
    assert all(sum(accepted(t)) / len(accepted(t)) < target for t in looser)


def test_who_wants_to_be_sure_pays_with_coverage(honest):
    loose, sure = (honest[0].threshold(precision=0.8, sure=wanted) for wanted in (False, True))
    assert not loose.certain
    assert sure.certain
    assert sure.found.precision.low >= 0.8
    assert sure.found.coverage < loose.found.coverage


def test_what_is_out_of_reach_is_said_with_the_best_there_is(honest):
    found = honest[0].threshold(precision=0.9999, sure=True)
    assert found.found is found.value is None
    assert not found.certain
    assert found.best.accepted >= 20
    lows = honest[0].confidence.curve.low
    assert found.best.precision.low == max(lows)
    assert "is surely right in" in threshold_sentence(found, honest[0].overall.n)
    wrong = ask(Says(Answer("recap", probability=0.9)), [conversation(n, ["recap", "email"]) for n in range(20)])
    found = wrong.threshold(precision=0.6)
    assert found.found is None
    assert (found.best.precision.value, found.best.threshold) == (0.5, 0.0)
    assert threshold_sentence(found, 40).startswith(
        "Out of reach: no threshold that accepts 20 decisions or more is right in 60.0%. The most is 50.0% ("
    )


def test_a_threshold_is_not_set_on_a_handful_of_decisions():
    """All of fifteen decisions are right: no reason to promise anything."""
    found = ask(Unsure({f"{n}.0": ["recap"] * 9 for n in range(3)}), [conversation(n, ["recap"] * 5) for n in range(3)])
    assert found.threshold(precision=0.5).best is None


def test_where_all_are_right_the_interval_is_not_a_point():
    found = ask(Says(Answer("recap", probability=0.9)), [conversation(n, ["recap"] * 5) for n in range(6)])
    threshold = found.threshold(precision=0.95)
    assert (threshold.found.accepted, threshold.value, threshold.certain) == (30, 0.0, False)
    assert threshold.found.precision.low == pytest.approx(0.8865, abs=1e-3)  # Wilson's of 30 of 30
    assert found.confidence.scaling is None


def test_what_has_no_probability_is_never_accepted():
    class Sometimes:
        name = "sometimes"

        def ask(self, question):
            turn = question.messages[-1]["content"]
            if turn.endswith(".4"):
                raise ConnectionError("gone")
            if turn.endswith(".3"):
                return Answer(None, valid=False, text="hm", probability=0.99)
            return Answer("recap", probability=0.7) if turn.endswith(".2") else Answer("recap")

    found = ask(Sometimes(), [conversation(n) for n in range(30)])
    assert (found.confidence.n, found.confidence.asked) == (30, 150)
    assert found.threshold(precision=0.9).found.coverage == 30 / 150


def test_a_router_without_probabilities_has_no_figures_of_them():
    report = ask(lambda *_: None, many(3))
    assert report.confidence is None
    with pytest.raises(ReportError, match="gave no probabilities"):
        report.threshold(precision=0.9)


@pytest.mark.parametrize("precision", [0, -1, 1.01, 95, float("nan"), "0.9", True, None])
def test_a_precision_that_is_none_is_refused(honest, precision):
    with pytest.raises(ConfigurationError, match=r"must be a share above 0, at most 1: 0\.95 is 95%"):
        honest[0].threshold(precision=precision)


@pytest.mark.parametrize(
    ("probabilities", "words"),
    [
        ({"recap": 0.5, None: 0.1}, "sum to 0.6"),
        ({"recap": 1.0, "banana": 0.0}, "'banana', which is no listed task"),
        ({"recap": float("nan"), None: 1.0}, "is nan, not between 0 and 1"),
        ([0.5, 0.5], "is list, not a dictionary"),
    ],
)
def test_probabilities_that_are_none_are_errors(probabilities, words):
    report = ask(Says(Answer("recap", probabilities=probabilities)), [conversation(0)])
    assert report.overall.errors == 5
    assert words in next(iter(report.error_kinds))


def test_rows_and_reports_of_an_earlier_version_are_read(honest, tmp_path):
    report, folder = honest
    old = [{key: value for key, value in row.items() if key != "probabilities"} for row in rows(folder)]
    found = confidence(iter(old), resamples=50)
    assert found.curve == report.confidence.curve
    assert found.scaling is None
    document = json.loads((folder / "report.json").read_text())
    document.pop("confidence")
    (tmp_path / "report.json").write_text(json.dumps(document))
    assert read_report(tmp_path).confidence is None


def test_a_run_of_an_earlier_version_goes_on(tmp_path):
    router, conversations = unsure(10)
    ask(router, conversations, output=tmp_path)
    old = [{key: value for key, value in row.items() if key != "probabilities"} for row in rows(tmp_path)]
    (tmp_path / "predictions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in old))
    again = ask(router, conversations, output=tmp_path, reuse=True)
    assert again.confidence.n == len(old)


def test_a_mutilated_curve_is_refused(honest, tmp_path):
    document = json.loads((honest[1] / "report.json").read_text())
    document["confidence"]["curve"]["right"].pop()
    (tmp_path / "report.json").write_text(json.dumps(document))
    with pytest.raises(ReportError, match="curve"):
        read_report(tmp_path)


def test_a_comparison_shows_the_calibration_where_both_have_one(honest, tmp_path):
    _, folder = honest
    figures = {row.figure: row for row in compare(folder, folder).rows}
    assert figures["ece"].difference.value == 0
    assert figures["ece"].verdict is None
    ask(lambda *_: None, many(80), output=tmp_path / "none")
    assert "ece" not in {row.figure for row in compare(folder, tmp_path / "none").rows}


@pytest.mark.parametrize(
    ("below", "most", "short"),
    [(0.8275, 0.8312, 0.83), (-1.0, 0.4, 0.0), (0.9, 1.0, 1.0), (0.29, 0.3, 0.3), (0.12345, 0.12346, 0.12346)],
)
def test_a_threshold_is_as_short_as_it_can_be(below, most, short):
    assert _shortest(below, most) == short
