"""Which rows test and which may train: drawn by group, rows that belong together on one side."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from fairness_checks.errors import ConfigurationError
from fairness_checks.sweep.dataset import DataSet
from fairness_checks.sweep.plan import require_test

__all__ = ["Split", "blocks", "folds", "identical_rows", "repeated_rows", "split"]

Codes = npt.NDArray[np.intp]


class Split(NamedTuple):
    """Positions of the rows of either side, sorted."""

    train: Codes
    test: Codes


def identical_rows(data: DataSet) -> Codes:
    """Return a number for each row, shape (n,), the same for rows with equal features and outcome.

    Missing values count as equal to each other.

    Examples
    --------
    >>> identical_rows(DataSet({"age": [40, 50, 40]}, [1, 1, 1], {"sex": ["f", "m", "f"]})).tolist()
    [0, 1, 0]
    """
    codes = np.zeros(len(data), dtype=np.int64) if data.outcome is None else data.outcome.astype(np.int64)
    for name in data.features.columns:
        column, values = pd.factorize(data.features[name], use_na_sentinel=False)
        codes = pd.factorize(codes * len(values) + column)[0]
    return np.asarray(codes, dtype=np.intp)


def repeated_rows(data: DataSet) -> int:
    """Return the number of rows that are identical to an earlier one."""
    return len(data) - len(np.unique(identical_rows(data)))


def blocks(data: DataSet) -> Codes:
    """Return a number for each row, shape (n,), the same for rows that must stay on one side of every split.

    These are rows that are identical or of one cluster, and all that are linked to each other by such rows.
    """
    same = identical_rows(data)
    if data.cluster is None:
        return same
    n = int(same.max()) + 1
    edges = (np.ones(len(same)), (same, n + data.cluster))
    nodes = n + int(data.cluster.max()) + 1
    return np.asarray(connected_components(coo_array(edges, shape=(nodes, nodes)), directed=False)[1][same], np.intp)


class _Blocks(NamedTuple):
    """Blocks in a random order: rows of each, and the stratum that most of its rows are in."""

    code: Codes
    size: Codes
    home: Codes


def _shuffled(kept: Codes, strata: Codes, rng: np.random.Generator) -> _Blocks:
    width = int(strata.max()) + 1
    both, rows = np.unique(kept * width + strata, return_counts=True)
    code, stratum = np.divmod(both, width)
    most = np.lexsort((stratum, -rows, code))  # of each block, the stratum with most rows comes first
    code, first = np.unique(code[most], return_index=True)
    order = rng.permutation(len(code))
    return _Blocks(code[order], np.bincount(kept)[code[order]], stratum[most][first][order])


def split(data: DataSet, by: str, test: float, rng: np.random.Generator, kept: Codes | None = None) -> Split:
    """Draw the rows that test; all others may train.

    Parameters
    ----------
    data : DataSet
        n rows.
    by : str
        Sensitive feature; test rows are drawn within each of its groups, whatever their outcome: splits that all have
        the same number of positives would hide how much a gap varies with that number.
    test : float or int
        A fraction in (0, 1) of each group, or a whole number of rows of each group.
    rng : numpy.random.Generator
        Draws the rows.
    kept : ndarray of int, shape (n,), optional
        `blocks(data)`, where it is known already.

    Returns
    -------
    Split
        Disjoint, and together all rows. Each group has exactly the number of test rows asked for (a fraction is
        rounded, at least 1), unless a block is larger than what is missing or crosses groups: then nearly so. That
        blocks must fit makes large ones test a little less often than single rows.

    Raises
    ------
    ConfigurationError
        If `test` is impossible, or a group has too few rows to be on both sides.

    Examples
    --------
    >>> data = DataSet({"age": range(10)}, [0, 1] * 5, {"sex": ["f"] * 4 + ["m"] * 6})
    >>> found = split(data, "sex", 0.5, np.random.default_rng(0))
    >>> data.take(found.test).groups("sex").sizes()
    {'f': 2, 'm': 3}
    """
    groups = data.groups(by)
    require_test(test)
    kept = blocks(data) if kept is None else kept
    drawn = _shuffled(kept, groups.codes, rng)
    chosen = np.zeros(len(drawn.code), dtype=bool)
    for group, name in enumerate(groups.names):
        members = np.flatnonzero(drawn.home == group)
        wanted = _wanted(f"by {by!r}: group {name!r}", test, int(drawn.size[members].sum()))
        chosen[members[_fill(drawn.size[members], wanted)]] = True
    is_test = np.isin(kept, drawn.code[chosen])
    for side, rows_of in (("test", is_test), ("train", ~is_test)):
        found = np.bincount(groups.codes[rows_of], minlength=len(groups.names))
        if not found.all():
            name = groups.names[int(np.argmin(found))]
            raise ConfigurationError(
                f"test: {test:g}: group {name!r} of {by!r} has no row to {side} with, because identical rows and rows "
                "of one cluster stay together; use another `test`, smaller clusters, or merge the group with another"
            )
    return Split(np.flatnonzero(~is_test), np.flatnonzero(is_test))


def _wanted(where: str, test: float, rows: int) -> int:
    """Return the number of test rows of a group."""
    wanted = test if isinstance(test, int) else max(1, int(np.floor(test * rows + 0.5)))
    if rows - wanted < 1:
        raise ConfigurationError(
            f"test: {test!r}: {where} has {rows} rows, of which {wanted} would test and none train; "
            "use a smaller `test`, more rows, or merge the group with another"
        )
    return int(wanted)


def _fill(sizes: Codes, target: int) -> Codes:
    """Return the positions of blocks, in their order, that together have `target` rows, or as many below it as fit."""
    taken: list[Any] = [np.zeros(0, dtype=np.intp)]
    left = np.arange(len(sizes))
    while target > 0 and len(left := left[sizes[left] <= target]):
        fits = np.cumsum(sizes[left]) <= target
        taken.append(left[fits])
        target -= int(sizes[left[fits]].sum())
        left = left[~fits]
    return np.concatenate(taken)


def folds(strata: Codes, number: int, kept: Codes, rng: np.random.Generator) -> Codes:
    """Return the fold of each row, shape (n,): blocks dealt out stratum by stratum, the larger ones first.

    Parameters
    ----------
    strata : ndarray of int, shape (n,)
        What folds should have alike.
    number : int
        Number of folds, at least 2 and at most that of blocks.
    kept : ndarray of int, shape (n,)
        Blocks, which stay in one fold.
    rng : numpy.random.Generator
        Shuffles the blocks.

    Raises
    ------
    ConfigurationError
        If there are fewer than 2 folds, or fewer blocks than folds.

    Examples
    --------
    >>> folds(np.array([0, 0, 1, 1]), 2, np.arange(4), np.random.default_rng(0)).tolist()
    [0, 1, 0, 1]
    """
    drawn = _shuffled(kept, strata, rng)
    if not 2 <= number <= len(drawn.code):
        raise ConfigurationError(f"folds: {number} must be between 2 and the {len(drawn.code)} rows that can be parted")
    turn = np.lexsort((-drawn.size, drawn.home))  # stable: what is equal stays shuffled
    fold = np.empty(int(kept.max()) + 1, dtype=np.intp)
    fold[drawn.code[turn]] = np.arange(len(turn)) % number
    return fold[kept]
