"""`fairness-checks init`: what it writes runs at once, and it overwrites nothing."""

from __future__ import annotations

import csv
import sys

import numpy as np
import pytest
import yaml

from fairness_checks.cli.main import main
from fairness_checks.config.loading import load_config


@pytest.fixture
def folder(pytester, monkeypatch):
    monkeypatch.chdir(pytester.path)
    return pytester.path


def gate(pytester, folder, *arguments):
    """Run the gate in a folder, in a process of its own, without other plugins."""
    command = [sys.executable, "-m", "pytest", "-p", "fairness_checks.plugin", "-p", "no:cacheprovider", "--fairness"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
        patch.chdir(folder)
        return pytester.run(*command, *arguments, timeout=300)


def table(path, *, labels=("no", "yes"), names=("patient_id", "died", "risk", "sex", "age", "race"), rows=1200):
    """Write a file of predictions in which women are missed more often."""
    rng = np.random.default_rng(0)
    with path.open("w", newline="", encoding="utf-8") as opened:
        writer = csv.writer(opened)
        writer.writerow(names)
        for row in range(rows):
            sex, ill = str(rng.choice(["F", "M"])), bool(rng.random() < 0.3)
            score = rng.random() / 2 + (0.5 if ill and rng.random() < (0.5 if sex == "F" else 0.9) else 0.0)
            writer.writerow(
                [row, labels[ill], f"{score:.3f}", sex, int(rng.integers(20, 90)), str(rng.choice(["a", "b", "c"]))]
            )


def test_the_example_ends_red_for_a_reason_that_the_reader_sees(pytester, folder, capsys):
    assert main(["init", "--example"]) == 0
    said = capsys.readouterr().out
    assert "next: cd fairness-example && pytest --fairness" in said
    assert "it ends red: women are missed more often than men" in said
    result = gate(pytester, folder / "fairness-example")
    assert result.ret == 1
    assert result.parseoutcomes() == {"failed": 1, "passed": 2}
    assert "with sex=female whose label is 1" in result.stdout.str()
    source = (folder / "fairness-example/conftest.py").read_text()
    imported = {line.split()[1] for line in source.splitlines() if line.startswith(("import ", "from "))}
    assert imported == {"numpy", "fairness_checks"}


def test_a_project_gets_all_that_it_needs_and_it_runs(pytester, folder, capsys):
    (folder / ".github").mkdir()
    (folder / "requirements.txt").write_text("numpy\n")
    (folder / ".gitignore").write_text(".venv/")
    assert main(["init"]) == 0
    files = ["conftest.py", "thresholds.yaml", "thresholds.schema.json", ".github/workflows/fairness.yml"]
    said = capsys.readouterr().out
    assert [name for name in files if f"wrote {name}\n" in said] == files
    workflow = yaml.safe_load((folder / files[3]).read_text())
    steps = [step.get("run", "") for step in workflow["jobs"]["fairness"]["steps"]]
    gate_itself = "'pytest-fairness @ git+https://HOST/OWNER/REPOSITORY'"  # on an index others may have its name
    assert f"pip install {gate_itself} -r requirements.txt" in steps
    assert any(step.startswith("pytest --fairness --fairness-report=") for step in steps)
    assert (folder / ".gitignore").read_text().splitlines()[:2] == [".venv/", ".fairness-baseline.json.lock"]
    result = gate(pytester, folder)
    assert result.ret == 1
    assert "sepsis_model misses" in result.stdout.str()
    assert (folder / "thresholds.yaml").read_text().startswith("# yaml-language-server: $schema=thresholds.schema.json")


def test_every_limit_that_is_commented_out_is_one_that_can_be_taken(folder):
    main(["init"])
    text = (folder / "thresholds.yaml").read_text()
    taken = text.replace("      # - {", "      - {")
    assert taken != text
    (folder / "thresholds.yaml").write_text(taken)
    ((model,), before) = load_config(folder / "thresholds.yaml").models, text.count("      - {")
    assert len(model.checks) == before + 4


@pytest.mark.parametrize("name", ["thresholds.yaml", "thresholds.schema.json"])
def test_nothing_is_overwritten_and_nothing_else_written(folder, capsys, name):
    (folder / name).write_text("mine")
    assert main(["init"]) == 2
    said = capsys.readouterr().err
    assert f"{name} is there already, and nothing was written" in said
    assert len(said.splitlines()) < 6
    assert (folder / name).read_text() == "mine"
    assert sorted(path.name for path in folder.iterdir()) == [name]


@pytest.mark.parametrize("old", [b"caf\xe9/\r\n", b"build/", b"a\r\nb"])
def test_lines_of_gitignore_are_kept_to_the_byte(folder, old):
    (folder / ".gitignore").write_bytes(old)
    assert main(["init"]) == 0
    new = (folder / ".gitignore").read_bytes()
    assert new.startswith(old)
    assert new.splitlines()[: len(old.splitlines())] == old.splitlines()
    assert new.endswith(b"/\r\n") == (b"\r\n" in old)
    (folder / "again").mkdir()
    (folder / "again/.gitignore").write_bytes(new)
    assert main(["init", "again"]) == 0
    assert (folder / "again/.gitignore").read_bytes() == new


def test_what_cannot_be_read_is_one_line_and_nothing_is_written(folder, capsys):
    (folder / ".gitignore").mkdir()
    assert main(["init"]) == 2
    assert capsys.readouterr().err == "fairness-checks init: .gitignore: is a folder, not a regular file\n"
    assert [path.name for path in folder.iterdir()] == [".gitignore"]


@pytest.mark.parametrize("name", ["On", "NULL", "y", "TRUE", "Größe 😀", "a: b", "_x", "010", 'a"b'])
def test_a_column_of_any_name_is_that_of_the_file(folder, name):
    table(folder / "p.csv", names=("patient_id", "died", "risk", name, "age", "race"), rows=60)
    assert main(["init", "p.csv", "--by", name]) == 0
    (model,) = load_config(folder / "thresholds.yaml").models
    assert (model.checks[0].check.by, model.source.y_true) == ((name,), "died")


def test_a_column_of_scores_without_a_number_is_none(folder, capsys):
    (folder / "p.csv").write_text("died,score,sex\n1,,f\n0,,m\n")
    assert main(["init", "p.csv"]) == 2
    assert "no column is known to be y_score" in capsys.readouterr().err


def test_a_conftest_that_is_there_stays_and_the_model_goes_where_the_gate_finds_it(pytester, folder):
    (folder / "conftest.py").write_text("MINE = 1\n")
    (folder / "tests").mkdir()
    (folder / "tests/conftest.py").write_text("MINE = 2\n")
    assert main(["init"]) == 0
    assert (folder / "conftest.py").read_text() == "MINE = 1\n"
    assert (folder / "tests_fairness/conftest.py").is_file()
    assert gate(pytester, folder).parseoutcomes()["failed"] >= 1


@pytest.mark.parametrize("there", [True, False])
def test_gitlab(folder, capsys, there):
    (folder / ".git").mkdir()
    (folder / ".git/config").write_text("url = git@gitlab.com:me/mine.git\n")
    if there:
        (folder / ".gitlab-ci.yml").write_text("test: {script: [pytest]}\n")
    assert main(["init"]) == 0
    said = capsys.readouterr().out
    assert ("add to .gitlab-ci.yml:" in said) == there
    job = yaml.safe_load((folder / ".gitlab-ci.yml").read_text())
    assert list(job) == (["test"] if there else ["fairness"])


@pytest.mark.parametrize(
    ("labels", "positive"), [(("no", "yes"), "yes"), (("0", "1"), None), (("False", "True"), None)], ids=str
)
def test_a_file_of_predictions_is_judged_by_the_next_command(pytester, folder, labels, positive):
    table(folder / "predictions.csv", labels=labels)
    assert main(["init", "predictions.csv"]) == 0
    assert not (folder / "conftest.py").exists()
    source = yaml.safe_load((folder / "thresholds.yaml").read_text())["models"]["predictions"]["source"]
    assert source.pop("positive", None) == positive
    assert source == {
        "file": "predictions.csv",
        "y_true": "died",
        "y_score": "risk",
        "cluster": "patient_id",
        "bins": {"age": [40, 65]},
    }
    result = gate(pytester, folder)
    assert result.ret == 1
    assert "the model misses" in result.stdout.str()
    assert "ERROR" not in result.stdout.str()


def test_columns_of_other_names_are_given(pytester, folder):
    table(folder / "out.csv", names=("id", "a", "b", "c", "d", "e"))
    assert main(["init", "out.csv", "--y-true", "a", "--y-score", "b", "--by", "c,d"]) == 0
    assert gate(pytester, folder).ret == 1


@pytest.mark.parametrize(
    ("names", "options", "message"),
    [
        (("id", "a", "risk", "sex", "age", "race"), [], "no column is known to be y_true; name it: --y-true COLUMN"),
        (("id", "died", "b", "sex", "age", "race"), [], "no column is known to be y_score; name it: --y-score COLUMN"),
        (("id", "died", "risk", "c", "d", "e"), [], "whose predictions they are; name one: --by COLUMN"),
        (
            ("id", "died", "risk", "sex", "age", "race"),
            ["--y-true", "dead"],
            "--y-true: there is no column 'dead'; did you",
        ),
        (
            ("id", "died", "risk", "sex", "age", "race"),
            ["--by", "sx"],
            "--by: there is no column 'sx'; did you mean 'sex'",
        ),
    ],
)
def test_a_column_that_is_not_known_is_asked_for(folder, capsys, names, options, message):
    table(folder / "out.csv", names=names, rows=60)
    assert main(["init", "out.csv", *options]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert len(said.splitlines()) < 6
    assert not (folder / "thresholds.yaml").exists()


ROWS = 240
COLUMNS = {
    "died": lambda row: row % 2,
    "risk": lambda row: (row * 37 % 101) / 100,
    "percent": lambda row: row * 37 % 101,
    "decile_score": lambda row: row * 7 % 10 + 1,
    "alert": lambda row: ("no", "yes")[row % 5 > 1],
    "sex": lambda row: "FM"[row % 3 > 0],
    "gap": lambda row: "" if row == 9 else "FM"[row % 3 > 0],
    "na": lambda row: "NA" if row == 9 else "FM"[row % 3 > 0],
    "creatinine": lambda row: row * 31 % 97 / 30,
    "ward": lambda row: f"w{row}",
    "one": lambda row: "F",
    "stage": lambda row: row % 3,
}


def write_columns(path, *names):
    with path.open("w", newline="", encoding="utf-8") as opened:
        csv.writer(opened).writerows([names, *([COLUMNS[name](row) for name in names] for row in range(ROWS))])


RUNS = {
    "a-rule": (["died", "decile_score", "sex"], ["--y-pred", "decile_score >= 5"], 'y_pred: "decile_score >= 5"'),
    "a-rule-of-percents": (["died", "percent", "sex"], ["--y-pred", "percent>=30"], 'y_pred: "percent>=30"'),
    "scores": (["died", "risk", "sex"], [], "# threshold: 0.3  # decides at scores of 0.3 or more"),
    "another-score": (["died", "creatinine", "risk", "sex"], ["--y-score", "risk"], "# threshold: 0.3"),
    "missing-groups": (["died", "risk", "gap"], ["--by", "gap"], "missing_sensitive: group}  # TODO"),
    "missing-text": (["died", "risk", "na"], ["--by", "na"], "missing_text: ['NA'], missing_sensitive: group}"),
    "both": (["died", "risk", "na", "gap"], ["--by", "na,gap"], "missing_text: ['NA'], missing_sensitive: group}"),
    "numbers": (["died", "risk", "creatinine"], ["--by", "creatinine"], "bins: {creatinine: ["),
}


@pytest.mark.parametrize("name", RUNS)
def test_what_is_written_runs_at_once(folder, capsys, name):
    columns, options, line = RUNS[name]
    write_columns(folder / "p.csv", *columns)
    assert main(["init", "p.csv", *options]) == 0
    text = (folder / "thresholds.yaml").read_text()
    assert line in text
    for given in (text, text.replace("# threshold:", "threshold:")):
        (folder / "thresholds.yaml").write_text(given)
        capsys.readouterr()
        main(["audit", "--config", "thresholds.yaml"])
        said = capsys.readouterr()
        assert (said.err, "in error" in said.out) == ("", False), said.out


REFUSED = {
    "no-probabilities": (["died", "percent", "sex"], ["--y-score", "percent"], "--y-pred 'percent >= CUT'"),
    "no-score": (["died", "decile_score", "sex"], [], "no probabilities: --y-pred 'decile_score >= CUT' (columns"),
    "a-rule-of-nothing": (["died", "risk", "sex"], ["--y-pred", "rsk >= 5"], "--y-pred: there is no column 'rsk'; did"),
    "three-classes": (["stage", "risk", "sex"], ["--y-true", "stage"], "y_true: more than two classes: 0, 1, 2"),
    "words-beside-numbers": (["died", "alert", "sex"], [], "y_true holds numbers (0, 1), y_pred holds text ("),
    "a-group-each": (["died", "risk", "ward"], ["--by", "ward"], "give rare values one name, such as other"),
    "one-group": (["died", "risk", "one"], ["--by", "one"], "one group only, 'F'"),
    "compared-with-itself": (
        ["died", "risk", "sex"],
        ["--y-true", "died", "--y-score", "died"],
        "the column of y_true",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_could_not_run_is_not_written(folder, capsys, name):
    columns, options, remedy = REFUSED[name]
    write_columns(folder / "p.csv", *columns)
    assert main(["init", "p.csv", *options]) == 2
    said = capsys.readouterr().err
    assert remedy in said
    assert len(said.splitlines()) == 1
    assert [path.name for path in folder.iterdir()] == ["p.csv"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.csv"], "nowhere.csv"),
        (["--y-true", "died"], "--y-true names a column; give the file"),
        (["nowhere.csv", "--example"], "leave the file out"),
    ],
)
def test_what_goes_together_is_said(folder, capsys, arguments, message):
    assert main(["init", *arguments]) == 2
    assert message in capsys.readouterr().err
    assert list(folder.iterdir()) == []
