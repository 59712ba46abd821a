"""Descriptive statistics of a table by sex and outcome."""

from __future__ import annotations

from typing import Any

import numpy as np

from fairness_checks.sweep import DataSet

__all__ = ["describe"]


def describe(data_set: str, data: DataSet) -> list[dict[str, Any]]:
    """Return a row for each measured feature, and one for each category of the others.

    Parameters
    ----------
    data_set : str
        Goes into each row.
    data : DataSet
        With an outcome, and groups "female" and "male" of "sex".

    Returns
    -------
    list of dict
        For each sex and outcome, such as "female 1": "mean (SD)" with divisor n - 1, or "count (percent)". The first
        row has the numbers of patients.

    Examples
    --------
    >>> data = DataSet({"age": [40, 50, 60]}, [1, 1, 0], {"sex": ["female", "female", "male"]})
    >>> describe("small", data)[1]["female 1"]
    '45.0 (7.1)'
    """
    sex = data.sensitive_features["sex"].to_numpy()
    cells = {f"{name} {out}": (sex == name) & (data.outcome == out) for name in ("female", "male") for out in (0, 1)}
    rows: list[dict[str, Any]] = [
        {"data_set": data_set, "feature": "patients", "category": ""} | {k: str(int(c.sum())) for k, c in cells.items()}
    ]
    for name in data.features.columns:
        column = data.features[name].to_numpy(dtype=np.float64)
        row = {"data_set": data_set, "feature": str(name), "category": ""}
        if name not in data.categorical:
            rows.append(row | {key: _mean(column[cell]) for key, cell in cells.items()})
            continue
        for category in np.unique(column):
            is_it = column == category
            rows.append(row | {"category": f"{category:g}"} | {key: _share(is_it[cell]) for key, cell in cells.items()})
    return rows


def _mean(values: Any) -> str:
    if len(values) < 2:
        return f"{values[0]:.1f}" if len(values) else ""
    digits = 0 if abs(values.mean()) >= 1000 else 1 if abs(values.mean()) >= 10 else 2
    return f"{values.mean():.{digits}f} ({values.std(ddof=1):.{digits}f})"


def _share(is_it: Any) -> str:
    return f"{int(is_it.sum())} ({100 * is_it.mean():.0f}%)" if len(is_it) else ""
