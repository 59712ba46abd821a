"""With ``--fairness`` off the plugin loads nothing heavy and says nothing."""

from __future__ import annotations

import re
import sys

import pytest

HEAVY = ("filelock", "narwhals", "numpy", "pandas", "pydantic", "scipy", "sklearn", "torch", "yaml")
PLUGIN = ["fairness_checks", "fairness_checks.plugin", "fairness_checks.plugin.selection"]
OWN = (
    "fairness_checks",
    "fairness_checks.errors",
    "fairness_checks.plugin",
    "fairness_checks.plugin.discovery",
    "fairness_checks.plugin.selection",
)

SCRIPT = """
import sys
import pytest
code = pytest.main(sys.argv[1:])
print("loaded:", *sorted(name for name in sys.modules if name in {heavy!r} or name.startswith("fairness_checks")))
raise SystemExit(code)
"""


@pytest.fixture
def plain_run(pytester, monkeypatch):
    """Run one trivial test in a new interpreter, with this plugin alone or without any."""
    pytester.makeini("[pytest]")
    pytester.makepyfile(test_mine="def test_mine(): pass")
    script = pytester.makepyfile(run=SCRIPT.format(heavy=HEAVY))
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)

    def run(*arguments):
        return pytester.run(sys.executable, str(script), *arguments, timeout=300)

    return run


def loaded(result):
    return result.outlines[-1].split()[1:]


def test_nothing_heavy_is_loaded(plain_run):
    result = plain_run("-p", "fairness_checks.plugin")
    assert result.ret == 0
    assert loaded(result) == PLUGIN


def test_the_names_looked_for_are_those_that_the_gate_loads(plain_run, pytester):
    """Otherwise the test above could not fail."""
    pytester.makefile(".yaml", thresholds="version: 1\nmodels: {}")
    pytester.makepyfile(
        test_mine="def test_mine(fairness):\n    import fairness_checks.storage.cache, sklearn, pandas\n"
        "    from fairness_checks import Predictions\n"
        "    made = Predictions([1] * 80, [0, 1] * 40, sensitive_features={'sex': ['f'] * 40 + ['m'] * 40})\n"
        "    fairness.audit(made, metric='accuracy', by='sex', max_difference=0.4)\n"
    )
    result = plain_run("-p", "fairness_checks.plugin", "--fairness")
    assert result.ret == 0
    assert set(HEAVY) - set(loaded(result)) <= {"torch"}


def test_a_conftest_with_models_loads_no_more_than_the_decorator(plain_run, pytester):
    pytester.makeconftest(
        "from fairness_checks import fairness_model\n@fairness_model\ndef model():\n    import numpy\n"
    )
    result = plain_run("-p", "fairness_checks.plugin")
    assert result.ret == 0
    assert loaded(result) == list(OWN)


def test_the_entry_point_loads_no_more(plain_run, monkeypatch):
    monkeypatch.delenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD")
    result = plain_run()
    assert re.search(r"^plugins: .*\bfairness-\d", result.stdout.str(), re.MULTILINE)
    assert loaded(result) == PLUGIN


def test_the_output_is_that_of_a_run_without_the_plugin(plain_run):
    def words(result):
        """All lines but those of time, of `loaded` and of pytest's own list of plugins."""
        return [line for line in result.outlines[:-2] if not line.startswith("plugins:")]

    with_plugin, without = plain_run("-p", "fairness_checks.plugin"), plain_run()
    assert len(without.outlines) > 5
    assert words(with_plugin) == words(without)
    assert with_plugin.errlines == without.errlines


def test_the_plugin_may_be_named_beside_its_entry_point(plain_run, monkeypatch):
    monkeypatch.delenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD")
    assert plain_run("-p", "fairness_checks.plugin").ret == 0
