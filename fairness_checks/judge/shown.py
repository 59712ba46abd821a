"""What may be shown of a model's checks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fairness_checks.judge.measurements import Measurements
from fairness_checks.judge.verdict import Answer

if TYPE_CHECKING:
    from fairness_checks.measure.small_cells import Hidden
    from fairness_checks.report.evidence import DataEvidence

__all__ = ["Shown"]


@dataclass(frozen=True, slots=True)
class Shown:
    """What may be shown of a model: all of it where nothing is suppressed."""

    measured: Measurements
    answers: Sequence[Answer]
    below: int | None = None
    hidden: Hidden | None = None

    def data(self, found: DataEvidence) -> DataEvidence:
        """Return what is said of the samples, without what gives a hidden group back."""
        if self.below is None or self.hidden is None:
            return found
        told = {
            name: count
            for name, count in found.missing.items()
            if count == 0 or (frozenset([name]) in self.hidden.cells and not self.hidden.of([name]))
        }
        return replace(found, samples=None if self.hidden.total else found.samples, sha256=None, missing=told)
