"""The baseline under pytest: written, compared with, missing, damaged, filtered, parallel, renamed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from statsmodels.stats.proportion import confint_proportions_2indep

from fairness_checks import CheckRecord

MODELS = '''
import os

import numpy as np

from fairness_checks import Predictions, fairness_model


def predictions(worse=0.0, ids=True, rename=None, drop=None, positive=None, better=0.0):
    """Women miss 20 % of 1,000 positives, men 10 %; `worse` more of the women, `better` fewer."""
    rng = np.random.default_rng(0)
    sex = np.repeat(["female", "male"], 1000)
    draw = rng.random(2000)
    miss = draw < np.where(sex == "female", 0.20 + worse - better, 0.10)
    if rename:
        sex = np.where(sex == "male", rename, sex)
    kept = sex != drop
    names = np.arange(2000)[kept] if ids else None
    return Predictions(
        np.ones(kept.sum(), int), (~miss[kept]).astype(int), sensitive_features={"sex": sex[kept]}, sample_id=names,
        positive=positive,
    )


@fairness_model
def sepsis_model():
    return predictions(**eval(os.environ.get("SEPSIS", "{}")))


@fairness_model
def stroke_model():
    return predictions()
'''
CHECK = "{metric: false_negative_rate, by: sex, max_worsening: 0.02}"
SUBGROUP = "{metric: accuracy, by: sex, max_difference: 0.3}"
UPDATE = "--fairness-update-baseline"


class Gate:
    def __init__(self, project, monkeypatch):
        self.project, self._monkeypatch = project, monkeypatch
        project.write("conftest.py", MODELS)
        self.limits()
        self.file = project.path / "fairness-baseline.json"

    def limits(self, sepsis=CHECK, stroke=CHECK, more="", names=("sepsis_model", "stroke_model")):
        models = "".join(
            f"  {name}:\n    subgroups: [{SUBGROUP}]\n    regression: [{check}]\n"
            for name, check in zip(names, (sepsis, stroke), strict=True)
        )
        self.project.write("thresholds.yaml", f"version: 1\nmodels:\n{models}{more}")

    def run(self, *arguments, **model):
        self._monkeypatch.setenv("SEPSIS", repr(model))
        gate = self.project.gate_in_subprocess if "-n" in arguments else self.project.gate
        return gate("--junitxml=junit.xml", *arguments)

    def document(self):
        return json.loads(self.file.read_text(encoding="utf-8"))

    def record(self, model="sepsis_model"):
        case = self.project.junit()[f"test_regression[{model}-sex-false_negative_rate]"]
        return CheckRecord.from_json(self.project.properties(case)["fairness.record"])

    def kept(self, check="false_negative_rate", model="sepsis_model"):
        """Entry of a check."""
        checks = self.document()["models"][model]["checks"]
        return next(entry for line, entry in checks.items() if check in line)


@pytest.fixture
def gate(project, monkeypatch):
    return Gate(project, monkeypatch)


@pytest.fixture
def written(gate):
    result = gate.run(UPDATE)
    assert (result.ret, result.parseoutcomes()) == (0, {"passed": 2, "inconclusive": 2})
    result.stdout.fnmatch_lines(["fairness-baseline.json: 4 checks written; commit it*"])
    return gate


def test_a_missing_baseline_is_red_and_says_how_to_write_one(gate):
    result = gate.run()
    assert (result.ret, result.parseoutcomes()) == (1, {"passed": 2, "failed": 2})
    result.stdout.fnmatch_lines(
        ["*could not be checked: there is no fairness-baseline.json; run *--fairness-update-baseline*"]
    )
    assert not gate.file.exists()


def test_a_waiver_does_not_cover_a_missing_baseline(gate):
    day = time.strftime("%Y-%m-%d")
    waiver = f"  - {{model: sepsis_model, check: regression, metric: false_negative_rate, by: sex, reason: r, approved_by: a, expires: {day}}}\n"  # noqa: E501
    gate.limits(more=f"waivers:\n{waiver}")
    result = gate.run()
    assert result.parseoutcomes() == {"passed": 2, "failed": 3}
    result.stdout.fnmatch_lines(["unused: what it names could not be checked: there is no fairness-baseline.json*"])


def test_the_same_model_passes_paired_with_a_change_of_zero(written):
    result = written.run()
    assert (result.ret, result.parseoutcomes()) == (0, {"passed": 4})
    record = written.record()
    assert (record.estimate, record.regression.paired) == (0.0, True)
    assert record.regression.pairing == "the same 2,000 samples as in the baseline"
    assert record.group(("female",)).also["baseline"] == record.group(("female",)).rate


def test_a_worse_model_fails_and_the_baseline_stays(written):
    before = written.file.read_bytes()
    result = written.run(UPDATE, worse=0.08)
    assert (result.ret, result.parseoutcomes()) == (1, {"passed": 3, "failed": 1})
    record = written.record()
    assert (record.verdict, record.first, record.regression.before < record.regression.after) == (
        "fail",
        ("female",),
        True,
    )
    sepsis = written.document()["models"]["sepsis_model"]
    assert sepsis["outcomes"] == json.loads(before)["models"]["sepsis_model"]["outcomes"]
    key = next(key for key in sepsis["checks"] if key.startswith("regression"))
    assert sepsis["checks"][key] == json.loads(before)["models"]["sepsis_model"]["checks"][key]


def test_without_ids_samples_are_not_paired_and_the_record_says_why(gate):
    assert gate.run(UPDATE, ids=False).ret == 0
    result = gate.run(ids=False, worse=0.2)
    record = gate.record()
    assert (record.verdict, record.regression.paired) == ("fail", False)
    assert "no sample_id" in record.regression.pairing
    assert result.ret == 1


def test_other_samples_are_not_paired(written):
    written.run(ids=False)
    assert "no sample_id" in written.record().regression.pairing
    assert written.record().regression.paired is False


def test_a_group_that_is_gone_is_red_and_named(written):
    result = written.run(rename="men")
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*the baseline has a group that is gone: male; bring it back*"])
    assert written.run(UPDATE, rename="men").ret == 1  # what the model lost is not accepted in passing
    written.file.unlink()  # as the message says
    assert written.run(UPDATE, rename="men").ret == 0
    assert written.run(rename="men").ret == 0


def test_a_new_group_is_red_until_an_update_writes_it(written):
    """More samples give it no value in the baseline: without an error the check would wait for ever."""
    text = MODELS.replace(
        "    kept = sex != drop\n",
        "    sex = np.where((np.arange(2000) % 5 == 0) & ('rare' in os.environ['SEPSIS']), 'other', sex)\n"
        "    kept = sex != drop\n",
    ).replace("better=0.0)", "better=0.0, rare=False)")
    written.project.write("conftest.py", text)
    written.limits(*[CHECK.replace("0.02", "0.30")] * 2)
    assert written.run(UPDATE).ret == 0
    before = written.document()["models"]["sepsis_model"]
    red = written.run(rare=True)
    assert red.ret == 1
    red.stdout.fnmatch_lines([f"*the baseline has no value of the group other; accept it: pytest --fairness {UPDATE}*"])
    result = written.run(UPDATE, rare=True)
    assert (result.ret, written.record().verdict) == (0, "pass")
    assert written.record().regression.pairing.endswith("new, and written by this run: other")
    after = written.document()["models"]["sepsis_model"]
    names = [[g["name"] for key in m["checks"] if key.startswith("regr") for g in m["checks"][key]["groups"]]
             for m in (before, after)]  # fmt: skip
    assert names == [[["female"], ["male"]], [["female"], ["male"], ["other"]]]
    assert written.run(rare=True).ret == 0
    assert written.record().group(("other",)).also["baseline"] == written.record().group(("other",)).rate


@pytest.mark.parametrize("arguments", [(), (UPDATE,)])
def test_one_group_is_an_error_and_writes_nothing(written, arguments):
    before = written.document()["models"]["sepsis_model"]
    result = written.run(*arguments, drop="male")
    assert result.ret == 1
    assert "'sex']: one group only, 'female', which all 1,000 samples belong to" in result.stdout.str()
    assert written.document()["models"]["sepsis_model"] == before


def test_a_model_that_is_renamed_is_red_and_named(written):
    text = MODELS.replace("def stroke_model", "def apoplexy_model")
    written.project.write("conftest.py", text)
    written.limits(names=("sepsis_model", "apoplexy_model"))
    result = written.run()
    assert (result.ret, result.parseoutcomes()["failed"]) == (1, 2)  # the new model's check, and the old one itself
    assert "FAILED thresholds.yaml::test_baseline[stroke_model]" in result.stdout.str()
    result.stdout.fnmatch_lines(["*holds the model 'stroke_model', of which the file of limits has no checks*"])
    again = written.run(UPDATE)
    assert again.ret == 0
    again.stdout.fnmatch_lines(["*gone with their models: stroke_model*"])
    assert sorted(written.document()["models"]) == ["apoplexy_model", "sepsis_model"]


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["serial", "parallel"])
def test_a_baseline_that_is_not_written_is_a_failed_case(written, workers):
    before = written.file.read_bytes()
    lost = "\n\nimport pytest\n\n\n@pytest.hookimpl(tryfirst=True)\ndef pytest_runtest_protocol(item):\n"
    written.project.write("conftest.py", MODELS + lost + "    return True if 'stroke_model' in item.name else None\n")
    assert written.run(UPDATE, *workers).ret == 1
    assert written.file.read_bytes() == before
    case = written.project.junit()["test_baseline_is_written"]
    assert case.find("failure").text == "the baseline was not written: checks were lost"


@pytest.mark.parametrize("arguments", [("-k", "stroke_model"), ("-k", "stroke_model", "-n", "2")])
def test_a_filtered_update_leaves_the_rest(written, arguments):
    before = written.document()
    result = written.run(UPDATE, *arguments, worse=0.5)
    assert result.ret == 0
    after = written.document()
    assert after["models"]["sepsis_model"] == before["models"]["sepsis_model"]


def test_one_check_of_two_against_the_baseline_rewrites_neither(gate):
    both = f"{CHECK}, {{metric: accuracy, by: sex, max_worsening: 0.02, of: each_group}}"
    gate.limits(sepsis=both)
    assert gate.run(UPDATE).ret == 0
    before = gate.document()["models"]["sepsis_model"]
    gate.run(UPDATE, "-k", "regression and accuracy", worse=0.01)
    after = gate.document()["models"]["sepsis_model"]
    assert after == before


def test_parallel_runs_write_and_compare_as_serial_ones(gate):
    assert gate.run(UPDATE, "-n", "2").ret == 0
    parallel = gate.document()["models"]
    assert gate.run("-n", "2").ret == 0
    assert gate.record().regression.paired
    gate.file.unlink()
    assert gate.run(UPDATE).ret == 0
    for name, model in gate.document()["models"].items():
        assert model["data_fingerprint"] == parallel[name]["data_fingerprint"]
        assert {k: v["groups"] for k, v in model["checks"].items()} == {
            k: v["groups"] for k, v in parallel[name]["checks"].items()
        }


def test_of_a_run_whose_worker_crashed_only_what_passed_is_written(gate):
    text = MODELS.replace("    return predictions()", "    os._exit(3)")
    gate.project.write("conftest.py", text)
    result = gate.run(UPDATE, "-n", "2")
    assert result.ret != 0
    assert set(gate.document()["models"]) <= {"sepsis_model"}


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda text: text[: len(text) // 2], "*fairness-baseline.json*"),
        (lambda text: text.replace('"n": 1000', '"n": 1001', 1), "*fairness-baseline.json*by hand*"),
        (lambda text: text.replace('"schema": 2', '"schema": 3'), "*fairness-baseline.json*schema*3*"),
    ],
    ids=["truncated", "edited", "newer"],
)
def test_a_damaged_baseline_is_one_clear_error_and_stays_as_it_is(written, damage, message):
    damaged = damage(written.file.read_text(encoding="utf-8"))
    written.file.write_text(damaged, encoding="utf-8")
    for arguments in ((), (UPDATE,)):
        result = written.run(*arguments)
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines([message])
        assert written.file.read_text(encoding="utf-8") == damaged


def test_an_outcomes_file_of_another_content_is_red(written):
    (file, *_) = sorted((written.project.path / "fairness-baseline").glob("sepsis_model-*.npz"))
    file.write_bytes(file.read_bytes()[:-10])
    result = written.run()
    assert result.ret == 1
    result.stdout.fnmatch_lines([f"*{file.name}*"])


def test_a_ratchet_holds_what_was_reached(gate):
    gate.limits(sepsis=CHECK.replace("0.02}", "0.02, ratchet: true}"))
    assert gate.run(UPDATE).ret == 0
    key = next(iter(k for k in gate.document()["models"]["sepsis_model"]["checks"] if k.startswith("regression")))
    assert gate.document()["models"]["sepsis_model"]["checks"][key]["ratchet_limit"] is None  # nothing is proved yet
    result = gate.run(UPDATE, better=0.06)
    assert result.ret == 0
    assert "better than the baseline: an update would hold it at" in " ".join(result.stdout.str().split())
    entry = gate.document()["models"]["sepsis_model"]["checks"][key]
    high = confint_proportions_2indep(123, 1000, 121, 1000, method="score", alpha=0.1)[1]
    assert entry["ratchet_limit"] == pytest.approx(high + 0.02, abs=1e-3)  # not 0.002 + 0.02, which was observed
    gate.run(UPDATE, better=0.05)
    assert gate.document()["models"]["sepsis_model"]["checks"][key]["ratchet_limit"] == entry["ratchet_limit"]
    gate.run(better=0.06)
    assert gate.record().regression.held_limit == entry["ratchet_limit"]


def test_a_gap_that_closes_because_the_better_group_got_worse_is_named(written):
    text = MODELS.replace("0.20 + worse - better, 0.10)", "0.20, 0.10 + worse)")
    written.project.write("conftest.py", text)
    result = written.run(worse=0.06)
    told = "levelling down: the gap closed while male, who did better, got worse by 0.0"
    assert told in " ".join(result.stdout.str().split())
    assert written.record().verdict == "pass"


def test_a_kill_during_the_write_leaves_the_old_file(written):
    before = written.file.read_bytes()
    written.project.write(
        "slow.py",
        "import os, signal, fairness_checks.storage.cache as c\n"
        "def killed(*a, **k): os.kill(os.getpid(), signal.SIGKILL)\n"
        "os.replace = killed\n",
    )
    env = {**os.environ, "SEPSIS": repr({"worse": 0.005}), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": "."}
    command = [sys.executable, "-m", "pytest", "-p", "fairness_checks.plugin", "-p", "slow", "-p", "no:cacheprovider"]
    done = subprocess.run([*command, "--fairness", UPDATE], cwd=written.project.path, env=env, capture_output=True)
    assert done.returncode == -signal.SIGKILL
    assert written.file.read_bytes() == before
    assert written.run().ret == 0


def test_another_positive_class_than_in_the_baseline_is_red(written):
    result = written.run(positive=0)
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*the baseline's positive class is 1, this run's is 0: they are not comparable; *"])
    assert written.record().verdict == "fail"
    assert written.run(positive=1).ret == 0


@pytest.mark.parametrize("ends", ["import pytest; pytest.exit('enough')", "pass"], ids=["stopped", "red"])
def test_a_run_leaves_nothing_of_its_patients_however_it_ends(written, monkeypatch, ends):
    scratch = written.project.path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    written.project.write("test_hand.py", f"def test_hand(fairness):\n    {ends}\n")
    written.run(UPDATE, "--fairness-report=evidence", "thresholds.yaml", "test_hand.py")
    assert list(scratch.iterdir()) == []


# --- looks: which time a question is judged


def test_each_accepted_model_is_a_look_and_what_was_seen_again_is_none(gate):
    limits = CHECK.replace("0.02", "0.2")
    gate.limits(limits, limits, more="period: 2026, second half\n")
    for better in (0.0, 0.03, 0.03, 0.06):
        assert gate.run(UPDATE, better=better).ret == 0
    kept = gate.kept()
    misses = [{g["name"][0]: g["events"] for g in look["groups"]}["female"] for look in (*kept["looks"], kept)]
    assert len(misses) == 3
    assert misses == sorted(misses, reverse=True)  # oldest first, the one that holds now last
    assert [look["period"] for look in kept["looks"]] == ["2026, second half"] * 2
    assert all(g["variance"] > 0 and g["df"] > 0 for look in kept["looks"] for g in look["groups"])
    assert gate.kept("accuracy")["looks"]  # of every check, not only of those against the baseline
    assert gate.kept(model="stroke_model")["looks"] == []  # whose rows and model stayed the same


@pytest.mark.parametrize(
    ("model", "looks"), [({}, {"sepsis_model": 1, "stroke_model": 1}), ({"better": 0.03}, {"sepsis_model": 2})]
)
def test_the_evidence_says_which_look_it_is(gate, written, model, looks):
    gate.run("--fairness-report=out", **model)
    evidence = json.loads((gate.project.path / "out/evidence.json").read_text(encoding="utf-8"))
    found = {each["model"]: {check["look"] for check in each["checks"]} for each in evidence["models"]}
    assert all(found[name] == {look} for name, look in looks.items())


def test_without_a_baseline_nothing_counts_looks(gate):
    gate.run("--fairness-report=out")
    evidence = json.loads((gate.project.path / "out/evidence.json").read_text(encoding="utf-8"))
    assert {check["look"] for each in evidence["models"] for check in each["checks"] if check["record"]} == {None}
