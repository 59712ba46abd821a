"""What all kinds share whose values are estimates with a standard error: means, areas, composites."""

from __future__ import annotations

import functools
import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from fairness_checks.kinds.kind import Blocks, Kind
from fairness_checks.kinds.measured import Measured, Takeable
from fairness_checks.kinds.power_analysis import PowerAnalysis, power_of_estimates
from fairness_checks.measure.measured_groups import MeasuredGroups
from fairness_checks.question.checks import Check, Settings
from fairness_checks.question.metrics import Metric
from fairness_checks.records.parts import GroupRecord
from fairness_checks.stats.estimates import Estimates, upper_quantile
from fairness_checks.stats.inference import Inference
from fairness_checks.stats.judge_estimates import judge_difference
from fairness_checks.typing import Array

__all__ = ["EstimatedKind", "estimate_records"]

Integers = npt.NDArray[np.integer[Any]]
S = TypeVar("S", bound=Takeable)


class EstimatedKind(Kind, Generic[S]):
    """A kind whose groups have a value, its variance, and tests of two groups at a margin."""

    statistics: tuple[type, ...]
    method: str

    @abstractmethod
    def value(self, some: S) -> Estimates:
        """Return the groups' values with their variances."""

    @abstractmethod
    def violation(
        self, some: S, first: np.ndarray, second: np.ndarray, margin: float, level: float | None = None
    ) -> Array:
        """p-values of H0 |difference| <= margin of pairs of groups; see `judge_estimates.PairTest`."""

    @abstractmethod
    def compliance(
        self, some: S, first: np.ndarray, second: np.ndarray, margin: float, level: float | None = None
    ) -> Array:
        """p-values of H0 |difference| >= margin of pairs of groups; see `judge_estimates.PairTest`."""

    @abstractmethod
    def judge_value(self, some: S, limit: float, alpha: float, *, ceiling: bool) -> Inference:
        """Judge the worst group's value against a ceiling or a floor."""

    @abstractmethod
    def problem(self, measured: Measured[S], group: int) -> str | None:
        """Say why one of the groups of enough samples and clusters, which are all that are given, cannot be judged."""

    def ends(self, some: S, alpha: float) -> tuple[Array, Array] | None:
        """Return where the groups' intervals end, shapes (G,); None where standard errors say it."""
        # Of the groups of enough samples and clusters, which are all that are given.
        return None

    def measured(self, statistics: MeasuredGroups, metric: Metric) -> Measured[S]:
        """Return what was measured of the metric."""
        found: Measured[S] = statistics.measured[metric.name]
        return found

    def groups(self, statistics: MeasuredGroups, metric: Metric, settings: Settings) -> tuple[GroupRecord, ...]:
        """Return every group with its value; see `fairness_checks.kinds.kind.Kind`."""
        measured = self.measured(statistics, metric)
        problems = []
        for i, samples in enumerate(measured.samples.tolist()):
            problem = settings.too_few(samples)
            if problem is None:
                problem = measured.few_clusters(i)
            problems.append(problem)
        # What a group can show may depend on the others (whether anything varies): on those alone that are judged.
        enough = [i for i, problem in enumerate(problems) if problem is None]
        some = measured.take(enough)
        for place, i in enumerate(enough):
            problems[i] = self.problem(some, place)
        values, ends = self.value(measured.statistics), self.ends(some.statistics, settings.alpha)
        if ends is not None:
            places = np.full((2, len(problems)), np.nan)
            places[:, enough] = ends
            ends = (places[0], places[1])
        return estimate_records(
            statistics.groups,
            measured.samples,
            values,
            problems,
            settings.alpha,
            lowest=metric.lowest,
            highest=metric.highest,
            clusters=measured.clusters,
            ends=ends,
        )

    def values(self, statistics: MeasuredGroups, metric: Metric) -> list[float | None]:
        """Return every group's value alone."""
        found = self.value(self.measured(statistics, metric).statistics).value.tolist()
        return [None if math.isnan(value) else value for value in found]

    def judge(
        self,
        statistics: MeasuredGroups,
        judged: Sequence[int],
        check: Check,
        alpha: float,
        blocks: Blocks | None,
        level: float | None = None,
    ) -> Inference:
        """Judge the groups; see `fairness_checks.kinds.kind.Kind`."""
        metric = check.definition
        some: S = self.measured(statistics, metric).statistics.take(judged)
        if check.limit_kind != "max_difference":
            found = self.judge_value(some, check.limit, alpha, ceiling=check.limit_kind == "max_value")
            return found.clipped(metric.lowest, metric.highest)
        return judge_difference(
            self.value(some),
            check.limit,
            alpha,
            largest=metric.highest - metric.lowest,
            method=self.method,
            violation=functools.partial(self.violation, some),
            compliance=functools.partial(self.compliance, some),
            blocks=blocks,
            level=level,
        )

    def power_analysis(
        self,
        first: GroupRecord,
        second: GroupRecord | None,
        check: Check,
        found: Inference,
        level: float,
        alpha: float,
    ) -> PowerAnalysis:
        """Plan with the standard errors seen, which shrink as the root of the samples."""
        return power_of_estimates(first, second, check, level, alpha)

    def estimates(self, statistics: MeasuredGroups, metric: Metric) -> Estimates:
        """Return every group's value."""
        return self.value(self.measured(statistics, metric).statistics)


def estimate_records(
    names: Sequence[tuple[str, ...]],
    samples: Integers,
    estimates: Estimates,
    problems: Sequence[str | None],
    alpha: float,
    *,
    lowest: float,
    highest: float,
    clusters: Integers | None = None,
    sides: tuple[Array, Array] | None = None,
    ends: tuple[Array, Array] | None = None,
) -> tuple[GroupRecord, ...]:
    """Return the groups' records; a value that is nan is undefined, a group with a problem has no interval."""
    # samples, clusters, problems, and all of sides (variances of the upper and the lower end, where values are
    # skewed) and of ends: (G,). Intervals have confidence 1 - 2 alpha and are cut to the metric's range.
    error = np.sqrt(estimates.variance)
    above, below = (estimates.variance, estimates.variance) if sides is None else sides
    with np.errstate(invalid="ignore"):
        quantile = upper_quantile(alpha, np.maximum(estimates.freedom, 1.0))
        above, below = quantile * np.sqrt(above), quantile * np.sqrt(below)
        below, above = below + estimates.doubt, above + estimates.doubt
        lows, highs = (estimates.value - below, estimates.value + above) if ends is None else ends
    records = []
    for i, (name, problem) in enumerate(zip(names, problems, strict=True)):
        value, judged = float(estimates.value[i]), problem is None
        records.append(
            GroupRecord(
                name=name,
                samples=int(samples[i]),
                events=None,
                n=int(samples[i]),
                rate=None if math.isnan(value) else value,
                low=max(float(lows[i]), lowest) if judged else None,
                high=min(float(highs[i]), highest) if judged else None,
                standard_error=float(error[i]) if judged else None,
                clusters=None if clusters is None else int(clusters[i]),
                problem=problem,
            )
        )
    return tuple(records)
