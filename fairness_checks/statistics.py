"""Predictions -> GroupStatistics: one pass over the rows, after which their number no longer matters."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from fairness_checks.checks import MissingSensitive
from fairness_checks.counting import count_cells, place_intersections
from fairness_checks.errors import ConfigurationError, InvalidPredictions
from fairness_checks.metrics import CELLS, Metric
from fairness_checks.predictions import Predictions
from fairness_checks.sensitive import MISSING, SensitiveFeature, first_rows
from fairness_checks.stats.means import MeanStatistics, moments_by_group
from fairness_checks.stats.ranking import RankingStatistics, auc_by_group

__all__ = ["GroupStatistics"]

Counts = npt.NDArray[np.int64]
_MOST_INTERSECTIONS = 100_000


@dataclass(frozen=True, slots=True, eq=False)
class GroupStatistics:
    """Confusion counts of every group: all that inference may see.

    Parameters
    ----------
    by : tuple of str
        The sensitive features whose groups, or groups of the intersection, these are.
    groups : tuple of tuple of str
        One value per feature and group, sorted. Intersections without a sample are there, with counts of zero.
    counts : ndarray of int64, shape (G, 4)
        Cells tn, fp, fn, tp of each group.
    moments : mapping of str to MeanStatistics
        Moments of the per-sample values of each mean metric that was asked for.
    ranking : RankingStatistics or None
        Areas under the ROC curves of the groups, where they were asked for.

    Notes
    -----
    Counts of parts of the data add up with ``+``, in any order, to the counts of the whole.
    """

    by: tuple[str, ...]
    groups: tuple[tuple[str, ...], ...]
    counts: Counts
    moments: Mapping[str, MeanStatistics] = field(default_factory=dict)
    ranking: RankingStatistics | None = None

    @classmethod
    def from_predictions(
        cls,
        predictions: Predictions,
        by: Sequence[str],
        missing_sensitive: MissingSensitive = "error",
        metrics: Iterable[Metric] = (),
    ) -> GroupStatistics:
        """Count the confusion table of each group.

        Parameters
        ----------
        predictions : Predictions
            n samples.
        by : sequence of str
            One or more sensitive features.
        missing_sensitive : {"error", "group"}
            Whether a missing value is refused or a group called "(missing)".
        metrics : iterable of Metric
            Metrics that are wanted; what those of kind mean and ranking need beyond the counts is computed too. Areas
            under ROC curves cost one sort of the scores.

        Raises
        ------
        ConfigurationError
            If a feature does not exist.
        InvalidPredictions
            If sensitive values are missing and not declared a group, or areas are wanted and there are no scores.
        """
        features = [_complete(predictions.feature(name), missing_sensitive) for name in by]
        sizes = [len(feature.groups) for feature in features]
        total = math.prod(sizes)
        _refuse_many(by, total)
        by_feature = [feature.codes for feature in features]
        counts = count_cells(predictions.y_true, predictions.y_pred, by_feature, sizes)
        names = [
            tuple(feature.groups[i] for feature, i in zip(features, place, strict=True)) for place in np.ndindex(*sizes)
        ]
        order = sorted(range(len(names)), key=names.__getitem__)
        wanted = [metric for metric in metrics if metric.kind != "proportion"]
        codes = np.empty(len(predictions) if wanted else 0, dtype=np.int64)
        if wanted:
            place_intersections(codes, by_feature, sizes)
        moments = {
            metric.name: moments_by_group(codes, total, PER_SAMPLE[metric.name](predictions)).take(order)
            for metric in wanted
            if metric.kind == "mean"
        }
        areas = None
        if any(metric.kind == "ranking" for metric in wanted):
            areas = auc_by_group(codes, total, predictions.y_true, _scores(predictions)).take(order)
        return cls(tuple(by), tuple(names[i] for i in order), counts[order], moments, areas)

    @property
    def samples(self) -> Counts:
        """Number of samples of each group, shape (G,)."""
        return np.asarray(self.counts.sum(axis=1))

    def proportion(self, metric: Metric) -> tuple[Counts, Counts]:
        """Return (events, samples) of a proportion metric per group, each of shape (G,)."""
        numerator = [CELLS.index(cell) for cell in metric.numerator]
        denominator = [CELLS.index(cell) for cell in metric.denominator]
        return self.counts[:, numerator].sum(axis=1), self.counts[:, denominator].sum(axis=1)

    def __add__(self, other: GroupStatistics) -> GroupStatistics:
        if not isinstance(other, GroupStatistics):
            return NotImplemented
        if any(part.ranking is not None or part.moments for part in (self, other)):
            raise ConfigurationError("only counts of parts add up here; evaluate means and areas over the whole")
        if self.by != other.by:
            raise ConfigurationError(f"statistics by {list(self.by)} and by {list(other.by)} cannot be added")
        merged: dict[tuple[str, ...], Counts] = dict(zip(self.groups, self.counts, strict=True))
        for group, counts in zip(other.groups, other.counts, strict=True):
            merged[group] = merged[group] + counts if group in merged else counts
        # Parts may each lack an intersection that the whole has, without a sample.
        values = [sorted({group[i] for group in merged}) for i in range(len(self.by))]
        _refuse_many(self.by, math.prod(len(names) for names in values))
        for group in itertools.product(*values):
            merged.setdefault(group, np.zeros(len(CELLS), dtype=np.int64))
        names = sorted(merged)
        return GroupStatistics(self.by, tuple(names), np.array([merged[name] for name in names], dtype=np.int64))


def _refuse_many(by: Sequence[str], intersections: int) -> None:
    if intersections > _MOST_INTERSECTIONS:
        raise ConfigurationError(f"by: {list(by)} has {intersections:,} intersections; at most {_MOST_INTERSECTIONS:,}")


def _complete(feature: SensitiveFeature, missing_sensitive: MissingSensitive) -> SensitiveFeature:
    """Refuse missing values, or make them a group: the last one, which a code of -1 is counted for."""
    if not len(feature.codes) or feature.codes.min() >= 0:
        return feature
    if missing_sensitive == "error":
        missing = feature.codes < 0
        raise InvalidPredictions(
            f"sensitive_features[{feature.name!r}]: {int(missing.sum())} of {len(missing)} values are missing: "
            f"{first_rows(missing)}; fill them in, or set `missing_sensitive: group` to make them a group of their own"
        )
    if MISSING in feature.groups:
        raise InvalidPredictions(
            f"sensitive_features[{feature.name!r}]: a group is called {MISSING!r} already; rename it"
        )
    return SensitiveFeature(feature.name, feature.codes, (*feature.groups, MISSING))


def _scores(predictions: Predictions) -> npt.NDArray[np.float64]:
    if predictions.y_score is None:
        raise InvalidPredictions("y_score: not given; an area under the ROC curve or a Brier score needs scores")
    return predictions.y_score


PER_SAMPLE: Mapping[str, Callable[[Predictions], npt.NDArray[np.float64]]] = MappingProxyType(
    {"brier_score": lambda predictions: (_scores(predictions) - predictions.y_true) ** 2}
)
"""The value of one sample, by metric of kind mean."""
