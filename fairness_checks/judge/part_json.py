"""Statistics of parts of the rows as a document, and back: nothing of a document is taken that no rows could have."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from fairness_checks.distribution import package_version
from fairness_checks.errors import FairnessError, RecordError
from fairness_checks.findings.statistics_json import groups_from_json, groups_to_json
from fairness_checks.kinds import kind_of
from fairness_checks.kinds.clustered_part import ClusteredPart
from fairness_checks.kinds.measured import Measured
from fairness_checks.kinds.rates import Rates
from fairness_checks.measure.measured_groups import Counts, MeasuredGroups
from fairness_checks.plain import printable, strict_json
from fairness_checks.question.metrics import LEAST_PROBABILITY, METRICS
from fairness_checks.stats.calibration_bins import BINS, CalibrationStatistics
from fairness_checks.stats.cluster_sums import ClusterMoments
from fairness_checks.stats.moments import MeanStatistics
from fairness_checks.stats.score_histogram import ScoreHistogram

__all__ = ["BROKEN", "SCHEMA", "is_part", "plain_table", "read_models", "read_table", "seal_document"]

SCHEMA = 1
_WHAT = "statistics of a part of the rows"
_TABLE = {"groups", "metrics", "refused", "clusters"}
_GROUPS = {"by", "groups", "counts", "samples", "measured", "clusters_cross_groups", "one_cluster_each"}
_WHOLE = frozenset({"n", "samples", "group", "positives", "negatives", "events", "clusters"})
"""Arrays of statistics that are of whole numbers; all others are of floats."""


BROKEN = (LookupError, ArithmeticError, TypeError, ValueError, AttributeError, AssertionError, FairnessError)
"""What reading statistics that no rows have may raise."""


def seal_document(models: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the document of what there is of some models, plain builtins, with its checksum."""
    plain: dict[str, Any] = {"schema": SCHEMA, "what": _WHAT, "version": package_version(), "models": dict(models)}
    return json.dumps(plain | {"sha256": _checksum(plain)}, sort_keys=True, allow_nan=False, ensure_ascii=False) + "\n"


def plain_table(
    groups: MeasuredGroups, metrics: Sequence[str], refused: Mapping[str, str], clusters: Counts | None
) -> dict[str, Any]:
    """Return a table as plain builtins."""
    return {
        "groups": groups_to_json(groups),
        "metrics": list(metrics),
        "refused": dict(refused),
        "clusters": None if clusters is None else clusters.tolist(),
    }


def _checksum(plain: Mapping[str, Any]) -> str:
    rest = {name: value for name, value in plain.items() if name != "sha256"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def is_part(content: bytes) -> bool:
    """Say whether a file is a document of parts, of whatever content."""
    try:
        plain = json.loads(content)
    except (ValueError, RecursionError):
        return False
    return isinstance(plain, dict) and plain.get("what") == _WHAT


def read_models(text: str, where: str) -> dict[str, dict[str, Any]]:
    """Return what a document says of each model, plain builtins; RecordError names the place and what is wrong."""
    try:
        plain = strict_json(text)
    except (ValueError, RecursionError) as error:
        raise RecordError(f"{where}: not JSON: {printable(str(error))}") from error
    if not isinstance(plain, dict) or plain.get("what") != _WHAT:
        raise RecordError(f"{where}: no statistics of a part of the rows: `fairness-checks statistics` writes them")
    if plain.get("schema") != SCHEMA or type(plain["schema"]) is not int:
        raise RecordError(
            f"{where}: schema {plain.get('schema')!r}; this version reads schema {SCHEMA}; write it with the version "
            "that merges"
        )
    if plain.get("sha256") != _checksum(plain):
        raise RecordError(f"{where}: its content is not that of its checksum: it was changed after it was written")
    if unknown := sorted(set(plain) - {"schema", "what", "version", "models", "sha256"}):
        raise RecordError(f"{where}: {printable(unknown[0])}: is none of its keys")
    models = plain.get("models")
    if not isinstance(models, dict) or not models:
        raise RecordError(f"{where}: models: holds none")
    return models


def read_table(
    content: Mapping[str, Any], *, clustered: bool
) -> tuple[MeasuredGroups, tuple[str, ...], dict[str, str], Counts | None]:
    """Read groups, metrics, what was refused and clusters; any of BROKEN where no rows can have them."""
    if set(content) != _TABLE or set(content["groups"]) != _GROUPS:
        raise ValueError(f"tables: have other keys than {', '.join(sorted(_TABLE))} and {', '.join(sorted(_GROUPS))}")
    groups = groups_from_json(content["groups"])
    metrics, refused, clusters = content["metrics"], content["refused"], content["clusters"]
    of = ", ".join(groups.by)
    if not groups.by or len(set(groups.groups)) < len(groups.groups):
        raise ValueError(f"by {of}: a group stands twice")
    if any(type(value) is not str for name in (groups.by, *groups.groups) for value in name):
        raise ValueError(f"by {of}: a name is no text")
    if groups.counts.shape != (len(groups.groups), 4) or groups.samples.shape != (len(groups.groups),):
        raise ValueError(f"by {of}: counts of other groups")
    if (clusters is None) == clustered or (not clustered and (groups.clusters_cross_groups or groups.one_cluster_each)):
        raise ValueError(f"by {of}: clusters: are there, or are not")
    if clusters is not None and (type(clusters) is not list or any(type(n) is not int for n in clusters)):
        raise ValueError(f"by {of}: clusters: they are whole numbers")
    if not set(groups.measured) <= set(metrics) - set(refused) or not set(refused) <= set(metrics) <= set(METRICS):
        raise ValueError(f"by {of}: statistics of other metrics than {', '.join(metrics)}")
    if list(metrics) != sorted(set(metrics)) or any(type(why) is not str for why in refused.values()):
        raise ValueError(f"by {of}: metrics: each once, in order")
    held = None if clusters is None else np.array(clusters, dtype=np.int64)
    if held is not None and (held.shape != groups.samples.shape or (held > groups.samples).any() or (held < 0).any()):
        raise ValueError(f"by {of}: clusters: more than samples")
    for name in set(metrics) - set(refused):
        _require_possible(name, groups, clustered=clustered)
    _require_scores(groups)
    return groups, tuple(metrics), dict(refused), held


def _require_possible(metric: str, groups: MeasuredGroups, *, clustered: bool) -> None:
    """Raise ValueError for what was measured of a metric, unless it can be of the groups' samples."""
    found = groups.measured.get(metric)
    if found is None:
        by_counts = kind_of(METRICS[metric]).of_counts and not clustered and groups.unlabelled is None
        if not by_counts:
            raise ValueError(f"{metric}: has no statistics")
        return
    expected = _expected(metric, clustered=clustered)
    if type(found) is not Measured or type(found.statistics) is not expected or found.clusters is not None:
        raise ValueError(f"{metric}: statistics of another metric")
    if found.samples.shape != (len(groups.groups),) or (found.samples > groups.samples).any():
        raise ValueError(f"{metric}: more samples than there are")
    for name, values in _arrays(found, ""):
        if (values.dtype == np.int64) != (name.rpartition(".")[2] in _WHOLE):
            raise ValueError(f"{metric}: {name[1:]}: whole numbers, or none")
        if values.dtype.kind == "f" and not np.isfinite(values).all() and not name.endswith(".mean"):
            raise ValueError(f"{metric}: {name[1:]}: holds no number")
        if values.dtype.kind in "iu" and (values < 0).any():
            raise ValueError(f"{metric}: {name[1:]}: holds a count below 0")
    _require_samples(metric, groups, found.statistics, found.samples)


def _require_samples(metric: str, groups: MeasuredGroups, some: Any, counted: Counts) -> None:
    """Raise ValueError unless statistics are of the samples that count for a metric."""
    if isinstance(some, ScoreHistogram):
        _require_histogram(metric, groups, some, counted)
    plain: Any = some.statistics if isinstance(some, ClusteredPart) else some
    if isinstance(plain, Rates):
        events, samples = groups.proportion(METRICS[metric])
        if (plain.events != events).any() or (plain.samples != samples).any() or (counted != samples).any():
            raise ValueError(f"{metric}: other events than the counts have")
    if isinstance(plain, MeanStatistics):
        _require_moments(metric, plain, counted, (METRICS[metric].lowest, METRICS[metric].highest))
    if isinstance(plain, CalibrationStatistics):
        if plain.samples.shape != (len(counted), BINS) or (plain.samples.sum(axis=1) != counted).any():
            raise ValueError(f"{metric}: bins of other samples")
        _require_moments(metric, plain.bins, plain.samples.ravel(), (-1.0, 1.0))  # of labels less scores
    if isinstance(some, ClusteredPart):
        _require_clusters(metric, some.clusters, counted)
        if some.bins is not None:
            _require_clusters(metric, some.bins, plain.samples.ravel())


def _expected(metric: str, *, clustered: bool) -> type:
    """Return of what class the statistics of a metric are."""
    kind = kind_of(METRICS[metric])
    if clustered and ClusteredPart in kind.parts:
        return ClusteredPart
    return ScoreHistogram if ScoreHistogram in kind.parts else kind.statistics[0]


def _require_histogram(metric: str, groups: MeasuredGroups, found: ScoreHistogram, counted: Counts) -> None:
    tn, fp, fn, tp = groups.counts.T
    positives, negatives = found.counts()
    if (
        type(found.groups) is not int
        or found.groups != len(groups.groups)
        or (positives != fn + tp).any()
        or (negatives != tn + fp).any()
    ):
        raise ValueError(f"{metric}: scores of other samples")
    if (counted != positives + negatives).any() or ((found.positives + found.negatives) == 0).any():
        raise ValueError(f"{metric}: counts other samples than it has scores of")
    same = {len(values) for _, values in _arrays(found, "")}
    rising = np.lexsort((found.high, found.low, found.group))
    if len(same) > 1 or (rising != np.arange(len(rising))).any() or (found.group >= found.groups).any():
        raise ValueError(f"{metric}: cells of scores out of order")
    if not ((found.low >= 0.0) & (found.low <= found.high) & (found.high <= 1.0)).all():
        raise ValueError(f"{metric}: scores outside [0, 1]")


def _require_moments(metric: str, found: MeanStatistics, samples: np.ndarray, span: tuple[float, float]) -> None:
    """Raise ValueError unless moments are of so many values within a span."""
    there = samples > 0
    if found.n.shape != samples.shape or (found.n != samples).any() or found.of_samples is not None:
        raise ValueError(f"{metric}: moments of other samples")
    if any(each.shape != samples.shape for each in (found.mean, found.m2, found.m3)):
        raise ValueError(f"{metric}: moments of other groups")
    lowest, highest = span
    mean = found.mean[there]
    if not np.isfinite(mean).all() or (mean < lowest - 1e-9).any() or (mean > highest + 1e-9).any():
        raise ValueError(f"{metric}: a mean outside [{lowest:g}, {highest:g}]")
    if (found.m2 < 0.0).any():
        raise ValueError(f"{metric}: a sum of squares below 0")
    _require_spread(metric, found, there, span)


def _require_spread(metric: str, found: MeanStatistics, there: np.ndarray, span: tuple[float, float]) -> None:
    """Raise ValueError unless values within a span can have such a sum of squares, and of cubes."""
    n, mean, m2, m3 = found.n[there], found.mean[there], found.m2[there], np.abs(found.m3[there])
    if (found.m2[~there] != 0.0).any() or (found.m3[~there] != 0.0).any():
        raise ValueError(f"{metric}: a spread of no samples")
    scale = 1e-9 * (1.0 + np.abs(mean).max(initial=0.0))  # of rounding, where groups lie far from each other
    if (m2[n == 1] > scale * scale * 1e9).any():
        raise ValueError(f"{metric}: a spread of one sample")
    if np.isfinite(span).all():  # Bhatia and Davis 2000
        most = n * (span[1] - mean) * (mean - span[0])
        if (m2 > most + 1e-9 * n).any():
            raise ValueError(f"{metric}: a sum of squares that no values in [{span[0]:g}, {span[1]:g}] have")
    # No deviation is larger than the root of the sum of squares; nor, of values in a span, than this.
    largest = np.minimum(np.sqrt(m2), span[1] - span[0])
    if (m3 > largest * m2 * (1.0 + 1e-6) + n * 1e-9 * (1e9 * scale) ** 3).any():
        raise ValueError(f"{metric}: a sum of cubes that no values with this sum of squares have")


def _require_scores(groups: MeasuredGroups) -> None:
    """Raise ValueError unless losses are those of the scores, where single scores are there."""
    some = groups.measured.get("roc_auc")
    if some is None or not isinstance(found := some.statistics, ScoreHistogram) or (found.low != found.high).any():
        return
    for name, of_positive, of_negative in (
        ("brier_score", (1.0 - found.low) ** 2, found.low**2),
        (
            "log_loss",
            -np.log(np.maximum(found.low, LEAST_PROBABILITY)),
            -np.log(np.maximum(1.0 - found.low, LEAST_PROBABILITY)),
        ),
    ):
        if name not in groups.measured or not isinstance(said := groups.measured[name].statistics, MeanStatistics):
            continue
        weights = np.concatenate([found.positives, found.negatives]).astype(np.float64)
        group, values = np.tile(found.group, 2), np.concatenate([of_positive, of_negative])
        n = np.maximum(np.bincount(group, weights, found.groups), 1.0)
        mean = np.bincount(group, weights * values, found.groups) / n
        for moment, power in ((said.m2, 2), (said.m3, 3)):
            there = np.bincount(group, weights * (values - mean[group]) ** power, found.groups)
            most = np.bincount(group, weights * np.abs(values - mean[group]) ** power, found.groups)
            if (np.abs(moment - there) > 1e-6 * most + 1e-9 * n).any():
                raise ValueError(f"{name}: a spread that is not that of the scores of roc_auc")
        if (np.abs(said.mean - mean)[n > 0] > 1e-9).any():
            raise ValueError(f"{name}: a mean that is not that of the scores of roc_auc")


def _require_clusters(metric: str, found: ClusterMoments, samples: np.ndarray) -> None:
    groups, features = found.first.shape
    square = (groups, features, features)
    shapes = [each.shape for each in (found.second, found.by_size, found.within)]
    if groups != len(samples) or shapes != [square] * 3 or found.third.shape != (*square, features):
        raise ValueError(f"{metric}: moments of other groups of clusters")
    if (
        found.clusters.shape != (groups,)
        or (found.clusters > samples).any()
        or found.centre.shape != (groups, features)
    ):
        raise ValueError(f"{metric}: more clusters than samples")
    if (np.abs(found.first[:, -1] - samples) > 1e-9 * np.maximum(samples, 1)).any():
        raise ValueError(f"{metric}: clusters of other samples")
    if any((each.diagonal(axis1=1, axis2=2) < 0.0).any() for each in (found.second, found.by_size, found.within)):
        raise ValueError(f"{metric}: a sum of squares below 0")
    if found.across is not None and found.across.shape != (groups, groups, features, features):
        raise ValueError(f"{metric}: clusters that lie in other groups")


def _arrays(value: Any, name: str) -> Iterator[tuple[str, np.ndarray]]:
    """Yield every array of statistics, by its place."""
    if isinstance(value, np.ndarray):
        yield name, value
    elif dataclasses.is_dataclass(value):
        for each in dataclasses.fields(value):
            yield from _arrays(getattr(value, each.name), f"{name}.{each.name}")
