"""A kind of metric that is new takes one file and one row, wherever metrics go.

Both are put into a copy of the package, which a process of its own imports.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

import fairness_checks
from benchmarks.sweep_project import MODEL
from fairness_checks import CheckRecord

METRIC = "root_mean_squared_error"
ROW = f"""_ROWS = (
    Metric(
        name="{METRIC}", formula="sqrt(E(error^2 | A = a))", kind="root_mean",
        per_sample=lambda p: p.errors() ** 2, highest=math.inf,
    ),
"""
KIND = """
from dataclasses import dataclass, replace

import numpy as np

from fairness_checks.kinds.estimated import EstimatedKind
from fairness_checks.kinds.measured import Measured, values_of
from fairness_checks.kinds.plan import ErrorPlan
from fairness_checks.stats.estimates import Estimates, estimates_compliance, estimates_violation
from fairness_checks.stats.influence import mean_influence
from fairness_checks.stats.moments import MeanStatistics, moments_by_cluster, moments_by_group
from fairness_checks.stats.worst_estimate import judge_worst_estimate


class RootPlan(ErrorPlan):
    needs_deviation = True

    def variance(self, design, value):
        return (design.standard_deviation / (2.0 * value)) ** 2


class RootMean(EstimatedKind[MeanStatistics]):
    statistics = (MeanStatistics,)
    method = "Welch test of roots of means, delta method"
    plan = RootPlan()

    def arrays(self, predictions, metric):
        return (values_of(metric, predictions),)

    def influence(self, arrays, clusters, *, pseudo):
        of_mean = mean_influence(arrays[0], clusters, pseudo=pseudo)
        root = np.sqrt(of_mean.value)
        slope = 0.5 / root  # of this model: what a sample has by itself is not the same for two models that agree
        changed = {name: getattr(of_mean, name) * slope for name in ("psi", "extra", "plain")}
        return replace(of_mean, value=root, centre=root, own=None, **changed)

    def measure(self, rows, metric):
        values, cells, groups = values_of(metric, rows.predictions), rows.cells(), len(rows.groups)
        if cells is not None:
            samples, clusters = np.bincount(rows.codes, minlength=groups), cells.by_group().astype(int)
            return Measured(moments_by_cluster(cells, values), samples, clusters, cells.effective())
        moments = moments_by_group(rows.codes, groups, values)
        return Measured(moments, moments.n)

    def value(self, some):
        root = np.sqrt(some.mean)
        return Estimates(root, some.m2 / (some.n - 1.0) / some.n * (0.5 / root) ** 2, some.n - 1.0)

    def violation(self, some, first, second, margin, level=None):
        return estimates_violation(self.value(some), first, second, margin)

    def compliance(self, some, first, second, margin, level=None):
        return estimates_compliance(self.value(some), first, second, margin)

    def judge_value(self, some, limit, alpha, *, ceiling):
        return judge_worst_estimate(self.value(some), limit, alpha, ceiling=ceiling, method=self.method)

    def problem(self, measured, group):
        return None


KIND = RootMean()
"""
LIMITS = f"""version: 1
models:
  swept:
    subgroups:
      - {{metric: {METRIC}, by: sex, max_difference: 0.1}}
      - {{metric: {METRIC}, by: sex, max_value: 0.1}}
    regression:
      - {{metric: {METRIC}, by: sex, of: disparity, max_worsening: 0.1}}
    sweep:
      by: sex
      mixes: {{as_is: as_is, half: {{female: 0.5, male: 0.5}}, men: {{male: 1.0}}}}
      repeats: 5
      checks:
        - {{metric: {METRIC}, gap: each_mix, max_difference: 0.01}}
        - {{metric: {METRIC}, gap: change, min_reduction: 0.0}}
"""
PLANS = f"""
import json
from fairness_checks import plan_detectable, plan_sample_size
asked = dict(metric="{METRIC}", second_value=1.0, max_difference=0.1, standard_deviation=1.2)
plan = plan_sample_size(first_value=1.3, **asked)
print(json.dumps([plan.first, plan_detectable(first=plan.first, **asked)]))
"""
LAWS = f"""
import numpy as np
from fairness_checks import METRICS
from fairness_checks.testing import LAWS, drawn
for name in ("the order of rows changes nothing", "parts add up", "interval, p-values and verdict agree"):
    LAWS[name](METRICS["{METRIC}"], np.random.default_rng(0), drawn)
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """Run a new Python in a scratch project, with a copy of the package that knows the new kind."""
    home = tmp_path_factory.mktemp("package")
    package = home / "fairness_checks"
    shutil.copytree(Path(fairness_checks.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    (package / "kinds" / "root_mean.py").write_text(KIND)
    table = package / "question" / "metrics.py"
    assert table.read_text().count("_ROWS = (\n") == 1
    table.write_text(table.read_text().replace("_ROWS = (\n", ROW))
    project = tmp_path_factory.mktemp("project")
    (project / "pytest.ini").write_text("[pytest]\n")
    (project / "thresholds.yaml").write_text(LIMITS)
    with_errors = MODEL.replace("y_score=score,", "y_score=score, error=score - test.outcome,")
    assert with_errors != MODEL
    (project / "conftest.py").write_text(with_errors)

    def run(*arguments):
        environment = {**os.environ, "PYTHONPATH": str(home), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        return subprocess.run(
            [sys.executable, *arguments], cwd=project, env=environment, text=True, capture_output=True, timeout=240
        )

    run.path = project
    return run


def gate(python, *arguments):
    done = python("-m", "pytest", "-p", "fairness_checks.plugin", "--fairness", "--junitxml=junit.xml", *arguments)
    assert (python.path / "junit.xml").exists(), done.stderr
    cases = list(ET.parse(python.path / "junit.xml").iter("testcase"))
    found = [p.get("value") for case in cases for p in case.iter("property") if p.get("name") == "fairness.record"]
    return done, [CheckRecord.from_json(text) for text in found]


def test_a_new_kind_is_judged_swept_kept_and_reported(python):
    gate(python, "--fairness-update-baseline")
    kept = json.loads((python.path / "fairness-baseline.json").read_text())
    assert METRIC in json.dumps(kept["models"]["swept"])
    done, records = gate(python)
    assert [(r.check, r.limit_kind) for r in records] == [
        ("subgroups", "max_difference"),
        ("subgroups", "max_value"),
        ("regression", "max_worsening"),
        ("sweep", "max_difference"),
        ("sweep", "min_reduction"),
    ], done.stdout
    assert all(record.estimate is not None for record in records), done.stdout
    difference, ceiling, worsening, swept, change = records
    assert difference.method == "Welch test of roots of means, delta method"
    assert ceiling.estimate == max(group.rate for group in difference.groups)
    assert {mix.mix for mix in swept.sweep.table} == {"as_is", "half", "men"}
    assert change.sweep.gap == "change"
    assert (worsening.estimate, worsening.verdict, worsening.regression.paired) == (
        pytest.approx(0.0, abs=1e-6),
        "pass",
        True,
    )
    told = " ".join(done.stdout.split())
    assert f"has {METRIC} of 0." in told  # its row says no words
    assert "With other training data than as is" in told


def test_a_new_kind_is_planned_by_its_own_formula(python):
    done = python("-c", PLANS)
    assert done.returncode == 0, done.stderr
    size, shown = json.loads(done.stdout)
    # By hand, of roots 1.3 and 1.0 with sd 1.2 of the squares: the variance of a root is (1.2 / 2 r)^2 / n.
    errors = [(1.2 / 2.6) ** 2 + 0.6**2, (1.2 / 2.4) ** 2 + (1.2 / 2.2) ** 2]  # as they are, and at the limit
    assert size == pytest.approx((1.6449 + 0.8416) ** 2 * max(errors) / 0.2**2, rel=0.03)
    assert shown == pytest.approx(0.3, abs=0.005)


def test_a_new_kind_is_held_to_the_laws(python):
    done = python("-c", LAWS)
    assert done.returncode == 0, done.stderr
