"""GroupStatistics + limit -> CheckRecord, decided by `fairness_checks.records.decision.decide`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from functools import partial, wraps
from typing import Any, ParamSpec, TypeAlias

from fairness_checks.errors import attempted
from fairness_checks.findings.finding import Finding, power_analysis
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
    check, inferred = finding.check, _inferred(finding, adjusted)
    verdict = decide(
        inferred["p_adjusted"],
        inferred["p_compliance"],
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
        confidence=1.0 - 2.0 * settings.alpha,
        correction=settings.correction,
        family_size=family,
        alpha=settings.alpha,
        burden_of_proof=settings.burden_of_proof,
        min_group_size=settings.min_group_size,
        unit=finding.unit or finding.metric.unit,
        groups=finding.groups,
        reason=finding.reason,
        power=power.POWER,
        control_features=check.control_features,
        strata=check.strata,
        component=finding.metric.name if check.definition.components else None,
        sweep=finding.sweep,
        regression=finding.regression,
        waiver=_accepted(waiver) if verdict == "waived" and waiver is not None else None,
        about=dict(said.about),
        inputs=said.inputs,
        notes=said.held_out if check.gap is None else said.swept,
        cautions=(*finding.cautions, *(said.looks if check.gap is None else ())),
        absent=check.absent,
        broken=finding.broken,
        lower_is_better=None if check.custom is None else check.custom.lower_is_better,
        **inferred,
        **(power_analysis(finding, family, settings) if verdict == "inconclusive" else {}),
    )


def _inferred(finding: Finding, adjusted: float) -> dict[str, Any]:
    """Return the fields of a record that its inference says: none has a value where the check is undefined."""
    found = finding.inference
    if found is None:
        fields = ("estimate", "low", "high", "p_violation", "p_adjusted", "p_compliance", "first", "second")
        return {**dict.fromkeys(fields), "method": "none", "comparisons": 0}
    return {
        "estimate": found.estimate,
        "low": found.low,
        "high": found.high,
        "p_violation": found.p_violation,
        "p_adjusted": adjusted,
        "p_compliance": found.p_compliance,
        "method": found.method,
        "comparisons": found.comparisons,
        "first": finding.groups[found.first].name,
        "second": finding.groups[found.second].name if found.second >= 0 else None,
        "also": dict(found.also),
    }


def _accepted(waiver: Waiver) -> WaiverRecord:
    return WaiverRecord(reason=waiver.reason, approved_by=waiver.approved_by, expires=waiver.expires.isoformat())


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
    own = [check.metric for check in checks if check.custom is not None]
    waivers = [waiver.resolved(own) for waiver in waivers]
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
