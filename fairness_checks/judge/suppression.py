"""What of a model's checks may be shown where small cells are suppressed: all reports render this, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from fairness_checks.baseline.entries import has_small_cells
from fairness_checks.errors import EvidenceError, FairnessError
from fairness_checks.findings.comparison import Comparison
from fairness_checks.findings.statistics import Statistics, Swept
from fairness_checks.inputs.alignment import without_label
from fairness_checks.inputs.predictions import Predictions
from fairness_checks.judge.measurements import Measurements
from fairness_checks.judge.shown import Shown
from fairness_checks.judge.verdict import Answer
from fairness_checks.kinds import kind_of
from fairness_checks.measure.measured_groups import MeasuredGroups
from fairness_checks.measure.small_cells import (
    Hidden,
    Table,
    crossed,
    determined,
    hidden_cells,
    is_small,
    small_details,
    table_of,
    without_small_parts,
)
from fairness_checks.question.checks import Check, Settings
from fairness_checks.question.metrics import parts_of
from fairness_checks.records.check_record import CheckRecord
from fairness_checks.records.decision import decide
from fairness_checks.records.parts import GroupRecord, RegressionRecord, SuppressionRecord
from fairness_checks.records.sweep_record import SweepRecord
from fairness_checks.stats.multiplicity import adjust

__all__ = ["adjusted_without", "shows_small_cells", "suppressed", "withheld_reason", "withheld_tables"]


def suppressed(
    measured: Measurements,
    checks: Sequence[Check],
    answers: Sequence[Answer],
    settings: Settings,
    below: int,
    predictions: Predictions | None = None,
) -> Shown:
    """Return what may be shown of a model's checks: no group of fewer than `below` samples, nor what gives it back.

    Verdicts stay: they are of all data. A check with a hidden group is attested: its statistics are withheld, and of
    its record all but the verdict and the groups that may be shown. `predictions` tell which feature says another, as
    a ward its region: readers know that.
    """
    measured = replace(measured, statistics=_coarse(measured.statistics, below))
    says = {} if predictions is None else determined(predictions.sensitive_features)
    hidden = hidden_cells(crossed(list(_tables(measured.statistics, below)), says), below)
    withheld = [_is_withheld(known, hidden, below) for known in measured.statistics]
    details = [isinstance(known, MeasuredGroups) and small_details(known, below) for known in measured.statistics]
    adjusted = adjusted_without(answers, withheld, details, settings)
    shown = [
        answer
        if isinstance(answer, Exception)
        else _attested(answer, check, known, hidden, measured.said.looks, below)
        if gone
        else _published(answer, p, below if apart else None)
        for answer, check, known, gone, apart, p in zip(
            answers, checks, measured.statistics, withheld, details, adjusted, strict=True
        )
    ]
    left = tuple(
        EvidenceError(withheld_reason(below)) if gone or apart else known
        for known, gone, apart in zip(measured.statistics, withheld, details, strict=True)
    )
    masked = [_masked(answer, below) if isinstance(answer, Exception) else answer for answer in shown]
    return Shown(replace(measured, statistics=left), masked, below, hidden)


def _coarse(found: Sequence[Statistics | Exception], below: int) -> tuple[Statistics | Exception, ...]:
    """Return statistics without what is of a few samples and decides nothing; one object where it was one."""
    known = {id(each): without_small_parts(each, below) for each in found if isinstance(each, MeasuredGroups)}
    return tuple(known.get(id(each), each) for each in found)


def withheld_tables(tables: Sequence[MeasuredGroups], predictions: Predictions, below: int) -> list[bool]:
    """Say which statistics of the same samples would show a group of fewer than `below`, or give one back."""
    hidden = hidden_cells(
        crossed([table_of(each) for each in tables], determined(predictions.sensitive_features)), below
    )
    return [bool(hidden.of(each.by)) or small_details(each, below) for each in tables]


def withheld_reason(below: int) -> str:
    """Say why numbers are withheld."""
    return f"numbers are withheld, as there are groups of fewer than {below} (suppress_below)"


def shows_small_cells(statistics: Statistics, below: int) -> bool:
    """Say whether statistics hold a count that is not to be shown."""
    if isinstance(statistics, Swept):
        return _has_small_training(statistics, below)
    groups = statistics.statistics if isinstance(statistics, Comparison) else statistics
    if isinstance(statistics, Comparison) and _was_small(statistics, below):
        return True
    counts = table_of(groups).counts.values()
    return small_details(groups, below) or any(bool(is_small(column, below).any()) for column in counts)


def _tables(found: Sequence[Statistics | Exception], below: int) -> Iterator[Table]:
    """Yield the counts of all groups that a model's checks would show; all are taken to be of the same samples."""
    seen: list[object] = []
    for known in found:
        if isinstance(known, Exception) or any(known is other for other in seen):
            continue
        seen.append(known)
        if isinstance(known, Swept):
            if not _has_small_training(known, below):
                rows = sorted(known.results.groups.items())
                yield Table.of((known.results.by,), {(name,): n for name, n in rows})
        else:
            yield table_of(known.statistics if isinstance(known, Comparison) else known)


def _is_withheld(known: Statistics | Exception, hidden: Hidden, below: int) -> bool:
    if isinstance(known, Exception):
        return False
    if isinstance(known, Swept):
        return bool(hidden.of([known.results.by])) or _has_small_training(known, below)
    if isinstance(known, Comparison):
        return bool(hidden.of(known.statistics.by)) or _was_small(known, below)
    return bool(hidden.of(known.by))


def _has_small_training(swept: Swept, below: int) -> bool:
    """Say whether some training of a sweep was on, or tested by, few rows of a group, or few of one outcome."""
    counts = [*swept.results.groups.values(), *(n for n, _ in swept.results.clusters.values())]
    for training in swept.results.results:
        for group in training.groups.values():
            counts += [group.train, group.real, group.test, *(group.counts or ())]
            counts += [int(n) for n, _, _ in group.moments.values()]
    return bool(is_small(counts, below).any())


def _was_small(comparison: Comparison, below: int) -> bool:
    """Say whether the baseline holds a small group, at whichever look."""
    entry = comparison.entry
    if entry is None:
        return False
    return any(has_small_cells(groups, below) for groups in (entry.groups, *(look.groups for look in entry.looks)))


def adjusted_without(
    answers: Sequence[Answer], withheld: list[bool], details: Sequence[bool], settings: Settings
) -> list[float | None]:
    """Return adjusted p-values that tell nothing of a withheld one; where a verdict would change, withhold it too."""

    # Holm and Benjamini-Hochberg hand p-values on from check to check. With the withheld ones taken as 1 they are no
    # smaller than they are, so that an adjusted one stays valid. `withheld` grows in place.
    def raw(left_out: Sequence[bool]) -> list[float]:
        found = [1.0 if isinstance(each, Exception) else each.p_violation for each in answers]
        return [1.0 if gone or p is None else p for gone, p in zip(left_out, found, strict=True)]

    while True:
        attested = [gone or apart for gone, apart in zip(withheld, details, strict=True)]
        own, others = (adjust(raw(some), settings.correction) for some in (withheld, attested))
        adjusted = [
            (own if apart else others)[i] if isinstance(answer, CheckRecord) and answer.estimate is not None else None
            for i, (answer, apart) in enumerate(zip(answers, details, strict=True))
        ]
        turned = [i for i, answer in enumerate(answers) if not withheld[i] and _turns(answer, adjusted[i])]
        if not turned:
            return [None if p is None else float(p) for p in adjusted]
        for i in turned:
            withheld[i] = True


def _turns(answer: Answer, adjusted: float | None) -> bool:
    """Say whether a check would have another verdict by another adjusted p-value."""
    if isinstance(answer, Exception) or adjusted is None:
        return False
    complete, waiver = answer.reason is None, answer.waiver is not None
    decided = decide(
        adjusted, answer.p_compliance, answer.alpha, complete=complete, broken=answer.broken, waiver=waiver
    )
    return decided != answer.verdict


def _published(record: CheckRecord, adjusted: float | None, below: int | None) -> CheckRecord:
    """Return a record with the adjusted p-value that is shown; attested where details of its statistics are small."""
    mark = None if below is None else SuppressionRecord(below=below)
    return replace(record, p_adjusted=adjusted, suppressed=mark)


_NUMBERS = ("estimate", "low", "high", "p_violation", "p_adjusted", "p_compliance", "first", "second", "component")
_NEEDED = ("detectable", "needed_samples", "needed_samples_if_equal", "needed_repeats")
_NOTHING: Mapping[str, Any] = MappingProxyType(dict.fromkeys((*_NUMBERS, *_NEEDED)))


def _attested(
    record: CheckRecord,
    check: Check,
    known: Statistics | Exception,
    hidden: Hidden,
    looks: tuple[str, ...],
    below: int,
) -> CheckRecord:
    """Return a record of which the verdict is left, and the groups that may be shown."""
    gone: tuple[tuple[str, ...], ...] = ()
    groups: tuple[GroupRecord, ...] = ()
    if isinstance(known, MeasuredGroups | Comparison):
        names = (known.statistics if isinstance(known, Comparison) else known).groups
        gone = tuple(sorted(name for name in names if hidden.holds(check.features, name)))
        if check.strata == "each":  # of standardised values each is of all strata
            alone = not any(kind_of(part).of_pairs for part in parts_of(check.definition))
            groups = tuple(_alone(group, with_value=alone) for group in record.groups if group.name not in gone)
    return replace(
        record,
        **_NOTHING,
        method="none",
        comparisons=0,
        groups=groups,
        reason=_never_compared(below)
        if _is_new(record)
        else record.reason
        if record.broken
        else withheld_reason(below),
        also={},
        sweep=None if record.sweep is None else _bare_sweep(record.sweep),
        regression=None if record.regression is None else _bare_regression(record.regression),
        cautions=tuple(caution for caution in record.cautions if caution in looks),
        suppressed=SuppressionRecord(below=below, groups=gone),
    )


def _is_new(record: CheckRecord) -> bool:
    """Say whether a check against the baseline has nothing there yet."""
    return record.regression is not None and record.regression.baseline_date is None


def _never_compared(below: int) -> str:
    return (
        f"the baseline keeps no numbers of groups of fewer than {below} (suppress_below), so that this check can never "
        "be compared; ask by a feature of larger groups, or leave the check out"
    )


def _alone(group: GroupRecord, *, with_value: bool) -> GroupRecord:
    """Return what is known of a group by its own samples alone: variances in clusters may be of several groups."""
    apart = with_value and group.clusters is None and group.effective_n is None
    return replace(
        group,
        rate=group.rate if with_value else None,
        low=group.low if apart else None,
        high=group.high if apart else None,
        standard_error=None,
        effective_n=None,
        also={},
        problem=None,
    )


def _bare_sweep(sweep: SweepRecord) -> SweepRecord:
    """Return what was asked of a sweep."""
    asked = {name: getattr(sweep, name) for name in ("gap", "mix", "mixes", "as_is", "repeats")}
    return SweepRecord(**asked, first_mix=None, second_mix=None, feature_set=None, undefined=0, test_train_ratio=0.0)


def _bare_regression(regression: RegressionRecord) -> RegressionRecord:
    """Return what was asked of a comparison with the baseline."""
    names = ("before", "after", "old_first", "old_second", "levelling_down", "held_limit", "suggested_limit")
    nothing: dict[str, Any] = dict.fromkeys(names)
    return replace(regression, **nothing, pairing="withheld")


_FEW = re.compile(
    r"(?<![\w,.])\d[\d,]*(?= (?:of [\d,]+ )?(?:different )?(?:samples?|values?|rows?|clusters?|positives|negatives)\b)"
)
_ROWS = re.compile(
    r"\brows? (\d+)(?: \((?!by position).*?\))?(?:, \d+(?: \((?!by position).*?\))?)*(?:, \.\.\.)?"
    r"(?: \(by position, from 0\))?"
)


def _masked(error: Exception, below: int) -> Exception:
    """Return an error of this package whose message counts no few samples."""
    if not isinstance(error, FairnessError):
        return error

    def few(found: re.Match[str]) -> str:
        return f"fewer than {below}" if 0 < int(found.group().replace(",", "")) < below else found.group()

    told = without_label(str(error))
    text = _FEW.sub(few, told)
    if text != told:
        text = _ROWS.sub(r"such as row \1", text)  # a list of all of them counts them
    if text == str(error):
        return error
    masked = type(error)(text)
    for note in getattr(error, "__notes__", ()):  # such as the mix that was trained with
        masked.add_note(_FEW.sub(few, note))
    return masked
