"""Gradient boosting against its fairness-aware variant, FAGTB, each with and without sex among the features.

Straw, Rees, Nachev, J Med Internet Res 2024;26:e46936, https://doi.org/10.2196/46936, Table 5: 10 runs at 0.8:0.2. On
heart failure the published accuracy of 71 % is met without ``time`` only, which is therefore a feature set here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fairness_checks.sweep import DataSet, SweepResults, TrainableModel
from models.fagtb import fair_boosting
from models.gradient_boosting import gradient_boosting
from models.studies.cardiac_data import ALL_FEATURES, FEATURE_SETS, WITHOUT_TIME
from models.studies.forests import predict
from models.studies.gaps import overall_accuracy, values

__all__ = ["LEARNERS", "boosting_feature_sets", "boosting_rows", "trainable_boosting"]


def _fit_gradient_boosting(train: DataSet, rng: np.random.Generator) -> Any:
    return gradient_boosting(int(rng.integers(2**31))).fit(train.features, train.outcome)


def _fit_fagtb(train: DataSet, rng: np.random.Generator) -> Any:
    model = fair_boosting(int(rng.integers(2**31)))
    return model.fit(train.features, train.outcome, sensitive_features=train.sensitive_features["sex"])


LEARNERS = {"gradient_boosting": _fit_gradient_boosting, "fagtb": _fit_fagtb}
"""By the name of the published table; both have their own module's default parameters."""


def boosting_feature_sets(table: str) -> dict[str, tuple[str, ...]]:
    """Return the columns with sex, without it and, on heart failure, with sex but without the time of follow-up."""
    return {name: FEATURE_SETS[table][name] for name in (ALL_FEATURES, "without_sex")} | WITHOUT_TIME[table]


def trainable_boosting(learner: str, data: DataSet, feature_sets: Mapping[str, Sequence[str]]) -> TrainableModel:
    """Return one of `LEARNERS` as a model that a sweep can train again."""
    return TrainableModel(
        data=data,
        fit=LEARNERS[learner],
        predict=predict,
        feature_sets=feature_sets,
    )


def boosting_rows(table: str, learner: str, results: SweepResults, runs: Sequence[int]) -> list[dict[str, Any]]:
    """Return the means over the first runs: accuracy, and the absolute gaps of the two rates.

    Parameters
    ----------
    table, learner : str
        Go into each row.
    results : SweepResults
        Of the mix "as_is".
    runs : sequence of int
        How many of the first runs to take the mean of; a set of rows for each.

    Returns
    -------
    list of dict
        ``accuracy`` in percent; ``disp_fpr`` and ``disp_fnr``, absolute gaps in [0, 1], mean over the runs, as
        published; ``gap_fnr``, men minus women, mean with its sign.
    """
    rows = []
    feature_sets = dict.fromkeys(r.feature_set for r in results.results)
    for count in runs:
        for feature_set in feature_sets:
            gap = {
                metric: np.subtract(*values(results, metric, "as_is", feature_set))[:count]
                for metric in ("false_positive_rate", "false_negative_rate")
            }
            rows.append(
                {
                    "data_set": table,
                    "model": learner,
                    "feature_set": feature_set,
                    "runs": count,
                    "accuracy": 100 * float(overall_accuracy(results, "as_is", feature_set)[:count].mean()),
                    "disp_fpr": float(np.nanmean(np.abs(gap["false_positive_rate"]))),
                    "disp_fnr": float(np.nanmean(np.abs(gap["false_negative_rate"]))),
                    "gap_fnr": float(np.nanmean(gap["false_negative_rate"])),
                }
            )
    return rows
