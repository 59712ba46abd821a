"""GroupStatistics + limit -> CheckRecord. One function decides a verdict; pytest and the Python API call that one."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from fairness_checks.checks import Check, Settings
from fairness_checks.kinds import KINDS
from fairness_checks.kinds.settling import Settling
from fairness_checks.metrics import METRICS
from fairness_checks.predictions import Predictions
from fairness_checks.records import CheckRecord, GroupRecord, Verdict, WaiverRecord
from fairness_checks.statistics import GroupStatistics
from fairness_checks.stats import power
from fairness_checks.stats.inference import Inference
from fairness_checks.stats.multiplicity import adjust
from fairness_checks.waivers import Waiver, find_waiver

__all__ = ["audit_model", "decide"]

_PAIRWISE = ("max_difference", "min_ratio")


def decide(p_adjusted: float | None, p_compliance: float | None, alpha: float, *, complete: bool = True) -> Verdict:
    """Decide a verdict before waivers.

    Parameters
    ----------
    p_adjusted : float or None
        p-value of "the limit is kept", adjusted over the model's checks; None where undefined.
    p_compliance : float or None
        p-value of "the limit is exceeded or met"; None where undefined.
    alpha : float
        Significance level.
    complete : bool
        False where some group could not be judged: the others can prove a violation, but never compliance.

    Examples
    --------
    >>> decide(0.001, 0.999, 0.05), decide(0.9, 0.01, 0.05), decide(0.3, 0.4, 0.05), decide(None, None, 0.05)
    ('fail', 'pass', 'inconclusive', 'inconclusive')
    """
    if p_adjusted is not None and p_adjusted < alpha:
        return "fail"
    if complete and p_compliance is not None and p_compliance < alpha:
        return "pass"
    return "inconclusive"


@dataclass(frozen=True, slots=True)
class _Finding:
    """A check's groups and inference, before the adjustment over the model's checks."""

    check: Check
    groups: tuple[GroupRecord, ...]
    inference: Inference | None
    reason: str | None


def _find(statistics: GroupStatistics, check: Check, settings: Settings, rng: np.random.Generator) -> _Finding:
    kind = KINDS[METRICS[check.metric].kind]
    groups = kind.groups(statistics, METRICS[check.metric], settings)
    judged = [i for i, group in enumerate(groups) if group.problem is None]
    problems = [f"group {group.label}: {group.problem}" for group in groups if group.problem is not None]
    if check.limit_kind in _PAIRWISE and len(groups) == 1:
        return _Finding(check, groups, None, f"only one group ({groups[0].label}); a disparity needs two")
    if len(judged) < (2 if check.limit_kind in _PAIRWISE else 1):
        return _Finding(check, groups, None, _some(problems))
    inference = kind.judge(statistics, judged, check, settings.alpha, rng)
    inference = dataclasses.replace(
        inference,
        first=judged[inference.first],
        second=judged[inference.second] if inference.second >= 0 else -1,
    )
    return _Finding(check, groups, inference, _some(problems) if problems else None)


def _some(problems: list[str]) -> str:
    rest = len(problems) - 3
    return "; ".join(problems[:3]) + (f"; and {rest} more" if rest > 0 else "")


def _settling(finding: _Finding, family: int, settings: Settings) -> Settling:
    inference = finding.inference
    settled = finding.reason is not None and inference is not None and inference.p_compliance < settings.alpha
    if inference is None or settled:  # it waits for the groups that could not be judged
        return {}
    # Planned for the strictest step of the adjustment: a promise that holds whatever the other checks show.
    level = inference.level / (1 if settings.correction == "none" else family)
    first, *second = (finding.groups[i] for i in (inference.first, inference.second) if i >= 0)
    kind = KINDS[METRICS[finding.check.metric].kind]
    return kind.settle(first, second[0] if second else None, finding.check, level, settings.alpha)


def _record(
    model: str, finding: _Finding, adjusted: float, family: int, settings: Settings, waiver: Waiver | None
) -> CheckRecord:
    check, inference = finding.check, finding.inference
    p_adjusted = adjusted if inference else None
    verdict = decide(
        p_adjusted,
        inference.p_compliance if inference else None,
        settings.alpha,
        complete=finding.reason is None,
    )
    waived = verdict == "fail" and waiver is not None
    return CheckRecord(
        model=model,
        check=check.key[0],
        metric=check.metric,
        by=check.by,
        limit_kind=check.limit_kind,
        limit=float(check.limit),
        verdict="waived" if waived else verdict,
        estimate=inference.estimate if inference else None,
        low=inference.low if inference else None,
        high=inference.high if inference else None,
        confidence=1.0 - 2.0 * settings.alpha,
        p_violation=inference.p_violation if inference else None,
        p_adjusted=p_adjusted,
        p_compliance=inference.p_compliance if inference else None,
        correction=settings.correction,
        family_size=family,
        alpha=settings.alpha,
        burden_of_proof=settings.burden_of_proof,
        min_group_size=settings.min_group_size,
        method=inference.method if inference else "none",
        comparisons=inference.comparisons if inference else 0,
        unit=METRICS[check.metric].unit,
        groups=finding.groups,
        first=finding.groups[inference.first].name if inference else None,
        second=finding.groups[inference.second].name if inference and inference.second >= 0 else None,
        reason=finding.reason,
        power=power.POWER,
        waiver=WaiverRecord(reason=waiver.reason, approved_by=waiver.approved_by, expires=waiver.expires.isoformat())
        if waived and waiver is not None
        else None,
        **(_settling(finding, family, settings) if verdict == "inconclusive" else {}),
    )


def _generator(seed: int, model: str, check: Check) -> np.random.Generator:
    key = hashlib.sha256(repr((model, *check.key)).encode()).digest()
    return np.random.default_rng([seed, int.from_bytes(key[:8], "big")])


def audit_model(
    model: str,
    predictions: Predictions,
    checks: Sequence[Check],
    settings: Settings,
    waivers: Sequence[Waiver] = (),
    today: date | None = None,
    seed: int = 0,
) -> list[CheckRecord]:
    """Decide all checks of one model, adjusted over them.

    Parameters
    ----------
    model : str
        The model's name.
    predictions : Predictions
        Its predictions.
    checks : sequence of Check
        The whole family: leaving one out changes the adjustment of the others.
    settings : Settings
        Level, correction, burden of proof and the handling of small groups and missing values.
    waivers : sequence of Waiver
        Accepted violations; only unexpired ones count.
    today : date, optional
        The day on which waivers are looked at.
    seed : int
        Seed of the run, 0 or more. Each check draws from its own generator, seeded by this and by its key, so that
        neither other checks nor the number of workers change what it draws.

    Returns
    -------
    list of CheckRecord
        In the order of `checks`.

    Raises
    ------
    ConfigurationError, InvalidPredictions
        If a feature does not exist or holds missing values that are not declared a group.
    """
    statistics: dict[tuple[str, ...], GroupStatistics] = {}
    for by in dict.fromkeys(check.by for check in checks):
        metrics = [METRICS[name] for name in dict.fromkeys(check.metric for check in checks if check.by == by)]
        statistics[by] = GroupStatistics.from_predictions(predictions, by, settings.missing_sensitive, metrics)
    findings = [_find(statistics[check.by], check, settings, _generator(seed, model, check)) for check in checks]
    # An undefined check cannot be violated, but it stays in the family: its size is the number configured.
    raw = [finding.inference.p_violation if finding.inference else 1.0 for finding in findings]
    day = date.today() if today is None else today
    return [
        _record(
            model,
            finding,
            adjusted,
            len(checks),
            settings,
            find_waiver(waivers, model, finding.check.key, day),
        )
        for finding, adjusted in zip(findings, adjust(raw, settings.correction), strict=True)
    ]
