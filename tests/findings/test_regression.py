"""Checks against the baseline, without pytest: what is stored is enough, what is the same is paired."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairness_checks import Predictions, audit
from fairness_checks.baseline.accepted import Accepted, tighter
from fairness_checks.baseline.document import Baseline, GroupEntry, ModelBaseline
from fairness_checks.baseline.entries import entry_of
from fairness_checks.baseline.fingerprint import Pseudonyms
from fairness_checks.baseline.moments import group_entries, stored_influence
from fairness_checks.baseline.outcomes import write_outcomes
from fairness_checks.baseline.reading import parse_baseline
from fairness_checks.baseline.secret_key import SecretKey
from fairness_checks.baseline.staging import Staged, stage
from fairness_checks.baseline.text import baseline_text
from fairness_checks.baseline.writing import Written
from fairness_checks.errors import BaselineError, ConfigurationError, InvalidPredictions
from fairness_checks.findings.comparison import compare
from fairness_checks.findings.regression import find_in_comparison
from fairness_checks.inputs.predictions import like
from fairness_checks.judge.evaluation import Evaluation
from fairness_checks.judge.verdict import audit_model
from fairness_checks.kinds.influences import group_influences
from fairness_checks.measure.rows import Rows
from fairness_checks.question.checks import Check, Settings
from fairness_checks.question.metrics import METRICS
from fairness_checks.stats.joint_estimates import joint_estimates
from fairness_checks.stats.worsening import worsening_of_disparity, worsening_of_each_group, worsening_of_worst_group

BY = ("sex",)
COMPARABLE = [name for name, m in METRICS.items() if m.kind in ("proportion", "mean", "ranking", "balanced_accuracy")]
SETTINGS = Settings()


def find_worsening(accepted, predictions, check, settings):
    return find_in_comparison(compare(accepted, predictions, check, settings), check, settings)


def predictions(seed=0, n=600, worse=0.0, groups=3, clusters=False, ids=True):
    """Scores that are right more often in the first groups; `worse` is added to the errors of the last."""
    rng = np.random.default_rng(seed)
    code = np.arange(n) % groups
    truth = rng.random(n) < 0.45
    last = code == groups - 1
    score = np.clip(0.5 + (truth - 0.5) * (0.5 - 0.1 * code - worse * last) + rng.normal(0.0, 0.22, n), 0.0, 1.0)
    return Predictions(
        truth.astype(int),
        y_score=score,
        error=np.abs(truth - score) + worse * last,
        uncertainty=rng.random(n),
        cluster=np.arange(n) // 2 * groups + code if clusters else None,
        sensitive_features={"sex": np.array(["a", "b", "c", "d"])[code]},
        sample_id=np.arange(n) if ids else None,
    )


def accepted(tmp_path, old, checks, *, ids=True):
    """Write a baseline of `old` as a run would, and return it as it is looked in."""
    key = SecretKey(bytes(32), "a test")
    part = stage(old, checks, SETTINGS, key, lambda: tmp_path)
    entries = {}
    for check in checks:
        rows = Rows(old, check.by)
        found = group_influences(old, rows, check.definition)
        fresh = Accepted(tmp_path / "fairness-baseline.json", None, updating=True)
        (record,) = audit_model("m", Evaluation(old, accepted=fresh), [check], SETTINGS)
        assert record.verdict == "inconclusive"
        groups = group_entries(record.groups, found.influences, found.clusters)
        entry = entry_of(record, versions={}, git_commit=None, date="2026-01-01", groups=groups)
        entries[check.question.line] = entry
    assert part.exists()
    outcomes = write_outcomes(tmp_path / "m.npz", old, Pseudonyms(key)) if ids else None
    model = ModelBaseline(checks=entries, outcomes=outcomes)
    return Accepted(tmp_path / "fairness-baseline.json", model, pseudonyms=Pseudonyms(key))


@pytest.mark.parametrize(("change", "named"), [("few", ["a"]), ("all", [])])
def test_a_mean_that_few_samples_change_is_named_beside_the_verdict(tmp_path, change, named):
    rng = np.random.default_rng(2)
    sex, error = np.array(["a", "b"])[np.arange(200) % 2], np.abs(rng.normal(1.0, 0.2, 200))
    old = Predictions(error=error, sensitive_features={"sex": sex}, sample_id=np.arange(200))
    worse = np.where(np.arange(200) == 4, 3.0, 0.0) if change == "few" else 0.0
    new = Predictions(
        error=error + 0.1 * rng.standard_normal(200) + worse,
        sensitive_features={"sex": sex},
        sample_id=np.arange(200),
    )
    check = Check("mean_squared_error", BY, "max_worsening", 1.0, of="each_group")
    found = find_worsening(accepted(tmp_path, old, [check]), new, check, SETTINGS)
    assert [caution.split(" of ")[1].split(" ")[0] for caution in found.cautions] == named


@pytest.mark.parametrize("metric", COMPARABLE)
def test_a_model_that_did_not_change_has_a_change_of_zero_in_every_metric(tmp_path, metric):
    same = predictions()
    check = Check(metric, BY, "max_worsening", 0.1, of="disparity")
    found = find_worsening(accepted(tmp_path, same, [check]), same, check, SETTINGS)
    assert found.regression.paired
    assert found.inference.estimate == 0.0
    assert found.inference.p_violation > 0.4


def test_samples_are_looked_for_once_for_all_checks(tmp_path, monkeypatch):
    checks = [
        Check(metric, BY, "max_worsening", 0.1, of="disparity") for metric in ("accuracy", "roc_auc", "precision")
    ]
    old, new = predictions(), predictions()
    there = accepted(tmp_path, old, checks)
    hashed = []
    of = Pseudonyms.of
    monkeypatch.setattr(Pseudonyms, "of", lambda self, ids: hashed.append(len(ids)) or of(self, ids))
    together = audit_model("m", Evaluation(new, accepted=there), checks, SETTINGS)
    assert hashed == [len(new)]
    assert all(record.method for record in together)
    audit_model("m", Evaluation(predictions(), accepted=there), checks, SETTINGS)  # others are looked for anew
    assert hashed == [len(new)] * 2


def test_records_of_a_model_with_a_baseline_say_that_it_is_looked_at_again(tmp_path):
    same = predictions()
    worsening = Check("accuracy", BY, "max_worsening", 0.1, of="disparity")
    checks = [worsening, Check("accuracy", BY, "max_difference", 0.1)]
    there = accepted(tmp_path, same, [worsening])
    for record in audit_model("m", Evaluation(same, accepted=there), checks, SETTINGS):
        (caution,) = record.cautions
        assert caution.startswith("one look of several")
    missing = Accepted(tmp_path / "fairness-baseline.json", None, updating=True)
    assert all(not r.cautions for r in audit_model("m", Evaluation(same, accepted=missing), checks, SETTINGS))


@pytest.mark.parametrize("clusters", [False, True], ids=["samples", "clusters"])
@pytest.mark.parametrize("of", ["disparity", "worst_group", "each_group"])
@pytest.mark.parametrize("metric", ["false_negative_rate", "mean_absolute_error", "roc_auc", "balanced_accuracy"])
def test_what_is_stored_gives_the_same_answer_as_the_samples(tmp_path, metric, of, clusters):
    old, new = (predictions(seed, 600, worse, clusters=clusters, ids=False) for seed, worse in ((1, 0.0), (2, 0.1)))
    check = Check(metric, BY, "max_worsening", 0.02, of=of)
    found = find_worsening(accepted(tmp_path, old, [check], ids=False), new, check, SETTINGS)
    assert not found.regression.paired
    both = [group_influences(p, Rows(p, BY), check.definition) for p in (new, old)]
    apart = None if not clusters else [codes + 10_000 for codes in both[1].clusters]
    joint = joint_estimates(
        both[0].influences, both[1].influences, paired=False, clusters=both[0].clusters, old_clusters=apart
    )
    lower = check.definition.lower_is_better is not False
    if of == "disparity":
        direct = worsening_of_disparity(joint, 0.02, 0.05)
    else:
        judge = worsening_of_worst_group if of == "worst_group" else worsening_of_each_group
        direct = judge(joint, 0.02, 0.05, lower_is_better=lower)
    for name in ("estimate", "low", "high", "p_violation", "p_compliance"):
        assert getattr(found.inference, name) == pytest.approx(getattr(direct.inference, name), rel=1e-6, abs=1e-9)
    assert (found.regression.before, found.regression.after) == pytest.approx((direct.old, direct.new), abs=1e-12)


def test_pairing_finds_what_independent_samples_do_not():
    """The same patients, a few of them decided otherwise: the difference is known far better than either rate."""
    wins = 0
    for seed in range(5):
        rng = np.random.default_rng(seed)
        sex, ids = np.repeat(["f", "m"], 2000), np.arange(4000)
        missed = rng.random(4000) < np.where(sex == "f", 0.25, 0.12)
        now = missed | ((sex == "f") & (rng.random(4000) < 0.04))
        old, new = (
            Predictions(np.ones(4000, int), (~m).astype(int), sensitive_features={"sex": sex}, sample_id=ids)
            for m in (missed, now)
        )
        p = []
        for paired in (True, False):
            metric = METRICS["false_negative_rate"]
            both = [group_influences(each, Rows(each, BY), metric) for each in (new, old)]
            joint = joint_estimates(both[0].influences, both[1].influences, paired=paired)
            p.append(worsening_of_disparity(joint, 0.01, 0.05).inference.p_violation)
        wins += p[0] < 0.05 <= p[1]
    assert wins >= 3


@pytest.mark.parametrize("of", ["disparity", "worst_group", "each_group"])
def test_a_new_group_breaks_the_check_until_a_run_writes_it(tmp_path, of):
    """More samples never give it a value in the baseline; a new baseline does."""
    check = Check("accuracy", BY, "max_worsening", 0.2, of=of)
    old, new = accepted(tmp_path, predictions(groups=2), [check]), predictions(groups=3)
    found = find_worsening(old, new, check, SETTINGS)
    assert (found.broken, found.inference) == (True, None)
    assert found.reason.startswith("the baseline has no value of the group c; accept it: pytest --fairness --fair")
    found = find_worsening(dataclasses.replace(old, updating=True), new, check, SETTINGS)
    assert (found.broken, found.reason) == (False, None)
    assert found.inference.p_compliance < 0.05
    assert found.regression.pairing.endswith("; new, and written by this run: c")


def test_a_group_that_was_too_small_for_the_baseline_is_accepted_by_a_run_that_writes_it(tmp_path):
    check = Check("accuracy", BY, "max_worsening", 0.2, of="disparity")
    few = predictions(groups=2).sensitive_features["sex"].codes
    kept = np.flatnonzero((few == 0) | (np.arange(len(few)) < 10))
    whole = predictions(groups=2)
    small = Predictions(
        whole.y_true[kept],
        y_score=whole.y_score[kept],
        sensitive_features={"sex": np.array(["a", "b"])[few[kept]]},
        sample_id=kept,
    )
    old = accepted(tmp_path, small, [check])
    assert find_worsening(old, whole, check, SETTINGS).reason.startswith("the baseline has no value of the group b; ")
    found = find_worsening(dataclasses.replace(old, updating=True), whole, check, SETTINGS)
    assert (found.broken, found.regression.baseline_date) == (False, None)  # written, as what has nothing before it
    assert found.reason.endswith("this run writes it")


@pytest.mark.parametrize("there", [True, False])
def test_one_group_has_no_disparity_that_could_get_worse(tmp_path, there):
    check = Check("accuracy", BY, "max_worsening", 0.2, of="disparity")
    old = accepted(tmp_path, predictions(groups=2), [check])
    with pytest.raises(InvalidPredictions, match=r"'sex'\]: one group only, 'a', which all 600 samples"):
        find_worsening(old if there else dataclasses.replace(old, model=None), predictions(groups=1), check, SETTINGS)
    alone = Check("accuracy", BY, "max_worsening", 0.2, of="each_group")
    old = accepted(tmp_path, predictions(groups=1), [alone])
    assert find_worsening(old, predictions(groups=1), alone, SETTINGS).inference.estimate == 0.0


def test_a_group_that_is_gone_breaks_the_check(tmp_path):
    check = Check("accuracy", BY, "max_worsening", 0.2, of="each_group")
    found = find_worsening(accepted(tmp_path, predictions(groups=3), [check]), predictions(groups=2), check, SETTINGS)
    assert found.broken
    assert found.reason.startswith("the baseline has a group that is gone: c")


KINDS_HELD = [("false_negative_rate", "worst_group"), ("accuracy", "worst_group"), ("roc_auc", "disparity")]


@given(st.sampled_from(KINDS_HELD), st.lists(st.one_of(st.none(), st.floats(0.0, 1.0))))
def test_over_any_releases_the_held_limit_never_loosens(kind, suggestions):
    check = Check(kind[0], BY, "max_worsening", 0.02, of=kind[1], ratchet=True)
    worse_up = kind[1] == "disparity" or check.definition.lower_is_better
    held = None
    for suggested in suggestions:
        before, held = held, tighter(held, suggested, check)
        assert (held is None) <= (before is None)  # what is held stays held
        if before is not None:
            assert held <= before if worse_up else held >= before
    known = [suggested for suggested in suggestions if suggested is not None]
    assert held == ((min if worse_up else max)(known) if known else None)


def release(rng, rates, sizes=(1_000, 1_500)):
    """New positives of a model that misses these shares of the two groups."""
    missed = rng.random(sum(sizes)) < np.repeat(rates, sizes)
    sex = np.repeat(["a", "b"], sizes)
    return Predictions(np.ones(sum(sizes), int), (~missed).astype(int), sensitive_features={"sex": sex})


def chain(rng, check, releases):
    """Release after release, each accepted where it passes; the verdicts, and what is held after each."""
    entry, verdicts, held = None, [], []
    for new in releases:
        there = None if entry is None else ModelBaseline(checks={check.question.line: entry})
        accepted = Accepted(Path("b.json"), there, updating=entry is None)
        (record,) = audit_model("m", Evaluation(new, accepted=accepted), [check], SETTINGS)
        verdicts.append(record.verdict)
        if entry is None or record.verdict == "pass":
            found = group_influences(new, Rows(new, check.by), check.definition)
            part = Staged(
                outcomes=None,
                groups={check.question.line: group_entries(record.groups, found.influences, found.clusters)},
            )
            entry = Written({}, None, "2026-01-01").worsening(record, check, part, entry)
        held.append(entry.ratchet_limit)
    return verdicts, held


@pytest.mark.parametrize("of", ["disparity", "worst_group"])
def test_only_a_proved_improvement_is_held_by_the_end_of_its_interval(of):
    check = Check("false_negative_rate", BY, "max_worsening", 0.05, of=of, ratchet=True)
    rates = [(0.40, 0.10), (0.39, 0.10), (0.20, 0.10), (0.22, 0.10), (0.20, 0.10)]
    rng = np.random.default_rng(2)
    releases = [release(rng, of_both) for of_both in rates]
    verdicts, held = chain(rng, check, releases)
    assert verdicts[2] == "pass"
    assert held[:2] == [None, None]  # the first value was observed, not proved; nor is a little better
    kind = "max_difference" if of == "disparity" else "max_value"
    now = audit(releases[2], metric=check.metric, by="sex", **{kind: 0.3})
    assert held[2] == pytest.approx(now.high + 0.05, abs=1e-4)  # to which an interval's end is searched
    assert all(later <= held[2] for later in held[3:])


@pytest.mark.parametrize("of", ["disparity", "worst_group"])
def test_a_ratchet_makes_no_more_releases_of_a_constant_truth_red_than_none_does(of):
    red = {}
    for ratchet in (False, True):
        check = Check("false_negative_rate", BY, "max_worsening", 0.01, of=of, ratchet=ratchet)
        rng = np.random.default_rng(3)
        found = [chain(rng, check, [release(rng, (0.25, 0.2)) for _ in range(20)])[0] for _ in range(12)]
        red[ratchet] = sum("fail" in verdicts for verdicts in found)
    assert red[True] <= red[False] < 12


def test_a_stored_group_without_variance_is_no_influence():
    with pytest.raises(ValueError, match="has no variance"):
        stored_influence(GroupEntry(name=("a",), n=0, events=0, value=None, variance=None, df=None))


@pytest.mark.parametrize("metric", ["selection_rate", "mean_error"])
def test_where_neither_direction_is_worse_only_a_disparity_can_worsen(metric):
    Check(metric, BY, "max_worsening", 0.02, of="disparity")
    with pytest.raises(ConfigurationError, match="neither direction is worse; use of: disparity"):
        Check(metric, BY, "max_worsening", 0.02, of="each_group")


def test_third_moments_of_any_sign_survive():
    rng = np.random.default_rng(0)
    for draw in (rng.lognormal(size=40), -rng.lognormal(size=40), rng.normal(size=40)):
        old = Predictions(error=draw, sensitive_features={"sex": ["a"] * 40})
        check = Check("mean_error", BY, "max_worsening", 0.1, of="disparity")
        rows = Rows(old, BY)
        found = group_influences(old, rows, check.definition)
        (influence,) = found.influences
        records = audit_model("m", old, [Check("mean_error", BY, "max_value", 9.0)], SETTINGS)[0].groups
        (entry,) = group_entries(records, found.influences, None)
        stored = stored_influence(entry).psi
        for power in (2, 3):
            assert np.sum(stored**power) == pytest.approx(np.sum(influence.psi**power), rel=1e-9)


@pytest.mark.parametrize(
    ("before", "now", "comparable"),
    [
        ("[0, 1]", "[0, 1]", True),
        ("[0, 1]", "[-1, 1]", False),
        ("as given", None, False),
        (None, "[-1, 1]", True),
    ],
)
def test_errors_in_another_scale_of_images_are_not_compared(tmp_path, before, now, comparable):
    check = Check("mean_squared_error", BY, "max_worsening", 0.05, of="disparity")
    old = accepted(tmp_path, like(predictions(), scaling=before), [check])
    found = find_worsening(old, like(predictions(), scaling=now), check, SETTINGS)
    assert (found.inference is not None) == comparable
    if not comparable:
        said = (
            f"the baseline's scaling of images is {before}, this run's is {now or 'not given'}: they are not comparable"
        )
        assert found.reason.startswith(said)


_ODD_NUMBERS = [0.0, 5e-324, 1e-300, 1e-12, 0.5, 1e200]
_NUMBERS = st.none() | st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from(_ODD_NUMBERS)


@pytest.mark.parametrize("clusters", [False, True], ids=["samples", "clusters"])
@pytest.mark.parametrize("metric", ["false_negative_rate", "mean_absolute_error", "roc_auc", "balanced_accuracy"])
def test_a_baseline_with_other_numbers_is_compared_with_or_refused(tmp_path, metric, clusters):
    old, new = (predictions(seed, 300, worse, clusters=clusters, ids=False) for seed, worse in ((1, 0.0), (2, 0.1)))
    check = Check(metric, BY, "max_worsening", 0.02, of="disparity", ratchet=True)
    there = accepted(tmp_path, old, [check], ids=False)
    ((key, entry),) = there.model.checks.items()

    others = {
        "n": st.integers(0),
        "events": st.none() | st.integers(0),
        "extra": st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=5).map(tuple),
    }
    fields = [field.name for field in dataclasses.fields(GroupEntry) if field.name != "name"]

    @given(st.sampled_from(fields).flatmap(lambda name: others.get(name, _NUMBERS).map(lambda x: {name: x})), _NUMBERS)
    @settings(max_examples=60, deadline=None)
    def holds(changed, held):
        groups = (dataclasses.replace(entry.groups[0], **changed), *entry.groups[1:])
        written = dataclasses.replace(entry, groups=groups, ratchet_limit=held)
        text = baseline_text(Baseline(models={"m": ModelBaseline(checks={key: written})}))
        try:
            model = parse_baseline(text, "b.json").models["m"]
            found = find_worsening(dataclasses.replace(there, model=model), new, check, SETTINGS).inference
        except BaselineError:
            return
        assert found is None or np.isfinite([found.estimate, found.p_violation, found.p_compliance]).all()

    holds()
