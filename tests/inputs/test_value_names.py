"""One value has one name through every library: the same table gives the same groups."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from zoneinfo import ZoneInfo

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairness_checks import InvalidPredictions, Predictions
from fairness_checks.inputs.value_names import value_name

LIBRARIES = {
    "pandas": lambda table: table.to_pandas(),
    "pandas-objects": lambda table: table.to_pandas().astype({"group": object}),
    "pandas-arrow": lambda table: table.to_pandas(types_mapper=pd.ArrowDtype),
    "polars": pl.from_arrow,
    "polars-lazy": lambda table: pl.from_arrow(table).lazy(),
    "duckdb": duckdb.from_arrow,
    "pyarrow": lambda table: table,
    "python": lambda table: pd.DataFrame(
        {"y": table["y"].to_pylist(), "group": pd.Series(table["group"].to_pylist(), dtype=object)}
    ),
}
NOON, NIGHT = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC), dt.datetime(2026, 7, 2, 0, 0, 0, 500, tzinfo=dt.UTC)
DAYS = [dt.datetime(2026, 1, 1), dt.datetime(2026, 7, 2)]
ZONED = ("2026-01-01T12:00:00+00:00", "2026-07-02T00:00:00.0005+00:00")
NAIVE = ("2026-01-01T12:00:00", "2026-07-02T00:00:00.0005")
COLUMNS = {
    "utc": ([NOON, NIGHT], pa.timestamp("us", "UTC"), ZONED),
    "berlin": ([NOON, NIGHT], pa.timestamp("us", "Europe/Berlin"), ZONED),
    "nanoseconds": ([NOON, NIGHT], pa.timestamp("ns", "America/New_York"), ZONED),
    "missing": ([NOON, None, NIGHT], pa.timestamp("ms", "UTC"), (ZONED[0], "2026-07-02T00:00:00+00:00")),
    "naive": ([at.replace(tzinfo=None) for at in (NOON, NIGHT)], pa.timestamp("us"), NAIVE),
    "midnights": (DAYS, pa.timestamp("ms"), ("2026-01-01", "2026-07-02")),
    "days": (DAYS, pa.date32(), ("2026-01-01", "2026-07-02")),
    "times": ([dt.time(9, 30), dt.time(12)], pa.time64("us"), ("09:30:00", "12:00:00")),
    "decimals": ([Decimal("10.00"), Decimal("2.50")], pa.decimal128(10, 2), ("2.5", "10")),
    "long decimals": ([Decimal("1.0"), Decimal("2.0")], pa.decimal128(38, 20), ("1", "2")),
    "floats": ([10.0, 2.5, 1e-7], pa.float64(), ("1e-07", "2.5", "10")),
    "single floats": ([10.0, 0.1], pa.float32(), (str(float(np.float32(0.1))), "10")),
    "integers": ([10, 9], pa.int16(), ("9", "10")),
    "booleans": ([True, False], pa.bool_(), ("False", "True")),
    "bytes": ([b"m", b"f"], pa.binary(), ("f", "m")),
    "durations": ([dt.timedelta(hours=27), dt.timedelta(0)], pa.duration("us"), ("0 days 00:00:00", "1 days 03:00:00")),
}


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("kind", COLUMNS)
def test_the_same_table_gives_the_same_groups(kind, library):
    values, dtype, names = COLUMNS[kind]
    table = pa.table({"y": [place % 2 for place in range(len(values))], "group": pa.array(values, dtype)})
    frame = LIBRARIES[library](table)
    if (kind, library) == ("durations", "duckdb"):  # which makes an INTERVAL of it
        with pytest.raises(InvalidPredictions, match=r"row 0 holds an interval of months, days and seconds.*`epoch"):
            groups_of(frame)
        return
    assert groups_of(frame) == (names, [None if value is None else values.index(value) for value in values])


def groups_of(frame):
    """Names of the groups, and the first row of each row's group, None where it is missing."""
    feature = Predictions.from_frame(frame, error="y", by="group").sensitive_features["group"]
    codes = feature.codes.tolist()
    return feature.groups, [None if code < 0 else codes.index(code) for code in codes]


@pytest.mark.parametrize("given_as", [list, tuple, lambda each: np.array(each, dtype=object), pd.Categorical])
def test_decimals_are_the_numbers_they_equal(given_as):
    rows = [Decimal("1.00"), Decimal("1.0"), Decimal("2.50"), Decimal("1E+1")]
    feature = Predictions(error=[0.0] * 4, sensitive_features={"g": given_as(rows)}).sensitive_features["g"]
    assert feature.groups == ("1", "2.5", "10")
    assert feature.codes.tolist() == [0, 0, 1, 2]


@pytest.mark.parametrize("nan", ["NaN", "sNaN", "-NaN"])
def test_a_decimal_that_is_none_is_missing_and_zero_has_no_sign(nan):
    feature = Predictions(error=[0.0] * 3, sensitive_features={"g": [Decimal("-0.00"), Decimal(nan), Decimal("1")]})
    assert feature.sensitive_features["g"].groups == ("0", "1")
    assert feature.sensitive_features["g"].codes.tolist() == [0, -1, 1]


def test_an_hour_that_comes_twice_is_two_instants():
    zone = ZoneInfo("Europe/Berlin")
    rows = [dt.datetime(2026, 10, 25, 2, 30, tzinfo=zone, fold=fold) for fold in (0, 1)]
    found = Predictions(error=[0.0, 1.0], sensitive_features={"g": pd.Series(rows, dtype=object)})
    assert found.sensitive_features["g"].groups == ("2026-10-25T00:30:00+00:00", "2026-10-25T01:30:00+00:00")


@pytest.mark.parametrize(
    "rows",
    [[dt.date(2026, 1, 1), dt.datetime(2026, 1, 1)], [Decimal("1.00"), "1"], [dt.timedelta(1), "1 days 00:00:00"]],
)
def test_different_values_of_one_name_are_refused(rows):
    with pytest.raises(InvalidPredictions, match="would both be called"):
        Predictions(error=[0.0, 1.0], sensitive_features={"g": pd.Series(rows, dtype=object)})


INSTANTS = st.datetimes(dt.datetime(1700, 1, 1), dt.datetime(2200, 1, 1))


@given(INSTANTS, st.sampled_from(["us", "ns"]))
def test_an_instant_has_one_name_in_every_type(instant, unit):
    assert value_name(np.datetime64(instant, "us").astype(f"datetime64[{unit}]")) == value_name(instant)
    assert value_name(pd.Timestamp(instant).as_unit(unit)) == value_name(instant)
    zoned = instant.replace(tzinfo=dt.UTC)
    assert value_name(pd.Timestamp(zoned).tz_convert("Asia/Tokyo")) == value_name(zoned)
    assert dt.datetime.fromisoformat(value_name(zoned)) == zoned


@given(st.timedeltas(dt.timedelta(-10_000), dt.timedelta(10_000)))
def test_a_duration_has_one_name_in_every_type(duration):
    name = value_name(duration)
    assert value_name(np.timedelta64(duration)) == value_name(pd.Timedelta(duration)) == name
    assert pd.Timedelta(name.removeprefix("-")) == abs(pd.Timedelta(duration))


@given(st.decimals(allow_nan=False, allow_infinity=False, places=3), st.integers(0, 20))
def test_zeros_at_the_end_do_not_name_a_decimal(value, zeros):
    name = value_name(value)
    assert Decimal(name) == value
    assert value_name(Decimal(f"{value:f}" + "0" * zeros)) == name
