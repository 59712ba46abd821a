"""A model whose predictions are a file, under pytest: no conftest.py, the same verdicts, red where it is unreadable."""

from __future__ import annotations

import hashlib
import json

import pytest

import fairness_checks.judge.file_auditing  # noqa: F401 - numpy does not survive being imported twice
from fairness_checks.cli.main import main

BIASED = {"f": (160, 400), "m": (40, 400)}
LIMITS = """\
version: 1
models:
  readmission:
    source: {file: data/p.csv, y_true: died, y_score: risk, by: sex, cluster: patient}
    subgroups:
      - {metric: false_negative_rate, by: sex, max_difference: 0.10}
      - {metric: accuracy, by: sex, min_value: 0.60}
"""
TESTS = ("test_subgroups[readmission-sex-false_negative_rate]", "test_subgroups[readmission-sex-accuracy-min_value]")


def csv(groups):
    """Write {group: (missed positives, positives)} with as many negatives, all of them right, a patient each."""
    lines = ["died,risk,sex,patient"]
    for sex, (missed, positives) in groups.items():
        for label, score, count in ((1, 0.2, missed), (1, 0.8, positives - missed), (0, 0.1, positives)):
            lines += [f"{label},{score},{sex},{sex}{label}{score}{at}" for at in range(count)]
    return "\n".join(lines) + "\n"


@pytest.fixture
def scratch(project):
    (project.path / "conftest.py").unlink()
    project.write("thresholds.yaml", LIMITS)
    project.write("data/p.csv", csv(BIASED))
    return project


def test_a_file_is_judged_without_a_conftest(scratch):
    result = scratch.gate("--junitxml=junit.xml", "--fairness-report=out")
    assert (result.ret, result.parseoutcomes()) == (1, {"failed": 1, "passed": 1})
    result.stdout.fnmatch_lines(
        ["fairness: 1 model found: readmission (data/p.csv)", "readmission misses 40 of 100 with sex=f *"]
    )
    digest = hashlib.sha256((scratch.path / "data/p.csv").read_bytes()).hexdigest()
    record = json.loads(scratch.properties(scratch.junit()[TESTS[0]])["fairness.record"])
    assert (record["about"]["file"], record["about"]["file_sha256"]) == ("data/p.csv", digest)
    assert main(["verify", str(scratch.path / "out")]) == 0
    evidence = json.loads((scratch.path / "out" / "evidence.json").read_text())
    assert evidence["models"][0]["about"]["file_sha256"] == digest


def test_the_command_and_the_gate_come_to_the_same_records(scratch, capsys, monkeypatch):
    scratch.gate("--junitxml=junit.xml")
    cases = scratch.junit()
    gate = [json.loads(scratch.properties(cases[name])["fairness.record"]) for name in TESTS]
    monkeypatch.chdir(scratch.path)
    capsys.readouterr()
    assert main(["audit", "--config", "thresholds.yaml", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["records"] == gate


def test_a_part_of_the_checks_and_several_processes_change_no_verdict(scratch):
    some = scratch.gate("-k", "accuracy")
    assert (some.ret, some.parseoutcomes()) == (0, {"passed": 1, "deselected": 1})
    spread = scratch.gate_in_subprocess("-n2", "--fairness-report=out")
    assert (spread.ret, spread.parseoutcomes()) == (1, {"failed": 1, "passed": 1})
    assert main(["verify", str(scratch.path / "out")]) == 0


OTHER = """
import os
from fairness_checks.inputs import table_files
read = table_files.read_regular
if os.environ.get("PYTEST_XDIST_WORKER") == "gw1":  # what it finds once another process has written the file
    table_files.read_regular = lambda path: read(path) + b"0,0.1,m,late\\n"
"""


@pytest.mark.parametrize("other", ["", OTHER], ids=["one", "replaced"])
def test_a_file_that_is_replaced_while_workers_read_it_is_not_green(scratch, other):
    scratch.write("conftest.py", other)
    scratch.write("data/p.csv", csv(dict.fromkeys("fm", (40, 400))))
    result = scratch.gate_in_subprocess("-n2", "--dist=worksteal", "--junitxml=junit.xml", "--fairness-report=out")
    assert result.ret == bool(other)
    assert result.parseoutcomes() == {"passed": 2} | ({"failed": 1} if other else {})
    message = "readmission: data/p.csv: was replaced during the run: its checks are of 2 contents (sha256 "
    assert (message in result.stdout.str()) == bool(other)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("data/p.csv", None, "data/p.csv: there is no such file; did you mean 'r.csv'?"),
        ("data/p.csv", "died,risk,gender,patient\n1,0.5,f,1\n", "data/p.csv: by: there is no column 'sex'; allowed: *"),
        ("data/p.csv", "died,risk,sex,patient\n1,0.5,f\n", "data/p.csv:2: 3 fields, where the header has 4; *"),
        ("data/p.csv", "died,risk,sex,patient\n1,0[,]5,f,1\n", "data/p.csv:2: 5 fields, where the header has 4; *"),
        ("data/p.csv", 'died,risk,sex,patient\n1,"0,5",f,1\n', "data/p.csv: column 'risk': 1 of 1 values is no *"),
    ],
    ids=["missing", "column", "ragged", "comma", "quoted-comma"],
)  # fmt: skip
def test_a_file_that_cannot_be_read_fails_every_check_of_its_model_and_says_why_once(scratch, name, content, message):
    (scratch.path / name).unlink()
    if content is not None:
        scratch.write(name, content.replace("[,]", ","))
    scratch.write(
        "thresholds.yaml", LIMITS + "  other:\n" + LIMITS.split("readmission:\n")[1].replace("p.csv", "r.csv")
    )
    scratch.write("data/r.csv", csv({"f": (40, 400), "m": (40, 400)}))
    result = scratch.gate("--fairness-report=out")
    outcomes = result.parseoutcomes()
    assert (result.ret, outcomes["passed"], outcomes.get("failed", 0) + outcomes.get("errors", 0)) == (1, 2, 2)
    result.stdout.fnmatch_lines([f"*readmission: {message.partition('*')[0].strip()}*"])
    assert result.stdout.str().count(f"the same error as in {TESTS[0]}") >= 1
    assert main(["verify", str(scratch.path / "out")]) == 0  # the failures are told


def test_a_source_beside_a_fixture_of_its_name_is_a_usage_error(scratch):
    scratch.write("conftest.py", scratch.MODELS.replace("biased_model", "readmission"))
    result = scratch.gate()
    assert result.ret == 4
    result.stderr.fnmatch_lines(
        ["*thresholds.yaml:4: models.readmission.source: a fixture 'readmission' decorated with @fairness_model is *"]
    )


def test_a_source_and_fixtures_stand_side_by_side(scratch):
    scratch.write("conftest.py", scratch.MODELS)
    scratch.write("thresholds.yaml", LIMITS + f"  fair_model: {{subgroups: [{scratch.FNR}]}}\n")
    result = scratch.gate()
    assert (result.ret, result.parseoutcomes()) == (1, {"failed": 1, "passed": 2})
    result.stdout.fnmatch_lines(["fairness: 4 models found: biased_model, fair_model, tiny_model, readmission (*"])
    missing = scratch.pytest("--fairness", "--fairness-config", str(scratch.write("other.yaml", LIMITS)))
    assert missing.ret == 1  # fixtures that no check names are failed tests, beside a source as elsewhere
    missing.stdout.fnmatch_lines(["*biased_model: no check names this model*"])


def test_a_fixture_of_its_name_in_a_subfolder_is_found_too(scratch):
    scratch.write("sub/conftest.py", scratch.MODELS.replace("biased_model", "readmission"))
    scratch.write("sub/test_x.py", scratch.passing("test_x"))
    result = scratch.gate()
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*models.readmission.source: a fixture 'readmission' decorated with @fairness_model*"])


def test_where_small_cells_are_hidden_the_digest_of_the_file_is_not_told(scratch):
    scratch.write("thresholds.yaml", LIMITS.replace("models:", "suppress_below: 11\nmodels:"))
    scratch.gate("--fairness-report=out")
    about = json.loads((scratch.path / "out" / "evidence.json").read_text())["models"][0]["about"]
    assert about == {"file": "data/p.csv"}


def test_a_regression_of_a_file_is_compared_with_the_baseline(scratch):
    regression = "    regression: [{metric: false_negative_rate, by: sex, max_worsening: 0.05}]\n"
    scratch.write("thresholds.yaml", LIMITS.partition("    subgroups")[0] + regression)
    scratch.write("data/p.csv", csv({"f": (40, 400), "m": (40, 400)}))
    written = scratch.gate("--fairness-update-baseline")
    assert written.ret == 0, written.stdout.str()
    scratch.write("data/p.csv", csv(BIASED))
    worse = scratch.gate("--fairness-report=out")
    assert (worse.ret, worse.parseoutcomes()) == (1, {"failed": 1})
    assert main(["verify", str(scratch.path / "out")]) == 0
    limits = str(scratch.path / "thresholds.yaml")
    assert main(["audit", "--config", limits, "--report", str(scratch.path / "own")]) == 1
    assert main(["verify", str(scratch.path / "own")]) == 0
