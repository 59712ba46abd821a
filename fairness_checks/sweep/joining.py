"""Predictions of parts of a data set, put together as those of the whole."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from fairness_checks.errors import InvalidPredictions
from fairness_checks.inputs.predictions import FACTS, Predictions, like
from fairness_checks.inputs.source import ARRAYS
from fairness_checks.sweep.dataset import DataSet

__all__ = ["join_predictions"]


def join_predictions(parts: Sequence[tuple[npt.NDArray[np.intp], Predictions]], data: DataSet) -> Predictions:
    """Return Predictions of all rows in the data set's order, from parts that together hold every row once."""
    rows = np.concatenate([at for at, _ in parts])
    if not np.array_equal(np.sort(rows), np.arange(len(data))):
        raise InvalidPredictions(f"out of fold: {len(data)} rows were not predicted exactly once each")
    place = np.argsort(rows)
    arrays: dict[str, Any] = {}
    for name in ARRAYS:
        given = [getattr(part, name) for _, part in parts]
        if any(array is not None for array in given):
            if any(array is None for array in given):
                raise InvalidPredictions(f"predict: {name} was returned for some folds only; return it always")
            arrays[name] = np.concatenate(given)[place]
    if data.cluster is None and any(part.cluster is not None for _, part in parts):
        raise InvalidPredictions(
            "predict: cluster was returned, but the data set has none, so that rows of one cluster are in several "
            "folds; give `cluster` to the DataSet"
        )
    names = {tuple(part.sensitive_features) for _, part in parts}
    if len(names) > 1:
        raise InvalidPredictions("predict: other sensitive features in some folds than in others; return the same")
    sensitive = {name: np.concatenate([_text(part, name) for _, part in parts])[place] for name in names.pop()}
    facts = {tuple(getattr(part, name) for name in FACTS) for _, part in parts}
    if len(facts) > 1:
        raise InvalidPredictions(
            "predict: another positive class, decisions at another threshold, or images in another scale, in some "
            "folds than in others; return the same, or y_pred where each fold has a threshold of its own"
        )
    whole = Predictions(**arrays, cluster=data.cluster, sensitive_features=sensitive)
    return like(whole, **dict(zip(FACTS, facts.pop(), strict=True)))


def _text(part: Predictions, name: str) -> npt.NDArray[Any]:
    """Return the name of each sample's group; None where it is missing."""
    feature = part.sensitive_features[name]
    return np.asarray(np.array([*feature.groups, None], dtype=object)[feature.codes])
