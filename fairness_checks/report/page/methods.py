"""By what methods a run is judged, with references, and the words of the page in plain language."""

# docs/statistics.md says how each is used, and what was measured of it.

from __future__ import annotations

from typing import NamedTuple

__all__ = ["GLOSSARY", "METHODS", "NOT_SHOWN", "Method", "Term"]


class Method(NamedTuple):
    """A method, and where it comes from."""

    what: str
    how: str
    references: tuple[str, ...]


class Term(NamedTuple):
    """A word, and what it means."""

    word: str
    meaning: str


_MIETTINEN = "Miettinen and Nurminen, Stat. Med. 4 (1985) 213"
_NADEAU = "Nadeau and Bengio, Mach. Learn. 52 (2003) 239"

METHODS: tuple[Method, ...] = (
    Method(
        "Verdict",
        "Two tests against the limit at level alpha. A check fails where the data show that the limit is exceeded, and "
        "passes where they show that it is kept. Where neither is shown it is inconclusive. The interval has "
        "confidence 1 - 2 alpha.",
        ("Schuirmann, J. Pharmacokinet. Biopharm. 15 (1987) 657",),
    ),
    Method(
        "Several checks of a model",
        "P-values of violations are adjusted over all checks of a model, by Holm or by Benjamini-Hochberg.",
        ("Holm, Scand. J. Stat. 6 (1979) 65", "Benjamini and Hochberg, J. R. Stat. Soc. B 57 (1995) 289"),
    ),
    Method(
        "Difference or ratio of two rates",
        "Score test and interval at the limit; exact where events, or non-events, are few.",
        (_MIETTINEN, "Chan, Stat. Med. 17 (1998) 1403"),
    ),
    Method(
        "A rate of one group",
        "Exact binomial test and interval.",
        ("Clopper and Pearson, Biometrika 26 (1934) 404",),
    ),
    Method(
        "Means of errors",
        "Welch's test, widened and corrected for skewness.",
        ("Welch, Biometrika 34 (1947) 28", "Hall, Ann. Probab. 15 (1987) 920"),
    ),
    Method(
        "Area under the ROC curve",
        "DeLong's variance.",
        ("DeLong et al., Biometrics 44 (1988) 837", "Sun and Xu, IEEE Signal Process. Lett. 21 (2014) 1389"),
    ),
    Method(
        "More than two groups",
        "All pairs are compared together; the largest statistic decides (max-t).",
        ("Hothorn et al., Biom. J. 50 (2008) 346",),
    ),
    Method(
        "Patients with several samples (clusters)",
        "Variances and degrees of freedom count effective clusters.",
        (
            "Rao and Scott, Biometrics 48 (1992) 577",
            "Bell and McCaffrey, Survey Methodology 28 (2002) 169",
            "Obuchowski, Biometrics 53 (1997) 567",
        ),
    ),
    Method(
        "Sweeps over training mixes",
        "The model is retrained on shifted mixes. Repeats overlap, for which the variance is corrected.",
        (_NADEAU,),
    ),
    Method(
        "Uncertainty mismatch",
        "By how much a model's own uncertainty falls short of its errors in telling two groups apart: a difference of "
        "two correlated areas. Curves show the mean error of the samples that the model is most certain of.",
        ("DeLong et al., Biometrics 44 (1988) 837", "Geifman et al., ICLR (2019)"),
    ),
    Method(
        "Calibration error",
        "Over ten bins of the score, tested with and without what may be bias. Pictures show the bins with score "
        "intervals, at the largest variance that a bin allows.",
        ("Naeini et al., AAAI 29 (2015) 2901", "Wilson, J. Am. Stat. Assoc. 22 (1927) 209"),
    ),
)

GLOSSARY: tuple[Term, ...] = (
    Term("accuracy", "Share of patients for whom the model decides rightly."),
    Term(
        "area under the ROC curve (roc_auc)",
        "How often a patient with the condition gets a higher score than one without it: 0.5 is chance, 1 is always.",
    ),
    Term("baseline", "The last state of the models that was accepted. Later runs are compared with it."),
    Term(
        "calibration",
        "Whether, of patients with a score of 30 %, about 30 of 100 have the condition. "
        "expected_calibration_error is by how much it is missed on average; brier_score and log_loss judge scores.",
    ),
    Term("check", "One question to a model: one metric, by one or more features of patients, against one limit."),
    Term("cluster", "Samples that belong together, as all visits of one patient."),
    Term(
        "confidence interval",
        "Values that the data do not contradict, at the confidence given. It is wide where patients are few.",
    ),
    Term("false negative rate", "Of patients who have the condition, the share that the model misses."),
    Term("false positive rate", "Of patients without the condition, the share with a false alarm."),
    Term("inconclusive", "The data show neither that the limit is kept nor that it is exceeded. It is not a pass."),
    Term("limit", "What is allowed, as written in the file of limits before the run."),
    Term("mix", "Which share of each group a model was trained on, for a sweep."),
    Term("negative predictive value", "Of patients that the model clears, the share that is rightly cleared."),
    Term(
        "p-value (p)",
        "How often data like these would come about by chance, if the limit were kept. Small means hardly by chance.",
    ),
    Term("positives", "Samples whose label is the positive one, such as patients who have the condition."),
    Term("precision", "Of patients for whom the model raises an alarm, the share that has the condition."),
    Term(
        "risk-coverage curve",
        "The mean error where the samples that the model is least certain of are left out, more and more of them.",
    ),
    Term("selection rate", "Share of patients for whom the model predicts the positive label."),
    Term("suppressed", "Hidden, as so few patients could be recognised."),
    Term("sweep", "The model is trained again on other mixes of the groups, to see whether a difference goes away."),
    Term("true positive rate (sensitivity)", "Of patients who have the condition, the share that is found."),
    Term("true negative rate (specificity)", "Of patients without the condition, the share that is cleared."),
    Term(
        "uncertainty",
        "How unsure the model itself says it is. A mismatch means that it does not warn of the group "
        "in which it errs more.",
    ),
    Term("waived", "The limit is exceeded, and somebody has accepted that until a day, with a reason."),
)

NOT_SHOWN: tuple[str, ...] = (
    "It speaks of the samples that were tested. Other patients, sites and times may differ.",
    "A passed check says that this limit was shown to be kept on these data, at this level, and no more.",
    "Whether a limit is the right one is for those to say who set it.",
)
"""What the page does not say."""
