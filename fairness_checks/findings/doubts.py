"""Whether held-out samples were put together as they were meant: notes beside verdicts, which they do not change."""

from __future__ import annotations

import math
from collections.abc import Collection

import numpy as np

from fairness_checks.inputs.predictions import LazyPredictions, Predictions
from fairness_checks.inputs.sensitive import SensitiveFeature, how_to_cut, is_number
from fairness_checks.inputs.source import ARRAYS

__all__ = ["doubts"]

_FEWEST = 30  # different rows, each of them as often as the others by accident
_PROBED = 8  # rows
_MANY = 20  # numbers: fewer may be stages, sites or years


def doubts(predictions: Predictions) -> tuple[str, ...]:
    """Return what a reader should look at before believing any verdict."""
    found = (
        *(_of_cells(predictions) if isinstance(predictions, LazyPredictions) else _of_rows(predictions)),
        *map(_uncut, predictions.sensitive_features.values()),
    )
    return tuple(note for note in found if note is not None)


def _of_rows(predictions: Predictions) -> tuple[str | None, ...]:
    return (
        _by_position(predictions),
        _one_decision(predictions),
        _not_by_scores(predictions),
        _multiplied(predictions),
    )


def _of_cells(predictions: LazyPredictions) -> tuple[str | None, ...]:
    """Look at what there is of rows in an engine: no order, and no single row."""
    return (_one_decision(predictions.cells),)


def _by_position(predictions: Predictions) -> str | None:
    """Say that features and outcomes were paired by position, where one side has row labels and the other none."""
    rows = predictions.row_labels
    if rows is None:
        return None
    labelled, default = (_sides(names) for names in (rows.labelled, rows.default))
    for with_labels, without in ((0, 1), (1, 0)):
        if labelled[with_labels] and default[without] and not labelled[without]:
            return (
                f"{labelled[with_labels][0]} has row labels and {default[without][0]} has none, so that rows are "
                "paired by position: see that both are in one order"
            )
    return None


def _uncut(feature: SensitiveFeature) -> str | None:
    """Say that each number is a group, as each age: hardly any of them is large enough to be judged."""
    if len(feature.groups) < _MANY or not all(map(is_number, feature.groups)):
        return None
    return f"{feature.name} has {len(feature.groups)} groups, each one number: {how_to_cut(feature.name, ())}"


def _sides(names: Collection[str]) -> tuple[list[str], list[str]]:
    """Part names of inputs into outcomes, and what says whose they are."""
    outcomes = [name for name in names if name in ARRAYS]
    return outcomes, [name for name in names if name not in ARRAYS]


def _one_decision(predictions: Predictions) -> str | None:
    """Say that all samples are decided alike, though their labels differ."""
    labels, decisions = predictions.y_true, predictions.y_pred
    if labels is None or decisions is None or (labels == labels[0]).all() or (decisions != decisions[0]).any():
        return None
    word = "positive" if decisions[0] else "negative"
    return f"every sample is decided {word}: see whether scores and threshold are the ones that are meant"


def _not_by_scores(predictions: Predictions) -> str | None:
    """Say that decisions that were given are not those of the scores beside them, by whatever threshold."""
    scores, decisions = predictions.y_score, predictions.y_pred
    if (
        scores is None
        or decisions is None
        or predictions.decided_by != "given"
        or decisions.all()
        or not decisions.any()
    ):
        return None
    if scores[decisions].min() > scores[~decisions].max():  # most are: without a sort
        return None
    place = np.unique(scores, return_inverse=True)[1]
    positive, negative = (np.bincount(place[is_of], minlength=place.max() + 1) for is_of in (decisions, ~decisions))
    # by threshold, from below all scores to above all of them: positives below it, and negatives that are not
    below = np.concatenate([[0], np.cumsum(positive)])
    wrong = int((below + negative.sum() - np.concatenate([[0], np.cumsum(negative)])).min())
    return (
        f"{wrong:,} of {len(scores):,} decisions contradict the scores, whatever the threshold is: y_pred and y_score "
        "are of two models or two dates, the scores are of the other class, groups have thresholds of their own, or "
        "the model does not decide by them"
    )


def _multiplied(predictions: Predictions) -> str | None:
    """Say that each row stands there equally often, as after a join that repeats patients."""
    values = predictions.y_score if predictions.y_score is not None else predictions.error
    if values is None or predictions.cluster is not None or predictions.sample_id is not None:
        return None
    if len(values) < 2 * _FEWEST:
        return None
    probed = values[:: max(1, len(values) // _PROBED)][:_PROBED]
    if math.gcd(*(int(np.count_nonzero(values == value)) for value in probed)) < 2:  # of most; without a sort
        return None
    columns: list[np.ndarray] = [values, *(feature.codes for feature in predictions.sensitive_features.values())]
    columns += [] if predictions.y_true is None else [predictions.y_true]
    code = np.zeros(len(values), dtype=np.int64)
    for column in columns:
        inverse = np.unique(column, return_inverse=True)[1]
        code = np.unique(code * (int(inverse.max()) + 1) + inverse, return_inverse=True)[1]
    counts = np.bincount(code)
    times = math.gcd(*counts.tolist())
    if times < 2 or len(counts) < _FEWEST:
        return None
    return (
        f"each row stands there {times} times, or a multiple of it: did a join repeat patients? Without `cluster` or "
        "`sample_id` they count as so many patients more, and verdicts as surer than they are"
    )
