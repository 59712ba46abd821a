"""What the package is installed as, and what is said where a library of an extra is missing."""

import importlib.metadata
import subprocess
import sys

import pytest

import fairness_checks
from fairness_checks.distribution import DISTRIBUTION, brought_by, needing_extra
from fairness_checks.errors import FairnessError, MissingExtra


def test_the_distribution_is_the_one_that_installs_the_plugin() -> None:
    points = {point.value: point.dist for point in importlib.metadata.entry_points(group="pytest11")}
    assert "fairness_checks.plugin" in points
    assert fairness_checks.__version__ == importlib.metadata.version(DISTRIBUTION)
    assert importlib.metadata.metadata(DISTRIBUTION)["Name"].startswith("pytest-")  # else pytest does not list it


def test_a_missing_library_names_the_extra_what_it_brings_and_the_command() -> None:
    with pytest.raises(MissingExtra) as caught, needing_extra("reading a table", "sweep"):
        import a_library_that_nobody_has  # noqa: F401
    text = str(caught.value)
    assert isinstance(caught.value, FairnessError)
    assert isinstance(caught.value, ImportError)
    assert text.startswith("reading a table: a_library_that_nobody_has is not installed. The extra `sweep` brings ")
    assert text.endswith(f"pip install '{DISTRIBUTION}[sweep]'")
    assert {"pandas", "scikit-learn", "imbalanced-learn"} <= set(brought_by("sweep"))
    assert all(name in text for name in brought_by("sweep"))


def test_a_module_of_ours_that_is_missing_is_no_missing_extra() -> None:
    with pytest.raises(ModuleNotFoundError) as caught, needing_extra("a sweep", "sweep"):
        import fairness_checks.no_such_module  # noqa: F401
    assert not isinstance(caught.value, FairnessError)


def test_a_sweep_without_its_extra_says_so() -> None:
    code = (
        "import sys; sys.modules['pandas'] = None\n"
        "try:\n    from fairness_checks.sweep import TrainableModel\n"
        "except ImportError as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=False)
    assert "fairness_checks.sweep.TrainableModel: pandas is not installed." in done.stdout, done.stderr
    assert f"pip install '{DISTRIBUTION}[sweep]'" in done.stdout


def test_no_extra_is_called_by_another_name() -> None:
    with pytest.raises(MissingExtra, match="brings"), needing_extra("x", "models"):
        raise ModuleNotFoundError("no", name="httpx")
