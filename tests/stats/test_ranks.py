from __future__ import annotations

import math

import numpy as np
import pytest

from fairness_checks.stats.ranks import Ranks, inner


@pytest.mark.parametrize("tied", [False, True], ids=["distinct", "tied"])
@pytest.mark.parametrize(("groups", "samples"), [(1, 1), (2, 31), (9, 40), (70, 513), (300, 900)])
def test_every_group_is_counted(groups, samples, tied):
    rng = np.random.default_rng(groups)
    codes = np.sort(rng.integers(0, groups, samples))
    values = rng.integers(0, 6, samples).astype(float) if tied else rng.random(samples)
    members = slice(samples // 3, samples)
    mine = values[members][:, None]
    expected = np.zeros((len(mine), groups), dtype=int)
    for g in range(groups):
        others = values[codes == g]
        expected[:, g] = 2 * (mine > others).sum(axis=1) + (mine == others).sum(axis=1)
    assert (Ranks(values, codes, groups).placements(members) == expected).all()


def test_sums_of_products_have_the_same_digits_on_any_number_of_cores():
    threadpoolctl = pytest.importorskip("threadpoolctl")
    x, y = np.random.default_rng(0).normal(size=(2, 200_000))
    with threadpoolctl.threadpool_limits(1):
        one = inner(x, y)
    with threadpoolctl.threadpool_limits(4):
        assert inner(x, y) == one
    assert one == pytest.approx(math.fsum((x * y).tolist()), rel=1e-12)
