from __future__ import annotations

import itertools
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats import proportion as sm
from statsmodels.stats.multitest import multipletests

from fairness_checks.errors import ConfigurationError, FairnessError, InvalidPredictions
from fairness_checks.inputs.predictions import Predictions
from fairness_checks.judge.auditing import audit
from fairness_checks.judge.verdict import audit_model
from fairness_checks.question.checks import Check, Settings
from fairness_checks.question.waivers import Waiver
from fairness_checks.records.check_record import CheckRecord
from tests.builders import missing_positives

TODAY = date(2026, 7, 1)

FNR = Check("false_negative_rate", ("sex",), "max_difference", 0.1)
FPR = Check("false_positive_rate", ("sex",), "max_difference", 0.1)
PRECISION = Check("precision", ("sex",), "min_ratio", 0.8)


def fnr(predictions, limit=0.1, **given):
    return audit(predictions, metric="false_negative_rate", max_difference=limit, **given)


def test_a_violation_a_pass_and_an_unsettled_check():
    biased = fnr(missing_positives(female=(173, 412), male=(237, 1316)))
    assert (biased.verdict, biased.first, biased.second) == ("fail", ("female",), ("male",))
    assert biased.estimate == pytest.approx(173 / 412 - 237 / 1316)
    fair = fnr(missing_positives(female=(80, 412), male=(260, 1316)))
    assert (fair.verdict, fair.detectable, fair.needed_samples) == ("pass", None, None)
    tiny = fnr(missing_positives(female=(4, 12), male=(5, 20)))
    assert tiny.verdict == "inconclusive"
    assert tiny.reason is None


def test_p_values_and_intervals_of_large_groups_are_those_of_statsmodels():
    record = fnr(missing_positives(female=(1_173, 3_912), male=(2_237, 8_316)), limit=0.0)
    counts = (1_173, 3_912, 2_237, 8_316)
    expected = sm.test_proportions_2indep(*counts, method="score", compare="diff", correction=True)
    assert record.p_violation == pytest.approx(expected.pvalue, rel=1e-6)
    female = record.group(("female",))
    assert (female.low, female.high) == pytest.approx(sm.proportion_confint(1_173, 3_912, alpha=0.1, method="beta"))
    assert (female.events, female.n, female.samples, female.rate) == (1_173, 3_912, 3_912, 1_173 / 3_912)
    assert record.confidence == 0.9


@pytest.mark.parametrize(
    ("group", "given", "reason"),
    [
        ((0, 0, 30), {}, "group x: no positives among its 30 samples"),
        ((0, 6), {}, "group x: 6 samples, fewer than min_group_size 10"),
        ((6, 6), {}, "group x: 6 samples, fewer than min_group_size 10"),
        ((3, 40), {"min_group_size": 41}, "group x: 40 samples, fewer than min_group_size 41"),
    ],
    ids=["no-positives", "small", "small-and-bad", "below-own-size"],
)
@pytest.mark.parametrize(
    "limit", [{"max_difference": 0.3}, {"min_ratio": 0.3}, {"max_value": 0.5}], ids=lambda limit: next(iter(limit))
)
def test_a_group_that_cannot_be_judged_leaves_the_check_inconclusive(group, given, reason, limit):
    predictions = missing_positives(f=(150, 1_000), m=(150, 1_000), x=group)
    record = audit(predictions, metric="false_negative_rate", **limit, **given)
    assert record.verdict == "inconclusive"
    assert record.reason == reason
    assert record.p_compliance < 0.05  # the other groups alone would pass
    without = missing_positives(f=(150, 1_000), m=(150, 1_000))
    assert audit(without, metric="false_negative_rate", **limit, **given).verdict == "pass"
    assert record.group(("x",)).problem == reason.removeprefix("group x: ")


def test_the_other_groups_can_still_prove_a_violation():
    record = fnr(missing_positives(f=(500, 1_000), m=(150, 1_000), x=(0, 6), y=(0, 0, 30)))
    assert record.verdict == "fail"
    assert record.reason == (
        "group x: 6 samples, fewer than min_group_size 10; group y: no positives among its 30 samples"
    )
    assert (record.first, record.second) == (("f",), ("m",))


def test_a_small_group_alone_proves_nothing():
    # Its rate of 1 would be a difference of 0.85; it is too small to be judged.
    record = fnr(missing_positives(f=(150, 1_000), m=(150, 1_000), x=(9, 9)))
    assert record.verdict == "inconclusive"
    assert ("x",) not in (record.first, record.second)


@pytest.mark.parametrize(
    ("groups", "reason"),
    [
        ({"f": (100, 1_000), "m": (0, 0, 50)}, "group m: no positives among its 50 samples"),
        ({"f": (1, 3), "m": (1, 4)}, "group f: 3 samples, fewer than min_group_size 10; group m: 4 samples, "),
    ],
    ids=["one-judged", "none-judged"],
)
@pytest.mark.parametrize("kind", ["max_difference", "min_ratio"])
def test_a_disparity_of_fewer_than_two_groups_is_undefined_and_never_zero(groups, reason, kind):
    record = audit(missing_positives(**groups), metric="false_negative_rate", **{kind: 0.5})
    assert record.verdict == "inconclusive"
    assert record.reason.startswith(reason)
    undefined = ("estimate", "low", "high", "p_violation", "p_adjusted", "p_compliance", "first", "second")
    assert [getattr(record, name) for name in undefined] == [None] * len(undefined)
    assert record.burden_of_proof == "violation"


def test_the_only_group_has_a_worst_value_all_the_same():
    record = audit(missing_positives(f=(100, 1_000)), metric="false_negative_rate", max_value=0.2)
    assert (record.verdict, record.first, record.second) == ("pass", ("f",), None)


def test_many_small_groups_are_counted_and_not_all_listed():
    groups = {f"g{i}": (1, 4) for i in range(8)}
    record = fnr(missing_positives(f=(150, 1_000), m=(150, 1_000), **groups))
    assert record.reason.count("fewer than min_group_size") == 3
    assert record.reason.endswith("; and 5 more")


@pytest.mark.parametrize(
    ("limit", "verdict", "first", "estimate"),
    [
        ({"max_value": 0.3}, "fail", "f", 0.5),
        ({"max_value": 0.6}, "pass", "f", 0.5),
        ({"max_value": 0.51}, "inconclusive", "f", 0.5),
        ({"min_value": 0.25}, "fail", "m", 0.15),
        ({"min_value": 0.1}, "pass", "m", 0.15),
        ({"min_value": 0.16}, "inconclusive", "m", 0.15),
    ],
)
def test_ceilings_and_floors(limit, verdict, first, estimate):
    record = audit(missing_positives(f=(500, 1_000), m=(150, 1_000)), metric="false_negative_rate", **limit)
    assert (record.verdict, record.first, record.second) == (verdict, (first,), None)
    assert record.estimate == pytest.approx(estimate)
    assert record.low < estimate < record.high


@pytest.mark.parametrize(("correction", "method"), [("holm", "holm"), ("benjamini_hochberg", "fdr_bh")])
def test_violations_are_adjusted_over_the_checks_of_the_model(correction, method):
    rng = np.random.default_rng(4)
    sex = rng.choice(["f", "m"], 800)
    y_true = rng.random(800) < 0.5
    y_pred = np.where(rng.random(800) < np.where(sex == "f", 0.62, 0.75), y_true, ~y_true)
    predictions = Predictions(y_true, y_pred, sensitive_features={"sex": sex})
    checks = [FNR, FPR, PRECISION, Check("accuracy", ("sex",), "max_difference", 0.05)]
    records = audit_model("model", predictions, checks, Settings(correction=correction))
    raw = [record.p_violation for record in records]
    assert [record.p_adjusted for record in records] == pytest.approx(multipletests(raw, method=method)[1])
    assert {record.family_size for record in records} == {4}
    for record, check in zip(records, checks, strict=True):
        (alone,) = audit_model("model", predictions, [check], Settings(correction=correction))
        assert record.key == ("model", *check.question)
        assert (record.p_compliance, record.p_violation) == (alone.p_compliance, alone.p_violation)
        assert alone.p_adjusted == alone.p_violation


def test_the_adjustment_can_unsettle_a_violation():
    predictions = missing_positives(f=(45, 150, 200), m=(25, 150, 200))
    (alone,) = audit_model(
        "m", predictions, [Check("false_negative_rate", ("sex",), "max_difference", 0.05)], Settings()
    )
    family = [Check("false_negative_rate", ("sex",), "max_difference", 0.05), FPR, PRECISION, FNR]
    among = audit_model("m", predictions, family, Settings())[0]
    assert alone.verdict == "fail"
    assert among.verdict == "inconclusive"
    assert among.p_adjusted == pytest.approx(4 * alone.p_adjusted)
    assert among.needed_samples is not None
    assert audit_model("m", predictions, family, Settings(correction="none"))[0].verdict == "fail"


def test_an_undefined_check_stays_in_the_family():
    predictions = missing_positives(f=(200, 500), m=(100, 500))  # no negatives: its false positive rate is undefined
    fails, undefined = audit_model("m", predictions, [FNR, FPR], Settings())
    assert undefined.verdict == "inconclusive"
    assert undefined.p_adjusted is None
    assert fails.p_adjusted == pytest.approx(2 * fails.p_violation)


def waiver(**changes):
    given = {"model": "m", "metric": "false_negative_rate", "by": ("sex",), "reason": "small centre"}
    given |= {"approved_by": "A. Auditor", "expires": TODAY}
    return Waiver(**(given | changes))


BIASED = {"f": (200, 500), "m": (100, 500)}


def test_a_waiver_turns_a_violation_into_an_outcome_of_its_own():
    (record,) = audit_model("m", missing_positives(**BIASED), [FNR], Settings(), [waiver()], TODAY)
    assert record.verdict == "waived"
    assert (record.waiver.reason, record.waiver.approved_by) == ("small centre", "A. Auditor")
    assert record.waiver.expires == "2026-07-01"
    assert record.p_adjusted < 0.05  # the numbers stay


@pytest.mark.parametrize(
    "changes",
    [
        {"expires": TODAY - timedelta(days=1)},
        {"model": "other"},
        {"metric": "accuracy"},
        {"by": ("age",)},
        {"limit": "min_ratio"},
    ],
    ids=["expired", "other-model", "other-metric", "other-feature", "other-limit"],
)
def test_a_waiver_that_does_not_name_the_check_or_has_expired_changes_nothing(changes):
    (record,) = audit_model("m", missing_positives(**BIASED), [FNR], Settings(), [waiver(**changes)], TODAY)
    assert (record.verdict, record.waiver) == ("fail", None)


@pytest.mark.parametrize(
    ("groups", "verdict"),
    [
        ({"f": (100, 1_000), "m": (100, 1_000)}, "pass"),
        ({"f": (4, 12), "m": (5, 20)}, "inconclusive"),
        ({"f": (4, 12), "m": (0, 0, 20)}, "inconclusive"),
    ],
    ids=["pass", "inconclusive", "undefined"],
)
def test_a_waiver_covers_nothing_but_a_violation(groups, verdict):
    (record,) = audit_model("m", missing_positives(**groups), [FNR], Settings(), [waiver()], TODAY)
    assert (record.verdict, record.waiver) == (verdict, None)


@pytest.mark.parametrize(
    ("groups", "limit"),
    [
        ({"f": (18, 50), "m": (16, 80)}, {"max_difference": 0.05}),
        ({"f": (11, 50), "m": (16, 80)}, {"max_difference": 0.12}),
        ({"f": (18, 50), "m": (16, 80)}, {"min_ratio": 0.8}),
        ({"f": (15, 50), "m": (12, 80)}, {"max_value": 0.25}),
        ({"f": (15, 50), "m": (12, 80)}, {"min_value": 0.2}),
    ],
    ids=["violation", "compliance", "ratio", "ceiling", "floor"],
)
def test_the_needed_samples_at_the_rates_seen_settle_an_inconclusive_check(groups, limit):
    record = audit(missing_positives(**groups), metric="false_negative_rate", **limit)
    assert record.verdict == "inconclusive"
    assert record.power == 0.8
    assert record.detectable is None or 0.0 < record.detectable < 1.0
    names = [name for name in (record.first, record.second) if name]
    assert len(record.needed_samples) == len(names)
    grown = {name: groups[name] for name in groups}
    for (name,), needed in zip(names, record.needed_samples, strict=True):
        assert needed > groups[name][1]
        grown[name] = (round(needed * groups[name][0] / groups[name][1]), needed)
    if "max_value" in limit or "min_value" in limit:
        grown = {name: grown[name] for (name,) in names}
    assert audit(missing_positives(**grown), metric="false_negative_rate", **limit).verdict in ("fail", "pass")


@pytest.mark.parametrize(
    ("events", "samples", "limit"), [(4, 40, 0.2), (1, 40, 0.08), (12, 40, 0.2), (2, 40, 0.02), (6, 40, 0.25)]
)
def test_the_needed_samples_of_a_ceiling_reach_their_power_by_enumeration(events, samples, limit):
    """On average over the steps of the exact test; the normal approximation had 0.71 to 0.78."""
    record = audit(missing_positives(f=(events, samples)), metric="false_negative_rate", max_value=limit)
    assert record.verdict == "inconclusive"
    rate, reached = events / samples, []
    (needed,) = record.needed_samples
    for n in range(needed - needed // 10, needed + needed // 10 + 1):
        k = np.arange(n + 1)
        shown = stats.binom.sf(k - 1, n, limit) <= 0.05 if rate > limit else stats.binom.cdf(k, n, limit) <= 0.05
        reached.append(stats.binom.pmf(k, n, rate)[shown].sum())
    assert 0.76 < np.mean(reached) < 0.87


@pytest.mark.parametrize("limit", [{"max_value": 0.2}, {"max_difference": 0.15}], ids=str)
def test_compliance_needs_no_more_samples_in_a_family_of_checks(limit):
    predictions = missing_positives(female=(9, 60), male=(6, 60))
    ((kind, bound),) = limit.items()
    check = Check("false_negative_rate", ("sex",), kind, bound)
    others = [Check("accuracy", ("sex",), "max_value", 0.99 - 0.001 * place) for place in range(9)]
    alone, among = (audit_model("model", predictions, some, Settings())[0] for some in ([check], [check, *others]))
    assert (alone.verdict, among.verdict) == ("inconclusive", "inconclusive")
    assert alone.needed_samples == among.needed_samples


def test_the_needed_samples_of_equal_groups_show_compliance():
    record = fnr(missing_positives(f=(10, 40), m=(20, 80)), limit=0.08)
    assert record.verdict == "inconclusive"
    f, m = record.needed_samples_if_equal
    grown = fnr(missing_positives(f=(round(0.25 * f), f), m=(round(0.25 * m), m)), limit=0.08)
    assert grown.verdict == "pass"


def test_thirty_four_positives_cannot_settle_a_limit_of_five_points():
    record = fnr(missing_positives(female=(10, 34), male=(16, 62)), limit=0.05)
    assert record.verdict == "inconclusive"
    assert record.detectable > 0.2
    assert min(record.needed_samples_if_equal) > 500


def test_a_group_without_events_is_judged_by_a_ratio():
    record = audit(missing_positives(f=(0, 30), m=(1, 30)), metric="false_negative_rate", min_ratio=0.8)
    assert (record.verdict, record.estimate, record.high) == ("inconclusive", 0.0, 1.0)


def test_intersections_are_groups_with_names_of_several_parts():
    rng = np.random.default_rng(8)
    sex, age = rng.choice(["f", "m"], 900), rng.choice(["old", "young"], 900)
    y_true = rng.random(900) < 0.5
    y_pred = np.where(rng.random(900) < np.where((sex == "f") & (age == "old"), 0.3, 0.9), y_true, ~y_true)
    predictions = Predictions(y_true, y_pred, sensitive_features={"sex": sex, "age": age})
    record = audit(predictions, metric="accuracy", by=["sex", "age"], max_difference=0.1)
    assert record.verdict == "fail"
    assert record.second == ("f", "old")
    assert [group.name for group in record.groups] == [("f", "old"), ("f", "young"), ("m", "old"), ("m", "young")]
    assert record.comparisons == 6
    for feature in ("sex", "age"):
        assert audit(predictions, metric="accuracy", by=feature, max_difference=0.1).estimate < record.estimate


def test_missing_values_may_be_a_group():
    predictions = Predictions([1] * 90, [1] * 90, sensitive_features={"sex": ["f"] * 30 + ["m"] * 30 + [None] * 30})
    with pytest.raises(InvalidPredictions, match="30 of 90 values are missing"):
        fnr(predictions)
    record = fnr(predictions, missing_sensitive="group")
    assert [group.name for group in record.groups] == [("(missing)",), ("f",), ("m",)]


ROWS = st.lists(
    st.tuples(st.booleans(), st.booleans(), st.sampled_from(["f", "m", "x"])), min_size=20, max_size=50
).filter(lambda rows: len({sex for _, _, sex in rows}) > 1)


@given(rows=ROWS, order=st.randoms(use_true_random=False))
@settings(max_examples=8, deadline=None)
def test_the_order_of_the_rows_does_not_matter(rows, order):
    def records():
        y_true, y_pred, sex = zip(*rows, strict=True)
        predictions = Predictions(y_true, y_pred, sensitive_features={"sex": sex})
        return audit_model("m", predictions, [FNR, FPR, PRECISION], Settings(min_group_size=5))

    expected = records()
    order.shuffle(rows)
    assert records() == expected


@given(rows=ROWS)
@settings(max_examples=8, deadline=None)
def test_every_record_is_plain_and_consistent(rows):
    y_true, y_pred, sex = zip(*rows, strict=True)
    predictions = Predictions(y_true, y_pred, sensitive_features={"sex": sex})
    checks = [
        Check(metric, ("sex",), kind, 0.4)
        for metric in ("false_negative_rate", "precision")
        for kind in ("max_difference", "min_ratio", "max_value", "min_value")
    ]
    for record in audit_model("m", predictions, checks, Settings(min_group_size=1)):
        assert CheckRecord.from_json(record.to_json()) == record
        if record.estimate is None:
            assert record.verdict == "inconclusive"
            assert record.reason is not None
        else:
            assert 0.0 <= record.low <= record.high <= 1.0
            assert record.p_adjusted >= record.p_violation
        if record.reason is not None:
            assert record.verdict != "pass"
        assert (record.waiver is not None) == (record.verdict == "waived")


def test_audit_is_the_verdict_of_one_check():
    predictions = missing_positives(f=(200, 500), m=(100, 500))
    (expected,) = audit_model("predictions", predictions, [FNR], Settings(correction="none"))
    assert fnr(predictions, by="sex") == expected
    assert fnr(predictions) == expected
    assert fnr(predictions, by=["sex"]) == expected


TWO_FEATURES = Predictions([0, 1] * 10, [0, 1] * 10, sensitive_features={"sex": ["f", "m"] * 10, "age_band": [1] * 20})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"metric": "false_negative_rates", "max_difference": 0.1},
            r"metric 'false_negative_rates' does not exist; did you mean 'false_negative_rate'\?",
        ),
        ({"metric": "aucc", "max_difference": 0.1}, r"metric 'aucc' does not exist; .*allowed: accuracy, "),
        (
            {"metric": "accuracy", "max_difference": 0.1, "by": "agebnd"},
            r"'agebnd' is not in the predictions; did you mean 'age_band'\?",
        ),
        ({"metric": "accuracy", "max_difference": 0.1, "by": None}, "by: name one or more of sex, age_band"),
        ({"metric": "accuracy", "max_difference": 0.1, "by": []}, "by: .* one or more different sensitive features"),
        ({"metric": "accuracy", "max_difference": 0.1, "by": ["sex", "sex"]}, "different sensitive features"),
        ({"metric": "accuracy"}, "give exactly one of max_difference, min_ratio, max_value, min_value; 0 given"),
        ({"metric": "accuracy", "max_difference": 0.1, "min_ratio": 0.8}, "give exactly one of .*; 2 given"),
        ({"metric": "accuracy", "max_difference": 1.5}, "max_difference: 1.5 is impossible; allowed: 0 <= "),
        ({"metric": "accuracy", "max_difference": float("nan")}, "max_difference: nan is impossible"),
        ({"metric": "accuracy", "min_ratio": 0}, "min_ratio: 0 is impossible; allowed: 0 < min_ratio <= 1"),
        ({"metric": "accuracy", "max_value": 1.0}, "max_value: 1 is impossible; allowed: 0 <= max_value < 1"),
        ({"metric": "accuracy", "min_value": -0.1}, "min_value: -0.1 is impossible; allowed: 0 < min_value <= 1"),
        ({"metric": "accuracy", "max_difference": 0.1, "alpha": 0.7}, r"alpha: 0.7 is outside \(0, 0.5\)"),
        ({"metric": "accuracy", "max_difference": 0.1, "min_group_size": 0}, "min_group_size: 0 must be at least 1"),
        (
            {"metric": "accuracy", "max_difference": 0.1, "burden_of_proof": "complience"},
            "burden_of_proof: 'complience'; did you mean 'compliance'",
        ),
        (
            {"metric": "accuracy", "max_difference": 0.1, "missing_sensitive": "groups"},
            "missing_sensitive: 'groups'; did you mean 'group'",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and " " not in value else None,
)
def test_arguments_that_cannot_be_are_named_with_the_nearest_that_can(given, message):
    with pytest.raises(ConfigurationError, match=message) as caught:
        audit(TWO_FEATURES, **({"by": "sex"} | given))
    assert isinstance(caught.value, FairnessError)


def test_what_waits_for_an_unjudged_group_does_not_promise_more_of_the_others():
    record = fnr(missing_positives(female=(40, 400), male=(40, 400), other=(1, 6)))
    assert record.verdict == "inconclusive"
    assert record.p_compliance < record.alpha
    assert (record.detectable, record.needed_samples, record.needed_samples_if_equal) == (None, None, None)


def test_needed_samples_allow_for_the_adjustment_over_the_model():
    predictions = missing_positives(female=(30, 100, 100), male=(15, 100, 100))
    others = [Check("accuracy", ("sex",), "max_value", limit) for limit in (0.90, 0.91, 0.92, 0.93)]
    alone = audit_model("model", predictions, [FNR], Settings())[0]
    among_five = audit_model("model", predictions, [FNR, *others], Settings())[0]
    unadjusted = audit_model("model", predictions, [FNR, *others], Settings(correction="none"))[0]
    assert {alone.verdict, among_five.verdict} == {"inconclusive"}
    assert among_five.needed_samples > alone.needed_samples
    assert unadjusted.needed_samples == alone.needed_samples


def test_a_limit_that_is_no_number_and_a_feature_that_is_no_name_are_named():
    predictions = missing_positives(female=(3, 40), male=(5, 40))
    for limit in ("0.1", True):
        with pytest.raises(ConfigurationError, match=r"max_difference: .* is not a number"):
            audit(predictions, metric="false_negative_rate", max_difference=limit)
    with pytest.raises(ConfigurationError, match="by: 3 must be the name"):
        audit(predictions, metric="false_negative_rate", by=3, max_difference=0.1)


@pytest.mark.parametrize("counts", [*itertools.permutations([(12, 60), (24, 120), (3, 60)])])
@pytest.mark.parametrize("limit", [{"max_difference": 0.2}, {"min_ratio": 0.1}, {"max_value": 0.25}])
def test_of_equal_disparities_the_one_named_goes_by_counts_and_not_by_names(counts, limit):
    record = audit(missing_positives(**dict(zip("abc", counts, strict=True))), metric="false_negative_rate", **limit)
    other = audit(missing_positives(a=(12, 60), b=(24, 120), c=(3, 60)), metric="false_negative_rate", **limit)
    assert record.verdict == "inconclusive"

    def named(some):
        groups = [some.group(name) for name in (some.first, some.second) if name is not None]
        return [(group.events, group.n) for group in groups], some.needed_samples

    assert named(record) == named(other)
    assert record.detectable == pytest.approx(other.detectable)


def predicted(prevalence, n=2_000):
    """Two groups of equal sensitivity 0.9 and specificity 0.8, of these prevalences."""
    y_true, y_pred = [], []
    for share in prevalence:
        positives = round(share * n)
        y_true += [1] * positives + [0] * (n - positives)
        for size, called in ((positives, 0.9), (n - positives, 0.2)):
            y_pred += [1] * round(size * called) + [0] * (size - round(size * called))
    sex = ["female"] * n + ["male"] * n
    return Predictions(y_true, y_pred, sensitive_features={"sex": sex})


@pytest.mark.parametrize("metric", ["precision", "negative_predictive_value"])
@pytest.mark.parametrize("limit", ["max_difference", "min_ratio"])
def test_predictive_values_of_other_prevalences_come_with_a_caution(metric, limit):
    differing = audit(predicted((0.4, 0.1)), metric=metric, **{limit: 0.5})
    (caution,) = differing.cautions
    assert caution.startswith("prevalence is ")
    assert "0.400 in female" in caution
    assert "0.100 in male" in caution
    assert audit(predicted((0.4, 0.4)), metric=metric, **{limit: 0.5}).cautions == ()
    assert audit(predicted((0.4, 0.1)), metric="true_positive_rate", **{limit: 0.5}).cautions == ()
    assert differing.notes == ()
