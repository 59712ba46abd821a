"""The random forest of the reference study.

Straw, Rees, Nachev, J Med Internet Res 2024;26:e46936, https://doi.org/10.2196/46936: the as-is results of
both tables are met by a forest of scikit-learn's default parameters. Source of the method: Breiman, Machine
Learning 2001;45:5-32, https://doi.org/10.1023/A:1010933404324.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sklearn.ensemble import RandomForestClassifier

__all__ = ["random_forest"]


def random_forest(random_state: int) -> RandomForestClassifier:
    """Return an unfitted forest of 100 trees.

    Parameters
    ----------
    random_state : int
        Seed of the bootstrap samples and of the features tried at each split.

    Returns
    -------
    sklearn.ensemble.RandomForestClassifier
        With scikit-learn's defaults; one thread, because the runs of a gate are what is spread over cores.

    Examples
    --------
    >>> random_forest(0).get_params()["n_estimators"]
    100
    """
    from sklearn.ensemble import RandomForestClassifier  # a run that trains nothing does without

    return RandomForestClassifier(random_state=random_state, n_jobs=1)
