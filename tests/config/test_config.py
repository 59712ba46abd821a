from __future__ import annotations

import datetime as dt
import os
import re

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fairness_checks.config.loading import ConfiguredCheck, ModelChecks, check_names, load_config
from fairness_checks.errors import ConfigurationError
from fairness_checks.question.checks import MISMATCH, Check, Settings
from fairness_checks.question.metrics import METRICS
from fairness_checks.question.waivers import Waiver
from fairness_checks.storage import files
from tests.builders import instead

IN_A_FOLDER = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
VALID = """\
version: 1
seed: 7
defaults: {alpha: 0.01, correction: benjamini_hochberg, burden_of_proof: compliance, min_group_size: 30,
           missing_sensitive: group}
models:
  sepsis_model:
    subgroups:
      - {metric: false_negative_rate, by: sex, max_difference: 0.05}
      - {metric: false_negative_rate, by: [sex, age_band], max_value: 0.3}
      - {metric: selection_rate, by: sex, min_ratio: 0.8}
      - {metric: selection_rate, by: sex, max_difference: 0}
  other_model:
    subgroups:
      - metric: accuracy
        by: [site]
        min_value: 1
waivers:
  - {model: sepsis_model, check: subgroups, metric: selection_rate, by: sex, limit: min_ratio,
     reason: small centre, approved_by: A. Auditor, expires: 2027-06-30}
  - {model: other_model, metric: accuracy, by: site, reason: r, approved_by: b, expires: 2020-01-01}
"""


@pytest.fixture
def write(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def to_file(text):
        path = tmp_path / "thresholds.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return to_file


@pytest.fixture
def problems(write):
    """Write a file and return the lines of its error."""

    def lines(text):
        with pytest.raises(ConfigurationError) as caught:
            load_config(write(text))
        return str(caught.value).splitlines()

    return lines


def test_a_valid_file(write):
    path = write(VALID)
    config = load_config(path)
    assert (config.path, config.version, config.seed) == (path, 1, 7)
    assert config.settings == Settings(0.01, "benjamini_hochberg", "compliance", 30, "group")
    assert config.models == (
        ModelChecks(
            "sepsis_model",
            (
                ConfiguredCheck(Check("false_negative_rate", ("sex",), "max_difference", 0.05), 8),
                ConfiguredCheck(Check("false_negative_rate", ("sex", "age_band"), "max_value", 0.3), 9),
                ConfiguredCheck(Check("selection_rate", ("sex",), "min_ratio", 0.8), 10),
                ConfiguredCheck(Check("selection_rate", ("sex",), "max_difference", 0.0), 11),
            ),
            6,
        ),
        ModelChecks("other_model", (ConfiguredCheck(Check("accuracy", ("site",), "min_value", 1.0), 14),), 12),
    )
    assert all(type(entry.check.limit) is float for each in config.models for entry in each.checks)
    assert config.waivers == (
        Waiver(
            model="sepsis_model",
            metric="selection_rate",
            by=("sex",),
            limit="min_ratio",
            reason="small centre",
            approved_by="A. Auditor",
            expires=dt.date(2027, 6, 30),
            line=18,
        ),
        Waiver(
            model="other_model",
            metric="accuracy",
            by=("site",),
            reason="r",
            approved_by="b",
            expires=dt.date(2020, 1, 1),
            line=20,
        ),
    )


def test_a_check_against_the_baseline(write):
    checks = "{metric: accuracy, by: sex, max_worsening: 0.02, of: worst_group, ratchet: true}, {metric: roc_auc, by: sex, max_worsening: 0}"  # noqa: E501
    (model,) = load_config(write(f"version: 1\nmodels: {{m: {{regression: [{checks}]}}}}\n")).models
    assert [entry.check for entry in model.checks] == [
        Check("accuracy", ("sex",), "max_worsening", 0.02, of="worst_group", ratchet=True),
        Check("roc_auc", ("sex",), "max_worsening", 0.0, of="disparity"),
    ]
    assert [entry.check.question[0] for entry in model.checks] == ["regression"] * 2


def test_the_least_file_has_the_documented_defaults(write):
    config = load_config(write("version: 1\nmodels: {}\n"))
    assert (config.seed, config.models, config.waivers) == (0, (), ())
    assert config.settings == Settings(0.05, "holm", "violation", 10, "error")


def test_a_byte_order_mark_and_windows_line_ends_are_no_problem(tmp_path):
    path = tmp_path / "thresholds.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + VALID.replace("\n", "\r\n").encode())
    assert [entry.line for entry in load_config(path).models[0].checks] == [8, 9, 10, 11]


@pytest.mark.parametrize("text", ["", "# version: 1\n", "\n", "---\n"])
def test_an_empty_file_says_what_to_write(write, text):
    path = write(text)
    with pytest.raises(ConfigurationError) as caught:
        load_config(path)
    first, _, rest = str(caught.value).partition("\n\n")
    assert first == "thresholds.yaml: the file is empty; write for example:"
    example, _, remedy = rest.rpartition("\n")
    assert "`fairness-checks init` writes one" in remedy
    path.write_text(example)
    assert [each.name for each in load_config(path).models] == ["my_model"]


def test_a_missing_file_says_what_to_write(write):
    path = write("")
    with pytest.raises(ConfigurationError) as caught:
        load_config(path.with_name("limits.yaml"))
    assert str(caught.value) == (
        f"limits.yaml: there is no such file; looked in {path.parent}; `fairness-checks init` writes one with a model "
        "to begin with, `fairness-checks init predictions.csv` one that judges a file (`source:`)"
    )
    with pytest.raises(ConfigurationError, match=r"no such file; did you mean 'thresholds.yaml'\?; `fairness-checks"):
        load_config(path.with_name("threshold.yml"))


def test_a_directory_is_refused(write):
    path = write(VALID)
    with pytest.raises(ConfigurationError, match="this is a directory; give the file in it"):
        load_config(path.parent)


def test_what_is_no_file_does_not_keep_the_run_waiting(tmp_path, odd_file):
    odd_file.put(tmp_path / "odd.yaml")
    with pytest.raises(ConfigurationError, match=f"cannot be read: {odd_file.says}|this is a directory; give the file"):
        load_config(tmp_path / "odd.yaml")


@pytest.mark.parametrize(
    ("content", "line", "byte"),
    [(b"version: 1\n# Gr\xf6\xdfe\n", 2, "F6"), ("version: 1".encode("utf-16"), 1, "FF")],
)
def test_other_encodings_are_refused(write, content, line, byte):
    path = write("")
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=f"^thresholds.yaml:{line}: byte 0x{byte} is not UTF-8; save the file"):
        load_config(path)


def test_a_file_that_cannot_be_read(write, monkeypatch):
    path = write(VALID)

    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(files, "os", instead(os, open=refuse))
    with pytest.raises(ConfigurationError, match=r"^thresholds\.yaml: cannot be read: Permission denied$"):
        load_config(path)


def test_a_name_too_long_for_the_file_system(tmp_path):
    with pytest.raises(ConfigurationError, match="x: cannot be read: "):
        load_config(tmp_path / ("x" * 5000))


def test_a_huge_file_is_not_read(write):
    with pytest.raises(ConfigurationError, match="holds more than 1,048,576 bytes"):
        load_config(write("#" * (2**20 + 1)))


def test_a_file_elsewhere_is_named_in_full(tmp_path, monkeypatch):
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "gate.yaml").write_text("version: 3\nmodels: {}\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError, match=r"^project/gate\.yaml:1: version"):
        load_config(tmp_path / "project" / "gate.yaml")
    monkeypatch.chdir(tmp_path / "project")
    (tmp_path / "gate.yaml").write_text("version: 3\nmodels: {}\n")
    with pytest.raises(ConfigurationError, match=f"^{re.escape((tmp_path / 'gate.yaml').as_posix())}:1: version"):
        load_config(tmp_path / "gate.yaml")


EXPONENTS = st.tuples(st.from_regex(r"([0-9]{1,3}\.?[0-9]{0,2}|\.[0-9]{1,2})", fullmatch=True), st.integers(-8, 8))


@settings(suppress_health_check=IN_A_FOLDER, deadline=None)
@given(parts=EXPONENTS)
def test_what_is_proposed_for_an_exponential_is_read_as_that_number(problems, parts):
    text = f"{parts[0]}e{parts[1]}"
    if isinstance(yaml.safe_load(text), float):
        return  # a point and a sign: YAML reads it already
    proposal = problems(f"version: 1\nmodels: {{}}\ndefaults: {{alpha: {text}}}\n")[0].partition("; write ")[2]
    assert proposal
    for each in proposal.split(" or "):
        assert type(yaml.safe_load(each)) is float
        assert yaml.safe_load(each) == float(text)


FEATURE = st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1).filter(str.strip)
ENTRY = st.sampled_from(sorted(set(METRICS) - {MISMATCH})).flatmap(
    lambda metric: st.tuples(
        st.just(metric),
        st.lists(FEATURE, min_size=1, max_size=3, unique=True),
        st.sampled_from(METRICS[metric].limits),
        st.floats(0.01, 0.99),
    )
)
RATES = {
    "true_positive_rate": "false_negative_rate",
    "true_negative_rate": "false_positive_rate",
}  # and what each is 1 minus


def asked(entry):
    """Identify what a check asks, a rate as its complement."""
    metric, by, kind, _ = entry
    value = kind in ("max_value", "min_value") and metric in {*RATES, *RATES.values()}
    return RATES.get(metric, metric), frozenset(by), "value" if value else kind


ENTRIES = st.lists(ENTRY, min_size=1, max_size=4, unique_by=asked)


@settings(suppress_health_check=IN_A_FOLDER, deadline=None)
@given(models=st.dictionaries(FEATURE, ENTRIES, max_size=3), seed=st.integers(0, 2**63))
def test_every_valid_file_is_read_as_it_was_written(write, models, seed):
    data = {
        "version": 1,
        "seed": seed,
        "models": {
            name: {"subgroups": [{"metric": m, "by": by, kind: limit} for m, by, kind, limit in entries]}
            for name, entries in models.items()
        },
    }
    config = load_config(write(yaml.safe_dump(data, allow_unicode=True)))
    assert config.seed == seed
    read = {each.name: [entry.check for entry in each.checks] for each in config.models}
    assert read == {
        name: [Check(metric, tuple(by), kind, limit) for metric, by, kind, limit in entries]
        for name, entries in models.items()
    }


WORDS = [
    *[
        "version",
        "models",
        "defaults",
        "waivers",
        "subgroups",
        "metric",
        "by",
        "alpha",
        "accuracy",
        "sex",
        "m",
    ],
    *["max_value", "expires", "2027-06-30", "off", "1e-3", ".nan", "0.1", "1", "~", "é", "\0", "\t"],
    *[
        ": ",
        ":",
        ":\n",
        "\n",
        "\n  ",
        "\n    ",
        "- ",
        "[",
        "]",
        "{",
        "}",
        ", ",
        "&a ",
        "*a",
        "!!set ",
        "<<",
        "'",
        '"',
        "|",
    ],
]
SCRIBBLE = st.lists(st.sampled_from(WORDS), max_size=40).map("".join)


def _mutilate(draw_from):
    start, length, word = draw_from
    return VALID[:start] + word + VALID[start + length :]


MUTILATED = st.tuples(st.integers(0, len(VALID)), st.integers(0, 20), st.sampled_from(WORDS)).map(_mutilate)


@settings(suppress_health_check=IN_A_FOLDER, max_examples=300, deadline=None)
@given(content=st.one_of(st.binary(), st.one_of(st.text(), SCRIBBLE, MUTILATED).map(lambda s: s.encode("utf-8"))))
def test_whatever_a_file_holds_the_only_error_is_a_configuration_error(write, content):
    path = write("")
    path.write_bytes(content)
    try:
        config = load_config(path)
    except ConfigurationError as caught:
        message, _, _example = str(caught).partition("\n\n")
        read = None
    else:
        message, read = "thresholds.yaml:", config.version
    assert all(line.startswith("thresholds.yaml:") for line in message.split("\n"))
    assert read in (None, 1)


# names that only the models know


@pytest.fixture
def config(write):
    return load_config(write(VALID))


def test_names_that_agree(config):
    assert check_names(config, {"sepsis_model": ("age_band", "sex", "site"), "other_model": None, "third": ()}) == []


def test_a_model_that_was_not_found(config):
    assert check_names(config, {"sepsis_modell": None, "other_model": None}) == [
        "thresholds.yaml:6: models.sepsis_model: no model of this name was found; "
        "did you mean 'sepsis_modell'? (allowed: other_model, sepsis_modell); "
        "decorate a fixture of this name with @fairness_model in a conftest.py that this file can see"
    ]


def test_that_there_is_no_model_at_all_is_said_once(config):
    assert check_names(config, {}) == [
        "thresholds.yaml:5: models: no model was found at all, so none of sepsis_model, other_model; decorate a "
        "fixture of this name with @fairness_model in a conftest.py that this file can see"
    ]


def test_a_feature_that_a_model_does_not_declare(config):
    assert check_names(config, {"sepsis_model": ("sexx", "age_band"), "other_model": ("site",)}) == [
        f"thresholds.yaml:{line}: models.sepsis_model.subgroups[{index}].by: the model declares no sensitive "
        "feature 'sex'; did you mean 'sexx'? (allowed: age_band, sexx)"
        for index, line in enumerate([8, 9, 10, 11])
    ]
    assert len(check_names(config, {"sepsis_model": (), "other_model": None})) == 5  # two on line 9


def test_a_declared_name_with_a_line_break_does_not_break_the_line(config):
    (problem,) = check_names(config, {"sepsis_model": None, "other_model": ("site\ncode",)})
    assert problem.endswith("did you mean 'site\\ncode'? (allowed: site code)")


HAS = (
    "names no check of m; its checks of accuracy are waived by "
    "{model: m, check: subgroups, metric: accuracy, by: [sex, age], limit: max_value}"
)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("model: n, metric: accuracy, by: [sex, age]", "this file has no checks of a model 'n'; allowed: m"),
        ("model: m, metric: precision, by: [sex, age]", "m has no check of precision; allowed: accuracy"),
        ("model: m, by: [sex, age]", "names no metric, and m has no check of uncertainty; give the metric: accuracy"),
        ("model: m, metric: accuracy, by: site", HAS),
        ("model: m, metric: accuracy, by: sex", HAS),
        ("model: m, metric: accuracy, by: [age, sex], limit: min_value", HAS),
        ("model: m, metric: accuracy, by: [age, sex], strata: combined", HAS),
        ("model: m, metric: accuracy, by: [age, sex], control_features: ward", HAS),
        ("model: m, check: sweep, metric: accuracy, by: [age, sex]", HAS),
    ],
)
def test_a_waiver_of_a_check_that_is_not_configured(write, names, expected):
    checks = "version: 1\nmodels:\n  m:\n    subgroups:\n"
    checks += "    - {metric: accuracy, by: [sex, age], max_value: 0.1}\n"
    waiver = f"waivers:\n  - {{{names}, reason: why, approved_by: who, expires: 2027-06-30}}\n"
    assert check_names(load_config(write(checks + waiver)), {"m": None}) == [
        f"thresholds.yaml:7: waivers[0]: {expected}"
    ]
