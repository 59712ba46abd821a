"""How well this project's gaps agree with the published ones: sign, rank, and which of them are called significant."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

__all__ = ["agreement_rows", "below", "beside_published", "targets"]

_LEVEL = 0.05
_KEYS = ["data_set", "training_mix", "feature_set", "metric"]


def below(printed: str, level: float = _LEVEL) -> bool:
    """Say whether a p-value as printed ("<.01", ".049") is below a level.

    Examples
    --------
    >>> below("<.01"), below(".049"), below(".07")
    (True, True, False)
    """
    bound = float(printed.removeprefix("<"))
    return bound <= level if printed.startswith("<") else bound < level


def beside_published(ours: pd.DataFrame, published: pd.DataFrame) -> pd.DataFrame:
    """Return our rows with the published gap, its printed p-value and whether the signs agree.

    ``p_corrected_of_published`` is the corrected test's p-value of the published gap, if it spread over the repeats as
    ours does; the paper prints no spread of gaps.

    Parameters
    ----------
    ours : pandas.DataFrame
        Rows of `models.studies.gaps.gap_rows`.
    published : pandas.DataFrame
        `models.studies.reference.published_disparities`.
    """
    joined = ours.merge(published, on=_KEYS, how="left", validate="one_to_one")
    joined = joined.rename(columns={"male_minus_female_percent": "published", "p_value_reported": "p_printed"})
    freedom = joined["repeats"] - 1
    error = (joined["high"] - joined["low"]) / 2 / stats.t.ppf(0.975, freedom)
    joined["p_corrected_of_published"] = 2 * stats.t.sf(joined["published"].abs() / error, freedom)
    joined["same_sign"] = np.sign(joined["gap"]) == np.sign(joined["published"])
    return joined


def agreement_rows(joined: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Return, for each part of the cells, how many gaps have the published sign, and Spearman's rank correlation.

    Parameters
    ----------
    joined : pandas.DataFrame
        `beside_published`.
    by : list of str
        Columns that tell the parts apart.

    Returns
    -------
    pandas.DataFrame
        cells, same_sign, spearman, mean_absolute_difference (percentage points), and the number of cells that are
        significant at 0.05: as printed in the paper, by the paper's test on our repeats, and by the corrected test.
    """
    rows = []
    for key, part in joined.groupby(by, sort=False):  # a list of columns gives tuples
        rows.append(
            dict(zip(by, key, strict=True))
            | {
                "cells": len(part),
                "same_sign": int(part["same_sign"].sum()),
                "spearman": float(stats.spearmanr(part["gap"], part["published"]).statistic),
                "mean_absolute_difference": float((part["gap"] - part["published"]).abs().mean()),
                "significant_printed": int(part["p_printed"].map(below).sum()),
                "significant_published_test": int((part["p_published"] < _LEVEL).sum()),
                "significant_corrected": int((part["p_corrected"] < _LEVEL).sum()),
            }
        )
    return pd.DataFrame(rows)


def targets(gaps: pd.DataFrame, models: pd.DataFrame, published: pd.DataFrame) -> pd.DataFrame:
    """Return what must be met in the as-is mix with all features, and whether it is.

    Accuracy within 1.5 points of the published one; the gap of the false negative rate negative, and within 4 points.

    Parameters
    ----------
    gaps : pandas.DataFrame
        `beside_published`.
    models, published : pandas.DataFrame
        Rows of `models.studies.gaps.model_rows`, and Table 4.
    """
    rows = []
    for table in gaps["data_set"].unique():
        where = "data_set == @table and training_mix == 'as_is' and metric == "
        (ours,) = models.query(where + "'accuracy' and group == 'all'")["mean"]
        (theirs,) = published.query(where + "'accuracy' and group == 'all'")["mean_percent"]
        rows.append((table, "accuracy", ours, theirs, 1.5, abs(ours - theirs) <= 1.5))
        gap = gaps.query(where + "'false_negative_rate' and feature_set == 'with_sex'").iloc[0]
        kept = gap["gap"] < 0 and abs(gap["gap"] - gap["published"]) <= 4
        rows.append((table, "false_negative_rate gap", gap["gap"], gap["published"], 4.0, kept))
    return pd.DataFrame(rows, columns=["data_set", "what", "ours", "published", "within", "met"])
