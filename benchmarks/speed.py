"""How fast the gate is: ``python -m benchmarks.speed [--quick] [--ids] [--peer-runs N]`` prints one table of ratios.

Each row is ours beside a peer on the same arrays in the same run, medians of several calls (of `--peer-runs` for
Fairlearn's bootstrap, which takes minutes). Nothing is asserted. Peers:

- Fairlearn: a MetricFrame with n_boot=100 and ci_quantiles, difference_ci() included
- np.unique: a sort of the same feature with return_inverse, which is what coding by a sort costs at least
- np.bincount: one count of the same rows' groups, as int64
- np.argsort: one sort of the same scores
- factorize: pandas.factorize of the same ids; astype: the same whole numbers made text, which ids are kept as
- HMAC: `hmac.digest` of the same ids one by one; a file of outcomes holds no id but by it
- Predictions: made of the same columns of pandas, of which the comparison of row labels is a part
- Index.equals: pandas' own comparison of the same row labels, which stops at no difference and names none
- 1e5 rows: the same inference, at the smallest number of rows

Memory is the highest trace of tracemalloc during one call, in shares of its input arrays: those given to Predictions,
or those that Predictions holds (three bytes a row). That of row labels is in shares of the peer's.
"""

from __future__ import annotations

import argparse
import hmac
import platform
import statistics
import tempfile
import time
import tracemalloc
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
from fairlearn.metrics import MetricFrame, false_negative_rate, false_positive_rate  # type: ignore[import-untyped]
from sklearn.metrics import accuracy_score

from fairness_checks.baseline.accepted import Accepted
from fairness_checks.baseline.document import Entry, ModelBaseline
from fairness_checks.baseline.entries import entry_of
from fairness_checks.baseline.fingerprint import Pseudonyms
from fairness_checks.baseline.outcomes import write_outcomes
from fairness_checks.baseline.secret_key import SecretKey
from fairness_checks.baseline.staging import read_staged, stage
from fairness_checks.inputs.alignment import require_aligned
from fairness_checks.inputs.classes import read_classes
from fairness_checks.inputs.predictions import Predictions
from fairness_checks.inputs.vectors import read_clusters, read_ids
from fairness_checks.judge.auditing import audit
from fairness_checks.judge.evaluation import Evaluation
from fairness_checks.judge.verdict import audit_model
from fairness_checks.kinds.group_statistics import GroupStatistics
from fairness_checks.question.checks import Check, Settings
from fairness_checks.question.limits import LimitKind
from fairness_checks.question.metrics import METRICS
from fairness_checks.records.check_record import CheckRecord

BY = ("group",)
THREE = ("false_negative_rate", "false_positive_rate", "accuracy")
FOUR = (*THREE, "precision")
PEER_METRICS = {
    "false_negative_rate": false_negative_rate,
    "false_positive_rate": false_positive_rate,
    "accuracy": accuracy_score,
}
PACKAGES = ("numpy", "scipy", "pandas", "polars", "narwhals", "fairlearn", "scikit-learn")


@dataclass(frozen=True)
class Data:
    """Labels, decisions and groups of n samples, int64; one decision in five is wrong."""

    y_true: np.ndarray
    y_pred: np.ndarray
    group: np.ndarray

    @classmethod
    def draw(cls, rows: int, groups: int) -> Data:
        """Draw n samples; the seed is fixed."""
        rng = np.random.default_rng(2026)
        y_true = rng.integers(0, 2, rows)
        return cls(y_true, np.where(rng.random(rows) < 0.8, y_true, 1 - y_true), rng.integers(0, groups, rows))

    def predictions(self, group: Any = None) -> Predictions:
        """Build Predictions, with the groups coded as they are here or otherwise."""
        features = {"group": self.group if group is None else group}
        return Predictions(self.y_true, self.y_pred, sensitive_features=features)


def median_time(call: Callable[[], object], runs: int) -> float:
    """Median of the seconds that a call takes."""
    seconds = []
    for _ in range(runs):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def best_time(call: Callable[[], object]) -> float:
    """Shortest of three times that a call takes, in seconds: what other processes cost is left out."""
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def peak(call: Callable[[], object]) -> int:
    """Return the most bytes that a call held at once, its result included."""
    tracemalloc.start()
    call()
    _, highest = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return highest


def line(what: str, ours: float, peer: str, theirs: float, ratio: str, memory: str = "") -> None:
    """Print one row."""
    print(f"{what:<58} {1e3 * ours:>10.2f} {peer:<24} {1e3 * theirs:>11.2f} {ratio:>16} {memory:>7}", flush=True)


def slower(ours: float, theirs: float) -> str:
    """Say how many times the peer's time we take."""
    return f"{ours / theirs:.2f} x peer"


def checks(metrics: Sequence[str], kind: LimitKind, limit: float) -> list[Check]:
    """One check a metric."""
    return [Check(metric, BY, kind, limit) for metric in metrics]


def bootstrap(data: Data, group: np.ndarray, resamples: int) -> object:
    """Fairlearn's intervals of the largest differences."""
    frame = MetricFrame(
        metrics=PEER_METRICS,
        y_true=data.y_true,
        y_pred=data.y_pred,
        sensitive_features=group,
        n_boot=resamples,
        ci_quantiles=[0.05, 0.95],
        random_state=0,
    )
    return frame.difference_ci()


def against_fairlearn(rows: int, resamples: int, peer_runs: int) -> None:
    """Two groups, three metrics with intervals and p-values, Predictions built each time."""
    data = Data.draw(rows, 2)
    for kind, group in (("integers", data.group), ("NumPy text", np.where(data.group == 1, "male", "female"))):

        def three_audits(group: np.ndarray = group) -> None:
            for metric in THREE:
                audit(data.predictions(group), metric=metric, by=BY, max_difference=0.05)

        def one_model(group: np.ndarray = group) -> None:
            audit_model("model", data.predictions(group), checks(THREE, "max_difference", 0.05), Settings())

        theirs = median_time(lambda group=group: bootstrap(data, group, resamples), peer_runs)  # type: ignore[misc]
        peer = f"Fairlearn, n_boot={resamples}"
        for name, ours in (("3 x (Predictions + audit)", three_audits), ("Predictions + audit_model", one_model)):
            ours()
            seconds = median_time(ours, 21)
            line(f"{name}, 2 groups, {kind}, n={rows:.0e}", seconds, peer, theirs, f"{theirs / seconds:,.0f} x faster")


def coding(rows: int) -> None:
    """Predictions from features of several dtypes."""
    data = Data.draw(rows, 24)
    text = np.array([f"hospital {i}" for i in range(24)])[data.group]
    features = {
        "int64": (data.group, data.group),
        "int64, wide": (data.group * 10**12, data.group * 10**12),
        "NumPy text": (text, text),
        "object": (text.astype(object), text.astype(object)),
        "pandas str": (pd.Series(text), text.astype(object)),
        "pandas category": (pd.Series(text).astype("category"), text.astype(object)),
        "polars String": (pl.Series(text.tolist()), text.astype(object)),
    }
    for name, (feature, array) in features.items():
        data.predictions(feature)
        ours = median_time(lambda feature=feature: data.predictions(feature), 9)  # type: ignore[misc]
        theirs = median_time(lambda array=array: np.unique(array, return_inverse=True), 3)  # type: ignore[misc]
        line(f"Predictions, 24 groups, {name}, n={rows:.0e}", ours, "np.unique", theirs, slower(ours, theirs))


def against_bincount(rows: int) -> None:
    """Many rows, 24 groups: building, the pass, and four checks with verdicts."""
    data = Data.draw(rows, 24)
    predictions = data.predictions()
    given = sum(array.nbytes for array in (data.y_true, data.y_pred, data.group))
    arrays = (predictions.y_true, predictions.y_pred, predictions.feature("group").codes)
    held = sum(array.nbytes for array in arrays if array is not None)

    def audited(kind: LimitKind, limit: float) -> Callable[[], object]:
        return lambda: audit_model("model", predictions, checks(FOUR, kind, limit), Settings())

    calls: tuple[tuple[str, Callable[[], object], int], ...] = (
        ("Predictions", data.predictions, given),
        ("the pass", lambda: GroupStatistics.from_predictions(predictions, BY), held),
        ("audit_model, 4 x max_value", audited("max_value", 0.9), held),
        ("audit_model, 4 x max_difference", audited("max_difference", 0.05), held),
    )
    for name, ours, inputs in calls:
        ours()
        theirs = median_time(lambda: np.bincount(data.group, minlength=24), 9)
        seconds = median_time(ours, 9)
        ratio, memory = slower(seconds, theirs), f"{peak(ours) / inputs:.2f}"
        line(f"{name}, 24 groups, n={rows:.0e}", seconds, "np.bincount", theirs, ratio, memory)


def three(origin: str, made: Callable[[], pd.Index]) -> list[pd.Index]:
    """Three indexes of the same labels: one object, its memory, rows taken from it, or made from nothing each time."""
    if origin == "read 3 times":
        return [made() for _ in range(3)]
    index = made()
    order = np.random.default_rng(3).permutation(len(index))  # in their own one, pandas would share the labels
    of_one: dict[str, Callable[[], pd.Index]] = {
        "of one table": lambda: index,
        "3 slices": lambda: index[:],
        "3 copies": lambda: index.take(order),
    }
    return [of_one[origin]() for _ in range(3)]


ORIGINS = ("of one table", "3 slices", "3 copies", "read 3 times")


def against_predictions(rows: int) -> None:
    """Comparison of the row labels of labels, scores and features, beside the Predictions made of them."""
    data, rng = Data.draw(rows, 5), np.random.default_rng(2)
    score, sex = rng.random(rows), np.where(data.y_pred == 1, "male", "female")
    features = {"integers": {"age": data.group}, "text": {"sex": sex, "age": data.group}}
    numbers = rng.permutation(2 * rows)[:rows]
    text = [f"p{label}" for label in numbers.tolist()]
    kinds: dict[str, Callable[[], pd.Index]] = {
        "numbers": lambda: pd.Index(numbers.copy()),
        "dates": lambda: pd.Timestamp("2020-01-01") + pd.to_timedelta(numbers, unit="s"),
        "2 levels": lambda: pd.MultiIndex.from_arrays([numbers // 4, numbers % 4]),
        "text": lambda: pd.Index(text),
        "Python text": lambda: pd.Index([label[:1] + label[1:] for label in text], dtype=object),
    }
    compared("default labels", [pd.RangeIndex(rows)] * 3, data.y_true, score, features)
    compared("numbers, pd.Series(scores)", [pd.Index(numbers), pd.RangeIndex(rows)] * 2, data.y_true, score, features)
    for kind, made in kinds.items():
        for origin in ORIGINS:
            compared(f"{kind}, {origin}", three(origin, made), data.y_true, score, features)


def compared(
    name: str, labels: Sequence[pd.Index], y_true: np.ndarray, score: np.ndarray, features: Mapping[str, dict[str, Any]]
) -> None:
    """Print what comparing three indexes takes beside pandas' own comparison, and beside each Predictions."""
    rows, (first, *others) = len(labels[0]), labels[:3]
    y = {"y_true": pd.Series(y_true, first), "y_score": pd.Series(score, others[0])}
    if len({id(index) for index in labels}) == 3:  # else there is nothing to compare
        third = pd.Series(score, others[1])
        seconds = best_time(lambda: require_aligned({**y, "by": third}))
        equals = best_time(lambda: all(first.equals(other) for other in others))
        line(f"row labels: {name}, n={rows:.0e}", seconds, "Index.equals", equals, slower(seconds, equals))
    for feature, columns in features.items():
        given = y | {"sensitive_features": pd.DataFrame(columns, others[1])}

        def ours(given: dict[str, Any] = given) -> object:
            return require_aligned(given)

        def peer(given: dict[str, Any] = given) -> object:
            return Predictions(**given)

        seconds, theirs = best_time(ours), best_time(peer)
        share, held = f"{seconds / theirs:.1%} of peer", f"{peak(ours) / peak(peer):.2f}"
        line(f"row labels: {name}, n={rows:.0e}", seconds, f"Predictions of {feature}", theirs, share, held)


def against_argsort(rows: int) -> None:
    """Areas under ROC curves of 24 groups, and how errors and uncertainties order them, beside one sort of the scores.

    A mismatch sorts two arrays, so that two argsorts are its peer.
    """
    data = Data.draw(rows, 24)
    score = np.clip(np.random.default_rng(1).normal(0.3 + 0.4 * data.y_pred, 0.2), 0.0, 1.0)
    predictions = Predictions(data.y_true, y_score=score, sensitive_features={"group": data.group})
    for metric, sorts in (("roc_auc", 1), ("uncertainty_mismatch", 2)):

        def measured(metric: str = metric) -> object:
            return GroupStatistics.from_predictions(predictions, BY, metrics=[METRICS[metric]])

        measured()
        theirs = sorts * median_time(lambda: np.argsort(score), 5)
        seconds = median_time(measured, 5)
        peer = "np.argsort" if sorts == 1 else f"{sorts} np.argsort"
        line(f"{metric}, 24 groups, n={rows:.0e}", seconds, peer, theirs, slower(seconds, theirs))


def against_factorize(rows: int) -> None:
    """Clusters and sample ids of several dtypes, and labels of Python objects."""
    rng = np.random.default_rng(4)
    patient, visit = rng.integers(0, rows // 4, rows), rng.permutation(rows)
    for role, numbers, read in (("cluster", patient, read_clusters), ("sample_id", visit, read_ids)):
        text = np.array([f"p{number:08d}" for number in numbers.tolist()], dtype=object)
        for kind, column in {
            "int64": numbers,
            "object": text,
            "pandas str": pd.Series(text, dtype="str"),
            "NumPy text": text.astype(str),
        }.items():
            ours = best_time(lambda read=read, column=column: read(column))  # type: ignore[misc]
            theirs = best_time(lambda column=column: pd.factorize(column))  # type: ignore[misc]
            line(f"{role}, {kind}, n={rows:.0e}", ours, "factorize", theirs, slower(ours, theirs))
        if role == "sample_id":
            theirs = best_time(lambda: visit.astype(str))
            line(f"{role}, int64, n={rows:.0e}", best_time(lambda: read_ids(visit)), "astype", theirs, "")
    for kind, column in {"text": np.array(["dead", "alive"], dtype=object), "0/1": np.array([0, 1], object)}.items():
        labels = column[visit % 2]
        positive = "dead" if kind == "text" else None
        ours = best_time(lambda labels=labels, positive=positive: read_classes({"y_true": labels}, positive))  # type: ignore[misc]
        theirs = best_time(lambda labels=labels: pd.factorize(labels))  # type: ignore[misc]
        line(f"labels, objects, {kind}, n={rows:.0e}", ours, "factorize", theirs, slower(ours, theirs))


def several_features(rows: int) -> None:
    """Areas by five features, beside one sort of the scores and beside one feature."""
    data, rng = Data.draw(rows, 2), np.random.default_rng(5)
    score = np.clip(rng.normal(0.3 + 0.4 * data.y_true, 0.2), 0.0, 1.0)
    features = {f"f{k}": rng.integers(0, 2 + k, rows) for k in range(5)}
    predictions = Predictions(data.y_true, y_score=score, sensitive_features=features)
    each = [Check("roc_auc", (name,), "max_difference", 0.05) for name in features]
    theirs = best_time(lambda: np.argsort(score))
    for asked in (each[:1], each):
        ours = best_time(lambda asked=asked: audit_model("model", predictions, asked, Settings()))  # type: ignore[misc]
        what = f"audit_model, roc_auc by {len(asked)} features, n={rows:.0e}"
        line(what, ours, "np.argsort", theirs, slower(ours, theirs))


def against_hmac(rows: int) -> None:
    """Four checks against a baseline with outcomes of single samples, and what a run leaves for a new one."""
    data, rng = Data.draw(rows, 2), np.random.default_rng(6)
    score = np.clip(rng.normal(0.3 + 0.4 * data.y_true, 0.2), 0.0, 1.0)
    old, new = (
        Predictions(data.y_true, y_score=each, sensitive_features={"group": data.group}, sample_id=np.arange(rows))
        for each in (score, np.clip(score + 0.01, 0.0, 1.0))
    )
    against = [Check(metric, BY, "max_worsening", 0.05, of="disparity") for metric in (*THREE, "roc_auc")]
    key, names = SecretKey(bytes(32), "a benchmark"), [name.encode() for name in np.arange(rows).astype(str).tolist()]
    theirs = best_time(lambda: [hmac.digest(key.secret, name, "sha256") for name in names])
    with tempfile.TemporaryDirectory() as folder:
        part = stage(old, against, Settings(), key, lambda: Path(folder))
        path, entries = Path(folder) / "fairness-baseline.json", dict[str, Entry]()
        fresh = Evaluation(old, accepted=Accepted(path, None, updating=True))
        for check, record in zip(against, audit_model("model", fresh, against, Settings()), strict=True):
            assert isinstance(record, CheckRecord)
            groups = read_staged(part).groups[check.question.line]
            entries[check.question.line] = entry_of(
                record, versions={}, git_commit=None, date="2026-01-01", groups=groups
            )
        outcomes = write_outcomes(Path(folder) / "model.npz", old, Pseudonyms(key))

        def compared() -> object:
            there = Accepted(path, ModelBaseline(checks=entries, outcomes=outcomes), pseudonyms=Pseudonyms(key))
            return audit_model("model", Evaluation(new, accepted=there), against, Settings())

        ours = best_time(compared)
        line(f"4 checks against a baseline, n={rows:.0e}", ours, "HMAC", theirs, slower(ours, theirs))
        ours = best_time(lambda: stage(new, against, Settings(), key, lambda: Path(folder)))
        line(f"4 checks for a new baseline, n={rows:.0e}", ours, "HMAC", theirs, slower(ours, theirs))


def growth(sizes: Sequence[int]) -> None:
    """Inference after the pass: what audit_model takes beyond it."""
    for groups in (2, 24):
        first = None
        for rows in sizes:
            predictions = Data.draw(rows, groups).predictions()
            asked = checks(FOUR, "max_difference", 0.05)

            def both(predictions: Predictions = predictions, asked: list[Check] = asked) -> object:
                return audit_model("model", predictions, asked, Settings())

            both()
            whole = median_time(both, 11)
            seconds = whole - median_time(lambda p=predictions: GroupStatistics.from_predictions(p, BY), 11)  # type: ignore[misc]
            first = seconds if first is None else first
            line(
                f"inference, 4 checks, {groups} groups, n={rows:.0e}",
                seconds,
                f"{sizes[0]:.0e} rows",
                first,
                slower(seconds, first),
            )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="fewer rows and resamples: seconds instead of minutes")
    parser.add_argument(
        "--peer-runs", type=int, default=3, help="runs of Fairlearn's bootstrap (default 3; 0: without it)"
    )
    parser.add_argument("--ids", action="store_true", help="clusters, ids, several features and baselines alone")
    options = parser.parse_args()
    warnings.filterwarnings("ignore", module="fairlearn|sklearn|pandas")
    print(f"{date.today()}, Python {platform.python_version()}, {platform.machine()}")
    print(", ".join(f"{package} {version(package)}" for package in PACKAGES))
    runs = min(1, options.peer_runs) if options.quick else options.peer_runs
    print(f"Fairlearn: median of {runs}; everything else: median of 3 to 21 runs, in milliseconds\n")
    print(f"{'what':<58} {'ours':>10} {'peer':<24} {'peer':>11} {'ratio':>16} {'memory':>7}")
    small, large = (10_000, 1_000_000) if options.quick else (100_000, 10_000_000)
    several = large // 10
    against_factorize(several)
    several_features(several)
    against_hmac(several)
    if options.ids:
        return
    coding(small)
    against_bincount(large)
    against_predictions(large // 2)
    against_argsort(several)
    growth([rows for rows in (100_000, 1_000_000, 10_000_000) if rows <= large])
    if runs:
        against_fairlearn(small, 10 if options.quick else 100, runs)


if __name__ == "__main__":
    main()
