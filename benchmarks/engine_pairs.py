"""What pairing finds of rows in an engine: intervals of a worsening, paired by a join and unpaired.

``python -m benchmarks.engine_pairs 1.2e6`` generates that many rows, in Polars, of two models whose scores differ by a
standard deviation of 0.03, in steps of 1/256.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

CHECKED = ("false_negative_rate", "brier_score", "roc_auc")


def _tables(rows: int) -> tuple[Any, Any]:
    import polars as pl

    rng = np.random.default_rng(1)
    risk = rng.beta(2, 3, rows)
    columns = {"visit": np.arange(rows), "died": rng.random(rows) < risk, "sex": rng.choice(["f", "m"], rows)}
    scores = (risk, np.clip(risk + rng.normal(0.0, 0.03, rows), 0.0, 1.0))
    before, now = (pl.LazyFrame(columns | {"risk": np.round(some * 256.0) / 256.0}) for some in scores)
    return before, now


def main() -> None:
    """Print a row for each metric."""
    from fairness_checks import Predictions
    from fairness_checks.baseline.accepted import Accepted
    from fairness_checks.baseline.document import ModelBaseline
    from fairness_checks.baseline.entries import entry_of
    from fairness_checks.baseline.staging import read_staged, stage
    from fairness_checks.judge.evaluation import Evaluation
    from fairness_checks.judge.verdict import audit_model
    from fairness_checks.question.checks import Check, Settings

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", type=float, nargs="?", default=1.2e6)
    before, now = _tables(int(parser.parse_args().rows))
    roles: dict[str, Any] = {"y_true": "died", "y_score": "risk", "by": "sex"}
    old = Predictions.from_frame(before, **roles, collect=False)
    ways = {
        "paired": Predictions.from_frame(now, **roles, sample_id="visit", accepted=before),
        "unpaired": Predictions.from_frame(now, **roles, collect=False),
    }
    print(f"{'width of the interval':22} {'paired':>10} {'unpaired':>10}")
    for metric in CHECKED:
        check = Check(metric, ("sex",), "max_worsening", 0.02, of="each_group")
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder)
            kept = read_staged(stage(old, [check], Settings(), None, lambda path=path: path))  # type: ignore[misc]
        (first,) = audit_model(
            "m", Evaluation(old, accepted=Accepted(path / "b.json", None, updating=True)), [check], Settings()
        )
        entry = entry_of(
            first, versions={}, git_commit=None, date="2026-01-01", groups=kept.groups[check.question.line]
        )
        accepted = Accepted(path / "b.json", ModelBaseline(checks={check.question.line: entry}))
        widths = []
        for predictions in ways.values():
            (record,) = audit_model("m", Evaluation(predictions, accepted=accepted), [check], Settings())
            assert record.low is not None
            assert record.high is not None
            widths.append(record.high - record.low)
        print(f"{metric:22} {widths[0]:10.4f} {widths[1]:10.4f}", flush=True)


if __name__ == "__main__":
    main()
