"""Calibration: errors against a plain count, the temperature against a grid."""

import random

import numpy as np
import pytest

from mojo_toolbox.evaluation.counting.calibration import (
    LEAST_TEMPERATURE,
    MOST_TEMPERATURE,
    Distributions,
    equal_mass,
    equal_width,
    error_by_chance,
    fit_temperature,
)


def plain_error(confidences, right, bins=15):
    """Guo et al.'s formula, word for word: bin m holds what lies in ((m - 1) / M, m / M]."""
    total = 0.0
    for m in range(1, bins + 1):
        inside = [(c, r) for c, r in zip(confidences, right, strict=True) if (m - 1) / bins < c <= m / bins]
        if inside:
            accuracy, mean = (
                sum(column) / len(inside) for column in (list(zip(*inside, strict=True))[1], [c for c, _ in inside])
            )
            total += len(inside) / len(confidences) * abs(accuracy - mean)
    return total


def drawn(n, *, right_if=lambda draw, c: draw.random() < c):
    draw = random.Random(7)
    confidences = np.array([draw.random() for _ in range(n)])
    return confidences, np.array([right_if(draw, c) for c in confidences], dtype=float)


def test_the_error_is_the_one_of_the_formula():
    confidences, right = drawn(500, right_if=lambda draw, c: draw.random() < c * c)
    assert equal_width(confidences, right).error == pytest.approx(plain_error(confidences, right))


def test_known_errors():
    assert equal_width(np.array([1.0, 1.0]), np.array([1.0, 1.0])).error == 0
    assert equal_width(np.array([1.0, 0.0]), np.array([0.0, 1.0])).error == 1
    assert equal_width(np.array([0.8] * 5), np.array([1.0, 1.0, 1.0, 1.0, 0.0])).error == pytest.approx(0)
    assert equal_width(np.array([0.9] * 4), np.array([1.0, 1.0, 0.0, 0.0])).error == pytest.approx(0.4)


def test_bins_of_equal_mass_hold_equally_many_and_never_part_equals():
    confidences, right = drawn(1500)
    assert equal_mass(confidences, right).n == pytest.approx([100] * 15, abs=1)
    found = equal_mass(np.array([0.5, *[1.0] * 99]), np.ones(100))
    assert found.n.tolist() == [1, 99]
    assert found.error == pytest.approx(0.5 / 100)
    assert equal_mass(np.array([0.7]), np.array([1.0])).error == pytest.approx(0.3)


def test_what_is_calibrated_stays_below_what_chance_explains():
    confidences, right = drawn(400)
    assert equal_width(confidences, right).error < error_by_chance(confidences)
    assert error_by_chance(confidences[:40]) > 2 * error_by_chance(confidences)
    assert equal_width(confidences, confidences < 0.5).error > error_by_chance(confidences)


def likelihood(rows, right, temperature):
    """The mean negative log likelihood, in plain Python."""
    total = 0.0
    for row, place in zip(rows, right, strict=True):
        powers = [p ** (1 / temperature) for p in row]
        total -= np.log(powers[place] / sum(powers))
    return total / len(rows)


@pytest.mark.parametrize("true_temperature", [0.4, 1.0, 2.5])
def test_the_temperature_is_the_best_of_a_grid(true_temperature):
    draw = np.random.default_rng(3)
    rows, right = [], []
    for _ in range(300):
        logits = draw.normal(0, 2, draw.integers(2, 9))
        honest = np.exp(logits) / np.exp(logits).sum()
        sharp = honest**true_temperature
        rows.append((sharp / sharp.sum()).tolist())
        right.append(int(draw.choice(len(honest), p=honest)))
    found = fit_temperature(Distributions.of(rows), np.array(right))
    grid = np.geomspace(LEAST_TEMPERATURE, MOST_TEMPERATURE, 400)
    best = min(grid, key=lambda temperature: likelihood(rows, right, temperature))
    assert found == pytest.approx(best, rel=0.02)
    assert found == pytest.approx(true_temperature, rel=0.25)
    assert likelihood(rows, right, found) <= likelihood(rows, right, best) + 1e-12


def test_a_temperature_stays_within_its_bounds():
    always = Distributions.of([[0.9, 0.1], [0.6, 0.4]])
    assert fit_temperature(always, np.array([0, 0])) == pytest.approx(LEAST_TEMPERATURE, rel=1e-5)
    assert fit_temperature(always, np.array([1, 1])) == pytest.approx(MOST_TEMPERATURE, rel=1e-5)


def test_a_probability_of_nothing_or_all_is_no_crash():
    given = Distributions.of([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]])
    assert LEAST_TEMPERATURE <= fit_temperature(given, np.array([1, 1, 0])) <= MOST_TEMPERATURE
    scaled = given.probabilities_of(np.array([0, 1, 1]), temperature=2.0)
    assert scaled == pytest.approx([1, 1, 0.5], abs=1e-5)


def test_scaled_probabilities_sum_to_1():
    given = Distributions.of([[0.7, 0.2, 0.1], [0.6, 0.4]])
    sums = sum(given.only(np.array([True, False])).probabilities_of(np.array([k]), temperature=1.7) for k in range(3))
    assert sums == pytest.approx([1])
    assert given.probabilities_of(np.array([2, 0]), temperature=1.0) == pytest.approx([0.1, 0.6])
