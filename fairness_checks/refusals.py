"""What a run under ``pytest --fairness`` refuses to begin with: nothing that it judged could be believed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pytest

__all__ = ["USAGE_ERROR", "refuse_missing_checks", "refuse_rerun_marks", "refuse_reruns", "usage_error"]

USAGE_ERROR = "fairness_usage_error"  # key in the output of a pytest-xdist worker
_RERUN_OPTIONS = ("reruns", "retries", "force_flaky")
_RERUN_MARKS = ("flaky",)


def refuse_reruns(config: pytest.Config) -> None:
    """Refuse options of plugins that run a failed test again."""
    for option in _RERUN_OPTIONS:
        try:
            value = config.getoption(option, None) or config.getini(option)
        except (ValueError, KeyError):  # no plugin has it
            value = config.getoption(option, None)
        if value and str(value) != "0":
            raise pytest.UsageError(
                f"--{option.replace('_', '-')} {value} cannot be combined with --fairness: "
                f"a check that is run again until it passes decides nothing"
            )


def refuse_rerun_marks(config: pytest.Config, items: Iterable[pytest.Item]) -> None:
    """Refuse marks that have a failed test run again."""
    for item in items:
        if any(item.get_closest_marker(name) for name in _RERUN_MARKS):
            raise usage_error(
                config,
                f"{item.nodeid}: a test that is run again until it passes decides nothing; "
                f"remove its re-run mark ({', '.join(_RERUN_MARKS)})",
            )


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
