"""Values of groups standardised over the strata of control features."""

# Direct standardisation: a group's value is the mean of its values in the strata, each stratum weighing as much as it
# has samples of all groups; so groups are compared as if they were spread over the strata alike (Rothman, Greenland
# and Lash, Modern Epidemiology, 3rd ed. (2008), chapter 15). Strata where some group has no value cannot be compared
# and are left out; then the check cannot pass, for nothing is known of them.

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fairness_checks.kinds.estimated import estimate_records
from fairness_checks.kinds.measured import few_clusters
from fairness_checks.question.checks import Check, Settings
from fairness_checks.question.metrics import Metric
from fairness_checks.records.parts import GroupRecord
from fairness_checks.stats.estimates import Estimates
from fairness_checks.stats.inference import Inference
from fairness_checks.stats.judge_estimates import PairTest, judge_difference
from fairness_checks.stats.means import means_compliance, means_violation
from fairness_checks.stats.moments import MeanStatistics
from fairness_checks.stats.skewness import can_be_judged
from fairness_checks.stats.stratified_rates import (
    StratifiedRates,
    judge_worst_stratified,
    rate_ends,
    rate_variances,
    stratified_compliance,
    stratified_violation,
)
from fairness_checks.stats.worst_estimate import judge_worst_estimate
from fairness_checks.stats.worst_mean import judge_worst_mean, mean_ends

__all__ = ["Standardised", "judge_standardised", "standardise"]


@dataclass(frozen=True, slots=True, eq=False)
class Standardised:
    """Groups over strata."""

    names: tuple[tuple[str, ...], ...]
    samples: npt.NDArray[np.int64]  # (G,), in the strata compared
    estimates: Estimates  # nan where no stratum can be compared
    problems: tuple[str | None, ...]  # why each group cannot be judged
    compared: int  # strata compared
    strata: int  # strata that have samples and in which every group can exist
    clusters: npt.NDArray[np.int64] | None = None  # (G,), in the strata compared; None where samples are independent
    moments: MeanStatistics | None = None  # of means, with the skewness that the strata leave
    rates: StratifiedRates | None = None  # of rates, the counts in the strata compared

    def records(self, alpha: float, metric: Metric) -> tuple[GroupRecord, ...]:
        """Return the groups' records."""
        estimates = self.estimates
        judged = [i for i, problem in enumerate(self.problems) if problem is None]
        ends = np.full((2, len(self.names)), np.nan)
        own = True
        if self.moments is not None and judged:
            ends[:, judged] = mean_ends(self.moments.take(judged), alpha)
        elif self.by_score_test and self.rates is not None and judged:
            rates, variance = self.rates.take(judged), estimates.variance.copy()
            variance[judged], ends[:, judged] = rate_variances(rates), rate_ends(rates, alpha, alpha)
            estimates = dataclasses.replace(estimates, variance=variance)
        else:
            own = False
        return estimate_records(
            self.names,
            self.samples,
            estimates,
            self.problems,
            alpha,
            lowest=metric.lowest,
            highest=metric.highest,
            clusters=self.clusters,
            ends=(ends[0], ends[1]) if own else None,
        )

    @property
    def method(self) -> str:
        """The test, and over which strata."""
        left_out = self.strata - self.compared
        of = f"{self.compared} of {self.strata}" if left_out else f"{self.compared}"
        widened = ", widened against skewness" if self.moments is not None else ""
        return f"Welch test{widened}, of values standardised over {of} strata"

    @property
    def by_score_test(self) -> bool:
        """Whether single values are judged as rates: of samples in clusters the clusters know the variance."""
        return self.rates is not None and self.clusters is None

    @property
    def method_of_differences(self) -> str:
        """The test of differences: of rates, the score test within strata."""
        return self.method if self.rates is None else self.method.replace("Welch test", "stratified score test")

    @property
    def left_out(self) -> str | None:
        """Say how many strata cannot be compared."""
        count = self.strata - self.compared
        return f"{count} of {self.strata} strata left out, where some group has no value" if count else None


def standardise(
    cells: Sequence[GroupRecord],
    estimates: Estimates,
    control_features: int,
    settings: Settings,
    moments: MeanStatistics | None = None,
) -> Standardised:
    """Standardise groups over strata, the first `control_features` parts of the cells' names."""
    # A cell that is not there cannot exist: its stratum is left out. The smallest group applies to a group's samples
    # over all strata. `moments` are those of the cells, where values are means.
    strata = list(dict.fromkeys(cell.name[:control_features] for cell in cells))
    names = list(dict.fromkeys(cell.name[control_features:] for cell in cells))
    shape = (len(strata), len(names))
    at = np.array([[strata.index(c.name[:control_features]), names.index(c.name[control_features:])] for c in cells]).T
    n, samples, can_be = np.zeros(shape), np.zeros(shape), np.zeros(shape, dtype=bool)
    value, variance, freedom, doubt = (np.full(shape, np.nan) for _ in range(4))
    n[*at], samples[*at], can_be[*at] = [c.n for c in cells], [c.samples for c in cells], True
    value[*at], variance[*at], freedom[*at] = estimates.value, estimates.variance, estimates.freedom
    doubt[*at] = estimates.doubt
    present = n.sum(axis=0) > 0  # a group that is nowhere does not keep the others from being compared
    usable = np.isfinite(value) & np.isfinite(variance) & (freedom > 0)
    compared = usable[:, present].all(axis=1) & present.any()
    weights = np.where(compared, n.sum(axis=1), 0.0)
    weights = weights / weights.sum() if weights.sum() > 0 else np.full(len(strata), np.nan)
    used = compared[:, None] & usable
    share = weights[:, None]
    mean = np.where(used, share * value, 0.0).sum(axis=0)
    parts = share**2 * np.where(used, variance, 0.0)  # of a cell without samples the variance is infinite
    found = Estimates(
        np.where(present & compared.any(), mean, np.nan),
        np.where(present & compared.any(), parts.sum(axis=0), np.nan),
        _combined_freedom(parts, np.where(used, freedom, 1.0)),
        ambiguity=None if estimates.ambiguity is None else np.where(used, share * doubt, 0.0).sum(axis=0),
    )
    counted = np.where(used, n, 0.0).sum(axis=0).astype(np.int64)
    clusters = None
    if any(cell.clusters is not None for cell in cells):
        of_cell = np.zeros(shape, dtype=np.int64)
        of_cell[*at] = [cell.clusters or 0 for cell in cells]
        clusters = np.where(used, of_cell, 0).sum(axis=0)
    skewed, rates = None, None
    if any(cell.events is not None for cell in cells):
        rates = _rates(cells, at, shape, compared, weights)
    if moments is not None:
        third = np.zeros(shape)  # third cumulants of the cells' means
        third[*at] = moments.m3 / np.maximum(moments.n, 1) ** 3.0
        units = (counted if clusters is None else clusters) - used.sum(axis=0) + 1
        skewed = _with_skewness(found, (share**3 * np.where(used, third, 0.0)).sum(axis=0), units)
    sizes = samples.sum(axis=0), samples[compared].sum(axis=0)
    problems = _problems(found, sizes, counted, clusters, settings)
    if skewed is not None:
        judged = [i for i, problem in enumerate(problems) if problem is None]
        for i, varies in zip(judged, can_be_judged(skewed.take(judged)), strict=True):
            if not varies:
                problems[i] = f"its {counted[i]} samples do not vary"
    return Standardised(
        tuple(names),
        counted,
        found,
        tuple(problems),
        int(compared.sum()),
        int(((samples.sum(axis=1) > 0) & can_be[:, present].all(axis=1)).sum()),
        clusters,
        skewed,
        rates,
    )


def _problems(
    found: Estimates,
    sizes: tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]],
    counted: npt.NDArray[np.int64],
    clusters: npt.NDArray[np.int64] | None,
    settings: Settings,
) -> list[str | None]:
    """Say why groups cannot be judged, by their samples: of all strata and of those compared (`sizes`), each (G,)."""
    problems: list[str | None] = []
    for i, (everywhere, compared) in enumerate(zip(*(size.astype(int).tolist() for size in sizes), strict=True)):
        problem = settings.too_few(everywhere)
        if problem is None and not np.isfinite(found.value[i]):
            problem = "no stratum in which every group has a value"
        if problem is None and (few := settings.too_few(compared)):
            problem = f"in the strata compared, {few}"
        if problem is None and clusters is not None:
            problem = few_clusters(int(clusters[i]), int(counted[i]), float(found.freedom[i]) + 1.0)
        problems.append(problem)
    return problems


def _rates(
    cells: Sequence[GroupRecord],
    at: npt.NDArray[np.intp],
    shape: tuple[int, int],
    compared: npt.NDArray[np.bool_],
    weights: npt.NDArray[np.float64],
) -> StratifiedRates:
    """Return the cells' counts in the strata compared, effective ones where samples come in clusters."""
    events, samples = np.zeros(shape), np.zeros(shape)
    events[*at], samples[*at] = zip(*(_evidence(cell) for cell in cells), strict=True)
    return StratifiedRates(events[compared], samples[compared], weights[compared])


def _evidence(cell: GroupRecord) -> tuple[float, float]:
    if cell.effective_n is None:
        return float(cell.events or 0), float(cell.n)
    return (cell.rate or 0.0) * cell.effective_n, cell.effective_n


def _with_skewness(
    estimates: Estimates, third: npt.NDArray[np.float64], units: npt.NDArray[np.int64]
) -> MeanStatistics:
    """Return moments of as many samples as there are degrees of freedom, whose mean has these cumulants."""
    # Of a group that does not vary in any stratum the degrees of freedom are those of its samples, `units` less one.
    freedom = np.where(np.isinf(estimates.freedom), units - 1.0, np.nan_to_num(estimates.freedom, nan=1.0))
    n = np.maximum(np.floor(freedom + 1.0), 2.0)
    known = np.isfinite(estimates.value)
    variance = np.where(known, estimates.variance, 0.0)
    m3 = np.where(known, third, 0.0) * n**3
    return MeanStatistics(n.astype(np.int64), estimates.value, variance * n * (n - 1.0), m3)


def _combined_freedom(parts: npt.NDArray[np.float64], freedom: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Satterthwaite's degrees of freedom of the sum over strata, shape (G,); inf where variances are known."""
    spread = (parts**2 / freedom).sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(spread > 0.0, parts.sum(axis=0) ** 2 / spread, np.inf))


def judge_standardised(standardised: Standardised, judged: Sequence[int], check: Check, alpha: float) -> Inference:
    """Judge standardised values against a limit; positions in the answer count among `judged`."""
    metric, some = check.definition, standardised.estimates.take(np.asarray(judged, dtype=np.intp))
    moments = None if standardised.moments is None else standardised.moments.take(judged)
    if check.limit_kind == "max_difference":
        violation: PairTest | None = None
        compliance: PairTest | None = None
        if moments is not None:
            violation, compliance = (
                functools.partial(means_violation, moments),
                functools.partial(means_compliance, moments),
            )
        elif standardised.rates is not None:
            rates = standardised.rates.take(judged)
            violation, compliance = (
                functools.partial(stratified_violation, rates),
                functools.partial(stratified_compliance, rates),
            )
        return judge_difference(
            some,
            check.limit,
            alpha,
            largest=metric.highest - metric.lowest,
            method=standardised.method_of_differences,
            violation=violation,
            compliance=compliance,
        )
    ceiling = check.limit_kind == "max_value"
    if moments is not None:
        widened = judge_worst_mean(moments, check.limit, alpha, ceiling=ceiling).clipped(metric.lowest, metric.highest)
        return dataclasses.replace(widened, method=standardised.method)
    if standardised.by_score_test and standardised.rates is not None:
        found = judge_worst_stratified(standardised.rates.take(judged), check.limit, alpha, ceiling=ceiling)
        over = standardised.method_of_differences.partition(", of values")[2]
        return dataclasses.replace(found, method=f"{found.method}, of values{over}")
    found = judge_worst_estimate(some, check.limit, alpha, ceiling=ceiling, method=standardised.method)
    return found.clipped(metric.lowest, metric.highest)
