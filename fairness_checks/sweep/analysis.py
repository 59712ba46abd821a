"""SweepResults + check -> Finding: the gap that is asked for, judged as repeats that overlap must be."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fairness_checks.checks import MISMATCH, Check, Settings
from fairness_checks.errors import ConfigurationError
from fairness_checks.finding import Finding
from fairness_checks.kinds.estimated import estimate_records
from fairness_checks.metrics import CELLS, Metric
from fairness_checks.records import GroupRecord, SweepRecord
from fairness_checks.stats import gaps as asked
from fairness_checks.stats.gaps import Gaps
from fairness_checks.stats.judge_repeats import JudgedGaps, judge_gaps, repeats_outside
from fairness_checks.stats.mismatch_repeats import judge_mismatches
from fairness_checks.stats.published_test import published_test
from fairness_checks.stats.repeats import rate_variance, repeat_estimates, undefined_gaps
from fairness_checks.sweep.mixes import is_balanced
from fairness_checks.sweep.plan import SweepPlan
from fairness_checks.sweep.results import SweepResults

__all__ = ["find_in_sweep"]

Floats = npt.NDArray[np.float64]
_ROUNDING = 1e-10  # of the largest value; repeats that differ by less agree, and a gap's variance is then unknown


@dataclass(frozen=True, slots=True, eq=False)
class _Table:
    """Values of one metric: of C configurations (mixes by feature sets) in J repeats of G groups, and of their rows."""

    groups: tuple[str, ...]
    configurations: tuple[tuple[str, str], ...]  # (mix, feature set)
    values: Floats  # (C, J, G)
    samples: Floats | None  # (C, J, G), denominators of a rate
    n_train: float
    n_test: float

    def of(self, feature_set: str) -> list[int]:
        """Positions of the configurations of a feature set."""
        return [i for i, (_, name) in enumerate(self.configurations) if name == feature_set]

    @property
    def feature_sets(self) -> list[str]:
        """Names of the feature sets."""
        return list(dict.fromkeys(name for _, name in self.configurations))

    @property
    def test_variance(self) -> Floats | None:
        """Variance of each rate in one test part, shape (C, G); None for other metrics."""
        if self.samples is None:
            return None
        rates, samples = np.moveaxis(self.values, 1, 2), np.moveaxis(self.samples, 1, 2)
        return rate_variance(rates, samples, self.n_train, self.n_test)


def find_in_sweep(results: SweepResults, plan: SweepPlan, check: Check, settings: Settings) -> Finding:
    """Judge one check on a sweep.

    Parameters
    ----------
    results : SweepResults
        Of all trainings.
    plan : SweepPlan
        What the sweep did.
    check : Check
        With a gap.
    settings : Settings
        The level.

    Raises
    ------
    ConfigurationError
        If the model's predictions do not allow the metric, or no mix gives the groups equal shares where that is asked.
    """
    table = _table(results, plan, check.definition)
    gaps = _mismatches(results, table) if check.metric == MISMATCH else _gaps(results, plan, check, table)
    if check.metric == MISMATCH and check.gap == "equal_representation":
        gaps = _taken(gaps, np.isin(gaps.first_mix, _balanced(plan, table)))
    usable = ~undefined_gaps(gaps.value)
    if gaps.test_variance is None:
        usable &= _varies(gaps, table)
    reason = _reason(table, gaps, ~usable, check)
    if not usable.any():
        groups = _records(table, gaps, 0, check, settings)
        return Finding(
            check, check.definition, groups, None, reason, "repeats", _sweep(results, plan, table, gaps, check)
        )
    some = _taken(gaps, usable)
    judged = _judge(table, some, check, settings.alpha)
    shown = judged.shown
    if check.metric == MISMATCH:
        also = _areas(results, table, some, shown)
        judged = dataclasses.replace(judged, inference=dataclasses.replace(judged.inference, also=also))
    return Finding(
        check,
        check.definition,
        _records(table, some, shown, check, settings),
        judged.inference,
        reason,
        "repeats",
        _sweep(results, plan, table, some, check, judged),
    )


def _table(results: SweepResults, plan: SweepPlan, metric: Metric) -> _Table:
    groups = tuple(sorted(results.groups))
    feature_sets = dict.fromkeys(result.feature_set for result in results.results)
    configurations = tuple((mix, feature_set) for feature_set in feature_sets for mix in plan.mixes)
    repeats = [results.of(*configuration) for configuration in configurations]
    test = sum(group.test for group in repeats[0][0].groups.values())
    mismatch = metric.kind == MISMATCH
    measured = {name for some in repeats for r in some for group in r.groups.values() for name in group.values}
    if (mismatch and not any(r.pairs for some in repeats for r in some)) or not (mismatch or metric.name in measured):
        raise ConfigurationError(
            f"sweep: {metric.name} cannot be measured from the model's predictions; these can: "
            f"{', '.join(sorted(measured))}"
        )
    values = [[[r.groups[g].values.get(metric.name) for g in groups] for r in some] for some in repeats]
    counts = [[[r.groups[g].counts or (0, 0, 0, 0) for g in groups] for r in some] for some in repeats]
    cells = [CELLS.index(cell) for cell in metric.denominator]
    return _Table(
        groups,
        configurations,
        np.array(values, dtype=np.float64),
        np.array(counts, dtype=np.float64)[..., cells].sum(axis=-1) if metric.kind == "proportion" else None,
        float(sum(results.groups.values()) - test),
        float(test),
    )


def _gaps(results: SweepResults, plan: SweepPlan, check: Check, table: _Table) -> Gaps:
    """Return the gaps that a check asks for; mixes in it are positions of configurations."""
    values, variance = table.values, table.test_variance
    if check.gap == "each_mix":
        return asked.each_mix(values, variance)
    if check.gap == "equal_representation":
        return asked.equal_representation(values, _balanced(plan, table), variance)
    parts = []
    for feature_set in table.feature_sets:
        at = np.array(table.of(feature_set))
        if check.gap == "dependence":
            parts.append(_slopes(results, table, at))
            continue
        pick = asked.worst_case if check.gap == "worst_case" else asked.best_case
        lower = check.definition.lower_is_better
        found = pick(
            values[at], lower_is_better=lower is not False, test_variance=None if variance is None else variance[at]
        )
        first_mix, second_mix = (np.where(mix < 0, -1, at[mix]) for mix in (found.first_mix, found.second_mix))
        parts.append(dataclasses.replace(found, first_mix=first_mix, second_mix=second_mix))
    return _joined(parts)


def _slopes(results: SweepResults, table: _Table, at: np.ndarray) -> Gaps:
    """Slopes of one feature set as gaps: of each group, no second one, no mix."""
    trained = np.array(
        [[[r.groups[g].train for g in table.groups] for r in results.of(*table.configurations[i])] for i in at],
        dtype=np.float64,
    ).mean(axis=1)
    slope = asked.dependence(table.values[at], trained / trained.sum(axis=1, keepdims=True))
    group, none = np.arange(len(table.groups)), np.full(len(table.groups), -1)
    return Gaps(slope, group, none, np.full_like(none, at[0]), none, None)


def _mismatches(results: SweepResults, table: _Table) -> Gaps:
    """A_error - A_uncertainty of all pairs; the group whose errors are higher on the mean over the repeats is first."""
    value, first, second, mix = [], [], [], []
    for position, configuration in enumerate(table.configurations):
        repeats = [{(p.first, p.second): p for p in r.pairs} for r in results.of(*configuration)]
        for i, one in enumerate(table.groups):
            for j in range(i + 1, len(table.groups)):
                pairs = [pairs.get((one, table.groups[j])) for pairs in repeats]
                error = np.array([math.nan if p is None else p.error_auc for p in pairs])
                gap = np.array([math.nan if p is None else p.error_auc - p.uncertainty_auc for p in pairs])
                swap = bool(np.isfinite(error).any() and np.nanmean(error) < 0.5)
                value.append(-gap if swap else gap)
                first.append(j if swap else i)
                second.append(i if swap else j)
                mix.append(position)
    mixes = np.array(mix)
    return Gaps(np.array(value), np.array(first), np.array(second), mixes, mixes, None)


def _areas(results: SweepResults, table: _Table, gaps: Gaps, shown: int) -> dict[str, float]:
    """Mean areas over the repeats of the deciding pair, the group with the higher errors first."""
    first, second = (table.groups[int(at[shown])] for at in (gaps.first, gaps.second))
    pairs = [p for r in results.of(*table.configurations[int(gaps.first_mix[shown])]) for p in r.pairs]
    kept = [p for p in pairs if {p.first, p.second} == {first, second}]
    areas = {name: float(np.mean([getattr(p, name) for p in kept])) for name in ("error_auc", "uncertainty_auc")}
    return areas if kept[0].first == first else {name: 1.0 - area for name, area in areas.items()}


def _balanced(plan: SweepPlan, table: _Table) -> list[int]:
    found = [i for i, (mix, _) in enumerate(table.configurations) if is_balanced(plan.mixes[mix])]
    if not found:
        raise ConfigurationError(f"gap: equal_representation: no mix of {', '.join(plan.mixes)} has equal shares")
    return found


def _varies(gaps: Gaps, table: _Table) -> npt.NDArray[np.bool_]:
    """Say which gaps differ between repeats by more than rounding does."""
    scale = np.abs(table.values[~np.isnan(table.values)]).max(initial=0.0) or 1.0  # areas of a mismatch are no values
    spread = np.nanmax(gaps.value, axis=1, initial=-np.inf) - np.nanmin(gaps.value, axis=1, initial=np.inf)
    return np.asarray(spread > _ROUNDING * scale)


def _joined(parts: Sequence[Gaps]) -> Gaps:
    def of(name: str) -> np.ndarray:
        return np.concatenate([getattr(part, name) for part in parts])

    known = all(part.test_variance is not None for part in parts)
    variance = of("test_variance") if known else None
    return Gaps(of("value"), of("first"), of("second"), of("first_mix"), of("second_mix"), variance)


def _taken(gaps: Gaps, kept: npt.NDArray[np.bool_]) -> Gaps:
    variance = None if gaps.test_variance is None else gaps.test_variance[kept]
    return Gaps(
        gaps.value[kept], gaps.first[kept], gaps.second[kept], gaps.first_mix[kept], gaps.second_mix[kept], variance
    )


def _judge(table: _Table, gaps: Gaps, check: Check, alpha: float) -> JudgedGaps:
    if check.metric == MISMATCH:
        return judge_mismatches(
            gaps.value,
            check.limit,
            alpha,
            n_train=table.n_train,
            n_test=table.n_test,
            first=gaps.first,
            second=gaps.second,
        )
    metric = check.definition
    found = judge_gaps(
        gaps.value,
        check.limit,
        alpha,
        n_train=table.n_train,
        n_test=table.n_test,
        first=gaps.first,
        second=gaps.second,
        test_variance=gaps.test_variance,
        largest=math.inf if check.gap == "dependence" else metric.highest - metric.lowest,
    )
    if check.gap == "dependence":  # a slope is of one group, and its sign is told beside its size
        shown = found.shown
        also = {"slope": math.copysign(found.inference.estimate, np.nanmean(gaps.value[shown]))}
        inference = dataclasses.replace(found.inference, first=int(gaps.first[shown]), second=-1, also=also)
        return dataclasses.replace(found, inference=inference)
    return found


def _reason(table: _Table, gaps: Gaps, left_out: npt.NDArray[np.bool_], check: Check) -> str | None:
    """Say which gaps could not be judged."""
    problems: dict[str, None] = {}
    for k in np.flatnonzero(left_out):
        pair = [(int(g), int(c)) for g, c in ((gaps.first[k], gaps.first_mix[k]), (gaps.second[k], gaps.second_mix[k]))]
        without_mix = [g for g, c in pair if g >= 0 and c < 0]
        problems |= dict.fromkeys(problem for g in without_mix for problem in _undefined(table, g))
        if without_mix:
            continue
        missing, repeats = int(np.isnan(gaps.value[k]).sum()), gaps.value.shape[1]
        names = " and ".join(table.groups[g] for g, _ in pair if g >= 0)
        under = {table.configurations[c][0] for _, c in pair if c >= 0}
        where = f" under {' and '.join(sorted(under))}" if under and check.gap != "dependence" else ""
        why = f"undefined in {missing} of {repeats} repeats" if missing else f"the same in all {repeats} repeats"
        if missing and not np.isnan(table.values[:, :, pair[0][0]]).any() and check.gap == "dependence":
            why = "its share of the training rows is the same under every mix"
        problems[f"{names}{where}: {why}"] = None
    return _some(list(problems))


def _undefined(table: _Table, group: int) -> list[str]:
    """Say under which mixes a group cannot be judged, any of which could be its worst or its best."""
    values = table.values[:, :, group]
    return [
        f"{table.groups[group]} under {table.configurations[c][0]}: undefined in {int(np.isnan(values[c]).sum())} of "
        f"{values.shape[1]} repeats"
        for c in np.flatnonzero(undefined_gaps(values))
    ]


def _some(problems: list[str]) -> str | None:
    rest = len(problems) - 3
    return "; ".join(problems[:3]) + (f"; and {rest} more" if rest > 0 else "") if problems else None


def _records(table: _Table, gaps: Gaps, shown: int, check: Check, settings: Settings) -> tuple[GroupRecord, ...]:
    """Return every group with its mean over the repeats, under the mix of the deciding gap, or its own in that gap."""
    own = {int(gaps.second[shown]): int(gaps.second_mix[shown])}
    repeats = gaps.value.shape[1]
    at = [own.get(g, int(gaps.first_mix[shown])) for g in range(len(table.groups))]
    values = np.array([table.values[max(c, 0), :, g] for g, c in enumerate(at)])
    estimates = repeat_estimates(values, table.n_train, table.n_test)
    unit = np.full(len(table.groups), repeats, dtype=np.int64)
    problems = [None if math.isfinite(v) else "undefined" for v in estimates.variance.tolist()]
    metric = check.definition
    return estimate_records(
        [(name,) for name in table.groups],
        unit,
        estimates,
        problems,
        settings.alpha,
        lowest=metric.lowest,
        highest=metric.highest,
    )


def _sweep(
    results: SweepResults, plan: SweepPlan, table: _Table, gaps: Gaps, check: Check, judged: JudgedGaps | None = None
) -> SweepRecord:
    mixes: list[str | None] = [None, None]
    feature_set = name = p = corrected = None
    if judged is not None:
        alone = repeat_estimates(gaps.value[[judged.shown]], table.n_train, table.n_test)
        corrected = float(repeats_outside(alone, 0.0)[0]) if alone.variance[0] > 0.0 else None
        at = [int(gaps.first_mix[judged.shown]), int(gaps.second_mix[judged.shown])]
        first, second = judged.inference.first, judged.inference.second
        if first != gaps.first[judged.shown]:
            at.reverse()
        feature_set = table.configurations[at[0]][1]
        if check.gap != "dependence":
            mixes = [table.configurations[c][0] for c in at]
            if check.metric != MISMATCH:
                pair = [table.values[c, :, g] for c, g in zip(at, (first, second), strict=True)]
                test = published_test(*pair)
                name, p = test.name, float(test.p)
    return SweepRecord(
        gap=check.gap or "each_mix",
        mixes=tuple(plan.mixes),
        first_mix=mixes[0],
        second_mix=mixes[1],
        feature_set=feature_set,
        repeats=gaps.value.shape[1],
        undefined=0 if judged is None else judged.left_out,
        test_train_ratio=table.n_test / table.n_train,
        corrected_p=corrected,
        published_test=name,
        published_p=p,
    )
