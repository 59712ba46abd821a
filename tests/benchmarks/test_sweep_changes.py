"""benchmarks.sweep_changes: its tables are those that the gate reads, and its limits are the true reductions."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from benchmarks.sweep_changes import MIXES, REPEATS, WORLDS
from fairness_checks import Predictions
from fairness_checks.question.metrics import METRICS
from fairness_checks.sweep.measuring import measure
from fairness_checks.sweep.plan import SweepPlan
from fairness_checks.sweep.results import RepeatResult, SweepResults
from fairness_checks.sweep.splits import counted_blocks
from fairness_checks.sweep.tables import read_table


def predictions(world, training):
    features = {"sex": np.where(training.first, "f", "m")}
    if world.metric == "mean_error":
        return Predictions(error=training.values, sensitive_features=features)
    return Predictions(np.ones(len(training.first), int), 1 - training.values.astype(int), sensitive_features=features)


def of_the_gate(world, seed):
    """The same trainings, measured by the gate."""
    made = []
    for k, training in enumerate(world.trainings(np.random.default_rng(seed))):
        groups, _ = measure(predictions(world, training), "sex", {"f": (9, 9), "m": (9, 9)}, training.exponents)
        repeat = k // len(MIXES)
        made.append(RepeatResult(mix=training.mix, feature_set="all", repeat=repeat, groups=groups))
    results = SweepResults(
        model="m",
        by="sex",
        groups=dict(zip("fm", world.sizes, strict=True)),
        repeated_rows=0,
        results=tuple(sorted(made, key=lambda result: result.task)),
        clusters=counted_blocks(world.data(), "sex", world.units()),
    )
    plan = SweepPlan(by="sex", mixes=MIXES, repeats=REPEATS, test=world.test)
    return read_table(results, plan, METRICS[world.metric])


@pytest.mark.parametrize("world", WORLDS[::5], ids=lambda world: f"{world.name} {world.metric}")
def test_tables_are_those_of_the_gate(world):
    found, known = world.table(np.random.default_rng(3)), of_the_gate(world, 3)
    for field in dataclasses.fields(found):
        ours, gate = getattr(found, field.name), getattr(known, field.name)
        if field.name == "moments" and ours is not None:
            for part in dataclasses.fields(ours):
                np.testing.assert_allclose(getattr(ours, part.name), getattr(gate, part.name), rtol=1e-9)
        elif isinstance(ours, np.ndarray):
            np.testing.assert_allclose(ours, gate, rtol=1e-9, atol=1e-12)
        else:
            assert ours == gate


@pytest.mark.parametrize("world", WORLDS, ids=lambda world: f"{world.name} {world.metric}")
def test_the_limit_is_the_true_reduction(world):
    rng = np.random.default_rng(0)
    gaps = []
    for _ in range(40):
        table = world.table(rng)
        mean = table.values.mean(axis=1)  # (mixes, groups)
        gaps.append(mean[:, 0] - mean[:, 1])
    before, after = np.mean(gaps, axis=0)
    spread = np.std(gaps, axis=0).sum() / np.sqrt(len(gaps))
    assert abs(before) - abs(after) == pytest.approx(world.limit, abs=5 * spread + 1e-9)
