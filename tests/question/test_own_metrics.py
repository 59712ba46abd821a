"""A function registered as a metric: what it is then, and what cannot be registered."""

from __future__ import annotations

import functools
import math
import re

import numpy as np
import pytest

from fairness_checks import METRICS, ConfigurationError, Metric, Predictions, audit, fairness_metric
from fairness_checks.question.checks import Check, limits_of
from fairness_checks.question.own_metrics import registered
from fairness_checks.sweep.trainable import TrainableModel

SOME = Predictions([1, 1, 0, 0] * 20, [1, 0, 0, 1] * 20, sensitive_features={"sex": ["f", "m", "m", "f"] * 20})


def missed(predictions):
    """P(missed).

    And more.
    """
    return np.where(predictions.y_true, ~predictions.y_pred, np.nan)


def test_a_function_stays_one_and_has_what_was_said():
    def copy(predictions):
        """P(missed)."""
        return missed(predictions)

    assert fairness_metric(kind="proportion", unit="positives", lower_is_better=None)(copy) is copy
    assert registered(copy) == Metric(
        name="copy", formula="P(missed).", kind="proportion", per_sample=copy, unit="positives", lower_is_better=None,
        limits=("max_difference", "min_ratio", "max_value", "min_value"),
    )  # fmt: skip
    assert registered(missed) is registered(np) is registered(None) is None
    mine = audit(SOME, metric=copy, by="sex", max_difference=0.05)
    theirs = audit(SOME, metric="false_negative_rate", by="sex", max_difference=0.05)
    assert (mine.metric, mine.estimate, mine.p_violation) == ("copy", theirs.estimate, theirs.p_violation)
    assert mine.unit == "positives"


def test_a_mean_has_any_range_unless_one_is_given():
    @fairness_metric
    def cost(predictions):
        return predictions.y_pred * 2.0

    found = registered(cost)
    assert (found.kind, found.lowest, found.highest, found.formula) == ("mean", -math.inf, math.inf, "cost, by sample")
    assert found.limits == METRICS["mean_error"].limits
    assert registered(fairness_metric(lowest=0, highest=2, name="other")(cost)).highest == 2


@pytest.mark.parametrize(
    ("function", "about", "message"),
    [
        (missed, {"name": "accuracy"}, "'accuracy' is a metric of the table; give yours another name"),
        (missed, {"name": "my metric"}, "'my metric' cannot stand in thresholds.yaml; give name="),
        (missed, {"name": "x" * 41}, "cannot stand in thresholds.yaml"),
        (missed, {"name": 3}, "3 cannot stand in thresholds.yaml"),
        (functools.partial(missed), {}, "None cannot stand in thresholds.yaml; give name="),
        (lambda predictions: predictions.y_pred, {}, "'<lambda>' cannot stand"),
        (missed, {"kind": "ranking"}, "'missed' has kind 'ranking'; allowed: mean, proportion"),
        (missed, {"kind": "proportion", "highest": 100}, "lowest 0.0 and highest 100 are no range of a proportion"),
        (missed, {"lowest": 1, "highest": 1}, "no range of a mean"),
        (missed, {"lowest": "0"}, "lowest '0' and highest inf are no range"),
        (missed, {"lowest": math.nan}, "no range"),
        (
            "missed",
            {},
            "'missed' is no function that a metric can be made of; write @fairness_metric or @fairness_metr",
        ),
        (0.5, {}, "0.5 is no function"),
        (len, {"name": "length"}, "is no function that a metric can be made of"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,  # no address: workers collect the same names
)
def test_what_cannot_be_registered(function, about, message):
    with pytest.raises(ConfigurationError) as caught:
        fairness_metric(**about)(function)
    assert message in str(caught.value)
    if not about:
        with pytest.raises(ConfigurationError, match=re.escape(str(caught.value))):
            fairness_metric(function)


def test_where_there_is_inference_for_ones_own():
    rate = Metric(name="mine", formula="", kind="proportion", per_sample=missed)
    mean = Metric(name="mine", formula="", kind="mean", per_sample=missed)
    assert limits_of(mean, "each_mix") == ("max_difference",)
    assert limits_of(rate, "each_mix") == limits_of(rate, None, "disparity") == limits_of(mean, None, "disparity") == ()
    with pytest.raises(ConfigurationError, match="a sweep takes means; register mine with kind='mean'"):
        Check("mine", ("sex",), "max_difference", 0.1, custom=rate, gap="each_mix")
    with pytest.raises(ConfigurationError, match="does not know whether its function has changed since"):
        Check("mine", ("sex",), "max_worsening", 0.1, custom=mean, of="disparity")


def test_the_code_of_a_metric_is_part_of_what_a_sweep_depends_on():
    from fairness_checks.sweep.dataset import DataSet

    data = DataSet({"age": range(20)}, [0, 1] * 10, {"sex": ["f", "m", "m", "f"] * 5})
    model = TrainableModel(data, fit=lambda train, rng: None, predict=lambda fitted, test: None)

    def metric(factor, kind="mean"):
        return Metric(name="mine", formula="", kind=kind, per_sample=lambda p: factor * p.y_pred)

    keys = [str(model.identity(m).key) for m in ([], [metric(1)], [metric(2)], [metric(1, "proportion")])]
    assert len({*keys}) == 4
    assert str(model.identity([metric(1)]).key) == keys[1]
    assert str(model.identity().key) == keys[0]
