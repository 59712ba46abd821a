"""What the baseline holds of one model, and the limit that a ratchet holds it to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fairness_checks.baseline.document import ModelBaseline
from fairness_checks.baseline.fingerprint import Pseudonyms
from fairness_checks.question.checks import Check
from fairness_checks.question.limits import LimitKind

__all__ = ["Accepted", "ratchet_kind", "tighter"]


@dataclass(frozen=True, slots=True, eq=False)
class Accepted:
    """What the baseline holds of one model."""

    path: Path  # the baseline's JSON
    model: ModelBaseline | None  # None where the baseline, or the model in it, does not exist
    updating: bool = False  # this run writes a baseline: one that is missing is no failure
    pseudonyms: Pseudonyms | None = None  # what finds its samples again
    unpaired: str | None = None  # why there are none


def ratchet_kind(check: Check) -> LimitKind:
    """Return the kind of limit that a held value is."""
    if check.of == "disparity":
        return "max_difference"
    return "min_value" if check.definition.lower_is_better is False else "max_value"


def tighter(held: float | None, other: float | None, check: Check) -> float | None:
    """Return the tighter of two limits that a ratchet may hold; the one that is there, or None."""
    known = [limit for limit in (held, other) if limit is not None]
    if not known:
        return None
    return max(known) if ratchet_kind(check) == "min_value" else min(known)
