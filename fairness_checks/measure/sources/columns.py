"""What a metric reads of each sample, as expressions that an engine computes."""

from __future__ import annotations

from dataclasses import dataclass, field

from fairness_checks.errors import InvalidPredictions
from fairness_checks.inputs.engine import Engine
from fairness_checks.inputs.narwhals_later import nw
from fairness_checks.question.metrics import LEAST_PROBABILITY

__all__ = ["EngineColumns"]

_TINY = 1e-300


@dataclass(frozen=True, slots=True)
class EngineColumns:
    """The columns of an engine's table by what they are; InvalidPredictions for those that were not given."""

    engine: Engine
    read: set[str] = field(default_factory=set)  # columns that were asked for

    def labels(self) -> nw.Expr:
        """Return 0 or 1."""
        return self._given("y_true", "label")

    def decisions(self) -> nw.Expr:
        """Return 0 or 1."""
        return self._given("y_pred", "decided")

    def scores(self) -> nw.Expr:
        """Return numbers in [0, 1]."""
        return self._given("y_score", "score")

    def errors(self) -> nw.Expr:
        """Return errors with their sign."""
        return self._given("error", "error")

    def uncertainties(self) -> nw.Expr:
        """Return the uncertainty, or the entropy of the score in nats."""
        if "uncertainty" in self.engine.given or "y_score" not in self.engine.given:
            return self._given("uncertainty", "uncertainty")
        yes, no = self.scores(), 1.0 - self.scores()
        return -1.0 * (yes * yes.clip(_TINY, 1.0).log() + no * no.clip(_TINY, 1.0).log())

    def ranked_errors(self) -> nw.Expr:
        """Return what uncertainty should warn of, as `Predictions.ranked_errors` has it."""
        if "error" in self.engine.given:
            return self.errors().abs()
        given = self.scores() if "y_score" in self.engine.given else self.decisions()
        return (self.labels() - given).abs()

    def losses(self) -> nw.Expr:
        """Return the log loss of each sample."""
        right = nw.when(self.labels() == 1).then(self.scores()).otherwise(1.0 - self.scores())
        return -1.0 * right.clip(LEAST_PROBABILITY, 1.0 - LEAST_PROBABILITY).log()

    def _given(self, role: str, column: str) -> nw.Expr:
        if role not in self.engine.given:
            raise InvalidPredictions(f"{role}: not given; the metric needs it")
        self.read.add(column)
        return nw.col(column)
