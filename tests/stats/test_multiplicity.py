from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests

from fairness_checks.stats.multiplicity import CORRECTIONS, adjust

P_VALUES = st.lists(st.floats(0.0, 1.0, allow_subnormal=False), min_size=1, max_size=30)


@pytest.mark.parametrize(("correction", "method"), [("holm", "holm"), ("benjamini_hochberg", "fdr_bh")])
@given(p=P_VALUES)
@settings(max_examples=25, deadline=None)  # statsmodels collects garbage at every call
def test_adjusted_p_values_equal_statsmodels(correction, method, p):
    np.testing.assert_allclose(adjust(p, correction), multipletests(p, method=method)[1], rtol=1e-12, atol=1e-15)


@given(p=P_VALUES)
def test_benjamini_hochberg_is_that_of_scipy_to_the_last_digit(p):
    assert adjust(p, "benjamini_hochberg") == stats.false_discovery_control(p, method="bh").tolist()


@pytest.mark.parametrize(
    ("correction", "expected"),
    [
        # Worked by hand: Holm 5p, 4p, 3p, 2p, p, never falling; Benjamini-Hochberg 5p/1, 5p/2, ..., never rising.
        ("holm", [0.05, 0.08, 0.09, 0.09, 0.09]),
        ("benjamini_hochberg", [0.05, 0.05, 0.05, 0.05, 0.05]),
        ("none", [0.01, 0.02, 0.03, 0.04, 0.05]),
    ],
)
def test_adjusted_p_values_of_a_worked_example(correction, expected):
    assert adjust([0.01, 0.02, 0.03, 0.04, 0.05], correction) == pytest.approx(expected)


@pytest.mark.parametrize("correction", sorted(CORRECTIONS))
@given(p=P_VALUES, order=st.randoms(use_true_random=False))
def test_the_order_of_the_checks_does_not_matter(correction, p, order):
    places = list(range(len(p)))
    order.shuffle(places)
    adjusted = adjust(p, correction)
    assert adjust([p[i] for i in places], correction) == pytest.approx([adjusted[i] for i in places], rel=1e-12)
    assert all(after >= before * (1.0 - 1e-12) for before, after in zip(p, adjusted, strict=True))
    assert all(type(value) is float and value <= 1.0 for value in adjusted)


@pytest.mark.parametrize("correction", sorted(CORRECTIONS))
def test_no_check_needs_no_adjustment(correction):
    assert adjust([], correction) == []
