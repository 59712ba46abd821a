from __future__ import annotations

import pytest

from fairness_checks.question.limits import LIMIT_KINDS, LIMITS, PAIRWISE, limits_in
from fairness_checks.question.metrics import METRICS


def test_every_kind_has_a_row():
    assert set(LIMITS) == set(LIMIT_KINDS)
    assert sorted(
        kind for section in ("subgroups", "uncertainty", "sweep", "regression") for kind in limits_in(section)
    ) == (
        sorted([*LIMIT_KINDS, "max_difference", "max_mismatch"])  # held out, and in a sweep
    )


@pytest.mark.parametrize("kind", LIMIT_KINDS)
def test_a_row_agrees_with_the_name_of_its_limit(kind):
    """A ceiling is a "max"; two values apart violate a limit on a disparity, and slack goes the way of the signs."""
    limit = LIMITS[kind]
    assert limit.ceiling == kind.startswith("max_")
    low, high, *_ = limit.range(METRICS["accuracy"])
    assert low < high
    if limit.slack is None:
        return
    near, far = (0.5, 0.5), (0.9, 0.1)
    assert (limit.slack(0.3, *near) > limit.slack(0.3, *far)) == (kind != "min_value")
    looser, tighter = (0.8, 0.2) if limit.ceiling else (0.2, 0.8)
    assert limit.slack(looser, *near) > limit.slack(tighter, *near)
    assert (limit.slack(0.3, 0.5, 0.5) != limit.slack(0.3, 0.5, 0.4)) == (kind in PAIRWISE)
