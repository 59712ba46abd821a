"""What a model fixture returned -> what its checks are asked of: Predictions, and the results of its sweep."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fairness_checks.errors import ConfigurationError, InvalidPredictions, attempted
from fairness_checks.inputs.predictions import FACTS, Predictions, like
from fairness_checks.inputs.sensitive import encode_features
from fairness_checks.inputs.source import ARRAYS
from fairness_checks.measure.rows import without_missing_text
from fairness_checks.question.checks import MISSING_IS_ERROR, Check, Missing

if TYPE_CHECKING:
    from fairness_checks.baseline.accepted import Accepted
    from fairness_checks.storage.cache import FittedCache
    from fairness_checks.storage.identity import Identity
    from fairness_checks.sweep.dataset import DataSet
    from fairness_checks.sweep.plan import SweepPlan
    from fairness_checks.sweep.results import SweepResults
    from fairness_checks.sweep.runs import Progress, Waiting
    from fairness_checks.sweep.trainable import TrainableModel
    from fairness_checks.sweep.workers import Workers

__all__ = ["Evaluation", "evaluate", "is_trainable"]


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """What the checks of one model are asked of."""

    predictions: Predictions | None  # None where only checks on a sweep are asked
    sweep: SweepResults | None = None
    plan: SweepPlan | None = None
    about: Mapping[str, str] = field(default_factory=dict)  # what the model and its data are
    accepted: Accepted | None = None  # what the baseline holds of the model
    no_predictions: Exception | None = None  # why there are none, where wanted; only the checks that need them fail
    no_sweep: Exception | None = None
    model: TrainableModel | None = None  # where it was trained here; `predictions` are then out of fold
    # what was read instead of being computed, with the date of its oldest part
    read: Mapping[str, str] = field(default_factory=dict)
    not_kept: str | None = None  # why nothing could be kept, though there is a cache
    reads: tuple[str, ...] = ()  # names of what reads files or the environment, where nothing of that is declared

    def lacking(self, check: Check) -> Exception | None:
        """Return why what a check is asked of is not there; None where it is."""
        if check.gap is not None:
            there = self.sweep is not None and self.plan is not None
            return None if there else self.no_sweep or ConfigurationError("there are no results of a sweep")
        if self.predictions is None:
            return self.no_predictions or ConfigurationError("there are no predictions of held-out samples")
        if check.of is not None and self.accepted is None:
            return ConfigurationError("a check against the baseline, but there is none to look in")
        return None


def is_trainable(produced: object) -> bool:
    """Say whether a model can be trained here; by its name, without loading what trains."""
    return type(produced).__name__ == "TrainableModel"


def evaluate(
    name: str,
    produced: Any,
    checks: Sequence[Check],
    plan: SweepPlan | None,
    *,
    seed: int,
    cache: Path | None,
    jobs: int | Workers | None = None,
    progress: Progress | None = None,
    waiting: Waiting | None = None,
    missing: Missing = MISSING_IS_ERROR,
) -> Evaluation:
    """Evaluate what a model fixture returned, as far as the checks need it, and as far as that is possible."""
    # Out-of-fold predictions that cannot be made leave the sweep, and a sweep that fails leaves the predictions.
    swept = plan is not None and any(check.gap is not None for check in checks)
    held_out = any(check.gap is None for check in checks)
    if isinstance(produced, Predictions):
        return Evaluation(produced, about=produced.about, no_sweep=_not_trainable() if swept else None)
    if not is_trainable(produced):
        raise ConfigurationError(_not_a_model(produced))
    from fairness_checks.question.names import slug
    from fairness_checks.storage.cache import FittedCache
    from fairness_checks.sweep.runs import run_sweep

    # Before anything is trained, which may change what the model holds.
    identity = None if cache is None else produced.identity()
    own = {check.metric: check.custom for check in checks if check.gap is not None and check.custom is not None}
    measured = produced.identity(tuple(own.values())) if own and cache is not None else identity
    not_kept = None if measured is None else measured.reason()
    cache = cache if not_kept is None else None
    fitted = FittedCache(cache, code=False)  # the identity says what the code is
    entry = f"{slug(name)}.out_of_fold", _folds_key(produced, seed, identity)
    asked = plan if swept else None

    swept_meanwhile: list[SweepResults | Exception | None] = []

    def trained() -> SweepResults | None:
        if asked is None:
            return None
        _refuse_missing_text(produced.data, asked.by, missing)  # before hours of training, not after them
        return run_sweep(name, produced, asked, cache, jobs, progress, measured, tuple(own.values()), waiting)

    def meanwhile() -> None:  # while another process is at the folds: so two share the folds and the sweep of a model
        swept_meanwhile.append(attempted(trained))

    def predicted() -> Predictions | None:
        return _out_of_fold(entry, produced, seed, fitted, jobs, meanwhile) if held_out else None

    predictions = attempted(predicted)
    results = swept_meanwhile[0] if swept_meanwhile else attempted(trained)
    no_predictions = predictions if isinstance(predictions, Exception) else None
    no_sweep = results if isinstance(results, Exception) else None
    swept_on = None if results is None or isinstance(results, Exception) else results.kept
    dates = {"out-of-fold predictions": next(iter(fitted.read.values()), None), "sweep": swept_on}
    return Evaluation(
        predictions=None if isinstance(predictions, Exception) else predictions,
        sweep=None if isinstance(results, Exception) else results,
        plan=asked,
        about=produced.about,
        no_predictions=no_predictions,
        no_sweep=no_sweep,
        model=produced,
        read={what: date for what, date in dates.items() if date is not None},
        not_kept=not_kept,
        reads=() if identity is None else identity.reads,
    )


def _refuse_missing_text(data: DataSet, by: str, missing: Missing) -> None:
    """Refuse groups of a sweep that are text for a missing value; where missing values are a group, they are groups."""
    if by in data.sensitive_features.columns and missing.sensitive == "error":
        feature = encode_features(data.sensitive_features[[by]])[by]
        if len(without_missing_text(feature, missing).groups) < len(feature.groups):
            raise InvalidPredictions(
                f"sensitive_features[{by!r}]: the data set holds text that `missing_text` calls missing; fill it in"
            )


def _not_a_model(produced: object) -> ConfigurationError:
    """Say what a fixture returned instead of a model, and what makes one of it."""
    if produced is None:
        what = "the fixture returned None; is `return` missing? It returns"
    elif hasattr(produced, "predict"):
        what = f"the fixture returned {type(produced).__name__}, without data; return predictions_from_classifier(...),"
    else:
        what = f"the fixture returned {type(produced).__name__}; return"
    return ConfigurationError(f"{what} fairness_checks.Predictions, or a fairness_checks.sweep.TrainableModel")


def _not_trainable() -> ConfigurationError:
    return ConfigurationError(
        "a check on a sweep, but the fixture returned Predictions, which cannot be trained again; return a "
        "fairness_checks.sweep.TrainableModel"
    )


def _folds_key(model: TrainableModel, seed: int, identity: Identity | None) -> dict[str, Any]:
    """Return all that out-of-fold predictions depend on."""
    features = {key: list(columns) for key, columns in model.feature_sets.items()}
    known = {} if identity is None else identity.key
    return {**known, "seed": seed, "folds": model.folds, "feature_sets": features}


def _out_of_fold(
    entry: tuple[str, Mapping[str, Any]],
    model: TrainableModel,
    seed: int,
    cache: FittedCache,
    jobs: int | Workers | None,
    meanwhile: Callable[[], object],
) -> Predictions:
    """Return out-of-fold predictions, from the cache if nothing that they depend on has changed."""

    def compute() -> dict[str, Any]:
        made = model.out_of_fold(seed, jobs)
        for feature in made.sensitive_features:  # they are not stored: the next run would not have them
            if feature not in model.data.sensitive_features.columns:
                raise InvalidPredictions(
                    f"predict: sensitive feature {feature!r} is not in the data set; give it to the DataSet"
                )
        given = {key: getattr(made, key) for key in (*ARRAYS, *FACTS) if getattr(made, key) is not None}
        return {key: np.asarray(value) for key, value in given.items()}

    arrays: dict[str, Any] = cache.arrays(*entry, compute, meanwhile=meanwhile)
    data = model.data
    same = data.fingerprint()[:16]  # a row is the same sample as long as all of the data are the same
    facts = {key: arrays.pop(key).item() if key in arrays else None for key in FACTS}
    whole = Predictions(
        **arrays,
        cluster=data.cluster,
        sensitive_features=data.sensitive_features,
        sample_id=[f"{same}-{row}" for row in range(len(data))],
        about=model.about,
    )
    return like(whole, **facts)
