"""What looks wrong with how samples were put together is said, of nothing else, and no verdict changes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairness_checks import Predictions, audit
from fairness_checks.findings.doubts import doubts


def table(n=200, seed=0):
    rng = np.random.default_rng(seed)
    made = pd.DataFrame({"died": rng.random(n) < 0.4, "risk": rng.random(n), "sex": rng.choice(["f", "m"], n)})
    return made.assign(pid=rng.permutation(n) + 1000)


def of(t, **more):
    return Predictions(t["died"], y_score=t["risk"], sensitive_features=t[["sex"]], **more)


def test_nothing_is_said_of_a_table_as_it_should_be():
    assert doubts(of(table())) == ()


# --- rows that repeat


@pytest.mark.parametrize("times", [2, 3])
@pytest.mark.parametrize("place", ["behind one another", "shuffled", "by a join"])
def test_a_join_that_repeats_patients_is_named(times, place):
    t = table()
    many = pd.concat([t] * times, ignore_index=True)
    if place == "shuffled":
        many = many.sample(frac=1.0, random_state=0)
    if place == "by a join":
        many = t.drop(columns="sex").merge(pd.concat([t[["pid", "sex"]]] * times), on="pid")
    (note,) = doubts(of(many))
    assert note.startswith(f"each row stands there {times} times")
    record = audit(of(many), metric="false_negative_rate", by="sex", max_difference=0.4)
    assert note in record.notes + record.cautions


@pytest.mark.parametrize("by", ["cluster", "sample_id"])
def test_who_says_which_rows_are_of_one_patient_is_not_told(by):
    many = pd.concat([table()] * 2, ignore_index=True)
    ids = many["pid"] if by == "cluster" else np.arange(len(many))
    assert doubts(of(many, **{by: ids})) == ()


@given(st.integers(0, 10_000), st.sampled_from([2, 4, 10]), st.integers(60, 400))
def test_scores_of_few_values_repeat_by_themselves(seed, levels, n):
    t = table(n, seed)
    t["risk"] = (t["risk"] * levels).round() / levels
    assert not any("each row" in note for note in doubts(of(t)))


# --- one decision for all


@pytest.mark.parametrize(("threshold", "word"), [(0.0, "positive"), (1.0, "negative")])
def test_one_decision_for_all_is_named(threshold, word):
    t = table()
    assert doubts(of(t, threshold=threshold)) == (
        f"every sample is decided {word}: see whether scores and threshold are the ones that are meant",
    )


def test_one_decision_where_all_labels_are_alike_is_none_to_wonder_about():
    t = table().assign(died=True)
    assert doubts(of(t, threshold=0.0)) == ()


# --- decisions beside scores


def contradicting(decided, risk, score_of=None):
    given = {"y_score": np.asarray(risk), "sensitive_features": {"sex": ["f", "m"] * (len(risk) // 2)}}
    notes = doubts(Predictions([0, 1] * (len(risk) // 2), np.asarray(decided), **given))
    return [int(note.split(" of ")[0].replace(",", "")) for note in notes if "contradict the scores" in note]


@pytest.mark.parametrize("cut", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("levels", [10, 10_000])
def test_decisions_of_any_threshold_are_no_contradiction(cut, levels):
    risk = (table()["risk"].to_numpy() * levels).round() / levels
    assert contradicting(risk >= cut, risk) == []
    assert contradicting(risk > cut, risk) == []


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 6)), min_size=2, max_size=30).filter(lambda x: len(x) % 2 == 0))
def test_decisions_that_no_threshold_gives_are_counted(rows):
    decided, risk = np.array([d for d, _ in rows]), np.array([r for _, r in rows]) / 6
    fewest = min(int((decided != (risk >= cut)).sum()) for cut in [*np.unique(risk), 2.0])
    expected = [] if fewest == 0 or decided.all() or not decided.any() else [fewest]
    assert contradicting(decided, risk) == expected


def test_a_score_of_the_other_class_is_a_contradiction_of_most():
    risk = table()["risk"].to_numpy()
    assert contradicting(risk < 0.5, risk)[0] > 50
    given = {"sensitive_features": {"sex": ["f", "m"] * 100}, "y_score": risk}
    record = audit(
        Predictions([0, 1] * 100, risk < 0.5, **given), metric="false_negative_rate", by="sex", max_difference=0.4
    )
    assert any("of 200 decisions contradict the scores, whatever the threshold is" in note for note in record.notes)


# --- rows paired by position


def test_labels_on_one_side_only_are_named():
    t = table()
    groups = t.set_index("pid")[["sex"]].sort_index()
    (note,) = doubts(Predictions(t["died"], y_score=t["risk"], sensitive_features=groups))
    assert note.startswith("sensitive_features has row labels and y_true has none")
    outcomes = t.set_index("pid")
    (note,) = doubts(Predictions(outcomes["died"], y_score=outcomes["risk"], sensitive_features=t[["sex"]]))
    assert note.startswith("y_true has row labels and sensitive_features has none")


@pytest.mark.parametrize("kind", ["array", "default index", "list", "its own index"])
def test_labels_and_groups_of_one_table_beside_any_scores_are_not(kind):
    t = table().set_index("pid")
    array = t["risk"].to_numpy()
    score = {"array": array, "default index": pd.Series(array), "list": list(array), "its own index": t["risk"]}
    assert doubts(Predictions(t["died"], y_score=score[kind], sensitive_features=t[["sex"]])) == ()


def test_arrays_have_no_labels_on_any_side():
    t = table()
    assert doubts(Predictions(t["died"].to_numpy(), y_score=t["risk"], sensitive_features=t.set_index("pid")[["sex"]]))
    assert doubts(Predictions(t["died"].to_numpy(), y_score=t["risk"].to_numpy(), sensitive_features=t[["sex"]])) == ()
