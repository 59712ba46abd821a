"""What a gate costs beside bare pytest, and beside a naive loop of its trainings.

``python -m benchmarks.gate [ROW ...]`` prints the rows (default: all):

- cold: this repository's gate, thresholds.yaml, with nothing kept. The naive loop is what `fit` and `predict` of the
  same trainings take, one after the other.
- warm: the same once all is kept.
- own: a user's own, one model of 10,000 held-out samples and ten checks, the median of eleven runs in turns
  with bare pytest; both load no plugin but this one, as where nothing else is installed.
- own-no-bytecode: the same where Python cannot keep what it compiles of this package, as in a read-only image.

Each run is a new interpreter, from a folder of this repository. Wall and processor time (of all processes) are those of
a run as it is by default; causes are of a run in one process, in seconds of processor time:

- fit and predict: the user's own code of the models
- sweep: splits, mixes, what is measured of each training
- imports: of all modules, also those that a training imports
- inference: verdicts of statistics
- store: keys, and results kept and read
- rest: pytest, data sets, reports

Bare pytest runs one empty test with the plugin off.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from benchmarks.gate_causes import TRAINED
from benchmarks.gate_project import write_project

ROOT = Path(__file__).resolve().parent.parent
CAUSES = ("fit and predict", "sweep", "imports", "inference", "store", "rest")
PACKAGES = ("pytest", "numpy", "scipy", "scikit-learn", "torch")


@dataclass(frozen=True)
class Cost:
    """Seconds of a command."""

    wall: float
    processor: float  # of all its processes


def cost_of(command: Sequence[str], folder: Path, codes: Sequence[int] = (0,), **environment: str) -> Cost:
    """Run a command and return what it took; another exit code is an error with what it wrote."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    left_out = ("FAIRNESS_DATA", "PYTHONDONTWRITEBYTECODE")  # the caller's; a row that wants one says so
    own = {name: value for name, value in os.environ.items() if name not in left_out}
    done = subprocess.run(command, cwd=folder, env={**own, **environment}, capture_output=True, text=True, check=False)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode not in codes:
        raise SystemExit(f"{' '.join(command)}: exit code {done.returncode}\n{done.stdout}\n{done.stderr}")
    return Cost(wall, after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)


def gate_of(folder: Path, *options: str, codes: Sequence[int] = (0,)) -> Cost:
    """Return what the gate of a folder takes."""
    return cost_of([sys.executable, "-m", "pytest", "-q", "--fairness", *options], folder, codes, PYTHONPATH=str(ROOT))


def causes_of(folder: Path, *options: str, codes: Sequence[int] = (0,)) -> dict[str, float]:
    """Return seconds of processor time by cause, in one process."""
    with tempfile.TemporaryDirectory() as scratch:
        found = Path(scratch) / "causes.json"
        watched = ["-p", "benchmarks.gate_causes", "--fairness-jobs=1", *options]
        command = [sys.executable, "-m", "pytest", "-q", "--fairness", *watched]
        cost_of(command, folder, codes, PYTHONPATH=str(ROOT), FAIRNESS_CAUSES=str(found))
        return dict(json.loads(found.read_text(encoding="utf-8"))["seconds"])


def bare_pytest(runs: int = 3) -> Cost:
    """Return what pytest takes for one empty test, median by wall time."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _write_empty_test(folder)
        return _median([cost_of([sys.executable, "-m", "pytest", "-q"], folder) for _ in range(runs)])


def _write_empty_test(folder: Path) -> None:
    (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    (folder / "test_mine.py").write_text("def test_mine():\n    pass\n", encoding="utf-8")


def _median(costs: Sequence[Cost]) -> Cost:
    return sorted(costs, key=lambda cost: cost.wall)[len(costs) // 2]


def print_row(name: str, ours: Cost, bare: Cost, causes: dict[str, float]) -> None:
    """Print what a gate takes, beside bare pytest and the naive loop, and its causes."""
    naive = causes.get("fit and predict", 0.0)
    beside = f"{ours.wall / naive:>8.2f}" if naive else f"{'-':>8}"
    print(
        f"{name:<12}{ours.wall:>9.2f} s{ours.processor:>9.2f} s{ours.wall / bare.wall:>12.1f}{beside}   "
        + "  ".join(f"{cause} {causes.get(cause, 0.0):.2f}" for cause in CAUSES),
        flush=True,
    )


def cold(bare: Cost) -> None:
    """Print the row of this repository's gate with nothing kept."""
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        ours = gate_of(ROOT, "thresholds.yaml", "-o", f"cache_dir={one}")
        print_row("cold", ours, bare, causes_of(ROOT, "thresholds.yaml", "-o", f"cache_dir={other}"))


def warm(bare: Cost) -> None:
    """Print the row of this repository's gate with everything kept."""
    with tempfile.TemporaryDirectory() as kept:
        options = ("thresholds.yaml", "-o", f"cache_dir={kept}")
        gate_of(ROOT, *options)
        ours = _median([gate_of(ROOT, *options) for _ in range(3)])
        print_row("warm", ours, bare, causes_of(ROOT, *options))


def own_project(_: Cost, **environment: str) -> None:
    """Print the row of a user's project, beside a bare pytest of its own."""
    alone = {"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", **environment}
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        project, empty = Path(one), Path(other)
        write_project(project)
        _write_empty_test(empty)
        gate = [sys.executable, "-m", "pytest", "-q", "-p", "fairness_checks.plugin"]
        pairs = [
            (cost_of([*gate, "--fairness"], project, (0,), **alone), cost_of(gate[:4], empty, (0,), **alone))
            for _ in range(OWN_RUNS + 1)
        ][1:]  # the first may have to compile
        ours, bare = (_median([pair[side] for pair in pairs]) for side in (0, 1))
        causes = causes_of(project)
    print_row("own, no .pyc" if environment else "own", ours, bare, causes)
    print(f"{'':<12}beside bare pytest alone: {bare.wall:.2f} s, {bare.processor:.2f} s of processor time", flush=True)


def own_without_bytecode(bare: Cost) -> None:
    """Print the row of a user's project where no bytecode is written."""
    with tempfile.TemporaryDirectory() as copy:
        shutil.copytree(ROOT / "fairness_checks", Path(copy) / "fairness_checks", ignore=lambda *_: {"__pycache__"})
        own_project(bare, PYTHONDONTWRITEBYTECODE="1", PYTHONPATH=copy)


OWN_RUNS = 11
ROWS: dict[str, Callable[[Cost], None]] = {
    "cold": cold,
    "warm": warm,
    "own": own_project,
    "own-no-bytecode": own_without_bytecode,
}


def main() -> None:
    """Print the rows."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"of {', '.join(ROWS)} (default: all)")
    chosen = parser.parse_args().rows or list(ROWS)
    if unknown := [name for name in chosen if name not in ROWS]:
        parser.error(f"no row is called {unknown[0]!r}; the rows are {', '.join(ROWS)}")
    print(f"{datetime.date.today()}, Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores")
    print(", ".join(f"{package} {version(package)}" for package in PACKAGES))
    bare = bare_pytest()
    print(f"bare pytest: {bare.wall:.2f} s, {bare.processor:.2f} s of processor time")
    print(f"naive loop: {' and '.join(TRAINED)} of the same trainings, one after the other\n")
    print(f"{'gate':<12}{'wall':>11}{'processor':>11}{'/ bare':>12}{'/ naive':>8}   causes, in one process (s)")
    for name in chosen:
        ROWS[name](bare)


if __name__ == "__main__":
    main()
