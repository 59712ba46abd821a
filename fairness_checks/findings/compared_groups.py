"""Which groups a check compares: without those that cannot exist, and two at least where two are compared."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from fairness_checks.errors import ConfigurationError, InvalidPredictions, did_you_mean
from fairness_checks.inputs.sensitive import how_to_cut
from fairness_checks.measure.measured_groups import MeasuredGroups
from fairness_checks.plain import printable
from fairness_checks.question.checks import Check
from fairness_checks.question.limits import PAIRWISE

__all__ = ["cells_text", "compared", "empty_cells"]

_MOST_CELLS = 20  # that a message lists to be pasted
_FEW_VALUES = 10  # of a feature, which may be groups however small the pilot
_PLAIN = re.compile(r"[A-Za-z_]\w*(?: \w+)*", re.ASCII)


def compared(statistics: MeasuredGroups, check: Check) -> MeasuredGroups:
    """Return the statistics of the groups that a check compares, all but its `absent` cells."""
    # InvalidPredictions where no number of samples could give two groups: a feature has one group, each stratum has
    # samples of one, each group is one cluster, or a feature has nearly as many values as there are samples.
    some = _without_absent(statistics, check)
    _refuse_continuous(some)
    if some.one_cluster_each:
        raise InvalidPredictions(
            f"cluster: all samples of each group of {printable(', '.join(some.by))} are of one cluster, and more "
            "samples of the same clusters settle nothing. Is `cluster` a constant, or the feature itself? Give what "
            "some samples of a group share and others do not, such as the patient, or leave it out"
        )
    if check.limit_kind in PAIRWISE or check.of == "disparity":
        _require_two_groups(some, check)
        _require_two_in_a_stratum(some, check)
    if check.strata == "combined" and check.absent:
        _require_whole_stratum(some, check)
    return some


def empty_cells(statistics: MeasuredGroups) -> str | None:
    """Say what to do about groups without a sample; None where all have some."""
    there = [group for group, n in zip(statistics.groups, statistics.samples.tolist(), strict=True) if n]
    met = [{group[i] for group in there} for i in range(len(statistics.by))]
    unused: dict[str, None] = {}
    cells = []
    for group in sorted(set(statistics.groups) - set(there)):
        nowhere = [
            (name, value) for name, value, some in zip(statistics.by, group, met, strict=True) if value not in some
        ]
        unused |= dict.fromkeys(f"{name} {value!r}" for name, value in nowhere)
        cells += [] if nowhere else [group]
    parts = []
    if unused:
        listed = [*list(unused)[:_MOST_CELLS], *(["..."] if len(unused) > _MOST_CELLS else [])]
        parts.append(
            f"no sample has {', '.join(listed)}: if none ever will, drop the category "
            "(`.cat.remove_unused_categories()` in pandas)"
        )
    if cells:
        parts.append(f"if there can be no such samples, write `absent: {cells_text(cells)}` in the check")
    return "; ".join(parts) or None


def cells_text(cells: Sequence[tuple[str, ...]]) -> str:
    """Write cells as thresholds.yaml takes them."""
    shown = [f"[{', '.join(_yaml(value) for value in cell)}]" for cell in cells[:_MOST_CELLS]]
    more = f", ... and {len(cells) - _MOST_CELLS} more" if len(cells) > _MOST_CELLS else ""
    return f"[{', '.join(shown)}{more}]"


def _yaml(value: str) -> str:
    if _PLAIN.fullmatch(value):
        return value
    return '"' + printable(value.replace("\\", "\\\\").replace('"', '\\"')) + '"'


def _without_absent(statistics: MeasuredGroups, check: Check) -> MeasuredGroups:
    if not check.absent:
        return statistics
    place = {group: i for i, group in enumerate(statistics.groups)}
    for cell in check.absent:
        for i, (feature, value) in enumerate(zip(statistics.by, cell, strict=True)):
            if value not in (there := {group[i] for group in statistics.groups}):
                raise ConfigurationError(
                    f"absent: {cells_text([cell])}: {value!r} is no group of {feature!r}; {did_you_mean(value, there)}"
                )
        if samples := int(statistics.samples[place[cell]]):
            raise InvalidPredictions(
                f"absent: {cells_text([cell])} is said to be impossible, and has {samples:,} "
                f"{'sample' if samples == 1 else 'samples'}; mend the data, or remove it from `absent`"
            )
    gone = set(check.absent)
    return statistics.take([i for group, i in place.items() if group not in gone])


def _refuse_continuous(statistics: MeasuredGroups) -> None:
    """Refuse a feature, such as an age in days, whose groups never grow: more samples bring more of them."""
    total = int(statistics.samples.sum())
    for i, feature in enumerate(statistics.by):
        met = {group[i] for group, n in zip(statistics.groups, statistics.samples.tolist(), strict=True) if n}
        if len(met) > max(_FEW_VALUES, total / 2):
            raise InvalidPredictions(
                f"sensitive_features[{feature!r}]: {len(met)} different values among {total:,} samples; more samples "
                f"would bring more groups, none of them large enough; {how_to_cut(feature, met)}"
            )


def _require_two_groups(statistics: MeasuredGroups, check: Check) -> None:
    for i, feature in enumerate(check.by, start=len(check.control_features)):
        names = {group[i] for group in statistics.groups}
        if len(names) > 1:
            continue
        remedy = "remove the check"
        if len(check.by) > 1:
            remedy = f"leave {feature} out of `by`"
        elif check.of is None and "max_value" in check.definition.limits:
            remedy = "limit the group's own value (max_value, min_value)"
        samples = int(statistics.samples.sum())
        raise InvalidPredictions(
            f"sensitive_features[{feature!r}]: one group only, {names.pop()!r}, which all {samples:,} samples belong "
            "to; it has nobody to be compared with, and more samples of its kind settle nothing. Were the others lost "
            f"in a join or a filter? If there are none, {remedy}"
        )


def _require_two_in_a_stratum(statistics: MeasuredGroups, check: Check) -> None:
    """Refuse strata that decide the group; a group that is nowhere, as yet, is no reason."""
    skipped = len(check.control_features)
    there = [group for group, n in zip(statistics.groups, statistics.samples.tolist(), strict=True) if n]
    strata = Counter(group[:skipped] for group in there)
    if skipped and len({group[skipped:] for group in there}) > 1 and max(strata.values()) == 1:
        strata_of, groups_of = (printable(", ".join(names)) for names in (check.control_features, check.by))
        raise InvalidPredictions(
            f"control_features: each stratum of {strata_of} has samples of one group of {groups_of} only "
            f"({_stratum(there[0], skipped)}, ...), so that no two can be compared within one; were the others lost in "
            "a join, or does the stratum decide the group? Use control features that groups share, or coarser ones"
        )


def _require_whole_stratum(statistics: MeasuredGroups, check: Check) -> None:
    skipped = len(check.control_features)
    groups = {group[skipped:] for group in statistics.groups}
    cells = Counter(group[:skipped] for group in statistics.groups)
    if max(cells.values()) < len(groups):
        raise ConfigurationError(
            f"absent: every stratum of {', '.join(check.control_features)} lacks some group of {', '.join(check.by)}, "
            "so that none can be standardised over; use `strata: each`"
        )


def _stratum(group: tuple[str, ...], skipped: int) -> str:
    return printable(f"{', '.join(group[:skipped])}: {', '.join(group[skipped:])}")
