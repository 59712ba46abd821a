"""Bad input: one clear error, before any model is fitted, and nothing is lost."""

from __future__ import annotations

import json
import re

import pytest

from fairness_checks import CheckRecord

HEAD = "version: 1\nmodels:\n  fair_model:\n    subgroups:\n"  # the first check stands on line 5
CHECK = "      - {metric: false_negative_rate, by: sex, max_difference: 0.10}\n"


def check(**changed):
    keys = {"metric": "false_negative_rate", "by": "sex", "max_difference": "0.10"} | changed
    return "      - {" + ", ".join(f"{key}: {value}" for key, value in keys.items() if value is not None) + "}\n"


USAGE_ERRORS = {
    "metric": (HEAD + CHECK + check(metric="false_negativ_rate"), ["thresholds.yaml:6: ", "'false_negative_rate'"]),
    "model": (HEAD.replace("fair_", "fare_") + CHECK, ["thresholds.yaml:3: models.fare_model", "'fair_model'"]),
    "feature": (HEAD + CHECK + check(by="sx"), ["thresholds.yaml:6: ", "subgroups[1].by", "did you mean 'sex'?"]),
    "limit's name": (HEAD + check(max_difference=None, max_diference=0.1), [":5: ", "did you mean 'max_difference'?"]),
    "default's name": ("defaults: {alhpa: 0.05}\n" + HEAD + CHECK, [":1: defaults.alhpa", "did you mean 'alpha'?"]),
    "default's value": ("defaults: {correction: hom}\n" + HEAD + CHECK, [":1: defaults.correction", "'holm'?"]),
    "section": (HEAD.replace("subgroups", "subgroup") + CHECK, [":4: models.fair_model.subgroup: ", "'subgroups'?"]),
    "waived model": (
        HEAD + CHECK + "waivers:\n  - {model: fare_model, metric: accuracy, by: sex, reason: r, approved_by: a, "
        "expires: 2099-01-01}\n",
        [":7: waivers[0]", "did you mean 'fair_model'?"],
    ),
    "repeated key": (HEAD + check(by="sex, by: age"), [":5: ", "stands here twice"]),
    "repeated model": (HEAD + CHECK + HEAD.partition("models:\n")[2] + CHECK, [":6: ", "fair_model", "twice"]),
    "repeated check": (HEAD + CHECK + CHECK, [":6: ", "subgroups[0]", "line 5"]),
    "alpha: 1e-3": ("defaults: {alpha: 1e-3}\n" + HEAD + CHECK, [":1: defaults.alpha", "text '1e-3'", "write 0.001"]),
    "alpha above a half": ("defaults: {alpha: 0.6}\n" + HEAD + CHECK, [":1: defaults.alpha", "0.6", "0.5"]),
    "limit above 1": (HEAD + CHECK + check(metric="accuracy", max_difference=5), [":6: ", "5 is impossible", "< 1"]),
    "limit of 0": (HEAD + check(max_difference=None, min_ratio=0), [":5: ", "0 is impossible", "0 < min_ratio"]),
    "no limit": (HEAD + check(max_difference=None), [":5: ", "has no limit"]),
    "two limits": (HEAD + check(max_value="0.3"), [":5: ", "has 2 limits"]),
    "regression of nothing": (
        HEAD + CHECK + "    regression: []\n",
        [":6: models.fair_model.regression: names no check"],
    ),
    "half a sweep": (HEAD + CHECK + "    sweep: {by: sex}\n", [":6: models.fair_model.sweep.mixes: is missing"]),
    "no check of a model": (HEAD[:-1] + " []\n", [":4: models.fair_model.subgroups", "max_difference: 0.05"]),
    "subgroups of nothing": (HEAD, [":4: models.fair_model.subgroups: names no check", "max_difference: 0.05"]),
    "empty": ("", ["thresholds.yaml: the file is empty", "subgroups:", "max_difference: 0.05"]),
    "only a comment": ("# nothing\n", ["thresholds.yaml: the file is empty"]),
    "no model": ("version: 1\nmodels: {}\n", ["no check was collected", "subgroups:", "`fairness` fixture"]),
    "not YAML": ("version: [1\n", ["thresholds.yaml:"]),
}


@pytest.mark.parametrize(("text", "expected"), USAGE_ERRORS.values(), ids=USAGE_ERRORS)
def test_a_mistake_in_the_file_is_a_usage_error(project, text, expected):
    project.write("thresholds.yaml", text)
    result = project.gate()
    assert result.ret == 4
    message = result.stderr.str()
    assert message.startswith("ERROR: thresholds.yaml:")
    assert [part for part in expected if part not in message] == []
    assert "Traceback" not in message
    assert "fairness: lost checks" not in result.stdout.str()
    assert ("collected" in result.stdout.str()) == ("no check was collected" in message)  # else found even before that
    assert project.fitted() == []


def test_a_missing_file_says_what_to_write(project):
    result = project.gate()
    assert result.ret == 4
    assert f"thresholds.yaml: there is no such file; looked in {project.path}; write for" in result.stderr.str()
    assert "{metric: false_negative_rate, by: sex, max_difference: 0.05}" in result.stderr.str()


def test_all_mistakes_are_reported_at_once_in_the_order_of_the_file(project):
    text = "defaults: {alpha: 1e-3}\n" + HEAD + check(metric="acuracy") + check(max_difference=7) + "seeed: 3\n"
    project.write("thresholds.yaml", text)
    lines = project.gate().errlines
    found = [re.match(r"(?:ERROR: )?thresholds\.yaml:(\d+): ", line) for line in lines if line]
    assert [int(match.group(1)) for match in found if match] == [1, 6, 7, 8]


def test_names_of_several_models_are_reported_at_once(project):
    project.limits("fare_model", "fair_model", "tyny_model", checks=check(by="sx").strip("- \n"))
    result = project.gate()
    assert result.ret == 4
    assert [line.count("did you mean") for line in result.errlines if "thresholds.yaml:" in line] == [1, 1, 1]


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--fairness-burden=complaince", "invalid choice: 'complaince' (choose from"),
        ("--fairness-brden=compliance", "unrecognized arguments: --fairness-brden"),
        ("--fairness-config=nowhere.yaml", "nowhere.yaml: there is no such file"),
        ("--fairness-config=.", "this is a directory"),
    ],
)
def test_a_misspelt_option(project, option, message):
    project.limits("fair_model")
    result = project.gate(option)
    assert result.ret == 4
    assert message in result.stderr.str()
    assert project.fitted() == []


RERUNS = {
    "option": (["--reruns", "2"], "", ""),
    "ini": ([], "reruns = 2", ""),
    "mark": ([], "", "@pytest.mark.flaky(reruns=2)\n"),
    "mark of the module": ([], "", "pytestmark = pytest.mark.flaky\n"),
}


@pytest.mark.parametrize(("arguments", "ini", "mark"), RERUNS.values(), ids=RERUNS)
def test_running_again_until_it_passes_is_refused(project, arguments, ini, mark):
    project.limits("fair_model")
    project.write("pytest.ini", f"[pytest]\n{ini}\n")
    project.write("test_hand.py", f"import pytest\n{mark}\ndef test_hand(fairness): pass\n")
    result = project.gate(*arguments)
    assert result.ret == 4
    assert "until it passes decides nothing" in result.stderr.str()
    assert project.fitted() == []


def test_a_mark_added_by_a_conftest_is_refused(project):
    hook = "\ndef pytest_collection_modifyitems(items):\n    [item.add_marker('flaky') for item in items]\n"
    project.write("conftest.py", project.MODELS + hook)
    project.limits("fair_model")
    result = project.gate()
    assert result.ret == 4
    assert f"{project.check_id('fair_model')}: the mark flaky cannot be combined with --fairness" in result.stderr.str()


# Options of plugins that make a failing run green, or run tests in other processes, as those plugins add them.
PLUGINS = {
    "--suppress-tests-failed-exit-code": ("action='store_true'", []),
    "--suppress-no-test-exit-code": ("action='store_true'", []),
    "--ignore-result-cases": ("nargs='+'", ["test_subgroups"]),
    "--ignore-result-files": ("nargs='+'", ["ignored.txt"]),
    "--ignore-no-tests-collected-error": ("action='store_true'", []),
    "--ignore-flaky": ("action='store_true', dest='ignore_flaky', default=False", []),
    "--required-percent": ("action='store', type=int, dest='percent'", ["10"]),
    "--quarantine": ("metavar='PATH'", ["quarantine.txt"]),
    "--forked": ("action='store_true', dest='forked', default=False", []),
    "--isolate": ("dest='isolate', action='store_true', default=False", []),
    "--force-flaky": ("action='store_true', dest='force_flaky', default=False", []),
}


@pytest.mark.parametrize("where", ["option", "addopts"])
@pytest.mark.parametrize(("option", "declared"), PLUGINS.items(), ids=PLUGINS)
def test_options_that_could_make_a_failing_run_green_are_refused(project, option, declared, where):
    keywords, value = declared
    added = f"\ndef pytest_addoption(parser):\n    parser.addoption('{option}', {keywords})\n"
    project.write("conftest.py", project.MODELS + added)
    project.limits("fair_model")
    assert project.gate().ret == 0  # installed, and not asked for
    if where == "addopts":
        project.write("pytest.ini", f"[pytest]\naddopts = {' '.join([option, *value])}\n")
    result = project.gate(*([option, *value] if where == "option" else []), "--rootdir=.")
    assert result.ret == 4
    assert f"{option}" in result.stderr.str()
    assert "cannot be combined with --fairness: " in result.stderr.str()
    assert project.fitted() == ["fair_model"]


def test_a_mark_that_runs_a_test_in_a_process_of_its_own_is_refused(project):
    project.write("pytest.ini", "[pytest]\nmarkers = forked: by pytest-forked\n")
    project.limits("fair_model")
    project.write("test_hand.py", "import pytest\n@pytest.mark.forked\ndef test_hand(fairness): pass\n")
    result = project.gate()
    assert result.ret == 4
    assert "test_hand.py::test_hand: the mark forked cannot be combined with --fairness" in result.stderr.str()


def test_reruns_do_not_concern_a_plain_run(project):
    project.write("pytest.ini", "[pytest]\nreruns = 2\n")
    project.write("test_mine.py", "def test_mine(): pass\n")
    assert project.pytest().ret == 0


SEX = "['f'] * 200 + ['m'] * 200"
ARRAYS = {
    "lengths": (f"[1] * 399, [1] * 400, sensitive_features={{'sex': {SEX}}}", ["lengths differ", "y_true 399"]),
    "NaN label": (
        f"[nan] + [1] * 399, [1] * 400, sensitive_features={{'sex': {SEX}}}",
        ["y_true", "1 of 400", "row 0"],
    ),
    "NaN score": (
        f"[1] * 400, y_score=[0.5] * 397 + [nan] * 3, sensitive_features={{'sex': {SEX}}}",
        ["y_score", "3 of 400", "rows 397, 398, 399"],
    ),
    "labels": (f"[1, 2] * 200, [1] * 400, sensitive_features={{'sex': {SEX}}}", ["y_true", "200 of 400", "rows 1, 3"]),
    "scores": (
        f"[1] * 400, y_score=[1.5, -1] + [0] * 398, sensitive_features={{'sex': {SEX}}}",
        ["y_score", "2 of 400", "outside [0, 1]", "rows 0 (1.5), 1 (-1.0)"],
    ),
    "sensitive": (
        "[1] * 400, [1] * 400, sensitive_features={'sex': ['f'] * 199 + [None, ''] + ['m'] * 199}",
        ["sex", "2 of 400", "rows 199, 200", "missing_sensitive"],
    ),
}


@pytest.mark.parametrize(("arguments", "expected"), ARRAYS.values(), ids=ARRAYS)
def test_bad_arrays_are_an_error_of_that_models_checks(project, arguments, expected):
    model = f"\nfrom math import nan\n@fairness_model\ndef bad_model():\n    return Predictions({arguments})\n"
    project.write("conftest.py", project.MODELS + model)
    project.limits("bad_model", "fair_model")
    result = project.gate()
    assert result.ret == 1
    assert result.parseoutcomes() == {"errors": 1, "passed": 1}
    (line,) = (line for line in result.outlines if re.match(r"(thresholds\.yaml:4: )?bad_model[:,] ", line))
    assert [part for part in expected if part not in line] == []


UNDEFINED = {
    "no positives": ("{'f': (0, 40), 'm': (40, 40)}", "[0] * 80 + [1] * 80", "group f: no positives among its 80"),
    "below min_group_size": ("{'f': (0, 4), 'm': (40, 40)}", None, "group f: 8 samples, fewer than min_group_size 10"),
}


@pytest.mark.parametrize(("groups", "y_true", "reason"), UNDEFINED.values(), ids=UNDEFINED)
def test_what_is_undefined_is_inconclusive(project, groups, y_true, reason):
    body = f"    made = predictions({groups})\n"
    if y_true is not None:
        body += (
            f"    return Predictions({y_true}, made.y_pred, sensitive_features={{'sex': ['f'] * 80 + ['m'] * 80}})\n"
        )
    model = f"\n@fairness_model\ndef model():\n{body}    return made\n"
    project.write("conftest.py", project.MODELS + model)
    project.limits("model")
    result = project.gate("--junitxml=junit.xml")
    assert result.ret == 0
    assert result.parseoutcomes() == {"inconclusive": 1}
    assert reason in " ".join(result.stdout.str().split())
    ((_, case),) = project.junit().items()
    found = project.properties(case)
    assert reason in found["fairness.reason"]
    assert "fairness.estimate" not in found
    assert project.gate("--fairness-burden=compliance").ret == 1


NAMES = ["age band", "age, band", "[age](band)", "Größe", "日本語", "x" * 200, "x" * 199 + "y", "a::b", "and", "é", "è"]


@pytest.fixture
def oddly_named(project):
    """Each odd name as a feature, whose two groups are called by the name too."""
    project.write(
        "conftest.py",
        "from fairness_checks import Predictions, fairness_model\n"
        f"NAMES = {NAMES!r}\n"
        "@fairness_model(sensitive_features=NAMES)\n"
        "def modèle():\n"
        "    return Predictions([1] * 80, [0, 1] * 40,\n"
        "                       sensitive_features={n: [n + ' A'] * 40 + [n + ' B'] * 40 for n in NAMES})\n",
    )
    rows = [f"{{metric: accuracy, by: {json.dumps(name, ensure_ascii=False)}, max_difference: 0.9}}" for name in NAMES]
    project.limits("modèle", checks=", ".join(rows))
    return project


def test_odd_names_have_unique_ascii_ids_that_k_selects(oddly_named):
    ids = oddly_named.gate("--collect-only", "-q").outlines[: len(NAMES)]
    assert len(set(ids)) == len(NAMES)
    assert all(name.isascii() and name.startswith("thresholds.yaml::test_subgroups[") for name in ids)
    for name in ids:
        word = name.partition("[")[2].removesuffix("]")
        assert re.fullmatch(r"[A-Za-z0-9_+-]+", word)
        assert oddly_named.gate("--collect-only", "-q", "-k", word).outlines[0] == name
        assert oddly_named.gate("--collect-only", "-q", "-k", word).outlines[1] == ""
    assert oddly_named.gate(ids[3]).parseoutcomes() == {"passed": 1, "deselected": len(NAMES) - 1}


def test_reports_show_the_true_names(oddly_named):
    result = oddly_named.gate("-v", "--junitxml=junit.xml")
    assert result.parseoutcomes() == {"passed": len(NAMES)}
    cases = oddly_named.junit()
    found = [oddly_named.properties(case) for case in cases.values()]
    assert [properties["fairness.by"] for properties in found] == NAMES
    assert {properties["fairness.model"] for properties in found} == {"modèle"}
    for name, properties in zip(NAMES, found, strict=True):
        groups = [f"{name} A", f"{name} B"]
        assert [group["group"] for group in json.loads(properties["fairness.groups"])] == groups
        assert [group.label for group in CheckRecord.from_json(properties["fairness.record"]).groups] == groups
    text = "".join(result.stdout.str().split())
    assert all("".join(f"by {name}: difference".split()) in text for name in NAMES)
    assert "modèle" in result.outlines
    assert max(map(len, result.outlines[result.outlines.index("modèle") :])) <= 100
