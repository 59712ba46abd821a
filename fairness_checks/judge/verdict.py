"""GroupStatistics + limit -> CheckRecord, decided by `fairness_checks.records.decision.decide`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from functools import partial, wraps
from typing import ParamSpec, TypeAlias

from fairness_checks.errors import attempted
from fairness_checks.findings.finding import Finding, settling
from fairness_checks.findings.statistics import find_by
from fairness_checks.inputs.predictions import Predictions
from fairness_checks.judge.evaluation import Evaluation
from fairness_checks.judge.measurements import Measurements, Said, measure
from fairness_checks.question.checks import Check, Settings
from fairness_checks.question.waivers import Waiver, find_waiver
from fairness_checks.records.check_record import CheckRecord
from fairness_checks.records.decision import decide
from fairness_checks.records.parts import WaiverRecord
from fairness_checks.stats import power
from fairness_checks.stats.multiplicity import adjust

__all__ = ["Answer", "audit_model", "judge_measured", "judge_model"]

Answer: TypeAlias = CheckRecord | Exception
"""The record of a check, or why it could not be made."""

P = ParamSpec("P")


def _record(
    model: str,
    finding: Finding,
    adjusted: float,
    family: int,
    settings: Settings,
    waiver: Waiver | None,
    said: Said,
) -> CheckRecord:
    check, inference = finding.check, finding.inference
    p_adjusted = adjusted if inference else None
    verdict = decide(
        p_adjusted,
        inference.p_compliance if inference else None,
        settings.alpha,
        complete=finding.reason is None,
        broken=finding.broken,
        waiver=waiver is not None,
    )
    return CheckRecord(
        model=model,
        check=check.question[0],
        metric=check.metric,
        by=check.by,
        limit_kind=check.limit_kind,
        limit=float(check.limit),
        verdict=verdict,
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
        unit=finding.unit or finding.metric.unit,
        groups=finding.groups,
        first=finding.groups[inference.first].name if inference else None,
        second=finding.groups[inference.second].name if inference and inference.second >= 0 else None,
        reason=finding.reason,
        power=power.POWER,
        control_features=check.control_features,
        strata=check.strata,
        component=finding.metric.name if check.definition.components else None,
        also={} if inference is None else dict(inference.also),
        sweep=finding.sweep,
        regression=finding.regression,
        waiver=WaiverRecord(reason=waiver.reason, approved_by=waiver.approved_by, expires=waiver.expires.isoformat())
        if verdict == "waived" and waiver is not None
        else None,
        about=dict(said.about),
        inputs=said.inputs,
        notes=said.held_out if check.gap is None else said.swept,
        cautions=(*finding.cautions, *(said.looks if check.gap is None else ())),
        absent=check.absent,
        broken=finding.broken,
        **(settling(finding, family, settings) if verdict == "inconclusive" else {}),
    )


def judge_model(
    model: str,
    evaluation: Predictions | Evaluation,
    checks: Sequence[Check],
    settings: Settings,
    waivers: Sequence[Waiver] = (),
    today: date | None = None,
) -> list[Answer]:
    """Decide all checks of one model, adjusted over them; one that cannot be made leaves the others as they are."""
    # The whole family of checks: leaving one out changes the adjustment of the others. An exception in the answer is
    # why a check could not be made: a `FairnessError`, or what a training of a sweep raised.
    asked = evaluation if isinstance(evaluation, Evaluation) else Evaluation(evaluation, about=evaluation.about)
    return judge_measured(model, measure(asked, checks, settings), checks, settings, waivers, today)


def judge_measured(
    model: str,
    measured: Measurements,
    checks: Sequence[Check],
    settings: Settings,
    waivers: Sequence[Waiver] = (),
    today: date | None = None,
) -> list[Answer]:
    """Decide all checks of one model by what is known of it; see `judge_model`."""
    findings = [
        known if isinstance(known, Exception) else attempted(partial(find_by, known, check, settings))
        for known, check in zip(measured.statistics, checks, strict=True)
    ]
    # A check that is undefined, or could not be made, is not shown to be violated, but it stays in the family: its
    # size is the number configured.
    raw = [f.inference.p_violation if isinstance(f, Finding) and f.inference else 1.0 for f in findings]
    day = date.today() if today is None else today
    answers: list[Answer] = []
    for check, finding, adjusted in zip(checks, findings, adjust(raw, settings.correction), strict=True):
        if isinstance(finding, Finding):
            waiver = find_waiver(waivers, model, check.question, day)
            answers.append(
                attempted(partial(_record, model, finding, adjusted, len(checks), settings, waiver, measured.said))
            )
        else:
            answers.append(finding)
    return answers


def _all_made(judge: Callable[P, list[Answer]]) -> Callable[P, list[CheckRecord]]:
    """Return a function of the same arguments that raises the first reason why a check could not be made."""

    @wraps(judge)
    def audit(*args: P.args, **kwargs: P.kwargs) -> list[CheckRecord]:
        records = []
        for answer in judge(*args, **kwargs):
            if isinstance(answer, Exception):
                raise answer
            records.append(answer)
        return records

    return audit


audit_model = _all_made(judge_model)
"""`judge_model` where all checks must be possible: it returns records, and raises what stands in a record's place."""
