"""FAGTB is gradient boosting where nothing is asked of it, and fairer where something is."""

from __future__ import annotations

import doctest
from itertools import product

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import approx_fprime
from sklearn.base import clone
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.tree import DecisionTreeRegressor
from sklearn.utils.estimator_checks import parametrize_with_checks

from models import adversaries, fagtb
from models.adversaries import LogisticAdversary, NeuralAdversary, Seen, cross_fitted_loss
from models.data.heart import load_heart_disease
from models.fagtb import FAGTBClassifier, public_recipe

UNFAIR = "ignore:no sensitive_features:UserWarning"  # what scikit-learn's own checks ask for: fit(X, y)


@pytest.mark.filterwarnings(UNFAIR)
@parametrize_with_checks(
    [
        FAGTBClassifier(n_estimators=20),
        # One check fits 10 samples, of which two labels must be held out.
        FAGTBClassifier(n_estimators=20, n_iter_no_change=5, validation_fraction=0.25),
        FAGTBClassifier(n_estimators=5, cross_fit=2, n_iter_no_change=2),
        public_recipe(0).set_params(n_estimators=20, learning_rate=0.1),
    ]
)
def test_scikit_learns_checks(estimator, check):
    check(estimator)


def test_the_examples_are_true():
    assert doctest.testmod(fagtb).failed == doctest.testmod(adversaries).failed == 0


def patients(n: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return features, labels and sex: women fall ill less often, and their first measurement says less."""
    rng = np.random.default_rng(seed)
    female = rng.random(n) < 0.3
    y = (rng.random(n) < np.where(female, 0.25, 0.55)).astype(int)
    noise = rng.normal(size=(n, 5))
    signal = (2 * y - 1) * np.where(female, 0.6, 1.0)
    X = np.column_stack([signal + noise[:, 0], y / 2 + noise[:, 1], female * 1.5 + noise[:, 2], noise[:, 3:], female])
    return X, y, np.where(female, "female", "male")


def rate_gap(y_pred: np.ndarray, sex: np.ndarray) -> float:
    return abs(y_pred[sex == "female"].mean() - y_pred[sex == "male"].mean())


def equalized_odds_gap(y: np.ndarray, y_pred: np.ndarray, sex: np.ndarray) -> float:
    """Return the larger of the differences in true and in false positive rate."""
    return max(rate_gap(y_pred[y == label], sex[y == label]) for label in (0, 1))


@pytest.fixture(scope="module")
def unseen() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return patients(10_000, seed=99)


# The adversaries


def random_view(n_groups: int, n_strata: int) -> Seen:
    rng = np.random.default_rng(n_groups)
    stratum = rng.integers(n_strata, size=60)
    return Seen(rng.uniform(0.05, 0.95, size=60), stratum, np.arange(60) % n_groups)


def adversary_of(kind: str, seen: Seen, n_groups: int) -> LogisticAdversary | NeuralAdversary:
    if kind == "logistic":
        return LogisticAdversary(seen.stratum, seen.group, n_groups)
    return NeuralAdversary(5, n_groups, np.random.RandomState(1))


ADVERSARY_CASES = [(kind, groups, strata) for kind in ("logistic", "neural") for groups in (2, 4) for strata in (1, 2)]


@pytest.mark.parametrize(("kind", "n_groups", "n_strata"), ADVERSARY_CASES)
def test_score_gradient_is_the_finite_difference(kind, n_groups, n_strata):
    seen = random_view(n_groups, n_strata)
    adversary = adversary_of(kind, seen, n_groups)
    adversary.update(seen, learning_rate=1.0, n_steps=50)  # away from zero slopes

    def total_loss(score: np.ndarray) -> float:
        return adversary.loss(Seen(score, seen.stratum, seen.group)) * len(score)

    expected = approx_fprime(seen.score, total_loss, 1e-7)
    assert np.abs(expected).max() > 1e-3
    np.testing.assert_allclose(adversary.score_gradient(seen), expected, atol=1e-5)


@pytest.mark.parametrize(("kind", "n_groups", "n_strata"), ADVERSARY_CASES)
def test_an_update_follows_the_finite_difference_of_the_loss(kind, n_groups, n_strata):
    seen = random_view(n_groups, n_strata)
    adversary = adversary_of(kind, seen, n_groups)
    adversary.update(seen, learning_rate=1.0, n_steps=50)
    parameters = [adversary.coef] if kind == "logistic" else [adversary.inner, adversary.outer]
    before = np.concatenate([array.ravel() for array in parameters])

    def assign(flat: np.ndarray) -> None:
        start = 0
        for array in parameters:
            array[...] = flat[start : start + array.size].reshape(array.shape)
            start += array.size

    def loss(flat: np.ndarray) -> float:
        assign(flat)
        return adversary.loss(seen)

    gradient = approx_fprime(before, loss, 1e-7)
    assign(before)
    adversary.update(seen, learning_rate=0.5, n_steps=1)
    after = np.concatenate([array.ravel() for array in parameters])
    np.testing.assert_allclose(after, before - 0.5 * gradient, atol=1e-6)


def test_a_logistic_adversary_ends_at_the_regression_of_each_label():
    seen = random_view(3, 2)
    adversary = LogisticAdversary(seen.stratum, seen.group, 3)
    adversary.update(seen, learning_rate=1.9, n_steps=20_000)
    total = 0.0
    for label in (0, 1):
        u, group = seen.score[seen.stratum == label][:, None], seen.group[seen.stratum == label]
        fitted = LogisticRegression(C=np.inf, tol=1e-8, max_iter=1000).fit(u, group)
        total -= fitted.predict_log_proba(u)[np.arange(len(u)), group].sum()
    assert adversary.loss(seen) == pytest.approx(total / 60, abs=1e-6)


def test_a_logistic_adversary_starts_at_the_shares_of_the_groups():
    seen = Seen(np.full(6, 0.5), np.array([0, 0, 0, 0, 1, 1]), np.array([0, 0, 0, 1, 0, 1]))
    by_hand = -(3 * np.log(3 / 4) + np.log(1 / 4) + 2 * np.log(1 / 2)) / 6
    assert LogisticAdversary(seen.stratum, seen.group, 2).loss(seen) == pytest.approx(by_hand)


# Plain gradient boosting where nothing is asked


@pytest.mark.parametrize("given", [True, False])
def test_strength_zero_is_scikit_learns_gradient_boosting(given):
    X, y, sex = patients(300, seed=1)
    ours = FAGTBClassifier(strength=0.0, random_state=0).fit(X, y, sensitive_features=sex if given else None)
    theirs = GradientBoostingClassifier(random_state=0).fit(X, y)
    np.testing.assert_allclose(ours.decision_function(X), theirs.decision_function(X), atol=1e-9)
    np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))
    np.testing.assert_allclose(2 * ours.train_loss_, theirs.train_score_, atol=1e-9)  # theirs is a deviance


def test_importances_are_scikit_learns():
    X, y, _ = patients(2000, seed=2)  # few trees of many samples: no two splits tie
    ours = FAGTBClassifier(strength=0.0, n_estimators=5, random_state=0).fit(X, y)
    theirs = GradientBoostingClassifier(n_estimators=5, random_state=0).fit(X, y)
    np.testing.assert_allclose(ours.feature_importances_, theirs.feature_importances_, atol=1e-9)


def test_without_sensitive_features_it_warns_and_is_plain_gradient_boosting():
    X, y, _ = patients(200, seed=1)
    with pytest.warns(UserWarning, match="this is plain gradient boosting"):
        ours = FAGTBClassifier(strength=5.0, random_state=0).fit(X, y)
    theirs = GradientBoostingClassifier(random_state=0).fit(X, y)
    np.testing.assert_allclose(ours.decision_function(X), theirs.decision_function(X), atol=1e-9)
    assert ours.groups_ is None
    assert ours.adversary_loss_.size == 0
    assert np.isnan(ours.adversary_chance_loss_)


# Fairer where something is asked


@pytest.mark.parametrize("adversary", ["logistic", "neural"])
def test_equalized_odds_gap_falls_on_new_data(unseen, adversary):
    X, y, sex = patients(1000, seed=3)
    X_new, y_new, sex_new = unseen
    gap, accuracy, told = {}, {}, {}
    for strength in (0.0, 1.0):
        model = FAGTBClassifier(strength=strength, adversary=adversary, random_state=0)
        y_pred = model.fit(X, y, sensitive_features=sex).predict(X_new)
        gap[strength] = equalized_odds_gap(y_new, y_pred, sex_new)
        accuracy[strength] = (y_pred == y_new).mean()
        told[strength] = model.adversary_chance_loss_ - model.adversary_loss_[-1]
    assert gap[1.0] < gap[0.0] - 0.05
    assert accuracy[1.0] > accuracy[0.0] - 0.03
    assert told[1.0] < told[0.0] / 3


def test_demographic_parity_brings_selection_rates_together(unseen):
    X, y, sex = patients(1000, seed=3)
    X_new, _, sex_new = unseen
    gap = {}
    for strength in (0.0, 1.0, 3.0):
        model = FAGTBClassifier(strength=strength, constraint="demographic_parity", random_state=0)
        gap[strength] = rate_gap(model.fit(X, y, sensitive_features=sex).predict(X_new), sex_new)
    assert gap[0.0] > gap[1.0] + 0.05 > gap[3.0] + 0.05


def test_equalized_odds_keeps_what_the_label_explains(unseen):
    X, y, sex = patients(1000, seed=3)
    X_new, _, sex_new = unseen
    gap = {}
    for constraint in ("equalized_odds", "demographic_parity"):
        model = FAGTBClassifier(strength=3.0, constraint=constraint, random_state=0)
        gap[constraint] = rate_gap(model.fit(X, y, sensitive_features=sex).predict(X_new), sex_new)
    assert gap["demographic_parity"] < gap["equalized_odds"]


def test_several_groups():
    rng = np.random.default_rng(4)
    region = rng.integers(3, size=1000)
    y = (rng.random(1000) < np.array([0.2, 0.5, 0.8])[region]).astype(int)
    X = np.column_stack([y + rng.normal(size=1000), region + rng.normal(scale=0.3, size=1000)])
    spread = {}
    for strength in (0.0, 2.0):
        model = FAGTBClassifier(strength=strength, random_state=0).fit(X, y, sensitive_features=region)
        found = [model.predict(X)[(y == 1) & (region == group)].mean() for group in range(3)]
        spread[strength] = max(found) - min(found)
    assert model.groups_ == ("0", "1", "2")
    assert spread[2.0] < spread[0.0] - 0.1


def test_on_heart_disease_the_false_negative_rates_come_closer():
    """Default parameters; the published mean of 10 runs is 0.28 against 0.19, for 3.4 points of accuracy."""
    table = load_heart_disease()
    X, y = table.features.to_numpy(), table.outcome
    gap, accuracy = {"plain": [], "fair": []}, {"plain": [], "fair": []}
    for run in range(10):
        seen, new = train_test_split(np.arange(len(y)), test_size=0.2, random_state=run)
        fair = FAGTBClassifier(random_state=run).fit(X[seen], y[seen], sensitive_features=table.sex[seen])
        plain = GradientBoostingClassifier(random_state=run).fit(X[seen], y[seen])
        for name, model in (("plain", plain), ("fair", fair)):
            y_pred, ill = model.predict(X[new]), y[new] == 1
            gap[name].append(rate_gap(y_pred[ill], table.sex[new][ill]))  # of the sensitivity, hence of the FNR
            accuracy[name].append((y_pred == y[new]).mean())
    assert np.mean(gap["fair"]) <= np.mean(gap["plain"]) - 0.05
    assert np.mean(accuracy["fair"]) >= np.mean(accuracy["plain"]) - 0.04


# Early stopping, staged scores, reproducibility, kinds of input


def test_early_stopping_is_scikit_learns():
    X, y, _ = patients(400, seed=5)
    options = {"n_estimators": 200, "n_iter_no_change": 5, "random_state": 0}
    ours = FAGTBClassifier(strength=0.0, tol=5e-5, **options).fit(X, y)
    theirs = GradientBoostingClassifier(tol=1e-4, **options).fit(X, y)  # twice the loss, hence twice the tolerance
    assert ours.n_estimators_ == theirs.n_estimators_ < 200
    np.testing.assert_allclose(ours.decision_function(X), theirs.decision_function(X), atol=1e-9)


def test_early_stopping_with_an_adversary_watches_both_losses():
    X, y, sex = patients(600, seed=5)
    male = (sex == "male").astype(int)
    model = FAGTBClassifier(n_estimators=200, strength=2.0, n_iter_no_change=5, random_state=0)
    model.fit(X, y, sensitive_features=sex)
    assert len(model.estimators_) == len(model.validation_loss_) == len(model.adversary_loss_) == model.n_estimators_
    curve, tol = model.validation_loss_, model.tol
    stops = [i for i in range(5, 200) if i >= len(curve) or not (curve[i] + tol < curve[i - 5 : i]).any()]
    assert model.n_estimators_ == stops[0] + 1 < 200
    _, held_out = train_test_split(np.arange(600), test_size=0.1, random_state=0, stratify=2 * male + y)
    raw = model.decision_function(X[held_out])
    expected = np.mean(np.logaddexp(0, np.where(y[held_out] == 1, -raw, raw)))
    seen = Seen(1 / (1 + np.exp(-raw)), y[held_out], male[held_out])
    halves = np.empty(60, dtype=int)
    halves[np.argsort(2 * seen.group + seen.stratum, kind="stable")] = np.arange(60) % 2
    assert curve[-1] == pytest.approx(expected - 2.0 * by_scikit_learn(seen, halves), abs=1e-4)


# What an adversary can tell of new samples


def by_scikit_learn(seen: Seen, fold: np.ndarray) -> float:
    """Return the loss of regressions of each label, fitted to other folds; two groups share the penalty of a slope."""
    total = 0.0
    for number, label in product(np.unique(fold), np.unique(seen.stratum)):
        new, known = ((fold == number) == side for side in (True, False))
        new, known = new & (seen.stratum == label), known & (seen.stratum == label)
        fitted = LogisticRegression(C=2.0, tol=1e-10, max_iter=1000).fit(seen.score[known, None], seen.group[known])
        chances = fitted.predict_log_proba(seen.score[new, None])
        total -= chances[np.arange(new.sum()), np.searchsorted(fitted.classes_, seen.group[new])].sum()
    return total / len(fold)


@pytest.mark.parametrize("n_strata", [1, 2])
def test_a_cross_fitted_loss_is_that_of_regressions_of_other_folds(n_strata):
    rng = np.random.default_rng(1)
    group, stratum = rng.integers(2, size=300), rng.integers(n_strata, size=300)
    seen = Seen(np.clip(0.5 + 0.2 * group * (stratum + 1) + rng.normal(scale=0.2, size=300), 0, 1), stratum, group)
    fold = np.arange(300) % 3
    assert cross_fitted_loss(seen, fold, 2) == pytest.approx(by_scikit_learn(seen, fold), abs=1e-5)


def test_groups_of_which_a_fold_has_none_and_scores_that_part_them_have_a_finite_loss():
    group = np.array([0, 0, 0, 1, 1, 1, 2])
    seen = Seen(group / 2, np.zeros(7, dtype=int), group)
    assert 0 < cross_fitted_loss(seen, np.array([0, 1, 0, 1, 0, 1, 0]), 3) < 5


def hidden_group(n: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return samples whose group is in no feature as such, and is in many together: it can be learnt by heart."""
    rng = np.random.default_rng(seed)
    group = rng.integers(2, size=n)
    y = (rng.random(n) < np.where(group == 1, 0.6, 0.4)).astype(int)
    noise = rng.normal(size=(n, 6))
    X = np.column_stack([y + group + noise[:, 0], group[:, None] / 2 + noise[:, 1:]])
    return X, y, group


def test_what_is_learnt_by_heart_is_seen_in_the_cross_fitted_loss_alone():
    X, y, group = hidden_group(400, seed=1)
    model = FAGTBClassifier(strength=30.0, max_depth=5, cross_fit=5, random_state=0)
    model.fit(X, y, sensitive_features=group)
    told = model.adversary_chance_loss_ - model.adversary_loss_[-1]
    told_anew = model.adversary_chance_loss_ - model.cross_fitted_adversary_loss_[-1]
    X_new, y_new, group_new = hidden_group(20_000, seed=2)
    score = model.predict_proba(X_new)[:, 1]
    truth = np.log(2) - cross_fitted_loss(Seen(score, y_new, group_new), np.arange(20_000) % 5, 2)
    assert told < 0.002 < 0.01 < min(told_anew, truth)
    error = np.sqrt(2 * truth / 400)  # standard error of a mean loss of 400: what is learnt differs between processors
    assert told_anew == pytest.approx(truth, abs=3 * error)


def test_cross_fitted_scores_are_those_of_trees_that_did_not_see_the_sample():
    X, y, sex = patients(200, seed=5)
    model = FAGTBClassifier(n_estimators=4, strength=2.0, cross_fit=2, random_state=0).fit(X, y, sensitive_features=sex)
    fold = fagtb._folds(2 * (sex == "male") + y, 2, np.random.RandomState(0))
    score = np.empty(200)
    for number in (0, 1):
        apart = FAGTBClassifier(n_estimators=4, strength=2.0, random_state=0)
        apart.fit(X[fold != number], y[fold != number], sensitive_features=sex[fold != number])
        score[fold == number] = apart.predict_proba(X[fold == number])[:, 1]
    assert model.cross_fitted_loss_[-1] == pytest.approx(log_loss(y, score), abs=0.02)
    told = by_scikit_learn(Seen(score, y, (sex == "male").astype(int)), fold)
    assert model.cross_fitted_adversary_loss_[-1] == pytest.approx(told, abs=0.02)


def test_cross_fitting_reports_and_changes_nothing():
    X, y, sex = patients(300, seed=5)
    plain, reported = (
        FAGTBClassifier(n_estimators=10, cross_fit=folds, random_state=0).fit(X, y, sensitive_features=sex)
        for folds in (None, 3)
    )
    np.testing.assert_array_equal(plain.decision_function(X), reported.decision_function(X))
    assert plain.cross_fitted_loss_.size == plain.cross_fitted_adversary_loss_.size == 0
    assert reported.cross_fitted_loss_.shape == reported.cross_fitted_adversary_loss_.shape == (10,)


def test_early_stopping_by_cross_fitted_losses_keeps_all_samples():
    X, y, sex = patients(400, seed=5)
    model = FAGTBClassifier(n_estimators=60, strength=2.0, cross_fit=3, n_iter_no_change=4, random_state=0)
    model.fit(X, y, sensitive_features=sex)
    curve = model.cross_fitted_loss_ - 2.0 * model.cross_fitted_adversary_loss_
    stops = [i for i in range(4, 60) if not (curve[i] + model.tol < curve[i - 4 : i]).any()]
    assert model.n_estimators_ == stops[0] + 1 < 60
    alone = FAGTBClassifier(n_estimators=model.n_estimators_, strength=2.0, random_state=0)
    np.testing.assert_array_equal(
        alone.fit(X, y, sensitive_features=sex).decision_function(X), model.decision_function(X)
    )


def test_without_groups_the_log_loss_alone_is_cross_fitted():
    X, y, _ = patients(200, seed=5)
    model = FAGTBClassifier(n_estimators=5, strength=0.0, cross_fit=2, random_state=0).fit(X, y)
    assert model.cross_fitted_loss_.shape == (5,)
    assert model.cross_fitted_adversary_loss_.size == 0


def test_folds_that_a_label_and_group_cannot_fill():
    X, y, sex = patients(30, seed=10)
    with pytest.raises(
        ValueError, match=r"cross_fit=20: of one label and group there are \d+ samples; use fewer folds"
    ):
        FAGTBClassifier(cross_fit=20).fit(X, y, sensitive_features=sex)


# The scale of the adversary's steps


def public_code(X, y, sensitive, model: FAGTBClassifier, start: tuple[float, float]):
    """Return raw scores as the paper's public code computes them: one logit, summed loss, mean gradients as leaves."""
    intercept, slope = start
    raw = np.full(len(y), np.log(y.sum() / (1 - y).sum()))
    for number in range(model.n_estimators):
        u = 1 / (1 + np.exp(-raw))
        error = 1 / (1 + np.exp(-intercept - slope * u)) - sensitive
        if number:  # there the adversary goes first, which differs by one step on a score that is still constant
            intercept -= model.adversary_learning_rate * error.sum()
            slope -= model.adversary_learning_rate * (error * u).sum()
            error = 1 / (1 + np.exp(-intercept - slope * u)) - sensitive
        gradient = y - u + model.strength * error * slope * u * (1 - u)
        tree = DecisionTreeRegressor(max_depth=model.max_depth, random_state=0).fit(X, gradient)
        raw += model.learning_rate * tree.predict(X)
    return raw


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_public_recipe_is_what_the_public_code_computes(seed):
    X, y, sex = patients(400, seed=5)
    model = public_recipe(seed).set_params(n_estimators=25, max_depth=2, min_samples_leaf=5, learning_rate=0.1)
    male = (sex == "male").astype(float)
    drawn = np.random.RandomState(seed).normal(size=(2, 2))[1]
    found = model.fit(X, y, sensitive_features=sex).decision_function(X)
    # float32 in the trees of both; a depth of 2 leaves no ties that another order would break otherwise
    np.testing.assert_allclose(found, public_code(X.astype(np.float32), y, male, model, drawn), rtol=1e-6)


def test_the_published_strength_weighs_in_its_own_scale_only(unseen):
    X, y, sex = patients(1000, seed=3)
    X_new, _, sex_new = unseen
    in_this_scale = {"adversary_scale": "mean", "adversary_start": "shares"}
    gap = {}
    for name, options in {"plain": {"strength": 0.0}, "mean": in_this_scale, "sum": {}}.items():
        model = public_recipe(0).set_params(max_depth=3, learning_rate=0.05, **options)
        gap[name] = rate_gap(model.fit(X, y, sensitive_features=sex).predict(X_new), sex_new)
    assert gap["mean"] > gap["plain"] - 0.03
    assert gap["sum"] < gap["plain"] - 0.06


def test_first_weights_are_drawn_where_that_is_asked_for():
    X, y, sex = patients(200, seed=6)
    losses = {
        (start, seed): FAGTBClassifier(n_estimators=1, adversary_start=start, adversary_steps=1, random_state=seed)
        .fit(X, y, sensitive_features=sex)
        .adversary_loss_[0]
        for start in ("shares", "random")
        for seed in (0, 1)
    }
    assert losses["shares", 0] == losses["shares", 1] < min(losses["random", 0], losses["random", 1])
    assert losses["random", 0] != losses["random", 1]


def test_a_leaf_of_the_gradient_adds_its_mean():
    X, y, _ = patients(200, seed=6)
    model = FAGTBClassifier(n_estimators=1, leaf="gradient", strength=0, max_depth=2).fit(X, y)
    tree = DecisionTreeRegressor(max_depth=2).fit(X, y - y.mean())  # a depth of 3 has ties, broken at random
    expected = np.log(y.mean() / (1 - y.mean())) + 0.1 * tree.predict(X)
    np.testing.assert_allclose(model.decision_function(X), expected)


def test_the_last_stage_is_the_decision_function():
    X, y, sex = patients(200, seed=6)
    model = FAGTBClassifier(n_estimators=7, random_state=0).fit(X, y, sensitive_features=sex)
    stages = list(model.staged_decision_function(X))
    assert len(stages) == 7
    np.testing.assert_array_equal(stages[-1], model.decision_function(X))
    expected = np.mean(np.logaddexp(0, np.where(y == 1, -stages[3], stages[3])))
    assert model.train_loss_[3] == pytest.approx(expected)


@pytest.mark.parametrize("adversary", ["logistic", "neural"])
def test_the_same_seed_gives_the_same_model(adversary):
    X, y, sex = patients(300, seed=7)
    model = FAGTBClassifier(n_estimators=10, adversary=adversary, n_iter_no_change=8, random_state=3)
    first, second = (clone(model).fit(X, y, sensitive_features=sex) for _ in range(2))
    np.testing.assert_array_equal(first.decision_function(X), second.decision_function(X))
    np.testing.assert_array_equal(first.adversary_loss_, second.adversary_loss_)


def test_labels_and_groups_may_be_of_any_kind():
    X, y, sex = patients(300, seed=8)
    model = FAGTBClassifier(n_estimators=10, random_state=0)
    scores = clone(model).fit(X, y, sensitive_features=sex).decision_function(X)
    words = clone(model).fit(X, np.array(["healthy", "ill"])[y], sensitive_features=pd.Series(sex, name="sex"))
    np.testing.assert_array_equal(words.decision_function(X), scores)
    assert set(words.predict(X)) == {"healthy", "ill"}
    assert words.groups_ == ("female", "male")
    numbers = clone(model).fit(X, 2 * y - 1, sensitive_features=pd.DataFrame({"sex": (sex == "male").astype(int)}))
    np.testing.assert_array_equal(numbers.decision_function(X), scores)


def test_a_frame_keeps_its_names():
    X, y, sex = patients(100, seed=9)
    frame = pd.DataFrame(X, columns=list("abcdef"))
    model = FAGTBClassifier(n_estimators=3, random_state=0).fit(frame, y, sensitive_features=sex)
    assert list(model.feature_names_in_) == list("abcdef")


def test_names_of_groups_do_not_matter():
    X, y, sex = patients(300, seed=8)
    model = FAGTBClassifier(n_estimators=30, random_state=0)
    renamed = np.where(sex == "male", "a", "z")  # the other way round in the alphabet
    scores = clone(model).fit(X, y, sensitive_features=sex).decision_function(X)
    np.testing.assert_allclose(clone(model).fit(X, y, sensitive_features=renamed).decision_function(X), scores)


def test_scores_that_diverge_are_said_to():
    X, y, sex = patients(300, seed=8)
    with pytest.warns(UserWarning, match="lower strength, learning_rate or adversary_learning_rate"):
        FAGTBClassifier(strength=1000.0, random_state=0).fit(X, y, sensitive_features=sex)


# Errors


def test_a_held_out_part_that_is_too_small():
    X, y, sex = patients(30, seed=10)
    with pytest.raises(ValueError, match=r"0\.1 of 30 samples cannot be held out in proportion to labels and groups"):
        FAGTBClassifier(n_iter_no_change=5).fit(X, y, sensitive_features=sex)


def missing(sex: np.ndarray) -> np.ndarray:
    holes = sex.astype(object)
    holes[[2, 5]] = None
    return holes


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda sex, _: sex[:-1], "has 99 values, X has 100 rows"),
        (lambda sex, _: missing(sex), "no value in rows 2, 5"),
        (lambda sex, _: np.full(100, "female"), "one group only, 'female'"),
        (lambda sex, y: np.where(y == 1, "male", sex), "all samples of one label are of one group"),
        (lambda sex, _: {"sex": sex, "age_band": sex}, "one feature is needed"),
        (lambda sex, _: np.column_stack([sex, sex]), "shape"),
    ],
)
def test_sensitive_features_that_cannot_be_used(spoil, message):
    X, y, sex = patients(100, seed=10)
    with pytest.raises(ValueError, match=message):
        FAGTBClassifier(n_estimators=2).fit(X, y, sensitive_features=spoil(sex, y))


def test_demographic_parity_needs_no_two_groups_in_each_label():
    X, y, sex = patients(100, seed=10)
    model = FAGTBClassifier(n_estimators=2, constraint="demographic_parity")
    model.fit(X, y, sensitive_features=np.where(y == 1, "male", sex))
    assert model.adversary_loss_.shape == (2,)


@pytest.mark.parametrize(
    ("parameter", "message"),
    [
        ({"strength": -1}, "strength=-1"),
        ({"strength": float("nan")}, "strength=nan"),
        ({"n_estimators": 0}, "n_estimators=0"),
        ({"n_estimators": 10.0}, "whole number"),
        ({"learning_rate": 0.0}, "above 0"),
        ({"validation_fraction": 1.0}, "below 1"),
        ({"constraint": "equalised_odds"}, "did you mean 'equalized_odds'"),
        ({"adversary": "forest"}, "allowed: logistic, neural"),
        ({"adversary_scale": "total"}, "allowed: mean, sum"),
        ({"adversary_start": "zeros"}, "allowed: random, shares"),
        ({"leaf": "median"}, "allowed: gradient, newton"),
        ({"cross_fit": 1}, "cross_fit=1: must be a whole number, at least 2"),
    ],
)
def test_parameters_out_of_range(parameter, message):
    X, y, sex = patients(100, seed=10)
    with pytest.raises(ValueError, match=message):
        FAGTBClassifier(**parameter).fit(X, y, sensitive_features=sex)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("adversary", "parameter"),
    [
        ("logistic", {"learning_rate": 1e308, "strength": 10}),
        ("neural", {"learning_rate": 1e308, "strength": 10}),
        ("neural", {"adversary_learning_rate": 1e308}),
    ],
)
def test_scores_that_leave_the_numbers_are_no_model(adversary, parameter):
    X, y, sex = patients(100, seed=10)
    with pytest.raises(ValueError, match="have diverged and are no longer finite: lower strength=") as failure:
        FAGTBClassifier(adversary=adversary, **parameter).fit(X, y, sensitive_features=sex)
    for name, value in parameter.items():
        assert f"{name}={value}" in str(failure.value)


@pytest.mark.parametrize(
    ("y", "message"), [(np.arange(100) % 3, "Only binary"), (np.ones(100), r"one class only, 1\.0; two")]
)
def test_labels_that_are_not_binary(y, message):
    X, _, sex = patients(100, seed=10)
    with pytest.raises(ValueError, match=message):
        FAGTBClassifier().fit(X, y, sensitive_features=sex)
