"""The largest difference among estimates."""

from __future__ import annotations

import functools
from typing import Protocol

import numpy as np

from fairness_checks.stats.estimates import Estimates, estimates_compliance, estimates_violation
from fairness_checks.stats.inference import Inference
from fairness_checks.stats.pairs import block_pairs, judge_pairs
from fairness_checks.typing import Array

__all__ = ["EstimatePairs", "PairTest", "judge_difference"]

_FEW = 500  # pairs, whose p-values are all exact


class PairTest(Protocol):
    """p-values of pairs (first, second) at a margin, shape (B,), as those in `fairness_checks.stats.estimates`."""

    # Where a `level` is given, they may be bounds where that suffices: see `both_tails` for tests of a violation,
    # `larger_tail` for those of compliance.

    def __call__(self, first: np.ndarray, second: np.ndarray, margin: float, level: float | None = None) -> Array:
        """Return them."""
        ...


class EstimatePairs:
    """All pairs of the groups' estimates as `PairTests`, tested by functions of (first, second, margin)."""

    def __init__(
        self,
        groups: Estimates,
        largest: float,
        violation: PairTest,
        compliance: PairTest,
        level: float,
        blocks: np.ndarray | None = None,
    ) -> None:
        self._violation, self._compliance, self._level = violation, compliance, level
        self.blocks = np.zeros(len(groups.value), dtype=np.intp) if blocks is None else np.asarray(blocks)
        self.first, self.second = block_pairs(self.blocks)
        self.disparity: Array = np.abs(groups.value[self.first] - groups.value[self.second])
        self.deviations: Array = np.sqrt(groups.variance)
        self.independent = groups.shared is None
        self.largest = largest
        scale = np.hypot(self.deviations[self.first], self.deviations[self.second])
        self.step = min(2e-5, 1e-3 * float(scale.min(initial=np.inf, where=scale > 0.0)))

    def violation(self, index: np.ndarray, tolerance: float) -> Array:
        """p-values of H0 "the pair keeps the tolerance" of some pairs; of many bounds, where they decide nothing."""
        first, second = self.first[index], self.second[index]
        if len(index) <= _FEW:
            return self._violation(first, second, tolerance)
        p = self._violation(first, second, tolerance, self._level)
        named = self.disparity[index] >= self.disparity.max() - self.step  # of equal ones p settles which is named
        p[named] = self._violation(first[named], second[named], tolerance)
        return p

    def compliance(self, index: np.ndarray, tolerance: float) -> Array:
        """p-values of H0 "the pair meets or exceeds the tolerance" of some pairs; of many bounds, save the largest."""
        level = self._level if len(index) > _FEW else None
        return self._compliance(self.first[index], self.second[index], tolerance, level)

    def scaled(self, tolerance: float) -> float:
        """Return the tolerance; disparities are differences already."""
        return tolerance


def judge_difference(
    groups: Estimates,
    limit: float,
    alpha: float,
    *,
    largest: float,
    method: str,
    violation: PairTest | None = None,
    compliance: PairTest | None = None,
    blocks: np.ndarray | None = None,
    level: float | None = None,
) -> Inference:
    """Judge the largest difference of the groups' estimates against a limit; some stratum has two groups."""
    # blocks: (G,), strata; groups are compared within them only. No difference is larger than `largest`. `level` is
    # that of the test of a violation. Tests of pairs are Welch's by default.
    tests = EstimatePairs(
        groups,
        largest,
        violation or functools.partial(estimates_violation, groups),
        compliance or functools.partial(estimates_compliance, groups),
        alpha,
        blocks,
    )
    found = judge_pairs(tests, limit, alpha, level)
    pair = (int(tests.first[found.shown]), int(tests.second[found.shown]))
    higher, lower = pair if groups.value[pair[0]] >= groups.value[pair[1]] else pair[::-1]
    count = len(tests.first)
    return Inference(
        estimate=float(tests.disparity[found.shown]),
        low=found.low,
        high=min(found.high, largest),
        p_violation=found.p_violation,
        p_compliance=found.p_compliance,
        first=higher,
        second=lower,
        comparisons=count,
        level=found.level,
        method=method
        if count == 1
        else f"{method}, {'max-t' if tests.independent else 'Bonferroni'} over {count} pairs",
    )
