"""The wheel in an empty environment: a user's own project, without the extras."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(*command, cwd):
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "PYTHON"))}
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=300, check=False)


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Build the wheel, install it with its core dependencies, and return that environment's Python."""
    folder = tmp_path_factory.mktemp("wheel")
    built = run(sys.executable, "-m", "build", "--wheel", "--outdir", str(folder), str(ROOT), cwd=folder)
    assert built.returncode == 0, built.stdout + built.stderr
    (wheel,) = folder.glob("*.whl")
    venv.create(folder / "venv", with_pip=True)
    python = folder / "venv" / ("Scripts" if os.name == "nt" else "bin") / "python"
    done = run(str(python), "-m", "pip", "install", "--quiet", "--no-compile", str(wheel), cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return str(python)


def test_the_extras_are_absent(installed, tmp_path):
    code = "import importlib.util as u; print([n for n in ('pandas', 'sklearn', 'models', 'tests') if u.find_spec(n)])"
    assert run(installed, "-c", code, cwd=tmp_path).stdout.strip() == "[]"


def test_the_types_travel_along(installed, tmp_path):
    code = (
        "import fairness_checks, pathlib; print((pathlib.Path(fairness_checks.__file__).parent / 'py.typed').exists())"
    )
    assert run(installed, "-c", code, cwd=tmp_path).stdout.strip() == "True"


@pytest.mark.parametrize(
    ("model", "code", "words"),
    [
        ("biased_model", 1, "1 failed"),
        ("fair_model", 0, "1 passed"),
        ("tiny_model", 0, "1 inconclusive"),
    ],
)
def test_the_gate_of_a_users_project(installed, project, model, code, words):
    project.limits(model)
    with project.the_rest_unchecked():
        result = run(installed, "-m", "pytest", "--fairness", "--fairness-report=out", "-W", "error", cwd=project.path)
    assert result.returncode == code, result.stdout + result.stderr
    assert words in result.stdout.splitlines()[-1]
    assert "</html>" in (project.path / "out" / "report.html").read_text(encoding="utf-8")


def test_a_plain_run_of_a_users_project(installed, project):
    project.limits("biased_model")
    project.write("test_mine.py", "def test_mine(): pass\n")
    result = run(installed, "-m", "pytest", "-W", "error", cwd=project.path)
    assert result.returncode == 0
    assert "1 passed" in result.stdout.splitlines()[-1]
