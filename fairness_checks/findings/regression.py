"""Predictions + the baseline -> Finding: whether a model got worse than the one that was accepted last."""

from __future__ import annotations

import dataclasses

import numpy as np

from fairness_checks.baseline.accepted import ratchet_kind, tighter
from fairness_checks.baseline.document import Entry
from fairness_checks.baseline.reading import REWRITE
from fairness_checks.errors import BaselineError
from fairness_checks.findings.comparison import Comparison, Pairing, standing
from fairness_checks.findings.finding import Finding, find, summary, with_remedy
from fairness_checks.measure.measured_groups import MeasuredGroups
from fairness_checks.question.checks import Check, Settings
from fairness_checks.question.limits import limit_problem
from fairness_checks.records.parts import GroupRecord, RegressionRecord
from fairness_checks.stats.inference import Inference
from fairness_checks.stats.joint_estimates import JointEstimates
from fairness_checks.stats.worsening import (
    JudgedWorsening,
    levelling_down,
    worsening_of_disparity,
    worsening_of_each_group,
    worsening_of_worst_group,
)

__all__ = ["find_in_comparison"]


def find_in_comparison(comparison: Comparison, check: Check, settings: Settings) -> Finding:
    """Judge what was compared with the baseline."""
    # Broken, which is red, where the baseline lacks the check or the value of a group, or holds a group that is gone.
    seen, statistics, entry = standing(comparison, check, settings), comparison.statistics, comparison.entry
    if entry is None:
        return _missing(comparison, check, seen.groups)
    if seen.broken is not None:
        return _broken(check, seen.groups, seen.broken, entry)
    assert comparison.pairing is not None  # for the type checker: what is not broken was compared
    pairing, joint, judged = comparison.pairing, comparison.joint, seen.judged
    if seen.new:
        why = f"{pairing.why}; new, and written by this run: {'; '.join(seen.new)}"
        pairing = dataclasses.replace(pairing, why=why)
    if joint is None or len(judged) < (2 if check.of == "disparity" else 1):
        if seen.new and not seen.problems:
            return _missing(comparison, check, seen.groups)
        record, reason = _record(check, entry, pairing), summary(seen.problems)
        unjudged = Finding(check, check.definition, seen.groups, None, reason, regression=record)
        return with_remedy(unjudged, statistics)
    worsening = _worsening(joint, check, settings.alpha)
    inference = _placed(worsening.inference, judged)
    held = entry.ratchet_limit if check.ratchet else None
    if held is not None:
        inference = _with_held_limit(inference, comparison, check, held, settings)
    record = dataclasses.replace(
        _record(check, entry, pairing),
        before=worsening.old,
        after=worsening.new,
        old_first=seen.groups[judged[worsening.old_first]].name,
        old_second=seen.groups[judged[worsening.old_second]].name if worsening.old_second >= 0 else None,
        levelling_down=_levelling(joint, check, [seen.groups[i].label for i in judged], settings.alpha),
        held_limit=held,
        suggested_limit=_suggested(joint, worsening.new, statistics, check, settings, held),
    )
    cautions = _heavy_tails(joint, [seen.groups[i].label for i in judged])
    found = Finding(check, check.definition, seen.groups, inference, summary(seen.problems), regression=record)
    return with_remedy(dataclasses.replace(found, cautions=cautions), statistics)


def _heavy_tails(joint: JointEstimates, labels: list[str]) -> tuple[str, ...]:
    """Say where a mean changed by few samples above all: no test of a mean keeps its level there."""
    return tuple(
        f"one sample or cluster of {labels[g]} makes {joint.largest[g]:.0%} of what changed between the models (in "
        "squares): if larger changes are possible than any that was seen, a pass is wrong more often than alpha says"
        for g in np.flatnonzero(joint.largest)
    )


def _missing(comparison: Comparison, check: Check, groups: tuple[GroupRecord, ...]) -> Finding:
    name = comparison.baseline
    pairing = Pairing(False, "there is nothing to compare with")
    if comparison.updating:
        reason = f"{name} does not have it yet; this run writes it"
        return Finding(check, check.definition, groups, None, reason, regression=_record(check, None, pairing))
    lacks = f"{name} does not have it" if comparison.exists else f"there is no {name}"
    reason = f"{lacks}; run {REWRITE}, and commit what that writes"
    return _broken(check, groups, reason, None)


def _broken(check: Check, groups: tuple[GroupRecord, ...], reason: str, entry: Entry | None) -> Finding:
    record = _record(check, entry, Pairing(False, "not compared"))
    return Finding(check, check.definition, groups, None, reason, regression=record, broken=True)


def _record(check: Check, entry: Entry | None, pairing: Pairing) -> RegressionRecord:
    return RegressionRecord(
        of=check.of or "disparity",
        before=None,
        after=None,
        old_first=None,
        old_second=None,
        paired=pairing.paired,
        pairing=pairing.why,
        baseline_date=None if entry is None else entry.date,
        baseline_commit=None if entry is None else entry.git_commit,
    )


def _worsening(joint: JointEstimates, check: Check, alpha: float) -> JudgedWorsening:
    if check.of == "disparity":
        return worsening_of_disparity(joint, check.limit, alpha)
    judge = worsening_of_each_group if check.of == "each_group" else worsening_of_worst_group
    return judge(joint, check.limit, alpha, lower_is_better=check.definition.lower_is_better is not False)


def _placed(found: Inference, judged: list[int]) -> Inference:
    second = judged[found.second] if found.second >= 0 else -1
    return dataclasses.replace(found, first=judged[found.first], second=second)


def _with_held_limit(
    found: Inference, comparison: Comparison, check: Check, held: float, settings: Settings
) -> Inference:
    """Return the inference with what the tightened limit says too: either may be violated, both must be kept."""
    if problem := limit_problem(ratchet_kind(check), held, check.definition):
        where = f"{comparison.baseline}: {check.question.line}: ratchet_limit"
        raise BaselineError(f"{where}: {problem}; delete the file and write it anew: {REWRITE}")
    absolute = find(comparison.statistics, Check(check.metric, check.by, ratchet_kind(check), held), settings).inference
    if absolute is None:
        return found
    return dataclasses.replace(
        found,
        p_violation=min(1.0, 2.0 * min(found.p_violation, absolute.p_violation)),
        p_compliance=max(found.p_compliance, absolute.p_compliance),
        method=f"{found.method}; and the held limit of {held:.3g}, Bonferroni",
    )


def _suggested(
    joint: JointEstimates,
    value: float,
    statistics: MeasuredGroups,
    check: Check,
    settings: Settings,
    held: float | None,
) -> float | None:
    """Return the limit that a proved improvement allows, if it is tighter than the one held; None otherwise."""
    # The end of the interval of the value now, towards what is worse, and what it may get worse by: a value that came
    # out well by chance would be held against models that are no worse.
    if not check.ratchet:
        return None
    proof = _worsening(joint, dataclasses.replace(check, limit=0.0), settings.alpha).inference.p_compliance
    if not proof < settings.alpha:
        return None
    kind = ratchet_kind(check)
    sign = -1.0 if kind == "min_value" else 1.0
    near = value + sign * check.limit
    if limit_problem(kind, near, check.definition):
        return None
    now = find(statistics, Check(check.metric, check.by, kind, near), settings).inference
    if now is None:
        return None
    end = (now.low if kind == "min_value" else now.high) + sign * check.limit
    if limit_problem(kind, end, check.definition):  # so wide an interval that there is nothing to hold
        return None
    return None if tighter(held, end, check) == held else end


def _levelling(joint: JointEstimates, check: Check, labels: list[str], alpha: float) -> str | None:
    better = check.definition.lower_is_better
    if joint.groups < 2 or better is None:
        return None
    found = levelling_down(joint, lower_is_better=better)
    if found is None:
        return None
    shown = f"p = {found.p:.2g}" if found.p >= 0.001 else "p < 0.001"
    proof = "" if found.p < alpha else ", which the data do not prove"
    who = f"{labels[found.group]}, who did better, got worse by {found.worsening:.3f}"
    return f"the gap closed while {who} ({shown}){proof}"
