"""Where model fixtures and the file of limits may live, and what happens when a fixture fails."""

from __future__ import annotations

import pytest

ALL = ("biased_model", "fair_model", "tiny_model")


def test_a_model_requests_other_fixtures_of_the_session(project):
    project.write(
        "conftest.py",
        project.MODELS.replace("def fair_model():", "def fair_model(holdout):")
        + "\nimport pytest\n"
        + "@pytest.fixture(scope='session')\ndef holdout(tmp_path_factory):\n    fitted('holdout')\n",
    )
    project.limits("fair_model")
    assert project.gate().ret == 0
    assert project.fitted() == ["holdout", "fair_model"]


def test_a_model_in_a_plugin_module(project):
    project.write("my_models.py", project.MODELS)
    project.write("conftest.py", "pytest_plugins = ['my_models']\n")
    project.limits(*ALL)
    project.pytester.syspathinsert()
    assert project.gate().parseoutcomes() == {"failed": 1, "passed": 1, "inconclusive": 1}


def test_the_names_that_pytest_collects_do_not_matter(project):
    project.write("pytest.ini", "[pytest]\npython_files = check_*.py\npython_functions = check_*\npython_classes = X\n")
    project.limits(*ALL)
    assert project.gate().parseoutcomes() == {"failed": 1, "passed": 1, "inconclusive": 1}


@pytest.mark.parametrize("folder", ["gates", "../elsewhere"])
def test_a_file_of_limits_elsewhere_with_its_own_conftest(project, folder):
    project.write("conftest.py", "")
    project.write(f"{folder}/conftest.py", project.MODELS)
    limits = project.limits(*ALL).rename(project.path / folder / "strict.yaml").resolve()
    result = project.gate(f"--fairness-config={folder}/strict.yaml", "-v")
    assert result.parseoutcomes() == {"failed": 1, "passed": 1, "inconclusive": 1}
    name = limits.relative_to(project.path) if folder == "gates" else limits
    assert f"{name}::test_subgroups[fair_model-sex-false_negative_rate] PASSED" in result.stdout.str()
    # The conftest is read when pytest collects there; until then the header promises nothing.
    assert f"fairness: models are looked for when {limits.parent / 'conftest.py'} is collected" in result.outlines
    assert project.gate(f"--fairness-config={folder}/strict.yaml", "--lf").parseoutcomes()["failed"] == 1


def test_names_in_a_file_elsewhere_are_checked_before_any_model_is_fitted(project):
    project.write("gates/conftest.py", project.MODELS)
    project.limits("fare_model").rename(project.path / "gates/strict.yaml")
    result = project.gate("--fairness-config=gates/strict.yaml")
    assert result.ret == 4
    assert "gates/strict.yaml:4: models.fare_model: " in result.stderr.str()
    assert "did you mean 'fair_model'?" in result.stderr.str()
    assert not (project.path / "gates/fitted.txt").exists()


def test_from_a_sub_folder_the_gate_is_the_same(project, monkeypatch):
    project.limits(*ALL)
    project.write("tests/test_mine.py", project.passing("test_mine"))
    monkeypatch.chdir(project.path / "tests")
    result = project.gate("--junitxml=../junit.xml")
    assert result.parseoutcomes() == {"failed": 1, "passed": 2, "inconclusive": 1}
    assert "fairness: config thresholds.yaml, seed 0, burden of proof violation" in result.outlines
    assert sorted(case.get("classname") for case in project.junit().values())[-1] == "tests.test_mine"
    single = project.gate("../thresholds.yaml::test_subgroups[fair_model-sex-false_negative_rate]")
    assert single.parseoutcomes() == {"passed": 1, "deselected": 2}


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["."],
        ["thresholds.yaml"],
        [".", "thresholds.yaml"],
        ["thresholds.yaml", "."],
        ["tests"],
        ["tests", "."],
        ["{root}"],
        ["{root}/thresholds.yaml", "tests"],
        ["tests/test_mine.py::test_hand", "thresholds.yaml"],
    ],
)
def test_no_check_runs_twice(project, arguments):
    project.limits(*ALL)
    project.write("tests/test_mine.py", project.passing("test_hand"))
    result = project.gate(*(argument.format(root=project.path) for argument in arguments))
    hand_written = 0 if arguments == ["thresholds.yaml"] else 1
    seen = result.parseoutcomes()
    assert {name: seen[name] for name in ("failed", "passed", "inconclusive")} == {
        "failed": 1,
        "passed": 1 + hand_written,
        "inconclusive": 1,
    }


def test_a_single_check_beside_a_folder(project):
    project.limits(*ALL)
    project.write("tests/test_mine.py", project.passing("test_hand"))
    assert project.gate(project.check_id("tiny_model"), "tests").parseoutcomes() == {
        "inconclusive": 1,
        "passed": 1,
        "deselected": 2,
    }


@pytest.mark.parametrize("testpaths", ["tests", "nowhere"])
def test_testpaths_need_not_hold_the_file_of_limits(project, testpaths):
    project.write("pytest.ini", f"[pytest]\ntestpaths = {testpaths}\nfilterwarnings = ignore:No files were found\n")
    project.limits("fair_model")
    project.write("tests/test_mine.py", "def test_mine(): pass\n")
    assert project.gate().parseoutcomes() == {"passed": 1, "deselected": 1}


BROKEN = {
    "raises": ("", "raise RuntimeError('the registry is away')", "RuntimeError: the registry is away"),
    "invalid": ("", "raise InvalidPredictions('y_true: 3 of 9 are NaN')", "broken_model: y_true: 3 of 9 are NaN"),
    "wrong type": ("", "return [0, 1]", "broken_model: the fixture returned list; return fairness_checks.Predictions"),
    "nothing": ("", "pass", "the fixture returned None; is `return` missing?"),
    "estimator": (
        "",
        "return type('Forest', (), {'predict': None})()",
        "the fixture returned Forest, without data; return predictions_from_classifier(...)",
    ),
    "unknown fixture": ("nowhere", "return None", "fixture 'nowhere' not found"),
    "scope": ("tmp_path", "return None", "ScopeMismatch"),
    "undeclared feature": (
        "",
        "return predictions({'f': (1, 20), 'm': (1, 20)}, 'gender')",
        "'sex' is not in the predictions; allowed: gender",
    ),
}


@pytest.mark.parametrize(("argument", "body", "message"), BROKEN.values(), ids=BROKEN)
def test_a_broken_fixture_errs_its_own_checks_only(project, argument, body, message):
    broken = f"\n@fairness_model\ndef broken_model({argument}):\n    fitted('broken')\n    {body}\n"
    project.write("conftest.py", project.MODELS + "from fairness_checks import InvalidPredictions\n" + broken)
    project.limits("broken_model", "fair_model", checks=f"{project.FNR}, {project.ACCURACY}")
    result = project.gate()
    assert result.ret == 1
    assert result.parseoutcomes() == {"errors": 2, "passed": 2}
    assert message in result.stdout.str()
    assert "lost checks" not in result.stdout.str()
    assert project.fitted().count("broken") <= 1


@pytest.mark.parametrize("needs", ["", "table"], ids=["the model", "what it requests"])
@pytest.mark.parametrize("style", ["short", "auto"])
def test_what_a_fixture_raises_is_shown_from_the_projects_own_line_on(project, needs, style):
    table = "\n@pytest.fixture(scope='session')\ndef table():\n    return {}['score']\n"
    broken = f"\n@fairness_model\ndef broken_model({needs}):\n    return {{}}['score']\n"
    project.write("conftest.py", project.MODELS + "import pytest\n" + table + broken)
    project.limits("broken_model", checks=f"{project.FNR}, {project.ACCURACY}")
    shown = project.gate(f"--tb={style}").stdout.str()
    said = shown.partition("short test summary")[0]
    assert said.count("KeyError: 'score'") == 1
    assert said.count("broken_model: the same KeyError as in test_subgroups[broken_model-sex-false_negative_rate]") == 1
    assert "return {}['score']" in shown
    assert not [name for name in ("getfixturevalue", "_evaluate", "pytest_fixture_setup", "hidden") if name in shown]


def test_a_declared_feature_that_is_not_in_the_predictions(project):
    project.write("conftest.py", project.MODELS.replace('["sex"]', '["sex", "age"]'))
    project.limits("fair_model", "tiny_model")
    result = project.gate()
    assert result.parseoutcomes() == {"errors": 1, "inconclusive": 1}
    assert "fair_model: sensitive feature 'age' is not in the predictions" in result.stdout.str()


def test_a_model_that_is_skipped_is_not_green(project):
    skipped = "\nimport pytest\n@fairness_model\ndef absent_model():\n    pytest.skip('no data here')\n"
    project.write("conftest.py", project.MODELS + skipped)
    project.limits("absent_model", "fair_model")
    result = project.gate()
    assert result.ret == 1
    assert result.parseoutcomes() == {"errors": 1, "passed": 1}
    assert "fairness: lost checks" in result.stdout.str()
    assert f"{project.check_id('absent_model')}: was skipped" in result.stdout.str()


def test_a_file_that_cannot_be_imported_is_not_green(project):
    project.limits("fair_model")
    project.write("test_mine.py", "import nowhere_at_all\n")
    result = project.gate()
    assert result.ret == 2
    assert result.parseoutcomes() == {"errors": 1}


@pytest.mark.parametrize("arguments", [(), ("-ra",), ("--collect-only",), ("-n2",)], ids=str)
def test_a_file_that_skips_itself_is_no_trouble(project, arguments):
    project.limits("fair_model")
    project.write("test_skipped.py", "import pytest\npytest.skip('not here', allow_module_level=True)\n")
    project.write("test_other.py", "def test_other(): pass\n")
    result = project.gate_in_subprocess(*arguments)
    assert result.ret == 0
    assert "Traceback" not in result.stdout.str() + result.stderr.str()
