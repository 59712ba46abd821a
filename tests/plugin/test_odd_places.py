"""Places that cannot be read or written: the gate says so once, and judges all the same."""

from __future__ import annotations

import errno
import os
import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from test_sweep_gate import ACCURACY, MODELS, SUBGROUPS

UPDATE = "--fairness-update-baseline"
REGRESSION = "regression: [{metric: accuracy, by: sex, max_worsening: 0.5}]"
LIMITS = f"""
version: 1
models:
  swept:
    {SUBGROUPS}
    {REGRESSION}
    sweep: {{by: sex, mixes: {{as_is: as_is}}, repeats: 5, checks: [{ACCURACY.replace("0.2", "0.99")}]}}
"""
RIGHT = {"passed": 3}


@pytest.fixture
def written(project):
    """A project whose baseline is there, and whose cache is warm."""
    project.write("conftest.py", MODELS)
    project.write("broken.txt", "False")
    project.write("thresholds.yaml", LIMITS)
    project.write(".gitignore", ".fairness-baseline.key\n")
    assert project.gate(UPDATE).ret == 0
    assert project.gate().parseoutcomes() == RIGHT
    return project


def said(result):
    text = "\n".join((*result.outlines, *result.errlines))
    assert "Traceback" not in text
    assert "INTERNALERROR" not in text
    return text


@pytest.mark.parametrize("kind", ["file", "pipe", "loop"])
def test_a_cache_that_is_no_folder_costs_nothing_but_time(written, odd_files, kind):
    cache = written.path / ".pytest_cache"
    cache.rename(written.path / "elsewhere")
    cache.write_text("a file") if kind == "file" else odd_files[kind].put(cache)
    result = written.gate("-W", "default")
    assert {"passed": 3}.items() <= result.parseoutcomes().items()
    assert "nothing is kept: " in said(result)


@pytest.mark.parametrize("named", [False, True], ids=["the usual file", "a file that is named"])
def test_limits_that_are_a_loop_of_links_are_one_error(written, odd_files, named):
    name = "other.yaml" if named else "thresholds.yaml"
    (written.path / name).unlink(missing_ok=True)
    odd_files["loop"].put(written.path / name)
    result = written.pytest("--fairness", *([f"--fairness-config={name}"] if named else []))
    assert result.ret == 4
    assert "Too many levels of symbolic links" in said(result)


def test_a_read_only_checkout_is_judged_with_what_is_kept_and_without(written):
    refused = []  # folders that are read-only, while the gate runs

    def refuse(event, arguments):
        """Hook into the interpreter: what is put in the place of `os.open` would be code that the models see."""
        ours = event == "os.mkdir" or (
            event == "open" and arguments[1] is None
        )  # `os.open`, not the models' own `open`
        if refused and ours and isinstance(arguments[0], str):
            writes = event == "os.mkdir" or arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
            path = Path(arguments[0])
            if writes and path.is_relative_to(refused[0]) and not (event == "os.mkdir" and path.is_dir()):
                raise OSError(errno.EROFS, "Read-only file system", str(path))

    def read_only(*arguments):
        refused.append(written.path)
        try:
            return written.gate("-W", "default", *arguments)
        finally:
            refused.clear()

    sys.addaudithook(refuse)
    fits = len((written.path / "fitted.txt").read_text().split())
    first = read_only()
    assert {"passed": 3}.items() <= first.parseoutcomes().items()
    assert "not kept" not in said(first)
    assert len((written.path / "fitted.txt").read_text().split()) == fits
    for file in (written.path / ".pytest_cache").rglob("*.entry"):
        file.unlink()
    for file in (written.path / ".pytest_cache").rglob("*.log"):
        file.unlink()
    second = read_only()
    assert {"passed": 3}.items() <= second.parseoutcomes().items()
    assert "Read-only file system; results are right but not kept" in said(second)
    assert len((written.path / "fitted.txt").read_text().split()) > fits
    third = read_only(UPDATE)
    assert third.ret == 1
    assert "the baseline cannot be locked: Read-only file system" in said(third)


def test_what_stands_in_the_place_of_a_file_is_one_error(written, odd_files):
    for name in ("fairness-baseline.json", ".fairness-baseline.key", "thresholds.yaml"):
        content = (written.path / name).read_bytes()
        for kind, arguments in (("pipe", ()), ("socket", (UPDATE,))):
            odd_files[kind].put(written.path / name)
            result = written.gate(*arguments)
            assert result.ret == pytest.ExitCode.USAGE_ERROR
            text = said(result)
            assert f"{name}: " in text
            assert odd_files[kind].says in text
        (written.path / name).unlink()
        (written.path / name).write_bytes(content)
        (written.path / name).chmod(0o600)


def test_an_outcomes_file_or_lock_that_is_none_is_one_error(written, odd_files):
    odd_file = odd_files["pipe"]
    before = (written.path / "fairness-baseline.json").read_bytes()
    (outcomes,) = (written.path / "fairness-baseline").iterdir()
    odd_file.put(outcomes)
    result = written.gate()
    assert result.ret == 1
    assert odd_file.says in said(result)
    odd_file.put(written.path / ".fairness-baseline.json.lock")
    result = written.gate(UPDATE)
    assert result.ret == 1
    assert f"the baseline cannot be locked: {odd_file.says}" in said(result)
    assert (written.path / "fairness-baseline.json").read_bytes() == before


@pytest.mark.parametrize("most", [100, 4_000])
def test_files_that_cannot_grow_cost_no_number_and_leave_the_old_baseline(written, most):
    before = (written.path / "fairness-baseline.json").read_bytes()
    for file in (written.path / ".pytest_cache").rglob("*.*"):
        if file.suffix in (".entry", ".log"):
            file.unlink()

    def limited():
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))

    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "pytest", "-p", "fairness_checks.plugin", "--fairness", "-W", "default"]
    done = subprocess.run(
        [*command, "--capture=no", UPDATE],
        cwd=written.path,
        env=environment,
        preexec_fn=limited,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stdout + done.stderr
    assert "File too large; results are right but not kept" in " ".join(done.stdout.split())
    assert "File too large" in done.stdout.split("waivers and baseline")[-1]
    assert (written.path / "fairness-baseline.json").read_bytes() == before
    assert written.gate().parseoutcomes() == RIGHT


PLACES = {"a full disk": "/dev/full", "a file as a folder": "thresholds.yaml/junit.xml"}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_a_junit_file_that_cannot_be_written_is_one_clear_error_and_red(project, place):
    project.limits("fair_model")
    result = project.gate(f"--junitxml={place}")
    assert result.ret == 1
    text = said(result)
    assert re.search("ERROR: fairness: .*: a report was not written: (No space left|Not a directory|File exists)", text)
    assert result.parseoutcomes() == {"passed": 1}  # the summary is there
