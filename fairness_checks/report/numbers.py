"""Numbers as reports write them."""

from __future__ import annotations

__all__ = ["HIDDEN", "LEGEND", "interval_text", "interval_words", "limit_text", "p_text", "value_text"]

HIDDEN = "hidden"
"""What stands where a record holds no number although there is one."""
LEGEND = (
    "[...]: interval; p: of such data if the limit were kept, adjusted over the model's checks; for a pass, if it were "
    "exceeded"
)
"""What intervals and p-values behind each check mean, in one line."""


def value_text(value: float) -> str:
    """Write a value with three decimals, or three digits where it is larger or smaller than these show."""
    return f"{value:.3f}" if value == 0.0 or 0.001 <= abs(value) < 100.0 else f"{value:.3g}"


def interval_text(value: float | None, low: float | None, high: float | None, undefined: str = "not defined") -> str:
    """Write a value with its interval, as far as they are known: ``0.240 [0.188, 0.291]``."""
    if value is None:
        return undefined
    if low is None or high is None:
        return value_text(value)
    return f"{value_text(value)} [{value_text(low)}, {value_text(high)}]"


def interval_words(low: float | None, high: float | None) -> str:
    """Write an interval as tables have it, in a column of its own: ``0.188 to 0.291``."""
    return "" if low is None or high is None else f"{value_text(low)} to {value_text(high)}"


def limit_text(limit: float) -> str:
    """Write a limit with two decimals where they suffice."""
    return f"{limit:.2f}" if round(limit, 2) == limit else f"{limit:g}"


def p_text(p: float) -> str:
    """Write a p-value as journals do."""
    if p < 0.001:
        return "p < 0.001"
    return f"p = {p:.3f}" if p < 0.1 else f"p = {p:.2f}"
