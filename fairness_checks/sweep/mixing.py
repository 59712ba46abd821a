"""A training part, turned into the mix that a model learns from. Only training parts ever come here."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fairness_checks.errors import ConfigurationError
from fairness_checks.sweep.dataset import DataSet, Groups
from fairness_checks.sweep.mixes import Mix, Shares

__all__ = ["TrainingPart", "apply_mix"]


@dataclass(frozen=True, slots=True, eq=False)
class TrainingPart:
    """What a model is trained on.

    Parameters
    ----------
    data : DataSet
        n rows.
    source : ndarray of int, shape (n,)
        The row of the training part that each was, or -1 for a synthetic one.
    """

    data: DataSet
    source: npt.NDArray[np.intp]


def apply_mix(mix: Mix, train: DataSet, by: str, size: int, rng: np.random.Generator) -> TrainingPart:
    """Turn a training part into the mix that a model is trained on.

    Parameters
    ----------
    mix : Mix
        "as_is" changes nothing. "oversample" adds synthetic rows to every group until it is as large as the largest
        (see `fairness_checks.sweep.synthetic`). "undersample" keeps of every group as many rows as the smallest has.
        Shares draw `size` rows.
    train : DataSet
        The training part of a split, at least one row of each group.
    by : str
        The sensitive feature whose groups are mixed.
    size : int
        Training size of shares; nothing else looks at it.
    rng : numpy.random.Generator
        Draws the rows.

    Raises
    ------
    ConfigurationError
        If a group has too few rows; the message says how many there are and what would help.

    Examples
    --------
    >>> data = DataSet({"age": range(6)}, [0, 1] * 3, {"sex": ["f", "f", "m", "m", "m", "m"]})
    >>> apply_mix("undersample", data, "sex", 0, np.random.default_rng(0)).data.groups("sex").sizes()
    {'f': 2, 'm': 2}
    """
    rows = np.arange(len(train))
    if mix == "as_is":
        return TrainingPart(train, rows)
    groups = train.groups(by)
    if mix == "oversample":
        from fairness_checks.sweep.synthetic import synthetic_rows  # imbalanced-learn takes a second to import

        added = synthetic_rows(train, groups, rng)
        return TrainingPart(
            train if added is None else train.joined(added),
            rows if added is None else np.append(rows, np.full(len(added), -1)),
        )
    if mix == "undersample":
        from imblearn.under_sampling import RandomUnderSampler

        sampler = RandomUnderSampler(random_state=int(rng.integers(2**31)))
        sampler.fit_resample(rows[:, None], groups.codes)
        drawn = np.sort(sampler.sample_indices_)
    else:
        drawn = _drawn(mix, groups, by, size, rng)
    return TrainingPart(train.take(drawn), drawn)


def _drawn(mix: Shares, groups: Groups, by: str, size: int, rng: np.random.Generator) -> npt.NDArray[np.intp]:
    """Draw the rows of every group; each group from its own generator, so that no other's share moves its draw."""
    chosen = []
    available = groups.sizes()
    for place, (child, (name, count)) in enumerate(
        zip(rng.spawn(len(groups.names)), mix.counts(groups.names, size).items(), strict=True)
    ):
        if count > available[name] and not mix.replace:
            raise ConfigurationError(
                f"group {name!r} of {by!r}: {count} of {size} training rows are asked for, {available[name]} are "
                "there; use a smaller `size`, a smaller share, or `replace: true`"
            )
        chosen.append(child.choice(np.flatnonzero(groups.codes == place), count, replace=mix.replace))
    drawn = np.sort(np.concatenate(chosen))
    if not len(drawn):
        raise ConfigurationError(f"shares {dict(mix.shares)!r} leave no row to train on; use a larger `size`")
    return drawn
