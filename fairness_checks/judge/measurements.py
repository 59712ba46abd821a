"""Evaluation -> Measurements: all that the records of a model are made of, small whatever the number of rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from fairness_checks.errors import attempted
from fairness_checks.findings.chance import chance_notes
from fairness_checks.findings.doubts import doubts
from fairness_checks.findings.statistics import Statistics, Swept
from fairness_checks.judge.evaluation import Evaluation
from fairness_checks.kinds.group_statistics import GroupStatistics, measure_each
from fairness_checks.measure.rows import Sorted
from fairness_checks.question.checks import Check, Settings
from fairness_checks.records.parts import InputRecord

__all__ = ["Measurements", "Said", "measure"]

_LOOKS = (
    "one look of several: where data grow and the truth lies at a limit, a gate at alpha 0.05 is red at least once in "
    "0.17 of 10 looks and 0.27 of 50, and wrongly green in 0.28 of 50"
)
"""Caution of a model that has a baseline: it is judged again and again. Simulated, see docs/statistics.md."""


@dataclass(frozen=True, slots=True)
class Said:
    """What the records of a model say whatever was asked: of all of them, of held-out samples, of the sweep."""

    about: Mapping[str, str]
    inputs: InputRecord | None
    held_out: tuple[str, ...]
    swept: tuple[str, ...]
    looks: tuple[str, ...]

    @classmethod
    def of(cls, asked: Evaluation, checks: Sequence[Check], settings: Settings) -> Said:
        """Look at what there is of a model, as far as there are checks on it."""
        inputs: dict[str, Any] = {}
        held_out: tuple[str, ...] = ()
        swept: tuple[str, ...] = ()
        if (found := asked.predictions) is not None:
            inputs |= {"positive": found.positive, "decisions": found.decided_by, "threshold": found.threshold}
            inputs |= {"scaling": found.scaling}
            if any(check.gap is None for check in checks):
                folds = None if asked.model is None else asked.model.folds
                held_out = (*doubts(found), *chance_notes(found, settings, folds=folds))
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


@dataclass(frozen=True, slots=True)
class Measurements:
    """What is known of a model once its rows are read."""

    # of each check, what it is decided by, or why there is nothing; shared by checks of one metric and features
    statistics: tuple[Statistics | Exception, ...]
    said: Said  # what the records say whatever was asked


def measure(asked: Evaluation, checks: Sequence[Check], settings: Settings) -> Measurements:
    """Read the rows: for each check by itself, of the same features once."""
    measured: dict[tuple[str, ...], dict[str, GroupStatistics | Exception]] = {}
    if asked.predictions is not None:
        held_out = [check for check in checks if check.gap is None and check.of is None]
        by = list(dict.fromkeys(check.features for check in held_out))
        shared = Sorted(asked.predictions) if len(by) > 1 else None  # of one alone, a group at a time sorts faster
        for features in by:
            metrics = [check.definition for check in held_out if check.features == features]
            measured[features] = measure_each(asked.predictions, features, settings.missing, metrics, shared)
    swept = None if asked.sweep is None or asked.plan is None else Swept(asked.sweep, asked.plan)
    found = tuple(_statistics(asked, check, settings, measured, swept) for check in checks)
    return Measurements(found, Said.of(asked, checks, settings))


def _statistics(
    asked: Evaluation,
    check: Check,
    settings: Settings,
    measured: Mapping[tuple[str, ...], Mapping[str, GroupStatistics | Exception]],
    swept: Swept | None,
) -> Statistics | Exception:
    if (lacking := asked.lacking(check)) is not None:
        return lacking
    if check.gap is not None:
        assert swept is not None  # for the type checker, as below: `lacking` has looked
        return swept
    if check.of is not None:
        from fairness_checks.findings.comparison import compare

        assert asked.accepted is not None
        assert asked.predictions is not None
        return attempted(partial(compare, asked.accepted, asked.predictions, check, settings))
    return measured[check.features][check.metric]
