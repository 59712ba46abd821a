"""Pairs of groups as counts: what tests of two rates are given."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fairness_checks.typing import Array

__all__ = ["Pairs"]

_TIE = 1e-9  # samples this close to a half are one


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """B pairs of groups: events and samples of a first and a second group."""

    x1: Array  # (B,), 0 <= x <= n; whole numbers, or effective counts
    n1: Array
    x2: Array
    n2: Array

    def __len__(self) -> int:
        return len(self.x1)

    def take(self, index: np.ndarray | slice) -> Pairs:
        """Return a subset of the pairs."""
        return Pairs(self.x1[index], self.n1[index], self.x2[index], self.n2[index])

    def joined(self, correlation: Array) -> Pairs:
        """Scale the counts of pairs whose rates share clusters, so that their difference varies as it does."""
        # What a cluster adds to both rates is no difference between them; see `estimates.joined`.
        drawn = ((self.x1 + 1.0) / (self.n1 + 2.0), (self.x2 + 1.0) / (self.n2 + 2.0))
        v1, v2 = (p * (1.0 - p) / n for p, n in zip(drawn, (self.n1, self.n2), strict=True))
        factor = 1.0 - 2.0 * correlation * np.sqrt(v1 * v2) / (v1 + v2)
        factor = np.maximum(factor, 1.0 / np.minimum(self.n1, self.n2))
        counts = (self.x1, self.n1, self.x2, self.n2)
        x1, n1, x2, n2 = (np.where(correlation == 0.0, count, count / factor) for count in counts)
        least = np.maximum(1.0 / np.minimum(n1, n2), 1.0)  # tests of two rates need a sample of each
        return Pairs(x1 * least, n1 * least, x2 * least, n2 * least)

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
