"""Scores of clusters in an engine: what each sample contributes to the area of its group, summed within its cluster."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from fairness_checks.inputs.engine import TOTAL, Answer, Engine
from fairness_checks.inputs.frames import open_frame
from fairness_checks.inputs.narwhals_later import nw
from fairness_checks.measure.sources.scores import score_key

__all__ = ["components_of_clusters"]

_OF_SAMPLE = ("above", "below", "doubt", "other_doubt")
_OF_CLUSTER = ("p", "q", "of_p", "of_q", "square", "doubt_p", "doubt_q", TOTAL + "score")


def components_of_clusters(
    engine: Engine, features: Sequence[str], depth: int | None, bins: npt.NDArray[np.int64] | None
) -> Answer:
    """Sum, by features, products of clusters' sums of structural components, and of what is not known of these.

    Scores are compared as `scores_of` counts them: each by itself where `depth` is None, else in bins, of which some
    are cut into 256 parts at a depth of 1, and into 65,536 at 2.
    """
    # Missing values are equal in no join: a feature is its text, and whether there is one.
    texts = {f"{name}_text": nw.col(name).cast(nw.String).fill_null("") for name in features}
    texts |= {f"{name}_absent": nw.col(name).is_null().cast(nw.Int64) for name in features}
    label = nw.col("label").cast(nw.Float64)
    frame = engine.frame.with_columns(**texts, place=score_key(depth, bins), p=label, q=1.0 - label)
    keys = [*texts, "place"]
    counted = frame.with_columns(low=nw.col("score"), high=nw.col("score")).group_by(*keys)
    cells = counted.agg(nw.col("p", "q").sum(), nw.col("low").min(), nw.col("high").max())
    placed = _placed(cells, list(texts)).select(*keys, *_OF_SAMPLE)
    joined = frame.join(placed, on=keys, how="inner")
    own = {
        "of_p": nw.col("p") * nw.col("above"),
        "of_q": nw.col("q") * nw.col("below"),
        "doubt_p": nw.col("p") * nw.col("doubt"),
        "doubt_q": nw.col("q") * nw.col("other_doubt"),
        TOTAL + "score": nw.col("score"),
    }
    t, m = nw.col("of_p") + nw.col("of_q"), nw.col("p") + nw.col("q")
    each = joined.with_columns(**own).with_columns(square=t * t)
    clusters = each.group_by(*features, "cluster").agg(*(nw.col(name).sum() for name in _OF_CLUSTER))
    has, lacks = ((nw.col(name) > 0.0).cast(nw.Float64) for name in ("p", "q"))
    products = {
        "with_p": has,
        "with_q": lacks,
        "with_both": has * lacks,
        "pp": nw.col("of_p") * nw.col("of_p"),
        "qq": nw.col("of_q") * nw.col("of_q"),
        "pq": nw.col("of_p") * nw.col("of_q"),
        "ttt": t * t * t,
        "by_size": t * t / m,
        "doubts_p": nw.col("doubt_p") * nw.col("doubt_p"),
        "doubts_q": nw.col("doubt_q") * nw.col("doubt_q"),
        "mm": m * m,
        "mmm": m * m * m,
    }
    names = ["p", "q", "square", TOTAL + "score", *products]
    found = clusters.with_columns(**products).group_by(*features)
    return engine.ask(found.agg(nw.len().alias("clusters"), *(nw.col(name).sum() for name in names)))


def _placed(cells: nw.LazyFrame[Any], group: Sequence[str]) -> nw.LazyFrame[Any]:
    """Return what samples of each cell contribute to the area of their group: positives `above`, negatives `below`.

    Of cells of several scores it may be another number, by `doubt` and `other_doubt` at most.
    """
    if not cells.implementation.is_dask():
        found: nw.LazyFrame[Any] = _of_cells(cells, group)
        return found
    import dask.dataframe as dd  # which has no windows; its cells are as few as an answer's rows

    table = dd.from_pandas(_of_cells(cells.collect("pandas"), group).to_native(), npartitions=1)  # type: ignore[no-untyped-call]
    return open_frame(table).lazy()


def _of_cells(cells: Any, group: Sequence[str]) -> Any:
    p, q, m, n = (nw.col(name) for name in ("p", "q", "m", "n"))
    ranked = cells.with_columns(
        upto_p=p.cum_sum().over(*group, order_by="place"),
        upto_q=q.cum_sum().over(*group, order_by="place"),
        m=p.sum().over(*group).clip(1.0),
        n=q.sum().over(*group).clip(1.0),
        is_wide=(nw.col("low") < nw.col("high")).cast(nw.Float64),
    ).with_columns(exceeded=nw.col("upto_q") - q / 2.0, exceeding=m - nw.col("upto_p") + p / 2.0)
    wins = ranked.with_columns(won=p * nw.col("exceeded"), unclear=p * q * nw.col("is_wide"))
    area = wins.with_columns(
        auc=nw.col("won").sum().over(*group) / m / n, bound=nw.col("unclear").sum().over(*group) / 2.0 / m / n
    )
    auc, bound, is_wide = nw.col("auc"), nw.col("bound"), nw.col("is_wide")
    return area.with_columns(
        above=(nw.col("exceeded") / n - auc) / m,
        below=(nw.col("exceeding") / m - auc) / n,
        doubt=(is_wide * q / 2.0 / n + bound) / m,
        other_doubt=(is_wide * p / 2.0 / m + bound) / n,
    )
