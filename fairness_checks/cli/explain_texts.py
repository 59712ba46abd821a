"""What `fairness-checks explain` says of each metric beside its meaning: when to ask for it, and what it hides."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

__all__ = ["EXPLAIN", "EXPLAIN_CODES", "TEXTS"]

EXPLAIN = """\
Say of a metric what it means for patients, its formula, when to use it, what it hides, which limits
it takes, and how many patients a limit takes to be settled. The clinic's names will do: sensitivity.
With --plan only the last, with more to be given: of a metric, or of each check of a thresholds.yaml.
"""
EXPLAIN_CODES = """\
exit codes:
  0  it was explained
  1  the thresholds.yaml has problems; each is a line on stderr
  2  there is no such metric, a file cannot be read, or the command is wrong

  fairness-checks explain false_negative_rate --max-difference 0.05 --prevalence 0.1
  fairness-checks explain --plan FNR --max-difference 0.1 --value 0.15 --prevalence 0.1
  fairness-checks explain --plan thresholds.yaml
"""


class Explanation(NamedTuple):
    """A metric for a reader who knows patients."""

    use: str
    hides: str


TEXTS: Mapping[str, Explanation] = MappingProxyType(
    {
        "accuracy": Explanation(
            "Where a miss and a false alarm weigh the same.",
            "Where the condition is rare, a model that finds nobody is right for nearly all. Groups with other "
            "prevalences differ in it without any unequal treatment.",
        ),
        "balanced_accuracy": Explanation(
            "Where groups have different prevalences, and misses and false alarms weigh the same.",
            "It averages misses and false alarms: more of one can hide fewer of the other.",
        ),
        "brier_score": Explanation(
            "Where clinicians read the score itself, as a probability.",
            "It depends on prevalence, and mixes ranking with calibration.",
        ),
        "equalized_odds": Explanation(
            "Where neither misses nor false alarms may differ between groups, and one check is to say so.",
            "Which of the two it was; the record names it. It says nothing of what a prediction is worth.",
        ),
        "expected_calibration_error": Explanation(
            "Where a score of 20 % must mean 20 in 100, in every group.",
            "Whether scores are too high or too low; and in small groups it is too high by chance.",
        ),
        "false_negative_rate": Explanation(
            "Where a miss harms: screening, triage, early warning.",
            "False alarms: a model that alerts for everybody misses nobody. Whether the labels themselves are missed "
            "more often in one group.",
        ),
        "false_positive_rate": Explanation(
            "Where an alarm harms: a biopsy, a treatment, a denial.",
            "Misses. Where the condition is rare, a small rate can still be most of all alarms: see precision.",
        ),
        "log_loss": Explanation(
            "Where sure and wrong scores must weigh heavily.",
            "A few patients with sure and wrong scores can decide it.",
        ),
        "mean_absolute_error": Explanation(
            "For measurements: a dose, an ejection fraction, a reconstruction.",
            "Whether it is off upwards or downwards: see mean_error. Rare large errors.",
        ),
        "mean_error": Explanation(
            "Where one direction is systematic for a group, as with oxygen readings on dark skin.",
            "Errors in both directions cancel: 0 can be a bad model.",
        ),
        "mean_squared_error": Explanation(
            "For measurements in which large errors harm most.",
            "A few patients can decide it.",
        ),
        "mean_uncertainty": Explanation(
            "To see whether a group is told more often that the model does not know.",
            "Whether the model is right to be uncertain: see uncertainty_mismatch.",
        ),
        "negative_predictive_value": Explanation(
            "Where people are sent home by the prediction.",
            "It depends on prevalence: groups in which the condition is rarer look better.",
        ),
        "precision": Explanation(
            "Where alarms cost: time, beds, trust. It is the positive predictive value.",
            "Misses; and it depends on prevalence, so that groups differ in it without unequal treatment.",
        ),
        "roc_auc": Explanation(
            "To compare scores before a threshold is chosen.",
            "Everything about the threshold in use, and calibration: groups of equal AUC can have very unequal "
            "misses at one threshold.",
        ),
        "selection_rate": Explanation(
            "Where the decision hands something out, and need is the same in all groups.",
            "Who is selected: equal shares can leave out those in need. With unequal prevalences equal shares mean "
            "unequal misses or unequal false alarms.",
        ),
        "true_negative_rate": Explanation(
            "As false_positive_rate, counted the other way.",
            "Misses.",
        ),
        "true_positive_rate": Explanation(
            "As false_negative_rate, counted the other way. For min_ratio mind the side: 0.95 of 0.98 is near, and "
            "misses of 5 and 2 in 100 are not.",
            "False alarms: a model that alerts for everybody finds everybody.",
        ),
        "uncertainty_mismatch": Explanation(
            "Where clinicians are to trust uncertain predictions less.",
            "Whether errors differ at all: where they do not, there is nothing to warn of.",
        ),
    }
)
