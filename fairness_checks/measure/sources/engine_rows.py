"""The samples of an engine in the groups of some features: counts and sums, of which it makes one small table each."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import fields, replace
from functools import cached_property, partial, reduce
from typing import Any

import numpy as np
import numpy.typing as npt

from fairness_checks.errors import InvalidPredictions
from fairness_checks.inputs.engine import COLLECT, TOTAL, Answer
from fairness_checks.inputs.narwhals_later import nw
from fairness_checks.inputs.predictions import LazyPredictions, Predictions, like
from fairness_checks.inputs.source import ARRAYS
from fairness_checks.measure.rows import Counts, Rows
from fairness_checks.measure.sources.calibration_clusters import SIGNS_AT_ONCE, sums_by_bin, sums_by_sign
from fairness_checks.measure.sources.clusters import (
    SORTS,
    Profiles,
    distinct_clusters,
    profiles_of,
    sorts_of_pairs,
    sums_of_clusters,
    sums_of_pairs,
    to_moments,
    to_pairs,
)
from fairness_checks.measure.sources.columns import EngineColumns
from fairness_checks.measure.sources.counted_rows import CountedRows
from fairness_checks.measure.sources.score_clusters import components_of_clusters
from fairness_checks.measure.sources.scores import MOST_SCORES, distinct_of, scores_of
from fairness_checks.measure.sources.sums import Sums, refuse_nan, refuse_range, residual_sums, sums_by_cell, sums_of
from fairness_checks.question.checks import Missing
from fairness_checks.question.metrics import Metric
from fairness_checks.stats.calibration_bins import BINS, CalibrationStatistics, bin_signs, calibration_values
from fairness_checks.stats.cluster_sums import ClusterMoments
from fairness_checks.stats.clusters import FEWEST_CLUSTERS
from fairness_checks.stats.moments import MeanStatistics, merged_by_group
from fairness_checks.stats.ranking_clusters import ClusterAreas
from fairness_checks.stats.score_histogram import ScoreHistogram, score_bins
from fairness_checks.typing import Array

__all__ = ["EngineRows", "rows_of"]


_ROLES = {"label": "y_true", "decided": "y_pred", "score": "y_score"}
_FAR = 1e4  # squared standard deviations from where deviations are added up: a third moment keeps 10 digits
_NEAR = 1e-10  # share of a mean, below which a distance is rounding
_COARSE = 1e-5  # ambiguity of an area, up to which no bin is counted more finely: that costs more than the first count


class EngineRows(CountedRows):
    """Samples in the groups of one or more features; what is derived from them is asked for when first needed."""

    @property
    def clusters_cross_groups(self) -> bool:
        """Whether some cluster has samples in more than one group."""
        return self.in_clusters and self._crossing > 0

    @property
    def one_cluster_each(self) -> bool:
        """Whether each group has one cluster, though some has samples enough for the clusters that a test needs."""
        if not self.in_clusters:
            return False
        clusters = np.zeros(len(self.groups), dtype=np.int64)
        np.add.at(clusters, self.profiles.group, self.profiles.times)
        return int(clusters.max()) == 1 and int(self.samples.max()) >= FEWEST_CLUSTERS

    @cached_property
    def profiles(self) -> Profiles:
        """Clusters by what they hold."""
        features = self._columns
        answer = self.predictions.asked(f"clusters by {features}", partial(profiles_of, features=features))
        names = [name for name in SORTS if name in answer.table.columns] or ["m"]
        found = Profiles(
            self._place(answer), np.column_stack([answer.whole(name) for name in names]), answer.whole("times")
        )
        self._require_same(np.bincount(found.group, found.held.sum(axis=1) * found.times, len(self.groups)))
        return found

    @property
    def _distinct(self) -> int:
        return int(self.predictions.asked("clusters", distinct_clusters).whole("clusters")[0])

    @property
    def _crossing(self) -> int:
        """How many more pairs of a group and a cluster there are than clusters."""
        return int(self.profiles.times.sum()) - self._distinct

    def pairs_of_sorts(self) -> Array | None:
        """Return products of what clusters hold in two groups, shape (G, G, 4, 4); None where none lies in two."""
        if not self.clusters_cross_groups:
            return None
        features = self._columns
        answers = self.predictions.asked(f"pairs by {features}", partial(sorts_of_pairs, features=features))
        squares = self.profiles.held.sum(axis=1) ** 2.0 * self.profiles.times
        found, first = self._pairs(answers, SORTS), np.bincount(self.profiles.group, squares, len(self.groups))
        self._require_same_squares(found.sum(axis=(2, 3)), first.astype(np.float64))
        return found

    def _pairs(self, answers: tuple[Answer, Answer], names: Sequence[str]) -> Array:
        one, other = (self._place(answer) for answer in answers)
        return to_pairs(answers[0], (one, other), len(self.groups), names)

    def cluster_moments(self, metric: Metric) -> ClusterMoments:
        """Return the moments of clusters' sums of a metric's values."""
        groups, features, (value, read) = len(self.groups), self._columns, self._value(metric)
        sums = self.predictions.asked(metric.name, partial(sums_of, value=value, read=read))
        pivot = float(np.average(sums.moments.mean, weights=sums.moments.n))
        query = partial(sums_of_clusters, keys=features, deviations=[value - pivot])
        answer = self.predictions.asked(f"clusters of {metric.name} by {features}", query)
        found = to_moments(answer, self._place(answer), groups, pivot)
        plain, _ = self._merged(sums)
        self._require_same_moments(found, plain.n, plain.mean, plain.m2)
        if not self.clusters_cross_groups:
            return found
        pairs = partial(sums_of_pairs, features=features, deviation=value - pivot)
        across = self._pairs(self.predictions.asked(f"pairs of {metric.name} by {features}", pairs), "zm")
        self._require_same_squares(across[:, :, 0, 0], found.second[:, 0, 0])
        self._require_same_squares(across[:, :, 1, 1], found.second[:, 1, 1])
        return replace(found, across=across)

    def _require_clusters_in_groups(self, metric: str) -> None:
        """Refuse clusters that lie in several groups."""
        if self.clusters_cross_groups:
            raise InvalidPredictions(
                f"cluster: {self._crossing:,} of {self._distinct:,} clusters lie in several groups of "
                f"{', '.join(feature.name for feature in self._features)}; how {metric} of such groups depend on each "
                f"other is not computed in an engine ({self.predictions.engine.source}); {COLLECT}"
            )

    def _value(self, metric: Metric) -> tuple[nw.Expr, frozenset[str]]:
        """Return a metric's values, and the columns that they are made of."""
        if metric.in_engine is None:
            self.refuse(metric.name)
        columns = EngineColumns(self.predictions.engine)
        value: nw.Expr = metric.in_engine(columns)
        return value, frozenset(columns.read)

    def moments(self, metric: Metric) -> MeanStatistics:
        """Return the moments of a metric's values by group."""
        value, read = self._value(metric)
        sums = self.predictions.asked(metric.name, partial(sums_of, value=value, read=read))
        refuse_range(metric, sums.lowest, sums.highest)
        found, is_far = self._merged(sums)
        if is_far and not self.predictions.engine.frame.implementation.is_dask():  # which has no windows
            sums = self.predictions.asked(f"{metric.name} by cell", partial(sums_by_cell, value=value, read=read))
            found, is_far = self._merged(sums)
        if is_far:
            self.refuse(f"{metric.name}: the third power of values that vary so little beside the distance of groups")
        return found

    def _merged(self, sums: Sums) -> tuple[MeanStatistics, bool]:
        """Return the moments of the groups, and whether some vary too little for where they were added up."""
        place, groups = self._place(sums.answer), len(self.groups)
        found = merged_by_group(place, groups, sums.moments)
        self._require_same(found.n)
        self._require_same_outcomes(sums.answer, place)
        for name in sums.answer.table.columns:
            if name.startswith(TOTAL):
                self._require_same_total(name, place, sums.answer.real(name))
        far = np.bincount(place, weights=sums.moments.n * sums.distance**2, minlength=groups)
        too_far = (far > _FAR * found.m2) & (far > found.n * (_NEAR * found.mean) ** 2)
        return found, bool(too_far.any())

    def calibration(self) -> CalibrationStatistics:
        """Return the moments of y_true - y_score by group and bin of the score."""
        columns = EngineColumns(self.predictions.engine)
        labels, scores = columns.labels(), columns.scores()
        query = partial(residual_sums, residual=labels - scores, score=scores)
        sums = self.predictions.asked("calibration", query)
        group, n = self._place(sums.answer), sums.moments.n
        place = group * BINS + np.maximum(-sums.answer.whole("key"), 1) - 1
        found = merged_by_group(place, len(self.groups) * BINS, sums.moments)
        samples = np.asarray(found.n, dtype=np.int64).reshape(-1, BINS)
        self._require_same(samples.sum(axis=1))
        self._require_same_outcomes(sums.answer, group)
        self._require_same_total(f"{TOTAL}score", group, n * (sums.answer.whole("label") - sums.moments.mean))
        return CalibrationStatistics(samples, found)

    def calibration_of_clusters(self, plain: CalibrationStatistics) -> tuple[ClusterMoments, ClusterMoments]:
        """Return the moments of clusters' sums of y_true - y_score: with the signs of bins by group, and by bin."""
        self._require_clusters_in_groups("calibration errors")
        groups, features, asked = len(self.groups), self._columns, self.predictions.asked
        mean = np.nan_to_num(plain.bins.mean).reshape(-1, BINS)
        pivots = (plain.samples * mean).sum(axis=0) / np.maximum(plain.samples.sum(axis=0), 1)
        answer = asked(
            f"clusters of bins by {features}", partial(sums_by_bin, features=features, pivots=pivots.tolist())
        )
        place = self._place(answer) * BINS + answer.whole("bin")
        of_bins = to_moments(answer, place, groups * BINS, np.tile(pivots, groups))
        self._require_same_moments(of_bins, plain.bins.n, plain.bins.mean, plain.bins.m2)

        error = np.nan_to_num(calibration_values(plain))
        pivot, squares = (
            float(np.average(error, weights=self.samples)),
            plain.bins.m2 + plain.bins.n * mean.ravel() ** 2,
        )
        signs, of_group = np.unique(bin_signs(plain.bins).reshape(-1, BINS), axis=0, return_inverse=True)
        found: list[ClusterMoments] = []
        for start in range(0, len(signs), SIGNS_AT_ONCE):  # of all clusters with each, whose groups have one of them
            some = signs[start : start + SIGNS_AT_ONCE]
            query = partial(sums_by_sign, features=features, signs=some, pivot=pivot)
            answer = asked(f"clusters of calibration by {features}, {start}", query)
            place = self._place(answer)
            for at in range(len(some)):
                mine = np.where(of_group.ravel() == start + at, np.arange(groups), -1)
                found.append(to_moments(answer, place, groups, pivot, at).take(mine.tolist()))
        signed = reduce(operator.add, found)
        squares = (plain.bins.m2 + plain.bins.n * mean.ravel() ** 2).reshape(-1, BINS).sum(axis=1)
        self._require_same_moments(signed, self.samples, error, squares - self.samples * error**2)
        return signed, of_bins

    def histogram(self) -> ScoreHistogram:
        """Return the scores of each group, counted in bins; single scores where there are few."""
        return self._counted_scores()[0]

    def areas_of_clusters(self) -> ClusterAreas:
        """Return the areas of samples in clusters, and what these hold of their components."""
        self._require_clusters_in_groups("AUCs")
        histogram, depth, bins = self._counted_scores()
        features, groups = self._columns, len(self.groups)
        query = partial(components_of_clusters, features=features, depth=depth, bins=bins)
        answer = self.predictions.asked(f"clusters of scores by {features}", query)
        place = self._place(answer)
        if len(np.unique(place)) < len(place):
            names = ", ".join(feature.name for feature in self._features)
            self.refuse(f"roc_auc of clusters by {names}, where one group has several names,")
        self._require_same(np.bincount(place, answer.real("p") + answer.real("q"), groups))
        self._require_same_total(f"{TOTAL}score", place, answer.real(f"{TOTAL}score"))

        def of(name: str) -> Array:
            found = np.zeros(groups)
            found[place] = answer.real(name)
            return found

        return ClusterAreas(histogram.statistics(), *(of(each.name) for each in fields(ClusterAreas)[1:]))

    def _counted_scores(self) -> tuple[ScoreHistogram, int | None, npt.NDArray[np.int64] | None]:
        """Return counts of scores, at which depth they were counted (None: one by one), and the bins that were cut."""
        columns = EngineColumns(self.predictions.engine)
        columns.labels(), columns.scores()  # an error here if they are missing
        exact = len(self.predictions) <= MOST_SCORES
        found = self._histogram(None if exact else 0)
        positives, _ = found.counts()
        labels = self.predictions.cells.labels()
        self._require_same_counts(positives, np.bincount(self.codes[labels], self.times[labels], len(self.groups)))
        at, cut = None if exact else 0, None
        for depth in (1, 2):
            if exact or not (cells := found.too_coarse()).any() or _ambiguity(found) <= _COARSE:
                break
            some = np.unique(found.bins[cells])
            at, cut = depth, some if cut is None else np.union1d(cut, some)
            finer = self._histogram(depth, some)
            try:
                found = found.refined(cells, finer)
            except ValueError as error:
                raise InvalidPredictions(
                    f"{self.predictions.engine.source}: its rows changed while they were read ({error}); give a table "
                    "that nobody writes to, such as a snapshot"
                ) from None
        return found, at, cut

    def distinct_orders(self, metric: Metric) -> tuple[Counts, Array, Array, Counts]:
        """Return the different errors and uncertainties of each group: its position, both, and how many samples."""
        if self.in_clusters:
            self.refuse(f"{metric.name} of clusters")
        columns, features = EngineColumns(self.predictions.engine), self._columns
        columns.ranked_errors(), columns.uncertainties()
        read, what = sorted(columns.read), "errors and uncertainties"
        query = partial(distinct_of, features=features, columns=read, what=what)
        answer = self.predictions.asked(f"{what} by {features}", query)
        place, n = self._place(answer), answer.whole("n")
        self._require_same(np.bincount(place, n, len(self.groups)))
        self._require_same_outcomes(answer, place)
        given: dict[str, Any] = {}
        for name in read:
            values = answer.real(name)
            refuse_nan(self.predictions.engine, n, values)
            given[_ROLES.get(name, name)] = values.astype(np.bool_) if name in ("label", "decided") else values
            if (total := f"{TOTAL}{name}") in answer.table.columns:
                self._require_same_total(total, place, answer.real(total))
        # What is ranked is made of them here, so that it has the ties that it has in memory.
        some = like(self.predictions.cells, **(dict.fromkeys(ARRAYS) | given))
        return place, some.ranked_errors(), some.uncertainties(), n

    def _histogram(self, depth: int | None, bins: npt.NDArray[np.int64] | None = None) -> ScoreHistogram:
        features = self._columns
        query = partial(scores_of, features=features, depth=depth, bins=bins)
        answer = self.predictions.asked(f"scores by {features}, {depth}", query)
        low, high, n, positives = answer.real("low"), answer.real("high"), answer.whole("n"), answer.whole("positives")
        place = self._place(answer)
        if bins is None:
            self._require_same(np.bincount(place, n, len(self.groups)))
            self._require_same_total(f"{TOTAL}score", place, answer.real(f"{TOTAL}score"))
        return ScoreHistogram.of_bins(len(self.groups), place, score_bins(low), positives, n - positives, low, high)


def _ambiguity(histogram: ScoreHistogram) -> float:
    ambiguity = histogram.statistics().ambiguity
    return 0.0 if ambiguity is None else float(ambiguity.max())


def rows_of(predictions: Predictions, by: Sequence[str], missing: Missing) -> Rows:
    """Return samples in their groups, wherever their rows are."""
    return (EngineRows if isinstance(predictions, LazyPredictions) else Rows)(predictions, by, missing)
