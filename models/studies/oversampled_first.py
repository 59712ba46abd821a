"""The published order of steps: women are oversampled first, and the table with them is split afterwards.

The published training sizes show it: 272 is 0.7 of 2 x 194 (Straw, Rees, Nachev, J Med Internet Res 2024;26:e46936,
https://doi.org/10.2196/46936, Table 4). Synthetic women then test, and women who test have neighbours made from them in
the training part. This is here to show what that does to the figures; the sweep itself never does it.
"""

from __future__ import annotations

import numpy as np

from fairness_checks.sweep import DataSet
from fairness_checks.sweep.mixing import apply_mix

__all__ = ["oversampled_first"]

_STREAM = 102  # apart from the streams of fairness_checks.sweep.randomness, and from the tuning's


def oversampled_first(data: DataSet, seed: int = 0) -> DataSet:
    """Return a table with synthetic rows of the smaller sex, as many as make both equal.

    Parameters
    ----------
    data : DataSet
        All rows, real ones.
    seed : int
        Of the rows that are drawn.
    """
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_STREAM,)))
    return apply_mix("oversample", data, "sex", None, rng).data
