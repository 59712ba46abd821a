"""Groups that a reader cannot tell apart, or that mean no value, are refused; what is accepted survives everywhere."""

from __future__ import annotations

import json
import re
import unicodedata
import xml.etree.ElementTree as ET

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from _pytest.junitxml import bin_xml_escape
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from fairness_checks import CheckRecord, Predictions, audit, audit_uncertainty
from fairness_checks.errors import ConfigurationError, InvalidPredictions
from fairness_checks.inputs.group_names import MISSING_TEXT, clean, text_problem
from fairness_checks.inputs.sensitive import encode_features
from fairness_checks.judge.evaluation import evaluate
from fairness_checks.measure.rows import Rows
from fairness_checks.question.checks import Check, Missing, Settings
from fairness_checks.report.junit import properties
from fairness_checks.report.terminal import summary_lines
from fairness_checks.report.text import explanation, headline

LIBRARIES = {
    "list": list,
    "objects": lambda values: np.array(values, dtype=object),
    "pandas-object": lambda values: pd.Series(values, dtype=object),
    "pandas": pd.Series,
    "pandas-categorical": lambda values: pd.Series(pd.Categorical(values)),
    "polars": pl.Series,
    "polars-categorical": lambda values: pl.Series(values, dtype=pl.Categorical),
    "pyarrow": pa.array,
}
ALIKE = {
    "blank-before": ("Male", " Male", "blanks"),
    "blank-after": ("Male", "Male ", "blanks"),
    "line-end": ("Male", "Male\r\n", "blanks"),
    "blanks-within": ("Non Hispanic", "Non  Hispanic", "blanks"),
    "no-blank-within": ("Non Hispanic", "NonHispanic", "blanks"),
    "hard-blank": ("Non Hispanic", "Non\xa0Hispanic", "blanks"),
    "letter-case": ("Male", "male", "letter case"),
    "letter-case-elsewhere": ("GROSS", "groß", "letter case"),
    "composed": ("f\u00e9minin", "fe\u0301minin", "how Unicode writes the same characters"),
    "wide": ("Male", "\uff2d\uff41\uff4c\uff45", "how Unicode writes the same characters"),
    "unseen": ("Male", "Ma\u200ble", "letter case, blanks or characters that are not seen"),
    "mark-of-byte-order": ("Male", "\ufeffMale", "letter case, blanks or characters that are not seen"),
    "both": ("Male", " MALE", "blanks and letter case"),
    "both-within": ("Non Hispanic", "non  hispanic", "blanks and letter case"),
}


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("kind", ALIKE)
def test_names_that_look_alike_are_refused_with_a_row_of_each(kind, library):
    one, other, what = ALIKE[kind]
    values = [one, "Female", one, other, "Female", other]
    with pytest.raises(InvalidPredictions, match=r"^sensitive_features\['sex'\]: the names") as caught:
        encode_features({"sex": LIBRARIES[library](values)})
    for name, row in ((one, 0), (other, 3)):
        assert f"{name!r} (row {row})" in str(caught.value)
    assert f"differ only in {what}; write both the same" in str(caught.value)


def test_a_category_without_a_row_that_looks_like_a_group_is_refused():
    values = pd.Categorical(["f", "m"], categories=["f", "m", "M"])
    with pytest.raises(InvalidPredictions, match=r"'m' \(row 1\) and 'M' \(no row\) differ only in letter case"):
        encode_features({"sex": values})


@pytest.mark.parametrize(
    "names",
    [["1 2", "12"], ["a-b", "a_b"], ["18-25", "18-26"], ["+", "-"], ["A", "B"], ["m", "w"], ["男", "女"], ["0", "O"]],
    ids=str,
)
def test_names_that_differ_in_more_are_groups(names):
    assert sorted(encode_features({"sex": names})["sex"].groups) == sorted(names)


UNWRITABLE = {
    "nul-at-the-end": ("f\0", "the control character '\\x00'"),
    "nul-within": ("f\0m", "the control character '\\x00'"),
    "escape": ("f\x1b[2J", "the control character '\\x1b'"),
    "tab": ("f\tm", "the control character '\\t'"),
    "line": ("f\nm", "the control character '\\n'"),
    "c1": ("f\x85m", "the control character '\\x85'"),
    "line-separator": ("f\u2028m", "the control character '\\u2028'"),
    "half": ("f\ud800", "the half of a character '\\ud800', which no file can hold"),
    "no-character": ("f\uffff", "'\\uffff', which is no character"),
}


@pytest.mark.parametrize("kind", UNWRITABLE)
@pytest.mark.parametrize("library", ["list", "objects", "pandas-object"])
def test_what_no_report_can_show_is_refused(kind, library):
    name, what = UNWRITABLE[kind]
    for values in (["m", "f", name], ["m", name]):
        with pytest.raises(InvalidPredictions) as caught:
            encode_features({"sex": LIBRARIES[library](values)})
        message = f"sensitive_features['sex']: the name {name!r} (row {values.index(name)}) holds {what}; write another"
        assert str(caught.value) == message


@pytest.mark.parametrize("library", [name for name in LIBRARIES if name not in ("list", "objects", "pandas-object")])
def test_a_nul_at_the_end_never_merges_two_groups(library):
    if library == "pandas-categorical" and pd.__version__ < "3":
        pytest.skip("a Categorical of pandas 2 merges them itself")
    with pytest.raises(InvalidPredictions, match=r"the name 'f\\x00' \(row 2\) holds the control character"):
        encode_features({"sex": LIBRARIES[library](["m", "f", "f\0"])})


def test_names_are_kept_composed_and_without_blanks_around():
    feature = encode_features({"sex": [" f\u0301 ", "m\r\n", None, " f\u0301 "]})["sex"]
    assert feature.groups == (unicodedata.normalize("NFC", "f\u0301"), "m")
    assert feature.codes.tolist() == [0, 1, -1, 0]


def test_features_of_one_name_are_refused():
    with pytest.raises(InvalidPredictions, match="sensitive_features: two are called '0'; rename one"):
        encode_features({0: ["f", "m"], "0": ["a", "b"]})
    with pytest.raises(InvalidPredictions, match="holds half a character"):
        encode_features({"se\ud800x": ["f", "m"]})


# --- text that means a missing value ---------------------------------------------------------------------------------

SEX = ["f"] * 40 + ["m"] * 40 + ["NA"] * 20


def made(sex=SEX, **more):
    return Predictions([0, 1] * (len(sex) // 2), [0, 1] * (len(sex) // 2), sensitive_features={"sex": sex}, **more)


def groups(predictions, missing):
    rows = Rows(predictions, ["sex"], missing)
    return {name: int(n) for (name,), n in zip(rows.groups, rows.samples, strict=True)}


@pytest.mark.parametrize("text", sorted(MISSING_TEXT))
def test_text_that_means_missing_is_refused_until_somebody_says_what_it_is(text):
    predictions = made([*SEX[:80], *[text] * 20])
    with pytest.raises(InvalidPredictions) as caught:
        audit(predictions, metric="accuracy", by="sex", max_difference=0.1)
    assert str(caught.value) == (
        f"sensitive_features['sex']: 20 of 100 values are the text {text!r}, which means a missing value: rows 80, 81, "
        f"82, 83, 84, ... (by position, from 0); fill them in, or say what it is under `defaults:` of "
        f"thresholds.yaml, or as an argument in Python: `missing_text: [{text!r}]` for a missing value, "
        "`missing_text: []` for a group of that name"
    )


@pytest.mark.parametrize(
    ("missing", "expected"),
    [
        (Missing(text=()), {"f": 40, "m": 40, "NA": 20}),
        (Missing(text=("?",)), {"f": 40, "m": 40, "NA": 20}),
        (Missing("group"), {"f": 40, "m": 40, "(missing)": 20}),
        (Missing("group", ("NA",)), {"f": 40, "m": 40, "(missing)": 20}),
        (Missing("group", (" NA ",)), {"f": 40, "m": 40, "(missing)": 20}),
        (Missing("group", ("NA", "m")), {"f": 40, "(missing)": 60}),
        (Missing("group", ()), {"f": 40, "m": 40, "NA": 20}),
    ],
)
def test_what_was_said_of_text_holds(missing, expected):
    assert groups(made(), missing) == expected


def test_text_that_is_called_missing_is_an_error_as_missing_values_are():
    with pytest.raises(InvalidPredictions, match=r"20 of 100 values are missing: rows 80, .*missing_sensitive: group"):
        groups(made(), Missing(text=("NA", "?")))


def test_missing_text_joins_what_is_missing_otherwise():
    sex = [*SEX[:80], *["NA"] * 10, *["?"] * 5, *[None] * 5]
    assert groups(made(sex), Missing("group")) == {"f": 40, "m": 40, "(missing)": 20}
    assert groups(made(sex), Missing("group", ("?",))) == {"f": 40, "m": 40, "NA": 10, "(missing)": 10}


def test_names_that_are_answers_are_groups():
    answers = ["none", "unknown", "Unknown sex", "other", "na na", "Nan Goldin", "-", "not applicable"]
    assert set(groups(made(answers), Missing())) == set(answers)


def test_only_the_checks_that_use_a_feature_care():
    predictions = Predictions([0, 1] * 50, [0, 1] * 50, sensitive_features={"sex": SEX, "ward": ["a", "b"] * 50})
    assert audit(predictions, metric="accuracy", by="ward", max_difference=0.3).verdict == "pass"
    with pytest.raises(InvalidPredictions, match="'NA', which means a missing value"):
        audit(predictions, metric="accuracy", by="ward", control_features="sex", max_difference=0.3)


def test_audits_take_what_is_missing_text():
    predictions = made(uncertainty=np.linspace(0, 1, 100))
    for found in (
        audit(predictions, metric="accuracy", min_value=0.5, missing_text=[]),
        audit_uncertainty(predictions, max_mismatch=0.9, missing_text=[]),
    ):
        assert ("NA",) in [group.name for group in found.groups]
    with pytest.raises(ConfigurationError, match=r"missing_text: 'NA' is no list of texts; write \['NA', '\?'\]"):
        audit(predictions, metric="accuracy", min_value=0.5, missing_text="NA")
    with pytest.raises(ConfigurationError, match="missing_text: holds a blank text"):
        Settings(missing_text=["NA", " "])


def test_a_declared_category_that_means_missing_is_refused_too():
    values = pd.Categorical(SEX[:80], categories=["f", "m", "NA"])
    with pytest.raises(
        InvalidPredictions, match=r"0 of 80 values are the text 'NA', which means a missing value; fill"
    ):
        groups(made(values), Missing())
    assert groups(made(values), Missing(text=("NA",))) == {"f": 40, "m": 40}
    assert groups(made(values), Missing(text=())) == {"NA": 0, "f": 40, "m": 40}


# --- ids and classes -------------------------------------------------------------------------------------------------

IDS = {
    "missing": (["nan", "p1", "nan"], "2 of 3 values are the text 'nan', which means a missing value"),
    "one-missing": (["?", "p1", "p2"], "1 of 3 values is the text '?', which means a missing value"),
    "nul": (["p\0", "p", "q"], "1 of 3 values is text with a NUL character"),
    "blanks": (["p ", "p", "q"], "the ids of rows 0 and 1 differ only in the blanks around them; strip them"),
}


@pytest.mark.parametrize("library", ["list", "objects", "pandas-object", "polars"])
@pytest.mark.parametrize("kind", IDS)
@pytest.mark.parametrize("name", ["cluster", "sample_id"])
def test_ids_that_are_none_or_would_merge_are_refused(name, kind, library):
    ids, message = IDS[kind]
    if (name, kind) == ("sample_id", "missing"):
        message = "rows 0 and 2 have the same"
    with pytest.raises(InvalidPredictions, match=re.escape(f"{name}: ") + ".*" + re.escape(message)):
        Predictions([0, 1, 1], [0, 1, 1], sensitive_features=["f", "m", "f"], **{name: LIBRARIES[library](ids)})


@pytest.mark.parametrize("text", ["nan", "NA", "?"])
def test_a_class_that_means_missing_is_refused(text):
    with pytest.raises(InvalidPredictions, match=re.escape(f"y_true: the text {text!r} means a missing value: row 1")):
        Predictions(["ill", text], ["ill", "ill"], positive="ill", sensitive_features=["f", "m"])


def test_classes_that_look_alike_are_refused():
    message = r"y_true and y_pred: the names 'ill' \(row 0\) and 'Ill ' \(row 1\) differ only in blanks and letter case"
    with pytest.raises(InvalidPredictions, match=message):
        Predictions(["ill", "ill"], ["ill", "Ill "], positive="ill", sensitive_features=["f", "m"])


def test_a_sweep_is_not_trained_on_groups_that_mean_missing(tmp_path):
    from fairness_checks.sweep import DataSet, SweepPlan, TrainableModel

    trained = []

    def fit(train, rng):
        trained.append(len(train))
        return train.outcome.mean()

    def predict(fitted, test):
        return Predictions(test.outcome, [True] * len(test), sensitive_features=test.sensitive_features)

    data = DataSet({"age": range(80)}, [0, 1] * 40, {"sex": ["f", "f", "NA", "NA"] * 20})
    model = TrainableModel(data, fit, predict, version="1")
    plan = SweepPlan(by="sex", mixes={"as_is": "as_is"}, repeats=5)
    checks = [Check("accuracy", ("sex",), "max_difference", 0.5, gap="each_mix")]
    for missing, message in ((Missing(), "'NA', which means"), (Missing(text=("NA",)), "`missing_text` calls missing")):
        found = evaluate("m", model, checks, plan, seed=0, cache=None, missing=missing)
        assert message in str(found.no_sweep)
        assert not trained
    for missing in (Missing(text=()), Missing("group")):
        assert evaluate("m", model, checks, plan, seed=0, cache=None, missing=missing).sweep.groups == {
            "f": 40,
            "NA": 40,
        }


# --- whatever is accepted survives -----------------------------------------------------------------------------------


@given(name=st.text(min_size=1), feature=st.text(min_size=1), word=st.text(min_size=1))
@settings(max_examples=300, deadline=None)
def test_every_text_that_is_accepted_leaves_as_it_came(name, feature, word):
    sex = np.array([name, "another group"] * 40, dtype=object)
    truth = np.array([word, "another class"] * 40, dtype=object)
    try:
        predictions = Predictions(
            truth, truth[::-1], positive=word, sensitive_features={feature: sex}, about={"data": word}
        )
        record = audit(
            predictions, metric="accuracy", by=feature, min_value=0.9, missing_text=[], missing_sensitive="group"
        )
    except InvalidPredictions:
        assume(False)
    kept = clean(name) or "(missing)"
    assert {group.name for group in record.groups} == {(kept,), ("another group",)}
    again = CheckRecord.from_json(record.to_json())
    assert again == record
    assert again.inputs.positive == word
    written = ET.Element("properties")
    for label, value in properties(record):
        ET.SubElement(written, "property", name=label, value=bin_xml_escape(value))
    read = {p.get("name"): p.get("value") for p in ET.fromstring(ET.tostring(written, encoding="utf-8"))}
    assert CheckRecord.from_json(read["fairness.record"]) == record
    assert len(json.loads(read["fairness.groups"])) == 2
    lines = [headline(record), *explanation(record), *(line for line, _ in summary_lines([record]))]
    for line in lines:
        assert line.encode("utf-8").decode("utf-8").isprintable()


@given(st.text())
def test_a_kept_name_is_kept_again_and_can_be_written(name):
    assert clean(clean(name)) == clean(name)
    if text_problem(name) is None:
        assert name.encode("utf-8").decode("utf-8") == name


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("male", "male\ufe0f"),
        ("male", "ma\u034fle"),
        ("male", "ma\u3164le"),
        ("a b", "a\u2800b"),
        ("18-25", "18\u201325"),
        ("-1", "\u22121"),
        ("don't know", "don\u2019t know"),
    ],
)
def test_marks_that_nobody_sees_and_signs_of_one_look_do_not_make_two_groups(one, other, library):
    with pytest.raises(InvalidPredictions, match="differ only in"):
        encode_features({"g": LIBRARIES[library]([one, other] * 5)})


@pytest.mark.parametrize("name", ["\u200b", "\u3164", "\u2800", "\ufe0f", "\u00ad\u200d", "\u115f"])
def test_a_name_of_nothing_that_is_seen_is_refused(name):
    with pytest.raises(InvalidPredictions, match=r"the name '\\.* \(row 1\) holds nothing that is seen"):
        encode_features({"g": ["m", name] * 5})


@pytest.mark.parametrize("text", ["nan\u200b", "\uff2e\uff21", "\\N", "(null)", "#N/A N/A", "-1.#IND", "#REF!"])
def test_text_that_means_missing_is_found_in_every_dress(text):
    made = Predictions([0, 1] * 20, [0, 1] * 20, sensitive_features={"g": ["m", text] * 20})
    with pytest.raises(InvalidPredictions, match="means a missing value"):
        audit(made, metric="accuracy", by="g", max_difference=0.5)


@pytest.mark.parametrize("name", ["cluster", "sample_id"])
@pytest.mark.parametrize(("one", "other"), [("e\u0301va", "\u00e9va"), ("p1", "p1\u200b"), ("p1", "p1\ufe0f")])
def test_ids_that_differ_in_nothing_that_is_seen_are_refused(name, one, other):
    given = {name: ["a", one, "b", other]}
    with pytest.raises(InvalidPredictions, match=f"{name}: the ids of rows 1 and 3 differ only in"):
        Predictions([0, 1] * 2, [0, 1] * 2, sensitive_features=["f", "m"] * 2, **given)
