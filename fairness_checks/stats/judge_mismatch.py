"""The mismatch of uncertainty and error among pairs of groups against a limit."""

# Each pair is turned so that the group whose errors are higher comes first; its mismatch M = A_error - A_uncertainty
# says by how much the first group's errors outrun its uncertainty. *Violation*: A_error > 1/2 and M exceeds the
# limit, both shown at the full level (an intersection-union test). *Compliance*: no pair does; the other turn of a
# pair, in which the mismatch is -M, must be excluded too, because the errors say which group is worse or because -M
# is below the limit as well; the two ways share the level.
# The variance is taken at the margin (Miettinen and Nurminen, Stat. Med. 4 (1985) 213, doi:10.1002/sim.4780040211):
# the one seen is larger where the uncertainty's area is lower by chance, which is where the mismatch is larger.

from __future__ import annotations

import numpy as np
from scipy import special

from fairness_checks.stats.estimates import ROUNDED, both_tails, farthest, normal_tail, upper_tail
from fairness_checks.stats.inference import Inference
from fairness_checks.stats.mismatch import MismatchStatistics, comes_first
from fairness_checks.stats.pairs import block_pairs, judge_pairs
from fairness_checks.stats.ranking import variance_shape
from fairness_checks.stats.satterthwaite import two_sample_freedom
from fairness_checks.stats.simultaneous import Family
from fairness_checks.typing import Array

__all__ = ["BY_ERRORS", "PSEUDO_SAMPLE", "MismatchPairs", "judge_mismatch"]

_METHOD = "DeLong test of two correlated AUCs at the margin, half a pseudo-sample at chance per group (DeLong 1988)"
BY_ERRORS = 0.01  # share of the level that may show which group is worse; the rest shows that -M is small
# Share of a sample, or cluster, that is added to a group's variance; without, false alarms reach 0.17 of 0.05 (24
# groups of 10 and 20 samples, areas 0.9 and 0.85); with a whole one, 24 groups of 100 and 200 detect 0.03 less.
PSEUDO_SAMPLE = 0.5
_FEW = 500  # pairs, whose p-values are all exact
_HALVINGS = 12  # until the share of a move is known; an interval's end is then exact to 1e-3 standard errors


class MismatchPairs:
    """All pairs of groups, the worse errors first, as `PairTests`; every group can be judged."""

    # The variances are DeLong's with half a pseudo-sample (or cluster) of each group added, of which errors and
    # uncertainty know nothing; `auc_estimates` adds a whole one. Pseudo-samples and degrees of freedom go by the
    # effective number of clusters: a few large ones among many small ones are little evidence of how much they vary.
    # `enough` is the level of compliance, which no pair's own for a violation exceeds. Of many pairs p-values above it
    # may be lower bounds, and all but the largest where they only have to lie below it.

    def __init__(self, statistics: MismatchStatistics, blocks: np.ndarray | None = None, enough: float = 1.0) -> None:
        self.enough = enough
        self.blocks = np.zeros(len(statistics.units), dtype=np.intp) if blocks is None else np.asarray(blocks)
        i, j = block_pairs(self.blocks)
        worse = comes_first(statistics.error_auc[i, j], statistics.uncertainty_auc[i, j])
        self.first, self.second = np.where(worse, i, j), np.where(worse, j, i)
        place, turned = (x * len(self.blocks) + y for x, y in ((self.first, self.second), (self.second, self.first)))
        self.error_auc: Array = statistics.error_auc.take(place)
        self._uncertainty_auc: Array = statistics.uncertainty_auc.take(place)
        self.disparity: Array = self.error_auc - self._uncertainty_auc
        self._m, self._n = statistics.effective[self.first], statistics.effective[self.second]
        kept = statistics.effective / statistics.units
        self._shared = statistics.shared.take(place) * np.minimum(kept[self.first], kept[self.second])

        of_error, of_uncertainty = (statistics.error_auc - 0.5) ** 2, (statistics.uncertainty_auc - 0.5) ** 2
        per_sample = PSEUDO_SAMPLE * statistics.effective[:, None] ** -2
        parts = statistics.variance + (of_error + of_uncertainty) * per_sample
        error_parts = statistics.error_variance + of_error * per_sample
        uncertainty_parts = statistics.uncertainty_variance + of_uncertainty * per_sample
        # Variances, each as three parts: of the first group, of the second, and twice their covariance; shapes (3, B).
        whole, self._of_error, self._of_uncertainty = (
            np.array([of_group.take(place), of_group.take(turned), of_both.take(place)])
            for of_group, of_both in (
                (parts, statistics.covariance),
                (error_parts, statistics.error_covariance),
                (uncertainty_parts, statistics.uncertainty_covariance),
            )
        )
        self._of_both = (self._of_error + self._of_uncertainty - whole) / 2.0  # covariance of the two areas
        least = 0.25 / (self._m * self._n) ** 2  # half a step of an area
        of_chance = self._m**-2 + self._n**-2
        by_error, by_uncertainty = (x.take(place) * of_chance for x in (of_error, of_uncertainty))
        self._least = np.maximum(by_error + by_uncertainty, least)

        everyone = np.arange(len(self.first))
        self.error, self.freedom = self._spread(whole, self._least, everyone)
        error, freedom = self._spread(self._of_error, np.maximum(by_error, least), everyone)
        self._worse = (self.error_auc - 0.5) / error, freedom
        self._move()
        # Exact where it can decide: below the level, and where errors may say which group is worse.
        p = normal_tail(self._worse[0])
        some = ~(p > max(enough, BY_ERRORS) * (1.0 + ROUNDED))
        p[some] = upper_tail(*(x[some] for x in self._worse))
        self.p_not_worse: Array = p
        # Of a group's part there is one estimate a pair; their mean stands for the group among all pairs.
        compared = self.blocks[:, None] == self.blocks
        np.fill_diagonal(compared, False)
        self.deviations: Array = np.sqrt(
            np.where(compared, parts, 0.0).sum(axis=1) / np.maximum(compared.sum(axis=1), 1)
        )
        # Degrees of freedom that every pair has; 0 where that is not known.
        alone = bool((statistics.shared == 0).all())
        fewest = float(np.minimum(self._m, self._n).min())
        self._fewest = 0.0
        if fewest > 1.0:
            self._fewest = max(fewest - 1.0, 1.0) if alone else 1.0
        self.largest = 1.0
        self.step = min(2e-5, 1e-3 * float(self.error.max()))

    def _move(self) -> None:
        """Divide variances by the areas' A (1 - A), and covariances by their roots: what they are moved by."""
        # No area is taken to be nearer to 0 or 1 than half a unit of its smaller group: its variance can be moved too.
        # No variance at any margin is wider than at two areas of 1/2, or than there and at an end.
        inwards = self._inwards = 0.5 / (np.minimum(self._m, self._n) + 1.0)
        areas = self.error_auc, self._uncertainty_auc
        shape_a, shape_b = (variance_shape(np.minimum(np.maximum(x, inwards), 1.0 - inwards)) for x in areas)
        self._of_error, self._of_uncertainty = self._of_error / shape_a, self._of_uncertainty / shape_b
        self._of_both = self._of_both / np.sqrt(shape_a * shape_b)
        error, uncertainty, both = (x.sum(axis=0) for x in (self._of_error, self._of_uncertainty, self._of_both))
        widest = (np.maximum(error, 0.0) + np.maximum(uncertainty, 0.0)) / 4.0 + np.maximum(-both, 0.0) / 2.0
        self._widest = np.sqrt(np.maximum(widest, self._least)) * (1.0 + ROUNDED)

    def _spread(self, parts: Array, least: Array, index: np.ndarray) -> tuple[Array, Array]:
        """Return standard errors and degrees of freedom of some pairs, of variances in parts of shape (3, ..., b)."""
        freedom = two_sample_freedom(parts[0], parts[1], parts[2], self._m[index], self._n[index], self._shared[index])
        return np.sqrt(np.maximum(parts.sum(axis=0), least)), freedom

    def _standardised(self, index: np.ndarray, margins: tuple[float, ...]) -> tuple[Array, Array]:
        """Return t of the mismatch at some margins, and its degrees of freedom, of some pairs; shapes (margins, b)."""
        # The two areas are moved to the nearest ones that differ by the margin, near in terms of the variances that
        # they have there: the errors' area by a share of the excess, the uncertainty's by the rest. Variances go by A
        # (1 - A), to which that of an area is nearly proportional (Newcombe, Stat. Med. 25 (2006) 559,
        # doi:10.1002/sim.2324), and the two areas keep their correlation. The share is found by halving: one step
        # from the variances seen moves too far and is too liberal, and after two t may fall where the mismatch rises.
        margin, least = np.array(margins)[:, None], self._least[index]
        a, b = self.error_auc[index], self._uncertainty_auc[index]
        *parts, inwards = self._moved_by(index)
        of_error, of_uncertainty, of_both = (part[:, None] for part in parts)
        error, uncertainty, both = of_error.sum(axis=0), of_uncertainty.sum(axis=0), of_both.sum(axis=0)
        excess = a - b - margin
        lowest, highest, reach = _room(margin, inwards)

        def shapes(share: Array) -> tuple[Array, Array]:
            """Return what both variances are proportional to where the errors' area takes a share of the excess."""
            moved = np.minimum(np.maximum(a - excess * share, lowest), highest)
            return variance_shape(moved), variance_shape(moved - reach)

        share, half = np.full(excess.shape, 0.5), 0.25
        for _ in range(_HALVINGS):
            by_a, by_b = shapes(share)
            covariance = np.sqrt(by_a * by_b) * both
            own, other = by_a * error - covariance, by_b * uncertainty - covariance
            share = share + np.where(own > share * np.maximum(own + other, least), half, -half)
            half /= 2.0
        by_a, by_b = shapes(share)
        whole = by_a * of_error + by_b * of_uncertainty - 2.0 * np.sqrt(by_a * by_b) * of_both
        spread, freedom = self._spread(whole, least, index)
        return excess / spread, freedom

    def _moved_by(self, index: np.ndarray) -> tuple[Array, Array, Array, Array]:
        """Return what multiplies A (1 - A), and its root, in the variance; and how near areas come to 0."""
        # Shapes (3, b) of the parts, (b,).
        parts = (x.take(index, axis=1) for x in (self._of_error, self._of_uncertainty, self._of_both))
        return *parts, self._inwards[index]

    def violation(self, index: np.ndarray, tolerance: float) -> Array:
        """p-values of H0 "the errors are not worse, or the mismatch keeps the tolerance"; both directions count."""
        # Where the errors alone do not prove it, or the mismatch does not exceed the tolerance, and others do, a lower
        # bound: what the errors say, or 1/2.
        p: Array = self.p_not_worse[index].copy()
        disparity = self.disparity[index]
        within = disparity <= tolerance
        asked = ((p < self.enough) & ~within) | (disparity >= self.disparity.max() - self.step)
        p[within] = np.maximum(p[within], 0.5)
        p[asked] = np.maximum(p[asked], self._beyond(index[asked], tolerance, self.enough))
        if 2.0 * p[asked].min(initial=1.0) > self.enough:  # up to twice the smallest counts among several pairs
            p = np.maximum(upper_tail(*(x[index] for x in self._worse)), self._beyond(index, tolerance))
        return p

    def _beyond(self, index: np.ndarray, tolerance: float, level: float | None = None) -> Array:
        """p-values of H0 "the mismatch keeps the tolerance"; `level` as for `both_tails`."""
        (near, far), (of_near, of_far) = self._standardised(index, (tolerance, -tolerance))
        return both_tails(near, far, of_near, of_far, level)

    def compliance(self, index: np.ndarray, tolerance: float) -> Array:
        """p-values of H0 "the mismatch meets or exceeds the tolerance in the turn that is true"."""
        # Of many pairs only the largest is exact, and on which side of the level each lies.
        if len(index) <= _FEW or self._fewest <= 0.0:
            return self._compliance(index, tolerance)
        by_errors, p = self.p_not_worse[index] / BY_ERRORS, np.zeros(len(index))

        def may_exceed(p: float, some: np.ndarray, least: Array, turned: Array) -> np.ndarray:
            """Say which p-values may be as large, of statistics that are at least so large in either turn."""
            other_turn = (by_errors[some] > p) & (turned <= farthest((1.0 - BY_ERRORS) * p, self._fewest))
            return np.asarray((least <= farthest(p, self._fewest)) | other_turn)

        # Most comply clearly, however wide their variances are.
        everyone, widest = np.arange(len(index)), self._widest[index]
        clearly, turned = (tolerance - self.disparity[index]) / widest, (tolerance + self.disparity[index]) / widest
        most_doubtful = clearly.argmin()
        p[most_doubtful] = self._compliance(index[[most_doubtful]], tolerance)[0]
        known = min(float(p[most_doubtful]), self.enough, 0.5)
        left = np.flatnonzero(may_exceed(known, everyone, clearly, turned))
        if left.size == 0:
            return p
        (least, most), (_, turned) = self._between(index[left], (tolerance, -tolerance))
        turned = -turned  # the errors may exclude this turn instead
        largest = float(self._compliance(index[left[[most.argmin()]]], tolerance)[0])
        p[left] = normal_tail(most)
        in_doubt = may_exceed(self.enough, left, least, turned) & (p[left] <= self.enough * (1.0 + ROUNDED))
        some = left[may_exceed(largest, left, least, turned) | in_doubt]
        p[some] = self._compliance(index[some], tolerance)
        return p

    def _between(self, index: np.ndarray, margins: tuple[float, ...]) -> list[tuple[Array, Array]]:
        """Return what a margin less mismatch, in its standard errors, is at least and at most; shapes (b,)."""
        # The shares that `_standardised` tries are not known here: both variances are taken at either end of their
        # way.
        a, b, moved, found = self.error_auc[index], self._uncertainty_auc[index], self._moved_by(index), []
        of_error, of_uncertainty, of_both = (part.sum(axis=0) for part in moved[:3])
        both = 2.0 * of_both
        for margin in margins:
            lowest, highest, reach = _room(margin, moved[3])
            ends = np.clip(a, lowest, highest), np.clip(b + margin, lowest, highest)
            by_a, by_b = (np.array(_shape_between(*(x - move for x in ends))) for move in (0.0, reach))
            low, high = by_a * of_error + by_b * of_uncertainty
            joint = np.sqrt(by_a * by_b)
            low = low - np.where(both > 0.0, joint[1], joint[0]) * both
            high = high - np.where(both > 0.0, joint[0], joint[1]) * both
            gap = margin - (a - b)
            near, far = (gap / np.sqrt(np.maximum(x, self._least[index])) for x in (high, low))
            found.append((np.minimum(near, far), np.maximum(near, far)))
        return found

    def _compliance(self, index: np.ndarray, tolerance: float) -> Array:
        """Return exact p-values of `compliance`."""
        t, freedom = self._standardised(index, (tolerance,))
        p = upper_tail(-t, freedom)[0]
        by_errors = self.p_not_worse[index] / BY_ERRORS
        left = by_errors > p  # elsewhere the errors exclude the other turn
        t, freedom = self._standardised(index[left], (-tolerance,))
        turned = upper_tail(t, freedom)[0] / (1.0 - BY_ERRORS)
        p[left] = np.maximum(p[left], np.minimum(turned, by_errors[left]))
        return np.asarray(np.minimum(p, 1.0))

    def scaled(self, tolerance: float) -> float:
        """Return the tolerance; mismatches are differences already."""
        return tolerance

    def lower(self, level: float) -> float:
        """Lower bound of the largest mismatch, each pair at one level; -M counts where either group may be worse."""
        m = np.where(self.p_not_worse < level, self.disparity, -np.abs(self.disparity))
        at_most = m + self.error * float(special.ndtri(level))  # a level below 1/2: Student's quantile is further out
        some = np.array([at_most.argmax()])
        for _ in range(2):  # the one that is most promising; then all that may exceed it
            bound = float(np.max(m[some] - self.error[some] * self._quantile(level, some)))
            some = np.flatnonzero(~(at_most < bound))
        return bound

    def upper(self, alpha: float) -> float:
        """Return the least tolerance of 0 or less within which all pairs are shown to lie; they are within 0."""
        everyone, low, high = np.arange(len(self.first)), -1.0, 0.0
        while high - low > self.step:
            middle = (low + high) / 2.0
            low, high = (low, middle) if self.compliance(everyone, middle).max() < alpha else (middle, high)
        return low

    def _quantile(self, level: float, index: np.ndarray) -> Array:
        return np.asarray(-special.stdtrit(self.freedom[index], level))


def _shape_between(one: Array, other: Array) -> tuple[Array, Array]:
    """Return the least and the most that `variance_shape` is between two areas."""
    ends = variance_shape(one), variance_shape(other)
    return np.minimum(*ends), np.where((one - 0.5) * (other - 0.5) < 0.0, 0.25, np.maximum(*ends))


def _room(margin: Array | float, inwards: Array) -> tuple[Array, Array, Array]:
    """Return between which areas the errors' area is moved, and by how much the uncertainty's is then lower."""
    reach = np.clip(margin, 2.0 * inwards - 1.0, 1.0 - 2.0 * inwards)
    return inwards + np.maximum(reach, 0.0), 1.0 - inwards + np.minimum(reach, 0.0), reach


def judge_mismatch(
    statistics: MismatchStatistics,
    limit: float,
    alpha: float,
    *,
    blocks: np.ndarray | None = None,
    level: float | None = None,
) -> Inference:
    """Judge the largest mismatch of all pairs of groups against a limit in [0, 1); `first` has the worse errors."""
    # All groups can be judged (`mismatch.too_small`). Estimate and interval lie in [-1, 1]. blocks: (G,), strata.
    tests = MismatchPairs(statistics, blocks, alpha)
    found = judge_pairs(tests, limit, alpha, level)
    count = len(tests.first)
    low = found.low
    if low <= 0.0:
        # No test at a limit says how negative the mismatch may be; the bound is that of a limit of 0, the widest.
        of_pair = Family(tests.deviations, 0.0, tests.blocks).level(alpha if level is None else level)
        low = min(tests.lower(of_pair), 0.0)
    return Inference(
        estimate=float(tests.disparity[found.shown]),
        low=max(low, -1.0),
        high=found.high if found.high > 0.0 else tests.upper(alpha),
        p_violation=found.p_violation,
        p_compliance=found.p_compliance,
        first=int(tests.first[found.shown]),
        second=int(tests.second[found.shown]),
        comparisons=count,
        level=found.level,
        standard_error=float(tests.error[found.shown]),
        method=_METHOD if count == 1 else f"{_METHOD}, max-t over {count} pairs",
    )
