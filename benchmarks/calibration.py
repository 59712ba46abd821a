"""False-alarm and detection rates of the gate by simulation, beside a point gate and a percentile bootstrap.

``python -m benchmarks.calibration [--quick]`` prints one table. Every cell holds groups of two sizes (samples in the
rate's denominator), half of the groups at a low rate and half at a higher one:

- at limit: the true disparity is exactly the limit; "fail" is a false alarm, "pass" is wrong too
- fair: all rates are equal; the share of "fail"
- detection: the disparity is large enough that an oracle (normal test with the true variances and its exact
  simultaneous critical value) finds it 80 % of the time; share of "fail", and its ratio to the oracle's

The point gate fails what exceeds the limit; the bootstrap gate fails when the percentile interval of max - min lies
above it.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np

from fairness_checks.stats.disparity import p_outside, p_within
from fairness_checks.stats.exact import Pairs
from fairness_checks.stats.simultaneous import Family

ALPHA, LOW_RATE, LIMIT = 0.05, 0.3, 0.05
SIZES = ((10, 20), (34, 62), (100, 200), (500, 500))
GROUPS = (2, 3, 6, 24)


class Gate:
    """Verdicts from p-values tabulated over all tables of two sizes: the gate's own functions, each called once."""

    def __init__(self, sizes: tuple[int, int]) -> None:
        self._outside: dict[tuple[int, int], np.ndarray] = {}
        self._within: dict[tuple[int, int], np.ndarray] = {}
        for n1 in set(sizes):
            for n2 in set(sizes):
                x1, x2 = (grid.ravel().astype(float) for grid in np.indices((n1 + 1, n2 + 1)))
                pairs = Pairs(x1, np.full_like(x1, n1), x2, np.full_like(x1, n2))
                self._outside[n1, n2] = p_outside(pairs, LIMIT, "difference").reshape(n1 + 1, n2 + 1)
                self._within[n1, n2] = p_within(pairs, LIMIT, "difference").reshape(n1 + 1, n2 + 1)

    def verdicts(self, events: np.ndarray, samples: np.ndarray, rng: np.random.Generator) -> tuple[float, float]:
        """Shares of (fail, pass) among simulated data sets; events of shape (S, G), samples of shape (G,)."""
        first, second = np.triu_indices(len(samples), 1)
        fails, passes = np.zeros(len(events), dtype=bool), np.zeros(len(events), dtype=bool)
        # The draws of a family depend on the common rate, which is rounded here so that data sets share them.
        rate = np.clip(np.round(events.sum(axis=1) / samples.sum(), 2), 0.01, 0.99)
        for common in np.unique(rate):
            rows = np.flatnonzero(rate == common)
            outside, within = (self._of_pairs(table, events[rows], samples) for table in (self._outside, self._within))
            deviations = np.sqrt(common * (1 - common) / samples)
            family = Family(deviations, LIMIT)
            scale = np.hypot(deviations[first], deviations[second])
            fails[rows] = (family.excess(outside, scale, LIMIT, ALPHA) > 0.0).any(axis=1)
            passes[rows] = within.max(axis=1) < ALPHA
        return float(fails.mean()), float(passes.mean())

    def _of_pairs(
        self, table: dict[tuple[int, int], np.ndarray], events: np.ndarray, samples: np.ndarray
    ) -> np.ndarray:
        first, second = np.triu_indices(len(samples), 1)
        columns = [
            table[int(samples[i]), int(samples[j])][events[:, i], events[:, j]]
            for i, j in zip(first, second, strict=True)
        ]
        return np.stack(columns, axis=1)


@dataclass(frozen=True)
class Truth:
    """Rates of the groups; the higher ones in the smaller or in the larger groups."""

    rates: np.ndarray
    samples: np.ndarray

    def draw(self, rng: np.random.Generator, simulations: int) -> np.ndarray:
        """Events, shape (simulations, G)."""
        return rng.binomial(self.samples, self.rates, size=(simulations, len(self.samples)))


def truths(sizes: tuple[int, int], groups: int, disparity: float) -> list[Truth]:
    """Both ways to put the higher rate: into the groups of the first or of the second size."""
    half = np.arange(groups) % 2
    both = []
    for higher in (0, 1) if sizes[0] != sizes[1] else (0,):
        rates = np.where(half == higher, LOW_RATE + disparity, LOW_RATE)
        both.append(Truth(rates, np.where(half == 0, sizes[0], sizes[1])))
    return both


def point_gate(events: np.ndarray, samples: np.ndarray) -> float:
    """Share of data sets whose largest difference exceeds the limit."""
    rates = events / samples
    return float(np.mean(np.ptp(rates, axis=1) > LIMIT))


def bootstrap_gate(events: np.ndarray, samples: np.ndarray, rng: np.random.Generator) -> float:
    """Share of data sets whose 90 % percentile interval of max - min (200 resamples) lies above the limit."""
    rates = events / samples
    again = rng.binomial(samples, rates, size=(200, *rates.shape)) / samples
    return float(np.mean(np.quantile(np.ptp(again, axis=2), ALPHA, axis=0) > LIMIT))


def oracle(truth: Truth, events: np.ndarray, rng: np.random.Generator) -> float:
    """Share found by a normal test that knows the variances and the exact critical value of its maximum."""
    deviation = np.sqrt(truth.rates * (1 - truth.rates) / truth.samples)
    first, second = np.triu_indices(len(deviation), 1)
    scale = np.hypot(deviation[first], deviation[second])
    high = truth.rates > LOW_RATE
    null = rng.normal(size=(20_000, len(deviation))) * deviation + np.where(high, LIMIT, 0.0)
    extreme = (np.abs(null[:, first] - null[:, second]) - LIMIT) / scale
    critical = np.quantile(extreme.max(axis=1), 1 - ALPHA)
    seen = events / truth.samples
    return float(np.mean(((np.abs(seen[:, first] - seen[:, second]) - LIMIT) / scale).max(axis=1) > critical))


def detectable(sizes: tuple[int, int], groups: int, rng: np.random.Generator) -> float:
    """Find the disparity that the oracle detects about 80 % of the time."""
    low, high = LIMIT, 1.0 - LOW_RATE - 0.01
    for _ in range(9):
        middle = (low + high) / 2.0
        truth = truths(sizes, groups, middle)[0]
        found = oracle(truth, truth.draw(rng, 2_000), rng)
        low, high = (middle, high) if found < 0.8 else (low, middle)
    return high


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="2,000 instead of 20,000 simulations a cell, no 500 / 500")
    simulations = 2_000 if parser.parse_args().quick else 20_000
    rng = np.random.default_rng(0)
    bound = ALPHA + 3 * np.sqrt(ALPHA * (1 - ALPHA) / simulations)
    print(f"alpha {ALPHA}, limit {LIMIT}, low rate {LOW_RATE}, {simulations} simulations; bound {bound:.4f}")
    print(f"{'':22}{'at limit, false fail':>30}  {'wrong':>6}  {'fair':>6}  {'detection':>9} {'of oracle':>9}")
    print(f"{'sizes':>9} {'groups':>6} {'ours':>12} {'point':>8} {'bootstrap':>9}  {'pass':>6}  {'fail':>6}")
    for sizes in SIZES if simulations > 2_000 else SIZES[:3]:
        gate = Gate(sizes)
        for groups in GROUPS:
            at_limit = [(t, t.draw(rng, simulations)) for t in truths(sizes, groups, LIMIT)]
            shares = [gate.verdicts(events, t.samples, rng) for t, events in at_limit]
            worst_fail, worst_pass = max(s[0] for s in shares), max(s[1] for s in shares)
            point = max(point_gate(events, t.samples) for t, events in at_limit)
            boot = max(bootstrap_gate(events[:500], t.samples, rng) for t, events in at_limit)
            fair = truths(sizes, groups, 0.0)[0]
            fair_fail, _ = gate.verdicts(fair.draw(rng, simulations), fair.samples, rng)
            truth = truths(sizes, groups, detectable(sizes, groups, rng))[0]
            events = truth.draw(rng, simulations)
            found, best = gate.verdicts(events, truth.samples, rng)[0], oracle(truth, events, rng)
            mark = " !" if max(worst_fail, worst_pass, fair_fail) > bound else ""
            print(
                f"{sizes[0]:>4}/{sizes[1]:<4} {groups:>6} {worst_fail:>12.4f} {point:>8.3f} {boot:>9.3f}  "
                f"{worst_pass:>6.4f}  {fair_fail:>6.4f}  {found:>9.3f} {found / best:>9.2f}{mark}",
                flush=True,
            )


if __name__ == "__main__":
    main()
