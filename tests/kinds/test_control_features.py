"""Control features: disparities within strata, and of values standardised over them."""

from __future__ import annotations

import time

import numpy as np
import pytest
from scipy import stats

from fairness_checks import ConfigurationError, InvalidPredictions, Predictions, audit
from fairness_checks.config.loading import load_config
from fairness_checks.judge.verdict import audit_model
from fairness_checks.kinds import kind_of
from fairness_checks.kinds.group_statistics import GroupStatistics
from fairness_checks.question.metrics import METRICS

PAIRWISE = [
    ("false_positive_rate", "max_difference"),
    ("false_positive_rate", "min_ratio"),
    ("balanced_accuracy", "max_difference"),
    ("equalized_odds", "max_difference"),
    ("mean_error", "max_difference"),
    ("log_loss", "max_difference"),
    ("roc_auc", "max_difference"),
]
LIMIT = {"max_difference": 0.15, "min_ratio": 0.6}


def counted(cells, extra=()):
    """Make predictions of {(ward, sex): (selected, samples)}; every sample is a positive."""
    ward, sex, y_pred = [], [], []
    for (where, who), (selected, n) in cells.items():
        ward += [where] * n
        sex += [who] * n
        y_pred += [1] * selected + [0] * (n - selected)
    return Predictions([1] * len(sex), y_pred, sensitive_features={"sex": sex, "ward": ward}, **dict(extra))


def drawn(rng, n=1200, effect_in="north", effect=1.5):
    """Predictions of two wards; women of one ward are served worse, in every respect."""
    ward, sex = rng.choice(["north", "south"], n), rng.choice(["female", "male"], n)
    worse = effect * ((ward == effect_in) & (sex == "female"))
    y = rng.random(n) < 0.5
    logit = rng.normal(0.0, 1.0 + worse, n) + np.where(y, 1.5, -1.5) * np.exp(-worse) + worse
    score = 1.0 / (1.0 + np.exp(-logit))
    return Predictions(y, y_score=score, error=rng.normal(worse), sensitive_features={"sex": sex, "ward": ward})


@pytest.mark.parametrize(("metric", "limit_kind"), PAIRWISE)
@pytest.mark.parametrize("ward", ["north", "south"])
def test_an_effect_in_one_stratum_is_found_and_named(metric, limit_kind, ward):
    some = drawn(np.random.default_rng(1), effect_in=ward)
    record = audit(some, metric=metric, by="sex", control_features="ward", **{limit_kind: LIMIT[limit_kind]})
    assert record.verdict == "fail"
    assert {record.first, record.second} == {(ward, "female"), (ward, "male")}
    assert [group.name for group in record.groups] == [(w, s) for w in ("north", "south") for s in ("female", "male")]
    assert (record.control_features, record.by, record.strata) == (("ward",), ("sex",), "each")
    assert record.comparisons in (2, 4)  # two wards, of equalized odds for each of two rates: no pair across wards


@pytest.mark.parametrize(("metric", "limit_kind"), PAIRWISE)
def test_without_an_effect_the_limit_is_kept(metric, limit_kind):
    some = drawn(np.random.default_rng(2), n=8000, effect=0.0)
    limit = {"max_difference": 0.15, "min_ratio": 0.4}[limit_kind]
    record = audit(some, metric=metric, by="sex", control_features="ward", **{limit_kind: limit})
    assert record.verdict == "pass"


def test_one_stratum_is_the_check_without_control():
    cells = {("north", "f"): (30, 80), ("north", "m"): (60, 90)}
    for limit in ({"max_difference": 0.1}, {"min_ratio": 0.8}):
        some = counted(cells)
        crude = audit(some, metric="selection_rate", by="sex", **limit)
        within = audit(some, metric="selection_rate", by="sex", control_features=["ward"], **limit)
        for name in ("estimate", "low", "high", "p_violation", "p_compliance", "verdict"):
            assert getattr(within, name) == getattr(crude, name)


# Bickel, Hammel and O'Connell's pattern (Science 187 (1975) 398): each ward treats both alike, but women go where few
# are selected.
SIMPSON = {
    ("easy", "female"): (80, 100),
    ("easy", "male"): (640, 800),
    ("hard", "female"): (160, 800),
    ("hard", "male"): (20, 100),
}


def test_simpsons_paradox():
    some = counted(SIMPSON)
    crude = audit(some, metric="selection_rate", by="sex", max_difference=0.15)
    assert (crude.verdict, crude.first) == ("fail", ("male",))
    assert crude.estimate == pytest.approx(660 / 900 - 240 / 900)
    for strata in ("each", "combined"):
        record = audit(
            some, metric="selection_rate", by="sex", max_difference=0.15, control_features="ward", strata=strata
        )
        assert record.verdict == "pass"
        assert record.estimate == pytest.approx(0.0, abs=1e-12)
    assert [(g.name, g.n) for g in record.groups] == [(("female",), 900), (("male",), 900)]
    assert [g.rate for g in record.groups] == pytest.approx([0.5, 0.5])


def test_direct_standardisation_by_hand():
    cells = {
        ("easy", "female"): (70, 100),
        ("easy", "male"): (480, 600),
        ("hard", "female"): (90, 500),
        ("hard", "male"): (24, 80),
    }
    record = audit(
        counted(cells),
        metric="selection_rate",
        by="sex",
        max_difference=0.05,
        control_features="ward",
        strata="combined",
    )
    weight = {"easy": 700 / 1280, "hard": 580 / 1280}
    value, variance = {}, {}
    for sex in ("female", "male"):
        rates = {ward: cells[ward, sex] for ward in weight}
        value[sex] = sum(weight[w] * x / n for w, (x, n) in rates.items())
        variance[sex] = sum(weight[w] ** 2 * x / n * (1 - x / n) / n for w, (x, n) in rates.items())
    assert [g.rate for g in record.groups] == pytest.approx([value["female"], value["male"]])
    difference, error = value["male"] - value["female"], np.sqrt(sum(variance.values()))
    assert record.estimate == pytest.approx(difference)
    assert (record.first, record.second) == (("male",), ("female",))
    # The textbook's normal approximation; ours is the score test's, whose variance is that at the end itself.
    assert record.low == pytest.approx(difference - stats.norm.ppf(0.95) * error, abs=0.003)
    assert record.high == pytest.approx(difference + stats.norm.ppf(0.95) * error, abs=0.003)
    floor = audit(
        counted(cells), metric="selection_rate", by="sex", min_value=0.9, control_features="ward", strata="combined"
    )
    assert (floor.verdict, floor.first, floor.estimate) == ("fail", ("female",), pytest.approx(value["female"]))


def test_a_stratum_with_a_single_group_never_passes_in_silence():
    cells = {**SIMPSON, ("womens", "female"): (30, 100)}
    for strata in ("each", "combined"):
        record = audit(
            counted(cells),
            metric="selection_rate",
            by="sex",
            max_difference=0.3,
            control_features="ward",
            strata=strata,
        )
        if strata == "each":
            assert record.verdict == "inconclusive"
            assert "group womens, male: 0 samples" in record.reason
        else:
            assert (record.verdict, record.p_compliance < 0.05) == ("inconclusive", True)
            assert record.reason.startswith("1 of 3 strata left out, where some group has no value; ")
            assert "standardised over 2 of 3 strata" in record.method
            assert [g.n for g in record.groups] == [900, 900]


def test_a_small_cell_leaves_others_to_be_judged():
    cells = {**SIMPSON, ("tiny", "female"): (3, 5), ("tiny", "male"): (4, 60)}
    record = audit(counted(cells), metric="selection_rate", by="sex", max_difference=0.3, control_features="ward")
    assert (record.verdict, record.p_compliance < 0.05) == ("inconclusive", True)
    assert record.reason == "group tiny, female: 5 samples, fewer than min_group_size 10"
    cells["hard", "female"] = (700, 800)
    record = audit(counted(cells), metric="selection_rate", by="sex", max_difference=0.3, control_features="ward")
    assert (record.verdict, record.first) == ("fail", ("hard", "female"))


@pytest.mark.parametrize("strata", ["each", "combined"])
@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (
            {("easy", "female"): (50, 100), ("hard", "male"): (50, 100)},
            r"each stratum of ward .*\(easy: female, \.\.\.",
        ),
        (
            {("easy", "female"): (50, 100), ("hard", "female"): (50, 100)},
            r"'sex'\]: one group only, 'female', .* 200 sam",
        ),
    ],
    ids=["apart", "alone"],
)
def test_strata_of_one_group_each_are_an_error(cells, message, strata):
    question = {"metric": "selection_rate", "by": "sex", "control_features": "ward", "strata": strata}
    with pytest.raises(InvalidPredictions, match=message):
        audit(counted(cells), **question, max_difference=0.3)
    assert audit(counted(cells), **question | {"strata": "each"}, max_value=0.9).verdict in ("pass", "inconclusive")


def test_the_samples_that_are_compared_must_be_enough():
    cells = {("both", "female"): (2, 4), ("both", "male"): (30, 60), ("womens", "female"): (50, 100)}
    record = audit(
        counted(cells),
        metric="selection_rate",
        by="sex",
        max_difference=0.3,
        control_features="ward",
        strata="combined",
    )
    assert record.verdict == "inconclusive"
    assert "female: in the strata compared, 4 samples, fewer than min_group_size 10" in record.reason


def clustered(ward_of_cluster, n=10, clusters=60):
    rng, patient = np.random.default_rng(4), np.repeat(np.arange(clusters), n)
    ward = ward_of_cluster(patient, np.arange(len(patient)))
    sex = np.where(patient % 2 == 0, "f", "m")
    error = rng.normal(size=clusters)[patient] + rng.normal(size=len(patient))
    return Predictions(error=error, cluster=patient, sensitive_features={"sex": sex, "ward": ward.astype(str)})


def test_clusters_within_and_across_strata():
    question = {"metric": "mean_error", "by": "sex", "control_features": "ward", "max_difference": 0.5}
    crossing = clustered(lambda patient, row: row % 2)
    with pytest.raises(ConfigurationError, match=r"^mean_error by sex over ward: strata: combined needs clusters"):
        audit(crossing, **question, strata="combined")
    assert audit(crossing, **question).estimate is not None
    inside = clustered(lambda patient, row: patient // 2 % 2)
    record = audit(inside, **question, strata="combined")
    assert [g.clusters for g in record.groups] == [30, 30]
    few = clustered(lambda patient, row: patient // 2 % 2, clusters=16)
    record = audit(few, **question, strata="combined")
    assert record.verdict == "inconclusive"
    assert "80 samples in 8 clusters; 10 clusters are needed" in record.reason


def test_hundreds_of_groups_end_in_seconds():
    rng, n = np.random.default_rng(5), 40_000
    features = {"sex": rng.choice(["f", "m"], n), "age": rng.integers(0, 8, n), "ward": rng.integers(0, 16, n)}
    y = rng.random(n) < 0.5
    some = Predictions(
        y, y_score=np.clip(rng.normal(0.3 + 0.4 * y, 0.2), 0, 1), error=y - 0.5, sensitive_features=features
    )
    start = time.process_time()
    for metric in ("accuracy", "mean_error", "roc_auc"):
        record = audit(some, metric=metric, by=["sex", "age", "ward"], max_difference=0.2)
        assert (len(record.groups), record.comparisons) == (256, 256 * 255 // 2)
        if metric != "accuracy":
            within = audit(some, metric=metric, by=["sex", "age"], control_features="ward", max_difference=0.2)
            assert within.comparisons == 16 * 16 * 15 // 2
            assert within.first[0] == within.second[0]
    assert time.process_time() - start < 20.0


def test_yaml_asks_the_same(tmp_path):
    path = tmp_path / "thresholds.yaml"
    checks = "".join(
        f"      - {{metric: selection_rate, by: sex, max_difference: 0.15, control_features: ward{more}}}\n"
        for more in ("", ", strata: combined")
    )
    path.write_text(f"version: 1\nmodels:\n  m:\n    subgroups:\n{checks}")
    config = load_config(path)
    (model,) = config.models
    records = audit_model("m", counted(SIMPSON), [c.check for c in model.checks], config.settings)
    assert [(r.verdict, r.strata) for r in records] == [("pass", "each"), ("pass", "combined")]
    assert {record.control_features for record in records} == {("ward",)}
    assert len({record.key for record in records}) == 2


@pytest.mark.parametrize("n", [1, 2, 3, 10, 100])
def test_the_variance_of_a_rate_of_a_small_stratum_is_on_average_never_too_small(n):
    x, rates = np.arange(n + 1), np.linspace(0.0, 1.0, 101)
    labels = np.ones((n + 1) * n, dtype=bool)
    found = np.concatenate([np.arange(n) >= events for events in x])
    names = np.repeat([f"{events:03d}" for events in x], n)
    predictions = Predictions(y_true=labels, y_pred=found, sensitive_features={"g": names})
    metric = METRICS["false_negative_rate"]
    statistics = GroupStatistics.from_predictions(predictions, ("g",), metrics=[metric])
    variance = kind_of(metric).estimates(statistics, metric).variance
    on_average = stats.binom.pmf(x[:, None], n, rates).T @ variance
    assert np.all(variance > 0.0)
    assert np.all(on_average >= rates * (1.0 - rates) / n * (1.0 - 1e-9))
    assert on_average[50] == pytest.approx(0.25 / n)


def test_intervals_of_skewed_standardised_means_end_where_a_ceiling_and_a_floor_are_judged():
    rng = np.random.default_rng(11)
    ward, sex = np.tile(["north", "south"], 30), np.repeat(["female", "male"], 30)
    some = Predictions(error=rng.lognormal(0.0, 1.0, 60), sensitive_features={"sex": sex, "ward": ward})
    asked = {"metric": "mean_error", "by": "sex", "control_features": "ward", "strata": "combined"}
    ceiling, floor = audit(some, max_value=2.0, **asked), audit(some, min_value=1.0, **asked)
    assert ceiling.high == pytest.approx(max(group.high for group in ceiling.groups))
    assert floor.low == pytest.approx(min(group.low for group in floor.groups))
    group = ceiling.groups[0]
    assert group.high - group.rate > 1.2 * (group.rate - group.low)
