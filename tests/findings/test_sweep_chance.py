"""Sweeps of models that are worse than chance: told by mix, on all groups, with the overlap of repeats counted."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest
from scipy import stats

from fairness_checks import Predictions
from fairness_checks.findings.sweep_chance import sweep_chance_notes
from fairness_checks.judge.evaluation import evaluate
from fairness_checks.judge.verdict import audit_model
from fairness_checks.question.checks import Check, Settings
from fairness_checks.sweep import DataSet, SweepPlan, TrainableModel, run_sweep
from fairness_checks.sweep.results import GroupResult, RepeatResult, SweepResults

MIXES = {"as_is": "as_is", "men": {"m": 1.0}}


def model(n=240, *, signal=1.0, turned=(), seed=0, identical_rows="independent"):
    """A model that is turned round where it was trained on these groups alone."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    y = (signal * x + rng.normal(size=n) > 0).astype(int)
    data = DataSet({"x": x}, y, {"sex": np.where(np.arange(n) % 3, "m", "f")}, identical_rows=identical_rows)

    def fit(train, rng):
        x, y = train.features["x"].to_numpy(), train.outcome
        slope = float(np.cov(x, y)[0, 1])
        return -slope if tuple(sorted(set(train.sensitive_features["sex"]))) in turned else slope

    def predict(slope, test):
        score = 1 / (1 + np.exp(-4 * slope * test.features["x"].to_numpy()))
        return Predictions(test.outcome, y_score=score, sensitive_features=test.sensitive_features)

    return TrainableModel(data, fit, predict, version="1", folds=5)


def plan(mixes=MIXES, repeats=10):
    return SweepPlan(by="sex", mixes=mixes, repeats=repeats)


@pytest.mark.parametrize(
    ("turned", "told"),
    [((), []), ((("m",),), ["men"]), ((("f", "m"), ("m",)), ["as_is", "men"])],
    ids=["neither", "one mix", "both"],
)
def test_the_mixes_whose_models_are_worse_than_chance_are_named(turned, told):
    found = sweep_chance_notes(run_sweep("m", model(turned=turned), plan(), None), 0.05)
    assert [re.search(r"\(mix (\w+), features all\)", note)[1] for note in found] == told
    for note in found:
        assert "ranks and decides worse than chance: AUC 0." in note
        assert note.endswith("; something is wrong with it, with its split or with the mix")


def test_values_are_means_over_the_repeats_with_the_corrected_interval():
    results = run_sweep("m", model(turned=[("f", "m")]), plan({"as_is": "as_is"}), None)
    (note,) = sweep_chance_notes(results, 0.05)
    cells = np.array([np.sum([g.counts for g in r.groups.values()], axis=0) for r in results.results], dtype=float)
    tn, fp, fn, tp = cells.T
    balanced = (tp / (tp + fn) + tn / (tn + fp)) / 2
    test = cells[0].sum()
    margin = stats.t.ppf(1 - 0.05 / 2, 9) * np.sqrt(balanced.var(ddof=1) * (1 / 10 + test / (240 - test)))
    mean = balanced.mean()
    assert f"balanced accuracy {mean:.3f} [{mean - margin:.3f}, {mean + margin:.3f}]" in note


def test_models_of_no_skill_are_hardly_ever_noted():
    times, some = 40, plan({"as_is": "as_is"}, repeats=5)
    noted = sum(
        bool(sweep_chance_notes(run_sweep("m", model(90, signal=0.0, seed=seed), some, None), 0.05))
        for seed in range(times)
    )
    assert stats.binomtest(noted, times, 0.05, alternative="greater").pvalue > 0.001


def one(counts, auc):
    return GroupResult(train=100, real=100, test=sum(counts), counts=counts, values={"roc_auc": auc})


@pytest.mark.parametrize(
    ("counts", "auc", "noted"),
    [
        ((0, 20, 20, 0), 0.0, True),  # all repeats agree
        ((20, 0, 0, 20), 1.0, False),
        ((20, 20, 0, 0), None, False),  # no positives at all
        ((0, 2, 2, 0), 0.0, False),  # too few to say
    ],
)
def test_repeats_that_all_agree_have_an_interval_too(counts, auc, noted):
    repeats = tuple(
        RepeatResult(mix="as_is", feature_set="all", repeat=j, groups={"f": one(counts, auc), "m": one(counts, auc)})
        for j in range(5)
    )
    results = SweepResults(model="m", by="sex", groups={"f": 140, "m": 140}, repeated_rows=0, results=repeats)
    assert bool(sweep_chance_notes(results, 0.05)) == noted
    nothing = dataclasses.replace(one(counts, auc), counts=None, values={})
    without = tuple(dataclasses.replace(r, groups={"f": nothing, "m": nothing}) for r in repeats)
    assert sweep_chance_notes(dataclasses.replace(results, results=without), 0.05) == ()


def test_records_hold_the_note_of_what_they_were_asked_of_and_the_rows_that_repeat():
    some = model(turned=[("f", "m")])
    some = dataclasses.replace(some, data=some.data.joined(some.data.take(range(30))))
    checks = [
        Check("accuracy", ("sex",), "max_difference", 0.9),
        Check("accuracy", ("sex",), "max_difference", 0.9, gap="each_mix"),
    ]
    evaluation = evaluate("m", some, checks, plan({"as_is": "as_is"}), seed=0, cache=None)
    held_out, swept = audit_model("m", evaluation, checks, Settings())
    assert held_out.notes[0].startswith("out of fold the model ranks and decides worse than chance")
    assert swept.notes[0].startswith("in the sweep (mix as_is, features all) the model ranks and decides worse")
    assert len(held_out.notes) == len(swept.notes) == 1
    for record in (held_out, swept):
        assert (record.inputs.repeated_rows, record.inputs.identical_rows) == (30, "independent")
