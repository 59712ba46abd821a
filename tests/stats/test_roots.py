"""`stats.roots` against `scipy.optimize.brentq`."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from scipy import optimize, special

from fairness_checks.stats.roots import root

SHAPES = {
    "line": lambda x: 3.0 * x - 1.0,
    "cubic": lambda x: (x - 0.3) ** 3,
    "steep": lambda x: math.expm1(min(20.0 * (x - 0.1), 700.0)),
    "flat": lambda x: math.copysign(abs(x - 0.2) ** 9, x - 0.2),
    "step": lambda x: -1.0 if x < 0.123 else 1.0,
    "tail": lambda x: float(special.ndtr(x)) - 0.31,
    "numpy": lambda x: np.float64(x) ** 3 - np.float64(0.5),
    "huge": lambda x: 1e308 * (x - 0.25),
    "tiny": lambda x: 1e-300 * (x - 0.25) ** 3,
    "infinite": lambda x: math.inf if x > 0.7 else x - 0.1,
    "falling": lambda x: 0.4 - x,
}


@pytest.mark.parametrize("shape", SHAPES)
@given(
    low=st.floats(-50.0, 0.05),
    high=st.floats(0.35, 50.0),
    xtol=st.sampled_from([2e-12, 1e-14, 1e-9, 1e-6, 1e-3]),
    rtol=st.sampled_from([4.0 * np.finfo(float).eps, 1e-12, 1e-6]),
)
@example(low=-1.0, high=1.0, xtol=2e-12, rtol=4.0 * np.finfo(float).eps)
def test_every_step_is_that_of_scipy(shape, low, high, xtol, rtol):
    ours, theirs = [], []

    def seen(calls):
        def function(x):
            calls.append(x)
            return SHAPES[shape](x)

        return function

    assume(float(SHAPES[shape](low)) * math.inf != float(SHAPES[shape](high)) * math.inf)
    try:
        expected = optimize.brentq(seen(theirs), low, high, xtol=xtol, rtol=rtol)
    except RuntimeError:
        with pytest.raises(ArithmeticError):
            root(seen(ours), low, high, xtol=xtol, rtol=rtol)
    else:
        assert type(root(seen(ours), low, high, xtol=xtol, rtol=rtol)) is float
        assert root(SHAPES[shape], low, high, xtol=xtol, rtol=rtol) == expected
    assert ours == theirs


def test_the_defaults_are_those_of_scipy():
    assert root(math.cos, 0.0, 3.0) == optimize.brentq(math.cos, 0.0, 3.0)


@pytest.mark.parametrize(("low", "high"), [(0.0, 3.0), (-2.0, 0.0)])
def test_an_end_may_be_the_root(low, high):
    assert root(lambda x: x, low, high) == 0.0


def test_ends_of_one_sign_are_refused():
    with pytest.raises(ValueError, match="one sign at both ends, 1 and 2"):
        root(lambda x: x, 1.0, 2.0)


def test_what_is_not_a_number_is_refused():
    with pytest.raises(ValueError, match="NaN at 2"):
        root(lambda x: math.nan if x > 1.5 else -1.0, 0.0, 2.0)
