"""Whole numbers in given proportions."""

from __future__ import annotations

import math
from collections.abc import Sequence

__all__ = ["largest_remainder"]


def largest_remainder(weights: Sequence[float], total: int) -> list[int]:
    """Share out `total` in proportion to weights, by the method of the largest remainder (Hamilton's)."""
    # Each number differs from its exact share by less than 1; equal remainders go to the first.
    scale = total / math.fsum(weights)
    exact = [weight * scale for weight in weights]
    whole = [math.floor(share + 1e-9) for share in exact]  # 0.1 * 30 may be a little below 3
    by_remainder = sorted(range(len(exact)), key=lambda place: whole[place] - exact[place])  # stable
    for place in by_remainder[: total - sum(whole)]:
        whole[place] += 1
    return whole
