"""README's picture: the top of the report of its own example project.

    python -m benchmarks.readme_picture

It runs the commands that README has a newcomer paste, and writes docs/images/red_report.png.
"""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

from benchmarks.report_browser import Mode, chromium, opened, started

__all__ = ["example_report"]

ROOT = Path(__file__).parents[1]
WIDTH = 1100
COLOURS = 256  # small enough for a repository; the cover keeps those of the few pixels that are a verdict


def example_report(folder: Path) -> str:
    """Return report.html of the project that README writes down."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (pasted,) = (each for each in re.findall(r"^```sh\n(.*?)^```$", readme, re.S | re.M) if "> conftest.py" in each)
    files, command = pasted.rstrip().rsplit("\n", 1)
    if not command.startswith("pytest --fairness"):
        sys.exit(f"README.md: its example ends with {command!r}, not with the gate")
    subprocess.run(["bash", "-euc", files], cwd=folder, check=True)
    gate = [sys.executable, "-m", *command.split(), "--fairness-report=out", "-q"]
    known = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    ended = subprocess.run(gate, cwd=folder, env=known, capture_output=True, text=True, check=False)
    if ended.returncode != 1:
        sys.exit(f"the example is not red:\n{ended.stdout}{ended.stderr}")
    return (folder / "out" / "report.html").read_text(encoding="utf-8")


def _main() -> None:
    executable = chromium()
    if executable is None:
        sys.exit("no browser: apt-get install chromium, or name one in FAIRNESS_CHROMIUM")
    with tempfile.TemporaryDirectory() as folder:
        html = example_report(Path(folder))
    with started(executable) as browser, opened(browser, html, Mode(WIDTH)) as shown:
        below = shown.page.evaluate("() => document.getElementById('checks').getBoundingClientRect().top")
        size = {"x": 0.0, "y": 0.0, "width": float(WIDTH), "height": float(below) - 20}
        taken = shown.page.screenshot(full_page=True, clip=size)  # type: ignore[arg-type]
    to = ROOT / "docs" / "images" / "red_report.png"
    to.parent.mkdir(exist_ok=True)
    Image.open(io.BytesIO(taken)).convert("RGB").quantize(COLOURS, Image.Quantize.MAXCOVERAGE).save(to, optimize=True)
    print(f"{to.relative_to(ROOT)}: {to.stat().st_size:,} bytes")


if __name__ == "__main__":
    _main()
