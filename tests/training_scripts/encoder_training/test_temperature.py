"""The temperature that training fits, held against the library's count of the same."""

import numpy as np
import pytest
import torch

from encoder_training.temperature import (
    LEAST_TEMPERATURE,
    MOST_TEMPERATURE,
    Answers,
    calibration_metrics,
    fit_temperature,
)
from mojo_toolbox.evaluation.counting import calibration


def drawn(count=600, *, sharpened=1.0, seed=0):
    """Return rows of log probabilities, and answers drawn from these probabilities before they were sharpened."""
    random = np.random.default_rng(seed)
    rows, right = [], []
    for _ in range(count):
        logits = random.normal(size=random.integers(2, 9)) * 2
        probabilities = np.exp(logits) / np.exp(logits).sum()
        right.append(int(random.choice(len(logits), p=probabilities)))
        rows.append(torch.log_softmax(torch.tensor(logits) * sharpened, dim=0))
    return rows, right


@pytest.mark.parametrize("sharpened", [0.5, 1.0, 3.0])
def test_a_model_that_is_too_sure_is_made_as_sure_as_it_may_be(sharpened):
    rows, right = drawn(sharpened=sharpened)
    answers = Answers.of(rows, torch.tensor(right))
    assert fit_temperature(answers) == pytest.approx(sharpened, rel=0.15)
    told = calibration_metrics(answers, fit_temperature(answers))
    if sharpened != 1:
        assert told["eval_ece"] < told["eval_ece_uncalibrated"] / 2


def test_the_library_finds_the_same():
    rows, right = drawn(sharpened=2.0, seed=1)
    answers = Answers.of(rows, torch.tensor(right))
    probabilities = [row.exp().tolist() for row in rows]
    theirs = calibration.Distributions.of(probabilities)
    assert fit_temperature(answers) == pytest.approx(calibration.fit_temperature(theirs, np.array(right)), rel=1e-4)
    chosen = [max(row) for row in probabilities]
    as_wanted = np.array([row.index(max(row)) == place for row, place in zip(probabilities, right, strict=True)])
    bins = calibration.equal_width(np.array(chosen), as_wanted)
    assert answers.calibration_error(1.0) == pytest.approx(bins.error, abs=1e-9)
    assert (LEAST_TEMPERATURE, MOST_TEMPERATURE) == (calibration.LEAST_TEMPERATURE, calibration.MOST_TEMPERATURE)


def test_answers_that_are_all_right_tell_nothing():
    rows = [torch.log_softmax(torch.tensor([2.0, 0.0]), dim=0)] * 5
    assert fit_temperature(Answers.of(rows, torch.zeros(5, dtype=torch.long))) == 1


def test_answers_that_are_all_wrong_end_at_the_bound():
    rows = [torch.log_softmax(torch.tensor([2.0, 0.0]), dim=0)] * 5
    found = fit_temperature(Answers.of(rows, torch.ones(5, dtype=torch.long)))
    assert found == pytest.approx(MOST_TEMPERATURE, rel=1e-3)
