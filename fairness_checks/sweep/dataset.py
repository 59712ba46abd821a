"""The table that a sweep trains on and tests with."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple, get_args

import numpy as np
import numpy.typing as npt
import pandas as pd

from fairness_checks.errors import ConfigurationError, InvalidPredictions, did_you_mean
from fairness_checks.inputs.alignment import require_aligned
from fairness_checks.inputs.vectors import frozen, read_clusters, read_labels
from fairness_checks.question.checks import IdenticalRows
from fairness_checks.storage.cache_keys import array_digest
from fairness_checks.sweep.columns import column_digest, is_number, kind_of_frame, read_features, read_sensitive

__all__ = ["TOGETHER", "DataSet", "Groups"]

TOGETHER: IdenticalRows = "together"
"""Of `DataSet.identical_rows`: rows with equal features are on one side of every split."""


class Groups(NamedTuple):
    """The groups of one sensitive feature: each row's position in `names`, shape (n,), and the sorted names."""

    codes: npt.NDArray[np.intp]
    names: tuple[str, ...]

    def take(self, rows: npt.NDArray[np.intp]) -> Groups:
        """Return the groups of some rows; a group may then have none."""
        return Groups(self.codes[rows], self.names)

    def sizes(self) -> dict[str, int]:
        """Return the number of rows of each group."""
        counts = np.bincount(self.codes, minlength=len(self.names))
        return dict(zip(self.names, counts.tolist(), strict=True))


@dataclass(frozen=True, slots=True, eq=False)
class DataSet:
    """n rows to train on and to test with, in one order: by position, and where parts carry row labels, by these too.

    Parameters
    ----------
    features : frame or mapping of str to array_like, n rows, p columns
        What a model may see; any eager frame that narwhals reads. Becomes a `pandas.DataFrame` with rows
        numbered from 0.
        A model whose input is no table (images) has a column here that says where to find it: text such as a path, or a
        row number that is named in `categorical`, as nothing lies between two of them; what that column leads to
        is declared: `TrainableModel.depends_on`.
    outcome : array_like of {0, 1} or bool, shape (n,), or None
        What happened; becomes int8. None for models that learn without labels.
    sensitive_features : frame, mapping of str to array_like, series or array_like, n rows
        Groups of each row, none missing. Becomes a `pandas.DataFrame` of text.
    categorical : sequence of str
        Columns of `features` whose numbers are names of categories, so that nothing between them exists. Columns of
        text, bool or pandas' category dtype are added, because nothing between theirs does either.
    cluster : array_like, shape (n,), optional
        Which rows belong together (one patient's): they are never on both sides of a split. Becomes int64.
    identical_rows : {"independent", "together"}
        What rows with equal features are: patients who are alike, whom any split may part, or ("together") copies of
        the same ones, which stay on one side of every split whatever their outcome. On a table of few coarse columns
        the latter tests with combinations of values that no model was trained on. Either way their number is recorded.

    Raises
    ------
    InvalidPredictions
        If lengths or row labels differ, a frame is lazy, there is no row or no column, a column is there twice, a cell
        holds no number and no text, the outcome is not binary, or a sensitive value is missing.
    ConfigurationError
        If `categorical` names a column that is not there, or `identical_rows` is neither word.

    Examples
    --------
    >>> data = DataSet({"age": [40, 50], "smoker": ["no", "yes"]}, [0, 1], {"sex": ["f", "m"]})
    >>> len(data), data.categorical, data.groups("sex").sizes()
    (2, ('smoker',), {'f': 1, 'm': 1})
    """

    features: Any
    outcome: Any
    sensitive_features: Any
    categorical: Sequence[str] = ()
    cluster: Any = None
    identical_rows: IdenticalRows = "independent"

    def __post_init__(self) -> None:
        parts = ("features", "outcome", "sensitive_features", "cluster")
        require_aligned({name: getattr(self, name) for name in parts}, whole="")
        features = read_features(self.features)
        sensitive = read_sensitive(self.sensitive_features)
        outcome = None if self.outcome is None else frozen(read_labels("outcome", self.outcome).astype(np.int8))
        cluster = None if self.cluster is None else frozen(read_clusters(self.cluster))
        lengths = {
            name: len(part)
            for name, part in (
                ("features", features),
                ("outcome", outcome),
                ("sensitive_features", sensitive),
                ("cluster", cluster),
            )
            if part is not None
        }
        if len(set(lengths.values())) > 1:
            raise InvalidPredictions("data set: lengths differ: " + ", ".join(f"{k} {n}" for k, n in lengths.items()))
        if not len(features):
            raise InvalidPredictions("features: 0 rows; there is nothing to train on")
        for name in self.categorical:
            if name not in features.columns:
                raise ConfigurationError(f"categorical: {name!r} is no feature; {did_you_mean(name, features.columns)}")
        categorical = tuple(
            str(name) for name in features.columns if name in self.categorical or not is_number(features[name].dtype)
        )
        if type(self.identical_rows) is not str or self.identical_rows not in get_args(IdenticalRows):
            raise ConfigurationError(
                f"identical_rows: {self.identical_rows!r} must be 'independent' (patients who are alike) or "
                f"{TOGETHER!r} (copies of the same ones)"
            )
        self._set(features, outcome, sensitive, categorical, cluster, self.identical_rows)

    def _set(self, *values: Any) -> None:
        for item, value in zip(fields(self), values, strict=True):
            object.__setattr__(self, item.name, value)

    def like(self, **changed: Any) -> DataSet:
        """Return a data set with some parts replaced by ones that need no checking."""
        made = object.__new__(DataSet)
        made._set(*(changed.get(item.name, getattr(self, item.name)) for item in fields(self)))
        return made

    def __len__(self) -> int:
        return len(self.features)

    def take(self, rows: npt.ArrayLike) -> DataSet:
        """Return the rows at the given positions, in that order; a position may be there twice."""
        at = np.asarray(rows, dtype=np.intp)
        return self.like(
            features=_rows_of(self.features, at),
            outcome=None if self.outcome is None else self.outcome[at],
            sensitive_features=_rows_of(self.sensitive_features, at),
            cluster=None if self.cluster is None else self.cluster[at],
        )

    def select(self, columns: Sequence[str]) -> DataSet:
        """Return all rows with some of the features: a feature set.

        Raises
        ------
        ConfigurationError
            If a column does not exist or is named twice, or none is named.
        """
        for name in columns:
            if name not in self.features.columns:
                raise ConfigurationError(
                    f"feature {name!r} is not in the data set; {did_you_mean(name, self.features.columns)}"
                )
        if not len(columns) or len(set(columns)) != len(columns):
            raise ConfigurationError(f"{list(columns)!r} must name one or more different features")
        if list(columns) == list(self.features.columns):
            return self
        return self.like(
            features=self.features[list(columns)],
            categorical=tuple(name for name in self.categorical if name in columns),
        )

    def joined(self, more: DataSet) -> DataSet:
        """Return the rows of this data set and then those of another with the same columns."""

        def both(first: Any, second: Any) -> Any:
            return None if first is None else np.concatenate([first, second])

        return self.like(
            features=pd.concat([self.features, more.features], ignore_index=True),
            outcome=both(self.outcome, more.outcome),
            sensitive_features=pd.concat([self.sensitive_features, more.sensitive_features], ignore_index=True),
            cluster=both(self.cluster, more.cluster),
        )

    def groups(self, by: str) -> Groups:
        """Return the groups of a sensitive feature that have rows here.

        Raises
        ------
        ConfigurationError
            If there is no such feature.
        """
        if by not in self.sensitive_features.columns:
            raise ConfigurationError(
                f"by: sensitive feature {by!r} is not in the data set; "
                f"{did_you_mean(by, self.sensitive_features.columns)}"
            )
        codes, names = pd.factorize(self.sensitive_features[by], sort=True)
        return Groups(np.asarray(codes, dtype=np.intp), tuple(str(name) for name in names))

    def locating(self) -> list[str]:
        """Return the numeric features that look like row numbers or ids: a whole number of its own in every row.

        Floats only where the numbers are consecutive: measurements may all differ, and may all be whole.

        Examples
        --------
        >>> columns = {"row": range(4), "age": [40, 50, 40, 60], "dose": [1.0, 2.0, 4.0, 8.0]}
        >>> data = DataSet(columns, None, {"sex": ["f", "m", "f", "m"]})
        >>> data.locating(), data.like(categorical=("row",)).locating()
        (['row'], [])
        """
        found = []
        for name in self.features.columns:
            column = self.features[name]
            if name in self.categorical or not column.is_unique or column.isna().any() or len(column) < 2:
                continue
            values = np.sort(column.to_numpy(dtype=np.float64))
            consecutive = bool(np.all(np.diff(values) == 1.0) and values[0] == np.rint(values[0]))
            if consecutive or pd.api.types.is_integer_dtype(column.dtype):
                found.append(name)
        return found

    def lacks_outcome(self) -> int | None:
        """Return an outcome, 0 or 1, that no row has; None where both are there or there are no outcomes at all."""
        if self.outcome is None:
            return None
        return next((value for value in (0, 1) if not (self.outcome == value).any()), None)

    def beside_values(self) -> dict[str, Any]:
        """Return what of the data may change a result and is not in the `fingerprint`, which says which samples."""
        told = {"features", "outcome", "sensitive_features", "cluster", "categorical"}
        return {
            "attrs": dict(self.features.attrs),
            "dtypes": [str(dtype) for dtype in self.features.dtypes],
            "kind": kind_of_frame(self.features),
            **{item.name: getattr(self, item.name) for item in fields(self) if item.name not in told},
        }

    def fingerprint(self) -> str:
        """Return the sha256 of names, dtypes and values, 64 hexadecimal digits; the same on every machine.

        Examples
        --------
        >>> first, second = (DataSet({"age": [40, age]}, [0, 1], {"sex": ["f", "m"]}) for age in (50, 51))
        >>> first.fingerprint() == second.fingerprint()
        False
        """
        parts = [
            ["features", [[str(name), column_digest(self.features[name])] for name in self.features.columns]],
            ["sensitive", [[str(name), column_digest(column)] for name, column in self.sensitive_features.items()]],
            ["outcome", None if self.outcome is None else array_digest(self.outcome)],
            ["cluster", None if self.cluster is None else array_digest(self.cluster.astype("<i8"))],
            ["categorical", list(self.categorical)],
            # Only where it is asked: the rows of older results and baselines are known by the digest without it.
            *([["identical_rows", TOGETHER]] if self.identical_rows == TOGETHER else []),
        ]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _rows_of(frame: Any, at: npt.NDArray[np.intp]) -> Any:
    """Return the rows of a frame at some positions, numbered from 0."""
    taken = frame.take(at)
    taken.index = pd.RangeIndex(len(at))
    return taken
