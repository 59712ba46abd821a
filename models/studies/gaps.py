"""Sweep results -> the gap between men and women in each mix and feature set, with both kinds of p-value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special

from fairness_checks.stats.estimates import Estimates
from fairness_checks.stats.judge_repeats import repeats_violation
from fairness_checks.stats.published_test import published_test
from fairness_checks.stats.repeats import rate_variance, repeat_estimates
from fairness_checks.sweep import SweepResults

__all__ = ["METRICS", "SEXES", "gap_rows", "model_rows", "overall_accuracy", "values"]

SEXES = ("male", "female")
"""The first minus the second is the gap, as published."""

METRICS = ("accuracy", "roc_auc", "false_negative_rate", "false_positive_rate")
"""Metrics of the published tables."""

Array = npt.NDArray[np.float64]

# Of the cells tn, fp, fn, tp, those that a rate is a share of.
_DENOMINATOR = {"accuracy": (0, 1, 2, 3), "false_negative_rate": (2, 3), "false_positive_rate": (0, 1)}


def values(results: SweepResults, metric: str, mix: str, feature_set: str) -> Array:
    """Return a metric by sex and repeat, shape (2, J), men first; nan where undefined."""
    return np.array(
        [[np.nan if v is None else v for v in results.values(metric, sex, mix, feature_set)] for sex in SEXES]
    )


def overall_accuracy(results: SweepResults, mix: str, feature_set: str) -> Array:
    """Return the accuracy of all test rows of each repeat, shape (J,)."""
    counts = _counts(results, mix, feature_set).sum(axis=0)
    accuracy: Array = (counts[:, 0] + counts[:, 3]) / counts.sum(axis=1)
    return accuracy


def _counts(results: SweepResults, mix: str, feature_set: str) -> npt.NDArray[np.int64]:
    """Return the cells tn, fp, fn, tp by sex and repeat, shape (2, J, 4)."""
    return np.array([[r.groups[sex].counts for r in results.of(mix, feature_set)] for sex in SEXES], dtype=np.int64)


def _split_sizes(results: SweepResults, mix: str, feature_set: str) -> tuple[int, int]:
    """Return the rows of the training and the test part of a split, before a mix changes the training part."""
    n_test = sum(group.test for group in results.of(mix, feature_set)[0].groups.values())
    return sum(results.groups.values()) - n_test, n_test


def gap_rows(
    data_set: str, results: SweepResults, mixes: Sequence[str], feature_sets: Sequence[str]
) -> list[dict[str, Any]]:
    """Return a row for each mix, feature set and metric: the gap over the repeats, and who says what about it.

    Parameters
    ----------
    data_set : str
        Goes into each row.
    results : SweepResults
        Of groups "female" and "male".
    mixes, feature_sets : sequence of str
        Which of them; all must be in the results.

    Returns
    -------
    list of dict
        ``gap`` and ``sd`` (over repeats) in percentage points, men minus women; ``p_published``, the test of the
        paper, which takes repeats for independent, with its name in ``test_published``; ``p_corrected``, Nadeau and
        Bengio's; ``low`` and ``high``, the ends of its 95 % interval; ``p_gate``, the variance that this project's
        gate uses (nan for areas, whose variance in a test part a sweep does not keep).
    """
    rows = []
    for mix in mixes:
        for feature_set in feature_sets:
            n_train, n_test = _split_sizes(results, mix, feature_set)
            for metric in METRICS:
                by_sex = values(results, metric, mix, feature_set)
                gaps = by_sex[0] - by_sex[1]
                corrected = repeat_estimates(gaps, n_train, n_test)
                half = np.sqrt(corrected.variance[0]) * special.stdtrit(corrected.freedom[0], 0.975)
                published = published_test(*by_sex)
                rows.append(
                    {
                        "data_set": data_set,
                        "training_mix": mix,
                        "feature_set": feature_set,
                        "metric": metric,
                        "male": 100 * np.nanmean(by_sex[0]),
                        "female": 100 * np.nanmean(by_sex[1]),
                        "gap": 100 * corrected.value[0],
                        "sd": 100 * np.nanstd(gaps, ddof=1),
                        "low": 100 * (corrected.value[0] - half),
                        "high": 100 * (corrected.value[0] + half),
                        "test_published": published.name,
                        "p_published": published.p,
                        "p_corrected": _p(corrected),
                        "p_gate": _p_gate(results, mix, feature_set, metric, by_sex),
                        "repeats": int(np.isfinite(gaps).sum()),
                    }
                )
    return rows


def _p_gate(results: SweepResults, mix: str, feature_set: str, metric: str, by_sex: Array) -> float:
    if metric not in _DENOMINATOR:
        return float("nan")
    n_train, n_test = _split_sizes(results, mix, feature_set)
    samples = _counts(results, mix, feature_set)[:, :, _DENOMINATOR[metric]].sum(axis=2)
    variance = rate_variance(by_sex, samples, n_train, n_test).sum()
    return _p(repeat_estimates(by_sex[0] - by_sex[1], n_train, n_test, variance))


def _p(gap: Estimates) -> float:
    """Return the two-sided p-value of "no gap"; nan where a few repeats happen to agree and leave no variance."""
    return float(repeats_violation(gap, 0.0)[0]) if gap.variance[0] > 0.0 else float("nan")


def model_rows(data_set: str, results: SweepResults, mixes: Sequence[str], feature_set: str) -> list[dict[str, Any]]:
    """Return accuracy and false negative rate by sex, mean and standard deviation over the repeats, in percent."""
    rows = []
    for mix in mixes:
        first = results.of(mix, feature_set)[0]
        series = [("all", "accuracy", overall_accuracy(results, mix, feature_set))]
        for metric in ("accuracy", "false_negative_rate"):
            by_sex = dict(zip(SEXES, values(results, metric, mix, feature_set), strict=True))
            series += [(sex, metric, by_sex[sex]) for sex in sorted(by_sex)]
        rows += [
            {
                "data_set": data_set,
                "training_mix": mix,
                "n_train": sum(group.train for group in first.groups.values()),
                "group": group,
                "metric": metric,
                "mean": 100 * np.nanmean(found),
                "sd": 100 * np.nanstd(found, ddof=1),
            }
            for group, metric, found in series
        ]
    return rows
