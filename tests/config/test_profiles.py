"""Profiles of thresholds.yaml: what a model has from one, where messages say it stands, and what is refused."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from fairness_checks.config.loading import check_names, load_config
from fairness_checks.errors import ConfigurationError

SHARED = {
    "subgroups": [
        {"metric": "false_negative_rate", "by": "sex", "max_difference": 0.05},
        {"metric": "accuracy", "by": ["sex", "age"], "min_value": 0.6, "absent": [["male", "old"]]},
    ],
    "uncertainty": [{"by": "sex", "max_mismatch": 0.1}],
    "regression": [{"metric": "accuracy", "by": "sex", "max_worsening": 0.02}],
    "sweep": {
        "by": "sex",
        "mixes": {"as_is": "as_is", "balanced": "oversample"},
        "checks": [{"metric": "accuracy", "gap": "each_mix", "max_difference": 0.1}],
    },
}
OWN = {
    "subgroups": [{"metric": "precision", "by": "sex", "min_ratio": 0.8}],
    "uncertainty": [{"by": "age", "max_mismatch": 0.2}],
    "regression": [{"metric": "precision", "by": "sex", "max_worsening": 0.02}],
    "sweep": {
        "by": "age",
        "mixes": {"as_is": "as_is"},
        "repeats": 7,
        "checks": [{"metric": "precision", "gap": "each_mix", "max_difference": 0.1}],
    },
}


@pytest.fixture
def load(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def loaded(text, models=None):
        (tmp_path / "thresholds.yaml").write_text(text, encoding="utf-8")
        return load_config(tmp_path / "thresholds.yaml", models)

    return loaded


def asked(config):
    return [(model.name, model.sweep, [entry.check for entry in model.checks]) for model in config.models]


def dumped(**keys):
    return json.dumps({"version": 1, **keys})  # which is YAML, without aliases


@pytest.mark.parametrize("section", [None, *SHARED])
def test_a_profile_is_what_it_stands_for(load, section):
    own = {section: OWN[section]} if section else {}
    written = {**SHARED, **own}
    if section not in (None, "sweep"):
        written[section] = [*SHARED[section], *OWN[section]]  # the profile's, and then the model's own
    short = load(dumped(profiles={"p": SHARED}, models={"a": {"profile": "p"}, "b": {"profile": "p", **own}}))
    assert asked(short) == asked(load(dumped(models={"a": SHARED, "b": written})))


FILE = """\
version: 1
models:
  a: {profile: cardiac}
  b:
    subgroups:
      - {metric: precision, by: sex, max_difference: 0.1}
    profile: cardiac
  c: {subgroups: [{metric: precision, by: sex, max_difference: 0.1}]}
profiles:
  cardiac:
    subgroups:
      - {metric: accuracy, by: sex, max_difference: 0.1}
      - {metric: accuracy, by: [sex, age], min_value: 0.5, absent: [[yes, 010]]}
    sweep:
      by: sex
      mixes: {as_is: as_is, balanced: oversample}
      checks:
        - {metric: accuracy, max_difference: 0.1}
"""


def test_every_check_has_the_line_on_which_it_stands(load):
    config = load(FILE.replace("010", '"010"'))
    assert [[entry.line for entry in model.checks] for model in config.models] == [[12, 13, 18], [12, 13, 6, 18], [8]]
    assert [model.line for model in config.models] == [3, 4, 8]
    assert config.models[1].checks[1].check.absent == (("yes", "010"),)  # as written, as everywhere


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "metric: accuracy, by: sex",
            "metric: acuracy, by: sex",
            "12: profiles.cardiac.subgroups[0].metric: 'acuracy' is not a metric; did you mean 'accuracy'?.* "
            r"\(used by a, b\)",
        ),
        (
            "by: sex, max_difference: 0.1}\n      - {metric: accuracy, by: [",
            "by: sex, max_difference: 1.5}\n      - {metric: accuracy, by: [",
            r"12: profiles.cardiac.subgroups[0].max_difference: 1.5 is impossible; .* \(used by a, b\)",
        ),
        ("- {metric: precision, by: sex", "- {metric: precision, bye: sex", "6: models.b.subgroups[0].bye: unknown"),
        (
            "- {metric: precision, by",
            "- {metric: accuracy, by",
            "6: models.b.subgroups[0]: asks the same as profiles.cardiac.subgroups[0] on line 12",
        ),
        (
            "balanced: oversample",
            "balanced: oversmple",
            r"16: profiles.cardiac.sweep.mixes.balanced: .*oversample.* \(used by a, b\)",
        ),
        ("010", "010 ", "13: profiles.cardiac.subgroups[1].absent[0][1]: YAML reads 010 as 8"),
        ("  cardiac:", "  cardaic:", "3: models.a.profile: there is no profile 'cardiac'; did you mean 'cardaic'?"),
        ("    profile: cardiac", "    profile: [cardiac]", "7: models.b.profile: expected text; found a list"),
        ("    profile: cardiac", "    profile:", "7: models.b.profile: expected text; found nothing"),
        ("    sweep:\n", "    swep:\n", "14: profiles.cardiac.swep: unknown key; did you mean 'sweep'?"),
        ("  cardiac:\n", "  spare: {uncertainty: [{by: sex, max_mismatch: 0.1}]}\n  cardiac:\n",
         "10: profiles.spare: no model uses this profile; write `profile: spare` under one, or remove it"),
        ("  cardiac:\n", "  spare:\n  cardiac:\n", "10: profiles.spare: expected a mapping of keys to values"),
        ("  cardiac:\n", "  empty: {}\n  cardiac:\n", "10: profiles.empty: holds no check"),
        ("profiles:\n", "profiles: [cardiac]\nother:\n", "9: profiles: expected a mapping of keys to values; found a"),
        ("    profile: cardiac", "    profile: cardiac\n    sweep:", "8: models.b.sweep: nothing is written here"),
        ("    profile: cardiac", "    profile: &x cardiac", "7: anchor '&x' is not supported"),
    ],
)  # fmt: skip
def test_a_problem_is_said_once_where_it_stands(load, old, new, expected):
    text = FILE.replace(", absent: [[yes, 010]]", "") if "010" not in old else FILE
    assert old in text
    with pytest.raises(ConfigurationError) as caught:
        load(text.replace(old, new, 1))
    pattern = re.compile("thresholds.yaml:" + expected.replace("[", r"\[").replace("?", r"\?"))
    assert len([line for line in str(caught.value).splitlines() if pattern.match(line)]) == 1, str(caught.value)


def test_names_that_only_the_models_know_are_looked_for_in_profiles_too(load):
    config = load(FILE.replace(", absent: [[yes, 010]]", ""))
    known = {"a": ("sex", "age"), "b": ("sexe",), "c": None}
    lines = check_names(config, known)
    assert [line.split(": ")[:2] for line in lines] == [
        ["thresholds.yaml:6", "models.b.subgroups[0].by"],
        ["thresholds.yaml:12", "profiles.cardiac.subgroups[0].by"],
        *[["thresholds.yaml:13", "profiles.cardiac.subgroups[1].by"]] * 2,
        ["thresholds.yaml:15", "profiles.cardiac.sweep.by"],
    ]
    assert all(line.endswith("(used by b)") for line in lines[1:])


def test_this_repositorys_file_names_its_limits_once():
    path = Path(__file__).parents[2] / "thresholds.yaml"
    models = {model.name: model for model in load_config(path).models}
    assert len(models) == 7
    assert sum(len(model.checks) for model in models.values()) == 67
    lines = {entry.line for model in models.values() for entry in model.checks}
    assert len(lines) == 31


def test_profiles_cannot_grow_past_what_can_be_judged(load):
    many = [{"metric": "accuracy", "by": f"f{i}", "max_difference": 0.1} for i in range(200)]
    text = dumped(profiles={"p": {"subgroups": many}}, models={f"m{i}": {"profile": "p"} for i in range(101)})
    with pytest.raises(ConfigurationError, match=r"profiles: the profiles give the models 20200 checks; at most 20000"):
        load(text)
