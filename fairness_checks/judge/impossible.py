"""Statistics in the evidence of a run that no samples have, or that contradict each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date

import numpy as np

from fairness_checks.findings.comparison import Comparison
from fairness_checks.findings.statistics import Statistics, Swept
from fairness_checks.inputs.sensitive import MISSING
from fairness_checks.judge.differing import Difference, same, shown
from fairness_checks.judge.suppression import shows_small_cells
from fairness_checks.measure.measured_groups import MeasuredGroups
from fairness_checks.question.metrics import CELLS, METRICS
from fairness_checks.report.evidence import DataEvidence, ModelEvidence
from fairness_checks.stats.risk_coverage import UncertaintyWarning, part_sizes

__all__ = ["impossible_statistics"]


def impossible_statistics(
    where: str, model: ModelEvidence, statistics: Mapping[str, Statistics], day: date, below: int | None
) -> Iterator[Difference]:
    """Yield statistics that cannot be, or that contradict each other: all are of the same samples."""
    of_feature: dict[tuple[str, ...], tuple[str, MeasuredGroups]] = {}
    for key, known in statistics.items():
        place = f"{where}: statistics {key}"
        if below is not None and shows_small_cells(known, below):
            yield Difference(place, "counts that are small", f"none below {below}, as small cells are suppressed")
        if isinstance(known, Comparison) and known.entry is not None and known.entry.date > day.isoformat():
            yield Difference(f"{place}: date", known.entry.date, f"{day} or earlier: dates run backwards")
        if isinstance(known, Swept):
            yield from _of_trainings(place, known)
        groups = known.statistics if isinstance(known, Comparison) else known
        if not isinstance(groups, MeasuredGroups):
            continue
        if model.data is not None:
            yield from _of_data(f"{where}: data", model.data, groups, suppresses=below is not None)
        other_key, other = of_feature.setdefault(groups.by, (key, groups))
        if isinstance(known, Comparison):
            continue
        counted = [(each.groups, each.samples.tolist(), each.counts.tolist()) for each in (groups, other)]
        if counted[0] != counted[1] and not isinstance(statistics[other_key], Comparison):
            yield Difference(f"{place}: counts by {', '.join(groups.by)}", str(counted[0]), str(counted[1]))
        yield from _of_counts(place, groups)


def _of_data(where: str, data: DataEvidence, groups: MeasuredGroups, *, suppresses: bool) -> Iterator[Difference]:
    """Yield numbers of samples, and of those without a value, that are not those of the groups."""
    if data.samples != (total := int(groups.samples.sum())) and not (suppresses and data.samples is None):
        yield Difference(f"{where}: samples", f"{data.samples}", f"{total:,} by {', '.join(groups.by)}")
    for i, feature in enumerate(groups.by):
        there = sum(n for name, n in zip(groups.groups, groups.samples.tolist(), strict=True) if name[i] == MISSING)
        if (said := data.missing.get(feature)) != there and not (suppresses and said is None):
            yield Difference(f"{where}: missing: {feature}", str(said), str(there))


def _of_trainings(place: str, swept: Swept) -> Iterator[Difference]:
    """Yield what of a group in a training of a sweep is not what its confusion counts say."""
    for training in swept.results.results:
        for name, group in training.groups.items():
            if group.counts is None:
                continue
            where = f"{place}: {training.mix}, {training.feature_set}, repeat {training.repeat}: {name}"
            if sum(group.counts) != group.test:
                yield Difference(f"{where}: test", f"{group.test}", f"{sum(group.counts)}, as its counts say")
            counts = dict(zip(CELLS, group.counts, strict=True))
            for rate, found in group.values.items():
                metric = METRICS.get(rate)
                if metric is None or not metric.numerator:
                    continue
                events, n = (sum(counts[cell] for cell in cells) for cells in (metric.numerator, metric.denominator))
                if not same(found, events / n if n else None, least=0.0):
                    yield Difference(f"{where}: {rate}", shown(found), f"{events} of {n}")


def _of_counts(place: str, groups: MeasuredGroups) -> Iterator[Difference]:
    for name, found in groups.measured.items():
        samples = getattr(found, "samples", None)
        if samples is not None and (samples > groups.samples).any():
            yield Difference(f"{place}: {name}", f"{samples.tolist()} samples", f"at most {groups.samples.tolist()}")
        if isinstance(within := getattr(found.statistics, "within", None), UncertaintyWarning):
            yield from _of_parts(f"{place}: {name}", groups, within)
        events = getattr(found.statistics, "events", None)
        counted = getattr(found.statistics, "samples", None)
        if events is not None and counted is not None and ((events < 0) | (events > counted)).any():
            yield Difference(f"{place}: {name}", f"{events.tolist()} events", f"at most {counted.tolist()}")


def _of_parts(place: str, groups: MeasuredGroups, within: UncertaintyWarning) -> Iterator[Difference]:
    """Yield groups whose mean error is not that of their parts, which hold all samples by rising uncertainty."""
    for g, samples in enumerate(groups.samples.tolist()):
        if np.isnan(within.error_of_part[g]).any():
            continue
        name, sizes = ", ".join(groups.groups[g]), part_sizes(samples)
        whole, mean = float(within.error_of_part[g] @ sizes) / samples, float(within.mean_error[g])
        if not same(mean, whole, least=0.0):
            yield Difference(f"{place}: mean error of {name}", shown(mean), f"{shown(whole)}, as its parts say")
        uncertainties, units = within.uncertainty_of_part[g], within.units_of_part[g]
        if (np.diff(uncertainties) < -1e-9 * np.abs(uncertainties).max()).any():
            yield Difference(f"{place}: parts of {name}", str(uncertainties.tolist()), "uncertainties that rise")
        if (units > sizes).any():
            yield Difference(f"{place}: parts of {name}", str(units.tolist()), f"at most {sizes.tolist()}")
