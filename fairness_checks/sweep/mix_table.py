"""Values of one metric under every mix, and what each mix does to the gap: the table in a record."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from fairness_checks.kinds.estimated import estimate_records
from fairness_checks.question.checks import MixAnswer
from fairness_checks.question.metrics import Metric
from fairness_checks.records.parts import GroupRecord
from fairness_checks.records.sweep_record import MixChange, MixGroup, MixRecord
from fairness_checks.stats import gaps as asked
from fairness_checks.stats.estimates import Estimates, upper_quantile
from fairness_checks.stats.repeats import repeat_estimates, undefined_gaps
from fairness_checks.stats.skewness import unseen_variances, variances
from fairness_checks.sweep.changes import Change, change_between
from fairness_checks.sweep.mixes import as_is_mix
from fairness_checks.sweep.plan import SweepPlan
from fairness_checks.sweep.tables import Table
from fairness_checks.typing import Array

__all__ = ["group_values", "mix_table"]


def mix_table(table: Table, trained: Array, plan: SweepPlan, metric: Metric, alpha: float) -> tuple[MixRecord, ...]:
    """Return every configuration with its groups, gap and change."""
    # trained: (C, G), rows of each group that are trained on. A mismatch has no values by group.
    records = list(_groups(table, trained, metric, alpha))
    if np.isnan(table.values).all():
        return tuple(records)
    before, span = as_is_mix(plan.mixes), metric.highest - metric.lowest
    for feature_set in table.feature_sets:
        at = table.of(feature_set)
        start = next((c for c in at if table.configurations[c][0] == before), None)
        ordered = [c for c in at if c == start] + [c for c in at if c != start]
        turn: tuple[int, int] | None = None
        for c in ordered:
            found = _gap(table, c, span, alpha, turn)
            if found is None:
                continue
            turn = turn or (found[0] if len(table.groups) == 2 else None)
            (first, second), value, low, high = found
            one, other = table.groups[first], table.groups[second]
            records[c] = dataclasses.replace(records[c], first=one, second=other, gap=value, gap_low=low, gap_high=high)
        if start is None or records[start].gap is None:
            continue
        level = alpha / max(len(at) - 1, 1)
        for c in ordered[1:]:
            if (change := change_between(table, start, c)) is not None:
                told = _told(change, records[start], records[c], span, level, two=len(table.groups) == 2)
                records[c] = dataclasses.replace(records[c], change=told)
    return tuple(records)


def group_values(table: Table, at: Sequence[int], metric: Metric, alpha: float) -> tuple[GroupRecord, ...]:
    """Return every group with its mean over the repeats, each under its own configuration in `at`, shape (G,)."""
    # `samples` are the group's rows in the data set, `n` the repeats.
    values = np.array([table.values[c, :, g] for g, c in enumerate(at)])
    tested = table.test_variance
    own = None if tested is None else tested[list(at), np.arange(len(table.groups))]
    estimates = repeat_estimates(values, 1.0 - table.test_share, table.test_share, own, most_freedom=table.freedom)
    repeats = np.full(len(table.groups), values.shape[1], dtype=np.int64)
    undefined = [None if math.isfinite(v) else "undefined" for v in estimates.variance.tolist()]
    records = estimate_records(
        [(name,) for name in table.groups],
        repeats,
        estimates,
        [few or value for few, value in zip(table.problems, undefined, strict=True)],
        alpha,
        lowest=metric.lowest,
        highest=metric.highest,
        sides=_sides(table, at, estimates),
    )
    rows = np.rint(table.tested / table.test_share).astype(int).tolist()
    return tuple(dataclasses.replace(record, samples=own) for record, own in zip(records, rows, strict=True))


def _sides(table: Table, at: Sequence[int], estimates: Estimates) -> tuple[Array, Array] | None:
    """Return the variances that the ends of the groups' intervals have, where skewed means widen them."""
    if table.moments is None:
        return None
    own = table.moments.at([(c, g) for g, c in enumerate(at)])
    usual = variances(own) / own.n
    above, below = (
        estimates.variance * np.maximum(np.nan_to_num(side / usual, nan=1.0), 1.0)
        for side in unseen_variances(own, alone=True)
    )
    return above, below


def _groups(table: Table, trained: Array, metric: Metric, alpha: float) -> list[MixRecord]:
    records = []
    for c, (mix, feature_set) in enumerate(table.configurations):
        groups = tuple(
            MixGroup(
                name=group.name[0],
                value=group.rate,
                low=group.low,
                high=group.high,
                training_rows=float(trained[c, g]),
                test_rows=float(table.tested[g]),
                repeats=int((~np.isnan(table.values[c, :, g])).sum()),
            )
            for g, group in enumerate(group_values(table, [c] * len(table.groups), metric, alpha))
        )
        records.append(MixRecord(mix=mix, feature_set=feature_set, groups=groups))
    return records


def _gap(
    table: Table, at: int, span: float, alpha: float, turn: tuple[int, int] | None
) -> tuple[tuple[int, int], float, float, float] | None:
    """Return the pair of groups that differ most, or the two that there are, with their gap and its interval."""
    if any(problem is not None for problem in table.problems) or undefined_gaps(table.values[at].T).any():
        return None
    variance = table.test_variance
    found = asked.equal_representation(table.values, [at], variance)
    overlap, wide = table.overlap(found), table.widening(found)
    estimates = repeat_estimates(
        found.value, **overlap.options, test_variance=found.test_variance, trained_share=overlap.trained
    )
    above, below = (np.ones(len(found.value)),) * 2 if wide is None else (wide.above, wide.below)
    error, size = np.sqrt(estimates.variance), np.abs(estimates.value)
    k = int(size.argmax())
    pair = (int(found.first[k]), int(found.second[k]))
    value = float(estimates.value[k])
    if turn is None and value < 0.0:
        pair = pair[::-1]
    sign = 1.0 if (turn or pair) == (int(found.first[k]), int(found.second[k])) else -1.0
    count = len(found.value)
    if count == 1:
        t = float(upper_quantile(alpha, estimates.freedom)[0])
        up, down = (float(t * error[0] * math.sqrt(side[0])) for side in (above, below))
        low, high = (value - down, value + up) if sign > 0.0 else (-value - up, -value + down)
        return turn or pair, sign * value, *_within(span, low, high)
    widest = np.sqrt(np.maximum(above, below)) * error
    low = float(np.max(size - upper_quantile(alpha / count, estimates.freedom) * widest))
    high = float(np.max(size + upper_quantile(alpha, estimates.freedom) * widest))
    return pair, float(size[k]), *_within(span, max(low, 0.0), high)


def _within(span: float, low: float, high: float) -> tuple[float, float]:
    return max(low, -span), min(high, span)


def _told(change: Change, before: MixRecord, after: MixRecord, span: float, level: float, *, two: bool) -> MixChange:
    """Say what a mix does to the gap."""
    low, high = _within(span, change.reduction.low(level), change.reduction.high(level))
    claims = change.signed.claims
    signed_low, signed_high = _within(2.0 * span, -claims.high(level), -claims.low(level))
    return MixChange(
        reduction=change.reduction.value,
        low=low,
        high=high,
        signed=0.0 - float(claims.value[0]) if two else None,
        signed_low=signed_low if two else None,
        signed_high=signed_high if two else None,
        answer=_answer(change, before, after, (-signed_high, -signed_low) if two else (low, high), level, two=two),
    )


def _answer(
    change: Change, before: MixRecord, after: MixRecord, smaller: tuple[float, float], level: float, *, two: bool
) -> MixAnswer:
    """Decide by the interval of how much smaller the gap is, and by what is left of it."""
    # Of two groups it is the signed difference, which paired repeats know far better than its size: what is left may
    # then have the other sign, but is not shown to.
    shown, left = (before.gap_low or 0.0) > 0.0, (after.gap_low or 0.0) > 0.0
    turned = two and (change.after_first, change.after_second) == (change.second, change.first)
    if shown and turned and change.reduction.of_second.p_above(0.0) < level:
        return "reverses"
    if smaller[0] > 0.0 and shown:
        return "narrows" if left else "closes"
    larger = (smaller[1] < 0.0 and (shown or left)) or change.reduction.high(level) < 0.0
    return "widens" if larger else "open"
