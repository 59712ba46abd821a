"""What two models of the same samples differ by: its variance, what pseudo-samples add, and what no sample shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from fairness_checks.stats.clusters import Integers, distinct
from fairness_checks.stats.influence import Influence, hidden_factor
from fairness_checks.stats.ranks import inner
from fairness_checks.typing import Array

__all__ = ["Change", "Changes", "changed_pseudo_samples", "changes", "of_same_samples", "unseen_changes"]

_ROUNDING = 1e-6  # of a full change, below which two models agree
# Found by simulation, see docs/statistics.md. With exp(-e) in place of exp(-2 e) a third less is found in 10 clusters;
# with exp(-3 e) 0.08 pass wrongly where patients turn both ways.
_MISSED = 2.0
_EVEN = 0.6  # of the number of samples or clusters: e of normal changes
_LARGEST = 1.5
_HEAVY = 1.5


def of_same_samples(new: Influence, old: Influence, codes: Integers | None) -> tuple[Influence, Influence]:
    """Let the difference of two influences vary by what each sample, or cluster, changes, and by nothing else."""
    # Either influence has grown by itself for unequal clusters, so that their difference as it is has too much. And
    # what pseudo-samples, in which neither model does better, leave out of the difference is taken back: without that
    # a change of 0.06 in 10 clusters counts as 0.05, and compliance at a limit of 0.06 is shown too often.
    if new.plain is None or old.plain is None or new.own is None or old.own is None:
        return new, old
    factor, change = 1.0 / new.kept, new.plain - old.plain
    # Samples in which the models agree count, too, but not those that neither estimate is made of.
    change = change * factor * hidden_factor(change, codes, (new.psi != 0.0) | (old.psi != 0.0))

    def parted(x: Array, y: Array, difference: Array) -> tuple[Array, Array]:
        return (x + y + difference) / 2.0, (x + y - difference) / 2.0

    opposite = old.extra[::-1]
    psi = parted(new.psi, old.psi, change)
    extra = parted(new.extra, opposite, factor * (new.extra - opposite))
    more = (factor - 1.0) / 2.0 * (new.centre - old.centre)
    return (
        replace(new, centre=new.centre + more, psi=psi[0], extra=extra[0], own=new.own * factor),
        replace(old, centre=old.centre - more, psi=psi[1], extra=extra[1][::-1], own=old.own * factor),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """By how much more each of K samples, or clusters, contributes to the new estimate of a group."""

    value: Array  # (K,), summed over a cluster
    size: Array  # (K,), samples that count
    bounded: bool  # whether none can change further than pseudo-samples do
    times: Integers | None = None  # (K,), samples that each of K stands for, of which each is one; None: one each

    def total(self) -> Changes:
        """Add them up."""
        size = self.size
        if not len(size):
            return Changes(0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, self.bounded)
        # What a cluster of mean size changes by whose samples change as those of each cluster do.
        typical = self.value / size * size.mean()
        times = np.ones(len(size)) if self.times is None else self.times.astype(np.float64)
        away = typical - _weighted_median(typical, size * times)
        moved, units = np.abs(away) * size, float(times.sum())
        uneven = inner(size * times, size) / inner(size, times) ** 2
        sums = (inner(moved, times), inner(moved * times, moved), inner(size * times, away**2))
        found = Changes(units, float(size.mean()), uneven, float(moved.max()), *sums, self.bounded)
        if self.bounded:
            return found
        d = typical - np.average(typical, weights=size * times)
        return replace(found, highest=float(d.max()), lowest=float(d.min()), spread=inner(d * times, d))


@dataclass(frozen=True, slots=True)
class Changes:
    """What is read of all changes of a group: c is what a cluster of mean size changes by, beside their median."""

    units: float  # K, samples or clusters
    mean_size: float
    uneven: float  # sum of squared sizes over the squared sum of sizes
    largest: float  # |c| times size, as in the next two
    moved: float  # sum
    squares: float  # sum of squares
    weighted: float  # sum of sizes times c^2
    bounded: bool  # as in `Change`; where it is not, beside their mean:
    highest: float = 0.0
    lowest: float = 0.0
    spread: float = 0.0  # sum of squares


def changes(
    new: Sequence[Influence], old: Sequence[Influence], clusters: Sequence[Integers] | None
) -> list[Change | None]:
    """Return the changes of each group; None where single samples are not known."""
    found: list[Change | None] = []
    for g, (n, o) in enumerate(zip(new, old, strict=True)):
        if n.own is None or o.own is None:
            found.append(None)
            continue
        change, counted = n.own - o.own, (n.psi != 0.0) | (o.psi != 0.0)
        if clusters is None:
            times = None if n.times is None else n.times[counted]
            found.append(Change(change[counted], np.ones(int(counted.sum())), n.bounded, times))
        else:
            codes = distinct(clusters[g])[1]
            sums, size = (np.bincount(codes, weights=x).astype(np.float64) for x in (change, counted))
            found.append(Change(sums[size > 0.0], size[size > 0.0], n.bounded))
    return found


def changed_pseudo_samples(pseudo: Array, of_groups: Sequence[Changes | None]) -> Array:
    """Let paired pseudo-samples change between the models as much as the samples, or clusters, that did change."""
    # (2 G, k) to (2 G, 2 k). At most, and where changes are None, they change in full: a cluster of mean size from no
    # event to events alone. The variance that they add to either model's own estimate stays.
    new, old = np.split(pseudo, 2)
    agreed, change = (new + old) / 2.0, (new - old) / 2.0
    full = np.sum(np.abs(2.0 * change), axis=1) / np.sqrt(max(2 * change.shape[1], 1))  # of one
    share = np.ones(len(new))
    for g, of_group in enumerate(of_groups):
        if of_group is not None and full[g] > 0.0:
            share[g] = _share(of_group, full[g])
    parts, rest = np.sqrt(share)[:, None] * change, np.sqrt(1.0 - share)[:, None] * change
    return np.block([[agreed + parts, rest], [agreed - parts, rest]])


def _share(change: Changes, full: float) -> float:
    """Return the share of a full change's variance that a pair of pseudo-samples has."""
    # Beside their median the changes d count as e = (sum |d|)^2 / sum d^2, of rates of single samples their number.
    # Changes as common as those seen are missed altogether with probability exp(-e): with the weight exp(-2 e)
    # pseudo-samples change in full. Otherwise they change as much as a cluster of mean size does, and the less the more
    # of all clusters changed: Student's t knows how badly a variance is known once changes are spread evenly.
    if not change.largest > _ROUNDING * change.mean_size * full:
        return 1.0
    e = change.moved**2 / change.squares
    typical = (change.weighted / (full * change.moved)) ** 2
    uneven = max(1.0 - e * change.uneven / _EVEN, 0.0)
    missed = np.exp(-_MISSED * e)
    return float(min(1.0, missed + (1.0 - missed) * uneven * typical))


def unseen_changes(of_groups: Sequence[Changes | None]) -> tuple[Array, Array]:
    """Return the variances of rises and falls that no sample shows, (2, G), and the largest change's share, (G,)."""
    # The share is of the sum of squares, and 0 where it is no larger than among changes without heavy tails.
    # A mean of few large changes is too low, and seems to be known too well, where none of the largest was drawn: one
    # and a half times the square of the largest one seen is added.
    found, largest = np.zeros((2, len(of_groups))), np.zeros(len(of_groups))
    for g, of_group in enumerate(of_groups):
        if of_group is None or of_group.bounded or not of_group.units:
            continue
        ends, count, total = np.array([of_group.highest, of_group.lowest]), of_group.units, of_group.spread
        found[:, g] = _LARGEST * ends**2
        share = float(np.max(ends**2)) / total if total > 0.0 else 0.0
        if share > _HEAVY * 2.0 * np.log(count) / count:  # the largest of normal changes has 2 log(K) / K
            largest[g] = share
    return found, largest


def _weighted_median(values: Array, weights: Array) -> float:
    if 2.0 * weights[values == 0.0].sum() > weights.sum():
        return 0.0  # without a sort: most samples do not change
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(total, total[-1] / 2.0)]) if len(order) else 0.0
