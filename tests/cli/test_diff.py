"""``fairness-checks diff``: what it says, and its exit code, on baselines and on the JUnit XML of real runs."""

from __future__ import annotations

import inspect
import json
import os
import re
import subprocess
import sys
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fairness_checks.baseline.document import GroupEntry, OutcomesRef
from fairness_checks.baseline.text import baseline_text
from fairness_checks.cli.diff import compare
from fairness_checks.cli.diff_text import diff_text
from fairness_checks.cli.main import main
from fairness_checks.cli.snapshot import Snapshot
from tests.builders import missing_positives

CONFTEST = """
from fairness_checks import Predictions, fairness_model

BUILDER

@fairness_model
def sepsis_model():
    return missing_positives(GROUPS, negatives=1)
""".replace("BUILDER", inspect.getsource(missing_positives))
LIMITS = """
version: 1
models:
  sepsis_model:
    subgroups:
      - {metric: false_negative_rate, by: sex, max_difference: 0.10}
      - {metric: accuracy, by: sex, min_value: LIMIT}
"""


def gate(folder, groups, limit):
    """Run the gate of a small project as CI does; return its JUnit XML."""
    folder.mkdir()
    (folder / "conftest.py").write_text(CONFTEST.replace("GROUPS", repr(groups)), encoding="utf-8")
    (folder / "thresholds.yaml").write_text(LIMITS.replace("LIMIT", str(limit)), encoding="utf-8")
    (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    command = [sys.executable, "-m", "pytest", "-p", "fairness_checks.plugin", "--fairness"]
    command += ["--junitxml=junit.xml", "--fairness-report=evidence"]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert (folder / "junit.xml").exists(), done.stdout + done.stderr
    return folder / "junit.xml"


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    fair = gate(folder / "fair", {"female": (40, 400), "male": (40, 400), "other": (30, 300)}, 0.80)
    biased = gate(folder / "biased", {"female": (160, 400), "male": (40, 400)}, 0.60)
    return fair, biased


@pytest.fixture
def diff(capsys):
    def run(*arguments):
        code = main(["diff", *map(str, arguments)])
        out, err = capsys.readouterr()
        assert out.isascii()
        assert all(len(line) <= 100 for line in out.splitlines() if not line.startswith(("old: ", "new: ")))
        return code, out, err

    return run


@pytest.fixture
def write(tmp_path, make):
    def written(name, **models):
        path = tmp_path / name
        path.write_text(baseline_text(make.baseline(**models)), encoding="utf-8")
        return path

    return written


# --- real runs


def test_a_run_against_itself(runs, diff):
    code, out, _ = diff(runs[0], runs[0])
    assert code == 0
    assert out.splitlines() == [
        f"old: {runs[0]} (junit, 2 checks of 1 model)",
        f"new: {runs[0]} (junit, 2 checks of 1 model)",
        "nothing changed",
    ]


def test_a_run_that_got_worse(runs, diff):
    code, out, _ = diff(*runs)
    assert code == 1
    lines = [" ".join(line.split()) for line in out.splitlines()[2:]]
    assert lines == [
        "",
        "sepsis_model",
        "subgroups: accuracy by sex, min_value",
        "limit 0.80 0.60 -0.200, loosened: worse",
        lines[4],
        "group female 0.950 (n=800) 0.800 (n=800) -0.150, unfavourable",
        "group other 0.950 (n=600) - vanished: worse",
        "subgroups: false_negative_rate by sex, max_difference",
        "verdict pass fail changed: worse",
        lines[9],
        "group female 0.100 (n=400) 0.400 (n=400) +0.300, unfavourable",
        "group other 0.100 (n=300) - vanished: worse",
        "",
        "2 checks changed, 2 got worse: group vanished 2, limit loosened 1, verdict worse 1",
    ]
    assert lines[4].startswith("estimate 0.950 [0.9")
    assert lines[4].endswith("-0.150, unfavourable")
    assert lines[9].startswith("estimate 0.000 [")
    assert lines[9].endswith("+0.300, unfavourable")


@pytest.mark.parametrize("name", ["evidence", "evidence/evidence.json"])
def test_evidence_says_what_the_junit_file_of_the_run_says(runs, diff, name):
    evidence = [run.parent / name for run in runs]
    for old, new in ((0, 1), (1, 0), (0, 0)):
        code, out, _ = diff(evidence[old], evidence[new])
        of_junit = diff(runs[old], runs[new])
        assert (code, out.splitlines()[2:]) == (of_junit[0], of_junit[1].splitlines()[2:])
        assert "evidence.json (evidence, 2 checks of 1 model)" in out
    assert diff(evidence[0], runs[0])[:2] == (0, diff(evidence[0], runs[0])[1])
    assert "nothing changed" in diff(evidence[0], runs[0])[1]


def test_evidence_that_was_changed_is_compared_with_nothing(runs, diff, tmp_path):
    text = (runs[0].parent / "evidence/evidence.json").read_text(encoding="utf-8")
    changed = tmp_path / "evidence.json"
    changed.write_text(text.replace('"n": 400', '"n": 401', 1).replace('"n":400', '"n":401', 1), encoding="utf-8")
    code, _, err = diff(runs[0], changed)
    assert code == 2
    assert "evidence.json: the file was changed after it was written; take that of the run itself" in err


def test_a_file_that_is_not_there_says_what_is_taken(diff, tmp_path):
    code, _, err = diff(tmp_path / "old.json", tmp_path)
    assert code == 2
    assert "old.json: there is no such file; looked in " in err
    assert "; diff takes fairness-baseline.json, evidence.json or its folder, or the JUnit XML of a run" in err
    (tmp_path / "evidence").mkdir()
    assert (
        "evidence: cannot be read: is a folder, not a regular file; diff takes"
        in diff(tmp_path / "evidence", tmp_path)[2]
    )


def test_the_other_way_round_everything_is_better(runs, diff):
    code, out, _ = diff(*reversed(runs))
    assert code == 0
    assert "worse:" not in out
    assert "added" in out
    assert "tightened" in out
    assert out.endswith("2 checks changed, 0 got worse\n")


def test_json_says_the_same(runs, diff):
    code, out, _ = diff(*runs, "--json")
    assert code == 1
    document = json.loads(out)
    assert document["worse"] is True
    assert [change["check"] for change in document["changes"]] == [
        "subgroups: accuracy by sex, min_value",
        "subgroups: false_negative_rate by sex, max_difference",
    ]
    facts = {(f["subject"], *f["name"]): f for f in document["changes"][1]["facts"]}
    assert facts[("verdict",)] | {"change": None} == {
        "subject": "verdict",
        "name": [],
        "old": "pass",
        "new": "fail",
        "change": None,
        "way": "worse",
        "counts": True,
        "stops": True,
    }
    assert facts[("group", "female")]["change"] == pytest.approx(0.3)
    assert facts[("group", "female")]["stops"] is False
    assert document["changes"][1]["new"]["groups"][0]["events"] == 160


def test_the_command_is_there_with_its_exit_codes(runs):
    command = [sys.executable, "-m", "fairness_checks", "diff"]
    codes = [
        subprocess.run([*command, *map(str, files)], capture_output=True, timeout=300, check=False).returncode
        for files in ((runs[0], runs[0]), runs, (runs[0], "missing.xml"), (runs[0],))
    ]
    assert codes == [0, 1, 2, 2]


def test_help_names_the_exit_codes_and_loads_nothing_heavy():
    code = (
        "import sys; from fairness_checks.cli.main import main\n"
        "try: main(['diff', '--help'])\n"
        "finally: print('loaded', [m for m in ('numpy', 'scipy', 'pydantic', 'yaml', 'pytest') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0
    assert "exit codes:" in done.stdout
    assert "1  something got worse: a verdict, a check or a group that vanished, a new check that fails" in done.stdout
    assert "loaded []" in done.stdout


def test_a_diff_of_baselines_loads_no_numpy(write, make):
    path = write("a.json", m=make.model())
    code = f"import sys; from fairness_checks.cli.main import main; main(['diff', {str(path)!r}, {str(path)!r}]); "
    code += "print([m for m in ('numpy', 'scipy', 'pytest') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=True)
    assert done.stdout.endswith("nothing changed\n[]\n")


# --- baselines


def test_a_baseline_against_a_run(runs, write, make, diff):
    other = make.entry(limit=0.10, metric="roc_auc", limit_kind="min_value")
    code, out, _ = diff(write("b.json", sepsis_model=make.model(make.entry(limit=0.10), other)), runs[0])
    assert code == 1
    assert "(baseline, 2 checks of 1 model)" in out
    assert "check vanished 1" in out


CASES = {
    "limit tightened": ({"limit": 0.04}, 0),
    "limit loosened": ({"limit": 0.06}, 1),
    "estimate better": ({"estimate": 0.02}, 0),
    "estimate worse": ({"estimate": 0.049}, 0),
    "interval": ({"high": 0.049}, 0),
    "last digit": ({"estimate": 0.03 + 1e-17, "low": 0.01 * (1 + 1e-14)}, 0),
    "undefined": ({"estimate": None, "low": None, "high": None}, 1),
    "inconclusive": ({"verdict": "inconclusive"}, 1),
    "waived": ({"verdict": "waived"}, 1),
    "fail": ({"verdict": "fail"}, 1),
    "ratchet set": ({"ratchet_limit": 0.04}, 0),
    "another date": ({"date": "2028-01-01", "git_commit": None, "versions": {}}, 0),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_a_reason_to_stop(write, make, diff, case):
    changed, expected = CASES[case]
    old = write("old.json", m=make.model())
    new = write("new.json", m=make.model(replace(make.entry(), **changed)))
    code, out, _ = diff(old, new)
    assert code == expected, out
    assert ("nothing changed" in out) == (case in ("last digit", "another date"))


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("fail", "pass", 0),
        ("fail", "inconclusive", 0),
        ("fail", "waived", 0),
        ("waived", "fail", 1),
        ("waived", "pass", 0),
        ("inconclusive", "waived", 1),
        ("inconclusive", "fail", 1),
        ("inconclusive", "pass", 0),
    ],
)
def test_verdicts_have_an_order(write, make, diff, old, new, expected):
    files = [write(f"{name}.json", m=make.model(make.entry(verdict=v))) for name, v in (("old", old), ("new", new))]
    assert diff(*files)[0] == expected


@pytest.mark.parametrize(
    ("kind", "limit", "expected"), [("min_value", 0.04, 1), ("min_value", 0.06, 0), ("max_worsening", 0.06, 1)]
)
def test_a_minimum_is_loosened_downwards(write, make, diff, kind, limit, expected):
    files = [
        write(f"{name}.json", m=make.model(make.entry(limit_kind=kind, limit=value)))
        for name, value in (("old", 0.05), ("new", limit))
    ]
    assert diff(*files)[0] == expected


@pytest.mark.parametrize(("old", "new", "expected"), [(0.04, 0.05, 1), (0.05, 0.04, 0), (0.04, None, 1)])
def test_ratchets(write, make, diff, old, new, expected):
    files = [
        write(f"{name}.json", m=make.model(make.entry(ratchet_limit=value)))
        for name, value in (("old", old), ("new", new))
    ]
    code, out, _ = diff(*files)
    assert code == expected
    assert "ratchet" in out


def test_a_run_has_no_ratchet_to_lose(runs, write, make, diff):
    ratcheted = make.entry(limit=0.10, ratchet_limit=0.05)
    assert "    ratchet" not in diff(write("b.json", sepsis_model=make.model(ratcheted)), runs[0])[1]


def test_models_and_checks_that_come_and_go(write, make, diff):
    one, two = make.entry(), make.entry(metric="accuracy", verdict="fail")
    small, large = (
        write("small.json", m=make.model(one)),
        write("large.json", m=make.model(one, two), n=make.model(one)),
    )
    code, out, _ = diff(small, large)
    assert code == 1  # one of the new ones fails
    assert out.count("added") == 3
    assert out.endswith("2 checks changed, 1 got worse: failing check added 1\n")
    code, out, _ = diff(large, small)
    assert code == 1
    assert out.endswith("2 checks changed, 2 got worse: check vanished 2\n")


@pytest.mark.parametrize(("verdict", "code"), [("fail", 1), ("waived", 0), ("inconclusive", 0), ("pass", 0)])
def test_a_new_check_is_worse_where_it_fails(write, make, diff, verdict, code):
    new = make.entry(metric="accuracy", verdict=verdict)
    files = write("old.json", m=make.model(make.entry())), write("new.json", m=make.model(make.entry(), new))
    found, out, _ = diff(*files)
    assert found == code
    assert ("added: worse" in out) is bool(code)


def test_a_group_whose_value_is_no_longer_defined_has_not_vanished(write, make, diff):
    entry = make.entry()
    undefined = replace(entry, groups=(replace(entry.groups[0], value=None), entry.groups[1]))
    files = write("old.json", m=make.model(entry)), write("new.json", m=make.model(undefined))
    code, out, _ = diff(*files)
    assert code == 1
    assert "vanished" not in out
    assert out.endswith("1 check changed, 1 got worse: group undefined 1\n")
    code, out, _ = diff(*reversed(files))
    assert (code, "now defined" in out) == (0, True)


@pytest.mark.parametrize("other", ["pass", "fail"])
def test_numbers_that_are_withheld_are_no_change(write, make, diff, other):
    entry = make.entry()
    hidden = replace(entry, verdict=other, estimate=None, low=None, high=None, groups=(), suppress_below=11)
    files = write("old.json", m=make.model(entry)), write("new.json", m=make.model(hidden))
    worse = other == "fail" and entry.verdict != "fail"
    code, out, _ = diff(*files)
    assert code == int(worse), out
    assert "    group " not in out
    assert "estimate" not in out


VERDICTS = st.sampled_from(["pass", "fail", "inconclusive", "waived"])
VALUES = st.none() | st.sampled_from([0.01, 0.02, 0.3])
GROUPS = st.dictionaries(st.sampled_from(["f", "m", "x"]), VALUES, max_size=3)
CHECK = st.fixed_dictionaries(
    {
        "metric": st.sampled_from(["accuracy", "selection_rate", "false_negative_rate"]),
        "limit_kind": st.sampled_from(["max_difference", "min_value"]),
        "limit": st.sampled_from([0.05, 0.1]),
        "verdict": VERDICTS,
        "estimate": VALUES,
        "ratchet_limit": VALUES,
        "groups": GROUPS,
    }
)
STATE = st.dictionaries(st.sampled_from("abc"), st.lists(CHECK, max_size=4), max_size=3)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(old=STATE, new=STATE)
def test_the_counts_are_those_of_the_lines_and_the_exit_code_is_theirs(make, old, new):
    def snapshot(state):
        models = {}
        for model, checks in state.items():
            made = []
            for asked in checks:
                groups = [GroupEntry(name=(n,), n=9, events=None, value=v, variance=None, df=None)
                          for n, v in sorted(asked["groups"].items())]  # fmt: skip
                low = high = asked["estimate"]
                made.append(make.entry(**(asked | {"groups": tuple(groups), "low": low, "high": high})))
            models[model] = {entry.question.line: entry for entry in made}
        return Snapshot(source="a.json", kind="baseline", models=models)

    before, after = snapshot(old), snapshot(new)
    changes = compare(before, after)
    lines = diff_text(before, after, changes).splitlines()
    if not changes:
        assert lines[-1] == "nothing changed"
        return
    worse = [line for line in lines[2:-1] if line.endswith(": worse")]
    changed, got_worse, reasons = re.fullmatch(r"(\d+) checks? changed, (\d+) got worse(?:: (.*))?", lines[-1]).groups()
    assert int(changed) == sum(line.startswith("  ") and not line.startswith("   ") for line in lines[2:-1])
    assert sum(int(reason.rsplit(" ", 1)[1]) for reason in (reasons or "").split(", ") if reason) == len(worse)
    assert int(got_worse) == sum(change.worse for change in changes) <= len(worse)
    assert all("worse" not in line for line in lines[2:-1] if line not in worse)


def test_the_direction_of_a_group_is_that_of_its_metric(write, make, diff):
    for metric, word in (
        ("false_negative_rate", ", unfavourable"),
        ("accuracy", ", favourable"),
        ("selection_rate", "+0.100"),
    ):
        entry = make.entry(metric=metric)
        group = replace(entry.groups[0], value=entry.groups[0].value + 0.1)
        old = write("old.json", m=make.model(entry))
        new = write("new.json", m=make.model(replace(entry, groups=(group, entry.groups[1]))))
        code, out, _ = diff(old, new)
        assert code == 0
        (line,) = (line for line in out.splitlines() if "group female" in line)
        assert line.endswith(word)


def test_other_samples_are_said(write, make, diff):
    old = write("old.json", m=make.model(data_fingerprint="0" * 64))
    code, out, _ = diff(old, write("new.json", m=make.model(data_fingerprint="1" * 64)))
    assert code == 0
    assert "samples: other ones than before" in out
    assert "no check changed" in out


def test_long_and_foreign_names_stay_within_the_width(write, make, diff):
    feature, model = "größe " * 20, "модель" * 10
    entry = make.entry(by=(feature,), limit=12345.678, estimate=-1.2345e-7, low=-1.2e-7, high=1.2e-7)
    entry = replace(entry, groups=(replace(entry.groups[0], name=("schwer zu " * 12,)), entry.groups[1]))
    other = replace(entry, limit=-12345.678, estimate=3.33e-7, groups=entry.groups[1:])
    code, out, _ = diff(
        write("old.json", **{model: make.model(entry)}), write("new.json", **{model: make.model(other)})
    )
    assert code == 1
    assert "\\u043c" in out


# --- what cannot be read

RECORD = '<property name="fairness.record" value="{}" />'
BOMB = """<?xml version="1.0"?>
<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>
<testsuites><testsuite><testcase><properties><property name="fairness.record" value="&b;"/>
</properties></testcase></testsuite></testsuites>"""


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (BOMB, "bad:2: XML with a DOCTYPE is refused"),
        ("<!DOCTYPE x><testsuites/>", "bad:1: XML with a DOCTYPE is refused"),
        ("<testsuites><testsuite>", "bad:1: not XML: no element found"),
        ("<testsuites/>", "bad: holds no property fairness.record; a run that writes them"),
        (f"<testsuites>{RECORD}</testsuites>", "bad: fairness.record: model: "),
        (
            "",
            "bad: the file is empty; diff takes fairness-baseline.json, evidence.json or its folder, or the JUnit XML",
        ),
        ("{}", "bad: checksum: Field required"),
        ("<<<<<<< HEAD\n", "bad:1: a merge conflict is unresolved"),
        (
            "hello",
            "bad: is none of these; diff takes fairness-baseline.json, evidence.json or its folder, or the JUnit",
        ),
        (b"\xff\xfe<\x00", "bad: none of these: not UTF-8 at byte 0; diff takes fairness-baseline.json, evidence.json"),
        ('<?xml version="1.0" encoding="klingon"?><a/>', "bad:1: not XML that can be read: unknown encoding: klingon"),
        ('<?xml version="1.0" encoding="gb2312"?><a/>', "bad:1: not XML that can be read: multi-byte encodings"),
        ("<a>" * 100_000, "bad:1: not XML: no element found"),
    ],
    ids=range(13),
)
def test_what_cannot_be_read_ends_with_two(tmp_path, write, make, diff, content, message):
    bad = tmp_path / "bad"
    bad.write_bytes(content if isinstance(content, bytes) else content.encode())
    good = write("good.json", m=make.model())
    for files in ((good, bad), (bad, good)):
        code, out, err = diff(*files)
        assert code == 2
        assert out == ""
        assert message in err


def test_a_file_name_breaks_no_line_of_the_message(tmp_path, diff):
    code, _, err = diff(tmp_path / "a\n\x1b[31mb", tmp_path)
    assert (code, err.count("\n"), "\x1b" in err) == (2, 1, False)


def test_a_file_cut_short_at_every_200th_byte_ends_with_two(runs, tmp_path, diff):
    content = runs[0].read_bytes()
    cut = tmp_path / "cut.xml"
    for length in range(0, len(content) - 1, 200):
        cut.write_bytes(content[:length])
        assert diff(cut, runs[0])[0] == 2


def test_the_same_question_twice_in_a_run_is_two_checks(runs, tmp_path, diff):
    text = runs[0].read_text(encoding="utf-8")
    case = text[text.index("<testcase") : text.index("</testcase>") + len("</testcase>")]
    twice = tmp_path / "twice.xml"
    twice.write_text(text.replace(case, case + case, 1), encoding="utf-8")
    assert diff(runs[0], twice)[0] == 0
    code, out, _ = diff(twice, runs[0])
    assert code == 1
    assert "max_difference (2)" in out


def test_samples_are_said_to_be_others_only_under_one_key(write, make, diff):
    def model(fingerprint, key):
        ref = OutcomesRef(file="b/m-0123456789ab.npz", samples=3, sha256="0" * 64, fingerprint=fingerprint, key=key)
        return make.model(outcomes=ref, data_fingerprint=fingerprint)

    old = write("old.json", m=model("0" * 64, "a" * 16))
    for fingerprint, key, said in (("1", "a", True), ("0", "a", False), ("1", "b", False)):
        _, out, _ = diff(old, write("new.json", m=model(fingerprint * 64, key * 16)))
        assert ("samples: other ones than before" in out) is said


def test_what_is_no_file_is_refused_and_nothing_waits_for_it(tmp_path, odd_file, capsys):
    odd_file.put(tmp_path / "odd.json")
    assert main(["diff", str(tmp_path / "odd.json"), str(tmp_path / "odd.json")]) == 2
    assert odd_file.says in capsys.readouterr().err
