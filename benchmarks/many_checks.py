"""How long checks of many groups, and many checks, take: ``python -m benchmarks.many_checks [--only WORD]``.

One row a check: a metric by one feature of as many groups as it says, each of about so many samples, with decisions
that are wrong in 2 to 20 of 100, different by group. `judge_model` answers, predictions are made before;
seconds are of one core (process time). "all-negative"
is a model that decides nobody positive; "clustered" has ten samples a patient, each in one group. The aim is a second a
check; the last rows are many checks of one model, of which the aim is a minute.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from fairness_checks.inputs.predictions import Predictions
from fairness_checks.judge.verdict import judge_model
from fairness_checks.question.checks import MISMATCH, Check, Settings
from fairness_checks.question.limits import LimitKind

BY = ("group",)
SIZES = ((2, 300), (24, 100), (24, 250), (25, 200), (100, 200), (200, 500), (1_000, 50), (1_000, 500))
ASKED: tuple[tuple[str, LimitKind, float], ...] = (
    ("false_negative_rate", "max_difference", 0.05),
    ("selection_rate", "min_ratio", 0.8),
    ("accuracy", "min_value", 0.8),
    ("equalized_odds", "max_difference", 0.1),
    ("balanced_accuracy", "max_difference", 0.1),
    ("roc_auc", "max_difference", 0.1),
    ("brier_score", "max_difference", 0.05),
    ("expected_calibration_error", "max_difference", 0.1),
    (MISMATCH, "max_mismatch", 0.1),
)
MANY = 5_000


@dataclass(frozen=True)
class World:
    """Rows of a made model."""

    groups: int
    size: int
    way: str = ""

    @property
    def name(self) -> str:
        """What the table calls it."""
        return f"{self.groups:,} x {self.size}{f', {self.way}' if self.way else ''}"

    def predictions(self) -> Predictions:
        """Draw it; the seed is fixed."""
        rng = np.random.default_rng(7)
        n = self.groups * self.size
        group = np.sort(rng.integers(0, self.groups, n))
        y_true = rng.random(n) < 0.4
        wrong = rng.random(n) < rng.uniform(0.02, 0.2, self.groups)[group]
        if self.way == "equal rates":
            wrong = rng.random(n) < 0.1
        score = np.clip(rng.normal(0.2 + 0.6 * (y_true ^ wrong), 0.1), 0.0, 1.0)
        if self.way == "all-negative":
            score = np.minimum(score, 0.4)
        return Predictions(
            y_true,
            y_score=score,
            sensitive_features={"group": group},
            cluster=np.arange(n) // 10 if self.way == "clustered" else None,
        )


def worlds() -> Iterator[World]:
    """Yield those that are judged check by check."""
    for groups, size in SIZES:
        yield World(groups, size)
    for groups, size in ((25, 200), (200, 500), (1_000, 50)):
        yield World(groups, size, "all-negative")
    for groups, size in ((24, 250), (200, 500), (1_000, 500)):
        yield World(groups, size, "equal rates")
        yield World(groups, size, "clustered")


def timed(predictions: Predictions, checks: Sequence[Check]) -> tuple[float, str]:
    """Return seconds of a first call, as intervals of the same counts are kept, and the verdicts."""
    start = time.process_time()
    answers = judge_model("model", predictions, checks, Settings())
    seconds = time.process_time() - start
    verdicts = [type(a).__name__ if isinstance(a, Exception) else a.verdict for a in answers]
    return seconds, ", ".join(f"{verdicts.count(v)} {v}" if len(verdicts) > 1 else v for v in dict.fromkeys(verdicts))


def many(rows: int, features: int, metrics: Sequence[str]) -> tuple[Predictions, list[Check]]:
    """Return 5,000 checks of two groups: features, metrics and limits in turn."""
    rng = np.random.default_rng(8)
    y_true = rng.random(rows) < 0.5
    score = np.clip(rng.normal(0.2 + 0.6 * (y_true ^ (rng.random(rows) < 0.1)), 0.2), 0.0, 1.0)
    given = {f"f{i}": rng.integers(0, 2, rows) for i in range(features)}
    checks = [
        Check(metric, (name,), "max_mismatch" if metric == MISMATCH else "max_difference", limit)
        for limit in np.linspace(0.01, 0.3, MANY // features // len(metrics)).round(4).tolist()
        for metric in metrics
        for name in given
    ]
    return Predictions(y_true, y_score=score, sensitive_features=given), checks


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", default="", help="rows whose text holds this")
    only = parser.parse_args().only
    print(f"{'groups x samples':<28} {'metric':<28} {'limit':<20} {'sec':>8}  verdict")
    for world in worlds():
        made = None
        for metric, kind, limit in ASKED:
            text = f"{world.name:<28} {metric:<28} {f'{kind} {limit}':<20}"
            if only not in text:
                continue
            made = world.predictions() if made is None else made
            seconds, verdict = timed(made, [Check(metric, BY, kind, limit)])
            print(f"{text} {seconds:>8.3f}  {verdict}", flush=True)
    rates = ("false_negative_rate", "false_positive_rate", "accuracy", "selection_rate", "precision")
    mixed = (*rates[:3], "roc_auc", "brier_score", "balanced_accuracy", "equalized_odds", MISMATCH)
    for name, features, metrics in (
        ("1 feature, rates", 1, rates),
        ("50 features, rates", 50, rates),
        ("25 features, mixed", 25, mixed),
        ("625 features, mixed", 625, mixed),  # whose tables all differ
    ):
        text = f"{f'{MANY:,} checks on 600 rows':<28} {name:<28} {'max_difference':<20}"
        if only in text:
            seconds, verdict = timed(*many(600, features, metrics))
            print(f"{text} {seconds:>8.3f}  {verdict}", flush=True)


if __name__ == "__main__":
    main()
