"""A model's evaluation -> the answers to its checks, and what of them may be shown: for the gate and for files."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from fairness_checks.config.loading import GateConfig
from fairness_checks.inputs.predictions import Predictions
from fairness_checks.judge.evaluation import Evaluation
from fairness_checks.judge.measurements import Measurements, measure
from fairness_checks.judge.shown import Shown
from fairness_checks.judge.verdict import Answer, judge_measured
from fairness_checks.question.checks import Check, Settings

__all__ = ["judge_measurements", "judge_shown", "shown"]


def judge_shown(
    model: str, evaluation: Evaluation, checks: Sequence[Check], limits: GateConfig, settings: Settings, today: date
) -> tuple[list[Answer], Shown]:
    """Decide all checks of a model that a file of limits has, adjusted together; return what is of all data, too."""
    measured = measure(evaluation, checks, settings)
    return judge_measurements(model, measured, checks, limits, settings, today, evaluation.predictions)


def judge_measurements(
    model: str,
    measured: Measurements,
    checks: Sequence[Check],
    limits: GateConfig,
    settings: Settings,
    today: date,
    predictions: Predictions | None = None,
) -> tuple[list[Answer], Shown]:
    """Decide all checks of a model whose rows were read; see `judge_shown`."""
    answers = judge_measured(model, measured, checks, settings, limits.waivers, today)
    return answers, shown(measured, checks, answers, settings, limits.suppress_below, predictions)


def shown(
    measured: Measurements,
    checks: Sequence[Check],
    answers: Sequence[Answer],
    settings: Settings,
    below: int | None,
    predictions: Predictions | None = None,
) -> Shown:
    """Return what may be shown of a model's checks: all, or what `suppressed` leaves where groups are small."""
    if below is None:
        return Shown(measured, answers)
    from fairness_checks.judge.suppression import suppressed

    return suppressed(measured, checks, answers, settings, below, predictions)
