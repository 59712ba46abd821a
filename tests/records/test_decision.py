"""The function that decides, and records read back: one whose verdict is not what its numbers decide is refused."""

from __future__ import annotations

import dataclasses
from datetime import date
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairness_checks import Predictions
from fairness_checks.errors import RecordError
from fairness_checks.judge.verdict import audit_model
from fairness_checks.question.checks import Check, Settings
from fairness_checks.question.waivers import Waiver
from fairness_checks.records.check_record import CheckRecord
from fairness_checks.records.decision import Verdict, decide
from fairness_checks.records.parts import WaiverRecord


@pytest.mark.parametrize(
    ("p_adjusted", "p_compliance", "complete", "verdict"),
    [
        (0.01, 0.99, True, "fail"),
        (0.01, 0.99, False, "fail"),
        (0.9, 0.01, True, "pass"),
        (0.9, 0.01, False, "inconclusive"),
        (0.3, 0.4, True, "inconclusive"),
        (0.05, 0.9, True, "inconclusive"),
        (0.9, 0.05, True, "inconclusive"),
        (None, None, True, "inconclusive"),
        (None, None, False, "inconclusive"),
        (None, 0.01, False, "inconclusive"),
        (0.01, None, False, "fail"),
    ],
)
def test_decide(p_adjusted, p_compliance, complete, verdict):
    assert decide(p_adjusted, p_compliance, 0.05, complete=complete) == verdict


CHECKS = [
    Check("false_negative_rate", ("sex",), "max_difference", 0.05),
    Check("selection_rate", ("sex",), "min_ratio", 0.8),
    Check("accuracy", ("sex",), "min_value", 0.6),
    Check("accuracy", ("sex",), "max_value", 0.7),
    Check("roc_auc", ("sex",), "max_difference", 0.1),
    Check("brier_score", ("sex",), "max_difference", 0.05),
    Check("equalized_odds", ("sex",), "max_difference", 0.1),
    Check("uncertainty_mismatch", ("sex",), "max_mismatch", 0.1),
]
DEBT = Waiver(
    model="m", metric="false_negative_rate", by=("sex",), reason="CAPA 12", approved_by="A", expires=date(2027, 6, 30)
)


def judged(seed, size=300, shift=0.3, **settings):
    """Judge a model that does worse in one of three groups; what is drawn decides which verdicts there are."""
    rng = np.random.default_rng(seed)
    sex = rng.choice(["f", "m", "x"], size, p=[0.5, 0.4, 0.1])
    truth = rng.random(size) < 0.4
    score = np.clip(0.5 + np.where(truth, 0.25, -0.25) * (1 - shift * (sex == "f")) + rng.normal(0, 0.2, size), 0, 1)
    predictions = Predictions(truth, y_score=score, sensitive_features={"sex": sex})
    return audit_model("m", predictions, CHECKS, Settings(**settings), [DEBT], date(2027, 1, 1))


@given(
    seed=st.integers(0, 2**32 - 1),
    size=st.integers(12, 600),
    shift=st.floats(0.0, 3.0),
    correction=st.sampled_from(["holm", "benjamini_hochberg", "none"]),
    alpha=st.sampled_from([0.01, 0.05, 0.1]),
)
def test_what_a_run_decided_is_read_back_and_no_other_verdict_is(seed, size, shift, correction, alpha):
    for record in judged(seed, size, shift, correction=correction, alpha=alpha):
        assert CheckRecord.from_json(record.to_json()) == record
        for verdict in set(get_args(Verdict)) - {record.verdict}:
            with pytest.raises(RecordError, match=r"^(verdict|waiver): "):
                CheckRecord.from_json(dataclasses.replace(record, verdict=verdict).to_json())


@pytest.fixture(scope="module")
def records():
    found = {record.verdict: record for record in judged(3, 3000, 0.0) + judged(3, 2000, 0.9)}
    assert set(found) == {"pass", "fail", "waived", "inconclusive"}
    return found


def opposite(record):
    """A number on the other side of the limit."""
    return record.limit + (record.limit - record.estimate)


TAMPERED = {
    "violation without proof": ("fail", lambda r: {"p_adjusted": 0.4, "p_violation": 0.2}, "verdict: 'fail'"),
    "proof hidden": ("fail", lambda r: {"verdict": "inconclusive"}, "verdict: 'inconclusive'"),
    "level moved": ("fail", lambda r: {"alpha": 1e-9}, "alpha: 1e-09 does not go with"),
    "level moved with the interval": (
        "fail",
        lambda r: {"alpha": r.p_adjusted / 2, "confidence": 1 - r.p_adjusted},
        "verdict: 'fail'",
    ),
    "estimate moved": ("fail", lambda r: {"estimate": opposite(r)}, "verdict: 'fail', but "),
    "limit moved": ("waived", lambda r: {"limit": r.estimate * 2}, "verdict: 'waived', but "),
    "kept after all": ("pass", lambda r: {"estimate": opposite(r)}, "verdict: 'pass', but "),
    "adjustment": ("fail", lambda r: {"p_violation": 0.9}, "p_adjusted: "),
    "family": ("inconclusive", lambda r: {"family_size": 1, "p_violation": r.p_adjusted / 2}, "p_adjusted: "),
    "no p-value": ("pass", lambda r: {"p_compliance": -0.1}, "p_compliance: -0.1 is no p-value"),
    "half a result": ("pass", lambda r: {"p_violation": None}, "estimate: it, its interval and its p-values"),
    "waiver removed": ("waived", lambda r: {"waiver": None}, "verdict: 'waived'"),
    "waiver added": (
        "pass",
        lambda r: {"waiver": WaiverRecord(reason="r", approved_by="a", expires="2027-01-01")},
        "waiver: stands in a record",
    ),
    "part left out": ("pass", lambda r: {"reason": "group x: 3 samples"}, "verdict: 'pass'"),
    "unknown group": ("pass", lambda r: {"first": ("y",)}, r"first: \('y',\) is none of its groups"),
}


@pytest.mark.parametrize(("verdict", "changes", "message"), TAMPERED.values(), ids=TAMPERED)
def test_a_record_that_was_edited_is_refused(records, verdict, changes, message):
    record = records[verdict]
    edited = dataclasses.replace(record, **changes(record))
    with pytest.raises(RecordError, match=f"^{message}.*; a record is written by a run, not by hand$"):
        CheckRecord.from_json(edited.to_json())


def test_a_check_that_the_baseline_lacks_fails_without_a_p_value(records):
    from fairness_checks.records.parts import RegressionRecord

    nothing = dict.fromkeys(("estimate", "low", "high", "p_violation", "p_adjusted", "p_compliance", "first", "second"))
    then = RegressionRecord(
        of="disparity", before=None, after=None, old_first=None, old_second=None, paired=False, pairing="nothing",
        baseline_date=None, baseline_commit=None,
    )  # fmt: skip
    missing = dataclasses.replace(records["fail"], **nothing, reason="not there", regression=then, broken=True)
    assert CheckRecord.from_json(missing.to_json()) == missing
    for changes in ({"broken": False}, {"verdict": "inconclusive"}):
        with pytest.raises(RecordError, match=r"^verdict: "):
            CheckRecord.from_json(dataclasses.replace(missing, **changes).to_json())
