"""Kept results in a run: what is read is said everywhere, and no baseline is written from it."""

from __future__ import annotations

import re

import numpy as np
import pytest

# As in conftest.py: pytester forgets what a run in this process imported.
import fairness_checks.findings.sweep
import fairness_checks.sweep.runs
import fairness_checks.sweep.synthetic  # noqa: F401 - for its side effect, as the others
from fairness_checks.storage.entries import packed, unpacked

MODELS = """
from pathlib import Path

import numpy as np
import pytest

from fairness_checks import Predictions, fairness_model
from fairness_checks.sweep import DataSet, TrainableModel


def trace():
    with Path(__file__).with_name("fitted.txt").open("a", encoding="utf-8") as file:
        file.write("fit\\n")


def table(n=240):
    rng = np.random.default_rng(0)
    x = rng.normal(size=n)
    sex = np.where(np.arange(n) % 2 == 0, "female", "male")
    return DataSet({"x": x}, (x + 0.3 * rng.normal(size=n) > 0).astype(int), {"sex": sex})


def fit(train, rng):
    trace()
    return train.features["x"][train.outcome == 1].mean()


def predict(mean, test):
    return Predictions(test.outcome, test.features["x"] > mean - 0.5, sensitive_features=test.sensitive_features)


@fairness_model
def swept():
    return TrainableModel(table(), fit, predict, folds=4)


@pytest.fixture(scope="session")
def scores(fairness_cache):
    def compute():
        trace()
        return {"y": np.tile([0.0, 1.0], 100)}

    return fairness_cache.arrays("scores", {}, compute)["y"]


@fairness_model
def cached(scores):
    return Predictions(scores, scores, sensitive_features={"sex": ["f", "m"] * 50 + ["m", "f"] * 50})
"""
LIMITS = """
version: 1
models:
  swept:
    subgroups: [{metric: accuracy, by: sex, max_difference: 0.9}]
    regression: [{metric: accuracy, by: sex, max_worsening: 0.5}]
    sweep:
      by: sex
      mixes: {as_is: as_is}
      repeats: 5
      checks: [{metric: accuracy, gap: each_mix, max_difference: 0.9}]
  cached:
    subgroups: [{metric: accuracy, by: sex, max_difference: 0.9}]
"""
REGRESSION = "    regression: [{metric: accuracy, by: sex, max_worsening: 0.5}]\n"
LOCK = "import threading\nLOCK = threading.Lock()\n\n\ndef fit("  # which cannot be read
LOCKED = ("    trace()\n    return train", "    with LOCK:\n        trace()\n    return train")
TRAININGS = 4 + 5 + 1
DATE = r"from the cache of \d{4}-\d\d-\d\d \d\d:\d\d UTC: "
UPDATE = "--fairness-update-baseline"
OPEN = r" \(its code names open: what that reads is not seen; declare it by depends_on\)"


@pytest.fixture
def kept(project):
    """A project whose baseline is written, and whose results are kept and then a day old."""
    project.write("conftest.py", MODELS)
    project.write("thresholds.yaml", LIMITS)
    first = project.gate_in_subprocess(UPDATE, "--junitxml=first.xml")
    assert first.ret == 0, first.stdout.str()
    assert len(project.fitted()) == TRAININGS
    assert "kept results" not in first.stdout.str()
    return project


def said(project, name: str) -> dict[str, str]:
    return {
        case: words
        for case, element in project.junit(name).items()
        if (words := project.properties(element).get("fairness.cache")) is not None
    }


def later(project) -> None:
    """Wait for the second in which the last run wrote to be over: dates are as fine as that."""
    import time

    time.sleep(1.1)


@pytest.mark.parametrize("workers", [(), ("-n2",)], ids=["alone", "two workers"])
def test_what_is_read_is_said_in_header_summary_and_junit(kept, workers):
    later(kept)
    result = kept.gate_in_subprocess("--junitxml=second.xml", *workers)
    text = result.stdout.str()
    assert len(kept.fitted()) == TRAININGS
    assert re.search(
        r"fairness: results may be read from the cache, the latest of \d{4}-.* UTC; --fairness-no-cache", text
    )
    assert "fairness: kept results" in text
    assert re.search(rf"^swept: {DATE}out-of-fold predictions, sweep{OPEN}$", text, re.M)
    assert re.search(rf"^cached: {DATE}scores$", text, re.M)
    assert len(re.findall(DATE, text)) == 2  # a line a model
    found = said(kept, "second.xml")
    assert len(found) == 4
    assert all(re.fullmatch(rf"{DATE}(scores|out-of-fold predictions, sweep{OPEN})", words) for words in found.values())
    records = [kept.properties(case).get("fairness.record", "") for case in kept.junit("second.xml").values()]
    assert not any("from the cache" in record for record in records)


@pytest.mark.parametrize("workers", [(), ("-n2",)], ids=["alone", "two workers"])
def test_a_baseline_is_written_from_what_its_run_computes(kept, workers):
    later(kept)
    result = kept.gate_in_subprocess(UPDATE, "--junitxml=update.xml", *workers)
    assert result.ret == 0
    assert len(kept.fitted()) == 2 * TRAININGS  # once more, and once only on two workers
    text = result.stdout.str()
    assert "fairness: nothing that was kept is read: the baseline is written from what this run computes" in text
    assert "kept results" not in text
    assert said(kept, "update.xml") == {}
    folder = kept.path / ".pytest_cache" / "d" / "fairness"
    assert not list((folder / "runs").glob("*"))  # what it computed has taken its place
    kept.gate_in_subprocess()
    assert len(kept.fitted()) == 2 * TRAININGS


def test_without_the_cache_nothing_is_read_and_nothing_said(kept):
    later(kept)
    result = kept.gate_in_subprocess("--fairness-no-cache")
    assert len(kept.fitted()) == 2 * TRAININGS
    assert not re.search("from the cache|kept results", result.stdout.str())


def test_a_changed_model_is_computed_and_what_it_is_not_made_of_is_read(kept):
    later(kept)
    kept.write("conftest.py", MODELS.replace("mean - 0.5", "mean - 0.4"))
    text = kept.gate_in_subprocess().stdout.str()
    assert len(kept.fitted()) == 2 * TRAININGS - 1
    assert re.search(rf"^cached: {DATE}scores$", text, re.M)
    assert "swept: from the cache" not in text


def test_what_cannot_be_read_is_not_kept_and_the_run_says_so(project):
    project.write("conftest.py", MODELS.replace("def fit(", LOCK).replace(*LOCKED))
    project.write("thresholds.yaml", LIMITS.replace(REGRESSION, ""))
    for runs in (1, 2):
        text = project.gate("--junitxml=junit.xml").stdout.str()
        assert len(project.fitted()) == runs * (TRAININGS - 1) + 1
        line = (
            r"computed in this run, and not kept: global `LOCK` of fit \(conftest\.py:\d+\) is or holds a "
            r"_thread\.lock, which cannot be read\. Leave it out of the function, or say "
            r"what stands for the variable: depends_on=\{name: value\}\."
        )
        assert re.search(f"^swept: {line}$", text, re.M)
        assert any(re.fullmatch(line, words) for words in said(project, "junit.xml").values())


SHARING = """

@fairness_model
def second(scores):
    return Predictions(scores, scores, sensitive_features={"sex": ["f", "m"] * 50 + ["m", "f"] * 50})


@pytest.fixture(scope="session")
def between(request):
    return request.getfixturevalue("scores")


@fairness_model
def through(between):
    return Predictions(between, between, sensitive_features={"sex": ["f", "m"] * 50 + ["m", "f"] * 50})


@fairness_model
def asking(request):
    return request.getfixturevalue("through")


@fairness_model
def apart():
    held = np.tile([0.0, 1.0], 100)
    return Predictions(held, held, sensitive_features={"sex": ["f", "m"] * 50 + ["m", "f"] * 50})
"""
BY_HAND = """
def test_by_hand(fairness, scores):
    held = __import__("fairness_checks").Predictions(scores, scores, sensitive_features={"sex": ["f", "m"] * 100})
    fairness.audit(held, metric="accuracy", by="sex", max_difference=0.9)
"""


@pytest.mark.parametrize("workers", [(), ("-n2",)], ids=["alone", "two workers"])
def test_all_that_share_a_fixture_say_what_it_has_read(project, workers):
    names = ("cached", "second", "through", "asking", "apart")
    project.write("conftest.py", MODELS.replace("@fairness_model\ndef swept", "def swept") + SHARING)
    project.write("test_hand.py", BY_HAND)
    check = "subgroups: [{metric: accuracy, by: sex, max_difference: 0.9}]"
    project.write("thresholds.yaml", "version: 1\nmodels:\n" + "".join(f"  {n}:\n    {check}\n" for n in names))
    assert project.gate_in_subprocess().ret == 0
    later(project)
    result = project.gate_in_subprocess("--junitxml=junit.xml", *workers)
    assert result.ret == 0
    text = result.stdout.str()
    told = sorted([*names[:-1], "test_by_hand"])  # and not the model that reads nothing
    assert re.findall(rf"^(.*): {DATE}scores$", text, re.M) == [", ".join(told)]
    assert len(said(project, "junit.xml")) == len(told)


def test_what_a_fixture_read_is_said_beside_what_is_not_kept(project):
    mixed = MODELS.replace("def swept():", "def swept(scores):").replace("def fit(", LOCK).replace(*LOCKED)
    project.write("conftest.py", mixed)
    project.write(
        "thresholds.yaml", LIMITS.replace(REGRESSION, "").partition("  cached:")[0] + "unchecked: {cached: retired}\n"
    )
    assert project.gate().ret == 0
    later(project)
    text = project.gate().stdout.str()
    assert re.search(rf"^swept: {DATE}scores; computed in this run, and not kept: global `LOCK` ", text, re.M)


def test_a_cache_that_cannot_be_made_is_said_and_costs_no_result(project):
    project.write("conftest.py", MODELS)
    project.write("thresholds.yaml", LIMITS.replace(REGRESSION, ""))
    project.write(".pytest_cache/d", "in the way")
    result = project.gate("-p", "no:stepwise", "-W", "ignore::pytest.PytestCacheWarning")
    text = result.stdout.str()
    assert (
        len(re.findall(r"nothing is kept: .*\.pytest_cache/d/fairness: Not a directory; make it a folder", text)) == 2
    )
    assert "Traceback" not in text
    result.assert_outcomes(passed=3)


def test_what_is_the_same_of_several_models_is_said_once(project):
    project.write(
        "conftest.py",
        MODELS + MODELS[MODELS.index("@fairness_model") :].partition("@pytest")[0].replace("swept", "again"),
    )
    shared = "  {}:\n    subgroups: [{{metric: accuracy, by: sex, max_difference: 0.9}}]\n"
    limits = "version: 1\nmodels:\n" + shared.format("again") + shared.format("swept")
    project.write("thresholds.yaml", limits + "unchecked: {cached: another test}\n")
    project.gate()
    later(project)
    text = project.gate().stdout.str()
    assert re.search(rf"^again, swept: {DATE}out-of-fold predictions{OPEN}$", text, re.M)


CACHED = """
import numpy as np

from fairness_checks import Predictions, fairness_model


@fairness_model
def cached(fairness_cache):
    scores = fairness_cache.arrays("scores", {}, lambda: {"score": np.tile([0.0, 1.0], 100)})["score"]
    return Predictions(scores, scores, sensitive_features={"sex": ["f", "m"] * 50 + ["m", "f"] * 50})
"""


def test_what_a_machine_whose_clock_is_ahead_has_written_is_said_too(project):
    project.write("conftest.py", CACHED)
    project.limits("cached", checks="{metric: accuracy, by: sex, max_difference: 0.9}")
    assert "kept results" not in project.gate().stdout.str()
    (path,) = project.path.rglob("scores-*.entry")
    entry = unpacked(path.read_bytes())
    path.write_bytes(packed(entry.key, entry.body, "2099-01-01T00:00:00Z"))
    assert "cached: from the cache of 2099-01-01 00:00 UTC: scores" in project.gate().stdout.str()


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("import os; os.environ.get('HP')", "environ"),
        ("np.load(Path(__file__).with_name('w.npy'))", "load"),
        ("Path(__file__).read_text()", "read_text"),
        ("len('open')", None),
    ],
    ids=["environment", "array", "text", "nothing"],
)
@pytest.mark.parametrize("declared", [False, True], ids=["undeclared", "declared"])
def test_what_the_code_reads_and_nothing_declares_is_said(project, line, named, declared):
    silent = MODELS.replace("    trace()\n    return train", f"    {line}\n    return train")
    depends = ", folds=4, depends_on=[1])" if declared else ", folds=4)"
    project.write("conftest.py", silent.replace(", folds=4)", depends))
    np.save(project.path / "w.npy", np.zeros(1))
    project.write("thresholds.yaml", LIMITS.replace(REGRESSION, ""))
    project.gate_in_subprocess()
    later(project)
    text = project.gate_in_subprocess().stdout.str()
    assert re.search(rf"^swept: {DATE}out-of-fold predictions, sweep", text, re.M)
    assert (f"its code names {named}: what that reads is not seen" in text) is (named is not None and not declared)
    assert ("its code names" in text) is (named is not None and not declared)
