"""Labels and decisions -> which of them are positive; which class that is, only the user knows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from fairness_checks.errors import InvalidPredictions, attempted, did_you_mean
from fairness_checks.inputs.encoding import recode
from fairness_checks.inputs.group_names import means_missing, refuse_look_alikes
from fairness_checks.inputs.sensitive import are_missing, code_column, first_rows
from fairness_checks.inputs.value_names import value_name
from fairness_checks.inputs.vectors import FILL_IN, read_labels

__all__ = ["class_kind", "class_name", "code_classes", "find_class", "read_classes", "refuse_unplain"]

PLAIN = "1"
"""Name of the positive class of labels that are 0/1 or bool."""

Labels = npt.NDArray[np.bool_]


def read_classes(given: Mapping[str, Any], positive: Any) -> tuple[dict[str, Labels], str]:
    """Return which samples are positive, by array, and the name of the positive class."""
    # A `positive` of None takes 0/1 or bool, and means 1 or True.
    if positive is None:
        try:
            return {name: read_labels(name, values) for name, values in given.items()}, PLAIN
        except InvalidPredictions:
            kinds = attempted(lambda: {name: code_classes(name, values)[1] for name, values in given.items()})
            if isinstance(kinds, dict):  # else the first error says it
                _refuse_kinds(kinds)
            raise
    codings = {name: code_classes(name, values) for name, values in given.items()}
    classes = {name: values for name, (_, values) in codings.items()}
    met = _distinct(value for values in classes.values() for value in values)
    if not met:  # 0 rows, of which the caller says so
        return {name: np.zeros(0, dtype=bool) for name in given}, class_name(_plain(positive))
    if _are_plain(met):
        if not _are_plain([_plain(positive)]):
            raise InvalidPredictions(
                f"positive: {positive!r} is not among the classes of {' and '.join(given)}, which are 0 and 1; "
                f"{_meant(positive, (0, 1))}"
            )
        chosen, met = int(positive), [0, 1]
    else:
        _refuse_kinds(classes)
        _refuse_names(codings)
        _refuse_more(classes, met)
        chosen = find_class(positive, met, " and ".join(given))
    found = {
        name: recode(codes, np.array([*(value == chosen for value in values), False]), np.dtype(bool))
        for name, (codes, values) in codings.items()
    }
    return found, class_name(chosen)


def class_name(value: Any) -> str:
    """Return a class as reports call it: 1.0 and True are 1."""
    return str(int(value)) if isinstance(value, bool) else value_name(value)


def find_class(positive: Any, classes: Sequence[Any], where: str) -> Any:
    """Return the class that is meant; raise InvalidPredictions, with the nearest, where it is none of them."""
    # A number is not the text of it, nor True the 1 of classes 1 and 2: what looks alike may be coded otherwise.
    meant = _plain(positive)
    plain = _are_plain(classes)
    for value in classes:
        if value == meant and (plain or class_kind(value) == class_kind(meant)):
            return value
    if len(classes) == 1 and not _alike(meant, classes):
        raise InvalidPredictions(
            f"positive: {positive!r} is nowhere in {where}: all are {_listed(classes)}; were the others lost in a "
            f"join or a filter, or are they written otherwise? Where there are none, give 0 and 1"
        )
    raise InvalidPredictions(
        f"positive: {positive!r} is not among the classes of {where}: {_listed(classes)}; {_meant(positive, classes)}"
    )


def refuse_unplain(classes: Sequence[Any], where: str) -> None:
    """Raise InvalidPredictions where it is a guess which of two classes is the positive one."""
    if not _are_plain(classes):
        choices = " or ".join(f"positive={value!r}" for value in classes)
        raise InvalidPredictions(
            f"positive: not given, and the classes of {where} are {_listed(classes)}; say which is the positive one: "
            f"{choices}"
        )


def code_classes(name: str, values: Any) -> tuple[npt.NDArray[Any], list[Any]]:
    """Return the position of each sample's class, and the classes as Python has them; refuse missing values."""
    coding = code_column(name, values)
    missing = are_missing(coding.values)
    absent = np.append(missing, True)[coding.codes] if missing.any() or (coding.codes < 0).any() else None
    if absent is not None:
        count = int(absent.sum())
        verb = "is" if count == 1 else "are"
        raise InvalidPredictions(
            f"{name}: {count} of {len(absent)} values {verb} missing (None, NaN or blank): {first_rows(absent)}; "
            f"{FILL_IN}"
        )
    return coding.codes, [_plain(value) for value in coding.values.tolist()]


def _plain(value: Any) -> Any:
    """Return a class as Python has it, so that equal ones of different libraries are equal."""
    if isinstance(value, np.generic):
        value = value.item()
    return value.decode(errors="backslashreplace") if isinstance(value, bytes) else value


def _distinct(values: Iterable[Any]) -> list[Any]:
    met: list[Any] = []
    for value in values:
        if value not in met:
            met.append(value)
        if len(met) > _MOST_LISTED:
            break
    return met


_MOST_LISTED = 5


def _are_plain(classes: Iterable[Any]) -> bool:
    """Say whether all classes are 0, 1, False or True."""
    return all(class_kind(value) in ("bool", "numbers") and value in (0, 1) for value in classes)


def class_kind(value: Any) -> str:
    """Return what a class is: 1 and True are equal, and need not mean the same."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, str):
        return "text"
    return "numbers" if hasattr(value, "__float__") else type(value).__name__


def _refuse_kinds(classes: Mapping[str, Sequence[Any]]) -> None:
    """Refuse text beside numbers: whether 1 is "ill", nobody said."""
    kinds = {name: sorted({class_kind(value) for value in values}) for name, values in classes.items()}
    if len({kind for each in kinds.values() for kind in each}) > 1:
        seen = ", ".join(
            f"{name} holds {' and '.join(each)} ({_listed(classes[name])})" for name, each in kinds.items()
        )
        raise InvalidPredictions(f"{seen}; give them as the same two classes")


def _refuse_names(codings: Mapping[str, tuple[npt.NDArray[Any], Sequence[Any]]]) -> None:
    """Refuse classes that mean a missing label, and those that no reader could tell apart."""
    names, places = [], []
    for where, (codes, values) in codings.items():
        for position, value in enumerate(values):
            text = class_name(value)
            if isinstance(value, str) and means_missing(value):
                raise InvalidPredictions(
                    f"{where}: the text {value!r} means a missing value: {first_rows(codes == position)}; leave these "
                    "samples out, or give the class another name"
                )
            if text not in names:
                names.append(text)
                places.append((codes, position))
    refuse_look_alikes(" and ".join(codings), names, lambda at: int(np.argmax(places[at][0] == places[at][1])))


def _refuse_more(classes: Mapping[str, Sequence[Any]], met: Sequence[Any]) -> None:
    if len(met) > 2:
        raise InvalidPredictions(
            f"{' and '.join(classes)}: more than two classes: {_listed(met)}; a binary question is needed: "
            f"say what is positive yourself, for instance `np.asarray(y_true) == {met[0]!r}`, and likewise for y_pred"
        )


def _listed(classes: Sequence[Any]) -> str:
    """List classes, the first few of many."""
    shown = ", ".join(repr(value) for value in classes[:_MOST_LISTED])
    return f"{shown}, ..." if len(classes) > _MOST_LISTED else shown


def _meant(positive: Any, classes: Iterable[Any]) -> str:
    """Return the nearest class as it is written, or all of them."""
    classes = list(classes)
    if same := _alike(positive, classes):
        return f"did you mean {same[0]!r}?"
    return did_you_mean(str(positive), map(str, classes))


def _alike(positive: Any, classes: Iterable[Any]) -> list[Any]:
    """Return the classes that differ from a value in blanks and letter case alone."""
    return [value for value in classes if str(value).strip().casefold() == str(positive).strip().casefold()]
