"""What a sweep costs beside a naive loop of fit and predict: ``python -m benchmarks.sweeps --overhead``.

The learner is scikit-learn's logistic regression on ten features of two groups (35 and 65 %), the cheapest that anybody
sweeps. The naive loop draws rows by NumPy, fits, and predicts scores of the others; it measures nothing. Ours splits,
mixes, fits, predicts, measures every metric by group, and writes each training. Times are of the CPU, in one thread;
rounds alternate, and the fastest of either side counts, as other processes only ever add to it. What a sweep does once
(reading the table's digest, writing all results) is shared out among its repeats.

"as_is" trains on all training rows, "oversample" on synthetic rows too: there the naive loop is plain `SMOTE` of
imbalanced-learn on the same numbers, the outcome one of them. "again" is a second model of
the same table, which finds the synthetic rows of the first.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from imblearn.over_sampling import SMOTE
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from fairness_checks.inputs.predictions import Predictions
from fairness_checks.sweep import DataSet, SweepPlan, TrainableModel
from fairness_checks.sweep.mixes import Mix
from fairness_checks.sweep.runs import run_sweep

__all__ = ["print_overhead"]

FEATURES, TEST = 10, 0.3
MIXES: dict[str, Mix] = {"as_is": "as_is", "oversample": "oversample", "again": "oversample"}


def table(rows: int) -> DataSet:
    """Draw a table: Gaussian features, an outcome that depends on them, two groups."""
    rng = np.random.default_rng(rows)
    features = rng.normal(size=(rows, FEATURES))
    outcome = rng.random(rows) < 1.0 / (1.0 + np.exp(-features @ np.linspace(-0.5, 0.5, FEATURES)))
    sex = np.where(rng.random(rows) < 0.35, "female", "male")
    columns = {f"x{i}": column for i, column in enumerate(features.T)}
    return DataSet(pd.DataFrame(columns), outcome.astype(int), {"sex": sex})


def fit(train: DataSet, rng: np.random.Generator) -> Any:
    """Fit as a user would."""
    return LogisticRegression().fit(train.features, train.outcome)


def predict(fitted: Any, test: DataSet) -> Predictions:
    """Predict as a user would."""
    score = fitted.predict_proba(test.features)[:, 1]
    return Predictions(test.outcome, y_score=score, sensitive_features=test.sensitive_features)


def naive(data: DataSet, repeats: int, mix: str) -> float:
    """Return the seconds a training of a loop that draws rows, fits and predicts."""
    matrix, outcome, sex = data.features, data.outcome, np.asarray(data.groups("sex").codes)
    start = time.process_time()
    for repeat in range(repeats):
        order = np.random.default_rng(repeat).permutation(len(data))
        test, train = np.split(order, [int(TEST * len(data))])
        x, y = matrix.iloc[train], outcome[train]
        if MIXES[mix] == "oversample":
            made, _ = SMOTE(random_state=repeat).fit_resample(np.column_stack([x, y]), sex[train])
            x, y = pd.DataFrame(made[:, :-1], columns=x.columns), np.rint(made[:, -1]).astype(int)
        LogisticRegression().fit(x, y).predict_proba(matrix.iloc[test])
    return (time.process_time() - start) / repeats


def swept(data: DataSet, repeats: int, mix: str, seed: int) -> float:
    """Return the seconds a training of a sweep that keeps its results in a new folder."""
    plan = SweepPlan(by="sex", mixes={"mix": MIXES[mix]}, repeats=repeats, test=TEST, seed=seed)
    with tempfile.TemporaryDirectory() as folder:
        model = TrainableModel(data, fit, predict)
        start = time.process_time()
        run_sweep("cheap", model, plan, Path(folder))
        return (time.process_time() - start) / repeats


def print_overhead(*, quick: bool) -> None:
    """Print a row for each number of rows and mix, in milliseconds of CPU."""
    print(f"{'mix':>10} {'rows':>8} {'naive ms':>9} {'sweep ms':>9} {'ratio':>6} {'overhead ms':>12}", flush=True)
    sizes = {1_000: 60, 10_000: 30, 100_000: 10} if not quick else {1_000: 20, 10_000: 5}
    with threadpool_limits(1):
        for mix in MIXES:
            for rows, repeats in sizes.items():
                data = table(rows)
                few = max(repeats // 10, 1) if MIXES[mix] == "oversample" else repeats
                swept(data, few, mix, 0)
                rounds = [
                    (naive(data, few, mix), swept(data, few, mix, 0 if mix == "again" else seed))
                    for seed in range(1, 3)
                ]
                theirs, ours = (min(side) for side in zip(*rounds, strict=True))
                print(
                    f"{mix:>10} {rows:>8,} {1e3 * theirs:>9.2f} {1e3 * ours:>9.2f} {ours / theirs:>6.2f} "
                    f"{1e3 * (ours - theirs):>12.2f}",
                    flush=True,
                )
