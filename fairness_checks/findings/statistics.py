"""What a check is decided by, and the one way from there to its finding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from fairness_checks.findings.finding import Finding, find
from fairness_checks.measure.measured_groups import MeasuredGroups
from fairness_checks.question.checks import Check, Settings

if TYPE_CHECKING:
    from fairness_checks.findings.comparison import Comparison
    from fairness_checks.sweep.plan import SweepPlan
    from fairness_checks.sweep.results import SweepResults

__all__ = ["Statistics", "Swept", "find_by"]


@dataclass(frozen=True, slots=True, eq=False)
class Swept:
    """All trainings of a sweep, and what it was to do."""

    results: SweepResults
    plan: SweepPlan


Statistics: TypeAlias = "MeasuredGroups | Swept | Comparison"
"""Of held-out samples, of a sweep, or of two models: small whatever the number of rows, and no row is in it."""


def find_by(statistics: Statistics, check: Check, settings: Settings) -> Finding:
    """Judge one check by its statistics; see `find`, `find_in_sweep` and `find_in_comparison`."""
    if isinstance(statistics, MeasuredGroups):
        return find(statistics, check, settings)
    if isinstance(statistics, Swept):
        from fairness_checks.findings.sweep import find_in_sweep

        return find_in_sweep(statistics.results, statistics.plan, check, settings)
    from fairness_checks.findings.regression import find_in_comparison

    return find_in_comparison(statistics, check, settings)
