"""Two public tables of cardiac patients, as the study used them.

The study is Straw, Rees, Nachev, J Med Internet Res 2024;26:e46936, https://doi.org/10.2196/46936. Needs
``pandas``, and ``pooch`` where FAIRNESS_DATA does not hold the tables.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from models.data import DATASETS
from models.data.sources import read_verified

__all__ = ["HeartTable", "load_heart_disease", "load_heart_failure"]


@dataclass(frozen=True, slots=True, eq=False)
class HeartTable:
    """A table of patients, one row each.

    Attributes
    ----------
    name : str
        Key of `models.data.DATASETS`.
    features : pandas.DataFrame
        (n, p); what a model may see, sex and age included; numbers, none missing.
    outcome : ndarray of int8
        (n,); 1 where the patient died (heart failure) or has the disease (heart disease), else 0.
    sex : ndarray of str
        (n,); "female" or "male".
    age_band : ndarray of str
        (n,); "under 60" or "60 and over", age in years.
    categorical : tuple of str
        Columns whose numbers are names: between two of them there is no patient.
    sha256 : str
        Digest of the file that the table was read from.
    source : str
        Who published the file.
    licence : str
        Under which licence.
    """

    name: str
    features: pd.DataFrame
    outcome: npt.NDArray[np.int8]
    sex: npt.NDArray[np.str_]
    age_band: npt.NDArray[np.str_]
    categorical: tuple[str, ...]
    sha256: str
    source: str
    licence: str


def load_heart_failure() -> HeartTable:
    """Return the UCI heart failure table: 299 patients, of whom 34 of 105 women and 62 of 194 men died.

    ``time``, the days of follow-up, stays a feature, as in the study. It is known only afterwards and carries
    much of the accuracy, so that this model is an example for a gate and not one to use.

    Returns
    -------
    HeartTable
        12 features; the outcome is death during follow-up.

    Raises
    ------
    DataUnavailable
        The file was found nowhere.
    """
    return _heart_table("heart_failure", _read("heart_failure"), outcome="DEATH_EVENT")


def load_heart_disease() -> HeartTable:
    """Return the heart disease table reduced as in the study: 746 of 1,190 rows.

    The file combines five older tables. 272 rows repeat another one exactly and are dropped, which leaves
    918; of these, 172 have cholesterol 0, which stands for a missing value, and are dropped too.

    Returns
    -------
    HeartTable
        11 features, 182 women and 564 men; the outcome is coronary artery disease (40 women, 316 men).

    Raises
    ------
    DataUnavailable
        The file was found nowhere.
    """
    frame = _read("heart_disease").drop_duplicates()
    return _heart_table("heart_disease", frame[frame["cholesterol"] > 0], outcome="target")


_CATEGORICAL = {
    *("sex", "anaemia", "diabetes", "high_blood_pressure", "smoking"),
    *("chest pain type", "fasting blood sugar", "resting ecg", "exercise angina", "ST slope"),
}


def _read(name: str) -> pd.DataFrame:
    return pd.read_csv(io.BytesIO(read_verified(DATASETS[name])))


def _heart_table(name: str, frame: pd.DataFrame, *, outcome: str) -> HeartTable:
    """Both tables write sex as 1 for male and 0 for female; the published counts by sex confirm it."""
    file = DATASETS[name]
    features = frame.drop(columns=outcome).reset_index(drop=True)
    return HeartTable(
        name=name,
        features=features,
        outcome=frame[outcome].to_numpy(dtype=np.int8),
        sex=np.where(features["sex"].to_numpy() == 1, "male", "female"),
        age_band=np.where(features["age"].to_numpy() < 60, "under 60", "60 and over"),
        categorical=tuple(column for column in features if column in _CATEGORICAL),
        sha256=file.sha256,
        source=file.source,
        licence=file.licence,
    )
