"""Splits and folds: disjoint, exhaustive, of the size asked for, and rows that belong together on one side."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from fairness_checks.errors import ConfigurationError
from fairness_checks.sweep.apportion import largest_remainder
from fairness_checks.sweep.dataset import DataSet
from fairness_checks.sweep.splits import blocks, folds, identical_rows, repeated_rows, split


@given(st.lists(st.floats(0, 100), min_size=1, max_size=8).filter(lambda w: sum(w) > 0.01), st.integers(0, 10_000))
def test_largest_remainder_is_exact_and_within_one(weights, total):
    counts = largest_remainder(weights, total)
    assert sum(counts) == total
    assert all(abs(c - total * w / sum(weights)) < 1 + 1e-6 for c, w in zip(counts, weights, strict=True))


def test_largest_remainder_of_round_shares_is_round():
    assert largest_remainder([0.1, 0.2, 0.7], 30) == [3, 6, 21]
    assert largest_remainder([1 / 3, 1 / 3, 1 / 3], 10) == [4, 3, 3]


@st.composite
def tables(draw):
    n = draw(st.integers(30, 80))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    distinct = draw(st.integers(2, 60))
    return DataSet(
        {"a": rng.integers(0, distinct, n), "b": rng.integers(0, 2, n)},
        rng.integers(0, 2, n),
        {"sex": np.where(np.arange(n) % 3 == 0, "f", "m")},
        cluster=rng.integers(0, n, n) if draw(st.booleans()) else None,
    )


@given(tables(), st.one_of(st.floats(0.1, 0.6), st.integers(1, 5)), st.integers(0, 100))
def test_sides_are_disjoint_and_exhaustive_and_keep_rows_together(data, test, seed):
    kept = blocks(data)
    try:
        train, tested = split(data, "sex", test, np.random.default_rng(seed), kept)
    except ConfigurationError:
        assert np.bincount(kept).max() > 2  # only because much of it stays together
        return
    assert sorted([*train, *tested]) == list(range(len(data)))
    assert not set(kept[train]) & set(kept[tested])

    def rows_of(side):
        return set(zip(data.features["a"][side], data.features["b"][side], data.outcome[side], strict=True))

    assert not rows_of(train) & rows_of(tested)
    if data.cluster is not None:
        assert not set(data.cluster[train]) & set(data.cluster[tested])


@given(st.integers(20, 200), st.integers(0, 1000))
def test_sizes_are_exact_where_no_rows_belong_together(n, seed):
    rng = np.random.default_rng(seed)
    group = np.array(["f", "m", "m", "x"])[np.arange(n) % 4]
    data = DataSet({"a": np.arange(n)}, rng.integers(0, 2, n), {"sex": group})
    whole = data.groups("sex").sizes()
    share = data.take(split(data, "sex", 0.3, rng).test)
    assert share.groups("sex").sizes() == {name: max(1, int(0.3 * count + 0.5)) for name, count in whole.items()}
    fixed = data.take(split(data, "sex", 3, rng).test)
    assert set(fixed.groups("sex").sizes().values()) == {3}


def test_every_row_tests_equally_often():
    n = 240
    data = DataSet(
        {"a": [*range(n - 4), 0, 0, 1, 1]},  # some rows are there three times
        [0, 1] * (n // 2 - 2) + [0, 0, 1, 1],
        {"sex": ["f", "f", "m", "m"] * (n // 4)},
    )
    assert repeated_rows(data) == 4
    times = np.zeros(n)
    for seed in range(400):
        times[split(data, "sex", 0.3, np.random.default_rng(seed)).test] += 1
    assert abs(times.mean() / 400 - 0.3) < 0.01
    assert times.min() / 400 > 0.2  # four standard errors: 0.09
    assert times.max() / 400 < 0.4


def test_identical_means_features_and_outcome_and_missing_equals_missing():
    data = DataSet(
        {"a": [1.0, np.nan, np.nan, 1.0, 1.0], "b": ["x", "y", "y", "x", "z"]},
        [0, 1, 1, 1, 0],
        {"sex": ["f", "f", "m", "m", "m"]},
    )
    assert identical_rows(data).tolist() == [0, 1, 1, 2, 3]


def test_blocks_link_identical_rows_and_clusters():
    data = DataSet({"a": [1, 2, 2, 3, 4]}, [0] * 5, {"sex": ["f"] * 5}, cluster=["p", "p", "q", "r", "r"])
    assert blocks(data).tolist() == [0, 0, 0, 1, 1]  # rows 1 and 2 are identical, which links p and q


def test_a_cluster_across_groups_stays_on_one_side():
    rng = np.random.default_rng(0)
    n = 200
    data = DataSet(
        {"a": np.arange(n)}, rng.integers(0, 2, n), {"sex": rng.choice(["f", "m"], n)}, cluster=np.arange(n) // 5
    )
    for seed in range(20):
        train, tested = split(data, "sex", 0.3, np.random.default_rng(seed))
        assert not set(data.cluster[train]) & set(data.cluster[tested])
        assert 45 <= len(tested) <= 75


@pytest.mark.parametrize(
    ("test", "message"),
    [
        (0.0, "test: 0.0 must be a fraction between 0 and 1"),
        (1.0, "test: 1.0 must be a fraction"),
        (0, "test: 0 must be a fraction"),
        (True, "test: True must be a fraction"),
        (4, "test: 4: by 'sex': group 'f' has 4 rows, of which 4 would test and none train; use a smaller `test`"),
    ],
)
def test_impossible_tests_are_refused(test, message):
    data = DataSet({"a": range(12)}, [0, 1] * 6, {"sex": ["f"] * 4 + ["m"] * 8})
    with pytest.raises(ConfigurationError, match=message):
        split(data, "sex", test, np.random.default_rng(0))


def test_a_group_of_one_row_is_named():
    data = DataSet({"a": range(12)}, [0, 1] * 6, {"sex": ["x"] + ["m"] * 11})
    with pytest.raises(ConfigurationError, match=r"group 'x' has 1 rows.*merge the group with another"):
        split(data, "sex", 0.3, np.random.default_rng(0))


def test_a_group_that_cannot_be_parted_is_named():
    data = DataSet(
        {"a": [1, 1, 1, *range(9)]}, [1] * 12, {"sex": ["x"] * 3 + ["m"] * 9}, cluster=[0] * 3 + [*range(1, 10)]
    )
    with pytest.raises(ConfigurationError, match="group 'x' of 'sex' has no row to test with, because"):
        split(data, "sex", 0.3, np.random.default_rng(0))


@given(tables(), st.integers(2, 10), st.integers(0, 100))
def test_folds_hold_every_row_once_and_keep_blocks(data, number, seed):
    kept = blocks(data)
    if len(np.unique(kept)) < number:
        return
    fold = folds(np.asarray(data.outcome, dtype=np.intp), number, kept, np.random.default_rng(seed))
    assert set(fold) <= set(range(number))
    assert len(set(zip(kept, fold, strict=True))) == len(np.unique(kept))


def test_folds_are_alike_in_every_stratum():
    strata = np.repeat([0, 1, 2], [50, 30, 20])
    fold = folds(strata, 10, np.arange(100), np.random.default_rng(0))
    for stratum, count in enumerate((5, 3, 2)):
        assert np.bincount(fold[strata == stratum]).tolist() == [count] * 10
    with pytest.raises(ConfigurationError, match="folds: 3 must be between 2 and the 2 rows"):
        folds(np.array([0, 1]), 3, np.arange(2), np.random.default_rng(0))


def test_the_number_of_positives_that_test_varies_as_if_rows_were_drawn_at_random():
    data = DataSet({"a": np.arange(200)}, np.arange(200) % 2, {"sex": np.repeat(["f", "m"], [80, 120])})
    rng = np.random.default_rng(0)
    positives = [data.take(split(data, "sex", 0.3, rng).test).outcome[:].sum() for _ in range(600)]
    women, men = stats.hypergeom(80, 40, 24), stats.hypergeom(120, 60, 36)
    assert np.mean(positives) == pytest.approx(women.mean() + men.mean(), abs=0.5)
    assert np.var(positives) == pytest.approx(women.var() + men.var(), rel=0.25)
