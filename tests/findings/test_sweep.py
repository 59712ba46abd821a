"""find_in_sweep: every gap against what numpy and scipy make of the same few numbers."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from scipy import stats

from fairness_checks import CheckRecord, Predictions
from fairness_checks.errors import ConfigurationError
from fairness_checks.findings.sweep import find_in_sweep
from fairness_checks.judge.evaluation import Evaluation
from fairness_checks.judge.verdict import audit_model
from fairness_checks.question.checks import Check, Settings
from fairness_checks.stats.published_test import published_test
from fairness_checks.sweep.measuring import measure
from fairness_checks.sweep.mixes import Shares
from fairness_checks.sweep.plan import SweepPlan
from fairness_checks.sweep.results import GroupResult, PairResult, RepeatResult, SweepResults

N, TEST = 300, 30  # rows of each group in the table, and in each test part
ALPHA = 0.05
MIXES = {"as_is": "as_is", "over": "oversample", "half": Shares({"f": 0.5, "m": 0.5}), "men": Shares({"m": 1.0})}
NOISE = np.array([0.02, -0.01, 0.03, -0.04, 0.00, 0.01, -0.02, 0.01])


def plan(mixes=("as_is",), repeats=8):
    return SweepPlan(by="sex", mixes={name: MIXES[name] for name in mixes}, repeats=repeats)


def near(*means, shift=1):
    """Values (J, G) that scatter about the means, another way for each group."""
    return np.stack([mean + np.roll(NOISE, i * shift) for i, mean in enumerate(means)], axis=1)


def swept(
    values, metric="roc_auc", groups=("f", "m"), trained=None, positives=None, pairs=(), rows=None, clusters=None
):
    """Results of {(mix, feature set): values (J, G)} or of one table; of rates with so many positives that test."""
    values = values if isinstance(values, dict) else {("as_is", "all"): values}

    def group(value, mix, i):
        missed = None if positives is None else round(positives * value)
        counts = None if missed is None else (TEST - positives, 0, missed, positives - missed)
        values = {metric: None if math.isnan(value) else float(value)}
        return GroupResult(
            train=(trained or {mix: [210] * 3})[mix][i], real=210, test=TEST, counts=counts, values=values
        )

    made = [
        RepeatResult(
            mix=mix,
            feature_set=feature_set,
            repeat=repeat,
            groups={name: group(row[i], mix, i) for i, name in enumerate(groups)},
            pairs=tuple(pairs[repeat : repeat + 1]),
        )
        for (mix, feature_set), table in values.items()
        for repeat, row in enumerate(table)
    ]
    sizes = dict(zip(groups, rows or (N,) * len(groups), strict=True))
    ordered = tuple(sorted(made, key=lambda result: result.task))
    return SweepResults(model="m", by="sex", groups=sizes, repeated_rows=0, results=ordered, clusters=clusters or {})


def ask(results, plan, gap="each_mix", limit=0.1, metric="roc_auc"):
    kind = {"dependence": "max_slope"}.get(
        gap, "max_mismatch" if metric == "uncertainty_mismatch" else "max_difference"
    )
    return find_in_sweep(results, plan, Check(metric, ("sex",), kind, limit, gap=gap), Settings())


def verdict(results, plan, gap="each_mix", limit=0.1, metric="roc_auc"):
    check = ask(results, plan, gap, limit, metric).check
    (record,) = audit_model("m", Evaluation(None, results, plan), [check], Settings())
    assert CheckRecord.from_json(record.to_json()) == record
    return record


def corrected(gap):
    """Mean, standard error and freedom as Nadeau and Bengio have them; two groups of N rows, TEST of them tested."""
    return gap.mean(), math.sqrt(gap.var(ddof=1) * (1 / len(gap) + TEST / (N - TEST))), len(gap) - 1


def deciding(finding):
    names = [finding.groups[i].name[0] for i in (finding.inference.first, finding.inference.second) if i >= 0]
    return (*names, finding.sweep.first_mix, finding.sweep.second_mix, finding.sweep.feature_set)


@pytest.mark.parametrize("limit", [0.0, 0.1, 0.4])
@pytest.mark.parametrize("sign", [1, -1])
def test_one_gap_is_judged_as_nadeau_and_bengio_do(limit, sign):
    values = near(0.85, 0.65)[:, ::sign]
    found = ask(swept(values), plan(), limit=limit)
    mean, error, freedom = corrected(np.abs(values[:, 0] - values[:, 1]))
    t = stats.t(freedom)
    outside = t.sf((mean - limit) / error) + t.sf((mean + limit) / error)
    assert found.inference.p_violation == pytest.approx(min(outside, 1.0))
    assert found.inference.p_compliance == pytest.approx(t.sf((limit - mean) / error))
    assert found.inference.estimate == pytest.approx(mean)
    assert found.inference.high == pytest.approx(mean + t.ppf(1 - ALPHA) * error)
    assert deciding(found) == (*("f", "m")[::sign], "as_is", "as_is", "all")
    assert found.sweep.test_train_ratio == pytest.approx(TEST / (N - TEST))
    assert (found.sweep.repeats, found.sweep.undefined, found.unit, found.reason) == (8, 0, "repeats", None)
    assert found.sweep.corrected_p == pytest.approx(2 * t.sf(mean / error))
    male, (rate, scale, _) = found.groups[1], corrected(values[:, 1])
    assert (male.name, male.n, male.rate) == (("m",), 8, pytest.approx(rate))
    assert (male.low, male.high) == pytest.approx((rate - t.ppf(0.95) * scale, rate + t.ppf(0.95) * scale))


def test_each_group_is_corrected_by_its_own_ratio_where_fixed_numbers_of_rows_test():
    flat = np.full(8, 0.7)
    for values, ratio in ((near(0.85, 0.7), 1.0), (near(0.85, 0.7)[:, ::-1], TEST / 970)):
        varies = np.stack([values[:, 0], flat] if ratio == 1.0 else [flat, values[:, 1]], axis=1)
        found = ask(swept(varies, rows=(2 * TEST, 1_000)), plan())
        gap = varies[:, 0] - varies[:, 1]
        assert found.sweep.test_train_ratio == pytest.approx(ratio)
        assert found.inference.standard_error == pytest.approx(math.sqrt(gap.var(ddof=1) * (1 / 8 + ratio)))
    groups = ask(swept(near(0.85, 0.65), rows=(2 * TEST, 1_000)), plan()).groups
    assert [g.standard_error for g in groups] == pytest.approx(
        [math.sqrt(NOISE.var(ddof=1) * (1 / 8 + r)) for r in (1.0, TEST / 970)]
    )


def test_a_mismatch_and_a_slope_have_the_larger_ratio():
    seen = [PairResult(first="f", second="m", error_auc=0.7 + e, uncertainty_auc=0.5) for e in NOISE.tolist()]
    results = swept(near(0.8, 0.7), pairs=seen, rows=(2 * TEST, 1_000))
    assert ask(results, plan(), metric="uncertainty_mismatch").sweep.test_train_ratio == pytest.approx(1.0)
    trained = {"as_is": [90, 210], "half": [150, 150]}
    values = {(mix, "all"): near(0.6 + i, 0.8, shift=3 + i) for i, mix in enumerate(trained)}
    found = ask(swept(values, trained=trained, rows=(2 * TEST, 1_000)), plan(tuple(trained)), "dependence", 0.2)
    assert found.sweep.test_train_ratio == pytest.approx(1.0)


def test_no_more_degrees_of_freedom_than_the_clusters_of_the_group_that_has_fewer():
    values = near(0.85, 0.65)
    found = ask(swept(values, clusters={"f": (40, 5.5), "m": (300, 300.0)}), plan())
    mean, error, _ = corrected(values[:, 0] - values[:, 1])
    t = stats.t(4.5)
    assert found.inference.p_violation == pytest.approx(t.sf((mean - 0.1) / error) + t.sf((mean + 0.1) / error))
    assert found.sweep.freedom == 4.5
    assert found.groups[0].low == pytest.approx(0.85 - t.ppf(0.95) * corrected(values[:, 0])[1])
    assert found.groups[1].low == pytest.approx(0.65 - stats.t(7).ppf(0.95) * corrected(values[:, 1])[1])


@pytest.mark.parametrize(
    ("counted", "why"),
    [((9, 8.0), "300 samples in 9 clusters; 10 clusters are needed"), ((40, 2.5), "40 clusters so unequal.* as 2.5;")],
)
@pytest.mark.parametrize("gap", ["each_mix", "worst_case", "dependence"])
def test_a_group_of_too_few_clusters_is_not_judged(counted, why, gap):
    trained = {"as_is": [90, 210], "half": [150, 150]}
    values = {(mix, "all"): near(0.95 - i / 10, 0.5, shift=3 + i) for i, mix in enumerate(trained)}
    results = swept(values, trained=trained, clusters={"f": counted, "m": (300, 300.0)})
    record = verdict(results, plan(tuple(trained)), gap, 0.01)
    assert re.match(f"f: .*{why}", record.reason)
    assert record.groups[0].problem is not None
    if gap != "dependence":  # the other group's slope can be judged
        assert (record.verdict, record.estimate) == ("inconclusive", None)


@pytest.mark.parametrize("kind", ["mean", "rate"])
def test_a_small_group_of_which_half_tests_fails_no_more_often_than_stated(kind):
    """At the limit, with 20 test rows of 1,000 and of 40: the ratio over all rows errs in a third of sweeps."""
    rng = np.random.default_rng(7)
    sweeps, repeats, tested, gap = 150, 20, 20, 0.3
    metric = {"mean": "mean_squared_error", "rate": "false_negative_rate"}[kind]
    wrong = np.zeros(2)
    for _ in range(sweeps):
        values = []
        for n, mean in ((40, 0.2 + gap), (1_000, 0.2)):
            rows = rng.random(n) < mean if kind == "rate" else rng.normal(mean, 0.5, n)
            values.append([rng.permutation(rows)[:tested].mean() for _ in range(repeats)])
        results = swept(np.array(values).T, metric, rows=(40, 1_000), positives=tested if kind == "rate" else None)
        for group in (g for r in results.results for g in r.groups.values()):
            object.__setattr__(group, "test", tested)
        found = ask(results, plan(repeats=repeats), limit=gap, metric=metric).inference
        wrong += found.p_violation < ALPHA, found.p_compliance < ALPHA
    assert (wrong / sweeps < ALPHA + 3 * math.sqrt(ALPHA * (1 - ALPHA) / sweeps)).all()


def test_the_variance_of_a_rate_knows_the_test_rows():
    positives, rates = 20, np.array([[0.30, 0.10], [0.35, 0.15], [0.25, 0.15], [0.30, 0.05], [0.40, 0.10], [0.2, 0.1]])
    results = swept(rates, "false_negative_rate", positives=positives)
    found = ask(results, plan(repeats=6), metric="false_negative_rate")
    gap, share = rates[:, 0] - rates[:, 1], TEST / N
    whole = positives / share  # positives of a group in the table
    drawn = (rates.mean(axis=0) * whole + 1) / (whole + 2)
    tested = (drawn * (1 - drawn) / positives).sum()
    square, trained = gap.var(ddof=1), 1 - share
    rest = max(square - (1 - share) * tested, 0.0)
    shared = max(share * tested + rest * trained / (1 - trained), square * share / (1 - share))
    assert found.inference.standard_error == pytest.approx(math.sqrt(square / 6 + shared))
    assert found.inference.estimate == pytest.approx(gap.mean())


def test_each_mix_finds_the_largest_gap_among_mixes_feature_sets_and_three_groups():
    values = {("as_is", "all"): near(0.80, 0.78, 0.76), ("over", "all"): near(0.80, 0.77, 0.79)}
    values |= {("as_is", "few"): near(0.75, 0.74, 0.73), ("over", "few"): near(0.50, 0.72, 0.90)}
    found = ask(swept(values, groups=("a", "b", "c")), plan(("as_is", "over")))
    assert deciding(found) == ("c", "a", "over", "over", "few")
    assert found.inference.comparisons == 4 * 3
    assert found.inference.estimate == pytest.approx(0.40)
    assert [group.rate for group in found.groups] == pytest.approx(values["over", "few"].mean(axis=0))
    found_gaps = [corrected(v[:, i] - v[:, j]) for v in values.values() for i, j in ((0, 1), (0, 2), (1, 2))]
    high = [abs(mean) + stats.t(freedom).ppf(1 - ALPHA) * error for mean, error, freedom in found_gaps]
    assert found.inference.high == pytest.approx(max(high))


def test_equal_representation_leaves_out_the_mixes_that_are_not_equal():
    names = ("as_is", "over", "half", "men")
    far, close = near(0.9, 0.4), near(0.70, 0.68)
    values = {("as_is", "all"): far, ("over", "all"): close, ("half", "all"): near(0.80, 0.73), ("men", "all"): far}
    found = ask(swept(values), plan(names), "equal_representation")
    assert deciding(found) == ("f", "m", "half", "half", "all")
    assert found.inference.comparisons == 2
    assert found.inference.estimate == pytest.approx(0.07)
    with pytest.raises(ConfigurationError, match="no mix"):
        ask(swept(far), plan(), "equal_representation")


CASES = {"as_is": (0.60, 0.90), "over": (0.80, 0.55)}


@pytest.mark.parametrize(
    ("metric", "gap", "expected", "size"),
    [
        ("roc_auc", "worst_case", ("f", "m", "as_is", "over"), 0.05),
        ("roc_auc", "best_case", ("m", "f", "as_is", "over"), 0.10),
        ("brier_score", "worst_case", ("m", "f", "as_is", "over"), 0.10),
        ("brier_score", "best_case", ("f", "m", "as_is", "over"), 0.05),
        ("accuracy", "worst_case", ("f", "m", "as_is", "over"), 0.05),
        ("false_negative_rate", "worst_case", ("m", "f", "as_is", "over"), 0.10),
    ],
)
def test_each_group_stands_under_its_own_worst_or_best_mix(metric, gap, expected, size):
    values = {(mix, "all"): near(*means) for mix, means in CASES.items()}
    rate = metric in ("accuracy", "false_negative_rate")
    found = ask(swept(values, metric, positives=20 if rate else None), plan(CASES), gap, metric=metric)
    assert deciding(found) == (*expected, "all")
    assert found.inference.estimate == pytest.approx(size)
    shown = {group.name[0]: group.rate for group in found.groups}
    for name, mix in zip(expected[:2], expected[2:], strict=True):
        assert shown[name] == pytest.approx(CASES[mix]["fm".index(name)])


def test_worst_cases_are_compared_within_a_feature_set():
    values = {("as_is", "all"): near(0.8, 0.8), ("over", "all"): near(0.8, 0.8)}
    values |= {("as_is", "few"): near(0.4, 0.6), ("over", "few"): near(0.5, 0.5)}
    found = ask(swept(values), plan(("as_is", "over")), "worst_case")
    assert deciding(found) == ("m", "f", "over", "as_is", "few")
    assert found.inference.comparisons == 2


@pytest.mark.parametrize("sign", [1, -1])
def test_dependence_is_the_slope_of_a_group_on_its_own_share(sign):
    trained = {"as_is": [90, 210], "half": [150, 150], "men": [0, 300]}
    shares = np.array([0.3, 0.5, 0.0])
    values = {(mix, "all"): near(0.6 + sign * 0.4 * s, 0.8, shift=3) for mix, s in zip(trained, shares, strict=True)}
    values["half", "all"][2, 0] += 0.03
    found = ask(swept(values, trained=trained), plan(tuple(trained)), "dependence", 0.2)
    table = np.stack(list(values.values()))
    slopes = np.array([np.polyfit(shares, table[:, j, 0], 1)[0] for j in range(8)])
    assert found.inference.estimate == pytest.approx(abs(slopes.mean()))
    assert found.inference.comparisons == 1  # male values do not change at all
    assert found.inference.standard_error == pytest.approx(corrected(slopes)[1])
    assert deciding(found) == ("f", None, None, "all")
    assert found.inference.also == pytest.approx({"slope": slopes.mean()})
    assert found.sweep.published_p is None
    assert found.reason == "m: the same in all 8 repeats"


def by_size(rows):
    """Accuracy of a learner that needs rows of any group, and no share of its own."""
    return 0.95 - 10.0 / rows


def test_a_metric_that_depends_on_the_number_of_training_rows_alone_has_no_slope_on_a_share():
    """As is trains on 3,000 rows, balanced on 5,000, shares on 400; the mixes of one size show no slope."""
    trained = {"as_is": [500, 2_500], "over": [2_500, 2_500], "half": [200, 200], "men": [0, 400]}
    values = {(mix, "all"): near(*[by_size(sum(rows))] * 2, shift=3) for mix, rows in trained.items()}
    for i, table in enumerate(values.values()):
        table += np.roll(NOISE, 3 + 2 * i)[:, None] / 4
    found = ask(swept(values, trained=trained), plan(tuple(trained)), "dependence", 0.01)
    assert found.inference.estimate == pytest.approx(0.0, abs=1e-12)
    assert found.inference.p_violation > 0.5
    assert found.sweep.slope_mixes == ("half", "men")
    assert found.sweep.training_rows["as_is"] == {"f": 500.0, "m": 2_500.0}
    over_all = np.polyfit([500 / 3_000, 0.5, 0.5, 0.0], [by_size(sum(rows)) for rows in trained.values()], 1)[0]
    assert over_all > 0.01  # what shares of mixes of any size would say


@pytest.mark.parametrize("names", [("as_is", "men"), ("as_is", "over")])
def test_mixes_of_different_training_sizes_alone_are_refused_with_the_remedy(names):
    trained = {"as_is": [500, 2_500], "over": [2_500, 2_500], "men": [0, 400]}
    values = {(mix, "all"): near(0.8, 0.7) for mix in names}
    with pytest.raises(ConfigurationError, match=r"as_is on 3,000, .* rows does; give the sweep a `size`, which"):
        ask(swept(values, trained=trained), plan(names), "dependence", 0.1)


def test_a_gap_that_only_rounding_changes_is_no_gap_that_is_known_for_sure():
    first = np.array([0.7, 0.4, 0.3, 0.9, 0.6, 0.8, 0.35, 0.45])
    results = swept(np.stack([first, first - 0.2], axis=1), groups=("f\n", "m"))
    assert np.ptp(first - (first - 0.2)) > 0.0
    record = verdict(results, plan(), limit=0.3)
    assert (record.verdict, record.estimate) == ("inconclusive", None)
    assert record.reason == "f\\n and m under as_is: the same in all 8 repeats"


def test_gaps_undefined_too_often_are_named_and_never_let_a_check_pass():
    names = ("as_is", "men")
    values = {(mix, "all"): near(0.70, 0.69) for mix in names}
    assert verdict(swept(values), plan(names), limit=0.4).verdict == "pass"
    values["men", "all"][[0, 4], 0] = np.nan
    held = verdict(swept(values), plan(names), limit=0.4)
    assert (held.verdict, held.p_compliance < ALPHA) == ("inconclusive", True)
    assert held.reason == "f and m under men: undefined in 2 of 8 repeats"
    values["as_is", "all"] = near(0.95, 0.45)
    violated = verdict(swept(values), plan(names))
    assert (violated.verdict, violated.reason) == ("fail", held.reason)
    values["as_is", "all"][[1, 2], 1] = np.nan
    nothing = verdict(swept(values), plan(names))
    assert (nothing.verdict, nothing.estimate, nothing.sweep.first_mix) == ("inconclusive", None, None)
    assert nothing.reason == f"f and m under as_is: undefined in 2 of 8 repeats; {held.reason}"


def test_a_group_whose_worst_mix_may_be_one_that_is_undefined_is_named_with_it():
    values = {(mix, "all"): near(*means) for mix, means in CASES.items()}
    values["over", "all"][[1, 2], 0] = np.nan
    record = verdict(swept(values), plan(tuple(CASES)), "worst_case")
    assert (record.verdict, record.estimate) == ("inconclusive", None)
    assert record.reason == "f under over: undefined in 2 of 8 repeats"


def test_a_share_that_never_changes_has_no_slope_and_says_so():
    with pytest.raises(
        ConfigurationError, match=r"the share of f of the training rows is 0\.\d+ under every mix of one .* add"
    ):
        verdict(swept(near(0.8, 0.7)), plan(), "dependence")


def test_a_tenth_of_undefined_repeats_is_left_out():
    values = np.concatenate([near(0.85, 0.65), near(0.86, 0.64)])[:12]
    values[3, 1] = np.nan
    found = ask(swept(values), plan(repeats=12))
    kept = np.delete(values[:, 0] - values[:, 1], 3)
    assert (found.reason, found.sweep.undefined) == (None, 1)
    assert found.inference.standard_error == pytest.approx(corrected(kept)[1])


def test_the_published_test_stands_beside_and_decides_nothing():
    values = near(0.74, 0.70)
    record = verdict(swept(values), plan(), limit=0.0)
    expected = published_test(values[:, 0], values[:, 1])
    assert (record.sweep.published_test, record.sweep.published_p) == (expected.name, expected.p)
    assert record.sweep.published_p < ALPHA < record.p_adjusted
    assert record.verdict == "inconclusive"


def test_a_model_without_any_mistake_has_a_record():
    rates = np.zeros((8, 2))
    results = swept(rates, "false_negative_rate", positives=20)
    record = verdict(results, plan(), limit=0.3, metric="false_negative_rate")
    assert (record.verdict, record.estimate, record.sweep.published_p) == ("pass", 0.0, 1.0)


@pytest.mark.parametrize("metric", ["accuracy", "uncertainty_mismatch"])
def test_a_metric_that_the_predictions_do_not_allow_is_named(metric):
    with pytest.raises(ConfigurationError, match=rf"{metric}.*these can: roc_auc"):
        ask(swept(near(0.8, 0.7)), plan(), metric=metric)


@pytest.mark.parametrize("error", [0.7, 0.3])
def test_a_mismatch_puts_the_group_with_the_higher_errors_first(error):
    seen = [PairResult(first="f", second="m", error_auc=error + e, uncertainty_auc=0.5 - 2 * e) for e in NOISE.tolist()]
    results = swept(near(0.8, 0.7), pairs=seen)
    found = ask(results, plan(), metric="uncertainty_mismatch")
    sign = 1 if error > 0.5 else -1
    gap = sign * np.array([pair.error_auc - pair.uncertainty_auc for pair in seen])
    mean, scale, freedom = corrected(gap)
    assert (*deciding(found)[:2], found.inference.estimate) == (*("f", "m")[::sign], pytest.approx(mean))
    t = stats.t(freedom)
    assert found.inference.p_violation == pytest.approx(t.sf((mean - 0.1) / scale) + t.sf((mean + 0.1) / scale))
    assert found.inference.also == pytest.approx({"error_auc": 0.7, "uncertainty_auc": 0.5})
    assert found.sweep.published_test is None


@pytest.mark.parametrize("gap", ["each_mix", "equal_representation", "worst_case", "best_case", "dependence"])
def test_the_calibration_error_is_refused_in_a_sweep_with_the_reason_and_the_remedy(gap):
    kind = "max_slope" if gap == "dependence" else "max_difference"
    with pytest.raises(ConfigurationError, match=rf"gap: {gap}: in the small test parts .* brier_score .*subgroups"):
        Check("expected_calibration_error", ("sex",), kind, 0.05, gap=gap)


def of_errors(rng, errors, repeats=20, share=0.3):
    """A sweep of a fixed model with these errors of two groups, measured as a training is."""
    tested = [round(share * len(own)) for own in errors]
    made = []
    for repeat in range(repeats):
        parts = [rng.permutation(own)[:n] for own, n in zip(errors, tested, strict=True)]
        sex = np.repeat(["f", "m"], tested)
        predictions = Predictions(error=np.sqrt(np.concatenate(parts)), sensitive_features={"sex": sex})
        sizes = {name: (len(own) - n,) * 2 for name, own, n in zip("fm", errors, tested, strict=True)}
        groups, _ = measure(predictions, "sex", sizes)
        made.append(RepeatResult(mix="as_is", feature_set="all", repeat=repeat, groups=groups))
    rows = dict(zip("fm", map(len, errors), strict=True))
    return SweepResults(model="m", by="sex", groups=rows, repeated_rows=0, results=tuple(made))


def test_the_moments_of_a_mean_are_kept_of_every_training():
    errors = [np.random.default_rng(i).lognormal(0, 1, n) for i, n in enumerate((40, 100))]
    results = of_errors(np.random.default_rng(0), errors, repeats=2)
    part = np.random.default_rng(0).permutation(errors[0])[:12]
    n, m2, m3 = results.results[0].groups["f"].moments["mean_squared_error"]
    assert (n, m2) == (12, pytest.approx(((part - part.mean()) ** 2).sum()))
    assert m3 == pytest.approx(((part - part.mean()) ** 3).sum())
    assert SweepResults.from_json(results.to_json()) == results


@pytest.mark.parametrize(("small", "large"), [(0.0, 0.0), (0.5, 0.0), (0.0, 0.5)])
def test_skewed_errors_of_a_small_group_are_judged_as_in_held_out_checks(small, large):
    """Lognormal errors of 40 and 400 rows at the limit; without the correction up to 0.15 are wrong."""
    rng = np.random.default_rng(8)
    sweeps, wrong = 60, np.zeros(2)
    for _ in range(sweeps):
        errors = [rng.lognormal(0, 1.5, n) / math.exp(1.125) + shift for n, shift in ((40, small), (400, large))]
        found = ask(of_errors(rng, errors), plan(repeats=20), limit=abs(small - large), metric="mean_squared_error")
        wrong += found.inference.p_violation < ALPHA, found.inference.p_compliance < ALPHA
    assert (wrong / sweeps <= ALPHA + 0.02).all()


def test_symmetric_errors_lose_nothing_to_the_correction():
    rng = np.random.default_rng(9)
    errors = [rng.uniform(0.5, 1.5, 200), rng.uniform(0.3, 1.3, 300)]
    results = of_errors(rng, errors)
    found = ask(results, plan(repeats=20), limit=0.1, metric="mean_squared_error").inference
    values = np.array([[r.groups[g].values["mean_squared_error"] for g in "fm"] for r in results.results])
    gap = values[:, 0] - values[:, 1]
    error = math.sqrt(gap.var(ddof=1) * (1 / 20 + 3 / 7))
    assert found.p_compliance == pytest.approx(stats.t(19).sf((0.1 - gap.mean()) / error), rel=0.05)
    assert found.standard_error == pytest.approx(error)
    assert found.high == pytest.approx(gap.mean() + stats.t(19).ppf(0.95) * error, rel=0.02)
