"""What a pass over the rows leaves of one metric."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from fairness_checks.errors import ConfigurationError, InvalidPredictions
from fairness_checks.inputs.alignment import require_aligned
from fairness_checks.inputs.predictions import Predictions
from fairness_checks.question.metrics import Metric
from fairness_checks.stats.clusters import FEWEST_CLUSTERS, FEWEST_EFFECTIVE

__all__ = ["Measured", "Takeable", "few_clusters", "values_of"]

Counts = npt.NDArray[np.int64]
_LARGEST = 1e70  # the third powers of values, and what is made of them, must be numbers
_SMALLEST_SPREAD = 1e-70  # and must not vanish


class Takeable(Protocol):
    """Statistics of G groups."""

    def take(self, order: Sequence[int]) -> Any:
        """Return the groups at the given positions; -1 is an empty group."""
        ...


S = TypeVar("S", bound=Takeable)
N = TypeVar("N", bound=np.number[Any])


@dataclass(frozen=True, slots=True, eq=False)
class Measured(Generic[S]):
    """Statistics of one metric's samples in G groups."""

    statistics: S
    samples: Counts  # (G,), that count for the metric
    clusters: Counts | None = None  # (G,); None where samples are independent
    effective: npt.NDArray[np.float64] | None = None  # (G,), fewer, where a few clusters hold most samples

    def take(self, order: Sequence[int]) -> Measured[S]:
        """Return the groups at the given positions; -1 is an empty group."""
        clusters = None if self.clusters is None else _taken(self.clusters, order)
        effective = None if self.effective is None else _taken(self.effective, order)
        return Measured(self.statistics.take(order), _taken(self.samples, order), clusters, effective)

    def few_clusters(self, group: int) -> str | None:
        """Say that a group has too few clusters; None if it has enough, or samples are independent."""
        if self.clusters is None or self.effective is None:
            return None
        return few_clusters(int(self.clusters[group]), int(self.samples[group]), float(self.effective[group]))

    def __add__(self, other: Measured[S]) -> Measured[S]:
        if self.clusters is not None or other.clusters is not None:
            raise ConfigurationError(
                "cluster: statistics of parts cannot be added, a cluster may have samples in both; evaluate the whole"
            )
        if not hasattr(self.statistics, "__add__"):
            raise ConfigurationError("parts cannot be added: statistics of this kind have no sum; evaluate the whole")
        return Measured(self.statistics + other.statistics, self.samples + other.samples)


def _taken(counts: npt.NDArray[N], order: Sequence[int]) -> npt.NDArray[N]:
    at = np.asarray(order, dtype=np.intp)
    return np.append(counts, counts.dtype.type(0))[at]  # -1 is what was appended


def few_clusters(clusters: int, samples: int, effective: float) -> str | None:
    """Say that a group has too few clusters for their variance to be known; None if it has enough."""
    # Clusters of one sample each are independent samples, to which no such rule applies.
    if clusters == samples:
        return None
    if clusters < FEWEST_CLUSTERS:
        return f"{samples} samples in {clusters} clusters; {FEWEST_CLUSTERS} clusters are needed"
    if effective < FEWEST_EFFECTIVE:
        return (
            f"{samples} samples in {clusters} clusters so unequal that they count as {effective:.1f}; "
            f"{FEWEST_EFFECTIVE:g} are needed"
        )
    return None


def values_of(metric: Metric, predictions: Predictions) -> npt.NDArray[np.float64]:
    """Return the metric's value of each sample, shape (n,); nan where a sample does not count."""
    assert metric.per_sample is not None  # for the type checker: rows of the table without it have other kinds
    values = metric.per_sample(predictions)
    if type(values) is not np.ndarray:  # which carries neither labels nor a mask
        require_aligned({"predictions": predictions.row_labels, metric.name: values})
    if np.ma.isMaskedArray(values) and np.ma.getmaskarray(values).any():
        raise InvalidPredictions(f"{metric.name}: its function returned masked values; give NaN where none counts")
    values = np.asarray(values)
    if values.shape != (len(predictions),) or values.dtype.kind not in "biuf":
        raise InvalidPredictions(
            f"{metric.name}: its function returned dtype {values.dtype} and shape {values.shape}; "
            f"one number a sample is needed, shape ({len(predictions)},)"
        )
    values = values.astype(np.float64)
    if np.isinf(values).any():
        raise InvalidPredictions(f"{metric.name}: {int(np.isinf(values).sum())} samples have an infinite value")
    lowest, highest = max(metric.lowest, -_LARGEST), min(metric.highest, _LARGEST)
    outside = (values < lowest) | (values > highest)
    if outside.any():
        raise InvalidPredictions(
            f"{metric.name}: {int(outside.sum())} samples have a value outside [{lowest:g}, {highest:g}], "
            f"for instance {values[outside][0]:g}"
        )
    spread = float(np.fmax.reduce(values, initial=-np.inf) - np.fmin.reduce(values, initial=np.inf))  # NaN is left out
    if 0.0 < spread < _SMALLEST_SPREAD:
        raise InvalidPredictions(
            f"{metric.name}: the values differ by {spread:.0e} at most, of which no third power is left; give them in "
            f"larger units, so that they differ by {_SMALLEST_SPREAD:g} or more"
        )
    return values
