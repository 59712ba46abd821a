"""What the gate loads: a small one, and one that finds all of its results kept, load nothing that they do not use."""

from __future__ import annotations

import sys

import pytest

SCRIPT = """
import sys
import pytest
code = pytest.main(sys.argv[1:])
print("loaded:", *sorted(sys.modules))
raise SystemExit(code)
"""

LIMITS = """
version: 1
models:
  model:
    subgroups:
      - {metric: false_negative_rate, by: site, max_difference: 0.3}
      - {metric: accuracy, by: site, max_difference: 0.3}
      - {metric: selection_rate, by: site, min_ratio: 0.5}
      - {metric: roc_auc, by: site, max_difference: 0.3}
      - {metric: brier_score, by: site, max_difference: 0.3}
"""

MODEL = """
import numpy as np
from fairness_checks import Predictions, fairness_model

@fairness_model
def model():
    rng = np.random.default_rng(0)
    label, site = rng.random(900) < 0.4, rng.choice(["north", "south", "west"], 900)
    score = np.clip(0.3 * label + rng.normal(0.35, 0.15, 900), 0.0, 1.0)
    return Predictions({given})
"""
ARRAYS = "label, y_score=score, sensitive_features={'site': site}"

SWEPT = """
version: 1
models:
  model:
    subgroups: [{metric: accuracy, by: sex, max_difference: 0.9}]
    sweep:
      by: sex
      mixes: {as_is: as_is, balanced: oversample}
      repeats: 5
      checks: [{metric: accuracy, gap: each_mix, max_difference: 0.9}]
"""

TRAINED = """
import numpy as np
from fairness_checks import Predictions, fairness_model
from fairness_checks.sweep import DataSet, TrainableModel

def fit(train, rng):
    from sklearn.linear_model import LogisticRegression
    return LogisticRegression().fit(train.features, train.outcome)

def predict(fitted, test):
    score = fitted.predict_proba(test.features)[:, 1]
    return Predictions(test.outcome, y_score=score, sensitive_features=test.sensitive_features)

@fairness_model
def model():
    rng = np.random.default_rng(0)
    x, sex = rng.normal(size=(400, 2)), rng.choice(["f", "m"], 400, p=[0.3, 0.7])
    outcome = (x[:, 0] + rng.normal(size=400) > 0).astype(int)
    return TrainableModel(DataSet({"a": x[:, 0], "b": x[:, 1]}, outcome, {"sex": sex}), fit, predict)
"""

SLOW = {
    "imblearn",
    "jinja2",
    "joblib",
    "narwhals",
    "pandas",
    "scipy.stats",
    "sklearn",
}
OWN = {
    f"fairness_checks.{name}"
    for name in (
        *("baseline.document", "baseline.reading", "findings.comparison", "findings.regression", "findings.sweep"),
        *("findings.statistics_json", "inputs.source_reading", "judge.evidencing", "judge.file_auditing"),
        *("judge.suppression", "kinds.standardised", "measure.sources.pairs", "report.evidence", "report.page"),
        *("storage.identity", "storage.keyed", "sweep.dataset", "sweep.runs"),
    )
}
FOR_TRAININGS = {"imblearn", "joblib", "sklearn", "threadpoolctl"}


@pytest.fixture
def loaded_by(pytester, monkeypatch):
    """Run the gate of a project in a new interpreter with this plugin alone, and return what is loaded at its end."""
    pytester.makeini("[pytest]")
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    script = pytester.makepyfile(run=SCRIPT)

    def loaded_by(conftest, limits, *options):
        pytester.makeconftest(conftest)
        pytester.makefile(".yaml", thresholds=limits)
        result = pytester.run(
            sys.executable, str(script), "-p", "fairness_checks.plugin", "--fairness", *options, timeout=300
        )
        assert result.ret == 0, result.stdout.str()
        return set(result.outlines[-1].split()[1:])

    return loaded_by


def test_a_small_gate_loads_only_what_it_uses(loaded_by):
    assert loaded_by(MODEL.replace("{given}", ARRAYS), LIMITS) & (SLOW | OWN) == set()


def test_what_is_asked_for_besides_is_loaded(loaded_by):
    """Otherwise the test above could not fail."""
    clustered = "label, y_score=score, sensitive_features=pd.DataFrame({'site': site}), cluster=np.arange(900) // 2"
    conftest = "import pandas as pd\n" + MODEL.replace("{given}", clustered)
    limits = LIMITS.replace("version: 1", "version: 1\nsuppress_below: 11")
    found = loaded_by(conftest, limits, "--fairness-report", "out")
    assert SLOW - {"imblearn", "joblib", "sklearn", "scipy.optimize", "scipy.stats"} <= found
    assert {"judge.suppression", "judge.evidencing", "report.evidence", "report.page"} <= {
        name.removeprefix("fairness_checks.") for name in found
    }


def test_a_run_that_finds_all_kept_loads_nothing_that_trains(loaded_by):
    for library in ("imblearn", "joblib", "pandas", "sklearn"):
        pytest.importorskip(library)
    assert loaded_by(TRAINED, SWEPT) >= FOR_TRAININGS
    assert loaded_by(TRAINED, SWEPT) & FOR_TRAININGS == set()
