"""Does one sex need a more complex model? Learning curves and the noise floor, for women and for men.

Each curve trains on one sex and tests on the same, with equally many rows for both. The noise floor is what Cover and
Hart (IEEE Transactions on Information Theory 1967;13:21-27, https://doi.org/10.1109/TIT.1967.1053964) bound from below
by the error R of the nearest neighbour: no rule errs less than (1 - sqrt(1 - 2 R)) / 2, in the limit of many rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special
from sklearn.compose import make_column_transformer
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from fairness_checks.stats.repeats import repeat_estimates
from fairness_checks.sweep import DataSet, SweepResults

__all__ = ["ONE_SEX", "complexity_rows", "curve_rows", "curve_sizes", "noise_floor"]

ONE_SEX: dict[str, Any] = {"female": {"female": 1.0}, "male": {"male": 1.0}}
"""The mixes of the curves, by the sex that trains and tests."""

_DRAWS = 200  # samples of the larger sex, of the size of the smaller


def curve_sizes(data: DataSet, test: float) -> list[int]:
    """Return a quarter, a half and all of the rows of the smaller sex in a training part."""
    least = min(data.groups("sex").sizes().values())
    largest = least - int(np.floor(test * least + 0.5))
    return [largest // 4, largest // 2, largest]


def curve_rows(data_set: str, learner: str, size: int, results: SweepResults, feature_set: str) -> list[dict[str, Any]]:
    """Return accuracy and area under the curve in the sex that was trained on, means over the repeats, in percent."""
    return [
        {"data_set": data_set, "learner": learner, "sex": sex, "n_train": size}
        | {metric: 100 * _of(results, metric, sex, feature_set).mean() for metric in ("accuracy", "roc_auc")}
        for sex in ONE_SEX
    ]


def complexity_rows(
    data_set: str, swept: Mapping[str, SweepResults], feature_set: str, size: int, simple: str
) -> list[dict[str, Any]]:
    """Return what each complex learner has over the simple one, by sex, and the difference between the sexes.

    Parameters
    ----------
    data_set : str
        Goes into each row.
    swept : mapping of str to SweepResults
        By learner, of the mixes `ONE_SEX` and one size.
    feature_set : str
        The one that was trained with.
    size : int
        Rows that trained.
    simple : str
        The learner that the others are compared with.

    Returns
    -------
    list of dict
        ``gain`` in points of the area under the curve, ``low`` and ``high`` its corrected 95 % interval, for
        ``sex`` "female", "male" and "female minus male".
    """
    rows = []
    for learner in (name for name in swept if name != simple):
        gain = {
            sex: 100
            * (
                _of(swept[learner], "roc_auc", sex, feature_set, keep=True)
                - _of(swept[simple], "roc_auc", sex, feature_set, keep=True)
            )
            for sex in ONE_SEX
        }
        gain["female minus male"] = gain["female"] - gain["male"]
        first = swept[learner].results[0].groups
        tested = {sex: first[sex].test for sex in ONE_SEX}
        tested["female minus male"] = min(tested.values())  # the wider of the two corrections
        for sex, found in gain.items():
            value, low, high = _interval(found, size, tested[sex])
            rows.append(
                {"data_set": data_set, "learner": learner, "over": simple, "sex": sex}
                | {"gain": value, "low": low, "high": high}
            )
    return rows


def _of(results: SweepResults, metric: str, sex: str, feature_set: str, *, keep: bool = False) -> Any:
    found = np.array(results.values(metric, sex, sex, feature_set), dtype=np.float64)  # None becomes nan
    return found if keep else found[np.isfinite(found)]


def _interval(found: npt.NDArray[np.float64], n_train: int, n_test: int) -> tuple[float, float, float]:
    corrected = repeat_estimates(found, n_train, n_test)
    half = np.sqrt(corrected.variance[0]) * special.stdtrit(corrected.freedom[0], 0.975)
    value = float(corrected.value[0])
    return value, value - float(half), value + float(half)


def noise_floor(data_set: str, feature_set: str, data: DataSet, columns: Sequence[str]) -> list[dict[str, Any]]:
    """Return by sex the error of the nearest neighbour of the same sex, left out itself, and the bound it gives.

    The larger sex is drawn down to the size of the smaller, because the error falls with the number of rows.

    Parameters
    ----------
    data_set, feature_set : str
        Go into each row.
    data : DataSet
        All rows.
    columns : sequence of str
        Features that distances are taken in: numbers scaled, categories one-hot.

    Returns
    -------
    list of dict
        ``n``; in percent ``rarer``, the error of always saying the more frequent outcome; ``nearest``, the error of the
        nearest neighbour; ``half``, half the width of its binomial 95 % interval; ``floor``, Cover and Hart's bound.
    """
    chosen = data.select(columns)
    encode = make_column_transformer(
        (OneHotEncoder(), [name for name in columns if name in data.categorical]), remainder=StandardScaler()
    )
    points = encode.fit_transform(chosen.features)
    points = points.toarray() if hasattr(points, "toarray") else points
    groups = data.groups("sex")
    size = min(groups.sizes().values())
    rng = np.random.default_rng(0)
    rows = []
    for code, sex in enumerate(groups.names):
        members = np.flatnonzero(groups.codes == code)
        draws = 1 if len(members) == size else _DRAWS
        error = float(np.mean([_nearest(points, data.outcome, rng.permutation(members)[:size]) for _ in range(draws)]))
        share = float(data.outcome[members].mean())
        rows.append(
            {"data_set": data_set, "feature_set": feature_set, "sex": sex, "n": size}
            | {"rarer": 100 * min(share, 1 - share), "nearest": 100 * error}
            | {"half": 196 * float(np.sqrt(error * (1 - error) / size)), "floor": 100 * bayes_bound(error)}
        )
    return rows


def _nearest(points: npt.NDArray[np.float64], outcome: npt.NDArray[Any], rows: npt.NDArray[np.intp]) -> float:
    found = NearestNeighbors(n_neighbors=1).fit(points[rows]).kneighbors(return_distance=False)[:, 0]
    return float(np.mean(outcome[rows] != outcome[rows][found]))


def bayes_bound(nearest: float) -> float:
    """Return the least error of any rule for an error of the nearest neighbour, which is at most one half.

    Examples
    --------
    >>> round(bayes_bound(0.18), 3)
    0.1
    """
    return float((1 - np.sqrt(max(0.0, 1 - 2 * nearest))) / 2)
