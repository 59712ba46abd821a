"""What test rows contribute to a metric, as so few numbers that the rows of two trainings can be compared afterwards.

Under two mixes the same rows test, so that most of what they do to a gap cancels in its change; how much does is seen
in the rows, row by row, and trainings are done apart, on other days and machines. Each therefore keeps a sketch [1]_:
the sum of its rows' influence h on the value of a group, each times a random number that the row has in every training
of the repeat. Sums and differences of sketches are sketches of sums and differences. The random numbers are cube roots
of unity, w: then the expectation of |sum h w|^2 is sum h^2, the variance that the test rows have given the models, and
that of Re (sum h w)^3 is sum h^3, by which skewness is known too (w^3 = 1, and all other products average to zero).
Rows that stay together share one number, so that sums over clusters are what is squared. No row can be read from it.

References
----------
.. [1] Alon N, Matias Y, Szegedy M. The space complexity of approximating the frequency moments. J. Comput. Syst. Sci.
   58 (1999) 137-147. doi:10.1006/jcss.1997.1545
"""

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
    """Return the random numbers of n rows, shape (WIDTH, n): equal for rows of one unit.

    Examples
    --------
    >>> found = cube_roots(np.random.default_rng(0), np.array([4, 7, 4]))
    >>> found.shape, bool((found[:, 0] == found[:, 2]).all()), np.allclose(found**3, 1.0)
    ((8, 3), True, True)
    """
    _, codes = np.unique(units, return_inverse=True)
    drawn = rng.integers(3, size=(WIDTH, int(codes.max(initial=-1)) + 1))
    return np.asarray(_ROOTS[drawn][:, codes])


def group_sketches(
    predictions: Predictions, rows: Rows, metric: Metric, roots: Complex
) -> list[tuple[float, ...] | None]:
    """Return the sketch of each group: real parts, then imaginary ones; None where the group has no value to vary.

    Parameters
    ----------
    predictions : Predictions
        n test rows.
    rows : Rows
        The same in their G groups.
    metric : Metric
        One whose values of two models can be compared.
    roots : ndarray of complex, shape (WIDTH, n)
        From `cube_roots`.
    """
    order = np.argsort(rows.codes, kind="stable")
    places = np.split(order, np.cumsum(np.bincount(rows.codes, minlength=len(rows.groups)))[:-1])
    found = group_influences(predictions, rows, metric, pseudo=False, clustered=False)
    sketches: list[tuple[float, ...] | None] = []
    for at, influence in zip(places, found.influences, strict=True):
        sums = roots[:, at] @ influence.psi
        known = np.isfinite(influence.value) and np.isfinite(influence.freedom)
        sketches.append(tuple(np.concatenate([sums.real, sums.imag]).tolist()) if known else None)
    return sketches
