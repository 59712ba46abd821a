"""What the plugin adds to the start of every pytest run: ``python benchmarks/startup.py [runs]``.

Each run is a new interpreter under ``-X importtime``, which prints how long each module took with all that it imports.
pytest is imported first, as it is in every run, so that what both need (typing, pathlib, ...) counts for pytest.
The table shows the median over the runs and the fastest of them, in milliseconds. Its last row is what the hooks,
options and fixtures add once all is imported: processor time of a run of one test with the plugin less that of a run
with an empty one, in turns in one interpreter.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

LINE = re.compile(r"import time: +\d+ \| +(\d+) \| (\S+)", re.MULTILINE)  # those that no other module imported
# pytest loads plugins in a way that importtime does not see, hence the plain statements; a trivial run loads no more.
STATEMENTS = (
    "import pytest; import fairness_checks; import fairness_checks.plugin; import fairness_checks.plugin.discovery"
)
ROWS = {
    "pytest": ["pytest"],
    "fairness_checks.plugin": ["fairness_checks", "fairness_checks.plugin"],
    "  and with a conftest that has models": [
        "fairness_checks",
        "fairness_checks.plugin",
        "fairness_checks.plugin.discovery",
    ],
}


HOOKS = """
import contextlib, io, sys, time, types
import pytest
sys.modules["empty"] = types.ModuleType("empty")

def took(plugin):
    start = time.thread_time()
    with contextlib.redirect_stdout(io.StringIO()):
        assert pytest.main(["-q", "-p", "no:cacheprovider", "-p", plugin, sys.argv[1]]) == 0
    return (time.thread_time() - start) * 1e3

for plugin in ("empty", "fairness_checks.plugin"):
    took(plugin)
print(*(-took("empty") + took("fairness_checks.plugin") for _ in range(int(sys.argv[2]))))
"""


def hook_times(runs: int) -> list[float]:
    """Return milliseconds that the plugin adds to a run of one test, by run."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
        (Path(folder) / "test_mine.py").write_text("def test_mine():\n    pass\n", encoding="utf-8")
        command = [sys.executable, "-W", "ignore", "-c", HOOKS, folder, str(runs)]
        alone = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=alone)
    return [float(text) for text in done.stdout.split()]


def import_times() -> dict[str, float]:
    """Return milliseconds by module."""
    command = [sys.executable, "-X", "importtime", "-c", STATEMENTS]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    return {name: int(microseconds) / 1000 for microseconds, name in LINE.findall(text)}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="?", type=int, default=9)
    runs = parser.parse_args().runs
    import_times()  # the first run may have to compile
    times = [import_times() for _ in range(runs)]
    print(f"{f'import time in ms, {runs} runs':<40} median  least")
    for label, modules in ROWS.items():
        totals = [sum(run[module] for module in modules) for run in times]
        print(f"{label:<40} {statistics.median(totals):>6.1f} {min(totals):>6.1f}")
    hooks = hook_times(5 * runs)
    print(f"{'  hooks, options, fixtures':<40} {statistics.median(hooks):>6.1f}")


if __name__ == "__main__":
    main()
