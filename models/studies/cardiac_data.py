"""The two tables of the cardiac study as data sets to train on, and which of their columns each feature set has.

Straw, Rees, Nachev, J Med Internet Res 2024;26:e46936, https://doi.org/10.2196/46936. The paper names four feature
sets. Which columns its "biochemical" and "clinical" sets have is not known here. The rule of this module, made before
any result was seen: biochemical is what a laboratory reads from blood; clinical is everything else; sex is in neither.
"""

from __future__ import annotations

from fairness_checks.sweep import DataSet
from models.data.heart import load_heart_disease, load_heart_failure

__all__ = [
    "ALL_FEATURES",
    "FEATURE_SETS",
    "TABLES",
    "TIME_ALONE",
    "WITHOUT_SEX",
    "WITHOUT_TIME",
    "load_table",
]

ALL_FEATURES = "with_sex"
"""The feature set that has every column."""

WITHOUT_SEX = "without_sex"
"""The feature set that has every column but sex."""

_LOADERS = {"heart_failure": load_heart_failure, "coronary_artery_disease": load_heart_disease}

TABLES = tuple(_LOADERS)
"""Names of the two tables, as the published figures have them."""

_BLOOD = {
    "heart_failure": ("anaemia", "creatinine_phosphokinase", "platelets", "serum_creatinine", "serum_sodium"),
    "coronary_artery_disease": ("cholesterol", "fasting blood sugar"),
}
_OTHER = {
    "heart_failure": (
        "age",
        "diabetes",
        "ejection_fraction",
        "high_blood_pressure",
        "smoking",
        "time",  # days of follow-up, known only afterwards; a feature of the study all the same
    ),
    "coronary_artery_disease": (
        "age",
        "chest pain type",
        "resting bp s",
        "resting ecg",
        "max heart rate",
        "exercise angina",
        "oldpeak",
        "ST slope",
    ),
}
FEATURE_SETS: dict[str, dict[str, tuple[str, ...]]] = {
    name: {
        ALL_FEATURES: ("sex", *_BLOOD[name], *_OTHER[name]),
        WITHOUT_SEX: (*_BLOOD[name], *_OTHER[name]),
        "biochemical": _BLOOD[name],
        "clinical": _OTHER[name],
    }
    for name in TABLES
}
"""By table, the columns of each feature set."""

WITHOUT_TIME: dict[str, dict[str, tuple[str, ...]]] = {
    name: {"without_time": tuple(column for column in sets[ALL_FEATURES] if column != "time")}
    if "time" in sets[ALL_FEATURES]
    else {}
    for name, sets in FEATURE_SETS.items()
}
"""By table, a further set where there is a time of follow-up: part of the published figures are met without it only."""

TIME_ALONE: dict[str, dict[str, tuple[str, ...]]] = {
    name: {"time_alone": ("time",)} if WITHOUT_TIME[name] else {} for name in TABLES
}
"""By table, the set of the time of follow-up and nothing else, where there is one: how much it knows by itself."""


def load_table(name: str) -> DataSet:
    """Return a table with its outcome, and sex as its sensitive feature.

    Parameters
    ----------
    name : str
        One of `TABLES`.

    Raises
    ------
    models.data.sources.DataUnavailable
        The file was found nowhere.
    """
    table = _LOADERS[name]()
    return DataSet(
        features=table.features,
        outcome=table.outcome,
        sensitive_features={"sex": table.sex},
        categorical=table.categorical,
    )
