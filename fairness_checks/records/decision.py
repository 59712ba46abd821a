"""The one function that decides a verdict."""

from __future__ import annotations

from typing import Literal, TypeAlias

__all__ = ["Verdict", "decide"]

Verdict: TypeAlias = Literal["pass", "fail", "inconclusive", "waived"]


def decide(
    p_adjusted: float | None,
    p_compliance: float | None,
    alpha: float,
    *,
    complete: bool = True,
    broken: bool = False,
    waiver: bool = False,
) -> Verdict:
    """Decide a verdict.

    Parameters
    ----------
    p_adjusted : float or None
        p-value of "the limit is kept", adjusted over the model's checks; None where undefined.
    p_compliance : float or None
        p-value of "the limit is exceeded or met"; None where undefined.
    alpha : float
        Significance level.
    complete : bool
        False where some group could not be judged: the others can prove a violation, but never compliance.
    broken : bool
        Whether the check could not be made at all, which no data settle: it fails, and no waiver covers it.
    waiver : bool
        Whether an unexpired waiver names the check.

    Examples
    --------
    >>> decide(0.001, 0.999, 0.05), decide(0.9, 0.01, 0.05), decide(0.3, 0.4, 0.05), decide(None, None, 0.05)
    ('fail', 'pass', 'inconclusive', 'inconclusive')
    """
    if broken:
        return "fail"
    if p_adjusted is not None and p_adjusted < alpha:
        return "waived" if waiver else "fail"
    if complete and p_compliance is not None and p_compliance < alpha:
        return "pass"
    return "inconclusive"
