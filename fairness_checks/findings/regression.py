"""Predictions + the baseline -> Finding: whether a model got worse than the one that was accepted last."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fairness_checks.baseline.accepted import Accepted, held_kind, tighter
from fairness_checks.baseline.document import Entry, GroupEntry, OutcomesRef
from fairness_checks.baseline.moments import stored_influence
from fairness_checks.baseline.outcomes import read_outcomes, rounded
from fairness_checks.baseline.reading import REWRITE
from fairness_checks.errors import BaselineError, InvalidPredictions
from fairness_checks.findings.compared_groups import compared
from fairness_checks.findings.finding import Finding, find, summary, with_remedy
from fairness_checks.inputs.predictions import Predictions
from fairness_checks.kinds import KINDS
from fairness_checks.kinds.group_statistics import GroupStatistics
from fairness_checks.kinds.influences import group_influences
from fairness_checks.measure.measured_groups import MeasuredGroups
from fairness_checks.measure.rows import Rows
from fairness_checks.plain import printable
from fairness_checks.question.checks import Check, Settings
from fairness_checks.question.limits import limit_problem
from fairness_checks.records.check_record import GroupRecord, RegressionRecord
from fairness_checks.stats.inference import Inference
from fairness_checks.stats.joint_estimates import JointEstimates, joint_estimates
from fairness_checks.stats.worsening import (
    Worsening,
    judge_disparity,
    judge_each_group,
    judge_worst_group,
    levelling_down,
)

__all__ = ["find_worsening"]


def find_worsening(accepted: Accepted, predictions: Predictions, check: Check, settings: Settings) -> Finding:
    """Judge one check against the baseline.

    Paired where the samples are the same, by `Pseudonyms.fingerprint`; else the two models' samples count as
    independent, which is safe: samples that they share make the difference better known than that.

    Parameters
    ----------
    accepted : Accepted
        The baseline.
    predictions : Predictions
        Of the model as it is now.
    check : Check
        With `of`.
    settings : Settings
        Level and the smallest group.

    Returns
    -------
    Finding
        Broken, which is red, where the baseline lacks the check or the value of a group, or holds a group that is gone.

    Raises
    ------
    ConfigurationError, InvalidPredictions
        As `fairness_checks.findings.compared_groups.compared`; and if the predictions lack what the metric needs.
    BaselineError
        If the stored outcomes cannot be read.
    """
    metric = check.definition
    measured = GroupStatistics.from_predictions(predictions, check.by, settings.missing, [metric])
    entry = None if accepted.model is None else accepted.model.checks.get(check.question.line)
    old = {} if entry is None else {group.name: group for group in entry.groups}
    statistics = compared(measured, check)
    groups = KINDS[metric.kind].groups(statistics, metric, settings)
    if entry is None:
        return _missing(accepted, check, groups)
    shown = tuple(
        dataclasses.replace(group, also={**group.also, "baseline": old[group.name].value})
        if group.name in old
        else group
        for group in groups
    )
    for name, words in {"positive": "positive class", "scaling": "scaling of images"}.items():
        before, now = getattr(entry, name), getattr(predictions, name)
        if before not in (None, now):
            reason = (
                f"the baseline's {words} is {printable(before)}, this run's is {printable(now or 'not given')}: they "
                f"are not comparable; bring it back, or delete the file and write it anew: {REWRITE}"
            )
            return _broken(check, shown, reason, entry)
    there = {group.name for group in groups if group.samples > 0}
    if gone := [", ".join(name) for name in old if name not in there and old[name].n > 0]:
        reason = (
            f"the baseline has a group that is gone: {printable('; '.join(gone))}; bring it back, or delete the file "
            f"and write it anew: {REWRITE}"
        )
        return _broken(check, shown, reason, entry)
    judged, problems, new = _judged(shown, old)
    if new and not accepted.updating:  # the group has a value: no more samples, but a new baseline settles it
        reason = (
            f"the baseline has no value of the group {printable('; '.join(new))}; accept it: {REWRITE}, which writes "
            "what passes; delete the file first to write it all"
        )
        return _broken(check, shown, reason, entry)
    names = [shown[i].name for i in judged]
    pairing, joint = _compared(accepted, predictions, check, settings, [old[name] for name in names])
    if new:
        pairing = dataclasses.replace(pairing, why=f"{pairing.why}; new, and written by this run: {'; '.join(new)}")
    if joint is None or len(judged) < (2 if check.of == "disparity" else 1):
        if new and not problems:
            return _missing(accepted, check, shown)
        record = _record(check, entry, pairing)
        return with_remedy(Finding(check, metric, shown, None, summary(problems), regression=record), statistics)
    worsening = _worsening(joint, check, settings.alpha)
    inference = _placed(worsening.inference, judged)
    held = entry.ratchet_limit if check.ratchet else None
    if held is not None:
        inference = _with_held_limit(inference, statistics, check, held, settings)
    record = dataclasses.replace(
        _record(check, entry, pairing),
        before=worsening.old,
        after=worsening.new,
        old_first=shown[judged[worsening.old_first]].name,
        old_second=shown[judged[worsening.old_second]].name if worsening.old_second >= 0 else None,
        levelling_down=_levelling(joint, check, [shown[i].label for i in judged], settings.alpha),
        held_limit=held,
        suggested_limit=_suggested(joint, worsening.new, statistics, check, settings, held),
    )
    return with_remedy(Finding(check, metric, shown, inference, summary(problems), regression=record), statistics)


@dataclass(frozen=True, slots=True)
class _Pairing:
    paired: bool
    why: str


def _missing(accepted: Accepted, check: Check, groups: tuple[GroupRecord, ...]) -> Finding:
    name = accepted.path.name
    pairing = _Pairing(False, "there is nothing to compare with")
    if accepted.updating:
        reason = f"{name} does not have it yet; this run writes it"
        return Finding(check, check.definition, groups, None, reason, regression=_record(check, None, pairing))
    lacks = f"{name} does not have it" if accepted.path.exists() else f"there is no {name}"
    reason = f"{lacks}; run {REWRITE}, and commit what that writes"
    return _broken(check, groups, reason, None)


def _broken(check: Check, groups: tuple[GroupRecord, ...], reason: str, entry: Entry | None) -> Finding:
    record = _record(check, entry, _Pairing(False, "not compared"))
    return Finding(check, check.definition, groups, None, reason, regression=record, broken=True)


def _record(check: Check, entry: Entry | None, pairing: _Pairing) -> RegressionRecord:
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


def _judged(
    groups: Sequence[GroupRecord], old: dict[tuple[str, ...], GroupEntry]
) -> tuple[list[int], list[str], list[str]]:
    """Return the positions of the groups that both models have a value for, why others have none, and the new ones.

    New is a group of which only the model as it is now has a value.
    """
    judged, problems, new = [], [], []
    for i, group in enumerate(groups):
        if group.problem is not None:
            problems.append(f"group {group.label}: {group.problem}")
        elif group.name not in old or old[group.name].df is None:
            new.append(group.label)
        else:
            judged.append(i)
    return judged, problems, new


def _compared(
    accepted: Accepted, predictions: Predictions, check: Check, settings: Settings, old: list[GroupEntry]
) -> tuple[_Pairing, JointEstimates | None]:
    """Return whether the samples are the same, and the estimates of both models in the groups of `old`."""
    rows = Rows(predictions, check.by, settings.missing)
    some = [rows.groups.index(group.name) for group in old]
    ref = None if accepted.model is None else accepted.model.outcomes
    why = _cannot_pair(accepted, predictions, ref)
    if ref is not None and accepted.pseudonyms is not None and why is None:
        pairing = _Pairing(True, f"the same {ref.samples:,} samples as in the baseline")
        if not some:
            return pairing, None
        file = accepted.path.parent / ref.file
        before = read_outcomes(accepted.path.parent, ref, accepted.pseudonyms, predictions)
        try:
            then = group_influences(before, rows, check.definition).take(some)
        except InvalidPredictions as error:
            raise BaselineError(f"{file}: has no {check.metric}: {error}; write it anew: {REWRITE}") from error
        now = group_influences(rounded(predictions), rows, check.definition).take(some)
        return pairing, joint_estimates(now.influences, then.influences, paired=True, clusters=now.clusters)
    pairing = _Pairing(False, why or "")
    if not some:
        return pairing, None
    now = group_influences(predictions, rows, check.definition).take(some)
    stored = [stored_influence(group) for group in old]
    apart = None if now.clusters is None else [-1 - np.arange(2 * g, 2 * g + 2) for g in range(len(stored))]
    return pairing, joint_estimates(now.influences, stored, paired=False, clusters=now.clusters, old_clusters=apart)


def _cannot_pair(accepted: Accepted, predictions: Predictions, ref: OutcomesRef | None) -> str | None:
    if predictions.sample_id is None:
        return "the predictions have no sample_id, by which samples could be paired"
    if ref is None:
        return "the baseline has no outcomes of single samples; its predictions had no sample_id"
    if accepted.pseudonyms is None:
        return accepted.unpaired or "there is nothing that finds its samples again"
    if accepted.pseudonyms.fingerprint(predictions) != ref.fingerprint:
        return "other samples than in the baseline (ids, labels, groups or clusters differ)"
    return None


def _worsening(joint: JointEstimates, check: Check, alpha: float) -> Worsening:
    if check.of == "disparity":
        return judge_disparity(joint, check.limit, alpha)
    judge = judge_each_group if check.of == "each_group" else judge_worst_group
    return judge(joint, check.limit, alpha, lower_is_better=check.definition.lower_is_better is not False)


def _placed(found: Inference, judged: list[int]) -> Inference:
    second = judged[found.second] if found.second >= 0 else -1
    return dataclasses.replace(found, first=judged[found.first], second=second)


def _with_held_limit(
    found: Inference, statistics: MeasuredGroups, check: Check, held: float, settings: Settings
) -> Inference:
    """Return the inference with what the tightened limit says too: either may be violated, both must be kept."""
    absolute = find(statistics, Check(check.metric, check.by, held_kind(check), held), settings).inference
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
    """Return the limit that a proved improvement allows, if it is tighter than the one held; None otherwise.

    The end of the interval of the value now, towards what is worse, and what it may get worse by: a value that came out
    well by chance would be held against models that are no worse.
    """
    if not check.ratchet:
        return None
    proof = _worsening(joint, dataclasses.replace(check, limit=0.0), settings.alpha).inference.p_compliance
    if not proof < settings.alpha:
        return None
    kind = held_kind(check)
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
