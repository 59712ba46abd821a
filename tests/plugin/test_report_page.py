"""report.html of a run: the page that its evidence gives later, red where the run is red."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

# See conftest.py: numpy does not survive being imported twice.
import fairness_checks.report.page.page  # noqa: F401
from fairness_checks.cli.main import main


@pytest.mark.parametrize(
    ("models", "title"),
    [
        (["biased_model", "tiny_model", "fair_model"], "Red: 1 of 3 checks failed"),
        (["fair_model"], "Green: each limit is shown to be kept"),
        (["tiny_model"], "Not settled: 1 of 1 check"),
    ],
    ids=["red", "green", "unsettled"],
)
def test_the_page_of_the_run_is_the_one_made_of_its_evidence(project, tmp_path, models, title):
    project.limits(*models)
    with project.the_rest_unchecked():
        project.gate("--fairness-report=out")
    out = project.path / "out"
    html = (out / "report.html").read_text(encoding="utf-8")
    assert f"</svg> {title}</h1>" in html
    assert main(["report", "--format", "html", str(out), "-o", str(tmp_path / "later.html")]) == 0
    assert (tmp_path / "later.html").read_text(encoding="utf-8") == html


def test_a_run_that_is_stopped_before_its_end_leaves_a_red_page(project):
    project.limits("fair_model")
    project.write("test_stop.py", "import pytest\n\ndef test_stop(fairness):\n    pytest.exit('stopped')\n")
    project.gate("--fairness-report=out")
    assert "Red: this run did not come to its end</h1>" in Path(project.path, "out", "report.html").read_text("utf-8")


def test_no_page_no_template_engine(project):
    project.limits("fair_model")
    project.write(
        "run.py",
        "import sys, pytest\npytest.main(sys.argv[1:])\nprint('loaded:', sorted({'jinja2'} & set(sys.modules)))\n",
    )
    for arguments, loaded in ((["--fairness"], "[]"), (["--fairness", "--fairness-report=out"], "['jinja2']")):
        result = project.pytester.run(sys.executable, str(project.path / "run.py"), *arguments, timeout=300)
        assert result.outlines[-1] == f"loaded: {loaded}"
