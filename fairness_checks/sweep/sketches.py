"""What test rows contribute to a metric, in few numbers by which two trainings can be compared afterwards."""

# Under two mixes the same rows test, and most of what they do to a gap cancels in its change; how much is seen row by
# row, but trainings are done apart. Each keeps a sketch: the sum of its rows' influence h on the value of a group,
# each times a random number that the row has in every training of the repeat. Sums and differences of sketches are
# sketches of sums and differences. The numbers are cube roots of unity, w: the expectation of |sum h w|^2 is sum h^2,
# the variance that the test rows have given the models, and that of Re (sum h w)^3 is sum h^3, their skewness (w^3 =
# 1, and all other products average to zero). Rows that stay together share one number. No row can be read from it.
# Alon, Matias, Szegedy, J. Comput. Syst. Sci. 58 (1999) 137, doi:10.1006/jcss.1997.1545.

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from fairness_checks.kinds import kind_of
from fairness_checks.kinds.kind import Arrays
from fairness_checks.measure.rows import Rows
from fairness_checks.question.metrics import CELLS, Metric
from fairness_checks.typing import Array

__all__ = ["WIDTH", "Exponents", "Sketch", "cube_roots", "group_sketches", "root_exponents"]

Exponents: TypeAlias = "npt.NDArray[np.int8]"
Sketch: TypeAlias = "tuple[float, ...] | None"
WIDTH = 8  # over 20 repeats a variance is then known to 8 %
_ROOTS = np.exp(2j * np.pi * np.arange(3) / 3.0)
_PARTS = (_ROOTS.real, _ROOTS.imag)


def root_exponents(rng: np.random.Generator, units: npt.NDArray[np.intp]) -> Exponents:
    """Return k of the random numbers exp(2 pi i k / 3) of n rows, shape (WIDTH, n): equal for rows of one unit."""
    if bool((units[1:] > units[:-1]).all()):  # each row by itself
        return rng.integers(3, size=(WIDTH, len(units))).astype(np.int8)
    _, codes = np.unique(units, return_inverse=True)
    drawn = rng.integers(3, size=(WIDTH, int(codes.max(initial=-1)) + 1)).astype(np.int8)
    return np.asarray(drawn[:, codes])


def cube_roots(exponents: Exponents) -> npt.NDArray[np.complex128]:
    """Return the random numbers themselves, shape (WIDTH, n)."""
    return np.asarray(_ROOTS[exponents])


def group_sketches(
    rows: Rows, arrays: Mapping[str, Arrays], metrics: Sequence[Metric], exponents: Exponents
) -> list[list[Sketch]]:
    """Return the sketch of each group for each metric: real parts, then imaginary ones; None where nothing varies."""
    # exponents: (WIDTH, n), of the n test rows; arrays: what each metric reads of them (`Kind.arrays`). What a rate's
    # rows contribute is said by the cells that they are in: numbers are then counted once for all rates.
    by_cell = None if rows.counts is None else _by_cell(rows, exponents)
    found: dict[str, list[Sketch]] = {}
    others = []
    for metric in metrics:
        psi = None if rows.counts is None else kind_of(metric).components(rows.counts, metric)
        if psi is None or by_cell is None:
            others.append(metric)
        else:
            found[metric.name] = _sketches(np.einsum("gc,wgc->gw", psi, by_cell), np.isfinite(psi[:, 0]))
    of_rows = _of_rows(rows, [arrays[metric.name] for metric in others], others, exponents) if others else []
    found |= dict(zip((metric.name for metric in others), of_rows, strict=True))
    return [found[metric.name] for metric in metrics]


def _by_cell(rows: Rows, exponents: Exponents) -> Array:
    """Return the sums of the numbers of the rows in each cell of the confusion tables, shape (2 WIDTH, G, 4)."""
    predictions, size = rows.predictions, len(rows.groups) * len(CELLS)
    cell = rows.codes * len(CELLS) + 2 * predictions.labels().view(np.uint8) + predictions.decisions().view(np.uint8)
    counts = np.array([np.bincount(cell + size * k, minlength=3 * size) for k in exponents.astype(np.intp)])
    sums = [np.einsum("k,wks->ws", part, counts.reshape(WIDTH, 3, size)) for part in _PARTS]
    return np.concatenate(sums).reshape(2 * WIDTH, len(rows.groups), len(CELLS))


def _of_rows(
    rows: Rows, arrays: Sequence[Arrays], metrics: Sequence[Metric], exponents: Exponents
) -> list[list[Sketch]]:
    """Return the sketches of metrics row by row."""
    groups = len(rows.groups)
    sums, known = np.zeros((len(metrics), groups, 2 * WIDTH)), np.zeros((len(metrics), groups), dtype=np.bool_)
    for g, at in enumerate(rows.members):
        psi = np.empty((len(at), len(metrics)))
        for m, metric in enumerate(metrics):
            own = tuple(array[at] for array in arrays[m])
            influence = kind_of(metric).influence(own, None, pseudo=False)
            known[m, g] = np.isfinite(influence.value) and np.isfinite(influence.freedom)
            psi[:, m] = influence.psi
        mine = exponents[:, at]
        sums[:, g] = np.concatenate([part[mine] @ psi for part in _PARTS]).T
    return [_sketches(some, which) for some, which in zip(sums, known, strict=True)]


def _sketches(sums: Array, known: npt.NDArray[np.bool_]) -> list[Sketch]:
    return [tuple(row) if there else None for row, there in zip(sums.tolist(), known.tolist(), strict=True)]
