"""Where newcomers stumble: what the message says, in a few lines, with the remedy to write."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from fairness_checks import Predictions, audit
from fairness_checks.config.loading import parse_config
from fairness_checks.errors import ConfigurationError, FairnessError
from fairness_checks.findings.doubts import doubts

HEAD = "version: 1\nmodels:\n  m:\n    subgroups:\n"
CHECK = "      - {metric: FNR, by: sex, max_difference: 0.05}\n"
WAIVER = "waivers:\n  - {model: m, metric: FNR, by: sex, reason: known, approved_by: A, expires: 2027-01-01, %s}\n"
SEX = ["f", "m"] * 20


def labelled(**changes):
    """Return a table whose rows are labelled, as a table of patients is."""
    given = {"y": [0, 1] * 20, "p": [0.2, 0.7] * 20, "sex": SEX} | changes
    return pd.DataFrame(given, index=[f"P-{place:03d}" for place in range(40)])


def predictions(table, by="sex"):
    return Predictions(table["y"], y_score=table["p"], sensitive_features=table[[by]])


def configured(text):
    return parse_config(HEAD + text, "thresholds.yaml")


def message(ask):
    with pytest.raises(FairnessError) as error:
        ask()
    assert len(str(error.value).splitlines()) < 6
    return str(error.value)


def test_a_row_is_a_position_and_has_its_label_beside_it():
    scores = [0.2, 0.7] * 20
    scores[7] = np.nan
    said = message(lambda: predictions(labelled(p=scores)))
    assert "row 7 (by position, from 0)" in said
    assert said.endswith("row 7 is labelled 'P-007' in y_true")


def test_a_row_without_labels_is_a_position_alone():
    said = message(lambda: Predictions([0, 1, 2, 1], y_score=[0.1] * 4, sensitive_features={"sex": list("fmfm")}))
    assert "labelled" not in said


def test_missing_sensitive_values_say_what_to_write_and_where():
    sex = [*SEX]
    sex[3] = None
    found = predictions(labelled(sex=sex))
    said = message(lambda: audit(found, metric="FNR", by="sex", max_difference=0.1))
    assert "`defaults: {missing_sensitive: group}` in thresholds.yaml, or missing_sensitive='group' in Python" in said
    assert "row 3 (by position, from 0)" in said
    assert "row 3 is labelled 'P-003' in y_true" in said


def test_text_that_means_missing_says_what_to_write_and_where():
    sex = ["NA" if place == 5 else name for place, name in enumerate(SEX)]
    said = message(lambda: audit(predictions(labelled(sex=sex)), metric="FNR", by="sex", max_difference=0.1))
    assert "under `defaults:` of thresholds.yaml, or as an argument in Python: `missing_text: ['NA']`" in said


CUT = "cut it into bands: `table['age_band'] = pandas.cut(table['age'], [0, 40, 60, 75, 120])`, and check by age_band"
CUT += "; of a file under `source:`, `bins: {age: [40, 60, 75]}`"


def test_more_values_than_groups_can_be_compared_say_how_to_cut_them():
    ages = np.arange(1002) / 10
    table = pd.DataFrame({"y": [0, 1] * 501, "p": 0.5, "age": ages})
    assert CUT in message(lambda: predictions(table, "age"))


def test_as_many_values_as_samples_say_how_to_cut_them():
    table = pd.DataFrame({"y": [0, 1] * 60, "p": 0.5, "age": np.arange(120)})
    said = message(lambda: audit(predictions(table, "age"), metric="FNR", by="age", max_difference=0.1))
    assert CUT in said


@pytest.mark.parametrize(("groups", "noted"), [(80, True), (20, True), (19, False)])
def test_eighty_ages_are_noted_beside_verdicts(groups, noted):
    table = pd.DataFrame({"y": [0, 1] * 2000, "p": np.linspace(0.1, 0.9, 4000), "age": np.arange(4000) % groups})
    notes = [note for note in doubts(predictions(table, "age")) if CUT in note]
    assert notes == ([f"age has {groups} groups, each one number: {CUT}"] if noted else [])


def test_eighty_names_are_no_numbers():
    table = pd.DataFrame({"y": [0, 1] * 80, "p": 0.5, "site": [f"site {place % 40}" for place in range(160)]})
    assert not [note for note in doubts(predictions(table, "site")) if "cut it into bands" in note]


@pytest.mark.parametrize("key", ["limit", "threshold", "max", "tolerance"])
def test_a_limit_is_written_by_its_kind(key):
    said = message(lambda: configured(f"      - {{metric: FNR, by: sex, {key}: 0.05}}\n"))
    assert f"thresholds.yaml:5: models.m.subgroups[0].{key}: unknown key" in said
    assert "a limit is written by its kind, such as `max_difference: 0.05`" in said


def test_the_limit_of_a_waiver_is_a_kind():
    said = message(lambda: configured(CHECK + WAIVER % "limit: 0.05"))
    assert "waivers[0].limit: expected a kind of limit, such as `limit: max_difference`, and no number" in said


def test_a_waiver_of_nothing_shows_the_entry_to_write():
    from fairness_checks.config.loading import check_names

    (said,) = check_names(configured(CHECK + (WAIVER % "limit: min_ratio")))
    assert "thresholds.yaml:7: waivers[0]: names no check of m" in said
    assert "{model: m, check: subgroups, metric: false_negative_rate, by: [sex], limit: max_difference}" in said


def test_a_plan_without_a_prevalence_says_what_it_counts():
    from fairness_checks import plan_sample_size

    plan = plan_sample_size(metric="FNR", first_value=0.2, second_value=0.1, max_difference=0.05)
    assert "give positives= for the patients that takes" in str(plan)
    with pytest.raises(ConfigurationError, match="not asked for accuracy: every sample counts"):
        plan_sample_size(first_value=0.2, second_value=0.1, max_difference=0.05, positives=0.1)
