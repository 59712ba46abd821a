"""Which rows of the coronary table the paper has: the two cholesterol means that it quotes tell.

The published means are those of ill women and ill men, 279.2 and 247.5 mg/dl. They are compared with each way in which
the 1,190 rows can be reduced.
"""

from __future__ import annotations

import io
from typing import Any

import pandas as pd

from models.data import DATASETS
from models.data.sources import read_verified

__all__ = ["QUOTED", "cholesterol_rows"]

QUOTED = {"female": 279.2, "male": 247.5}
"""Mean cholesterol of the ill, by sex, as the paper prints it (mg/dl)."""


def cholesterol_rows() -> list[dict[str, Any]]:
    """Return, for each version of the table, its rows and the mean cholesterol of the ill by sex.

    Returns
    -------
    list of dict
        ``version``, ``rows``, ``female``, ``male`` (mg/dl), and ``equal``: both are the quoted ones, as rounded there.
    """
    whole = pd.read_csv(io.BytesIO(read_verified(DATASETS["heart_disease"])))
    unique = whole.drop_duplicates()
    versions = {
        "as it is": whole,
        "without cholesterol of 0": whole[whole["cholesterol"] > 0],
        "without copies": unique,
        "without copies and cholesterol of 0": unique[unique["cholesterol"] > 0],
    }
    rows = []
    for name, frame in versions.items():
        ill = frame[frame["target"] == 1].groupby("sex")["cholesterol"].mean()
        means = {"female": float(ill[0]), "male": float(ill[1])}
        equal = all(round(means[sex], 1) == QUOTED[sex] for sex in QUOTED)
        rows.append({"version": name, "rows": len(frame)} | means | {"equal": equal})
    return rows
