"""The models that the gate of this repository judges: two learners on two tables of cardiac patients.

The root conftest imports this module in every pytest run, so that what is heavy is imported by the fixtures
themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from fairness_checks import fairness_model

if TYPE_CHECKING:
    from fairness_checks import Predictions
    from fairness_checks.cache import FittedCache
    from models.data.heart import HeartTable
    from models.out_of_fold import Classifier

SENSITIVE_FEATURES = ["sex", "age_band"]


@fairness_model(sensitive_features=SENSITIVE_FEATURES)
def heart_failure_random_forest(fairness_cache: FittedCache) -> Predictions:
    """Death within follow-up, by a random forest; 299 patients."""
    from models.data.heart import load_heart_failure
    from models.random_forest import random_forest

    return _judged("heart_failure_random_forest", load_heart_failure, random_forest, fairness_cache)


@fairness_model(sensitive_features=SENSITIVE_FEATURES)
def heart_failure_gradient_boosting(fairness_cache: FittedCache) -> Predictions:
    """Death within follow-up, by gradient boosting; 299 patients."""
    from models.data.heart import load_heart_failure
    from models.gradient_boosting import gradient_boosting

    return _judged("heart_failure_gradient_boosting", load_heart_failure, gradient_boosting, fairness_cache)


@fairness_model(sensitive_features=SENSITIVE_FEATURES)
def heart_disease_random_forest(fairness_cache: FittedCache) -> Predictions:
    """Coronary artery disease, by a random forest; 746 patients."""
    from models.data.heart import load_heart_disease
    from models.random_forest import random_forest

    return _judged("heart_disease_random_forest", load_heart_disease, random_forest, fairness_cache)


@fairness_model(sensitive_features=SENSITIVE_FEATURES)
def heart_disease_gradient_boosting(fairness_cache: FittedCache) -> Predictions:
    """Coronary artery disease, by gradient boosting; 746 patients."""
    from models.data.heart import load_heart_disease
    from models.gradient_boosting import gradient_boosting

    return _judged("heart_disease_gradient_boosting", load_heart_disease, gradient_boosting, fairness_cache)


def _judged(
    name: str, load: Callable[[], HeartTable], build: Callable[[int], Classifier], cache: FittedCache
) -> Predictions:
    """Return out-of-fold predictions of a model on a table, with the patients' sex and age band."""
    from fairness_checks import Predictions
    from models.out_of_fold import RANDOM_STATE, cached_out_of_fold

    table = load()
    predicted = cached_out_of_fold(cache, name, table, build(RANDOM_STATE), build, random_state=RANDOM_STATE)
    return Predictions(
        y_true=table.outcome,
        y_pred=predicted.y_pred,
        y_score=predicted.y_score,
        sensitive_features={"sex": table.sex, "age_band": table.age_band},
    )
