"""Which rows test and which may train: drawn by group, rows of one cluster on one side."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from fairness_checks.errors import ConfigurationError
from fairness_checks.stats.clusters import cluster_cells
from fairness_checks.sweep.dataset import TOGETHER, DataSet
from fairness_checks.sweep.plan import require_test

__all__ = ["Split", "Splitter", "blocks", "counted_blocks", "folds", "identical_rows", "repeated_rows", "split"]

Codes = npt.NDArray[np.intp]


class Split(NamedTuple):
    """Positions of the rows of either side, sorted."""

    train: Codes
    test: Codes


def identical_rows(data: DataSet) -> Codes:
    """Return a number for each row, shape (n,), the same for rows with equal features, whatever their outcome."""
    # Missing values count as equal to each other.
    codes = np.zeros(len(data), dtype=np.int64)
    for name in data.features.columns:
        column, values = pd.factorize(data.features[name], use_na_sentinel=False)
        codes, found = pd.factorize(codes * len(values) + column)
        if len(found) == len(data):  # no two are equal, whatever the other columns hold
            break
    return np.asarray(codes, dtype=np.intp)


def repeated_rows(data: DataSet) -> int:
    """Return the number of rows whose features are those of an earlier one."""
    return len(data) - len(np.unique(identical_rows(data)))


def blocks(data: DataSet) -> Codes:
    """Return a number for each row, shape (n,), the same for rows that must stay on one side of every split."""
    # These are rows of one cluster; where the data set wants them together, rows with equal features, and all that
    # are linked to each other by either. Never the outcome: where (x, 0) trains and (x, 1) tests, what trained says
    # of x the opposite of what tests, and a model that has learnt everything there is to learn looks worse than
    # chance.
    if data.identical_rows != TOGETHER:
        return np.arange(len(data), dtype=np.intp) if data.cluster is None else np.asarray(data.cluster, dtype=np.intp)
    same = identical_rows(data)
    if data.cluster is None:
        return same
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    n = int(same.max()) + 1
    edges = (np.ones(len(same)), (same, n + data.cluster))
    nodes = n + int(data.cluster.max()) + 1
    return np.asarray(connected_components(coo_array(edges, shape=(nodes, nodes)), directed=False)[1][same], np.intp)


def counted_blocks(data: DataSet, by: str, block: Codes) -> dict[str, tuple[int, float]]:
    """Return how many blocks each group has, and how many they are worth: n^2 / sum m^2 over blocks of m rows."""
    # Empty where every row is a block of its own.
    if len(np.unique(block)) == len(block):
        return {}
    groups = data.groups(by)
    cells = cluster_cells(groups.codes, len(groups.names), block)
    counts, worth = cells.by_group().astype(int).tolist(), cells.effective().tolist()
    return dict(zip(groups.names, zip(counts, worth, strict=True), strict=True))


def _together(data: DataSet) -> tuple[str, str]:
    """Say why rows stay together, and what would part them."""
    if data.identical_rows != TOGETHER:
        return ("", "more rows") if data.cluster is None else ("rows of one cluster stay together", "more clusters")
    alone = f"rows with equal features stay together (identical_rows={TOGETHER!r})"
    ask = f"leave identical_rows={TOGETHER!r} out unless the table holds copies of the same patients, or add features"
    return (alone if data.cluster is None else f"{alone} and link clusters"), ask


class _Blocks(NamedTuple):
    """Blocks in some order: rows of each, and the stratum that most of its rows are in."""

    code: Codes
    size: Codes
    home: Codes
    alone: bool = False  # each row is a block, whose number is its place


def _arranged(block: Codes, strata: Codes) -> _Blocks:
    """Return the blocks in the order of their numbers."""
    if np.array_equal(block, np.arange(len(block))):
        return _Blocks(block, np.ones(len(block), dtype=np.intp), strata, alone=True)
    width = int(strata.max()) + 1
    both, rows = np.unique(block * width + strata, return_counts=True)
    code, stratum = np.divmod(both, width)
    most = np.lexsort((stratum, -rows, code))  # of each block, the stratum with most rows comes first
    code, first = np.unique(code[most], return_index=True)
    return _Blocks(code, np.bincount(block)[code], stratum[most][first])


def _shuffled(blocks: _Blocks, rng: np.random.Generator) -> _Blocks:
    order = rng.permutation(len(blocks.code))
    if blocks.alone:
        return blocks._replace(code=order, home=blocks.home[order])
    return _Blocks(blocks.code[order], blocks.size[order], blocks.home[order])


def split(data: DataSet, by: str, test: float, rng: np.random.Generator, block: Codes | None = None) -> Split:
    """Draw the rows that test, by number or fraction of each group whatever their outcome; all others may train."""
    return Splitter(data, by, block).draw(data, test, rng)


class Splitter:
    """What every split of a data set by the groups of one feature has in common: found once, drawn from often."""

    def __init__(self, data: DataSet, by: str, block: Codes | None = None) -> None:
        self.by = by
        self.of_feature = {str(name): data.groups(str(name)) for name in data.sensitive_features.columns}
        self.groups = data.groups(by)
        self.block = blocks(data) if block is None else block
        self._arranged = _arranged(self.block, self.groups.codes)
        self._rows = np.bincount(self.groups.codes, minlength=len(self.groups.names))

    def draw(self, data: DataSet, test: float, rng: np.random.Generator) -> Split:
        """Draw the rows that test; see `split`."""
        # Splits that all have the same number of positives would hide how much a gap varies with that number. Each
        # group has exactly the test rows asked for (a fraction rounded, at least 1), unless a block is larger than
        # what is missing or crosses groups: then nearly so. That blocks must fit makes large ones test a little less
        # often.
        require_test(test)
        by, groups, block = self.by, self.groups, self.block
        drawn = _shuffled(self._arranged, rng)
        tests = np.zeros(int(block.max()) + 1, dtype=bool)  # by block
        least = []
        for group, name in enumerate(groups.names):
            members = np.flatnonzero(drawn.home == group)
            least.append(1)
            if not len(members):  # its rows are in blocks of other groups, as those of matched pairs may be
                continue
            sizes = drawn.size[: len(members)] if drawn.alone else drawn.size[members]
            # Of the group's own rows; blocks that cross groups hold others beside them.
            if isinstance(test, int) and not drawn.alone:
                sizes = np.bincount(block[groups.codes == group], minlength=len(tests))[drawn.code[members]]
            wanted = _wanted(f"by {by!r}: group {name!r}", test, int(sizes.sum()))
            _require_all_can_test(data, by, name, sizes, test, wanted)
            tests[drawn.code[members[:wanted] if drawn.alone else members[_fill(sizes, wanted)]]] = True
            # A large cluster is what the user says it is; rows that are linked may be so by chance.
            if data.identical_rows == TOGETHER:
                least[-1] = max(1, wanted // 2)
        is_test = tests if drawn.alone else tests[block]
        test_rows, train_rows = np.flatnonzero(is_test), np.flatnonzero(~is_test)
        tested = np.bincount(groups.codes[test_rows], minlength=len(groups.names))
        for side, found, needed in (("test", tested, np.array(least)), ("train", self._rows - tested, 1)):
            if (found < needed).any():
                why, remedy = _together(data)
                group = int(np.argmax(found < needed))
                count = f"only {found[group]} rows" if found[group] else "no row"
                raise ConfigurationError(
                    f"test: {test:g}: group {groups.names[group]!r} of {by!r} has {count} to {side} with, because "
                    f"{why}; use another `test`, {remedy}, or merge the group with another"
                )
        return Split(train_rows, test_rows)


def _require_all_can_test(data: DataSet, by: str, group: str, sizes: Codes, test: float, wanted: int) -> None:
    """Refuse a block that is larger than the test part: it would never test, and the others be taken for all."""
    if (largest := int(sizes.max(initial=0))) > wanted:
        why, remedy = _together(data)
        raise ConfigurationError(
            f"test: {test:g}: {largest} rows of group {group!r} of {by!r} cannot be parted, because {why}, and "
            f"{wanted} of its {int(sizes.sum())} rows are to test: these would never be among them; use a larger "
            f"`test`, {remedy}, or leave the large one out"
        )


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


def folds(data: DataSet, number: int, rng: np.random.Generator) -> Codes:
    """Return the fold of each row, shape (n,): blocks dealt out stratum by stratum, the larger ones first."""
    # Strata are those of outcome and all sensitive features together: every fold has about the same share of each.
    # Folds of unequal shares would bias what is put together from them, as the more positives test, the fewer train
    # (docs/statistics.md).
    block = blocks(data)
    drawn = _shuffled(_arranged(block, _strata(data)), rng)
    _require_blocks(data, number, drawn.size)
    turn = np.lexsort((-drawn.size, drawn.home))  # stable: what is equal stays shuffled
    fold = np.empty(int(block.max()) + 1, dtype=np.intp)
    fold[drawn.code[turn]] = np.arange(len(turn)) % number
    return fold[block]


def _strata(data: DataSet) -> Codes:
    """Return the stratum of each row, shape (n,): group by group within each outcome."""
    # Dealt in that order, folds differ by one row at most in each outcome, however many and small the groups are.
    groups = data.sensitive_features.groupby(list(data.sensitive_features.columns), sort=True).ngroup()
    codes = np.asarray(groups, dtype=np.intp)
    return codes if data.outcome is None else codes + data.outcome.astype(np.intp) * (int(codes.max()) + 1)


def _require_blocks(data: DataSet, number: int, sizes: Codes) -> None:
    """Refuse rows that stay together where they leave too few blocks, or too few rows beside the largest."""
    # A large cluster is what the user says it is; rows that are linked may be so by chance.
    why, remedy = _together(data)
    because = f", because {why}" if why else ""
    if not 2 <= number <= len(sizes):
        raise ConfigurationError(
            f"folds: {number!r} must be between 2 and the {len(sizes):,} {'blocks of ' if why else ''}rows that can be "
            f"parted{because}; use fewer folds, or {remedy}"
        )
    largest, rows = int(sizes.max()), len(data)
    if data.identical_rows == TOGETHER and rows - largest < 0.5 * rows * (number - 1) / number:
        raise ConfigurationError(
            f"folds: {number}: {largest:,} of {rows:,} rows cannot be parted and leave {rows - largest:,} to train "
            f"on{because}; {remedy}"
        )
