"""The published figures of the cardiac study, read from the tables in ``reference/``.

Source: Straw, Rees, Nachev, J Med Internet Res 2024;26:e46936, https://doi.org/10.2196/46936, Tables 2 to 5. They are
reported beside this project's own figures; nothing is tuned to them.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

__all__ = ["CITATION", "published_disparities", "published_mitigation", "published_models"]

CITATION = (
    "Straw I, Rees G, Nachev P. Sex-based performance disparities in machine learning algorithms for cardiac disease "
    "prediction: exploratory study. J Med Internet Res 2024;26:e46936. https://doi.org/10.2196/46936"
)

_FOLDER = Path(__file__).parent / "reference"


def published_disparities() -> pd.DataFrame:
    """Return Tables 2 and 3: the gap, male minus female in percent, of 128 cells.

    Returns
    -------
    pandas.DataFrame
        Columns data_set, training_mix, feature_set, metric, male_minus_female_percent, p_value_reported (text, "<.01").

    Examples
    --------
    >>> len(published_disparities())
    128
    """
    return pd.read_csv(_FOLDER / "cardiac_disparities.csv", dtype={"p_value_reported": str})


def published_models() -> pd.DataFrame:
    """Return Table 4: accuracy and false negative rate by sex, with all features.

    Returns
    -------
    pandas.DataFrame
        Columns data_set, training_mix, n_train, group ("all", "female", "male"), metric, mean_percent, sd_percent.

    Examples
    --------
    >>> len(published_models())
    40
    """
    return pd.read_csv(_FOLDER / "cardiac_models.csv")


def published_mitigation() -> pd.DataFrame:
    """Return Table 5: gradient boosting against FAGTB.

    Returns
    -------
    pandas.DataFrame
        Columns data_set, model, accuracy_percent, disp_fpr, disp_fnr (absolute gaps, 0 to 1).

    Examples
    --------
    >>> len(published_mitigation())
    4
    """
    return pd.read_csv(_FOLDER / "cardiac_mitigation.csv")
