"""What the plugin adds to the start of every pytest run: ``python benchmarks/startup.py [runs]``.

Each run is a new interpreter under ``-X importtime``, which prints how long each module took with all that it imports.
pytest is imported first, as it is in every run, so that what both need (typing, pathlib, ...) counts for pytest.
The table shows the median over the runs and the fastest of them, in milliseconds.
"""

from __future__ import annotations

import argparse
import re
import statistics
import subprocess
import sys

LINE = re.compile(r"import time: +\d+ \| +(\d+) \| (\S+)", re.MULTILINE)  # those that no other module imported
# pytest loads plugins in a way that importtime does not see, hence the plain statements; a trivial run loads no more.
STATEMENTS = "import pytest; import fairness_checks; import fairness_checks.plugin; import fairness_checks.plugin.suite"
ROWS = {
    "pytest": ["pytest"],
    "fairness_checks.plugin": ["fairness_checks", "fairness_checks.plugin"],
    "  and with a conftest that has models": [
        "fairness_checks",
        "fairness_checks.plugin",
        "fairness_checks.plugin.suite",
    ],
}


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


if __name__ == "__main__":
    main()
