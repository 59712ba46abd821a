"""The samples of Predictions, placed in the groups of some features: all that the pass over the rows reads."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt

from fairness_checks.errors import ConfigurationError, InvalidPredictions
from fairness_checks.inputs.alignment import naming_labels
from fairness_checks.inputs.encoding import recode
from fairness_checks.inputs.group_names import clean, means_missing
from fairness_checks.inputs.predictions import Predictions
from fairness_checks.inputs.sensitive import MISSING, SensitiveFeature
from fairness_checks.measure.counting import count_cells, place_intersections
from fairness_checks.question.checks import MISSING_IS_ERROR, Missing
from fairness_checks.stats.clusters import FEWEST_CLUSTERS, ClusterCells, cluster_cells
from fairness_checks.stats.ranking import Ranked

__all__ = ["Counts", "Rows", "Sorted", "refuse_many", "refuse_namesake_of_missing", "without_missing_text"]

Counts = npt.NDArray[np.int64]
_MOST_INTERSECTIONS = 100_000


class Sorted:
    """Orders of the samples of some predictions, each found when it is first asked for."""

    def __init__(self, predictions: Predictions) -> None:
        self._predictions = predictions

    @cached_property
    def by_score(self) -> Ranked:
        """Samples by rising score."""
        return Ranked.of(self._predictions.labels(), self._predictions.scores())


class Rows:
    """Samples in the groups of one or more features; what is derived from them is computed when first asked for."""

    # `groups` are sorted, one value a feature; intersections without a sample are there.

    def __init__(self, predictions: Predictions, by: Sequence[str], missing: Missing = MISSING_IS_ERROR) -> None:
        self.predictions = predictions
        # Of means, where they are read more than once; whoever measures many rows has no room for them.
        self.values: Mapping[str, npt.NDArray[np.float64]] = {}
        self.sorted: Sorted | None = None  # where the same samples are placed by other features, too
        with naming_labels(predictions.row_labels):
            features = [_complete(predictions.feature(name), missing) for name in by]
        self._features = features
        self._sizes = [len(feature.groups) for feature in features]
        refuse_many(by, math.prod(self._sizes))
        self._codes = [feature.codes for feature in features]
        names = [
            tuple(feature.groups[i] for feature, i in zip(features, place, strict=True))
            for place in np.ndindex(*self._sizes)
        ]
        self._order = sorted(range(len(names)), key=names.__getitem__)
        self.groups = tuple(names[i] for i in self._order)

    @cached_property
    def counts(self) -> Counts | None:
        """Confusion counts, shape (G, 4); None without labels."""
        p = self.predictions
        if p.y_true is None or p.y_pred is None:
            return None
        return count_cells(p.y_true, p.y_pred, self._codes, self._sizes)[self._order]

    @cached_property
    def samples(self) -> Counts:
        """Samples of each group, shape (G,)."""
        if self.counts is not None:
            return np.asarray(self.counts.sum(axis=1))
        return np.bincount(self.codes, minlength=len(self.groups)).astype(np.int64)

    @cached_property
    def codes(self) -> npt.NDArray[np.int64]:
        """Position in `groups` of each sample's group, shape (n,)."""
        return self._placed(self._codes)

    @cached_property
    def members(self) -> list[npt.NDArray[np.intp]]:
        """The samples of each group, in their order."""
        groups = len(self.groups)
        # Codes of 16 bits are sorted by radix, in linear time.
        order = np.argsort(self.codes.astype(np.int16 if groups < 2**15 else np.int64), kind="stable")
        return np.split(order, np.cumsum(np.bincount(self.codes, minlength=groups))[:-1])

    def _placed(self, codes: Sequence[np.ndarray]) -> npt.NDArray[np.int64]:
        place = np.empty(len(codes[0]), dtype=np.int64)
        place_intersections(place, codes, self._sizes)
        rank = np.empty(len(self._order), dtype=np.int64)
        rank[self._order] = np.arange(len(self._order))
        return rank[place]

    @property
    def clusters(self) -> npt.NDArray[np.int64] | None:
        """Cluster of each sample, shape (n,); None where samples are independent."""
        return self.predictions.cluster

    def cells(self, counted: npt.NDArray[np.bool_] | None = None) -> ClusterCells | None:
        """Return groups by clusters of the samples that count; None where samples are independent."""
        if self.clusters is None:
            return None
        codes = self.codes if counted is None else np.where(counted, self.codes, -1)
        return cluster_cells(codes, len(self.groups), self.clusters)

    @cached_property
    def _all_cells(self) -> ClusterCells | None:
        return self.cells()

    @property
    def clusters_cross_groups(self) -> bool:
        """Whether some cluster has samples in more than one group."""
        return self._all_cells is not None and self._all_cells.spanning

    @property
    def one_cluster_each(self) -> bool:
        """Whether each group has one cluster, though some has samples enough for the clusters that a test needs."""
        if self._all_cells is None:
            return False
        return int(self._all_cells.by_group().max()) == 1 and int(self.samples.max()) >= FEWEST_CLUSTERS


def refuse_many(by: Sequence[str], intersections: int) -> None:
    """Raise ConfigurationError for more intersections than can be counted."""
    if intersections > _MOST_INTERSECTIONS:
        raise ConfigurationError(f"by: {list(by)} has {intersections:,} intersections; at most {_MOST_INTERSECTIONS:,}")


def without_missing_text(feature: SensitiveFeature, missing: Missing) -> SensitiveFeature:
    """Return the feature with text that means a missing value as missing; refuse it where nobody said what it is."""
    said = None if missing.text is None else {clean(text) for text in missing.text}
    found = [i for i, name in enumerate(feature.groups) if (means_missing(name) if said is None else name in said)]
    if not found:
        return feature
    if missing.text is None and missing.sensitive == "error":
        name = feature.groups[found[0]]
        rows = feature.codes == found[0]
        raise InvalidPredictions(
            f"sensitive_features[{feature.name!r}]: {feature.share(rows)} values are the text {name!r}, "
            f"which means a missing value{feature.where(rows)}; fill them in, or say what it "
            f"is under `defaults:` of thresholds.yaml, or as an argument in Python: `missing_text: [{name!r}]` for a "
            "missing value, `missing_text: []` for a group of that name"
        )
    remaining = [position for position in range(len(feature.groups)) if position not in found]
    table = np.full(len(feature.groups) + 1, -1)
    table[remaining] = np.arange(len(remaining))
    codes = recode(feature.codes, table, feature.codes.dtype)
    groups = tuple(feature.groups[position] for position in remaining)
    return SensitiveFeature(feature.name, codes, groups, feature.counts)


def _complete(feature: SensitiveFeature, missing: Missing) -> SensitiveFeature:
    """Refuse missing values, or make them a group: the last one, which a code of -1 is counted for."""
    feature = without_missing_text(feature, missing)
    if not len(feature.codes) or feature.codes.min() >= 0:
        return feature
    if missing.sensitive == "error":
        absent = feature.codes < 0
        raise InvalidPredictions(
            f"sensitive_features[{feature.name!r}]: {feature.share(absent)} values are missing"
            f"{feature.where(absent)}; fill them in, or make them a group of their own, by "
            "`defaults: {missing_sensitive: group}` in thresholds.yaml, or missing_sensitive='group' in Python"
        )
    refuse_namesake_of_missing(feature)
    return SensitiveFeature(feature.name, feature.codes, (*feature.groups, MISSING), feature.counts)


def refuse_namesake_of_missing(feature: SensitiveFeature) -> None:
    """Raise InvalidPredictions for a group that is called as that of missing values is."""
    if MISSING in feature.groups:
        raise InvalidPredictions(
            f"sensitive_features[{feature.name!r}]: a group is called {MISSING!r} already; rename it"
        )
