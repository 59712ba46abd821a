from __future__ import annotations

import re

import pytest

from fairness_checks.config.loading import load_config
from fairness_checks.errors import ConfigurationError


@pytest.fixture
def problems(tmp_path, monkeypatch):
    """Write a file and return the lines of its error."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "thresholds.yaml"

    def lines(text):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(ConfigurationError) as caught:
            load_config(path)
        return str(caught.value).splitlines()

    return lines


HEAD = "version: 1\nmodels: {}\n"
UNSUPPORTED = "is not supported by this version of fairness_checks"
A_CHECK = "{metric: accuracy, by: sex, min_value: 0.5}"
A_GAP = "{metric: accuracy, max_difference: 0.1}"
NO_MAPPING = "expected a mapping of keys to values"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("models: {}\n", "1: version: is missing; write for example `version: 1`"),
        ("version: 2\nmodels: {}\n", f"1: version: 2 {UNSUPPORTED}; allowed: 1"),
        (
            "version: true\nmodels: {}\n",
            "1: version: expected a whole number; found the boolean true (written true)",
        ),
        ("version: 1.0\nmodels: {}\n", "1: version: expected a whole number; found the number 1.0"),
        (
            "version: '1'\nmodels: {}\n",
            "1: version: expected a whole number; found the text '1'; remove the quotes",
        ),
        (
            "version: 1\n",
            "1: models: is missing; write for example `models: {my_model: {subgroups: [{metric: ",
        ),
        ("version: 1\nmodels:\n", f"2: models: {NO_MAPPING}; found nothing"),
        ("version: 1\nmodels: [m]\n", f"2: models: {NO_MAPPING}; found a list"),
        ("- a\n- b\n", f"1: {NO_MAPPING}; found a list"),
        ("just text\n", f"1: {NO_MAPPING}; found the text 'just text'"),
        (
            HEAD + "modles: {}\n",
            "3: modles: unknown key; did you mean 'models'? (allowed: defaults, models, ",
        ),
        (HEAD + "seed: 1\nseed: 2\n", "4: seed: this key stands here twice (first on line 3); keep one"),
        (HEAD + "seed: -1\n", "3: seed: expected a number of at least 0; found the number -1"),
        (HEAD + "seed: 1.5\n", "3: seed: expected a whole number; found the number 1.5"),
        (HEAD + "seed: 1e3\n", "3: seed: expected a whole number; found the text '1e3'; write 1000"),
        (HEAD + "seed: 010\n", "3: seed: YAML reads 010 as 8; write it plainly, or quote it if it is text"),
        (HEAD + "seed:\n", "3: seed: expected a whole number; found nothing"),
        (HEAD + "defaults:\n", f"3: defaults: {NO_MAPPING}; found nothing"),
        (HEAD + "waivers:\n", "3: waivers: expected a list; found nothing"),
        (HEAD + "waivers: {}\n", "3: waivers: expected a list; found a mapping"),
        (HEAD + "test_data: extern\n", "3: test_data: 'extern' is not known; did you mean 'external'?"),
        (HEAD + "suppress_below: 1\n", "3: suppress_below: 1 hides no group; write the fewest samples"),
        (HEAD + "suppress_below: 11.0\n", "3: suppress_below: "),
        (HEAD + "suppress_below: true\n", "3: suppress_below: "),
        (HEAD + "suppress_below:\n", "3: suppress_below: nothing is written here; write a number of samples such as"),
        (HEAD + "test_data:\n", "3: test_data: nothing is written here; write a value, or remove the key"),
        (
            HEAD + "responsible: {name: A. B.}\n",
            "3: responsible.role: is missing; write for example `role: medical lead`",
        ),
        (HEAD + "responsible: {name: ' ', role: x}\n", "3: responsible.name: is empty; an auditor reads this"),
    ],
)
def test_one_problem_of_the_file(problems, text, expected):
    (found,) = problems(text)
    assert found.startswith(f"thresholds.yaml:{expected}")


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("alpha: 1e-3", "alpha: expected a number; found the text '1e-3'; write 0.001 or 1.0e-3"),
        ("alpha: '0.1'", "alpha: expected a number; found the text '0.1'; remove the quotes"),
        ("alpha: 5%", "alpha: expected a number; found the text '5%'"),
        ("alpha: yes", "alpha: expected a number; found the boolean true (written yes)"),
        ("alpha: .nan", "alpha: expected a finite number; found the number .nan"),
        ("alpha: 2027-01-01", "alpha: expected a number; found the day 2027-01-01"),
        ("alpha: [0.1]", "alpha: expected a number; found a list"),
        ("alpha: 0", "alpha: 0 is outside (0, 0.5)"),
        ("alpha: 1.0e-7", "alpha: 1e-07 is below 1e-06: hardly any violation could be proved at it"),
        ("alpha: 0.5", "alpha: 0.5 is outside (0, 0.5)"),
        (
            "alfa: 0.1",
            "alfa: unknown key; did you mean 'alpha'? "
            "(allowed: alpha, burden_of_proof, correction, min_group_size, missing_sensitive, missing_text)",
        ),
        ("off: 1", "off: the key 'off' is a boolean to YAML, not text; write \"off\""),
        ("min_group_size: 0", "min_group_size: 0 must be at least 1"),
        ("min_group_size: 9.5", "min_group_size: expected a whole number; found the number 9.5"),
        ("correction: sidak", "correction: 'sidak' is not known; allowed: benjamini_hochberg, holm, none"),
        (
            "correction: null",
            "correction: expected one of 'holm', 'benjamini_hochberg' or 'none'; found nothing",
        ),
        (
            "burden_of_proof: complience",
            "burden_of_proof: 'complience' is not known; did you mean 'compliance'?",
        ),
        (
            "missing_sensitive: drop",
            "missing_sensitive: 'drop' is not known; did you mean 'group'? (allowed: error, group)",
        ),
    ],
)
def test_one_problem_of_the_defaults(problems, entry, expected):
    found = problems(f"{HEAD}defaults:\n  {entry}\n")
    assert found[0].startswith(f"thresholds.yaml:4: defaults.{expected}")
    # "off" is a surprise of YAML and, were it text, no key either: both are said
    assert len(found) == (2 if entry == "off: 1" else 1)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", f": {NO_MAPPING}; found nothing"),
        (
            "{}",
            ": names no check; write for example `subgroups: [{metric: false_negative_rate, by: sex",
        ),
        (
            "{subgrups: []}",
            ".subgrups: unknown key; did you mean 'subgroups'? (allowed: profile, regression, source, subgroups, ",
        ),
        ("{subgroups: []}", ".subgroups: names no check; write for example `subgroups: ["),
        ("{subgroups: {}}", ".subgroups: expected a list; found a mapping"),
        (
            f"{{subgroups: [{A_CHECK}], xyz: 1}}",
            ".xyz: unknown key; allowed: profile, regression, source, subgroups, sweep, uncertainty",
        ),
        (
            f"{{subgroups: [{A_CHECK}], uncertainty: []}}",
            ".uncertainty: names no check; write for example `uncertainty: [{by: sex, max_mismatch: 0.10}]`",
        ),
        ("{uncertainty: [{by: sex}]}", ".uncertainty[0].max_mismatch: is missing; write for example"),
        (
            "{uncertainty: [{by: sex, max_mismatch: 1.0}]}",
            ".uncertainty[0].max_mismatch: 1 is impossible; allowed: 0 <= max_mismatch < 1",
        ),
        (
            "{uncertainty: [{by: sex, max_mismatch: 0.1}, {by: [sex], max_mismatch: 0.2}]}",
            ".uncertainty[1]: asks the same as models.m.uncertainty[0] on line 3",
        ),
        ("{uncertainty: [{by: sex, max_mismatch: 0.1, max_value: 0.1}]}", ".uncertainty[0].max_value: unknown key"),
        (
            "{subgroups: [{metric: uncertainty_mismatch, by: sex, max_difference: 0.1}]}",
            ".subgroups[0].metric: 'uncertainty_mismatch' is asked under `uncertainty:",
        ),
        (
            "{subgroups: [{metric: mean_error, by: sex, max_difference: -1}]}",
            ".subgroups[0].max_difference: -1 is impossible; allowed: 0 <= max_difference",
        ),
        (
            "{subgroups: [{metric: accuracy, by: sex, control_features: sex, max_value: 0.1}]}",
            ".subgroups[0].control_features: 'sex' stands under `by` too",
        ),
        (
            "{subgroups: [{metric: accuracy, by: sex, strata: combined, max_value: 0.1}]}",
            ".subgroups[0].strata: has no control_features to make strata of",
        ),
        (
            "{subgroups: [{metric: accuracy, by: sex, control_features: [ward], strata: combined, min_ratio: 0.8}]}",
            ".subgroups[0].strata: combined is available for differences and values of rates, means and AUCs",
        ),
        (
            f"{{subgroups: [{A_CHECK}], regression: []}}",
            ".regression: names no check; write for example `regression: [{metric: false_negative_rate, by: sex, max",
        ),
        ("{regression: [{metric: accuracy, by: sex}]}", ".regression[0].max_worsening: is missing; write for example"),
        (
            "{regression: [{metric: accuracy, by: sex, max_worsening: 1.0}]}",
            ".regression[0].max_worsening: 1 is impossible; allowed: 0 <= max_worsening < 1",
        ),
        (
            "{regression: [{metric: selection_rate, by: sex, max_worsening: 0.1, of: worst_group}]}",
            ".regression[0].max_worsening: there is no limit for selection_rate and of: worst_group: neither direction",
        ),
        (
            "{sweep: {by: sex, mixes: {as_is: as_is}, "
            "checks: [{metric: expected_calibration_error, max_difference: 0.1}]}}",
            ".sweep.checks[0].max_difference: there is no limit for expected_calibration_error and gap: each_mix: in",
        ),
        (
            "{regression: [{metric: expected_calibration_error, by: sex, max_worsening: 0.1}]}",
            ".regression[0].max_worsening: there is no limit for expected_calibration_error and of: disparity",
        ),
        (
            "{regression: [{metric: accuracy, by: sex, max_worsening: 0.1, of: each_group, ratchet: true}]}",
            ".regression[0].ratchet: holds one value, so that it goes with `of: disparity`",
        ),
        (
            "{regression: [{metric: accuracy, by: sex, max_worsening: 0.1, of: worst}]}",
            ".regression[0].of: 'worst' is not known; did you mean 'worst_group'?",
        ),
        (
            "{regression: [{metric: accuracy, by: sex, max_worsening: 0.1}, "
            "{metric: accuracy, by: sex, max_worsening: 0.1, of: disparity}]}",
            ".regression[1]: asks the same as models.m.regression[0] on line 3",
        ),
        (
            f"{{sweep: {{by: sex, mixes: {{a: as_is, b: oversampel}}, checks: [{A_GAP}]}}}}",
            ".sweep.mixes.b: 'oversampel'; did you mean 'oversample'",
        ),
        (
            f"{{sweep: {{by: sex, mixes: {{a: {{f: 0.5, m: 0.6}}}}, checks: [{A_GAP}]}}}}",
            ".sweep.mixes.a: shares add up to 1.1, not to 1",
        ),
        (
            f"{{sweep: {{by: sex, mixes: {{a: as_is}}, test: 1.5, checks: [{A_GAP}]}}}}",
            ".sweep.test: 1.5 must be a fraction",
        ),
        (
            f"{{sweep: {{by: sex, mixes: {{a: as_is}}, repeats: 2, checks: [{A_GAP}]}}}}",
            ".sweep.repeats: expected a number of",
        ),
        ("{sweep: {by: sex, mixes: {a: as_is}, checks: []}}", ".sweep.checks: names no check"),
        (
            "{sweep: {by: sex, mixes: {a: as_is}, "
            "checks: [{metric: accuracy, gap: equal_representation, max_difference: 0}]}}",
            ".sweep.checks[0].gap: no mix gives all groups the same share",
        ),
        (
            "{sweep: {by: sex, mixes: {a: as_is}, checks: [{metric: accuracy, gap: dependence, max_slope: 0.1}]}}",
            ".sweep.checks[0].gap: the dependence on a group's share needs two mixes or more",
        ),
        (
            "{sweep: {by: sex, mixes: {b: oversample}, checks: [{metric: accuracy, gap: change, min_reduction: 0}]}}",
            ".sweep.checks[0].gap: change is judged against the data as they are; add the mix `as_is: as_is`",
        ),
        (
            "{sweep: {by: sex, mixes: {a: as_is}, checks: [{metric: accuracy, gap: change, min_reduction: 0}]}}",
            ".sweep.checks[0].gap: change needs a mix beside as_is; add for example `equal: oversample`",
        ),
        (
            "{sweep: {by: sex, mixes: {a: as_is, equal: oversample}, "
            "checks: [{metric: accuracy, gap: change, mix: eqal, min_reduction: 0}]}}",
            ".sweep.checks[0].mix: 'eqal' is no mix to compare with a; did you mean 'equal'?",
        ),
        (
            "{sweep: {by: sex, mixes: {a: as_is, equal: oversample}, "
            "checks: [{metric: accuracy, mix: equal, max_difference: 0.1}]}}",
            ".sweep.checks[0].mix: only a check with `gap: change` is of one mix; remove it",
        ),
        (
            "{sweep: {by: sex, mixes: {a: as_is, equal: oversample}, "
            "checks: [{metric: accuracy, gap: change, min_reduction: 1.5}]}}",
            ".sweep.checks[0].min_reduction: 1.5 is impossible; allowed: -1 < min_reduction < 1",
        ),
        (
            "{sweep: {by: sex, mixes: {a: as_is, equal: oversample}, "
            "checks: [{metric: uncertainty_mismatch, gap: change, min_reduction: 0}]}}",
            ".sweep.checks[0].min_reduction: there is no limit for uncertainty_mismatch and gap: change: which group "
            "has the higher errors differs between mixes, and with it what is compared; use gap: each_mix or gap: "
            "equal_representation, with max_mismatch",
        ),
        (
            "{sweep: {by: sex, mixes: {a: as_is, b: oversample}, "
            "checks: [{metric: accuracy, gap: dependence, max_difference: 0.1}]}}",
            ".sweep.checks[0].max_difference: max_difference is not available for accuracy and gap: dependence"
            "; allowed: max_slope",
        ),
        (
            "{sweep: {by: sex, mixes: {a: as_is}, checks: [{metric: equalized_odds, max_difference: 0.1}]}}",
            ".sweep.checks[0].max_difference: there is no limit for equalized_odds and gap: each_mix"
            "; check true_positive_rate",
        ),
        (
            f"{{sweep: {{by: sex, mixes: {{a: as_is}}, checks: [{A_GAP}, {A_GAP}]}}}}",
            ".sweep.checks[1]: asks the same as models.m.sweep.checks[0] on line 3",
        ),
        (
            f"{{subgroups: [{A_CHECK}, {A_CHECK}]}}",
            ".subgroups[1]: asks the same as models.m.subgroups[0] on line 3",
        ),
    ],
)
def test_one_problem_of_a_model(problems, content, expected):
    (found,) = problems(f"version: 1\nmodels:\n  m: {content}\n")
    assert found.startswith(f"thresholds.yaml:3: models.m{expected}")


ONE_LIMIT = "max_difference, min_ratio, max_value, min_value"


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("accuracy", f": {NO_MAPPING}; found the text 'accuracy'"),
        (
            "{metric: false_negative_rat, by: a, max_value: 0.1}",
            ".metric: 'false_negative_rat' is not a metric; did you mean 'false_negative_rate'? (allowed: ",
        ),
        ("{metric: 1, by: a, max_value: 0.1}", ".metric: expected text; found the number 1"),
        ("{by: a, max_value: 0.1}", ".metric: is missing; write for example `metric: false_negative_rate`"),
        ("{metric: accuracy, max_value: 0.1}", ".by: is missing; write for example `by: sex`"),
        ("{metric: accuracy, by: a}", f": has no limit; write exactly one of {ONE_LIMIT}"),
        (
            "{metric: accuracy, by: a, max_value: 0.3, min_value: 0.1}",
            ": has 2 limits (max_value, min_value); keep one, or write one check for each",
        ),
        (
            "{metric: accuracy, by: a, max_vale: 0.3}",
            ".max_vale: unknown key; did you mean 'max_value'? (allowed: absent, by, ",
        ),
        (
            "{metric: accuracy, by: a, max_difference: 1}",
            ".max_difference: 1 is impossible; allowed: 0 <= max_difference < 1",
        ),
        (
            "{metric: accuracy, by: a, min_ratio: 0.0}",
            ".min_ratio: 0 is impossible; allowed: 0 < min_ratio <= 1",
        ),
        (
            "{metric: accuracy, by: a, max_value: -0.1}",
            ".max_value: -0.1 is impossible; allowed: 0 <= max_value < 1",
        ),
        (
            "{metric: accuracy, by: a, min_value: 80}",
            ".min_value: 80 is impossible; allowed: 0 < min_value <= 1; 80 in 100 is 0.8",
        ),
        (
            "{metric: accuracy, by: a, min_value: .inf}",
            ".min_value: expected a finite number; found the number .inf",
        ),
        (
            "{metric: accuracy, by: a, min_value: on}",
            ".min_value: expected a number; found the boolean true (written on)",
        ),
        ("{metric: accuracy, by: a, min_value: }", ".min_value: expected a number; found nothing"),
        (
            "{metric: accuracy, by: [], min_value: 0.1}",
            ".by: names no sensitive feature; write one, or a list",
        ),
        ("{metric: accuracy, by: '', min_value: 0.1}", ".by: holds an empty name; write the name of a "),
        (
            "{metric: accuracy, by: [a, b, a], min_value: 0.1}",
            ".by: 'a' stands here twice; name each feature once",
        ),
        (
            "{metric: accuracy, by: no, min_value: 0.1}",
            ".by: expected a feature's name or a list of names; found the boolean false (written no); "
            'if that is a name, write "no"',
        ),
        (
            "{metric: accuracy, by: [a, 5], min_value: 0.1}",
            '.by[1]: expected text; found the number 5; if that is a name, write "5"',
        ),
    ],
)
def test_one_problem_of_a_check(problems, entry, expected):
    (found,) = problems(f"version: 1\nmodels:\n  m:\n    subgroups:\n    - {entry}\n")
    assert found.startswith(f"thresholds.yaml:5: models.m.subgroups[0]{expected}")


@pytest.mark.parametrize(("first", "second"), [("sex", "[sex]"), ("[sex, age]", "[age, sex]")])
def test_the_same_groups_are_asked_twice(problems, first, second):
    entries = [f"{{metric: accuracy, by: {by}, min_value: {limit}}}" for by, limit in ((first, 0.1), (second, 0.2))]
    (found,) = problems(f"version: 1\nmodels:\n  m:\n    subgroups:\n    - {entries[0]}\n    - {entries[1]}\n")
    again = "asks the same as models.m.subgroups[0] on line 5 (same metric, features, limit); keep one"
    assert found == f"thresholds.yaml:6: models.m.subgroups[1]: {again}"


GOOD_WAIVER = {
    "model": "m",
    "metric": "accuracy",
    "by": "sex",
    "reason": "why",
    "approved_by": "who",
    "expires": "2027-06-30",
}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"reason": "' '"}, "reason: is empty; an auditor reads this"),
        ({"approved_by": "''"}, "approved_by: is empty; an auditor reads this"),
        ({"reason": '"."'}, "reason: '.' has no letter and no digit; an auditor reads this"),
        ({"approved_by": "'todo: name'"}, "approved_by: 'todo: name' is yet to be filled in; an auditor reads this"),
        ({"reason": r'"\u200b"'}, r"reason: '\u200b' has no letter and no digit"),
        (
            {"approved_by": "yes"},
            "approved_by: expected text; found the boolean true (written yes); if that is a name",
        ),
        ({"reason": None}, 'reason: is missing; write for example `reason: "why this is accepted"`'),
        ({"approved_by": None}, "approved_by: is missing; write for example"),
        ({"expires": None}, "expires: is missing; write for example `expires: 2027-06-30`"),
        ({"model": None}, "model: is missing; write for example `model: my_model`"),
        ({"metric": "acuracy"}, "metric: 'acuracy' is not a metric; did you mean 'accuracy'?"),
        ({"metric": "fall_out"}, "metric: 'fall_out' is not a metric; did you mean 'false_positive_rate'?"),
        ({"metric": "f1_score"}, "metric: 'f1_score' is not a metric; nearest in meaning: precision and true_posit"),
        ({"by": "[]"}, "by: names no sensitive feature; "),
        (
            {"expires": "'2027-06-30'"},
            "expires: expected a day such as 2027-06-30; found the text '2027-06-30'; remove",
        ),
        ({"expires": "2027-02-30"}, "expires: '2027-02-30' looks like a date to YAML but is none; "),
        ({"expires": "30.6.2027"}, "expires: expected a day such as 2027-06-30; found the text '30.6.2027'"),
        (
            {"expires": "2027-06-30 10:00:00"},
            "expires: expected a day such as 2027-06-30; found the moment 2027-06-30 10:00:00",
        ),
        ({"expires": "never"}, "expires: expected a day such as 2027-06-30; found the text 'never'"),
        ({"limit": "min_rato"}, "limit: 'min_rato' is not known; did you mean 'min_ratio'?"),
        *(
            ({key: "null"}, f"{key}: nothing is written here; write a value, or remove the key to waive whatever")
            for key in ("limit", "strata", "gap", "of")
        ),
        ({"strata": "combine"}, "strata: 'combine' is not known; did you mean 'combined'?"),
        ({"check": "regresion"}, "check: 'regresion' is not a section of a model; did you mean 'regression'?"),
        ({"check": "subgroup"}, "check: 'subgroup' is not a section of a model; did you mean 'subgroups'?"),
        ({"expiry": "2027-06-30"}, "expiry: unknown key; did you mean 'expires'?"),
    ],
)
def test_one_problem_of_a_waiver(problems, changes, expected):
    entry = {key: value for key, value in (GOOD_WAIVER | changes).items() if value is not None}
    written = ", ".join(f"{key}: {value}" for key, value in entry.items())
    found = problems(f"{HEAD}waivers:\n  - {{{written}}}\n")
    assert len(found) == 1
    assert found[0].startswith(f"thresholds.yaml:4: waivers[0].{expected}")


def test_all_problems_at_once_in_the_order_of_the_file(problems):
    text = """\
seed: 1e3
seed: 4
defaults:
  alpha: &a 1e-3
  corection: holm
models:
  m:
    subgroups:
      - {metric: accurcy, by: [sex, sex], max_difference: 2, max_value: 0.1}
      - {metric: accuracy, by: off, min_value: .nan}
      - {metric: precision, by: [sex, age], min_value: 0.5}
      - {metric: precision, by: [age, sex], min_value: 0.6}
    sweep: {by: sex, mixes: {a: b}}
  m: {}
waivers:
  - {model: m, metric: precision, by: sex, reason: " ", expires: 2027-06-31, limit: *a}
"""
    places = [re.match(r"thresholds\.yaml:(\d+): ([\w\[\].]+):? ", line).groups() for line in problems(text)]
    check = "models.m.subgroups"
    assert places == [
        ("1", "version"),
        ("1", "seed"),
        ("2", "seed"),
        ("4", "anchor"),
        ("4", "defaults.alpha"),
        ("5", "defaults.corection"),
        ("9", f"{check}[0].metric"),
        ("9", f"{check}[0].by"),
        ("9", f"{check}[0]"),
        ("10", f"{check}[1].by"),
        ("10", f"{check}[1].min_value"),
        ("12", f"{check}[3]"),
        ("13", "models.m.sweep.checks"),
        ("13", "models.m.sweep.mixes.a"),
        ("14", "models.m"),
        ("16", "waivers[0].expires"),
        ("16", "waivers[0].limit"),
        ("16", "waivers[0].reason"),
        ("16", "waivers[0].approved_by"),
    ]


def test_thousands_of_problems_do_not_flood_the_terminal(problems):
    found = problems(HEAD + "".join(f"key{i}: 1\n" for i in range(250)))
    assert len(found) == 101
    assert found[-1] == "... and 150 more problems"
