"""Whether a new model is worse for groups than the accepted one was: three questions, one limit."""

# Above 0 is worse, whatever the metric. Estimates and their covariance come from `joint_estimates`, the tests of a
# maximum from `worsening_tests`; the interval is the inversion of the tests. The p-value for "it did not improve",
# for a limit that tightens, is `p_compliance` at a limit of 0.

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fairness_checks.stats.estimates import Estimates, upper_tail
from fairness_checks.stats.inference import Inference, deciding
from fairness_checks.stats.joint_estimates import JointEstimates, contrasts
from fairness_checks.stats.worsening_tests import MaximumTests, maximum_tests
from fairness_checks.stats.worst_estimate import judge_worst
from fairness_checks.typing import Array

__all__ = [
    "JudgedWorsening",
    "Levelling",
    "levelling_down",
    "worsening_of_disparity",
    "worsening_of_each_group",
    "worsening_of_worst_group",
]

_ROUNDING = 1e-12  # of a value: less is the order in which it was added up


@dataclass(frozen=True, slots=True)
class JudgedWorsening:
    """The answer to one of the questions."""

    inference: Inference  # `first` and `second` decide under the new model
    old_first: int  # the groups that decided under the old one
    old_second: int  # -1 where it was one group
    new: float  # what is compared, with its sign for metrics of which less is worse
    old: float


@dataclass(frozen=True, slots=True)
class Levelling:
    """A group that did better and got worse while the disparity shrank."""

    group: int
    worsening: float  # above 0
    p: float  # one-sided, of H0 "it did not get worse"


def _worse_up(joint: JointEstimates, lower_is_better: bool) -> JointEstimates:
    if np.isnan(joint.freedom).any() or np.isnan(joint.value).any():
        bad = np.flatnonzero(np.isnan(joint.freedom) | np.isnan(joint.value)) % joint.groups
        raise ValueError(f"groups at {sorted(set(bad.tolist()))} have no estimate or no variance")
    return joint if lower_is_better else joint.turned()


def _source(joint: JointEstimates) -> str:
    return f"{'paired' if joint.paired else 'unpaired'} t test of influence sums"


def worsening_of_each_group(
    joint: JointEstimates, limit: float, alpha: float, *, lower_is_better: bool
) -> JudgedWorsening:
    """Judge the largest worsening of a group; Sidak over the groups for a violation, nothing for compliance."""
    # max over g of (new_g - old_g). Where clusters span groups Sidak's level is at most 0.0513 for 0.05.
    joint = _worse_up(joint, lower_is_better)
    own = np.eye(joint.groups)
    x = contrasts(joint, own, own)
    new, old = np.split(joint.value, 2)
    value, freedom = np.diag(x.value), np.diag(x.freedom)
    proven, possible = (Estimates(value, np.diag(error) ** 2, freedom) for error in (x.proven, x.possible))
    found = judge_worst(new - old, proven, possible, limit, alpha, ceiling=True, method=_source(joint))
    return JudgedWorsening(found, found.first, -1, *_shown(lower_is_better, new[found.first], old[found.first]))


def _shown(lower_is_better: bool, new: float, old: float) -> tuple[float, float]:
    sign = 1.0 if lower_is_better else -1.0
    return sign * float(new), sign * float(old)


def worsening_of_worst_group(
    joint: JointEstimates, limit: float, alpha: float, *, lower_is_better: bool
) -> JudgedWorsening:
    """Judge the worsening of the worst group, which may be another one under the new model."""
    # max new_g - max old_g.
    joint = _worse_up(joint, lower_is_better)
    tests = maximum_tests(joint, np.eye(joint.groups))
    new, old = np.split(joint.value, 2)
    shown, before = _deciding(tests, new, limit, alpha), int(np.argmax(old))
    method = f"{_source(joint)}, maximum over {joint.groups} groups"
    found = _inference(tests, limit, alpha, float(new[shown] - old[before]), (shown, -1), joint.groups, method)
    return JudgedWorsening(found, before, -1, *_shown(lower_is_better, new[shown], old[before]))


def worsening_of_disparity(joint: JointEstimates, limit: float, alpha: float) -> JudgedWorsening:
    """Judge the growth of the largest difference between two groups, whichever two these are."""
    # The metric's direction does not matter; `first` has the higher value of the pair that decides.
    joint = _worse_up(joint, True)
    if joint.groups < 2:
        raise ValueError("a disparity needs two groups")
    first, second = np.triu_indices(joint.groups, 1)
    first, second = np.concatenate([first, second]), np.concatenate([second, first])
    own = np.eye(joint.groups)
    terms = own[first] - own[second]
    tests = maximum_tests(joint, terms, signed=True)
    new, old = (terms @ half for half in np.split(joint.value, 2))
    shown, before = _deciding(tests, new, limit, alpha), int(np.argmax(old))
    pair, pairs = (int(first[shown]), int(second[shown])), len(first) // 2
    method = f"{_source(joint)}, maximum over {pairs} pair{'s' * (pairs > 1)}"
    found = _inference(tests, limit, alpha, float(new[shown] - old[before]), pair, pairs, method)
    return JudgedWorsening(found, int(first[before]), int(second[before]), float(new[shown]), float(old[before]))


def _deciding(tests: MaximumTests, new: Array, limit: float, alpha: float) -> int:
    """Return the term of the new model that decides."""
    p = tests.violation(limit)
    if tests.of_new.total(float(p.min())) >= alpha:
        return int(np.argmax(new))
    return deciding(new, p, tests.proved(limit, alpha), violated=True)


def _inference(
    tests: MaximumTests, limit: float, alpha: float, estimate: float, deciding: tuple[int, int], count: int, method: str
) -> Inference:
    return Inference(
        estimate=estimate,
        low=tests.low(alpha),
        high=tests.high(alpha),
        p_violation=tests.p_violation(limit),
        p_compliance=tests.p_compliance(limit),
        first=deciding[0],
        second=deciding[1],
        comparisons=count,
        level=tests.of_new.level(alpha),
        method=method,
    )


def levelling_down(joint: JointEstimates, *, lower_is_better: bool) -> Levelling | None:
    """Name the better-off group that got worse while the largest disparity shrank; None if there is none."""
    # The group is the better one of the two that differed most under the old model.
    joint = _worse_up(joint, lower_is_better)
    new, old = np.split(joint.value, 2)
    better = int(np.argmin(old))
    worsening = float(new[better] - old[better])
    noise = _ROUNDING * float(np.abs(joint.value).max())  # an engine adds up the same values in any order
    if np.ptp(old) - np.ptp(new) <= noise or worsening <= noise:
        return None
    own = np.eye(joint.groups)[[better]]
    x = contrasts(joint, own, own)
    p = upper_tail(x.value / x.proven, x.freedom) if x.proven > 0.0 else np.zeros((1, 1))
    return Levelling(better, worsening, float(p[0, 0]))
