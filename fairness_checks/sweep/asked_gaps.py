"""The gaps that a check on a sweep asks for, in a table of values: how each row of `question.gaps.GAPS` is found."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TypeAlias

import numpy as np

from fairness_checks.errors import ConfigurationError
from fairness_checks.kinds import kind_of
from fairness_checks.question.checks import Check
from fairness_checks.question.gaps import Gap
from fairness_checks.stats import gaps as asked
from fairness_checks.stats.gaps import Gaps
from fairness_checks.stats.mismatch import comes_first
from fairness_checks.sweep.mixes import is_balanced
from fairness_checks.sweep.plan import SweepPlan
from fairness_checks.sweep.results import SweepResults
from fairness_checks.sweep.tables import Table, training_rows
from fairness_checks.typing import Array

__all__ = ["areas_of", "find_gaps", "slope_mixes"]

_SAME_SIZE = 0.01  # numbers of training rows that differ by less are one; whole clusters may differ by a few rows
Found: TypeAlias = Callable[[SweepResults, SweepPlan, Check, Table], Gaps]


def find_gaps(results: SweepResults, plan: SweepPlan, check: Check, table: Table) -> Gaps:
    """Return the gaps that a check asks for, between positions of configurations; ConfigurationError if none."""
    if not kind_of(check.definition).of_pairs:
        return _FOUND[check.gap or "each_mix"](results, plan, check, table)
    gaps = _mismatches(results, table)
    if check.gap == "equal_representation":
        return gaps.take(np.isin(gaps.first_mix, _balanced(plan, table)))
    return gaps


def _each_mix(results: SweepResults, plan: SweepPlan, check: Check, table: Table) -> Gaps:
    return asked.each_mix(table.values, table.test_variance)


def _equal_representation(results: SweepResults, plan: SweepPlan, check: Check, table: Table) -> Gaps:
    return asked.equal_representation(table.values, _balanced(plan, table), table.test_variance)


def _cases(pick: Callable[..., Gaps], results: SweepResults, plan: SweepPlan, check: Check, table: Table) -> Gaps:
    """Each group under the mix that is its worst, or its best, by feature set."""
    parts, variance, lower = [], table.test_variance, check.definition.lower_is_better
    for feature_set in table.feature_sets:
        at = np.array(table.of(feature_set))
        own = None if variance is None else variance[at]
        found = pick(table.values[at], lower_is_better=lower is not False, test_variance=own)
        first_mix, second_mix = (np.where(mix < 0, -1, at[mix]) for mix in (found.first_mix, found.second_mix))
        parts.append(dataclasses.replace(found, first_mix=first_mix, second_mix=second_mix))
    return _joined(parts)


def _dependence(results: SweepResults, plan: SweepPlan, check: Check, table: Table) -> Gaps:
    return _joined([_slopes(results, table, np.array(table.of(name))) for name in table.feature_sets])


_FOUND: Mapping[Gap, Found] = MappingProxyType(
    {
        "each_mix": _each_mix,
        "equal_representation": _equal_representation,
        "worst_case": functools.partial(_cases, asked.worst_case),
        "best_case": functools.partial(_cases, asked.best_case),
        "dependence": _dependence,
        # A change is no gap of a table but of two: `fairness_checks.sweep.changes`.
    }
)


def _of_one_size(trained: Array) -> np.ndarray:
    """Return the positions of the mixes that train on one number of rows, the most that do; the first such set."""
    total = trained.sum(axis=1)
    alike = np.abs(total[:, None] - total) <= _SAME_SIZE * total[:, None]
    return np.flatnonzero(alike[int(alike.sum(axis=1).argmax())])


def slope_mixes(results: SweepResults, table: Table, at: np.ndarray) -> np.ndarray:
    """Return the positions of the mixes of one feature set that slopes are over: those of one training size."""
    # A metric that depends on the number of training rows alone would rise or fall with the share that a larger mix
    # happens to have.
    trained = training_rows(results, [table.configurations[i] for i in at], table.groups)
    kept = _of_one_size(trained)
    sizes = ", ".join(
        f"{table.configurations[i][0]} on {rows:,.0f}" for i, rows in zip(at, trained.sum(axis=1), strict=True)
    )
    if len(kept) < 2 <= len(at):
        raise ConfigurationError(
            f"gap: dependence: no two mixes train on one number of rows ({sizes}), so that what the share of a group "
            "does cannot be told from what the number of rows does; give the sweep a `size`, which binds every mix, or "
            "write two mixes or more as shares: {few: {female: 0.2, male: 0.8}, many: {female: 0.8, male: 0.2}}"
        )
    shares = trained[kept] / trained[kept].sum(axis=1, keepdims=True)
    if (same := np.flatnonzero(np.ptp(shares, axis=0) == 0.0)).size:
        raise ConfigurationError(
            f"gap: dependence: the share of {table.groups[same[0]]} of the training rows is {shares[0, same[0]]:.3g} "
            f"under every mix of one training size ({sizes}), so that no amount of data shows what it does; add mixes "
            "that give it other shares, as shares by group"
        )
    return np.asarray(at[kept])


def _slopes(results: SweepResults, table: Table, at: np.ndarray) -> Gaps:
    """Slopes of one feature set as gaps: of each group, no second one, no mix."""
    at = slope_mixes(results, table, at)
    trained = training_rows(results, [table.configurations[i] for i in at], table.groups)
    slope = asked.dependence(table.values[at], trained / trained.sum(axis=1, keepdims=True))
    group, none = np.arange(len(table.groups)), np.full(len(table.groups), -1)
    return Gaps(slope, group, none, np.full_like(none, at[0]), none, None)


def _mismatches(results: SweepResults, table: Table) -> Gaps:
    """A_error - A_uncertainty of all pairs; the group whose errors are higher on the mean over the repeats is first."""
    value, errors, first, second, mix = [], [], [], [], []
    for position, configuration in enumerate(table.configurations):
        repeats = [{(p.first, p.second): p for p in r.pairs} for r in results.of(*configuration)]
        for i, one in enumerate(table.groups):
            for j in range(i + 1, len(table.groups)):
                pairs = [pairs.get((one, table.groups[j])) for pairs in repeats]
                error = np.array([math.nan if p is None else p.error_auc for p in pairs])
                gap = np.array([math.nan if p is None else p.error_auc - p.uncertainty_auc for p in pairs])
                seen = np.isfinite(error)
                swap = bool(seen.any() and not comes_first(error[seen].mean(), (error - gap)[seen].mean()))
                value.append(-gap if swap else gap)
                errors.append(1.0 - error if swap else error)
                first.append(j if swap else i)
                second.append(i if swap else j)
                mix.append(position)
    mixes = np.array(mix)
    return Gaps(np.array(value), np.array(first), np.array(second), mixes, mixes, None, np.array(errors))


def areas_of(results: SweepResults, table: Table, gaps: Gaps, shown: int) -> dict[str, float]:
    """Mean areas over the repeats of the deciding pair, the group with the higher errors first."""
    first, second = (table.groups[int(at[shown])] for at in (gaps.first, gaps.second))
    pairs = [p for r in results.of(*table.configurations[int(gaps.first_mix[shown])]) for p in r.pairs]
    kept = [p for p in pairs if {p.first, p.second} == {first, second}]
    areas = {name: float(np.mean([getattr(p, name) for p in kept])) for name in ("error_auc", "uncertainty_auc")}
    return areas if kept[0].first == first else {name: 1.0 - area for name, area in areas.items()}


def _balanced(plan: SweepPlan, table: Table) -> list[int]:
    found = [i for i, (mix, _) in enumerate(table.configurations) if is_balanced(plan.mixes[mix])]
    if not found:
        raise ConfigurationError(f"gap: equal_representation: no mix of {', '.join(plan.mixes)} has equal shares")
    return found


def _joined(parts: Sequence[Gaps]) -> Gaps:
    def of(name: str) -> np.ndarray:
        return np.concatenate([getattr(part, name) for part in parts])

    known = all(part.test_variance is not None for part in parts)
    variance = of("test_variance") if known else None
    return Gaps(of("value"), of("first"), of("second"), of("first_mix"), of("second_mix"), variance)
