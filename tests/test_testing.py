"""`check_metric`: every metric of the table keeps its laws, and metrics that break one are told which."""

from __future__ import annotations

import numpy as np
import pytest

from fairness_checks import ConfigurationError, Metric, fairness_metric
from fairness_checks.testing import check_metric


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
