"""DataSet: what is read, what is refused, and what its fingerprint tells apart."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from fairness_checks.errors import ConfigurationError, InvalidPredictions
from fairness_checks.storage.code_digest import digest_of
from fairness_checks.sweep.columns import column_digest
from fairness_checks.sweep.dataset import DataSet

SEX = {"sex": ["f", "m", "f"]}
COLUMNS = {"age": [40, 50, 60], "smoker": ["no", "yes", "no"]}


@pytest.mark.parametrize(
    "frame", [pd.DataFrame, pl.DataFrame, pa.table, dict], ids=["pandas", "polars", "pyarrow", "dict"]
)
def test_any_frame_becomes_the_same_pandas_frame(frame):
    data = DataSet(frame(COLUMNS), [0, 1, 1], frame(SEX))
    assert data.features.to_dict("list") == COLUMNS
    assert data.outcome.dtype == np.int8
    assert data.sensitive_features["sex"].tolist() == SEX["sex"]
    assert data.categorical == ("smoker",)
    assert data.fingerprint() == DataSet(COLUMNS, np.array([0.0, 1.0, 1.0]), SEX).fingerprint()


def test_rows_and_columns_are_taken_together():
    frame = pd.DataFrame({"age": [40, 50, 60], "kind": [1, 2, 2], "word": pd.Categorical(["a", "b", "a"])}, [7, 8, 9])
    data = DataSet(frame, [0, 1, 1], SEX, categorical=["kind"], cluster=["p1", "p1", "p2"])
    part = data.take([2, 0, 0])
    assert part.features["age"].tolist() == [60, 40, 40]
    assert part.features.index.tolist() == [0, 1, 2]
    assert part.outcome.tolist() == [1, 0, 0]
    assert part.sensitive_features["sex"].tolist() == ["f", "f", "f"]
    assert part.cluster.tolist() == [1, 0, 0]
    assert part.groups("sex").names == ("f",)
    few = data.select(["word", "age"])
    assert list(few.features) == ["word", "age"]
    assert data.categorical == ("kind", "word")
    assert few.categorical == ("word",)
    assert len(data.joined(part)) == 6
    assert data.joined(part).features.dtypes.equals(data.features.dtypes)


def test_what_the_caller_does_to_his_frame_changes_nothing():
    frame = pd.DataFrame(COLUMNS)
    data = DataSet(frame, [0, 1, 1], SEX)
    before = data.fingerprint()
    frame.loc[0, "age"] = 99
    assert data.fingerprint() == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"outcome": [0, 1]}, "lengths differ: features 3, outcome 2, sensitive_features 3"),
        ({"outcome": [0, 1, 2]}, "outcome: labels are not binary"),
        (
            {"outcome": ["ill", "well", "well"]},
            r"outcome: labels are not 0/1 or bool: 'ill', 'well'; write `outcome=np.asarray\(outcome\) == 'ill'` or "
            r"`outcome=np.asarray\(outcome\) == 'well'`, whichever is your positive class; ",
        ),
        ({"outcome": [1, 2, 2]}, r"rows 1, 2 \(by position, from 0\); write `outcome=np.asarray\(outcome\) == 1` or "),
        ({"features": pd.DataFrame([[1, 2]] * 3, columns=["a", "a"])}, "features: a column is there twice; rename one"),
        ({"features": pd.DataFrame([[1, 2]] * 3, columns=[1, "1"])}, "column '1' is there twice"),
        ({"features": {"a": [[1], [2], [3]]}}, r"features\['a'\]: a cell must be a number or text, not list"),
        ({"features": np.ones((3, 2))}, "features: ndarray; a frame or a mapping of columns is needed"),
        ({"features": {"a": [1, 2], "b": [1]}}, "features: cannot be read as one table"),
        ({"features": {}}, "features: no column"),
        ({"sensitive_features": {"sex": ["f", None, "m"]}}, r"sensitive_features\['sex'\]: 1 of 3 values are missing"),
    ],
)
def test_bad_data_is_one_clear_error(change, message):
    with pytest.raises(InvalidPredictions, match=message):
        DataSet(**{"features": COLUMNS, "outcome": [0, 1, 1], "sensitive_features": SEX} | change)


def test_unknown_names_are_answered_with_the_nearest():
    data = DataSet(COLUMNS, [0, 1, 1], SEX)
    with pytest.raises(ConfigurationError, match="feature 'agee' is not in the data set; did you mean 'age'"):
        data.select(["agee"])
    with pytest.raises(ConfigurationError, match="categorical: 'smokes' is no feature; did you mean 'smoker'"):
        DataSet(COLUMNS, [0, 1, 1], SEX, categorical=["smokes"])
    with pytest.raises(ConfigurationError, match="by: sensitive feature 'sexx' is not in the data set; did you mean"):
        data.groups("sexx")
    for columns in ([], ["age", "age"]):
        with pytest.raises(ConfigurationError, match="must name one or more different features"):
            data.select(columns)


@pytest.mark.parametrize("word", ["apart", "Together", True, None, ["together"], np.array(["together"])])
def test_identical_rows_are_one_of_two_words(word):
    with pytest.raises(ConfigurationError, match=r"identical_rows: .* must be 'independent' .* or 'together'"):
        DataSet(COLUMNS, [0, 1, 1], SEX, identical_rows=word)


CHANGES = {
    "value": {"features": {"age": [40, 50, 61], "smoker": ["no", "yes", "no"]}},
    "dtype": {"features": {"age": [40.0, 50.0, 60.0], "smoker": ["no", "yes", "no"]}},
    "name": {"features": {"Age": [40, 50, 60], "smoker": ["no", "yes", "no"]}},
    "order of columns": {"features": {"smoker": ["no", "yes", "no"], "age": [40, 50, 60]}},
    "text": {"features": {"age": [40, 50, 60], "smoker": ["no", "yes", "No"]}},
    "missing": {"features": {"age": [40, 50, 60], "smoker": ["no", "yes", None]}},
    "missing as text": {"features": {"age": [40, 50, 60], "smoker": ["no", "yes", "None"]}},
    "categories": {"features": {"age": [40, 50, 60], "smoker": pd.Categorical(["no", "yes", "no"])}},
    "more categories": {
        "features": {"age": [40, 50, 60], "smoker": pd.Categorical(["no", "yes", "no"], ["yes", "no"])}
    },
    "outcome": {"outcome": [1, 1, 1]},
    "no outcome": {"outcome": None},
    "sensitive": {"sensitive_features": {"sex": ["f", "m", "m"]}},
    "sensitive name": {"sensitive_features": {"gender": ["f", "m", "f"]}},
    "categorical": {"categorical": ["age"]},
    "cluster": {"cluster": [1, 1, 2]},
    "identical rows": {"identical_rows": "together"},
}


def test_fingerprint_tells_every_change():
    base = {"features": COLUMNS, "outcome": [0, 1, 1], "sensitive_features": SEX}
    found = {name: DataSet(**base | change).fingerprint() for name, change in ({"": {}} | CHANGES).items()}
    assert len(set(found.values())) == len(found)


@pytest.mark.parametrize(
    "column",
    [
        pd.Series(["no", "yes", 'a "quoted" \u00e9', "no"], dtype="str"),
        pd.Series(["no", None, "yes", "no"], dtype="str"),
        pd.Series(["1", 1, True, 1.0], dtype=object),
        pd.Series(["", "", "", ""], dtype="string"),
    ],
    ids=["text", "missing", "mixed", "empty"],
)
def test_a_column_of_text_is_digested_cell_by_cell(column):
    """What recurs is written once, and the digest is the one that older results are kept under."""
    cells = [None if pd.isna(cell) else [type(cell).__name__, str(cell)] for cell in column]
    assert column_digest(column)[1] == hashlib.sha256(json.dumps(cells).encode()).hexdigest()


def test_fingerprint_is_the_same_in_another_process():
    code = (
        "from fairness_checks.sweep.dataset import DataSet;"
        f"print(DataSet({COLUMNS!r}, [0, 1, 1], {SEX!r}).fingerprint())"
    )
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert other.stdout.strip() == DataSet(COLUMNS, [0, 1, 1], SEX).fingerprint()


def test_fingerprint_knows_no_byte_order():
    big = pd.DataFrame({"age": np.array([40, 50, 60], dtype=">i8"), "smoker": ["no", "yes", "no"]})
    assert DataSet(big, [0, 1, 1], SEX).fingerprint() == DataSet(COLUMNS, [0, 1, 1], SEX).fingerprint()


def test_the_class_of_a_frame_and_what_it_carries_count():
    def frame(carried, result):
        class Frame(pd.DataFrame):
            _metadata = ["unit"]  # noqa: RUF012 - as pandas has it

            @property
            def _constructor(self):
                return Frame

            def scaled(self):
                return self["age"] * result

        made = Frame(COLUMNS)
        made.unit = carried
        return made

    frames = [pd.DataFrame(COLUMNS), *(frame(carried, result) for carried, result in ((1, 2), (1, 3), (2, 2), (2, 2)))]
    found = [digest_of([DataSet(each, None, SEX).beside_values()]) for each in frames]
    assert [each.unseen for each in found if each.unseen] == []
    values = [each.value for each in found]
    assert len(set(values)) == 4
    assert values[-1] == values[-2]
