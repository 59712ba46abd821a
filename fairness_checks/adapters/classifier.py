"""Predictions of anything with scikit-learn's methods; scikit-learn itself is not needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from fairness_checks.errors import InvalidPredictions
from fairness_checks.inputs.alignment import RowLabels, require_aligned
from fairness_checks.inputs.array_like import as_array
from fairness_checks.inputs.classes import class_kind, class_name, code_classes, find_class, refuse_unplain
from fairness_checks.inputs.narwhals_later import nw
from fairness_checks.inputs.predictions import Predictions, like
from fairness_checks.inputs.sensitive import first_rows
from fairness_checks.plain import shorten

__all__ = ["predictions_from_classifier"]

_OTHER = {  # the root of a type's module: what to write instead
    "xgboost": "give the fitted xgboost.XGBClassifier, or Predictions(y, y_score=booster.predict(DMatrix(X)), ...)",
    "lightgbm": "give the fitted lightgbm.LGBMClassifier, or Predictions(y, y_score=booster.predict(X), ...)",
    "catboost": "give the fitted catboost.CatBoostClassifier",
    "onnxruntime": (
        "run it, and give Predictions(y, y_score=probabilities[:, 1], ...) of what session.run(None, {name: X}) returns"
    ),
    "torch": "give Predictions(y, y_score=torch.sigmoid(module(X)).detach(), ...), or whatever turns it into "
    "probabilities of the positive class",
    "keras": "give Predictions(y, y_score=model.predict(X), ...)",
    "tensorflow": "give Predictions(y, y_score=model.predict(X), ...)",
}


def predictions_from_classifier(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    sensitive_features: Any,
    positive: Any = None,
    threshold: float | None = None,
    cluster: Any = None,
    sample_id: Any = None,
    about: Mapping[str, str] | None = None,
) -> Predictions:
    """Predict held-out samples with a fitted binary classifier.

    Parameters
    ----------
    estimator : object
        With ``predict``, ``classes_`` of two values, and optionally ``predict_proba``; fitted.
    X : array_like or frame, shape (n, p)
        Held-out samples, as the estimator takes them.
    y : array_like, shape (n,)
        Their true classes, values of ``estimator.classes_``.
    sensitive_features : frame, mapping, series or array_like
        One row a sample; see `Predictions`.
    positive : object, optional
        The positive class, one of ``estimator.classes_``; needed unless these are 0/1 or False/True, where it is the
        1 or True. Their order says nothing: it is that of the alphabet.
    threshold : float, optional
        From which score on a decision is positive, in [0, 1]; needs ``predict_proba``. Default: the estimator's own
        decisions.
    cluster, sample_id : array_like, shape (n,), optional
        Which samples belong together, and their names for comparisons with a baseline; see `Predictions`.
    about : mapping of str to str, optional
        What model and data are; in every record. See `Predictions`.

    Returns
    -------
    Predictions
        With the estimator's own decisions, or those by the threshold, and the scores of the positive class where it
        gives probabilities.

    Raises
    ------
    InvalidPredictions
        If the estimator is not a fitted binary classifier or fails on `X`, which class is positive is a guess, `y`
        or ``predict`` hold a value that is not one of its classes, or row labels differ, those of what the estimator
        returns too.
    """
    name = type(estimator).__name__
    classes = _classes(estimator, name)
    if positive is None:
        refuse_unplain(classes, name)
        chosen = next(value for value in classes if value == 1)
    else:
        chosen = find_class(positive, classes, name)
    given = {"X": X, "y": y, "cluster": cluster, "sample_id": sample_id, "sensitive_features": sensitive_features}
    rows = require_aligned(given)
    truth = _are_positive("y", y, classes, chosen, name)
    score = _scores(estimator, X, rows, classes, classes.index(chosen), name)
    if threshold is not None and score is None:
        raise InvalidPredictions(f"threshold: {name} has no predict_proba, whose scores it would make decisions of")
    decided = None
    if threshold is None:
        values = _aligned(f"{name}.predict(X)", _asked(estimator.predict, f"{name}.predict", X), rows)
        decided = _are_positive(f"{name}.predict(X)", values, classes, chosen, name)
    made = Predictions(
        truth,
        decided,
        score,
        threshold=threshold,
        sensitive_features=sensitive_features,
        cluster=cluster,
        sample_id=sample_id,
        about=about,
    )
    return like(made, positive=class_name(chosen), row_labels=rows)


def _classes(estimator: Any, name: str) -> list[Any]:
    """Return the two classes of a classifier; say of anything else what to write instead."""
    try:
        classes = getattr(estimator, "classes_", None)
    except Exception:  # a property of a model that is not fitted may raise anything
        classes = None
    if classes is None:
        other = "fit it first, and give a classifier"
        if not hasattr(estimator, "fit"):
            computed = "give Predictions(y, y_score=..., ...) with the scores that it computed"
            other = _OTHER.get(type(estimator).__module__.split(".")[0], computed)
        raise InvalidPredictions(f"{name} has no classes_: {other}")
    if isinstance(classes, list | tuple) and any(np.ndim(each) for each in classes):
        raise InvalidPredictions(f"{name} has {len(classes)} outputs; give the predictions of one as Predictions(...)")
    values: list[Any] = np.asarray(classes).ravel().tolist()
    if len(values) != 2 or np.ndim(classes) != 1:
        raise InvalidPredictions(
            f"{name} knows {len(values)} classes ({', '.join(str(c) for c in values[:5])}); "
            f"two are needed: one against the rest, for instance"
        )
    return values


def _are_positive(where: str, values: Any, classes: list[Any], chosen: Any, name: str) -> npt.NDArray[np.bool_]:
    """Return which samples are of the chosen class; refuse values that are none of the classes."""
    codes, met = code_classes(where, values)
    plain = set(classes) == {0, 1}  # then 0/1 and False/True are the same two

    def of(value: Any) -> tuple[Any, str]:
        return value, "" if plain else class_kind(value)

    known = {of(value): value == chosen for value in classes}
    bad = np.array([*(of(value) not in known for value in met), True])[codes]
    if bad.any():
        shown = ", ".join(map(str, classes))
        raise InvalidPredictions(
            f"{where}: {int(bad.sum())} of {len(bad)} values are not among the classes of {name} ({shown}): "
            f"{first_rows(bad)}"
        )
    return np.asarray(np.array([*(known.get(of(value), False) for value in met), False], dtype=bool)[codes])


def _aligned(where: str, values: Any, rows: RowLabels | None) -> Any:
    """Return what an estimator gave for X; refuse it in another order, as far as row labels tell."""
    require_aligned({"X": rows, where: values})
    return values


def _asked(method: Callable[[Any], Any], where: str, X: Any) -> Any:
    """Return what an estimator answers; what it raises becomes one error, with the missing values of X."""
    try:
        return method(X)
    except Exception as problem:
        why = shorten(" ".join(str(problem).split()), 200)
        raise InvalidPredictions(f"{where}(X) failed: {type(problem).__name__}: {why}{_missing(X)}") from problem


def _missing(X: Any) -> str:
    """Say where a frame has missing values; nothing of what is no frame."""
    frame = nw.from_native(X, eager_only=True, pass_through=True)
    if not isinstance(frame, nw.DataFrame):
        return ""
    found = []
    for column in frame.iter_columns():
        gap = np.asarray(column.is_null().to_numpy(), dtype=bool)
        if column.dtype.is_float():
            gap = gap | np.asarray(column.is_nan().fill_null(False).to_numpy(), dtype=bool)
        if gap.any():
            found.append(f"{column.name!r} ({int(gap.sum())} of {len(gap)}: {first_rows(gap)})")
    more = f" and {len(found) - 5} more columns" if len(found) > 5 else ""
    return f"; missing values: {', '.join(found[:5])}{more}" if found else ""


def _scores(
    estimator: Any, X: Any, rows: RowLabels | None, classes: Sequence[Any], column: int, name: str
) -> npt.NDArray[Any] | None:
    """Return the column of the chosen class, shape (n,); None where the estimator gives no probabilities."""
    if not hasattr(estimator, "predict_proba"):
        return None
    where = f"{name}.predict_proba(X)"
    returned = _aligned(where, _asked(estimator.predict_proba, f"{name}.predict_proba", X), rows)
    named, expected = [class_name(each) for each in getattr(returned, "columns", ())], [class_name(c) for c in classes]
    if named != expected and sorted(named) == sorted(expected):
        raise InvalidPredictions(
            f"{where}: its columns are named {', '.join(named)} and classes_ are {', '.join(expected)}; give both in "
            "one order"
        )
    probabilities = as_array(where, returned)
    if probabilities.ndim != 2 or probabilities.shape[1] != 2:
        raise InvalidPredictions(
            f"{where}: shape {probabilities.shape}; one column for each of its two classes is needed"
        )
    return np.asarray(probabilities[:, column])
