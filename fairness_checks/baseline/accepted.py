"""What the baseline holds of one model, and the limit that a ratchet holds it to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from fairness_checks.baseline.document import ModelBaseline
from fairness_checks.baseline.fingerprint import Pseudonyms
from fairness_checks.baseline.outcomes import read_outcomes, rounded
from fairness_checks.inputs.predictions import Predictions
from fairness_checks.question.checks import Check
from fairness_checks.question.limits import LimitKind

__all__ = ["Accepted", "Paired", "ratchet_kind", "tighter"]


T = TypeVar("T")


class Paired(NamedTuple):
    """What two models said about the same samples, row by row, rounded alike."""

    before: Predictions
    now: Predictions


@dataclass(frozen=True, slots=True, eq=False)
class Accepted:
    """What the baseline holds of one model."""

    path: Path  # the baseline's JSON
    model: ModelBaseline | None  # None where the baseline, or the model in it, does not exist
    updating: bool = False  # this run writes a baseline: one that is missing is no failure
    pseudonyms: Pseudonyms | None = None  # what finds its samples again
    unpaired: str | None = None  # why there are none
    _found: dict[str, Any] = field(default_factory=dict, init=False, repr=False)

    def cannot_pair(self, predictions: Predictions) -> str | None:
        """Say why the samples of a run cannot be paired with those of the baseline; None where they are the same."""
        return self._once(predictions, "why", self._why_not)

    def paired(self, predictions: Predictions) -> Paired:
        """Return both models' outcomes of the samples, where `cannot_pair` is None."""
        return self._once(predictions, "both", self._both)

    def _once(self, predictions: Predictions, what: str, find: Callable[[Predictions], T]) -> T:
        """Return what was found for an earlier check: ids are hashed, which takes longer than what is compared."""
        if self._found.get("of") is not predictions:
            self._found.clear()
            self._found["of"] = predictions
        if what not in self._found:
            self._found[what] = find(predictions)
        found: T = self._found[what]
        return found

    def _why_not(self, predictions: Predictions) -> str | None:
        if predictions.sample_id is None:
            return "the predictions have no sample_id, by which samples could be paired"
        ref = None if self.model is None else self.model.outcomes
        if ref is None:
            return "the baseline has no outcomes of single samples; its predictions had no sample_id"
        if self.pseudonyms is None:
            return self.unpaired or "there is nothing that finds its samples again"
        if self.pseudonyms.fingerprint(predictions) != ref.fingerprint:
            return "other samples than in the baseline (ids, labels, groups or clusters differ)"
        return None

    def _both(self, predictions: Predictions) -> Paired:
        assert self.model is not None  # for the type checker, as the next: else they could not be paired
        assert self.model.outcomes is not None
        assert self.pseudonyms is not None
        before = read_outcomes(self.path.parent, self.model.outcomes, self.pseudonyms, predictions, same=True)
        return Paired(before, rounded(predictions))

    @property
    def outcomes_file(self) -> Path | None:
        """The file of what the baseline's model said about single samples; None where there is none."""
        ref = None if self.model is None else self.model.outcomes
        return None if ref is None else self.path.parent / ref.file


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
