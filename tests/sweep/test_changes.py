"""Changes of gaps between mixes: every contrast against numpy, and what cannot be compared."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from scipy import stats

from fairness_checks.errors import ConfigurationError
from fairness_checks.findings.sweep import find_in_sweep
from fairness_checks.judge.evaluation import Evaluation
from fairness_checks.judge.verdict import audit_model
from fairness_checks.question.checks import Check, Settings
from fairness_checks.question.metrics import METRICS
from fairness_checks.records.check_record import CheckRecord
from fairness_checks.sweep.changes import change_between, contrasts
from fairness_checks.sweep.mixes import Shares
from fairness_checks.sweep.plan import SweepPlan
from fairness_checks.sweep.results import GroupResult, RepeatResult, SweepResults
from fairness_checks.sweep.sketches import WIDTH
from fairness_checks.sweep.tables import read_table

N, TEST, REPEATS = 300, 30, 20
MIXES = {"as_is": "as_is", "half": Shares({"f": 0.5, "m": 0.5}), "few": Shares({"f": 0.2, "m": 0.8})}


def swept(values, groups=("f", "m"), sketches=None, metric="roc_auc", feature_set="all", clusters=None):
    """Results of {mix: values (J, G)}, with sketches {mix: complex (J, G, WIDTH)} where they are given."""

    def group(mix, repeat, g):
        value = values[mix][repeat][g]
        seen = {}
        if sketches is not None:
            one = sketches[mix][repeat, g]
            seen = {metric: (*one.real.tolist(), *one.imag.tolist())}
        found = {metric: None if math.isnan(value) else float(value)}
        return GroupResult(train=270, real=270, test=TEST, counts=None, values=found, sketches=seen)

    made = [
        RepeatResult(
            mix=mix,
            feature_set=feature_set,
            repeat=repeat,
            groups={name: group(mix, repeat, g) for g, name in enumerate(groups)},
        )
        for mix in values
        for repeat in range(len(values[mix]))
    ]
    ordered = tuple(sorted(made, key=lambda result: result.task))
    sizes = dict.fromkeys(groups, N)
    return SweepResults(model="m", by="sex", groups=sizes, repeated_rows=0, results=ordered, clusters=clusters or {})


def near(*means, seed=0, noise=0.02):
    return np.array(means) + noise * np.random.default_rng(seed).normal(size=(REPEATS, len(means)))


def plan(*mixes):
    return SweepPlan(by="sex", mixes={name: MIXES[name] for name in mixes}, repeats=REPEATS)


def record_of(results, plan, limit=0.05, mix=None, metric="roc_auc"):
    check = Check(metric, ("sex",), "min_reduction", limit, gap="change", mix=mix)
    (record,) = audit_model("m", Evaluation(None, results, plan), [check], Settings())
    assert CheckRecord.from_json(record.to_json()) == record
    return record


def table_of(results, plan, metric="roc_auc"):
    return read_table(results, plan, METRICS[metric])


def test_without_sketches_training_rows_may_have_made_all_of_it():
    values = {"as_is": near(0.9, 0.6, seed=1), "half": near(0.85, 0.7, seed=2)}
    found = change_between(table_of(swept(values), plan("as_is", "half")), 0, 1)
    a, b = (v[:, 0] - v[:, 1] for v in values.values())
    share = TEST / N
    for series, at in ((a - b, 0), (a + b, 1)):
        error = math.sqrt(series.var(ddof=1) * (1 / REPEATS + (1 - share) / share))
        assert found.reduction.least.value[at] == pytest.approx(series.mean())
        assert found.reduction.least.up[at] == pytest.approx(error)
    assert found.reduction.value == pytest.approx((a - b).mean())
    assert found.reduction.freedom == REPEATS - 1
    assert found.signed.by_repeats[0] == pytest.approx(1 / (1 + REPEATS * (1 - share) / share))
    p = stats.t(REPEATS - 1).sf(((a - b).mean() - 0.05) / found.reduction.least.down[0])
    assert found.reduction.p_not_above(0.05) == pytest.approx(max(p / 0.99, found.reduction.p_not_above(0.05)))


def test_what_test_rows_add_is_told_from_the_rest():
    values = {"as_is": near(0.9, 0.6, seed=1), "half": near(0.85, 0.7, seed=2)}
    rng = np.random.default_rng(3)
    shape = (REPEATS, 2, WIDTH)
    common = rng.normal(size=shape) + 1j * rng.normal(size=shape)
    sketches = {mix: 0.05 * common + 0.003 * rng.normal(size=shape) for mix in values}
    table = table_of(swept(values, sketches=sketches), plan("as_is", "half"))
    weights = np.array([[[1.0, -1.0], [-1.0, 1.0]]])
    found = contrasts(table, [0, 1], weights)
    series = np.einsum("mjg,mg->j", np.array(list(values.values())), weights[0])
    moved = sketches["as_is"] - sketches["half"]
    within = (np.abs(moved) ** 2).mean(axis=(0, 2)).sum()
    share, square = TEST / N, series.var(ddof=1)
    rest = max(square - (1 - share) * within, 0.0)
    shared = max(share / (1 - share) * square, share * within + rest * (1 - share) / share)
    assert within < 1e-4 < (0.05**2 * np.abs(common) ** 2).mean()
    own = np.mean([(np.abs(sketch) ** 2).mean(axis=(0, 2)) for sketch in sketches.values()], axis=0)
    unseen = share * 2 / (N + 2) * own.sum()  # as if the models disagreed in two rows
    assert found.claims.up[0] ** 2 == pytest.approx(square / REPEATS + shared + unseen)


@pytest.mark.parametrize("metric", ["roc_auc", "mean_squared_error"])
def test_models_that_never_disagree_are_judged_as_if_they_did_in_two_rows(metric):
    same = near(0.9, 0.6)
    rng = np.random.default_rng(3)
    sketch = 0.05 * (rng.normal(size=(REPEATS, 2, WIDTH)) + 1j * rng.normal(size=(REPEATS, 2, WIDTH)))
    results = swept({"as_is": same, "half": same}, sketches={"as_is": sketch, "half": sketch}, metric=metric)
    found = change_between(table_of(results, plan("as_is", "half"), metric), 0, 1)
    own = (np.abs(sketch) ** 2).mean(axis=(0, 2)).sum()
    assert found.reduction.value == pytest.approx(0.0, abs=1e-12)
    assert found.signed.claims.up[0] ** 2 == pytest.approx(TEST / N * 2 / (N + 2) * own)
    assert record_of(results, plan("as_is", "half"), limit=-0.05, metric=metric).verdict == "pass"


def test_of_more_than_two_groups_the_largest_disparities_are_compared():
    values = {"as_is": near(0.9, 0.6, 0.8, seed=1, noise=0.005), "half": near(0.75, 0.7, 0.9, seed=2, noise=0.005)}
    results = swept(values, groups=("f", "m", "x"))
    record = record_of(results, plan("as_is", "half"), limit=0.05)
    before, after = (v.mean(axis=0) for v in values.values())
    assert record.estimate == pytest.approx(np.ptp(before) - np.ptp(after))
    assert (record.first, record.second) == (("f",), ("m",))
    assert record.also == pytest.approx({"gap_as_is": np.ptp(before), "gap_under_mix": np.ptp(after)})
    (_, half) = record.sweep.table
    assert (half.first, half.second, half.gap) == ("x", "m", pytest.approx(np.ptp(after)))
    assert half.change.signed is None
    assert half.change.reduction == pytest.approx(record.estimate)
    found = change_between(table_of(results, plan("as_is", "half")), 0, 1)
    assert len(found.reduction.least.value) == len(found.reduction.most.value) == 6
    assert found.reduction.most.value.max() == pytest.approx(found.reduction.least.value.min())


@pytest.mark.parametrize("order", [("f", "m"), ("m", "f")])
def test_names_of_groups_change_nothing(order):
    values = {"as_is": near(0.9, 0.6, seed=1), "half": near(0.62, 0.7, seed=2)}
    turned = values if order[0] == "f" else {mix: v[:, ::-1] for mix, v in values.items()}
    record = record_of(swept(turned), plan("as_is", "half"))
    assert record.first == (order[0],)
    assert record.estimate == pytest.approx(0.3 - 0.08, abs=0.03)
    assert record.sweep.table[1].gap == pytest.approx(-0.08, abs=0.03)
    assert record.sweep.table[1].first == order[0]


def test_every_mix_or_the_one_that_is_asked_for():
    values = {
        "as_is": near(0.9, 0.6, seed=1, noise=0.004),
        "half": near(0.8, 0.7, seed=2, noise=0.004),
        "few": near(0.9, 0.5, seed=3, noise=0.004),
    }
    results, all_mixes = swept(values), plan(*values)
    every, half, few = (record_of(results, all_mixes, mix=mix) for mix in (None, "half", "few"))
    assert (every.verdict, half.verdict, few.verdict) == ("fail", "pass", "fail")
    assert (every.sweep.second_mix, every.comparisons, half.comparisons) == ("few", 2, 1)
    assert every.question != half.question
    assert half.question.mix == half.sweep.mix == "half"
    assert [row.change.answer for row in every.sweep.table[1:]] == ["narrows", "widens"]


def test_a_group_that_is_undefined_under_a_mix_is_named_and_the_others_are_judged():
    values = {mix: near(0.9, 0.6, seed=i, noise=0.004) for i, mix in enumerate(MIXES)}
    values["few"][:5, 0] = np.nan
    record = record_of(swept(values), plan(*values), limit=0.2)
    assert record.verdict == "fail"
    assert record.reason == "f under few: undefined in 5 of 20 repeats"
    assert record.sweep.table[2].change is None
    values["as_is"][:5, 1] = np.nan
    nothing = record_of(swept(values), plan(*values), limit=0.2)
    assert (nothing.verdict, nothing.estimate) == ("inconclusive", None)
    assert "m under as_is: undefined in 5 of 20 repeats" in nothing.reason
    assert all(row.change is None for row in nothing.sweep.table)


def test_a_mix_that_is_the_same_model_cannot_be_told_from_it_where_nothing_is_known_of_the_rows():
    values = {"as_is": near(0.9, 0.6), "half": near(0.9, 0.6)}
    record = record_of(swept(values), plan(*values))
    assert record.reason == "as_is and half: the gaps, or what they change by, are the same in all 20 repeats"


def test_too_few_clusters_are_not_judged():
    values = {"as_is": near(0.9, 0.6, seed=1), "half": near(0.9, 0.7, seed=2)}
    record = record_of(swept(values, clusters={"f": (3, 2.0), "m": (90, 80.0)}), plan(*values))
    assert record.estimate is None
    assert record.reason.startswith("f: ")


@pytest.mark.parametrize(
    ("mixes", "mix", "message"),
    [
        (("half", "few"), None, "gap: change is judged against the data as they are; add the mix `as_is: as_is`"),
        (("as_is",), None, "gap: change needs a mix beside as_is"),
        (("as_is", "half"), "hlaf", "mix: 'hlaf' is no mix to compare with as_is; did you mean 'half'?"),
        (("as_is", "half"), "as_is", "mix: 'as_is' is no mix to compare with as_is"),
    ],
)
def test_what_cannot_be_compared_is_an_error(mixes, mix, message):
    values = {name: near(0.9, 0.6, seed=i) for i, name in enumerate(mixes)}
    check = Check("roc_auc", ("sex",), "min_reduction", 0.0, gap="change", mix=mix)
    with pytest.raises(ConfigurationError) as error:
        find_in_sweep(swept(values), plan(*mixes), check, Settings())
    assert message in str(error.value)


@pytest.mark.parametrize(("gap", "needed"), [(0.114, True), (0.105, False)])
def test_an_inconclusive_sweep_says_how_many_repeats_or_rows_settle_it(gap, needed):
    few = 5
    noise = np.array([0.01, -0.015, 0.005, 0.015, -0.015])
    values = {"as_is": np.stack([0.7 + gap + noise, np.full(few, 0.7)], axis=1)}
    asked = SweepPlan(by="sex", mixes={"as_is": "as_is"}, repeats=few)
    check = Check("roc_auc", ("sex",), "max_difference", 0.1, gap="each_mix")
    (record,) = audit_model("m", Evaluation(None, swept(values), asked), [check], Settings())
    assert record.verdict == "inconclusive"
    square, ratio = noise.var(ddof=1), TEST / (N - TEST)
    assert record.sweep.repeat_share == pytest.approx(1 / (1 + few * ratio))

    def reach(repeats):
        t = stats.t(repeats - 1)
        return (t.ppf(0.8) + t.ppf(0.95)) * math.sqrt(square * (1 / repeats + ratio))

    assert (record.needed_repeats is not None) is needed
    if needed:
        assert reach(record.needed_repeats) <= gap - 0.1 < reach(record.needed_repeats - 1)
    else:
        assert reach(1_000) > gap - 0.1
    assert record.needed_samples == (math.ceil(N * (reach(few) / (gap - 0.1)) ** 2),) * 2


def test_the_table_has_all_feature_sets_and_the_answer_is_of_the_one_that_decides():
    parts = {"all": (0.9, 0.6, 0.62), "blood": (0.9, 0.85, 0.86)}
    made = []
    for name, (first, before, after) in parts.items():
        values = {"as_is": near(first, before, seed=1, noise=0.004), "half": near(first, after, seed=2, noise=0.004)}
        made += swept(values, feature_set=name).results
    results = dataclasses.replace(swept({"as_is": near(0.5, 0.5)}), results=tuple(sorted(made, key=lambda r: r.task)))
    record = record_of(results, plan("as_is", "half"))
    assert [(row.feature_set, row.mix) for row in record.sweep.table] == [
        (name, mix) for name in parts for mix in ("as_is", "half")
    ]
    assert record.sweep.feature_set == "blood"
    assert record.comparisons == 2
