"""Figures recomputed from the raw predictions with other code."""

import json
import random

import numpy as np
import pytest
from conversations import NAMES, many
from sklearn import metrics

from mojo_toolbox.contract import Usage
from mojo_toolbox.data import POINTS
from mojo_toolbox.evaluation import Answer, Price, evaluate


class Clumsy:
    """Right, wrong, invalid or failing by chance; counts tokens."""

    name = "clumsy"

    def __init__(self):
        self.draw = random.Random(3)

    def ask(self, question):
        chance = self.draw.random()
        if chance < 0.1:
            raise ConnectionError("gone")
        if chance < 0.2:
            return Answer(task=None, valid=False, text="well, ...")
        usage = Usage(prompt_tokens=100, completion_tokens=2, cached_tokens=10)
        stays = chance < 0.5
        task = question.previous if stays else self.draw.choice([*NAMES, None])
        return Answer(task=task, probability=chance, usage=usage)


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    report = evaluate(Clumsy(), many(80), output=folder, price=Price(1.0, 10.0), progress=False)
    rows = [json.loads(line) for line in (folder / "predictions.jsonl").read_text().splitlines()]
    return report, rows, json.loads((folder / "report.json").read_text())


def kind(previous, task):
    if task is None:
        return "none" if previous is None else "end"
    return "start" if previous is None else "continue" if task == previous else "switch"


def test_the_report_on_disk_is_the_one_returned(measured):
    report, _, document = measured
    assert document == report.as_dict()
    assert document["report_version"] == 1


def test_counts(measured):
    _, rows, document = measured
    right = [row["valid"] and row["task"] == row["gold"] for row in rows]
    overall = document["overall"]
    assert (overall["n"], overall["right"]) == (len(rows), sum(right))
    assert overall["errors"] == sum(row["error"] is not None for row in rows) > 10
    assert overall["invalid"] == sum(not row["valid"] and row["error"] is None for row in rows) > 10
    assert overall["accuracy"]["value"] == pytest.approx(np.mean(right))
    by_point = {p: [r for r, row in zip(right, rows, strict=True) if row["point"] == p] for p in POINTS}
    assert overall["balanced"]["value"] == pytest.approx(np.mean([np.mean(r) for r in by_point.values()]))
    for point, answers in by_point.items():
        figures = document["points"][point]
        assert (figures["n"], figures["right"]) == (len(answers), sum(answers))
        assert figures["accuracy"]["value"] == pytest.approx(np.mean(answers))


def test_detection(measured):
    _, rows, document = measured
    said = [kind(row["previous"], row["task"]) if row["valid"] else "?" for row in rows]
    gold = [row["point"] for row in rows]
    assert gold == [kind(row["previous"], row["gold"]) for row in rows]
    for point in POINTS:
        truth, answers = [g == point for g in gold], [s == point for s in said]
        detection = document["points"][point]["detection"]
        assert detection["matrix"] == metrics.confusion_matrix(truth, answers).tolist()
        for name, function in {
            "accuracy": metrics.accuracy_score,
            "precision": metrics.precision_score,
            "recall": metrics.recall_score,
            "f1": metrics.f1_score,
        }.items():
            assert detection[name]["value"] == pytest.approx(function(truth, answers)), (point, name)


def test_task_selection(measured):
    _, rows, document = measured
    gold = [row["gold"] or "none" for row in rows]
    said = [(row["task"] or "none") if row["valid"] else "INVALID" for row in rows]
    tasks = document["tasks"]
    labels = tasks["labels"]
    assert labels == [*sorted(NAMES), "none"]
    matrix = metrics.confusion_matrix(gold, said, labels=[*labels, "INVALID"])
    assert tasks["matrix"] == matrix[:-1, :-1].tolist()
    assert tasks["invalid"] == matrix[:-1, -1].tolist()
    assert tasks["accuracy"]["value"] == pytest.approx(metrics.accuracy_score(gold, said))
    for average in ("macro", "weighted"):
        found = metrics.precision_recall_fscore_support(gold, said, labels=labels, average=average, zero_division=0)
        shown = tasks[average]
        assert [shown[name]["value"] for name in ("precision", "recall", "f1")] == pytest.approx(found[:3])


def test_none_detection(measured):
    _, rows, document = measured
    truth = [row["gold"] is None for row in rows]
    said = [row["valid"] and row["task"] is None for row in rows]
    assert document["none_detection"]["matrix"] == metrics.confusion_matrix(truth, said).tolist()
    assert document["none_detection"]["f1"]["value"] == pytest.approx(metrics.f1_score(truth, said))


def test_latency_tokens_and_cost(measured):
    _, rows, document = measured
    times = [row["latency_ms"] for row in rows if row["error"] is None]
    assert all(row["latency_ms"] is None for row in rows if row["error"] is not None)
    for name, share in {"p50": 50, "p95": 95, "p99": 99}.items():
        figure = document["latency_ms"][name]
        assert figure["value"] == pytest.approx(np.percentile(times, share))
        assert figure["low"] <= figure["value"] <= figure["high"]
    assert sum(document["latency_ms"]["histogram"]["counts"]) == len(times)
    answered = sum(row["valid"] for row in rows)
    assert document["tokens"] == {"prompt": 100 * answered, "completion": 2 * answered, "cached": 10 * answered}
    total = answered * (100 * 1.0 + 2 * 10.0) / 1e6
    assert document["cost"]["total"] == pytest.approx(total)
    assert document["cost"]["per_1000_decisions"] == pytest.approx(1000 * total / len(rows))


def test_intervals_are_those_of_a_bootstrap_over_conversations(measured):
    _, rows, document = measured
    conversations = sorted({row["conversation"] for row in rows})
    right = np.array(
        [
            [row["valid"] and row["task"] == row["gold"] for row in rows if row["conversation"] == c]
            for c in conversations
        ],
        dtype=object,
    )
    hits, counts = np.array([sum(r) for r in right]), np.array([len(r) for r in right])
    draw = np.random.default_rng(1).integers(0, len(counts), (4000, len(counts)))
    low, high = np.quantile(hits[draw].sum(1) / counts[draw].sum(1), [0.025, 0.975])
    shown = document["overall"]["accuracy"]
    assert (shown["low"], shown["high"]) == (pytest.approx(low, abs=0.015), pytest.approx(high, abs=0.015))


def test_vectorised_averages_equal_scikit_learns_on_the_data_itself(measured, tmp_path):
    from mojo_toolbox.evaluation.counting.tally import Tally

    _, rows, document = measured
    tally = Tally.of(rows, resamples=1)
    for kind_of_average, found in tally._task_averages(document["tasks"]["labels"]).items():
        for name, values in found.items():
            assert values[0] == pytest.approx(document["tasks"][kind_of_average][name]["value"])


def test_the_worst_mistakes_are_those_that_the_router_was_surest_of(measured):
    _, rows, document = measured
    shown = document["mistakes"]
    assert 0 < len(shown) <= 20
    assert [m["probability"] or -1 for m in shown] == sorted([m["probability"] or -1 for m in shown], reverse=True)
    wrong = [row for row in rows if row["error"] is None and not (row["valid"] and row["task"] == row["gold"])]
    surest = max(wrong, key=lambda row: row["probability"] or -1)
    assert (shown[0]["conversation"], shown[0]["turn"]) == (surest["conversation"], surest["turn"])
    assert shown[0]["messages"][shown[0]["turn"]]["task"] == shown[0]["gold"]
