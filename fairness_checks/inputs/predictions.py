"""The only input of an evaluation: what a model said about each sample, and to which groups the sample belongs."""

from __future__ import annotations

import numbers
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any, Self, TypeVar

import numpy as np
import numpy.typing as npt
from scipy import special

from fairness_checks.errors import ConfigurationError, InvalidPredictions, did_you_mean
from fairness_checks.inputs.about import read_about
from fairness_checks.inputs.alignment import RowLabels, naming_labels, require_aligned
from fairness_checks.inputs.classes import read_classes
from fairness_checks.inputs.engine import COLLECT, MOST_COLLECTED, TOTAL, Engine, open_engine
from fairness_checks.inputs.frames import answering, is_lazy, read_columns, read_few, refuse_arrays
from fairness_checks.inputs.parquet_files import ParquetFiles, open_parquet
from fairness_checks.inputs.parquet_paths import Paths
from fairness_checks.inputs.sensitive import UNNAMED, SensitiveFeature, encode_features
from fairness_checks.inputs.source import ARRAYS, ROLES
from fairness_checks.inputs.vectors import decide, frozen, read_clusters, read_ids, read_measures, read_scores
from fairness_checks.typing import Array, Decisions, ImageScaling

__all__ = ["FACTS", "LazyPredictions", "Predictions", "like"]


FACTS = ("positive", "decided_by", "threshold", "scaling")
"""What the arrays of `Predictions` mean."""

Labels = npt.NDArray[np.bool_]
_Scalar = TypeVar("_Scalar", bound=np.generic)
_Found = TypeVar("_Found")


class Predictions:
    """A model's predictions for n held-out samples, checked and ready to be evaluated by group.

    A binary classifier gives `y_true` with `y_pred`, `y_score` or both; any other model gives the `error` of each
    sample. Both may be given. Arrays are taken by position; those that carry row labels, such as pandas' index, must
    have equal ones. A lazy frame goes in whole: `from_frame`.

    Parameters
    ----------
    y_true : array_like of {0, 1} or bool, shape (n,), optional
        What happened; 1 is the positive class. With `positive`, any two classes.
    y_pred : array_like of {0, 1} or bool, shape (n,), optional
        What the model decided; with `positive`, the same two classes. Default: ``y_score >= threshold``.
    y_score : array_like of float in [0, 1], shape (n,), optional
        Probability of the positive class. A rounding past 0 or 1, of a few units in the last place, is clipped.
    error : array_like of float, shape (n,), optional
        Error of each sample, in any unit: a reconstruction error, or a residual with its sign.
    uncertainty : array_like of float, shape (n,), optional
        The model's own uncertainty about each sample, 0 or more; higher means less certain. Default for a classifier
        with scores: the entropy of the score in nats.
    cluster : array_like, shape (n,), optional
        Which samples belong together (the patient of each image): only clusters are independent evidence.
    sample_id : array_like of int or text, shape (n,), optional
        A name for each sample, none missing and none twice, by which a later run finds it again and compares its
        outcome with that of the baseline. Kept as text.
    sensitive_features : frame, mapping of str to array_like, series or array_like
        One row a sample; any frame that narwhals reads (pandas, polars, pyarrow, ...), but for lazy ones. A single
        array without a name is called "sensitive_feature".
    positive : object, optional
        The positive class, where `y_true` and `y_pred` are not 0/1 or bool (text, 1/2, -1/1), or where it is the 0.
    threshold : float, optional
        From which score on a decision is positive, in [0, 1], compared in the precision of the scores; default 0.5.
        Not beside `y_pred`.
    about : mapping of str to str, optional
        What the model and its data are, such as ``{"data": "synthetic"}``: kept with every record, shown in every
        report. Names are small letters, digits and underscores.

    Raises
    ------
    InvalidPredictions
        If lengths or row labels differ, a frame is lazy, labels are not binary, which class is positive is a guess,
        anything is missing, an id is there twice, or scores or the threshold lie outside [0, 1]; the message names the
        array, the number of rows and the first bad ones. Missing sensitive values are kept: whether they are an error
        or a group is the check's setting.

    Examples
    --------
    >>> Predictions([0, 1, 1, 0], [0, 1, 0, 1], sensitive_features={"sex": ["f", "f", "m", "m"]})
    Predictions(4 samples, sensitive features: sex (f, m))
    """

    __slots__ = (
        *("about", "cluster", "error", "sample_id", "sensitive_features", "uncertainty"),
        *("decided_by", "positive", "row_labels", "scaling", "threshold"),
        *("y_pred", "y_score", "y_true"),
    )

    y_true: Labels | None
    y_pred: Labels | None
    y_score: Array | None
    error: Array | None
    uncertainty: Array | None
    cluster: npt.NDArray[np.int64] | None
    sample_id: npt.NDArray[np.str_] | None
    sensitive_features: Mapping[str, SensitiveFeature]
    about: Mapping[str, str]
    row_labels: RowLabels | None
    positive: str | None
    decided_by: Decisions | None
    threshold: float | None
    scaling: ImageScaling | None

    def __init__(
        self,
        y_true: Any = None,
        y_pred: Any = None,
        y_score: Any = None,
        *,
        error: Any = None,
        uncertainty: Any = None,
        cluster: Any = None,
        sample_id: Any = None,
        sensitive_features: Any,
        positive: Any = None,
        threshold: float | None = None,
        about: Mapping[str, str] | None = None,
    ) -> None:
        _refuse_halves(y_true, y_pred, y_score, error, positive)
        limit = _threshold(threshold, y_pred, y_score)
        given = dict(zip(ROLES, (y_true, y_pred, y_score, error, uncertainty, cluster, sample_id), strict=True))
        rows = require_aligned(given | {"sensitive_features": sensitive_features})
        there = {name: values for name, values in given.items() if values is not None}
        with naming_labels(rows):
            arrays, class_name = _read_arrays(there, positive, limit)
            features = encode_features(sensitive_features)
            _refuse_other_lengths({name: array for name, array in arrays.items() if name in there}, features)
        decided: Decisions | None = None if limit is None else "threshold"
        said = {
            "sensitive_features": MappingProxyType(features),
            "about": MappingProxyType(read_about(about)),
            "row_labels": rows,
            "positive": None if y_true is None else class_name,
            "decided_by": decided if y_pred is None else "given",
            "threshold": limit,
            "scaling": None,  # an adapter of images knows it
        }
        for name, value in (dict.fromkeys(ROLES) | arrays | said).items():
            object.__setattr__(self, name, value)

    @classmethod
    def from_frame(
        cls,
        frame: Any,
        *,
        y_true: str | None = None,
        y_pred: str | None = None,
        y_score: str | None = None,
        error: str | None = None,
        uncertainty: str | None = None,
        by: str | Sequence[str],
        cluster: str | None = None,
        sample_id: str | None = None,
        positive: Any = None,
        threshold: float | None = None,
        about: Mapping[str, str] | None = None,
        collect: bool | None = None,
        accepted: Any = None,
    ) -> Predictions:
        """Take everything from one table, which may be lazy: only the columns that are named are read.

        A lazy table of up to 1,000,000 rows is collected, and is then as any other. The rows of a larger one stay in
        its engine, which is asked for counts and sums: `LazyPredictions`.

        Parameters
        ----------
        frame : frame
            One row a sample; any frame that narwhals reads (pandas, polars, pyarrow, a DuckDB relation, ...), eager
            or lazy.
        y_true, y_pred, y_score, error, uncertainty, cluster, sample_id : str, optional
            Names of columns; what they hold is said above.
        by : str or sequence of str
            Names of the columns that are sensitive features.
        positive, threshold, about
            As above.
        collect : bool, optional
            Whether the rows of a lazy frame are to be in memory. Default: where there are at most 1,000,000, and
            `accepted` is not given.
        accepted : frame, optional
            The table, with the same columns, from which the baseline was written, in the same engine: what the
            accepted model said of the samples, which are found in it by their `sample_id`. In memory that is not
            needed: the baseline keeps it.

        Raises
        ------
        InvalidPredictions
            As above; or if a column is not in the frame, or the frame fails while it is collected.

        Examples
        --------
        >>> import polars as pl
        >>> visits = pl.LazyFrame({"died": [0, 1, 1, 0], "p": [0.1, 0.7, 0.4, 0.2], "sex": ["f", "f", "m", "m"]})
        >>> Predictions.from_frame(visits, y_true="died", y_score="p", by=["sex"])
        Predictions(4 samples, sensitive features: sex (f, m))
        """
        given = dict(zip(ROLES, (y_true, y_pred, y_score, error, uncertainty, cluster, sample_id), strict=True))
        facts = {"positive": positive, "threshold": threshold, "about": about}
        return cls._from_table(frame, given, by, facts, collect, accepted=accepted)

    @classmethod
    def from_parquet(
        cls,
        path: Paths,
        *,
        y_true: str | None = None,
        y_pred: str | None = None,
        y_score: str | None = None,
        error: str | None = None,
        uncertainty: str | None = None,
        by: str | Sequence[str],
        cluster: str | None = None,
        sample_id: str | None = None,
        positive: Any = None,
        threshold: float | None = None,
        about: Mapping[str, str] | None = None,
        collect: bool | None = None,
        accepted: Paths | None = None,
    ) -> Predictions:
        """Take everything from Parquet files, which DuckDB reads (extra `scale`) as one lazy table.

        Parameters
        ----------
        path : path, or sequence of paths
            A file, a pattern such as ``"visits/*.parquet"``, a folder with all that lies below it, or several of
            these. Columns are joined by name; folders such as ``site=a`` below it are columns. A column that is named
            below must be in every file, of one type. Patterns and folders leave out what begins with "_" or ".".
        y_true, y_pred, y_score, error, uncertainty, by, cluster, sample_id, positive, threshold, about, collect
            As for `from_frame`.
        accepted : path, or sequence of paths, optional
            The files from which the baseline was written; see `from_frame`.

        Raises
        ------
        InvalidPredictions
            As above; naming the file and the column where a file is missing, cut off, or unlike the others, or was
            replaced while it was read.
        MissingExtra
            If DuckDB is not installed.
        """
        given = dict(zip(ROLES, (y_true, y_pred, y_score, error, uncertainty, cluster, sample_id), strict=True))
        features = [by] if isinstance(by, str) else list(by)
        wanted = [*(name for name in given.values() if name is not None), *features]
        files = open_parquet(path, wanted)
        before = None if accepted is None else open_parquet(accepted, wanted, files.connection)
        facts = {"positive": positive, "threshold": threshold, "about": about}
        try:
            found = cls._from_table(files.frame, given, by, facts, collect, files, accepted=before)
        except InvalidPredictions as problem:
            said = str(problem)
            raise InvalidPredictions(said if said.startswith("accepted:") else files.located(said)) from problem
        files.check()
        return found

    @classmethod
    def _from_table(
        cls,
        frame: Any,
        given: Mapping[str, str | None],
        by: str | Sequence[str],
        facts: Mapping[str, Any],
        collect: bool | None,
        files: ParquetFiles | None = None,
        *,
        accepted: Any = None,
    ) -> Predictions:
        features = [by] if isinstance(by, str | int) else by
        several = isinstance(features, list | tuple)
        places = {f"by[{place}]": name for place, name in enumerate(features)} if several else {}
        roles = {role: name for role, name in given.items() if name is not None}
        refuse_arrays(roles | places)
        if not places or len(set(features)) < len(features):
            shown = f"a {type(by).__name__}" if hasattr(by, "__array__") else repr(by)
            raise InvalidPredictions(
                f"by: {shown} must be the name of a column, or a list of one or more different names"
            )
        _refuse_one_column(roles)
        if accepted is not None and (collect or not is_lazy(frame)):
            raise InvalidPredictions(
                "accepted: is for rows that stay in their engine; of rows in memory the baseline keeps what was said "
                "of each sample_id: leave it out, or give a lazy frame, without collect=True"
            )
        if accepted is None and (collect is not False or not is_lazy(frame)):
            try:
                columns = (
                    read_few(frame, roles | places, MOST_COLLECTED)
                    if collect is None
                    else read_columns(frame, roles | places)
                )
                if columns is not None:
                    arrays: dict[str, Any] = {role: columns[name] for role, name in roles.items()}
                    return cls(**arrays, sensitive_features={name: columns[name] for name in features}, **facts)
            except InvalidPredictions:
                if files is not None:  # their engine says in which file, and of which column
                    own = {role: name for role, name in roles.items() if role != "sample_id"}
                    LazyPredictions(frame, own, tuple(features), **facts, files=files)
                raise
        if ("sample_id" in roles) != (accepted is not None):
            raise InvalidPredictions(
                "sample_id: finds samples in the table from which the baseline was written, which is not given; give "
                f"it by accepted= (for a first baseline the same table), leave sample_id out, or {COLLECT}"
                if accepted is None
                else "accepted: its samples are found by their ids, which are not given; name the column: sample_id="
            )
        before = None
        if accepted is not None:
            others = accepted if isinstance(accepted, ParquetFiles) else None
            try:
                table = accepted if others is None else others.frame
                before = LazyPredictions(table, roles, tuple(features), **facts, files=others)
            except InvalidPredictions as error:
                said = str(error) if others is None else others.located(str(error))
                raise InvalidPredictions(f"accepted: {said}") from error
        found = LazyPredictions(frame, roles, tuple(features), **facts, files=files, accepted=before)
        engines = [each.engine.frame.implementation for each in (found, before) if each is not None]
        if before is not None and len(set(engines)) > 1:
            raise InvalidPredictions(
                f"accepted: {before.engine.source}: cannot be joined with {found.engine.source}; give both of "
                "one engine"
            )
        return found

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"Predictions is immutable; make a new one to change {name}")

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce__(self) -> tuple[Callable[[dict[str, Any]], Predictions], tuple[dict[str, Any]]]:
        parts = {name: getattr(self, name) for name in self.__slots__}
        return _unpickled, ({n: dict(part) if isinstance(part, Mapping) else part for n, part in parts.items()},)

    def __len__(self) -> int:
        return len(next(iter(self.sensitive_features.values())).codes)

    def __repr__(self) -> str:
        features = ", ".join(f"{f.name} ({', '.join(f.groups)})" for f in self.sensitive_features.values())
        return f"Predictions({len(self)} samples, sensitive features: {features})"

    def feature(self, name: str) -> SensitiveFeature:
        """Return one sensitive feature; raise ConfigurationError with the nearest name if there is none."""
        if name not in self.sensitive_features:
            remedy = (
                f"what was given has no name: write `sensitive_features={{{name!r}: values}}`"
                if UNNAMED in self.sensitive_features
                else did_you_mean(name, self.sensitive_features)
            )
            raise ConfigurationError(f"sensitive feature {name!r} is not in the predictions; {remedy}")
        return self.sensitive_features[name]

    def labels(self) -> Labels:
        """Return `y_true`; raise InvalidPredictions if it was not given, as the next four do for theirs."""
        return _given("y_true", self.y_true, "the metric compares decisions or scores with labels")

    def decisions(self) -> Labels:
        """Return `y_pred`, given or by the threshold."""
        return _given("y_pred", self.y_pred, "the metric needs decisions")

    def scores(self) -> Array:
        """Return `y_score`."""
        return _given("y_score", self.y_score, "the metric needs the probability of the positive class")

    def errors(self) -> Array:
        """Return `error`."""
        return _given("error", self.error, "the metric needs the error of each sample")

    def uncertainties(self) -> Array:
        """Return `uncertainty`, or the entropy of the score in nats, shape (n,)."""
        if self.uncertainty is None and self.y_score is not None:
            return np.asarray(special.entr(self.y_score) + special.entr(1.0 - self.y_score))
        return _given("uncertainty", self.uncertainty, "give it, or y_score, whose entropy is then taken")

    def ranked_errors(self) -> Array:
        """Return what uncertainty should warn of, shape (n,), 0 or more.

        The absolute `error` where it was given; else ``|y_true - y_score|``, which ranks samples as their Brier score
        and their log loss do; else 1 for a wrong decision.
        """
        if self.error is not None:
            return np.abs(self.error)
        if self.y_score is not None:
            return np.asarray(np.abs(self.labels() - self.y_score))
        return np.asarray(self.labels() != self.decisions(), dtype=np.float64)


class LazyPredictions(Predictions):
    """Predictions whose rows stay in their engine, which is asked for counts and sums; see `Predictions.from_frame`.

    It is judged as any other: by `audit`, as what a model fixture returns, under `source:`. What needs the rows
    themselves, such as a metric of your own, is an error that says so.
    """

    __slots__ = ("accepted", "cells", "engine", "kept", "totals")

    engine: Engine
    accepted: LazyPredictions | None
    """The table from which the baseline was written."""
    cells: Predictions
    """Labels, decisions and features of each combination that there is, one row each; its features have `counts`."""
    totals: Mapping[str, npt.NDArray[np.float64]]
    """Sums of scores, errors and uncertainties of each combination, by which it is seen that they have changed."""
    kept: dict[str, Any]
    """Answers, so that nothing is asked for twice."""

    def __init__(
        self,
        frame: Any,
        roles: Mapping[str, str],
        features: Sequence[str],
        *,
        positive: Any = None,
        threshold: float | None = None,
        about: Mapping[str, str] | None = None,
        files: ParquetFiles | None = None,
        accepted: LazyPredictions | None = None,
    ) -> None:
        there: dict[str, Any] = dict.fromkeys(ROLES) | dict(roles)
        _refuse_halves(there["y_true"], there["y_pred"], there["y_score"], there["error"], positive)
        limit = _threshold(threshold, there["y_pred"], there["y_score"])
        engine = open_engine(frame, roles, features, positive, limit, **({} if files is None else files.as_engine))
        decided: Decisions | None = None if limit is None else "threshold"
        said: dict[str, Any] = {
            "about": MappingProxyType(read_about(about)),
            "row_labels": None,
            "positive": None if there["y_true"] is None else engine.positive,
            "decided_by": decided if there["y_pred"] is None else "given",
            "threshold": limit,
            "scaling": None,
        }
        cells, totals = _cells(engine, said)
        said |= {"sensitive_features": cells.sensitive_features, "cells": cells, "engine": engine}
        said |= {"kept": {}, "totals": totals, "accepted": accepted}
        for name, value in said.items():
            object.__setattr__(self, name, value)

    def __getattribute__(self, name: str) -> Any:
        if name in ROLES:
            engine: Engine = object.__getattribute__(self, "engine")
            if name in engine.given:
                raise InvalidPredictions(f"{name}: its rows stay in their engine ({engine.source}); {COLLECT}")
            return None
        return object.__getattribute__(self, name)

    def __len__(self) -> int:
        return self.engine.rows

    def __repr__(self) -> str:
        return f"Lazy{super().__repr__()}"

    def __reduce__(self) -> Any:
        raise TypeError("predictions in an engine cannot be pickled: their connection is of this process")

    def asked(self, key: str, query: Callable[[Engine], _Found]) -> _Found:
        """Return what a query finds, which is run once."""
        if key not in self.kept:
            with answering(self.engine.source):
                self.kept[key] = query(self.engine)
        found: _Found = self.kept[key]
        return found


def like(current: Predictions, **parts: Any) -> Predictions:
    """Return predictions with some parts replaced by ones that need no checking."""
    made = object.__new__(Predictions)
    for name in Predictions.__slots__:
        value = parts.get(name, getattr(current, name))
        if isinstance(value, np.ndarray):
            value.flags.writeable = False
        object.__setattr__(made, name, value)
    return made


def _cells(engine: Engine, said: Mapping[str, Any]) -> tuple[Predictions, Mapping[str, npt.NDArray[np.float64]]]:
    """Return the combinations of features, label and decision that there are, in an order of their own, and sums."""
    found = engine.counted
    counts = found.whole("n")
    features = found.coded()
    outcomes = {name: found.whole(name) for name in engine.outcomes}
    order = np.lexsort([counts, *outcomes.values(), *(feature.codes for feature in features.values())])
    coded = {
        name: SensitiveFeature(name, frozen(feature.codes[order]), feature.groups, frozen(counts[order]))
        for name, feature in features.items()
    }
    arrays: dict[str, Any] = dict.fromkeys(ROLES) | {
        role: frozen(outcomes[name][order].astype(bool))
        for role, name in (("y_true", "label"), ("y_pred", "decided"))
        if name in outcomes
    }
    cells = object.__new__(Predictions)
    for name, value in (dict(said) | arrays | {"sensitive_features": MappingProxyType(coded)}).items():
        object.__setattr__(cells, name, value)
    return cells, {name: found.real(name)[order] for name in found.table.columns if name.startswith(TOTAL)}


def _unpickled(parts: dict[str, Any]) -> Predictions:
    """Return predictions as they were: neither arrays nor mappings can be written to."""
    for feature in parts["sensitive_features"].values():
        feature.codes.flags.writeable = False
    made = object.__new__(Predictions)
    for name, part in parts.items():
        if isinstance(part, np.ndarray):
            part.flags.writeable = False
        object.__setattr__(made, name, MappingProxyType(part) if isinstance(part, dict) else part)
    return made


def _read_arrays(
    given: Mapping[str, Any], positive: Any, limit: float | None
) -> tuple[dict[str, npt.NDArray[Any]], str]:
    """Return what was given as arrays of their own kinds, decisions by `limit` too, and the positive class's name."""
    classes = {name: given[name] for name in ("y_true", "y_pred") if name in given}
    labels, class_name = read_classes(classes, positive)
    arrays: dict[str, npt.NDArray[Any]] = {**labels}
    if "y_score" in given:
        score = read_scores(given["y_score"])
        arrays["y_score"] = score.astype(np.float64)
        if limit is not None:
            arrays["y_pred"] = decide(score, limit)
    readers: dict[str, Callable[[Any], npt.NDArray[Any]]] = {
        "error": partial(read_measures, "error", signed=True),
        "uncertainty": partial(read_measures, "uncertainty", signed=False),
        "cluster": read_clusters,
        "sample_id": read_ids,
    }
    arrays |= {name: read(given[name]) for name, read in readers.items() if name in given}
    return {name: frozen(array) for name, array in arrays.items()}, class_name


def _refuse_other_lengths(arrays: Mapping[str, npt.NDArray[Any]], features: Mapping[str, SensitiveFeature]) -> None:
    """Refuse arrays and features that have not one number of rows, or none."""
    lengths = {name: len(arrays[name]) for name in ROLES if name in arrays}
    lengths |= {f"sensitive_features[{name!r}]": len(feature.codes) for name, feature in features.items()}
    if len(set(lengths.values())) > 1:
        hint = "; sensitive_features holds values, not names of columns" if UNNAMED in features else ""
        raise InvalidPredictions(f"lengths differ: {', '.join(f'{k} {n}' for k, n in lengths.items())}{hint}")
    if not next(iter(lengths.values())):
        first = "y_true" if "y_true" in arrays else "error"
        raise InvalidPredictions(f"{first}: 0 rows; there is nothing to evaluate")


def _refuse_halves(y_true: Any, y_pred: Any, y_score: Any, error: Any, positive: Any) -> None:
    """Refuse labels without predictions, and predictions without labels."""
    if y_true is not None and y_pred is None and y_score is None and error is None:
        raise InvalidPredictions("y_pred: give y_pred, y_score or both")
    if y_true is None and positive is not None:
        raise InvalidPredictions("positive: given without y_true, of whose classes it is one")
    if y_true is None and (error is None or y_pred is not None):
        raise InvalidPredictions("y_true: give it with y_pred or y_score, or give the error of each sample")


def _threshold(threshold: object, y_pred: Any, y_score: Any) -> float | None:
    """Return the threshold that decides; None where decisions are given, or there is nothing to decide by."""
    if threshold is None:
        return 0.5 if y_pred is None and y_score is not None else None
    if isinstance(threshold, bool) or not isinstance(threshold, numbers.Real):
        raise InvalidPredictions(f"threshold: {threshold!r} is not a number in [0, 1]")
    limit = float(threshold)
    if not 0.0 <= limit <= 1.0:
        raise InvalidPredictions(f"threshold: {limit:g} is outside [0, 1], where the scores are")
    if y_pred is not None:
        raise InvalidPredictions("threshold: given beside y_pred, which are the decisions; leave one of them out")
    if y_score is None:
        raise InvalidPredictions("threshold: given without y_score, the scores that it makes decisions of")
    return limit


def _refuse_one_column(roles: Mapping[str, str]) -> None:
    """Refuse a column that would be compared with itself: a model without errors, or one that knows all of its own."""
    for first, others in {"y_true": ARRAYS[1:], "error": ("uncertainty",)}.items():
        for other in others:
            if first in roles and roles.get(other) == roles[first]:
                raise InvalidPredictions(f"{first}, {other}: both are column {roles[first]!r}; give each its own")


def _given(name: str, array: npt.NDArray[_Scalar] | None, why: str) -> npt.NDArray[_Scalar]:
    if array is None:
        raise InvalidPredictions(f"{name}: not given; {why}")
    return array
