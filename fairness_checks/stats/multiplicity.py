"""Adjustment of p-values over the checks of one model, and over independent groups."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import numpy as np

__all__ = ["CORRECTIONS", "adjust", "sidak", "sidak_level"]


def _holm(p: np.ndarray) -> np.ndarray:
    """Holm's step-down adjustment (Scand. J. Stat. 6 (1979) 65-70): controls the family-wise error rate."""
    order = np.argsort(p, kind="stable")
    steps = np.maximum.accumulate((len(p) - np.arange(len(p))) * p[order])
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(steps, 1.0)
    return adjusted


def _benjamini_hochberg(p: np.ndarray) -> np.ndarray:
    """Benjamini and Hochberg's adjustment (JRSS B 57 (1995) 289-300): controls the false discovery rate."""
    order = np.argsort(p, kind="stable")
    steps = p[order] * (len(p) / np.arange(1, len(p) + 1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(np.minimum.accumulate(steps[::-1])[::-1], 1.0)
    return adjusted


CORRECTIONS: Mapping[str, Callable[[np.ndarray], np.ndarray]] = MappingProxyType(
    {"holm": _holm, "benjamini_hochberg": _benjamini_hochberg, "none": np.copy}
)


def adjust(p_values: Sequence[float], correction: str) -> list[float]:
    """Return p-values adjusted by a key of `CORRECTIONS`, in the order given."""
    if not p_values:
        return []
    return [float(p) for p in CORRECTIONS[correction](np.asarray(p_values, dtype=np.float64))]


def sidak(smallest: float, tests: int) -> float:
    """Adjust the smallest p-value of independent tests (Sidak, JASA 62 (1967) 626-633)."""
    return float(-np.expm1(tests * np.log1p(-smallest))) if smallest < 1.0 else 1.0


def sidak_level(alpha: float, tests: int) -> float:
    """Return the level of each of the independent tests: `sidak` of it is alpha."""
    return float(-np.expm1(np.log1p(-alpha) / tests))
