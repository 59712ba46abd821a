from __future__ import annotations

import numpy as np
import pytest

from fairness_checks.stats.ranks import Ranks


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
