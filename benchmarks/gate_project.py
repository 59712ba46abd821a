"""A user's project, for `benchmarks.gate`: one model of 10,000 held-out samples, ten checks by two features."""

from __future__ import annotations

from pathlib import Path

__all__ = ["write_project"]

CONFTEST = """\
import numpy as np
from fairness_checks import Predictions, fairness_model


@fairness_model
def sepsis_model():
    rng = np.random.default_rng(0)
    sex, site = rng.choice(["female", "male"], 10_000), rng.choice(["north", "south"], 10_000)
    sepsis = rng.random(10_000) < 0.3
    score = np.clip(0.3 * sepsis + rng.normal(0.35, 0.15, 10_000), 0.0, 1.0)
    return Predictions(y_true=sepsis, y_score=score, sensitive_features={"sex": sex, "site": site})
"""

THRESHOLDS = """\
version: 1
models:
  sepsis_model:
    subgroups:
""" + "".join(
    f"      - {{metric: {metric}, by: {by}, {limit}}}\n"
    for by in ("sex", "site")
    for metric, limit in (
        ("false_negative_rate", "max_difference: 0.10"),
        ("false_positive_rate", "max_difference: 0.10"),
        ("accuracy", "max_difference: 0.10"),
        ("selection_rate", "min_ratio: 0.80"),
        ("roc_auc", "max_difference: 0.10"),
    )
)


def write_project(folder: Path) -> None:
    """Write the project into an empty folder; its gate is green."""
    for name, text in (("conftest.py", CONFTEST), ("thresholds.yaml", THRESHOLDS), ("pytest.ini", "[pytest]\n")):
        (folder / name).write_text(text, encoding="utf-8")
