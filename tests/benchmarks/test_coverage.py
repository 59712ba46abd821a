from __future__ import annotations

import numpy as np
import pytest

from benchmarks.coverage import OTHERS, RATES, Cell, area_world, balanced_world, held_out, mean_world, rate_world
from fairness_checks import audit


def test_a_cell_marks_what_holds_the_truth_too_rarely():
    held = [(0.0, 1.0, 0.5)] * 90
    enough = Cell("group", held + [(0.6, 1.0, 0.5)] * 6 + [(0.0, 0.4, 0.5)] * 4)
    assert enough.line.split() == ["0.900", "0.060", "0.040", "100"]
    assert Cell("group", held + [(0.6, 1.0, 0.5)] * 30).line.endswith("BELOW")


@pytest.mark.parametrize(
    ("metric", "world"),
    [
        ("accuracy", rate_world((20_000, 30_000), (0.1, 0.3), 3)),
        ("mean_error", mean_world((20_000, 30_000), (0.5, 0.0), 1.0)),
        ("roc_auc", area_world((20_000, 30_000), (0.75, 0.9))),
        ("balanced_accuracy", balanced_world((20_000, 30_000), (0.9, 0.8), 0.1)),
    ],
)
def test_worlds_have_the_values_that_they_say(metric, world):
    some, values = world(np.random.default_rng(1))
    record = audit(some, metric=metric, max_difference=0.1)
    assert [group.rate for group in record.groups] == pytest.approx(values, abs=0.03)


def test_every_interval_of_a_rate_is_there():
    found = [cell.of for cell in held_out("accuracy", next(iter(RATES.values())), 3)]
    assert found == ["difference", "ratio", "worst group", "group"]
    assert len(list(held_out("roc_auc", next(iter(OTHERS["roc_auc"].values())), 3))) == 3
