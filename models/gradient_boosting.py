"""The gradient boosting that the reference study compares with its fairness-aware variant.

Straw, Rees, Nachev, J Med Internet Res 2024;26:e46936, https://doi.org/10.2196/46936, Table 5; its parameters
are not known here, so they are scikit-learn's defaults. Source of the method: Friedman, Annals of Statistics
2001;29:1189-1232, https://doi.org/10.1214/aos/1013203451.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sklearn.ensemble import GradientBoostingClassifier

__all__ = ["gradient_boosting"]


def gradient_boosting(random_state: int) -> GradientBoostingClassifier:
    """Return an unfitted model of 100 boosted trees of depth 3.

    Parameters
    ----------
    random_state : int
        Seed of the order in which equally good splits are tried.

    Returns
    -------
    sklearn.ensemble.GradientBoostingClassifier
        With scikit-learn's defaults.

    Examples
    --------
    >>> gradient_boosting(0).get_params()["max_depth"]
    3
    """
    from sklearn.ensemble import GradientBoostingClassifier  # a run that trains nothing does without

    return GradientBoostingClassifier(random_state=random_state)
