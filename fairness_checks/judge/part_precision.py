"""In which precision scores were compared with the threshold: in another one other samples are positive."""

# `vectors.decide` compares float32 scores with the float32 next to the threshold, wherever all rows are float32. Rows
# of float64 scores beside them are float64 together, and a score at that float32, below the threshold, is then
# negative. So parts of both are other decisions than their rows pooled, unless no score lies there.

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from fairness_checks.inputs.predictions import LazyPredictions, Predictions
from fairness_checks.measure.sources.scores import precision_of

__all__ = ["ScorePrecision", "score_precision"]


@dataclass(frozen=True, slots=True)
class ScorePrecision:
    """The precision of the scores that a threshold decided by; of two parts the sum has the finer one."""

    bits: int  # 16, 32 or 64: the fewest that hold all scores
    rounded: bool  # whether some decision is that of the threshold rounded so, and not of the threshold itself

    def __add__(self, other: ScorePrecision) -> ScorePrecision:
        return ScorePrecision(max(self.bits, other.bits), self.rounded or other.rounded)

    def differs(self, other: ScorePrecision) -> bool:
        """Say whether the rows of both together would be decided otherwise."""
        return self.bits != other.bits and min(self, other, key=lambda each: each.bits).rounded


def score_precision(predictions: Predictions) -> ScorePrecision | None:
    """Return the precision of decisions by a threshold; None where they were given, or there are none."""
    threshold = predictions.threshold
    if threshold is None:
        return None
    if isinstance(predictions, LazyPredictions):
        answer = predictions.asked("precision", functools.partial(precision_of, threshold=threshold))
        return ScorePrecision(64 if answer.whole("wide")[0] else 32, bool(answer.whole("rounded")[0]))
    score = predictions.scores()
    bits = next((n for n, kind in ((16, np.float16), (32, np.float32)) if (score == score.astype(kind)).all()), 64)
    return ScorePrecision(bits, bool((predictions.decisions() != (score >= threshold)).any()))
