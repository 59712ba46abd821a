"""The arrays of Predictions as they may be given: read, checked, and refused with the first bad rows."""

from __future__ import annotations

import numbers
import operator
from collections.abc import Callable, Collection, Sequence
from decimal import Decimal
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from fairness_checks.errors import InvalidPredictions
from fairness_checks.inputs.array_like import as_array, column_of, refuse_cells, rounded, series_array
from fairness_checks.inputs.encoding import chunks, factorizing_pandas
from fairness_checks.inputs.group_names import MISSING_TEXT, clean, seen
from fairness_checks.inputs.narwhals_later import is_series, nw
from fairness_checks.inputs.sensitive import are_missing, first_rows, is_missing, refuse_namesakes

__all__ = ["FILL_IN", "decide", "frozen", "read_clusters", "read_ids", "read_labels", "read_measures", "read_scores"]

FILL_IN = "fill them in, or leave these samples out of every array"
"""What is done about missing values."""

_NUL = "text with a NUL character, which NumPy would cut off"
_ROUNDINGS = 4.0  # of a sum of a few probabilities, in units of the last place
_NEAR = 1e-5  # no logit, but a probability that was rounded in another precision
_FEW_ROWS = 1_000

_NEVER_MISSING = frozenset({str, bytes, bool, int})
_SPAN = 4  # whole numbers to a sample, up to which a table of them all is faster than a sort

_ABSENT = {"f": "NaN", "c": "NaN", "m": "NaT", "M": "NaT"}
"""What a missing value of a kind of dtype is called."""


def frozen(array: np.ndarray) -> np.ndarray:
    """Return the array, which can no longer be written to."""
    array.flags.writeable = False
    return array


def _vector(name: str, values: Any) -> np.ndarray:
    """Turn a series or array_like into a one-dimensional array without missing values."""
    values = column_of(name, values)
    if is_series(values):
        if values.null_count():
            _refuse(name, np.asarray(values.is_null().to_numpy(), dtype=bool), "missing (null)")
        if values.implementation.is_polars() and values.dtype == nw.String:  # which NumPy's own text is made of
            _refuse(name, np.asarray(values.str.contains("\0", literal=True).to_numpy(), dtype=bool), _NUL)
        array = as_array(name, series_array(name, values))
    else:
        array = as_array(name, values)
    if array.ndim != 1:
        hint = (
            "; give the column of the positive class: predict_proba(X)[:, list(model.classes_).index(positive)]"
            if array.ndim == 2 and name == "y_score"
            else ""
        )
        raise InvalidPredictions(f"{name}: shape {array.shape}; shape (n,) is needed{hint}")
    if isinstance(values, np.ma.MaskedArray):
        _refuse(name, np.ma.getmaskarray(values), "masked")
    return _read_objects(name, array) if array.dtype.kind == "O" else array


def _read_objects(name: str, values: np.ndarray) -> np.ndarray:
    """Turn Python objects into text, whole numbers or floats; refuse those that are missing."""
    kinds = set(map(type, values.tolist()))
    if any(issubclass(kind, Collection) for kind in kinds - {str, bytes}):
        refuse_cells(name, values)
    if kinds - _NEVER_MISSING:
        _refuse(name, np.array([is_missing(value) for value in values], dtype=bool), "missing (None or NaN)")
    if any(issubclass(kind, str | bytes) for kind in kinds):  # "1" is a label in words, not a number
        if name == "cluster" and len(kinds) > 1:
            refuse_namesakes(name, values)
        if any(issubclass(kind, bytes) for kind in kinds):
            values = np.array([_decoded(value) for value in values], dtype=object)
        if "\0" in "".join(values.tolist() if kinds == {str} else map(str, values)):
            holds = np.array(["\0" in str(value) for value in values], dtype=bool)
            _refuse(name, holds, _NUL)
        # Ids may all differ and are read one by one: there text of one width would only cost time and memory.
        return values if kinds == {str} and name in ("cluster", "sample_id") else values.astype(str)
    if len(kinds) == 1 and issubclass(kind := next(iter(kinds)), np.floating):
        return values.astype(kind)  # a threshold is compared in their own precision
    try:
        if name in ("cluster", "sample_id") and all(issubclass(kind, numbers.Number | Decimal) for kind in kinds):
            return _read_numbers(name, values)
        return values.astype(np.float64)
    except (TypeError, ValueError, OverflowError):
        return values.astype(str)


def _read_numbers(name: str, values: np.ndarray) -> np.ndarray:
    """Return ids of any type of number: as floats, long ones that differ in their last digits would become one."""
    floats = [isinstance(value, float | np.floating) for value in values]
    if any(floats):
        _refuse_rounded(name, np.where(floats, values, 0.0).astype(np.float64))
    if all(value == int(value) for value in values):
        whole = [int(value) for value in values]
        return np.array(whole, dtype=np.int64 if max(map(abs, whole)) < 2**63 else str)
    if name == "cluster":  # whatever else is equal is one of them
        places: dict[Any, int] = {}
        return np.array([places.setdefault(value, len(places)) for value in values])
    return values.astype(np.float64)


def _refuse_rounded(name: str, values: np.ndarray) -> None:
    what = f"{values.dtype} too large to be told from the next whole number (give integers or text)"
    _refuse(name, rounded(values), what, values)


def _decoded(value: object) -> object:
    return value.decode(errors="backslashreplace") if isinstance(value, bytes) else value


def _refuse(name: str, bad: npt.NDArray[np.bool_], what: str, values: np.ndarray | None = None) -> None:
    count = int(np.count_nonzero(bad))
    if count:
        verb = "is" if count == 1 else "are"
        remedy = ""
        if what.startswith("missing") or what in ("masked", "blank", *_ABSENT.values()):
            remedy = "; give each an id of its own" if name in ("cluster", "sample_id") else f"; {FILL_IN}"
        raise InvalidPredictions(
            f"{name}: {count} of {len(bad)} values {verb} {what}: {first_rows(bad, values)}{remedy}"
        )


def read_labels(name: str, values: Any) -> npt.NDArray[np.bool_]:
    """Return labels as a new array: what the caller does to his own changes nothing here."""
    array = _vector(name, values)
    if array.dtype.kind == "b":
        return array.copy()
    if array.dtype.kind not in "iuf":
        _refuse_words(name, array)
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


def _refuse_words(name: str, array: np.ndarray) -> NoReturn:
    """Say how labels in words become 0 and 1; which word is the positive class, only the user knows."""
    if not len(array):
        raise InvalidPredictions(f"{name}: 0 rows; there is nothing to evaluate")
    words = np.unique(array)
    seen = [repr(word) for word in (words.tolist() if array.dtype.kind in "US" else map(str, words))]
    raise InvalidPredictions(f"{name}: labels are not 0/1 or bool: {', '.join(seen[:4])}; {_which(name, seen)}")


def _which(name: str, classes: Sequence[str]) -> str:
    """Say how to name the positive class."""
    if len(classes) == 2 and name == "outcome":  # of a data set, which gives models 0 and 1
        ways = " or ".join(f"`outcome=np.asarray(outcome) == {each}`" for each in classes)
        return f"write {ways}, whichever is your positive class; `test.outcome` is then 0/1 and needs no positive="
    if len(classes) == 2:
        return f"say which class is the positive one: positive={classes[0]} or positive={classes[1]}"
    return f"give 0/1 or bool, for instance `np.asarray({name}) == {classes[-1]}` if that is your positive class"


def _refuse_labels(name: str, array: np.ndarray) -> NoReturn:
    """Say what is wrong with all of the labels."""
    if array.dtype.kind == "f":
        _refuse(name, np.isnan(array), "NaN")
    bad = (array != 0) & (array != 1)
    seen = ", ".join(f"{value:g}" for value in np.unique(array[bad])[:4].tolist())
    count = int(np.count_nonzero(bad))
    classes = np.unique(array[:_FEW_ROWS])
    which = _which(name, [f"{value:g}" for value in classes.tolist()]) if len(classes) == 2 else ""
    raise InvalidPredictions(
        f"{name}: labels are not binary: {count} of {len(array)} values are neither 0 nor 1 ({seen}): "
        f"{first_rows(bad)}{f'; {which}' if which else ''}"
    )


def read_scores(values: Any) -> npt.NDArray[np.floating[Any]]:
    """Return scores in [0, 1] in their own precision, in which they are compared with a threshold."""
    # A rounding past an end is that end: the float32 softmax of a certain model may be 1.0000001.
    array = _vector("y_score", values)
    if array.dtype.kind not in "biuf":
        raise InvalidPredictions(f"y_score: {_not_numeric(array)}; probabilities in [0, 1] are needed")
    score = array if array.dtype in (np.float16, np.float32, np.float64) else array.astype(np.float64)
    # NaN compares as false, whichever side it is on.
    if all(score[rows].min() >= 0.0 and score[rows].max() <= 1.0 for rows in chunks(len(score))):
        return score
    _refuse("y_score", np.isnan(score), "NaN")
    rounding = _ROUNDINGS * np.finfo(score.dtype).eps
    outside = (score < -rounding) | (score > 1.0 + rounding)
    if outside.any():
        far = (score < -_NEAR) | (score > 1.0 + _NEAR)
        why = (
            "give probabilities, not logits or margins" if far.any() else "by a rounding: write np.clip(y_score, 0, 1)"
        )
        _refuse("y_score", outside, f"outside [0, 1] ({why})", score)
    return np.asarray(np.clip(score, 0.0, 1.0))


def _not_numeric(array: np.ndarray) -> str:
    """Say what stands where numbers should: text by its first value, else the dtype."""
    if array.dtype.kind == "U" and len(array):
        return f"text ({array[0].item()!r} in row 0)"
    return f"dtype {array.dtype} is not numeric"


def decide(score: npt.NDArray[np.floating[Any]], threshold: float) -> npt.NDArray[np.bool_]:
    """Return ``score >= threshold``, as a model decides that computes in the precision of its scores."""
    limit = score.dtype.type(threshold)
    single = np.float32(threshold)
    if score.dtype == np.float64 and single < limit and (score == single).any() and (score == np.float32(score)).all():
        limit = single  # float32 scores that a list, a wider column or a file made float64 of
    return np.asarray(score >= limit)


def read_measures(name: str, values: Any, *, signed: bool) -> npt.NDArray[np.float64]:
    """Return one finite number a sample as a new array; 0 or more unless `signed`."""
    array = _vector(name, values)
    if array.dtype.kind not in "biuf":
        raise InvalidPredictions(f"{name}: {_not_numeric(array)}; one number a sample is needed")
    measures = array.astype(np.float64)
    _refuse(name, ~np.isfinite(measures), "NaN or infinite", measures)
    if not signed:
        _refuse(name, measures < 0.0, "negative", measures)
    return measures


def read_clusters(values: Any) -> npt.NDArray[np.int64]:
    """Return the cluster of each sample as a whole number from 0 on, in order of appearance; ids are of any kind."""
    # The order in which clusters are added up must not hang on what they are called: no digit of a result does.
    column = column_of("cluster", values)
    if isinstance(column, nw.Series) and column.implementation.is_pandas() and column.dtype == nw.String:
        native = column.to_native()
        if factorizing_pandas() is not None and native.dtype != object and not column.null_count():
            codes, names = native.factorize()  # by pandas, without a Python object a row
            return _read_named(codes, np.asarray(names, dtype=object))
    array = _vector("cluster", values)
    if array.dtype.kind in "OUS":
        return _read_named(*_factorized(array))
    if (low := _lowest_of_few(array)) is not None:
        return _in_order_of_appearance(array, low)
    _refuse_rounded("cluster", array)
    names, first, cluster = np.unique(array, return_index=True, return_inverse=True)
    absent = are_missing(names)
    if absent.any():
        _refuse("cluster", absent[cluster], _ABSENT.get(array.dtype.kind, "blank"))
    place = np.empty(len(names), dtype=np.int64)
    place[np.argsort(first)] = np.arange(len(names))
    return np.asarray(place[cluster], dtype=np.int64)


def _factorized(array: np.ndarray) -> tuple[npt.NDArray[np.integer[Any]], np.ndarray]:
    """Return the place of text, or bytes, in order of appearance, and what each place stands for."""
    if (pandas := factorizing_pandas()) is not None:
        codes, names = pandas.factorize(array.astype(object, copy=False))
        return codes, np.asarray(names)
    cells = array.tolist()
    places = {name: place for place, name in enumerate(dict.fromkeys(cells))}
    codes = np.fromiter(map(places.__getitem__, cells), dtype=np.int64, count=len(cells))
    return codes, np.array(list(places), dtype=object)


def _read_named(codes: npt.NDArray[np.integer[Any]], values: np.ndarray) -> npt.NDArray[np.int64]:
    """Return the clusters of names, of which each is looked at once."""
    cluster, names = np.asarray(codes, dtype=np.int64), values.tolist()
    if set(map(type, names)) - {str}:
        names = [str(_decoded(name)) for name in names]
    if "\0" in "".join(names):
        _refuse("cluster", np.array(["\0" in name for name in names])[cluster], _NUL)
    if not all(map(str.strip, names)):
        _refuse("cluster", np.array([not name.strip() for name in names])[cluster], "blank")
    _refuse_names("cluster", names, lambda position: cluster == position)
    return cluster


def _lowest_of_few(array: np.ndarray) -> int | None:
    """Return the lowest of whole numbers of which there are few beside the samples; None for all others."""
    if array.dtype.kind not in "iu" or not len(array):
        return None
    low, high = int(array.min()), int(array.max())
    return low if high - low < max(_SPAN * len(array), _FEW_ROWS) and high < 2**63 else None


def _in_order_of_appearance(array: np.ndarray, low: int) -> npt.NDArray[np.int64]:
    """Return the place of whole numbers in the order in which they are met; the lowest is given."""
    key = array.astype(np.int64) - low
    first = np.full(int(key.max()) + 1, len(key), dtype=np.int64)
    first[key[::-1]] = np.arange(len(key))[::-1]  # of equal ones the first row is written last
    met = np.flatnonzero(first < len(key))
    place = np.empty(len(first), dtype=np.int64)
    place[met[np.argsort(first[met])]] = np.arange(len(met))
    return place[key]


def read_ids(values: Any) -> npt.NDArray[np.str_]:
    """Return the id of each sample as text, a new array; whole numbers and text are taken."""
    array = _vector("sample_id", values)
    if array.dtype.kind not in "iuSUO":
        hint = "; whole numbers turn into floats beside a missing value" if array.dtype.kind == "f" else ""
        raise InvalidPredictions(f"sample_id: dtype {array.dtype}; whole numbers or text are needed{hint}")
    if array.dtype.kind in "iu":
        return _read_numbered(array)
    ids: list[str] = [str(_decoded(name)) for name in array.tolist()] if array.dtype.kind == "S" else array.tolist()
    if not all(map(str.strip, ids)):
        _refuse("sample_id", np.array([not name.strip() for name in ids], dtype=bool), "blank")
    if len(set(ids)) < len(ids):
        _refuse_twice(ids)
    _refuse_names("sample_id", ids, lambda position: np.arange(len(ids)) == position)
    return np.array(ids, dtype=str)


def _read_numbered(array: np.ndarray) -> npt.NDArray[np.str_]:
    """Return whole numbers as text, no two the same."""
    low = _lowest_of_few(array)
    if low is None:
        ordered = np.sort(array)
        twice = bool((ordered[1:] == ordered[:-1]).any())
    else:
        twice = int(np.bincount(array.astype(np.int64) - low).max()) > 1
    if twice:
        _refuse_twice(array.astype(str).tolist())
    width = max(len(str(int(end))) for end in (array.min(), array.max())) if len(array) else 1
    return array.astype(f"<U{width}")


def _refuse_twice(ids: Sequence[str]) -> NoReturn:
    first: dict[str, int] = {}
    row = next(row for row, name in enumerate(ids) if first.setdefault(name, row) != row)
    raise InvalidPredictions(
        f"sample_id: rows {first[ids[row]]} and {row} have the same; each sample needs an id of its own (a patient "
        "with several samples is a cluster)"
    )


def _refuse_names(name: str, ids: Sequence[str], rows: Callable[[int], npt.NDArray[np.bool_]]) -> None:
    """Refuse ids that mean that there is none, and two that differ in nothing that a reader would see."""
    for text in sorted(MISSING_TEXT.intersection(ids)):  # of such a cluster would be every sample without an id
        what = f"the text {text!r}, which means a missing value (give each an id of its own)"
        _refuse(name, rows(ids.index(text)), what)
    if not "".join(ids).isascii():
        _refuse_same(name, ids, rows, clean, "how Unicode writes the same characters, or blanks; write both the same")
        _refuse_same(name, ids, rows, seen, "characters that are not seen; remove these")
    if any(map(operator.is_not, ids, map(str.strip, ids))):  # text that has no blanks there is returned as it is
        _refuse_same(name, ids, rows, str.strip, "the blanks around them; strip them")


def _refuse_same(
    name: str,
    ids: Sequence[str],
    rows: Callable[[int], npt.NDArray[np.bool_]],
    kept: Callable[[str], str],
    what: str,
) -> None:
    """Refuse ids of which the same is kept."""
    first: dict[str, int] = {}
    for position, text in enumerate(ids):
        before = first.setdefault(kept(text), position)
        if before != position:
            one, other = sorted(int(np.argmax(rows(at))) for at in (before, position))
            raise InvalidPredictions(f"{name}: the ids of rows {one} and {other} differ only in {what}")
