"""`fairness-checks audit`: one command on a file, with the verdicts, words and exit codes of the gate."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from fairness_checks import Predictions
from fairness_checks import audit as audit_predictions
from fairness_checks.cli.main import main
from fairness_checks.records.check_record import CheckRecord

PUBLISHED = {
    "false_positive_rate": {"African-American": 44.85, "Caucasian": 23.45},
    "false_negative_rate": {"African-American": 27.99, "Caucasian": 47.72},
}
"""Percent; Larson, Mattu, Kirchner and Angwin, ProPublica 2016: decile 5 and above is called high risk."""
COUNTS = {("A", 0, 7): 45, ("A", 0, 2): 55, ("A", 1, 6): 72, ("A", 1, 4): 28,
          ("B", 0, 9): 24, ("B", 0, 1): 76, ("B", 1, 5): 53, ("B", 1, 3): 47}  # fmt: skip
"""People of a made table by race, recidivism and decile."""
ASKED = ("--metric", "false_positive_rate", "--metric", "false_negative_rate", "--max-difference", "0.1")
ROLES = ("--y-true", "two_year_recid", "--y-pred", "decile_score >= 5", "--by", "race")
CSV = "died,risk,sex,age\n" + "".join(
    f"{n % 2},{0.9 if n % 3 else 0.2},{'fm'[n % 4 // 2]},{20 + n}\n" for n in range(60)
)
BASIC = ("p.csv", "--y-true", "died", "--y-score", "risk", "--by", "sex", "--metric", "accuracy", "--min-value", "0.1")


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "96")
    (tmp_path / "p.csv").write_text(CSV)

    def command(*arguments):
        capsys.readouterr()
        try:
            code = main(["audit", *map(str, arguments)])
        except SystemExit as end:  # as argparse does
            code = end.code
        return code, *capsys.readouterr()

    return command


@pytest.fixture
def made(tmp_path):
    rows = [values for values, count in COUNTS.items() for _ in range(5 * count)]
    table = pd.DataFrame(rows, columns=["race", "two_year_recid", "decile_score"]).sample(frac=1, random_state=0)
    table.to_csv(tmp_path / "made.csv", index=False)
    return table


def rates(out):
    records = [CheckRecord.from_json(json.dumps(record)) for record in json.loads(out)["records"]]
    return {r.metric: {g.name[0]: round(100 * g.rate, 2) for g in r.groups} for r in records}, records


@pytest.mark.parametrize("meds", [False, True], ids=["columns", "meds"])
def test_one_command_reproduces_what_was_published(run, tmp_path, meds):
    folder = os.environ.get("FAIRNESS_DATA")
    if not folder or not (Path(folder) / "compas_two_years.csv").is_file():
        pytest.skip("no compas_two_years.csv in $FAIRNESS_DATA")
    table = pd.read_csv(Path(folder) / "compas_two_years.csv")
    path, roles = Path(folder) / "compas_two_years.csv", ROLES
    if meds:
        as_meds(table).to_parquet(path := tmp_path / "meds.parquet")
        roles = ("--layout", "meds", "--by", "race")
    code, out, _ = run(path, *roles, *ASKED, "--json", "--report", "out")
    found, records = rates(out)
    assert code == 1
    assert {m: {race: found[m][race] for race in races} for m, races in PUBLISHED.items()} == PUBLISHED
    assert [record.verdict for record in records] == ["fail", "fail"]
    predictions = Predictions.from_frame(
        table.assign(high=table["decile_score"] >= 5), y_true="two_year_recid", y_pred="high", by="race"
    )
    for record in records:
        alone = audit_predictions(predictions, metric=record.metric, by="race", max_difference=0.1)
        same = ("estimate", "low", "high", "p_violation", "first", "second", "verdict")
        assert {name: getattr(record, name) for name in same} == {name: getattr(alone, name) for name in same}
    assert main(["verify", "out"]) == 0


def as_meds(table):
    """Write a table with the columns of MEDS evaluation, a subject each."""
    return pd.DataFrame(
        {
            "subject_id": range(len(table)),
            "prediction_time": pd.Timestamp("2014-01-01"),
            "boolean_value": table["two_year_recid"] == 1,
            "predicted_boolean_value": table["decile_score"] >= 5,
            "predicted_boolean_probability": table["decile_score"] / 10,
            "race": table["race"],
        }
    )


@pytest.mark.parametrize("form", ["csv", "meds.csv", "meds.parquet"])
def test_a_made_table_gives_its_rates_in_every_layout(run, made, tmp_path, form):
    roles = ROLES if form == "csv" else ("--layout", "meds", "--by", "race")
    if form != "csv":
        written = as_meds(made)
        (written.to_parquet if "parquet" in form else written.to_csv)(tmp_path / f"made.{form}", index=False)
    code, out, _ = run(f"made.{form}", *roles, *ASKED, "--json", "--report", "out")
    found, records = rates(out)
    assert found == {"false_positive_rate": {"A": 45.0, "B": 24.0}, "false_negative_rate": {"A": 28.0, "B": 47.0}}
    assert (code, [record.verdict for record in records]) == (1, ["fail", "fail"])
    assert main(["verify", "out"]) == 0


def test_what_fails_is_told_as_by_the_gate(run, made):
    code, out, err = run("made.csv", *ROLES, *ASKED)
    assert (code, err) == (1, "")
    assert out.startswith(
        "made raises a false alarm for 45 of 100 with race=A whose label is not 1, and for 24 of 100 "
    )
    assert "\n  fail          false_positive_rate by race: difference 0.210 [" in out
    assert out.endswith("\n2 fail: exit code 1\n")
    assert max(map(len, out.splitlines())) <= 96
    assert "To accept this" not in out  # there is no file of limits to paste a waiver into


def test_standard_input_is_a_csv(made, tmp_path):
    command = [sys.executable, "-m", "fairness_checks", "audit", "-", *ROLES, *ASKED, "--model", "risk"]
    done = subprocess.run(command, input=(tmp_path / "made.csv").read_bytes(), capture_output=True, cwd=tmp_path,
                          timeout=300, check=False)  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert b"risk: decided by: decile_score >= 5; file: standard input; file" in done.stdout


@pytest.mark.parametrize(
    ("file", "redirected", "code", "said"),
    [
        ("-", "<&-", 2, "fairness-checks audit: standard input: is closed; pipe a CSV into it, or name a file\n"),
        ("made.csv", ">&-", 1, ""),
        (
            "made.csv",
            ">/dev/full",
            2,
            "fairness-checks: standard output: No space left on device; write it elsewhere\n",
        ),
    ],
    ids=["no-input", "no-output", "full"],
)
def test_what_cannot_be_read_from_or_said_to_the_shell_is_no_traceback(made, tmp_path, file, redirected, code, said):
    if redirected == ">/dev/full" and not Path("/dev/full").exists():
        pytest.skip("no /dev/full")
    command = shlex.join([sys.executable, "-m", "fairness_checks", "audit", file, *ROLES, *ASKED])
    done = subprocess.run(f"{command} {redirected}", shell=True, stderr=subprocess.PIPE, text=True, cwd=tmp_path,
                          timeout=300, check=False)  # fmt: skip
    assert (done.returncode, done.stderr) == (code, said)


def test_a_csv_needs_no_library_of_frames(made, tmp_path):
    # As in an environment without any extra.
    gone = (
        "pandas",
        "polars",
        "pyarrow",
        "sklearn",
        "duckdb",
        "joblib",
        "imblearn",
    )  # SciPy looks whether torch is there
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({gone!r})); from fairness_checks.cli.main import main; "
        f"sys.exit(main(['audit', 'made.csv', *{(*ROLES, *ASKED)!r}, '--report', 'out']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, cwd=tmp_path, timeout=300, check=False)
    assert (done.returncode, done.stderr) == (1, b""), done.stderr.decode()
    assert done.stdout.endswith(b"2 fail: exit code 1\n")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (["nothing.csv", *BASIC[1:]], "nothing.csv: there is no such file; looked in "),
        ([*BASIC, "--by", "sx"], "p.csv: --by: there is no column 'sx'; did you mean 'sex'? (allowed: age, died"),
        ([*BASIC[:1], *BASIC[3:]], "--y-true: is missing; name the column of what happened, or that of the error of "),
        ([*BASIC, "--y-pred", "risk >= 0.5", "--threshold", "0.3"], "--threshold: stands beside y_pred, which are the"),
        ([*BASIC, "--threshold", "3"], "--threshold: 3 is outside [0, 1], where probabilities are; decisions by "),
        ([*BASIC, "--metric", "acuracy"], "--metric: 'acuracy' is not a metric; did you mean 'accuracy'?"),
        ([*BASIC, "--min-value", "0.2"], "argument --min-value: is given twice; keep one; "),
        ([*BASIC, "--y-score", "risk"], "argument --y-score: is given twice; keep one; "),
        ([*BASIC, "--config", "t.yaml", "--config", "u.yaml"], "argument --config: is given twice; keep one; "),
        ([*BASIC, "--by", "age", "--bins", "age=40", "--bins", "age=50"], "--bins age=50: age is cut twice; give all "),
        ([*BASIC, "--by", "age", "--bins", "age=nan"], "--bins: expected a finite number; found the number .nan"),
        ([*BASIC, "--min-ratio", "high"], "argument --min-ratio: invalid float value: 'high'; fairness-checks audit "),
        ([*BASIC[:3], "--y-score", "died", *BASIC[5:]], "--y-score: is made of 'died', the column of y_true, so that "),
        ([*BASIC, "--min-ratio", "2"], "--min-ratio: 2 is impossible; allowed: 0 < min_ratio <= 1"),
        ([*BASIC, "--metric", "roc_auc", "--min-ratio", "0.8"], "--min-ratio: min_ratio is not available for roc_auc"),
        ([*BASIC[:5], *BASIC[7:]], "--by is missing: name the column of groups, such as --by sex"),
        (BASIC[:9], "--metric accuracy has no limit; give one of --max-difference, --min-ratio, --max-value, --min-va"),
        (BASIC[:7], "--metric is missing: name what is compared, such as --metric false_negative_rate"),
        (BASIC[:7] + BASIC[9:], "--metric is missing: name what is compared, such as --metric false_negative_rate"),
        ([*BASIC, "--alpha", "0.6"], "--alpha: 0.6 is outside (0, 0.5)"),
        ([*BASIC, "--bins", "age"], "--bins age: write a feature and where its bands begin: --bins age=40,65"),
        ([*BASIC, "--bins", "age=a"], "--bins age=a: write a feature and where its bands begin: --bins age=40,65"),
        ([*BASIC, "--bins", "age=65,40"], "--bins: age: write rising numbers at which bands begin, such as 40, 65"),
        ([*BASIC, "--bins", "age=40"], "p.csv: --bins: 'age' is no feature that is asked for; name it by --by"),
        ([*BASIC, "--strata", "combined"], "--strata: has no control_features to make strata of; name some, or remove"),
        ([*BASIC, "--control-features", ""], "--control-features: holds an empty name; write the name of a sensi"),
        ([*BASIC, "--absent", "f,m"], "--absent: ['f', 'm'] has 2 values; give one for each of sex"),
        ([*BASIC, "--groups", "g.csv"], "--groups: has a row for each cluster; name the column that both files have"),
        ([*BASIC, "--suppress-below", "1"], "--suppress-below: 1 hides no group; write the fewest samples of which "),
        ([*BASIC, "--ytrue", "died"], "unrecognized arguments: --ytrue died; did you mean '--y-true'?; fairn"),
        ([*BASIC, "--metrc=fnr"], "unrecognized arguments: --metrc=fnr; did you mean '--metric'?; fairness-checks aud"),
        ([*BASIC[:7], "age", *BASIC[7:]], "unrecognized arguments: age; several values stand behind one option with c"),
        ([*BASIC, "--cluster", "who"], "p.csv: --cluster: there is no column 'who'; allowed: age, died, risk, sex"),
        ([*BASIC, "--control-features", "agee"], "p.csv: --control-features: there is no column 'agee'; did you mean"),
        ([*BASIC, "--positive", "yes"], "p.csv: --positive: 'yes' is not among the classes of y_true, which are 0"),
        ([*BASIC[:3], "--y-score", "age", *BASIC[5:]], "p.csv: --y-score: 60 of 60 values are outside [0, 1]"),
        (BASIC[1:], "FILE is missing: name a file of predictions, or --config thresholds.yaml"),
        ([*BASIC, "--report", "p.csv"], "--report p.csv: p.csv: "),
        ([*BASIC, "--config", "t.yaml"], "--metric: --config says what is asked; write it there, or leave --conf"),
        (["--config", "no.yaml"], "no.yaml: there is no such file; did you mean 't.yaml'?; `fairness-checks"),
        (["--config", "t.yaml"], "FILE is missing: no model of t.yaml has a `source:`; name a file of predictions"),
        ([*BASIC[:5], "--config", "t.yaml"], "--model is missing: t.yaml has a, b; say whose predictions these are"),
        ([*BASIC[:5], "--config", "t.yaml", "--model", "aa"], "--model aa: t.yaml has no such model; did you mean 'a'"),
        (["--config", "t.yaml", "--model", "a", "--y-true", "died"], "FILE is missing: the model a has no `source:`"),
        ([*BASIC[:1], "--config", "t.yaml", "--model", "a"], "p.csv: y_true is missing; name the column of what "),
    ],
)  # fmt: skip
def test_each_stumble_is_a_message_with_the_remedy(run, tmp_path, changed, message):
    check = "{subgroups: [{metric: accuracy, by: sex, min_value: 0.1}]}"
    (tmp_path / "t.yaml").write_text(f"version: 1\nmodels:\n  a: {check}\n  b: {check}\n")
    code, out, err = run(*changed)
    assert (code, out) == (2, "")
    assert err.startswith(f"fairness-checks audit: {message}")
    assert len(err.splitlines()) < 6


@pytest.mark.parametrize(
    ("classes", "said"), [(("no", "yes"), "'no' or --positive 'yes'"), ("12", "1 or --positive 2")]
)
def test_the_positive_class_is_said_by_an_option(run, tmp_path, classes, said):
    (tmp_path / "p.csv").write_text(re.sub(r"^[01]", lambda found: classes[int(found[0])], CSV, flags=re.MULTILINE))
    assert f"; say which class is the positive one: --positive {said} (y_true is column 'died'" in run(*BASIC)[2]


def test_all_mistakes_are_told_at_once_and_each_once(run):
    more = ("--metric", "precison", "--by", "age", "--alpha", "2", "--max-difference", "3")
    code, _, err = run(*BASIC, *more)
    assert code == 2
    assert [line.partition(": ")[2].partition(":")[0] for line in err.splitlines()] == [
        "--alpha",
        "--max-difference",
        "--metric",
        "a metric of your own",
    ]


@pytest.mark.parametrize(
    ("arguments", "code", "last"),
    [
        ((), 0, "1 pass: exit code 0"),
        (("--min-value", "0.99"), 1, "1 fail: exit code 1"),
        (("--min-value", "0.5"), 0, "1 inconclusive: exit code 0"),
        (("--min-value", "0.5", "--unsettled-exit", "6"), 6, "1 inconclusive: exit code 6"),
        (("--min-value", "0.5", "--burden", "compliance"), 1, "1 inconclusive: exit code 1"),
        (("--metric", "mean_error", "--unsettled-exit", "6"), 1, "1 pass, 1 in error: exit code 1"),
        (("--max-mismatch", "0.5"), 0, "2 pass: exit code 0"),
        (("--max-mismatch", "0.9", "--control-features", "died"), 0, "2 pass: exit code 0"),
        (("--by", "age", "--bins", "age=40,60"), 0, "2 pass: exit code 0"),
        (("--min-group-size", "500"), 0, "1 inconclusive: exit code 0"),
        (("--absent", "other"), 1, "1 in error: exit code 1"),
    ],
)  # fmt: skip
def test_every_option_counts_and_the_evidence_follows(run, capsys, arguments, code, last):
    basic = BASIC[:-2] if "--min-value" in arguments else BASIC
    found, out, err = run(*basic, *arguments, "--report", "out", "-v")
    assert (found, err) == (code, "")
    assert out.splitlines()[-1] == last
    assert main(["verify", "out"]) == 0, capsys.readouterr().out


def test_limits_of_a_file_with_the_columns_of_the_command(run, tmp_path, capsys):
    check = "subgroups: [{metric: accuracy, by: sex, min_value: 0.99}]"
    source = "source: {file: old.csv, y_true: died, y_score: risk}"
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "t.yaml").write_text(f"version: 1\nmodels:\n  a: {{{source}, {check}}}\n  b: {{{check}}}\n")
    code, out, _ = run("p.csv", "--config", "sub/t.yaml", "--model", "a", "-v", "--report", "out")
    assert code == 1
    assert "\nnot judged: b\n" in out
    assert "file: p.csv" in out  # where the shell says, not beside the file of limits
    waiver = re.search(
        r"^To accept this for a time, paste this under `waivers:`[^\n]*\n((?:  .*\n)+)", out, re.MULTILINE
    )
    evidence = json.loads((tmp_path / "out" / "evidence.json").read_text())
    assert evidence["not_judged"] == {"sub/t.yaml::test_subgroups[b-sex-accuracy-min_value]": "deselected"}
    assert main(["verify", "out"]) == 0, capsys.readouterr().out
    assert run("p.csv", *BASIC[1:5], "--config", "sub/t.yaml", "--model", "b")[0] == 1
    with (tmp_path / "sub" / "t.yaml").open("a") as limits:
        limits.write(f"waivers:\n{waiver[1]}".replace("TODO ", ""))
    code, out, _ = run("p.csv", "--config", "sub/t.yaml", "--model", "a")
    assert (code, out.splitlines()[-1]) == (0, "1 waived: exit code 0")


def test_the_page_says_what_was_called(run, tmp_path):
    run(*BASIC[:-2], "--min-value", "0.99", "--report", "out")
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8").replace("<wbr/>", "")
    assert "<code>fairness-checks audit p.csv --y-true died" in page
    assert "pytest audit" not in page


def test_a_later_failure_to_read_leaves_no_earlier_evidence(run, tmp_path):
    assert run(*BASIC, "--report", "out")[0] == 0
    (tmp_path / "p.csv").write_text("died\n1\n")
    assert run(*BASIC, "--report", "out")[0] == 2
    evidence = json.loads((tmp_path / "out" / "evidence.json").read_text())
    assert (evidence["complete"], evidence["exit_code"]) == (False, 1)


@pytest.mark.parametrize(
    "changed",
    [["--by", "sex"], [*BASIC, "--metric", "acuracy"], [*BASIC, "--bins", "age"], ["--config", "no.yaml"]],
    ids=["asks-nothing", "metric", "bins", "config"],
)
def test_an_audit_that_judges_nothing_leaves_no_earlier_evidence(run, tmp_path, changed):
    assert run(*BASIC, "--report", "out")[0] == 0
    (tmp_path / "out" / "mine.txt").write_text("stays")
    assert run(*changed, "--report", "out")[0] == 2
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(
    "changed",
    [
        [*BASIC, "--nope"],
        [*BASIC, "--alpha", "much"],
        [*BASIC, "--correction", "nope"],
        [*BASIC, "--min-value"],
        [*BASIC, "--min-value", "0.2"],
        [*BASIC, "--unsettled-exit", "3"],
    ],
    ids=["unknown", "no-number", "no-choice", "no-value", "twice", "no-code"],
)
@pytest.mark.parametrize("written", [["--report", "out"], ["--report=out"]], ids=["apart", "together"])
def test_options_that_cannot_be_read_leave_no_earlier_evidence(run, tmp_path, changed, written):
    assert run(*BASIC, "--report", "out")[0] == 0
    (tmp_path / "out" / "mine.txt").write_text("stays")
    assert run(*written, *changed)[0] == 2
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine.txt"]


def test_help_leaves_evidence_alone(run, tmp_path):
    assert run(*BASIC, "--report", "out")[0] == 0
    assert run("--help", "--report", "out")[0] == 0
    assert (tmp_path / "out" / "evidence.json").is_file()


def test_what_is_no_evidence_is_not_removed(run, tmp_path):
    (tmp_path / "summary.md").write_text("of somebody else")
    assert run(*BASIC, "--metric", "acuracy", "--report", ".")[0] == 2
    assert (tmp_path / "summary.md").read_text() == "of somebody else"


@pytest.mark.parametrize("by_file", [False, True])
def test_a_feature_of_many_numbers_gets_the_advice_to_cut_it(run, tmp_path, by_file):
    if by_file:
        source = "{file: p.csv, y_true: died, y_score: risk}"
        checks = "[{metric: accuracy, by: age, min_value: 0.1}]"
        (tmp_path / "t.yaml").write_text(f"version: 1\nmodels: {{a: {{source: {source}, subgroups: {checks}}}}}\n")
        _, _, err = run("--config", "t.yaml")
        how = "bins: {age: [40, 60]} under its `source:`"
    else:
        _, _, err = run(*BASIC, "--by", "age")
        how = "--bins age=40,60"
    assert err == f"fairness-checks audit: note: age has 60 values, each a group; to cut it into bands: {how}\n"
    assert run(*BASIC, "--by", "age", "--bins", "age=40,60")[2] == ""


def test_names_of_the_clinic_are_taken_and_own_metrics_are_for_pytest(run):
    code, out, _ = run(*BASIC, "--metric", "Sensitivity", "--metric", "recall", "--metric", "TPR", "--json")
    assert (code, [record["metric"] for record in json.loads(out)["records"]]) == (
        0,
        ["accuracy", "true_positive_rate"],
    )
    code, _, err = run(*BASIC, "--metric", "my_own")
    assert code == 2
    assert "@fairness_metric" not in err  # which would be of no use here
    assert err.splitlines()[-1] == (
        "fairness-checks audit: a metric of your own: no conftest.py is read here; judge it by pytest --fairness"
    )


@pytest.mark.parametrize(
    ("cell", "option", "mended"),
    [
        ("", "--missing-sensitive group", "--missing-sensitive group"),
        ("NA", "--missing-text TEXT", "--missing-text NA"),
    ],
)
def test_a_group_that_is_missing_names_the_option_and_it_helps(run, tmp_path, cell, option, mended):
    (tmp_path / "p.csv").write_text(CSV.replace(",f,", f",{cell},", 1))
    code, out, _ = run(*BASIC)
    assert code == 1
    assert f"; here: {option} " in f"{' '.join(out.partition(chr(10) * 2)[0].split())} "
    more = mended.split() if cell == "" else [*mended.split(), "--missing-sensitive", "group"]
    assert "in error" not in run(*BASIC, *more)[1]


def test_groups_that_are_asked_for_twice_are_checked_once_whatever_the_model_is_called(run, tmp_path):
    (tmp_path / "my: [file].csv").write_text(CSV)
    asked = ("my: [file].csv", *BASIC[1:], "--by", "sex", "--by", "age,sex", "--by", "sex,age", "--bins", "age=40")
    code, out, _ = run(*asked, "--json")
    assert (code, [record["by"] for record in json.loads(out)["records"]]) == (0, [["sex"], ["age", "sex"]])
    assert json.loads(out)["not_judged"] == []
    code, _, err = run(*asked[: BASIC.index("--min-value")], *asked[len(BASIC) :], "--min-value", "2")
    assert (code, err) == (
        2,
        "fairness-checks audit: --min-value: 2 is impossible; allowed: 0 < min_value <= 1; 2 in 100 is 0.02\n",
    )


def test_help_says_every_kind_of_limit():
    with contextlib.redirect_stdout(io.StringIO()) as out, pytest.raises(SystemExit):
        main(["audit", "--help"])
    for option in ("max-difference", "min-ratio", "max-value", "min-value", "max-mismatch", "control-features"):
        assert f"--{option}" in out.getvalue()
