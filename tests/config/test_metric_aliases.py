"""Metrics by the names that the clinic has for them, in thresholds.yaml."""

from __future__ import annotations

import pytest

from fairness_checks.config.export import json_schema
from fairness_checks.config.loading import check_names, other_names, parse_config
from fairness_checks.errors import ConfigurationError
from fairness_checks.question.metric_names import ALIASES
from fairness_checks.question.own_metrics import any_metric

HEAD = "version: 1\nmodels:\n  m:\n"
WAIVER = 'waivers: [{model: m, metric: %s, by: sex, reason: known, approved_by: "A. B.", expires: 2027-01-01}]\n'


def config(text, own=()):
    return parse_config(text, "thresholds.yaml", {name: any_metric(name) for name in own})


def metrics(found):
    return [entry.check.question.metric for model in found.models for entry in model.checks]


def test_each_section_takes_them():
    text = (
        f"{HEAD}"
        "    subgroups:\n"
        "      - {metric: Sensitivity, by: sex, max_difference: 0.05}\n"
        "      - {metric: PPV, by: sex, min_value: 0.3}\n"
        "    regression: [{metric: FNR, by: sex, max_worsening: 0.02}]\n"
        "    sweep: {by: sex, mixes: {as_is: as_is}, checks: [{metric: AUROC, max_difference: 0.1}]}\n"
    )
    found = config(text + WAIVER % "sensitivity")
    assert metrics(found) == ["true_positive_rate", "precision", "false_negative_rate", "roc_auc"]
    assert found.waivers[0].metric == "true_positive_rate"
    assert check_names(found) == []
    assert other_names(found) == {
        "Sensitivity": "true_positive_rate",
        "PPV": "precision",
        "FNR": "false_negative_rate",
        "AUROC": "roc_auc",
        "sensitivity": "true_positive_rate",
    }


def test_a_waiver_and_its_check_may_use_different_names():
    text = f"{HEAD}    subgroups: [{{metric: recall, by: sex, max_difference: 0.05}}]\n"
    assert check_names(config(text + WAIVER % "true_positive_rate")) == []
    assert check_names(config(text + WAIVER % "TPR")) == []


def test_one_question_under_two_names_is_asked_twice():
    text = (
        f"{HEAD}    subgroups:\n"
        "      - {metric: sensitivity, by: sex, max_difference: 0.05}\n"
        "      - {metric: true_positive_rate, by: sex, max_difference: 0.10}\n"
    )
    with pytest.raises(ConfigurationError) as error:
        config(text)
    message = "models.m.subgroups[1]: asks the same as models.m.subgroups[0] on line 5"
    assert message in str(error.value)
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("section", "one", "other"),
    [
        ("subgroups", "FNR, by: sex, max_difference: 0.05", "sensitivity, by: sex, max_difference: 0.10"),
        ("subgroups", "TNR, by: [sex, race], max_difference: 0.1", "FPR, by: [race, sex], max_difference: 0.1"),
        ("subgroups", "miss_rate, by: sex, max_value: 0.3", "recall, by: sex, min_value: 0.7"),
        ("subgroups", "TPR, by: sex, max_value: 0.99", "FNR, by: sex, min_value: 0.01"),
        ("regression", "FNR, by: sex, max_worsening: 0.02", "TPR, by: sex, max_worsening: 0.02"),
    ],
)
def test_a_rate_and_its_complement_are_one_question(section, one, other):
    with pytest.raises(ConfigurationError) as error:
        config(f"{HEAD}    {section}:\n      - {{metric: {one}}}\n      - {{metric: {other}}}\n")
    assert f"models.m.{section}[1]: asks the same as models.m.{section}[0] on line 5 (" in str(error.value)
    assert " is 1 minus " in str(error.value)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("FNR, by: sex, min_ratio: 0.8", "TPR, by: sex, min_ratio: 0.8"),  # a ratio of one says little of the other's
        ("FNR, by: sex, max_value: 0.3", "TPR, by: sex, max_value: 0.9"),
        ("FNR, by: sex, max_difference: 0.1", "TPR, by: race, max_difference: 0.1"),
        ("FNR, by: sex, max_difference: 0.1", "TNR, by: sex, max_difference: 0.1"),
        ("PPV, by: sex, max_difference: 0.1", "NPV, by: sex, max_difference: 0.1"),
    ],
)
def test_what_is_no_complement_is_another_question(one, other):
    assert len(metrics(config(f"{HEAD}    subgroups:\n      - {{metric: {one}}}\n      - {{metric: {other}}}\n"))) == 2


@pytest.mark.parametrize(
    ("entry", "place", "remedy"),
    [
        ("demographic_parity, by: sex, max_value: 0.3", "max_value", "write selection_rate for its value"),
        ("equal_opportunity, by: sex, min_value: 0.3", "min_value", "write true_positive_rate for its value"),
    ],
)
def test_a_name_that_compares_groups_has_no_limit_of_one(entry, place, remedy):
    with pytest.raises(ConfigurationError) as error:
        config(f"{HEAD}    subgroups: [{{metric: {entry}}}]\n")
    (line,) = str(error.value).splitlines()
    assert f"models.m.subgroups[0].{place}: " in line
    assert remedy in line


def test_what_is_near_in_meaning_is_said_in_one_line():
    with pytest.raises(ConfigurationError) as error:
        config(f"{HEAD}    subgroups: [{{metric: f1_score, by: sex, max_difference: 0.1}}]\n")
    (line,) = str(error.value).splitlines()
    assert "'f1_score' is not a metric; nearest in meaning: precision and true_positive_rate" in line


def test_a_metric_of_ones_own_keeps_its_name():
    found = config(f"{HEAD}    subgroups: [{{metric: recall, by: sex, max_difference: 0.1}}]\n", own=["recall"])
    assert metrics(found) == ["recall"]
    assert other_names(found) == {}


def test_editors_offer_them():
    shapes = json_schema()["$defs"]
    assert set(ALIASES) <= set(shapes["CheckSpec"]["properties"]["metric"]["examples"])
    assert shapes["WaiverSpec"]["properties"]["metric"]["type"] == "string"
