"""A model in an engine beside its baseline: joined by sample id, and judged as in memory."""

from __future__ import annotations

import dataclasses
import warnings

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import settings as trying
from hypothesis import strategies as st

from fairness_checks import InvalidPredictions, Predictions
from fairness_checks.baseline.accepted import Accepted
from fairness_checks.baseline.document import ModelBaseline
from fairness_checks.baseline.entries import entry_of
from fairness_checks.baseline.fingerprint import Pseudonyms
from fairness_checks.baseline.outcomes import write_outcomes
from fairness_checks.baseline.secret_key import SecretKey
from fairness_checks.baseline.staging import read_staged, stage
from fairness_checks.errors import BaselineError
from fairness_checks.findings.comparison import Pairing, compare
from fairness_checks.findings.regression import find_in_comparison
from fairness_checks.judge.evaluation import Evaluation
from fairness_checks.judge.verdict import audit_model
from fairness_checks.measure.sources import engine_rows, pairs
from fairness_checks.question.checks import Check, Settings
from fairness_checks.question.metrics import METRICS
from fairness_checks.stats.influence import auc_influence, balanced_accuracy_influence, rate_influence
from fairness_checks.stats.joint_estimates import joint_estimates
from tests.measure.sources.test_engines import ENGINES

ROLES = {"y_true": "died", "y_score": "risk", "error": "error", "by": ["sex", "age"], "sample_id": "visit"}
SETTINGS = Settings()
KEY = SecretKey(bytes(32), "a test")
COUNTED = [name for name, metric in METRICS.items() if metric.kind in ("proportion", "balanced_accuracy")]
RANKED = ["roc_auc"]
SUMMED = [name for name, metric in METRICS.items() if metric.kind == "mean"]
CHECKS = [
    Check("false_negative_rate", ("sex",), "max_worsening", 0.02, of="disparity"),
    Check("precision", ("age", "sex"), "max_worsening", 0.02, of="worst_group"),
    Check("balanced_accuracy", ("sex",), "max_worsening", 0.02, of="each_group"),
    Check("brier_score", ("age",), "max_worsening", 0.02, of="disparity"),
    Check(
        "mean_error",
        ("sex",),
        "max_worsening",
        0.02,
        of="each_group" if METRICS["mean_error"].lower_is_better else "disparity",
    ),
    Check("log_loss", ("sex",), "max_worsening", 0.02, of="disparity"),
    Check("roc_auc", ("sex", "age"), "max_worsening", 0.02, of="each_group"),
]


def halves(values):
    """Numbers that a baseline keeps as they are: multiples of 1/256."""
    return np.round(np.asarray(values) * 256.0) / 256.0


def visits(rows=3_000, seed=5):
    """The rows of the accepted model, and those of the next one, in another order."""
    rng = np.random.default_rng(seed)
    risk = rng.beta(2, 3, rows)
    died = (rng.random(rows) < risk).astype(int)
    sex, age = rng.choice(["f", "m"], rows), rng.choice([30, 50, 70], rows)
    old = {"visit": rng.permutation(rows) + 10_000, "died": died, "sex": sex, "age": age}
    old |= {"risk": halves(risk), "error": halves(rng.normal(0.0, 1.0, rows))}
    moved = np.where(rng.random(rows) < 0.3, rng.normal(0.0, 0.1, rows), 0.0) + 0.02 * (sex == "f")
    new = old | {"risk": halves(np.clip(risk + moved, 0.02, 0.98)), "error": halves(old["error"] + moved)}
    return pa.table(old), pa.table(new).take(pa.array(rng.permutation(rows)))


def here(table):
    return Predictions.from_frame(table, **ROLES)


def baseline(folder, old, checks, *, settings=SETTINGS):
    """What an update in memory leaves of the accepted model."""
    folder.mkdir(exist_ok=True)
    before = here(old)
    staged = read_staged(stage(before, checks, settings, KEY, lambda: folder))
    fresh, entries = Accepted(folder / "fairness-baseline.json", None, updating=True), {}
    for check in checks:
        (record,) = audit_model("m", Evaluation(before, accepted=fresh), [check], settings)
        groups = staged.groups[check.question.line]
        entries[check.question.line] = entry_of(record, versions={}, git_commit=None, date="2026-01-01", groups=groups)
    kept = write_outcomes(folder / "m.npz", before, Pseudonyms(KEY))
    return Accepted(fresh.path, ModelBaseline(checks=entries, outcomes=kept), pseudonyms=Pseudonyms(KEY))


def found(accepted, predictions, check, settings=SETTINGS):
    return find_in_comparison(compare(accepted, predictions, check, settings), check, settings)


def require_alike(one, other, check, *, digits=1e-9):
    exact = check.metric in COUNTED
    assert one.regression.paired == other.regression.paired
    for name in ("before", "after", "old_first", "old_second", "levelling_down"):
        left, right = getattr(one.regression, name), getattr(other.regression, name)
        if isinstance(right, float):
            assert left == pytest.approx(right, rel=0.0 if exact else digits, abs=0.0 if exact else digits), name
        else:
            assert left == right, name
    assert [(group.name, group.n, group.events) for group in one.groups] == [
        (group.name, group.n, group.events) for group in other.groups
    ]
    for name in ("estimate", "low", "high", "p_violation", "p_compliance"):
        assert getattr(one.inference, name) == pytest.approx(getattr(other.inference, name), rel=digits, abs=digits), (
            name
        )
    assert (one.inference.first, one.inference.second) == (other.inference.first, other.inference.second)
    assert one.cautions == other.cautions


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pairs")
    tables = visits()
    for name, table in zip(("old", "new"), tables, strict=True):
        pq.write_table(table, folder / f"{name}.parquet")
    return folder, *tables


@pytest.fixture(scope="module")
def accepted(files, tmp_path_factory):
    return baseline(tmp_path_factory.mktemp("baseline"), files[1], CHECKS)


def opened(engine, *paths):
    """Tables of one engine that can be joined."""
    if engine in ("duckdb", "ibis", "sqlframe"):
        pytest.importorskip("duckdb")
        if engine == "duckdb":
            import duckdb

            connection = duckdb.connect()
            return [connection.read_parquet(str(path)) for path in paths]
        if engine == "ibis":
            ibis = pytest.importorskip("ibis")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                connection = ibis.duckdb.connect()
                return [connection.read_parquet(str(path)) for path in paths]
        session = pytest.importorskip("sqlframe.duckdb").DuckDBSession()
        return [session.read.parquet(str(path)) for path in paths]
    return [ENGINES[engine](str(path)) for path in paths]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("engine", ENGINES)
def test_the_same_comparison_is_found_in_every_engine(engine, files, accepted, monkeypatch):
    folder, _, new = files
    before, now = opened(engine, folder / "old.parquet", folder / "new.parquet")
    there = Predictions.from_frame(now, **ROLES, accepted=before)
    for check in CHECKS if engine in ("duckdb", "polars") else CHECKS[:4:3]:
        in_memory = found(accepted, here(new), check)
        assert in_memory.regression.paired
        require_alike(found(accepted, there, check), in_memory, check)
    if engine == "spark":  # a query takes it seconds
        return
    monkeypatch.setattr(pairs, "MOST_SCORES", 0)  # changes are counted in bins, as of many rows
    there.kept.pop("pairs of brier_score")
    (mean,) = (check for check in CHECKS if check.metric == "brier_score")
    require_alike(found(accepted, there, mean), found(accepted, here(new), mean), mean, digits=1e-7)


def polars(*tables):
    return [pytest.importorskip("polars").from_arrow(table).lazy() for table in tables]


def there(new, old, **changed):
    now, before = polars(new, old)
    return Predictions.from_frame(now, **(ROLES | changed), accepted=before)


@pytest.mark.parametrize("of", ["disparity", "each_group", "worst_group"])
@pytest.mark.parametrize("metric", [*COUNTED, *RANKED, *SUMMED])
def test_every_metric_is_compared_as_in_memory(metric, of, files, tmp_path):
    _, old, new = files
    if of != "disparity" and METRICS[metric].lower_is_better is None:
        pytest.skip("which way is worse is not known")
    check = Check(metric, ("sex", "age"), "max_worsening", 0.03, of=of)
    accepted = baseline(tmp_path, old, [check])
    require_alike(found(accepted, there(new, old), check), found(accepted, here(new), check), check)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.metric)
def test_other_samples_are_compared_unpaired_as_in_memory(check, files, accepted):
    _, old, _ = files
    _, new = visits(2_000, seed=6)
    for lazy in (there(new, old), Predictions.from_frame(polars(new)[0], **unnamed(), collect=False)):
        one = found(accepted, lazy, check)
        assert not one.regression.paired
        require_alike(one, found(accepted, here(new), check), check)
    assert one.regression.pairing == (
        "the predictions have no table of the accepted model, with which samples could be paired"
    )


def unnamed():
    return {role: name for role, name in ROLES.items() if role != "sample_id"}


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.metric)
def test_a_model_that_did_not_change_has_a_change_of_zero(check, files, accepted):
    _, old, _ = files
    one = found(accepted, there(old.take(pa.array(range(len(old) - 1, -1, -1))), old), check)
    assert one.regression.paired
    assert one.inference.estimate == pytest.approx(0.0, abs=0.0 if check.metric in COUNTED else 1e-12)
    assert one.inference.p_violation > 0.4
    require_alike(one, found(accepted, here(old), check), check)


def test_changes_that_are_counted_in_bins_hardly_matter(tmp_path, monkeypatch):
    old, new = visits(240)
    rng = np.random.default_rng(4)
    old = column(old, "error", rng.normal(0.0, 1.0, len(old)))
    moved = dict(zip(old["visit"].to_pylist(), np.array(old["error"]) + rng.gamma(2.0, 0.1, len(old)), strict=True))
    new = column(new, "error", [moved[visit] for visit in new["visit"].to_pylist()])  # each by another number
    check = Check("mean_error", ("sex", "age"), "max_worsening", 0.03, of="disparity")
    accepted = baseline(tmp_path, old, [check])
    exact = found(accepted, there(new, old), check)
    monkeypatch.setattr(pairs, "MOST_SCORES", 0)
    require_alike(found(accepted, there(new, old), check), exact, check)
    monkeypatch.setattr(pairs, "_BINS", 4.0)  # of which each holds several samples
    coarse = found(accepted, there(new, old), check)
    require_alike(coarse, exact, check, digits=1e-4)
    assert coarse.inference.low != pytest.approx(exact.inference.low, rel=1e-9)


@pytest.mark.parametrize(
    ("edit", "why"),
    [
        (lambda t: t.slice(1), r"(2,999, and 3,000 there)"),
        (lambda t: replaced(t, "visit", 0, -1), "(1 of 3,000 ids are not in it)"),
        (lambda t: replaced(t, "died", 0, 1 - t["died"][0].as_py()), "(of the same ids, labels differ)"),
        (lambda t: swapped(t, "sex"), "(of the same ids, sex differ)"),
        (lambda t: column(t, "sex", ["x", *t["sex"].to_pylist()[1:]]), "(of the same ids, sex differ)"),
    ],
    ids=["fewer", "another id", "another label", "groups swapped", "other groups"],
)
def test_samples_are_paired_only_where_ids_labels_and_groups_are_the_same(edit, why, files, accepted):
    _, old, new = files
    edited = edit(new)
    one, other = (compare(accepted, each, CHECKS[1], SETTINGS) for each in (there(edited, old), here(edited)))
    assert not other.pairing.paired
    assert one.pairing == Pairing(False, f"other samples than in the table of the accepted model {why}")


def column(table, name, values):
    return table.set_column(table.column_names.index(name), name, pa.array(values))


def replaced(table, name, row, value):
    values = table[name].to_pylist()
    values[row] = value
    return column(table, name, values)


def swapped(table, name):
    """Two samples of one outcome change groups: all counts stay."""
    key = [table[other].to_pylist() for other in ("died", "age")]
    values = table[name].to_pylist()
    first = 0
    second = next(i for i in range(1, len(values)) if values[i] != values[0] and all(k[i] == k[0] for k in key))
    values[first], values[second] = values[second], values[first]
    return column(table, name, values)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (
            lambda t: replaced(t, "visit", 0, t["visit"][1].as_py()),
            r"sample_id: 1 of 3,000 rows have the id",
        ),
        (
            lambda t: replaced(t, "visit", 0, None),
            r"sample_id: 1 of 3,000 .* missing \(null\)",
        ),
        (lambda t: column(t, "visit", map(float, t["visit"].to_pylist())), r"sample_id: column 'visit' holds Float64"),
        (
            lambda t: column(t, "visit", ["nan", *map(str, t["visit"].to_pylist()[1:])]),
            r"sample_id: 1 of 3,000 values of column 'visit' is text that means a missing value",
        ),
        (
            lambda t: column(t, "visit", ["7", "7 ", *map(str, t["visit"].to_pylist()[2:])]),
            r"sample_id: 1 of 3,000 ids differ from another only in the blanks around them",
        ),
        (lambda t: replaced(t, "died", 0, None), r"y_true: 1 of 3,000 values of column 'died' is missing"),
    ],
    ids=["twice", "null", "float", "missing text", "blanks", "null label"],
)
@pytest.mark.parametrize("which", ["now", "accepted"])
def test_ids_that_memory_refuses_are_refused_of_both_tables(edit, message, which, files, accepted):
    _, old, new = files
    edited = edit({"now": new, "accepted": old}[which])
    with pytest.raises(InvalidPredictions):
        here(edited)
    if edited["visit"].type == pa.string():
        old = column(old, "visit", map(str, old["visit"].to_pylist()))
    tables = (edited, old) if which == "now" else (new, edited)
    with pytest.raises(InvalidPredictions, match=("^accepted: " if which == "accepted" else "^") + ".*" + message):
        compare(accepted, there(*tables), CHECKS[0], SETTINGS)


def test_ids_are_compared_as_text(files, accepted):
    _, old, new = files
    named = column(new, "visit", map(str, new["visit"].to_pylist()))
    assert compare(accepted, here(named), CHECKS[0], SETTINGS).pairing.paired
    one = found(accepted, there(named, old), CHECKS[0])
    assert one.regression.paired
    narrow = new.set_column(0, "visit", new["visit"].cast(pa.int32()))
    assert found(accepted, there(narrow, old), CHECKS[0]).regression.paired


def test_missing_groups_are_paired_where_they_are_a_group(tmp_path):
    old, new = visits(1_000)
    hidden = set(old["visit"].to_pylist()[:100])

    def hiding(table):
        both = zip(table["visit"].to_pylist(), table["sex"].to_pylist(), strict=True)
        return column(table, "sex", [None if visit in hidden else sex for visit, sex in both])

    old, new = hiding(old), hiding(new)
    missing = dataclasses.replace(SETTINGS, missing_sensitive="group")
    check = CHECKS[0]
    accepted = baseline(tmp_path, old, [check], settings=missing)
    one, other = (
        find_in_comparison(compare(accepted, each, check, missing), check, missing)
        for each in (there(new, old), here(new))
    )
    assert one.regression.paired
    require_alike(one, other, check)


@pytest.mark.parametrize("check", [CHECKS[0], CHECKS[3]], ids=["count", "mean"])
def test_another_table_than_the_baseline_was_written_from_is_refused(check, files, accepted):
    _, old, new = files
    with pytest.raises(
        BaselineError, match=rf"^accepted: .*: is not the table from which .* was written: of {check.metric} of "
    ):
        compare(accepted, there(new, new), check, SETTINGS)
    fewer = old.slice(10)
    shared = new.filter(pc.is_in(new["visit"], value_set=fewer["visit"]))
    with pytest.raises(BaselineError, match=r"is not the table .* samples .* the baseline .* samples"):
        compare(accepted, there(shared, fewer), check, SETTINGS)


def test_what_an_update_keeps_is_what_it_keeps_in_memory(files, tmp_path):
    _, old, new = files
    kept = [
        read_staged(stage(each, CHECKS, SETTINGS, None, lambda: tmp_path)).groups
        for each in (here(old), there(old, new))
    ]
    for check in CHECKS:
        for left, right in zip(*(groups[check.question.line] for groups in kept), strict=True):
            assert (left.name, left.n, left.events) == (right.name, right.n, right.events)
            for name in ("value", "variance", "df", "centre", "third", "extra"):
                assert getattr(left, name) == pytest.approx(getattr(right, name), rel=1e-9, abs=1e-15), name


def test_what_is_not_compared_in_an_engine_says_so(files, accepted, monkeypatch):
    _, old, new = files
    with pytest.raises(
        InvalidPredictions, match=r"^false_negative_rate of clusters beside a baseline: is not computed"
    ):
        compare(accepted, there(new, old, cluster="error"), CHECKS[0], SETTINGS)
    monkeypatch.setattr(engine_rows, "MOST_SCORES", 0)
    require_alike(found(accepted, there(new, old), CHECKS[-1]), found(accepted, here(new), CHECKS[-1]), CHECKS[-1])
    rng = np.random.default_rng(1)
    finer = column(new, "risk", np.clip(np.array(new["risk"]) + rng.random(len(new)) * 1e-7, 0.0, 1.0))
    with pytest.raises(
        InvalidPredictions, match=r"^roc_auc beside a baseline, of more rows than 1,000,000 with scores"
    ):
        compare(accepted, there(finer, old), CHECKS[-1], SETTINGS)


def test_areas_of_more_pairs_of_scores_than_are_counted_are_an_error(files, accepted, monkeypatch):
    _, old, new = files
    monkeypatch.setattr(pairs, "_MOST_PAIRS", 100)
    with pytest.raises(InvalidPredictions, match=r"more than 100 combinations of labels and both scores \(round these"):
        compare(accepted, there(new, old), CHECKS[-1], SETTINGS)


def test_arguments_that_do_not_go_together_are_refused(files):
    _, old, new = files
    now, before = polars(new, old)
    with pytest.raises(InvalidPredictions, match=r"^accepted: is for rows that stay in their engine"):
        Predictions.from_frame(new, **ROLES, accepted=before)
    with pytest.raises(InvalidPredictions, match=r"^accepted: is for rows that stay in their engine"):
        Predictions.from_frame(now, **ROLES, accepted=before, collect=True)
    with pytest.raises(InvalidPredictions, match=r"^accepted: its samples are found by their ids"):
        Predictions.from_frame(now, **unnamed(), accepted=before)
    with pytest.raises(InvalidPredictions, match=r"^sample_id: finds samples in the table from which the baseline was"):
        Predictions.from_frame(now, **ROLES, collect=False)
    with pytest.raises(InvalidPredictions, match=r"^accepted: frame: pyarrow.Table is in memory already"):
        Predictions.from_frame(now, **ROLES, accepted=old)


def test_tables_of_two_engines_are_refused(files, accepted):
    folder, _, new = files
    (now,), (before,) = polars(new), opened("duckdb", folder / "old.parquet")
    with pytest.raises(InvalidPredictions, match=r"^accepted: frame: duckdb.* cannot be joined with"):
        Predictions.from_frame(now, **ROLES, accepted=before)


def test_files_are_joined_with_files(files, accepted):
    folder, _, new = files
    lazy = Predictions.from_parquet(folder / "new.parquet", **ROLES, accepted=folder / "old.parquet")
    for check in CHECKS:
        require_alike(found(accepted, lazy, check), found(accepted, here(new), check), check)
    with pytest.raises(InvalidPredictions, match=r"none.parquet: there is no such file"):
        Predictions.from_parquet(folder / "new.parquet", **ROLES, accepted=folder / "none.parquet")


@pytest.mark.parametrize("check", [CHECKS[0], CHECKS[3]], ids=["count", "mean"])
@pytest.mark.parametrize("which", ["now", "old"])
def test_rows_that_change_after_the_first_look_are_noticed(which, check, files, accepted):
    duckdb = pytest.importorskip("duckdb")
    folder, *_ = files
    connection = duckdb.connect()
    for name in ("now", "old"):
        file = folder / f"{name if name == 'old' else 'new'}.parquet"
        connection.execute(f"create table {name} as select * from '{file}'")
    lazy = Predictions.from_frame(connection.table("now"), **ROLES, accepted=connection.table("old"))
    connection.execute(f"update {which} set risk = 1 - risk where sex = 'f'")
    with pytest.raises(InvalidPredictions, match="its rows changed while they were read"):
        compare(accepted, lazy, check, SETTINGS)


cells = st.lists(st.tuples(st.booleans(), st.booleans(), st.booleans(), st.integers(1, 40)), min_size=1, max_size=12)


@given(cells)
@trying(max_examples=60, deadline=None)
def test_samples_that_are_alike_count_as_often_as_there_are(rows):
    labels, now, before, times = (np.array(each) for each in zip(*rows, strict=True))
    spread = np.repeat(np.arange(len(rows)), times)
    for influence in (
        lambda decided, at, **more: rate_influence((labels & decided)[at], labels[at], **more),
        lambda decided, at, **more: balanced_accuracy_influence(labels[at], decided[at], **more),
        lambda decided, at, **more: auc_influence(labels[at], (decided + np.arange(len(rows)) % 3)[at], **more),
    ):
        single = [influence(decided, spread) for decided in (now, before)]
        counted = [influence(decided, slice(None), times=times) for decided in (now, before)]
        for one, other in zip(counted, single, strict=True):
            for name in ("value", "centre", "extra", "freedom", "kept"):
                assert getattr(one, name) == pytest.approx(getattr(other, name), rel=1e-12, abs=1e-15, nan_ok=True)
        for paired in (True, False):
            left, right = (joint_estimates(each[:1], each[1:], paired=paired) for each in (counted, single))
            for name in ("value", "centre", "covariance", "freedom", "third", "pseudo"):
                assert getattr(left, name) == pytest.approx(getattr(right, name), rel=1e-9, abs=1e-15, nan_ok=True), (
                    name
                )
