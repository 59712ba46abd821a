"""GroupStatistics + limit -> CheckRecord, decided by `fairness_checks.records.decision.decide`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from functools import partial
from typing import Any, NamedTuple, TypeAlias

from fairness_checks.errors import attempted
from fairness_checks.findings.chance import chance_notes
from fairness_checks.findings.finding import Finding, find, settling
from fairness_checks.inputs.predictions import Predictions
from fairness_checks.judge.evaluation import Evaluation
from fairness_checks.kinds.group_statistics import GroupStatistics, measure_each
from fairness_checks.question.checks import Check, Settings
from fairness_checks.question.waivers import Waiver, find_waiver
from fairness_checks.records.check_record import CheckRecord, InputRecord, WaiverRecord
from fairness_checks.records.decision import decide
from fairness_checks.stats import power
from fairness_checks.stats.multiplicity import adjust

__all__ = ["Answer", "audit_model", "judge_model"]

Answer: TypeAlias = CheckRecord | Exception
"""The record of a check, or why it could not be made."""

_LOOKS = (
    "one look of several: where data grow and the truth lies at a limit, a gate at alpha 0.05 is red at least once in "
    "0.17 of 10 looks and 0.27 of 50, and wrongly green in 0.28 of 50"
)
"""Caution of a model that has a baseline: it is judged again and again. Simulated, see docs/statistics.md."""


def _record(
    model: str,
    finding: Finding,
    adjusted: float,
    family: int,
    settings: Settings,
    waiver: Waiver | None,
    said: _Said,
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


class _Said(NamedTuple):
    """What the records of a model say whatever was asked: of all of them, of held-out samples, of the sweep."""

    about: Mapping[str, str]
    inputs: InputRecord | None
    held_out: tuple[str, ...]
    swept: tuple[str, ...]
    looks: tuple[str, ...]

    @classmethod
    def of(cls, asked: Evaluation, checks: Sequence[Check], settings: Settings) -> _Said:
        """Look at what there is of a model, as far as there are checks on it."""
        inputs: dict[str, Any] = {}
        held_out: tuple[str, ...] = ()
        swept: tuple[str, ...] = ()
        if (found := asked.predictions) is not None:
            inputs |= {"positive": found.positive, "decisions": found.decided_by, "threshold": found.threshold}
            inputs |= {"scaling": found.scaling}
            if any(check.gap is None for check in checks):
                held_out = chance_notes(found, settings, folds=None if asked.model is None else asked.model.folds)
        elif (results := asked.sweep) is not None:
            inputs |= {"positive": results.fact("positive"), "decisions": results.fact("decided_by")}
            inputs |= {"threshold": results.fact("threshold"), "scaling": results.fact("scaling")}
        if asked.model is not None:
            from fairness_checks.sweep.splits import repeated_rows

            data = asked.model.data
            inputs |= {"repeated_rows": repeated_rows(data), "identical_rows": data.identical_rows}
        if asked.sweep is not None and any(check.gap is not None for check in checks):
            from fairness_checks.findings.sweep_chance import sweep_chance_notes

            swept = sweep_chance_notes(asked.sweep, settings.alpha)
        looks = () if asked.accepted is None or asked.accepted.model is None else (_LOOKS,)
        return cls(asked.about, InputRecord(**inputs) if inputs else None, held_out, swept, looks)


def judge_model(
    model: str,
    evaluation: Predictions | Evaluation,
    checks: Sequence[Check],
    settings: Settings,
    waivers: Sequence[Waiver] = (),
    today: date | None = None,
) -> list[Answer]:
    """Decide all checks of one model, adjusted over them; one that cannot be made leaves the others as they are.

    Parameters
    ----------
    model : str
        The model's name.
    evaluation : Predictions or Evaluation
        Its predictions; with the results of its sweep where checks are on one.
    checks : sequence of Check
        The whole family: leaving one out changes the adjustment of the others.
    settings : Settings
        Level, correction, burden of proof and the handling of small groups and missing values.
    waivers : sequence of Waiver
        Accepted violations; only unexpired ones count.
    today : date, optional
        The day on which waivers are looked at.

    Returns
    -------
    list of (CheckRecord or Exception)
        In the order of `checks`. An exception is why a check could not be made: a `FairnessError` such as a feature
        that does not exist, missing values that are not declared a group, a score that was not given, one group where
        two are compared; or what a training of a sweep raised.
    """
    asked = evaluation if isinstance(evaluation, Evaluation) else Evaluation(evaluation, about=evaluation.about)
    findings = _findings(asked, checks, settings)
    # A check that is undefined, or could not be made, is not shown to be violated, but it stays in the family: its
    # size is the number configured.
    raw = [f.inference.p_violation if isinstance(f, Finding) and f.inference else 1.0 for f in findings]
    day = date.today() if today is None else today
    said = _Said.of(asked, checks, settings)
    answers: list[Answer] = []
    for check, finding, adjusted in zip(checks, findings, adjust(raw, settings.correction), strict=True):
        if isinstance(finding, Finding):
            waiver = find_waiver(waivers, model, check.question, day)
            answers.append(attempted(partial(_record, model, finding, adjusted, len(checks), settings, waiver, said)))
        else:
            answers.append(finding)
    return answers


def audit_model(
    model: str,
    evaluation: Predictions | Evaluation,
    checks: Sequence[Check],
    settings: Settings,
    waivers: Sequence[Waiver] = (),
    today: date | None = None,
) -> list[CheckRecord]:
    """Decide all checks of one model as `judge_model` does, where all must be possible.

    Raises
    ------
    FairnessError
        The first reason why a check could not be made.
    """
    records = []
    for answer in judge_model(model, evaluation, checks, settings, waivers, today):
        if isinstance(answer, Exception):
            raise answer
        records.append(answer)
    return records


def _findings(asked: Evaluation, checks: Sequence[Check], settings: Settings) -> list[Finding | Exception]:
    """Find the answer to each check by itself, all of the same features with one pass over the rows."""
    measured: dict[tuple[str, ...], dict[str, GroupStatistics | Exception]] = {}
    if asked.predictions is not None:
        held_out = [check for check in checks if check.gap is None and check.of is None]
        for features in dict.fromkeys(_features(check) for check in held_out):
            metrics = [check.definition for check in held_out if _features(check) == features]
            measured[features] = measure_each(asked.predictions, features, settings.missing, metrics)
    return [_finding(asked, check, settings, measured) for check in checks]


def _finding(
    asked: Evaluation,
    check: Check,
    settings: Settings,
    measured: Mapping[tuple[str, ...], Mapping[str, GroupStatistics | Exception]],
) -> Finding | Exception:
    if (lacking := asked.lacking(check)) is not None:
        return lacking
    if check.gap is not None:
        return attempted(lambda: _find_in_sweep(asked, check, settings))
    if check.of is not None:
        return attempted(lambda: _find_worsening(asked, check, settings))
    statistics = measured[_features(check)][check.metric]
    return statistics if isinstance(statistics, Exception) else attempted(lambda: find(statistics, check, settings))


def _features(check: Check) -> tuple[str, ...]:
    return (*check.control_features, *check.by)


def _find_in_sweep(asked: Evaluation, check: Check, settings: Settings) -> Finding:
    from fairness_checks.findings.sweep import find_in_sweep

    assert asked.sweep is not None  # for the type checker, as below: the caller has looked
    assert asked.plan is not None
    return find_in_sweep(asked.sweep, asked.plan, check, settings)


def _find_worsening(asked: Evaluation, check: Check, settings: Settings) -> Finding:
    from fairness_checks.findings.regression import find_worsening

    assert asked.accepted is not None  # for the type checker, as above
    assert asked.predictions is not None
    return find_worsening(asked.accepted, asked.predictions, check, settings)
