"""The one function that decides a verdict."""

from __future__ import annotations

from typing import Literal, TypeAlias

from fairness_checks.question.checks import Burden

__all__ = ["DESELECTED", "Verdict", "decide", "turns_red"]

Verdict: TypeAlias = Literal["pass", "fail", "inconclusive", "waived"]

DESELECTED = "deselected"
"""Why what a run was not asked for has no verdict."""


def decide(
    p_adjusted: float | None,
    p_compliance: float | None,
    alpha: float,
    *,
    complete: bool = True,
    broken: bool = False,
    waiver: bool = False,
) -> Verdict:
    """Decide a verdict."""
    # p_adjusted is of "the limit is kept", p_compliance of "the limit is exceeded or met"; None where undefined. Not
    # `complete`, some group could not be judged: the others can prove a violation, but never compliance. `broken`
    # could not be made at all, which no data settle: it fails, and no waiver covers it.
    if broken:
        return "fail"
    if p_adjusted is not None and p_adjusted < alpha:
        return "waived" if waiver else "fail"
    if complete and p_compliance is not None and p_compliance < alpha:
        return "pass"
    return "inconclusive"


def turns_red(verdict: Verdict, burden_of_proof: Burden) -> bool:
    """Say whether a verdict fails the run.

    Examples
    --------
    >>> turns_red("inconclusive", "violation"), turns_red("inconclusive", "compliance")
    (False, True)
    """
    return verdict == "fail" or (verdict == "inconclusive" and burden_of_proof == "compliance")
