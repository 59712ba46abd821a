"""SweepResults + check -> Finding: the gap that is asked for, judged as repeats that overlap must be."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from fairness_checks.findings.finding import Finding, summary
from fairness_checks.kinds import kind_of
from fairness_checks.plain import printable
from fairness_checks.question.checks import Check, Settings
from fairness_checks.records.parts import GroupRecord
from fairness_checks.records.sweep_record import SweepRecord
from fairness_checks.stats.gaps import Gaps
from fairness_checks.stats.judge_reduction import judge_reductions
from fairness_checks.stats.judge_repeats import JudgedGaps, judge_gaps, repeats_violation
from fairness_checks.stats.mismatch_repeats import judge_mismatches
from fairness_checks.stats.published_test import published_test
from fairness_checks.stats.repeats import repeat_estimates, undefined_gaps
from fairness_checks.sweep.asked_gaps import areas_of, find_gaps, slope_mixes
from fairness_checks.sweep.changes import Change, change_between
from fairness_checks.sweep.mix_table import group_values, mix_table
from fairness_checks.sweep.mixes import as_is_mix, require_change
from fairness_checks.sweep.plan import SweepPlan
from fairness_checks.sweep.results import SweepResults
from fairness_checks.sweep.tables import Table, read_table, training_rows

__all__ = ["find_in_sweep"]

_ROUNDING = 1e-10  # of the largest value; repeats that differ by less agree, and a gap's variance is then unknown


def find_in_sweep(results: SweepResults, plan: SweepPlan, check: Check, settings: Settings) -> Finding:
    """Judge one check on a sweep."""
    table = read_table(results, plan, check.definition)
    if check.gap == "change":
        return _find_change(results, plan, table, check, settings)
    gaps = find_gaps(results, plan, check, table)
    few = np.array([problem is not None for problem in table.problems])
    usable = ~(undefined_gaps(gaps.value) | few[gaps.first] | ((gaps.second >= 0) & few[gaps.second]))
    if gaps.test_variance is None:
        usable &= _varies(gaps, table)
    reason = _reason(table, gaps, ~usable, check)
    if not usable.any():
        groups = _records(table, gaps, 0, check, settings)
        sweep = _sweep(results, plan, table, check, settings, _ratio(table, gaps, None)[0])
        return Finding(check, check.definition, groups, None, reason, "repeats", sweep)
    some = gaps.take(usable)
    judged = _judge(table, some, check, settings.alpha)
    shown = judged.shown
    if kind_of(check.definition).of_pairs:
        also = areas_of(results, table, some, shown)
        judged = dataclasses.replace(judged, inference=dataclasses.replace(judged.inference, also=also))
    groups = _records(table, some, shown, check, settings)
    ratio, by_repeats = _ratio(table, some, judged)
    decided = _decided(table, some, check, judged) | {"repeat_share": by_repeats}
    sweep = _sweep(results, plan, table, check, settings, ratio, **decided)
    return Finding(check, check.definition, groups, judged.inference, reason, "repeats", sweep)


def _find_change(results: SweepResults, plan: SweepPlan, table: Table, check: Check, settings: Settings) -> Finding:
    """Judge by how much every mix, or the one that is asked for, makes the disparity smaller than it is as is."""
    before = require_change(plan.mixes, check.mix)
    asked = [mix for mix in plan.mixes if mix != before and check.mix in (None, mix)]
    at = {each: i for i, each in enumerate(table.configurations)}
    targets = [(at[before, name], at[mix, name]) for name in table.feature_sets for mix in asked]
    found = [(pair, change_between(table, *pair)) for pair in targets]
    changes = [change for _, change in found if change is not None]
    unjudged = [why for pair, change in found if change is None for why in _unchanged(table, *pair)]
    reason = summary([printable(text) for text in dict.fromkeys(unjudged)])
    groups = group_values(table, [targets[0][1]] * len(table.groups), check.definition, settings.alpha)
    if not changes:
        sweep = _sweep(results, plan, table, check, settings, float(table.test_share.max()))
        return Finding(check, check.definition, groups, None, reason, "repeats", sweep)
    inference, shown = judge_reductions([change.reduction for change in changes], check.limit, settings.alpha)
    change, span = changes[shown], check.definition.highest - check.definition.lowest
    inference = dataclasses.replace(
        inference,
        first=change.first,
        second=change.second,
        low=max(inference.low, -span),
        high=min(inference.high, span),
        also=_sides_of(table, change),
    )
    sweep = _sweep(
        results,
        plan,
        table,
        check,
        settings,
        float(change.signed.tested[0]),
        first_mix=before,
        second_mix=table.configurations[change.after][0],
        feature_set=table.configurations[change.after][1],
        undefined=int(change.signed.missing[0]),
        freedom=change.reduction.freedom,
        repeat_share=min(float(change.signed.by_repeats[0]), 1.0),
    )
    groups = group_values(table, [change.after] * len(table.groups), check.definition, settings.alpha)
    return Finding(check, check.definition, groups, inference, reason, "repeats", sweep)


def _sides_of(table: Table, change: Change) -> dict[str, float]:
    """Return the gap before and after: of the same two groups, with its sign, or the largest where there are more."""
    means = [np.nanmean(table.values[c], axis=0) for c in (change.before, change.after)]
    first, second = change.first, change.second
    if len(table.groups) > 2:
        return {
            "gap_as_is": float(means[0][first] - means[0][second]),
            "gap_under_mix": float(means[1][change.after_first] - means[1][change.after_second]),
        }
    return {name: float(m[first] - m[second]) for name, m in zip(("gap_as_is", "gap_under_mix"), means, strict=True)}


def _unchanged(table: Table, before: int, after: int) -> Iterator[str]:
    """Say why a change cannot be judged."""
    for name, problem in zip(table.groups, table.problems, strict=True):
        if problem is not None:
            yield f"{name}: {problem}"
    missing = [text for c in (before, after) for g in range(len(table.groups)) for text in _undefined(table, g, c)]
    yield from missing
    if not missing and not any(table.problems):
        mixes = " and ".join(table.configurations[c][0] for c in (before, after))
        yield f"{mixes}: the gaps, or what they change by, are the same in all {table.values.shape[1]} repeats"


def _varies(gaps: Gaps, table: Table) -> npt.NDArray[np.bool_]:
    """Say which gaps differ between repeats by more than rounding does."""
    scale = np.abs(table.values[~np.isnan(table.values)]).max(initial=0.0) or 1.0  # areas of a mismatch are no values
    spread = np.nanmax(gaps.value, axis=1, initial=-np.inf) - np.nanmin(gaps.value, axis=1, initial=np.inf)
    return np.asarray(spread > _ROUNDING * scale)


def _judge(table: Table, gaps: Gaps, check: Check, alpha: float) -> JudgedGaps:
    overlap = table.overlap(gaps)
    if kind_of(check.definition).of_pairs:
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


def _undefined(table: Table, group: int, *at: int) -> list[str]:
    """Say under which mixes a group cannot be judged, any of which could be its worst or its best."""
    values = table.values[:, :, group]
    return [
        f"{table.groups[group]} under {table.configurations[c][0]}: undefined in {int(np.isnan(values[c]).sum())} of "
        f"{values.shape[1]} repeats"
        for c in np.flatnonzero(undefined_gaps(values))
        if not at or c in at
    ]


def _records(table: Table, gaps: Gaps, shown: int, check: Check, settings: Settings) -> tuple[GroupRecord, ...]:
    """Return every group with its mean over the repeats, under the mix of the deciding gap, or its own in that gap."""
    own = {int(gaps.second[shown]): int(gaps.second_mix[shown])}
    at = [max(own.get(g, int(gaps.first_mix[shown])), 0) for g in range(len(table.groups))]
    return group_values(table, at, check.definition, settings.alpha)


def _ratio(table: Table, gaps: Gaps, judged: JudgedGaps | None) -> tuple[float, float | None]:
    """Return the share of rows that tests, of the deciding gap, and that of its variance which more repeats take."""
    overlap = table.overlap(gaps)
    if judged is None:
        return float(overlap.tested.max()), None
    gap = gaps.value[judged.shown]
    repeats = int((~np.isnan(gap)).sum())
    variance = (judged.inference.standard_error or 0.0) ** 2
    taken = float(np.nanvar(gap, ddof=1)) / repeats / variance if variance > 0.0 else 0.0
    return float(overlap.tested[judged.shown]), min(taken, 1.0)


def _decided(table: Table, gaps: Gaps, check: Check, judged: JudgedGaps) -> dict[str, Any]:
    """Return what a sweep's record says of the gap that decides."""
    shown, overlap = judged.shown, table.overlap(gaps)
    tested = float(overlap.tested[shown])
    alone = repeat_estimates(gaps.value[[shown]], 1.0 - tested, tested, most_freedom=overlap.freedom[[shown]])
    at = [int(gaps.first_mix[shown]), int(gaps.second_mix[shown])]
    first, second = judged.inference.first, judged.inference.second
    if first != gaps.first[shown]:
        at.reverse()
    decided: dict[str, Any] = {
        "feature_set": table.configurations[at[0]][1],
        "undefined": judged.left_out,
        "freedom": judged.freedom,
        "corrected_p": float(repeats_violation(alone, 0.0)[0]) if alone.variance[0] > 0.0 else None,
    }
    if check.gap != "dependence":
        decided["first_mix"], decided["second_mix"] = (table.configurations[c][0] for c in at)
        if not kind_of(check.definition).of_pairs:
            test = published_test(*(table.values[c, :, g] for c, g in zip(at, (first, second), strict=True)))
            decided |= {"published_test": test.name, "published_p": float(test.p)}
    return decided


def _sweep(
    results: SweepResults,
    plan: SweepPlan,
    table: Table,
    check: Check,
    settings: Settings,
    tested: float,
    **decided: Any,
) -> SweepRecord:
    slopes: tuple[str, ...] = ()
    if check.gap == "dependence":
        of = decided.get("feature_set") or table.feature_sets[0]
        slopes = tuple(table.configurations[i][0] for i in slope_mixes(results, table, np.array(table.of(of))))
    trained = training_rows(results, table.configurations, table.groups)
    rows = {
        mix: dict(zip(table.groups, n, strict=True))
        for (mix, _), n in zip(table.configurations, trained.tolist(), strict=True)
    }
    nothing: dict[str, Any] = dict.fromkeys(("first_mix", "second_mix", "feature_set")) | {"undefined": 0}
    return SweepRecord(
        training_rows=rows,
        slope_mixes=slopes,
        gap=check.gap or "each_mix",
        mix=check.mix or "",
        as_is=as_is_mix(plan.mixes),
        mixes=tuple(plan.mixes),
        repeats=table.values.shape[1],
        test_train_ratio=tested / (1.0 - tested),
        table=mix_table(table, trained, plan, check.definition, settings.alpha),
        **(nothing | decided),
    )
