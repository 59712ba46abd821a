"""Whether the models of a sweep rank or decide worse than chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from fairness_checks.findings.chance import CHANCE, SKILLS, chance_note
from fairness_checks.plain import printable
from fairness_checks.stats.estimates import Estimates
from fairness_checks.stats.inference import Inference
from fairness_checks.stats.multiplicity import sidak_level
from fairness_checks.stats.ranking import FEWEST
from fairness_checks.stats.repeats import repeat_estimates
from fairness_checks.stats.worst_estimate import judge_worst_estimate
from fairness_checks.sweep.results import RepeatResult, SweepResults
from fairness_checks.typing import Array

__all__ = ["sweep_chance_notes"]

_MOST = 3  # mixes and feature sets that are named


def sweep_chance_notes(results: SweepResults, alpha: float) -> tuple[str, ...]:
    """Return a note for each mix and feature set under which the models are worse than chance, of many the first."""
    # All groups together, on the mean over the repeats, with the variance that knows of their overlap
    # (`stats.repeats`); Sidak over the mixes and feature sets. Areas are those within groups, weighted by pairs of a
    # positive and a negative: no pair across groups is kept of a training.
    trainings = sorted({(r.mix, r.feature_set) for r in results.results})
    level = sidak_level(alpha / len(SKILLS), len(trainings))
    notes = []
    for mix, feature_set in trainings:
        found = _below_chance(results.of(mix, feature_set), results.groups, level)
        if found:
            where = printable(f"in the sweep (mix {mix}, features {feature_set}) the model")
            notes.append(chance_note(where, found, "something is wrong with it, with its split or with the mix"))
    return tuple(notes[:_MOST])


def _below_chance(repeats: Sequence[RepeatResult], rows: Mapping[str, int], level: float) -> dict[str, Inference]:
    """Return the metrics, by name, whose mean over the repeats is below chance."""
    groups = sorted(repeats[0].groups)
    if any(r.groups[g].counts is None for r in repeats for g in groups):
        return {}
    tn, fp, fn, tp = np.array([[r.groups[g].counts for g in groups] for r in repeats], dtype=np.float64).transpose(
        2, 0, 1
    )
    areas = np.array([[r.groups[g].values.get("roc_auc") for g in groups] for r in repeats], dtype=np.float64)
    pairs = np.where(np.isnan(areas), 0.0, (tp + fn) * (tn + fp))
    with np.errstate(invalid="ignore"):  # where a class or every area is missing, the value is nan
        values = {
            "roc_auc": (pairs * np.nan_to_num(areas)).sum(axis=1) / pairs.sum(axis=1),
            "balanced_accuracy": sum(hit.sum(axis=1) / (hit + miss).sum(axis=1) for hit, miss in ((tp, fn), (tn, fp)))
            / 2.0,
        }
    classes = np.array([(tp + fn).sum(axis=1).mean(), (tn + fp).sum(axis=1).mean()])
    if classes.min() < FEWEST:
        return {}
    # Repeats may all agree, as those of a perfect model do; the least is the variance of a perfect area.
    least = 0.25 * float((classes**-2.0).sum())
    # Of all groups together no group may count for less of its rows than it has in common: the largest share is safe.
    tested = max(float(np.mean([r.groups[g].test for r in repeats])) / rows[g] for g in groups)
    judged = {name: _judged(value, 1.0 - tested, tested, least, level) for name, value in values.items()}
    return {name: found for name, found in judged.items() if found is not None and found.high < CHANCE}


def _judged(values: Array, n_train: float, n_test: float, least: float, level: float) -> Inference | None:
    """Judge the mean over the repeats against chance; None where it is undefined."""
    found = repeat_estimates(values, n_train, n_test)
    if np.isnan(found.value[0]):
        return None
    judged = Estimates(found.value, np.maximum(found.variance, least), found.freedom)
    return judge_worst_estimate(judged, CHANCE, level, ceiling=False, method="corrected resampled t").clipped(0.0, 1.0)
