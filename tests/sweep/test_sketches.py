"""Sketches of test rows: squares, cubes and differences of what they contribute, against the rows themselves."""

from __future__ import annotations

import numpy as np
import pytest

from fairness_checks import Predictions
from fairness_checks.kinds import kind_of
from fairness_checks.measure.rows import Rows
from fairness_checks.question.checks import Missing
from fairness_checks.question.metrics import METRICS
from fairness_checks.stats.influence import auc_influence, rate_influence
from fairness_checks.sweep.measuring import measure
from fairness_checks.sweep.sketches import WIDTH, cube_roots, group_sketches, root_exponents

N, DRAWS = 120, 1_000


def sketched(predictions, placed, metrics, exponents):
    arrays = {metric.name: kind_of(metric).arrays(predictions, metric) for metric in metrics}
    return group_sketches(placed, arrays, metrics, exponents)


def complex_of(sketch):
    return np.array(sketch[:WIDTH]) + 1j * np.array(sketch[WIDTH:])


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    labels, score = rng.integers(0, 2, N), rng.random(N)
    sex = np.where(np.arange(N) % 3 == 0, "f", "m")
    one = Predictions(labels, y_score=score, error=rng.exponential(size=N), sensitive_features={"sex": sex})
    other = Predictions(
        labels,
        y_score=np.clip(score + 0.1 * rng.normal(size=N), 0.0, 1.0),
        error=one.error * 0.5 + 0.1,
        sensitive_features={"sex": sex},
    )
    return one, other, sex == "f"


def sketches(predictions, metric, units=None):
    """Many sketches of the first group, shape (DRAWS, WIDTH)."""
    rng = np.random.default_rng(1)
    placed = Rows(predictions, ("sex",), Missing(text=()))
    units = np.arange(N) if units is None else units
    return np.array(
        [
            complex_of(sketched(predictions, placed, [METRICS[metric]], root_exponents(rng, units))[0][0])
            for _ in range(DRAWS)
        ]
    )


def test_squares_and_cubes_are_those_of_the_rows(rows):
    one, _, first = rows
    error = one.error[first]
    n = first.sum()
    psi = (error - error.mean()) * np.sqrt(n / (n - 1)) / n
    seen = sketches(one, "mean_error")
    assert np.mean(np.abs(seen) ** 2) == pytest.approx((psi**2).sum(), rel=0.05)
    assert np.mean(np.abs(seen) ** 2) == pytest.approx(error.var(ddof=1) / n, rel=0.05)
    scale = (psi**2).sum() ** 1.5
    assert np.mean((seen**3).real) / scale == pytest.approx((psi**3).sum() / scale, abs=4 / np.sqrt(DRAWS * WIDTH))


@pytest.mark.parametrize("metric", ["mean_error", "false_negative_rate", "roc_auc"])
def test_differences_of_sketches_are_sketches_of_differences(rows, metric):
    one, other, first = rows
    of = {
        "mean_error": lambda p: (
            (p.error - p.error[first].mean()) * np.sqrt(first.sum() / (first.sum() - 1)) / first.sum()
        ),
        "false_negative_rate": lambda p: (
            rate_influence((p.y_true == 1) & (p.y_pred == 0) & first, (p.y_true == 1) & first, pseudo=False).psi
        ),
        "roc_auc": lambda p: np.concatenate(
            [auc_influence(p.y_true[first] == 1, p.y_score[first], pseudo=False).psi, np.zeros((~first).sum())]
        ),
    }[metric]
    change = of(one) - of(other)
    change = change[first] if metric != "roc_auc" else change
    seen = sketches(one, metric) - sketches(other, metric)
    assert np.mean(np.abs(seen) ** 2) == pytest.approx((change**2).sum(), rel=0.1)


def test_rows_that_stay_together_are_summed_first(rows):
    one, _, first = rows
    units = np.arange(N) // 12
    error = np.where(first, one.error - one.error[first].mean(), 0.0) * np.sqrt(40 / 39) / 40
    sums = np.bincount(units, weights=error)
    assert np.mean(np.abs(sketches(one, "mean_error", units)) ** 2) == pytest.approx((sums**2).sum(), rel=0.05)


def test_one_row_with_an_outcome_has_no_sketch():
    labels, sex = [1, 0, 0, 1, 1, 1], ["f", "f", "f", "m", "m", "m"]
    predictions = Predictions(labels, [0, 0, 1, 1, 0, 1], sensitive_features={"sex": sex})
    exponents = root_exponents(np.random.default_rng(0), np.arange(6))
    groups, _ = measure(predictions, "sex", {"f": (5, 5), "m": (5, 5)}, exponents)
    assert groups["f"].sketches["false_negative_rate"] is None
    assert len(groups["m"].sketches["false_negative_rate"]) == 2 * WIDTH
    assert groups["f"].sketches["accuracy"] is not None
    assert measure(predictions, "sex", {"f": (5, 5), "m": (5, 5)})[0]["f"].sketches == {}


@pytest.mark.parametrize("units", [np.arange(N), np.arange(N) // 3, np.arange(N)[::-1]], ids=["rows", "three", "back"])
def test_sketches_are_the_sums_over_rows_of_what_they_contribute(rows, units):
    """Whatever is counted by cell or summed for several metrics at once."""
    one, _, first = rows
    metrics = [METRICS[name] for name in ("precision", "brier_score", "roc_auc", "balanced_accuracy", "mean_error")]
    placed = Rows(one, ("sex",), Missing(text=()))
    exponents = root_exponents(np.random.default_rng(2), units)
    found, roots = sketched(one, placed, metrics, exponents), cube_roots(exponents)
    for metric, of_groups in zip(metrics, found, strict=True):
        kind = kind_of(metric)
        arrays = kind.arrays(one, metric)
        for rows_of, sketch in zip((first, ~first), of_groups, strict=True):
            influence = kind.influence(tuple(array[rows_of] for array in arrays), None, pseudo=False)
            np.testing.assert_allclose(complex_of(sketch), roots[:, rows_of] @ influence.psi, atol=1e-15)


def test_rows_of_one_unit_share_their_numbers():
    units = np.array([4, 0, 4, 2, 0])
    drawn = root_exponents(np.random.default_rng(3), units)
    assert drawn.shape == (WIDTH, 5)
    assert set(np.unique(drawn)) <= {0, 1, 2}
    np.testing.assert_array_equal(drawn[:, 0], drawn[:, 2])
    np.testing.assert_array_equal(drawn[:, 1], drawn[:, 4])
    np.testing.assert_allclose(cube_roots(drawn) ** 3, 1.0)
