"""`suppress_below`: no report of a run tells a small group, or what gives it back; verdicts stay."""

from __future__ import annotations

import itertools
import json
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

import fairness_checks.cli.verify
import fairness_checks.findings.regression
import fairness_checks.findings.sweep
import fairness_checks.judge.evidencing
import fairness_checks.judge.suppression
import fairness_checks.sweep.runs  # noqa: F401 - for its side effect, as in conftest.py
from benchmarks.sweep_project import MODEL as SWEPT
from fairness_checks.cli.main import main
from fairness_checks.report.evidence import seal
from fairness_checks.report.formats import FORMATS

MODEL = """
import numpy as np
from fairness_checks import Predictions, fairness_metric, fairness_model


def made(seed):
    rng = np.random.default_rng(seed)
    sex = np.repeat(["f", "m"], 500)
    race = np.tile(np.repeat(["a", "b", "c", "d"], [270, 160, 61, 9]), 2)
    y = rng.random(1000) < 0.5
    score = np.clip(0.5 + (y - 0.5) * np.where(sex == "m", 0.5, 0.1) + rng.normal(0, 0.35, 1000), 0, 1)
    return Predictions(
        y.astype(int), y_score=score, threshold=0.5, error=abs(y - score), uncertainty=rng.random(1000),
        sample_id=np.arange(1000), sensitive_features={"sex": sex, "race": race},
    )


@fairness_metric(kind="proportion")
def far(predictions):
    return abs(predictions.y_true - predictions.y_score) > 0.6


@fairness_model
def icu():
    return made(1)
"""
LIMITS = """version: 1
models:
  icu:
    subgroups:
      - {metric: true_positive_rate, by: sex, max_difference: 0.02}
      - {metric: accuracy, by: race, max_difference: 0.5}
      - {metric: false_negative_rate, by: race, min_ratio: 0.01}
      - {metric: equalized_odds, by: sex, max_difference: 0.6}
      - {metric: accuracy, by: [sex, race], max_difference: 0.1}
      - {metric: brier_score, by: sex, control_features: race, strata: combined, max_difference: 0.3}
      - {metric: brier_score, by: race, max_difference: 0.3}
      - {metric: far, by: race, min_ratio: 0.01}
      - {metric: roc_auc, by: race, min_value: 0.1}
      - {metric: expected_calibration_error, by: race, max_difference: 0.9}
    uncertainty: [{by: sex, max_mismatch: 0.9}, {by: race, max_mismatch: 0.9}]
    regression: [{metric: accuracy, by: sex, max_worsening: 0.2}, {metric: accuracy, by: race, max_worsening: 0.2}]
"""
BELOW = "suppress_below: 11\n"
HAND = """
from conftest import made

def test_by_hand(fairness):
    fairness.audit(made(3), metric="accuracy", by="race", max_difference=0.6)
"""
SMALL = {("c",), ("d",)}  # d has 18 samples, of which fewer than 11 are in some cell; c goes with it


@pytest.fixture
def private(project):
    project.write("conftest.py", MODEL)
    project.write("thresholds.yaml", LIMITS)
    project.write("test_hand.py", HAND)
    return project


def verify(path, *more):
    return main(["verify", str(path), *more])


def documents(project, folder):
    evidence = json.loads((project.path / folder / "evidence.json").read_text(encoding="utf-8"))
    junit = ET.parse(project.path / folder / "junit.xml")
    inside = [each.get("value") for each in junit.iter("property") if each.get("name") == "fairness.record"]
    return evidence, [json.loads(text) for text in inside]


def forms(folder):
    """Yield the evidence of a folder in each form."""
    for name, form in FORMATS.items():
        model = ["--model", "icu"] if form.one_model else []
        assert main(["report", "--format", name, str(folder), "-o", str(folder / "form"), *model]) == 0
        yield (folder / "form").read_text(encoding="utf-8")


def records_of(evidence):
    return {
        (model["test"], check["question"]): check["record"] for model in evidence["models"] for check in model["checks"]
    }


def numbers(value):
    """Yield every number of several digits within a document."""
    if isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from numbers(part)
    elif isinstance(value, float) and len(f"{value:.6g}".strip("-0.")) >= 4:
        yield value


def written(value):
    """Return how reports write a number: all of its digits, or six."""
    return {repr(value), f"{value:.6g}"}


def test_no_report_of_a_run_tells_a_hidden_number_or_gives_it_back(private, capsys):
    private.gate("--fairness-update-baseline")
    private.gate("--fairness-report=full", "--junitxml=full/junit.xml")
    full, _ = documents(private, "full")
    for path in private.path.glob("fairness-baseline*.json"):
        path.unlink()
    private.write("thresholds.yaml", LIMITS.replace("version: 1\n", f"version: 1\n{BELOW}"))
    seen = private.gate("-v", "--fairness-update-baseline", "--fairness-report=first", "--junitxml=first/junit.xml")
    assert "fairness-baseline.json: " in seen.stdout.str()
    again = private.gate("-v", "--fairness-report=out", "--junitxml=out/junit.xml")
    capsys.readouterr()
    assert verify(private.path / "out", "-v") == 0
    told = capsys.readouterr().out
    assert verify(private.path / "first") == 0
    capsys.readouterr()
    evidence, junit = documents(private, "out")

    hidden = set()
    for key, record in records_of(evidence).items():
        if not record.get("suppressed"):
            continue
        before = records_of(full)[key]
        if record["estimate"] is None:  # p-values, estimates, intervals and the groups that are gone
            hidden |= set(itertools.chain(*map(written, numbers({**before, "groups": []}))))
            gone = [group for group in before["groups"] if group["name"] not in [g["name"] for g in record["groups"]]]
            hidden |= set(itertools.chain(*map(written, numbers(gone))))
    of_question = records_of(full)
    settled = {0.05, 0.9, 0.8, *(record["limit"] for record in of_question.values())}
    shown = [record["groups"] for record in records_of(evidence).values()]  # the lowest value is that of one of them
    hidden -= set(itertools.chain(*map(written, [*settled, *numbers(shown)])))
    assert len(hidden) > 60
    baseline = (private.path / "fairness-baseline.json").read_text(encoding="utf-8")
    raw = [(private.path / folder / name).read_text(encoding="utf-8") for folder in ("first", "out") for name in FILES]
    raw += [form for folder in ("first", "out") for form in forms(private.path / folder)]
    for text in (*raw, seen.stdout.str(), again.stdout.str(), told, baseline):
        found = set(re.findall(r"-?\d+(?:\.\d+)?(?:e-?\d+)?", text))
        assert sorted(found & hidden) == []
    for document in (
        evidence,
        {"models": [{"test": None, "checks": [{"question": i, "record": r}]} for i, r in enumerate(junit)]},
    ):
        for record in records_of(document).values():
            assert not (record["by"] == ["race"] and SMALL & {tuple(group["name"]) for group in record["groups"]})
    for entry in json.loads(baseline)["models"]["icu"]["checks"].values():
        assert not any(tuple(group["name"][-1:]) in SMALL for group in entry["groups"])
        assert ("suppress_below" in entry) is (entry["by"] != ["sex"] or entry["metric"] == "brier_score")
    for line in (*seen.stdout.lines, *again.stdout.lines, *told.splitlines()):
        assert not re.search(r"\b[cd]: ?\d", line)
    assert not_derived(evidence) == []


FILES = ("evidence.json", "junit.xml")
SWEEP = """version: 1
models:
  swept:
    sweep:
      by: sex
      mixes: {as_is: as_is, half: {female: 0.5, male: 0.5}}
      repeats: 5
      checks:
        - {metric: accuracy, gap: each_mix, max_difference: 0.2}
        - {metric: accuracy, gap: equal_representation, max_difference: 0.9}
"""


def not_derived(evidence):
    """Return the hidden cells of sex and race that published counts give back, or leave a small rest of."""
    # An attacker who knows the table but for its hidden cells: all published n, as sums over (sex, race).
    cells = list(itertools.product("fm", "abcd"))
    counts = {(sex, race): {"a": 270, "b": 160, "c": 61, "d": 9}[race] for sex, race in cells}
    rows = [[1.0] * len(cells)]
    for model in evidence["models"]:
        for check in model["checks"]:
            record = check["record"]
            for group in record["groups"] if record and model["test"] is None else ():
                at = dict(zip([*record["control_features"], *record["by"]], group["name"], strict=False))
                if record["strata"] == "combined":
                    at = {"sex": group["name"][0]}
                inside = [at.get("sex", s) == s and at.get("race", r) == r for s, r in cells]
                assert group["samples"] == sum(n for n, yes in zip(counts.values(), inside, strict=True) if yes)
                rows.append([float(yes) for yes in inside])
    known = np.linalg.matrix_rank(np.array(rows))
    found = []
    for i, cell in enumerate(cells):
        if counts[cell] < 11:
            alone = [float(i == j) for j in range(len(cells))]
            found += [cell] if np.linalg.matrix_rank(np.array([*rows, alone])) == known else []
    return found


def test_verdicts_exit_code_and_the_number_of_attested_checks(private, capsys):
    private.gate("--fairness-report=full", "--junitxml=full/junit.xml")
    private.write("thresholds.yaml", BELOW + LIMITS)
    result = private.gate("--fairness-report=out", "--junitxml=out/junit.xml")
    assert result.ret == 1
    full, out = (documents(private, folder)[0] for folder in ("full", "out"))
    assert out["totals"] == full["totals"]
    assert {key: r["verdict"] for key, r in records_of(out).items()} == {
        key: r["verdict"] for key, r in records_of(full).items()
    }
    attested = [record for record in records_of(out).values() if record.get("suppressed")]
    capsys.readouterr()
    assert verify(private.path / "out") == 0
    said = capsys.readouterr().out
    records = len(records_of(out))
    assert f"{records - len(attested)} checks recomputed, {len(attested)} attested, not recomputed" in said
    assert 0 < len(attested) < records


def test_what_is_attested_is_compared_with_all_else(private, capsys):
    private.write("thresholds.yaml", BELOW + LIMITS)
    private.gate("--fairness-report=out", "--junitxml=out/junit.xml")
    evidence, _ = documents(private, "out")
    place = private.path / "out" / "evidence.json"

    def found(change):
        mine = json.loads(json.dumps(evidence))
        checks = {
            check["question"]: check for model in mine["models"] if not model["test"] for check in model["checks"]
        }
        change(checks, mine)
        place.write_text(json.dumps(seal(mine)), encoding="utf-8")
        capsys.readouterr()
        code = verify(place.parent)
        return code, capsys.readouterr().out

    attested, whole = (
        "subgroups: accuracy by race, max_difference",
        "subgroups: true_positive_rate by sex, max_difference",
    )
    assert found(lambda checks, mine: None)[0] == 0
    for change in (
        lambda checks, mine: checks[attested]["record"].update(verdict="inconclusive"),
        lambda checks, mine: checks[attested]["record"].update(limit=0.6),
        lambda checks, mine: checks[attested]["record"].update(verdict="waived"),
        lambda checks, mine: checks[attested]["record"]["suppressed"].update(below=5),
        lambda checks, mine: checks[attested]["record"]["groups"][0].update(events=7),
        lambda checks, mine: checks[attested]["record"].pop("suppressed"),
        lambda checks, mine: (
            checks[attested]["record"].update(groups=[]),
            checks[attested]["record"]["suppressed"].update(groups=[]),
        ),
        lambda checks, mine: checks[whole]["record"].update(suppressed={"below": 11, "groups": [["f"]]}),
        lambda checks, mine: checks[whole]["record"].update(p_adjusted=0.01),
        lambda checks, mine: mine["totals"].update({"pass": 1}),
        lambda checks, mine: mine.update(exit_code=0),
    ):
        code, said = found(change)
        assert code == 1
        assert "; it follows: " in said


def test_workers_withhold_the_same(private):
    private.write("thresholds.yaml", BELOW + LIMITS)
    private.gate("--fairness-report=one")
    private.gate_in_subprocess("--fairness-report=two", "-n", "2")
    one, two = (
        json.loads((private.path / folder / "evidence.json").read_text(encoding="utf-8")) for folder in ("one", "two")
    )
    for each in (one, two):
        del each["run"]["started"], each["run"]["ended"], each["run"]["command"], each["sha256"]
    assert one == two


def test_a_selection_of_a_suppressed_run_follows(private, capsys):
    private.write("thresholds.yaml", BELOW + LIMITS)
    private.gate("--fairness-report=out", "-k", "icu and true_positive_rate")
    assert verify(private.path / "out") == 0


def test_a_check_against_a_suppressed_entry_cannot_be_compared(private):
    private.write("thresholds.yaml", BELOW + LIMITS)
    for arguments in ((), ("--fairness-update-baseline",)):
        first = private.gate("-k", "regression and race", "-v", *arguments)
        first.stdout.fnmatch_lines(["*this check can never be*"])
    private.gate("--fairness-update-baseline")
    result = private.gate("-k", "regression and race")
    assert result.ret == 1
    result.stdout.fnmatch_lines(
        ["*could not be checked: the baseline withholds its numbers, as it had groups of fewer*"]
    )
    assert private.gate("-k", "regression and sex").ret == 0


def test_no_outcomes_are_kept_for_checks_that_cannot_be_compared(private):
    one = LIMITS.replace("{metric: accuracy, by: sex, max_worsening: 0.2}, ", "")
    private.write("thresholds.yaml", BELOW + one)
    private.gate("--fairness-update-baseline")
    model = json.loads((private.path / "fairness-baseline.json").read_text(encoding="utf-8"))["models"]["icu"]
    assert model["outcomes"] is None
    (entry,) = (each for each in model["checks"].values() if each["check"] == "regression")
    assert entry["suppress_below"] == 11
    assert not list(private.path.glob("fairness-baseline/*.npz"))


def test_an_update_takes_small_cells_out_of_what_was_written_before(private):
    private.gate("--fairness-update-baseline")
    entries = json.loads((private.path / "fairness-baseline.json").read_text(encoding="utf-8"))["models"]["icu"][
        "checks"
    ]
    assert not any("suppress_below" in entry for entry in entries.values())
    private.write("thresholds.yaml", BELOW + LIMITS)
    private.gate("--fairness-update-baseline", "-k", "true_positive_rate")
    entries = json.loads((private.path / "fairness-baseline.json").read_text(encoding="utf-8"))["models"]["icu"][
        "checks"
    ]
    for entry in entries.values():
        for each in (entry, *entry["looks"]):
            counts = [n for g in each["groups"] if g["events"] is not None for n in (g["events"], g["n"] - g["events"])]
            assert not [n for n in (*counts, *(g["n"] for g in each["groups"])) if 0 < n < 11]
    assert any("suppress_below" in entry for entry in entries.values())


def test_a_run_without_the_key_says_nothing_of_it(private):
    private.gate("--fairness-update-baseline")
    private.gate("-v", "--fairness-report=out", "--junitxml=out/junit.xml")
    for path in (private.path / "out" / name for name in FILES):
        assert "suppress" not in path.read_text(encoding="utf-8")
    assert "suppress" not in (private.path / "fairness-baseline.json").read_text(encoding="utf-8")


def test_a_test_by_hand_that_fails_tells_no_small_group(private):
    private.write("thresholds.yaml", BELOW + LIMITS)
    private.write("test_hand.py", HAND.replace("0.6)", "0.0, burden_of_proof='compliance')"))
    result = private.gate("-v", "-k", "by_hand")
    assert result.ret == 1
    text = result.stdout.str()
    assert "accuracy by race: is not settled against 0.00; numbers are withheld, as there are groups of fewer" in text
    assert "withheld: c; d." in text
    assert re.search(r"  a: \d+ of 540 samples, 0\.", text)
    assert not re.search(r"  [cd]: \d", text)


def test_a_sweep_of_small_groups_tells_its_verdicts_alone(project, capsys):
    project.write("conftest.py", SWEPT)
    project.write("thresholds.yaml", SWEEP.replace("version: 1", "version: 1\nsuppress_below: 1000"))
    project.gate("-v", "--fairness-report=out", "--junitxml=out/junit.xml")
    evidence, junit = documents(project, "out")
    assert len(junit) == 2
    for record in junit:
        assert (record["estimate"], record["groups"], record["sweep"]["table"]) == (None, [], [])
        assert record["sweep"]["training_rows"] == {}
    assert [model["statistics"] for model in evidence["models"]] == [{}]
    capsys.readouterr()
    assert verify(project.path / "out", "-v") == 0
    assert "0 checks recomputed, 2 attested, not recomputed" in capsys.readouterr().out
    project.write("thresholds.yaml", SWEEP)
    project.gate("--fairness-report=whole", "--junitxml=whole/junit.xml")
    verdicts = [[record["verdict"] for record in documents(project, name)[1]] for name in ("out", "whole")]
    assert verdicts[0] == verdicts[1]
