"""What the first table becomes with other seeds, parameters, splits and features: how much hangs on each of these.

The published study names neither its seed nor its parameters, and its splits are not known. Each row here is the as-is
mix with one of these choices changed; none was chosen by its distance from the published figures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special
from sklearn.model_selection import train_test_split

from fairness_checks.plain import JSON
from fairness_checks.stats.repeats import repeat_estimates
from fairness_checks.storage.cache import FittedCache
from fairness_checks.storage.code_digest import code_digest
from fairness_checks.sweep import DataSet, SweepResults
from models.random_forest import random_forest
from models.studies.gaps import SEXES, overall_accuracy, values

__all__ = ["measured", "missed_days", "plain_splits", "setting_row"]

Array = npt.NDArray[np.float64]
Measured = Mapping[str, Array]

_TEST = 0.3


def measured(results: SweepResults, feature_set: str) -> dict[str, Array]:
    """Return accuracy (J,) and false negative rate (2, J), men first, of the as-is mix of a sweep."""
    return {
        "accuracy": overall_accuracy(results, "as_is", feature_set),
        "false_negative_rate": values(results, "false_negative_rate", "as_is", feature_set),
    }


def plain_splits(
    cache: FittedCache, name: str, data: DataSet, columns: Sequence[str], repeats: int
) -> dict[str, Array]:
    """Return the same of scikit-learn's default forest on plain random splits, drawn across sex and outcome.

    Split and forest of repeat k have the seed k, as in most notebooks.

    Parameters
    ----------
    cache : FittedCache
        Where the figures are kept.
    name : str
        The table, for the name of the file.
    data : DataSet
        All rows.
    columns : sequence of str
        The feature set.
    repeats : int
        Number of splits.
    """
    key: dict[str, JSON] = {
        "data": data.select(columns).fingerprint(),
        "code": code_digest(plain_splits),
        "libraries": {name: version(name) for name in ("numpy", "pandas", "scikit-learn", "scipy")},
        "repeats": repeats,
    }

    def compute() -> Mapping[str, npt.NDArray[Any]]:
        accuracy, missed = np.empty(repeats), np.empty((2, repeats))
        features, sex = data.select(columns).features, data.sensitive_features["sex"].to_numpy()
        for k in range(repeats):
            train, test = train_test_split(np.arange(len(data)), test_size=_TEST, random_state=k)
            forest = random_forest(k).fit(features.iloc[train], data.outcome[train])
            wrong = forest.predict(features.iloc[test]) != data.outcome[test]
            accuracy[k] = 1 - wrong.mean()
            ill = data.outcome[test] == 1
            missed[:, k] = [wrong[ill & (sex[test] == name)].mean() for name in SEXES]
        return {"accuracy": accuracy, "false_negative_rate": missed}

    return cache.arrays(f"plain-splits-{name}", key, compute)


def missed_days(data: DataSet, columns: Sequence[str], repeats: int, late: int = 90) -> list[dict[str, Any]]:
    """Return on which day those died whom scikit-learn's default forest misses and finds, over plain splits.

    Parameters
    ----------
    data : DataSet
        With a feature ``time``, the day of death or of the last visit.
    columns : sequence of str
        The feature set.
    repeats : int
        Number of splits.
    late : int
        Day after which a death counts as a late one.

    Returns
    -------
    list of dict
        ``who`` ("missed", "found", and the dead of each sex), ``deaths`` (of all splits together), ``median_day``, and
        ``late``, the share that died late, in percent.
    """
    features, days = data.select(columns).features, data.features["time"].to_numpy()
    sex, died = data.sensitive_features["sex"].to_numpy(), data.outcome == 1
    found: dict[str, list[Any]] = {"missed": [], "found": []}
    for k in range(repeats):
        train, test = train_test_split(np.arange(len(data)), test_size=_TEST, random_state=k)
        predicted = random_forest(k).fit(features.iloc[train], data.outcome[train]).predict(features.iloc[test])
        for label, who in enumerate(found):
            found[who] += days[test[died[test] & (predicted == label)]].tolist()
    found |= {f"all, {name}": days[died & (sex == name)].tolist() for name in sorted(SEXES)}
    return [
        {
            "who": who,
            "deaths": len(at),
            "median_day": float(np.median(at)),
            "late": 100 * float(np.mean(np.array(at) > late)),
        }
        for who, at in found.items()
        if at
    ]


def setting_row(data_set: str, setting: str, found: Measured) -> dict[str, Any]:
    """Return the means in percent, the gap of men minus women, and its corrected 95 % interval.

    Examples
    --------
    >>> found = {"accuracy": np.array([0.8, 0.9]), "false_negative_rate": np.array([[0.1, 0.2], [0.3, 0.4]])}
    >>> row = setting_row("heart_failure", "two splits", found)
    >>> round(row["accuracy"]), round(row["gap"])
    (85, -20)
    """
    men, women = found["false_negative_rate"]
    corrected = repeat_estimates(men - women, 1 - _TEST, _TEST)
    half = np.sqrt(corrected.variance[0]) * special.stdtrit(corrected.freedom[0], 0.975)
    return {
        "data_set": data_set,
        "setting": setting,
        "accuracy": 100 * found["accuracy"].mean(),
        "male": 100 * np.nanmean(men),
        "female": 100 * np.nanmean(women),
        "gap": 100 * corrected.value[0],
        "low": 100 * (corrected.value[0] - half),
        "high": 100 * (corrected.value[0] + half),
    }
