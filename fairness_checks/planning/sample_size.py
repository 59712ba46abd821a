"""How many samples to collect before a limit can be settled."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

from fairness_checks.errors import ConfigurationError
from fairness_checks.planning.arguments import OF_A_CLASS, Value, checked_values, design, second_values, to_collect
from fairness_checks.planning.needs import fewest, needed, needed_of_components

__all__ = ["SamplePlan", "plan_sample_size"]


@dataclass(frozen=True, slots=True)
class SamplePlan:
    """Answer of `plan_sample_size`.

    Parameters
    ----------
    first, second : int
        Samples of the first and of every further group that count for the metric: positives for a false negative rate,
        samples for a mean, positives and negatives together for equalized odds, AUCs and balanced accuracy.
    shows : {"violation", "compliance"}
        What these samples show with the planned power if the values are as assumed.
    unit : str
        What `first` and `second` count, such as "positives".
    first_patients, second_patients : int or None
        Patients of each group to be collected, among whom so many samples that count are expected. None where their
        number is not known: of a rate among positives or negatives without ``positives``, of what the model decides,
        and where ``cluster_size`` says that a patient is several samples.
    """

    first: int
    second: int
    shows: Literal["violation", "compliance"]
    unit: str = field(default="samples", repr=False)
    first_patients: int | None = field(default=None, repr=False)
    second_patients: int | None = field(default=None, repr=False)

    def __str__(self) -> str:
        """Say it in words, in patients where their number is known."""
        counted = f"{self.first:,} and {self.second:,} {self.unit}"
        if None in (self.first_patients, self.second_patients):
            is_asked = self.unit in OF_A_CLASS
            hint = "; give positives= for the patients that takes, where each is one sample" if is_asked else ""
            return f"{counted} show {self.shows}{hint}"
        patients = f"{self.first_patients:,} and {self.second_patients:,} patients"
        if self.unit == "samples":
            return f"{patients} show {self.shows}"
        return f"{counted} show {self.shows}, expected among {patients}"


def plan_sample_size(
    *,
    first_value: Value,
    second_value: Value | None = None,
    metric: str = "accuracy",
    max_difference: float | None = None,
    min_ratio: float | None = None,
    max_value: float | None = None,
    min_value: float | None = None,
    max_mismatch: float | None = None,
    standard_deviation: float | None = None,
    positives: float | None = None,
    correlation: float | None = None,
    allocation: float = 1.0,
    cluster_size: float = 1.0,
    intra_cluster_correlation: float = 0.0,
    alpha: float = 0.05,
    power: float = 0.8,
    checks: int = 1,
    groups: int = 2,
) -> SamplePlan:
    """Plan the samples of each group that settle a limit, before collecting them.

    Parameters
    ----------
    first_value, second_value : float, or (float, float) for ``equalized_odds``
        The values that you expect, in the metric's unit, of the two groups that differ most. Equal ones ask for the
        samples that show a fair model to be fair. For ``equalized_odds`` each is (true positive rate, false positive
        rate). For ``uncertainty_mismatch`` they are the AUCs A_error, 0.5 or more, and A_uncertainty of the pair whose
        first group has the higher error. A ceiling or a floor takes `first_value` alone, of the worst group.
    metric : str
        A name of `fairness_checks.METRICS`. All rates are planned alike.
    max_difference, min_ratio, max_value, min_value, max_mismatch : float, optional
        The limit; exactly one of them.
    standard_deviation : float, optional
        Of the value of one sample, above 0, in the metric's unit; means need it.
    positives : float, optional
        Share of positives in all groups, in (0, 1): the prevalence. For ``roc_auc``, ``balanced_accuracy`` and
        ``equalized_odds``, 0.5 by default; of a rate among positives or negatives it says how many patients to collect.
    correlation : float, optional
        Spearman's, of error and uncertainty within a group, in [-1, 1], for ``uncertainty_mismatch``. The default, -1,
        is the worst case, about twice the samples of 0; a record of `audit_uncertainty` on a pilot holds it as
        "spearman".
    allocation : float
        Samples of every further group for each one of the first, above 0.
    cluster_size : float
        Number of samples of a cluster, 1 or more; of unequal ones that of a sample's cluster, sum m^2 / sum m.
    intra_cluster_correlation : float
        Correlation of two samples of a cluster, in [0, 1]. A design effect of
        1 + (cluster_size - 1) * intra_cluster_correlation, and what the test does not know of it from few clusters, or
        from few that hold events.
    alpha : float
        Significance level of the gate, in (0, 0.5).
    power : float
        Probability of settling the limit, in (0.5, 1).
    checks : int
        Checks of the same model over which violations are adjusted; the plan holds for the strictest step.
    groups : int
        Groups that are judged together, 2 or more; 1 or more for a ceiling or a floor.

    Returns
    -------
    SamplePlan

    Raises
    ------
    ConfigurationError
        If an argument is no number, impossible, missing or of no use to the metric, if that is
        ``expected_calibration_error``, whose bias no argument says, or if the expected values lie on the limit.

    Notes
    -----
    Rates: normal approximation of the score test (Farrington and Manning, Stat. Med. 9 (1990) 1447-1454,
    doi:10.1002/sim.4780091208). AUCs: the variance of Hanley and McNeil (Radiology 143 (1982) 29-36,
    doi:10.1148/radiology.143.1.7063747), for large samples. Mismatches: the covariance of two AUCs of normal errors
    and uncertainties of equal variances in all groups. Balanced accuracies: two equal rates.

    No plan is smaller than the groups that the gate judges: 10 samples, of AUCs and balanced accuracies 5 of each
    class. Plans of fewer than about 50 samples a group fall short, and so do those for skewed errors and nearly perfect
    AUCs: the tests are more careful there. The power of the exact test of a rate against a ceiling rises and falls in
    steps, by 0.05 or so around the planned one. Plans for AUCs reach 0.70 to 0.97 where 0.80 is asked for, by the
    shape of the scores; those that the fewest samples set reach more. docs/statistics.md has a table.

    Several groups: a violation is that of the first group and one other, tested at the level of the strictest pair as
    the gate's max-t test has it for these sizes, all further groups being like the second. For compliance all pairs
    must succeed, however the groups' values lie between the two; that is planned for the worst such case with the
    standard error of the least known pair, of mismatches with Bonferroni's bound. Both err towards too many samples.

    Examples
    --------
    >>> plan_sample_size(first_value=0.2, second_value=0.2, max_difference=0.05)
    SamplePlan(first=1100, second=1100, shows='compliance')
    >>> plan_sample_size(metric="roc_auc", first_value=0.9, second_value=0.8, max_difference=0.05)
    SamplePlan(first=742, second=742, shows='violation')
    >>> plan = plan_sample_size(metric="FNR", first_value=0.15, max_value=0.1, groups=4, positives=0.1)
    >>> plan
    SamplePlan(first=419, second=419, shows='violation')
    >>> print(plan)
    419 and 419 positives show violation, expected among 4,190 and 4,190 patients
    """
    asked = design(locals(), collects=True)
    first, second = checked_values("first_value", first_value, asked), second_values(second_value, asked)
    several = asked.metric.components
    size = needed_of_components(asked, first, second) if several else needed(asked, first[0], second[0])
    if size is None:
        values = f"values {_text(first)} and {_text(second)} lie" if asked.pairwise else f"value {_text(first)} lies"
        raise ConfigurationError(
            f"{values} on {asked.limit_kind} {asked.limit:g} or next to it: no number of samples settles it"
        )
    keeps = all(asked.keeps(a, b) for a, b in zip(first, second, strict=True))
    first_size, second_size = (math.ceil(max(size * share, fewest(asked))) for share in (1.0, asked.allocation))
    return SamplePlan(
        first=first_size,
        second=second_size,
        shows="compliance" if keeps else "violation",
        unit=asked.metric.unit,
        first_patients=to_collect(asked, positives, first_size),
        second_patients=to_collect(asked, positives, second_size),
    )


def _text(values: tuple[float, ...]) -> str:
    return f"{values[0]:g}" if len(values) == 1 else f"({', '.join(f'{value:g}' for value in values)})"
