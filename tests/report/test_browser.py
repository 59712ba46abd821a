"""The page in a real browser: nothing is asked for, nothing leaves its place, all can be read, and print has it all.

One browser for all, started where Chromium is; each page is opened once for each way to look at it.
"""

from __future__ import annotations

import dataclasses
import io
import os
import subprocess
import sys
import unicodedata

import pypdf
import pytest

from benchmarks.report_browser import MODES, Mode, chromium, opened, started
from benchmarks.sweep_project import MODEL
from fairness_checks.report.evidence import read_evidence
from fairness_checks.report.page.cards import cards_of
from tests.report.page.runs import ALIKE, BIASED, TINY, page_of, record_of, run_of, withheld
from tests.report.sample_evidence import HOSTILE, check, evidence, mixed, record, renamed

TRIAGE = '''

@fairness_model
def triage():
    """Patients of two sexes and three ages; the new version misses more of the women."""
    rng = np.random.default_rng(1)
    n = 900
    sex, age = rng.choice(["female", "male"], n), rng.choice(["18-39", "40-64", "65+"], n)
    ill = rng.random(n) < 0.4
    lost = np.where(sex == "female", 0.35 if Path(__file__).with_name("new_version").exists() else 0.1, 0.0)
    score = np.clip(np.where(ill, 0.7 - lost, 0.25) + 0.2 * rng.normal(size=n), 0.001, 0.999)
    error = rng.lognormal(np.where(sex == "female", 1.0, 0.0))
    features = {"sex": sex, "age": age}
    return Predictions(ill, y_score=score, error=error, uncertainty=rng.random(n), sensitive_features=features)
'''
LIMITS = """version: 1
models:
  swept:
    sweep:
      by: sex
      mixes: {as_is: as_is, half: {female: 0.5, male: 0.5}, men: {male: 1.0}}
      repeats: 5
      checks:
        - {metric: accuracy, gap: each_mix, max_difference: 0.2}
        - {metric: brier_score, gap: worst_case, max_difference: 0.9}
        - {metric: roc_auc, gap: dependence, max_slope: 0.1}
        - {metric: uncertainty_mismatch, max_mismatch: 0.05}
  triage:
    subgroups:
      - {metric: false_negative_rate, by: sex, max_difference: 0.05}
      - {metric: false_negative_rate, by: [sex, age], max_value: 0.3}
      - {metric: expected_calibration_error, by: sex, max_difference: 0.05}
      - {metric: selection_rate, by: age, min_ratio: 0.8}
      - {metric: roc_auc, by: sex, max_difference: 0.2}
    uncertainty: [{by: sex, max_mismatch: 0.1}]
    regression: [{metric: false_negative_rate, by: sex, max_worsening: 0.02}]
"""


def sixty():
    """As many models as a page must stay usable with."""
    return run_of(*(record_of((BIASED, ALIKE, TINY)[i % 3], f"model_{i:02}") for i in range(60)))


def hostile():
    """A failure, what it takes and a waiver, under each name that could break a page."""
    runs = [renamed(evidence(check(1, record()), check(2, record(4, 12)), exit_code=1), name) for name in HOSTILE]
    return dataclasses.replace(
        runs[0],
        models=tuple(model for run in runs for model in run.models),
        failures=tuple(failure for run in runs for failure in run.failures),
        not_judged={test: why for run in runs for test, why in run.not_judged.items()},
    )


def suppressed():
    """Counts of a small group are withheld, beside a check that has none."""
    return run_of(withheld(record_of(TINY, "small")), record_of(BIASED, "large"))


RUNS = {
    "red": mixed,
    "green": lambda: run_of(record_of(ALIKE, "a_model"), record_of(TINY, "b_model")),
    "sixty": sixty,
    "hostile": hostile,
    "suppressed": suppressed,
}
REPORTS = (*RUNS, "every_kind")
reports = pytest.mark.parametrize("report", REPORTS)
ALEPH = "\u05d0"  # what is read from right to left stands in a PDF as it is seen


@pytest.fixture(scope="module")
def browser():
    executable = chromium()
    if executable is None:
        missing = "no Chromium: apt-get install chromium, or name a browser in FAIRNESS_CHROMIUM"
        if os.environ.get("FAIRNESS_BROWSER") == "required":
            pytest.fail(missing)
        pytest.skip(missing)
    with started(executable) as started_once:
        yield started_once


@pytest.fixture(scope="module")
def every_kind(tmp_path_factory):
    """Evidence of a real run with a sweep, uncertainty, calibration, and a baseline of the version before."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "conftest.py").write_text(MODEL + TRIAGE, encoding="utf-8")
    (folder / "thresholds.yaml").write_text(LIMITS, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "--fairness", "-q", "-p", "no:cacheprovider"]
    for option in ("--fairness-update-baseline", "--fairness-report=out"):
        ended = subprocess.run([*command, option], cwd=folder, capture_output=True, text=True, timeout=300, check=False)
        assert ended.returncode == 1, ended.stdout
        (folder / "new_version").touch()
    found, unchanged = read_evidence((folder / "out" / "evidence.json").read_text(encoding="utf-8"))
    assert unchanged
    return found


@pytest.fixture(scope="module")
def run_named(request):
    """Evidence by the name of a report, made once."""
    made = {}

    def of(name):
        if name not in made:
            made[name] = RUNS[name]() if name in RUNS else request.getfixturevalue(name)
        return made[name]

    return of


@pytest.fixture(scope="module")
def html_of(run_named):
    """Page by the name of a report, made once."""
    made = {}

    def of(name):
        if name not in made:
            made[name] = page_of(run_named(name))
        return made[name]

    return of


@pytest.mark.parametrize("mode", MODES, ids=[mode.name for mode in MODES])
@reports
def test_a_page_asks_for_nothing_says_nothing_and_fits(browser, html_of, report, mode):
    with opened(browser, html_of(report), mode) as shown:
        assert shown.problems() == []
        shown.open_details()
        assert shown.problems() == []
        assert shown.requests == [shown.page.url]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@reports
def test_axe_finds_no_violation(browser, html_of, report, scheme):
    with opened(browser, html_of(report), Mode(1280, scheme)) as shown:
        if scheme == "dark":  # what is open is seen in one of them: colours are the same, and axe takes long
            shown.open_details()
        assert shown.violations() == []


@reports
def test_print_has_every_verdict_and_what_is_closed_on_the_screen(browser, html_of, run_named, report):
    with opened(browser, html_of(report), Mode(1280)) as shown:
        said = shown.page.evaluate("() => [...document.querySelectorAll('.headline')].map(each => each.textContent)")
        printed = pypdf.PdfReader(io.BytesIO(shown.page.pdf(format="A4")))
    text = squeezed("".join(page.extract_text() for page in printed.pages))
    assert len(said) == len(cards_of(run_named(report)))
    assert "approved_by:TODO" not in text  # what is to be pasted is of no use on paper
    assert [each for each in said if ALEPH not in each and squeezed(each) not in text] == []


def squeezed(text):
    """Return a text without what print changes: line breaks, ligatures."""
    return "".join(unicodedata.normalize("NFKC", text).split())
