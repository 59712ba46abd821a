"""Predictions + the baseline -> Comparison: what of both a check against the baseline is decided by."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import numpy as np

from fairness_checks.baseline.accepted import Accepted
from fairness_checks.baseline.document import Entry, GroupEntry
from fairness_checks.baseline.moments import stored_influence
from fairness_checks.baseline.reading import REWRITE
from fairness_checks.errors import BaselineError, InvalidPredictions
from fairness_checks.findings.compared_groups import compared
from fairness_checks.inputs.predictions import LazyPredictions, Predictions
from fairness_checks.kinds import kind_of
from fairness_checks.kinds.group_statistics import GroupStatistics
from fairness_checks.kinds.influences import GroupInfluences, group_influences
from fairness_checks.measure.measured_groups import MeasuredGroups
from fairness_checks.measure.rows import Rows
from fairness_checks.measure.sources.engine_rows import EngineRows
from fairness_checks.measure.sources.pairs import PairedRows, why_unpaired
from fairness_checks.plain import printable
from fairness_checks.question.checks import Check, Settings
from fairness_checks.records.parts import GroupRecord
from fairness_checks.stats.joint_estimates import JointEstimates, joint_estimates, joint_of_sums
from fairness_checks.typing import ImageScaling

__all__ = ["Comparison", "Pairing", "Standing", "compare", "standing"]

_DIGITS = 1e-9  # in which sums of the same numbers in another order agree


@dataclass(frozen=True, slots=True)
class Pairing:
    """Whether the samples are those of the baseline, and why, or why not."""

    paired: bool
    why: str


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """All that a check against the baseline is decided by."""

    statistics: MeasuredGroups  # of the groups now
    entry: Entry | None  # what the baseline holds of the check
    baseline: str  # its name
    exists: bool  # whether there is one
    updating: bool  # whether this run writes one
    positive: str | None = None
    scaling: ImageScaling | None = None
    pairing: Pairing | None = None  # None where nothing was compared
    joint: JointEstimates | None = None  # of the groups that both have a value for, before and now

    @property
    def old(self) -> dict[tuple[str, ...], GroupEntry]:
        """What the baseline holds of each group, by its name."""
        return {} if self.entry is None else {group.name: group for group in self.entry.groups}


@dataclass(frozen=True, slots=True)
class Standing:
    """What of a comparison can be judged."""

    groups: tuple[GroupRecord, ...]  # every group now, with its value in the baseline
    judged: list[int]  # positions of those that both models have a value for
    problems: list[str]  # why others have none
    new: list[str]  # of which only the model as it is now has a value
    broken: str | None = None  # why nothing can be compared, whatever the data


def compare(accepted: Accepted, predictions: Predictions, check: Check, settings: Settings) -> Comparison:
    """Look for the samples in the baseline, and estimate both models' values."""
    # Paired where the samples are the same, by `Pseudonyms.fingerprint`; else the two models' samples count as
    # independent, which is safe: samples that they share make the difference better known than that.
    if isinstance(predictions, LazyPredictions):  # what is not known is an error before a baseline is written, too
        group_influences(predictions, EngineRows(predictions, check.by, settings.missing), check.definition)
    measured = GroupStatistics.from_predictions(predictions, check.by, settings.missing, [check.definition])
    found = Comparison(
        compared(measured, check),
        None if accepted.model is None else accepted.model.checks.get(check.question.line),
        accepted.path.name,
        accepted.path.exists(),
        accepted.updating,
        predictions.positive,
        predictions.scaling,
    )
    if found.entry is None or (seen := standing(found, check, settings)).broken is not None:
        return found
    names = [seen.groups[i].name for i in seen.judged]
    pairing, joint = _estimated(accepted, predictions, check, settings, [found.old[name] for name in names])
    return dataclasses.replace(found, pairing=pairing, joint=joint)


def standing(comparison: Comparison, check: Check, settings: Settings) -> Standing:
    """Say which groups can be judged, or why nothing can be compared."""
    groups = kind_of(check.definition).groups(comparison.statistics, check.definition, settings)
    old = comparison.old
    shown = tuple(
        dataclasses.replace(group, also={**group.also, "baseline": old[group.name].value})
        if group.name in old
        else group
        for group in groups
    )
    judged, problems, new = _judged(shown, old)
    return Standing(shown, judged, problems, new, _broken(comparison, shown, new))


def _broken(comparison: Comparison, groups: tuple[GroupRecord, ...], new: list[str]) -> str | None:
    if comparison.entry is None:
        return None
    if comparison.entry.suppress_below is not None:
        return (
            f"the baseline withholds its numbers, as it had groups of fewer than {comparison.entry.suppress_below} "
            f"(suppress_below): they cannot be compared; ask by a feature of larger groups, or leave the check out "
            f"(where suppress_below is gone from the limits, delete the file and write it anew: {REWRITE})"
        )
    for name, words in {"positive": "positive class", "scaling": "scaling of images"}.items():
        before, now = getattr(comparison.entry, name), getattr(comparison, name)
        if before not in (None, now):
            return (
                f"the baseline's {words} is {printable(before)}, this run's is {printable(now or 'not given')}: they "
                f"are not comparable; bring it back, or delete the file and write it anew: {REWRITE}"
            )
    there = {group.name for group in groups if group.samples > 0}
    if gone := [", ".join(name) for name, entry in comparison.old.items() if name not in there and entry.n > 0]:
        return (
            f"the baseline has a group that is gone: {printable('; '.join(gone))}; bring it back, or delete the file "
            f"and write it anew: {REWRITE}"
        )
    if new and not comparison.updating:  # the group has a value: no more samples, but a new baseline settles it
        return (
            f"the baseline has no value of the group {printable('; '.join(new))}; accept it: {REWRITE}, which writes "
            "what passes; delete the file first to write it all"
        )
    return None


def _judged(
    groups: tuple[GroupRecord, ...], old: dict[tuple[str, ...], GroupEntry]
) -> tuple[list[int], list[str], list[str]]:
    """Return the positions of the groups that both models have a value for, why others have none, and the new ones."""
    # New is a group of which only the model as it is now has a value.
    judged, problems, new = [], [], []
    for i, group in enumerate(groups):
        if group.problem is not None:
            problems.append(f"group {group.label}: {group.problem}")
        elif group.name not in old or old[group.name].df is None:
            new.append(group.label)
        else:
            judged.append(i)
    return judged, problems, new


def _estimated(
    accepted: Accepted, predictions: Predictions, check: Check, settings: Settings, old: list[GroupEntry]
) -> tuple[Pairing, JointEstimates | None]:
    """Return whether the samples are the same, and the estimates of both models in the groups of `old`."""
    if isinstance(predictions, LazyPredictions):
        return _in_engine(accepted, predictions, check, settings, old)
    rows = Rows(predictions, check.by, settings.missing)
    some = [rows.groups.index(group.name) for group in old]
    why = accepted.cannot_pair(predictions)
    if why is None:
        pairing = Pairing(True, f"the same {len(predictions):,} samples as in the baseline")
        if not some:
            return pairing, None
        found = accepted.paired(predictions)
        try:
            then = group_influences(found.before, rows, check.definition).take(some)
        except InvalidPredictions as error:
            file = accepted.outcomes_file
            raise BaselineError(f"{file}: has no {check.metric}: {error}; write it anew: {REWRITE}") from error
        now = group_influences(found.now, rows, check.definition).take(some)
        return pairing, joint_estimates(now.influences, then.influences, paired=True, clusters=now.clusters)
    pairing = Pairing(False, why)
    if not some:
        return pairing, None
    now = group_influences(predictions, rows, check.definition).take(some)
    return pairing, _unpaired(accepted, now, check, old)


def _unpaired(accepted: Accepted, now: GroupInfluences, check: Check, old: list[GroupEntry]) -> JointEstimates:
    """Return the estimates of both models, of which the baseline keeps those of the groups `old`."""
    stored = [stored_influence(group) for group in old]
    for group, ours, theirs in zip(old, now.influences, stored, strict=True):
        if ours.extra.shape != theirs.extra.shape:
            raise BaselineError(
                f"{accepted.path}: {check.question.line}.groups: {list(group.name)}: extra: "
                f"{len(theirs.extra)} numbers, of {check.metric} there are {len(ours.extra)}; delete the file and "
                f"write it anew: {REWRITE}"
            )
    apart = None if now.clusters is None else [-1 - np.arange(2 * g, 2 * g + 2) for g in range(len(stored))]
    return joint_estimates(now.influences, stored, paired=False, clusters=now.clusters, old_clusters=apart)


def _in_engine(
    accepted: Accepted, predictions: LazyPredictions, check: Check, settings: Settings, old: list[GroupEntry]
) -> tuple[Pairing, JointEstimates | None]:
    """Return the same of rows that stay in their engine, where the samples are joined with the accepted table."""
    before = predictions.accepted
    if before is None:
        why: str | None = "the predictions have no table of the accepted model, with which samples could be paired"
    else:
        why = why_unpaired(predictions, before)
    pairing = Pairing(why is None, why or f"the same {len(predictions):,} samples as in the accepted model's table")
    if not old:
        return pairing, None
    if before is None or why is not None:
        rows = EngineRows(predictions, check.by, settings.missing)
        now = group_influences(predictions, rows, check.definition)
        return pairing, _unpaired(accepted, now.take([rows.groups.index(group.name) for group in old]), check, old)
    _refuse_other_table(accepted, before, check, settings)
    paired = PairedRows(predictions, check.by, settings.missing)
    sums = kind_of(check.definition).paired_in_engine(paired, check.definition)
    return pairing, joint_of_sums([sums[paired.groups.index(group.name)] for group in old], paired=True)


def _refuse_other_table(accepted: Accepted, before: LazyPredictions, check: Check, settings: Settings) -> None:
    """Refuse a table that is not the one from which the baseline was written: it has other numbers."""
    measured = GroupStatistics.from_predictions(before, check.by, settings.missing, [check.definition])
    found = {group.name: group for group in kind_of(check.definition).groups(measured, check.definition, settings)}
    assert accepted.model is not None  # for the type checker: there is an entry to compare with
    for entry in accepted.model.checks[check.question.line].groups:
        group = found.get(entry.name)
        if group is None or not _agree(group, entry):
            has = "has no such group" if group is None else f"has {_told(group.n, group.rate)}"
            raise BaselineError(
                f"accepted: {before.engine.source}: is not the table from which {accepted.path.name} was written: of "
                f"{check.metric} of {', '.join(entry.name)} it {has}, the baseline {_told(entry.n, entry.value)}; give "
                f"that table; only if the new model is to be accepted, write the baseline anew: {REWRITE}"
            )


def _told(samples: int, value: float | None) -> str:
    return f"{samples:,} samples{'' if value is None else f' and {value:.9g}'}"


def _agree(group: GroupRecord, entry: GroupEntry) -> bool:
    """Say whether counts are equal, and values to nine digits."""
    if group.n != entry.n or group.events != entry.events or (group.rate is None) != (entry.value is None):
        return False
    if group.rate is None or entry.value is None:
        return True
    deviation = math.sqrt((entry.variance or 0.0) * entry.n)  # of a sample: a mean near 0 is a sum that cancels
    return math.isclose(group.rate, entry.value, rel_tol=_DIGITS, abs_tol=_DIGITS * deviation)
