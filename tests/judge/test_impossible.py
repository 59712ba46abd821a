"""Statistics that contradict each other are found."""

from __future__ import annotations

import dataclasses
from datetime import date

import numpy as np
import pytest

from fairness_checks import Predictions
from fairness_checks.judge.evaluation import Evaluation
from fairness_checks.judge.impossible import impossible_statistics
from fairness_checks.judge.measurements import measure
from fairness_checks.question.checks import Check, Settings
from fairness_checks.report.evidence import ModelEvidence


def found_in(known):
    return list(impossible_statistics("m", ModelEvidence(model="m"), {"a": known}, date(2026, 1, 1), None))


@pytest.mark.parametrize(
    ("change", "where", "expected"),
    [
        ({"mean_error": lambda mean: mean + 0.001}, "mean error of f", "as its parts say"),
        ({"uncertainty_of_part": lambda parts: parts[:, ::-1]}, "parts of f", "uncertainties that rise"),
        ({"units_of_part": lambda units: units + 1}, "parts of f", "at most [15, 15"),
    ],
    ids=["mean", "order", "units"],
)
def test_parts_of_a_group_are_all_of_its_samples_by_rising_uncertainty(change, where, expected):
    rng = np.random.default_rng(0)
    sex = np.repeat(["f", "m"], [150, 90])  # of 90 samples there are no parts
    given = Predictions(error=rng.random(240), uncertainty=rng.random(240), sensitive_features={"sex": sex})
    check = Check("uncertainty_mismatch", ("sex",), "max_mismatch", 0.3)
    (known,) = measure(Evaluation(given), [check], Settings()).statistics
    assert found_in(known) == []
    measured = known.measured["uncertainty_mismatch"]
    ordering = measured.statistics
    within = dataclasses.replace(
        ordering.within, **{name: of(getattr(ordering.within, name)) for name, of in change.items()}
    )
    changed = dataclasses.replace(measured, statistics=dataclasses.replace(ordering, within=within))
    (difference,) = found_in(dataclasses.replace(known, measured={"uncertainty_mismatch": changed}))
    assert difference.where.endswith(where)
    assert expected in difference.expected
