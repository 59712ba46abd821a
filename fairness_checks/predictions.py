"""The only input of an evaluation: what a model said about each sample, and to which groups the sample belongs."""

from __future__ import annotations

import numbers
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NoReturn

import narwhals.stable.v2 as nw
import numpy as np
import numpy.typing as npt

from fairness_checks.encoding import chunks
from fairness_checks.errors import ConfigurationError, InvalidPredictions, did_you_mean
from fairness_checks.sensitive import SensitiveFeature, as_array, encode_features, first_rows, is_missing

__all__ = ["Predictions"]


class Predictions:
    """A binary classifier's predictions for n held-out samples, checked and ready to be evaluated by group.

    Parameters
    ----------
    y_true : array_like of {0, 1} or bool, shape (n,)
        What happened; 1 is the positive class.
    y_pred : array_like of {0, 1} or bool, shape (n,), optional
        What the model decided. Default: ``y_score >= threshold``.
    y_score : array_like of float in [0, 1], shape (n,), optional
        Probability of the positive class.
    sensitive_features : frame, mapping of str to array_like, series or array_like
        One row a sample; any frame that narwhals reads (pandas, polars, pyarrow, ...), eager or lazy. A single array
        without a name is called "sensitive_feature".
    threshold : float, optional
        Where a score becomes a decision; default 0.5. Only used where `y_pred` is not given.

    Raises
    ------
    InvalidPredictions
        If lengths differ, labels are not binary, anything is missing, or scores or the threshold lie outside [0, 1];
        the message names the array, the number of rows and the first bad ones. Missing sensitive values are kept:
        whether they are an error or a group is the check's setting.

    Examples
    --------
    >>> Predictions([0, 1, 1, 0], [0, 1, 0, 1], sensitive_features={"sex": ["f", "f", "m", "m"]})
    Predictions(4 samples, sensitive features: sex (f, m))
    """

    __slots__ = ("sensitive_features", "y_pred", "y_score", "y_true")

    y_true: npt.NDArray[np.bool_]
    y_pred: npt.NDArray[np.bool_]
    y_score: npt.NDArray[np.float64] | None
    sensitive_features: Mapping[str, SensitiveFeature]

    def __init__(
        self,
        y_true: Any,
        y_pred: Any = None,
        y_score: Any = None,
        *,
        sensitive_features: Any,
        threshold: float = 0.5,
    ) -> None:
        labels = _binary("y_true", y_true)
        score = None if y_score is None else _score(y_score)
        if isinstance(threshold, bool) or not isinstance(threshold, numbers.Real):
            raise InvalidPredictions(f"threshold: {threshold!r} is not a number in [0, 1]")
        if not 0.0 <= threshold <= 1.0:
            raise InvalidPredictions(f"threshold: {threshold:g} is outside [0, 1], where the scores are")
        if y_pred is None and score is None:
            raise InvalidPredictions("y_pred: give y_pred, y_score or both")
        decided = _binary("y_pred", y_pred) if y_pred is not None else np.asarray(_some(score) >= threshold)
        features = encode_features(sensitive_features)
        lengths = {"y_true": len(labels), "y_pred": len(decided)}
        if score is not None:
            lengths["y_score"] = len(score)
        lengths |= {f"sensitive_features[{name!r}]": len(feature.codes) for name, feature in features.items()}
        if len(set(lengths.values())) > 1:
            raise InvalidPredictions("lengths differ: " + ", ".join(f"{k} {v}" for k, v in lengths.items()))
        if not len(labels):
            raise InvalidPredictions("y_true: 0 rows; there is nothing to evaluate")
        object.__setattr__(self, "y_true", _frozen(labels))
        object.__setattr__(self, "y_pred", _frozen(decided))
        object.__setattr__(self, "y_score", None if score is None else _frozen(score))
        object.__setattr__(self, "sensitive_features", MappingProxyType(features))

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"Predictions is immutable; make a new one to change {name}")

    def __len__(self) -> int:
        return len(self.y_true)

    def __repr__(self) -> str:
        features = ", ".join(f"{f.name} ({', '.join(f.groups)})" for f in self.sensitive_features.values())
        return f"Predictions({len(self)} samples, sensitive features: {features})"

    def feature(self, name: str) -> SensitiveFeature:
        """Return one sensitive feature; raise ConfigurationError with the nearest name if there is none."""
        if name not in self.sensitive_features:
            raise ConfigurationError(
                f"by: sensitive feature {name!r} is not in the predictions; "
                f"{did_you_mean(name, self.sensitive_features)}"
            )
        return self.sensitive_features[name]


def _some(score: npt.NDArray[np.float64] | None) -> npt.NDArray[np.float64]:
    assert score is not None  # for the type checker: both None was refused
    return score


def _frozen(array: np.ndarray) -> np.ndarray:
    array.flags.writeable = False
    return array


def _vector(name: str, values: Any) -> np.ndarray:
    """Turn a series or array_like into a one-dimensional array without missing values."""
    series = nw.from_native(values, pass_through=True, allow_series=True)
    if isinstance(series, nw.Series):
        if series.null_count():
            _refuse(name, np.asarray(series.is_null().to_numpy(), dtype=bool), "missing (null)")
        array = np.asarray(series.to_numpy())
    else:
        array = as_array(name, values)
    if array.ndim != 1:
        hint = "; for scores pass predict_proba(X)[:, 1]" if array.ndim == 2 and name == "y_score" else ""
        raise InvalidPredictions(f"{name}: shape {array.shape}; shape (n,) is needed{hint}")
    if isinstance(values, np.ma.MaskedArray):
        _refuse(name, np.ma.getmaskarray(values), "masked")
    if array.dtype.kind == "O":
        _refuse(
            name,
            np.array([is_missing(value) for value in array], dtype=bool),
            "missing (None or NaN)",
        )
        texts = any(isinstance(value, str | bytes) for value in array)  # "1" is a label in words, not a number
        try:
            array = array.astype(str if texts else np.float64)
        except (TypeError, ValueError):
            array = array.astype(str)
    return array


def _refuse(name: str, bad: npt.NDArray[np.bool_], what: str) -> None:
    count = int(np.count_nonzero(bad))
    if count:
        verb = "is" if count == 1 else "are"
        raise InvalidPredictions(f"{name}: {count} of {len(bad)} values {verb} {what}: {first_rows(bad)}")


def _binary(name: str, values: Any) -> npt.NDArray[np.bool_]:
    """Return labels as a new array: what the caller does to his own changes nothing here."""
    array = _vector(name, values)
    if array.dtype.kind == "b":
        return array.copy()
    if array.dtype.kind not in "iuf":
        seen = ", ".join(repr(str(value)) for value in np.unique(array)[:4])
        raise InvalidPredictions(
            f"{name}: labels are not binary: {seen}; give 0/1 or bool, for instance `labels == {array[0]!s:.20}`"
            if len(array)
            else f"{name}: 0 rows; there is nothing to evaluate"
        )
    labels = np.empty(len(array), dtype=bool)
    for rows in chunks(len(array)):
        part = array[rows]
        np.equal(part, 1, out=labels[rows])
        if not _is_binary(part, labels[rows]):
            _refuse_labels(name, array)
    return labels


def _is_binary(part: np.ndarray, positive: npt.NDArray[np.bool_]) -> bool:
    if part.dtype.kind == "f":
        return bool(np.all(positive | (part == 0)))
    return bool(part.view(f"u{part.dtype.itemsize}").max() <= 1)  # read as unsigned, a negative number is a large one


def _refuse_labels(name: str, array: np.ndarray) -> NoReturn:
    """Say what is wrong with all of the labels."""
    if array.dtype.kind == "f":
        _refuse(name, np.isnan(array), "NaN")
    bad = (array != 0) & (array != 1)
    seen = ", ".join(f"{value:g}" for value in np.unique(array[bad])[:4].tolist())
    count = int(np.count_nonzero(bad))
    raise InvalidPredictions(
        f"{name}: labels are not binary: {count} of {len(array)} values are neither 0 nor 1 ({seen}): {first_rows(bad)}"
    )


def _score(values: Any) -> npt.NDArray[np.float64]:
    """Return scores as a new array."""
    array = _vector("y_score", values)
    if array.dtype.kind not in "biuf":
        raise InvalidPredictions(f"y_score: dtype {array.dtype} is not numeric; probabilities in [0, 1] are needed")
    score = array.astype(np.float64)
    # NaN compares as false, whichever side it is on.
    if not all(score[rows].min() >= 0.0 and score[rows].max() <= 1.0 for rows in chunks(len(score))):
        _refuse("y_score", np.isnan(score), "NaN")
        _refuse("y_score", (score < 0.0) | (score > 1.0), "outside [0, 1] (give probabilities, not logits or margins)")
    return score
