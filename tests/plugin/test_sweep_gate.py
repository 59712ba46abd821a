"""Checks on a sweep as tests: what is trained, how often, and what colour the build then has."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import time
from datetime import date

import pytest

# As in conftest.py: pytester forgets what a run in this process imported.
import fairness_checks.findings.sweep
import fairness_checks.sweep.runs
import fairness_checks.sweep.synthetic  # noqa: F401 - for its side effect, as the others
from benchmarks.sweep_project import FIT, MODEL
from fairness_checks import CheckRecord
from fairness_checks.sweep.workers import Workers

TRACED = """def fit(train, rng):
    with Path(__file__).with_name("fitted.txt").open("a", encoding="utf-8") as trace:
        trace.write("fit\\n")
    if Path(__file__).with_name("broken.txt").read_text() == "True" and len(set(train.sensitive_features["sex"])) == 1:
        raise RuntimeError("out of memory")
"""
MODELS = MODEL.replace(FIT, TRACED + FIT.partition("\n")[2])
MIXES = "as_is: as_is, half: {female: 0.5, male: 0.5}, men: {male: 1.0}"
ACCURACY = "{metric: accuracy, gap: each_mix, max_difference: 0.2}"
LIKE = "{metric: accuracy, gap: equal_representation, max_difference: 0.9}"
WORST = "{metric: brier_score, gap: worst_case, max_difference: 0.9}"
SLOPE = "{metric: roc_auc, gap: dependence, max_slope: 0.1}"
MISMATCH = "{metric: uncertainty_mismatch, max_mismatch: 0.05}"
SUBGROUPS = "subgroups: [{metric: accuracy, by: sex, max_difference: 0.99}]"
UNSURE = "{metric: log_loss, gap: equal_representation, max_difference: 0.05}"


@pytest.fixture
def sweep(project):
    """A project with a model that can be trained again, and a function that writes its limits."""

    def limits(*checks, mixes=MIXES, more="", waivers="[]", repeats=5, broken=False, models=MODELS):
        project.write("conftest.py", models)
        project.write("broken.txt", str(broken))
        section = f"{{by: sex, mixes: {{{mixes}}}, repeats: {repeats}, checks: [{', '.join(checks)}]}}"
        model = f"  swept:\n    sweep: {section}\n    {more}\n"
        project.write("thresholds.yaml", f"version: 1\nmodels:\n{model}waivers: {waivers}\n")

    project.sweep = limits
    return project


def records(project, name="junit.xml"):
    return [project.properties(case)["fairness.record"] for case in project.junit(name).values()]


def fits(project):
    return len(project.fitted())


def test_every_check_is_a_test_and_all_of_a_model_are_one_family(sweep):
    sweep.sweep(ACCURACY, LIKE, WORST, SLOPE, MISMATCH, more=SUBGROUPS)
    result = sweep.gate("-v", "--junitxml=junit.xml")
    assert result.ret == 1
    seen = (re.match(r"thresholds\.yaml::test_sweep\[swept-sex-(\S+)\] ([A-Z]+)", line) for line in result.outlines)
    assert dict(match.groups() for match in seen if match) == {
        "accuracy-each_mix": "FAILED",
        "accuracy-equal_representation": "INCONCLUSIVE",
        "brier_score-worst_case": "PASSED",
        "roc_auc-dependence": "FAILED",
        "uncertainty_mismatch-each_mix": "FAILED",
    }
    found = [CheckRecord.from_json(text) for text in records(sweep)]
    assert len(found) == 6
    assert {record.family_size for record in found} == {6}
    assert {record.check for record in found} == {"subgroups", "sweep"}
    assert found[1].p_adjusted > found[1].p_violation
    assert found[1].sweep.mixes == ("as_is", "half", "men")
    assert fits(sweep) == 3 * 5 + 4  # the sweep, and the folds of the subgroup check
    table = result.outlines[result.outlines.index("swept") :]
    assert max(map(len, table[: table.index("")])) <= 100
    properties = sweep.properties(sweep.junit()["test_sweep[swept-sex-accuracy-each_mix]"])
    assert (properties["fairness.verdict"], properties["fairness.metric"]) == ("fail", "accuracy")
    assert properties["fairness.text"].startswith("swept is right for ")
    assert ", features all, 5 repeats); at most " in properties["fairness.text"]


def test_a_second_run_trains_nothing_and_says_the_same(sweep):
    sweep.sweep(ACCURACY, SLOPE, more=SUBGROUPS)
    sweep.gate("--junitxml=first.xml")
    trained = fits(sweep)
    sweep.gate("--junitxml=second.xml")
    assert fits(sweep) == trained == 19
    assert records(sweep, "first.xml") == records(sweep, "second.xml")
    sweep.gate("--junitxml=third.xml", "--fairness-no-cache")
    assert fits(sweep) == 2 * trained
    assert records(sweep, "first.xml") == records(sweep, "third.xml")
    sweep.sweep(ACCURACY, SLOPE, more=SUBGROUPS, repeats=6)
    sweep.gate()
    assert fits(sweep) == 2 * trained + 3
    sweep.sweep(ACCURACY, SLOPE, more=SUBGROUPS, repeats=6, models=MODELS.replace('version="1"', 'version="2"'))
    sweep.gate()
    assert fits(sweep) == 2 * trained + 3 + 22


def test_checks_on_a_sweep_alone_need_no_folds_and_subgroup_checks_no_sweep(sweep):
    sweep.sweep(ACCURACY)
    sweep.gate()
    assert fits(sweep) == 15
    sweep.write("thresholds.yaml", f"version: 1\nmodels: {{swept: {{{SUBGROUPS}}}}}\n")
    result = sweep.gate()
    assert (result.ret, result.parseoutcomes()) == (0, {"passed": 1})
    assert fits(sweep) == 15 + 4


def test_jobs_and_workers_change_no_number(sweep):
    sweep.sweep(ACCURACY, SLOPE, more=SUBGROUPS)
    workers = sweep.gate_in_subprocess("--junitxml=workers.xml", "-n", "2")
    assert fits(sweep) == 19, "two workers trained the same"
    jobs = sweep.gate_in_subprocess("--junitxml=jobs.xml", "--fairness-no-cache", "--fairness-jobs=2")
    alone = sweep.gate("--junitxml=alone.xml", "--fairness-no-cache")
    assert alone.ret == jobs.ret == workers.ret == 1
    assert alone.parseoutcomes() == jobs.parseoutcomes() == workers.parseoutcomes() == {"failed": 2, "passed": 1}
    assert records(sweep, "alone.xml") == records(sweep, "jobs.xml")
    assert sorted(records(sweep, "alone.xml")) == sorted(records(sweep, "workers.xml"))


def test_trainings_beside_another_process_change_no_number(sweep, monkeypatch):
    sweep.sweep(ACCURACY, SLOPE, more=SUBGROUPS)
    sweep.gate("--junitxml=alone.xml", "--fairness-no-cache", "--fairness-jobs=1")
    made = []

    def eager(jobs, sharing):
        made.append(Workers(jobs, start_seconds=0.0, sharing=sharing))
        return made[-1]

    monkeypatch.setattr("fairness_checks.sweep.workers.Workers", eager)
    beside = sweep.gate("--junitxml=beside.xml", "--fairness-no-cache", "--fairness-jobs=2")
    assert [workers.jobs for workers in made] == [2]
    assert not made[0]._idle, "what the run started has ended with it"
    assert records(sweep, "alone.xml") == records(sweep, "beside.xml")
    assert "fairness: trainings at a time: 2 at most, where that is faster; it changes no number" in beside.outlines


@pytest.mark.parametrize(
    ("options", "most"), [((), "one a core, 8"), (("--fairness-jobs=-1",), "one a core"), (("--fairness-jobs=3",), "3")]
)
def test_the_header_says_how_many_trainings_are_done_at_a_time_where_there_are_any(sweep, options, most):
    sweep.sweep(ACCURACY, more=SUBGROUPS)
    line = f"fairness: trainings at a time: {most} at most, where that is faster; it changes no number"
    assert line in sweep.gate(*options).outlines
    sweep.write("thresholds.yaml", f"version: 1\nmodels: {{swept: {{{SUBGROUPS}}}}}\n")
    assert "trainings at a time" not in sweep.gate(*options).stdout.str()


@pytest.mark.parametrize("jobs", ["0", "many"])
def test_a_number_of_jobs_that_is_none_is_a_usage_error(sweep, jobs):
    sweep.sweep(ACCURACY)
    result = sweep.gate(f"--fairness-jobs={jobs}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "--fairness-jobs" in result.stderr.str()
    assert fits(sweep) == 0


PRODUCT = 'TrainableModel(table(), fit, predict, version="1", folds=4)'


@pytest.mark.parametrize(
    ("product", "message"),
    [
        ("(table(), fit)", "the fixture returned tuple; return fairness_checks.Predictions, or"),
        (PRODUCT.replace('"1"', '""'), "version"),
    ],
)
def test_what_cannot_be_trained_again_is_named(sweep, product, message):
    sweep.sweep(ACCURACY, SLOPE, more=SUBGROUPS, models=MODELS.replace(PRODUCT, product))
    result = sweep.gate()
    assert (result.ret, result.parseoutcomes()) == (1, {"errors": 3})
    assert f"swept: {message}" in result.stdout.str() or message == "version"
    assert fits(sweep) == 0


def test_predictions_answer_what_needs_no_sweep(sweep):
    sweep.sweep(ACCURACY, SLOPE, more=SUBGROUPS, models=MODELS.replace(PRODUCT, "predict(1.0, table())"))
    result = sweep.gate()
    assert (result.ret, result.parseoutcomes()) == (1, {"errors": 2, "passed": 1})
    message = "accuracy by sex, each_mix, max_difference: a check on a sweep, but the fixture returned Predictions"
    assert f"thresholds.yaml:4: swept, sweep: {message}" in result.stdout.str()


def test_a_fit_that_fails_is_located_and_the_next_run_goes_on(sweep):
    sweep.sweep(ACCURACY, SLOPE, broken=True)
    result = sweep.gate()
    assert result.ret == 1
    assert result.parseoutcomes() == {"errors": 2}
    assert "out of memory" in result.stdout.str()
    assert "sweep of swept: mix 'men', feature set 'all', repeat 0" in result.stdout.str()
    assert fits(sweep) == 3, "the failing training was tried again for the next check"
    sweep.sweep(ACCURACY, SLOPE)
    assert sweep.gate("--junitxml=junit.xml").parseoutcomes() == {"failed": 2}
    assert fits(sweep) == 3 + 15 - 2


def test_a_mix_of_a_group_that_does_not_exist_is_named(sweep):
    sweep.sweep(ACCURACY, mixes="as_is: as_is, women: {femal: 1.0}")
    result = sweep.gate()
    assert (result.ret, result.parseoutcomes()) == (1, {"errors": 1})
    assert "mixes.women: 'femal' is no group of 'sex'; did you mean 'female'" in result.stdout.str()
    assert fits(sweep) == 0


def test_a_metric_that_cannot_be_measured_is_named(sweep):
    sweep.sweep("{metric: mean_absolute_error, max_difference: 0.1}", ACCURACY)
    result = sweep.gate()
    assert (result.ret, result.parseoutcomes()) == (1, {"errors": 1, "failed": 1})
    assert "mean_absolute_error cannot be measured from the model's predictions; these" in result.stdout.str()


def test_mixes_may_have_any_name(sweep):
    name = "50/50 ../größe, [100 %]"
    sweep.sweep(ACCURACY, mixes=f'"{name}": {{female: 0.5, male: 0.5}}, "and\\nnot": as_is, CON: {{male: 1.0}}')
    result = sweep.gate("--junitxml=first.xml")
    assert result.parseoutcomes() == {"failed": 1}
    record = CheckRecord.from_json(records(sweep, "first.xml")[0])
    assert record.sweep.mixes == (name, "and\nnot", "CON")
    assert f"Trained under 3 mixes ({name}, and\\nnot, CON)" in " ".join(result.stdout.str().split())
    assert sweep.gate("--junitxml=second.xml").ret == 1
    assert fits(sweep) == 15
    assert records(sweep, "first.xml") == records(sweep, "second.xml")


@pytest.mark.parametrize(
    ("where", "waived"),
    [("sweep, gap: each_mix", True), ("sweep", True), ("sweep, gap: worst_case", False), ("subgroups", False)],
)
def test_a_waiver_names_the_gap_or_covers_all(sweep, where, waived):
    entry = f"check: {where}, model: swept, metric: accuracy, by: sex, reason: CAPA 12, approved_by: A. Auditor"
    worst = "{metric: accuracy, gap: worst_case, max_difference: 0.99}"
    sweep.sweep(ACCURACY, worst, more=SUBGROUPS, waivers=f"[{{{entry}, expires: {date.today()}}}]")
    result = sweep.gate("-k", "each_mix")
    assert result.ret == (0 if waived else 1)
    assert ("waived" in result.parseoutcomes()) is waived


@pytest.mark.parametrize(("burden", "code"), [("violation", 0), ("compliance", 1)])
def test_the_burden_of_proof_decides_what_an_unsettled_sweep_is(sweep, burden, code):
    sweep.sweep(UNSURE)
    result = sweep.gate(f"--fairness-burden={burden}")
    assert (result.ret, result.parseoutcomes()) == (code, {("failed" if code else "inconclusive"): 1})


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals")
def test_a_terminal_sees_how_far_it_is_and_a_log_does_not(sweep):
    import pty

    sweep.sweep(ACCURACY, models=MODELS.replace("def fit(train, rng):", "def fit(train, rng):\n    print('fitting')"))
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "pytest", "-p", "fairness_checks.plugin", "--fairness"]
    alone = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # other plugins take most of a short run's time
    run = subprocess.run(command, cwd=sweep.path, env=alone, stdout=subprocess.PIPE, stderr=theirs, check=False)
    os.close(theirs)
    shown = ""
    with contextlib.suppress(OSError):  # that nobody writes any more
        while part := os.read(ours, 10_000):
            shown += part.decode()
    os.close(ours)
    assert run.returncode == 1
    assert re.search(r"\rsweep swept: 0/15 trained +\r(.*\r)?sweep swept: 15/15 trained, \S+, 0:00 left +\r\n$", shown)
    assert b"trained," not in run.stdout
    assert b"fitting" not in run.stdout.partition(b"Captured stdout")[0]
    sweep.sweep(ACCURACY, repeats=6)
    assert "trained," not in sweep.gate().stderr.str()


HANGING = """def fit(train, rng):
    import time
    Path(__file__).with_name("begun").touch()
    while Path(__file__).with_name("hangs").exists():
        time.sleep(0.02)
"""


def test_a_run_that_waits_for_one_that_hangs_says_which_and_goes_on_once_that_is_ended(sweep):
    sweep.sweep(ACCURACY, models=MODEL.replace(FIT, HANGING + FIT.partition("\n")[2]))
    sweep.write("hangs", "")
    sweep.write("impatient.py", "from fairness_checks.plugin import gate\ngate._PATIENCE = 0.2\n")

    def gate(*options):
        command = [sys.executable, "-m", "pytest", "-p", "fairness_checks.plugin", "--fairness", *options]
        alone = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        piped = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen(command, cwd=sweep.path, env=alone, **piped)

    runs = [gate()]
    try:
        while not sweep.path.joinpath("begun").exists():
            assert runs[0].poll() is None
            time.sleep(0.02)
        runs.append(gate("-p", "impatient"))
        told = runs[1].stderr.readline() + runs[1].stderr.readline()
        runs[0].kill()
        runs[0].wait()
        sweep.path.joinpath("hangs").unlink()
        output, more = runs[1].communicate()
    finally:
        for run in runs:
            run.kill()
            run.communicate()
    whose = rf"process {runs[0].pid} on \S+ \(since [-:\d ]+ UTC\)"
    assert re.fullmatch(
        rf"\nsweep swept waits for 15 trainings claimed by {whose}; a process that hangs can be ended: this run "
        r"then trains what it has claimed; --fairness-no-cache waits for nobody\n",
        told,
    )
    assert (more, runs[1].returncode) == ("", 1), output
    assert "1 failed" in output


def test_a_plain_run_trains_nothing(sweep):
    sweep.sweep(ACCURACY)
    sweep.write("test_mine.py", "def test_mine(): pass\n")
    result = sweep.pytest()
    assert (result.ret, result.parseoutcomes()) == (0, {"passed": 1})
    assert fits(sweep) == 0


def test_features_are_those_of_the_data_set_on_every_run(sweep):
    more = MODELS.replace(
        "sensitive_features=test.sensitive_features)",
        "sensitive_features={'sex': test.sensitive_features['sex'], 'age': ['old'] * len(test)})",
    ).replace('["sex"]', '["sex", "age"]')
    sweep.sweep(ACCURACY, more="subgroups: [{metric: accuracy, by: age, max_value: 0.99}]", models=more)
    assert sweep.gate().parseoutcomes() == {"errors": 1, "failed": 1}  # the sweep does not need them
    first, second = (sweep.gate("-k", "age") for _ in range(2))
    assert first.parseoutcomes() == second.parseoutcomes() == {"errors": 1, "deselected": 1}
    assert "max_value: predict: sensitive feature 'age' is not in the data set" in first.stdout.str()


def test_a_model_that_is_worse_than_chance_is_told_once_and_passes_as_it_would(sweep):
    turned = MODELS.replace('np.where(sex == "male", x, -x)', "x").replace("-4", "4")
    sweep.sweep(ACCURACY, LIKE, more=SUBGROUPS, models=turned)
    result = sweep.gate("--junitxml=junit.xml")
    lines = " ".join(result.stdout.str().split())
    assert lines.count("note: out of fold the model ranks and decides worse than chance: AUC 0.") == 1
    assert lines.count("note: in the sweep (mix as_is, features all) the model ranks and decides worse") == 1
    assert all(CheckRecord.from_json(text).notes for text in records(sweep))
