"""Calibration errors at the limit, scores rare and common: ``python -m benchmarks.calibration_errors [--alpha 0.05]``.

Scores are beta distributed; labels of one group have the probability of their score, those of the other one that is
higher by a shift. Two groups differ by exactly the limit, and one group's error is exactly the ceiling. Printed are the
shares of false failures and of wrong passes in the worst cells, and what is shown of compliance with a limit that is
0.1 higher.
"""

from __future__ import annotations

import argparse
import itertools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fairness_checks.stats.calibration_error import (
    CalibrationStatistics,
    calibration_by_group,
    calibration_estimates,
    ece_compliance,
    ece_violation,
    variance_above,
)
from fairness_checks.stats.estimates import upper_tail

SHAPES = ((0.5, 50.0), (0.3, 30.0), (0.5, 20.0), (1.0, 20.0), (0.5, 0.5), (2.0, 2.0))
SIZES = ((20, 200), (50, 1_000), (50, 2_000), (100, 200), (200, 2_000), (1_000, 1_000))
SHIFTS = (0.02, 0.05, 0.2)
_ROWS = 2_000_000  # at once


@dataclass(frozen=True, slots=True)
class Cell:
    """Two groups of a shape of scores, the labels of one of which (`shifted`) are more frequent than its scores say."""

    shape: tuple[float, float]
    sizes: tuple[int, int]
    shift: float
    shifted: int

    @property
    def limit(self) -> float:
        """The shifted group's error, of probabilities that end at 1."""
        scores = np.random.default_rng(0).beta(*self.shape, 400_000)
        above = np.minimum(scores + self.shift, 1.0) - scores
        bins = np.searchsorted(np.linspace(0.0, 1.0, 11)[1:-1], scores)
        return float(np.abs(np.bincount(bins, above, 10)).sum() / len(scores))

    def draw(self, rng: np.random.Generator, data_sets: int) -> CalibrationStatistics:
        """Return 2 S groups, the two of each data set beside each other."""
        codes = np.repeat(np.arange(2 * data_sets), np.tile(self.sizes, data_sets))
        scores = rng.beta(*self.shape, len(codes))
        labels = rng.random(len(codes)) < scores + np.where(codes % 2 == self.shifted, self.shift, 0.0)
        return calibration_by_group(codes, 2 * data_sets, labels, scores)


def ece_below(drawn: CalibrationStatistics, limit: float) -> npt.NDArray[np.float64]:
    """p-values of compliance of each group with a ceiling, as `judge_worst_ece` tests them."""
    found = calibration_estimates(drawn)
    room = limit - found.value
    return upper_tail(room / np.sqrt(variance_above(drawn, found, room)), found.freedom)


def rejected(cell: Cell, data_sets: int, alpha: float, seed: int) -> tuple[float, float, float, float]:
    """Return shares of false failures, of wrong passes, of ceilings passed wrongly, and of compliance shown."""
    rng, most = np.random.default_rng(seed), max(_ROWS // sum(cell.sizes), 1)
    found: list[npt.NDArray[np.float64]] = []
    for start in range(0, data_sets, most):
        count = min(most, data_sets - start)
        drawn = cell.draw(rng, count)
        first = 2 * np.arange(count)
        p = [
            ece_violation(drawn, first, first + 1, cell.limit),
            ece_compliance(drawn, first, first + 1, cell.limit),
            ece_below(drawn, cell.limit)[first + cell.shifted],
            ece_compliance(drawn, first, first + 1, cell.limit + 0.1),
        ]
        found.append(np.array([np.sum(values < alpha) for values in p], dtype=np.float64))
    fails, passes, ceilings, shown = (np.sum(found, axis=0) / data_sets).tolist()
    return fails, passes, ceilings, shown


def main(arguments: list[str] | None = None) -> None:
    """Print the worst cells."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-sets", type=int, default=2_000)
    parser.add_argument("--alpha", type=float, default=0.05)
    parser.add_argument("--every", type=int, default=1, help="take every so many cells")
    options = parser.parse_args(arguments)
    cells = [Cell(*parts) for parts in itertools.product(SHAPES, SIZES, SHIFTS, (0, 1))][:: options.every]
    shares = np.array([rejected(cell, options.data_sets, options.alpha, i) for i, cell in enumerate(cells)])
    bound = options.alpha + 3.0 * np.sqrt(options.alpha * (1.0 - options.alpha) / options.data_sets)
    print(f"{len(cells)} cells of {options.data_sets} data sets; alpha + 3 SE is {bound:.4f}")
    for column, name in enumerate(("false failures", "wrong passes", "ceilings passed wrongly")):
        of = shares[:, column]
        print(f"{name}: mean {of.mean():.4f}, above {int((of > bound).sum())}; most in")
        for place in np.argsort(-of)[:4]:
            cell = cells[place]
            print(f"  {of[place]:.4f}  Beta{cell.shape}, {cell.sizes}, {cell.shift:g} in group {cell.shifted}")
    print(f"compliance shown with a limit 0.1 higher: mean {shares[:, 3].mean():.3f}")


if __name__ == "__main__":
    main()
