"""Synthetic rows between neighbours: SMOTE, or SMOTENC where something of a row is a category."""

# Chawla et al., J. Artif. Intell. Res. 16 (2002) 321, doi:10.1613/jair.953. Here the groups of a sensitive feature
# are made equal in number, not the outcomes; the outcome and the other sensitive features are carried along as
# categories, so that a synthetic row has those that most of its neighbours have. Distances are in the features'
# units, as in the paper.

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from imblearn.over_sampling import SMOTE, SMOTEN, SMOTENC
from scipy.sparse import issparse  # noqa: TID253  # scikit-learn loads it
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import OneHotEncoder

from fairness_checks.errors import ConfigurationError
from fairness_checks.storage.cache_keys import array_digest
from fairness_checks.sweep.dataset import DataSet, Groups
from fairness_checks.typing import Array

__all__ = ["synthetic_rows"]

_DENSE = 2 * 10**7  # cells of a matrix that may be held in full
_MOST_KEPT = 2**28  # bytes
_NEIGHBOURS = 5  # imbalanced-learn's default, and the paper's
_TREE_ROWS, _TREE_COLUMNS = 5_000, 5  # from which number of rows on, and up to which of columns, a tree is faster


def synthetic_rows(
    train: DataSet, groups: Groups, rng: np.random.Generator, wanted: Mapping[str, int] | None
) -> DataSet | None:
    """Return the rows that make every group as large as the largest, or as is wanted; None if they are."""
    # Whole numbers are rounded, categories are ones that occur. Each row is a cluster of its own, with a negative
    # number, which no real one has. A group of a single row, without neighbours, or a missing value is a
    # ConfigurationError.
    sizes = groups.sizes()
    enough = dict.fromkeys(sizes, max(sizes.values())) if wanted is None else wanted
    small = {name: count for name, count in sizes.items() if count < enough[name]}
    if not small:
        return None
    for name, count in small.items():
        if count < 2:
            raise ConfigurationError(
                f"oversample: group {name!r} has 1 training row, and SMOTE needs 2 to draw between; "
                "use more rows, a smaller `test`, or merge the group with another"
            )
    columns = _columns(train, groups)
    matrix = np.column_stack([column.numbers for column in columns])
    categories = [place for place, column in enumerate(columns) if column.values is not None]
    wants = {groups.names.index(name): enough[name] for name in small}
    state, neighbours = int(rng.integers(2**31)), min(_NEIGHBOURS, min(small.values()) - 1)
    made, codes = _resampled(matrix, groups.codes, categories, wants, state, neighbours)
    return _data(train, groups, columns, made, codes)


def _resampled(
    matrix: Array, codes: npt.NDArray[np.intp], categories: list[int], wants: dict[int, int], state: int, k: int
) -> tuple[Array, npt.NDArray[np.intp]]:
    """Return synthetic rows and their groups; kept for the next model that is trained on the same rows."""
    kept, key = _kept(), (array_digest(matrix, codes), tuple(categories), tuple(wants.items()), state, k)
    if (found := kept.get(key)) is not None:
        return found
    options: dict[str, Any] = {"random_state": state, "sampling_strategy": wants}
    if not categories:
        sampler = SMOTE(k_neighbors=k, **options)
    elif len(categories) == matrix.shape[1]:
        sampler = SMOTEN(k_neighbors=k, **options)
    else:
        sampler = SMOTENC(
            categorical_features=categories,
            categorical_encoder=_Encoder(handle_unknown="ignore"),
            k_neighbors=_Neighbours(n_neighbors=k + 1),
            **options,
        )
    made, groups = (np.asarray(part)[len(codes) :] for part in sampler.fit_resample(matrix, codes))
    kept.put(key, (made, groups))
    return made, groups


class _Kept:
    """Synthetic rows of this process, those used last, up to a number of bytes."""

    # The models of a table are swept one after the other, each over all repeats.
    def __init__(self, most: int) -> None:
        self._most, self._size = most, 0
        self._rows: OrderedDict[object, tuple[Array, npt.NDArray[np.intp]]] = OrderedDict()

    def get(self, key: object) -> tuple[Array, npt.NDArray[np.intp]] | None:
        """Return the rows and groups under a key; None where they are not kept, or no longer."""
        if key in self._rows:
            self._rows.move_to_end(key)
        return self._rows.get(key)

    def put(self, key: object, rows: tuple[Array, npt.NDArray[np.intp]]) -> None:
        """Keep rows, and let go of those that were not asked for the longest."""
        if _bytes(rows) > self._most:
            return
        self._rows[key] = rows
        self._size += _bytes(rows)
        while self._size > self._most:
            self._size -= _bytes(self._rows.popitem(last=False)[1])


def _bytes(rows: tuple[Array, npt.NDArray[np.intp]]) -> int:
    return sum(part.nbytes for part in rows)


@cache
def _kept() -> _Kept:
    return _Kept(_MOST_KEPT)


class _Neighbours(NearestNeighbors):  # type: ignore[misc]  # scikit-learn has no types
    """Neighbours of the rows that SMOTENC gives as a sparse matrix, found in a full one: ten times as fast."""

    def fit(self, X: Any, y: Any = None) -> _Neighbours:
        """Take the rows; by a tree in few dimensions, where it is the faster one, else each with each."""
        full = _full(X)
        tree = not issparse(full) and len(full) >= _TREE_ROWS and full.shape[1] <= _TREE_COLUMNS
        self.set_params(algorithm="kd_tree" if tree else "brute")
        super().fit(full)
        return self

    def kneighbors(self, X: Any = None, n_neighbors: Any = None, return_distance: Any = True) -> Any:
        """Return the nearest rows of each, the row itself among them."""
        return super().kneighbors(_full(X), n_neighbors, return_distance)


def _full(X: Any) -> Any:
    return X.toarray() if hasattr(X, "toarray") and np.prod(X.shape) <= _DENSE else X


class _Encoder(OneHotEncoder):  # type: ignore[misc]  # scikit-learn has no types
    """The encoder that SMOTENC uses, but for the time that it takes to find the places of ones in a sparse matrix."""

    def inverse_transform(self, X: Any) -> Any:
        """Return the categories of rows of ones and zeros, shape (n, categories)."""
        return super().inverse_transform(_full(X))


class _Column:
    """A column as numbers: itself, or the positions of its values, shape (n,)."""

    def __init__(self, part: str, name: str, column: Any, *, is_category: bool) -> None:
        self.part, self.name, self.dtype, self.values = part, name, column.dtype, None
        if column.isna().any():
            raise ConfigurationError(
                f"oversample: feature {name!r} has {int(column.isna().sum())} missing values in the training part, "
                "and nothing lies between them; fill them in, or leave this mix out"
            )
        if is_category:
            codes, self.values = pd.factorize(column, sort=True)
            self.numbers = np.asarray(codes, dtype=np.float64)
        else:
            self.numbers = column.to_numpy(dtype=np.float64)

    def back(self, numbers: npt.NDArray[np.float64]) -> Any:
        """Return a series of the column's own dtype."""
        if self.values is not None:
            return pd.Series(pd.Index(self.values).take(np.rint(numbers).astype(np.intp)), dtype=self.dtype)
        rounded = np.rint(numbers) if pd.api.types.is_integer_dtype(self.dtype) else numbers
        return pd.Series(rounded).astype(self.dtype)


def _columns(train: DataSet, groups: Groups) -> list[_Column]:
    """Return all that a synthetic row must have, but for the group itself."""
    columns = [
        _Column("features", name, train.features[name], is_category=name in train.categorical)
        for name in train.features.columns
    ]
    if train.outcome is not None:
        columns.append(_Column("outcome", "outcome", pd.Series(train.outcome), is_category=True))
    for name, column in train.sensitive_features.items():
        codes = pd.factorize(column, sort=True)[0]
        if not np.array_equal(codes, groups.codes):  # the group itself, by whatever name, is given
            columns.append(_Column("sensitive_features", str(name), column, is_category=True))
    return columns


def _data(train: DataSet, groups: Groups, columns: list[_Column], made: Any, codes: Any) -> DataSet:
    parts: dict[str, dict[str, Any]] = {"features": {}, "outcome": {}, "sensitive_features": {}}
    for place, column in enumerate(columns):
        parts[column.part][column.name] = column.back(made[:, place])
    sensitive = {
        name: parts["sensitive_features"].get(str(name), _of_group(train.sensitive_features[name], groups, codes))
        for name in train.sensitive_features.columns
    }
    return train.like(
        features=pd.DataFrame(parts["features"]),
        outcome=None if train.outcome is None else parts["outcome"]["outcome"].to_numpy(),
        sensitive_features=pd.DataFrame(sensitive),
        cluster=None if train.cluster is None else -1 - np.arange(len(made)),
    )


def _of_group(column: Any, groups: Groups, codes: Any) -> Any:
    """Return the one value that a column has in each row's group."""
    first = np.unique(groups.codes, return_index=True)[1]
    return column.iloc[first[codes]].reset_index(drop=True)
