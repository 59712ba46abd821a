"""What a check on a sweep may compare: one row each, which `fairness_checks.sweep.asked_gaps` finds in the results."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple, TypeAlias

from fairness_checks.question.limits import LimitKind

__all__ = ["GAPS", "Gap"]

Gap: TypeAlias = Literal["each_mix", "equal_representation", "worst_case", "best_case", "dependence", "change"]


class _Gap(NamedTuple):
    """A gap of a sweep."""

    words: str  # what is compared, for a reader
    limit: LimitKind = "max_difference"
    mismatches: bool = False  # whether an uncertainty's mismatch can be compared so, too
    directed: bool = False  # whether one direction of the metric must be the worse one


GAPS: Mapping[Gap, _Gap] = MappingProxyType(
    {
        "each_mix": _Gap("under each training mix", mismatches=True),
        "equal_representation": _Gap("at equal representation", mismatches=True),
        "worst_case": _Gap("worst case against worst case", directed=True),
        "best_case": _Gap("best case against best case", directed=True),
        "dependence": _Gap("per share of the training data", "max_slope"),
        "change": _Gap("smaller with other training data", "min_reduction"),
    }
)
