"""`check_metric`: every metric of the table keeps its laws, and metrics that break one are told which."""

from __future__ import annotations

import numpy as np
import pytest

from fairness_checks import ConfigurationError, Metric, fairness_metric
from fairness_checks.measure.rows import Rows
from fairness_checks.testing import check_metric


@pytest.mark.slow
def test_a_registered_metric_keeps_them_all():
    @fairness_metric(kind="proportion", unit="positives")
    def missed(predictions):
        return np.where(predictions.y_true, ~predictions.y_pred, np.nan)

    check_metric(missed, examples=3)


def place(predictions):
    return np.arange(len(predictions)) % 7


def centred(predictions):
    return predictions.error - predictions.error.mean()


def of_ash(predictions):
    feature = predictions.feature("sex")
    return np.array([group == "ash" for group in feature.groups])[feature.codes] * 1.0 + predictions.error


def by_name(predictions):
    feature = predictions.feature("sex")
    return feature.codes + predictions.error


@pytest.mark.parametrize(
    ("function", "law"),
    [
        (place, "the order of rows changes nothing"),
        (centred, "parts add up"),
        (of_ash, "names of groups change nothing"),
        (by_name, "names of groups change nothing"),
    ],
)
def test_a_metric_that_breaks_a_law_is_told_which_and_where(function, law):
    metric = Metric(name="mine", formula="", kind="mean", per_sample=function, lowest=-np.inf, highest=np.inf)
    with pytest.raises(AssertionError, match=rf"^mine: {law}: .* \(seed 0, example \d+\)$"):
        check_metric(metric)


@pytest.mark.parametrize("metric", ["mean_error", "roc_auc", "expected_calibration_error"])
def test_a_kind_that_forgets_clusters_is_told_so(metric, monkeypatch):
    monkeypatch.setattr(Rows, "cells", lambda rows, counted=None: None)
    with pytest.raises(
        AssertionError, match=rf"^{metric}: parts add up: `measure` of its kind ignores rows\.cells\(\)"
    ):
        check_metric(metric, examples=1)


def test_a_draw_of_ones_own_gives_what_the_metric_reads():
    metric = Metric(name="dose", formula="", kind="mean", per_sample=lambda p: p.error, lowest=10.0, highest=20.0)

    def doses(rng):
        return {"error": rng.uniform(10.0, 20.0, 80), "sex": rng.choice(["f", "m"], 80)}

    check_metric(metric, examples=2, draw=lambda rng: {**doses(rng), "cluster": np.arange(80)})


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        ("acuracy", "did you mean 'accuracy'"),
        (place, "no function that @fairness_metric has registered"),
        (3, "3 is no"),
    ],
)
def test_what_is_no_metric(metric, message):
    with pytest.raises(ConfigurationError, match=message):
        check_metric(metric)


def rows(n=100, **more):
    return lambda rng: (
        {"y_true": rng.integers(0, 2, n), "y_pred": rng.integers(0, 2, n), "sex": ["a", "b"] * (n // 2)} | more
    )


NOTHING = {
    "no examples": ({"examples": 0}, "examples: 0 must be at least 1"),
    "no number": ({"examples": "3"}, "examples: '3' is not a whole number"),
    "no seed": ({"seed": -1}, "seed: -1 must be at least 0"),
    "no arrays": ({"draw": lambda rng: None}, "draw: must return arrays of n rows by name"),
    "no groups": ({"draw": lambda rng: {"y_true": [0, 1], "y_pred": [0, 1]}}, 'the groups as "sex" among them'),
    "an array of no metric": (
        {"draw": rows(y_scores=np.ones(100))},
        "draw: 'y_scores' is read by no metric; .*y_score",
    ),
    "too few rows": ({"draw": rows(6)}, "draw: no law can fail, as no example can be judged: .*min_group_size 10"),
}


@pytest.mark.parametrize(("arguments", "message"), NOTHING.values(), ids=NOTHING)
def test_where_no_law_could_fail_none_is_said_to_hold(arguments, message):
    with pytest.raises(ConfigurationError, match=message):
        check_metric("accuracy", **arguments)
