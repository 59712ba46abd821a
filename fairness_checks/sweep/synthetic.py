"""Synthetic rows between neighbours: SMOTE, or SMOTENC where something of a row is a category."""

# Chawla et al., J. Artif. Intell. Res. 16 (2002) 321, doi:10.1613/jair.953. Here the groups of a sensitive feature
# are made equal in number, not the outcomes; the outcome and the other sensitive features are carried along as
# categories, so that a synthetic row has those that most of its neighbours have. Distances are in the features'
# units, as in the paper.

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from imblearn.over_sampling import SMOTE, SMOTEN, SMOTENC
from sklearn.preprocessing import OneHotEncoder

from fairness_checks.errors import ConfigurationError
from fairness_checks.sweep.dataset import DataSet, Groups

__all__ = ["synthetic_rows"]

_DENSE = 10**8  # cells of a matrix that may be held in full
_NEIGHBOURS = 5  # imbalanced-learn's default, and the paper's


def synthetic_rows(
    train: DataSet, groups: Groups, rng: np.random.Generator, wanted: Mapping[str, int] | None = None
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
    options: dict[str, Any] = {
        "k_neighbors": min(_NEIGHBOURS, min(small.values()) - 1),
        "random_state": int(rng.integers(2**31)),
        "sampling_strategy": {groups.names.index(name): enough[name] for name in small},
    }
    if not categories:
        sampler = SMOTE(**options)
    elif len(categories) == len(columns):
        sampler = SMOTEN(**options)
    else:
        sampler = SMOTENC(
            categorical_features=categories, categorical_encoder=_Encoder(handle_unknown="ignore"), **options
        )
    made, codes = sampler.fit_resample(matrix, groups.codes)
    return _data(train, groups, columns, np.asarray(made)[len(train) :], np.asarray(codes)[len(train) :])


class _Encoder(OneHotEncoder):  # type: ignore[misc]  # scikit-learn has no types
    """The encoder that SMOTENC uses, but for the time that it takes to find the places of ones in a sparse matrix."""

    def inverse_transform(self, X: Any) -> Any:
        """Return the categories of rows of ones and zeros, shape (n, categories)."""
        return super().inverse_transform(X.toarray() if np.prod(X.shape) <= _DENSE else X)


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
