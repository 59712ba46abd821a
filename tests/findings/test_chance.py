"""A model that is worse than chance is said to be, one that is not is left alone, and neither changes a verdict."""

from __future__ import annotations

import re

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from fairness_checks import Predictions, audit
from fairness_checks.findings.chance import chance_notes
from fairness_checks.question.checks import Settings

VALUE = r"(\d\.\d{3}) \[(\d\.\d{3}), (\d\.\d{3})\]"


def made(n=400, *, signal=1.5, seed=0, turned=False, shuffled=False, decisions_only=False, clusters=0):
    rng = np.random.default_rng(seed)
    unit = np.arange(n) // max(clusters, 1)
    x = rng.normal(size=n)[unit]
    y = rng.random(n)[unit] < 1 / (1 + np.exp(-signal * x))
    score = 1 / (1 + np.exp(-(-x if turned else x)))
    score = rng.permutation(score) if shuffled else score
    return Predictions(
        y,
        score >= 0.5 if decisions_only else None,
        None if decisions_only else score,
        sensitive_features={"sex": rng.choice(["f", "m"], n)},
        cluster=unit if clusters else None,
    )


def notes(predictions, **settings):
    return chance_notes(predictions, Settings(**settings))


def test_turned_scores_are_told_with_both_values_and_their_intervals():
    predictions = made(turned=True)
    (note,) = notes(predictions)
    found = re.fullmatch(
        rf"the model ranks and decides worse than chance: AUC {VALUE}, balanced accuracy {VALUE}; are its scores .*",
        note,
    )
    area, low, high, balanced, *_ = (float(value) for value in found.groups())
    assert area == pytest.approx(roc_auc_score(predictions.y_true, predictions.y_score), abs=5e-4)
    assert balanced == pytest.approx(balanced_accuracy_score(predictions.y_true, predictions.y_pred), abs=5e-4)
    bootstrap = np.random.default_rng(1).integers(0, 400, (500, 400))
    spread = np.std([roc_auc_score(predictions.y_true[rows], predictions.y_score[rows]) for rows in bootstrap])
    assert (high - low) / 2 == pytest.approx(stats.norm.ppf(0.975) * spread, rel=0.15)  # two-sided at 1 - alpha


def test_out_of_fold_the_split_is_suspected():
    (note,) = chance_notes(made(turned=True), Settings(), folds=10)
    assert note.startswith("out of fold the model ranks and decides worse than chance: AUC 0.")
    assert note.endswith("; something is wrong with it or with its split")


@pytest.mark.parametrize(
    ("given", "verbs"),
    [
        ({"decisions_only": True, "turned": True}, "decides"),
        ({"clusters": 4, "turned": True}, "ranks and decides"),
        ({"n": 120_000, "turned": True, "signal": 0.2}, "ranks and decides"),
    ],
    ids=["decisions", "clusters", "many rows"],
)
def test_every_input_that_can_be_worse_than_chance_is_told(given, verbs):
    (note,) = notes(made(**given))
    assert note.startswith(f"the model {verbs} worse than chance: ")


def test_scores_alone_may_be_turned_round():
    right = made()
    turned = Predictions(right.y_true, right.y_pred, 1 - right.y_score, sensitive_features={"sex": ["f", "m"] * 200})
    (note,) = notes(turned)
    assert note.startswith("the model ranks worse than chance: AUC 0.")


@pytest.mark.parametrize(
    "predictions",
    [
        made(),
        made(clusters=4),
        made(decisions_only=True),
        made(20, turned=True, clusters=5),  # four clusters show nothing
        Predictions([1] * 40, [0] * 40, sensitive_features={"sex": ["f", "m"] * 20}),  # neither class can be missing
        Predictions([0, 1] * 20, [0] * 40, sensitive_features={"sex": ["f", "m"] * 20}),
        Predictions(error=[0.1] * 40, sensitive_features={"sex": ["f", "m"] * 20}),
    ],
    ids=["good", "clusters", "decisions", "few clusters", "one class", "constant", "no labels"],
)
def test_what_is_not_worse_than_chance_has_no_note(predictions):
    assert notes(predictions) == ()


@pytest.mark.parametrize("alpha", [0.05, 0.2])
def test_models_without_skill_are_noted_at_most_as_often_as_the_level_says(alpha):
    times, noted = 600, 0
    for seed in range(times):
        noted += bool(notes(made(100, seed=seed, shuffled=True), alpha=alpha))
    assert stats.binomtest(noted, times, alpha, alternative="greater").pvalue > 0.001
    assert noted > 0  # and it is not for want of looking


def test_a_note_stands_in_the_record_and_decides_nothing():
    turned, right = (
        audit(made(turned=turned), metric="selection_rate", max_difference=0.3) for turned in (True, False)
    )
    assert len(turned.notes) == 1
    assert right.notes == ()
    assert (turned.verdict, turned.alpha) == (right.verdict, right.alpha)


def test_labels_beside_errors_alone_are_no_decisions_and_stop_no_check():
    rng = np.random.default_rng(0)
    given = {"error": rng.normal(size=80), "sensitive_features": {"sex": rng.choice(["f", "m"], 80)}}
    labelled = Predictions(rng.integers(0, 2, 80), **given)
    assert notes(labelled) == ()
    found, plain = (
        audit(predictions, metric="mean_squared_error", by="sex", max_difference=5.0)
        for predictions in (labelled, Predictions(**given))
    )
    assert (found.estimate, found.verdict, found.notes) == (plain.estimate, plain.verdict, ())
