"""`fairness-checks statistics` and `merge`: five sites have the verdicts, words and exit codes of their rows."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fairness_checks.cli.main import main
from fairness_checks.question.metrics import METRICS

SITES = 5
LIMITS = """\
version: 1
models:
  sepsis_model:
    subgroups:
      - {metric: false_negative_rate, by: sex, max_difference: 0.05}
      - {metric: accuracy, by: [sex, age], min_value: 0.5}
      - {metric: equalized_odds, by: sex, max_difference: 0.2}
      - {metric: balanced_accuracy, by: age, max_difference: 0.2}
      - {metric: brier_score, by: sex, control_features: age, max_difference: 0.1}
      - {metric: expected_calibration_error, by: sex, max_value: 0.2}
"""
AREA = "      - {metric: roc_auc, by: sex, max_difference: 0.1}\n"
FILE = ("site.csv", "--y-true", "died", "--y-score", "risk", "--by", "sex", "--model", "m")
DEFAULTS = "defaults: {missing_sensitive: group}\nmodels:"
COLUMNS = ("--y-true", "died", "--y-score", "risk", "--threshold", "0.4")


@pytest.fixture
def rows():
    """Patients of five sites, several visits each; the model misses more women."""
    rng = np.random.default_rng(4)
    n = 4000
    patient = rng.integers(0, 1500, n)
    sex = np.where(np.random.default_rng(5).random(1500)[patient] < 0.5, "f", "m")
    died = rng.random(n) < 0.4
    risk = np.clip(0.25 + 0.4 * died - 0.2 * (died & (sex == "f")) + 0.2 * rng.standard_normal(n), 0.0, 1.0)
    age = np.where(rng.random(n) < 0.3, "old", "young")
    table = {"visit": np.arange(n), "patient": patient, "site": patient % SITES, "sex": sex, "age": age}
    return pd.DataFrame(table | {"died": died.astype(int), "risk": risk})


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "96")

    def command(*arguments):
        capsys.readouterr()
        try:
            code = main([str(each) for each in arguments])
        except SystemExit as end:  # as argparse does
            code = end.code
        return code, *capsys.readouterr()

    return command


@pytest.fixture
def sites(rows, run):
    """Write the file of limits, that of all rows, and the part of each site."""

    def write(limits=LIMITS, columns=COLUMNS, **more):
        Path("thresholds.yaml").write_text(limits)
        rows.to_csv("all.csv", index=False)
        for site, some in rows.groupby("site"):
            some.to_csv(f"site-{site}.csv", index=False)
            asked = ("--config", "thresholds.yaml", "-o", f"part-{site}.json", *more.get("extra", ()))
            code, out, err = run("statistics", f"site-{site}.csv", *columns, *asked)
            assert (code, err) == (0, more.get("err", "")), err
            assert out.startswith(f"part-{site}.json: sepsis_model: statistics of {len(some)} rows by "), out
        return [f"part-{site}.json" for site in range(SITES)]

    return write


def records(text):
    found = json.loads(text)
    for record in found["records"]:
        record.pop("about"), record.pop("notes")
    return found


def close(one, other):
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            close(one[key], other[key])
    elif isinstance(one, list):
        assert len(one) == len(other)
        for a, b in zip(one, other, strict=True):
            close(a, b)
    elif isinstance(one, float):
        assert one == pytest.approx(other, rel=1e-6, abs=1e-9)
    else:
        assert one == other


@pytest.mark.parametrize("clustered", [False, True], ids=["independent", "patients"])
def test_five_sites_are_judged_as_their_rows(sites, run, clustered):
    more = ("--cluster", "patient") if clustered else ()
    parts = sites(columns=(*COLUMNS, *more), extra=("--clusters-inside",) if clustered else ())
    pooled = run("audit", "all.csv", *COLUMNS, *more, "--config", "thresholds.yaml", "--json")
    merged = run("merge", *parts, "--config", "thresholds.yaml", "--json")
    assert merged[0] == pooled[0] == 1
    close(records(merged[1]), records(pooled[1]))
    turned = run("merge", *parts[::-1], "--config", "thresholds.yaml", "--json")
    close(json.loads(turned[1]), json.loads(merged[1]))


def test_the_words_are_those_of_audit_but_for_what_the_model_is(sites, run):
    parts = sites()
    texts = []
    for command in (("audit", "all.csv", *COLUMNS), ("merge", *parts)):
        code, out, err = run(*command, "--config", "thresholds.yaml", "-v")
        assert (code, err) == (1, "")
        # What the model is said to be, which is a file or its parts, stands at the end of a paragraph.
        texts.append(re.sub(r"(About the model: |sepsis_model: (file|parts): ).*?\n\n", "", out, flags=re.S))
    assert texts[0] == texts[1]
    assert "false_negative_rate by sex: difference" in texts[1]


def test_areas_of_few_scores_are_those_of_the_rows(sites, run):
    parts = sites(LIMITS + AREA)
    pooled = run("audit", "all.csv", *COLUMNS, "--config", "thresholds.yaml", "--json")
    merged = run("merge", *parts, "--config", "thresholds.yaml", "--json")
    close(records(merged[1]), records(pooled[1]))
    assert "roc_auc" in merged[1]


def test_the_evidence_of_merged_parts_is_verified_and_holds_no_scores(sites, run):
    parts = sites(LIMITS + AREA)
    code, _, err = run("merge", *parts, "--config", "thresholds.yaml", "--report", "out")
    assert (code, err) == (1, "")
    code, out, err = run("verify", "out")
    assert (code, err) == (0, ""), out
    assert "7 checks recomputed" in out
    evidence = json.loads(Path("out/evidence.json").read_text())
    assert evidence["run"]["command"][:2] == ["fairness-checks", "merge"]
    assert evidence["models"][0]["data"]["samples"] == 4000
    assert "ScoreHistogram" not in Path("out/evidence.json").read_text()
    digests = sorted(hashlib.sha256(Path(part).read_bytes()).hexdigest() for part in parts)
    about = evidence["models"][0]["about"]
    assert about["parts"] == ", ".join(parts)
    assert about["parts sha256"] == hashlib.sha256("".join(digests).encode()).hexdigest()


def test_what_cannot_be_merged_is_an_error_of_its_check_that_names_the_metric(sites, run):
    limits = LIMITS + AREA + "    uncertainty:\n      - {by: sex, max_mismatch: 0.1}\n"
    limits += "    regression:\n      - {metric: accuracy, by: sex, max_worsening: 0.1}\n"
    Path("thresholds.yaml").write_text(limits)
    err = (
        "fairness-checks statistics: note: sepsis_model: roc_auc by sex is not in it: roc_auc of samples in clusters: "
        "nothing that is small adds up to it over parts of the rows; judge all rows together\n"
        "fairness-checks statistics: note: sepsis_model: uncertainty_mismatch by sex is not in it: "
        "uncertainty_mismatch of samples in clusters: nothing that is small adds up to it over parts of the rows; "
        "judge all rows together\n"
    )
    # Notes need the option --config alone: --metric asks for a metric, too.
    parts = sites(limits, (*COLUMNS, "--cluster", "patient"), extra=("--clusters-inside",), err=err)
    code, out, err = run("merge", *parts, "--config", "thresholds.yaml", "--json")
    assert code == 1
    found = json.loads(out)
    assert len(found["records"]) == 6
    told = [error["error"].split(": ", 2)[2].partition(";")[0] for error in found["errors"]]
    assert told == [
        "roc_auc by sex: roc_auc of samples in clusters: nothing that is small adds up to it over parts of the rows",
        "uncertainty_mismatch by sex: uncertainty_mismatch of samples in clusters: nothing that is small adds up to it "
        "over parts of the rows",
        "statistics of parts are not compared with the baseline",
    ]


@pytest.mark.parametrize("ids", [True, False], ids=["by ids", "by statistics"])
def test_a_part_that_is_given_twice_is_refused_and_nothing_is_judged(sites, run, ids):
    parts = sites(columns=(*COLUMNS, *(("--sample-id", "visit") if ids else ())))
    code, out, err = run("merge", *parts, parts[1], "--config", "thresholds.yaml")
    assert (code, out, err) == (2, "", "fairness-checks merge: part-1.json: is given twice\n")
    Path("copy.json").write_bytes(Path(parts[1]).read_bytes())
    code, out, err = run("merge", *parts, "copy.json", "--config", "thresholds.yaml")
    assert (code, out) == (2, "")
    assert err.startswith("fairness-checks merge: copy.json: sepsis_model: cannot be merged with part-1.json: the")
    assert ("the same samples" in err) == ids
    assert err.count("\n") == 1


def changed(path, change):
    """Change a part, and give it a checksum of its own."""
    plain = json.loads(Path(path).read_text())
    change(plain)
    plain.pop("sha256")
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"))
    Path(path).write_text(json.dumps({**plain, "sha256": hashlib.sha256(text.encode()).hexdigest()}))


def test_broken_parts_are_one_error_and_leave_no_evidence(sites, run):
    parts = sites()
    assert run("merge", *parts, "--config", "thresholds.yaml", "--report", "out")[0] == 1
    whole = Path("part-2.json").read_bytes()
    broken = {
        "changed": (whole.replace(b'"samples": ', b'"samples":  1', 1), "not that of its checksum"),
        "cut": (whole[: len(whole) // 2], "not JSON"),
        "empty": (b"", "not JSON"),
        "binary": (b"PK\x03\x04\xff\xfe", "no text in UTF-8"),
        "another file": (b'{"records": []}', "no statistics of a part of the rows"),
    }
    for content, message in broken.values():
        Path("part-2.json").write_bytes(content)
        code, out, err = run("merge", *parts, "--config", "thresholds.yaml", "--report", "out")
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert err.startswith("fairness-checks merge: part-2.json: ")
        assert message in err
        assert not Path("out/evidence.json").exists()
    Path("part-2.json").unlink()
    code, out, err = run("merge", *parts, "--config", "thresholds.yaml")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "part-2.json: cannot be read: No such file or directory; give the parts that `fairness-checks" in err


@pytest.mark.parametrize(
    ("columns", "limits", "message"),
    [
        ((), LIMITS, "cannot be merged with part-0.json and 3 others: the threshold: 0.5 in one, 0.4"),
        ((*COLUMNS[4:], "--cluster", "patient"), LIMITS, "one has clusters, and the other has none"),
        (COLUMNS[4:], LIMITS + AREA.replace("sex", "age"), "and 3 others: only one has roc_auc by age"),
        (COLUMNS[4:], LIMITS.rpartition("      - ")[0], "has no statistics of expected_calibration_error by sex"),
        (COLUMNS[4:], LIMITS.replace("models:", DEFAULTS), "handled otherwise than thresholds.yaml says"),
        (COLUMNS[4:], LIMITS.replace("sepsis_model", "sepsis_modle"), "holds the model 'sepsis_modle', which"),
    ],
    ids=["threshold", "clusters", "more metrics", "a metric gone", "missing", "model"],
)  # fmt: skip
def test_parts_that_mean_something_else_are_named_and_nothing_is_judged(sites, run, columns, limits, message):
    parts = sites()
    Path("other.yaml").write_text(limits)
    more = ("--config", "other.yaml", "-o", "part-3.json", "--clusters-inside")
    assert run("statistics", "site-3.csv", *COLUMNS[:4], *columns, *more)[0] == 0
    code, out, err = run("merge", *parts, "--config", "thresholds.yaml")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("fairness-checks merge: part-3.json: ")
    assert message in err


def test_a_file_without_limits_is_measured_by_options_for_any_limit_later(sites, rows, run):
    sites()
    for site in range(SITES):
        asked = ("--by", "sex", "--by", "age,sex", "--by", "age", "--model", "sepsis_model", "-o", f"part-{site}.json")
        code, out, err = run("statistics", f"site-{site}.csv", *COLUMNS, *asked)
        assert (code, err) == (0, "")
        assert out.endswith("rows by sex; age, sex; age\n")
    parts = [f"part-{site}.json" for site in range(SITES)]
    pooled = run("audit", "all.csv", *COLUMNS, "--config", "thresholds.yaml", "--json")
    merged = run("merge", *parts, "--config", "thresholds.yaml", "--json")
    close(records(merged[1]), records(pooled[1]))
    document = json.loads(Path(parts[0]).read_text())
    table = document["models"]["sepsis_model"]["tables"][0]
    measured = {"false_negative_rate", "roc_auc", "brier_score", "log_loss", "expected_calibration_error"}
    assert measured <= set(table["metrics"]) - set(table["refused"])
    assert set(table["metrics"]) <= set(METRICS)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (FILE[:-2], "--model is missing"),
        ((*FILE[:5], *FILE[-2:]), "--by is missing"),
        (FILE[-4:], "FILE is missing"),
        (("none.csv", *FILE[1:]), "none.csv"),
        ((*FILE, "--by", "sx"), "did you mean"),
        ((*FILE, "--by", "sex,sex"), "must name one or more features, each once"),
        ((*FILE, "--metric", "fnrr"), "--metric fnrr: is no metric"),
        ((*FILE, "--cluster", "patient"), "--clusters-inside"),
        (
            (*FILE, "--metric", "roc_auc", "--cluster", "patient", "--clusters-inside"),
            "nothing can be written: roc_auc by sex: roc_auc of samples in clusters",
        ),
        (("site.csv", "--config", "t.yaml", "--by", "sex"), "--by: --config says what is asked"),
    ],
    ids=["model", "by", "file", "no such file", "column", "twice", "metric", "cluster", "nothing", "both"],
)  # fmt: skip
def test_commands_that_cannot_be_are_one_line(rows, run, arguments, message):
    rows[rows["site"] == 0].to_csv("site.csv", index=False)
    code, out, err = run("statistics", *arguments, "-o", "part.json")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err
    assert not Path("part.json").exists()


@pytest.mark.parametrize("config", [True, False], ids=["limits", "options"])
@pytest.mark.parametrize("file", ["site.csv", "site.parquet", "site"])
def test_rows_without_a_group_are_an_error_that_names_their_file(rows, run, file, config):
    some = rows[rows["site"] == 0].head(200).assign(sex=["f", None] * 100)
    if file == "site":
        Path(file).mkdir()
        some.to_parquet("site/part.parquet")
    else:
        (some.to_csv if file.endswith("csv") else some.to_parquet)(file, index=False)
    Path("thresholds.yaml").write_text(LIMITS)
    more = [*COLUMNS, "--config", "thresholds.yaml"] if config else FILE[1:]
    code, out, err = run("statistics", file, *more, "-o", "part.json")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"fairness-checks statistics: {file}: sensitive_features['sex']: ")
    assert not Path("part.json").exists()


@pytest.mark.parametrize("how", ["itself", "symlink", "hardlink", "limits", "another file"])
def test_nothing_but_a_part_is_overwritten(rows, run, how):
    rows[rows["site"] == 0].to_csv("site.csv", index=False)
    Path("thresholds.yaml").write_text(LIMITS)
    output = {"itself": "site.csv", "limits": "thresholds.yaml"}.get(how, "other")
    if how == "symlink":
        Path(output).symlink_to("site.csv")
    elif how == "hardlink":
        Path(output).hardlink_to("site.csv")
    elif how == "another file":
        Path(output).write_text('{"what": "else"}')
    before = [Path(name).read_bytes() for name in (output, "site.csv", "thresholds.yaml")]
    code, out, err = run("statistics", "site.csv", *COLUMNS, "--config", "thresholds.yaml", "-o", output)
    assert (code, out) == (2, "")
    assert (
        err == f"fairness-checks statistics: --output {output}: is there, and is no part, but some other file; "
        "name a new one\n"
    )
    assert [Path(name).read_bytes() for name in (output, "site.csv", "thresholds.yaml")] == before
    for _ in range(2):  # the second time over the first
        asked = ("--config", "thresholds.yaml", "-o", "part.json")
        assert run("statistics", "site.csv", *COLUMNS, *asked)[0] == 0


def test_small_groups_are_neither_in_a_part_nor_judged(rows, run):
    rare = rows.assign(sex=np.where(rows.index % 1000 == 0, "x", rows["sex"]))
    Path("thresholds.yaml").write_text("suppress_below: 5\n" + LIMITS)
    parts, notes = [], ""
    for site, some in rare.groupby("site"):
        some.to_csv("site.csv", index=False)
        part = f"part-{site}.json"
        asked = ("--config", "thresholds.yaml", "-o", part)
        code, _, err = run("statistics", "site.csv", *COLUMNS, *asked)
        assert code == 0, err
        parts.append(part)
        notes += err
    assert "false_negative_rate by sex is not in it: numbers are withheld" in notes
    assert '["x"]' not in "".join(Path(part).read_text() for part in parts)
    code, out, _ = run("merge", *parts, "--config", "thresholds.yaml", "--json")
    assert code == 1
    found = json.loads(out)
    assert {error["check"].partition("-")[2].split("-")[0] for error in found["errors"]} >= {"sex"}
    assert all("fewer than 5 (suppress_below)" in error["error"] for error in found["errors"])
    assert "balanced_accuracy" in {record["metric"] for record in found["records"]}
