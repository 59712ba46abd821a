"""Numbers as reports write them."""

from __future__ import annotations

__all__ = ["value_text"]


def value_text(value: float) -> str:
    """Write a value with three decimals, or three digits where it is larger or smaller than these show."""
    return f"{value:.3f}" if value == 0.0 or 0.001 <= abs(value) < 100.0 else f"{value:.3g}"
