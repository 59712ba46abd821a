"""What a plan is made for: a question, and how samples are to be collected to answer it."""

from __future__ import annotations

from dataclasses import dataclass

from fairness_checks.question.limits import LIMITS, PAIRWISE, LimitKind
from fairness_checks.question.metrics import Metric

__all__ = ["Design"]


@dataclass(frozen=True, slots=True)
class Design:
    """A question, and how samples are collected to answer it; the fields are arguments of `plan_sample_size`."""

    metric: Metric
    limit_kind: LimitKind
    limit: float
    standard_deviation: float | None
    positives: float
    correlation: float
    allocation: float
    cluster_size: float
    intra_cluster_correlation: float
    alpha: float
    power: float
    tests: int
    """Checks of the model times components of the metric: a violation is tested at `alpha` over these."""
    groups: int

    @property
    def pairwise(self) -> bool:
        """Whether two groups are compared, not one group's value with a limit."""
        return self.limit_kind in PAIRWISE

    @property
    def rarer(self) -> float:
        """Share of the rarer class."""
        return min(self.positives, 1.0 - self.positives)

    def keeps(self, first: float, second: float) -> bool:
        """Whether assumed values keep the limit; `second` does not matter for a ceiling or a floor."""
        slack = LIMITS[self.limit_kind].slack
        assert slack is not None  # for the type checker: a design of a limit for which nothing is planned is refused
        return slack(self.limit, first, second) > 0.0
