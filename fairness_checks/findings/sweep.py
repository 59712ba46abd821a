"""SweepResults + check -> Finding: the gap that is asked for, judged as repeats that overlap must be."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from fairness_checks.findings.finding import Finding, summary
from fairness_checks.kinds.estimated import estimate_records
from fairness_checks.plain import printable
from fairness_checks.question.checks import MISMATCH, Check, Settings
from fairness_checks.records.check_record import GroupRecord, SweepRecord
from fairness_checks.stats.estimates import Estimates
from fairness_checks.stats.gaps import Gaps
from fairness_checks.stats.judge_repeats import JudgedGaps, judge_gaps, repeats_outside
from fairness_checks.stats.mismatch_repeats import judge_mismatches
from fairness_checks.stats.published_test import published_test
from fairness_checks.stats.repeats import repeat_estimates, undefined_gaps
from fairness_checks.stats.skewness import unseen_variances, variances
from fairness_checks.sweep.plan import SweepPlan
from fairness_checks.sweep.results import SweepResults
from fairness_checks.sweep.tables import Table, areas_of, find_gaps, read_table, slope_mixes, training_rows

__all__ = ["find_in_sweep"]

Floats = npt.NDArray[np.float64]
_ROUNDING = 1e-10  # of the largest value; repeats that differ by less agree, and a gap's variance is then unknown


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
    table = read_table(results, plan, check.definition)
    gaps = find_gaps(results, plan, check, table)
    few = np.array([problem is not None for problem in table.problems])
    usable = ~(undefined_gaps(gaps.value) | few[gaps.first] | ((gaps.second >= 0) & few[gaps.second]))
    if gaps.test_variance is None:
        usable &= _varies(gaps, table)
    reason = _reason(table, gaps, ~usable, check)
    if not usable.any():
        groups = _records(table, gaps, 0, check, settings)
        return Finding(
            check, check.definition, groups, None, reason, "repeats", _sweep(results, plan, table, gaps, check)
        )
    some = gaps.take(usable)
    judged = _judge(table, some, check, settings.alpha)
    shown = judged.shown
    if check.metric == MISMATCH:
        also = areas_of(results, table, some, shown)
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


def _varies(gaps: Gaps, table: Table) -> npt.NDArray[np.bool_]:
    """Say which gaps differ between repeats by more than rounding does."""
    scale = np.abs(table.values[~np.isnan(table.values)]).max(initial=0.0) or 1.0  # areas of a mismatch are no values
    spread = np.nanmax(gaps.value, axis=1, initial=-np.inf) - np.nanmin(gaps.value, axis=1, initial=np.inf)
    return np.asarray(spread > _ROUNDING * scale)


def _judge(table: Table, gaps: Gaps, check: Check, alpha: float) -> JudgedGaps:
    overlap = table.overlap(gaps)
    if check.metric == MISMATCH:
        assert gaps.error_auc is not None  # for the type checker: mismatches have them
        return judge_mismatches(
            gaps.value,
            gaps.error_auc,
            check.limit,
            alpha,
            tested=(table.tested[gaps.first], table.tested[gaps.second]),
            **overlap.options,
            first=gaps.first,
            second=gaps.second,
        )
    metric = check.definition
    found = judge_gaps(
        gaps.value,
        check.limit,
        alpha,
        **overlap.options,
        first=gaps.first,
        second=gaps.second,
        test_variance=gaps.test_variance,
        trained_share=overlap.trained,
        widening=table.widening(gaps),
        largest=math.inf if check.gap == "dependence" else metric.highest - metric.lowest,
    )
    if check.gap == "dependence":  # a slope is of one group, and its sign is told beside its size
        shown = found.shown
        also = {"slope": math.copysign(found.inference.estimate, np.nanmean(gaps.value[shown]))}
        inference = dataclasses.replace(found.inference, first=int(gaps.first[shown]), second=-1, also=also)
        return dataclasses.replace(found, inference=inference)
    return found


def _reason(table: Table, gaps: Gaps, left_out: npt.NDArray[np.bool_], check: Check) -> str | None:
    """Say which gaps could not be judged."""
    problems: dict[str, None] = {}
    for k in np.flatnonzero(left_out):
        groups = [int(g) for g in (gaps.first[k], gaps.second[k]) if g >= 0]
        if few := [f"{table.groups[g]}: {table.problems[g]}" for g in groups if table.problems[g] is not None]:
            problems |= dict.fromkeys(few)
            continue
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
        problems[f"{names}{where}: {why}"] = None
    return summary([printable(problem) for problem in problems])


def _undefined(table: Table, group: int) -> list[str]:
    """Say under which mixes a group cannot be judged, any of which could be its worst or its best."""
    values = table.values[:, :, group]
    return [
        f"{table.groups[group]} under {table.configurations[c][0]}: undefined in {int(np.isnan(values[c]).sum())} of "
        f"{values.shape[1]} repeats"
        for c in np.flatnonzero(undefined_gaps(values))
    ]


def _records(table: Table, gaps: Gaps, shown: int, check: Check, settings: Settings) -> tuple[GroupRecord, ...]:
    """Return every group with its mean over the repeats, under the mix of the deciding gap, or its own in that gap."""
    own = {int(gaps.second[shown]): int(gaps.second_mix[shown])}
    repeats = gaps.value.shape[1]
    at = [own.get(g, int(gaps.first_mix[shown])) for g in range(len(table.groups))]
    values = np.array([table.values[max(c, 0), :, g] for g, c in enumerate(at)])
    estimates = repeat_estimates(values, 1.0 - table.test_share, table.test_share, most_freedom=table.freedom)
    unit = np.full(len(table.groups), repeats, dtype=np.int64)
    undefined = [None if math.isfinite(v) else "undefined" for v in estimates.variance.tolist()]
    problems = [few or value for few, value in zip(table.problems, undefined, strict=True)]
    metric = check.definition
    return estimate_records(
        [(name,) for name in table.groups],
        unit,
        estimates,
        problems,
        settings.alpha,
        lowest=metric.lowest,
        highest=metric.highest,
        sides=_sides(table, at, estimates),
    )


def _sides(table: Table, at: Sequence[int], estimates: Estimates) -> tuple[Floats, Floats] | None:
    """Return the variances that the ends of the groups' intervals have, where skewed means widen them."""
    if table.moments is None:
        return None
    own = table.moments.at([(max(c, 0), g) for g, c in enumerate(at)])
    usual = variances(own) / own.n
    above, below = (
        estimates.variance * np.maximum(np.nan_to_num(side / usual, nan=1.0), 1.0)
        for side in unseen_variances(own, alone=True)
    )
    return above, below


def _sweep(
    results: SweepResults, plan: SweepPlan, table: Table, gaps: Gaps, check: Check, judged: JudgedGaps | None = None
) -> SweepRecord:
    mixes: list[str | None] = [None, None]
    feature_set = name = p = corrected = None
    overlap = table.overlap(gaps)
    place = int(np.argmax(overlap.tested)) if judged is None else judged.shown
    tested = float(overlap.tested[place])
    if judged is not None:
        alone = repeat_estimates(
            gaps.value[[judged.shown]], 1.0 - tested, tested, most_freedom=overlap.freedom[[judged.shown]]
        )
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
    slopes: tuple[str, ...] = ()
    if check.gap == "dependence":
        of = feature_set or table.feature_sets[0]
        slopes = tuple(table.configurations[i][0] for i in slope_mixes(results, table, np.array(table.of(of))))
    trained = training_rows(results, table.configurations, table.groups)
    rows = {
        mix: dict(zip(table.groups, n, strict=True))
        for (mix, _), n in zip(table.configurations, trained.tolist(), strict=True)
    }
    return SweepRecord(
        training_rows=rows,
        slope_mixes=slopes,
        gap=check.gap or "each_mix",
        mixes=tuple(plan.mixes),
        first_mix=mixes[0],
        second_mix=mixes[1],
        feature_set=feature_set,
        repeats=gaps.value.shape[1],
        undefined=0 if judged is None else judged.left_out,
        freedom=None if judged is None else judged.freedom,
        test_train_ratio=tested / (1.0 - tested),
        corrected_p=corrected,
        published_test=name,
        published_p=p,
    )
