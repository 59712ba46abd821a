"""Predictions of anything with scikit-learn's methods; scikit-learn itself is not needed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from fairness_checks.errors import InvalidPredictions
from fairness_checks.predictions import Predictions

__all__ = ["predictions_from_classifier"]


def predictions_from_classifier(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    sensitive_features: Any,
    cluster: Any = None,
    sample_id: Any = None,
    about: Mapping[str, str] | None = None,
) -> Predictions:
    """Predict held-out samples with a fitted binary classifier.

    Parameters
    ----------
    estimator : object
        With ``predict``, ``classes_`` of two values, and optionally ``predict_proba``; fitted. The second class is
        the positive one, as in scikit-learn.
    X : array_like or frame, shape (n, p)
        Held-out samples, as the estimator takes them.
    y : array_like, shape (n,)
        Their true classes, values of ``estimator.classes_``.
    sensitive_features : frame, mapping, series or array_like
        One row a sample; see `Predictions`.
    cluster, sample_id : array_like, shape (n,), optional
        Which samples belong together, and their names for comparisons with a baseline; see `Predictions`.
    about : mapping of str to str, optional
        What model and data are; in every record. See `Predictions`.

    Returns
    -------
    Predictions
        With the estimator's own decisions, and scores where it gives probabilities.

    Raises
    ------
    InvalidPredictions
        If the estimator is not a fitted binary classifier, or `y` holds a value that is not one of its classes.
    """
    name = type(estimator).__name__
    classes = getattr(estimator, "classes_", None)
    if classes is None:
        raise InvalidPredictions(f"{name} has no classes_: fit it first, and give a classifier")
    classes = np.asarray(classes)
    if classes.shape != (2,):
        raise InvalidPredictions(
            f"{name} knows {classes.size} classes ({', '.join(str(c) for c in classes.ravel()[:5])}); "
            f"two are needed: one against the rest, for instance"
        )
    truth = np.asarray(y)
    known = np.isin(truth, classes)
    if not known.all():
        rows = ", ".join(str(int(row)) for row in np.flatnonzero(~known)[:5])
        raise InvalidPredictions(
            f"y: {int((~known).sum())} of {truth.size} values are not among the classes of {name} "
            f"({classes[0]}, {classes[1]}): rows {rows}"
        )
    score = np.asarray(estimator.predict_proba(X))[:, 1] if hasattr(estimator, "predict_proba") else None
    decided = np.asarray(estimator.predict(X)) == classes[1]
    return Predictions(
        truth == classes[1],
        decided,
        score,
        sensitive_features=sensitive_features,
        cluster=cluster,
        sample_id=sample_id,
        about=about,
    )
