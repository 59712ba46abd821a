"""Rows against time and memory: in memory, in DuckDB, in Spark, beside the engine's own scan and Fairlearn.

``python -m benchmarks.scale --folder DATA 1e6 1e7 1e8``: rows are made on disk once; each cell of the table is a
process of its own. Time is that of the processor, in multiples of one scan of four columns by DuckDB.
"""

from __future__ import annotations

import argparse
import functools
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

RATES = ("false_negative_rate", "false_positive_rate", "precision", "selection_rate")
FEATURES = ["sex", "age_band"]
_THREADS = 1
_MEMORY = "2GB"
_PER_CLUSTER = 10
_MOST = {"memory": 1e7, "fairlearn": 1e7, "spark": 1e7}
"""Rows above which a way is left out: they do not fit, or take an hour."""


def make(folder: Path, rows: int) -> Path:
    """Write patients with ten rows each, of 2 sexes and 6 age bands, once."""
    path = folder / f"visits-{rows:.0e}.parquet".replace("+", "")
    if path.is_file():
        return path
    folder.mkdir(parents=True, exist_ok=True)
    connection = _connection(folder)
    connection.execute("select setseed(0.42)")
    scratch = path.with_suffix(".partial")
    connection.execute(
        f"""
        copy (
            select (random() < risk)::tinyint as died, risk, sex, age_band, patient from (
                select pow(random(), 1.5 + 0.5 * (patient % 2)) as risk, patient,
                    case patient % 2 when 0 then 'female' else 'male' end as sex,
                    'band ' || (patient // 2 % 6) as age_band
                from (select i // {_PER_CLUSTER} as patient from range({rows}) rows(i))
            )
        ) to '{scratch}' (format parquet)
        """
    )
    scratch.rename(path)
    return path


def _connection(folder: Path) -> Any:
    import duckdb

    config: Any = {"memory_limit": _MEMORY, "threads": _THREADS, "temp_directory": str(folder)}
    connection = duckdb.connect(config=config)
    connection.execute("set enable_progress_bar = false")
    return connection


def _relation(path: str) -> Any:
    return _connection(Path(path).parent).read_parquet(path)


def _in_duckdb(path: str, cluster: str | None = None) -> Any:
    from fairness_checks import Predictions

    return Predictions.from_frame(_relation(path), **_roles(cluster), collect=False)


def _in_memory(path: str, cluster: str | None = None) -> Any:
    import pyarrow.parquet as pq

    from fairness_checks import Predictions

    return Predictions.from_frame(pq.read_table(path), **_roles(cluster))


def _in_spark(path: str, cluster: str | None = None) -> Any:
    from pyspark.sql import SparkSession

    from fairness_checks import Predictions

    session = SparkSession.builder.master(f"local[{_THREADS}]").config("spark.ui.enabled", "false").getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    return Predictions.from_frame(session.read.parquet(path), **_roles(cluster), collect=False)


def _roles(cluster: str | None) -> dict[str, Any]:
    return {"y_true": "died", "y_score": "risk", "by": FEATURES} | ({} if cluster is None else {"cluster": cluster})


Ways = dict[str, Callable[..., Any]]
WAYS: Ways = {"duckdb": _in_duckdb, "memory": _in_memory, "spark": _in_spark}


def _audits(metrics: Sequence[str], by: Sequence[Sequence[str]], cluster: str | None = None) -> Callable[..., None]:
    def run(read: Callable[..., Any], path: str) -> None:
        from fairness_checks import audit

        predictions = read(path, cluster)
        for metric in metrics:
            for features in by:
                audit(predictions, metric=metric, by=list(features), max_difference=0.05)

    return run


TASKS: dict[str, Callable[..., None]] = {
    "4 rates, 2 and 12 groups": _audits(RATES, (["sex"], FEATURES)),
    "Brier score": _audits(("brier_score",), (["sex"], FEATURES)),
    "calibration error": _audits(("expected_calibration_error",), (["sex"], FEATURES)),
    "AUC, 2 groups": _audits(("roc_auc",), (["sex"],)),
    "AUC, 12 groups": _audits(("roc_auc",), (FEATURES,)),
    "rate in clusters of 10": _audits(("false_negative_rate",), (["sex"],), "patient"),
    "calibration in clusters": _audits(("expected_calibration_error",), (["sex"],), "patient"),
    "AUC in clusters": _audits(("roc_auc",), (["sex"],), "patient"),
}


def _beside(metrics: Sequence[str]) -> Callable[..., None]:
    """Compare with the table that a baseline was written from, joined by the ids of samples."""

    def run(path: str) -> None:
        from fairness_checks import Predictions
        from fairness_checks.kinds import kind_of
        from fairness_checks.measure.sources.pairs import PairedRows, why_unpaired
        from fairness_checks.question.checks import Settings
        from fairness_checks.question.metrics import METRICS

        connection = _connection(Path(path).parent)
        now, before = (connection.read_parquet(str(file)) for file in _pair(Path(path)))
        found: Any = Predictions.from_frame(now, **_roles(None), sample_id="visit", accepted=before)
        assert why_unpaired(found, found.accepted) is None
        for name in metrics:
            for features in (["sex"], FEATURES):
                rows = PairedRows(found, features, Settings().missing)
                kind_of(METRICS[name]).paired_in_engine(rows, METRICS[name])

    return run


BESIDE = {"4 rates, paired": _beside(RATES), "Brier score, paired": _beside(("brier_score",))}


def _pair(path: Path) -> tuple[Path, Path]:
    """Write the rows with ids in no order, and once more as another model scored them, in the order of their ids."""
    files = path.with_name(f"now-{path.name}"), path.with_name(f"before-{path.name}")
    if not all(file.is_file() for file in files):
        connection = _connection(path.parent)
        connection.execute("set preserve_insertion_order = true")
        # An odd factor leaves numbers below a power of two different.
        visit = "(row_number() over () * 2654435761) % (1::bigint << 40) as visit"
        connection.execute(f"copy (select {visit}, * exclude (patient) from '{path}') to '{files[0]}' (format parquet)")
        moved = "* replace (greatest(0, least(1, risk + (hash(visit) % 1000 / 1000.0 - 0.5) / 10)) as risk)"
        connection.execute(f"copy (select {moved} from '{files[0]}' order by visit) to '{files[1]}' (format parquet)")
    return files


def _scan(path: str) -> None:
    _relation(path).aggregate("max(died), sum(risk), max(sex), max(age_band)").fetchall()


def _fairlearn(path: str) -> None:
    import pandas as pd
    from fairlearn.metrics import (  # type: ignore[import-untyped]
        MetricFrame,
        false_negative_rate,
        false_positive_rate,
        selection_rate,
    )
    from sklearn.metrics import precision_score

    rows = pd.read_parquet(path, columns=["died", "risk", *FEATURES])
    decided = (rows["risk"] >= 0.5).astype(int)
    metrics = {"fnr": false_negative_rate, "fpr": false_positive_rate, "rate": selection_rate, "ppv": precision_score}
    for by in (["sex"], FEATURES):
        found = MetricFrame(metrics=metrics, y_true=rows["died"], y_pred=decided, sensitive_features=rows[by])
        found.difference()


def measured(way: str, task: str, path: str) -> dict[str, float]:
    """Run one cell in this process, once of a few rows, as imports are not counted; return seconds and GiB."""
    if way == "duckdb" and task == "scan":
        run: Callable[[str], None] = _scan
    elif task in BESIDE:
        run = BESIDE[task]
    elif way == "fairlearn":
        run = _fairlearn
    else:
        run = functools.partial(TASKS[task], WAYS[way])
    with tempfile.TemporaryDirectory() as folder:
        run(str(make(Path(folder), 10_000)))
    wall, cpu = time.perf_counter(), _cpu()
    run(path)
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {"wall": time.perf_counter() - wall, "cpu": _cpu() - cpu, "gib": used}


def _cpu() -> float:
    return sum(
        each.ru_utime + each.ru_stime
        for each in (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    )


def _cell(way: str, task: str, path: Path) -> dict[str, float] | None:
    command = [sys.executable, "-m", "benchmarks.scale", "--cell", way, task, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"{way}, {task}: {done.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
        return None
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def _table(folder: Path, sizes: Sequence[float], ways: Sequence[str]) -> None:
    print(f"{'rows':>6} {'way':10} {'what':26} {'wall s':>8} {'CPU s':>8} {'scans':>7} {'GiB':>6}")
    for size in sizes:
        path = make(folder, int(size))
        scans = [found for _ in range(3) if (found := _cell("duckdb", "scan", path))]
        scan = min(scans, key=lambda found: found["cpu"])
        _row(size, "duckdb", "scan of four columns", scan, scan)
        for way in ways:
            if size > _MOST.get(way, float("inf")):
                continue
            for task in ["4 rates, 2 and 12 groups"] if way == "fairlearn" else TASKS:
                _row(size, way, task, _cell(way, task, path), scan)
        for task in BESIDE if "duckdb" in ways else ():
            _pair(path)
            _row(size, "duckdb", task, _cell("duckdb", task, path), scan)


def _row(size: float, way: str, what: str, found: dict[str, float] | None, scan: dict[str, float]) -> None:
    if found is None:
        print(f"{size:6.0e} {way:10} {what:26} {'failed':>8}", flush=True)
        return
    scans = "" if way == "spark" else f"{found['cpu'] / scan['cpu']:.2f}"  # its work is in another process
    cpu = "" if way == "spark" else f"{found['cpu']:.2f}"
    gib = "" if way == "spark" else f"{found['gib']:.2f}"
    print(f"{size:6.0e} {way:10} {what:26} {found['wall']:8.2f} {cpu:>8} {scans:>7} {gib:>6}", flush=True)


def main() -> None:
    """Print the table, or run one cell of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", nargs="*", type=float, default=[1e6])
    parser.add_argument("--folder", type=Path, default=Path("scale-data"))
    parser.add_argument("--ways", default="duckdb,memory,spark,fairlearn")
    parser.add_argument("--cell", nargs=3, metavar=("WAY", "TASK", "FILE"), help=argparse.SUPPRESS)
    parsed = parser.parse_args()
    if parsed.cell:
        print(json.dumps(measured(*parsed.cell)))
        return
    _table(parsed.folder, parsed.rows, parsed.ways.split(","))


if __name__ == "__main__":
    main()
