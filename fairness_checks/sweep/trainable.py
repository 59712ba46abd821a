"""A model that can be trained again."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from fairness_checks.errors import ConfigurationError, InvalidPredictions
from fairness_checks.inputs.about import read_about
from fairness_checks.inputs.alignment import require_aligned
from fairness_checks.inputs.predictions import FACTS, Predictions
from fairness_checks.inputs.sensitive import SensitiveFeature
from fairness_checks.inputs.source import ARRAYS
from fairness_checks.plain import JSON
from fairness_checks.question.metrics import Metric
from fairness_checks.storage.identity import Declared, Identity, identity_of, read_declared
from fairness_checks.sweep.dataset import DataSet, Groups
from fairness_checks.sweep.joining import join_predictions
from fairness_checks.sweep.randomness import FIT, FOLDS, generator
from fairness_checks.sweep.splits import folds
from fairness_checks.sweep.workers import Workers, one_thread

__all__ = ["ALL", "TrainableModel"]

ALL = "all"
"""Name of the one feature set of a model that declares none."""


@dataclass(frozen=True, slots=True, eq=False)
class TrainableModel:
    """How a model learns, and what from.

    Parameters
    ----------
    data : DataSet
        All rows, to train on and to test with.
    fit : callable
        Takes a DataSet and a numpy Generator, from which all its randomness must come; returns anything.
    predict : callable
        Takes what `fit` returned, and a DataSet; returns Predictions of its rows, in their order.
    version : str
        One more word in the key of what is kept. Nothing needs it: the code of `fit` and `predict`, all that they
        reference in the project, parameters, data and libraries are seen, and results of other ones never used.
    feature_sets : mapping of str to sequence of str
        Columns of each feature set, the model's own first; empty: one set, "all", with every column.
    folds : int
        Of `out_of_fold`.
    about : mapping of str to str
        What the model and its data are, as `Predictions` takes it; kept with every record.
    depends_on : sequence, or mapping of str to Any
        What cannot be seen, and only that: files that `fit` or `predict` read, also those that a column names, as
        `pathlib.Path` (the content of the file, or of all files in a folder); variables of the environment; the seed
        of a global random state. Anything but a Path counts by its value. Where `fit` references something that
        cannot be read (a connection, a lock), results are not kept, unless a mapping says what stands for the
        variable of that name: ``{"session": url}``. So too for what `fit` writes to and no result depends on.

    Raises
    ------
    ConfigurationError
        If a feature set names a column that is not in the data, the version is empty, a file of `depends_on` is
        missing, or something is of the wrong kind.

    Examples
    --------
    >>> data = DataSet({"age": range(20)}, [0, 1] * 10, {"sex": ["f", "m", "m", "f"] * 5})
    >>> def fit(train, rng):
    ...     return train.outcome.mean()
    >>> def predict(fitted, test):
    ...     score = [fitted] * len(test)
    ...     return Predictions(test.outcome, y_score=score, sensitive_features=test.sensitive_features)
    >>> TrainableModel(data, fit, predict, folds=5).out_of_fold(seed=0)
    Predictions(20 samples, sensitive features: sex (f, m))
    """

    data: DataSet
    fit: Callable[[DataSet, np.random.Generator], Any]
    predict: Callable[[Any, DataSet], Predictions]
    version: str = "1"
    feature_sets: Mapping[str, Sequence[str]] = field(default_factory=dict)
    folds: int = 10
    about: Mapping[str, str] = field(default_factory=dict)
    depends_on: Declared = ()

    def __post_init__(self) -> None:
        if not isinstance(self.data, DataSet):
            raise ConfigurationError(f"data: {type(self.data).__name__} must be a fairness_checks.sweep DataSet")
        if type(self.version) is not str or not self.version:
            raise ConfigurationError(
                f"version: {self.version!r} must be text, or be left out: code and parameters are seen anyway"
            )
        sets = {name: tuple(columns) for name, columns in self.feature_sets.items()}
        sets = sets or {ALL: tuple(self.data.features.columns)}
        for name, columns in sets.items():
            try:
                self.data.select(columns)
            except ConfigurationError as error:
                raise ConfigurationError(f"feature_sets.{name}: {error}") from None
        object.__setattr__(self, "feature_sets", sets)
        object.__setattr__(self, "about", read_about(self.about))
        object.__setattr__(self, "depends_on", read_declared(self.depends_on))

    def identity(self, metrics: Sequence[Metric] = ()) -> Identity:
        """Return all that the model's results depend on, as it is now: for the key of what is kept.

        Parameters
        ----------
        metrics : sequence of Metric
            Of the user's own, which they were measured by: their code counts as that of `fit` does.

        Raises
        ------
        ConfigurationError
            If a file of `depends_on` is gone.
        """
        found = identity_of((self.fit, self.predict), self.depends_on, self.data.beside_values())
        own: dict[str, JSON] = {"data": self.data.fingerprint(), "version": self.version}
        if not metrics:
            return Identity(own | found.key, found.unseen, found.reads)
        unseen, measured = found.unseen, dict[str, JSON]()
        for metric in metrics:
            code = identity_of((metric.per_sample,), self.depends_on)
            measured[metric.name] = [metric.kind, repr(metric.lowest), repr(metric.highest), code.key]
            unseen += code.unseen
        return Identity({**own, **found.key, "metrics": measured}, unseen, found.reads)

    def tested(self, fitted: Any, test: DataSet, known: Mapping[str, Groups] | None = None) -> Predictions:
        """Return the predictions of test rows; `known` are their groups by sensitive feature, where these are known.

        Raises
        ------
        InvalidPredictions
            If they are not of these rows in this order, as far as lengths, row labels, outcomes and groups tell.
        """
        known = {str(name): test.groups(str(name)) for name in test.sensitive_features} if known is None else known
        found = self.predict(fitted, test)
        if not isinstance(found, Predictions):
            raise InvalidPredictions(f"predict returned {type(found).__name__}; it must return Predictions")
        if len(found) != len(test):
            raise InvalidPredictions(f"predict returned {len(found)} predictions for {len(test)} rows")
        require_aligned({"test.features": test.features, "predict": found.row_labels})
        if found.y_true is not None and test.outcome is not None and not np.array_equal(found.y_true, test.outcome):
            raise InvalidPredictions(
                "predict: y_true differs from the outcome of the rows that were to be predicted; keep their order"
            )
        for name, feature in found.sensitive_features.items():
            if name in known and not _are_in(feature, known[name]):
                raise InvalidPredictions(
                    f"predict: sensitive_features[{name!r}] differs from that of the rows that were to be "
                    "predicted; keep their order, and pass test.sensitive_features"
                )
        return found

    def out_of_fold(self, seed: int, jobs: int | Workers | None = 1) -> Predictions:
        """Predict every row once, by a model that saw neither the row nor one that stays with it.

        See `fairness_checks.sweep.splits.folds`. The first feature set is used.

        Parameters
        ----------
        seed : int
            Of the folds and of the fits.
        jobs : int, Workers or None
            Folds that are trained at a time at most, each with one thread; -1 for as many as there are cores, None for
            as many as pay. Any number gives the same predictions.

        Raises
        ------
        ConfigurationError
            If there are too few rows for the folds, or a fold would be trained on one outcome only.
        """
        data = self.data
        features = data.select(next(iter(self.feature_sets.values())))
        training = _Fold(self, features, folds(data, self.folds, generator(seed, FOLDS, 0)), seed)
        with contextlib.nullcontext(jobs) if isinstance(jobs, Workers) else Workers(jobs) as workers:
            parts = dict(workers.run(training, range(self.folds), of=(self,), same=_same, named="fold {}".format))
        unseen = [np.flatnonzero(training.fold == number) for number in range(self.folds)]
        return join_predictions([(rows, parts[number]) for number, rows in enumerate(unseen)], data)


@dataclass(frozen=True, slots=True, eq=False)
class _Fold:
    """The training without a fold, as a callable that other processes can be sent."""

    model: TrainableModel
    features: DataSet
    fold: npt.NDArray[np.intp]  # (n,)
    seed: int

    def __call__(self, number: int) -> Predictions:
        """Return the predictions of the fold's rows."""
        train = self.features.take(np.flatnonzero(self.fold != number))
        if (lacking := train.lacks_outcome()) is not None:
            raise ConfigurationError(
                f"folds: {self.model.folds}: fold {number} would be trained without a row of outcome {lacking}; "
                "more rows of it are needed"
            )
        with one_thread():
            fitted = self.model.fit(train, generator(self.seed, FIT, number, "out of fold"))
            return self.model.tested(fitted, self.features.take(np.flatnonzero(self.fold == number)))


def _are_in(feature: SensitiveFeature, groups: Groups) -> bool:
    """Say whether every row of a feature is there, and in the group of that name."""
    place = {name: code for code, name in enumerate(groups.names)}
    table = np.array([*(place.get(name, -1) for name in feature.groups), -1])  # the last one is where a missing row is
    return np.array_equal(table[feature.codes], groups.codes)


def _same(one: Predictions, other: Predictions) -> bool:
    """Say whether predictions are the same bit by bit."""
    arrays = [[getattr(each, name) for name in ARRAYS] for each in (one, other)]
    facts = [[getattr(each, name) for name in FACTS] for each in (one, other)]
    features = [
        [(name, it.groups, it.codes.tobytes()) for name, it in each.sensitive_features.items()] for each in (one, other)
    ]
    same = all(
        (a is None) == (b is None) and (a is None or (a.dtype == b.dtype and a.tobytes() == b.tobytes()))
        for a, b in zip(*arrays, strict=True)
    )
    return same and facts[0] == facts[1] and features[0] == features[1]
