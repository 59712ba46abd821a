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
from fairness_checks.sweep.splits import blocks, counted_blocks, folds, identical_rows, repeated_rows, split


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
        identical_rows=draw(st.sampled_from(["independent", "together"])),
    )


@given(tables(), st.one_of(st.floats(0.1, 0.6), st.integers(1, 5)), st.integers(0, 100))
def test_sides_are_disjoint_and_exhaustive_and_keep_rows_together(data, test, seed):
    kept = blocks(data)
    try:
        train, tested = split(data, "sex", test, np.random.default_rng(seed), kept)
    except ConfigurationError:
        assert np.bincount(kept).max() > 1  # only because much of it stays together
        return
    assert sorted([*train, *tested]) == list(range(len(data)))
    assert not set(kept[train]) & set(kept[tested])

    def rows_of(side):
        return set(zip(data.features["a"][side], data.features["b"][side], strict=True))

    if data.identical_rows == "together":
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


@pytest.mark.parametrize("identical_rows", ["independent", "together"])
def test_every_row_tests_equally_often(identical_rows):
    n = 240
    data = DataSet(
        {"a": [*range(n - 4), 0, 0, 1, 1]},  # some rows are there three times
        [0, 1] * (n // 2 - 2) + [0, 0, 1, 1],
        {"sex": ["f", "f", "m", "m"] * (n // 4)},
        identical_rows=identical_rows,
    )
    assert repeated_rows(data) == 4
    times = np.zeros(n)
    for seed in range(400):
        times[split(data, "sex", 0.3, np.random.default_rng(seed)).test] += 1
    assert abs(times.mean() / 400 - 0.3) < 0.01
    assert times.min() / 400 > 0.2  # four standard errors: 0.09
    assert times.max() / 400 < 0.4


def test_identical_means_features_whatever_the_outcome_and_missing_equals_missing():
    data = DataSet(
        {"a": [1.0, np.nan, np.nan, 1.0, 1.0], "b": ["x", "y", "y", "x", "z"]},
        [0, 1, 1, 1, 0],
        {"sex": ["f", "f", "m", "m", "m"]},
    )
    assert identical_rows(data).tolist() == [0, 1, 1, 0, 2]
    assert repeated_rows(data) == 2


def test_rows_stay_together_by_cluster_and_by_features_only_where_that_is_asked():
    features, cluster = {"a": [1, 2, 2, 3, 4]}, ["p", "p", "q", "r", "r"]

    def kept(**given):
        return blocks(DataSet(features, [0, 0, 1, 0, 1], {"sex": ["f"] * 5}, **given)).tolist()

    assert kept() == [0, 1, 2, 3, 4]
    assert kept(cluster=cluster) == [0, 0, 1, 2, 2]
    assert kept(identical_rows="together") == [0, 1, 1, 2, 3]  # whatever their outcome
    assert kept(identical_rows="together", cluster=cluster) == [0, 0, 0, 1, 1]  # equal rows link p and q


@given(tables(), st.integers(0, 100))
def test_the_outcome_decides_nothing_about_what_stays_together(data, seed):
    outcome = np.random.default_rng(seed).integers(0, 2, len(data)).astype(np.int8)
    assert blocks(data).tolist() == blocks(data.like(outcome=outcome)).tolist()
    first, second = (
        split(some, "sex", 0.3, np.random.default_rng(seed), np.arange(len(data)))
        for some in (data, data.like(outcome=outcome))
    )
    assert first.test.tolist() == second.test.tolist()


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
    with pytest.raises(
        ConfigurationError, match=r"3 rows of group 'x' of 'sex' cannot be parted, because rows of one cl"
    ):
        split(data, "sex", 0.3, np.random.default_rng(0))


@given(tables(), st.integers(2, 10), st.integers(0, 100))
def test_folds_hold_every_row_once_and_keep_blocks(data, number, seed):
    kept = blocks(data)
    sizes = np.bincount(kept)
    if np.count_nonzero(sizes) < number or sizes.max() > len(data) / 2:
        return
    fold = folds(data, number, np.random.default_rng(seed))
    assert set(fold) <= set(range(number))
    assert len(set(zip(kept, fold, strict=True))) == len(np.unique(kept))


@given(st.integers(30, 200), st.sampled_from([1, 2, 40, 300]), st.integers(2, 10), st.integers(0, 1000))
def test_folds_are_alike_in_every_outcome_and_every_group_of_it(n, groups, number, seed):
    rng = np.random.default_rng(seed)
    group, outcome = rng.integers(0, groups, n), rng.integers(0, 2, n)
    data = DataSet({"a": np.arange(n)}, outcome, {"g": [f"g{g}" for g in group]})
    fold = folds(data, number, rng)
    for value in (0, 1):
        assert np.ptp(np.bincount(fold[outcome == value], minlength=number)) <= 1
        for some in range(groups):
            assert np.ptp(np.bincount(fold[(outcome == value) & (group == some)], minlength=number)) <= 1
    assert np.ptp(np.bincount(fold, minlength=number)) <= 1


COARSE = {"features": {"band": [0, 1, 2] * 20}, "outcome": [0, 1] * 30, "sensitive_features": {"sex": ["f"] * 60}}
PARTED = "must be between 2 and the"


@pytest.mark.parametrize(
    ("given", "number", "message"),
    [
        ({}, 61, f"folds: 61 {PARTED} 60 rows that can be parted; use fewer folds, or more rows"),
        ({}, 1, f"folds: 1 {PARTED} 60 rows"),
        (
            {"cluster": [0, 1, 2, 3] * 15},
            5,
            f"folds: 5 {PARTED} 4 blocks of rows that can be parted, because rows of one cluster stay together; use "
            "fewer folds, or more clusters",
        ),
        (
            {"identical_rows": "together"},
            10,
            rf"folds: 10 {PARTED} 3 blocks of rows .* because rows with equal features stay together "
            r"\(identical_rows='together'\); use fewer folds, or leave identical_rows='together' out unless the table",
        ),
        (
            {"identical_rows": "together", "cluster": np.arange(60) // 2},
            10,
            f"folds: 10 {PARTED} 1 blocks of rows that can be parted, because .* and link clusters; use fewer folds",
        ),
        (
            {"identical_rows": "together", "features": {"band": [0] * 45 + [*range(1, 16)]}},
            10,
            "folds: 10: 45 of 60 rows cannot be parted and leave 15 to train on, because rows with equal features stay",
        ),
    ],
)
def test_too_few_blocks_are_one_error_that_says_why_and_what_to_do(given, number, message):
    with pytest.raises(ConfigurationError, match=message):
        folds(DataSet(**COARSE | given), number, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("bands", "rows"),
    [([0] * 60, "60 rows"), ([0] * 58 + [1, 2], "58 rows"), ([0] * 19 + [1] * 19 + [2] * 22, "22 rows")],
    ids=["one block", "a large one", "three"],
)
def test_a_group_of_equal_rows_that_cannot_be_parted_is_told_the_remedy(bands, rows):
    data = DataSet(**COARSE | {"features": {"band": bands}}, identical_rows="together")
    with pytest.raises(
        ConfigurationError, match=rf"{rows} of group .* cannot be parted, because .*'together'.*leave identical_ro"
    ):
        split(data, "sex", 0.3, np.random.default_rng(0))


def test_the_number_of_positives_that_test_varies_as_if_rows_were_drawn_at_random():
    data = DataSet({"a": np.arange(200)}, np.arange(200) % 2, {"sex": np.repeat(["f", "m"], [80, 120])})
    rng = np.random.default_rng(0)
    positives = [data.take(split(data, "sex", 0.3, rng).test).outcome[:].sum() for _ in range(600)]
    women, men = stats.hypergeom(80, 40, 24), stats.hypergeom(120, 60, 36)
    assert np.mean(positives) == pytest.approx(women.mean() + men.mean(), abs=0.5)
    assert np.var(positives) == pytest.approx(women.var() + men.var(), rel=0.25)


@pytest.mark.parametrize(("test", "wanted"), [(0.3, 30), (39, 39)])
def test_a_cluster_that_could_never_test_is_refused_with_the_remedy(test, wanted):
    sizes = [40, *[3] * 20]
    data = DataSet(
        {"a": np.arange(200)},
        None,
        {"sex": np.repeat(["f", "m"], 100)},
        cluster=np.append(np.repeat(np.arange(21), sizes), np.arange(21, 121)),
    )
    with pytest.raises(
        ConfigurationError, match=rf"40 rows of group 'f' of 'sex' .*, and {wanted} of its 100 rows are"
    ):
        split(data, "sex", test, np.random.default_rng(0))
    rng = np.random.default_rng(0)
    tested = np.mean([np.isin(0, data.cluster[split(data, "sex", 45, rng).test]) for _ in range(200)])
    assert tested > 0.05


def test_blocks_are_counted_by_what_they_are_worth():
    data = DataSet({"a": range(8)}, None, {"sex": ["f"] * 6 + ["m"] * 2}, cluster=[0, 0, 0, 0, 1, 2, 3, 4])
    assert counted_blocks(data, "sex", blocks(data)) == {"f": (3, pytest.approx(36 / 18)), "m": (2, 2.0)}
    alone = data.like(cluster=None)
    assert counted_blocks(alone, "sex", blocks(alone)) == {}


@pytest.mark.parametrize(("test", "each"), [(0.3, 60), (20, 20)])
def test_matched_pairs_are_split_though_every_one_crosses_groups(test, each):
    pairs = DataSet({"x": range(400)}, [0, 1] * 200, {"g": ["f", "m"] * 200}, cluster=np.arange(400) // 2)
    found = split(pairs, "g", test, np.random.default_rng(0))
    assert pairs.take(found.test).groups("g").sizes() == {"f": each, "m": each}
    assert not set(pairs.cluster[found.test]) & set(pairs.cluster[found.train])
