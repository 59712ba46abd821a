"""run_sweep: the same bytes however it runs, nothing trained twice, nothing stale, nothing leaked."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import joblib
import numpy as np
import pytest
from joblib._parallel_backends import ThreadingBackend

from fairness_checks import Predictions
from fairness_checks.errors import ConfigurationError, InvalidPredictions
from fairness_checks.storage.entries import packed, unpacked
from fairness_checks.storage.keyed import Log
from fairness_checks.sweep import runs
from fairness_checks.sweep import store as store_module
from fairness_checks.sweep.dataset import DataSet
from fairness_checks.sweep.mixes import Shares
from fairness_checks.sweep.plan import SweepPlan
from fairness_checks.sweep.results import GroupResult, RepeatResult, SweepResults
from fairness_checks.sweep.runs import run_sweep
from fairness_checks.sweep.splits import blocks, counted_blocks
from fairness_checks.sweep.trainable import TrainableModel
from fairness_checks.sweep.training import training_key

MIXES = {
    "as_is": "as_is",
    "over": "oversample",
    "under": "undersample",
    "half": Shares({"female": 0.5, "male": 0.5}),
    "women": Shares({"female": 1.0}),
}


def plan(**options):
    return SweepPlan(**{"by": "sex", "mixes": MIXES, "repeats": 3} | options)


def logs(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.log"))


def trainings(folder: Path) -> dict[str, bytes]:
    return {key: entry.body for log in logs(folder) for key, entry in Log(log).read()[0].items()}


def complete(folder: Path) -> Path:
    (found,) = folder.rglob("*.entry")
    return found


def results(folder: Path) -> bytes:
    return unpacked(complete(folder).read_bytes()).body


def test_every_training_is_there_with_all_that_it_measured(patients, age_model, tmp_path):
    data = patients()
    model = age_model(data, feature_sets={"all": tuple(data.features), "age": ["age"]})
    found = run_sweep("m", model, plan(), tmp_path)
    assert found.trained == len(found.results) == 5 * 2 * 3
    assert [r.task for r in found.results] == sorted(r.task for r in found.results)
    for result in found.results:
        for group in result.groups.values():
            tn, _, fn, tp = group.counts
            assert sum(group.counts) == group.test
            positives, samples = fn + tp, group.test
            assert group.values["false_negative_rate"] == (fn / positives if positives else None)
            assert group.values["accuracy"] == (tn + tp) / samples
            assert {"roc_auc", "brier_score", "mean_uncertainty", "balanced_accuracy"} <= set(group.values)
            assert not {"mean_error", "equalized_odds", "uncertainty_mismatch"} & set(group.values)
        (pair,) = result.pairs
        assert (pair.first, pair.second) == ("female", "male")
        assert 0 <= pair.error_auc <= 1
        assert -1 <= pair.mismatch <= 1
    women = found.of("women", "all")[0].groups
    assert women["male"].train == women["male"].real == 0
    over = found.of("over", "all")[0].groups
    assert over["female"].train == over["male"].train > over["female"].real
    assert {r.groups["female"].train for r in found.of("half", "all")} == {women["female"].train // 2}
    assert len(json.loads(results(tmp_path))["results"]) == 30


def test_values_are_those_of_scikit_learn(patients, age_model):
    from sklearn.metrics import brier_score_loss, roc_auc_score

    data, tested = patients(), []
    model = age_model(data)

    def predict(fitted, test):
        found = model.predict(fitted, test)
        tested.append((test, found))
        return found

    result = run_sweep("m", TrainableModel(data, model.fit, predict, version="1"), plan(repeats=1), None).results[0]
    test, found = tested[0]
    for name, group in result.groups.items():
        rows = test.sensitive_features["sex"].to_numpy() == name
        assert group.values["roc_auc"] == pytest.approx(roc_auc_score(test.outcome[rows], found.y_score[rows]))
        assert group.values["brier_score"] == pytest.approx(brier_score_loss(test.outcome[rows], found.y_score[rows]))


def test_errors_without_labels_are_enough(patients):
    data = patients()
    unlabelled = DataSet(data.features, None, data.sensitive_features, data.categorical)

    def predict(fitted, test):
        error = test.features["age"] - fitted
        return Predictions(error=error, uncertainty=abs(error), sensitive_features=test.sensitive_features)

    model = TrainableModel(unlabelled, lambda train, rng: train.features["age"].mean(), predict, version="1")
    found = run_sweep("m", model, plan(repeats=1), None)
    group = found.results[0].groups["male"]
    assert group.counts is None
    assert set(group.values) == {"mean_absolute_error", "mean_error", "mean_squared_error", "mean_uncertainty"}
    assert found.results[0].pairs[0].mismatch == 0.0


def test_test_rows_are_never_trained_on_and_synthetic_rows_never_test(patients, age_model):
    data = patients(120)
    doubled = data.joined(data.take(range(20))).like(identical_rows="together")
    real = {tuple(row) for row in doubled.features.to_numpy()}
    seen, tested = [], []
    model = age_model(doubled, seen)

    def predict(fitted, test):
        tested.append(test)
        return model.predict(fitted, test)

    found = run_sweep("m", TrainableModel(doubled, model.fit, predict, version="1"), plan(repeats=4), None)
    assert found.repeated_rows == 20
    assert len(seen) == len(tested) == 20
    for (train, _), test in zip(seen, tested, strict=True):
        known = {tuple(row) for row in train.features.to_numpy()}
        rows = [tuple(row) for row in test.features.to_numpy()]
        assert not known & set(rows)
        assert set(rows) <= real


def test_clusters_are_never_on_both_sides(patients, age_model):
    data = patients(120)
    data = DataSet(data.features, data.outcome, data.sensitive_features, cluster=np.arange(120) // 3)
    seen, tested = [], []
    model = age_model(data, seen)

    def predict(fitted, test):
        tested.append(set(test.cluster))
        return model.predict(fitted, test)

    found = run_sweep("m", TrainableModel(data, model.fit, predict, version="1"), plan(), None)
    assert found.clusters == counted_blocks(data, "sex", blocks(data))
    assert SweepResults.from_json(found.to_json()).clusters == found.clusters
    assert all(not set(train.cluster) & test for (train, _), test in zip(seen, tested, strict=True))


def test_the_split_of_a_repeat_is_the_same_for_all(patients, age_model):
    data = patients()
    tested = {}
    model = age_model(data, feature_sets={"all": tuple(data.features), "age": ["age", "pressure"]})

    def predict(fitted, test):
        tested.setdefault(tuple(test.features["pressure"]), []).append(len(test.features.columns))
        return model.predict(fitted, test)

    again = TrainableModel(data, model.fit, predict, version="1", feature_sets=model.feature_sets)
    run_sweep("m", again, plan(), None)
    assert sorted(map(sorted, tested.values())) == [[2] * 5 + [5] * 5] * 3


def test_rows_drawn_are_the_same_for_every_feature_set(patients, age_model):
    data, seen = patients(), []
    model = age_model(data, seen, feature_sets={"all": tuple(data.features), "few": ["age", "pressure"]})
    run_sweep("m", model, plan(mixes={"under": "undersample", "half": MIXES["half"]}, repeats=1), None)
    rows = [tuple(train.features["pressure"]) for train, _ in seen]
    assert rows[0] == rows[1]
    assert rows[2] == rows[3]


def test_more_mixes_and_repeats_change_no_number_and_train_only_what_is_new(patients, age_model, tmp_path):
    data, seen = patients(), []
    few = run_sweep(
        "m", age_model(data, seen), plan(mixes={"over": "oversample", "as_is": "as_is"}, repeats=2), tmp_path
    )
    more = run_sweep("m", age_model(data, seen), plan(mixes={**MIXES, "x": "as_is"}, repeats=3), tmp_path)
    assert more.trained == 6 * 3 - 4
    assert len(seen) == 6 * 3
    assert set(map(repr, few.results)) <= set(map(repr, more.results))
    assert len({state for _, state in seen}) == len(seen)  # each fit has random numbers of its own
    assert run_sweep("m", age_model(data), plan(mixes={**MIXES, "x": "as_is"}), None).results == more.results


def test_a_mix_of_shares_that_changes_the_common_size_is_trained_again(patients, age_model, tmp_path):
    data = patients()
    run_sweep("m", age_model(data), plan(mixes={"men": Shares({"male": 1.0})}), tmp_path)
    both = plan(mixes={"men": Shares({"male": 1.0}), "women": Shares({"female": 1.0})})
    found = run_sweep("m", age_model(data), both, tmp_path)
    assert found.trained == 6
    assert found.of("men", "all")[0].groups["male"].train == found.of("women", "all")[0].groups["female"].train
    fixed = [
        run_sweep("m", age_model(data), plan(mixes=dict(m), size=12), tmp_path)
        for m in (list(both.mixes.items())[:1], both.mixes)
    ]
    assert fixed[1].trained == 3
    assert fixed[0].of("men", "all") == fixed[1].of("men", "all")


class Mine(ThreadingBackend):
    """A backend of the user's own, which returns everything at the end."""

    supports_return_generator = False
    calls = 0

    def submit(self, func, callback=None):
        Mine.calls += 1
        return super().submit(func, callback)


def test_any_number_of_jobs_and_any_backend_give_the_same_bytes(patients, age_model, tmp_path):
    model = age_model(patients())
    steps = {name: [] for name in ("one", "two", "threads", "mine")}

    def sweep(name, jobs):
        run_sweep("m", model, plan(), tmp_path / name, jobs, lambda *at: steps[name].append(at))

    sweep("one", 1)
    sweep("two", 2)
    with joblib.parallel_config("threading"):
        sweep("threads", 2)
    joblib.register_parallel_backend("mine", Mine)
    with joblib.parallel_config("mine", n_jobs=2):
        sweep("mine", None)
    assert Mine.calls
    assert len({results(tmp_path / name) for name in steps}) == 1
    files = [trainings(tmp_path / name) for name in steps]
    assert all(one == files[0] for one in files)
    for calls in steps.values():
        assert [at[:2] for at in calls] == [(done, 15) for done in range(16)]
        assert [at[2] for at in calls] == sorted(at[2] for at in calls)


SCRIPT = """
import sys, time
from pathlib import Path
from types import SimpleNamespace
sys.path.insert(0, {tests!r})
from conftest import age_model, patients
from fairness_checks.sweep.mixes import Shares
from fairness_checks.sweep.plan import SweepPlan

from fairness_checks.sweep.runs import run_sweep
from fairness_checks.sweep.trainable import TrainableModel

cache, log, most = sys.argv[1:]
model = age_model(patients())

def fit(train, rng):
    with Path(log).open("a") as file:
        file.write(f"{{rng.bit_generator.state['state']['state']}}\\n")
    if len(Path(log).read_text().split()) > int(most):
        time.sleep(600)
    return model.fit(train, rng)

mixes = {{"as_is": "as_is", "over": "oversample", "half": Shares({{"female": 0.5, "male": 0.5}})}}
sweep = TrainableModel(model.data, fit, model.predict, depends_on={{"most": "changes no result"}})
print(run_sweep("m", sweep, SweepPlan(by="sex", mixes=mixes, repeats=8), Path(cache)).trained)
"""


def test_a_killed_sweep_goes_on_and_ends_with_the_same_bytes(patients, age_model, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(SCRIPT).format(tests=str(Path(__file__).parent)))

    def command(cache, most=100):
        return [sys.executable, str(script), str(tmp_path / cache), str(tmp_path / "log"), str(most)]

    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    killed = subprocess.Popen(command("killed", most=6), env=environment, stdout=subprocess.DEVNULL)
    while len(trainings(tmp_path / "killed")) < 6:
        assert killed.poll() is None
        time.sleep(0.01)
    killed.send_signal(signal.SIGKILL)
    assert killed.wait() == -signal.SIGKILL
    first = (tmp_path / "log").read_text().split()
    assert len(trainings(tmp_path / "killed")) == 6
    assert not list((tmp_path / "killed").rglob("*.entry"))

    rest = subprocess.run(command("killed"), env=environment, capture_output=True, text=True, check=True)
    assert int(rest.stdout) == 24 - 6  # the counter
    times = Counter((tmp_path / "log").read_text().split())
    assert len(times) == 24
    assert all(count == 1 for state, count in times.items() if state != first[-1])
    assert times[first[-1]] <= 2  # what was in the middle when the process was killed, if it had begun
    assert subprocess.check_output(command("undisturbed"), env=environment, text=True).strip() == "24"
    assert results(tmp_path / "killed") == results(tmp_path / "undisturbed")
    assert subprocess.check_output(command("killed"), env=environment, text=True).strip() == "0"
    assert not list((tmp_path / "killed").rglob("*.tmp*"))


def test_configuration_loads_no_numpy():
    code = """
import sys
from fairness_checks.sweep import SweepPlan
SweepPlan(by="sex", mixes={"women": {"female": 1.0}, "balanced": "oversample"}).task_key("women")
print([name for name in ("numpy", "pandas", "joblib") if name in sys.modules])
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_what_is_stored_is_read(patients, age_model, tmp_path):
    seen, steps = [], []
    first = run_sweep("m", age_model(patients(), seen), plan(), tmp_path)
    second = run_sweep("m", age_model(patients(), seen), plan(), tmp_path, progress=lambda *at: steps.append(at))
    assert len(seen) == 15
    assert second.trained == 0
    assert second.results == first.results
    assert second.to_json() == first.to_json()
    assert not steps


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[:-20],
        lambda content: b"",
        lambda content: b"\xff\xfe not ours\n",
        lambda content: b"{}\n",
        lambda content: content.replace(b'"test":', b'"test": ', 1),
        lambda content: content.replace(b"0.", b"1.", 1),
        lambda content: content.replace(b"entry 1 20", b"entry 1 19", 1),
        lambda content: content.replace(b"entry 1 ", b"entry 2 ", 1),
        lambda content: content.replace(content.split(b" ")[3], b"0" * 64, 1),
    ],
    ids=[
        "truncated",
        "empty",
        "foreign bytes",
        "foreign JSON",
        "reformatted",
        "changed number",
        "other date",
        "other layout",
        "other key",
    ],
)
def test_a_damaged_training_is_done_again_and_costs_no_other(patients, age_model, tmp_path, damage):
    run_sweep("m", age_model(patients()), plan(), tmp_path)
    good, body, (log,) = complete(tmp_path), results(tmp_path), logs(tmp_path)
    good.write_bytes(damage(good.read_bytes()))
    lines = log.read_bytes().splitlines(keepends=True)
    lines[4] = damage(lines[4])
    log.write_bytes(b"".join(lines))
    found = run_sweep("m", age_model(patients()), plan(), tmp_path)
    # A line that lost its end has taken the next one along.
    assert found.trained == (1 if lines[4].endswith(b"\n") or not lines[4] else 2)
    assert results(tmp_path) == body
    good.unlink()
    assert run_sweep("m", age_model(patients()), plan(), tmp_path).trained == 0


def test_two_runs_at_a_time_train_nothing_twice(patients, age_model, tmp_path):
    seen, found = [], []
    model = age_model(patients(), seen)
    runs = [threading.Thread(target=lambda: found.append(run_sweep("m", model, plan(), tmp_path))) for _ in range(2)]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    assert len(seen) == 15
    assert sorted(result.trained for result in found) == [0, 15]
    assert found[0].to_json() == found[1].to_json()


def test_what_stands_in_the_place_of_results_costs_no_result(patients, age_model, tmp_path, odd_file):
    small = plan(mixes={"as_is": "as_is"}, repeats=2)
    right = run_sweep("m", age_model(patients()), small, None).results
    run_sweep("m", age_model(patients()), small, tmp_path)
    paths = [complete(tmp_path), *logs(tmp_path), *sorted((tmp_path / "sweeps").glob("*.lock"))]
    assert len(paths) == 4
    for path in paths:
        if path != paths[0] and complete(tmp_path).is_file():
            odd_file.put(path)
            assert run_sweep("m", age_model(patients()), small, tmp_path).trained == 0  # nothing else is needed
            complete(tmp_path).unlink()
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)
        odd_file.put(path)
        with pytest.warns(RuntimeWarning, match=rf"{path.name}: {odd_file.says}; .*results are right but not kept"):
            assert run_sweep("m", age_model(patients()), small, tmp_path).results == right
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
        run_sweep("m", age_model(patients()), small, tmp_path)
    assert run_sweep("m", age_model(patients()), small, tmp_path).trained == 0


def test_the_date_is_that_of_the_oldest_training(patients, age_model, tmp_path):
    assert run_sweep("m", age_model(patients()), plan(repeats=2), tmp_path).kept is None
    (log,) = logs(tmp_path)
    first, *rest = log.read_bytes().splitlines(keepends=True)
    old = unpacked(first)
    log.write_bytes(packed(old.key, old.body, "2020-02-29T12:00:00Z") + b"".join(rest))
    for trained in (5, 0):  # from the log, then from all of them in one
        found = run_sweep("m", age_model(patients()), plan(), tmp_path)
        assert (found.trained, found.kept) == (trained, "2020-02-29T12:00:00Z")
        assert "2020-02-29" not in found.to_json()


STALE = {
    "data": lambda age_model, patients: (age_model(patients(seed=1)), plan()),
    "version": lambda age_model, patients: (age_model(patients(), version="2"), plan()),
    "seed": lambda age_model, patients: (age_model(patients()), plan(seed=1)),
    "test": lambda age_model, patients: (age_model(patients()), plan(test=0.2)),
    "size": lambda age_model, patients: (
        age_model(patients()),
        plan(mixes={"half": Shares({"female": 0.5, "male": 0.5})}, size=10),
    ),
    "feature set": lambda age_model, patients: (age_model(patients(), feature_sets={"all": ["age"]}), plan()),
    "by": lambda age_model, patients: (age_model(patients()), plan(by="age_band", mixes={"as_is": "as_is"})),
    "mix": lambda age_model, patients: (
        age_model(patients()),
        plan(mixes={"half": Shares({"female": 0.4, "male": 0.6})}),
    ),
}


@pytest.mark.parametrize("name", STALE)
def test_a_change_never_uses_a_stale_result(patients, age_model, tmp_path, name):
    run_sweep("m", age_model(patients()), plan(), tmp_path)
    model, changed = STALE[name](age_model, patients)
    found = run_sweep("m", model, changed, tmp_path)
    assert found.trained == len(found.results)
    assert run_sweep("m", age_model(patients()), plan(), tmp_path).trained == 0


def test_libraries_and_names_are_part_of_the_key(patients, age_model, tmp_path, monkeypatch):
    small = plan(mixes={"as_is": "as_is"}, repeats=2)
    run_sweep("m", age_model(patients()), small, tmp_path)
    assert run_sweep("another", age_model(patients()), small, tmp_path).trained == 2
    known = store_module.environment()
    for changed in (
        {**known, "libraries": {**known["libraries"], "numpy": "0.0"}},
        {**known, "python": "3.0"},
        {**known, "code": "0"},
    ):
        monkeypatch.setattr(store_module, "environment", lambda changed=changed: changed)
        assert run_sweep("m", age_model(patients()), small, tmp_path).trained == 2


def test_a_folder_that_cannot_be_written_is_a_warning(patients, age_model, tmp_path):
    (tmp_path / "sweeps").write_text("in the way")
    with pytest.warns(RuntimeWarning, match="results are right but not kept.*Make the folder writable"):
        found = run_sweep("m", age_model(patients()), plan(), tmp_path)
    assert found.results == run_sweep("m", age_model(patients()), plan(), None).results


BAD = {
    "group": (
        {"mixes": {"x": Shares({"femal": 1.0})}},
        r"mixes\.x: 'femal' is no group of 'sex'; did you mean 'female'",
    ),
    "by": ({"by": "gender"}, "by: sensitive feature 'gender' is not in the data set; allowed: age_band, sex"),
    "feature set": ({"feature_sets": ("al",)}, "feature_sets: 'al' is no feature set of the model; did you mean 'all'"),
    "size": (
        {"mixes": {"x": Shares({"female": 1.0})}, "size": 60},
        r"mixes\.x: group 'female' of 'sex': 60 of 60 training rows are asked for, \d+ are there; use a smaller `size`",
    ),
    "test": ({"test": 60}, "test: 60: by 'sex': group 'female' has .* use a smaller `test`"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_plan_that_does_not_fit_is_one_clear_error(patients, age_model, name):
    options, message = BAD[name]
    with pytest.raises(ConfigurationError, match=message):
        run_sweep("m", age_model(patients()), plan(**options), None)


def test_a_data_set_of_one_group_is_never_trained_on(patients, age_model):
    data, seen = patients(), []
    women = data.take(np.flatnonzero(data.sensitive_features["sex"] == "female"))
    message = rf"sweep: 'sex' has one group only, 'female', which all {len(women)} rows belong to; .* in a join"
    with pytest.raises(ConfigurationError, match=message):
        run_sweep("m", age_model(women, seen), plan(mixes={"as_is": "as_is"}), None)
    assert seen == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mixes": {}}, "mixes: none given"),
        ({"mixes": {"x": "balanced"}}, "mixes.x: 'balanced'; allowed: as_is, oversample, undersample"),
        ({"repeats": 0}, "repeats: 0 must be a whole number, 1 or more"),
        ({"repeats": 2.5}, "repeats: 2.5 must be"),
        ({"seed": -1}, "seed: -1 must be a whole number, 0 or more"),
        ({"size": 1}, "size: 1 must be a whole number, 2 or more"),
        ({"test": 1.5}, "test: 1.5 must be a fraction"),
    ],
)
def test_a_plan_that_is_impossible_is_one_clear_error(options, message):
    with pytest.raises(ConfigurationError, match=message):
        plan(**options)


def test_a_training_part_with_one_outcome_is_named(patients, age_model):
    data = patients()
    ill = np.where(data.sensitive_features["sex"] == "female", 0, data.outcome)
    healthy_women = DataSet(data.features, ill, data.sensitive_features)
    with pytest.raises(
        ConfigurationError, match=r"mixes\.women: repeat 0: none of the \d+ training rows has outcome 1"
    ):
        run_sweep("m", age_model(healthy_women), plan(), None)


def test_an_error_in_fit_says_where(patients, age_model, tmp_path):
    model = age_model(patients())

    def fit(train, rng):
        if set(train.sensitive_features["sex"]) == {"female"}:
            raise ValueError("no men")
        return model.fit(train, rng)

    failing = TrainableModel(model.data, fit, model.predict, version="1")
    with pytest.raises(ValueError, match="no men") as caught:
        run_sweep("m", failing, plan(), tmp_path)
    assert caught.value.__notes__ == ["sweep of m: mix 'women', feature set 'all', repeat 0"]
    assert len(trainings(tmp_path)) == 4  # what was done before is kept
    with pytest.raises(ValueError, match="no men") as caught:
        run_sweep("m", failing, plan(), tmp_path, jobs=2)
    assert caught.value.__notes__[0].startswith("sweep of m: mix 'women', feature set 'all', repeat ")


@pytest.mark.parametrize(
    ("predict", "message"),
    [
        (lambda test, found: None, "predict returned NoneType; it must return Predictions"),
        (
            lambda test, found: Predictions(
                test.outcome[:-1], [0] * (len(test) - 1), sensitive_features=test.sensitive_features[:-1]
            ),
            r"predict returned \d+ predictions for \d+ rows",
        ),
        (
            lambda test, found: Predictions(1 - test.outcome, test.outcome, sensitive_features=test.sensitive_features),
            "predict: y_true differs from the outcome of the rows",
        ),
        (
            lambda test, found: Predictions(
                test.outcome, test.outcome, sensitive_features={"sex": test.sensitive_features["sex"][::-1].to_numpy()}
            ),
            r"predict: sensitive_features\['sex'\] differs from that of the rows",
        ),
    ],
    ids=["nothing", "too few", "other outcomes", "other order"],
)
def test_predictions_of_other_rows_are_refused(patients, age_model, predict, message):
    model = age_model(patients())
    wrong = TrainableModel(model.data, model.fit, lambda fitted, test: predict(test, None), version="1")
    with pytest.raises(InvalidPredictions, match=message):
        run_sweep("m", wrong, plan(), None)


def images(number, **options):
    """Data whose only feature says which image each row is."""
    sex = np.where(np.arange(60) % 3 == 0, "dark", "light")
    return DataSet({"age": number}, np.arange(60) % 2, {"sex": sex}, **options)


@pytest.mark.parametrize(
    "number",
    [np.arange(60), np.arange(60)[::-1] + 1_000, np.arange(60.0), np.random.default_rng(0).permutation(10_000)[:60]],
    ids=["row", "reversed", "float", "id"],
)
def test_numbers_that_say_where_a_row_is_are_not_interpolated(age_model, number):
    mixes = {"as_is": "as_is", "over": "oversample"}
    data = images(number)
    with pytest.raises(
        ConfigurationError, match=r"mixes\.over: oversample: feature 'age' has .* categorical=\['age'\]"
    ):
        run_sweep("m", age_model(data), plan(mixes=mixes, repeats=2), None)
    run_sweep("m", age_model(data), plan(mixes={"as_is": "as_is"}, repeats=2), None)
    seen = []
    run_sweep("m", age_model(images(number, categorical=["age"]), seen), plan(mixes=mixes, repeats=2), None)
    of = dict(zip(number.tolist(), data.sensitive_features["sex"], strict=True))
    for train, _ in seen:
        assert [of[value] for value in train.features["age"]] == train.sensitive_features["sex"].tolist()


def test_a_column_that_no_feature_set_uses_may_say_where_a_row_is(patients, age_model):
    data = patients()
    data = DataSet(
        data.features.assign(id=np.arange(len(data))),
        data.outcome,
        data.sensitive_features,
        categorical=data.categorical,
    )
    features = {"all": [name for name in data.features.columns if name != "id"]}
    run_sweep("m", age_model(data, feature_sets=features), plan(mixes={"over": "oversample"}, repeats=1), None)


@pytest.mark.parametrize(("one", "other"), [(0.0, -0.0), (0.5, np.nextafter(0.5, 1.0).item()), (0.5, None)])
def test_results_are_the_same_to_the_last_bit_or_not_the_same(one, other):
    def result(value):
        group = GroupResult(train=2, real=2, test=1, counts=None, values={"brier_score": value})
        return RepeatResult(mix="as_is", feature_set="all", repeat=0, groups={"f": group})

    assert runs._same(result(one), result(one))
    assert not runs._same(result(one), result(other))


def test_whoever_waits_for_another_run_reads_the_log_once_a_look(patients, age_model, tmp_path, monkeypatch):
    """Not once a training: there may be a thousand, and ten looks a second."""
    model, asked = age_model(patients()), plan()
    columns, store = asked.chosen(model.feature_sets), store_module.SweepStore.of(tmp_path, "m", model.identity().key)
    looks, reads, read = [], [], Log.read
    monkeypatch.setattr(Log, "read", lambda log, *start: reads.append(log) or read(log, *start))

    def look(seconds):
        looks.append(len(reads))
        if len(looks) == 4:
            other.take((), 0)  # lets go of all

    monkeypatch.setattr(runs, "time", SimpleNamespace(sleep=look, monotonic=time.monotonic))  # others sleep as before
    with store.shared() as other:
        digests = [store.task_digest(task, training_key(asked, columns, task)) for task in asked.tasks(["all"])]
        assert len(other.take(digests, 99)) == 15
        found = run_sweep("m", model, asked, tmp_path)
    assert found.trained == 15
    assert np.diff(looks).tolist() == [1, 1, 1]
