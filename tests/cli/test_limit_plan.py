"""`fairness-checks explain --plan`: how many samples settle a limit."""

from __future__ import annotations

import re

import numpy as np
import pytest

from fairness_checks import METRICS, plan_sample_size
from fairness_checks.cli.main import main
from fairness_checks.question.checks import Settings
from fairness_checks.stats.disparity import rates_compliance, rates_violation
from fairness_checks.stats.rate_pairs import Pairs


def said(capsys, *arguments):
    assert main(["explain", "--plan", *arguments]) == 0
    return capsys.readouterr().out


def shares(n, rates, limit, runs=1_000):
    """Shares of simulated pairs of groups of n samples in which the gate shows compliance, and a violation."""
    drawn = np.random.default_rng(n).binomial(n, np.array(rates)[:, None], (2, runs)).astype(float)
    tables, times = np.unique(drawn, axis=1, return_counts=True)
    sizes = np.full(len(times), float(n))
    pairs = Pairs(tables[0], sizes, tables[1], sizes)
    tests = {"it is kept": rates_compliance, "it is exceeded": rates_violation}
    return {
        shown: np.average(test(pairs, limit, "difference") < Settings().alpha, weights=times)
        for shown, test in tests.items()
    }


def test_so_many_samples_settle_the_limit_in_four_runs_of_five(capsys):
    table = said(capsys, "FNR", "--max-difference", "0.1", "--value", "0.15")
    rows = re.findall(r"^  ([\d.]+|nothing)\b.*(it is \w+) +([\d,]+) positives$", table, re.M)
    assert [row[:2] for row in rows] == [("nothing", "it is kept"), ("0.05", "it is kept"), ("0.2", "it is exceeded")]
    for apart, shown, n in rows:
        truth = (0.15 + (0.0 if apart == "nothing" else float(apart)), 0.15)
        size = int(n.replace(",", ""))
        assert shares(size, truth, 0.1)[shown] == pytest.approx(0.8, abs=0.045), apart
        assert shares(size // 2, truth, 0.1)[shown] < 0.65, apart


@pytest.mark.parametrize("name", sorted(METRICS.keys() - {"expected_calibration_error"}))
def test_every_metric_of_which_samples_can_be_planned_is(name, capsys):
    more = ["--deviation", "1"] if METRICS[name].kind == "mean" else []
    table = said(capsys, name, "--max-difference", "0.2", *more)
    assert table.startswith(f"{name}, max_{'mismatch' if name == 'uncertainty_mismatch' else 'difference'} 0.2")
    assert table.count("it is kept") == 2
    assert table.count("it is exceeded") == 1


def test_the_numbers_are_those_of_the_plan(capsys):
    table = said(capsys, "sensitivity", "--value", "0.9", "--prevalence", "0.2", "--groups", "3")
    for worse in (0.9, 0.875, 0.8):
        plan = plan_sample_size(
            metric="TPR", max_difference=0.05, first_value=worse, second_value=0.9, positives=0.2, groups=3
        )
        assert f"{plan.first_patients:,} patients ({plan.first:,} positives)" in table
    assert "true_positive_rate, max_difference 0.05: 5 of 100 positives\n3 groups, of which the better one" in table


FILE = """\
version: 1
defaults: {alpha: 0.01, burden_of_proof: compliance, min_group_size: 40}
models:
  one:
    subgroups:
      - {metric: FNR, by: sex, max_difference: 0.1}
      - {metric: accuracy, by: [sex, age], min_ratio: 0.9, control_features: site}
      - {metric: FNR, by: sex, max_value: 0.3}
      - {metric: ECE, by: sex, max_value: 0.3}
      - {metric: MAE, by: sex, max_value: 0.3}
      - {metric: FPR, by: sex, max_difference: 0.1, control_features: site, strata: combined}
      - {metric: mine, by: sex, max_difference: 0.1}
    uncertainty: [{by: sex, max_mismatch: 0.2}]
    regression: [{metric: FNR, by: sex, max_worsening: 0.1}]
    sweep:
      by: sex
      mixes: {as_is: as_is}
      checks: [{metric: FNR, max_difference: 0.1}, {metric: FPR, max_difference: 0.1}]
"""
ARGUMENTS = ("first_value", "second_value")
LIMITED = {
    "false_negative_rate by sex, max_difference 0.1": (
        {"metric": "FNR", "max_difference": 0.1},
        [(0.2, 0.2), (0.25, 0.2), (0.4, 0.2)],
    ),
    "accuracy by sex, age within site, min_ratio 0.9": (
        {"metric": "accuracy", "min_ratio": 0.9},
        [(0.8, 0.8), (0.8 * 0.95, 0.8), (0.8 * 0.8, 0.8)],
    ),
    "false_negative_rate by sex, max_value 0.3": ({"metric": "FNR", "max_value": 0.3}, [None, (0.15,), (0.6,)]),
    "uncertainty_mismatch by sex, max_mismatch 0.2": (
        {"metric": "uncertainty_mismatch", "max_mismatch": 0.2},
        [(0.6, 0.6), (0.65, 0.55), (0.8, 0.4)],
    ),
}


def test_of_a_file_each_check_is_planned_at_its_own_settings(tmp_path, capsys):
    file = tmp_path / "thresholds.yaml"
    file.write_text(FILE)
    table = said(capsys, str(file), "--own-metric", "mine")
    assert table.splitlines()[0].endswith("each of 2 groups needs to settle a limit; 80 % power, alpha 0.01")
    assert "burden_of_proof is compliance: with fewer a check stays inconclusive, which is red" in table
    lines = dict(
        re.split(r"   +", line.strip(), maxsplit=1) for line in table.splitlines() if re.search(r"\d   ", line)
    )
    assert lines.keys() == LIMITED.keys()
    for name, (asked, values) in LIMITED.items():
        planned = [
            None if pair is None else plan_sample_size(**asked, **pair, alpha=0.01, checks=11)
            for pair in (None if each is None else dict(zip(ARGUMENTS, each, strict=False)) for each in values)
        ]
        expected = ["-" if plan is None else f"{plan.first:,}" for plan in planned]
        assert [cell.split()[0] for cell in re.split(r"   +", lines[name])] == expected
    for left_out in (
        "1 check of a mean: explain --plan mean_absolute_error --max-difference LIMIT --deviation SD",
        "1 check expected_calibration_error cannot be planned",
        "1 check standardised over strata",
        "1 check of a metric of your own",
        "1 check against the baseline",
        "2 checks on a sweep",
    ):
        assert f"\n  {left_out}" in table


def test_a_prevalence_turns_samples_into_patients(tmp_path, capsys):
    file = tmp_path / "limits.yml"
    file.write_text("version: 1\nmodels: {m: {subgroups: [{metric: FPR, by: sex, max_difference: 0.1}]}}\n")
    assert "277 negatives" in said(capsys, str(file))
    assert "308 patients" in said(capsys, str(file), "--prevalence", "0.1")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["FNR", "--value", "1.5"], "--value: 1.5 is outside [0, 1]"),
        (["FNR", "--deviation", "1"], "--deviation: 1.0 is not asked"),
        (["FNR", "--groups", "1"], "--groups: 1 must be at least 2"),
        (["accuracy", "--prevalence", "0.1"], "--prevalence: 0.1 is not asked for accuracy"),
        (["MSE"], "--deviation: mean_squared_error needs that of one sample's value"),
        (["MSE", "--deviation", "1", "--value", "3"], "--value: 3 is not asked"),
        (["equalized_odds", "--value", "0.3"], "--value: 0.3 is not asked for equalized_odds"),
        (["uncertainty_mismatch", "--value", "0.3"], "--value: 0.3 is not asked for uncertainty_mismatch"),
        (["ECE"], "expected_calibration_error cannot be planned"),
        (["nothing.yaml"], "nothing.yaml: there is no such file"),
        (["nothing.yaml", "--prevalence", "10"], "--prevalence: 10 is outside (0, 1); 10 in 100 is 0.1"),
        (["nothing.yaml", "--value", "0.1"], "--max-difference, --value and --deviation go with a METRIC"),
        (["sensitivty"], "did you mean 'sensitivity'"),
    ],
)
def test_what_would_be_ignored_or_is_impossible_is_one_line(arguments, message, capsys):
    assert main(["explain", "--plan", *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.startswith("fairness-checks explain: ")
    assert len(error.splitlines()) == 1


def test_problems_of_a_file_are_said_as_everywhere(tmp_path, capsys):
    file = tmp_path / "thresholds.yaml"
    file.write_text("version: 1\nmodels: {m: {subgroups: [{metric: mine, by: sex, max_difference: 0.1}]}}\n")
    assert main(["explain", "--plan", str(file)]) == 1
    assert "a metric of your own: say --own-metric NAME" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--value", "--deviation", "--groups"])
def test_options_of_a_plan_go_with_it(option, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["explain", "FNR", option, "3"])
    assert ended.value.code == 2
    assert "go with --plan" in capsys.readouterr().err
