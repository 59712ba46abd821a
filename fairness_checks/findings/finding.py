"""GroupStatistics + check -> Finding: groups and inference, before the adjustment over the model's checks."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
from scipy import special

from fairness_checks.errors import ConfigurationError
from fairness_checks.findings.compared_groups import compared, empty_cells
from fairness_checks.kinds import kind_of
from fairness_checks.kinds.kind import Blocks
from fairness_checks.kinds.power_analysis import PowerAnalysis, power_of_estimates, power_of_sweep, power_of_worsening
from fairness_checks.measure.measured_groups import MeasuredGroups
from fairness_checks.question.checks import Check, Settings
from fairness_checks.question.limits import LIMITS, PAIRWISE
from fairness_checks.question.metrics import Metric
from fairness_checks.records.parts import GroupRecord, RegressionRecord
from fairness_checks.records.sweep_record import SweepRecord
from fairness_checks.stats.inference import Inference, deciding
from fairness_checks.stats.proportions import score_statistic

__all__ = ["Finding", "find", "power_analysis", "summary", "with_remedy"]

_PREDICTIVE_VALUES = ("precision", "negative_predictive_value")


@dataclass(frozen=True, slots=True)
class Finding:
    """A check's groups and inference."""

    check: Check
    metric: Metric  # the check's own, or the component that decides
    groups: tuple[GroupRecord, ...]  # every group, sorted by name
    inference: Inference | None  # positions in `groups`; None where the check is undefined
    reason: str | None  # why the check is undefined, or which groups could not be judged
    unit: str | None = None  # what the groups' n counts, if not the metric's own unit
    sweep: SweepRecord | None = None
    regression: RegressionRecord | None = None
    broken: bool = False  # the check fails because it could not be made
    cautions: tuple[str, ...] = ()  # what the answer depends on besides the model


def find(statistics: MeasuredGroups, check: Check, settings: Settings) -> Finding:
    """Judge one check by statistics of its control features and sensitive features, with its metric measured."""
    some = compared(statistics, check)
    if check.definition.components:
        found = _find_largest(some, check, settings)
    elif check.strata == "combined":
        found = _find_combined(some, check, settings)
    else:
        found = _find_each(some, check, settings)
    return with_remedy(dataclasses.replace(found, cautions=prevalence_cautions(found, some, settings.alpha)), some)


def prevalence_cautions(finding: Finding, statistics: MeasuredGroups, alpha: float) -> tuple[str, ...]:
    """Say that predictive values are compared of two groups whose prevalences differ, proved at alpha; else nothing."""
    found = finding.inference
    if finding.metric.name not in _PREDICTIVE_VALUES or found is None or found.second < 0:
        return ()
    if finding.check.strata == "combined":
        return ()
    pair = (found.first, found.second)
    tn, fp, fn, tp = (statistics.counts[list(pair), i] for i in range(4))
    positives, samples = fn + tp, tn + fp + fn + tp
    z = float(score_statistic(positives[0], samples[0], positives[1], samples[1], 0.0))
    if abs(z) <= special.ndtri(1.0 - alpha / 2.0):
        return ()
    (first, second), (one, other) = (finding.groups[i].label for i in pair), (positives / samples).tolist()
    return (
        f"prevalence is {one:.3f} in {first} and {other:.3f} in {second}: {finding.metric.name} differs by that alone, "
        f"even where true and false positive rates are equal",
    )


def with_remedy(finding: Finding, statistics: MeasuredGroups) -> Finding:
    """Return a finding whose reason, if it has one, says what to do about groups without a sample."""
    remedy = None if finding.reason is None else empty_cells(statistics)
    return finding if remedy is None else dataclasses.replace(finding, reason=f"{finding.reason}; {remedy}")


def _find_each(statistics: MeasuredGroups, check: Check, settings: Settings, level: float | None = None) -> Finding:
    """Judge groups, or pairs of groups of the same stratum; for a violation at `level`, where it is not all of it."""
    metric = check.definition
    kind = kind_of(metric)
    groups = kind.groups(statistics, metric, settings)
    strata = _strata(groups, len(check.control_features))
    judged = [i for i, group in enumerate(groups) if group.problem is None]
    problems = [f"group {group.label}: {group.problem}" for group in groups if group.problem is not None]
    if check.limit_kind in PAIRWISE:
        # A group alone in its stratum has nobody to be compared with.
        there = np.bincount(strata[judged], minlength=len(groups))
        judged = [i for i in judged if there[strata[i]] > 1]
    if not judged:
        return _undefined(check, groups, problems)
    blocks = strata[judged] if check.control_features else None
    found = kind.judge(statistics, judged, check, settings.alpha, blocks=blocks, level=level)
    return _answered(check, groups, found, judged, problems)


def _answered(
    check: Check, groups: tuple[GroupRecord, ...], found: Inference, judged: list[int], problems: list[str]
) -> Finding:
    """Return what was found of the judged groups; nothing where no limit would have been rejected."""
    if not (np.isfinite(found.low) and np.isfinite(found.high)):
        return _undefined(check, groups, ["the samples of the groups compared do not vary", *problems])
    return Finding(check, check.definition, groups, _placed(found, judged), summary(problems))


def _undefined(check: Check, groups: tuple[GroupRecord, ...], problems: list[str]) -> Finding:
    return Finding(check, check.definition, groups, None, summary(problems))


def _strata(groups: tuple[GroupRecord, ...], features: int) -> Blocks:
    """Return the number of each group's stratum, the values of its first `features` features; shape (G,)."""
    names: dict[tuple[str, ...], int] = {}
    return np.array([names.setdefault(group.name[:features], len(names)) for group in groups], dtype=np.int64)


def _placed(found: Inference, judged: list[int]) -> Inference:
    second = judged[found.second] if found.second >= 0 else -1
    return dataclasses.replace(found, first=judged[found.first], second=second)


def summary(problems: list[str]) -> str | None:
    """Join the first few problems and count the rest; None for none."""
    rest = len(problems) - 3
    return "; ".join(problems[:3]) + (f"; and {rest} more" if rest > 0 else "") if problems else None


def _find_largest(statistics: MeasuredGroups, check: Check, settings: Settings) -> Finding:
    """Judge the larger of several disparities: all must comply, any may violate (Bonferroni over the components)."""
    names = check.definition.components
    level = settings.alpha / len(names)
    asked = [dataclasses.replace(check, metric=name, custom=None) for name in names]
    parts = [_find_each(statistics, part, settings, level) for part in asked]
    reasons = dict.fromkeys(f"{part.metric.name}: {part.reason}" for part in parts if part.reason is not None)
    reason = "; ".join(reasons) or None
    known = [(part, part.inference) for part in parts if part.inference]
    if not known:
        return dataclasses.replace(parts[0], check=check, reason=reason)
    ceiling = LIMITS[check.limit_kind].ceiling
    place, joint = _largest([found for _, found in known], len(names), settings.alpha, ceiling=ceiling)
    method = f"{joint.method}; the larger of {' and '.join(part.metric.name for part, _ in known)}, Bonferroni"
    shown = known[place][0]
    return Finding(check, shown.metric, shown.groups, dataclasses.replace(joint, method=method), reason)


def _largest(answers: list[Inference], count: int, alpha: float, *, ceiling: bool) -> tuple[int, Inference]:
    """Return which of the answers that are known to `count` questions decides, and the answer to all of them."""
    p = np.array([found.p_violation for found in answers])
    size = np.array([found.estimate for found in answers]) * (1.0 if ceiling else -1.0)
    p_violation = min(1.0, count * float(p.min()))
    place = deciding(size, p, p * count < alpha, violated=p_violation < alpha)
    # The end towards a violation is at the level of one component, the end towards compliance at the full level.
    furthest = max if ceiling else min
    joint = dataclasses.replace(
        answers[place],
        low=furthest(found.low for found in answers),
        high=furthest(found.high for found in answers),
        p_violation=p_violation,
        p_compliance=max(found.p_compliance for found in answers),
        comparisons=sum(found.comparisons for found in answers),
    )
    return place, joint


def _find_combined(statistics: MeasuredGroups, check: Check, settings: Settings) -> Finding:
    """Judge groups standardised over the strata."""
    from fairness_checks.kinds.standardised import judge_standardised, standardise

    if statistics.clusters_cross_groups:
        by, over = ", ".join(check.by), ", ".join(check.control_features)
        raise ConfigurationError(
            f"{check.metric} by {by} over {over}: strata: combined needs clusters that lie in one stratum and one "
            f"group each; use `strata: each`"
        )
    metric = check.definition
    kind = kind_of(metric)
    cells = kind.groups(statistics, metric, settings)
    estimates, moments = kind.estimates(statistics, metric), kind.moments(statistics, metric)
    standardised = standardise(cells, estimates, len(check.control_features), settings, moments)
    groups = standardised.records(settings.alpha, metric)
    judged = [i for i, group in enumerate(groups) if group.problem is None]
    problems = [f"group {group.label}: {group.problem}" for group in groups if group.problem is not None]
    if len(judged) < (2 if check.limit_kind in PAIRWISE else 1):
        return _undefined(check, groups, problems)
    found = judge_standardised(standardised, judged, check, settings.alpha)
    problems += [standardised.left_out] if standardised.left_out else []
    return _answered(check, groups, found, judged, problems)


def power_analysis(finding: Finding, family: int, settings: Settings) -> PowerAnalysis:
    """Say what would settle a finding; nothing where it waits for groups that could not be judged."""
    # Planned for the strictest step of the adjustment over `family` checks: a promise that holds whatever they show.
    inference = finding.inference
    settled = finding.reason is not None and inference is not None and inference.p_compliance < settings.alpha
    # While a component is undefined more samples of the deciding pair settle nothing.
    waiting = finding.reason is not None and bool(finding.check.definition.components)
    if inference is None or settled or waiting:
        return {}
    level = inference.level / (1 if settings.correction == "none" else family)
    if finding.regression is not None:
        return power_of_worsening(inference, finding.check, level)
    if finding.sweep is not None:
        rows = [finding.groups[i].samples for i in (inference.first, inference.second) if i >= 0]
        return power_of_sweep(inference, finding.check, finding.sweep, rows, level, settings.alpha)
    first, *rest = (finding.groups[i] for i in (inference.first, inference.second) if i >= 0)
    second = rest[0] if rest else None
    if finding.check.strata == "combined":
        return power_of_estimates(first, second, finding.check, level, settings.alpha)
    check = finding.check
    if check.definition.components:
        check = dataclasses.replace(check, metric=finding.metric.name)
    return kind_of(finding.metric).power_analysis(first, second, check, inference, level, settings.alpha)
