"""Training mixes: what each contains, what is refused, and that synthetic rows are possible ones."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from imblearn.over_sampling import SMOTE, SMOTENC

from fairness_checks.errors import ConfigurationError
from fairness_checks.sweep import synthetic
from fairness_checks.sweep.dataset import DataSet
from fairness_checks.sweep.mixes import Shares, common_size, mix_key, parse_mix, require_groups
from fairness_checks.sweep.mixing import apply_mix
from fairness_checks.sweep.plan import SweepPlan


def rng(seed=0):
    return np.random.default_rng(seed)


def columns_of(data):
    return data.features.assign(outcome=data.outcome, **{f"of {k}": v for k, v in data.sensitive_features.items()})


def test_as_is_is_the_training_part_itself(patients):
    train = patients()
    part = apply_mix("as_is", train, "sex", None, rng())
    assert part.data is train
    assert part.source.tolist() == list(range(len(train)))


def test_undersample_keeps_real_rows_of_every_group(patients):
    train = patients()
    smallest = min(train.groups("sex").sizes().values())
    part = apply_mix("undersample", train, "sex", None, rng())
    assert part.data.groups("sex").sizes() == {"female": smallest, "male": smallest}
    assert len(set(part.source)) == len(part.source)
    pd.testing.assert_frame_equal(columns_of(part.data), columns_of(train.take(part.source)))


def test_oversample_adds_possible_rows_and_keeps_the_real_ones(patients):
    train = patients()
    largest = max(train.groups("sex").sizes().values())
    part = apply_mix("oversample", train, "sex", None, rng())
    made = part.data.take(np.flatnonzero(part.source == -1))
    assert part.data.groups("sex").sizes() == {"female": largest, "male": largest}
    pd.testing.assert_frame_equal(columns_of(part.data.take(range(len(train)))), columns_of(train))
    assert part.data.features.dtypes.equals(train.features.dtypes)
    assert set(made.sensitive_features["sex"]) == {"female"}
    women = train.take(np.flatnonzero(train.sensitive_features["sex"] == "female"))
    for name in ("sex", "pain", "smoker"):
        assert set(made.features[name]) <= set(women.features[name])
    for name in ("age", "pressure"):
        assert made.features[name].between(women.features[name].min(), women.features[name].max()).all()
    assert set(made.outcome) <= {0, 1}
    assert set(made.sensitive_features["age_band"]) <= {"under 60", "60 and over"}
    assert not set(made.features["pressure"]) & set(train.features["pressure"])


def test_numbers_and_categories_are_those_of_imbalanced_learn():
    """The rows of its own SMOTENC, which is given the outcome as one more category."""
    n = 60
    draw = rng(1)
    sex = np.repeat(["f", "m"], [20, 40])
    features = pd.DataFrame({"x": draw.normal(size=n), "y": draw.normal(size=n), "kind": draw.integers(0, 3, n)})
    outcome = draw.integers(0, 2, n)
    train = DataSet(features, outcome, {"sex": sex}, categorical=["kind"])
    made = apply_mix("oversample", train, "sex", None, rng(5)).data.take(range(n, 80))
    state = int(rng(5).integers(2**31))
    sampler = SMOTENC(categorical_features=[2, 3], random_state=state)
    expected, _ = sampler.fit_resample(features.assign(outcome=outcome), sex)
    np.testing.assert_allclose(made.features[["x", "y"]], expected[["x", "y"]][n:])
    assert made.features["kind"].tolist() == expected["kind"][n:].tolist()
    assert made.outcome.tolist() == expected["outcome"][n:].tolist()


@pytest.mark.parametrize("columns", [1, 3, 12])
def test_neighbours_are_those_of_any_search(monkeypatch, columns):
    """By a tree, in a full matrix, or as imbalanced-learn would have it: of distances without ties the same rows."""
    monkeypatch.setattr(synthetic, "_kept", lambda: synthetic._Kept(0))
    draw, n = rng(1), 400
    features = pd.DataFrame(draw.normal(size=(n, columns))).add_prefix("x")
    train = DataSet(features, draw.integers(0, 2, n), {"sex": np.repeat(["f", "m"], [150, 250])})
    made = {}
    for name, least, dense in (("tree", 10, 10**8), ("full", 10**6, 10**8), ("sparse", 10**6, 0)):
        monkeypatch.setattr(synthetic, "_TREE_ROWS", least)
        monkeypatch.setattr(synthetic, "_DENSE", dense)
        made[name] = columns_of(apply_mix("oversample", train, "sex", None, rng(5)).data)
    pd.testing.assert_frame_equal(made["tree"], made["full"])
    pd.testing.assert_frame_equal(made["sparse"], made["full"])


def test_models_of_one_table_share_synthetic_rows(monkeypatch, patients):
    made = []
    resample = SMOTENC.fit_resample
    monkeypatch.setattr(SMOTENC, "fit_resample", lambda *given: made.append(1) or resample(*given))
    kept = synthetic._Kept(10**6)
    monkeypatch.setattr(synthetic, "_kept", lambda: kept)
    first, again = (apply_mix("oversample", patients(), "sex", None, rng()).data for _ in range(2))
    assert len(made) == 1
    assert first.fingerprint() == again.fingerprint()
    assert apply_mix("oversample", patients(), "sex", None, rng(1)).data.fingerprint() != first.fingerprint()
    assert apply_mix("oversample", patients(seed=1), "sex", None, rng()).data.fingerprint() != first.fingerprint()
    assert len(made) == 3


def test_no_more_synthetic_rows_are_kept_than_there_is_room_for():
    rows, codes = np.zeros((10, 9)), np.zeros(10, dtype=np.intp)  # 800 bytes
    kept = synthetic._Kept(2_000)
    kept.put("a", (rows, codes))
    kept.put("b", (rows, codes))
    assert kept.get("a") is not None
    kept.put("c", (rows, codes))
    assert [name for name in "abc" if kept.get(name) is not None] == ["a", "c"]
    kept.put("large", (np.zeros((1_000, 9)), codes))
    assert [name for name in ("a", "c", "large") if kept.get(name) is not None] == ["a", "c"]


def test_without_categories_and_outcome_it_is_smote():
    features = pd.DataFrame(rng(1).normal(size=(30, 2)), columns=["x", "y"])
    sex = np.repeat(["f", "m"], [10, 20])
    part = apply_mix("oversample", DataSet(features, None, {"sex": sex}), "sex", None, rng(5))
    expected, _ = SMOTE(random_state=int(rng(5).integers(2**31))).fit_resample(features, sex)
    np.testing.assert_allclose(part.data.features, expected)
    assert part.data.outcome is None


def test_categories_alone_can_be_oversampled():
    kind = np.array(["a", "b", "c"])[rng(1).integers(0, 3, 30)]
    train = DataSet({"kind": kind}, rng(2).integers(0, 2, 30), {"sex": np.repeat(["f", "m"], [10, 20])})
    part = apply_mix("oversample", train, "sex", None, rng())
    assert part.data.groups("sex").sizes() == {"f": 20, "m": 20}
    assert set(part.data.features["kind"]) <= {"a", "b", "c"}


def test_whole_numbers_stay_whole_and_clusters_are_new():
    train = DataSet(
        {"age": [20, 31, 42, 53, 64, 75]}, None, {"sex": ["f", "f", "m", "m", "m", "m"]}, cluster=[0, 0, 1, 1, 2, 2]
    )
    made = apply_mix("oversample", train, "sex", None, rng()).data.take([6, 7])
    assert made.features["age"].dtype == np.int64
    assert made.features["age"].between(20, 31).all()
    assert made.cluster.tolist() == [-1, -2]


def test_every_dtype_survives():
    n = 40
    draw = rng(3)
    features = pd.DataFrame(
        {
            "float32": draw.normal(size=n).astype("float32"),
            "uint8": draw.integers(0, 255, n).astype("uint8"),
            "nullable": pd.array(draw.integers(0, 9, n), dtype="Int64"),
            "category": pd.Categorical(draw.choice(["low", "high"], n), ["low", "middle", "high"], ordered=True),
            "bool": draw.random(n) < 0.5,
            "object": pd.Series(draw.choice(["a", "b"], n), dtype=object),
            "code": draw.integers(0, 3, n).astype(float),
        }
    )
    train = DataSet(features, None, {"sex": np.repeat(["f", "m"], [15, 25])}, categorical=["code"])
    made = apply_mix("oversample", train, "sex", None, rng()).data
    assert made.features.dtypes.equals(features.dtypes)
    assert made.features["category"].cat.categories.tolist() == ["low", "middle", "high"]
    assert not made.features.isna().any().any()
    for name in train.categorical:
        assert set(made.features[name]) <= set(features[name])
    pd.testing.assert_frame_equal(made.features.iloc[:n], train.features)


def test_equal_groups_need_no_synthetic_rows():
    train = DataSet({"age": range(4)}, [0, 1, 0, 1], {"sex": ["f", "f", "m", "m"]})
    assert apply_mix("oversample", train, "sex", None, rng()).source.tolist() == [0, 1, 2, 3]


def test_what_smote_cannot_do_is_said():
    alone = DataSet({"age": range(5)}, [0, 1, 0, 1, 1], {"sex": ["f", "m", "m", "m", "m"]})
    with pytest.raises(ConfigurationError, match="oversample: group 'f' has 1 training row, and SMOTE needs 2"):
        apply_mix("oversample", alone, "sex", None, rng())
    gaps = DataSet({"age": [1.0, None, 3.0, 4.0, 5.0]}, None, {"sex": ["f", "f", "m", "m", "m"]})
    with pytest.raises(ConfigurationError, match=r"feature 'age' has 1 missing values in the training part.*fill them"):
        apply_mix("oversample", gaps, "sex", None, rng())


shares = st.lists(st.integers(0, 20), min_size=3, max_size=3).filter(lambda w: sum(w) > 0)


@given(shares, st.lists(st.integers(3, 60), min_size=3, max_size=3), st.integers(0, 100))
def test_shares_are_exact_at_the_largest_size_that_there_is(weights, sizes, seed):
    mix = Shares({name: weight / sum(weights) for name, weight in zip("abc", weights, strict=True)})
    train = DataSet({"x": range(sum(sizes))}, None, {"g": np.repeat(["a", "b", "c"], sizes)})
    available = train.groups("g").sizes()
    size = common_size([mix, "oversample"], available)
    part = apply_mix(mix, train, "g", size, rng(seed))
    assert len(part.data) == size
    assert len(set(part.source)) == size
    found = part.data.groups("g").sizes()
    for name, share in mix.shares.items():
        assert abs(found.get(name, 0) - share * size) < 1 + 1e-6
        assert found.get(name, 0) <= available[name]
    assert any(share * (size + 1) > available[name] for name, share in mix.shares.items())


def test_all_mixes_of_shares_have_one_size():
    mixes = {"half": Shares({"f": 0.5, "m": 0.5}), "f": Shares({"f": 1}), "m": Shares({"m": 1.0}), "as_is": "as_is"}
    train = DataSet({"x": range(100)}, None, {"sex": np.repeat(["f", "m"], [30, 70])})
    size = common_size(mixes.values(), train.groups("sex").sizes())
    assert size == 30
    found = {name: apply_mix(mix, train, "sex", size, rng()).data.groups("sex").sizes() for name, mix in mixes.items()}
    assert found == {"half": {"f": 15, "m": 15}, "f": {"f": 30}, "m": {"m": 30}, "as_is": {"f": 9, "m": 21}}


@pytest.mark.parametrize(
    ("mix", "size", "sizes", "synthetic"),
    [
        ("as_is", 40, {"f": 12, "m": 28}, 0),
        ("undersample", 40, {"f": 20, "m": 20}, 0),
        ("oversample", 40, {"f": 20, "m": 20}, 0),
        ("oversample", 90, {"f": 45, "m": 45}, 15),
        ("oversample", 200, {"f": 100, "m": 100}, 100),
        (Shares({"f": 0.5, "m": 0.5}), 40, {"f": 20, "m": 20}, 0),
    ],
)
def test_a_size_binds_every_mix(mix, size, sizes, synthetic):
    x = rng(1).normal(size=100)
    train = DataSet({"x": x}, None, {"sex": np.repeat(["f", "m"], [30, 70])})
    part = apply_mix(mix, train, "sex", size, rng())
    assert part.data.groups("sex").sizes() == sizes
    assert int((part.source == -1).sum()) == synthetic
    real = part.source[part.source >= 0]
    assert len(set(real)) == len(real)
    assert part.data.features["x"].tolist()[: len(real)] == x[real].tolist()


def test_a_size_that_is_not_there_is_refused():
    train = DataSet({"x": range(100)}, None, {"sex": np.repeat(["f", "m"], [30, 70])})
    with pytest.raises(ConfigurationError, match="group 'f' of 'sex': 36 of 120 training rows are asked for, 30 are"):
        apply_mix("as_is", train, "sex", 120, rng())
    with pytest.raises(ConfigurationError, match="group 'f' of 'sex': 40 of 80 training rows are asked for, 30 are"):
        apply_mix("undersample", train, "sex", 80, rng())


def test_with_replacement_a_share_may_exceed_the_rows():
    train = DataSet({"x": range(100)}, None, {"sex": np.repeat(["f", "m"], [30, 70])})
    mix = Shares({"f": 0.9, "m": 0.1}, replace=True)
    assert common_size([mix], train.groups("sex").sizes()) == 100
    part = apply_mix(mix, train, "sex", 100, rng())
    assert part.data.groups("sex").sizes() == {"f": 90, "m": 10}
    with pytest.raises(ConfigurationError, match="group 'f' of 'sex': 90 of 100 training rows are asked for, 30 are"):
        apply_mix(Shares({"f": 0.9, "m": 0.1}), train, "sex", 100, rng())


def test_mixes_are_read_as_written():
    assert parse_mix("a", "as_is") == "as_is"
    assert parse_mix("b", {"f": 1, "m": 0}) == Shares({"f": 1.0, "m": 0.0})
    assert parse_mix("c", {"shares": {"f": 0.5, "m": 0.5}, "replace": True}) == Shares({"f": 0.5, "m": 0.5}, True)
    assert parse_mix("d", Shares({"f": 1.0})).shares == {"f": 1.0}
    assert parse_mix("thirds", dict.fromkeys("abc", 0.3333333)).shares["a"] == 0.3333333
    assert mix_key(Shares({"m": 0.5, "f": 0.5})) == mix_key(Shares({"f": 0.5, "m": 0.5}))
    assert mix_key(Shares({"f": 1.0})) != mix_key(Shares({"f": 1.0}, replace=True))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("oversampel", "mixes.x: 'oversampel'; did you mean 'oversample'"),
        ({}, "mixes.x: {}; allowed: as_is, oversample, undersample, or shares by group such as"),
        (3, "mixes.x: 3; allowed: as_is"),
        ({"f": 0.5, "m": 0.4}, "mixes.x: shares add up to 0.9, not to 1; write the share of every group"),
        ({"f": 1.5, "m": -0.5}, "mixes.x: group 'f': share 1.5 must be a number from 0 to 1"),
        ({"f": True}, "mixes.x: group 'f': share True must be"),
        ({"f": float("nan")}, "mixes.x: group 'f': share nan must be"),
        ({"f": "half"}, "mixes.x: group 'f': share 'half' must be"),
        ({"shares": {"f": 1.0}, "replac": True}, "mixes.x: key 'replac'; did you mean 'replace'"),
        ({"shares": {"f": 1.0}, "replace": 1}, "mixes.x: replace: 1 must be true or false"),
    ],
)
def test_a_mix_that_is_none_is_one_clear_error(value, message):
    with pytest.raises(ConfigurationError, match=message):
        parse_mix("x", value)


def test_an_unknown_group_is_answered_with_the_nearest():
    with pytest.raises(ConfigurationError, match=r"mixes\.women: 'femal' is no group of 'sex'; did you mean 'female'"):
        require_groups("women", Shares({"femal": 1.0}), "sex", ("female", "male"))


@pytest.mark.parametrize("mix", ["as_is", "oversample", "undersample", Shares({"f": 0.5, "m": 0.5})])
def test_a_training_of_another_size_is_another_training(mix):
    keys = [SweepPlan(by="sex", mixes={"one": mix}, size=size).task_key("one") for size in (None, 40, 41)]
    assert keys[0] != keys[1] != keys[2]
