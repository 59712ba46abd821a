"""A training part, turned into the mix that a model learns from. Only training parts ever come here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fairness_checks.errors import ConfigurationError
from fairness_checks.sweep.apportion import largest_remainder
from fairness_checks.sweep.dataset import DataSet, Groups
from fairness_checks.sweep.mixes import Mix, Shares

__all__ = ["TrainingPart", "apply_mix"]


@dataclass(frozen=True, slots=True, eq=False)
class TrainingPart:
    """What a model is trained on."""

    data: DataSet
    source: npt.NDArray[np.intp]  # (n,), the row of the training part that each was, -1 for a synthetic one

    def sizes(self, by: str, available: Groups) -> tuple[dict[str, int], dict[str, int]]:
        """Return the rows of each group that is there, and how many different ones of those available these are."""
        real = self.source[self.source >= 0]
        seen = np.zeros(len(available.codes), dtype=np.bool_)
        seen[real] = True
        there = available.take(real) if len(real) == len(self.source) else self.data.groups(by)
        return there.sizes(), available.take(np.flatnonzero(seen)).sizes()


def apply_mix(
    mix: Mix, train: DataSet, by: str, size: int | None, rng: np.random.Generator, groups: Groups | None = None
) -> TrainingPart:
    """Turn a training part into the mix that a model is trained on; too few rows are a ConfigurationError."""
    # Shares need `size`, the rows to train on. Then "as_is" draws as many in the proportions that the groups have,
    # and "undersample" and "oversample" give every group the same part of it; None leaves their sizes as they come.
    # `groups` are those of the training part where they are known, all of them with rows.
    groups = train.groups(by) if groups is None else groups
    if mix == "oversample":
        return _oversampled(train, groups, size, rng)
    drawn = _undersampled(groups, rng) if mix == "undersample" and size is None else None
    if mix == "as_is" and size is None:
        return TrainingPart(train, np.arange(len(train)))
    if drawn is None:
        assert size is not None  # for the type checker: shares have one
        replace = isinstance(mix, Shares) and mix.replace
        drawn = _drawn(_counts(mix, groups, size), groups, by, size, rng, replace=replace)
    if not len(drawn):
        shares = dict(mix.shares) if isinstance(mix, Shares) else mix
        raise ConfigurationError(f"shares {shares!r} leave no row to train on; use a larger `size`")
    return TrainingPart(train.take(drawn), drawn)


def _counts(mix: Mix, groups: Groups, size: int) -> dict[str, int]:
    """Return how many of `size` rows each group has."""
    if isinstance(mix, Shares):
        return mix.counts(groups.names, size)
    there = groups.sizes()
    weights = [float(there[name]) if mix == "as_is" else 1.0 for name in groups.names]
    return dict(zip(groups.names, largest_remainder(weights, size), strict=True))


def _undersampled(groups: Groups, rng: np.random.Generator) -> npt.NDArray[np.intp]:
    from imblearn.under_sampling import RandomUnderSampler

    sampler = RandomUnderSampler(random_state=int(rng.integers(2**31)))
    sampler.fit_resample(np.arange(len(groups.codes))[:, None], groups.codes)
    return np.asarray(np.sort(sampler.sample_indices_))


def _oversampled(train: DataSet, groups: Groups, size: int | None, rng: np.random.Generator) -> TrainingPart:
    """Add synthetic rows; of groups that have more than their part of a given size, keep that many real ones."""
    from fairness_checks.sweep.synthetic import synthetic_rows  # imbalanced-learn takes a second to import

    wanted, rows = None, np.arange(len(train))
    if size is not None:
        wanted, there = _counts("oversample", groups, size), groups.sizes()
        kept = {name: min(count, there[name]) for name, count in wanted.items()}
        rows = _drawn(kept, groups, "", size, rng, replace=False)
        train, groups = train.take(rows), groups.take(rows)
    added = synthetic_rows(train, groups, rng, wanted)
    if added is None:
        return TrainingPart(train, rows)
    return TrainingPart(train.joined(added), np.append(rows, np.full(len(added), -1)))


def _drawn(
    counts: Mapping[str, int], groups: Groups, by: str, size: int, rng: np.random.Generator, *, replace: bool
) -> npt.NDArray[np.intp]:
    """Draw the rows of every group; each group from its own generator, so that no other's share moves its draw."""
    chosen = []
    available = groups.sizes()
    for place, (child, (name, count)) in enumerate(zip(rng.spawn(len(groups.names)), counts.items(), strict=True)):
        if count > available[name] and not replace:
            raise ConfigurationError(
                f"group {name!r} of {by!r}: {count} of {size} training rows are asked for, {available[name]} are "
                "there; use a smaller `size`, a smaller share, or `replace: true`"
            )
        chosen.append(child.choice(np.flatnonzero(groups.codes == place), count, replace=replace))
    return np.sort(np.concatenate(chosen))
