"""Whether a model ranks or decides worse than chance: no question of fairness, but a sign that something is wrong."""

# Out of fold, K models that share most of their training rows are judged as one, and what they make of rows that they
# have not seen is correlated. As that of a mean over repeats (`stats.repeats`), the variance is taken K (1 / K + 1 /
# (K - 1)) times as large (Nadeau and Bengio, Mach. Learn. 52 (2003) 239, doi:10.1023/A:1024068626366), and the level
# half as high, as areas of models that found nothing lie a little below 0.5 (`sweep.splits.folds`).

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping

import numpy as np

from fairness_checks.findings.finding import find
from fairness_checks.inputs.predictions import LazyPredictions, Predictions
from fairness_checks.kinds.group_statistics import GroupStatistics
from fairness_checks.question.checks import Check, Missing, Settings
from fairness_checks.stats.inference import Inference

__all__ = ["CHANCE", "SKILLS", "chance_note", "chance_notes"]

CHANCE = 0.5
"""What a model without skill reaches in either metric, however many positives there are."""

SKILLS = {"roc_auc": ("ranks", "AUC"), "balanced_accuracy": ("decides", "balanced accuracy")}
"""The metrics, among which the level is shared: what a model does, and what reports call its value."""

_MOST = 50_000  # samples: they show an area to 0.005, and an audit of more rows need not sort them all


def chance_notes(predictions: Predictions, settings: Settings, *, folds: int | None = None) -> tuple[str, ...]:
    """Return a note if all samples together are ranked or decided worse than chance, else nothing."""
    # Area and balanced accuracy, cluster-robust, where their intervals at 1 - alpha end below 0.5: of models without
    # any skill at most alpha are noted. Of more than 50,000 samples that many are drawn. `folds` where they are out
    # of fold.
    if isinstance(predictions, LazyPredictions):
        asked = list(_in_engine(predictions))
    elif predictions.y_true is None or predictions.y_pred is None:
        return ()
    else:
        predictions = _drawn(predictions)
        asked = [name for name in SKILLS if name != "roc_auc" or predictions.y_score is not None]
    level = dataclasses.replace(settings, alpha=settings.alpha / len(SKILLS) / (1 if folds is None else 2))
    widened = 1.0 if folds is None else math.sqrt(1.0 + folds / (folds - 1.0))
    answers = {name: _below_chance(predictions, name, level, widened) for name in asked}
    found = {name: answer for name, answer in answers.items() if answer is not None}
    if not found:
        return ()
    if folds is None:
        return (chance_note("the model", found, "are its scores or labels the wrong way round"),)
    return (chance_note("out of fold the model", found, "something is wrong with it or with its split"),)


def chance_note(subject: str, found: Mapping[str, Inference], blame: str) -> str:
    """Put into words which metrics, by name, are below chance."""
    verbs = " and ".join(SKILLS[name][0] for name in found)
    values = ", ".join(f"{SKILLS[name][1]} {f.estimate:.3f} [{f.low:.3f}, {f.high:.3f}]" for name, f in found.items())
    return f"{subject} {verbs} worse than chance: {values}; {blame}"


def _in_engine(predictions: LazyPredictions) -> tuple[str, ...]:
    """Return the metrics that the counts say; areas would cost a query of their own."""
    given = predictions.engine.given
    return ("balanced_accuracy",) if {"y_true", "y_pred"} <= given and "cluster" not in given else ()


def _together(predictions: LazyPredictions, check: Check) -> GroupStatistics:
    """Return the counts of all samples in one group."""
    some = next(iter(predictions.sensitive_features))
    by_group = GroupStatistics.from_predictions(predictions, [some], Missing("group", ()))
    return GroupStatistics(check.by, (("all",),), by_group.counts.sum(axis=0, keepdims=True))


def _drawn(predictions: Predictions) -> Predictions:
    """Return samples, at most `_MOST`, in one group."""
    rows: slice | np.ndarray = slice(None)
    if len(predictions) > _MOST:
        rows = np.unique(np.random.default_rng(0).integers(0, len(predictions), _MOST))
    parts = {
        name: getattr(predictions, name)[rows]
        for name in ("y_true", "y_pred", "y_score", "cluster")
        if getattr(predictions, name) is not None
    }
    return Predictions(**parts, sensitive_features={"all": np.zeros(len(parts["y_true"]), dtype=np.int8)})


def _below_chance(predictions: Predictions, metric: str, settings: Settings, widened: float) -> Inference | None:
    """Return the metric of all samples, its interval widened, if it is below chance, else nothing."""
    check = Check(metric, ("all",), "min_value", CHANCE)
    if isinstance(predictions, LazyPredictions):
        statistics = _together(predictions, check)
    else:
        statistics = GroupStatistics.from_predictions(predictions, check.by, metrics=[check.definition])
    if statistics.one_cluster_each:  # of which nothing can be said, and the checks say so
        return None
    found = find(statistics, check, settings).inference
    if found is None:
        return None
    value = found.estimate
    low, high = value + widened * (found.low - value), value + widened * (found.high - value)
    return dataclasses.replace(found, low=low, high=high).clipped(0.0, 1.0) if high < CHANCE else None
