"""The values of one metric over a sweep, as arrays."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fairness_checks.errors import ConfigurationError
from fairness_checks.kinds import kind_of
from fairness_checks.kinds.measured import few_clusters
from fairness_checks.question.checks import limits_of
from fairness_checks.question.metrics import CELLS, METRICS, Metric
from fairness_checks.stats.gaps import Gaps, joint_test_share
from fairness_checks.stats.judge_repeats import Widening
from fairness_checks.stats.moments import MeanStatistics
from fairness_checks.stats.repeats import rate_variance
from fairness_checks.stats.skewness import unseen_variances, variances, violation_variances
from fairness_checks.sweep.plan import SweepPlan
from fairness_checks.sweep.results import RepeatResult, SweepResults
from fairness_checks.sweep.sketches import WIDTH
from fairness_checks.typing import Array

__all__ = ["Array", "Moments", "Overlap", "Table", "read_table", "training_rows"]


@dataclass(frozen=True, slots=True, eq=False)
class Overlap:
    """What repeats have in common, of K gaps: shares of the groups' rows in the table, shapes (K,)."""

    # A slope has the largest `tested` of all groups: every group's rows train for it.

    tested: Array  # that tests in one repeat
    trained: Array  # the largest of a group's that one training set holds, which no mix exceeds
    freedom: Array  # the most degrees of freedom that the groups' clusters allow

    @property
    def options(self) -> dict[str, Array]:
        """Sizes of the two parts, of which the ratio counts, and degrees of freedom; as `repeat_estimates` has them."""
        return {"n_train": 1.0 - self.tested, "n_test": self.tested, "most_freedom": self.freedom}


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """Of means: observations in the whole table, means, variances and third cumulants of the values, shapes (C, G)."""

    n: Array
    mean: Array
    variance: Array
    third: Array

    def at(self, places: Sequence[tuple[int, int]]) -> MeanStatistics:
        """Return the moments of some groups under some configurations, as of one sample of the table's size."""
        mixes, groups = np.transpose(places)
        n = self.n[mixes, groups]
        m2, m3 = self.variance[mixes, groups] * (n - 1.0), self.third[mixes, groups] * n
        return MeanStatistics(n, self.mean[mixes, groups], m2, m3)


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Values of one metric: of C configurations (mixes by feature sets) in J repeats of G groups, and of their rows."""

    groups: tuple[str, ...]
    configurations: tuple[tuple[str, str], ...]  # (mix, feature set)
    values: Array  # (C, J, G)
    tested: Array  # (G,), rows that test in one repeat
    samples: Array | None  # (C, J, G), denominators of a rate
    test_share: Array  # (G,), of each group's rows, how many test in one repeat
    freedom: Array  # (G,), effective clusters less one; inf where rows are independent
    problems: tuple[str | None, ...]  # (G,), too few clusters to judge a group
    moments: Moments | None = None  # of means
    sketches: npt.NDArray[np.complex128] | None = None  # (C, J, G, WIDTH); None where some were not made

    def of(self, feature_set: str) -> list[int]:
        """Positions of the configurations of a feature set."""
        return [i for i, (_, name) in enumerate(self.configurations) if name == feature_set]

    @property
    def feature_sets(self) -> list[str]:
        """Names of the feature sets."""
        return list(dict.fromkeys(name for _, name in self.configurations))

    @property
    def test_variance(self) -> Array | None:
        """Variance of each rate in one test part, shape (C, G); None for other metrics."""
        if self.samples is None:
            return None
        rates, samples = np.moveaxis(self.values, 1, 2), np.moveaxis(self.samples, 1, 2)
        return rate_variance(rates, samples, 1.0 - self.test_share, self.test_share)

    @property
    def least_variance(self) -> Array:
        """Return the variance in one test part of two rows of the table in which two models disagree, shape (G,)."""
        # A rate changes by one row of its denominator, another metric as much as its rows differ from each other.
        if self.samples is not None:
            size = np.maximum(self.samples.mean(axis=(0, 1)), 1.0)
            return np.asarray(2.0 / ((size / self.test_share + 2.0) * size))
        if self.sketches is None:
            return np.zeros(len(self.groups))
        own = np.nan_to_num(np.abs(self.sketches) ** 2).mean(axis=(0, 1, 3))
        return np.asarray(2.0 / (self.tested / self.test_share + 2.0) * own)

    def widening(self, gaps: Gaps) -> Widening | None:
        """Say by how much skewed values widen the tests of the gaps of a mean; None of other metrics, and of slopes."""
        # As in held-out checks, of groups that have as many rows as the table and the moments of their test parts.
        if self.moments is None or (gaps.second < 0).any():
            return None
        factors = []
        for first_mix, first, second_mix, second in zip(
            gaps.first_mix, gaps.first, gaps.second_mix, gaps.second, strict=True
        ):
            pair = self.moments.at([(int(first_mix), int(first)), (int(second_mix), int(second))])
            usual = variances(pair) / pair.n
            above, below = unseen_variances(pair)
            order = np.array([0, 1] if pair.mean[0] >= pair.mean[1] else [1, 0])
            proven = sum(side[0] for side in violation_variances(pair, order[:1], order[1:])[:2])
            factors.append(np.array([proven, above[0] + below[1], below[0] + above[1]]) / usual.sum())
        # Where nothing varies, nothing is known of how it would.
        return Widening(*np.maximum(np.nan_to_num(np.transpose(factors), nan=1.0), 1.0))

    def overlap(self, gaps: Gaps) -> Overlap:
        """Say what the repeats have in common, by the rows of the groups of each gap."""
        first, alone = self.test_share[gaps.first], gaps.second < 0
        second = np.where(alone, self.test_share.max(), self.test_share[gaps.second])
        trained = 1.0 - np.minimum(first, np.where(alone, self.test_share.min(), second))
        freedom = np.minimum(self.freedom[gaps.first], np.where(alone, np.inf, self.freedom[gaps.second]))
        apart = (~alone & (gaps.first_mix >= 0) & (gaps.second_mix >= 0)).all()
        if not (apart and np.isfinite(self.values).any()):  # a slope, or areas of a mismatch: no values of either group
            return Overlap(np.maximum(first, second), trained, freedom)
        at = ((gaps.first_mix, gaps.first), (gaps.second_mix, gaps.second))
        variance = None if gaps.test_variance is None else self.test_variance
        tested = joint_test_share(
            (self.values[at[0][0], :, at[0][1]], self.values[at[1][0], :, at[1][1]]),
            (first, second),
            None if variance is None else (variance[at[0]], variance[at[1]]),
        )
        return Overlap(tested, trained, freedom)


def read_table(results: SweepResults, plan: SweepPlan, metric: Metric) -> Table:
    """Return the values of a metric over all trainings; raise ConfigurationError if the predictions do not allow it."""
    groups = tuple(sorted(results.groups))
    feature_sets = dict.fromkeys(result.feature_set for result in results.results)
    configurations = tuple((mix, feature_set) for feature_set in feature_sets for mix in plan.mixes)
    repeats = [results.of(*configuration) for configuration in configurations]
    mismatch = kind_of(metric).of_pairs
    named = {name for some in repeats for r in some for group in r.groups.values() for name in group.values}
    measured = {name for name in named if name not in METRICS or limits_of(METRICS[name], "each_mix")}
    if (mismatch and not any(r.pairs for some in repeats for r in some)) or not (mismatch or metric.name in measured):
        raise ConfigurationError(
            f"sweep: {metric.name} cannot be measured from the model's predictions; these can: "
            f"{', '.join(sorted(measured))}"
        )
    values = [[[r.groups[g].values.get(metric.name) for g in groups] for r in some] for some in repeats]
    counts = [[[r.groups[g].counts or (0, 0, 0, 0) for g in groups] for r in some] for some in repeats]
    tested = [float(np.mean([r.groups[g].test for some in repeats for r in some])) for g in groups]
    cells = [CELLS.index(cell) for cell in metric.denominator]
    return Table(
        groups,
        configurations,
        np.array(values, dtype=np.float64),
        np.array(tested),
        np.array(counts, dtype=np.float64)[..., cells].sum(axis=-1) if cells else None,
        np.array([rows / results.groups[g] for rows, g in zip(tested, groups, strict=True)]),
        *_clusters(results, groups),
        _moments(results, repeats, groups, metric, tested),
        _sketches(repeats, groups, metric),
    )


def _sketches(
    repeats: Sequence[Sequence[RepeatResult]], groups: Sequence[str], metric: Metric
) -> npt.NDArray[np.complex128] | None:
    """Put the sketches of all test parts together; None where some were not made."""
    if not all(metric.name in r.groups[g].sketches for some in repeats for r in some for g in groups):
        return None
    nothing = (math.nan,) * (2 * WIDTH)
    parts = [[[r.groups[g].sketches[metric.name] or nothing for g in groups] for r in some] for some in repeats]
    both = np.array(parts, dtype=np.float64)
    return np.asarray(both[..., :WIDTH] + 1j * both[..., WIDTH:])


def _moments(
    results: SweepResults,
    repeats: Sequence[Sequence[RepeatResult]],
    groups: Sequence[str],
    metric: Metric,
    tested: Sequence[float],
) -> Moments | None:
    """Put the moments of all test parts together; None where some were not measured."""
    if not all(metric.name in r.groups[g].moments for some in repeats for r in some for g in groups):
        return None
    seen = np.array([[[r.groups[g].moments[metric.name] for g in groups] for r in some] for some in repeats])
    n, m2, m3 = np.moveaxis(seen, -1, 0)  # each (C, J, G)
    values = np.array(
        [[[r.groups[g].values[metric.name] for g in groups] for r in some] for some in repeats], dtype=np.float64
    )
    whole = np.array([results.groups[g] / rows for g, rows in zip(groups, tested, strict=True)])
    with np.errstate(invalid="ignore", divide="ignore"):
        third = np.where(n > 2.0, n * m3 / ((n - 1.0) * (n - 2.0)), 0.0).sum(axis=1) / (n > 2.0).sum(axis=1)
        spread = m2.sum(axis=1) / np.maximum(n - 1.0, 0.0).sum(axis=1)
        mean = np.nansum(values, axis=1) / np.isfinite(values).sum(axis=1)
    return Moments(np.maximum(n.mean(axis=1) * whole, 2.0), mean, np.nan_to_num(spread), np.nan_to_num(third))


def _clusters(results: SweepResults, groups: Sequence[str]) -> tuple[Array, tuple[str | None, ...]]:
    """Return the degrees of freedom that each group's clusters allow, and which group has too few of them."""
    of = {group: results.clusters.get(group) for group in groups}
    apart = {group: counted is None or counted[0] == results.groups[group] for group, counted in of.items()}
    freedom = [np.inf if counted is None or apart[group] else counted[1] - 1.0 for group, counted in of.items()]
    problems = [
        None if counted is None else few_clusters(counted[0], results.groups[group], counted[1])
        for group, counted in of.items()
    ]
    return np.array(freedom), tuple(problems)


def training_rows(results: SweepResults, configurations: Sequence[tuple[str, str]], groups: Sequence[str]) -> Array:
    """Return the rows of each group that are trained on, in the mean over the repeats, shape (C, G)."""
    return np.array(
        [np.mean([[r.groups[g].train for g in groups] for r in results.of(*each)], axis=0) for each in configurations]
    )
