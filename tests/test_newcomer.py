"""A newcomer: a fresh environment, the wheel without extras, and README's blocks pasted in order."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import venv
from pathlib import Path

import numpy as np
import pytest

from tests.docs.page_blocks import blocks

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "README.md"
LIGHT = 280_000_000  # bytes that the wheel and what it needs take


class Newcomer:
    """An environment in which nothing but the wheel was installed, and a folder of one's own."""

    def __init__(self, python: Path, folder: Path) -> None:
        self.bin, self.folder = python.parent, folder

    def paste(self, block: str) -> subprocess.CompletedProcess[str]:
        """Run a block of commands as a terminal would, with the environment activated."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "PYTHON", "COV"))}
        environment = kept | {"PATH": f"{self.bin}{os.pathsep}{os.environ['PATH']}", "COLUMNS": "100"}
        return subprocess.run(
            ["bash", "-c", block],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )


@pytest.fixture(scope="module")
def newcomer(tmp_path_factory: pytest.TempPathFactory) -> Newcomer:
    folder = tmp_path_factory.mktemp("newcomer")
    run = {"check": True, "capture_output": True, "timeout": 600, "text": True}
    subprocess.run([sys.executable, "-m", "build", "--wheel", "--outdir", folder / "dist", ROOT], **run)
    (wheel,) = (folder / "dist").glob("*.whl")
    assert wheel.name.startswith("pytest_fairness-")
    venv.create(folder / "venv", with_pip=True)
    python = folder / "venv" / "bin" / "python"
    before = size(folder / "venv")
    subprocess.run([python, "-m", "pip", "install", "--quiet", wheel], **run)
    assert size(folder / "venv") - before < LIGHT
    (folder / "project").mkdir()
    return Newcomer(python, folder / "project")


def size(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())


def test_nothing_heavy_came_along(newcomer: Newcomer) -> None:
    found = newcomer.paste("python -m pip list --format=freeze").stdout.lower()
    assert "pytest-fairness==" in found
    assert not {"torch", "pandas", "scikit-learn", "matplotlib"} & set(re.findall(r"^([\w.-]+)==", found, re.MULTILINE))


def test_the_example_ends_red_for_the_reason_that_readme_shows(newcomer: Newcomer) -> None:
    (example,) = (block for block in blocks(PAGE, "sh") if "cat > conftest.py" in block)
    done = newcomer.paste(example)
    assert done.returncode == 1, done.stdout + done.stderr
    (shown,) = blocks(PAGE, "text")
    for line in shown.splitlines():
        seconds = re.sub(r" in [0-9.]+s =+$", "", line)
        assert line == "..." or seconds in done.stdout, f"README shows {line!r}, the run printed:\n{done.stdout}"


def test_a_file_of_predictions_takes_one_command(newcomer: Newcomer) -> None:
    rng = np.random.default_rng(5)
    rows = ["died,risk,sex"]
    for sex, seen in (("female", 0.5), ("male", 0.8)):
        for died, found in zip(rng.random(600) < 0.4, rng.random(600) < seen, strict=True):
            rows.append(f"{int(died)},{0.9 if died and found else 0.1},{sex}")
    (newcomer.folder / "predictions.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    (command,) = (block for block in blocks(PAGE, "sh") if "fairness-checks audit" in block)
    done = newcomer.paste(command)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "sex=female" in done.stdout


def test_init_on_that_file_is_judged_by_the_next_command(newcomer: Newcomer) -> None:
    done = newcomer.paste("mkdir own && cp predictions.csv own && cd own && fairness-checks init predictions.csv")
    assert done.returncode == 0, done.stdout + done.stderr
    judged = newcomer.paste("cd own && pytest --fairness")
    assert judged.returncode == 1, judged.stdout + judged.stderr
    assert "sex=female" in judged.stdout


def test_the_example_project_of_init_ends_red(newcomer: Newcomer) -> None:
    done = newcomer.paste("fairness-checks init --example")
    assert done.returncode == 0, done.stdout + done.stderr
    judged = newcomer.paste("cd fairness-example && pytest --fairness")
    assert judged.returncode == 1, judged.stdout + judged.stderr
    assert " 1 failed" in judged.stdout.splitlines()[-1]


def test_the_commands_that_readme_names_are_there(newcomer: Newcomer) -> None:
    assert newcomer.paste("fairness-checks --version").stdout.startswith("fairness-checks ")
    explained = newcomer.paste("fairness-checks explain false_negative_rate")
    assert explained.returncode == 0
    assert "positives" in explained.stdout


def test_readme_is_short() -> None:
    assert len(PAGE.read_text(encoding="utf-8").splitlines()) <= 150
