"""Trainings on a real Dask cluster: the numbers of this process, and one error for each thing that goes wrong."""

from __future__ import annotations

import os
import signal
import threading
import time
import warnings

import joblib
import pytest
from sklearn.ensemble import RandomForestClassifier

from fairness_checks import Predictions
from fairness_checks.errors import ClusterError
from fairness_checks.storage import code_digest
from fairness_checks.sweep import dask_cluster as module
from fairness_checks.sweep.mixes import Shares
from fairness_checks.sweep.plan import SweepPlan
from fairness_checks.sweep.runs import run_sweep
from fairness_checks.sweep.trainable import TrainableModel
from fairness_checks.sweep.workers import Workers

distributed = pytest.importorskip("distributed")

PLAN = SweepPlan(by="sex", mixes={"as_is": "as_is", "men": Shares({"male": 1.0})}, repeats=4)
KEYS = ("training", "bytes")  # of code and data
LOCAL = {"threads_per_worker": 1, "dashboard_address": ":0", "protocol": "tcp"}


@pytest.fixture(scope="module")
def client():
    """A cluster of two processes."""
    with distributed.LocalCluster(n_workers=2, **LOCAL) as cluster, distributed.Client(cluster) as client:
        yield client


@pytest.fixture
def on_dask(client):
    with joblib.parallel_config("dask", client=client, wait_for_workers_timeout=300):
        yield client


@pytest.fixture
def submitted(client, monkeypatch):
    """What the cluster was asked to do."""
    asked, submit = [], client.submit
    monkeypatch.setattr(
        client, "submit", lambda do, *of, **options: asked.append(do.__name__) or submit(do, *of, **options)
    )
    return asked


def test_every_training_is_one_task_and_code_and_data_are_sent_once(patients, age_model, tmp_path, on_dask, submitted):
    plain = age_model(patients())

    def predict(fitted, test):
        made = plain.predict(fitted, test)
        with (tmp_path / str(os.getpid())).open("a") as log:
            log.write("x")
        return made

    model = TrainableModel(plain.data, plain.fit, predict, depends_on={"tmp_path": "a log"})
    found = run_sweep("m", model, PLAN, tmp_path / "kept", None)
    assert submitted == ["bytes", *["training"] * 8]
    here = tmp_path / str(os.getpid())
    assert here.read_text() == "x"  # the first one, which the cluster does too
    others = [path for path in tmp_path.iterdir() if path.is_file() and path != here]
    assert sum(path.stat().st_size for path in others) == 8
    joblib.parallel_config("sequential")
    again = run_sweep("m", model, PLAN, tmp_path / "kept", 1)
    assert (found.trained, again.trained, again.results) == (8, 0, found.results)


def forest(train, rng):
    model = RandomForestClassifier(25, random_state=int(rng.integers(2**31)), n_jobs=2)
    return model.fit(train.features[["age", "pressure"]], train.outcome)


def by_forest(fitted, test):
    score = fitted.predict_proba(test.features[["age", "pressure"]])[:, 1]
    return Predictions(test.outcome, y_score=score, sensitive_features=test.sensitive_features)


def test_a_forest_is_one_task_and_its_numbers_are_those_of_this_process(patients, client):
    """Forests ask joblib for themselves: by its Dask backend, 5 of them were 105 tasks."""
    model = TrainableModel(patients(), forest, by_forest, folds=5)
    alone, swept = model.out_of_fold(0), run_sweep("m", model, PLAN, None, 1)
    with joblib.parallel_config("dask", client=client), distributed.get_task_stream(client) as stream:
        together = model.out_of_fold(0, None)
        assert run_sweep("m", model, PLAN, None, None).results == swept.results
    assert alone.y_score.tobytes() == together.y_score.tobytes()
    assert len(stream.data) == 1 + 5 + 1 + 8


def test_a_model_that_the_cluster_was_right_of_is_not_trained_twice(patients, age_model, on_dask, submitted):
    model = age_model(patients(), folds=3)
    with Workers() as workers:
        model.out_of_fold(0, workers)
        run_sweep("m", model, PLAN, None, workers)
    assert submitted == ["bytes", *["training"] * 3, "bytes", *["training"] * 8]
    assert workers._trusted == [(model,)]


def logged(model, do, **options):
    """The same model, which does something before every training; it may use what no result depends on."""

    def fit(train, rng):
        do()
        return model.fit(train, rng)

    return TrainableModel(model.data, fit, model.predict, depends_on={"do": "a log"}, **options)


def test_no_more_at_a_time_than_are_asked_for(patients, age_model, on_dask, tmp_path):
    here = os.getpid()

    def do():
        if os.getpid() != here:
            mark = tmp_path / f"{os.getpid()}.running"
            mark.touch()
            time.sleep(0.05)
            (tmp_path / f"{len(list(tmp_path.glob('*.running')))}.most").touch()
            mark.unlink()

    run_sweep("m", logged(age_model(patients()), do), PLAN, None, 1)
    assert [path.name for path in tmp_path.glob("*.most")] == ["1.most"]


def test_a_worker_that_is_killed_costs_no_result(patients, age_model, on_dask, tmp_path):
    """It is also the one that was sent code and data."""
    plain, here, killed = age_model(patients()), os.getpid(), tmp_path / "killed"

    def do():
        if os.getpid() != here and not killed.exists():
            killed.touch()
            os.kill(os.getpid(), signal.SIGKILL)

    found = run_sweep("m", logged(plain, do), PLAN, tmp_path / "kept", None)
    assert killed.exists()
    assert found.results == run_sweep("m", plain, PLAN, None, 1).results
    on_dask.wait_for_workers(2)


def test_a_training_that_ends_every_worker_is_named_and_right_at_the_next_run(patients, age_model, on_dask, tmp_path):
    plain, here, deadly = age_model(patients()), os.getpid(), tmp_path / "deadly"
    deadly.touch()

    def do():
        if os.getpid() != here and deadly.exists():
            os.kill(os.getpid(), signal.SIGKILL)

    model = logged(plain, do)
    on_dask.run_on_scheduler(_allow_failures, 0)
    try:
        with pytest.raises(
            ClusterError, match=r"^sweep of m: mix .*, repeat . is lost: 1 worker of the Dask cluster tcp.* ended"
        ):
            run_sweep("m", model, PLAN, tmp_path / "kept", None)
    finally:
        on_dask.run_on_scheduler(_allow_failures, 3)
    deadly.unlink()
    on_dask.wait_for_workers(2)
    found = run_sweep("m", model, PLAN, tmp_path / "kept", None)
    assert (found.results, found.trained) == (run_sweep("m", plain, PLAN, None, 1).results, 7)


def _allow_failures(number, dask_scheduler):
    dask_scheduler.allowed_failures = number


class Unsendable(dict):
    """Data of a model that nothing can pickle."""

    def __reduce__(self):
        raise TypeError("cannot pickle a session")


def test_what_cannot_be_sent_is_one_error(patients, age_model, on_dask):
    session = Unsendable()
    model = logged(age_model(patients()), lambda: session)
    with pytest.raises(ClusterError, match=r"cannot be sent to a Dask cluster \(TypeError: cannot pickle a session\)"):
        run_sweep("m", model, PLAN, None, None)


def test_a_module_that_the_workers_lack_is_one_error(patients, age_model, on_dask, tmp_path, monkeypatch):
    (tmp_path / "only_here.py").write_text("class Log:\n    def __call__(self): pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    import only_here

    monkeypatch.setattr(module, "_is_of_project", lambda module: False)  # as of a library
    with pytest.raises(ClusterError, match="cannot import what trains: No module named 'only_here'"):
        run_sweep("m", logged(age_model(patients()), only_here.Log()), PLAN, None, None)
    monkeypatch.undo()
    found = run_sweep("m", logged(age_model(patients()), only_here.Log()), PLAN, None, None)
    assert found.trained == 8  # its code is sent


def test_other_libraries_than_here_are_one_error(patients, age_model, on_dask, monkeypatch):
    here = module.environment()
    other = here | {"libraries": {**here["libraries"], "numpy": "1.0", "scipy": "2.0"}}
    monkeypatch.setattr(module, "environment", lambda: other)
    with pytest.raises(
        ClusterError, match=r"has other libraries than .*: numpy is .*, not 1\.0; scipy is .*, not 2\.0"
    ):
        run_sweep("m", age_model(patients()), PLAN, None, None)


def test_another_version_of_what_the_model_alone_uses_is_one_error(patients, age_model, on_dask, monkeypatch, tmp_path):
    """The first training would not tell: of several workers one does it."""
    plain = age_model(patients())

    def fit(train, rng):
        import yaml

        assert yaml.safe_load("1") == 1
        return plain.fit(train, rng)

    model = TrainableModel(plain.data, fit, plain.predict)
    found = run_sweep("m", model, PLAN, None, None)
    assert found.results == run_sweep("m", plain, PLAN, None, None).results
    real = code_digest.library_identities
    monkeypatch.setattr(
        code_digest,
        "library_identities",
        lambda libraries: {name: "1.0" if name == "pyyaml" else one for name, one in real(libraries).items()},
    )
    with pytest.raises(ClusterError, match=r"has other libraries than .*: pyyaml is \d.*, not 1\.0; install the same"):
        run_sweep("m", model, PLAN, tmp_path, None)


def test_a_result_may_take_longer_to_come_than_one_look(patients, age_model, on_dask, monkeypatch):
    model = age_model(patients())
    monkeypatch.setattr(module, "_LOOK", 1e-5)
    assert run_sweep("m", model, PLAN, None, None).results == run_sweep("m", model, PLAN, None, 1).results


def test_another_result_than_that_of_this_process_is_one_error(patients, age_model, on_dask, tmp_path):
    plain, here = age_model(patients()), os.getpid()

    def predict(fitted, test):
        return plain.predict(fitted if os.getpid() == here else fitted + 60, test)

    model = TrainableModel(plain.data, plain.fit, predict)
    with pytest.raises(
        ClusterError, match=r"repeat 0: the Dask cluster .* comes to another result than this process"
    ) as seen:
        run_sweep("m", model, PLAN, tmp_path, None)
    assert not _left(on_dask)  # though the error is still at hand
    del seen
    with pytest.raises(ClusterError, match=r"fold 0: the Dask cluster .* comes to another result than this process"):
        model.out_of_fold(0, None)


def test_an_error_of_a_training_is_its_own(patients, age_model, on_dask):
    here = os.getpid()

    def do():
        if os.getpid() != here:
            raise ZeroDivisionError("of the model")

    with pytest.raises(ZeroDivisionError, match="of the model") as seen:
        run_sweep("m", logged(age_model(patients()), do), PLAN, None, None)
    said = " ".join(seen.value.__notes__)
    assert "sweep of m: mix 'as_is'" in said
    assert "on the Dask cluster tcp://" in said


def test_warnings_are_heard_here(patients, age_model, on_dask):
    def do():
        warnings.warn("as it did not converge", UserWarning, stacklevel=1)

    model = logged(age_model(patients()), do)
    with pytest.warns(UserWarning, match="did not converge") as seen:
        run_sweep("m", model, PLAN, None, None)
    assert len(seen) == 9
    here = os.getpid()
    with pytest.raises(UserWarning, match="did not converge"):
        run_sweep("m", logged(age_model(patients()), lambda: os.getpid() == here or do()), PLAN, None, None)


def test_a_result_that_cannot_be_read_here_is_one_error(client):
    here = os.getpid()

    class Result:
        def __reduce__(self):
            return read, ()

    def read():
        if os.getpid() == here:
            raise ValueError("of another version")
        return Result()

    with (
        joblib.parallel_config("dask", client=client),
        pytest.raises(ClusterError, match=r"^the result of . did not come from .* \(ValueError: of an"),
    ):
        list(Workers().run(lambda task: Result(), range(3)))
    assert not _left(client)


def test_whoever_asks_and_fails_leaves_nothing_behind(patients, age_model, on_dask):
    def progress(done, of, seconds):
        if done == 2:
            raise ZeroDivisionError("of whoever asks")

    with pytest.raises(ZeroDivisionError) as seen:
        run_sweep("m", age_model(patients()), PLAN, None, None, progress=progress)
    assert not _left(on_dask)  # though the error is still at hand
    del seen


def test_whoever_stops_listening_leaves_nothing_behind(client):
    with joblib.parallel_config("dask", client=client):
        results = Workers().run(slow, range(20))
        next(results)
        results.close()
    assert not _left(client)


def _left(client):
    """What the cluster still knows of trainings, and of their code and data, once it has had time to forget them."""
    end = time.monotonic() + 600
    while (left := [key for key in client.run_on_scheduler(_tasks) if key.startswith(KEYS)]) and time.monotonic() < end:
        time.sleep(0.05)
    return left


def slow(task):
    time.sleep(0.02)
    return task


def _tasks(dask_scheduler):
    return list(dask_scheduler.tasks)


def asked_of_a_worker(number):
    """Ask the cluster from one of its own tasks, as `parallel_config` does inside of one."""
    with joblib.parallel_config("dask"):
        return sorted(Workers().run(slow, range(number)))


def test_a_task_of_the_cluster_may_ask_it_too(client):
    futures = [client.submit(asked_of_a_worker, number, pure=False) for number in (3, 4, 5)]
    assert client.gather(futures) == [[(n, n) for n in range(number)] for number in (3, 4, 5)]


# scikit-learn empties the filters of all threads for a moment, and warns where another one finds none.
@pytest.mark.filterwarnings("ignore:.sklearn.utils.parallel.delayed. should be used:UserWarning")
def test_threads_of_this_process_come_to_the_same(patients):
    model = TrainableModel(patients(), forest, by_forest, folds=5)
    alone = model.out_of_fold(0)
    with (
        distributed.LocalCluster(processes=False, n_workers=1, threads_per_worker=3, dashboard_address=":0") as cluster,
        distributed.Client(cluster) as client,
        joblib.parallel_config("dask", client=client),
    ):
        assert model.out_of_fold(0, None).y_score.tobytes() == alone.y_score.tobytes()
        assert run_sweep("m", model, PLAN, None, None).trained == 8


def test_a_cluster_without_workers_is_one_error(patients, age_model):
    with (
        distributed.LocalCluster(n_workers=0, **LOCAL) as cluster,
        distributed.Client(cluster) as client,
        joblib.parallel_config("dask", client=client, wait_for_workers_timeout=0.2),
        pytest.raises(ClusterError, match=r"^the Dask cluster tcp.* has no worker after 0\.2 s"),
    ):
        run_sweep("m", age_model(patients()), PLAN, None, None)


@pytest.mark.parametrize("ended", ["cluster", "client", "workers"])
def test_a_cluster_that_ends_meanwhile_names_what_was_not_done(patients, age_model, tmp_path, ended):
    plain, here, log, begun = age_model(patients()), os.getpid(), tmp_path / "log", tmp_path / "begun"
    over = threading.Event()

    def do():
        if os.getpid() == here:  # once the cluster was asked for all
            begun.touch()
            return
        log.touch()
        while log.exists():
            time.sleep(0.1)

    def end():
        while not (log.exists() and begun.exists()):
            if over.wait(0.02):
                return
        {"cluster": cluster.close, "client": client.close, "workers": lambda: cluster.scale(0)}[ended]()

    cluster = distributed.LocalCluster(n_workers=1, silence_logs=50, **LOCAL)
    client = distributed.Client(cluster)
    ending = threading.Thread(target=end)
    ending.start()
    try:
        with (
            joblib.parallel_config("dask", client=client, wait_for_workers_timeout=1),
            pytest.raises(
                ClusterError, match=r"(is closed|no worker for 1 s), and 7 trainings not done: sweep of m: mix"
            ),
        ):
            run_sweep("m", logged(plain, do), PLAN, None, None)
    finally:
        log.unlink(missing_ok=True)
        over.set()
        ending.join()
        client.close()
        cluster.close()


LACKING = """
import sys

class Without:
    def __init__(self, finder):
        self._finder = finder

    def find_spec(self, name, path=None, target=None):
        return None if name.startswith("fairness_checks") else self._finder.find_spec(name, path, target)

    def __getattr__(self, name):
        return getattr(self._finder, name)

sys.meta_path[:] = [Without(finder) for finder in sys.meta_path]
"""


def test_a_cluster_without_this_package_is_one_error(patients, age_model):
    with (
        distributed.LocalCluster(n_workers=1, preload=[LACKING], silence_logs=50, **LOCAL) as cluster,
        distributed.Client(cluster) as client,
        joblib.parallel_config("dask", client=client),
        pytest.raises(ClusterError, match=r"^the Dask cluster tcp.* has a worker without fairness_checks; install"),
    ):
        run_sweep("m", age_model(patients()), PLAN, None, None)
