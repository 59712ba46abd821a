import numpy as np

from fairness_checks import Predictions, fairness_model


def predictions(worse=0.0, ids=None):
    """120 samples; women miss more positives than men."""
    rng = np.random.default_rng(0)
    sex = np.repeat(["female", "male"], 60)
    miss = rng.random(120) < np.where(sex == "female", 0.3 + worse, 0.2)
    names = 1000 + np.arange(120) if ids is None else ids
    return Predictions(np.ones(120, int), (~miss).astype(int), sensitive_features={"sex": sex}, sample_id=names)


@fairness_model
def sepsis_model():
    return predictions()


@fairness_model
def stroke_model():
    return predictions()
