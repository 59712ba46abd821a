"""`fairness-checks schema`: what it prints, and with which exit code."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml

from fairness_checks.cli.main import main
from fairness_checks.config.export import json_schema
from fairness_checks.config.loading import load_config
from fairness_checks.question.limits import LIMITS
from fairness_checks.question.metrics import Metric

ROOT = Path(__file__).parents[2]
FILES = [ROOT / "thresholds.yaml", ROOT / "models" / "studies" / "cardiac_thresholds.yaml"]
PROFILES = """\
version: 1
defaults: {missing_text: "NA"}
profiles:
  p:
    subgroups:
      - {metric: accuracy, by: [sex, pregnant], min_value: 1.0e-1, absent: [[male, yes], ["07", 1]]}
      - {metric: missed, by: "sex", max_difference: 0.10, control_features: ward, strata: combined}
    sweep:
      by: sex
      mixes: {"off": as_is, B: {shares: {female: 0.5, male: 0.5}, replace: true}}
      checks: [{metric: roc_auc, max_difference: 0.1}]
models:
  a: {profile: p}
  "2": {profile: p, uncertainty: [{by: sex, max_mismatch: 0.1}], sweep: {by: age, mixes: {x: as_is, y: oversample},
    checks: [{metric: accuracy, gap: change, min_reduction: -0.1}]}}
unchecked: {old: "retired: in May"}
waivers:
  - {model: a, metric: accuracy, by: [sex, pregnant], reason: "Größe", approved_by: A, expires: 2027-06-30}
"""


@pytest.fixture
def write(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def written(text, name="limits.yaml"):
        (tmp_path / name).write_text(text, encoding="utf-8")
        return name

    return written


def asked(path, **own):
    config = load_config(Path(path), own=own)
    models = [(model.name, model.sweep, [entry.check for entry in model.checks]) for model in config.models]
    waivers = [(w.model, w.metric, w.by, w.reason, w.expires) for w in config.waivers]
    return config.seed, config.settings, models, waivers, config.unchecked


def test_the_schema_is_one_and_knows_every_limit(capsys):
    assert main(["schema"]) == 0
    printed = json.loads(capsys.readouterr().out)
    jsonschema.Draft202012Validator.check_schema(printed)
    assert printed == json_schema()
    shapes = printed["$defs"]
    for section, shape in (("subgroups", "CheckSpec"), ("sweep", "SweepCheckSpec")):
        kinds = [{"required": [kind]} for kind, limit in LIMITS.items() if section in limit.sections]
        assert shapes[shape]["oneOf"] == kinds


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_files_that_are_in_order_fit_the_schema(path):
    jsonschema.validate(yaml.safe_load(path.read_text(encoding="utf-8")), json_schema())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("version: 1", "version: 2"),
        ("profiles:", "profile:"),
        ("max_difference: 0.10", "max_diference: 0.10"),
        ("max_difference: 0.10", "max_difference: '0.10'"),
        ("max_difference: 0.10", "max_difference: 0.10, min_ratio: 0.8"),
        ("max_difference: 0.10, ", ""),
        ("strata: combined", "strata: combine"),
        ("gap: change", "gap: changes"),
        ('by: "sex"', "by: 3"),
        ("min_reduction: -0.1", "max_worsening: 0.1"),
        ("metric: roc_auc, ", ""),
    ],
)
def test_the_schema_refuses_what_the_gate_refuses(write, old, new):
    text = PROFILES.replace("2027-06-30", '"2027-06-30"')  # as text, which is what JSON has for a day
    jsonschema.validate(yaml.safe_load(text), json_schema())
    assert old in text
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(yaml.safe_load(text.replace(old, new, 1)), json_schema())
    assert main(["schema", "--check", write(PROFILES.replace(old, new, 1)), "--own-metric=missed"]) == 1


def test_an_expanded_file_asks_the_same_without_profiles(write, capsys):
    own = {"missed": Metric(name="missed", formula="", kind="mean", highest=2.0)}
    name = write(PROFILES)
    assert main(["schema", "--expand", name, "--own-metric", "missed"]) == 0
    printed = capsys.readouterr().out
    assert "profile" not in printed
    assert "- {metric: accuracy, by: [sex, pregnant], min_value: 1.0e-1, absent: [[male, yes], ['07', 1]]}" in printed
    assert asked(write(printed, "expanded.yaml"), **own) == asked(name, **own)
    assert main(["schema", "--expand", "expanded.yaml", "--own-metric", "missed"]) == 0
    assert capsys.readouterr().out == printed


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_our_own_files_expand_to_what_they_ask(write, capsys, path):
    assert main(["schema", "--expand", str(path)]) == 0
    assert asked(write(capsys.readouterr().out)) == asked(path)


def test_a_file_in_order_is_counted(write, capsys):
    assert main(["schema", "--check", write(PROFILES), "--own-metric", "missed"]) == 0
    assert capsys.readouterr().out.startswith("limits.yaml: 2 models, 7 checks, 1 waiver: in order, but for names of ")


@pytest.mark.parametrize(
    ("text", "options", "code", "expected"),
    [
        (PROFILES, [], 1, r":7: profiles.p.subgroups\[1\].metric: 'missed' is not.*\n.*--own-metric NAME"),
        (PROFILES.replace("model: a", "model: b"), ["--own-metric=missed"], 1, r":18: waivers\[0\]: this file"),
        ("version: [", [], 1, "limits.yaml:1: not readable as YAML"),
        ("", [], 1, "limits.yaml: the file is empty"),
        (PROFILES, ["--own-metric=accuracy"], 2, "fairness-checks schema: 'accuracy' cannot be a metric of your own"),
        (PROFILES, ["--own-metric=a b"], 2, "'a b' cannot be a metric of your own"),
        (None, [], 2, "fairness-checks schema: limits.yaml: there is no such file; "),
    ],
)  # fmt: skip
@pytest.mark.parametrize("option", ["--check", "--expand"])
def test_exit_codes(write, capsys, option, text, options, code, expected):
    if text is not None:
        write(text)
    assert main(["schema", option, "limits.yaml", *options]) == code
    said = capsys.readouterr()
    assert re.search(expected, said.err)
    assert said.out == ""


def test_an_expanded_file_is_utf_8_whatever_the_output_is(write, tmp_path):
    name = write(PROFILES)
    command = [sys.executable, "-m", "fairness_checks", "schema", "--expand", name, "--own-metric=missed"]
    run = subprocess.run(
        command, cwd=tmp_path, env=os.environ | {"PYTHONIOENCODING": "ascii"}, capture_output=True, check=True
    )
    assert yaml.safe_load(run.stdout.decode("utf-8"))["waivers"][0]["reason"] == "Größe"


@pytest.mark.parametrize("arguments", [["--check"], ["--check", "a", "--expand", "a"], ["--own-metric", "x"]])
def test_a_wrong_command(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        main(["schema", *arguments])
    assert caught.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith("fairness-checks schema: ")
    assert said.endswith("; fairness-checks schema --help lists what it takes\n")
    assert said.count("\n") == 1
