"""`source:` in thresholds.yaml: read as it is written, and each mistake one line with its place."""

from __future__ import annotations

from pathlib import Path

import jsonschema
import pytest
import yaml

from fairness_checks.config.export import expanded_yaml, json_schema, limits_yaml
from fairness_checks.config.loading import check_names, load_config, parse_config
from fairness_checks.errors import ConfigurationError
from fairness_checks.inputs.source import Source

CHECK = "    subgroups: [{metric: accuracy, by: sex, min_value: 0.5}]\n"
SOURCE = "{file: p.csv, y_true: died, y_score: risk}"


def text(source, rest=CHECK):
    return f"version: 1\nmodels:\n  m:\n    source: {source}\n{rest}"


def problems(content):
    with pytest.raises(ConfigurationError) as caught:
        parse_config(content, "t.yaml")
    return str(caught.value).splitlines()


def test_a_source_is_read_as_it_is_written():
    given = (
        "{file: data/p.csv, y_true: died, y_score: risk, by: sex, cluster: patient, sample_id: visit, positive: yes, "
        "threshold: 0.3, bins: {age: [40, 65.5]}, groups: people.csv}"
    )
    config = parse_config(text(given), "t.yaml")
    assert config.models[0].source == Source(
        file="data/p.csv",
        y_true="died",
        y_score="risk",
        by=("sex",),
        cluster="patient",
        sample_id="visit",
        positive="yes",  # where YAML says True
        threshold=0.3,
        bins={"age": (40, 65.5)},
        groups="people.csv",
    )
    assert parse_config(text(SOURCE.replace("risk", "risk, positive: 1")), "t.yaml").models[0].source.positive == "1"
    assert parse_config(text("{file: p.parquet, layout: meds}"), "t.yaml").models[0].source.layout == "meds"


def test_the_features_of_a_model_are_those_of_its_checks():
    rest = (
        "    subgroups:\n"
        "      - {metric: accuracy, by: [sex, ward], min_value: 0.5}\n"
        "      - {metric: accuracy, by: race, control_features: age, max_difference: 0.5}\n"
        "    uncertainty: [{by: sex, max_mismatch: 0.1}]\n"
    )
    (model,) = parse_config(text(SOURCE, rest), "t.yaml").models
    assert model.features == ("sex", "ward", "age", "race")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("", ": nothing is written here; write a value, or remove the key"),
        ("p.csv", ": expected a mapping of keys to values; found the text 'p.csv'"),
        ("{y_true: a, y_pred: b}", ".file: is missing; write for example `file: predictions.csv`"),
        ("{file: 1, layout: meds}", '.file: expected text; found the number 1; if that is a name, write "1"'),
        ("{file: p.csv, y_tru: a, error: b}", ".y_tru: unknown key; did you mean 'y_true'? (allowed: accepted, bins, "),
        ("{file: p.csv, layout: med}", ".layout: 'med' is not known; did you mean 'meds'? (allowed: meds)"),
        ("{file: p.csv, error: e, by: []}", ".by: names no sensitive feature; write one, or a list of them"),
        ("{file: p.csv, y_true: a}", ".y_true: is compared with nothing; name the column of y_pred, y_score or error"),
        ("{file: p.csv}", ".y_true: is missing; name the column of what happened, or that of the error of each sample"),
        ("{file: p.csv, y_true: a, y_pred: b, threshold: 0.3}", ".threshold: stands beside y_pred, which are the "),
        ("{file: p.csv, y_true: a, y_score: b, threshold: 5}", ".threshold: 5 is outside [0, 1], where probabilities"),
        ("{file: p.csv, y_true: a, y_pred: b, positive: [1]}", ".positive: expected one class as the file has it"),
        ("{file: p.csv, error: e, bins: {age: [65, 40]}}", ".bins: age: write rising numbers at which bands begin"),
        ("{file: p.csv, error: e, collect: true}", ".collect: is for Parquet and `python:`; rows of other files come"),
        ("{file: p.arrow, error: e, collect: true}", ".collect: is for Parquet and `python:`; rows of other files"),
        ("{file: p.parquet, y_true: y, y_pred: s >= 5, collect: true}", ".y_pred: is a rule, which is not read beside"),
        ("{file: p.parquet, error: e, collect: 1}", ".collect: expected true or false; found the number 1"),
        ("{file: p.parquet, error: e, sample_id: i, accepted: o.parquet, collect: true}", ".collect: stands besid"),
        ("{file: p.csv, error: e, groups: g.csv}", ".groups: has a row for each cluster; name the column that both"),
    ],
)  # fmt: skip
def test_each_mistake_is_one_line_with_its_place(source, message):
    (found,) = problems(text(source))
    assert found.startswith(f"t.yaml:4: models.m.source{message}")


def test_a_file_cannot_be_trained_again():
    sweep = "    sweep: {by: sex, mixes: {a: as_is}, checks: [{metric: accuracy, max_difference: 0.1}]}\n"
    (found,) = problems(text(SOURCE, sweep))
    assert found == (
        "t.yaml:5: models.m.sweep: a file of predictions cannot be trained again; remove the sweep, or give a fixture "
        "that can"
    )


def test_a_source_of_a_profile_is_an_unknown_key():
    shared = f"profiles:\n  p:\n    source: {SOURCE}\n" + CHECK
    (found,) = problems(f"version: 1\n{shared}models:\n  m: {{profile: p}}\n")
    assert found.startswith("t.yaml:4: profiles.p.source: unknown key; ")


def test_a_source_without_a_check_asks_nothing():
    (found,) = problems(text(SOURCE, ""))
    assert found.startswith("t.yaml:3: models.m: names no check; write for example `subgroups: ")


@pytest.mark.parametrize(
    ("models", "message"),
    [
        ({}, None),
        ({"other": None}, None),
        ({"m": None}, "t.yaml:4: models.m.source: a fixture 'm' decorated with @fairness_model is there, too; keep one "
         "of them"),
    ],
)  # fmt: skip
def test_a_model_of_a_file_needs_no_fixture_and_must_have_none(models, message):
    assert check_names(parse_config(text(SOURCE), "t.yaml"), models) == ([] if message is None else [message])


def test_a_misspelt_fixture_beside_a_source_is_found_with_the_names_there_are():
    config = parse_config(text(SOURCE) + "  n:\n" + CHECK, "t.yaml")
    (found,) = check_names(config, {"nn": None})
    assert found.startswith("t.yaml:6: models.n: no model of this name was found; did you mean 'nn'? (allowed: m, nn)")


def test_editors_know_the_key_and_an_expanded_file_keeps_it():
    schema = json_schema()
    good, bad = (yaml.safe_load(text(each)) for each in (SOURCE, SOURCE.replace("risk", "risk, y_scor: b")))
    jsonschema.validate(good, schema)
    with pytest.raises(jsonschema.ValidationError, match="y_scor"):
        jsonschema.validate(bad, schema)
    config = parse_config(text(SOURCE.replace("risk", "risk, positive: yes, bins: {age: [40]}")), "t.yaml")
    again = parse_config(expanded_yaml(config.document), "t.yaml")
    assert again.models[0].source == config.models[0].source


def test_what_is_written_as_a_file_of_limits_is_read_back(tmp_path):
    check = {"metric": "accuracy", "by": ["sex", "a: b"], "min_value": 1e-5}
    source = {"file": "yes", "y_true": "off", "y_pred": "010", "positive": "no", "bins": {"age": [40.0, 65.0]}}
    data = {
        "version": 1,
        "defaults": {"alpha": 0.01},
        "models": {"2027": {"source": source, "subgroups": [check, check]}},
    }
    data["models"]["2027"]["subgroups"][1] = check | {"by": check["by"][:1]}
    (tmp_path / "t.yaml").write_text(limits_yaml(data), encoding="utf-8")
    config = load_config(Path(tmp_path / "t.yaml"))
    (model,) = config.models
    assert (model.name, config.settings.alpha, model.checks[0].check.limit) == ("2027", 0.01, 1e-5)
    assert model.checks[0].check.by == ("sex", "a: b")
    assert model.source == Source(file="yes", y_true="off", y_pred="010", positive="no", bins={"age": (40.0, 65.0)})
