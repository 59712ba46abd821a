"""Residuals of clusters in an engine, by bins of the score: what the calibration errors of clusters need."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fairness_checks.inputs.engine import Answer, Engine
from fairness_checks.inputs.narwhals_later import nw
from fairness_checks.measure.sources.clusters import sums_of_clusters
from fairness_checks.measure.sources.columns import EngineColumns
from fairness_checks.measure.sources.sums import bin_of
from fairness_checks.typing import Array

__all__ = ["SIGNS_AT_ONCE", "sums_by_bin", "sums_by_sign"]

SIGNS_AT_ONCE = 8
"""Rows of signs, of which one table of clusters holds the sums."""


def sums_by_bin(engine: Engine, features: Sequence[str], pivots: Sequence[float]) -> Answer:
    """Sum the residuals of clusters by features and `bin`, less the number of each bin."""
    residual, columns = _residuals(engine)
    pivot = nw.lit(pivots[0])
    for place, number in enumerate(pivots[1:], 1):
        pivot = nw.when(nw.col("bin") == place).then(nw.lit(number)).otherwise(pivot)
    return sums_of_clusters(engine, [*features, "bin"], [residual - pivot], columns)


def sums_by_sign(engine: Engine, features: Sequence[str], signs: Array, pivot: float) -> Answer:
    """Sum the residuals of clusters by features, with the signs of their bins, shape (S, 10), and less a number."""
    residual, columns = _residuals(engine)
    deviations = []
    for sign in signs:
        turned = np.flatnonzero(sign < 0.0).tolist()
        is_turned = nw.col("bin").is_in(turned)
        signed = nw.when(is_turned).then(-1.0 * residual).otherwise(residual) if turned else residual
        deviations.append(signed - pivot)
    return sums_of_clusters(engine, features, deviations, columns)


def _residuals(engine: Engine) -> tuple[nw.Expr, dict[str, nw.Expr]]:
    columns = EngineColumns(engine)
    labels, scores = columns.labels(), columns.scores()
    return labels - scores, {"bin": bin_of(scores).cast(nw.Int64)}
