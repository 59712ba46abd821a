"""A table of one metric -> how each disparity changes from one configuration to another, on the same splits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fairness_checks.stats.judge_reduction import Claims, Reduction
from fairness_checks.stats.moments import MeanStatistics
from fairness_checks.stats.repeats import repeat_estimates, undefined_gaps
from fairness_checks.stats.skewness import unseen_variances
from fairness_checks.sweep.tables import Table
from fairness_checks.typing import Array

__all__ = ["Change", "change_between", "contrasts", "signed_pairs"]

_ROUNDING = 1e-10  # of the largest value; contrasts that differ by less between repeats are the same


@dataclass(frozen=True, slots=True, eq=False)
class Contrasts:
    """N linear combinations of groups' values; shapes (N,)."""

    claims: Claims
    tested: Array  # of the groups' rows, how many test in one repeat; between the groups' shares
    by_repeats: Array  # share of the variance that more repeats of the same rows would take away
    missing: npt.NDArray[np.intp]  # repeats that are left out, as the combination is undefined there


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """From one configuration, `before`, to another, of G groups."""

    before: int  # positions of the configurations
    after: int
    first: int  # groups whose difference is the largest before, the higher value first
    second: int
    after_first: int  # the same after
    after_second: int
    reduction: Reduction  # of the disparity
    signed: Contrasts  # one: the signed difference of `first` and `second` before, less the same after


def signed_pairs(groups: int) -> npt.NDArray[np.intp]:
    """Return all ordered pairs of groups, shape (2 P, 2): every pair with both signs."""
    first, second = np.triu_indices(groups, 1)
    return np.concatenate([np.column_stack([first, second]), np.column_stack([second, first])])


def contrasts(table: Table, at: Sequence[int], weights: Array) -> Contrasts | None:
    """Estimate N linear combinations of the groups' values under M configurations; None where one cannot be judged."""
    # weights: (N, M, G). Not judged is what is undefined in too many repeats, or the same in all of them.
    used = weights != 0.0
    of_group = used.any(axis=1)  # (N, G)
    values = np.moveaxis(table.values[list(at)], 1, 2)  # (M, G, J)
    series = np.where(used[..., None], weights[..., None] * values, 0.0).sum(axis=(1, 2))  # (N, J)
    if undefined_gaps(series).any():
        return None
    sums = _sums(table, at, weights)  # (N, G, J, WIDTH)
    known = None if sums is None else _mean(np.abs(sums) ** 2)
    share, least = table.test_share, np.where(of_group, table.test_share, 1.0).min(axis=1)
    if known is None:
        tested = np.where(of_group, share, 0.0).max(axis=1)
    else:
        total = known.sum(axis=1)
        weighted = np.divide((known * share).sum(axis=1), total, out=np.zeros_like(total), where=total > 0.0)
        tested = np.where(total > 0.0, weighted, np.where(of_group, share, 0.0).max(axis=1))
    freedom = np.where(of_group, table.freedom, np.inf).min(axis=1)
    # Without a variance of the test rows, training rows may make all of the difference.
    within = np.zeros(len(series)) if known is None else known.sum(axis=1)
    found = repeat_estimates(series, 1.0 - tested, tested, within, 1.0 - least, freedom)
    # Models that never disagreed could: as if they did in two rows of the table, one either way (Agresti, Bonett and
    # Price; see `fairness_checks.stats.influence`). Added, not told from what training rows do: the repeats saw none.
    unseen = (np.abs(weights).max(axis=1) ** 2 * table.least_variance * share).sum(axis=1)
    variance = found.variance + unseen
    scale = np.abs(table.values[~np.isnan(table.values)]).max(initial=0.0) or 1.0
    if not (variance > (_ROUNDING * scale) ** 2).all():
        return None
    up, down = _sides(table, at, weights, sums)
    claims = Claims(found.value, np.sqrt(variance + up), np.sqrt(variance + down), np.asarray(found.freedom))
    missing = np.isnan(series).sum(axis=1)
    by_repeats = np.nanvar(series, axis=1, ddof=1) / (series.shape[1] - missing) / variance
    return Contrasts(claims, tested, by_repeats, missing)


def _sums(table: Table, at: Sequence[int], weights: Array) -> npt.NDArray[np.complex128] | None:
    """Return the sketches of the combinations, of each group apart, shape (N, G, J, WIDTH)."""
    if table.sketches is None:
        return None
    found = np.einsum("nmg,mjgs->ngjs", weights, np.nan_to_num(table.sketches[list(at)]))
    missing = np.isnan(table.sketches[list(at)]).any(axis=3)  # (M, J, G)
    gone = np.einsum("nmg,mjg->ngj", (weights != 0.0).astype(np.float64), missing.astype(np.float64)) > 0.0
    found[gone] = np.nan
    return np.asarray(found)


def _mean(of: Array) -> Array:
    """Return the means over the last two axes, repeats and sketches; 0 where no repeat has any."""
    known = ~np.isnan(of)
    return np.asarray(np.where(known, of, 0.0).sum(axis=(-2, -1)) / np.maximum(known.sum(axis=(-2, -1)), 1))


def _sides(
    table: Table, at: Sequence[int], weights: Array, sums: npt.NDArray[np.complex128] | None
) -> tuple[Array, Array]:
    """Return what skewed values add to the variances for "not above" and "not below", shapes (N,)."""
    # Only what test rows make of a variance is widened, which is square / size of each group: of the whole table.
    up, down = np.zeros((2, len(weights)))
    if table.moments is None or sums is None:
        return up, down
    for n, own in enumerate(weights):
        groups = np.flatnonzero((own != 0.0).any(axis=0))
        # Oriented so that errors skewed alike in both groups are skewed alike here.
        turn = np.array([np.sign(own[:, g][own[:, g] != 0.0][0]) for g in groups])
        size = table.moments.n[list(at)][:, groups].min(axis=0)
        size = np.minimum(size, table.freedom[groups] + 1.0)  # clusters count as what they are worth
        rows = size * table.test_share[groups]
        square = _mean(np.abs(sums[n, groups]) ** 2) * rows
        third = turn * _mean((sums[n, groups] ** 3).real) * rows**2
        skewness = np.divide(third, square**1.5, out=np.zeros_like(third), where=square > 0.0)
        skewness = np.clip(skewness, -np.sqrt(size), np.sqrt(size))  # as in any sample
        # Each in its own units: that one group's errors change more says nothing of what the other's samples missed.
        above, below = (
            side * size for side in unseen_variances(MeanStatistics(size, 0.0 * size, size, skewness * size))
        )
        for side, factors in ((up, (above, below)), (down, (below, above))):
            side[n] = (np.maximum(np.where(turn > 0.0, *factors) - 1.0, 0.0) * square / size).sum()
    return up, down


def change_between(table: Table, before: int, after: int) -> Change | None:
    """Compare two configurations; None where some group cannot be judged under one of them."""
    if any(problem is not None for problem in table.problems):
        return None
    pairs = signed_pairs(len(table.groups))
    both = [before, after]
    means = []
    for c in both:
        values = table.values[c]  # (J, G)
        if undefined_gaps(values.T).any():
            return None
        means.append(np.nanmean(values, axis=0))
    gaps = np.stack([mean[pairs[:, 0]] - mean[pairs[:, 1]] for mean in means])  # (2, 2 P)
    largest = gaps.argmax(axis=1)
    single = np.zeros((len(pairs), len(table.groups)))
    rows = np.arange(len(pairs))
    single[rows, pairs[:, 0]], single[rows, pairs[:, 1]] = 1.0, -1.0
    own, other = single[largest[0]], single[largest[1]]

    def less(first: Array, second: Array) -> Contrasts | None:
        shape = (max(len(first), len(second)), *first.shape[1:])
        return contrasts(table, both, np.stack(np.broadcast_arrays(np.broadcast_to(first, shape), -second), axis=1))

    def rest(c: int, kept: int) -> Claims:
        others = single[kept] - np.delete(single, kept, axis=0)
        found = contrasts(table, [both[c]], others[:, None, :])
        never = np.full(len(others), np.inf)  # differences that are the same in all repeats show no order
        return Claims(np.zeros(len(others)), never, never, never) if found is None else found.claims

    least, most = less(own[None], single), less(single, other[None])
    of_first, of_second = rest(0, int(largest[0])), rest(1, int(largest[1]))
    signed = less(own[None], own[None])
    if least is None or most is None or signed is None:
        return None
    first, second = (int(g) for g in pairs[largest[0]])
    after_first, after_second = (int(g) for g in pairs[largest[1]])
    return Change(
        before,
        after,
        first,
        second,
        after_first,
        after_second,
        Reduction(least.claims, most.claims, of_first, of_second),
        signed,
    )
