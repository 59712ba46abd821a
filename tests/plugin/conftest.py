"""A scratch project with three models whose verdicts are known, and a gate to run in it."""

from __future__ import annotations

import inspect
import re
import sys
import xml.etree.ElementTree as ET
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import joblib  # noqa: F401 - with what stands below
import narwhals._pandas_like.series
import narwhals.exceptions
import narwhals.stable.v2  # noqa: F401
import pandas  # noqa: F401
import pytest
import scipy.sparse.csgraph
import scipy.stats  # noqa: F401

# pytester forgets what a run in this process imported, and numpy does not survive being imported twice.
import fairness_checks.adapters.classifier
import fairness_checks.config.loading
import fairness_checks.findings.regression
import fairness_checks.judge.auditing
import fairness_checks.judge.evidencing
import fairness_checks.judge.judging
import fairness_checks.judge.suppression
import fairness_checks.judge.verdict
import fairness_checks.kinds.standardised
import fairness_checks.report.page.page
import fairness_checks.report.terminal
import fairness_checks.storage.cache  # noqa: F401 - for its side effect, as the others
from tests.builders import missing_positives

MODELS = '''
from pathlib import Path

from fairness_checks import Predictions, fairness_model


def fitted(name):
    """Leave a trace of every call, for the test to count."""
    with Path(__file__).with_name("fitted.txt").open("a", encoding="utf-8") as trace:
        trace.write(name + "\\n")


BUILDER

def predictions(groups, feature="sex"):
    return missing_positives(groups, feature=feature, negatives=1)


@fairness_model
def biased_model():
    fitted("biased_model")
    return predictions({"female": (160, 400), "male": (40, 400)})


@fairness_model(sensitive_features=["sex"])
def fair_model():
    fitted("fair_model")
    return predictions({"female": (40, 400), "male": (40, 400)})


@fairness_model()
def tiny_model():
    fitted("tiny_model")
    return predictions({"female": (4, 12), "male": (3, 12)})
'''.replace("BUILDER", inspect.getsource(missing_positives))

FNR = "{metric: false_negative_rate, by: sex, max_difference: 0.10}"
ACCURACY = "{metric: accuracy, by: sex, min_value: 0.60}"


PASSING = """
from fairness_checks import Predictions


def {name}(fairness):
    even = Predictions([1] * 80, [0, 1] * 40, sensitive_features={{"sex": ["f"] * 40 + ["m"] * 40}})
    fairness.audit(even, metric="accuracy", by="sex", max_difference=0.4)
"""


def check_id(model: str, metric: str = "false_negative_rate", suffix: str = "") -> str:
    return f"thresholds.yaml::test_subgroups[{model}-sex-{metric}{suffix}]"


class Project:
    """A user's project in a scratch folder."""

    FNR, ACCURACY, MODELS = FNR, ACCURACY, MODELS
    check_id = staticmethod(check_id)

    @staticmethod
    def passing(name: str) -> str:
        """Return a hand-written test that comes to a passing verdict."""
        return PASSING.format(name=name)

    def __init__(self, pytester: pytest.Pytester) -> None:
        self.pytester = pytester
        self.path = pytester.path
        self.write("pytest.ini", "[pytest]\n")
        self.write("conftest.py", MODELS)

    def write(self, name: str, text: str) -> Path:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def limits(self, *models: str, defaults: str = "{}", checks: str = FNR, waivers: str = "[]") -> Path:
        """Write thresholds.yaml with the same checks for each model."""
        sections = "".join(f"  {model}: {{subgroups: [{checks}]}}\n" for model in models) or "  {}\n"
        return self.write(
            "thresholds.yaml", f"version: 1\ndefaults: {defaults}\nmodels:\n{sections}waivers: {waivers}\n"
        )

    def pytest(self, *arguments: str) -> pytest.RunResult:
        return self.pytester.runpytest_inprocess(*arguments)

    @contextmanager
    def the_rest_unchecked(self) -> Generator[None]:
        """Name the models that a test is not about in the file of limits; `test_unchecked` is about those."""
        limits, conftest = self.path / "thresholds.yaml", self.path / "conftest.py"
        text = limits.read_text(encoding="utf-8") if limits.is_file() else ""
        complete = not text.startswith("version: 1\n") or "\nmodels:\n" not in text or "unchecked:" in text
        if complete or not conftest.is_file():
            yield
            return
        tests = [path.read_text(encoding="utf-8") for path in self.path.rglob("test_*.py")]
        found = re.findall(r"^@fairness_model.*\ndef (\w+)", conftest.read_text(encoding="utf-8"), re.MULTILINE)
        if rest := [name for name in found if not re.search(rf"\b{name}\b", "\n".join([text, *tests]))]:
            limits.write_text(f"{text}unchecked: {{{', '.join(f'{n}: another test' for n in rest)}}}\n", "utf-8")
        try:
            yield
        finally:
            limits.write_text(text, encoding="utf-8")

    def gate(self, *arguments: str) -> pytest.RunResult:
        with self.the_rest_unchecked():
            return self.pytest("--fairness", *arguments)

    def gate_in_subprocess(self, *arguments: str, timeout: float = 300) -> pytest.RunResult:
        """Run the gate with this plugin and pytest-xdist alone: other plugins take most of a short run's time."""
        command = (sys.executable, "-m", "pytest", "-p", "xdist", "-p", "fairness_checks.plugin", "--fairness")
        with pytest.MonkeyPatch.context() as patch, self.the_rest_unchecked():
            patch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
            return self.pytester.run(*command, *arguments, timeout=timeout)

    def fitted(self) -> list[str]:
        """Return the models whose fixtures ran, once for each call."""
        trace = self.path / "fitted.txt"
        return trace.read_text(encoding="utf-8").split() if trace.exists() else []

    def fitted_in(self, folder: str) -> list[str]:
        """Return the same of models that a conftest.py of a folder defines."""
        trace = self.path / folder / "fitted.txt"
        return trace.read_text(encoding="utf-8").split() if trace.exists() else []

    def junit(self, name: str = "junit.xml") -> dict[str, ET.Element]:
        """Return the test cases of a JUnit file by name."""
        cases = list(ET.parse(self.path / name).iter("testcase"))
        assert len({case.get("name") for case in cases}) == len(cases), "JUnit: two cases of one name"
        return {str(case.get("name")): case for case in cases}

    @staticmethod
    def properties(case: ET.Element) -> dict[str, str]:
        return {str(p.get("name")): str(p.get("value")) for p in case.iter("property")}


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Project:
    # Bytecode is that of a second and a size: a file that is written again within it would be run as it was before.
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    return Project(pytester)
