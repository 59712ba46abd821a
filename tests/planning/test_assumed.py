"""What is assumed of two groups for a plan: so many limits apart, the worse one first."""

from __future__ import annotations

import pytest

from fairness_checks.errors import ConfigurationError
from fairness_checks.planning.assumed import STEPS, assumed
from fairness_checks.question.limits import LIMITS
from fairness_checks.question.metrics import METRICS

LIMIT = {"max_difference": 0.1, "min_ratio": 0.8, "max_value": 0.3, "min_value": 0.7, "max_mismatch": 0.1}
ASKED = [(name, kind) for name, row in sorted(METRICS.items()) for kind in row.limits if not row.components]


@pytest.mark.parametrize(("name", "kind"), ASKED)
@pytest.mark.parametrize("step", STEPS)
def test_values_are_so_many_limits_apart(name, kind, step):
    found = assumed(METRICS[name], kind, LIMIT[kind], step)
    if step == 0.0 and kind in ("max_value", "min_value"):
        assert found is None
        return
    keeps = LIMITS[kind].slack(LIMIT[kind], found.first, found.second) > 0.0
    assert keeps is (step < 1.0)
    if kind in ("max_difference", "max_mismatch"):
        assert abs(found.first - found.second) == pytest.approx(step * 0.1)
    if kind == "min_ratio":
        assert min(found) / max(found) == pytest.approx(1.0 - step * 0.2)
    if found.second is not None and kind != "max_mismatch" and step > 0.0:
        assert (found.first > found.second) is (METRICS[name].lower_is_better is not False) or kind == "min_ratio"


@pytest.mark.parametrize(
    ("metric", "kind", "limit", "step", "values"),
    [
        ("mean_error", "max_value", 2.0, 0.5, 1.0),
        ("mean_error", "max_value", 2.0, 2.0, 4.0),
        ("mean_error", "max_value", -2.0, 0.5, -3.0),
        ("mean_error", "min_value", -2.0, 2.0, -4.0),
        ("accuracy", "min_value", 0.8, 0.5, 0.9),
        ("false_negative_rate", "max_value", 0.3, 2.0, 0.6),
    ],
)
def test_a_ceiling_or_a_floor_is_approached_from_the_best_value(metric, kind, limit, step, values):
    assert assumed(METRICS[metric], kind, limit, step).first == pytest.approx(values)


@pytest.mark.parametrize(
    ("kind", "limit", "step"),
    [("max_difference", 0.5, 2.0), ("min_ratio", 0.4, 2.0), ("max_value", 0.6, 2.0), ("max_value", 0.6, 0.0)],
)
def test_no_group_is_worse_than_the_worst_value(kind, limit, step):
    assert assumed(METRICS["false_negative_rate"], kind, limit, step) is None


def test_a_value_is_that_of_the_better_group():
    assert assumed(METRICS["false_negative_rate"], "max_difference", 0.1, 2.0, 0.3) == pytest.approx((0.5, 0.3))
    assert assumed(METRICS["accuracy"], "max_difference", 0.1, 2.0, 0.9) == pytest.approx((0.7, 0.9))
    assert assumed(METRICS["equalized_odds"], "max_difference", 0.1, 0.5).first == pytest.approx((0.75, 0.1))
    with pytest.raises(ConfigurationError, match=r"value: 0\.1 is not asked for max_value"):
        assumed(METRICS["accuracy"], "max_value", 0.3, 0.5, 0.1)
