"""What a run under ``pytest --fairness`` refuses to begin with: nothing that it judged could be believed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pytest

__all__ = ["USAGE_ERROR", "refuse_arguments", "refuse_marks", "refuse_missing_checks", "refuse_options", "usage_error"]

USAGE_ERROR = "fairness_usage_error"  # key in the output of a pytest-xdist worker
_AGAIN = "a check that is run again until it passes decides nothing"
_GREEN = "a failing check must end the run red"
_APART = "checks are judged and counted in the process that runs them; -n gives each worker a process of its own"
_OPTIONS = {  # by the name of the value, for the command line and for ini files
    "reruns": ("--reruns", _AGAIN),  # pytest-rerunfailures
    "retries": ("--retries", _AGAIN),  # pytest-retry
    "force_flaky": ("--force-flaky", _AGAIN),  # flaky
    "suppress_tests_failed_exit_code": ("--suppress-tests-failed-exit-code", _GREEN),  # pytest-custom-exit-code
    "suppress_no_test_exit_code": ("--suppress-no-test-exit-code", _GREEN),
    "ignore_result_cases": ("--ignore-result-cases", _GREEN),  # pytest-ignore-test-results
    "ignore_result_files": ("--ignore-result-files", _GREEN),
    "ignore_no_tests_collected_error": ("--ignore-no-tests-collected-error", _GREEN),
    "ignore_flaky": ("--ignore-flaky", _GREEN),  # pytest-ignore-flaky
    "percent": ("--required-percent", _GREEN),  # pytest-percent
    "quarantine": ("--quarantine", _GREEN),  # pytest-quarantine
    "forked": ("--forked", _APART),  # pytest-forked
    "isolate": ("--isolate", _APART),  # pytest-isolate
    "isolated": ("--isolated", _APART),  # pytest-isolated
}
_MARKS = {"flaky": _AGAIN, "forked": _APART}


def refuse_options(config: pytest.Config) -> None:
    """Refuse options of plugins that run a failed test again, make a failing run green, or run tests elsewhere."""
    for name, (option, why) in _OPTIONS.items():
        try:
            value = config.getoption(name, None) or config.getini(name)
        except (ValueError, KeyError):  # no plugin has it
            value = config.getoption(name, None)
        if value and str(value) != "0":
            given = option if value is True else f"{option} {value}"
            raise pytest.UsageError(f"{given} cannot be combined with --fairness: {why}")


def refuse_arguments(config: pytest.Config, given: Sequence[str]) -> None:
    """Refuse paths that a conftest.py or a plugin has put in the place of those of the command line."""
    if list(config.args) != list(given):
        raise usage_error(
            config,
            f"the paths became {list(config.args)} after the command line was read ({list(given)}), by a conftest.py "
            "or a plugin, which takes checks away where nobody reads it; give them on the command line or in addopts",
        )


def refuse_marks(config: pytest.Config, items: Iterable[pytest.Item]) -> None:
    """Refuse marks that do the same to one test."""
    for item in items:
        for mark, why in _MARKS.items():
            if item.get_closest_marker(mark):
                raise usage_error(config, f"{item.nodeid}: the mark {mark} cannot be combined with --fairness: {why}")


def refuse_missing_checks(config: pytest.Config, limits: str, missing: Sequence[str]) -> None:
    """Refuse a run that has lost configured checks of the file of limits on the way to pytest."""
    if missing:
        raise usage_error(
            config,
            f"{limits}: {len(missing)} configured checks or waivers were not collected: {'; '.join(missing[:5])}"
            f"{'; ...' if len(missing) > 5 else ''}. Something ignores the file or takes its tests away "
            f"(--ignore, collect_ignore, a skip in a conftest.py, another plugin); deselect with -k instead",
        )


def usage_error(config: pytest.Config, message: str) -> pytest.UsageError:
    """Return the error; a pytest-xdist worker also leaves it to the controller, which sees only that a worker ended."""
    if hasattr(config, "workeroutput"):
        config.workeroutput[USAGE_ERROR] = message
    return pytest.UsageError(message)
