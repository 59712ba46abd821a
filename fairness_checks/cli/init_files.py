"""What `fairness-checks init` writes: the text of each file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from fairness_checks.distribution import DISTRIBUTION

__all__ = [
    "GITIGNORE",
    "INIT",
    "INIT_CODES",
    "conftest",
    "example_limits",
    "file_limits",
    "generated",
    "github",
    "gitlab",
]

INIT = """\
Write what `pytest --fairness` needs, so that it runs at once: conftest.py with a model of generated
patients to be replaced by yours, thresholds.yaml with its limits explained, a workflow for the CI
that the project has, and lines of .gitignore. With a file of predictions, a thresholds.yaml that
judges it: no conftest.py is needed. Nothing is overwritten.
"""
INIT_CODES = """\
exit codes:
  0  the files were written
  2  one of them is there already, or a file cannot be read; then nothing was written. Or one
     cannot be written

  fairness-checks init                     # in your project
  fairness-checks init predictions.csv     # a file of predictions
  fairness-checks init --example           # a small project that ends red, to look at
"""

GITIGNORE = (".fairness-baseline.json.lock", ".fairness-baseline.key", "fairness-evidence/")
"""Lines that must not be missing in .gitignore: what no repository may hold."""

_SCHEMA = "# yaml-language-server: $schema=thresholds.schema.json\n"

_PATIENTS = """\
rng = np.random.default_rng(0)
    sex = rng.choice(["female", "male"], 2000)
    age = rng.integers(18, 95, 2000)
    sepsis = rng.random(2000) < 0.3
    recognised = rng.random(2000) < np.where(sex == "female", 0.60, 0.85)  # women are missed more often
    score = np.where(sepsis & recognised, rng.uniform(0.5, 1.0, 2000), rng.uniform(0.0, 0.5, 2000))
    band = np.array(["18-39", "40-64", "65+"])[np.digitize(age, [40, 65])]
"""


def conftest(model: str, *, example: bool) -> str:
    """Return a conftest.py with a model of generated patients."""
    todo = "" if example else "    # TODO your model: load held-out patients, predict, and return that instead\n"
    return f'''\
"""The models that `pytest --fairness` judges; what they must keep stands in thresholds.yaml."""

import numpy as np

from fairness_checks import Predictions, fairness_model


@fairness_model  # a fixture; its name is the model's name in thresholds.yaml
def {model}():
    """Return predictions for 2,000 generated patients."""
{todo}    {_PATIENTS}    return Predictions(
        y_true=sepsis,
        y_score=score,  # decided at 0.5; another: threshold=0.3
        sensitive_features={{"sex": sex, "age_band": band}},
    )
'''


def generated(model: str) -> str:
    """Return limits for the model of `conftest`, of which women's exceed one."""
    return _limits(model, [], ["sex", "age_band"], scores=True)


def github(install: str) -> str:
    """Return the workflow for GitHub Actions; `install` is what pip is given besides the gate."""
    return _GITHUB.replace(_INSTALL, install)


def gitlab(install: str) -> str:
    """Return the job for GitLab, likewise."""
    return _GITLAB.replace(_INSTALL, install)


def example_limits(model: str) -> str:
    """Return the limits of the example: one is exceeded, for a reason that the reader can see."""
    return (
        f"{_SCHEMA}version: 1\nmodels:\n  {model}:\n    subgroups:\n"
        "      # of women who have sepsis 40 in 100 are missed, of men 15: this build is red\n"
        "      - {metric: false_negative_rate, by: sex, max_difference: 0.10}\n"
        "      # old and young are missed alike\n"
        "      - {metric: false_negative_rate, by: age_band, max_difference: 0.20}\n"
        "      - {metric: AUROC, by: sex, min_value: 0.70}\n"
    )


def file_limits(
    model: str, source: Mapping[str, object], by: Sequence[str], *, scores: bool, missing: Mapping[str, str]
) -> str:
    """Return limits for a file of predictions; `missing` are settings for features that it does not say of each row."""
    lines = ["    source:"] + [f"      {key}: {value}" for key, value in source.items()]
    if "y_score" in source and "y_pred" not in source:
        lines.append("      # threshold: 0.3  # decides at scores of 0.3 or more; without it at 0.5")
    return _limits(model, lines, by, scores=scores, missing=missing)


def _limits(
    model: str,
    source: Sequence[str],
    features: Sequence[str],
    *,
    scores: bool,
    missing: Mapping[str, str] = MappingProxyType({}),
) -> str:
    by, both = features[0], f"[{', '.join(features[:2])}]" if len(features) > 1 else features[0]
    missed = "".join(
        f"      - {{metric: false_negative_rate, by: {each}, max_difference: 0.05}}\n" for each in features
    )
    settings = {"alpha": "0.05", "min_group_size": "10", **missing}
    todo = "  # TODO some rows say no group: should they be one of their own?" if missing else ""
    ranking = f"      # - {{metric: AUROC, by: {by}, min_value: 0.70}}\n" if scores else ""
    return (
        f"{_SCHEMA}# What a limit means, and how many patients it takes: fairness-checks explain false_negative_rate\n"
        "version: 1\n"
        f"defaults: {{{', '.join(f'{key}: {value}' for key, value in settings.items())}}}{todo}\n"
        f"models:\n  {model}:\n" + "".join(f"{line}\n" for line in source) + "    subgroups:\n"
        "      # patients who have the condition and are missed: at most 5 in 100 more in one group than in another\n"
        f"{missed}"
        "      # false alarms among those who do not have it\n"
        f"      - {{metric: false_positive_rate, by: {by}, max_difference: 0.05}}\n"
        "      # more that is often asked; take the # away, and set the limit with a clinician\n"
        f"      # - {{metric: false_negative_rate, by: {both}, max_value: 0.30}}  # the worst group\n"
        f"      # - {{metric: PPV, by: {by}, max_difference: 0.10}}\n"
        f"      # - {{metric: selection_rate, by: {by}, min_ratio: 0.80}}\n"
        f"{ranking}"
        "# A failure that is accepted for a time; `pytest --fairness -v` prints the lines:\n"
        "# waivers:\n"
        f"#   - {{model: {model}, metric: false_negative_rate, by: {by}, reason: why, approved_by: who,\n"
        "#      expires: 2027-06-30}\n"
    )


_INSTALL = "WHAT-THE-PROJECT-NEEDS"
# By its name alone pip would take whatever somebody else publishes under it.
_GATE = f"'{DISTRIBUTION} @ git+https://HOST/OWNER/REPOSITORY'"
_RUN = "pytest --fairness --fairness-report=fairness-evidence --junitxml=fairness-evidence/junit.xml"

_GITHUB = f"""\
name: fairness
on:
  pull_request:
  push:
    branches: [main]
permissions:
  contents: read
jobs:
  fairness:
    runs-on: ubuntu-latest
    timeout-minutes: 60
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-python@v5
        with: {{python-version: "3.12"}}
      - run: pip install {_GATE} {_INSTALL}  # TODO where the gate lies, and what your project needs
      - run: {_RUN}
      - if: always()
        uses: actions/upload-artifact@v4
        with: {{name: fairness-evidence, path: fairness-evidence}}
"""

_GITLAB = f"""\
fairness:
  image: python:3.12
  script:
    - pip install {_GATE} {_INSTALL}  # TODO where the gate lies, and what your project needs
    - {_RUN}
  artifacts:
    when: always
    paths: [fairness-evidence]
    reports: {{junit: fairness-evidence/junit.xml}}
"""
