"""The samples of an engine in their groups, as they were counted first: by what it is seen that they have changed."""

from __future__ import annotations

from functools import cached_property
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from fairness_checks.errors import InvalidPredictions
from fairness_checks.inputs.engine import COLLECT, Answer
from fairness_checks.inputs.predictions import LazyPredictions
from fairness_checks.measure.rows import Counts, Rows
from fairness_checks.measure.sources.sums import refuse_nan
from fairness_checks.question.metrics import CELLS
from fairness_checks.stats.cluster_sums import ClusterMoments
from fairness_checks.typing import Array

__all__ = ["CountedRows"]


_NINE_DIGITS = 1e-9  # in which sums of the same numbers in another order agree, but for very many


class CountedRows(Rows):
    """Samples in the groups of one or more features, known by the table of counts."""

    predictions: LazyPredictions

    @cached_property
    def counts(self) -> Counts | None:
        """Confusion counts, shape (G, 4); None without labels or decisions."""
        if not {"y_true", "y_pred"} <= self.predictions.engine.given:
            return None
        cells = self.predictions.cells
        found = np.zeros((len(self.groups), len(CELLS)), dtype=np.int64)
        cell = 2 * cells.labels().astype(np.int64) + cells.decisions()
        np.add.at(found, (self.codes, cell), self.times)
        return found

    @cached_property
    def samples(self) -> Counts:
        """Samples of each group, shape (G,)."""
        found = np.zeros(len(self.groups), dtype=np.int64)
        np.add.at(found, self.codes, self.times)
        return found

    @property
    def times(self) -> Counts:
        """Samples of each combination of features, label and decision, of which `codes` are the groups."""
        counts = next(iter(self.predictions.sensitive_features.values())).counts
        assert counts is not None  # for the type checker: those of an engine have them
        return counts

    @property
    def clusters(self) -> npt.NDArray[np.int64] | None:
        """Return None where samples are independent; else what is asked for is not here."""
        if self.in_clusters:
            self.refuse("cluster")
        return None

    @property
    def in_clusters(self) -> bool:
        """Whether samples come in clusters."""
        return "cluster" in self.predictions.engine.given

    @property
    def _columns(self) -> list[str]:
        return [self.predictions.engine.features[feature.name] for feature in self._features]

    def require(self, *roles: str) -> None:
        """Refuse a metric that reads what was not given."""
        for role in roles:
            if role not in self.predictions.engine.given:
                raise InvalidPredictions(f"{role}: not given; the metric needs it")

    def refuse(self, what: str) -> NoReturn:
        """Say what no engine computes, and what is done about it."""
        raise InvalidPredictions(f"{what}: is not computed in an engine ({self.predictions.engine.source}); {COLLECT}")

    def _require_same(self, samples: npt.NDArray[Any]) -> None:
        """Refuse samples of the groups, shape (G,), that are not those which were counted first."""
        self._require_same_counts(samples, self.samples)

    def _require_same_outcomes(self, answer: Answer, place: npt.NDArray[np.int64]) -> None:
        """Refuse an answer whose groups hold other labels or decisions than those that were counted first."""
        cells, size = self.predictions.cells, len(CELLS) * len(self.groups)
        now, first, n = len(CELLS) * place, len(CELLS) * self.codes, answer.whole("n")
        for weight, name, values in ((2, "label", cells.y_true), (1, "decided", cells.y_pred)):
            if values is not None and name in answer.table.columns:
                refuse_nan(self.predictions.engine, n, answer.real(name))
                now, first = now + weight * answer.whole(name), first + weight * values
        self._require_same_counts(np.bincount(now, n, size), np.bincount(first, self.times, size))

    def _require_same_total(self, name: str, place: npt.NDArray[np.int64], now: npt.NDArray[np.float64]) -> None:
        """Refuse numbers of the rows of an answer, in the groups `place`, whose sum is not that of the first answer."""
        groups = len(self.groups)
        first = np.bincount(self.codes, self.predictions.totals[name], groups).astype(np.float64)
        self._require_same_sums(np.bincount(place, now, groups).astype(np.float64), first, first, self.samples)

    def _require_same_sums(self, now: Array, first: Array, size: Array, n: Counts) -> None:
        """Refuse sums of n numbers, shapes (G,), that differ by more than rounding of such as add up to `size`."""
        rounding = n * np.finfo(np.float64).eps  # and scores past an end were clipped by a few
        if not (np.abs(now - first) <= (_NINE_DIGITS + rounding) * np.abs(size) + 8.0 * rounding).all():  # nor NaN
            raise InvalidPredictions(
                f"{self.predictions.engine.source}: its rows changed while they were read (to other values); give a "
                "table that nobody writes to, such as a snapshot"
            )

    def _require_same_moments(self, found: ClusterMoments, n: Counts, mean: Array, m2: Array) -> None:
        """Refuse clusters of other samples than those whose moments are known, shapes (G,)."""
        mean = np.nan_to_num(mean)
        self._require_same_counts(found.samples, n)
        size = np.sqrt(n * (m2 + n * mean**2))  # of sums of either sign
        self._require_same_sums(found.first[:, 0] + found.centre[:, 0] * n, n * mean, size, n)

    def _require_same_counts(self, now: npt.NDArray[Any], first: npt.NDArray[Any]) -> None:
        if now.shape != first.shape or (now != first).any():
            raise InvalidPredictions(
                f"{self.predictions.engine.source}: its rows changed while they were read ({int(first.sum()):,} at "
                f"first, {int(now.sum()):,} then); give a table that nobody writes to, such as a snapshot"
            )

    def _place(self, answer: Answer) -> npt.NDArray[np.int64]:
        """Return the group of each row of an answer that has all features."""
        theirs = answer.coded()  # codes of an answer that has only these features, too
        codes = []
        for feature in self._features:
            own = theirs[feature.name]
            place = {name: at for at, name in enumerate(feature.groups)}
            table = np.array([*(place.get(name, -1) for name in own.groups), -1], dtype=np.int64)
            codes.append(table[own.codes])
        return self._placed(codes)

    def _require_same_squares(self, pairs: Array, first: Array) -> None:
        """Refuse products of pairs of groups, (G, G), of which those with itself are not the squares of a group."""
        self._require_same_sums(np.diagonal(pairs), first, first, self.samples)
