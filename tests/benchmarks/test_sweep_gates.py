"""benchmarks.sweep_gates: every world can be drawn and judged, and its limit is what its groups differ by."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.sweep_gates import WORLDS
from fairness_checks.question.checks import MISMATCH

JUDGED = [world for world in WORLDS if world.name.split(", ")[1] not in ("100,60,38x3 and 90x3", "9x30 and 60x4")]


@pytest.mark.parametrize("world", WORLDS, ids=lambda world: f"{world.name} {world.metric}")
def test_every_world_is_judged_or_refused_as_its_clusters_say(world):
    fail, passed, undefined, refused = world.rates(1)
    assert (undefined, refused) == (float("9x30" in world.name), float("100,60" in world.name))
    assert fail + passed <= 1.0


@pytest.mark.parametrize("world", [w for w in JUDGED if w.metric != MISMATCH], ids=lambda w: f"{w.name} {w.metric}")
def test_the_limit_is_the_true_gap(world):
    rng = np.random.default_rng(0)
    gaps = [first.mean() - second.mean() for first, second in (world.draw(rng) for _ in range(1_500))]
    assert abs(np.mean(gaps)) == pytest.approx(world.limit, abs=5 * np.std(gaps) / np.sqrt(len(gaps)))
