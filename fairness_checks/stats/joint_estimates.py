"""A metric of two models in the same groups: estimates, their covariance, and contrasts of them."""

# The covariance is the sum over units (samples or clusters) of the products of their influence, between old and new
# where both models saw the same samples, and between groups where clusters lie in several. A contrast that skewness
# endangers has its standard error widened by 1.3 g, g the skewness of the contrast's own estimate, from the samples
# and the pseudo-samples that endanger the claim.

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from fairness_checks.stats.clusters import Integers
from fairness_checks.stats.influence import Influence
from fairness_checks.stats.paired_changes import (
    Change,
    Changes,
    changed_pseudo_samples,
    changes,
    of_same_samples,
    unseen_changes,
)
from fairness_checks.stats.skewness import WIDENING
from fairness_checks.typing import Array

if TYPE_CHECKING:
    from scipy import sparse

__all__ = ["Contrasts", "JointEstimates", "PairedSums", "contrasts", "joint_estimates", "joint_of_sums"]


@dataclass(frozen=True, slots=True, eq=False)
class JointEstimates:
    """Estimates of G groups under the new model, then under the old one."""

    value: Array  # (2 G,), as they are
    centre: Array  # (2 G,), those that tests use; see `Influence`
    covariance: Array  # (2 G, 2 G)
    freedom: Array  # (2 G,), of each variance; nan where it is unknown
    third: Array  # (4, G), third moments: new^3, new^2 old, new old^2, old^3
    pseudo: Array  # (2 G, k), influence of the pseudo-samples; where paired, a column is one of both models
    paired: bool  # whether old and new come from the same samples
    spanning: bool  # whether clusters lie in several groups, or in both models' samples where not paired
    unseen: Array  # (2, G), variance of rises and falls of new above old that no sample shows; 0 unless paired means
    largest: Array  # (G,), of paired means the share of the largest change in their squares where it is heavy, else 0

    @property
    def groups(self) -> int:
        """Number of groups, G."""
        return len(self.value) // 2

    def turned(self) -> JointEstimates:
        """Return the estimates with the opposite sign, for metrics of which less is worse."""
        value, centre, third, pseudo = (-x for x in (self.value, self.centre, self.third, self.pseudo))
        return replace(self, value=value, centre=centre, third=third, pseudo=pseudo, unseen=self.unseen[::-1])


@dataclass(frozen=True, slots=True, eq=False)
class PairedSums:
    """What is read of one group of independent samples, of which two models' influence is x and y."""

    new: Influence  # psi and what follows it are not read
    old: Influence
    second: Array  # (3,), sums of x^2, x y, y^2
    third: Array  # (4,), of x^3, x^2 y, x y^2, y^3
    changes: Changes | None  # None where the samples are not the same

    @classmethod
    def of(cls, new: Influence, old: Influence, *, paired: bool) -> PairedSums:
        """Add up influence; where paired, psi is of the same samples in the same order."""
        changed = None
        if paired:
            new, old = of_same_samples(new, old, None)
            (changed,) = _total(changes([new], [old], None))
        x, y = new.psi, old.psi
        mixed = (new.total(x, y), new.total(x**2, y), new.total(x, y**2)) if paired else (0.0, 0.0, 0.0)
        return cls(
            new,
            old,
            np.array([new.total(x, x), mixed[0], old.total(y, y)]),
            np.array([new.total(x, x, x), mixed[1], mixed[2], old.total(y, y, y)]),
            changed,
        )


def _total(each: Sequence[Change | None]) -> list[Changes | None]:
    return [None if change is None else change.total() for change in each]


def joint_of_sums(groups: Sequence[PairedSums], *, paired: bool) -> JointEstimates:
    """Join the estimates of G groups of independent samples, of which `PairedSums` are known."""
    count = len(groups)
    covariance, third = np.zeros((2 * count, 2 * count)), np.zeros((4, count))
    for g, of_group in enumerate(groups):
        covariance[g, g], covariance[g, count + g], covariance[count + g, count + g] = of_group.second
        covariance[count + g, g] = covariance[g, count + g]
        third[:, g] = of_group.third
    new, old, changed = ([getattr(one, name) for one in groups] for name in ("new", "old", "changes"))
    return _joined(new, old, covariance, third, changed, paired=paired, spanning=False)


def joint_estimates(
    new: Sequence[Influence],
    old: Sequence[Influence],
    *,
    paired: bool,
    clusters: Sequence[Integers] | None = None,
    old_clusters: Sequence[Integers] | None = None,
) -> JointEstimates:
    """Join the estimates of G groups under two models; where paired, psi is of the same samples in the same order."""
    # clusters: of each group the cluster of each sample, the same code in two groups being the same cluster;
    # old_clusters: likewise of the old model's samples, where not paired.
    count = len(new)
    if len(old) != count:
        raise ValueError(f"{count} groups of the new model, {len(old)} of the old one")
    if paired and any(n.psi.shape != o.psi.shape for n, o in zip(new, old, strict=True)):
        raise ValueError("paired estimates come from the same samples; the groups' numbers of samples differ")
    if clusters is None:
        return joint_of_sums(
            [PairedSums.of(*pair, paired=paired) for pair in zip(new, old, strict=True)], paired=paired
        )
    if paired:
        new, old = zip(*map(of_same_samples, new, old, clusters), strict=True)
    changed = _total(changes(new, old, clusters)) if paired else [None] * count
    old_clusters = clusters if paired or old_clusters is None else old_clusters
    table = _by_cluster([*new, *old], [*clusters, *old_clusters])
    covariance = (table.T @ table).toarray()
    new_sums, old_sums = ([table[:, [g]].toarray()[:, 0] for g in at] for at in np.split(np.arange(2 * count), 2))
    spanning = _spans([*clusters] if paired else [*clusters, *old_clusters])
    third = np.zeros((4, count))
    for g, (x, y) in enumerate(zip(new_sums, old_sums, strict=True)):
        third[[0, 3], g] = np.sum(x * x * x), np.sum(y * y * y)  # `x**3` takes ten times as long
        if paired:
            third[[1, 2], g] = np.sum(x**2 * y), np.sum(x * y**2)
    return _joined(new, old, covariance, third, changed, paired=paired, spanning=spanning)


def _joined(
    new: Sequence[Influence],
    old: Sequence[Influence],
    covariance: Array,
    third: Array,
    changed: Sequence[Changes | None],
    *,
    paired: bool,
    spanning: bool,
) -> JointEstimates:
    """Add pseudo-samples to the covariance, (2 G, 2 G), of the samples."""
    pseudo = np.array([one.extra for one in new] + [one.extra[::-1] for one in old])
    if paired:
        pseudo = changed_pseudo_samples(pseudo, changed)
    common = np.kron(np.ones((2, 2)) if paired else np.eye(2), np.eye(len(new)))
    covariance = covariance + common * (pseudo @ pseudo.T)
    both = [*new, *old]
    value, centre, freedom = (np.array([getattr(one, name) for one in both]) for name in ("value", "centre", "freedom"))
    return JointEstimates(value, centre, covariance, freedom, third, pseudo, paired, spanning, *unseen_changes(changed))


def _by_cluster(influences: Sequence[Influence], clusters: Sequence[Integers]) -> sparse.csc_array:
    """Sum influence by cluster: one row a cluster, one column an estimate."""
    from scipy import sparse

    row = np.unique(np.concatenate(clusters), return_inverse=True)[1]
    column = np.repeat(np.arange(len(influences)), [len(one.psi) for one in influences])
    psi = np.concatenate([one.psi for one in influences])
    return sparse.csc_array((psi, (row, column)))


def _spans(clusters: Sequence[Integers]) -> bool:
    unique = np.concatenate([np.unique(codes) for codes in clusters])
    return len(np.unique(unique)) < len(unique)


@dataclass(frozen=True, slots=True, eq=False)
class Contrasts:
    """Contrasts of joint estimates, all arrays of one shape."""

    value: Array  # the contrasts
    proven: Array  # standard errors for the claim that a contrast is larger than something
    possible: Array  # for the claim that it is smaller
    freedom: Array


def contrasts(joint: JointEstimates, new: Array, old: Array) -> Contrasts:
    """Return all contrasts new_s' theta_new - old_t' theta_old, shapes (S, T)."""
    # new: (S, G), old: (T, G), coefficients. Degrees of freedom are Satterthwaite's (Biometrics Bull. 2 (1946) 110,
    # doi:10.2307/3002019) over the groups; where clusters span groups, the fewest of any estimate in the contrast.
    count = joint.groups
    of_new, of_old = np.zeros((4, len(new))), np.zeros((4, len(old)))
    mixed = np.zeros((4, len(new), len(old)))
    for g in range(count):
        rows, columns = np.flatnonzero(new[:, g]), np.flatnonzero(old[:, g])
        a, b = new[rows, g], -old[columns, g]
        first, second = _moments(joint, g, a, np.zeros(1)), _moments(joint, g, np.zeros(1), b)
        of_new[:, rows] += first
        of_old[:, columns] += second
        if joint.paired and len(rows) and len(columns):
            both = _moments(joint, g, a[:, None], b)
            mixed[:, rows[:, None], columns] += both - first[:, :, None] - second[:, None, :]
    total, spread, rises, falls = of_new[:, :, None] + of_old[:, None, :] + mixed
    fewest = np.minimum(_fewest(new, joint.freedom[:count])[:, None], _fewest(old, joint.freedom[count:]))
    if joint.spanning:
        nn, cross, oo = (
            joint.covariance[:count, :count],
            joint.covariance[:count, count:],
            joint.covariance[count:, count:],
        )
        total = np.sum((new @ nn) * new, axis=1)[:, None] + np.sum((old @ oo) * old, axis=1) - 2.0 * new @ cross @ old.T
    total = np.maximum(total, 0.0)
    error = np.sqrt(total)
    with np.errstate(divide="ignore", invalid="ignore"):
        freedom = fewest if joint.spanning else np.maximum(np.where(spread > 0.0, total**2 / spread, fewest), 1.0)
        harm = (np.where(total > 0.0, np.maximum(moment, 0.0) / (total * error), 0.0) for moment in (falls, rises))
        # Falls that no sample shows endanger a proof that the contrast is larger, rises one that it is smaller.
        proven, possible = (
            np.sqrt(total + more) * (1.0 + WIDENING * g) for more, g in zip(_unseen(joint, new, old), harm, strict=True)
        )
    value = (new @ joint.centre[:count])[:, None] - old @ joint.centre[count:]
    return Contrasts(value, proven, possible, freedom)


def _unseen(joint: JointEstimates, new: Array, old: Array) -> tuple[Array, Array]:
    """Return what unseen falls, and unseen rises, of contrasts add to their variance; shapes (S, T)."""
    rises, falls = np.zeros((2, len(new), len(old)))
    for g in np.flatnonzero(joint.unseen.any(axis=0)):
        a, b = new[:, g][:, None], old[:, g]
        for sign, (up, down) in ((1.0, joint.unseen[:, g]), (-1.0, joint.unseen[::-1, g])):
            shared = np.maximum(np.minimum(sign * a, sign * b), 0.0) ** 2
            rises, falls = rises + up * shared, falls + down * shared
    return falls, rises


def _moments(joint: JointEstimates, g: int, a: Array, b: Array) -> Array:
    """Return what group g adds to contrasts a new_g + b old_g, broadcast; shape (4, ...)."""
    # These are the variance, its square over the degrees of freedom, and the third moment upwards and downwards.
    other = joint.groups + g
    a_variance, b_variance = a**2 * joint.covariance[g, g], b**2 * joint.covariance[other, other]
    a_freedom, b_freedom = (np.where(c != 0.0, joint.freedom[at], np.inf) for c, at in ((a, g), (b, other)))
    variance = a_variance + b_variance + 2.0 * (a * b) * joint.covariance[g, other]
    if joint.paired:
        spread = np.maximum(variance, 0.0) ** 2 / np.minimum(a_freedom, b_freedom)
    else:
        spread = a_variance**2 / a_freedom + b_variance**2 / b_freedom
    nnn, nno, noo, ooo = joint.third[:, g]
    rises = a**3 * nnn + b**3 * ooo + 3.0 * (a * b) * (a * nno + b * noo)
    falls = -rises
    for x, y in joint.pseudo[[g, other]].T:
        for moved in (a * x + b * y,) if joint.paired else (a * x, b * y):
            rises = rises + np.maximum(moved, 0.0) ** 3
            falls = falls + np.maximum(-moved, 0.0) ** 3
    return np.stack([variance, spread, rises, falls])


def _fewest(coefficients: Array, freedom: Array) -> Array:
    return np.asarray(np.min(np.where(coefficients != 0.0, freedom, np.inf), axis=1))
