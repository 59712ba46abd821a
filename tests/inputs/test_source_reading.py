"""A file of predictions becomes the Predictions that its table would give, whatever format holds it."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import sys

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow.csv import write_csv
from pyarrow.feather import write_feather

from fairness_checks import Predictions
from fairness_checks.distribution import DISTRIBUTION
from fairness_checks.errors import ConfigurationError, FairnessError, InvalidPredictions
from fairness_checks.findings.doubts import doubts
from fairness_checks.inputs.source import Source, decision_rule, source_problems
from fairness_checks.inputs.source_reading import read_source

ROWS = 60
SOURCE = Source(file="p.csv", y_true="died", y_score="risk", by=("sex", "ward"), cluster="patient", sample_id="visit")
CSV = "died,risk,sex\n1,0.9,f\n0,0.2,m\n"


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def table():
    rng = np.random.default_rng(7)
    return pd.DataFrame(
        {
            "died": rng.integers(0, 2, ROWS),
            "risk": rng.random(ROWS).round(3),
            "sex": rng.choice(["f", "m"], ROWS),
            "ward": rng.integers(1, 4, ROWS),
            "age": rng.integers(20, 90, ROWS),
            "patient": rng.integers(100, 130, ROWS),
            "visit": np.arange(ROWS),
        }
    )


def same(one, other):
    """Say whether two predictions hold the same, but for what they say of themselves."""
    for name in ("y_true", "y_pred", "y_score", "error", "uncertainty", "sample_id"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    for name, feature in other.sensitive_features.items():
        assert one.sensitive_features[name].groups == feature.groups
        np.testing.assert_array_equal(one.sensitive_features[name].codes, feature.codes)
    assert (one.cluster is None) == (other.cluster is None)
    if one.cluster is not None:  # numbered otherwise where ids are text
        assert (
            len(set(zip(one.cluster, other.cluster, strict=True))) == len(set(one.cluster)) == len(set(other.cluster))
        )
    assert (one.positive, one.decided_by, one.threshold) == (other.positive, other.decided_by, other.threshold)


WRITERS = {
    "p.csv": lambda table, path: table.to_csv(path, index=False),
    "p.csv.gz": lambda table, path: path.write_bytes(gzip.compress(table.to_csv(index=False).encode())),
    "p.parquet": lambda table, path: table.to_parquet(path, index=False),
    "p.feather": lambda table, path: table.to_feather(path),
    "p.arrow": lambda table, path: pl.from_pandas(table).write_ipc(path, compression="zstd"),
}


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("library", ["pyarrow", "polars"])
def test_every_format_gives_what_the_table_gives(table, tmp_path, monkeypatch, name, library):
    WRITERS[name](table, tmp_path / name)
    if library == "polars":
        for module in ("pyarrow.parquet", "pyarrow.feather"):
            monkeypatch.setitem(sys.modules, module, None)  # as if it were not installed
    roles = {"y_true": "died", "y_score": "risk", "by": ["sex", "ward"], "cluster": "patient", "sample_id": "visit"}
    expected = Predictions.from_frame(table, **roles, threshold=0.3)
    found = read_source(dataclasses.replace(SOURCE, file=name, threshold=0.3), tmp_path)
    same(found, expected)
    digest = hashlib.sha256((tmp_path / name).read_bytes()).hexdigest()
    assert dict(found.about) == {"file": name, "file_sha256": digest}


def test_a_format_without_its_library_names_the_extra(table, tmp_path, monkeypatch):
    table.to_parquet(tmp_path / "p.parquet")
    for module in ("pyarrow.parquet", "polars"):
        monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(FairnessError) as caught:
        read_source(dataclasses.replace(SOURCE, file="p.parquet"), tmp_path)
    assert str(caught.value).startswith("p.parquet: Parquet: pyarrow")
    assert f"pip install '{DISTRIBUTION}[files]'" in str(caught.value)


@pytest.mark.parametrize("form", ["p.csv", "p.parquet"])
@pytest.mark.parametrize(
    ("labels", "positive"),
    [(("no", "yes"), "yes"), ((2, 1), "1"), ((-1, 1), "1"), ((0, 1), None), ((1, 0), "0"), ((False, True), None),
     ((False, True), "true"), ((1.0, 2.0), "2")],
)  # fmt: skip
def test_the_positive_class_is_written_as_the_column_has_it(table, tmp_path, form, labels, positive):
    died = table["died"].to_numpy(copy=True)
    high = (table["risk"] >= 0.6).to_numpy()
    first, second = (labels[1], labels[0]) if positive == "0" or labels == (2, 1) else labels[::-1]
    expected = Predictions(died == 1, high, sensitive_features={"sex": table["sex"]})
    pick = lambda mask: pd.Series([first if one else second for one in mask])  # noqa: E731
    if labels in ((2, 1), (1, 0)):
        pick = lambda mask: pd.Series([labels[1] if one else labels[0] for one in mask])  # noqa: E731
    WRITERS[form](table.assign(died=pick(died == 1), high=pick(high)), tmp_path / form)
    source = Source(file=form, y_true="died", y_pred="high", by=("sex",), positive=positive)
    found = read_source(source, tmp_path)
    np.testing.assert_array_equal(found.y_true, expected.y_true)
    np.testing.assert_array_equal(found.y_pred, expected.y_pred)
    ruled = read_source(dataclasses.replace(source, y_pred="risk>=0.6"), tmp_path)
    np.testing.assert_array_equal(ruled.y_true, expected.y_true)
    np.testing.assert_array_equal(ruled.y_pred, expected.y_pred)
    assert ruled.positive == found.positive
    assert ruled.about["decided_by"] == "risk >= 0.6"


@pytest.mark.parametrize(
    ("text", "rule"),
    [("a >= 5", ("a", ">=", 5.0)), ("a b>-0.5", ("a b", ">", -0.5)), ("a<=.25", ("a", "<=", 0.25)),
     ("a < 3", ("a", "<", 3.0)), ("a", None), ("a = 5", None), (">= 5", None), ("a >= b", None)],
)  # fmt: skip
def test_what_is_a_rule_of_decision(text, rule):
    assert decision_rule(text) == rule


def test_a_column_of_the_name_of_a_rule_is_a_column(tmp_path):
    (tmp_path / "p.csv").write_text("y,a >= 5,a,sex\n1,1,0,f\n0,1,9,m\n")
    found = read_source(Source(file="p.csv", y_true="y", y_pred="a >= 5", by=("sex",)), tmp_path)
    assert found.y_pred.tolist() == [True, True]
    assert "decided_by" not in found.about


@pytest.mark.parametrize("form", ["p.csv", "p.parquet"])
def test_numbers_are_cut_into_bands_whose_lower_edge_is_theirs(tmp_path, form):
    ages = [39, 40, 64.5, 65, 90, None]
    table = pd.DataFrame({"y": [0, 1] * 3, "d": [1, 0] * 3, "age": ages})
    WRITERS[form](table, tmp_path / form)
    source = Source(file=form, y_true="y", y_pred="d", by=("age",), bins={"age": (40.0, 65.0)})
    age = read_source(source, tmp_path).sensitive_features["age"]
    named = [None if code < 0 else age.groups[code] for code in age.codes]
    assert named == ["under 40", "40 to under 65", "40 to under 65", "65 or over", "65 or over", None]


@pytest.mark.parametrize("forms", [("p.csv", "g.csv"), ("p.parquet", "g.parquet"), ("p.csv", "g.parquet")])
def test_features_of_a_second_file_are_found_by_the_cluster(table, tmp_path, forms):
    people = pd.DataFrame({"patient": np.arange(100, 131)})
    people["region"] = np.where(people["patient"] % 3 == 0, "north", "south")
    expected = table.merge(people, on="patient", how="left", validate="many_to_one")
    for name, each in zip(forms, (table, people.sample(frac=1, random_state=0)), strict=True):
        WRITERS[f"p.{name.partition('.')[2]}"](each.reset_index(drop=True), tmp_path / name)
    source = dataclasses.replace(SOURCE, file=forms[0], groups=forms[1], by=("sex", "region"))
    roles = {"y_true": "died", "y_score": "risk", "by": ["sex", "region"], "cluster": "patient", "sample_id": "visit"}
    found = read_source(source, tmp_path)
    same(found, Predictions.from_frame(expected, **roles))
    assert set(found.about) == {"file", "file_sha256", "groups_file", "groups_file_sha256"}


MEDS = {
    "subject_id": [1, 1, 2, 3],
    "prediction_time": pd.to_datetime(["2020-01-01"] * 4),
    "boolean_value": [True, False, True, False],
    "predicted_boolean_value": [True, False, False, False],
    "predicted_boolean_probability": [0.9, 0.2, 0.4, 0.1],
    "sex": ["f", "f", "m", "m"],
}


@pytest.mark.parametrize("form", ["p.csv", "p.parquet"])
@pytest.mark.parametrize(
    ("changed", "threshold", "decided_by", "decisions"),
    [
        ({}, None, "given", [True, False, False, False]),
        ({"predicted_boolean_value": [None] * 4}, None, "threshold", [True, False, False, False]),
        ({}, 0.3, "threshold", [True, False, True, False]),
        ({"predicted_boolean_probability": [None] * 4}, None, "given", [True, False, False, False]),
    ],
    ids=["both", "no-decisions", "threshold", "no-scores"],
)
def test_a_meds_file_needs_no_names_of_columns(tmp_path, form, changed, threshold, decided_by, decisions):
    WRITERS[form](pd.DataFrame({**MEDS, **changed}), tmp_path / form)
    found = read_source(Source(file=form, layout="meds", by=("sex",), threshold=threshold), tmp_path)
    assert found.y_true.tolist() == MEDS["boolean_value"]
    assert (found.decided_by, found.y_pred.tolist()) == (decided_by, decisions)
    assert (found.y_score is None) == ("predicted_boolean_probability" in changed)
    assert len(set(found.cluster)) == 3
    assert doubts(found) == ()


def test_a_meds_file_whose_decisions_are_not_those_of_its_probabilities_is_doubted(tmp_path):
    pd.DataFrame({**MEDS, "predicted_boolean_probability": [0.1, 0.2, 0.9, 0.4]}).to_csv(tmp_path / "p.csv")
    (note,) = doubts(read_source(Source(file="p.csv", layout="meds", by=("sex",)), tmp_path))
    assert note.startswith("1 of 4 decisions contradict the scores, whatever the threshold is: ")


def test_a_meds_file_without_predictions_is_refused(tmp_path):
    gone = ("predicted_boolean_value", "predicted_boolean_probability")
    pd.DataFrame({name: values for name, values in MEDS.items() if name not in gone}).to_csv(tmp_path / "p.csv")
    with pytest.raises(InvalidPredictions, match=r"p.csv: neither predicted_boolean_value nor predicted_boolean_prob"):
        read_source(Source(file="p.csv", layout="meds", by=("sex",)), tmp_path)


@pytest.mark.parametrize(
    ("content", "changed", "message"),
    [
        (CSV, {"by": ("sexx",)}, "p.csv: by: there is no column 'sexx'; did you mean 'sex'? (allowed: died, ris"),
        (CSV, {"y_score": "rsk"}, "p.csv: y_score: there is no column 'rsk'; did you mean 'risk'? (allowed: di"),
        (CSV, {"y_pred": "score >= 5", "y_score": None}, "p.csv: y_pred: there is no column 'score'; allowed: died, "
         "risk, sex"),
        (CSV, {"by": ()}, "p.csv: names no column of groups; write by: sex"),
        (CSV, {"bins": {"age": (40.0,)}}, "p.csv: bins: 'age' is no feature that is asked for"),
        (CSV, {"bins": {"sex": (40.0,)}}, "p.csv: column 'sex': 2 of 2 values are no number: lines 2 ('f'), 3 ('m'); "
         "write numbers such as 0.25"),
        (CSV, {"file": "q.csv"}, "q.csv: there is no such file; did you mean 'p.csv'?"),
        (CSV, {"groups": "g.csv"}, "p.csv: groups has a row for each cluster; name the column that both files have: "
         "cluster: patient_id"),
        (CSV, {"threshold": 5.0}, "p.csv: threshold 5 is outside [0, 1], where probabilities are; decisions by "
         "another number are a rule: y_pred: decile_score >= 5"),
        (CSV.replace("0.9", "9"), {}, "p.csv: y_score: 1 of 2 values is outside [0, 1] (give probabilities, not "
         "logits or margins): row 0 (9.0) (by position, from 0); percentages are divided by 100 first; another score "
         "decides by a rule in the place of y_score, with your cut: y_pred: 'risk >= CUT' (y_score is column 'risk'; "
         "row 0 is line 2)"),
        (CSV.replace("1,", "2,"), {}, "p.csv: y_true: labels are not binary: 1 of 2 values are neither 0 nor 1 (2)"),
        (CSV, {"positive": "yes"}, "p.csv: positive: 'yes' is not among the classes of y_true, which are 0 and 1"),
        ("died,risk,sex\n", {}, "p.csv: holds no rows; there is nothing to judge"),
        (CSV.replace("f\n", "F\n") + "0,0.1,f\n", {}, "p.csv: sensitive_features['sex']: the names "),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_one_error_that_names_the_file(tmp_path, content, changed, message):
    (tmp_path / "p.csv").write_text(content)
    source = dataclasses.replace(Source(file="p.csv", y_true="died", y_score="risk", by=("sex",)), **changed)
    with pytest.raises((InvalidPredictions, ConfigurationError)) as caught:
        read_source(source, tmp_path)
    assert str(caught.value).startswith(message)
    assert str(caught.value).count("\n") == 0


@pytest.mark.parametrize("name", ["p.csv", "p.parquet", "p", "p.arrow"])
def test_a_folder_in_the_place_of_a_file(tmp_path, name):
    (tmp_path / name).mkdir()
    with pytest.raises(InvalidPredictions, match=r"is a folder|told by the end|no Parquet file is there"):
        read_source(dataclasses.replace(SOURCE, file=name), tmp_path)


@pytest.mark.parametrize("name", ["p.parquet", "p.feather", "p.csv"])
@pytest.mark.parametrize("twin", ["sex", "note"])
def test_a_column_that_is_there_twice(tmp_path, name, twin):
    rows = {"died": [0, 1], "risk": [0.1, 0.9], "sex": ["f", "m"], "note": ["a", "b"]}
    table = pa.table([*rows.values(), rows[twin]], names=[*rows, twin])
    writers = {"p.parquet": pq.write_table, "p.feather": write_feather, "p.csv": write_csv}
    writers[name](table, tmp_path / name)
    with pytest.raises(InvalidPredictions, match=rf"^{name}(:1)?: column '{twin}' is there twice; rename one of them$"):
        read_source(dataclasses.replace(SOURCE, file=name), tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "p.xlsx",
            b"",
            "p.xlsx: what the file holds is told by the end of its name; save it as one of .csv, .csv.gz, ",
        ),
        ("p.csv.gz", b"no", "p.csv.gz: not gzip, or cut off: "),
        ("p.parquet", b"PAR1no", "p.parquet: cannot be read as Parquet: "),
        ("p.feather", b"ARROW1no", "p.feather: cannot be read as Arrow: "),
        ("p.feather", b"", "p.feather: the file is empty; write it again"),
        ("p.parquet", CSV.encode(), "p.parquet: this is no Parquet; write it again, or name it by what it holds"),
        ("p.csv", b"PAR1no", "p.csv: this is Parquet; let its name end in .parquet"),
        ("p.csv", gzip.compress(CSV.encode(), mtime=0), "p.csv: this is gzip; let its name end in .csv.gz"),
        ("p.csv", CSV.encode("utf-16"), "p.csv: this is UTF-16; save it as CSV in UTF-8"),
    ],
)
def test_a_file_that_is_not_what_its_name_says(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InvalidPredictions) as caught:
        read_source(dataclasses.replace(SOURCE, file=name), tmp_path)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ("patient,region\n1,n\n1,s\n2,s\n", "g.csv: patient: line 2 and line 3 have one id; keep one row for each"),
        ("patient,region\n1,n\n", "g.csv: patient: 1 of 2 rows of p.csv have no row here, such as line 3; add them, or "
         "leave them out there"),
        ("patient,region,sex\n1,n,f\n2,s,f\n", "p.csv: 'sex' is a column of g.csv, too; leave it out of one of them"),
        ("patient,area\n1,n\n2,s\n", "g.csv: by: there is no column 'region'; did you mean"),
        ("person,region\n1,n\n2,s\n", "g.csv: cluster: there is no column 'patient'; "),
    ],
    ids=["twice", "lost", "both", "feature", "key"],
)  # fmt: skip
def test_a_second_file_has_one_row_for_each_cluster(tmp_path, groups, message):
    (tmp_path / "p.csv").write_text("y,d,sex,patient\n1,1,f,1\n0,1,m,2\n")
    (tmp_path / "g.csv").write_text(groups)
    by = ("sex", "region")
    source = Source(file="p.csv", y_true="y", y_pred="d", cluster="patient", by=by, groups="g.csv")
    with pytest.raises(InvalidPredictions) as caught:
        read_source(source, tmp_path)
    assert str(caught.value).startswith(message.removesuffix("did you mean"))


@pytest.mark.parametrize(
    ("given", "keys"),
    [
        ({"y_true": "y", "y_pred": "d"}, []),
        ({"y_true": "y", "y_score": "d", "threshold": 0.3, "positive": "yes"}, []),
        ({"error": "e"}, []),
        ({"layout": "meds", "threshold": 0.3, "groups": "g.csv", "bins": {"age": (40.0,)}}, []),
        ({"y_true": "y"}, ["y_true"]),
        ({"y_pred": "d"}, ["y_true"]),
        ({}, ["y_true"]),
        ({"error": "e", "positive": "1"}, ["positive"]),
        ({"y_true": "y", "y_pred": "d", "threshold": 0.3}, ["threshold"]),
        ({"error": "e", "threshold": 0.3}, ["threshold"]),
        ({"y_true": "y", "y_pred": "d", "groups": "g.csv"}, ["groups"]),
        ({"y_true": "y", "y_pred": "y"}, ["y_pred"]),
        ({"y_true": "y", "y_pred": "y >= 1"}, ["y_pred"]),
        ({"y_true": "y", "y_score": "y"}, ["y_score"]),
        ({"y_true": "y", "y_score": "s", "uncertainty": "y"}, ["uncertainty"]),
        ({"layout": "meds", "y_score": "boolean_value"}, ["y_score"]),
        ({"error": "e", "uncertainty": "e"}, ["uncertainty"]),
        ({"y_true": "y", "y_score": "s", "y_pred": "s >= 0.3", "uncertainty": "s"}, []),
        ({"y_true": "y", "y_pred": "d", "bins": {"a": (2.0, 1.0), "b": (), "c": (1.0, 1.0)}}, ["bins"] * 3),
    ],
)
def test_what_no_file_could_mend_is_known_before_it_is_read(given, keys):
    assert [key for key, _ in source_problems(Source(file="p.csv", **given))] == keys


def test_the_digest_is_not_told_where_it_may_not_be(tmp_path):
    (tmp_path / "p.csv").write_text(CSV)
    source = Source(file="p.csv", y_true="died", y_score="risk", by=("sex",))
    assert dict(read_source(source, tmp_path, tells_digest=False).about) == {"file": "p.csv"}
