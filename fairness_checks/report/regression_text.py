"""What a check against the baseline says of then and now."""

from __future__ import annotations

from collections.abc import Iterator

from fairness_checks.plain import printable
from fairness_checks.records.parts import RegressionRecord

__all__ = ["regression_lines", "worsening_words"]

_WORDS = {
    "disparity": "growth of the largest difference",
    "worst_group": "worsening of the worst group",
    "each_group": "worsening of any group",
}


def worsening_words(regression: RegressionRecord) -> str:
    """Say what is compared."""
    return _WORDS[regression.of]


def regression_lines(regression: RegressionRecord) -> Iterator[str]:
    """Say what it was compared with and how, who paid for an improvement, and what limit is held."""
    if regression.baseline_date is not None:
        commit = f" at commit {regression.baseline_commit[:12]}" if regression.baseline_commit else ""
        yield f"Baseline of {regression.baseline_date}{commit}."
    if regression.before is not None:
        yield printable(f"{'Paired' if regression.paired else 'Not paired'}: {regression.pairing}.")
    if regression.levelling_down is not None:
        yield printable(f"Levelling down: {regression.levelling_down}.")
    if regression.held_limit is not None:
        yield f"The baseline holds it at {regression.held_limit:.3g}."
    if regression.suggested_limit is not None:
        yield (
            f"Better than the baseline: --fairness-update-baseline would hold it at {regression.suggested_limit:.3g} "
            "from now on."
        )
