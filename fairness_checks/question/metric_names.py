"""What a metric may have been meant: a misspelt name, or the name that it has elsewhere. Loads no NumPy."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from fairness_checks.errors import listed

__all__ = ["metric_hint"]

_ELSEWHERE: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("acc", "accuracy_score"), "accuracy"),
        **dict.fromkeys(("bacc", "balanced_accuracy_score"), "balanced_accuracy"),
        **dict.fromkeys(("brier", "brier_loss", "brier_score_loss"), "brier_score"),
        **dict.fromkeys(("equalised_odds", "equalized_odds_difference", "equalized_odds_ratio"), "equalized_odds"),
        **dict.fromkeys(("calibration_error", "ece"), "expected_calibration_error"),
        **dict.fromkeys(("fnr", "miss_rate"), "false_negative_rate"),
        **dict.fromkeys(("fall_out", "false_alarm_rate", "fpr"), "false_positive_rate"),
        **dict.fromkeys(("cross_entropy", "logloss"), "log_loss"),
        "mae": "mean_absolute_error",
        "mse": "mean_squared_error",
        "npv": "negative_predictive_value",
        **dict.fromkeys(("positive_predictive_value", "ppv", "precision_score"), "precision"),
        **dict.fromkeys(("auc", "auroc", "c_statistic", "roc_auc_score"), "roc_auc"),
        **dict.fromkeys(("demographic_parity", "demographic_parity_difference"), "selection_rate"),
        **dict.fromkeys(("demographic_parity_ratio", "disparate_impact", "statistical_parity"), "selection_rate"),
        **dict.fromkeys(("specificity", "tnr"), "true_negative_rate"),
        **dict.fromkeys(("equal_opportunity", "hit_rate", "recall", "recall_score"), "true_positive_rate"),
        **dict.fromkeys(("sensitivity", "tpr"), "true_positive_rate"),
    }
)
"""Names of the same quantities in the clinic, in scikit-learn and in Fairlearn."""


def metric_hint(name: str, known: Iterable[str]) -> str:
    """Return a clause that names the metric that was meant, or all of them."""
    names = sorted(set(known))
    return listed(_meant(name, names), names)


def _meant(name: str, names: list[str]) -> str | None:
    """Return a name of the same quantity; one that only looks alike is another, such as f1_score and brier_score."""
    written = re.sub(r"[^a-z0-9]+", "_", name.casefold()).strip("_")
    if (ours := _ELSEWHERE.get(written)) in names:
        return ours
    words = written.split("_")
    for other in names:
        parts = other.casefold().split("_")
        if "".join(words) == "".join(parts):
            return other
    close = [other for other in names if _same_words(words, other.casefold().split("_"))]
    begun = [other for other in names if len(words) > 1 and other.casefold().split("_")[: len(words)] == words]
    found = difflib.get_close_matches(written, close, n=1, cutoff=0.0) or (begun if len(begun) == 1 else [])
    return found[0] if found else None


def _same_words(words: list[str], others: list[str]) -> bool:
    """Say whether two names have the same words, each but for a letter."""
    return len(words) == len(others) and all(map(_same_word, words, others))


def _same_word(word: str, other: str) -> bool:
    """Say whether a word is another but for a letter, or for their order."""
    return sorted(word) == sorted(other) or difflib.SequenceMatcher(None, word, other).ratio() >= 0.85
