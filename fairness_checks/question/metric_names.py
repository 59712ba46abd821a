"""What a metric is called elsewhere: names that are taken, and hints for those that are not. Loads no NumPy."""

# A name is taken where it means the same quantity with the same sign, as the clinic's and those of scikit-learn and
# Fairlearn do; records, ids and baselines hold the one of METRICS. A name of another quantity is never turned into one
# of ours: the hint says what is nearest in meaning, and how it differs.

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType

from fairness_checks.errors import listed
from fairness_checks.question.limits import OF_ONE_GROUP, LimitKind

__all__ = ["ALIASES", "alias_limit_problem", "canonical", "metric_hint", "plain_name"]

ALIASES: Mapping[str, str] = MappingProxyType(
    {
        "accuracy_score": "accuracy",
        "auc": "roc_auc",
        "auroc": "roc_auc",
        "balanced_accuracy_score": "balanced_accuracy",
        "brier_score_loss": "brier_score",
        "c_statistic": "roc_auc",
        "demographic_parity": "selection_rate",
        "ece": "expected_calibration_error",
        "equal_opportunity": "true_positive_rate",
        "equalised_odds": "equalized_odds",
        "fnr": "false_negative_rate",
        "fpr": "false_positive_rate",
        "mae": "mean_absolute_error",
        "miss_rate": "false_negative_rate",
        "mse": "mean_squared_error",
        "npv": "negative_predictive_value",
        "positive_predictive_value": "precision",
        "ppv": "precision",
        "precision_score": "precision",
        "recall": "true_positive_rate",
        "recall_score": "true_positive_rate",
        "roc_auc_score": "roc_auc",
        "sensitivity": "true_positive_rate",
        "specificity": "true_negative_rate",
        "statistical_parity": "selection_rate",
        "tnr": "true_negative_rate",
        "tpr": "true_positive_rate",
    }
)
"""Names that are taken for a metric, as `plain_name` writes them: in any case, with blanks or hyphens for ``_``."""

_PARITIES = ("demographic_parity", "equal_opportunity", "statistical_parity")
"""Of these, those that say that groups are alike, and not a value that one group has."""

_ELSEWHERE: Mapping[str, str] = MappingProxyType(
    {
        "acc": "accuracy",
        "bacc": "balanced_accuracy",
        **dict.fromkeys(("brier", "brier_loss", "neg_brier_score"), "brier_score"),
        "calibration_error": "expected_calibration_error",
        **dict.fromkeys(("fall_out", "false_alarm_rate"), "false_positive_rate"),
        **dict.fromkeys(("cross_entropy", "logloss", "neg_log_loss"), "log_loss"),
        "neg_mean_absolute_error": "mean_absolute_error",
        "neg_mean_squared_error": "mean_squared_error",
        "hit_rate": "true_positive_rate",
        **dict.fromkeys(("area_under_roc", "area_under_the_roc_curve", "roc", "roc_curve"), "roc_auc"),
        "equal_odds": "equalized_odds",
    }
)
"""Names that are not taken, as they have the other sign, or another meaning elsewhere, too."""

_F_SCORE = (("precision", "true_positive_rate"), "of which it is the harmonic mean: check both")
_OVERLAP = (("precision", "true_positive_rate"), "which it puts together: check both")
_ERROR_RATE = (("accuracy",), "which is 1 minus it")
_RANKED = (("roc_auc",), "which, unlike it, does not depend on prevalence; or precision at the threshold that you use")
_CHANCE = (("balanced_accuracy",), "which counts both classes, too, and, unlike it, does not depend on prevalence")
_YOUDEN = (("balanced_accuracy",), "of which it is twice, less 1")
_LIKELIHOOD = (("true_positive_rate", "false_positive_rate"), "of which it is a ratio: check both")
_SQUARES = (("mean_squared_error",), "of which it is 1 minus the ratio to the variance")
_LOG_ERROR = (("mean_squared_error",), "of errors that you give as differences of logarithms")
_RELATIVE = (("mean_absolute_error",), "of errors that you give as shares of the true value")
_OF_ROWS = (("mean_absolute_error",), "a mean: of a median or a largest error there is no inference here")
_SCORES = (("brier_score", "log_loss"), "of probabilities")
_NEAREST: Mapping[str, tuple[tuple[str, ...], str]] = MappingProxyType(
    {
        **dict.fromkeys(("f1", "f1_score", "f_score", "dice"), _F_SCORE),
        **dict.fromkeys(("f_beta", "fbeta_score", "f2_score", "fowlkes_mallows_score"), _OVERLAP),
        **dict.fromkeys(("jaccard", "jaccard_score", "iou"), _OVERLAP),
        **dict.fromkeys(("false_discovery_rate", "fdr"), (("precision",), "which is 1 minus it")),
        **dict.fromkeys(("false_omission_rate", "for"), (("negative_predictive_value",), "which is 1 minus it")),
        **dict.fromkeys(
            ("error_rate", "mean_error_rate", "misclassification_rate", "zero_one_loss", "hamming_loss"), _ERROR_RATE
        ),
        **dict.fromkeys(("average_precision", "average_precision_score", "pr_auc", "auprc", "auc_pr"), _RANKED),
        **dict.fromkeys(("matthews_corrcoef", "mcc", "cohen_kappa_score", "kappa"), _CHANCE),
        **dict.fromkeys(("informedness", "youden"), _YOUDEN),
        "gini": (("roc_auc",), "of which it is twice, less 1"),
        **dict.fromkeys(("class_likelihood_ratios", "likelihood_ratio"), _LIKELIHOOD),
        "lift": (("precision",), "of which it is the ratio to the prevalence"),
        "average_odds": (("equalized_odds",), "the larger of the two disparities that it averages"),
        "disparate_impact": (("selection_rate",), "of which it is the ratio: write selection_rate with min_ratio"),
        "treatment_equality": (("false_negative_rate", "false_positive_rate"), "whose errors it counts: check both"),
        "conditional_use_accuracy": (("precision", "negative_predictive_value"), "check both"),
        "predictive_parity": (("precision",), "which it says to be alike: write precision with max_difference"),
        "predictive_equality": (
            ("false_positive_rate",),
            "which it says to be alike: write false_positive_rate with max_difference",
        ),
        **dict.fromkeys(("prevalence", "base_rate", "positive_rate"), (("selection_rate",), "of predictions")),
        **dict.fromkeys(("mean_prediction", "count"), (("selection_rate",), "of decisions; scores have brier_score")),
        **dict.fromkeys(("r2", "r2_score", "explained_variance_score", "d2_tweedie_score"), _SQUARES),
        **dict.fromkeys(("rmse", "root_mean_squared_error"), (("mean_squared_error",), "which is its square")),
        **dict.fromkeys(("mean_squared_log_error", "root_mean_squared_log_error"), _LOG_ERROR),
        **dict.fromkeys(("mean_absolute_percentage_error", "mape"), _RELATIVE),
        **dict.fromkeys(("median_absolute_error", "max_error", "d2_absolute_error_score"), _OF_ROWS),
        **dict.fromkeys(("hinge_loss", "d2_brier_score", "d2_log_loss_score"), _SCORES),
        **dict.fromkeys(("bias", "mean_bias"), (("mean_error",), "which has a sign")),
        **dict.fromkeys(("calibration", "calibration_slope"), (("expected_calibration_error",), "over ten bins")),
        "top_k_accuracy_score": (("accuracy",), "of two classes"),
    }
)
"""Other quantities, by name: those that are nearest in meaning, and how they differ."""

_SHORTENED: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("fn", "fnr"), "false negative"),
        **dict.fromkeys(("fp", "fpr"), "false positive"),
        **dict.fromkeys(("tn", "tnr"), "true negative"),
        **dict.fromkeys(("tp", "tpr"), "true positive"),
        **dict.fromkeys(("fd", "fdr"), "false discovery"),
        "fo": "false omission",
        "npv": "negative predictive",
        "ppv": "positive predictive",
        "auroc": "roc auc",
        "rocauc": "roc auc",
        "neg": "negative",
        "pos": "positive",
        "pred": "predictive",
        "acc": "accuracy",
        "bal": "balanced",
        "calib": "calibration",
        "sens": "sensitivity",
        "spec": "specificity",
        "prec": "precision",
        "abs": "absolute",
        "sq": "squared",
        "err": "error",
        "eq": "equalized",
        "opp": "opportunity",
        "dem": "demographic",
        "stat": "statistical",
    }
)
"""Words that are written short, and what they stand for."""

_FILLING = frozenset({"rate", "rates", "score", "scores", "value", "values", "val", "loss", "metric"})
"""Words that tell no two quantities of the same other words apart."""

_ENDINGS: Mapping[str, LimitKind] = MappingProxyType(
    {
        **dict.fromkeys(("_difference", "_diff", "_gap"), "max_difference"),
        "_ratio": "min_ratio",
        "_group_max": "max_value",
        "_group_min": "min_value",
    }
)
"""What Fairlearn and others add to a metric's name, and the limit that says it here."""


def canonical(name: str, known: Collection[str]) -> str:
    """Return the name of METRICS of a metric, however it is called; a name that is known, or none, as it is.

    Examples
    --------
    >>> canonical("Sensitivity", ["true_positive_rate"]), canonical("f1_score", ["true_positive_rate"])
    ('true_positive_rate', 'f1_score')
    """
    if name in known:
        return name
    ours = ALIASES.get(plain_name(name), name)
    return ours if ours in known else name


def alias_limit_problem(name: str, known: Collection[str], kind: str, of: str | None = None) -> str | None:
    """Say why a name that compares groups has no limit of one group's value; None where it has."""
    if name in known or plain_name(name) not in _PARITIES:
        return None
    if of in (None, "disparity") and kind not in OF_ONE_GROUP:
        return None
    what = kind if of is None else f"of: {of}"
    return (
        f"{name} says that groups are alike, and {what} is of one group; write {canonical(name, known)} for its value"
    )


def metric_hint(name: str, known: Iterable[str]) -> str:
    """Return a clause that names the metric that was meant, or what is nearest in meaning, and all of them."""
    names = sorted(set(known))
    written = plain_name(name)
    if (other := _not_here(written, names)) is not None:
        return f"{other} (allowed: {', '.join(names)})"
    for ending, kind in _ENDINGS.items():
        stem = written.removesuffix(ending)
        meant = stem if stem in names else ALIASES.get(stem) or next(iter(_alike(stem, names)), None)
        if stem != written and meant in names:
            return f"did you mean {meant!r} with {kind}? (allowed: {', '.join(names)})"
    return listed(_meant(written, names), names)


def plain_name(name: str) -> str:
    """Return a name as names are compared: in lower case, with ``_`` for all but letters and digits."""
    return re.sub(r"[^a-z0-9]+", "_", name.casefold()).strip("_")


def _not_here(written: str, names: list[str]) -> str | None:
    """Say what is nearest in meaning to a quantity that there is not; None of any other name."""
    stem = next((written.removesuffix(end) for end in _ENDINGS if written.endswith(end)), written)
    found = _NEAREST.get(written) or _NEAREST.get(stem)
    if found is None and not _alike(written, names):
        alike = [*_alike(written, _NEAREST), *_alike(stem, _NEAREST)]
        found = _NEAREST.get(alike[0] if alike else _closest(written, names) or "")
    if found is None or not (there := [metric for metric in found[0] if metric in names]):
        return None
    return f"nearest in meaning: {' and '.join(there)}, {found[1]}"


def _meant(written: str, names: list[str]) -> str | None:
    """Return a name of the same quantity; one that only looks alike is another, such as f1_score and brier_score."""
    if (ours := ALIASES.get(written, _ELSEWHERE.get(written))) in names:
        return ours
    called = {name: ours for name, ours in {**ALIASES, **_ELSEWHERE}.items() if ours in names}
    if alike := [*_alike(written, names), *_alike(written, called)]:
        return alike[0] if alike[0] in (*names, *ALIASES) else called[alike[0]]
    if (close := _closest(written, names)) is not None:
        return close if close not in _NEAREST else None
    words = written.split("_")
    begun = [other for other in names if len(words) > 1 and other.casefold().split("_")[: len(words)] == words]
    return begun[0] if len(begun) == 1 else None


def _alike(written: str, names: Iterable[str]) -> list[str]:
    """Return the names of the same words, however they are joined, shortened, ordered or filled up."""
    joined, words = written.replace("_", ""), _telling(written)
    words = [] if words == [written] else words  # one word alone, such as error, may be of any of them
    return [n for n in names if joined == n.casefold().replace("_", "") or (words and words == _telling(n.casefold()))]


def _telling(written: str) -> list[str]:
    """Return the words, in full, that tell a quantity from others: fn_rate and fnrate are false and negative."""
    full = (_SHORTENED.get(word, _SHORTENED.get(word.removesuffix("rate"), word)) for word in written.split("_"))
    words = (
        word[:-1] if len(word) > 5 and word[-1:] == "s" != word[-2:-1] else word for word in " ".join(full).split()
    )
    return sorted(word for word in words if word not in _FILLING)


def _closest(written: str, names: list[str]) -> str | None:
    """Return the name of which each word is that of another but for a letter, also of what there is not."""
    words = written.split("_")
    close = [other for other in names if _same_words(words, other.casefold().split("_"))]
    close += [alias for alias, ours in ALIASES.items() if ours in names and _is_misspelt(written, alias)]
    close += [other for other in _NEAREST if _is_misspelt(written, other)]
    found = difflib.get_close_matches(written, close, n=1, cutoff=0.0)
    return found[0] if found else None


_SHORT = 6  # letters: shorter names of three letters are all near each other


def _is_misspelt(written: str, alias: str) -> bool:
    return len(alias) >= _SHORT and _same_words(written.split("_"), alias.split("_"))


def _same_words(words: list[str], others: list[str]) -> bool:
    """Say whether two names have the same words, each but for a letter."""
    return len(words) == len(others) and all(map(_same_word, words, others))


def _same_word(word: str, other: str) -> bool:
    """Say whether a word is another but for a letter, or for their order."""
    return sorted(word) == sorted(other) or difflib.SequenceMatcher(None, word, other).ratio() >= 0.85
