"""Pairs of groups as counts: what tests of two rates are given."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fairness_checks.stats.proportions import Array

__all__ = ["Pairs"]

_TIE = 1e-9  # samples this close to a half are one


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """B pairs of groups: events and samples of a first and a second group.

    Parameters
    ----------
    x1, n1, x2, n2 : ndarray of float64, shape (B,)
        ``0 <= x <= n``, ``n >= 1``; whole numbers, or effective counts of clustered samples.
    """

    x1: Array
    n1: Array
    x2: Array
    n2: Array

    def __len__(self) -> int:
        return len(self.x1)

    def take(self, index: np.ndarray | slice) -> Pairs:
        """Return a subset of the pairs."""
        return Pairs(self.x1[index], self.n1[index], self.x2[index], self.n2[index])

    def swapped(self) -> Pairs:
        """Return the pairs with first and second group exchanged."""
        return Pairs(self.x2, self.n2, self.x1, self.n1)

    def with_whole_samples(self) -> Pairs:
        """Round the numbers of samples, halves down, and keep the rates; whole numbers stay as they are."""
        n1, n2 = (np.maximum(np.ceil(n - 0.5 - _TIE), 1.0) for n in (self.n1, self.n2))
        x1 = np.where(n1 == self.n1, self.x1, self.x1 / self.n1 * n1)
        x2 = np.where(n2 == self.n2, self.x2, self.x2 / self.n2 * n2)
        return Pairs(x1, n1, x2, n2)

    def exchanged(self) -> np.ndarray:
        """Say which pairs have the smaller group first, or of equal groups the one with fewer events; shape (B,)."""
        return np.asarray((self.n1 < self.n2) | ((self.n1 == self.n2) & (self.x1 < self.x2)))

    def ordered(self) -> Pairs:
        """Exchange the groups of the pairs that are `exchanged`: what is computed then does not depend on names."""
        swap = self.exchanged()
        first, second = (self.x1, self.n1), (self.x2, self.n2)
        x1, n1 = (np.where(swap, b, a) for a, b in zip(first, second, strict=True))
        x2, n2 = (np.where(swap, a, b) for a, b in zip(first, second, strict=True))
        return Pairs(x1, n1, x2, n2)
