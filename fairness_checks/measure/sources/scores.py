"""Scores counted in bins, by which an engine finds areas under ROC curves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from fairness_checks.inputs.engine import TOTAL, Answer, Engine
from fairness_checks.inputs.narwhals_later import nw
from fairness_checks.measure.sources.sums import refuse_lost, totals_of
from fairness_checks.stats.score_histogram import BINS

__all__ = ["MOST_SCORES", "distinct_of", "precision_of", "score_key", "scores_of"]

MOST_SCORES = 1_000_000
"""Rows up to which each different score is counted by itself."""

_PROBED = 2 * MOST_SCORES
_FINER = 256  # parts of a bin, and parts of these
_MOST_GROUPS = 200  # with scores in all bins


def scores_of(
    engine: Engine, features: Sequence[str], depth: int | None, bins: npt.NDArray[np.int64] | None = None
) -> Answer:
    """Count samples (`n`), `positives` and the lowest and highest score by features and bin; `depth` None is by score.

    With `bins`, only those, cut into 256 parts at a depth of 1, and into 65,536 at 2.
    """
    frame = engine.frame.with_columns(bin=_bin(BINS))
    if bins is not None and depth is not None:
        frame = frame.filter(nw.col("bin").is_in(bins.tolist())).with_columns(bin=_bin(BINS * _FINER**depth))
    key = "score" if depth is None else "bin"
    total = TOTAL + "score"
    columns = dict.fromkeys(("low", "high", total), nw.col("score"))
    counted = frame.with_columns(**columns).group_by(*features, key)
    found = engine.ask(
        counted.agg(
            nw.len().alias("n"),
            nw.col("label").count().alias("labels"),
            nw.col("low").count().alias("there"),
            nw.col("label").sum().alias("positives"),
            nw.col("low").min(),
            nw.col("high").max(),
            nw.col(total).sum(),
        ),
        most=BINS * _MOST_GROUPS,
    )
    for name in ("there", "labels"):
        refuse_lost(engine, found.whole("n"), found.whole(name))
    return found


def distinct_of(engine: Engine, features: Sequence[str], columns: Sequence[str], what: str) -> Answer:
    """Count samples (`n`) by features and the values of some columns: up to `MOST_SCORES` different ones."""
    totals = totals_of(columns)

    def counted(frame: nw.LazyFrame[Any]) -> Answer:
        by_value = (frame.with_columns(**totals) if totals else frame).group_by(*features, *columns)
        numbers = by_value.agg(nw.len().alias("n"), *(nw.col(name).sum() for name in totals))
        return engine.ask(numbers, most=MOST_SCORES, what=what)

    if engine.rows > _PROBED:  # whether they are too many need not take a table of all
        counted(engine.frame.head(_PROBED))
    return counted(engine.frame)


def precision_of(engine: Engine, threshold: float) -> Answer:
    """Count scores that no float32 holds (`wide`), and those that a rounded threshold decides otherwise (`rounded`)."""
    score = nw.col("score")
    wide = score.cast(nw.Float32).cast(nw.Float64) != score
    rounded = (score >= threshold).cast(nw.Int64) != nw.col("decided")
    found = engine.frame.select(wide=wide.cast(nw.Int64), rounded=rounded.cast(nw.Int64))
    return engine.ask(found.select(nw.col("wide").sum(), nw.col("rounded").sum()))


def score_key(depth: int | None, bins: npt.NDArray[np.int64] | None) -> nw.Expr:
    """Return what tells scores apart, in their order: the score, or its bin, of which some are cut into parts."""
    if depth is None:
        return nw.col("score")
    finer = float(_FINER**depth)
    whole = _bin(BINS).cast(nw.Float64) * finer
    if bins is None or not len(bins):
        return whole
    some = _bin(BINS).is_in(bins.tolist())
    return nw.when(some).then(_bin(BINS * _FINER**depth).cast(nw.Float64)).otherwise(whole)


def _bin(bins: int) -> nw.Expr:
    """Return the bin of each score; the factor is a power of two, so that all engines find the same."""
    return (nw.col("score") * float(bins)).floor().clip(0.0, bins - 1.0).cast(nw.Int64)
