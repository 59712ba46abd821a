"""What test rows contribute to a metric, in few numbers by which two trainings can be compared afterwards."""

# Under two mixes the same rows test, and most of what they do to a gap cancels in its change; how much is seen row by
# row, but trainings are done apart. Each keeps a sketch: the sum of its rows' influence h on the value of a group,
# each times a random number that the row has in every training of the repeat. Sums and differences of sketches are
# sketches of sums and differences. The numbers are cube roots of unity, w: the expectation of |sum h w|^2 is sum h^2,
# the variance that the test rows have given the models, and that of Re (sum h w)^3 is sum h^3, their skewness (w^3 =
# 1, and all other products average to zero). Rows that stay together share one number. No row can be read from it.
# Alon, Matias, Szegedy, J. Comput. Syst. Sci. 58 (1999) 137, doi:10.1006/jcss.1997.1545.

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fairness_checks.inputs.predictions import Predictions
from fairness_checks.kinds.influences import group_influences
from fairness_checks.measure.rows import Rows
from fairness_checks.question.metrics import Metric

__all__ = ["WIDTH", "cube_roots", "group_sketches"]

Complex = npt.NDArray[np.complex128]
WIDTH = 8  # over 20 repeats a variance is then known to 8 %
_ROOTS = np.exp(2j * np.pi * np.arange(3) / 3.0)


def cube_roots(rng: np.random.Generator, units: npt.NDArray[np.intp]) -> Complex:
    """Return the random numbers of n rows, shape (WIDTH, n): equal for rows of one unit."""
    _, codes = np.unique(units, return_inverse=True)
    drawn = rng.integers(3, size=(WIDTH, int(codes.max(initial=-1)) + 1))
    return np.asarray(_ROOTS[drawn][:, codes])


def group_sketches(
    predictions: Predictions, rows: Rows, metric: Metric, roots: Complex
) -> list[tuple[float, ...] | None]:
    """Return the sketch of each group: real parts, then imaginary ones; None where the group has no value to vary."""
    # roots: (WIDTH, n), from `cube_roots`, of the n test rows that predictions and rows hold.
    order = np.argsort(rows.codes, kind="stable")
    places = np.split(order, np.cumsum(np.bincount(rows.codes, minlength=len(rows.groups)))[:-1])
    found = group_influences(predictions, rows, metric, pseudo=False, clustered=False)
    sketches: list[tuple[float, ...] | None] = []
    for at, influence in zip(places, found.influences, strict=True):
        sums = roots[:, at] @ influence.psi
        known = np.isfinite(influence.value) and np.isfinite(influence.freedom)
        sketches.append(tuple(np.concatenate([sums.real, sums.imag]).tolist()) if known else None)
    return sketches
