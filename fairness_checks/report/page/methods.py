"""By what methods a run is judged, with references, and the words of the page in plain language."""

# docs/statistics.md says how each is used, and what was measured of it.

from __future__ import annotations

from typing import NamedTuple

from fairness_checks.question.metric_meanings import MEANINGS

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
        "passes where they show that it is kept. Where neither is shown it is inconclusive. The interval is two-sided, "
        "with confidence 1 - 2 alpha, and of one check alone: before p-values are adjusted, the verdict can be read "
        "off it.",
        ("Schuirmann, J. Pharmacokinet. Biopharm. 15 (1987) 657",),
    ),
    Method(
        "Several checks of a model",
        "P-values of violations are adjusted over all checks of a model. Holm keeps the probability that any check "
        "fails although its limit is kept below alpha; Benjamini-Hochberg keeps the expected share of such checks "
        "among those that fail. To show of each check that its limit is kept takes no adjustment "
        "(intersection-union test).",
        (
            "Holm, Scand. J. Stat. 6 (1979) 65",
            "Benjamini and Hochberg, J. R. Stat. Soc. B 57 (1995) 289",
            "Berger, Technometrics 24 (1982) 295",
        ),
    ),
    Method(
        "Difference or ratio of two rates",
        "Score test and interval at the limit; exact where events, or non-events, are few.",
        (
            _MIETTINEN,
            "Chan, Stat. Med. 17 (1998) 1403",
            "Berger and Boos, J. Am. Stat. Assoc. 89 (1994) 1012",
        ),
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
        "All pairs are compared together; the largest statistic decides (max-t, or Bonferroni where the dependence of "
        "pairs is not known). Of limits on single values the worst group decides, by Sidak's adjustment.",
        ("Hothorn et al., Biom. J. 50 (2008) 346", "Sidak, J. Am. Stat. Assoc. 62 (1967) 626"),
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
        "two correlated areas under the ROC curve, in which ties count half. Curves show the mean error of the samples "
        "that the model is most certain of.",
        ("DeLong et al., Biometrics 44 (1988) 837", "Geifman et al., ICLR (2019)"),
    ),
    Method(
        "Calibration error",
        "Over ten bins of the score. Chance alone makes it larger, so each claim is tested at the end of that bias "
        "which speaks against it. Pictures show the bins with score intervals, at the largest variance that a bin "
        "allows.",
        ("Naeini et al., AAAI 29 (2015) 2901", "Wilson, J. Am. Stat. Assoc. 22 (1927) 209"),
    ),
)

_TERMS: tuple[Term, ...] = (
    Term(
        "adjusted p-value",
        "Of many limits that are kept, some seem exceeded by chance. So p-values of violations are raised, the "
        "more checks a model has. A check can thus be inconclusive although its own interval lies past the limit.",
    ),
    Term(
        "alpha (significance level)",
        "The highest accepted probability of a wrong verdict: that any check of a model fails although its limit "
        "is kept (by Holm), and that a check passes although its limit is exceeded. 0.05 is once in 20 such runs.",
    ),
    Term("baseline", "The last state of the models that was accepted. Later runs are compared with it."),
    Term(
        "burden of proof",
        "What an inconclusive check comes to. Of violation, the default: it does not fail. Of compliance: it "
        "fails, as only what is shown to be kept passes.",
    ),
    Term(
        "calibration",
        "Whether, of patients with a score of 30 %, about 30 of 100 have the condition. expected_calibration_error "
        "is by how much it is missed on average; brier_score and log_loss judge scores.",
    ),
    Term("check", "One question to a model: one metric, by one or more features of patients, against one limit."),
    Term("cluster", "Samples that belong together, as all visits of one patient."),
    Term(
        "confidence interval",
        "Values that the data do not contradict, at the confidence given: of 100 such intervals of 90 %, about 90 "
        "hold the true value. It is wide where patients are few.",
    ),
    Term("inconclusive", "The data show neither that the limit is kept nor that it is exceeded. It is not a pass."),
    Term("limit", "What is allowed, as written in the file of limits before the run."),
    Term("mix", "Which share of each group a model was trained on, for a sweep."),
    Term(
        "mismatch",
        "Take a patient of each of two groups, many times. How often the model errs more for the one, less how "
        "often it is less certain of that one, ties counted half. Above 0, its uncertainty does not tell of all "
        "its errors.",
    ),
    Term(
        "p-value (p)",
        "How often data would speak at least as clearly past the limit, if the true value lay on it: small is "
        "evidence that the limit is exceeded. Of a pass, the same with sides changed. It is not the probability "
        "that the limit is kept, nor that the finding is due to chance.",
    ),
    Term("positives", "Samples whose label is the positive one, such as patients who have the condition."),
    Term("power", "How often so many samples settle a check, if the true values are those assumed."),
    Term(
        "risk-coverage curve",
        "The mean error where the samples that the model is least certain of are left out, more and more of them.",
    ),
    Term("suppressed", "Hidden, as so few patients could be recognised."),
    Term("sweep", "The model is trained again on other mixes of the groups, to see whether a difference goes away."),
    Term(
        "uncertainty",
        "How unsure the model itself says it is. A mismatch means that it does not warn of the group in which it "
        "errs more.",
    ),
    Term("waived", "The data show that the limit is exceeded; somebody has accepted that until a day, with a reason."),
)

GLOSSARY: tuple[Term, ...] = tuple(sorted((*_TERMS, *(Term(name, said) for name, said in MEANINGS.items()))))
"""Words of the page, and every metric."""

NOT_SHOWN: tuple[str, ...] = (
    "It speaks of the samples that were tested. Other patients, sites and times may differ.",
    "A passed check says that this limit was shown to be kept on these data, at this level, and no more.",
    "Whether a limit is the right one is for those to say who set it.",
)
"""What the page does not say."""
