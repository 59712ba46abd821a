"""What each metric means for patients, in a sentence: `explain` and the glossary of report.html say the same."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

__all__ = ["MEANINGS"]

MEANINGS: Mapping[str, str] = MappingProxyType(
    {
        "accuracy": "Of all patients in a group, the share for whom the model is right.",
        "balanced_accuracy": "How often the model would be right if half of a group had the condition.",
        "brier_score": "How far scores are from what happened, squared, on average; 0 is perfect.",
        "equalized_odds": "The larger of two disparities: in patients who are found, and in false alarms.",
        "expected_calibration_error": "By how much, on average, scores are off from how often the condition is there.",
        "false_negative_rate": "Of patients who have the condition, the share that the model misses.",
        "false_positive_rate": "Of patients who do not have the condition, the share for whom it raises a false alarm.",
        "log_loss": "How surprised one would be by what happened, going by the scores; 0 is perfect.",
        "mean_absolute_error": "By how much the model is off on average, in the unit of what it predicts.",
        "mean_error": "By how much the model is too high, or with a minus too low, on average.",
        "mean_squared_error": "The average squared error; a large error weighs more than several small ones.",
        "mean_uncertainty": "How uncertain the model says it is, on average.",
        "negative_predictive_value": "Of patients whom the model clears, the share that does not have the condition.",
        "precision": "Of patients for whom the model raises an alarm, the share that has the condition.",
        "roc_auc": (
            "How often a patient with the condition has a higher score than one without it: 0.5 is chance, 1 is always."
        ),
        "selection_rate": "Of all patients in a group, the share that the model selects.",
        "true_negative_rate": (
            "Of patients who do not have the condition, the share that the model clears: the specificity."
        ),
        "true_positive_rate": "Of patients who have the condition, the share that the model finds: the sensitivity.",
        "uncertainty_mismatch": (
            "How far the model's uncertainty falls short of its errors in telling the group that it fails."
        ),
    }
)
"""By the name of a metric, sorted by it."""
