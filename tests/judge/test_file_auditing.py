"""Models of files, judged without pytest: waivers, checks that cannot be made, and evidence that follows."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from fairness_checks.config.loading import load_config
from fairness_checks.errors import ConfigurationError, InvalidPredictions
from fairness_checks.judge.file_auditing import FileAudit, predictions_of_file
from fairness_checks.judge.recomputing import differences
from fairness_checks.report.evidence import GitEvidence

TODAY = date.today()


def in_days(number):
    return (TODAY + timedelta(days=number)).isoformat()


HEAD = """\
version: 1
models:
  m:
    source: {file: p.csv, y_true: y, y_pred: d}
    subgroups:
      - {metric: false_negative_rate, by: sex, max_difference: 0.10}
"""
OTHER = "  other:\n    source: {file: q.csv, error: e}\n    subgroups: [{metric: mean_error, by: sex, max_value: 1}]\n"
WAIVER = (
    "waivers: [{model: m, metric: false_negative_rate, by: sex, reason: retraining, approved_by: A, expires: DAY}]\n"
)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def audited(tmp_path):
    def judge(text, missed=160, models=None, **given):
        rows = [("f", missed), ("m", 40)]
        lines = [f"1,{int(at >= gone)},{sex}" for sex, gone in rows for at in range(400)]
        (tmp_path / "p.csv").write_text("\n".join(["y,d,sex", *lines]) + "\n")
        (tmp_path / "t.yaml").write_text(text)
        limits = load_config(tmp_path / "t.yaml")
        found = FileAudit(limits, text.encode(), ["audit"], today=TODAY, **given)
        found.judge([model for model in limits.models if models is None or model.name in models])
        return found

    return judge


def follows(found):
    return [(each.where, each.found, each.expected) for each in differences(found.evidence(None))]


def test_a_violation_is_red_and_its_evidence_follows(audited):
    found = audited(HEAD)
    (record,) = found.records
    assert (record.verdict, record.first, found.exit_code, found.errors) == ("fail", ("f",), 1, {})
    assert follows(found) == []


def test_what_keeps_its_limit_is_green(audited):
    found = audited(HEAD, missed=40)
    assert ([record.verdict for record in found.records], found.exit_code) == (["pass"], 0)
    assert follows(found) == []


@pytest.mark.parametrize(
    ("days", "missed", "verdict", "problem"),
    [
        (30, 160, "waived", None),
        (30, 40, "pass", "unused: what it names is not failing (pass); remove it"),
        (-1, 160, "fail", f"expired on {in_days(-1)}; mend the model, or have it approved again"),
        (900, 160, "waived", f"runs too long: it expires on {in_days(900)}; a violation is accepted for 366 days"),
    ],
    ids=["in-order", "unused", "expired", "long"],
)
def test_waivers_are_held_to_what_the_gate_holds_them_to(audited, days, missed, verdict, problem):
    found = audited(HEAD + WAIVER.replace("DAY", in_days(days)), missed)
    assert found.records[0].verdict == verdict
    assert found.exit_code == (0 if problem is None else 1)
    assert len(found.errors) == (0 if problem is None else 1)
    if problem is not None:
        assert problem in found.errors["test_waiver[subgroups-m-sex-false_negative_rate]"]
    assert follows(found) == []


def test_a_check_that_cannot_be_made_is_an_error_and_counts_in_the_adjustment(audited):
    found = audited(HEAD + "      - {metric: roc_auc, by: sex, max_difference: 0.1}\n", missed=40)
    assert [record.family_size for record in found.records] == [2]
    assert found.exit_code == 1
    (text,) = found.errors.values()
    assert text.startswith("m, subgroups: roc_auc by sex, max_difference: y_score: not given; ")
    assert follows(found) == []


def test_the_burden_of_proof_of_the_command_line_wins(audited):
    found = audited(HEAD, missed=80, burden="compliance")
    assert [(record.verdict, record.burden_of_proof) for record in found.records] == [("inconclusive", "compliance")]
    assert found.exit_code == 1
    assert follows(found) == []
    assert audited(HEAD, missed=80).exit_code == 0


def test_a_part_of_the_models_says_what_was_left_out(audited):
    found = audited(HEAD + OTHER, models=["m"])
    evidence = found.evidence("0" * 40 + "+dirty")
    assert not evidence.run.whole
    assert evidence.run.git == GitEvidence(commit="0" * 40, clean=False)
    assert evidence.not_judged == {"t.yaml::test_subgroups[other-sex-mean_error-max_value]": "deselected"}
    assert follows(found) == []


def test_a_file_that_cannot_be_read_ends_the_audit_which_then_proves_nothing(audited, tmp_path):
    with pytest.raises(InvalidPredictions, match=r"q.csv: there is no such file"):
        audited(HEAD + OTHER)
    limits = load_config(tmp_path / "t.yaml")
    begun = FileAudit(limits, b"", ["audit"])
    assert (begun.exit_code, begun.evidence(None).complete) == (1, False)


def test_a_model_without_a_file_is_an_error(tmp_path):
    (tmp_path / "t.yaml").write_text(HEAD.replace("    source: {file: p.csv, y_true: y, y_pred: d}\n", ""))
    limits = load_config(tmp_path / "t.yaml")
    with pytest.raises(ConfigurationError, match="m: has no source"):
        predictions_of_file(limits, limits.models[0])


def test_the_day_is_that_of_the_audit():
    limits = load_config(Path(__file__).parents[2] / "thresholds.yaml")
    assert date.today() - FileAudit(limits, b"", []).today <= timedelta(days=1)
